"""wardwatch.decode.stream"""

import random
import tracemalloc
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wardwatch.decode import stream as s
from wardwatch.decode.kernels.young import TOLD
from wardwatch.decode.stream import ACK, FIN, RST, SYN, Chunk, Gap, Pool, Stream
from wardwatch.observe.where import Where

BASE = 0xFFFFFFF0  # so that every test crosses the wrap of sequence numbers


def opened(pool: Pool | None = None) -> Stream[int]:
    stream: Stream[int] = Stream(pool)
    assert stream.feed(BASE - 1, SYN, b"", 0) == []
    return stream


def say(stream: Stream[int], offset: int, data: bytes, mark: int = 1, flags: int = ACK) -> list:
    return stream.feed((BASE + offset) & 0xFFFFFFFF, flags, data, mark)


def ack(stream: Stream[int], offset: int, mark: int = 9) -> list:
    return stream.acked((BASE + offset) & 0xFFFFFFFF, mark)


def text(pieces: list) -> bytes:
    return b"".join(p.data for p in pieces if isinstance(p, Chunk))


def counters(stream: Stream[int]) -> tuple[int, int, int, int]:
    return stream.missed, stream.overlaps, stream.retransmissions, stream.reordered


def test_bytes_in_order_come_out_with_their_mark() -> None:
    stream = opened()
    assert say(stream, 0, b"abc", 7) == [Chunk(0, b"abc", 7)]
    assert say(stream, 3, b"de", 8) == [Chunk(3, b"de", 8)]
    assert stream.whole and counters(stream) == (0, 0, 0, 0)


def test_a_late_segment_is_put_in_its_place() -> None:
    stream = opened()
    assert say(stream, 3, b"def", 1) == []
    assert not stream.whole
    assert say(stream, 0, b"abc", 2) == [Chunk(0, b"abc", 2), Chunk(3, b"def", 1)]
    assert stream.whole and counters(stream) == (0, 0, 0, 1)


def test_the_same_bytes_again_are_a_retransmission() -> None:
    stream = opened()
    say(stream, 0, b"abcdef")
    assert say(stream, 2, b"cdef") == []
    assert counters(stream) == (0, 0, 1, 0)
    assert stream.anomalies == []


def test_a_retransmission_with_more_brings_the_rest() -> None:
    stream = opened()
    say(stream, 0, b"abc")
    assert say(stream, 1, b"bcde", 4) == [Chunk(3, b"de", 4)]
    assert counters(stream) == (0, 0, 1, 0)


def test_different_bytes_for_the_same_place_are_named_and_the_first_win() -> None:
    stream = opened()
    out = say(stream, 0, b"USER alice")
    out += say(stream, 5, b"mallory", 6)
    assert text(out) == b"USER alicery"
    assert stream.overlaps == 1
    ((anomaly, mark),) = stream.anomalies
    assert (anomaly.fault, mark) == (s.OVERLAP, 6)
    assert (anomaly.span.start, anomaly.span.stop) == (5, 10)


def test_different_bytes_are_named_while_they_are_held_too() -> None:
    stream = opened()
    say(stream, 5, b"held!")
    assert say(stream, 4, b"xHELDy") == []
    assert stream.overlaps == 1
    assert text(say(stream, 0, b"0123")) == b"0123xheld!"


def test_anomalies_of_one_stream_are_bounded_and_still_counted() -> None:
    stream = opened()
    say(stream, 0, b"a" * 64)
    for _ in range(3 * s.ANOMALIES):
        say(stream, 0, b"b" * 64)
    assert len(stream.anomalies) == s.ANOMALIES
    assert stream.overlaps == 3 * s.ANOMALIES


def test_a_hole_the_other_side_acknowledged_is_a_gap() -> None:
    stream = opened()
    say(stream, 0, b"ab")
    assert say(stream, 6, b"gh", 3) == []
    assert ack(stream, 5) == []
    assert ack(stream, 8) == [Gap(2, 4, 9), Chunk(6, b"gh", 3)]
    assert counters(stream) == (4, 0, 0, 0)
    assert not stream.whole


def test_an_acknowledgement_of_the_holes_last_byte_is_enough() -> None:
    stream = opened()
    say(stream, 6, b"gh", 3)
    assert ack(stream, 5) == []
    assert ack(stream, 6) == [Gap(0, 6, 9), Chunk(6, b"gh", 3)]


