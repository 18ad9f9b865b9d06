"""The oracle: evidence tables against what independent programs say of the same captures.

``python -m tests.oracle DIR`` reads ``DIR/MANIFEST.json`` and ``DIR/expect/*.json``, runs
``wardwatch evidence`` on every capture and compares what it wrote. Rules are by path, never by
file; nothing of :mod:`wardwatch.decode` is used. Confidence A and B must agree, C loosely;
``disputed`` values decide nothing. Disputes of ours (``tests/oracle_disputed.toml``) name the
packet and the bytes that show them, and print as ``disputed``.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sys
import tempfile
import tomllib
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = bytes(range(32))
"""The key of secrets in these runs, so that expected secrets can be compared."""

MUST = frozenset(
    {
        "packets", "captured_bytes", "wire_bytes", "first_ts", "last_ts", "interfaces",
        "conversations_total", "vlan_ids", "mpls_labels", "vxlan_vnis", "ip_fragment_frames",
        "ipv6_fragment_frames", "arp", "dhcp", "dhcpv6_types", "dns", "ftp", "telnet", "tls",
        "http", "hl7", "dicom", "ipv6_ra", "wlan", "snmp", "snmpv3_users", "tftp_requests",
    }
)  # fmt: skip
"""First names of paths that must be mapped: an unknown one below them fails."""

Row = dict[str, Any]


class Evidence:
    """What one run of ``wardwatch evidence`` wrote, table by table."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tables: dict[str, list[Row]] = {}

    def __getattr__(self, table: str) -> list[Row]:
        """Rows of a table, in the order of their packets where they have one."""
        if table not in self._tables:
            import pyarrow.parquet as pq

            rows = pq.read_table(self._folder / f"{table}.parquet").to_pylist()
            if rows and "packet" in rows[0]:
                rows.sort(key=lambda row: (row["capture"], row["packet"]))
            self._tables[table] = rows
        return self._tables[table]

    def dns_rows(self) -> list[Row]:
        return [row for row in self.dns if row["kind"] == "dns"]

    def encapsulated(self, kind: str) -> list[Row]:
        return [row for row in self.encapsulations if row["kind"] == kind]

    def ftp_commands(self, *verbs: str) -> list[Row]:
        rows = [row for row in self.ftp if row["direction"] == "command"]
        return [row for row in rows if row["command"] in verbs] if verbs else rows

    def ftp_replies(self, code: int) -> int:
        """Replies with a code; lines of one reply that came in several packets are one."""
        count, previous = 0, {}
        for row in self.ftp:
            count += row["code"] == code != previous.get(row["conversation"])
            previous[row["conversation"]] = row["code"]
        return count

    def dhcp_fixed(self) -> list[Row]:
        """Messages but for those cut whose op is none: of these tshark reads no field."""
        return [row for row in self.dhcp if row["whole"] or row["op"] in (1, 2)]

    def dhcp_replies(self) -> list[Row]:
        return [row for row in self.dhcp if row["msg_type"] in ("OFFER", "ACK", "NAK")]


def digest(secret: bytes) -> str:
    """The keyed digest that stands in tables for a secret."""
    return hashlib.blake2b(secret, key=KEY, digest_size=32).hexdigest()


def counted(values: Any) -> dict[str, int]:
    """How often each value occurs, keys as text."""
    return {str(key): count for key, count in Counter(values).items()}


def added(rows: list[Row], key: str = "value", count: str = "packets") -> dict[str, int]:
    """Sums of one column by another, keys as text."""
    sums: Counter[str] = Counter()
    for row in rows:
        sums[str(row[key])] += row[count]
    return dict(sums)


SNMP = 161


def conversations_total(e: Evidence) -> dict[str, int]:
    """Distinct 5-tuples, either direction.

    But for SNMP: after the first request tshark expects answers to its port from any port, and
    everything that follows belongs to that second stream.
    """
    seen: dict[str, Counter[Any]] = {"tcp": Counter(), "udp": Counter()}
    for row in e.conversations:
        if row["proto"] in seen:
            ends = ((row["orig_h"], row["orig_p"]), (row["resp_h"], row["resp_p"]))
            seen[row["proto"]][tuple(sorted(ends))] += row["orig_pkts"] + row["resp_pkts"]
    again = sum(
        packets > 1 and SNMP in (one[1], other[1]) for (one, other), packets in seen["udp"].items()
    )
    return {"tcp": len(seen["tcp"]), "udp": len(seen["udp"]) + again}


