"""Silences are of every length between a handover and an elevator, and apart from each other."""

import statistics
from itertools import pairwise
from random import Random

from wardwatch.model.values import HOUR_NS, NS
from wardwatch.twin.roaming import LONGEST_S, SHORTEST_S, silences


def test_c20_silences_last_50_ms_to_10_min() -> None:
    found = silences(Random(3), 3000 * HOUR_NS)
    lengths = [(one.until - one.at) / NS for one in found]
    assert (SHORTEST_S, LONGEST_S) == (0.05, 600.0)
    assert SHORTEST_S * 0.99 <= min(lengths) < 0.06
    assert 500 < max(lengths) <= LONGEST_S * 1.01
    assert 4 < statistics.median(lengths) < 7, "even over the magnitudes: sqrt(0.05 * 600) = 5.5"
    assert 1.7 < len(found) / 3000 < 2.1
    assert all(a.until < b.at for a, b in pairwise(found))


def test_a_seed_gives_the_same_walks_and_none_is_none() -> None:
    assert silences(Random(5), 20 * HOUR_NS) == silences(Random(5), 20 * HOUR_NS)
    assert silences(Random(5), 20 * HOUR_NS, 0) == ()
