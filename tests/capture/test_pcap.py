"""Every variant of pcap is read back, and every way to break one is told with its place."""

from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.capture.making import (
    MICRO,
    MODIFIED,
    NANO,
    SECOND,
    Packet,
    pcap,
    pcap_header,
    pcap_record,
    read,
)

from wardwatch.capture import records
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
