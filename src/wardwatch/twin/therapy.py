"""Therapy: the head of the pump, a pure function from state, event and time to state and actions.

``step`` is total: every event is defined in every phase, a refused one changes nothing but the log.
The state has a core, which alone delivers, and beside it what communications said; an event of the
link is given no core to change (I2). The core is anchored where something last happened to it and
read by closed form, so that being asked more often, or later, changes no digit of it (I1).

Volumes at the edges are integer nL, rates nL/h, instants ns; within, a volume is counted in
nL·ns/h, so that no division ever rounds what was given. Not a medical device, and not the product
whose class it resembles: priorities and limits marked [A] are this project's (domain/pump.md §1.5).
"""

from __future__ import annotations

import hashlib
import hmac
import math
from enum import Enum, IntEnum
from struct import error as LayoutError
from struct import pack, unpack
from typing import TYPE_CHECKING

import msgspec

from wardwatch.model.values import NS
from wardwatch.twin import plant as mech
from wardwatch.twin.link import Frame, Kind
from wardwatch.twin.plant import Plant

if TYPE_CHECKING:
    from collections.abc import Callable

HOUR = 3600 * NS
NEVER = 1 << 63
"""Later than any instant: the last one is 292 years after the first."""
MOTOR_STEP_NL = 100
CALLBACK_NS = 30 * NS
LINK_LOST_NS = 5 * NS
"""[A] C-13."""
OFFER_NS = 60 * NS
"""[A] One time offer a minute is heard; the log cannot be filled faster."""
PAUSE_MIN = 10
"""Longest pause of the alarms' sound (Open PCA)."""
REPEATS, REPEAT_NS = 3, 600 * NS
"""So many stops by one alarm in so long need a new confirmation (Open PCA)."""
NEAR_VOLUME = 20
"""[A] Volume near empty: a twentieth of the syringe."""
RESIDUE_UL, RESIDUE_HIGH_UL = 200.0, 350.0
"""What back-off leaves stored: below 0.3 mL, and more in a large syringe at HIGH (manual, T-8)."""
FLAGGED_UL = 300.0
HIGH_MMHG = 10 * mech.PSI
LIMIT_MMHG = (2 * mech.PSI, 20 * mech.PSI)
VEIN_MMHG = (-200.0, 400.0)
LIBRARY_MAX = 65_536
"""Octets of a library offered through the link; a longer one is dropped."""


class Phase(Enum):
    """What the head is doing."""

    OFF = "off"
    IDLE = "idle"
    READY = "ready"
    RUNNING = "running"
    BOLUS = "bolus"
    KVO = "kvo"
    PAUSED = "paused"
    STOPPED = "stopped by an alarm"
    FAILED = "failed"


DELIVERS = frozenset({Phase.RUNNING, Phase.BOLUS, Phase.KVO})


