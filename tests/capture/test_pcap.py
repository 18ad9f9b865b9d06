"""Every variant of pcap is read back, and every way to break one is told with its place."""

import random
from bisect import bisect_left
from io import BytesIO
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.capture.making import (
    MICRO,
    MODIFIED,
    NANO,
    SECOND,
    Packet,
    drain,
    pcap,
    pcap_header,
    pcap_record,
    read,
)

from wardwatch.capture import open_capture, records
from wardwatch.capture.reader import FROM_HERE
from wardwatch.errors import CaptureError

VARIANTS = [
    (MICRO, "pcap", 1000, 1_000_000),
    (NANO, "pcap-ns", 1, 1_000_000_000),
    (MODIFIED, "pcap-modified", 1000, 1_000_000),
]


@pytest.mark.parametrize("order", "<>", ids=["little", "big"])
@pytest.mark.parametrize(("magic", "name", "tick", "resolution"), VARIANTS)
@settings(max_examples=20, deadline=None)
@given(
    packets=st.lists(
        st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 999_999), st.binary(max_size=90)),
        max_size=9,
    ),
    link=st.sampled_from([0, 1, 101, 105, 113, 127, 276]),
)
def test_every_variant_is_read_back(order, magic, name, tick, resolution, packets, link):
    got, told = read(pcap(*packets, order=order, magic=magic, link=link))
    assert got == [
        Packet(i, data, len(data), s * SECOND + f * tick, link, 0)
        for i, (s, f, data) in enumerate(packets, 1)
    ]
    assert (told.format, told.damage, told.packets) == (name, (), len(packets))
    assert told.byte_order == ("little" if order == "<" else "big")
    assert told.captured_bytes == told.wire_bytes == sum(len(d) for _, _, d in packets)
    assert [(i.index, i.link, i.resolution) for i in told.interfaces] == [(0, link, resolution)]


def test_a_cut_packet_keeps_the_length_it_had_on_the_wire():
    got, told = read(pcap_header() + pcap_record(b"abc", wire=1500))
    assert (got[0].data, got[0].wire) == (b"abc", 1500)
    assert (told.captured_bytes, told.wire_bytes) == (3, 1500)


def test_the_bits_that_tell_of_a_check_sequence_are_not_part_of_the_link_type():
    _, told = read(pcap((1, 1, b""), link=0x1400_0000 | 105))
    assert told.interfaces[0].link == 105


@pytest.mark.parametrize("version", [(2, 2), (2, 3)])
def test_files_older_than_the_format_have_their_lengths_swapped_back(version):
    raw = pcap_header(version=version) + pcap_record(b"abc", caplen=60, wire=3)
    got, _ = read(raw)
    assert (got[0].data, got[0].wire) == (b"abc", 60)


def test_packets_of_many_blocks_keep_their_numbers():
    got, told = read(pcap(*((n, 0, n.to_bytes(3, "big")) for n in range(40_000))))
    assert [p.number for p in got] == list(range(1, 40_001))
    assert all(p.data == (p.number - 1).to_bytes(3, "big") for p in got)
    assert told.packets == 40_000


def test_packets_of_many_windows_are_whole():
    bodies = [bytes([n % 251]) * (n * 997 % 60_000) for n in range(300)]
    got, told = read(pcap(*((n, n, body) for n, body in enumerate(bodies))))
    assert [p.data for p in got] == bodies
    assert (told.damage, told.captured_bytes) == ((), sum(map(len, bodies)))


def test_a_packet_of_the_greatest_length_is_read():
    body = bytes(records.MAX_PACKET)
    got, told = read(pcap((1, 1, body), (2, 2, b"last")))
    assert [len(p.data) for p in got] == [records.MAX_PACKET, 4]
    assert told.damage == ()


WHOLE = pcap((1, 1, b"first"), (2, 2, b"second"))


@pytest.mark.parametrize(
    ("tail", "packets", "offset", "said"),
    [
        (b"\1", 2, len(WHOLE), "1 bytes into the header of packet 3"),
        (pcap_record(b"third")[:15], 2, len(WHOLE), "15 bytes into the header of packet 3"),
        (pcap_record(b"third")[:16], 2, len(WHOLE), "5 bytes claimed, 0 present"),
        (pcap_record(b"third")[:-1], 2, len(WHOLE), "5 bytes claimed, 4 present"),
        (pcap_record(b"x", caplen=262_145), 2, len(WHOLE), "claims 262145 captured bytes"),
        (pcap_record(b"x", caplen=2**32 - 1), 2, len(WHOLE), "claims 4294967295 captured bytes"),
    ],
)
def test_damage_is_told_with_its_place_and_nothing_before_it_is_lost(tail, packets, offset, said):
    got, told = read(WHOLE + tail)
    assert [p.data for p in got] == [b"first", b"second"]
    assert told.packets == packets
    assert [(d.offset, d.fatal) for d in told.damage] == [(offset, True)]
    assert said in told.damage[0].problem