def interfaces(e: Evidence) -> dict[str, int]:
    """Packets by interface, where the format has such a thing: a pcap file has not."""
    if e.captures[0]["format"] != "pcapng":
        return {}
    return {str(r["interface"]): r["packets"] for r in e.interfaces if r["packets"]}


def arp_conflicts(e: Evidence) -> dict[str, list[str]]:
    claims = defaultdict(set)
    for row in e.arp:
        if row["sender_ip"] not in ("", "0.0.0.0"):
            claims[row["sender_ip"]].add(row["sender_mac"])
    return {ip: sorted(macs) for ip, macs in claims.items() if len(macs) > 1}


def arp_many(e: Evidence) -> dict[str, list[str]]:
    claims = defaultdict(set)
    for row in e.arp:
        if row["sender_ip"] not in ("", "0.0.0.0"):
            claims[row["sender_mac"]].add(row["sender_ip"])
    return {mac: sorted(ips) for mac, ips in claims.items() if len(ips) > 1}


def option_text(column: str) -> Callable[[Evidence], Any]:
    """``[packet, text, length of the text]`` of an option: trailing NULs are not text."""
    length = "opt66_len" if column == "tftp_server" else "opt67_len"

    def rule(e: Evidence) -> Any:
        found = []
        for row in e.dhcp:
            if row[length] >= 0:
                text = row[column].rstrip("\0").removesuffix("\\x00")
                found.append([row["packet"], text, len(text)])
        return found

    return rule


def dns_balance(e: Evidence) -> tuple[int, int]:
    """Responses that nobody asked for; responses behind the first to one question.

    A question that is asked again with its identifier is the same question.
    """
    asked: set[Any] = set()
    answered: Counter[Any] = Counter()
    for row in e.dns_rows():
        here, there = (row["src"], row["src_port"]), (row["dst"], row["dst_port"])
        key = (row["proto"], row["trans_id"])
        if row["is_response"]:
            answered[(*key, there, here)] += 1
        else:
            asked.add((*key, here, there))
    unasked = sum(count for key, count in answered.items() if key not in asked)
    surplus = sum(count - 1 for key, count in answered.items() if key in asked)
    return unasked, surplus


def dns_names(e: Evidence) -> int:
    """Distinct names of questions, those of every question of a message."""
    return len(
        {
            name
            for row in e.dns
            for name in (row["questions"] or [row["query"]])
            if name or row["qdcount"] > 0
        }
    )


def ftp_passwords(e: Evidence) -> list[str]:
    rows = [row for row in e.logins if row["protocol"] == "ftp" and row["secret"]]
    rows.sort(key=lambda row: row["secret_packet"])
    return [row["secret"] for row in rows]


def tls_streams(e: Evidence) -> set[int]:
    """Conversations that speak TLS, with a handshake in sight or without."""
    spoken = {r["conversation"] for r in e.conversations if "ssl" in r["service"].split(",")}
    return spoken | {row["conversation"] for row in e.tls}


def tls_negotiated(e: Evidence) -> dict[str, int]:
    chosen = {row["conversation"]: row["version"] for row in e.tls}
    versions = [chosen.get(stream, -1) for stream in tls_streams(e)]
    return counted("none" if version in (-1, 2) else f"0x{version:04x}" for version in versions)


def leaves(e: Evidence) -> list[Row]:
    return [row for row in e.certificates if row["position"] == 0]


def snmp(e: Evidence) -> dict[Any, int]:
    """Messages by version and digest of the community."""
    sums: Counter[Any] = Counter()
    for row in e.snmp:
        if row["version"] in (0, 1):
            sums[row["version"], row["secret"]] += row["packets"]
    return dict(sums)