class Priority(IntEnum):
    """Priorities of IEC 60601-1-8."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3


class Alarm(Enum):
    """What can be announced."""

    OCCLUSION = "occlusion"
    MOTOR_NOT_RUNNING = "motor not running"
    MOTOR_RATE = "motor rate error"
    EMPTY = "syringe empty"
    DISLODGED = "syringe dislodged"
    FAILURE = "system failure"
    REPEATED = "the same alarm three times"
    BATTERY_DEPLETED = "depleted battery"
    BATTERY_LOW = "low battery"
    NEAR_EMPTY = "syringe near empty"
    VOLUME_NEAR_EMPTY = "syringe volume near empty"
    COMPLETE = "infusion complete"
    CALLBACK = "user callback"
    RATE_LOW = "rate below recommended minimum"
    LINK_LOST = "communications lost"


PRIORITIES: dict[Alarm, Priority] = {
    Alarm.OCCLUSION: Priority.HIGH,
    Alarm.MOTOR_NOT_RUNNING: Priority.HIGH,
    Alarm.MOTOR_RATE: Priority.HIGH,
    Alarm.EMPTY: Priority.HIGH,
    Alarm.DISLODGED: Priority.HIGH,
    Alarm.FAILURE: Priority.HIGH,
    Alarm.REPEATED: Priority.HIGH,
    Alarm.BATTERY_DEPLETED: Priority.HIGH,
    Alarm.BATTERY_LOW: Priority.LOW,
    Alarm.NEAR_EMPTY: Priority.LOW,
    Alarm.VOLUME_NEAR_EMPTY: Priority.MEDIUM,
    Alarm.COMPLETE: Priority.MEDIUM,
    Alarm.CALLBACK: Priority.MEDIUM,
    Alarm.RATE_LOW: Priority.LOW,
    Alarm.LINK_LOST: Priority.LOW,
}
"""Near empty is LOW or MEDIUM by the order; every HIGH stops delivery, nothing else does."""


# The drug library ------------------------------------------------------------------------------


class Entry(msgspec.Struct, frozen=True):
    """One drug in one care area, its rates in nL/h."""

    key: str
    lower_hard: int
    lower_soft: int
    typical: int
    upper_soft: int
    upper_hard: int


class Library(msgspec.Struct, frozen=True):
    """A drug library of one version."""

    version: int
    entries: tuple[Entry, ...] = ()

    @property
    def sound(self) -> bool:
        """Limits in order for every entry, no key twice: else all of it is refused (T-26)."""
        keys = {entry.key for entry in self.entries}
        return len(keys) == len(self.entries) and all(
            0 <= e.lower_hard <= e.lower_soft <= e.typical <= e.upper_soft <= e.upper_hard
            for e in self.entries
        )

    def judge(self, key: str, rate: int) -> str:
        """``within``, ``soft``, ``hard``, or ``unknown`` for a drug that is not in it."""
        for e in self.entries:
            if e.key == key:
                if not e.lower_hard <= rate <= e.upper_hard:
                    return "hard"
                return "within" if e.lower_soft <= rate <= e.upper_soft else "soft"
        return "unknown"


# Events ----------------------------------------------------------------------------------------


class PowerOn(msgspec.Struct, frozen=True):
    """Power-on self test, with the faults it finds."""

    faults: tuple[str, ...] = ()


class PowerOff(msgspec.Struct, frozen=True):
    """Switched off by hand."""


class Load(msgspec.Struct, frozen=True):
    """A syringe is put in, and its type confirmed."""

    syringe: str
    volume_nl: int
    primed: bool = True


class Unload(msgspec.Struct, frozen=True):
    """The syringe leaves its seat."""


class Order(msgspec.Struct, frozen=True):
    """A programme."""

    rate: int
    vtbi_nl: int = 0
    """0 is none."""
    kvo: int = 0
    """0 stops at the end."""
    limit_mmhg: float = 517.0
    near_empty_min: int = 5
    near_empty: Priority = Priority.LOW
    drug: str = ""
    loading_nl: int = 0
    loading_rate: int = 0


class Programme(msgspec.Struct, frozen=True):
    """An order is keyed in."""

    order: Order


class Confirm(msgspec.Struct, frozen=True):
    """The order is confirmed; ``by`` names who overrides a soft limit."""

    by: str = ""


class Start(msgspec.Struct, frozen=True):
    """Start, or resume where it was interrupted."""


class Stop(msgspec.Struct, frozen=True):
    """Stop by hand."""


class Rate(msgspec.Struct, frozen=True):
    """Another rate for a running infusion."""

    rate: int


class Bolus(msgspec.Struct, frozen=True):
    """A bolus within a running infusion."""

    volume_nl: int
    rate: int


class Prime(msgspec.Struct, frozen=True):
    """The line is filled, away from the patient."""

    volume_nl: int


class Key(msgspec.Struct, frozen=True):
    """Any other key."""


class Clear(msgspec.Struct, frozen=True):
    """Alarms are acknowledged."""


class Silence(msgspec.Struct, frozen=True):
    """The alarms' sound is paused; their light and text are not."""

    minutes: int


class NewPatient(msgspec.Struct, frozen=True):
    """Everything of the last patient is forgotten."""


class MotorFault(msgspec.Struct, frozen=True):
    """The motor stands still, or runs at another rate than told."""

    rate: bool = False


class Stalled(msgspec.Struct, frozen=True):
    """The watchdog found the head's loop standing still, and stopped the motor (T-24)."""


class Battery(msgspec.Struct, frozen=True):
    """Minutes left."""

    minutes: int


class Clamp(msgspec.Struct, frozen=True):
    """The line is occluded, or open again."""

    occluded: bool


class Vein(msgspec.Struct, frozen=True):
    """Pressure at the end of the line, the pump's height included."""

    mmhg: float


class Received(msgspec.Struct, frozen=True):
    """A frame the link let through."""

    frame: Frame


class Wait(msgspec.Struct, frozen=True):
    """Nothing but time."""


Event = (
    PowerOn | PowerOff | Load | Unload | Programme | Confirm | Start | Stop | Rate | Bolus | Prime
    | Key | Clear | Silence | NewPatient | MotorFault | Stalled | Battery | Clamp | Vein | Received
    | Wait
)  # fmt: skip


# Actions ---------------------------------------------------------------------------------------


class Motor(msgspec.Struct, frozen=True):
    """The motor runs at ``rate`` from now on."""

    rate: int


class Sound(msgspec.Struct, frozen=True):
    """An alarm begins or ends, at the instant of its cause."""

    at: int
    alarm: Alarm
    priority: Priority
    on: bool


class Audio(msgspec.Struct, frozen=True):
    """The sound of alarms is paused, or heard again."""

    at: int
    paused: bool


class Record(msgspec.Struct, frozen=True):
    """One line of the log; ``digest`` covers it and all before it."""

    number: int
    at: int
    text: str
    digest: bytes


Action = Motor | Sound | Audio | Record


# State -----------------------------------------------------------------------------------------


