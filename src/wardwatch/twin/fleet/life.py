"""Life: what happens to the pumps of a fleet, as renewal processes over columns.

Everything that is rare (a few times a pump and day) is drawn for the whole span at once, each
process from numbers of its own. Instants are ns from the start of the span, and may lie before it:
the processes begin days earlier, so that the span finds them in their stride.
"""

from __future__ import annotations

import math
from datetime import datetime
from statistics import NormalDist
from typing import cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from wardwatch.model.values import NS
from wardwatch.twin.fleet import head, storm
from wardwatch.twin.fleet.hospital import Fleet, FleetPlan, hospital
from wardwatch.twin.fleet.storm import Storm

Ints = NDArray[np.int64]

HOUR, DAY = 3600 * NS, 86400 * NS
BEFORE = 8 * DAY
"""How long before the span the infusions begin to be drawn: six mean cycles."""
NEVER = head.LATER
SYRINGE_NL = 60_000_000
KEPT_S = 30.0
"""[A] A shorter silence breaks no TCP connection."""
CATCH_UP_NS = NS // 5
"""[A] Between two messages of a backlog."""
BACKLOG_NS = 2 * NS
"""[A] From joining again to the first message of the backlog: what is live goes first."""
QUIET_NS = 900 * NS
"""[A] Around a power cut nothing else happens to the network of its pumps."""
SILENT, STARTED, MOVED, CUT = range(4)
"""Why a pump was away; of overlapping causes the last counts."""


class Infusions(msgspec.Struct, frozen=True):
    """By pump, then start; one at a time."""

    pump: Ints
    start: Ints
    end: Ints
    rate: Ints
    """nL/h."""
    vtbi: Ints
    """nL."""


class Alarms(msgspec.Struct, frozen=True):
    """By start."""

    pump: Ints
    start: Ints
    end: Ints
    cause: Ints
    """Index into the mix of the variant."""


class Moves(msgspec.Struct, frozen=True):
    """By pump, then instant: off the network until ``back``, in another care area then."""

    pump: Ints
    at: Ints
    back: Ints
    area: Ints


class Outages(msgspec.Struct, frozen=True):
    """By pump, then start: [start, end) without a network; they never touch."""

    pump: Ints
    start: Ints
    end: Ints
    cause: Ints

    def joins(self) -> NDArray[np.bool_]:
        """Which of them end with a new connection."""
        long = self.end - self.start >= int(KEPT_S * NS)
        return cast("NDArray[np.bool_]", (self.cause != SILENT) | long)

    def holding(self, pump: Ints, at: Ints) -> Ints:
        """Index of the outage that holds each instant of a pump; -1 none."""
        found = np.searchsorted(keyed(self.pump, self.start), keyed(pump, at), "right") - 1
        safe = np.maximum(found, 0)
        inside = (found >= 0) & (self.pump[safe] == pump) & (at < self.end[safe])
        return np.where(inside, found, -1)


class Library(msgspec.Struct, frozen=True):
    """One row a pump: when it fetched the second version, and when it began to use it."""

    fetched: Ints
    used: Ints
    """At the first programme afterwards (T-27); :data:`NEVER` not within the span."""


class Life(msgspec.Struct, frozen=True):
    """Everything rare."""

    fleet: Fleet
    span: int
    infusions: Infusions
    alarms: Alarms
    moves: Moves
    outages: Outages
    joined: Ints
    """When each pump first connects."""
    reopened: tuple[Ints, Ints]
    """(pump, instant) of a connection's end and the next one's beginning."""
    renewed: tuple[Ints, Ints]
    """(pump, instant) at which half of a lease is over."""
    library: Library
    storm: Storm | None
    cut: Ints
    """Pumps of the power cut."""


def keyed(pump: Ints, at: Ints) -> Ints:
    """One number that sorts by pump, then by instant in µs; of 20,000 pumps and 50 days."""
    return (pump << 42) + at // 1000 + (BEFORE + 2 * DAY) // 1000


