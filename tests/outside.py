"""Captures of anybody, against what tshark says of them.

``python -m tests.outside FOLDER`` has tshark and wardwatch read every capture below a folder, and
prints what they say differently, a line each; the rules that compare are those of
:mod:`tests.oracle`. Nothing here passes or fails: tshark reads protocols where it takes them for
some, and knows tunnels that no hospital has. Each difference wants a look at the packets.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests import oracle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Fields = dict[str, list[str]]
    """One packet: what stands in each field, in the order of the packet."""

FIELDS = (
    "frame.number", "frame.time_epoch", "frame.len", "frame.cap_len", "frame.interface_id",
    "frame.protocols", "eth.src", "vlan.id", "ieee8021ad.id", "mpls.label", "vxlan.vni",
    "ip.src", "ip.dst", "ip.frag_offset", "ip.flags.mf", "ipv6.src", "ipv6.dst",
    "tcp.stream", "tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport",
    "arp.opcode", "arp.src.hw_mac", "arp.src.proto_ipv4", "icmpv6.type",
    "dhcp.id", "dhcp.hw.mac_addr", "dhcp.ip.relay", "dhcp.option.dhcp", "dhcp.option.type",
    "dhcp.option.dhcp_server_id", "dhcp.option.domain_name_server", "dhcp.option.router",
    "dhcp.option.option_overload", "dhcp.option.tftp_server_name", "dhcp.option.bootfile_name",
    "dhcpv6.msgtype", "dns.id", "dns.flags.response", "dns.flags.rcode", "dns.count.queries",
    "dns.count.answers", "dns.qry.name", "ftp.request.command", "ftp.response.code",
    "telnet.data", "telnet.cmd", "tls.record.version", "tls.handshake.type",
    "tls.handshake.version", "tls.handshake.extensions_server_name",
    "tls.handshake.extensions.supported_version", "tls.handshake.certificate",
    "http.request.method", "http.response.code", "hl7.message.type", "dicom.pdu.type",
    "snmp.version", "snmp.community", "snmp.msgUserName", "wlan.fc.type_subtype",
)  # fmt: skip

OPTIONS = (
    "tcp.desegment_tcp_streams:TRUE",
    "ip.defragment:TRUE",
    "tcp.reassemble_out_of_order:TRUE",
    "nameres.mac_name:FALSE",
    "tcp.check_checksum:FALSE",
)
SEPARATOR = "\x1e"
PATIENCE_S = 120

MESSAGES = {"1": "DISCOVER", "2": "OFFER", "3": "REQUEST", "4": "DECLINE", "5": "ACK", "6": "NAK",
            "7": "RELEASE", "8": "INFORM"}  # fmt: skip
"""RFC 2132 §9.6."""
REPLIES = ("2", "5", "6")


def fields_of(capture: Path) -> list[Fields]:
    """What tshark says of each packet of a capture, as far as it can read it."""
    command = ["tshark", "-n", "-r", str(capture), "-T", "fields", "-E", "separator=/t"]
    command += ["-E", f"aggregator={SEPARATOR}", "-E", "occurrence=a"]
    for option in OPTIONS:
        command += ["-o", option]
    for field in FIELDS:
        command += ["-e", field]
    ran = subprocess.run(command, capture_output=True, check=False, timeout=PATIENCE_S)
    rows = []
    for line in ran.stdout.decode("utf-8", "replace").split("\n"):
        values = line.split("\t")
        if len(values) == len(
            FIELDS
        ):  # a text with a line's end in it makes another number of them
            told = zip(FIELDS, values, strict=True)
            rows.append({name: value.split(SEPARATOR) if value else [] for name, value in told})
    return rows


def expected(packets: Sequence[Fields]) -> dict[str, Any]:
    """Values by the paths of :mod:`tests.oracle`: of a protocol that was seen, nothing of others."""
    found: dict[str, Any] = {}
    for rule in (_file, _headers, _arp, _dhcp, _dns, _tls, _others):
        found.update(rule(packets))
    return found


def _file(packets: Sequence[Fields]) -> Iterator[tuple[str, Any]]:
    yield "packets", len(packets)
    yield "captured_bytes", sum(int(p["frame.cap_len"][0]) for p in packets)
    yield "wire_bytes", sum(int(p["frame.len"][0]) for p in packets)


def _headers(packets: Sequence[Fields]) -> Iterator[tuple[str, Any]]:
    tags = [tag for p in packets for tag in p["vlan.id"]]
    tags += [f"ad:{tag}" for p in packets for tag in p["ieee8021ad.id"]]
    fragments = sum(
        any(at != "0" for at in p["ip.frag_offset"])
        or any(m in ("1", "True") for m in p["ip.flags.mf"])
        for p in packets
    )
    found = {
        "vlan_ids": dict(Counter(tags)),
        "mpls_labels": _counted(packets, "mpls.label"),
        "vxlan_vnis": _counted(packets, "vxlan.vni"),
        "ip_fragment_frames": fragments,
        "ipv6_fragment_frames": sum("ipv6.fraghdr" in _layers(p) for p in packets),
    }
    yield from ((path, value) for path, value in found.items() if value)


def _arp(packets: Sequence[Fields]) -> Iterator[tuple[str, Any]]:
    said = [p for p in packets if p["arp.opcode"]]
    if not said:
        return
    claims, claimed = defaultdict(set), defaultdict(set)
    for p in said:
        for mac, ip in zip(p["arp.src.hw_mac"][:1], p["arp.src.proto_ipv4"][:1], strict=False):
            if ip != "0.0.0.0":
                claims[ip].add(mac)
                claimed[mac].add(ip)
    yield "arp.messages", len(said)
    yield "arp.requests", sum(p["arp.opcode"][0] == "1" for p in said)
    yield "arp.replies", sum(p["arp.opcode"][0] == "2" for p in said)
    yield "arp.conflicts", {ip: sorted(macs) for ip, macs in claims.items() if len(macs) > 1}
    yield "arp.macs_claiming_many", {m: sorted(ips) for m, ips in claimed.items() if len(ips) > 1}


def _dhcp(packets: Sequence[Fields]) -> Iterator[tuple[str, Any]]:
    six = _counted(packets, "dhcpv6.msgtype")
    if six:
        yield "dhcpv6_types", six
    said = [p for p in packets if p["dhcp.id"] or p["dhcp.option.type"]]
    if not said:
        return
    replies = [p for p in said if p["dhcp.option.dhcp"][:1] and p["dhcp.option.dhcp"][0] in REPLIES]
    yield "dhcp.messages", len(said)
    types = [p["dhcp.option.dhcp"][0] for p in said if p["dhcp.option.dhcp"]]
    yield "dhcp.by_type", dict(Counter(MESSAGES.get(kind, kind) for kind in types))
    yield "dhcp.n_clients", len({mac for p in said for mac in p["dhcp.hw.mac_addr"][:1]})
    yield "dhcp.relays", _all(said, "dhcp.ip.relay", but="0.0.0.0")
    yield "dhcp.server_ids", _all(replies, "dhcp.option.dhcp_server_id")
    yield "dhcp.server_macs", sorted({mac for p in replies for mac in p["eth.src"][:1]})
    yield "dhcp.offered_dns", _all(replies, "dhcp.option.domain_name_server")
    yield "dhcp.offered_routers", _all(replies, "dhcp.option.router")
    for path, field in (("66", "tftp_server_name"), ("67", "bootfile_name")):
        texts = [(int(p["frame.number"][0]), p[f"dhcp.option.{field}"]) for p in said]
        yield f"dhcp.opt{path}", [[at, text[0], len(text[0])] for at, text in texts if text]


def _dns(packets: Sequence[Fields]) -> Iterator[tuple[str, Any]]:
    messages = []
    for p in packets:
        layers = _layers(p)
        kind = next((name for name in ("dns", "mdns", "llmnr") if name in layers), "")
        if kind and not {"icmp", "icmpv6"} & set(layers):
            messages += [
                (p, kind, response in ("1", "True"))
                for _, response in zip(p["dns.id"], p["dns.flags.response"], strict=False)
            ]
    if not messages:
        return
    once = list({id(p): p for p, *_ in messages}.values())
    ends = [(_ends(p), kind, is_response) for p, kind, is_response in messages]
    yield "dns.queries", sum(not is_response for *_, is_response in messages)
    yield "dns.responses", sum(is_response for *_, is_response in messages)
    yield "dns.by_kind", dict(Counter(kind for _, kind, _ in messages))
    yield "dns.over_tcp", sum(bool(p["tcp.srcport"]) for p, *_ in messages)
    yield "dns.n_qnames", len({name for p in once for name in p["dns.qry.name"]})
    yield "dns.queried_servers", dict(Counter(to for (_, to), k, r in ends if k == "dns" and not r))
    yield "dns.answering_servers", dict(Counter(by for (by, _), k, r in ends if k == "dns" and r))
    yield "dns.rcodes", dict(Counter(code for p in once for code in p["dns.flags.rcode"]))
    for path, field in (("max_ancount", "answers"), ("max_qdcount", "queries")):
        counts = [int(n) for p in once for n in p[f"dns.count.{field}"]]
        yield f"dns.{path}", max(counts, default=0)


def _tls(packets: Sequence[Fields]) -> Iterator[tuple[str, Any]]:
    said = [p for p in packets if p["tls.record.version"] and p["tcp.stream"]]
    if not said:
        return
    chosen = {p["tcp.stream"][-1]: "none" for p in said}
    for p in said:
        hellos = [kind for kind in p["tls.handshake.type"] if kind in ("1", "2")]
        if "2" not in hellos:
            continue
        versions = p["tls.handshake.version"][hellos.index("2") :]
        later = [] if "1" in hellos else p["tls.handshake.extensions.supported_version"]
        chosen[p["tcp.stream"][-1]] = (later or versions or ["none"])[0]
    yield "tls.streams", len(chosen)
    yield "tls.negotiated", dict(Counter(chosen.values()))
    yield "tls.sni", _all(said, "tls.handshake.extensions_server_name")
    yield "tls.n_certs", len(_all(said, "tls.handshake.certificate"))


def _others(packets: Sequence[Fields]) -> Iterator[tuple[str, Any]]:
    found = {
        "ftp.commands": dict(
            Counter(verb.upper() for p in packets for verb in p["ftp.request.command"])
        ),
        "telnet.sessions": len(
            {p["tcp.stream"][-1] for p in packets if p["telnet.data"] or p["telnet.cmd"]}
        ),
        "http.requests": sum(len(p["http.request.method"]) for p in packets),
        "http.responses": sum(len(p["http.response.code"]) for p in packets),
        "hl7.messages": sum(len(p["hl7.message.type"]) for p in packets),
        "dicom.pdu_types": _counted(packets, "dicom.pdu.type"),
        "ipv6_ra.messages": sum("134" in p["icmpv6.type"] for p in packets),
        "wlan.subtypes": dict(
            Counter(
                f"0x{int(p['wlan.fc.type_subtype'][0], 0):04x}"
                for p in packets
                if p["wlan.fc.type_subtype"]
            )
        ),
        "snmp": dict(
            Counter(
                f"version={p['snmp.version'][0]} community={p['snmp.community'][0]}"
                for p in packets
                if p["snmp.version"] and p["snmp.community"]
            )
        ),
        "snmpv3_users": dict(
            Counter(p["snmp.msgUserName"][0] for p in packets if p["snmp.msgUserName"])
        ),
    }
    yield from ((path, value) for path, value in found.items() if value)


def conversations(packets: Sequence[Fields]) -> set[tuple[Any, ...]]:
    """Transport and both ends of what tshark saw of TCP and UDP, errors' quotes left out."""
    found = set()
    for p in packets:
        layers = _layers(p)
        inner = [at for at, name in enumerate(layers) if name in ("tcp", "udp", "icmp", "icmpv6")]
        if not inner or {"icmp", "icmpv6"} & {layers[at] for at in inner}:
            continue
        proto = layers[inner[-1]]
        ports = p[f"{proto}.srcport"], p[f"{proto}.dstport"]
        if ports[0] and ports[1]:
            near, far = _ends(p)
            ends = sorted(((near, int(ports[0][-1])), (far, int(ports[1][-1]))))
            found.add((proto, *ends))
    return found