class Core(msgspec.Struct, frozen=True):
    """What delivers. Everything here is protected from the link (I2)."""

    phase: Phase = Phase.OFF
    since: int = 0
    """Instant for which ``plant`` and the volumes below stand."""
    plant: Plant | None = None
    syringe: str = ""
    rate: int = 0
    """Of the motor, nL/h."""
    order: Order | None = None
    confirmed: bool = False
    left: int = 0
    """Volume to be infused, in nL·ns/h."""
    bolus: int = 0
    bolus_rate: int = 0
    syringe_left: int = 0
    given: int = 0
    """What the motor has pushed towards the patient, in nL·ns/h."""
    primed: int = 0
    """nL primed since the bolus was interrupted."""
    back_ul: float = 0.0
    """What back-off took back."""
    before_ul: float = 0.0
    """What reached the vein from the syringes before this one."""
    said: frozenset[Alarm] = frozenset()
    """Announced once for this syringe."""
    alarms: tuple[tuple[Alarm, Priority], ...] = ()
    stops: tuple[tuple[Alarm, int], ...] = ()
    """The last alarms that stopped delivery, with their instants."""
    key_at: int = 0
    library: Library = Library(0)
    firmware: int = 1
    labels: tuple[str, ...] = ()
    """Declared faults of this profile that showed themselves."""
    due: int = NEVER
    cause: str = ""


class Comms(msgspec.Struct, frozen=True):
    """What the link said, and what it waits for. Nothing here is read while an infusion runs."""

    heard: int = -1
    """Last frame; -1 none yet."""
    lost: bool = False
    offered_at: int = -OFFER_NS
    clock_ns: int = 0
    """Offset of the displayed clock; dosing has no other clock than ``t``."""
    package: bytes = b""
    pending: Library | None = None
    firmware: int = 0
    """Waiting for the next power-up; 0 none."""
    refused: int = 0
    violations: int = 0
    """Times an unsigned offer was accepted: ``i2_violation``."""


class Rules(msgspec.Struct, frozen=True):
    """What a firmware profile does differently."""

    verifies: bool = True
    """Offers need the mark of the maker's key (hardened)."""
    forgets_bolus: bool = False
    """The recall of August 2020: priming is taken off an interrupted bolus."""
    key: bytes = b""
    """Made anew for each instance; stands for the maker's signature [A]: 16 octets fit a frame."""


class State(msgspec.Struct, frozen=True):
    """All of it."""

    rules: Rules = Rules()
    core: Core = Core()
    comms: Comms = Comms()
    paused_until: int = 0
    """Of the alarms' sound, which link and core may both end; 0 not paused."""
    digest: bytes = bytes(32)
    records: int = 0
    now: int = 0


def step(state: State, event: Event, t: int) -> tuple[State, tuple[Action, ...], int]:
    """The state after ``event`` at ``t``, what to do, and when to ask again at the latest.

    What fell due before ``t`` happens first, each at its own instant; time never goes back,
    and ends where 63 bits do.
    """
    t = min(max(t, state.now), NEVER - 1)
    out = _Out(state)
    while (due := deadline(out.state)) <= t:
        _fall_due(out, due)
    state = out.state
    allowed, act = _EVENTS[type(event)]
    if state.core.phase in allowed:
        if type(event) not in _TOUCHES_NOTHING:
            out.state = msgspec.structs.replace(state, core=_anchored(state.core, t))
        act(out, event, t)
    else:
        out.record(t, f"refused: {type(event).__name__} while {state.core.phase.value}")
    out.state = msgspec.structs.replace(out.state, now=t)
    return out.state, tuple(out.actions), deadline(out.state)


def deadline(state: State) -> int:
    """When something happens by itself."""
    comms = state.comms
    lost = comms.heard + LINK_LOST_NS if comms.heard >= 0 and not comms.lost else NEVER
    return min(state.core.due, lost, state.paused_until or NEVER)


def delivered_ul(state: State, t: int) -> float:
    """What has reached the vein by ``t``, net; ``t`` before the next deadline."""
    core = state.core
    return core.before_ul + (_plant_at(core, t).delivered if core.plant else 0.0)


def delivered_pl(state: State, t: int) -> int:
    """The same in whole pL."""
    return round(delivered_ul(state, t) * 1e6)


def given_nl(state: State, t: int) -> int:
    """What the motor has pushed by ``t``: the volume the pump displays."""
    core = state.core
    return (core.given + (core.rate * (t - core.since) if core.phase in DELIVERS else 0)) // HOUR


def shown(state: State) -> tuple[Alarm, Priority] | None:
    """The alarm of the highest priority, the first among equals; the others are kept."""
    found = [*state.core.alarms]
    if state.comms.lost:
        found.append((Alarm.LINK_LOST, PRIORITIES[Alarm.LINK_LOST]))
    return max(found, key=lambda one: one[1], default=None)


def chained(records: list[Record] | tuple[Record, ...]) -> bool:
    """Whether a log is whole: nothing altered, dropped within, or put in another order."""
    digest = bytes(32)
    for number, record in enumerate(records):
        digest = _digest(digest, number, record.at, record.text)
        if record.number != number or record.digest != digest:
            return False
    return True


def offer(rules: Rules, kind: Kind, version: int, package: bytes) -> bytes:
    """The body of a commit or firmware offer as the maker signs it."""
    content = hashlib.sha256(package).digest()
    return pack(">I", version) + content + _mark(rules.key, kind, version, content)


