"""Cisco Discovery Protocol: the names a neighbour gives itself.

There is no public standard; the shape is that of Cisco's "CDP message format" pages: version,
TTL and checksum, then fields of type and length (their own four octets counted).
"""

from __future__ import annotations

import msgspec

from wardwatch.decode.wire.reader import ip4_text, ip6_text, trimmed, u16, u32
from wardwatch.model.evidence import Anomaly, ByteSpan, Fault

HEADER = 4
DEVICE_ID, ADDRESSES, PORT_ID, VERSION, PLATFORM = 1, 2, 3, 5, 6
NATIVE_VLAN, MANAGEMENT_ADDRESSES = 0x0A, 0x16
MAX_FIELDS = 256
"""Fields read of one frame: 1,500 octets hold 374 empty ones, honest frames some twenty."""

TRUNCATED = Fault("cdp_truncated", "CDP: frame shorter than version, TTL and checksum")
CUT = Fault("cdp_cut", "none broken: the capture holds less than the frame had")
OVERRUN = Fault("cdp_field_overrun", "CDP: field length runs past the end of the frame")
LENGTH = Fault("cdp_field_length", "CDP: field length below the four octets of its own header")
FAULTS = (TRUNCATED, CUT, OVERRUN, LENGTH)


class Message(msgspec.Struct, frozen=True):
    """What a CDP frame says of its sender."""

    version: int
    device_id: str = ""
    port_id: str = ""
    platform: str = ""
    software: str = ""
    native_vlan: int = -1
    address: str = ""
    management_address: str = ""


def parse(payload: bytes, claimed: int = -1) -> tuple[Message | None, tuple[Anomaly, ...]]:
    """Read a frame from its version octet on, of which ``claimed`` bytes were sent."""
    end = len(payload)
    limit = max(claimed, end)
    if end < HEADER:
        fault = CUT if limit >= HEADER else TRUNCATED
        return None, (Anomaly(fault, ByteSpan(0, end), max(limit, HEADER), end),)
    found: dict[int, bytes] = {}
    anomalies: list[Anomaly] = []
    at = HEADER
    for _ in range(MAX_FIELDS):
        if at >= end:
            break
        if at + 4 > end:
            fault = CUT if limit > end else OVERRUN
            anomalies.append(Anomaly(fault, ByteSpan(at, end), 4, end - at))
            break
        kind, size = u16(payload, at), u16(payload, at + 2)
        stop = at + size
        if size < 4:
            anomalies.append(Anomaly(LENGTH, ByteSpan(at, at + 4), size, 4))
            break
        if stop > end:
            fault = OVERRUN if stop > limit else CUT
            anomalies.append(Anomaly(fault, ByteSpan(at, end), size, end - at))
            break
        found.setdefault(kind, payload[at + 4 : stop])
        at = stop
    vlan = found.get(NATIVE_VLAN, b"")
    message = Message(
        version=payload[0],
        device_id=trimmed(found.get(DEVICE_ID, b"")),
        port_id=trimmed(found.get(PORT_ID, b"")),
        platform=trimmed(found.get(PLATFORM, b"")),
        software=trimmed(found.get(VERSION, b"")),
        native_vlan=u16(vlan, 0) if len(vlan) == 2 else -1,
        address=_address(found.get(ADDRESSES, b"")),
        management_address=_address(found.get(MANAGEMENT_ADDRESSES, b"")),
    )
    return message, tuple(anomalies)


def _address(value: bytes) -> str:
    """The first address of a list: protocol type and length, protocol, address length, address."""
    if u32(value, 0) < 1 or len(value) < 9:
        return ""
    protocol = value[6 : 6 + value[5]]
    at = 6 + value[5]
    raw = value[at + 2 : at + 2 + u16(value, at)]
    if protocol == b"\xcc":  # NLPID of IPv4
        return ip4_text(raw)
    return ip6_text(raw)
