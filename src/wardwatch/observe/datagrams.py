"""Datagrams and link messages read by the parsers, and the rows they become.

One message in, one row out; where a table counts speakers instead (redundancy, neighbors,
control, snmp, wifi) the row is kept here and written by :meth:`Datagrams.finish`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wardwatch.decode import columns as kinds
from wardwatch.decode.wire import arp, dhcp, dns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wardwatch.model.evidence import Anomaly
    from wardwatch.observe.secrets import Secrets
    from wardwatch.observe.tables import Spool
    from wardwatch.observe.where import Where

DNS_PORTS = {53: "dns", 5353: "mdns", 5355: "llmnr"}


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
        """Told of (segment, mac, ip, source, where) for each address a server acknowledged."""
        self._readers: dict[int, Callable[[bytes, Where, int], None]] = {
            kinds.KIND_ARP: self._arp,
            kinds.KIND_DHCP: self._dhcp,
            kinds.KIND_DNS: self._dns,
        }

    def read(self, kind: int, payload: bytes, where: Where, *, claimed: int) -> None:
        """Read one message of ``kind`` (KIND_*), of which ``claimed`` bytes were sent."""
        reader = self._readers.get(kind)
        if reader is None:
            return
        self.parser_calls += 1
        reader(payload, where, claimed)

    def dns_message(self, payload: bytes, where: Where, proto: str = "tcp") -> None:
        """Read one DNS message whose length prefix has been taken off."""
        self.parser_calls += 1
        self._dns(payload, where, len(payload), proto)

    def finish(self) -> None:
        """Write the rows that count."""

    def _arp(self, payload: bytes, where: Where, claimed: int) -> None:
        message, anomalies = arp.parse(payload, claimed)
        if message is not None:
            self.spool.add("arp", {**_place(where), **arp.row(message)})
        self._anomalies("arp", anomalies, where)

    def _dhcp(self, payload: bytes, where: Where, claimed: int) -> None:
        message, anomalies = dhcp.parse(payload, claimed)
        if message is not None:
            own = dhcp.row(message)
            whole = where.whole and claimed <= len(payload)
            self.spool.add("dhcp", {**_place(where), **_ends(where), **own, "whole": whole})
            if own["msg_type"] == "ACK" and own["yiaddr"] and message.hlen == 6:
                self.on_binding(
                    where.segment, str(own["chaddr"]), str(own["yiaddr"]), "dhcp", where
                )
        self._anomalies("dhcp", anomalies, where)

    def _dns(self, payload: bytes, where: Where, claimed: int, proto: str = "udp") -> None:
        message, anomalies = dns.parse(payload, claimed)
        if message is not None:
            self.spool.add(
                "dns",
                {
                    **_place(where),
                    **_ends(where),
                    **dns.row(message),
                    "conversation": where.conversation,
                    "proto": proto,
                    "kind": dns_kind(where.src_port, where.dst_port),
                    "payload_len": max(claimed, len(payload)),
                    "ip_ttl": where.ip_ttl,
                    "whole": where.whole and claimed <= len(payload),
                },
            )
        self._anomalies("dns", anomalies, where)

    def _anomalies(self, protocol: str, anomalies: Sequence[Anomaly], where: Where) -> None:
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
