"""Plant: a syringe, its drive and its line, in closed form; what the therapy module moves.

The drive is a spring (force ``F``) behind a gap, the plunger slides against Coulomb and viscous
friction, and the line is a compliance that leaks through a resistance to the vein (pressure ``P``):

    dF/dt = k (v - v_p)      v_p = max(0, (F - Fc - a P) / b)      C dP/dt = A v_p - (P - P_v) / R

Within a mode (gap, stuck or sliding; open or occluded) this is linear, so a state at any later
instant is one formula, and the instant at which the mode ends is a root located on it. No step of
time is fixed anywhere. Volumes are µL, pressures mmHg, forces N, lengths mm, times s.
"""

from __future__ import annotations

import math
import tomllib
from enum import Enum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

MMHG = 1.333224e-4
"""N/mm² in one mmHg."""
FASTEST_MM_S = 0.565
"""Speed of the drive: 1,130 mL/h in 26.6 mm (domain/pump.md §1.2)."""
WATER_CM = 0.7356
"""mmHg of one centimetre of water at 4 °C."""
PSI = 51.715
"""mmHg."""
NEVER = math.inf


class Value(msgspec.Struct, frozen=True, rename={"value": "is"}):
    """One number of a profile, with where it is from."""

    value: float
    mark: str
    """P published, D derived from it; K and A are declared, not verified."""


class Syringe(msgspec.Struct, frozen=True, kw_only=True):
    """One type of syringe, as its profile file states it."""

    maker: str
    size_ml: Value
    diameter_mm: Value
    stiffness_n_mm: Value
    compliance_ul_mmhg: Value
    coulomb_n: Value
    viscous_n: Value
    slack_ul: Value
    resistance_mmhg_s_ul: Value
    lowest_ml_h: Value


class Mechanics(msgspec.Struct, frozen=True):
    """The numbers of a syringe as the formulas use them."""

    area: float
    """mm²."""
    k: float
    """N/mm."""
    c: float
    """µL/mmHg, of line and syringe without the drive."""
    fc: float
    fv: float
    """N at 1 mL/h."""
    r: float
    """mmHg·s/µL."""
    slack: float
    """µL the drive still has to travel when primed."""
    capacity_nl: int
    lowest_nl_h: int
    """Below it a notice, no stop."""

    @property
    def a(self) -> float:
        """N on the plunger for each mmHg."""
        return self.area * MMHG

    @property
    def compliance(self) -> float:
        """µL/mmHg of the whole, the drive's spring included: C + A²/k."""
        return self.c + self.area * self.a / self.k

    @property
    def fastest_nl_h(self) -> int:
        """Rate at the drive's greatest speed."""
        return int(FASTEST_MM_S * self.area * 3600 * 1000)

    def damping(self, rate_ml_h: float) -> float:
        """N·s/mm: viscous friction grows with rate to the power 0.2, linear about this rate."""
        return self.fv * math.pow(rate_ml_h, 0.2) / self.speed(rate_ml_h)

    def speed(self, rate_ml_h: float) -> float:
        """mm/s."""
        return rate_ml_h / 3.6 / self.area


@cache
def syringes() -> dict[str, Syringe]:
    """Every syringe shipped, by name."""
    found = {}
    for path in sorted((Path(__file__).parent / "syringes").glob("*.toml")):
        table = tomllib.loads(path.read_text("utf-8"))
        found.update(msgspec.convert(table["syringe"], dict[str, Syringe]))
    return found


@cache
def mechanics(name: str) -> Mechanics:
    """The mechanics of a syringe by its name."""
    one = syringes()[name]
    return Mechanics(
        area=math.pi * one.diameter_mm.value**2 / 4,
        k=one.stiffness_n_mm.value,
        c=one.compliance_ul_mmhg.value,
        fc=one.coulomb_n.value,
        fv=one.viscous_n.value,
        r=one.resistance_mmhg_s_ul.value,
        slack=one.slack_ul.value,
        capacity_nl=round(one.size_ml.value * 1e6),
        lowest_nl_h=round(one.lowest_ml_h.value * 1e6),
    )


class Mode(Enum):
    """Where the drive stands to the plunger."""

    GAP = "gap"
    STUCK = "stuck"
    SLIDING = "sliding"


