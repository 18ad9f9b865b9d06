"""Telling: what therapy says to communications in frames, and what a change of phase means.

Bodies of STATUS, EVENT and ALARM frames, at most 52 octets; the layout is ours [A]. Instants are ns
since the head began, volumes nL, rates nL/h. Communications read them as they read anything: what
does not fit is ``None``. Transitions follow IHE PCD-10 (domain/pump.md §2.2): a changed rate is a
stop and a start, an infusion that goes on to KVO is complete and starts again.
"""

from __future__ import annotations

from enum import IntEnum, unique
from struct import Struct as Layout

import msgspec

from wardwatch.twin.therapy import DELIVERS, Alarm, Core, Phase, Priority

ALARMS = tuple(Alarm)
PHASES = tuple(Phase)
_STATUS = Layout(">QBQQQhIIb")
_HAPPENED = Layout(">IQBBBQQQ")
_ALARM = Layout(">IQBBB")
NO_PRESSURE = -32768


class Status(msgspec.Struct, frozen=True):
    """What the head shows at an instant."""

    at: int
    phase: Phase
    rate: int
    given_nl: int
    left_nl: int
    """Volume to be infused that is left; 0 also without one."""
    pressure_mmhg: int
    """Of the line; ``NO_PRESSURE`` without a syringe."""
    library: int
    pending: int
    """Version that waits for the next patient; 0 none."""
    alarm: Alarm | None
    """The one shown."""


@unique
class What(IntEnum):
    """Events of PCD-10."""

    START = 1
    STOP = 2
    COMPLETE = 3


class Happened(msgspec.Struct, frozen=True):
    """One event of delivery."""

    what: What
    phase: Phase
    """Phase after it."""
    transitioning: bool
    """The next event follows at the same instant."""
    rate: int
    given_nl: int
    segment_nl: int
    """Since the last start; 0 for a start."""
    at: int = 0
    number: int = 0
    """Count of the head's events and alarms, from 1: what is asked for again is known by it."""


class Alarmed(msgspec.Struct, frozen=True):
    """An alarm begins or ends."""

    alarm: Alarm
    priority: Priority
    on: bool
    at: int
    number: int = 0


def status_body(one: Status) -> bytes:
    """The body of a STATUS frame."""
    shown = -1 if one.alarm is None else ALARMS.index(one.alarm)
    return _STATUS.pack(
        one.at, PHASES.index(one.phase), one.rate, one.given_nl, one.left_nl,
        one.pressure_mmhg, one.library, one.pending, shown,
    )  # fmt: skip


def read_status(body: bytes) -> Status | None:
    """The status in a body; None if there is none."""
    if len(body) != _STATUS.size:
        return None
    at, phase, rate, given, left, pressure, library, pending, shown = _STATUS.unpack(body)
    if phase >= len(PHASES) or not -1 <= shown < len(ALARMS):
        return None
    alarm = None if shown < 0 else ALARMS[shown]
    return Status(at, PHASES[phase], rate, given, left, pressure, library, pending, alarm)


def happened_body(one: Happened) -> bytes:
    """The body of an EVENT frame."""
    return _HAPPENED.pack(
        one.number, one.at, one.what, PHASES.index(one.phase), one.transitioning, one.rate,
        one.given_nl, one.segment_nl,
    )  # fmt: skip


def read_happened(body: bytes) -> Happened | None:
    """The event in a body; None if there is none."""
    if len(body) != _HAPPENED.size:
        return None
    number, at, what, phase, going_on, rate, given, segment = _HAPPENED.unpack(body)
    if what not in (1, 2, 3) or phase >= len(PHASES) or going_on > 1:
        return None
    return Happened(What(what), PHASES[phase], bool(going_on), rate, given, segment, at, number)


def alarmed_body(one: Alarmed) -> bytes:
    """The body of an ALARM frame."""
    return _ALARM.pack(one.number, one.at, ALARMS.index(one.alarm), one.priority, one.on)


def read_alarmed(body: bytes) -> Alarmed | None:
    """The alarm in a body; None if there is none."""
    if len(body) != _ALARM.size:
        return None
    number, at, alarm, priority, on = _ALARM.unpack(body)
    if alarm >= len(ALARMS) or not 1 <= priority <= 3 or on > 1:
        return None
    return Alarmed(ALARMS[alarm], Priority(priority), bool(on), at, number)


def transition(
    before: Core, after: Core, given_nl: int, since_nl: int
) -> tuple[tuple[Happened, ...], int]:
    """What one step of therapy means, and the volume at the last start.

    ``given_nl`` is the displayed volume at the step, ``since_nl`` that of the last start.
    """
    was, is_ = before.phase in DELIVERS, after.phase in DELIVERS
    if (before.phase, before.rate) == (after.phase, after.rate) or not (was or is_):
        return (), since_nl
    found: list[Happened] = []
    if was:
        found.append(
            Happened(
                What.COMPLETE if _complete(before, after) else What.STOP, after.phase, is_,
                before.rate, given_nl, given_nl - since_nl,
            )
        )  # fmt: skip
    if is_:
        found.append(Happened(What.START, after.phase, False, after.rate, given_nl, 0))
        since_nl = given_nl
    return tuple(found), since_nl


def _complete(before: Core, after: Core) -> bool:
    """Whether what ran came to its end by itself: its volume, or a bolus that goes on as infusion."""
    had = any(alarm is Alarm.COMPLETE for alarm, _ in before.alarms)
    has = any(alarm is Alarm.COMPLETE for alarm, _ in after.alarms)
    ended = before.phase is Phase.BOLUS and after.phase is Phase.RUNNING and after.bolus == 0
    return ended or (has and not had)