def test_a_stamp_that_cannot_be_is_told_and_reading_goes_on():
    got, told = read(pcap((5, 1_000_000, b"a"), (6, 1, b"b")))
    assert [p.time for p in got] == [5 * SECOND, 6 * SECOND + 1000]
    assert [d.fatal for d in told.damage] == [False]


@pytest.mark.parametrize("length", range(4, 24))
def test_a_header_that_is_cut_is_refused_with_one_line(length):
    with pytest.raises(CaptureError, match="ends after") as caught:
        read(WHOLE[:length])
    assert "\n" not in str(caught.value)


def test_a_version_nobody_described_is_refused():
    with pytest.raises(CaptureError, match=r"version 3\.4"):
        read(pcap_header(version=(3, 4)))
    assert read(pcap_header(version=(543, 0)) + pcap_record(b"a"))[1].packets == 1


def test_a_header_alone_is_a_capture_of_no_packets():
    assert read(pcap_header())[1].packets == 0


def test_every_cut_gives_every_whole_packet_before_it():
    raw = pcap((1, 1, b"first"), (2, 2, b""), (3, 3, b"third!"))
    ends = [24, 24 + 21, 24 + 37, len(raw)]
    for cut in range(24, len(raw) + 1):
        got, told = read(raw[:cut])
        assert len(got) == sum(cut >= e for e in ends) - 1
        assert bool(told.damage) == (cut not in ends)


def test_a_block_borrows_from_the_window_and_tells_the_rows_that_count():
    from wardwatch.capture.sniff import open_stream

    (block,) = open_stream(BytesIO(WHOLE), "x", 7)
    assert (block.capture, block.first, block.n) == (7, 1, 2)
    at, size = int(block.offset[1]), int(block.length[1])
    assert block.arena[at : at + size].tobytes() == b"second"
    assert block.arena.flags.c_contiguous


def opened(path):
    reader = open_capture(path)
    reader.hash_not()
    return reader


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    """Some MB of records, and where they begin, the end too."""
    dice, path = random.Random(3), tmp_path_factory.mktemp("pcap") / "long.pcap"
    records = [
        pcap_record(dice.randbytes(dice.randrange(40, 1500)), 5 + n // 9, n % 7)
        for n in range(6000)
    ]
    path.write_bytes(pcap_header() + b"".join(records))
    return path, [24, *(24 + end for end in accumulate(map(len, records)))]


def test_a_reader_begins_in_the_middle_and_another_goes_on_behind_it(long) -> None:
    path, begins = long
    with opened(path) as reader:
        whole, told = drain(reader)
    for at in (begins[1], begins[2500], begins[2500] - 7, begins[2501] - 1):
        with opened(path) as reader:
            cut = reader.begins_near(at)
        assert cut == begins[bisect_left(begins, at)]
        with opened(path) as first, opened(path) as second:
            first.pause(cut)
            before = 0
            while first.offset < cut:
                before += next(iter(first)).n
            assert (first.offset, before) == (cut, begins.index(cut))
            second.begin_at(cut)
            place, behind = second.place, []
            for block in second:
                behind += [(block.first + i, int(block.time[i])) for i in range(block.n)]
                place = second.place
            assert behind == [(p.number - before + FROM_HERE, p.time) for p in whole[before:]]
            first.go_to(first.place.followed_by(place))
            assert drain(first) == ([], told)


def test_where_no_record_ends_there_is_no_pause(long) -> None:
    path, begins = long
    with opened(path) as reader:
        _, told = drain(reader)
    for at in (3, 24, begins[9] + 5, begins[-1], begins[-1] + 1):
        with opened(path) as reader:
            reader.pause(at)
            assert drain(reader)[1] == told
    with opened(path) as reader:
        reader.pause(begins[9] + 5)
        assert next(iter(reader)).n == 9
        assert sum(block.n for block in reader) == 6000 - 9


def test_what_is_told_from_the_middle_meets_the_damage_behind(long, tmp_path) -> None:
    path, begins = long
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(path.read_bytes()[: begins[-1] - 20])
    with opened(cut) as reader:
        _, told = drain(reader)
    with opened(cut) as first, opened(cut) as second:
        first.pause(begins[100])
        while first.offset < begins[100]:
            next(iter(first))
        second.begin_at(begins[100])
        while (block := next(iter(second), None)) is not None:
            assert block.n
            place = second.place
        first.go_to(first.place.followed_by(place))
        assert drain(first) == ([], told)
    assert "inside packet 6000" in told.damage[0].problem


def test_lengths_that_may_be_either_tell_no_middle(long, tmp_path) -> None:
    path, _ = long
    old = tmp_path / "old.pcap"
    old.write_bytes(pcap_header(version=(2, 3)) + path.read_bytes()[24:])
    with opened(old) as reader:
        assert reader.begins_near(100_000) == -1
    with opened(path) as reader:
        assert reader.begins_near(path.stat().st_size - 5_000) == -1
