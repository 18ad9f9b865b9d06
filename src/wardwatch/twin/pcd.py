"""PCD: a pump's reports, events and alarms in HL7 v2.6, as IHE Patient Care Devices asks.

PCD-01 (report), PCD-10 (event of delivery) and PCD-04 (alarm), framed by MLLP. No patient is in
them. Control ids, filler ids and the containment ids are this project's choice within the profile;
object identifiers differ between text and field of the framework: receivers accept both.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from wardwatch.model.values import utc_text
from wardwatch.twin import codes
from wardwatch.twin.telling import Alarmed, Happened, Status, What
from wardwatch.twin.therapy import DELIVERS, Alarm, Phase, Priority

if TYPE_CHECKING:
    from random import Random

    from wardwatch.twin.codes import Code

NANO_L = 1e6
INTERVAL_S = 60.0
"""PCD-01 once a minute [A], within 5 s to 24 h (IHE TF-2)."""
INTERVALS_S = (5.0, 86_400.0)
JITTER = 0.1
LONGEST = 65_536
"""Octets of a message that is read; a longer one ends the conversation."""
SEGMENTS = 400
START, END, RETURN = b"\x0b", b"\x1c", b"\r"
"""MLLP's block characters (HL7 v2 appendix C)."""

REPORT_OID = "1.3.6.1.4.1.19376.1.6.1.1.1"
REPORT_OID_OTHER = "1.3.6.1.4.1.19376.1.6.4.1"
EVENT_OID = "1.3.6.1.4.1.19376.1.6.4.10"
ALARM_OID = "1.3.6.1.4.1.19376.1.6.4.4"

EVENTS: dict[What, Code] = {
    What.START: codes.DELIV_START,
    What.STOP: codes.DELIV_STOP,
    What.COMPLETE: codes.DELIV_COMP,
}
ALARMS: dict[Alarm, Code] = {
    Alarm.OCCLUSION: codes.LINE_OCCLUSION,
    Alarm.DISLODGED: codes.BARREL,
    Alarm.BATTERY_LOW: codes.BATTERY_LOW,
    Alarm.NEAR_EMPTY: codes.NEAR_COMPLETE,
}
"""Alarms with a term of their own; the others are the general one, their text beside it."""
PRIORITIES = {Priority.LOW: "PL", Priority.MEDIUM: "PM", Priority.HIGH: "PH"}
KVO, BOLUS, BASE = "pump-delivering-kvo", "pump-delivering-bolus", "pump-delivering-infusion"
IDLE, TRANSITION = "pump-not-delivering", "pump-transitioning"


class Device(msgspec.Struct, frozen=True):
    """Who reports."""

    serial: str
    eui64: str
    """Sixteen hexadecimal digits (its MAC with FFFE in the middle)."""
    application: str = "WARDWATCH_TWIN"

    @property
    def id(self) -> str:
        """As an entity identifier (OBX-18)."""
        return f"{self.eui64}^{self.application}^{self.eui64}^EUI-64"


def stamp(instant: int) -> str:
    """An instant (ns, UTC) as an HL7 time with its zone."""
    digits = re.sub(r"\D", "", utc_text(instant)[:19])
    return f"{digits:0<14}+0000"


def next_report(now: int, interval_s: float, draws: Random) -> int:
    """When the report after the one at ``now`` (ns) is due: the interval, 10 % more or less (C-6)."""
    low, high = INTERVALS_S
    seconds = min(max(interval_s, low), high)
    return now + round(seconds * draws.uniform(1 - JITTER, 1 + JITTER) * 1e9)


def report(device: Device, one: Status, at: int, control: str) -> bytes:
    """PCD-01: what the pump shows, by containment MDS, VMD, channel (C-6)."""
    rows = [
        _observed("", codes.SYRINGE_MDS, "1.0.0.0", ""),
        _observed("", codes.SYRINGE_VMD, "1.1.0.0", ""),
        _observed("", codes.DELIVERY_INFO, "1.1.1.0", ""),
        _observed("ST", codes.DELIVERY_STATUS, "1.1.1.1", _delivery(one.phase)),
        _observed("NM", codes.VTBI_LEFT, "1.1.1.2", _ml(one.left_nl), codes.ML),
        _observed("ST", codes.LIBRARY_VERSION, "1.1.1.3", str(one.library)),
        _observed("", codes.SOURCE_PRIMARY, "1.1.2.0", ""),
        _observed("NM", codes.FLOW_CURRENT, "1.1.2.1", _ml(_flow(one)), codes.ML_H),
        _observed("NM", codes.VOLUME_TOTAL, "1.1.2.2", _ml(one.given_nl), codes.ML),
    ]
    profile = f"IHE_PCD_001^IHE PCD^{REPORT_OID}^ISO"
    return _message(device, "R01^ORU_R01", profile, at, control, control, rows)