def tftp(e: Evidence) -> list[Row]:
    return [
        {
            "frame": row["packet"],
            "src": row["client"],
            "dst": row["server"],
            "op": row["command"],
            "file": [row["path"]] if row["path"] else [],
        }
        for row in e.transfers
        if row["protocol"] == "tftp"
    ]


def dicom_types(e: Evidence) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for row in e.dicom:
        sums[f"0x{row['pdu_type']:02x}"] += row["pdus"]
    return dict(sums)


def ssids(e: Evidence, subtype: int) -> list[str]:
    return sorted({row["ssid"] for row in e.wifi if row["subtype"] == subtype and row["ssid"]})


RULES: dict[str, Callable[[Evidence], Any]] = {
    "packets": lambda e: e.captures[0]["packets"],
    "captured_bytes": lambda e: e.captures[0]["captured_bytes"],
    "wire_bytes": lambda e: e.captures[0]["wire_bytes"],
    "first_ts": lambda e: e.captures[0]["first_ts"],
    "last_ts": lambda e: e.captures[0]["last_ts"],
    "interfaces": interfaces,
    "conversations_total": conversations_total,
    "vlan_ids": lambda e: added(e.encapsulated("vlan")),
    "mpls_labels": lambda e: added(e.encapsulated("mpls")),
    "vxlan_vnis": lambda e: added(e.encapsulated("vxlan")),
    "ip_fragment_frames": lambda e: sum(r["packets"] for r in e.encapsulated("ipv4_fragment")),
    "ipv6_fragment_frames": lambda e: sum(r["packets"] for r in e.encapsulated("ipv6_fragment")),
    "arp.messages": lambda e: len(e.arp),
    "arp.requests": lambda e: sum(row["op"] == 1 for row in e.arp),
    "arp.replies": lambda e: sum(row["op"] == 2 for row in e.arp),
    "arp.conflicts": arp_conflicts,
    "arp.macs_claiming_many": arp_many,
    "dhcp.messages": lambda e: len(e.dhcp),
    "dhcp.by_type": lambda e: counted(r["msg_type"] for r in e.dhcp if r["msg_type"]),
    "dhcp.n_clients": lambda e: len({r["chaddr"] for r in e.dhcp_fixed()} - {""}),
    "dhcp.server_ids": lambda e: sorted({r["server_id"] for r in e.dhcp_replies()} - {""}),
    "dhcp.server_macs": lambda e: sorted({r["src_mac"] for r in e.dhcp_replies()} - {""}),
    "dhcp.servers": lambda e: sorted(
        {(r["server_id"], r["src"], r["src_mac"]) for r in e.dhcp_replies()}
    ),
    "dhcp.offered_dns": lambda e: sorted({ip for r in e.dhcp_replies() for ip in r["dns_servers"]}),
    "dhcp.offered_routers": lambda e: sorted({ip for r in e.dhcp_replies() for ip in r["routers"]}),
    "dhcp.relays": lambda e: sorted({r["giaddr"] for r in e.dhcp_fixed()} - {"", "0.0.0.0"}),
    "dhcp.opt66": option_text("tftp_server"),
    "dhcp.opt67": option_text("bootfile"),
    "dhcp.opt66_len": lambda e: [
        [r["packet"], r["opt66_len"]] for r in e.dhcp if r["opt66_len"] >= 0
    ],
    "dhcp.opt67_len": lambda e: [
        [r["packet"], r["opt67_len"]] for r in e.dhcp if r["opt67_len"] >= 0
    ],
    "dhcp.overload": lambda e: [
        [r["packet"], [str(r["overload"])]] for r in e.dhcp if r["overload"] >= 0
    ],
    "dhcpv6_types": lambda e: counted(row["msg_type"] for row in e.dhcpv6),
    "dns.queries": lambda e: sum(not row["is_response"] for row in e.dns),
    "dns.responses": lambda e: sum(row["is_response"] for row in e.dns),
    "dns.by_kind": lambda e: counted(row["kind"] for row in e.dns),
    "dns.over_tcp": lambda e: sum(row["proto"] == "tcp" for row in e.dns),
    "dns.n_qnames": dns_names,
    "dns.queried_servers": lambda e: counted(
        r["dst"] for r in e.dns_rows() if not r["is_response"]
    ),
    "dns.answering_servers": lambda e: counted(r["src"] for r in e.dns_rows() if r["is_response"]),
    "dns.rcodes": lambda e: counted(row["rcode"] for row in e.dns if row["is_response"]),
    "dns.n_responses_without_query": lambda e: dns_balance(e)[0],
    "dns.n_surplus_responses": lambda e: dns_balance(e)[1],
    "dns.max_ancount": lambda e: max((row["ancount"] for row in e.dns), default=0),
    "dns.max_qdcount": lambda e: max((row["qdcount"] for row in e.dns), default=0),
    "ftp.commands": lambda e: counted(row["command"] for row in e.ftp_commands()),
    "ftp.users": lambda e: [row["argument"] for row in e.ftp_commands("USER")],
    "ftp.passwords": ftp_passwords,
    "ftp.logins_ok": lambda e: e.ftp_replies(230),
    "ftp.logins_failed": lambda e: e.ftp_replies(530),
    "ftp.files": lambda e: [
        [r["command"], r["argument"]]
        for r in e.ftp_commands("RETR", "STOR", "APPE", "STOU", "DELE")
    ],
    "ftp.servers": lambda e: sorted({row["server"] for row in e.ftp}),
    "ftp.transfer_before_login": lambda e: [
        [r["packet"], r["command"]]
        for r in e.transfers
        if r["protocol"] == "ftp" and r["before_login"]
    ],
    "telnet.sessions": lambda e: sum("telnet" in r["service"].split(",") for r in e.conversations),
    "tls.streams": lambda e: len(tls_streams(e)),
    "tls.negotiated": tls_negotiated,
    "tls.sni": lambda e: sorted({row["server_name"] for row in e.tls} - {""}),
    "tls.leaf_subjects": lambda e: sorted({row["subject"] for row in leaves(e)}),
    "tls.n_certs": lambda e: len({row["sha256"] for row in e.certificates}),
    "tls.self_issued_leaf": lambda e: len({r["sha256"] for r in leaves(e) if r["self_issued"]}),
    "tls.expired_leaf": lambda e: len(
        {r["sha256"] for r in leaves(e) if r["not_after_ts"] < r["ts"]}
    ),
    # an SSL 2 hello offers cipher kinds, not suites, and has no JA3
    "tls.export_offered": lambda e: sum(r["export_offered"] and r["ja3"] != "" for r in e.tls),
    "http.requests": lambda e: sum(row["direction"] == "request" for row in e.http),
    "http.responses": lambda e: sum(row["direction"] == "response" for row in e.http),
    "http.basic_auth": lambda e: [
        [r["secret"]] for r in e.logins if r["protocol"] == "http" and r["secret"]
    ],
    "hl7.messages": lambda e: len(e.hl7),
    "hl7.types": lambda e: counted("^".join(r["message_type"].split("^")[:2]) for r in e.hl7),
    "dicom.pdu_types": dicom_types,
    "dicom.calling": lambda e: sorted({row["calling"] for row in e.dicom} - {""}),
    "dicom.called": lambda e: sorted({row["called"] for row in e.dicom} - {""}),
    "ipv6_ra.messages": lambda e: sum(row["kind"] == "ra" for row in e.router_adverts),
    "ipv6_ra.routers": lambda e: sorted(
        {(r["src"], r["src_mac"]) for r in e.router_adverts if r["kind"] == "ra"}
    ),
    "ipv6_ra.zero_lifetime": lambda e: sum(
        r["kind"] == "ra" and r["lifetime_s"] == 0 for r in e.router_adverts
    ),
    "wlan.subtypes": lambda e: {f"0x{int(k):04x}": n for k, n in added(e.wifi, "subtype").items()},
    "wlan.beacon_ssids": lambda e: ssids(e, 8),
    "wlan.probed_ssids": lambda e: ssids(e, 4),
    "snmp": snmp,
    "snmpv3_users": lambda e: {
        k: n for k, n in added([r for r in e.snmp if r["version"] == 3], "user").items() if k
    },
    "tftp_requests": tftp,
}
"""What the tables say under each path."""