def _mark(key: bytes, kind: Kind, version: int, content: bytes) -> bytes:
    message = pack(">BI", kind, version) + content
    return hmac.digest(key, message, "sha256")[:16]


def _digest(before: bytes, number: int, at: int, text: str) -> bytes:
    return hashlib.sha256(before + pack(">QQ", number, at) + text.encode()).digest()


class _Out:
    """What a step collects."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.actions: list[Action] = []

    def core(self, **changes: object) -> Core:
        """Change the core; its next deadline is found again."""
        core = _settled(msgspec.structs.replace(self.state.core, **changes))
        self.state = msgspec.structs.replace(self.state, core=core)
        return core

    def comms(self, **changes: object) -> None:
        """Change what the link said; the core is left as the object it was."""
        comms = msgspec.structs.replace(self.state.comms, **changes)
        self.state = msgspec.structs.replace(self.state, comms=comms)

    def record(self, at: int, text: str) -> None:
        """One more line of the log."""
        s = self.state
        digest = _digest(s.digest, s.records, at, text)
        self.actions.append(Record(s.records, at, text, digest))
        self.state = msgspec.structs.replace(s, digest=digest, records=s.records + 1)

    def drive(self, t: int, phase: Phase, rate: int) -> None:
        """The motor's rate from ``t`` on, in that phase."""
        core = _anchored(self.state.core, t)
        plant = core.plant
        back = 0.0
        if plant is not None:
            m = mech.mechanics(core.syringe)
            if rate == 0:
                plant, back = mech.relieved(plant, m)
            plant = mech.driven(plant, m, rate / 1e6)
        self.state = msgspec.structs.replace(self.state, core=core)
        self.core(phase=phase, rate=rate, plant=plant, back_ul=core.back_ul + back)
        self.actions.append(Motor(rate))

    def alarm(self, t: int, alarm: Alarm, priority: Priority | None = None) -> None:
        """Announce; a HIGH one stops delivery, and is heard whatever was paused."""
        core = self.state.core
        priority = priority or PRIORITIES[alarm]
        delivered = core.phase in DELIVERS
        if alarm not in (one for one, _ in core.alarms):
            self.actions.append(Sound(t, alarm, priority, on=True))
            self.record(t, f"alarm: {alarm.value}")
            self.core(alarms=(*core.alarms, (alarm, priority)))
        if priority is Priority.HIGH and core.phase not in (Phase.OFF, Phase.FAILED):
            self.heard(t)
            self.drive(t, Phase.STOPPED, 0)
            if delivered:
                self._counted(t, alarm)

    def _counted(self, t: int, alarm: Alarm) -> None:
        """Three stops by the same alarm within ten minutes ask for a new confirmation (T-22)."""
        before = [one for one in self.state.core.stops if t - one[1] <= REPEAT_NS]
        stops = (*before, (alarm, t))
        if sum(one is alarm for one, _ in stops) >= REPEATS:
            self.core(stops=(), confirmed=False)
            self.alarm(t, Alarm.REPEATED)
        else:
            self.core(stops=stops[-8:])

    def heard(self, t: int) -> None:
        """A pause of the sound ends."""
        if self.state.paused_until:
            self.state = msgspec.structs.replace(self.state, paused_until=0)
            self.actions.append(Audio(t, paused=False))

    def quiet(self, t: int, *which: Alarm) -> None:
        """These alarms end."""
        core = self.state.core
        ended = [one for one in core.alarms if one[0] in which]
        if ended:
            self.actions += [Sound(t, alarm, priority, on=False) for alarm, priority in ended]
            self.core(alarms=tuple(one for one in core.alarms if one not in ended))


# Time ------------------------------------------------------------------------------------------


def _plant_at(core: Core, t: int) -> Plant:
    assert core.plant is not None
    return mech.after(core.plant, mech.mechanics(core.syringe), (t - core.since) / NS)


def _anchored(core: Core, t: int) -> Core:
    """The same core, standing for ``t``."""
    passed = t - core.since
    if passed <= 0:
        return core
    moved = core.rate * passed
    changes: dict[str, object] = {"since": t, "syringe_left": core.syringe_left - moved}
    if core.plant is not None:
        changes["plant"] = _plant_at(core, t)
    if core.phase in DELIVERS:
        changes["given"] = core.given + moved
    if core.phase is Phase.RUNNING:
        changes["left"] = core.left - moved
    if core.phase is Phase.BOLUS:
        changes["bolus"] = core.bolus - moved
    return msgspec.structs.replace(core, **changes)


