"""SNMP messages (RFC 1157, RFC 3416, RFC 3412): version, community or user, kind of PDU.

The community is a password: it leaves here only so that the caller can digest it.
"""

from __future__ import annotations

import msgspec

from wardwatch.decode.wire.reader import text
from wardwatch.model.evidence import Anomaly, ByteSpan, Fault

SEQUENCE, INTEGER, OCTET_STRING = 0x30, 0x02, 0x04
PRIVATE = 0x02  # privFlag of msgFlags, RFC 3412 §6.4
MAX_LENGTH_OCTETS = 4
"""Octets of a length: RFC 3417 §8 forbids the indefinite form, and 65,507 needs three."""
MAX_USER = 32  # msgUserName, RFC 3414 §2.4

CUT = Fault("snmp_cut", "none broken: the capture holds less than the message had")
OVERRUN = Fault("snmp_overrun", "RFC 3417 §8, X.690 §8.1.3: a length runs past what holds it")
BAD_LENGTH = Fault(
    "snmp_bad_length", "RFC 3417 §8: a length in the indefinite form or of more than four octets"
)
BAD_TAG = Fault("snmp_bad_tag", "RFC 1157 §4, RFC 3412 §6: another type stands where one is fixed")
BAD_VERSION = Fault("snmp_bad_version", "RFC 1157 §4, RFC 3412 §6.1: version is neither 0, 1 nor 3")
FAULTS = (CUT, OVERRUN, BAD_LENGTH, BAD_TAG, BAD_VERSION)


class Message(msgspec.Struct, frozen=True):
    """What the head of an SNMP message says."""

    version: int
    """0 v1, 1 v2c, 3 v3."""
    community: bytes | None = msgspec.field(default=None)
    """v1 and v2c: a secret, to be digested and dropped. None in v3."""
    pdu: int = -1
    """Tag of the PDU, 0xa0 get … 0xa8 report; -1 when encrypted or not read."""
    user: str = ""
    """msgUserName of v3."""

    def __repr__(self) -> str:
        """Without the community: a secret must not reach a log."""
        return f"Message(version={self.version}, pdu={self.pdu}, user={self.user!r})"


class _Reading:
    """One message being read; after the first fault nothing more is believed."""

    def __init__(self, data: bytes, limit: int) -> None:
        self.data = data
        self.limit = limit
        self.anomalies: list[Anomaly] = []

    def fault(self, fault: Fault, start: int, stop: int, claimed: int, present: int) -> None:
        end = len(self.data)
        span = ByteSpan(min(start, end), min(max(start, stop), end))
        self.anomalies.append(Anomaly(fault, span, claimed, present))

    def element(self, at: int, end: int, tag: int | None) -> tuple[int, int, int] | None:
        """Tag, start and stop of the element at ``at``, which must be of ``tag`` (None: any)."""
        data = self.data
        if at + 2 > end:
            fault = CUT if end == len(data) < self.limit else OVERRUN
            self.fault(fault, at, end, 2, max(end - at, 0))
            return None
        found, first = data[at], data[at + 1]
        if tag is not None and found != tag:
            self.fault(BAD_TAG, at, at + 1, found, tag)
            return None
        start, size = at + 2, first
        if first & 0x80:
            octets = first & 0x7F
            if not 0 < octets <= MAX_LENGTH_OCTETS:
                self.fault(BAD_LENGTH, at + 1, at + 2, octets, MAX_LENGTH_OCTETS)
                return None
            start += octets
            size = int.from_bytes(data[at + 2 : min(start, end)], "big")
        if start > end or start + size > end:
            cut = end == len(data) < self.limit and start + size <= self.limit
            self.fault(CUT if cut else OVERRUN, at, end, size, max(end - start, 0))
            return None
        return found, start, start + size


def parse(payload: bytes, claimed: int = -1) -> tuple[Message | None, tuple[Anomaly, ...]]:
    """Read one UDP payload of which ``claimed`` bytes were sent; ``None`` before a version."""
    reading = _Reading(payload, max(claimed, len(payload)))
    message = _message(reading)
    return message, tuple(reading.anomalies)


def _message(reading: _Reading) -> Message | None:
    data = reading.data
    outer = _outer(reading)
    if outer is None:
        return None
    at, end = outer
    element = reading.element(at, end, INTEGER)
    if element is None:
        return None
    _, start, at = element
    version = int.from_bytes(data[start:at][:8], "big")
    if version not in (0, 1, 3):
        reading.fault(BAD_VERSION, start, at, version, 3)
        return None
    if version == 3:
        return _v3(reading, at, end)
    element = reading.element(at, end, OCTET_STRING)
    if element is None:
        return Message(version)
    _, start, at = element
    community = data[start:at]
    element = reading.element(at, end, None)
    return Message(version, community, element[0] if element else -1)


def _outer(reading: _Reading) -> tuple[int, int] | None:
    """The sequence around all; a message cut by the capture is read as far as it goes."""
    data = reading.data
    before = len(reading.anomalies)
    element = reading.element(0, len(data), SEQUENCE)
    if element is not None:
        return element[1], element[2]
    faults = reading.anomalies[before:]
    if len(data) >= 2 and faults[0].fault is CUT:
        octets = data[1] & 0x7F if data[1] & 0x80 else 0
        return min(2 + octets, len(data)), len(data)
    return None


def _v3(reading: _Reading, at: int, end: int) -> Message:
    """RFC 3412 §6: msgGlobalData, msgSecurityParameters, msgData."""
    data = reading.data
    header = reading.element(at, end, SEQUENCE)
    if header is None:
        return Message(3)
    _, inner, after = header
    flags = 0
    for tag in (INTEGER, INTEGER, OCTET_STRING):  # msgID, msgMaxSize, msgFlags
        element = reading.element(inner, after, tag)
        if element is None:
            return Message(3)
        flags = data[element[1]] if element[2] > element[1] else 0
        inner = element[2]
    security = reading.element(after, end, OCTET_STRING)
    if security is None:
        return Message(3)
    user = _user(reading, security[1], security[2])
    if flags & PRIVATE:
        return Message(3, user=user)
    return Message(3, pdu=_scoped_pdu(reading, security[2], end), user=user)


def _user(reading: _Reading, at: int, end: int) -> str:
    """The msgUserName of the user-based security model, RFC 3414 §2.4."""
    element = reading.element(at, end, SEQUENCE)
    if element is None:
        return ""
    _, at, end = element
    start = at
    for tag in (OCTET_STRING, INTEGER, INTEGER, OCTET_STRING):  # engine, boots, time, user
        element = reading.element(at, end, tag)
        if element is None:
            return ""
        _, start, at = element
    return text(reading.data[start:at][:MAX_USER])


def _scoped_pdu(reading: _Reading, at: int, end: int) -> int:
    """Tag of the PDU behind contextEngineID and contextName, RFC 3412 §6.8; -1 unread."""
    element = reading.element(at, end, SEQUENCE)
    if element is None:
        return -1
    _, at, end = element
    for _ in range(2):
        element = reading.element(at, end, OCTET_STRING)
        if element is None:
            return -1
        at = element[2]
    element = reading.element(at, end, None)
    return element[0] if element else -1
