"""Head: what many pumps deliver, by the equations of the one, over columns.

The same closed forms as :mod:`wardwatch.twin.plant` and the same order of events as
:mod:`wardwatch.twin.therapy`, for programmes by the ten thousand: every pass of the loop takes each
of them to its own next event, or to the instant asked for. Volumes are counted exactly, as pairs of
whole nL and a rest in nL·ns/h. Units as there: µL, mmHg, N, mm, s; instants ns, rates nL/h.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple, cast

import msgspec
import numpy as np

from wardwatch.model.values import NS
from wardwatch.twin import plant as mech
from wardwatch.twin import therapy

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

HOUR = 3600 * NS
LATER = np.int64(1) << 62
"""Later than any instant here."""
GAP, STUCK, SLIDING = range(3)
RUNNING, BOLUS, KVO, PAUSED, STOPPED = range(5)
"""Phases of :class:`wardwatch.twin.therapy.Phase` that a programme passes."""
TURN, LIMIT, EMPTY, LOADED, COMPLETE, CLAMPED, LIFTED, ASKED = range(8)
PASSES = 256
"""More events than a programme has; a loop that is not done by then is a fault of ours."""


class Programmes(msgspec.Struct, frozen=True):
    """Programmes as columns, all started at instant 0 with a primed syringe."""

    syringe: Ints
    """Index into :func:`names`."""
    volume_nl: Ints
    rate: Ints
    vtbi_nl: Ints
    """0 is none."""
    kvo: Ints
    loading_nl: Ints
    loading_rate: Ints
    vein: Floats
    limit_mmhg: Floats
    clamped: Ints
    """Instant at which the line is occluded for good; :data:`LATER` never."""
    lifted: Ints
    """Instant at which the pump changes its height, once; :data:`LATER` never."""
    vein_then: Floats
    """Pressure of the vein from then on."""


class Outcome(msgspec.Struct, frozen=True):
    """Where each programme stands at the instant it was asked for."""

    delivered_ul: Floats
    """What has reached the vein, net."""
    given_nl: Ints
    """What the motor has pushed: the volume the pump displays."""
    phase: Ints
    occlusion: Ints
    """Instant of the occlusion alarm; :data:`LATER` none."""
    pressure_mmhg: Floats
    """Of the line."""


@cache
def names() -> tuple[str, ...]:
    """The syringes in the order of their index."""
    return tuple(mech.syringes())


def ends(vtbi_nl: Ints, rate: Ints) -> Ints:
    """How many ns until a volume is given at a constant rate, exactly, rounded up."""
    return _falls(vtbi_nl, np.zeros_like(vtbi_nl), rate)


def displayed(rate: Ints, passed: Ints) -> Ints:
    """Whole nL that a constant rate pushes in ``passed`` ns."""
    return _moved(rate, passed)[0]


def outcome(asked: Programmes, at: Ints) -> Outcome:
    """Run every programme to its instant ``at`` (ns from the start)."""
    head = _Head(asked)
    for _ in range(PASSES):
        if not head.pass_on(at):
            return Outcome(head.delivered, head.given[0], head.phase, head.occlusion, head.pressure)
    raise AssertionError("a programme has more events than there can be")


class _Head:
    """The state of all programmes, each at its own instant ``t``."""

    def __init__(self, asked: Programmes) -> None:
        each = [mech.mechanics(name) for name in names()]
        self.m = _Mechanics(
            *(
                np.array([float(getattr(m, field)) for m in each])[asked.syringe]
                for field in ("area", "k", "c", "fc", "fv", "r", "capacity_nl")
            )
        )
        plants = [mech.loaded(m, missing=m.slack) for m in each]
        at_first = [
            np.array([getattr(p, f) for p in plants])[asked.syringe] for f in ("gap", "force")
        ]
        n = len(asked.rate)
        self.asked = asked
        self.gap, self.force = at_first
        self.mode = np.where(self.gap > 0, GAP, STUCK)
        self.pressure, self.delivered = np.zeros(n), np.zeros(n)
        self.vein = asked.vein.astype(float)
        self.occluded = np.zeros(n, bool)
        self.lifted = np.zeros(n, bool)
        self.speed, self.damping = np.zeros(n), np.ones(n)
        self.t = np.zeros(n, np.int64)
        self.left = (asked.vtbi_nl.copy(), np.zeros(n, np.int64))
        self.bolus = (asked.loading_nl.copy(), np.zeros(n, np.int64))
        self.syringe_left = (asked.volume_nl.copy(), np.zeros(n, np.int64))
        self.given = (np.zeros(n, np.int64), np.zeros(n, np.int64))
        self.rate = np.zeros(n, np.int64)
        self.phase = np.zeros(n, np.int64)
        self.occlusion = np.full(n, LATER)
        every = np.arange(n)
        loading = asked.loading_nl > 0
        self._drive(every, np.where(loading, BOLUS, RUNNING),
                    np.where(loading, asked.loading_rate, asked.rate))  # fmt: skip

    # One pass

    def pass_on(self, at: Ints) -> bool:
        """Take everyone to its next event; False when all are where they were asked to be."""
        live = np.flatnonzero(self.t < at)
        if not len(live):
            return False
        due, cause = self._next(live, at)
        self._anchor(live, due)
        for what, act in enumerate(
            (
                self._turn,
                self._limit,
                self._empty,
                self._loaded,
                self._complete,
                self._clamp,
                self._lift,
            )
        ):
            some = live[cause == what]
            if len(some):
                act(some)
        return True

    def _next(self, rows: Ints, at: Ints) -> tuple[Ints, Ints]:
        """When each one's next event is due, and which; of equals the first of the scalar head."""
        t, phase, rate = self.t[rows], self.phase[rows], self.rate[rows]
        limited = phase != STOPPED
        limit = np.full(len(rows), np.inf)
        limit[limited] = self._reaches(rows[limited])
        candidates = [
            # What comes from outside is the event of a step: what is due at its instant is first.
            (_later(t, limit), LIMIT),
            (_later(t, self._until(rows)), TURN),
            (self._falls(rows, self.syringe_left, rate > 0), EMPTY),
            (self._falls(rows, self.bolus, phase == BOLUS), LOADED),
            (self._falls(rows, self.left, (phase == RUNNING) & (self.asked.vtbi_nl[rows] > 0)), COMPLETE),
            (np.where(self.occluded[rows], LATER, np.maximum(self.asked.clamped[rows], t)), CLAMPED),
            (np.where(self.lifted[rows], LATER, np.maximum(self.asked.lifted[rows], t)), LIFTED),
            (at[rows], ASKED),
        ]  # fmt: skip
        times = np.stack([one for one, _ in candidates])
        first = np.argmin(times, axis=0)
        return times[first, np.arange(len(rows))], np.array([c for _, c in candidates])[first]

    def _falls(self, rows: Ints, what: tuple[Ints, Ints], where: Flags) -> Ints:
        found = np.full(len(rows), LATER)
        some = rows[where]
        found[where] = self.t[some] + _falls(what[0][some], what[1][some], self.rate[some])
        return found

    def _anchor(self, rows: Ints, due: Ints) -> None:
        """Let time pass."""
        dt = due - self.t[rows]
        self._after(rows, dt / NS)
        nl, rest = _moved(self.rate[rows], dt)
        phase = self.phase[rows]
        delivers = phase <= KVO
        self._add(self.syringe_left, rows, -nl, -rest)
        self._add(self.given, rows[delivers], nl[delivers], rest[delivers])
        for what, of in ((self.left, RUNNING), (self.bolus, BOLUS)):
            self._add(what, rows[phase == of], -nl[phase == of], -rest[phase == of])
        self.t[rows] = due

    @staticmethod
    def _add(what: tuple[Ints, Ints], rows: Ints, nl: Ints, rest: Ints) -> None:
        total = what[1][rows] + rest
        what[0][rows] += nl + total // HOUR
        what[1][rows] = total % HOUR

    # What happens

    def _turn(self, rows: Ints) -> None:
        mode = self.mode[rows]
        threshold = self.m.fc[rows] + self.m.a[rows] * self.pressure[rows]
        self.gap[rows[mode == GAP]] = 0.0
        slid, stuck = rows[mode == SLIDING], rows[mode == STUCK]
        self.force[slid] = threshold[mode == SLIDING]
        self.force[stuck] = np.maximum(self.force[stuck], threshold[mode == STUCK])
        self.mode[rows] = np.where(mode == STUCK, SLIDING, STUCK)

    def _limit(self, rows: Ints) -> None:
        self.occlusion[rows] = self.t[rows]
        self._drive(rows, np.full(len(rows), STOPPED), np.zeros(len(rows), np.int64))
        # Back-off, as of a head that stops for an occlusion (T-8).
        m = self.m.of(rows)
        large = (m.capacity_nl >= 50_000_000) & (self.asked.limit_mmhg[rows] > therapy.HIGH_MMHG)
        keep = np.where(large, therapy.RESIDUE_HIGH_UL, therapy.RESIDUE_UL)
        slack = np.maximum(self.force[rows] - m.fc - m.a * self.vein[rows], 0.0) * m.area / m.k
        stored = m.c * (self.pressure[rows] - self.vein[rows]) + slack
        keep = np.minimum(keep, np.maximum(stored / 2, 0.0))
        self.force[rows] = np.maximum(
            np.minimum(self.force[rows], m.fc + m.a * self.vein[rows]), 0.0
        )
        self.pressure[rows] = np.minimum(self.vein[rows] + keep / m.c, self.pressure[rows])
        self.mode[rows], self.gap[rows], self.speed[rows] = STUCK, 0.0, 0.0

    def _empty(self, rows: Ints) -> None:
        self._drive(rows, np.full(len(rows), STOPPED), np.zeros(len(rows), np.int64))

    def _loaded(self, rows: Ints) -> None:
        self.bolus[0][rows], self.bolus[1][rows] = 0, 0
        self._drive(rows, np.full(len(rows), RUNNING), self.asked.rate[rows])

    def _complete(self, rows: Ints) -> None:
        kvo = np.minimum(self.asked.kvo[rows], self.asked.rate[rows])
        self._drive(rows, np.where(kvo > 0, KVO, PAUSED), kvo)

    def _clamp(self, rows: Ints) -> None:
        self.occluded[rows] = True

    def _lift(self, rows: Ints) -> None:
        self.lifted[rows] = True
        self.vein[rows] = self.asked.vein_then[rows]

    def _drive(self, rows: Ints, phase: Ints, rate: Ints) -> None:
        """The motor's rate from now on; one that stops gives way until it pushes no more."""
        m = self.m.of(rows)
        slid = (rate == 0) & (self.mode[rows] == SLIDING)
        self.force[rows[slid]] = (m.fc + m.a * self.pressure[rows])[slid]
        self.mode[rows[slid]] = STUCK
        ml_h = rate / 1e6
        runs = rate > 0
        speed = ml_h / 3.6 / m.area
        self.speed[rows] = speed
        self.damping[rows[runs]] = (m.fv * np.power(ml_h, 0.2))[runs] / speed[runs]
        self.phase[rows], self.rate[rows] = phase, rate

    # The closed forms

    def _after(self, rows: Ints, dt: Floats) -> None:
        """The mechanics ``dt`` seconds later in the same mode."""
        rows, dt = rows[dt > 0], dt[dt > 0]
        m, mode, closed = self.m.of(rows), self.mode[rows], self.occluded[rows]
        rest = mode != SLIDING
        self._rested(rows[rest], m.only(rest), dt[rest])
        slid = (mode == SLIDING) & ~closed
        s = self._slide(rows[slid])
        fast, slow = np.exp(s.fast * dt[slid]), np.exp(s.slow * dt[slid])
        grown = s.p_fast * np.expm1(s.fast * dt[slid]) / s.fast
        grown += s.p_slow * np.expm1(s.slow * dt[slid]) / s.slow
        of = m.only(slid)
        self.delivered[rows[slid]] += of.area * self.speed[rows[slid]] * dt[slid] + grown / of.r
        self.force[rows[slid]] = s.force + s.f_fast * fast + s.f_slow * slow
        self.pressure[rows[slid]] = s.pressure + s.p_fast * fast + s.p_slow * slow
        shut = (mode == SLIDING) & closed
        force, pressure = self._slid_occluded(rows[shut], dt[shut])
        self.force[rows[shut]], self.pressure[rows[shut]] = force, pressure

    def _rested(self, rows: Ints, m: _Mechanics, dt: Floats) -> None:
        out = m.c * (self.pressure[rows] - self.vein[rows]) * -np.expm1(-dt / (m.r * m.c))
        out[self.occluded[rows]] = 0.0
        self.pressure[rows] -= out / m.c
        self.delivered[rows] += out
        gap = self.mode[rows] == GAP
        self.gap[rows[gap]] -= (m.area * self.speed[rows] * dt)[gap]
        self.force[rows[~gap]] += (m.k * self.speed[rows] * dt)[~gap]

    def _slid_occluded(self, rows: Ints, dt: Floats) -> tuple[Floats, Floats]:
        m, speed, force = self.m.of(rows), self.speed[rows], self.force[rows]
        stiff = m.k + m.area * m.a / m.c
        steady = m.k * speed / stiff
        first = np.maximum(force - m.fc - m.a * self.pressure[rows], 0.0) / self.damping[rows]
        rate = stiff / self.damping[rows]
        travel = steady * dt - (first - steady) * np.expm1(-rate * dt) / rate
        return force + m.k * (speed * dt - travel), self.pressure[rows] + m.area * travel / m.c

    def _slide(self, rows: Ints) -> _Slide:
        m, b = self.m.of(rows), self.damping[rows]
        m11, m12 = -m.k / b, m.k * m.a / b
        m21 = m.area / (b * m.c)
        m22 = -m.area * m.a / (b * m.c) - 1 / (m.r * m.c)
        half = (m11 - m22) / 2
        fast = (m11 + m22) / 2 - np.sqrt(half * half + m12 * m21)
        slow = m.k / (b * m.r * m.c) / fast
        pressure = self.vein[rows] + m.r * m.area * self.speed[rows]
        force = m.fc + m.a * pressure + b * self.speed[rows]
        x, y = self.force[rows] - force, self.pressure[rows] - pressure
        f1, p1, f2, p2 = m12, fast - m11, slow - m22, m21
        det = f1 * p2 - f2 * p1
        one, two = (x * p2 - f2 * y) / det, (f1 * y - x * p1) / det
        return _Slide(
            fast, slow, pressure, force, one * f1, one * p1, two * f2, two * p2,
            b * self.speed[rows], one * f1 - m.a * one * p1, two * f2 - m.a * two * p2,
        )  # fmt: skip

    # When a mode ends

    def _until(self, rows: Ints) -> Floats:
        found = np.full(len(rows), np.inf)
        mode, speed = self.mode[rows], self.speed[rows]
        gap = (mode == GAP) & (speed > 0)
        found[gap] = self.gap[rows[gap]] / (self.m.area[rows[gap]] * speed[gap])
        stuck = mode == STUCK
        found[stuck] = self._breakaway(rows[stuck])
        slid = (mode == SLIDING) & ~self.occluded[rows]
        found[slid] = self._halt(rows[slid])
        return found

    def _breakaway(self, rows: Ints) -> Floats:
        m = self.m.of(rows)
        lack = self.force[rows] - (m.fc + m.a * self.pressure[rows])
        climb = m.k * self.speed[rows]
        tau = m.r * m.c
        fall = m.a * (self.pressure[rows] - self.vein[rows])
        fall[self.occluded[rows]] = 0.0
        slope = climb + fall / tau
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            still = np.where((fall > 0) & (lack + fall > 0), -tau * np.log1p(lack / fall), np.inf)
            low = np.where(slope < 0, tau * np.log(-fall / (tau * climb)), 0.0)
            high = (np.maximum(-fall, 0.0) - lack) / climb + low
            plain = -lack / climb
        found = np.where(climb == 0, still, plain)
        curved = (climb > 0) & (fall != 0)
        c = np.flatnonzero(curved)
        found[c] = _root(
            lambda t, i: lack[c[i]] + climb[c[i]] * t - fall[c[i]] * np.expm1(-t / tau[c[i]]),
            low[c], high[c],
        )  # fmt: skip
        at_once = (lack > 0) | ((lack == 0) & (slope > 0) & ~self.occluded[rows])
        return np.where(at_once, 0.0, found)

    def _halt(self, rows: Ints) -> Floats:
        m, s = self.m.of(rows), self._slide(rows)
        at_first = s.u_fast * s.fast + s.u_slow * s.slow
        lacks = self.force[rows] <= m.fc + m.a * self.pressure[rows]
        at_once = lacks & (at_first < -mech.STILL)
        turn = s.turn(s.u_fast, s.u_slow)
        found = np.full(len(rows), np.inf)
        found[at_once] = 0.0
        d = np.flatnonzero(~at_once & (turn < np.inf))
        d = d[s.only(d).drive(turn[d]) < 0]
        of = s.only(d)
        found[d] = _root(lambda t, i: -of.only(i).drive(t), np.zeros(len(d)), turn[d])
        return found

    def _reaches(self, rows: Ints) -> Floats:
        """Seconds until the limit, if the mode lasted for ever."""
        limit = self.asked.limit_mmhg[rows]
        pressure, vein = self.pressure[rows], self.vein[rows]
        closed, slid = self.occluded[rows], self.mode[rows] == SLIDING
        m = self.m.of(rows)
        found = np.full(len(rows), np.inf)
        fills = ~slid & ~closed & (vein > limit)
        with np.errstate(divide="ignore", invalid="ignore"):
            found[fills] = (-m.r * m.c * np.log((vein - limit) / (vein - pressure)))[fills]
        shut = np.flatnonzero(slid & closed)
        stiff = m.k + m.area * m.a / m.c
        at_rest = pressure + m.area / m.c * (self.force[rows] - m.fc - m.a * pressure) / stiff
        shut = shut[(self.speed[rows[shut]] > 0) | (at_rest[shut] >= limit[shut])]
        found[shut] = _doubled(
            lambda t, i: self._slid_occluded(rows[shut[i]], t)[1] - limit[shut[i]],
            np.zeros(len(shut)),
        )
        free = np.flatnonzero(slid & ~closed)
        s = self._slide(rows[free])
        turn = s.turn(s.p_fast, s.p_slow)
        peak = np.full(len(free), -np.inf)
        some = np.flatnonzero(turn < np.inf)
        peak[some] = s.only(some).at(turn[some]) - limit[free[some]]
        p = np.flatnonzero(peak >= 0)
        of = s.only(p)
        found[free[p]] = _root(
            lambda t, i: of.only(i).at(t) - limit[free[p[i]]], np.zeros(len(p)), turn[p]
        )
        q = np.flatnonzero((peak < 0) & (s.pressure > limit[free]))
        on = s.only(q)
        found[free[q]] = _doubled(
            lambda t, i: on.only(i).at(t) - limit[free[q[i]]],
            np.where(turn[q] < np.inf, turn[q], 0.0),
        )
        return np.where(pressure >= limit, 0.0, found)


