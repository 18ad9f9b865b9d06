"""wardwatch.observe.tally"""

import numpy as np

from wardwatch.decode.columns import DECODED, MALFORMED, SKIPPED, PacketColumns
from wardwatch.model.block import PacketBlock
from wardwatch.model.values import NS, UNKNOWN_TIME
from wardwatch.observe.tally import Tally


def give(tally, times, outcomes=(), interfaces=(), first=1):
    """Let a block of packets without bytes pass."""
    n = len(times)
    columns = PacketColumns.of_size(n)
    columns.outcome[: len(outcomes)] = outcomes
    columns.reason[: len(outcomes)] = outcomes
    where = np.zeros(n, np.int32)
    where[: len(interfaces)] = interfaces
    zeros, wide = np.zeros(n, np.int32), np.zeros(n, np.int64)
    time = np.array(times, np.int64)
    arena = np.zeros(1, np.uint8)
    tally.take(PacketBlock(1, first, n, arena, wide, zeros, wide, time, zeros, where), columns)


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