def _ends(p: Fields) -> tuple[str, str]:
    """Addresses of the innermost header of IP."""
    layers = _layers(p)
    six = [at for at, name in enumerate(layers) if name == "ipv6"]
    four = [at for at, name in enumerate(layers) if name == "ip"]
    kind = "ipv6" if (six or [-1])[-1] > (four or [-1])[-1] else "ip"
    return (p[f"{kind}.src"] or [""])[-1], (p[f"{kind}.dst"] or [""])[-1]


def _layers(p: Fields) -> list[str]:
    return ":".join(p["frame.protocols"]).split(":")


def _counted(packets: Sequence[Fields], field: str) -> dict[str, int]:
    return dict(Counter(value for p in packets for value in p[field]))


def _all(packets: Sequence[Fields], field: str, but: str = "") -> list[str]:
    return sorted({value for p in packets for value in p[field]} - {but})


def differences(capture: Path, folder: Path) -> Iterator[tuple[str, Any, Any]]:
    """Path, what tshark says, what we say, of all that differs; ``folder`` is ours to write to.

    Raises :class:`~wardwatch.errors.CaptureError` where we cannot read the capture.
    """
    from wardwatch.observe.engine import write_evidence

    key_file = folder / "key"
    key_file.write_bytes(oracle.KEY)
    key_file.chmod(0o600)
    write_evidence([capture], folder / "evidence", key_file=key_file)
    e = oracle.Evidence(folder / "evidence")
    packets = fields_of(capture)
    for path, value in expected(packets).items():
        state, theirs, ours = oracle.judge({"path": path, "value": value, "confidence": "B"}, e)
        if state == "failed":
            yield path, theirs, ours
    theirs = conversations(packets)
    ours = {
        (r["proto"], *sorted(((r["orig_h"], r["orig_p"]), (r["resp_h"], r["resp_p"]))))
        for r in e.conversations
        if r["proto"] in ("tcp", "udp")
    }
    if theirs != ours:
        yield "conversations", sorted(theirs - ours), sorted(ours - theirs)


def main(
    arguments: list[str] | None = None, out: Callable[[str], object] = sys.stdout.write
) -> int:
    """Print what differs, and how many captures there were."""
    from wardwatch.errors import CaptureError

    parser = argparse.ArgumentParser(prog="python -m tests.outside", description=__doc__)
    parser.add_argument("folder", type=Path, help="a folder of captures")
    files = sorted(p for p in parser.parse_args(arguments).folder.rglob("*") if p.is_file())
    states: Counter[str] = Counter()
    for path in files:
        with tempfile.TemporaryDirectory() as scratch:
            told = 0
            try:
                for what, theirs, ours in differences(path, Path(scratch)):
                    told += 1
                    out(
                        f"{path.name}: {what}: tshark {oracle.short(theirs)}, "
                        f"wardwatch {oracle.short(ours)}\n"
                    )
            except CaptureError as error:
                out(f"refused: {error}\n")
                states["refused"] += 1
                continue
            states["other" if told else "alike"] += 1
    out(f"{states['alike']} alike, {states['other']} not in all, {states['refused']} refused\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
