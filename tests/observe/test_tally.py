"""wardwatch.observe.tally"""

import pickle

import numpy as np
import pytest

from wardwatch.decode.columns import DECODED, MALFORMED, SKIPPED, PacketColumns
from wardwatch.model.block import PacketBlock
from wardwatch.model.values import NS, UNKNOWN_TIME
from wardwatch.observe.tally import Tally


def give(tally, times, outcomes=(), interfaces=(), first=1, wire=(), described=0):
    """Let a block of packets without bytes pass."""
    n = len(times)
    columns = PacketColumns.of_size(n)
    columns.outcome[: len(outcomes)] = outcomes
    columns.reason[: len(outcomes)] = outcomes
    where = np.zeros(n, np.int32)
    where[: len(interfaces)] = interfaces
    zeros, wide, sent = np.zeros(n, np.int32), np.zeros(n, np.int64), np.zeros(n, np.int64)
    sent[: len(wire)] = wire
    time = np.array(times, np.int64)
    arena = np.zeros(1, np.uint8)
    block = PacketBlock(1, first, n, arena, wide, zeros, sent, time, zeros, where)
    tally.take(block, columns, described)


def test_the_clock_jumps_back_by_a_second_and_forward_by_an_hour():
    tally = Tally()
    hour = 3600 * NS
    give(tally, [5 * NS, 4 * NS, UNKNOWN_TIME, 3 * NS - 1])
    assert (tally.jumps, tally.first, tally.last) == (1, 3 * NS - 1, 5 * NS)
    give(tally, [3 * NS - 1 + hour, 2 * hour + 9 * NS])
    assert tally.jumps == 2
    give(tally, [NS])
    assert (tally.jumps, tally.first) == (3, NS)


def test_the_clock_is_watched_across_blocks():
    tally = Tally()
    for at in (0, 3601 * NS, 3600 * NS - 1, 3600 * NS):
        give(tally, [at])
    assert tally.jumps == 2


def test_a_capture_without_stamps_has_none():
    tally = Tally()
    give(tally, [UNKNOWN_TIME] * 3)
    assert (tally.first, tally.last, tally.jumps) == (UNKNOWN_TIME, UNKNOWN_TIME, 0)


def test_outcomes_are_counted_with_the_first_packet_of_each():
    tally = Tally()
    give(tally, [1, 2, 3], [DECODED, MALFORMED, DECODED])
    give(tally, [4, 5], [SKIPPED, MALFORMED], first=4)
    assert tally.outcomes() == [2, 1, 2]
    rows = [(outcome, count, first) for outcome, _, count, first in tally.rows()]
    assert rows == [(DECODED, 2, 1), (SKIPPED, 1, 4), (MALFORMED, 2, 2)]


def test_interfaces_may_be_described_late():
    tally = Tally()
    give(tally, [1, 2], interfaces=[0, 2])
    give(tally, [3], interfaces=[5])
    assert [tally.of_interface(n) for n in range(7)] == [1, 0, 1, 0, 0, 1, 0]


def test_of_one_interface_that_is_described_all_packets_are():
    tally = Tally()
    give(tally, [1, 2], interfaces=[0, 0], described=1)
    give(tally, [3], interfaces=[2], described=3)
    assert [tally.of_interface(n) for n in range(4)] == [2, 0, 1, 0]


def state(tally):
    rows = tally.rows(), [tally.of_interface(n) for n in range(4)]
    return tally.first, tally.last, tally.jumps, tally.cut, tally._stamps.tolist(), *rows


@pytest.mark.parametrize("seed", range(6))
def test_two_that_share_a_capture_come_to_the_same_wherever_it_is_cut(seed):
    chance = np.random.default_rng(seed)
    steps = np.array([0, NS // 2, -NS, -NS - 1, 3600 * NS, 3600 * NS + 1, -5])
    times = 10**18 + np.cumsum(chance.choice(steps, 40))
    times[chance.random(40) < (0.5, 0.1, 0.9)[seed % 3]] = UNKNOWN_TIME
    outcomes, interfaces = chance.integers(0, 3, 40), np.sort(chance.integers(0, 4, 40))
    cut_short = chance.integers(0, 2, 40)

    def read(start, stop):
        tally = Tally()
        for begin in range(start, stop, 7):
            own = slice(begin, min(begin + 7, stop))
            give(
                tally, times[own], outcomes[own], interfaces[own],
                first=begin + 1, wire=cut_short[own],
            )  # fmt: skip
        return tally

    for cut in range(41):
        tally = read(0, cut)
        tally.absorb(read(cut, 40))
        assert state(tally) == state(read(0, 40)), cut


def test_what_was_absorbed_is_read_on_behind():
    tally, later = Tally(), Tally()
    give(tally, [5 * NS])
    give(later, [6 * NS, 7 * NS], first=2)
    tally.absorb(pickle.loads(pickle.dumps(later)))
    give(tally, [NS], first=4)
    assert (tally.jumps, tally.first, tally.last) == (1, NS, 7 * NS)
