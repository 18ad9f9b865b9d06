"""Who speaks the protocols that run the link: STP, DTP, VTP, PAgP, LACP, EAPOL, and LLC XID.

Only which of them it is and a little of what it says is kept: the question is who speaks it.
"""

from __future__ import annotations

import msgspec

from wardwatch.decode.wire.reader import u16
from wardwatch.model.evidence import Anomaly, ByteSpan, Fault

CISCO_GROUP = "01:00:0c:cc:cc:cc"
SLOW_GROUP = "01:80:c2:00:00:02"
XID_CONTROLS = frozenset((0xAF, 0xBF))  # IEEE 802.2 §5.4.1.1.2, without and with the poll bit

TRUNCATED = Fault("control_truncated", "IEEE 802.1D §9.3, IEEE 802.1X §11.3: shorter than a header")
CUT = Fault("control_cut", "none broken: the capture holds less than the frame had")
UNKNOWN = Fault("control_unknown", "our reading: a link control frame of no protocol we know")
FAULTS = (TRUNCATED, CUT, UNKNOWN)


class Message(msgspec.Struct, frozen=True, gc=False):
    """Which protocol a frame speaks."""

    protocol: str
    """``stp``, ``dtp``, ``vtp``, ``pagp``, ``udld``, ``lacp``, ``eapol`` or ``xid``."""


def parse(
    payload: bytes, claimed: int = -1, *, dst_mac: str = ""
) -> tuple[Message | None, tuple[Anomaly, ...]]:
    """Tell the protocol of what stands behind the LLC, SNAP or Ethernet header (XID: from LLC on).

    ``dst_mac`` is the group the frame went to: Cisco's protocols share one, and differ behind it.
    """
    end = len(payload)
    if end < 3:
        fault = CUT if claimed >= 3 else TRUNCATED
        return None, (Anomaly(fault, ByteSpan(0, end), 3, end),)
    protocol = _cisco(payload) if dst_mac == CISCO_GROUP else _other(payload, dst_mac)
    if not protocol:
        return None, (Anomaly(UNKNOWN, ByteSpan(0, min(end, 4)), u16(payload, 0), 0),)
    return Message(protocol), ()


def _cisco(payload: bytes) -> str:
    """Protocols of Cisco's group address, by how their headers begin."""
    first, second = payload[0], payload[1]
    if first >> 5 == 1:  # UDLD: three bits of version, then the opcode
        return "udld"
    if first == 1 and u16(payload, 1) == 1:  # DTP: version 1, then the TLV "domain"
        return "dtp"
    if 1 <= first <= 3 and 1 <= second <= 4 and len(payload) >= 36 and payload[3] <= 32:
        return "vtp"  # version, code, followers, length of a domain name of at most 32 octets
    if first in (1, 2):
        return "pagp"
    return ""


def _other(payload: bytes, dst_mac: str) -> str:
    """Protocols of the standards' group addresses and of stations."""
    if payload[2] in XID_CONTROLS and _is_llc(payload):  # no BPDU version is such a number
        return "xid"
    if u16(payload, 0) == 0:  # IEEE 802.1D §9.3.2: protocol identifier
        return "stp"
    if dst_mac == SLOW_GROUP or payload[:4] == b"\x01\x01\x01\x14":
        return "lacp"  # subtype 1, version 1, actor TLV of 20 octets
    if 1 <= payload[0] <= 3 and payload[1] <= 9:  # IEEE 802.1X §11.3: version, packet type
        return "eapol"
    return ""


def _is_llc(payload: bytes) -> bool:
    """Whether the frame begins with the null or global SAP, or with equal SAPs."""
    return payload[0] in (0x00, 0xFF) or payload[0] & 0xFE == payload[1] & 0xFE
