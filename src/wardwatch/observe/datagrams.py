"""Datagrams and link messages read by the parsers, and the rows they become.

One message in, one row out; where a table counts speakers instead (redundancy, neighbors,
control, snmp, wifi) the row is kept here and written by :meth:`Datagrams.finish`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wardwatch.decode import columns as kinds
from wardwatch.decode.wire import (
    arp,
    cdp,
    control,
    dhcp,
    dhcpv6,
    dns,
    icmp,
    icmpv6,
    lldp,
    redundancy,
    snmp,
    tftp,
    wifi,
)
from wardwatch.observe.text import ip6_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wardwatch.model.evidence import Anomaly
    from wardwatch.observe.secrets import Secrets
    from wardwatch.observe.tables import Spool
    from wardwatch.observe.where import Where

Speakers = dict[str, list[dict[str, Any]]]
"""By counted table its rows, in the order of their first packets. msgspec packs it: the tuples in
rows come back as lists, which a spool takes alike."""

DNS_PORTS = {53: "dns", 5353: "mdns", 5355: "llmnr"}

MOST_SPEAKERS = 65_536
"""Speakers kept of one counted table. A flood of forged senders makes more: the oldest is then
written early, and may come again in a second row."""
MOST_VIRTUAL_IPS = 32
"""Virtual addresses kept of one redundancy group."""


def dns_kind(src_port: int, dst_port: int) -> str:
    """``dns``, ``mdns`` or ``llmnr`` by the well-known port, the destination's first."""
    return DNS_PORTS.get(dst_port) or DNS_PORTS.get(src_port) or "dns"


