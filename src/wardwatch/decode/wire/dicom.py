"""DICOM upper layer (PS3.8 §9): PDU headers, and who associates with whom.

P-DATA holds patients' data: its length is read, its bytes are not.
"""

from __future__ import annotations

import msgspec

from wardwatch.decode.wire.reader import text, u16, u32
from wardwatch.model.evidence import Anomaly, ByteSpan, Fault

PDU_TYPE = Fault("dicom_pdu_type", "DICOM PS3.8 §9.3.1: a PDU type is 1 to 7")
PDU_SHORT = Fault(
    "dicom_pdu_short", "DICOM PS3.8 §9.3: fewer bytes than the PDU's length or fields"
)
PDU_LENGTH = Fault("dicom_pdu_length", "DICOM PS3.8 §9.3: a PDU longer than it may be")
ITEM_OVERRUN = Fault("dicom_item_overrun", "DICOM PS3.8 §9.3: an item runs past the end of its PDU")
FAULTS: tuple[Fault, ...] = (PDU_TYPE, PDU_SHORT, PDU_LENGTH, ITEM_OVERRUN)

ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA, RELEASE_RQ, RELEASE_RP, ABORT = range(1, 8)
LONGEST_CONTROL = 128 * 1024
"""Octets of an A-ASSOCIATE: 128 presentation contexts take some 20,000."""
_FIXED = 74  # header and fixed fields of A-ASSOCIATE-RQ and -AC


class Pdu(msgspec.Struct, frozen=True, gc=False):
    """One PDU; the texts of an A-ASSOCIATE only."""

    type: int
    length: int
    calling: str = ""
    called: str = ""
    implementation: str = ""
    implementation_class: str = ""


def looks_like(head: bytes) -> bool:
    """Whether bytes begin with an A-ASSOCIATE-RQ or -AC of protocol version 1."""
    return (
        len(head) >= 42
        and head[0] in (ASSOCIATE_RQ, ASSOCIATE_AC)
        and head[1] == 0
        and 68 <= u32(head, 2) <= LONGEST_CONTROL
        and u16(head, 6) & 1 == 1
        and all(32 <= octet < 127 for octet in head[10:42])  # PS3.8 §9.3.2: two AE titles
    )


def parse(payload: bytes) -> tuple[Pdu | None, tuple[Anomaly, ...]]:
    """Read one PDU, its six octet header first; of P-DATA the header only."""
    end = len(payload)
    if end < 6:
        return None, (Anomaly(PDU_SHORT, ByteSpan(0, end), 6, end),)
    kind, length = payload[0], u32(payload, 2)
    if not ASSOCIATE_RQ <= kind <= ABORT:
        return None, (Anomaly(PDU_TYPE, ByteSpan(0, 1), kind),)
    if kind == P_DATA:
        return Pdu(kind, length), ()
    anomalies: list[Anomaly] = []
    if length > LONGEST_CONTROL or (kind not in (ASSOCIATE_RQ, ASSOCIATE_AC) and length != 4):
        anomalies.append(Anomaly(PDU_LENGTH, ByteSpan(2, 6), length, end - 6))
    elif end - 6 < length or (kind in (ASSOCIATE_RQ, ASSOCIATE_AC) and end < _FIXED):
        anomalies.append(Anomaly(PDU_SHORT, ByteSpan(2, 6), length, end - 6))
    if kind not in (ASSOCIATE_RQ, ASSOCIATE_AC):
        return Pdu(kind, length), tuple(anomalies)
    user = _user_information(payload, min(end, 6 + length), anomalies)
    pdu = Pdu(
        type=kind,
        length=length,
        called=text(payload[10:26]).strip(" \0"),
        calling=text(payload[26:42]).strip(" \0"),
        implementation=user.get(0x55, ""),
        implementation_class=user.get(0x52, ""),
    )
    return pdu, tuple(anomalies)


def _user_information(payload: bytes, end: int, anomalies: list[Anomaly]) -> dict[int, str]:
    """PS3.7 §D.3.3: sub-items of the user information item (0x50)."""
    found: dict[int, str] = {}
    for kind, start, stop in _items(payload, _FIXED, end, anomalies):
        if kind == 0x50:
            for inner, first, last in _items(payload, start, stop, anomalies):
                if inner in (0x52, 0x55):
                    found[inner] = text(payload[first:last], 64).strip(" \0")
    return found


def _items(
    payload: bytes, at: int, end: int, anomalies: list[Anomaly]
) -> list[tuple[int, int, int]]:
    found = []
    while at < end:
        size = u16(payload, at + 2)
        stop = at + 4 + size
        if stop > end:
            span = ByteSpan(at, end)
            anomalies.append(Anomaly(ITEM_OVERRUN, span, size, max(end - at - 4, 0)))
            stop = end
        if at + 4 <= end:
            found.append((payload[at], at + 4, stop))
        at = stop
    return found