def _basic_auth(value: Any) -> Any:
    """Expected ``Authorization`` fields ⇒ digests of what stands behind the first colon."""
    found = []
    for fields in value:
        for field in fields:
            scheme, _, token = field.partition(" ")
            if scheme.lower() == "basic":
                pair = base64.b64decode(token + "=" * (-len(token) % 4))
                found.append([digest(pair.partition(b":")[2])])
    return found


def _communities(value: Any) -> Any:
    """Expected ``version=1 community=public`` keys ⇒ versions and digests."""
    found = {}
    for key, count in value.items():
        head, _, community = key.partition(" community=")
        found[int(head.removeprefix("version=")), digest(community.encode())] = count
    return found


def _vlan_ids(value: Any) -> Any:
    """A service tag (``ad:200``, IEEE 802.1ad) is a tag like any other in our table."""
    sums: Counter[str] = Counter()
    for key, count in value.items():
        sums[key.removeprefix("ad:")] += count
    return dict(sums)


def _as_lists(value: Any) -> Any:
    """Tuples as JSON would have them."""
    return [_as_lists(v) for v in value] if isinstance(value, (tuple, list)) else value


def _nanoseconds(value: Any) -> int:
    return round(value * 1_000_000) * 1000


EXPECTED: dict[str, Callable[[Any], Any]] = {
    "ftp.passwords": lambda value: [digest(text.encode()) for text in value],
    "http.basic_auth": _basic_auth,
    "snmp": _communities,
    "vlan_ids": _vlan_ids,
}
"""How an expected value must be turned before it can be compared: secrets are never stored."""