def event(device: Device, one: Happened, at: int, control: str) -> bytes:
    """PCD-10: one event of delivery a message; a stop or completion carries volumes (C-7)."""
    said = {Phase.KVO: KVO, Phase.BOLUS: BOLUS, Phase.RUNNING: BASE}.get(one.phase, IDLE)
    status = TRANSITION if one.transitioning else said
    rows = [
        _observed("CWE", codes.ALARM, "1.0.0.1", EVENTS[one.what].field),
        _observed("", codes.SYRINGE_MDS, "1.0.0.0", ""),
        _observed("", codes.DELIVERY_INFO, "1.1.1.0", ""),
        _observed("ST", codes.DELIVERY_STATUS, "1.1.1.1", status),
        _observed("", codes.SOURCE_PRIMARY, "1.1.2.0", ""),
        _observed("NM", codes.FLOW, "1.1.2.1", _ml(one.rate), codes.ML_H),
        _observed("NM", codes.VOLUME_TOTAL, "1.1.2.2", _ml(one.given_nl), codes.ML),
    ]
    if one.what is not What.START:
        rows.append(_observed("NM", codes.VOLUME_SEGMENT, "1.1.2.3", _ml(one.segment_nl), codes.ML))
    profile = f"IHE_PCD_010^IHE PCD^{EVENT_OID}^ISO"
    return _message(device, "R42^ORU_R01", profile, at, control, control, rows)


def alarm(device: Device, one: Alarmed, phase: str, filler: str, at: int, control: str) -> bytes:
    """PCD-04: ``phase`` is start, update or end; the filler id is that of the alarm's start (C-8)."""
    code = ALARMS.get(one.alarm, codes.ALARM)
    active = "inactive" if phase == "end" else "active"
    rows = [
        _observed("CWE", codes.ALARM, "1.1.1.1.1", f"{code.field}^{one.alarm.value}"),
        _observed("", codes.SYRINGE_MDS, "1.0.0.0.2", ""),
        _observed("ST", codes.EVENT_PHASE, "1.1.1.1.3", phase),
        _observed("ST", codes.ALARM_STATE, "1.1.1.1.4", active),
        _observed("ST", codes.INACTIVATION, "1.1.1.1.5", "enabled"),
        _observed("ST", codes.PRIORITY, "1.1.1.1.6", PRIORITIES[one.priority]),
    ]
    profile = f"IHE_PCD_004^IHE PCD^{ALARM_OID}^ISO"
    return _message(device, "R40^ORU_R40", profile, at, control, filler, rows)


class Alarms:
    """The alarms that stand, each with the filler id it began with."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self._standing: dict[Alarm, tuple[str, Alarmed]] = {}

    def heard(self, one: Alarmed, at: int, control: str) -> bytes:
        """The message for an alarm that begins, or goes on, or ends."""
        filler, _ = self._standing.get(one.alarm, (f"{self.device.serial}-{control}", one))
        phase = "end" if not one.on else "update" if one.alarm in self._standing else "start"
        if one.on:
            self._standing[one.alarm] = (filler, one)
        else:
            self._standing.pop(one.alarm, None)
        return alarm(self.device, one, phase, filler, at, control)


def acknowledgement(asked: Message, at: int, code: str = "AA") -> bytes:
    """The receiver's answer (HL7 v2.6 §2.9): AA taken, AE not understood, AR refused."""
    trigger = _safe((asked.kind + "^").split("^")[1]) or "R01"
    control = _safe(asked.control) or "0"
    head = f"MSH|^~\\&|WARDWATCH_SERVER||||{stamp(at)}||ACK^{trigger}^ACK|{control}|P|2.6"
    return _framed([head, f"MSA|{code}|{control}"])


