"""802.11 frames (IEEE 802.11-2020 §9): who transmits, for which network, and what it offers.

Read from the MAC header on, without radio header and FCS. Only management frames are opened;
of data frames the addresses are kept, and whether one is an LLC XID broadcast.
"""

from __future__ import annotations

import msgspec

from wardwatch.decode.wire.reader import text, u32
from wardwatch.model.evidence import Anomaly, ByteSpan, Fault
from wardwatch.model.values import mac_text

MANAGEMENT, CONTROL, DATA = 0, 1, 2
ASSOCIATION_REQUEST, ASSOCIATION_RESPONSE = 0, 1
REASSOCIATION_REQUEST, REASSOCIATION_RESPONSE = 2, 3
PROBE_REQUEST, PROBE_RESPONSE, BEACON, AUTHENTICATION = 4, 5, 8, 11
FIXED = {
    ASSOCIATION_REQUEST: 4,
    ASSOCIATION_RESPONSE: 6,
    REASSOCIATION_REQUEST: 10,
    REASSOCIATION_RESPONSE: 6,
    PROBE_REQUEST: 0,
    PROBE_RESPONSE: 12,
    BEACON: 12,
    AUTHENTICATION: 6,
}
"""Octets of fixed fields before the elements, §9.3.3."""
PRIVACY = 0x0010
SSID, DS_PARAMETER, RSN, HT_OPERATION = 0, 3, 48, 61
TO_DS, FROM_DS, PROTECTED, ORDER = 0x01, 0x02, 0x40, 0x80
BROADCAST = b"\xff" * 6
WITHOUT_TA = frozenset((12, 13))  # control frames CTS and ACK, §9.3.1
MAX_ELEMENTS = 256
"""Elements read of one frame: 2,304 octets hold 1,152 empty ones, honest frames some thirty."""

TRUNCATED = Fault("wifi_truncated", "IEEE 802.11-2020 §9.3: frame shorter than its fixed fields")
CUT = Fault("wifi_cut", "none broken: the capture holds less than the frame had")
OVERRUN = Fault(
    "wifi_element_overrun",
    "IEEE 802.11-2020 §9.4.2.1: element length runs past the end of the frame",
)
SSID_LENGTH = Fault("wifi_ssid_length", "IEEE 802.11-2020 §9.4.2.2: an SSID of more than 32 octets")
BAD_RSN = Fault("wifi_bad_rsn", "IEEE 802.11-2020 §9.4.2.24: suite counts run past the element")
FAULTS = (TRUNCATED, CUT, OVERRUN, SSID_LENGTH, BAD_RSN)


class Message(msgspec.Struct, frozen=True):
    """One frame: kind, addresses, and of management frames what they offer or ask for."""

    subtype: int
    """type·16 + subtype."""
    receiver: str
    transmitter: str = ""
    bssid: str = ""
    protected: bool = False
    """Protected frame bit, or the privacy capability of a beacon or probe response."""
    ssid: bytes | None = None
    """None without an SSID element."""
    channel: int = -1
    akm: tuple[int, ...] = ()
    """RSN AKM suite types of 00-0F-AC; others as all four octets of their selector."""
    xid_broadcast: bool = False

    @property
    def ssid_text(self) -> str:
        """The SSID as text; "" for the wildcard, for zeros and without one."""
        ssid = self.ssid or b""
        return text(ssid) if any(ssid) else ""

    @property
    def ssid_hidden(self) -> bool:
        """Whether a beacon withholds its SSID."""
        return self.subtype == BEACON and self.ssid is not None and not any(self.ssid)


def parse(payload: bytes, claimed: int = -1) -> tuple[Message | None, tuple[Anomaly, ...]]:
    """Read one frame of which ``claimed`` bytes were sent (FCS not counted)."""
    end = len(payload)
    limit = max(claimed, end)
    if end < 10:
        fault = CUT if limit >= 10 else TRUNCATED
        return None, (Anomaly(fault, ByteSpan(0, end), 10, end),)
    kind = payload[0] >> 2 & 3
    subtype = kind * 16 + (payload[0] >> 4)
    receiver = mac_text(payload[4:10])
    if kind == CONTROL:
        named = payload[0] >> 4 not in WITHOUT_TA and end >= 16
        transmitter = mac_text(payload[10:16]) if named else ""
        return Message(subtype, receiver, transmitter), ()
    if end < 24:
        fault = CUT if limit >= 24 else TRUNCATED
        anomaly = Anomaly(fault, ByteSpan(0, end), 24, end)
        return Message(subtype, receiver, mac_text(payload[10:16])), (anomaly,)
    if kind == MANAGEMENT:
        return _management(payload, limit, subtype)
    return _data(payload, subtype), ()


