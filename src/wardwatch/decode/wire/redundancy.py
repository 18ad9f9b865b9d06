"""First-hop redundancy: HSRP (RFC 2281 and its version 2), VRRP (RFC 3768, RFC 9568), GLBP.

Whoever speaks these may stand in for the default router. The clear-text authentication of HSRP
and VRRP 2 is passed over.
"""

from __future__ import annotations

import msgspec

from wardwatch.decode.wire.reader import ip4_list, ip4_text, ip6_list, ip6_text, u16, u32
from wardwatch.model.evidence import Anomaly, ByteSpan, Fault

HSRP_PORTS = frozenset((1985, 2029))
GLBP_PORT = 3222
HSRP_STATES = {0: "Initial", 1: "Learn", 2: "Listen", 4: "Speak", 8: "Standby", 16: "Active"}
HSRP2_STATES = ("Disabled", "Initial", "Learn", "Listen", "Speak", "Standby", "Active")

TRUNCATED = Fault("redundancy_truncated", "RFC 2281 §5.1, RFC 9568 §5.1: shorter than its fields")
CUT = Fault("redundancy_cut", "none broken: the capture holds less than the message had")
VERSION = Fault("redundancy_version", "RFC 2281 §5.1, RFC 9568 §5.2.1: a version we do not know")
COUNT = Fault(
    "redundancy_address_count", "RFC 9568 §5.2.5: more addresses claimed than the packet holds"
)
FAULTS = (TRUNCATED, CUT, VERSION, COUNT)


class Message(msgspec.Struct, frozen=True):
    """One speaker's announcement."""

    protocol: str
    """``hsrp``, ``hsrp2``, ``vrrp2``, ``vrrp3`` or ``glbp``."""
    group: int
    """HSRP group or VRID."""
    state: str = ""
    priority: int = -1
    virtual_ips: tuple[str, ...] = ()


def parse(
    payload: bytes, claimed: int = -1, *, port: int = -1, ipv6: bool = False
) -> tuple[Message | None, tuple[Anomaly, ...]]:
    """Read an announcement; ``port`` is its UDP port, -1 for VRRP, which stands right on IP."""
    if port in HSRP_PORTS:
        return _hsrp(payload, claimed)
    if port == GLBP_PORT:
        return _glbp(payload, claimed)
    return _vrrp(payload, claimed, 16 if ipv6 else 4)


Result = tuple[Message | None, tuple[Anomaly, ...]]


def _short(payload: bytes, claimed: int, need: int) -> Result:
    end = len(payload)
    fault = CUT if claimed >= need else TRUNCATED
    return None, (Anomaly(fault, ByteSpan(0, end), need, end),)


def _hsrp(payload: bytes, claimed: int) -> Result:
    """Version 1 has a fixed shape; version 2 is a TLV of type 1 and 40 octets."""
    if payload[:2] == b"\x01\x28":
        if len(payload) < 42:
            return _short(payload, claimed, 42)
        state, address = payload[4], payload[26:42]
        ip = ip6_text(address) if payload[5] == 6 else ip4_text(address[:4])
        name = HSRP2_STATES[state] if state < len(HSRP2_STATES) else str(state)
        return Message("hsrp2", u16(payload, 6), name, u32(payload, 14), (ip,)), ()
    if payload[:1] not in (b"\x00", b""):
        return None, (Anomaly(VERSION, ByteSpan(0, 1), payload[0], 0),)
    if len(payload) < 20:
        return _short(payload, claimed, 20)
    name = HSRP_STATES.get(payload[2], str(payload[2]))
    return Message("hsrp", payload[6], name, payload[5], (ip4_text(payload[16:20]),)), ()


def _vrrp(payload: bytes, claimed: int, size: int) -> Result:
    end = len(payload)
    if end < 8:
        return _short(payload, claimed, 8)
    version, kind = payload[0] >> 4, payload[0] & 15
    if version not in (2, 3) or kind != 1:  # RFC 9568 §5.2.2: ADVERTISEMENT is the only type
        return None, (Anomaly(VERSION, ByteSpan(0, 1), payload[0], 0x31),)
    width = 4 if version == 2 else size
    stop = 8 + width * payload[3]
    addresses = ip4_list(payload[8:stop]) if width == 4 else ip6_list(payload[8:stop])
    anomalies: tuple[Anomaly, ...] = ()
    if stop > end:
        fault = CUT if stop <= claimed else COUNT
        anomalies = (Anomaly(fault, ByteSpan(8, end), payload[3], (end - 8) // width),)
    message = Message(f"vrrp{version}", payload[1], "", payload[2], addresses)
    return message, anomalies


def _glbp(payload: bytes, claimed: int) -> Result:
    """Cisco publishes no specification: version and group are all that is relied on."""
    if len(payload) < 4:
        return _short(payload, claimed, 4)
    if payload[0] != 1:
        return None, (Anomaly(VERSION, ByteSpan(0, 1), payload[0], 1),)
    return Message("glbp", u16(payload, 2)), ()