class Plant(msgspec.Struct, frozen=True):
    """The mechanics at one instant, and what drives them until the next change."""

    mode: Mode
    gap: float
    """µL of backlash left; 0 unless the mode is gap."""
    force: float
    pressure: float
    plunger: float = 0.0
    """µL the plunger has moved, forwards less backwards."""
    delivered: float = 0.0
    """µL that left the line into the vein, net of what flowed back."""
    vein: float = 0.0
    """mmHg at the height of the pump."""
    occluded: bool = False
    speed: float = 0.0
    """mm/s of the motor, never backwards."""
    damping: float = 1.0
    """N·s/mm."""


def loaded(m: Mechanics, *, missing: float, vein: float = 0.0) -> Plant:
    """A syringe at rest whose drive has ``missing`` µL to travel before the plunger moves."""
    threshold = m.fc + m.a * vein
    force = max(threshold - missing * m.k / m.area, 0.0)
    gap = max(missing - (threshold - force) * m.area / m.k, 0.0)
    return Plant(Mode.GAP if gap else Mode.STUCK, gap, force, vein, vein=vein)


def driven(plant: Plant, m: Mechanics, rate_ml_h: float) -> Plant:
    """The same mechanics under another rate; a motor at rest keeps its damping."""
    if rate_ml_h <= 0:
        return msgspec.structs.replace(plant, speed=0.0)
    return msgspec.structs.replace(plant, speed=m.speed(rate_ml_h), damping=m.damping(rate_ml_h))


def flow(plant: Plant, m: Mechanics) -> float:
    """µL/s into the vein."""
    return 0.0 if plant.occluded else (plant.pressure - plant.vein) / m.r


def stored(plant: Plant, m: Mechanics) -> float:
    """µL that would flow if the line opened now and the motor stood still."""
    slack = max(plant.force - m.fc - m.a * plant.vein, 0.0) * m.area / m.k
    return m.c * (plant.pressure - plant.vein) + slack


def withdrawn(plant: Plant, m: Mechanics, keep: float) -> tuple[Plant, float]:
    """Back-off: the drive goes back until ``keep`` µL are stored, and by how many µL it went.

    [A] quasi-static: the clamp pulls the plunger, and no time passes.
    """
    to = min(plant.vein + keep / m.c, plant.pressure)
    force = max(min(plant.force, m.fc + m.a * plant.vein), 0.0)
    back = m.c * (plant.pressure - to)
    drive = back + (plant.force - force) * m.area / m.k
    after = msgspec.structs.replace(
        plant, mode=Mode.STUCK, gap=0.0, force=force, pressure=to, plunger=plant.plunger - back,
        speed=0.0,
    )  # fmt: skip
    return after, drive


def relieved(plant: Plant, m: Mechanics) -> tuple[Plant, float]:
    """A motor that stops gives way until the plunger is pushed no more, and by how many µL [A]."""
    if plant.mode is not Mode.SLIDING:
        return plant, 0.0
    threshold = m.fc + m.a * plant.pressure
    back = max(plant.force - threshold, 0.0) * m.area / m.k
    return msgspec.structs.replace(plant, mode=Mode.STUCK, force=threshold), back


def after(plant: Plant, m: Mechanics, dt: float) -> Plant:
    """The state ``dt`` seconds later in the same mode."""
    if dt <= 0:
        return plant
    if plant.mode is Mode.SLIDING:
        return _slid_occluded(plant, m, dt) if plant.occluded else _slid(plant, m, dt)
    pressure, out = plant.pressure, 0.0
    if not plant.occluded:
        out = m.c * (pressure - plant.vein) * -math.expm1(-dt / (m.r * m.c))
        pressure -= out / m.c
    gap, force = plant.gap, plant.force
    if plant.mode is Mode.GAP:
        gap -= m.area * plant.speed * dt
    else:
        force += m.k * plant.speed * dt
    return Plant(
        plant.mode, gap, force, pressure, plant.plunger, plant.delivered + out,
        plant.vein, plant.occluded, plant.speed, plant.damping,
    )  # fmt: skip