def _seconds_agree(expected: Any, got: Any) -> bool:
    """The oracle's floating point seconds know microseconds at best."""
    if not isinstance(expected, (int, float)):
        return False
    return abs(_nanoseconds(expected) - got) <= 2000


CAP = 40
"""Lists of servers are kept to so many rows in the expected values (README of the captures)."""


def _capped(expected: Any, got: Any) -> bool:
    """A list that reaches the cap goes on where the oracle stopped."""
    cut = got[:CAP] if len(expected) == CAP else got
    return bool(_as_lists(cut) == expected)


KEPT = 1024
"""Characters kept of a text from outside: evidence of a longer one is its beginning."""


def _files(expected: Any, got: Any) -> bool:
    """Commands and paths; a path past what is kept agrees as far as it is kept."""
    return len(expected) == len(got) and all(
        theirs == ours or (len(ours[1]) >= KEPT and theirs[1].startswith(ours[1]))
        for theirs, ours in zip(expected, got, strict=True)
    )


AGREE: dict[str, Callable[[Any, Any], bool]] = {
    "ftp.files": _files,
    "dhcp.servers": _capped,
    "first_ts": _seconds_agree,
    "last_ts": _seconds_agree,
}


FEW, SHARE = 3, 0.1
"""Heuristics of two programs may differ by a few packets, or by a tenth of them."""


def _loosely(expected: int, got: int, packets: int) -> bool:
    """Some where there are some; else the difference must be small."""
    return bool(expected and got) or abs(expected - got) <= max(FEW, SHARE * packets)


def _loose_malformed(e: Evidence, expected: Any) -> tuple[bool, Any]:
    """Packets with anything malformed: headers, or the message they carry."""
    odd = {(row["capture"], row["packet"]) for row in e.anomalies}
    named = len(odd) + sum(r["packets"] for r in e.accounting if r["outcome"] == "malformed")
    return _loosely(expected, named, e.captures[0]["packets"]) or not expected, named


def _loose_tcp(e: Evidence, expected: Any) -> tuple[bool, Any]:
    """Streams with lost, late or repeated pieces."""
    odd = sum(
        r["missed_bytes"] > 0 or r["overlaps"] + r["retransmissions"] + r["reordered"] > 0
        for r in e.conversations
    )
    return _loosely(sum(expected.values()), odd, e.captures[0]["packets"]), odd