def test_only_the_wanted_part_of_a_hole_is_missing() -> None:
    stream = opened()
    say(stream, 50, b"held")
    stream.skip_to(10)
    assert ack(stream, 54) == [Gap(10, 40, 9), Chunk(50, b"held", 1)]
    assert stream.missed == 40


def test_a_hole_nobody_acknowledged_waits_for_the_end() -> None:
    stream = opened()
    say(stream, 4, b"ef", 2)
    assert stream.finish(5) == [Gap(0, 4, 5), Chunk(4, b"ef", 2)]


def test_an_acknowledged_tail_that_never_came_is_missing() -> None:
    stream = opened()
    say(stream, 0, b"ab")
    ack(stream, 12)
    assert not stream.whole
    assert stream.finish(5) == [Gap(2, 9, 5)]  # one of the ten may be the FIN


def test_the_fin_takes_a_sequence_number_and_ends_the_stream() -> None:
    stream = opened()
    say(stream, 0, b"ab", flags=FIN | ACK)
    assert stream.ended
    assert ack(stream, 3) == []
    assert stream.finish(5) == []
    assert stream.whole


def test_a_fin_before_a_hole_does_not_end_the_stream_yet() -> None:
    stream = opened()
    say(stream, 2, b"cd", flags=FIN)
    assert not stream.ended
    say(stream, 0, b"ab")
    assert stream.ended


def test_a_stream_seen_from_its_middle_says_so() -> None:
    stream: Stream[int] = Stream()
    assert stream.feed(1000, ACK, b"mid", 1) == [Chunk(0, b"mid", 1)]
    assert not stream.from_syn and not stream.whole
    assert stream.feed(990, ACK, b"0123456789", 2) == []  # what lay before is gone


def test_data_on_the_syn_begins_behind_it() -> None:
    stream: Stream[int] = Stream()
    assert stream.feed(41, SYN, b"fast", 1) == [Chunk(0, b"fast", 1)]
    assert stream.feed(46, ACK, b"!", 2) == [Chunk(4, b"!", 2)]


def test_the_text_of_a_reset_is_no_data() -> None:
    stream = opened()
    assert say(stream, 0, b"go away", flags=RST) == []
    assert stream.next == 0


def test_a_keep_alive_is_neither_data_nor_an_overlap() -> None:
    stream = opened()
    say(stream, 0, b"abc")
    assert say(stream, 2, b"\0") == []
    assert counters(stream) == (0, 0, 0, 0)


def test_what_a_snap_length_cut_off_is_a_gap_at_once() -> None:
    stream = opened()
    out = stream.feed(BASE, ACK, b"abc", 1, claimed=10)
    assert out == [Chunk(0, b"abc", 1), Gap(3, 7, 1)]
    assert say(stream, 10, b"x", 2) == [Chunk(10, b"x", 2)]
    assert stream.missed == 7


def test_unwanted_bytes_do_not_come_out_and_need_not_be_fed() -> None:
    stream = opened()
    say(stream, 0, b"head")
    stream.skip_to(1000)
    assert stream.unwanted() == ((BASE + 4) & 0xFFFFFFFF, (BASE + 1000) & 0xFFFFFFFF)
    assert say(stream, 4, b"x" * 96) == []
    # the caller leaves out 100..900 as it was told
    assert say(stream, 900, b"y" * 102, 5) == [Chunk(1000, b"yy", 5)]
    assert stream.unwanted() is None
    assert counters(stream) == (0, 0, 0, 0)


def test_bytes_held_before_the_skip_are_dropped_with_it() -> None:
    stream = opened()
    say(stream, 50, b"held" * 5)
    stream.skip_to(100)
    assert text(say(stream, 120, b"later", 2)) == b""
    assert text(say(stream, 100, b"x" * 20, 3)) == b"x" * 20 + b"later"