def life(fleet: Fleet) -> Life:
    """Draw everything rare."""
    plan = fleet.plan
    span = int(plan.hours * HOUR)
    infusions = _infusions(plan, span)
    moves = _moves(fleet, span)
    joined = (plan.draws("join").uniform(0, plan.interval_s, fleet.pumps) * NS).astype(np.int64)
    cut, ready, storms = _power_cut(fleet, moves)
    outages = _outages(fleet, span, moves, joined, cut, ready)
    return Life(
        fleet=fleet, span=span, infusions=infusions, alarms=_alarms(plan, infusions, span),
        moves=moves, outages=outages, joined=joined, reopened=_reopened(fleet, span, outages),
        renewed=_renewed(fleet, span, outages), library=_library(fleet, infusions, outages),
        storm=storms, cut=cut,
    )  # fmt: skip


def alarm_causes(plan: FleetPlan) -> tuple[str, ...]:
    """The causes of alarms by their index."""
    return tuple(hospital().mix[plan.variant])


def alarms_per_infusion(plan: FleetPlan) -> float:
    """Mean number of alarms of one infusion."""
    home = hospital()
    if plan.variant == "nicu":
        day = home["nicu_alarms_patient_day"] / home["nicu_pumps_patient"]
    else:
        day = home["alarms_day"]
    return day / home["infusions_day"]


def alarm_law() -> tuple[float, float]:
    """µ and σ of the log-normal law with the published mean and share of short alarms."""
    home = hospital()
    z = NormalDist().inv_cdf(home["alarm_share"])
    # ln q = µ + zσ and ln mean = µ + σ²/2 leave one quadratic in σ.
    sigma = z + math.sqrt(z * z + 2 * math.log(home["alarm_mean_s"] / home["alarm_within_s"]))
    return math.log(home["alarm_mean_s"]) - sigma * sigma / 2, sigma


# The processes ---------------------------------------------------------------------------------


def _infusions(plan: FleetPlan, span: int) -> Infusions:
    """Alternate: an infusion, then a rest whose end comes sooner at the busy hours."""
    home, draws, n = hospital(), plan.draws("infusions"), plan.pumps
    mean_rest = DAY / home["infusions_day"] - home["infusion_mean_h"] * HOUR
    hour, busy = _busy_hours(plan, span)
    spread = home["infusion_spread"]
    mu = math.log(home["infusion_mean_h"] * HOUR) - spread * spread / 2
    t = np.full(n, -BEFORE, np.int64)
    everyone = np.arange(n)
    rows: list[tuple[Ints, Ints, Ints, Ints, Ints]] = []
    while True:
        rest = draws.exponential(mean_rest, n)
        start = np.interp(np.interp(t, hour, busy) + rest, busy, hour).astype(np.int64)
        length = np.exp(draws.normal(mu, spread, n)).clip(300 * NS, 72 * HOUR)
        ml_h = np.exp(
            draws.normal(math.log(home["rate_median_ml_h"]), home["rate_spread"], n)
        ).clip(0.1, SYRINGE_NL / 1e6 * HOUR / length)
        rate = np.maximum((ml_h * 1e6).astype(np.int64), 1000)
        vtbi = np.maximum((rate * (length / HOUR)).astype(np.int64), 1)
        end = start + head.ends(vtbi, rate)
        live = start < span
        if not live.any():
            break
        rows.append((everyone[live], start[live], end[live], rate[live], vtbi[live]))
        t = np.minimum(end, 2 * span + DAY)
    pump, start, end, rate, vtbi = (np.concatenate(c) for c in zip(*rows, strict=True))
    order = np.lexsort((start, pump))
    return Infusions(pump[order], start[order], end[order], rate[order], vtbi[order])


