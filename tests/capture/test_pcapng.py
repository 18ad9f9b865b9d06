"""Every kind of pcapng block is read back, and every way to break one is told with its place."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.capture.making import (
    SECOND,
    Packet,
    block,
    end,
    epb,
    idb,
    isb,
    option,
    pb,
    read,
    shb,
    spb,
)

from wardwatch.capture import pcapng, reader, records
from wardwatch.errors import CaptureError
from wardwatch.model.values import UNKNOWN_TIME

COMMENT, NAME, DESCRIPTION, TSRESOL, FILTER, TSOFFSET = 1, 2, 3, 9, 11, 14


def section(order, interfaces, packets):
    """⇒ bytes of a section of ``(link, resolution, offset)`` and ``(kind, interface, ns, data)``."""
    raw = shb(order)
    for link, resolution, offset in interfaces:
        told = option(TSRESOL, bytes([resolution]), order)
        told += option(TSOFFSET, struct.pack(order + "q", offset), order)
        raw += idb(order, link, options=told + end(order))
    for kind, index, seconds, data in packets:
        resolution, offset = interfaces[index][1:]
        unit = 2 ** (resolution & 0x7F) if resolution & 0x80 else 10**resolution
        ticks = (seconds - offset) * unit
        if kind == "epb":
            raw += epb(data, index, ticks, order=order)
        elif kind == "pb":
            raw += pb(data, index, ticks, order=order)
        elif kind == "spb":
            raw += spb(data, order=order)
        else:
            raw += block(0x0BAD, data + bytes(-len(data) % 4), order)
    return raw


sections = st.lists(
    st.integers(1, 3).flatmap(
        lambda count: st.tuples(
            st.sampled_from("<>"),
            st.lists(
                st.tuples(
                    st.sampled_from([1, 101, 105, 127]),
                    st.sampled_from([0, 3, 6, 9, 0x80, 0x8A, 0xA0]),
                    st.integers(-1000, 1000),
                ),
                min_size=count,
                max_size=count,
            ),
            st.lists(
                st.tuples(
                    st.sampled_from(["epb", "pb", "spb", "other"]),
                    st.integers(0, count - 1),
                    st.integers(1000, 4_000_000_000),
                    st.binary(max_size=60),
                ),
                max_size=6,
            ),
        )
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=60, deadline=None)
@given(sections)
def test_sections_of_either_order_with_interfaces_of_their_own_are_read_back(made):
    raw, expected, links, base = b"", [], [], 0
    for order, interfaces, packets in made:
        raw += section(order, interfaces, packets)
        for kind, index, seconds, data in packets:
            if kind == "other":
                continue
            index = 0 if kind == "spb" else index
            time = UNKNOWN_TIME if kind == "spb" else seconds * SECOND
            number = len(expected) + 1
            link = interfaces[index][0]
            expected.append(Packet(number, data, len(data), time, link, base + index))
        links += [i[0] for i in interfaces]
        base += len(interfaces)
    got, told = read(raw)
    assert got == expected
    assert (told.format, told.damage, told.packets) == ("pcapng", (), len(expected))
    assert [i.link for i in told.interfaces] == links
    assert [i.index for i in told.interfaces] == list(range(base))
    orders = {order for order, _, _ in made}
    assert told.byte_order == (
        "mixed" if len(orders) > 1 else "big" if orders == {">"} else "little"
    )


def test_an_interface_is_described_in_the_files_own_words():
    told = option(NAME, b"eth0") + option(DESCRIPTION, "Wärter".encode())
    told += option(FILTER, b"\0port 67") + option(TSRESOL, b"\x09") + end()
    _, account = read(shb() + idb(link=105, snaplen=96, options=told))
    (interface,) = account.interfaces
    assert (interface.link, interface.snaplen, interface.resolution) == (105, 96, SECOND)
    assert (interface.name, interface.description) == ("eth0", "Wärter")
    assert interface.filter == "port 67"
    assert (interface.received, interface.dropped, interface.os_dropped) == (-1, -1, -1)
    code = option(FILTER, b"\1" + bytes(24)) + end()
    assert read(shb() + idb(options=code))[1].interfaces[0].filter == "3 BPF instructions"


@pytest.mark.parametrize("order", "<>")
def test_an_interfaces_last_counters_hold(order):
    def counters(*pairs):
        return b"".join(option(c, struct.pack(order + "Q", v), order) for c, v in pairs) + end(
            order
        )

    raw = shb(order) + idb(order) + idb(order)
    raw += isb(1, order, counters((4, 10), (5, 1), (7, 3)))
    raw += epb(b"x", 1, order=order) + isb(1, order, counters((4, 20), (5, 2**64 - 1)))
    got, account = read(raw)
    assert len(got) == 1
    assert account.interfaces[0].received == -1
    second = account.interfaces[1]
    assert (second.received, second.dropped, second.os_dropped) == (20, 2**63 - 1, 3)


def test_comments_of_sections_interfaces_packets_and_statistics_are_kept_as_visible_text():
    raw = shb(options=option(COMMENT, b"of the section") + end())
    raw += idb(options=option(COMMENT, b"of the interface") + end())
    raw += epb(b"x", options=option(COMMENT, b"of a\npacket\x1b[2J") + end())
    raw += isb(0, options=option(COMMENT, b"of \xff statistics") + end())
    assert read(raw)[1].comments == (
        "of the section",
        "of the interface",
        "of a\\npacket\\x1b[2J",
        "of \\xff statistics",
    )


def test_comments_are_kept_within_bounds_and_the_packets_all_the_same():
    note = option(COMMENT, b"again") + end()
    long = option(COMMENT, b"w" * 60_000) + end()
    raw = shb() + idb() + epb(b"x", options=long) + epb(b"y", options=note) * 2_000
    got, account = read(raw)
    assert len(got) == 2_001
    assert len(account.comments) == reader.MAX_COMMENTS
    assert len(account.comments[0]) == reader.MAX_TEXT


def test_a_comment_that_claims_more_than_its_packet_shows_nothing_behind_it():
    note = option(COMMENT, b"seen")
    for size in (5, 4_000):
        liar = epb(b"x", options=note + option(COMMENT, b"abcd", size=size))
        got, told = read(shb() + idb() + liar + epb(b"SECRET" * 900))
        assert (len(got), told.comments) == (2, ("seen",))


def test_a_simple_packet_is_cut_at_the_snap_length_and_has_no_time():
    got, told = read(shb() + idb(snaplen=5) + spb(b"abcde", wire=1000))
    assert (got[0].data, got[0].wire, got[0].time) == (b"abcde", 1000, UNKNOWN_TIME)
    assert told.wire_bytes == 1000


def test_a_block_larger_than_the_window_is_passed_over():
    big = block(0x0BAD, bytes(3_000_000))
    got, told = read(shb() + idb() + epb(b"one") + big + epb(b"two"))
    assert [p.data for p in got] == [b"one", b"two"]
    assert told.damage == ()


def test_packets_of_many_windows_are_whole():
    bodies = [bytes([n % 251]) * (n * 997 % 60_000) for n in range(300)]
    got, told = read(shb() + idb() + b"".join(epb(b, ticks=n) for n, b in enumerate(bodies)))
    assert [p.data for p in got] == bodies
    assert [p.time for p in got] == [n * 1000 for n in range(300)]
    assert told.damage == ()


def test_many_interfaces_are_read_up_to_a_bound():
    got, told = read(shb() + b"".join(idb(link=n) for n in range(100)) + epb(b"x", 99))
    assert (got[0].link, got[0].interface) == (99, 99)
    assert len(told.interfaces) == 100
    _, told = read(shb() + idb() * (pcapng.MAX_INTERFACES + 1))
    assert len(told.interfaces) == pcapng.MAX_INTERFACES
    assert "interfaces" in told.damage[0].problem


BEFORE = shb() + idb() + epb(b"good")


@pytest.mark.parametrize(
    ("tail", "said"),
    [
        (b"\6\0\0\0", "ends 4 bytes into a block"),
        (epb(b"cut")[:-1], "36 bytes claimed, 35 present"),
        (isb()[:-1], "24 bytes claimed, 23 present"),
        (shb()[:11], "28 bytes claimed, 11 present"),
        (shb()[:20], "28 bytes claimed, 20 present"),
        (shb()[:8] + b"\1\2\3\4" + shb()[12:], "byte-order magic 0x01020304"),
        (shb(version=(2, 0)), "version 2.0"),
        (block(0x0BAD, b"", size=8), "claims a length of 8"),
        (block(0x0BAD, b"", trailer=16), "two lengths differ"),
        (block(1, b"", trailer=12), "claims a length of 12"),
        (block(1, bytes(8), trailer=16), "two lengths differ"),
        (epb(b"x", interface=1), "names an interface"),
        (spb(b"x", wire=9), "more captured bytes"),
        (epb(b"x", caplen=2**31), "longer than the 262144"),
        (block(6, b"", size=records.MAX_BLOCK + 4), "longer than the 262144"),
        (block(5, b"", size=records.MAX_BLOCK + 4), "longer than the 262144"),
        (block(0x0BAD, b"", size=2**32 - 4), "ends inside a block of 4294967292 bytes"),
        (block(0x0BAD, bytes(2_000_000), trailer=0), "second length differs"),
    ],
)
def test_damage_is_told_with_its_place_and_nothing_before_it_is_lost(tail, said):
    got, told = read(BEFORE + tail)
    assert [p.data for p in got] == [b"good"]
    assert len(told.damage) == 1
    assert said in told.damage[0].problem
    assert told.damage[0].fatal
    assert told.damage[0].offset == len(BEFORE)


def test_a_simple_packet_before_any_interface_is_damage():
    _, told = read(shb() + spb(b"x"))
    assert "names an interface" in told.damage[0].problem


def test_interfaces_of_one_section_do_not_hold_in_the_next():
    got, told = read(shb() + idb() + idb() + shb(">") + idb(">", 105) + epb(b"x", 1, order=">"))
    assert (got, len(told.damage), len(told.interfaces)) == ([], 1, 3)


@pytest.mark.parametrize(
    "odd",
    [
        idb(options=option(NAME, b"abcd", size=99)),
        isb(1),
        isb(9),
        shb(options=option(COMMENT, b"", size=8)),
    ],
)
def test_a_lie_beside_the_packets_is_told_and_reading_goes_on(odd):
    got, told = read(shb() + idb() + odd + idb() + epb(b"good"))
    assert [p.data for p in got] == [b"good"]
    assert [d.fatal for d in told.damage] == [False]


def test_lies_beside_the_packets_are_told_up_to_a_bound():
    _, told = read(shb() + idb() + isb(9) * 1_000)
    assert len(told.damage) == reader.MAX_DAMAGE


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (shb()[:8], "8 present"),
        (shb()[:27], "27 present"),
        (shb(version=(9, 0)), "version 9.0"),
        (shb()[:8] + bytes(20), "byte-order magic"),
    ],
)
def test_a_file_without_a_whole_section_header_is_refused(raw, said):
    with pytest.raises(CaptureError, match=said):
        read(raw)


def test_a_section_alone_is_a_capture_of_no_packets():
    assert read(shb())[1].packets == 0


def test_every_cut_gives_every_whole_packet_before_it():
    parts = [shb(), idb(options=option(NAME, b"eth0") + end()), epb(b"abc"), spb(b"d"), isb()]
    raw = b"".join(parts)
    ends = [sum(len(p) for p in parts[: i + 1]) for i in range(len(parts))]
    for cut in range(len(parts[0]), len(raw) + 1):
        got, told = read(raw[:cut])
        assert len(got) == sum(cut >= e for e in ends[2:4])
        assert bool(told.damage) == (cut not in ends)
