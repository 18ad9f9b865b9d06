"""Infusion: the infusion that goes on while a pump's communications are attacked.

What an attack did to the communications module stands in its labels; here that becomes what crosses
the link (silence while it restarts, forged frames while it is somebody else's, an unsigned offer
after an upload), and therapy runs beside the undisturbed hour. I1: the volume and the alarms are
the same. I2: offers that a profile takes without a signature are counted.
"""

from __future__ import annotations

from functools import cache
from random import Random
from typing import TYPE_CHECKING

import msgspec

from wardwatch.model.values import NS
from wardwatch.twin import link, therapy
from wardwatch.twin.isolation import ACK_NS, ML, PROFILES, Arrival, Run, Script, forged
from wardwatch.twin.isolation import play as run
from wardwatch.twin.link import Frame, Kind
from wardwatch.twin.therapy import Rules

if TYPE_CHECKING:
    from wardwatch.twin.comms import Module

SPAN_NS = 3600 * NS
RATE_NL_H = 5 * ML
INFUSION: Script = (
    (0, therapy.PowerOn()),
    (NS, therapy.Load("bd-60", 50 * ML)),
    (2 * NS, therapy.Programme(therapy.Order(RATE_NL_H))),
    (3 * NS, therapy.Confirm()),
    (4 * NS, therapy.Start()),
)
"""50 mL at 5 mL/h, begun with the hour."""
FORGED = 200
"""Frames that a module in somebody else's hands sends, each of a random kind and body."""


class Beside(msgspec.Struct, frozen=True):
    """An infusion under attack, beside the undisturbed one."""

    delivered_pl: int
    undisturbed_pl: int
    alarms_same: bool
    """Without the notice of lost communications."""
    lost: int
    """Times communications were noticed lost."""
    violations: int
    """Offers taken without a signature (I2): the historic versions check none."""

    @property
    def i1(self) -> bool:
        """Whether therapy went on as if nothing were."""
        return self.delivered_pl == self.undisturbed_pl and self.alarms_same


def beside(module: Module, at: int, start: int, seed: int) -> Beside:
    """The infusion of a pump whose communications module ended as ``module`` after an attack at ``at``."""
    states = tuple(sorted({label.state for label in module.labels}))
    down = (at - start, max(module.down_until - start, at - start))
    return _infused(module.version, states, down, at - start, seed)


@cache
def _infused(
    version: str, states: tuple[str, ...], down: tuple[int, int], at: int, seed: int
) -> Beside:
    rules = PROFILES.get(version, Rules())
    draws = Random(f"{seed}/infusion")  # noqa: S311 — a twin, no secret
    arrivals: list[Arrival] = [
        (t, link.pack(Frame(Kind.ACK, seq, b"")))
        for seq, t in enumerate(range(0, SPAN_NS, ACK_NS))
        if not down[0] <= t < down[1]
    ]
    if "compromised" in states:
        arrivals += [(at + n * NS // 10, forged(draws)) for n in range(FORGED)]
    if "compromised" in states or "head_update_offer" in states:
        # What nobody signed: its mark is made with a key that is not the maker's.
        body = therapy.offer(Rules(key=b"not the maker's"), Kind.FIRMWARE_OFFER, 2, b"A" * 64)
        arrivals.append((at + 60 * NS, link.pack(Frame(Kind.FIRMWARE_OFFER, 1, body))))
    arrivals.sort(key=lambda one: one[0])
    found, quiet = run(rules, INFUSION, arrivals, [], SPAN_NS), _undisturbed(version)
    return Beside(
        found.delivered_pl, quiet.delivered_pl, found.sounds == quiet.sounds, found.lost,
        found.violations,
    )  # fmt: skip


@cache
def _undisturbed(version: str) -> Run:
    """The same hour with nobody at the other end of the link."""
    return run(PROFILES.get(version, Rules()), INFUSION, [], [], SPAN_NS)