def _busy_hours(plan: FleetPlan, span: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Hours from before the span to long after it, and the busyness summed up to each."""
    first_hour = datetime.fromisoformat(plan.start).hour
    weights = np.array(hospital().day.hours)
    weights = weights / weights.mean()
    count = (BEFORE + 3 * span + 60 * DAY) // HOUR
    of_day = (first_hour - BEFORE // HOUR + np.arange(count)) % 24
    hour = (np.arange(count + 1) * HOUR - BEFORE).astype(float)
    return hour, np.concatenate([[0.0], np.cumsum(weights[of_day] * HOUR)])


def _alarms(plan: FleetPlan, infusions: Infusions, span: int) -> Alarms:
    """The first cause ends infusions; the others come at any time within one."""
    draws = plan.draws("alarms")
    mix = [one.value for one in hospital().mix[plan.variant].values()]
    each = alarms_per_infusion(plan)
    n = len(infusions.pump)
    of, when, cause = [], [], []
    for index, share in enumerate(mix):
        if index == 0:
            ended = np.flatnonzero(draws.random(n) < each * share)
            of.append(ended)
            when.append(infusions.end[ended])
        else:
            row = np.repeat(np.arange(n), draws.poisson(each * share, n))
            within = draws.random(len(row))
            of.append(row)
            length = infusions.end[row] - infusions.start[row]
            when.append(infusions.start[row] + (within * length).astype(np.int64))
        cause.append(np.full(len(of[-1]), index))
    row, start, why = (np.concatenate(c) for c in (of, when, cause))
    inside = (start >= 0) & (start < span)
    pump, start, why = (c[inside] for c in (infusions.pump[row], start, why))
    # Of a law with so long a tail 6,000 independent draws miss the mean by 10 % now and then: one
    # draw from each of n equal parts of the law, in random order, does not.
    even = (draws.permutation(len(start)) + draws.random(len(start))) / max(len(start), 1)
    inverse = NormalDist(*alarm_law()).inv_cdf
    logs = np.array([inverse(min(max(u, 1e-9), 1 - 1e-9)) for u in even.tolist()], float)
    end = start + np.maximum((np.exp(logs) * NS).astype(np.int64), NS)
    order = np.lexsort((pump, start))
    return Alarms(pump[order], start[order], end[order], why[order])


def _moves(fleet: Fleet, span: int) -> Moves:
    home, draws = hospital(), fleet.plan.draws("moves")
    counts = draws.poisson(home["moves_day"] * span / DAY, fleet.pumps)
    pump = np.repeat(np.arange(fleet.pumps), counts)
    at = np.sort(keyed(pump, draws.integers(span, size=len(pump))))
    at = (at - keyed(pump, np.zeros_like(at))) * 1000
    away = draws.uniform(home["move_shortest_s"], home["move_longest_s"], len(pump))
    # Another area each time: steps of 1 to 92 around the circle of 93, summed along a pump.
    areas = int(home["care_areas"])
    steps = np.cumsum(draws.integers(1, areas, size=len(pump)))
    first = np.concatenate([[0], np.cumsum(counts)])[:-1]
    before = np.concatenate([[0], steps])[first]
    area = (fleet.area[pump] + steps - before[pump]) % areas
    return Moves(pump, at, at + (away * NS).astype(np.int64), area)


def _power_cut(fleet: Fleet, moves: Moves) -> tuple[Ints, Ints, Storm | None]:
    """Pumps without power, when each is back, and what DHCP clients among them say."""
    plan, home = fleet.plan, hospital()
    none = np.zeros(0, np.int64)
    if plan.cut_at_h < 0:
        return none, none, None
    draws = plan.draws("power")
    # Whole care areas, one after another: what hangs on one supply. Who is on the way does not.
    off = int(plan.cut_at_h * HOUR)
    around = (moves.back > off) & (moves.at < off + QUIET_NS)
    there = np.ones(fleet.pumps, bool)
    there[moves.pump[around]] = False
    areas = np.argsort(fleet.area, kind="stable")
    cut = np.sort(areas[there[areas]][: plan.cut_pumps])
    boot = np.exp(draws.normal(math.log(home["boot_median_s"]), home["boot_spread"], len(cut)))
    ready = off + ((home["outage_s"] + boot) * NS).astype(np.int64)
    asks = fleet.dhcp[cut]
    if not asks.any():
        return cut, ready, None
    found = storm.storm(ready[asks], draws)
    ready[asks] = found.leased + NS // 5
    return cut, ready, msgspec.structs.replace(found, client=cut[asks][found.client])


def _outages(
    fleet: Fleet, span: int, moves: Moves, joined: Ints, cut: Ints, ready: Ints
) -> Outages:
    """Silences, moves, the power cut and the time before a pump first joins, made one where they meet."""
    home, draws, plan = hospital(), fleet.plan.draws("silences"), fleet.plan
    quiet = np.repeat(
        np.arange(fleet.pumps), draws.poisson(home["silences_day"] * span / DAY, fleet.pumps)
    )
    from_ns = draws.integers(span, size=len(quiet))
    low, high = math.log(home["silence_shortest_s"]), math.log(home["silence_longest_s"])
    lasts = (np.exp(draws.uniform(low, high, len(quiet))) * NS).astype(np.int64)
    everyone = np.arange(fleet.pumps)
    cut_at = int(plan.cut_at_h * HOUR)
    off = np.full(len(cut), cut_at)
    # Nobody carries a pump about whose module restarts: no dead spot then.
    near = (from_ns < cut_at + QUIET_NS) & (from_ns + lasts > cut_at - QUIET_NS)
    stays = ~(near & np.isin(quiet, cut))
    quiet, from_ns, lasts = quiet[stays], from_ns[stays], lasts[stays]
    parts = (
        (quiet, from_ns, from_ns + lasts, SILENT),
        (everyone, np.full(fleet.pumps, -NS), joined, STARTED),
        (moves.pump, moves.at, moves.back, MOVED),
        (cut, off, ready, CUT),
    )
    pump = np.concatenate([p[0] for p in parts])
    start = np.concatenate([p[1] for p in parts])
    end = np.concatenate([p[2] for p in parts])
    cause = np.concatenate([np.full(len(p[0]), p[3]) for p in parts])
    order = np.lexsort((start, pump))
    pump, start, end, cause = (c[order] for c in (pump, start, end, cause))
    # One that begins before the backlog of the last is sent belongs to it. A pump's keys are all
    # above those of the pump before it, so a running greatest end never reaches the next pump.
    backlog = 60 * NS + CATCH_UP_NS * ((end - start) // int(plan.interval_s * NS) + 2)
    latest = np.maximum.accumulate(keyed(pump, end + backlog))
    new = np.ones(len(pump), bool)
    new[1:] = keyed(pump[1:], start[1:]) > latest[:-1]
    first = np.flatnonzero(new)
    return Outages(
        pump[first], start[first], np.maximum.reduceat(end, first),
        np.maximum.reduceat(cause, first),
    )  # fmt: skip


def _reopened(fleet: Fleet, span: int, outages: Outages) -> tuple[Ints, Ints]:
    """The end of a connection's life, counted from a random point of it."""
    home, draws = hospital(), fleet.plan.draws("sessions")
    low, high = home["session_shortest_h"] * HOUR, home["session_longest_h"] * HOUR
    return _repeated(fleet, span, outages, draws, np.arange(fleet.pumps), low, high)


def _renewed(fleet: Fleet, span: int, outages: Outages) -> tuple[Ints, Ints]:
    """T1 of each lease (RFC 2131 §4.4.5), whose start lies before the span."""
    draws = fleet.plan.draws("leases")
    half = hospital()["lease_s"] / 2 * NS
    asks = np.flatnonzero(fleet.dhcp)
    return _repeated(fleet, span, outages, draws, asks, half * 0.98, half * 1.02)


def _repeated(
    fleet: Fleet,
    span: int,
    outages: Outages,
    draws: np.random.Generator,
    pumps: Ints,
    low: float,
    high: float,
) -> tuple[Ints, Ints]:
    """A renewal process of even intervals; what falls into an outage does not happen."""
    count = int(span / low) + 2
    steps = draws.uniform(low, high, (len(pumps), count))
    steps[:, 0] *= draws.random(len(pumps))
    at = np.cumsum(steps, axis=1).astype(np.int64).ravel()
    pump = np.repeat(pumps, count)
    inside = at < span
    pump, at = pump[inside], at[inside]
    there = (outages.holding(pump, at) < 0) & (at > fleet.plan.interval_s * NS)
    return pump[there], at[there]


def _library(fleet: Fleet, infusions: Infusions, outages: Outages) -> Library:
    """Steps of a twentieth of the fleet (C-17), each pump at any time of its step."""
    home, plan = hospital(), fleet.plan
    draws = plan.draws("library")
    turn = draws.permutation(fleet.pumps)
    step = (turn / (fleet.pumps * home["library_step_share"])).astype(np.int64)
    begins = int(plan.library_at_h * HOUR)
    hours = (step + draws.random(fleet.pumps)) * home["library_step_h"]
    fetched = begins + (hours * HOUR).astype(np.int64)
    everyone = np.arange(fleet.pumps)
    held = outages.holding(everyone, fetched)
    fetched = np.where(held >= 0, outages.end[held] + 5 * NS, fetched)
    begun = np.maximum(fetched, 1 - BEFORE)
    row = np.searchsorted(keyed(infusions.pump, infusions.start), keyed(everyone, begun))
    safe = np.minimum(row, len(infusions.pump) - 1)
    same = (row < len(infusions.pump)) & (infusions.pump[safe] == everyone)
    return Library(fetched, np.where(same, infusions.start[safe], NEVER))
