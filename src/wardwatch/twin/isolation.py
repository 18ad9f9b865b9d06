"""Isolation: the two claims about therapy and communications, tried in virtual time.

I1: no crash, flood, silence, delay or garbage of communications disturbs therapy. A short infusion
is played once undisturbed, then under many fuzzed schedules of what the link delivers and of when
therapy is asked; its core and the alarms it announced must be the same, digit by digit. The one
alarm that may differ is therapy's own notice that communications are lost (C-13).

I2: a hostile communications module cannot change a running infusion. Forged frames by the million
leave the core as it is where offers are verified; profiles that verify nothing accept firmware and
libraries for the next power-up, and that is counted as ``i2_violation``, not hidden.

    python -m wardwatch.twin.isolation --schedules 100000 --frames 1000000
"""

from __future__ import annotations

import argparse
import json
import time
import zlib
from collections import Counter, deque
from functools import lru_cache
from random import Random

import msgspec

from wardwatch.model.values import NS
from wardwatch.twin import link, therapy
from wardwatch.twin.link import TICK_NS, Frame, Kind
from wardwatch.twin.plant import mechanics, syringes
from wardwatch.twin.therapy import Alarm, Event, Received, Rules, Sound, State, Wait

ML = 1_000_000
SCRIPTS = 64
"""Infusions that schedules are drawn over: each undisturbed run is shared by many schedules."""
SPAN_NS = 120 * NS
ACK_NS = 2 * NS

Script = tuple[tuple[int, Event], ...]
Arrival = tuple[int, bytes]


class Run(msgspec.Struct, frozen=True):
    """What an infusion came to."""

    core: therapy.Core
    delivered_pl: int
    sounds: tuple[Sound, ...]
    """Without the notice of lost communications."""
    violations: int = 0
    lost: int = 0
    """Times communications were noticed lost."""
    counts: link.Counts = link.Counts()
    overflow: int = 0
    """Frames the full socket dropped."""


class Tally(msgspec.Struct):
    """The result of many schedules."""

    schedules: int = 0
    volume_differs: int = 0
    alarms_differ: int = 0
    core_differs: int = 0
    frames: int = 0
    dropped: int = 0
    overflow: int = 0
    lost: int = 0
    violations: int = 0
    occlusions: int = 0
    """Schedules in whose infusion an occlusion was announced."""
    faults: Counter[str] = msgspec.field(default_factory=Counter)
    seconds: float = 0.0


# An infusion -----------------------------------------------------------------------------------