def _management(payload: bytes, limit: int, subtype: int) -> tuple[Message, tuple[Anomaly, ...]]:
    end = len(payload)
    flags = payload[1]
    receiver, transmitter, bssid = (mac_text(payload[k : k + 6]) for k in (4, 10, 16))
    at = 24 + (4 if flags & ORDER else 0)  # §9.2.4.1.10: +HTC brings an HT control field
    fixed = FIXED.get(subtype)
    if fixed is None or flags & PROTECTED:  # nothing of ours in it, or encrypted (802.11w)
        return Message(subtype, receiver, transmitter, bssid, protected=bool(flags & PROTECTED)), ()
    anomalies: list[Anomaly] = []
    if at + fixed > end:
        fault = CUT if at + fixed <= limit else TRUNCATED
        anomalies.append(Anomaly(fault, ByteSpan(min(at, end), end), fixed, max(end - at, 0)))
        return Message(subtype, receiver, transmitter, bssid), tuple(anomalies)
    capability = _little(payload, at + 10) if subtype in (PROBE_RESPONSE, BEACON) else 0
    elements = _elements(payload, at + fixed, limit, anomalies)
    ssid = elements.get(SSID)
    channel = next((elements[e][0] for e in (DS_PARAMETER, HT_OPERATION) if elements.get(e)), -1)
    akm: tuple[int, ...] = ()
    if RSN in elements:
        akm, fits = _akm(elements[RSN])
        if not fits:
            start = at + fixed
            anomalies.append(Anomaly(BAD_RSN, ByteSpan(start, end), len(elements[RSN]), 0))
    message = Message(
        subtype,
        receiver,
        transmitter,
        bssid,
        protected=bool(capability & PRIVACY),
        ssid=ssid,
        channel=channel,
        akm=akm,
    )
    return message, tuple(anomalies)


def _elements(payload: bytes, at: int, limit: int, anomalies: list[Anomaly]) -> dict[int, bytes]:
    """Elements by ID, the first of each."""
    found: dict[int, bytes] = {}
    end = len(payload)
    for _ in range(MAX_ELEMENTS):
        if at >= end:
            break
        size = payload[at + 1] if at + 1 < end else 0
        stop = at + 2 + size
        if stop > end:
            fault = OVERRUN if stop > limit else CUT
            present = max(end - at - 2, 0)
            anomalies.append(Anomaly(fault, ByteSpan(at, end), size, present))
            break
        if payload[at] == SSID and size > 32:
            anomalies.append(Anomaly(SSID_LENGTH, ByteSpan(at, stop), size, 32))
        found.setdefault(payload[at], payload[at + 2 : stop])
        at = stop
    return found


def _akm(rsn: bytes) -> tuple[tuple[int, ...], bool]:
    """AKM suites of an RSN element and whether its counts fit; every part behind may be absent."""
    at = 6  # version, group data cipher suite
    if len(rsn) <= at:
        return (), len(rsn) in (2, 6)
    at += 2 + 4 * _little(rsn, at)  # pairwise cipher suites
    if at == len(rsn):
        return (), True
    count = _little(rsn, at)
    suites = [rsn[k : k + 4] for k in range(at + 2, min(at + 2 + 4 * count, len(rsn) - 3), 4)]
    found = tuple(s[3] if s[:3] == b"\x00\x0f\xac" else u32(s, 0) for s in suites)
    return found, at + 2 + 4 * count <= len(rsn)


def _little(raw: bytes, at: int) -> int:
    """Two octets, least significant first (§9.2.2)."""
    return int.from_bytes(raw[at : at + 2], "little")


def _data(payload: bytes, subtype: int) -> Message:
    """Addresses of a data frame, §9.3.2 table 9-30, and whether it is an XID broadcast."""
    flags = payload[1]
    first, second, third = payload[4:10], payload[10:16], payload[16:22]
    both = flags & TO_DS and flags & FROM_DS
    if both:
        bssid, destination = b"", third
    elif flags & TO_DS:
        bssid, destination = first, third
    elif flags & FROM_DS:
        bssid, destination = second, first
    else:
        bssid, destination = third, first
    at = 30 if both else 24
    if subtype & 0x08:  # QoS control, and HT control where the order bit announces it
        at += 2 + (4 if flags & ORDER else 0)
    llc = payload[at : at + 3]
    carries = not subtype & 0x04 and not flags & PROTECTED
    xid = carries and len(llc) == 3 and llc[2] & 0xEF == 0xAF and destination == BROADCAST
    return Message(
        subtype,
        mac_text(first),
        mac_text(second),
        mac_text(bssid),
        protected=bool(flags & PROTECTED),
        xid_broadcast=xid,
    )