def _settled(core: Core) -> Core:
    """The same core with its next deadline and the cause of it; the first of equals counts."""
    times: list[tuple[int, str]] = []
    rate, order = core.rate, core.order
    if core.plant is not None:
        m = mech.mechanics(core.syringe)
        if core.phase not in (Phase.OFF, Phase.FAILED, Phase.STOPPED) and order is not None:
            times.append((_later(core, mech.reaches(core.plant, m, order.limit_mmhg)), "limit"))
        times.append((_later(core, mech.until(core.plant, m)), "turn"))
        if rate > 0:
            times.append((_falls(core, core.syringe_left, 0), "empty"))
            if order is not None and Alarm.NEAR_EMPTY not in core.said:
                near = rate * order.near_empty_min * 60 * NS
                times.append((_falls(core, core.syringe_left, near), "near"))
            if Alarm.VOLUME_NEAR_EMPTY not in core.said:
                near = m.capacity_nl // NEAR_VOLUME * HOUR
                times.append((_falls(core, core.syringe_left, near), "volume"))
    if core.phase is Phase.BOLUS:
        times.append((_falls(core, core.bolus, 0), "bolus"))
    if core.phase is Phase.RUNNING and order is not None and order.vtbi_nl:
        times.append((_falls(core, core.left, 0), "vtbi"))
    if core.phase in (Phase.IDLE, Phase.READY) and all(
        one is not Alarm.CALLBACK for one, _ in core.alarms
    ):
        times.append((core.key_at + CALLBACK_NS, "callback"))
    due, cause = min(times, key=lambda one: one[0], default=(NEVER, ""))
    return msgspec.structs.replace(core, due=due, cause=cause)


def _later(core: Core, seconds: float) -> int:
    return core.since + math.ceil(seconds * NS) if seconds < 1e9 else NEVER