class Datagrams:
    """Reads one datagram at a time and adds its rows to the spool."""

    def __init__(self, spool: Spool, secrets: Secrets) -> None:
        self.spool = spool
        self.secrets = secrets
        self.parser_calls = 0
        """Messages a Python parser has read."""
        self.on_binding: Callable[[str, str, str, str, Where], None] = nothing
        """Told of (segment, mac, ip, ``nd``, where) for each address that neighbour discovery
        announces; those of ARP and DHCP stand in their tables."""
        self._speakers = {
            table: _Speakers(spool, table)
            for table in ("redundancy", "neighbors", "control", "snmp", "wifi")
        }

    def read(
        self,
        kind: int,
        payload: bytes,
        where: Where,
        *,
        claimed: int,
        extension_headers: bool = False,
    ) -> None:
        """Read one message of ``kind`` (KIND_*), of which ``claimed`` bytes were sent.

        ``extension_headers`` says that IPv6 extension headers stood before it.
        """
        reader = _READERS.get(kind)
        if reader is None:
            return
        self.parser_calls += 1
        if kind == kinds.KIND_ICMP6:
            self._icmpv6(payload, where, claimed, extension_headers)
        else:
            reader(self, payload, where, claimed)

    def dns_message(self, payload: bytes, where: Where, proto: str = "tcp") -> None:
        """Read one DNS message whose length prefix has been taken off."""
        self.parser_calls += 1
        self._dns(payload, where, len(payload), proto)

    def wifi(self, frame: bytes, where: Where, channel: int = -1, *, claimed: int = -1) -> None:
        """Count one 802.11 frame, from its MAC header on and without its FCS.

        ``channel`` is the radio header's; the frame's own DS parameter goes before it.
        """
        self.parser_calls += 1
        self._wifi(frame, where, claimed, channel)

    def wifi_count(
        self,
        subtype: int,
        transmitter: str,
        receiver: str,
        bssid: str,
        packets: int,
        first: Where,
        last: Where,
        *,
        channel: int = -1,
        protected: bool = False,
    ) -> None:
        """Count many data or control frames of one kind at once, without reading them."""
        row = {"channel": channel, "protected": protected}
        key = (first.capture, subtype, transmitter, receiver, bssid, "")
        self._speakers["wifi"].count(key, row, first, last, packets)

    def speakers(self) -> Speakers:
        """The rows that count, as far as they are, for :meth:`absorb_speakers` elsewhere."""
        return {table: speakers.rows() for table, speakers in self._speakers.items()}

    def can_absorb_speakers(self, told: Speakers) -> str:
        """Why :meth:`absorb_speakers` could not be exact; ``""`` where it will be."""
        for table, rows in told.items():
            if not self._speakers[table].has_room(rows):
                return f"more than {MOST_SPEAKERS:,} speakers of {table}"
        return ""

    def absorb_speakers(self, told: Speakers) -> None:
        """Count what :meth:`speakers` says of packets behind all of ours."""
        for table, rows in told.items():
            self._speakers[table].absorb(rows)

    def finish(self) -> None:
        """Write the rows that count."""
        for speakers in self._speakers.values():
            speakers.finish()

    def _arp(self, payload: bytes, where: Where, claimed: int) -> None:
        message, anomalies = arp.parse(payload, claimed)
        if message is not None:
            self.spool.add("arp", {**_place(where), **arp.row(message)})
        self.anomalies("arp", anomalies, where)

    def _dhcp(self, payload: bytes, where: Where, claimed: int) -> None:
        message, anomalies = dhcp.parse(payload, claimed)
        if message is not None:
            own = dhcp.row(message)
            whole = where.whole and claimed <= len(payload)
            self.spool.add("dhcp", {**_place(where), **_ends(where), **own, "whole": whole})
        self.anomalies("dhcp", anomalies, where)

    def _dns(self, payload: bytes, where: Where, claimed: int, proto: str = "udp") -> None:
        kind = dns_kind(where.src_port, where.dst_port)
        message, anomalies = dns.parse(payload, claimed, multicast=kind == "mdns")
        if message is not None:
            self.spool.add(
                "dns",
                {
                    **_place(where),
                    **_ends(where),
                    **dns.row(message),
                    "conversation": where.conversation,
                    "proto": proto,
                    "kind": kind,
                    "payload_len": max(claimed, len(payload)),
                    "ip_ttl": where.ip_ttl,
                    "whole": where.whole and claimed <= len(payload),
                },
            )
        self.anomalies("dns", anomalies, where)

    def _icmp(self, payload: bytes, where: Where, claimed: int) -> None:
        message, anomalies = icmp.parse(payload, claimed)
        if message is not None and message.type == icmp.UNREACHABLE:
            self._unreachable(message.code, message.quoted, where, ipv6=False)
        elif message is not None and message.type == icmp.REDIRECT:
            quoted = message.quoted
            self.spool.add(
                "router_adverts",
                {
                    **_place(where),
                    "kind": "icmp_redirect",
                    "src": where.src,
                    "dst": where.dst,
                    "hop_limit": where.ip_ttl,
                    "target": message.gateway,
                    "destination": quoted.dst if quoted else "",
                },
            )
        self.anomalies("icmp", anomalies, where)

    def _icmpv6(
        self, payload: bytes, where: Where, claimed: int, extension_headers: bool = False
    ) -> None:
        if self._plain_neighbor(payload, where, claimed):
            return
        message, anomalies = icmpv6.parse(payload, claimed)
        if message is not None:
            if message.type == icmpv6.UNREACHABLE:
                self._unreachable(message.code, message.quoted, where, ipv6=True)
            elif message.type == icmpv6.ROUTER_ADVERTISEMENT:
                self._advert("ra", message, icmpv6.SOURCE_LLADDR, where, extension_headers)
            elif message.type == icmpv6.REDIRECT:
                self._advert("redirect", message, icmpv6.TARGET_LLADDR, where, extension_headers)
            self._neighbor_binding(message, where)
        self.anomalies("icmpv6", anomalies, where)

    def _advert(
        self, kind: str, message: icmpv6.Message, lladdr: int, where: Where, extended: bool
    ) -> None:
        self.spool.add(
            "router_adverts",
            {
                **_place(where),
                "kind": kind,
                "src": where.src,
                "dst": where.dst,
                "hop_limit": where.ip_ttl,
                "lifetime_s": message.router_lifetime,
                "lladdr": message.lladdr(lladdr),
                "managed": message.managed,
                "other": message.other,
                "prefixes": message.prefixes,
                "rdnss": message.rdnss,
                "dnssl": message.dnssl,
                "routes": message.routes,
                "target": message.target,
                "destination": message.destination,
                "extension_headers": extended,
            },
        )

    def _neighbor_binding(self, message: icmpv6.Message, where: Where) -> None:
        """What a message says of its sender's address (RFC 4861 §4.3, §4.4)."""
        if message.type == icmpv6.NEIGHBOR_ADVERTISEMENT:
            mac, ip = message.lladdr(icmpv6.TARGET_LLADDR) or where.src_mac, message.target
        else:
            mac, ip = message.lladdr(icmpv6.SOURCE_LLADDR), where.src
        if mac and ip not in ("", "::"):
            self.on_binding(where.segment, mac, ip, "nd", where)

    def _plain_neighbor(self, payload: bytes, where: Where, claimed: int) -> bool:
        """Take a solicitation or advertisement with one option, as nearly all are, in one step.

        RFC 4861 §4.3, §4.4. ``False``: it is none, and nothing was done.
        """
        if len(payload) != 32 or claimed > 32 or payload[25] != 1:
            return False
        kind, option = payload[0], payload[24]
        if kind == icmpv6.NEIGHBOR_SOLICITATION and option == icmpv6.SOURCE_LLADDR:
            ip = where.src
        elif kind == icmpv6.NEIGHBOR_ADVERTISEMENT and option == icmpv6.TARGET_LLADDR:
            ip = ip6_of(payload[8:24])
        else:
            return False
        if ip not in ("", "::"):
            self.on_binding(where.segment, payload[26:].hex(":"), ip, "nd", where)
        return True

    def _unreachable(
        self, code: int, quoted: icmp.Quoted | None, where: Where, *, ipv6: bool
    ) -> None:
        own: dict[str, Any] = {}
        if quoted is not None:
            own = {
                "quoted_src": quoted.src,
                "quoted_src_port": quoted.src_port,
                "quoted_dst": quoted.dst,
                "quoted_dst_port": quoted.dst_port,
                "quoted_proto": quoted.proto,
            }
        place = {**_place(where), "src": where.src, "dst": where.dst}
        self.spool.add("unreachables", {**place, "code": code, "ipv6": ipv6, **own})

    def _dhcpv6(self, payload: bytes, where: Where, claimed: int) -> None:
        message, anomalies = dhcpv6.parse(payload, claimed)
        relayed = False
        while message is not None:  # a relay's message holds another: dhcpv6 bounds how many
            self.spool.add(
                "dhcpv6",
                {
                    **_place(where),
                    **_ends(where),
                    "msg_type": message.msg_type,
                    "trans_id": message.transaction_id,
                    "client_duid": message.client_duid.hex(),
                    "server_duid": message.server_duid.hex(),
                    "addresses": message.addresses,
                    "dns_servers": message.dns_servers,
                    "fqdn": message.fqdn,
                    "relayed": relayed,
                },
            )
            message, relayed = message.inner, True
        self.anomalies("dhcpv6", anomalies, where)

    def _redundancy(self, payload: bytes, where: Where, claimed: int) -> None:
        message, anomalies = redundancy.parse(
            payload, claimed, port=where.dst_port, ipv6=":" in where.src
        )
        if message is not None:
            key = (where.capture, where.segment, message.protocol, message.group)
            row = {
                "state": message.state,
                "priority": message.priority,
                "virtual_ips": tuple(dict.fromkeys(message.virtual_ips))[:MOST_VIRTUAL_IPS],
            }
            speaker = (*key, where.src_mac, where.src)
            self._speakers["redundancy"].count(speaker, row, where)
        self.anomalies("redundancy", anomalies, where)

    def _snmp(self, payload: bytes, where: Where, claimed: int) -> None:
        message, anomalies = snmp.parse(payload, claimed)
        if message is not None:
            secret = known = ""
            if message.community is not None:
                secret = self.secrets.digest(message.community)
                known = self.secrets.known_default(message.community, "snmp")
            key = (where.capture, where.segment, where.src, where.dst, where.dst_port)
            kind = (message.version, message.pdu, secret, known, message.user)
            self._speakers["snmp"].count((*key, *kind), {}, where)
        self.anomalies("snmp", anomalies, where)

    def _tftp(self, payload: bytes, where: Where, claimed: int) -> None:
        message, anomalies = tftp.parse(payload, claimed)
        if message is not None and message.opcode in (tftp.RRQ, tftp.WRQ):
            self.spool.add(
                "transfers",
                {
                    **_origin(where),
                    "conversation": where.conversation,
                    "protocol": "tftp",
                    "client": where.src,
                    "server": where.dst,
                    "server_mac": where.dst_mac,
                    "client_mac": where.src_mac,
                    "command": message.command,
                    "path": message.filename,
                },
            )
        self.anomalies("tftp", anomalies, where)

    def _lldp(self, payload: bytes, where: Where, claimed: int) -> None:
        message, anomalies = lldp.parse(payload, claimed)
        if message is not None:
            names = (
                message.system_name or message.chassis_id,
                message.port_id,
                message.system_description,
                message.pvid,
                message.management_address,
            )
            self._neighbor("lldp", names, where)
        self.anomalies("lldp", anomalies, where)

    def _cdp(self, payload: bytes, where: Where, claimed: int) -> None:
        message, anomalies = cdp.parse(payload, claimed)
        if message is not None:
            names = (
                message.device_id,
                message.port_id,
                message.platform,
                message.native_vlan,
                message.management_address or message.address,
            )
            self._neighbor("cdp", names, where)
        self.anomalies("cdp", anomalies, where)

    def _neighbor(self, protocol: str, names: tuple[str, str, str, int, str], where: Where) -> None:
        key = (where.capture, where.segment, protocol, where.src_mac, *names)
        self._speakers["neighbors"].count(key, {}, where)

    def _control(self, payload: bytes, where: Where, claimed: int) -> None:
        message, anomalies = control.parse(payload, claimed, dst_mac=where.dst_mac)
        if message is not None:
            key = (where.capture, where.segment, message.protocol, where.src_mac, where.dst_mac)
            self._speakers["control"].count(key, {}, where)
        self.anomalies("control", anomalies, where)

    def _wifi(self, frame: bytes, where: Where, claimed: int, channel: int = -1) -> None:
        message, anomalies = wifi.parse(frame, claimed)
        if message is not None:
            key = (where.capture, message.subtype, message.transmitter, message.receiver)
            network = (message.bssid, message.ssid_text)
            row = {
                "ssid_hidden": message.ssid_hidden,
                "channel": message.channel if message.channel >= 0 else channel,
                "protected": message.protected,
                "akm": message.akm,
                "xid_broadcast": message.xid_broadcast,
            }
            self._speakers["wifi"].count((*key, *network), row, where)
        self.anomalies("wifi", anomalies, where)

    def anomalies(self, protocol: str, anomalies: Sequence[Anomaly], where: Where) -> None:
        """Add a row for each departure from a standard."""
        for anomaly in anomalies:
            self.spool.add(
                "anomalies",
                {
                    **_origin(where),
                    "conversation": where.conversation,
                    "protocol": protocol,
                    "fault": anomaly.fault.name,
                    "clause": anomaly.fault.clause,
                    "claimed": anomaly.claimed,
                    "present": anomaly.present,
                    "src": where.src,
                    "dst": where.dst,
                    "src_mac": where.src_mac,
                    "start": anomaly.span.start,
                    "stop": anomaly.span.stop,
                },
            )


