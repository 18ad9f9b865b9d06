"""ICMP messages that carry an answer (RFC 792): destination unreachable and redirect.

Both quote the packet they are about; who was refused what is read from that quotation.
"""

from __future__ import annotations

import msgspec

from wardwatch.decode.wire.reader import ip4_text, ip6_text, u16
from wardwatch.model.evidence import Anomaly, ByteSpan, Fault

HEADER = 8
UNREACHABLE, REDIRECT = 3, 5
PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmp6", 132: "sctp"}
WITH_PORTS = frozenset((6, 17, 132))

TRUNCATED = Fault("icmp_truncated", "RFC 792: message shorter than its eight octets of header")
CUT = Fault("icmp_cut", "none broken: the capture holds less than the message had")
QUOTE_SHORT = Fault(
    "icmp_quote_short", "RFC 792: an error quotes the internet header and 64 bits of its data"
)
FAULTS = (TRUNCATED, CUT, QUOTE_SHORT)


class Quoted(msgspec.Struct, frozen=True, gc=False):
    """The packet an error message is about, as far as it was quoted."""

    src: str
    dst: str
    proto: str
    """``tcp``, ``udp`` … or the number."""
    src_port: int = -1
    dst_port: int = -1


class Message(msgspec.Struct, frozen=True, gc=False):
    """Type, code and what stands behind them."""

    type: int
    code: int
    gateway: str
    """Gateway internet address of a redirect; "" else."""
    quoted: Quoted | None


def parse(payload: bytes, claimed: int = -1) -> tuple[Message | None, tuple[Anomaly, ...]]:
    """Read one message from its type on, of which ``claimed`` bytes were sent."""
    end = len(payload)
    limit = max(claimed, end)
    if end < HEADER:
        fault = CUT if limit >= HEADER else TRUNCATED
        return None, (Anomaly(fault, ByteSpan(0, end), max(limit, HEADER), end),)
    kind = payload[0]
    quoted = None
    anomalies: list[Anomaly] = []
    if kind in (UNREACHABLE, REDIRECT):
        quoted, need = quoted_packet(payload[HEADER:])
        if HEADER + need > end:
            fault = CUT if HEADER + need <= limit else QUOTE_SHORT
            anomalies.append(Anomaly(fault, ByteSpan(HEADER, end), need, end - HEADER))
    gateway = ip4_text(payload[4:8]) if kind == REDIRECT else ""
    return Message(kind, payload[1], gateway, quoted), tuple(anomalies)


def quoted_packet(raw: bytes) -> tuple[Quoted | None, int]:
    """The IPv4 or IPv6 packet that begins in ``raw``, and how many octets a quotation needs.

    Extension headers are walked as far as they were quoted.
    """
    version = raw[0] >> 4 if raw else 0
    if version == 4:
        header = (raw[0] & 15) * 4
        need = max(header, 20) + 8
        if len(raw) < 20:
            return None, need
        src, dst, proto = ip4_text(raw[12:16]), ip4_text(raw[16:20]), raw[9]
        first = u16(raw, 6) & 0x1FFF == 0  # later fragments carry no ports
        return _with_ports(raw, max(header, 20), proto, src, dst, first), need
    if version == 6:
        need = 48
        if len(raw) < 40:
            return None, need
        src, dst, proto = ip6_text(raw[8:24]), ip6_text(raw[24:40]), raw[6]
        at, first = 40, True
        while proto in (0, 43, 44, 60) and at + 8 <= len(raw):
            if proto == 44:
                first = first and u16(raw, at + 2) & 0xFFF8 == 0
                proto, at = raw[at], at + 8
            else:
                proto, at = raw[at], at + 8 + 8 * raw[at + 1]
        return _with_ports(raw, at, proto, src, dst, first), need
    return None, 28


def _with_ports(raw: bytes, at: int, proto: int, src: str, dst: str, first: bool) -> Quoted:
    name = PROTOCOLS.get(proto, str(proto))
    if proto in WITH_PORTS and first and at + 4 <= len(raw):
        return Quoted(src, dst, name, u16(raw, at), u16(raw, at + 2))
    return Quoted(src, dst, name)