def _falls(core: Core, amount: int, to: int) -> int:
    """When ``amount`` has fallen to ``to`` at the present rate; at once if it is there."""
    return core.since + max(-(-(amount - to) // core.rate), 0) if core.rate > 0 else NEVER


def _fall_due(out: _Out, t: int) -> None:
    """The one thing that is due at ``t``: the core's first, then the sound's, then the link's."""
    if out.state.core.due > t:
        if out.state.paused_until == t:
            out.heard(t)
            return
        out.comms(lost=True)
        out.heard(t)
        out.actions.append(Sound(t, Alarm.LINK_LOST, PRIORITIES[Alarm.LINK_LOST], on=True))
        out.record(t, "alarm: communications lost")
        return
    cause = out.state.core.cause
    out.state = msgspec.structs.replace(out.state, core=_anchored(out.state.core, t))
    core = out.state.core
    order = core.order
    if cause == "turn":
        assert core.plant is not None
        out.core(plant=mech.switched(core.plant, mech.mechanics(core.syringe)))
    elif cause == "limit":
        out.alarm(t, Alarm.OCCLUSION)
        _back_off(out, t)
    elif cause == "empty":
        out.alarm(t, Alarm.EMPTY)
    elif cause == "near":
        assert order is not None
        out.core(said=core.said | {Alarm.NEAR_EMPTY})
        out.alarm(t, Alarm.NEAR_EMPTY, order.near_empty)
    elif cause == "volume":
        out.core(said=core.said | {Alarm.VOLUME_NEAR_EMPTY})
        out.alarm(t, Alarm.VOLUME_NEAR_EMPTY)
    elif cause == "bolus":
        assert order is not None
        out.core(bolus=0)
        out.record(t, "bolus complete")
        out.drive(t, Phase.RUNNING, order.rate)
    elif cause == "vtbi":
        assert order is not None
        out.alarm(t, Alarm.COMPLETE)
        kvo = min(order.kvo, order.rate)
        out.drive(t, Phase.KVO if kvo else Phase.PAUSED, kvo)
    else:
        out.alarm(t, Alarm.CALLBACK)


def _back_off(out: _Out, t: int) -> None:
    """Withdraw the plunger so that little is stored when the line opens (T-8)."""
    core = out.state.core
    assert core.plant is not None
    assert core.order is not None
    m = mech.mechanics(core.syringe)
    large = m.capacity_nl >= 50_000_000 and core.order.limit_mmhg > HIGH_MMHG
    keep = RESIDUE_HIGH_UL if large else RESIDUE_UL
    # A small syringe stores less than that: half of it goes, so that the limit is left behind.
    keep = min(keep, max(mech.stored(core.plant, m) / 2, 0.0))
    plant, back = mech.withdrawn(core.plant, m, keep)
    out.core(plant=plant, back_ul=core.back_ul + back)
    if mech.stored(plant, m) > FLAGGED_UL:
        out.record(t, "post-occlusion bolus above 0.3 mL is possible")


# What each event does --------------------------------------------------------------------------


def _power_on(out: _Out, event: PowerOn, t: int) -> None:
    old, comms = out.state.core, out.state.comms
    firmware = comms.firmware or old.firmware
    library = comms.pending or old.library
    out.comms(pending=None, firmware=0, package=b"")
    core = _settled(Core(phase=Phase.IDLE, since=t, key_at=t, firmware=firmware, library=library))
    out.state = msgspec.structs.replace(out.state, core=core)
    out.record(t, f"power on, library {library.version}, firmware {firmware}")
    if event.faults:
        out.alarm(t, Alarm.FAILURE)
        out.drive(t, Phase.FAILED, 0)


def _power_off(out: _Out, event: PowerOff, t: int) -> None:
    _ = event
    out.record(t, "power off")
    out.quiet(t, *Alarm)
    out.heard(t)
    core = out.state.core
    out.state = msgspec.structs.replace(
        out.state, core=Core(since=t, library=core.library, firmware=core.firmware)
    )
    out.actions.append(Motor(0))


def _load(out: _Out, event: Load, t: int) -> None:
    if event.syringe not in mech.syringes():
        out.record(t, "refused: unknown syringe")
        return
    m = mech.mechanics(event.syringe)
    if not 0 < event.volume_nl <= m.capacity_nl:
        out.record(t, "refused: volume does not fit the syringe")
        return
    before = delivered_ul(out.state, t)
    plant = mech.loaded(m, missing=m.slack if event.primed else 10 * m.slack)
    out.core(
        phase=Phase.IDLE, since=t, plant=plant, before_ul=before, syringe=event.syringe, rate=0, key_at=t,
        syringe_left=event.volume_nl * HOUR, order=None, confirmed=False, said=frozenset(),
    )  # fmt: skip
    out.quiet(t, Alarm.EMPTY, Alarm.DISLODGED, Alarm.NEAR_EMPTY, Alarm.VOLUME_NEAR_EMPTY)
    out.record(t, f"syringe {event.syringe}, {event.volume_nl} nL")


def _unload(out: _Out, event: Unload, t: int) -> None:
    _ = event
    core = out.state.core
    if core.phase in DELIVERS:
        out.alarm(t, Alarm.DISLODGED)
    out.drive(t, Phase.STOPPED if core.phase in DELIVERS else Phase.IDLE, 0)
    out.core(
        syringe="", plant=None, syringe_left=0, confirmed=False, key_at=t,
        before_ul=delivered_ul(out.state, t),
    )  # fmt: skip
    out.record(t, "syringe out")


def _refusal(core: Core, rate: int) -> str:
    """Why a rate is refused; "" if it is not (T-12)."""
    if not core.syringe:
        return "no syringe"
    fastest = mech.mechanics(core.syringe).fastest_nl_h
    return "" if 0 < rate <= fastest else f"rate {rate} nL/h is not in 1 to {fastest}"


def _programme(out: _Out, event: Programme, t: int) -> None:
    order, core = event.order, out.state.core
    low, high = LIMIT_MMHG
    why = _refusal(core, order.rate)
    if not why and not low <= order.limit_mmhg <= high:
        why = "occlusion limit is not in 2 to 20 psi"
    elif not why and not 1 <= order.near_empty_min <= 240:
        why = "near empty is not in 1 to 240 min"
    elif not why and order.near_empty is Priority.HIGH:
        why = "near empty is low or medium"
    elif not why and min(order.vtbi_nl, order.kvo, order.loading_nl) < 0:
        why = "a volume or rate is below zero"
    elif not why and order.loading_nl:
        why = _refusal(core, order.loading_rate)
    if not why and order.drug and core.library.judge(order.drug, order.rate) in ("hard", "unknown"):
        why = f"hard limit of {order.drug}"
    out.quiet(t, Alarm.CALLBACK)
    if why:
        out.core(key_at=t)
        out.record(t, f"refused: {why}")
        return
    out.core(order=order, confirmed=False, phase=Phase.IDLE, key_at=t)
    out.record(t, f"programme {order.rate} nL/h")


def _confirm(out: _Out, event: Confirm, t: int) -> None:
    core = out.state.core
    out.quiet(t, Alarm.CALLBACK)
    order = core.order
    if order is None or _refusal(core, order.rate):
        out.core(key_at=t)
        out.record(t, "refused: nothing to confirm")
        return
    if order.drug and core.library.judge(order.drug, order.rate) == "soft":
        if not event.by:
            out.core(key_at=t)
            out.record(t, f"refused: soft limit of {order.drug}")
            return
        out.record(t, f"override by {event.by}: {order.drug} at {order.rate} nL/h")
    out.core(
        phase=Phase.READY, confirmed=True, key_at=t, left=order.vtbi_nl * HOUR,
        bolus=order.loading_nl * HOUR, bolus_rate=order.loading_rate, primed=0,
    )  # fmt: skip
    out.record(t, "confirmed")
    if order.rate < mech.mechanics(core.syringe).lowest_nl_h:
        out.alarm(t, Alarm.RATE_LOW)


def _start(out: _Out, event: Start, t: int) -> None:
    _ = event
    core = out.state.core
    order = core.order
    stops = any(priority is Priority.HIGH for _, priority in core.alarms)
    if order is None or not core.confirmed or core.plant is None or stops:
        out.record(t, "refused: not ready to start")
        return
    if core.syringe_left <= 0 or (order.vtbi_nl and core.left <= 0 and not core.bolus):
        out.record(t, "refused: nothing left to give")
        return
    out.quiet(t, Alarm.CALLBACK)
    if core.bolus > 0:
        if core.primed and out.state.rules.forgets_bolus:
            bolus = max(core.bolus - core.primed * HOUR, 0)
            out.core(bolus=bolus, labels=(*core.labels, "bolus_after_prime")[:8])
        out.core(primed=0)
        out.record(t, "start, bolus")
        out.drive(t, Phase.BOLUS, core.bolus_rate)
    else:
        out.record(t, "start")
        out.drive(t, Phase.RUNNING, order.rate)


def _stop(out: _Out, event: Stop, t: int) -> None:
    _ = event
    out.record(t, "stop")
    out.drive(t, Phase.PAUSED, 0)


def _rate(out: _Out, event: Rate, t: int) -> None:
    core = out.state.core
    order = core.order
    assert order is not None
    why = _refusal(core, event.rate)
    if not why and order.drug and core.library.judge(order.drug, event.rate) != "within":
        why = f"limit of {order.drug}: programme it anew"
    if why:
        out.record(t, f"refused: {why}")
        return
    out.record(t, f"rate {event.rate} nL/h")
    out.core(order=msgspec.structs.replace(order, rate=event.rate))
    out.drive(t, Phase.RUNNING, event.rate)
    if event.rate < mech.mechanics(core.syringe).lowest_nl_h:
        out.alarm(t, Alarm.RATE_LOW)


def _bolus(out: _Out, event: Bolus, t: int) -> None:
    core = out.state.core
    why = _refusal(core, event.rate) or ("" if event.volume_nl > 0 else "no volume")
    if why:
        out.record(t, f"refused: {why}")
        return
    out.record(t, f"bolus {event.volume_nl} nL")
    out.core(bolus=event.volume_nl * HOUR, bolus_rate=event.rate, primed=0)
    out.drive(t, Phase.BOLUS, event.rate)


def _prime(out: _Out, event: Prime, t: int) -> None:
    """[A] Filling the line takes no time; it takes up the drive's slack and gives the vein nothing."""
    core = out.state.core
    if core.plant is None or not 0 < event.volume_nl * HOUR <= core.syringe_left:
        out.record(t, "refused: cannot prime so much")
        return
    m = mech.mechanics(core.syringe)
    fresh = mech.loaded(m, missing=m.slack, vein=core.plant.vein)
    plant = msgspec.structs.replace(
        fresh, delivered=core.plant.delivered, occluded=core.plant.occluded
    )
    out.core(
        plant=plant, syringe_left=core.syringe_left - event.volume_nl * HOUR,
        primed=core.primed + event.volume_nl, key_at=t,
    )  # fmt: skip
    out.record(t, f"prime {event.volume_nl} nL")


def _key(out: _Out, event: Key, t: int) -> None:
    _ = event
    out.quiet(t, Alarm.CALLBACK)
    out.core(key_at=t)


def _clear(out: _Out, event: Clear, t: int) -> None:
    _ = event
    core = out.state.core
    out.quiet(t, *(alarm for alarm in Alarm if alarm is not Alarm.BATTERY_DEPLETED))
    out.core(key_at=t)
    out.record(t, "alarms cleared")
    if core.phase is Phase.STOPPED:
        out.drive(t, Phase.PAUSED if core.confirmed else Phase.IDLE, 0)


def _silence(out: _Out, event: Silence, t: int) -> None:
    if not 1 <= event.minutes <= PAUSE_MIN:
        out.record(t, f"refused: a pause is 1 to {PAUSE_MIN} min")
        return
    until = t + event.minutes * 60 * NS
    out.state = msgspec.structs.replace(out.state, paused_until=until)
    out.actions.append(Audio(t, paused=True))
    out.record(t, f"sound paused for {event.minutes} min")


def _new_patient(out: _Out, event: NewPatient, t: int) -> None:
    _ = event
    library = out.state.comms.pending or out.state.core.library
    out.comms(pending=None)
    out.core(
        phase=Phase.IDLE, order=None, confirmed=False, left=0, bolus=0, given=0, key_at=t,
        library=library,
    )  # fmt: skip
    out.record(t, f"new patient, library {library.version}")


def _motor_fault(out: _Out, event: MotorFault, t: int) -> None:
    out.alarm(t, Alarm.MOTOR_RATE if event.rate else Alarm.MOTOR_NOT_RUNNING)


def _stalled(out: _Out, event: Stalled, t: int) -> None:
    _ = event
    out.alarm(t, Alarm.FAILURE)


def _battery(out: _Out, event: Battery, t: int) -> None:
    if event.minutes <= 0:
        out.alarm(t, Alarm.BATTERY_DEPLETED)
    elif event.minutes <= 30:
        out.alarm(t, Alarm.BATTERY_LOW)
    else:
        out.quiet(t, Alarm.BATTERY_LOW, Alarm.BATTERY_DEPLETED)


def _clamp(out: _Out, event: Clamp, t: int) -> None:
    _ = t
    _world(out, occluded=event.occluded)


def _vein(out: _Out, event: Vein, t: int) -> None:
    low, high = VEIN_MMHG
    mmhg = event.mmhg if math.isfinite(event.mmhg) else 0.0
    _ = t
    _world(out, vein=min(max(mmhg, low), high))


def _world(out: _Out, **changes: object) -> None:
    """The world changes the line; a syringe that is not there feels nothing."""
    core = out.state.core
    if core.plant is not None:
        out.core(plant=msgspec.structs.replace(core.plant, **changes))


def _received(out: _Out, event: Received, t: int) -> None:
    """A frame of the link: it is given no core to change, only what is told of communications."""
    frame = event.frame
    if out.state.comms.lost:
        out.actions.append(Sound(t, Alarm.LINK_LOST, PRIORITIES[Alarm.LINK_LOST], on=False))
        out.record(t, "communications back")
    out.comms(heard=t, lost=False)
    if frame.kind is Kind.ACK:
        return
    try:
        _OFFERS[frame.kind](out, frame.body, t)
    except (LayoutError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        out.comms(refused=out.state.comms.refused + 1)


def _time_offer(out: _Out, body: bytes, t: int) -> None:
    (offered,) = unpack(">Q", body)
    if t - out.state.comms.offered_at < OFFER_NS:
        return
    out.comms(offered_at=t, clock_ns=offered - t)
    out.record(t, "displayed clock set")


def _library_chunk(out: _Out, body: bytes, t: int) -> None:
    _ = t
    (index,) = unpack(">H", body[:2])
    comms = out.state.comms
    if index == 0:
        out.comms(package=body[2:])
    elif index * 50 == len(comms.package) and len(comms.package) + len(body) <= LIBRARY_MAX:
        out.comms(package=comms.package + body[2:])
    else:
        out.comms(refused=comms.refused + 1)


def _library_commit(out: _Out, body: bytes, t: int) -> None:
    comms = out.state.comms
    version, content, mark = unpack(">I32s16s", body)
    if hashlib.sha256(comms.package).digest() != content:
        raise LayoutError
    signed = _signed(out.state.rules, Kind.LIBRARY_COMMIT, version, content, mark)
    library = msgspec.json.decode(comms.package, type=Library)
    if out.state.rules.verifies and not signed:
        raise LayoutError
    if library.version != version or not library.sound:
        raise LayoutError
    out.comms(pending=library, package=b"", violations=comms.violations + (not signed))
    if comms.pending is None:  # offers without end fill no log
        out.record(t, f"library {version} waits{'' if signed else ' (i2_violation)'}")


def _firmware_offer(out: _Out, body: bytes, t: int) -> None:
    comms = out.state.comms
    version, content, mark = unpack(">I32s16s", body)
    signed = _signed(out.state.rules, Kind.FIRMWARE_OFFER, version, content, mark)
    if out.state.rules.verifies and not signed:
        raise LayoutError
    out.comms(firmware=version, violations=comms.violations + (not signed))
    if not comms.firmware:
        out.record(t, f"firmware waits{'' if signed else ' (i2_violation)'}")


def _signed(rules: Rules, kind: Kind, version: int, content: bytes, mark: bytes) -> bool:
    return bool(rules.key) and hmac.compare_digest(mark, _mark(rules.key, kind, version, content))


_OFFERS: dict[Kind, Callable[[_Out, bytes, int], None]] = {
    Kind.TIME_OFFER: _time_offer,
    Kind.LIBRARY_CHUNK: _library_chunk,
    Kind.LIBRARY_COMMIT: _library_commit,
    Kind.FIRMWARE_OFFER: _firmware_offer,
}


def _wait(out: _Out, event: Wait, t: int) -> None:
    """Only what was due."""


ALWAYS = frozenset(Phase)
_ON = ALWAYS - {Phase.OFF}
_WELL = _ON - {Phase.FAILED}
_STILL = frozenset({Phase.IDLE, Phase.READY, Phase.PAUSED, Phase.STOPPED})

_EVENTS: dict[type, tuple[frozenset[Phase], Callable[..., None]]] = {
    PowerOn: (frozenset({Phase.OFF}), _power_on),
    PowerOff: (_ON, _power_off),
    Load: (_STILL, _load),
    Unload: (_WELL, _unload),
    Programme: (frozenset({Phase.IDLE, Phase.READY, Phase.PAUSED}), _programme),
    Confirm: (frozenset({Phase.IDLE}), _confirm),
    Start: (frozenset({Phase.READY, Phase.PAUSED}), _start),
    Stop: (DELIVERS, _stop),
    Rate: (frozenset({Phase.RUNNING}), _rate),
    Bolus: (frozenset({Phase.RUNNING}), _bolus),
    Prime: (_STILL, _prime),
    Key: (_WELL, _key),
    Clear: (_WELL, _clear),
    Silence: (_WELL, _silence),
    NewPatient: (_STILL, _new_patient),
    MotorFault: (DELIVERS, _motor_fault),
    Stalled: (DELIVERS, _stalled),
    Battery: (_WELL, _battery),
    Clamp: (ALWAYS, _clamp),
    Vein: (ALWAYS, _vein),
    Received: (_ON, _received),
    Wait: (ALWAYS, _wait),
}
"""In which phases an event acts, and how; in the others it is refused and logged (T-29)."""


_TOUCHES_NOTHING = (Received, Wait)
"""Before any other event acts, the core is made to stand for its instant."""


def table() -> dict[type, frozenset[Phase]]:
    """Every event, with the phases in which it acts."""
    return {event: phases for event, (phases, _) in _EVENTS.items()}