# Reading ----------------------------------------------------------------------------------------


class Message(msgspec.Struct, frozen=True):
    """One message as far as a receiver needs it."""

    kind: str
    """MSH-9, ``ORU^R01^ORU_R01``."""
    control: str
    """MSH-10."""
    profile: str
    """MSH-21."""
    device: str = ""
    """EUI-64 of OBR or OBX."""
    filler: str = ""
    observed: tuple[tuple[int, str], ...] = ()
    """Code and value of each observation."""

    def value(self, code: Code) -> str:
        """The value of a code; "" if it is not there."""
        return dict(self.observed).get(code.number, "")


def read(raw: bytes) -> Message | None:
    """The message in the octets between MLLP's block characters; None if there is none."""
    if len(raw) > LONGEST:
        return None
    rows = [row.split("|") for row in raw.decode("utf-8", "replace").split("\r") if row]
    if not rows or rows[0][0] != "MSH" or len(rows) > SEGMENTS:
        return None
    head = rows[0]
    observed, device, filler = [], "", ""
    for row in rows[1:]:
        if row[0] == "OBR":
            filler = _at(row, 3).partition("^")[0]
        if row[0] == "OBX":
            number = _at(row, 3).partition("^")[0]
            device = _at(row, 18).partition("^")[0] or device
            if number.isascii() and number.isdigit() and len(number) < 11:
                observed.append((int(number), _at(row, 5)[:200]))
    # MSH-1 is the separator itself, so that MSH-n stands at n - 1.
    return Message(
        _at(head, 8), _at(head, 9)[:64], _at(head, 20), device[:32], filler[:64], tuple(observed)
    )


def unframed(buffer: bytes) -> tuple[list[bytes], bytes]:
    """The whole messages in a buffer of MLLP, and what is left of it."""
    found = []
    while (begin := buffer.find(START)) >= 0 and (end := buffer.find(END + RETURN, begin)) >= 0:
        found.append(buffer[begin + 1 : end])
        buffer = buffer[end + 2 :]
    return found, buffer


def _at(row: list[str], n: int) -> str:
    return row[n] if n < len(row) else ""


# Writing ----------------------------------------------------------------------------------------


def _delivery(phase: Phase) -> str:
    said = {Phase.KVO: KVO, Phase.BOLUS: BOLUS, Phase.RUNNING: BASE}
    return said.get(phase, IDLE)


def _flow(one: Status) -> int:
    return one.rate if one.phase in DELIVERS else 0


def _ml(nano: int) -> str:
    """A volume or rate in mL; HL7 numbers have no exponent (v2.6 §2.A.47)."""
    text = f"{nano / NANO_L:.6f}".rstrip("0")
    return text.removesuffix(".")


def _observed(kind: str, code: Code, sub: str, value: str, unit: Code | None = None) -> list[str]:
    return [kind, code.field, sub, value, unit.field if unit else ""]


def _safe(text: str) -> str:
    """Text of a peer, without what would end a field or a segment."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", text)[:64]


def _message(
    device: Device,
    kind: str,
    profile: str,
    at: int,
    control: str,
    filler: str,
    rows: list[list[str]],
) -> bytes:
    when = stamp(at)
    me = f"{device.application}^{device.eui64}^EUI-64"
    found = [
        f"MSH|^~\\&|{me}||||{when}||ORU^{kind}|{control}|P|2.6|||NE|AL|||||{profile}",
        "PID|||UNKNOWN||UNKNOWN",
        "PV1||U",
        f"OBR|1|{control}^{me}|{filler}^{me}|{codes.SYRINGE_MDS.field}|||{when}",
    ]
    for n, (type_, code, sub, value, unit) in enumerate(rows, 1):
        state = "R" if type_ else "X"
        tail = f"|||{when}||||{device.id}"
        found.append(f"OBX|{n}|{type_}|{code}|{sub}|{value}|{unit}|||||{state}{tail}")
    return _framed(found)


def _framed(rows: list[str]) -> bytes:
    return START + ("\r".join(rows) + "\r").encode() + END + RETURN