_READERS: Mapping[int, Callable[[Datagrams, bytes, Where, int], None]] = {
    kinds.KIND_ARP: Datagrams._arp,
    kinds.KIND_DHCP: Datagrams._dhcp,
    kinds.KIND_DNS: Datagrams._dns,
    kinds.KIND_ICMP: Datagrams._icmp,
    kinds.KIND_ICMP6: Datagrams._icmpv6,
    kinds.KIND_DHCPV6: Datagrams._dhcpv6,
    kinds.KIND_REDUNDANCY: Datagrams._redundancy,
    kinds.KIND_SNMP: Datagrams._snmp,
    kinds.KIND_TFTP: Datagrams._tftp,
    kinds.KIND_LLDP: Datagrams._lldp,
    kinds.KIND_CDP: Datagrams._cdp,
    kinds.KIND_CONTROL: Datagrams._control,
    kinds.KIND_WIFI: Datagrams._wifi,
}
"""What reads a message of a kind. Not bound: an instance that knew itself would wait for the collector."""


KEYS = {
    "redundancy": ("capture", "segment", "protocol", "group", "src_mac", "src"),
    "neighbors": (
        "capture",
        "segment",
        "protocol",
        "src_mac",
        "system_name",
        "port_id",
        "platform",
        "native_vlan",
        "management",
    ),
    "control": ("capture", "segment", "protocol", "src_mac", "dst_mac"),
    "snmp": (
        "capture",
        "segment",
        "src",
        "dst",
        "dst_port",
        "version",
        "pdu",
        "secret",
        "known_default",
        "user",
    ),
    "wifi": ("capture", "subtype", "transmitter", "receiver", "bssid", "ssid"),
}
"""What one row of a counted table stands for."""