def until(plant: Plant, m: Mechanics) -> float:
    """Seconds until the mode ends; infinite where it never does."""
    if plant.mode is Mode.GAP:
        return plant.gap / (m.area * plant.speed) if plant.speed > 0 else NEVER
    if plant.mode is Mode.STUCK:
        return _breakaway(plant, m)
    return NEVER if plant.occluded else _halt(plant, m)


def switched(plant: Plant, m: Mechanics) -> Plant:
    """The state just after its mode has ended."""
    if plant.mode is Mode.GAP:
        return msgspec.structs.replace(plant, mode=Mode.STUCK, gap=0.0)
    threshold = m.fc + m.a * plant.pressure
    if plant.mode is Mode.SLIDING:
        return msgspec.structs.replace(plant, mode=Mode.STUCK, force=threshold)
    return msgspec.structs.replace(plant, mode=Mode.SLIDING, force=max(plant.force, threshold))


def reaches(plant: Plant, m: Mechanics, pressure: float) -> float:
    """Seconds until the pressure is at ``pressure`` or above, if the mode lasted for ever."""

    def excess(t: float) -> float:
        return after(plant, m, t).pressure - pressure

    if plant.pressure >= pressure:
        return 0.0
    if plant.mode is not Mode.SLIDING:
        if plant.occluded or plant.vein <= pressure:
            return NEVER
        span = plant.vein - plant.pressure
        return -m.r * m.c * math.log((plant.vein - pressure) / span)
    if plant.occluded:
        if plant.speed <= 0 and _rest_occluded(plant, m) < pressure:
            return NEVER
        return _doubled(excess)
    slid = _Slide(plant, m)
    turn = slid.turn(slid.p_fast, slid.p_slow)
    if turn < NEVER and excess(turn) >= 0:
        return _root(excess, 0.0, turn)
    return _doubled(excess, turn if turn < NEVER else 0.0) if slid.pressure > pressure else NEVER


def run(plant: Plant, m: Mechanics, seconds: float) -> Plant:
    """The state so much later, through every change of mode on the way."""
    for _ in range(SWITCHES):
        dt = until(plant, m)
        if dt > seconds:
            break
        plant, seconds = switched(after(plant, m, dt), m), seconds - dt
    return after(plant, m, seconds)


SWITCHES = 64
"""More changes of mode under one constant rate than the equations have (at most four)."""


STILL = 1e-6
"""N/s: slower changes do not halt a plunger at once, so that rounding cannot make it shiver."""


class _Slide:
    """Sliding with an open line: steady state, and two decaying parts."""

    def __init__(self, plant: Plant, m: Mechanics) -> None:
        a, b = m.a, plant.damping
        m11, m12 = -m.k / b, m.k * a / b
        m21 = m.area / (b * m.c)
        m22 = -m.area * a / (b * m.c) - 1 / (m.r * m.c)
        half = (m11 - m22) / 2
        root = math.sqrt(half * half + m12 * m21)
        self.fast = (m11 + m22) / 2 - root
        # The product of both is the determinant: the slow one without cancellation.
        self.slow = m.k / (b * m.r * m.c) / self.fast
        self.pressure = plant.vein + m.r * m.area * plant.speed
        self.force = m.fc + a * self.pressure + b * plant.speed
        x, y = plant.force - self.force, plant.pressure - self.pressure
        # Eigenvectors (m12, fast - m11) and (slow - m22, m21).
        f1, p1, f2, p2 = m12, self.fast - m11, self.slow - m22, m21
        det = f1 * p2 - f2 * p1
        one, two = (x * p2 - f2 * y) / det, (f1 * y - x * p1) / det
        self.f_fast, self.p_fast, self.f_slow, self.p_slow = one * f1, one * p1, two * f2, two * p2
        self.u = b * plant.speed
        self.u_fast = self.f_fast - a * self.p_fast
        self.u_slow = self.f_slow - a * self.p_slow

    def drive(self, t: float) -> float:
        """N that move the plunger: F - Fc - a P."""
        return (
            self.u + self.u_fast * math.exp(self.fast * t) + self.u_slow * math.exp(self.slow * t)
        )

    def turn(self, fast: float, slow: float) -> float:
        """When ``fast e^(fast t) + slow e^(slow t)`` turns round; infinite if it never does."""
        up, down = -slow * self.slow, fast * self.fast
        if down == 0 or up / down <= 0:
            return NEVER
        t = math.log(up / down) / (self.fast - self.slow)
        return t if t > 0 else NEVER