LOOSE: dict[str, Callable[[Evidence, Any], tuple[bool, Any]]] = {
    "n_malformed": _loose_malformed,
    "tcp_analysis": _loose_tcp,
}


class Outcome(NamedTuple):
    """One assertion, judged."""

    file: str
    path: str
    state: str
    """passed, failed, disputed or not compared."""
    expected: Any = None
    got: Any = None
    why: str = ""
    """Of a dispute."""


def judge(assertion: Row, e: Evidence) -> tuple[str, Any, Any]:
    """One assertion against the tables ⇒ state, expected, got."""
    path, expected, confidence = assertion["path"], assertion["value"], assertion["confidence"]
    if confidence == "disputed":
        return "not compared", None, None
    if confidence == "C":
        if path not in LOOSE:
            return "not compared", None, None
        good, got = LOOSE[path](e, expected)
        return "passed" if good else "failed", expected, got
    if path not in RULES:
        state = "failed" if path.partition(".")[0] in MUST else "not compared"
        return state, expected, "no rule for this path"
    if path == "packets":
        # a packet decoder counts packets; where that differs from tshark's records, the
        # plain count of packet blocks is the right one (README of the captures)
        plain = assertion.get("others", {}).get("plain_python")
        expected = expected if plain is None else plain
    got = RULES[path](e)
    if path in AGREE:
        good = AGREE[path](expected, got)
    else:
        expected = EXPECTED.get(path, lambda value: value)(expected)
        good = _as_lists(got) == expected
    return "passed" if good else "failed", expected, got


def refused_rightly(entry: Row, problem: str) -> bool:
    """Whether a refusal is the right answer: the file is no capture, and the line says so."""
    kinds = ("pcap", "pcapng", "nsecpcap", "modpcap", "wireshark/tcpdump")
    return entry.get("file_type", "") not in kinds and bool(problem)


def run(folder: Path) -> list[Outcome]:
    """Judge every assertion about every capture of ``folder``."""
    from wardwatch.errors import CaptureError
    from wardwatch.observe.engine import write_evidence

    manifest = json.loads((folder / "MANIFEST.json").read_text())
    disputes = {
        (d["file"], d["path"]): d
        for d in tomllib.loads((Path(__file__).parent / "oracle_disputed.toml").read_text()).get(
            "dispute", ()
        )
    }
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        key_file = Path(scratch) / "key"
        key_file.write_bytes(KEY)
        key_file.chmod(0o600)
        for number, entry in enumerate(manifest):
            expect = json.loads((folder / entry["expect"]).read_text())
            out = Path(scratch) / f"evidence-{number}"
            try:
                write_evidence([folder / entry["file"]], out, key_file=key_file)
            except CaptureError as error:
                state = "passed" if refused_rightly(entry, str(error)) else "failed"
                found.append(Outcome(entry["file"], "refused", state, "a capture", str(error)))
                continue
            e = Evidence(out)
            for assertion in expect["assertions"]:
                state, expected, got = judge(assertion, e)
                dispute = disputes.get((entry["file"], assertion["path"]))
                why = ""
                if state == "failed" and dispute is not None:
                    state = "disputed"
                    why = f" (packet {dispute['packet']}, {dispute['bytes']}: {dispute['why']})"
                found.append(Outcome(entry["file"], assertion["path"], state, expected, got, why))
    return found


def main(arguments: list[str] | None = None) -> int:
    """Print each failure and the sums; 0 when nothing failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.oracle", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with MANIFEST.json and expect/")
    outcomes = run(parser.parse_args(arguments).folder)
    for outcome in outcomes:
        if outcome.state in ("failed", "disputed"):
            print(
                f"{outcome.state}: {outcome.file}: {outcome.path}: "
                f"expected {short(outcome.expected)}, got {short(outcome.got)}{outcome.why}"
            )
    states = Counter(outcome.state for outcome in outcomes)
    print(f"{states['disputed']} disputed, {states['not compared']} not compared")
    print(f"{states['passed']} passed, {states['failed']} failed")
    return 1 if states["failed"] else 0


def short(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= 600 else f"{text[:600]}…"


if __name__ == "__main__":
    sys.exit(main())