class _Speakers:
    """Rows of one counted table: by key, with the span of packets each rests on."""

    def __init__(self, spool: Spool, table: str) -> None:
        self._spool = spool
        self._table = table
        self._rows: dict[tuple[object, ...], dict[str, Any]] = {}

    def count(
        self,
        key: tuple[object, ...],
        row: Mapping[str, Any],
        where: Where,
        last: Where | None = None,
        packets: int = 1,
    ) -> None:
        """Add packets from ``where`` to ``last`` to the row of ``key``."""
        last = last or where
        kept = self._rows.get(key)
        if kept is None:
            self._make_room()
            names = KEYS[self._table]
            self._rows[key] = {
                **dict(zip(names, key, strict=True)),
                **row,
                "first_ts": where.ts,
                "last_ts": last.ts,
                "first_packet": where.packet,
                "last_packet": last.packet,
                "packets": packets,
            }
            return
        _MERGE[self._table](kept, row)
        _span(kept, where.ts, last.ts, last.packet, packets)

    def rows(self) -> list[dict[str, Any]]:
        """What is counted and not written yet, oldest first."""
        return list(self._rows.values())

    def has_room(self, rows: Sequence[Mapping[str, Any]]) -> bool:
        """Whether none of ours or of ``rows`` had to be, or will be, written early."""
        fresh = sum(self._key(row) not in self._rows for row in rows)
        return len(rows) < MOST_SPEAKERS and len(self._rows) + fresh <= MOST_SPEAKERS

    def absorb(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Count rows that rest on packets behind all of ours."""
        for row in rows:
            key = self._key(row)
            kept = self._rows.get(key)
            if kept is None:
                self._make_room()
                self._rows[key] = {**row}
                continue
            _MERGE[self._table](kept, row)
            _span(kept, row["first_ts"], row["last_ts"], row["last_packet"], row["packets"])

    def finish(self) -> None:
        """Write every row."""
        for row in self._rows.values():
            self._spool.add(self._table, row)
        self._rows.clear()

    def _key(self, row: Mapping[str, Any]) -> tuple[object, ...]:
        return tuple(row[name] for name in KEYS[self._table])

    def _make_room(self) -> None:
        if len(self._rows) >= MOST_SPEAKERS:
            oldest = next(iter(self._rows))
            self._spool.add(self._table, self._rows.pop(oldest))


def _span(kept: dict[str, Any], first_ts: int, last_ts: int, last_packet: int, n: int) -> None:
    """Add ``n`` packets to those that a row rests on."""
    kept["first_ts"] = min(kept["first_ts"], first_ts)
    kept["last_ts"] = max(kept["last_ts"], last_ts)
    kept["last_packet"] = max(kept["last_packet"], last_packet)
    kept["packets"] += n


def _merge_nothing(kept: dict[str, Any], row: Mapping[str, Any]) -> None:
    """The key holds everything."""


def _merge_redundancy(kept: dict[str, Any], row: Mapping[str, Any]) -> None:
    """The last state, the highest priority (a takeover shows in it), every address."""
    kept["state"] = row["state"]
    kept["priority"] = max(kept["priority"], row["priority"])
    fresh = [ip for ip in row["virtual_ips"] if ip not in kept["virtual_ips"]]
    if fresh:
        kept["virtual_ips"] = (*kept["virtual_ips"], *fresh)[:MOST_VIRTUAL_IPS]


def _merge_wifi(kept: dict[str, Any], row: Mapping[str, Any]) -> None:
    """The first channel known, every suite offered, and what was true once."""
    if kept["channel"] < 0:
        kept["channel"] = row["channel"]
    for name in ("ssid_hidden", "protected", "xid_broadcast"):
        kept[name] = kept.get(name, False) or row.get(name, False)
    suites = row.get("akm", ())
    if not set(suites) <= set(kept.get("akm", ())):
        kept["akm"] = tuple(dict.fromkeys((*kept.get("akm", ()), *suites)))


_MERGE: dict[str, Callable[[dict[str, Any], Mapping[str, Any]], None]] = {
    "redundancy": _merge_redundancy,
    "neighbors": _merge_nothing,
    "control": _merge_nothing,
    "snmp": _merge_nothing,
    "wifi": _merge_wifi,
}
"""How a row takes in one that comes behind it: of one message, or of many that were counted."""


def nothing(segment: str, mac: str, ip: str, source: str, where: Where) -> None:
    """Nobody asked for bindings."""


def _origin(where: Where) -> dict[str, Any]:
    return {
        "capture": where.capture,
        "packet": where.packet,
        "ts": where.ts,
        "segment": where.segment,
    }


def _place(where: Where) -> dict[str, Any]:
    return {**_origin(where), "src_mac": where.src_mac, "dst_mac": where.dst_mac}


def _ends(where: Where) -> dict[str, Any]:
    return {
        "src": where.src,
        "src_port": where.src_port,
        "dst": where.dst,
        "dst_port": where.dst_port,
    }