def _slid(plant: Plant, m: Mechanics, t: float) -> Plant:
    s = _Slide(plant, m)
    fast, slow = math.exp(s.fast * t), math.exp(s.slow * t)
    force = s.force + s.f_fast * fast + s.f_slow * slow
    pressure = s.pressure + s.p_fast * fast + s.p_slow * slow
    # Integral of (P - P_v) / R; the plunger's travel is that of the motor less the spring's.
    grown = s.p_fast * math.expm1(s.fast * t) / s.fast + s.p_slow * math.expm1(s.slow * t) / s.slow
    out = m.area * plant.speed * t + grown / m.r
    moved = m.area * (plant.speed * t - (force - plant.force) / m.k)
    return Plant(
        plant.mode, 0.0, force, pressure, plant.plunger + moved, plant.delivered + out,
        plant.vein, plant.occluded, plant.speed, plant.damping,
    )  # fmt: skip


def _slid_occluded(plant: Plant, m: Mechanics, t: float) -> Plant:
    stiff = m.k + m.area * m.a / m.c
    steady = m.k * plant.speed / stiff
    first = max(plant.force - m.fc - m.a * plant.pressure, 0.0) / plant.damping
    rate = stiff / plant.damping
    travel = steady * t - (first - steady) * math.expm1(-rate * t) / rate
    force = plant.force + m.k * (plant.speed * t - travel)
    moved = m.area * travel
    return Plant(
        plant.mode, 0.0, force, plant.pressure + moved / m.c, plant.plunger + moved,
        plant.delivered, plant.vein, plant.occluded, plant.speed, plant.damping,
    )  # fmt: skip


def _rest_occluded(plant: Plant, m: Mechanics) -> float:
    """Pressure at which a spring left alone comes to rest."""
    stiff = m.k + m.area * m.a / m.c
    return plant.pressure + m.area / m.c * (plant.force - m.fc - m.a * plant.pressure) / stiff


def _breakaway(plant: Plant, m: Mechanics) -> float:
    """When a plunger at rest starts to slide: F reaches Fc + a P."""
    # In one bracket: a plunger that has just halted lacks exactly nothing.
    lack = plant.force - (m.fc + m.a * plant.pressure)
    climb = m.k * plant.speed
    if lack > 0:  # a vein below the pump sucks
        return 0.0
    if plant.occluded:
        return -lack / climb if climb > 0 else NEVER
    tau, fall = m.r * m.c, m.a * (plant.pressure - plant.vein)

    def drive(t: float) -> float:
        return lack + climb * t - fall * math.expm1(-t / tau)

    slope = climb + fall / tau
    if lack == 0 and slope > 0:
        return 0.0
    if climb == 0:
        if fall <= 0 or lack + fall <= 0:
            return NEVER
        return -tau * math.log1p(lack / fall)
    low = tau * math.log(-fall / (tau * climb)) if slope < 0 else 0.0
    return _root(drive, low, (max(-fall, 0.0) - lack) / climb + low)


def _halt(plant: Plant, m: Mechanics) -> float:
    """When a sliding plunger comes to rest with the line open; a motor alone never halts it."""
    s = _Slide(plant, m)
    at_first = s.u_fast * s.fast + s.u_slow * s.slow
    if plant.force <= m.fc + m.a * plant.pressure and at_first < -STILL:
        return 0.0
    turn = s.turn(s.u_fast, s.u_slow)
    if turn == NEVER or s.drive(turn) >= 0:
        return NEVER
    return _root(lambda t: -s.drive(t), 0.0, turn)


def _doubled(f: Callable[[float], float], low: float = 0.0) -> float:
    """The root of a function that ends above zero, its bracket found by doubling."""
    step = 1.0
    while f(low + step) < 0:
        low, step = low + step, step * 2
        if step > 1e9:  # three decades: the limit is only approached
            return NEVER
    return _root(f, low, low + step)


def _root(f: Callable[[float], float], low: float, high: float) -> float:
    """The least double found at which ``f`` is no longer below zero."""
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if f(middle) < 0:
            low = middle
        else:
            high = middle
    return high