@lru_cache(maxsize=SCRIPTS)
def script(number: int) -> Script:
    """Two minutes at a bedside: a programme, and what nurse and patient do to it."""
    draws = Random(f"script {number}")  # noqa: S311 — a twin, no secret
    syringe = draws.choice(sorted(syringes()))
    m = mechanics(syringe)
    rate = draws.randrange(m.fastest_nl_h // 20, m.fastest_nl_h // 2)
    order = therapy.Order(
        rate,
        vtbi_nl=draws.choice([0, rate // 60, rate // 100]),
        kvo=draws.choice([0, m.lowest_nl_h]),
        limit_mmhg=draws.uniform(104, 800),
        near_empty_min=draws.choice([1, 5]),
    )
    full = therapy.Load(syringe, draws.randrange(m.capacity_nl // 4, m.capacity_nl))
    found: list[tuple[int, Event]] = [
        (0, therapy.PowerOn()),
        (NS, full),
        (2 * NS, therapy.Programme(order)),
        (3 * NS, therapy.Confirm()),
        (4 * NS, therapy.Start()),
    ]
    t = 4 * NS
    for _ in range(draws.randrange(2, 9)):
        t += draws.randrange(1, 15 * NS)
        acts: list[Event] = [
            therapy.Clamp(occluded=True),
            therapy.Clamp(occluded=False),
            therapy.Vein(draws.uniform(-60, 95)),
            therapy.Stop(),
            therapy.Start(),
            therapy.Clear(),
            therapy.Bolus(rate // 200 + 1, m.fastest_nl_h // 2),
            therapy.Rate(rate // 2),
            therapy.MotorFault(),
            therapy.Stalled(),
            therapy.Battery(20),
        ]
        found.append((t, draws.choice(acts)))
    return tuple(found)


def schedule(draws: Random) -> tuple[list[Arrival], list[int], list[str]]:
    """Frames as they arrive, instants at which therapy is asked for nothing, and the faults in it."""
    offset = draws.randrange(ACK_NS)
    arrivals: list[Arrival] = [
        (at, link.pack(Frame(Kind.ACK, seq, b"")))
        for seq, at in enumerate(range(offset, SPAN_NS, ACK_NS))
    ]
    names = [draws.choice(list(FAULTS)) for _ in range(draws.randrange(1, 4))]
    for name in names:
        arrivals = FAULTS[name](draws, arrivals, draws.randrange(SPAN_NS))
    arrivals.sort(key=lambda one: one[0])
    asked = sorted(draws.randrange(SPAN_NS) for _ in range(draws.randrange(8)))
    return arrivals, asked, names


def _silence(draws: Random, arrivals: list[Arrival], at: int) -> list[Arrival]:
    """Killed, or stopped: nothing comes until it is back."""
    until = at + draws.randrange(1, 60 * NS)
    return [one for one in arrivals if not at <= one[0] < until]


def _stop_and_go(draws: Random, arrivals: list[Arrival], at: int) -> list[Arrival]:
    """SIGSTOP and SIGCONT: what was to come comes at once."""
    until = at + draws.randrange(1, 30 * NS)
    return [(until if at <= t < until else t, raw) for t, raw in arrivals]


def _flood(draws: Random, arrivals: list[Arrival], at: int) -> list[Arrival]:
    """Good frames faster than they are read."""
    raw = link.pack(Frame(draws.choice(_TOWARDS), draws.getrandbits(32), draws.randbytes(52)))
    gap = draws.randrange(1, 5_000_000)
    return arrivals + [(at + n * gap, raw) for n in range(draws.randrange(50, 400))]


def _garbage(draws: Random, arrivals: list[Arrival], at: int) -> list[Arrival]:
    """Random octets of any length."""
    return arrivals + [
        (at + n * draws.randrange(1, NS), draws.randbytes(draws.choice([1, 63, 64, 64, 65, 200])))
        for n in range(draws.randrange(1, 60))
    ]


def _forged(draws: Random, arrivals: list[Arrival], at: int) -> list[Arrival]:
    """Frames that are whole and say what no healthy module would."""
    return arrivals + [
        (at + n * draws.randrange(1, NS // 10), forged(draws))
        for n in range(draws.randrange(1, 60))
    ]


def _delayed(draws: Random, arrivals: list[Arrival], at: int) -> list[Arrival]:
    """Late, doubled and out of order."""
    found = [(t + draws.randrange(20 * NS) if t >= at else t, raw) for t, raw in arrivals]
    return found + draws.sample(found, min(len(found), 5))


def _damaged(draws: Random, arrivals: list[Arrival], at: int) -> list[Arrival]:
    """One bit of each turned over, or its end cut off."""
    found = []
    for t, raw in arrivals:
        if t >= at and raw:
            bad = bytearray(raw)
            bad[draws.randrange(len(bad))] ^= 1 << draws.randrange(8)
            raw = bytes(bad) if draws.random() < 0.7 else raw[: draws.randrange(len(raw))]
        found.append((t, raw))
    return found


FAULTS = {
    "silence": _silence,
    "stop and go": _stop_and_go,
    "flood": _flood,
    "garbage": _garbage,
    "forged": _forged,
    "delayed": _delayed,
    "damaged": _damaged,
}
_TOWARDS = sorted(link.TO_THERAPY)


def forged(draws: Random) -> bytes:
    """A frame whose seal is right: any type, any body, offers with marks nobody made."""
    kind = draws.choice(_TOWARDS) if draws.random() < 0.8 else draws.randrange(256)
    body = draws.randbytes(draws.choice([0, 1, 2, 8, 52, 52]))
    if kind == Kind.LIBRARY_CHUNK and draws.random() < 0.5:
        body = draws.randrange(4).to_bytes(2, "big") + body[:50]
    raw = bytearray(link.pack(Frame(Kind.ACK, draws.getrandbits(32), body)))
    raw[1] = kind
    if draws.random() < 0.1:
        raw[0] = draws.randrange(256)
    return bytes(raw[:60]) + zlib.crc32(raw[:60]).to_bytes(4, "big")


# Playing it ------------------------------------------------------------------------------------


def play(
    rules: Rules, acts: Script, arrivals: list[Arrival], asked: list[int], span: int = SPAN_NS
) -> Run:
    """Therapy under its own virtual clock for ``span`` ns; frames wait in the socket for the next tick."""
    state = State(rules=rules)
    waiting: deque[bytes] = deque()
    counts, overflow, lost, tick = link.Counts(), 0, 0, 0
    sounds: list[Sound] = []

    def ask(event: Event, t: int) -> None:
        nonlocal state, lost
        state, actions, _ = therapy.step(state, event, t)
        for action in actions:
            if isinstance(action, Sound):
                if action.alarm is Alarm.LINK_LOST:
                    lost += action.on
                else:
                    sounds.append(action)

    def ticks(until: int) -> None:
        """Read what waits, four frames a tick, up to the tick before ``until``."""
        nonlocal counts, tick
        while waiting and tick < until:
            raws = [waiting.popleft() for _ in range(min(len(waiting), link.PER_TICK))]
            counts, frames = link.receive(counts, raws, link.TO_THERAPY)
            for frame in frames:
                ask(Received(frame), tick)
            tick += TICK_NS

    happenings = sorted(
        [(t, 0, event) for t, event in acts]
        + [(t, 1, Wait()) for t in asked]
        + [(t, 2, raw) for t, raw in arrivals if t < span],
        key=lambda one: one[:2],
    )
    for t, _, what in happenings:
        ticks(t)
        if isinstance(what, bytes):
            if len(waiting) >= link.QUEUE:
                overflow += 1
            else:
                if not waiting:
                    tick = max(tick, -(-t // TICK_NS) * TICK_NS)
                waiting.append(what)
        else:
            ask(what, t)
    ticks(span)
    ask(Wait(), span)
    volume = therapy.delivered_pl(state, span)
    return Run(state.core, volume, tuple(sounds), state.comms.violations, lost, counts, overflow)


@lru_cache(maxsize=SCRIPTS)
def undisturbed(number: int) -> Run:
    """The same infusion with nobody at the other end of the link."""
    return play(Rules(), script(number), [], [])


def i1(schedules: int, seed: int, rules: Rules | None = None) -> Tally:
    """I1 over so many schedules, each against the undisturbed run of its infusion."""
    tally = Tally()
    began = time.perf_counter()
    for number in range(schedules):
        draws = Random(f"{seed}/{number}")  # noqa: S311
        infusion = draws.randrange(SCRIPTS)
        arrivals, asked, names = schedule(draws)
        run = play(rules or Rules(), script(infusion), arrivals, asked)
        truth = undisturbed(infusion)
        tally.schedules += 1
        tally.volume_differs += run.delivered_pl != truth.delivered_pl
        tally.alarms_differ += run.sounds != truth.sounds
        tally.core_differs += run.core != truth.core
        tally.frames += run.counts.good + run.counts.dropped
        tally.dropped += run.counts.dropped
        tally.overflow += run.overflow
        tally.lost += run.lost
        tally.violations += run.violations
        tally.occlusions += any(one.alarm is Alarm.OCCLUSION for one in truth.sounds)
        tally.faults.update(names)
    tally.seconds = time.perf_counter() - began
    return tally


class Forgery(msgspec.Struct, frozen=True):
    """The result of many forged frames."""

    frames: int
    read: int
    """Those the link let through to therapy."""
    refused: int
    """Of these, offers therapy refused."""
    core_differs: int
    """Times the core was another than that of the undisturbed infusion."""
    violations: int
    firmware: int
    """Version that waits for the next power-up; 0 none."""
    seconds: float


def i2(frames: int, seed: int, rules: Rules) -> Forgery:
    """I2: a running infusion under so many forged frames, four a tick."""
    draws = Random(f"{seed}/i2")  # noqa: S311
    began = time.perf_counter()
    state = State(rules=rules)
    order = therapy.Order(ML // 2, vtbi_nl=20 * ML, kvo=ML // 10)
    acts = (
        therapy.PowerOn(), therapy.Load("bd-60", 50 * ML), therapy.Programme(order),
        therapy.Confirm(), therapy.Start(),
    )  # fmt: skip
    for act in acts:
        state, _, _ = therapy.step(state, act, 0)
    quiet, counts, differs, t = state, link.Counts(), 0, 0
    for n in range(0, frames, link.PER_TICK):
        t += TICK_NS
        raws = [
            forged(draws) if draws.random() < 0.9 else draws.randbytes(64)
            for _ in range(min(link.PER_TICK, frames - n))
        ]
        counts, read = link.receive(counts, raws, link.TO_THERAPY)
        for frame in read:
            state, _, _ = therapy.step(state, Received(frame), t)
        quiet, _, _ = therapy.step(quiet, Wait(), t)
        state, _, _ = therapy.step(state, Wait(), t)
        differs += state.core != quiet.core
    return Forgery(
        frames, counts.good, state.comms.refused, differs, state.comms.violations,
        state.comms.firmware, time.perf_counter() - began,
    )  # fmt: skip


PROFILES = {
    "1.1.2": Rules(verifies=False),
    "1.5.0": Rules(verifies=False),
    "1.6.0": Rules(verifies=False),
    "1.6.1": Rules(verifies=False, forgets_bolus=True),
    "hardened": Rules(verifies=True, key=b"made for one run"),
}
"""1.6.1 as well: nobody outside showed that its head verifies what communications offer (§0.1)."""


def main() -> int:
    """Both claims, as JSON; the exit status says whether they held."""
    words = argparse.ArgumentParser(description=__doc__, prog="wardwatch.twin.isolation")
    words.add_argument("--schedules", type=int, default=100_000)
    words.add_argument("--frames", type=int, default=1_000_000)
    words.add_argument("--seed", type=int, default=1)
    asked = words.parse_args()
    one = i1(asked.schedules, asked.seed, PROFILES["hardened"])
    two = {
        name: i2(asked.frames if name == "hardened" else asked.frames // 10, asked.seed, rules)
        for name, rules in PROFILES.items()
    }
    print(json.dumps({"i1": msgspec.to_builtins(one), "i2": msgspec.to_builtins(two)}, indent=1))
    hardened = two["hardened"]
    bad = one.volume_differs + one.alarms_differ + one.core_differs + hardened.core_differs
    return 1 if bad or hardened.violations else 0


if __name__ == "__main__":
    raise SystemExit(main())