class _Mechanics:
    """The numbers of each one's syringe."""

    def __init__(self, *columns: Floats) -> None:
        self.columns = columns
        self.area, self.k, self.c, self.fc, self.fv, self.r, self.capacity_nl = columns
        self.a = self.area * mech.MMHG

    def of(self, rows: Ints) -> _Mechanics:
        """Of these rows."""
        return _Mechanics(*(column[rows] for column in self.columns))

    def only(self, where: Flags) -> _Mechanics:
        """Where it is true."""
        return _Mechanics(*(column[where] for column in self.columns))


class _Slide(NamedTuple):
    """Sliding with an open line: steady state, and two decaying parts."""

    fast: Floats
    slow: Floats
    pressure: Floats
    force: Floats
    f_fast: Floats
    p_fast: Floats
    f_slow: Floats
    p_slow: Floats
    u: Floats
    u_fast: Floats
    u_slow: Floats

    def only(self, rows: Ints) -> _Slide:
        """Of these rows."""
        return _Slide(*(column[rows] for column in self))

    def at(self, t: Floats) -> Floats:
        """The pressure."""
        return (
            self.pressure
            + self.p_fast * np.exp(self.fast * t)
            + self.p_slow * np.exp(self.slow * t)
        )

    def drive(self, t: Floats) -> Floats:
        """N that move the plunger."""
        return self.u + self.u_fast * np.exp(self.fast * t) + self.u_slow * np.exp(self.slow * t)

    def turn(self, fast: Floats, slow: Floats) -> Floats:
        """When ``fast e^(fast t) + slow e^(slow t)`` turns round; infinite if it never does."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            ratio = -slow * self.slow / (fast * self.fast)
            t = np.log(ratio) / (self.fast - self.slow)
        return cast("Floats", np.where((fast != 0) & (ratio > 0) & (t > 0), t, np.inf))


def _later(t: Ints, seconds: Floats) -> Ints:
    soon = seconds < 1e9
    return t + np.where(soon, np.ceil(np.where(soon, seconds, 0.0) * NS).astype(np.int64), LATER)


def _falls(nl: Ints, rest: Ints, rate: Ints) -> Ints:
    """How many ns until nl·HOUR + rest, in nL·ns/h, has gone at a rate; rounded up, at once if it has."""
    whole, part = np.divmod(nl * 3600, rate)
    found = whole * NS - -(part * NS + rest) // rate
    return cast("Ints", np.maximum(found, 0))


def _moved(rate: Ints, dt: Ints) -> tuple[Ints, Ints]:
    """rate·dt as whole nL and the rest in nL·ns/h: no product leaves 63 bits."""
    seconds, ns = np.divmod(dt, NS)
    nl, part = np.divmod(rate * seconds, 3600)
    more, rest = np.divmod(part * NS + rate * ns, HOUR)
    return nl + more, rest


def _doubled(f: Callable[[Floats, Ints], Floats], low: Floats) -> Floats:
    """Roots of functions that end above zero, their brackets found by doubling."""
    step = np.ones_like(low)
    low = low.copy()
    searching = np.arange(len(low))
    lost = np.zeros(len(low), bool)
    while len(searching):
        below = f(low[searching] + step[searching], searching) < 0
        searching = searching[below]
        low[searching] += step[searching]
        step[searching] *= 2
        far = step[searching] > 1e9
        lost[searching[far]] = True
        searching = searching[~far]
    found = np.full(len(low), np.inf)
    keep = np.flatnonzero(~lost)
    found[keep] = _root(lambda t, i: f(t, keep[i]), low[keep], (low + step)[keep])
    return found


def _root(f: Callable[[Floats, Ints], Floats], low: Floats, high: Floats) -> Floats:
    """The least doubles found at which the functions are no longer below zero."""
    low, high = low.copy(), high.copy()
    live = np.arange(len(low))
    for _ in range(200):
        middle = (low[live] + high[live]) / 2
        going = (middle != low[live]) & (middle != high[live])
        live, middle = live[going], middle[going]
        if not len(live):
            break
        below = f(middle, live) < 0
        low[live[below]] = middle[below]
        high[live[~below]] = middle[~below]
    return high
