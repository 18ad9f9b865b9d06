"""LLDP (IEEE 802.1AB): the names a neighbour gives itself."""

from __future__ import annotations

import msgspec

from wardwatch.decode.wire.reader import ip_text, text, text_or_hex, trimmed, u16
from wardwatch.model.evidence import Anomaly, ByteSpan, Fault
from wardwatch.model.values import mac_text

END, CHASSIS_ID, PORT_ID, TTL, PORT_DESCRIPTION = 0, 1, 2, 3, 4
SYSTEM_NAME, SYSTEM_DESCRIPTION, MANAGEMENT_ADDRESS, ORGANIZATION = 5, 6, 8, 127
MAX_TLVS = 256
"""TLVs read of one frame: 1,500 octets hold 750 empty ones, honest frames some twenty."""

TRUNCATED = Fault("lldp_truncated", "IEEE 802.1AB §8.4: a TLV header of fewer than two octets")
CUT = Fault("lldp_cut", "none broken: the capture holds less than the frame had")
OVERRUN = Fault("lldp_tlv_overrun", "IEEE 802.1AB §8.4: TLV length runs past the end of the frame")
MANDATORY = Fault(
    "lldp_mandatory", "IEEE 802.1AB §8.2: chassis ID, port ID and TTL come first, in this order"
)
FAULTS = (TRUNCATED, CUT, OVERRUN, MANDATORY)


class Message(msgspec.Struct, frozen=True):
    """What an LLDPDU says of its sender."""

    chassis_id: str = ""
    port_id: str = ""
    system_name: str = ""
    system_description: str = ""
    management_address: str = ""
    pvid: int = -1


def parse(payload: bytes, claimed: int = -1) -> tuple[Message | None, tuple[Anomaly, ...]]:
    """Read an LLDPDU behind its Ethernet header; an empty one is ``None``."""
    end = len(payload)
    limit = max(claimed, end)
    anomalies: list[Anomaly] = []
    fields: dict[str, str] = {}
    pvid = -1
    order: list[int] = []
    at = 0
    while at < end and len(order) < MAX_TLVS:
        if at + 2 > end:
            fault = CUT if limit > end else TRUNCATED
            anomalies.append(Anomaly(fault, ByteSpan(at, end), 2, end - at))
            break
        kind, size = payload[at] >> 1, u16(payload, at) & 0x01FF
        if kind == END:
            break
        start, stop = at + 2, at + 2 + size
        order.append(kind)
        if stop > end:
            fault = OVERRUN if stop > limit else CUT
            anomalies.append(Anomaly(fault, ByteSpan(at, end), size, end - start))
            break
        value = payload[start:stop]
        if kind == ORGANIZATION:
            if value[:4] == b"\x00\x80\xc2\x01" and len(value) == 6:  # 802.1Q §D.2.1
                pvid = u16(value, 4)
        else:
            name, spelled = _field(kind, value)
            if name:
                fields.setdefault(name, spelled)
        at = stop
    whole = not anomalies
    if whole and order[:3] != [CHASSIS_ID, PORT_ID, TTL]:
        anomalies.append(Anomaly(MANDATORY, ByteSpan(0, min(at, end)), 3, len(order[:3])))
    message = Message(**fields, pvid=pvid) if order else None
    return message, tuple(anomalies)


def _field(kind: int, value: bytes) -> tuple[str, str]:
    """The field a TLV fills and its text; "" for TLVs we do not keep."""
    if kind == CHASSIS_ID:
        return "chassis_id", _identifier(value, 4, 5)
    if kind == PORT_ID:
        return "port_id", _identifier(value, 3, 4)
    if kind == SYSTEM_NAME:
        return "system_name", trimmed(value)
    if kind == SYSTEM_DESCRIPTION:
        return "system_description", trimmed(value)
    if kind == MANAGEMENT_ADDRESS and len(value) >= 2:
        # §8.5.9: length of subtype and address, subtype (IANA family: 1 IPv4, 2 IPv6), address
        address = value[2 : 1 + value[0]]
        return "management_address", ip_text(address) or mac_text(address[:6])
    return "", ""


def _identifier(value: bytes, mac: int, network: int) -> str:
    """A chassis or port ID by its subtype: a MAC, a network address, or text."""
    subtype, rest = (value[0], value[1:]) if value else (0, b"")
    if subtype == mac and len(rest) == 6:
        return mac_text(rest)
    if subtype == network and len(rest) in (5, 17):
        return ip_text(rest[1:])
    return text(rest) if rest.isascii() else text_or_hex(rest)
