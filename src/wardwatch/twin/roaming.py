"""Roaming: a pump walks through the house, is silent for a while, and comes back as the same station.

Silences last 50 ms (a handover) to 10 min (an elevator, a dead spot), drawn evenly over the
magnitudes in between [A] (C-20). On the same subnet it keeps its address: its DHCP client asks for
the one it had (RFC 2131 §3.2), a static one simply goes on; either announces itself.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from wardwatch.model.values import NS

if TYPE_CHECKING:
    from random import Random

SHORTEST_S, LONGEST_S = 0.05, 600.0
AN_HOUR = 2.0
"""Walks in an hour on the average [A]."""


class Silence(msgspec.Struct, frozen=True):
    """Nothing is heard of a pump from ``at`` to ``until`` (ns)."""

    at: int
    until: int


def silences(draws: Random, span_ns: int, an_hour: float = AN_HOUR) -> tuple[Silence, ...]:
    """The silences within a span that begins at 0, in order and apart from each other."""
    found: list[Silence] = []
    at = 0
    while an_hour > 0:
        at += round(draws.expovariate(an_hour / 3600) * NS)
        length = math.exp(draws.uniform(math.log(SHORTEST_S), math.log(LONGEST_S)))
        until = at + round(length * NS)
        if until > span_ns:
            break
        found.append(Silence(at, until))
        at = until
    return tuple(found)
