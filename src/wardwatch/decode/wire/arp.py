"""ARP messages (RFC 826), with the addresses of Ethernet and IPv4 in mind."""

from __future__ import annotations

import msgspec

from wardwatch.decode.wire.reader import ip_text, u16
from wardwatch.model.evidence import Anomaly, ByteSpan, Fault
from wardwatch.model.values import mac_text

HEADER = 8
REQUEST, REPLY = 1, 2

TRUNCATED = Fault("arp_truncated", "RFC 826: message shorter than its header and addresses")
CUT = Fault("arp_cut", "none broken: the capture holds less than the message had")
ADDRESS_LENGTH = Fault(
    "arp_address_length", "RFC 826: ar$hln or ar$pln is not that of the address kind named"
)
FAULTS = (TRUNCATED, CUT, ADDRESS_LENGTH)

HARDWARE_LENGTH = {1: 6, 6: 6}  # Ethernet, IEEE 802
PROTOCOL_LENGTH = {0x0800: 4}


class Message(msgspec.Struct, frozen=True, gc=False):
    """The fields of RFC 826 under its own names (``ar$sha`` is ``sha``)."""

    hrd: int
    pro: int
    hln: int
    pln: int
    op: int
    sha: bytes
    spa: bytes
    tha: bytes
    tpa: bytes


def parse(payload: bytes, claimed: int = -1) -> tuple[Message | None, tuple[Anomaly, ...]]:
    """Read what stands behind the link header, of which ``claimed`` bytes were sent."""
    end = len(payload)
    limit = max(claimed, end)
    if end < HEADER:
        fault = CUT if limit >= HEADER else TRUNCATED
        return None, (Anomaly(fault, ByteSpan(0, end), max(limit, HEADER), end),)
    anomalies: list[Anomaly] = []
    hrd, pro, hln, pln = u16(payload, 0), u16(payload, 2), payload[4], payload[5]
    if HARDWARE_LENGTH.get(hrd, hln) != hln:
        anomalies.append(Anomaly(ADDRESS_LENGTH, ByteSpan(4, 5), hln, HARDWARE_LENGTH[hrd]))
    if PROTOCOL_LENGTH.get(pro, pln) != pln:
        anomalies.append(Anomaly(ADDRESS_LENGTH, ByteSpan(5, 6), pln, PROTOCOL_LENGTH[pro]))
    need = HEADER + 2 * (hln + pln)
    if need > end:
        fault = CUT if limit >= need else TRUNCATED
        anomalies.append(Anomaly(fault, ByteSpan(HEADER, end), need, end))
    fields = []
    at = HEADER
    for size in (hln, pln, hln, pln):
        fields.append(payload[at : at + size])
        at += size
    return Message(hrd, pro, hln, pln, u16(payload, 6), *fields), tuple(anomalies)


def row(message: Message) -> dict[str, object]:
    """The message as the columns of table ``arp`` that are its own."""
    return {
        "op": message.op,
        "sender_mac": mac_text(message.sha[:16]),
        "sender_ip": ip_text(message.spa),
        "target_mac": mac_text(message.tha[:16]),
        "target_ip": ip_text(message.tpa),
    }