def test_a_hole_too_wide_is_given_up_and_named() -> None:
    stream = opened()
    out = []
    for k in range(s.HELD_BYTES // 1024 + 1):
        out += say(stream, 10 + 1024 * k, b"z" * 1024)
    assert out[0] == Gap(0, 10, 1)
    assert stream.anomalies[0][0].fault is s.BUFFER_FULL
    assert stream.buffered == 4 * (1024 + s.RECENT_COST)


def test_a_flood_of_tiny_pieces_is_bounded_by_their_number() -> None:
    stream = opened()
    for k in range(2 * s.HELD_SEGMENTS):
        say(stream, 10 + 2 * k, b"z")
    assert len(stream._held) <= s.HELD_SEGMENTS + 1


def test_a_piece_is_counted_with_what_it_costs_beside_its_data() -> None:
    pool = Pool()
    stream = opened(pool)
    for k in (2, 0, 1):
        say(stream, 10 + 2 * k, b"z")
    assert pool.used == stream.held == stream.buffered == 3 * (1 + s.HELD_COST)
    say(stream, 0, b"0123456789")
    assert pool.used == stream.held == 2 * (1 + s.HELD_COST)
    assert stream.buffered == stream.held + 10 + 1 + 2 * s.RECENT_COST
    stream.drop()
    assert pool.used == stream.held == stream.buffered == 0


def test_delivered_octets_are_counted_with_what_they_cost_whichever_way_they_came() -> None:
    one, two = opened(), opened()
    other: Stream[int] = Stream()
    for k in range(2 * s.HELD_SEGMENTS):
        say(one, k, b"z")
        assert two.go_on((BASE + k) & 0xFFFFFFFF, b"z", other) == k
        assert one.buffered == two.buffered == min(k + 1, s.HELD_SEGMENTS) * (1 + s.RECENT_COST)


def where(number: int) -> Where:
    """A packet as sessions cite it; packets of one conversation share its texts."""
    mac, ip = "00:1a:01:00:00:41", "10.1.2.3"
    return Where(
        1, 1_000_000 + number, 10**18 + number, "vlan 120", mac, mac, ip, 50_000, ip, 23, 2**33, 64, True
    )  # fmt: skip


def memory(count: int, piece: Callable[[int], object]) -> float:
    """Octets of memory that each of so many calls leaves in use."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(count):
            piece(number)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return (after - before) / count


def test_held_octets_take_no_more_memory_than_is_counted() -> None:
    stream: Stream[Where] = Stream()
    each = memory(
        s.HELD_SEGMENTS,
        lambda k: stream.feed(BASE - 5_000 + 2 * k + (k > 0) * 1_000, ACK, b"z", where(k)),
    )
    assert len(stream._held) == s.HELD_SEGMENTS - 1
    assert s.HELD_COST / 2 < each < s.HELD_COST


def test_octets_that_wait_with_what_a_kernel_told_take_no_more_than_is_counted() -> None:
    stream: Stream[bytes] = Stream()
    other: Stream[bytes] = Stream()
    stream.begin(BASE - 5_001)
    each = memory(
        s.HELD_SEGMENTS,
        lambda k: stream.wait(BASE - 4_000 + 2 * k, b"z", bytes(8 * TOLD), other),
    )
    assert len(stream._held) == s.HELD_SEGMENTS
    assert s.HELD_COST / 2 < each < s.HELD_COST


def test_delivered_octets_take_no_more_memory_than_is_counted() -> None:
    stream = opened()
    say(stream, 0, bytes(100_000))  # of small numbers Python has one each
    pairs = [(n, n) for n in range(5_000)]  # and of pairs that were freed some thousands
    each = memory(s.HELD_SEGMENTS, lambda k: say(stream, 100_000 + k, b"z"))
    assert stream.buffered == s.HELD_SEGMENTS * (1 + s.RECENT_COST)
    assert s.RECENT_COST / 2 < each < s.RECENT_COST
    del pairs


def test_all_streams_share_one_pool() -> None:
    pool = Pool(limit=5000)
    streams = [opened(pool) for _ in range(8)]
    for stream in streams:
        say(stream, 5, b"z" * 1000)
    assert pool.used <= 5000
    for stream in streams:
        stream.drop()
    assert pool.used == 0


def test_nothing_is_held_that_lies_beyond_any_window() -> None:
    stream = opened()
    assert say(stream, s.WINDOW + 1, b"far") == []
    assert stream.out_of_window == 1 and stream.buffered == 0


def test_a_late_syn_still_proves_the_beginning() -> None:
    stream: Stream[int] = Stream()
    stream.feed(BASE, ACK, b"abc", 1)
    stream.feed(BASE - 1, SYN, b"", 2)
    assert stream.from_syn


cuts = st.lists(st.integers(0, 200), min_size=0, max_size=12)


@settings(max_examples=150, deadline=None)
@given(st.binary(min_size=1, max_size=200), cuts, cuts, st.randoms(use_true_random=False))
def test_whatever_the_order_and_the_cuts_the_bytes_come_out_once(
    data: bytes, one: list[int], other: list[int], chance: random.Random
) -> None:
    segments = [*pieces_of(data, one), *pieces_of(data, other)]
    chance.shuffle(segments)
    stream = opened()
    out = []
    for start, stop in segments:
        out += say(stream, start, data[start:stop])
    assert text(out) == data
    assert [p.start for p in out] == [sum(len(q.data) for q in out[:k]) for k in range(len(out))]
    assert stream.whole and not stream.missed and not stream.overlaps


@settings(max_examples=150, deadline=None)
@given(st.binary(min_size=1, max_size=120), cuts, st.data())
def test_what_comes_out_and_what_is_missing_make_up_the_whole(
    data: bytes, where: list[int], draw: st.DataObject
) -> None:
    segments = pieces_of(data, where)
    kept = draw.draw(st.lists(st.sampled_from(segments), unique=True))
    stream = opened()
    out = []
    for start, stop in kept:
        out += say(stream, start, data[start:stop])
    say(stream, len(data), b"", flags=FIN)
    out += stream.finish(0)
    rebuilt = bytearray()
    for piece in out:
        assert piece.start == len(rebuilt)
        rebuilt += piece.data if isinstance(piece, Chunk) else bytes(piece.length)
    expected = bytearray(len(data))
    for start, stop in kept:
        expected[start:stop] = data[start:stop]
    assert rebuilt == expected
    assert stream.missed == len(data) - sum(stop - start for start, stop in kept)


def pieces_of(data: bytes, where: list[int]) -> list[tuple[int, int]]:
    marks = sorted({0, len(data), *(k % len(data) for k in where)})
    return list(pairwise(marks))


def test_every_fault_is_listed() -> None:
    assert set(s.FAULTS) == {s.OVERLAP, s.BUFFER_FULL}


@pytest.mark.parametrize("seed", range(20))
def test_hostile_segments_neither_raise_nor_grow(seed: int) -> None:
    chance = random.Random(seed)
    pool = Pool(limit=20_000)
    stream: Stream[int] = Stream(pool)
    for number in range(400):
        seq = (BASE + chance.choice((0, 1, 10, 100, 5000, 2**31, 2**32 - 5))) & 0xFFFFFFFF
        seq = (seq + chance.randrange(300)) & 0xFFFFFFFF
        data = bytes(chance.randrange(200))
        stream.feed(seq, chance.randrange(64), data, number, chance.randrange(400))
        if chance.random() < 0.3:
            stream.acked((seq + chance.randrange(600)) & 0xFFFFFFFF, number)
        if chance.random() < 0.05:
            stream.skip_to(stream.next + chance.randrange(1000))
    stream.finish(0)
    stream.drop()
    assert pool.used == 0


def test_a_stream_is_over_when_nothing_before_its_fin_is_wanted() -> None:
    stream = opened()
    say(stream, 0, b"head")
    stream.skip_to(1000)
    assert stream.wanted == 1000
    stream.feed((BASE + 1001) & 0xFFFFFFFF, FIN, b"", 0)
    assert not stream.ended and not stream.over
    stream.skip_to(1001)
    assert stream.over and not stream.ended
    assert not opened().over


def test_a_stream_goes_on_from_what_others_have_read() -> None:
    read, told = opened(), opened()
    for n in range(3):
        say(read, n * 2_000, b"x" * 2_000, n)
    ack(read, 5_000)
    read.skip_to(6_500)
    read.feed((BASE + 6_400) & 0xFFFFFFFF, FIN, b"", 3)
    recent = [(2_000, b"x" * 2_000), (4_000, b"x" * 2_000)]
    told.go_on_from(6_000, 6_500, 5_000, 6_400, recent)
    names = [name for name in Stream.__slots__ if name != "_pool"]
    assert [getattr(read, n) for n in names] == [getattr(told, n) for n in names]


@pytest.mark.parametrize("seed", range(40))
def test_going_on_is_feeding(seed: int) -> None:
    chance = random.Random(seed)
    one, two = opened(), opened()
    back, again = opened(), opened()  # the other direction
    went_on = 0
    for n in range(60):
        if chance.random() < 0.5:
            seq = (BASE + back.next + chance.choice((0, 0, 0, 3))) & 0xFFFFFFFF
            assert back.feed(seq, ACK, b"cd", n) == again.feed(seq, ACK, b"cd", n)
        reached = (BASE + back.next + chance.choice((0, 0, 0, 1, -2, 7))) & 0xFFFFFFFF
        near = one.next + chance.choice((0,) * 16 + (1, -1, 5, -5))
        seq = (BASE + near) & 0xFFFFFFFF
        data = bytes(chance.choices(b"ab", k=chance.choice((0, 1, 8, 3_000))))
        place = one.go_on(seq, data, back, reached)
        if place < 0:
            assert back.acked(reached, n) == again.acked(reached, n)
            flags = ACK | FIN if n > 40 and chance.random() < 0.2 else ACK
            assert one.feed(seq, flags, data, n) == two.feed(seq, flags, data, n)
        else:
            went_on += 1
            assert again.acked(reached, n) == []  # nothing waits, so that nothing comes out
            assert two.feed(seq, ACK, data, n) == [Chunk(place, data, n)]
        if chance.random() < 0.1:
            place = one.next + chance.randrange(40)
            one.skip_to(place)
            two.skip_to(place)
        if chance.random() < 0.2:
            reached = one.next + chance.choice((-3, 0, 4))
            assert ack(one, reached) == ack(two, reached)
        state = [name for name in Stream.__slots__ if name != "_pool"]
        assert [getattr(one, s) for s in state] == [getattr(two, s) for s in state]
        assert [getattr(back, s) for s in state] == [getattr(again, s) for s in state]
    assert went_on > 3


def test_waiting_is_feeding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both directions, with holes, repetitions and overlaps, close to every bound."""
    waited = repeated = went_on = 0
    for seed in range(60):
        chance = random.Random(seed)
        monkeypatch.setattr(s, "HELD_SEGMENTS", chance.choice((4, 256)))
        monkeypatch.setattr(s, "HELD_BYTES", chance.choice((60, 256 * 1024)))
        ways = fed_in_both_ways(chance)
        waited, repeated, went_on = waited + ways[0], repeated + ways[1], went_on + ways[2]
    assert waited > 1_000 and repeated > 30 and went_on > 100


def fed_in_both_ways(chance: random.Random) -> tuple[int, int, int]:
    """How many segments of two streams waited, were held already, went on before some that wait."""
    limit = chance.choice((2 * s.HELD_COST, 9 * s.HELD_COST, 1 << 20))
    sides = [(opened(pool), opened(pool)) for pool in (Pool(limit), Pool(limit))]
    said = bytes(chance.choices(b"ab", k=100))
    waited = repeated = went_on = 0
    for n in range(120):
        side = int(chance.random() < 0.5)
        one, two = sides[0][side], sides[1][side]
        back, again = sides[0][1 - side], sides[1][1 - side]
        at = one.next + chance.choice(
            (0, 0, 1, 2, 2, 3, 5, 8, 13, 21, -1, -4, s.WINDOW, 2 * s.WINDOW)
        )
        data = said[at % 80 :][: chance.choice((0, 1, 1, 1, 2, 5))]
        if chance.random() < 0.05:
            data = data.swapcase()
        seq = (BASE + at) & 0xFFFFFFFF
        far = back._held[0].start if back._held and chance.random() < 0.1 else back.next
        reached = chance.choice((-1, (BASE + far + chance.choice((0, 0, 0, -2, 1))) & 0xFFFFFFFF))
        out = again.acked(reached, n) if reached >= 0 else []
        flags = ACK | FIN if chance.random() < 0.02 else ACK
        came = two.feed(seq, flags, data, n)
        before, place = sides[0][0]._pool.used, -1
        held = one.held
        if flags == ACK:
            place = one.go_on(seq, data, back, reached)
            took = one.wait(seq, data, n, back, reached) if place < 0 else -1
        if flags == ACK and place >= 0:
            went_on += bool(one._held)
            assert (out, came) == ([], [Chunk(place, data, n)])
        elif flags == ACK and took >= 0:
            waited += took > 0
            repeated += not took
            assert not out and not came and took == one.held - held
            assert one._pool.used == before + took
        else:
            assert out == (back.acked(reached, n) if reached >= 0 else [])
            assert came == one.feed(seq, flags, data, n)
        if chance.random() < 0.03:
            place = one.next + chance.randrange(9)
            one.skip_to(place)
            two.skip_to(place)
        state = [name for name in Stream.__slots__ if name != "_pool"]
        assert [getattr(one, s) for s in state] == [getattr(two, s) for s in state]
        assert [getattr(back, s) for s in state] == [getattr(again, s) for s in state]
        assert one._pool.used == two._pool.used
    return waited, repeated, went_on
