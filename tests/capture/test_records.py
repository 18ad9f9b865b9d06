"""The record kernels, compiled and as plain Python, against the same thing written plainly."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.capture import making, naive

from wardwatch.capture import records
from wardwatch.capture.pcapng import _clock
from wardwatch.capture.records import (
    AT,
    BAD_CAPLEN,
    BAD_INTERFACE,
    BAD_LENGTH,
    BAD_TRAILER,
    BASE,
    BIG,
    CAPTURED,
    COUNT,
    FULL,
    LINK,
    LOOK,
    MORE,
    NOTE_ROOM,
    NOTES,
    ODD,
    ROWS,
    SNAPLEN,
    STATES,
    STATUS,
    STOP,
    TOO_LONG,
    WIRE,
)
from wardwatch.model.values import UNKNOWN_TIME

BOTH = pytest.mark.parametrize("plain", [False, True], ids=["compiled", "py_func"])


def columns(rows):
    return [np.zeros(rows, t) for t in (np.int64, np.int32, np.int64, np.int64, np.int32, np.int32)]


def run_pcap(raw, order="<", header=16, tick=1000, swapped=0, rows=64, plain=False):
    walk = records.walk_pcap.py_func if plain else records.walk_pcap
    state = np.zeros(STATES, np.int64)
    state[STOP], state[BIG] = len(raw), order == ">"
    out = columns(rows)[:4]
    walk(np.frombuffer(raw, np.uint8), header, tick, swapped, state, *out)
    n = int(state[ROWS])
    return list(zip(*(c[:n].tolist() for c in out), strict=True)), state


def run_pcapng(raw, interfaces, order="<", rows=64, room=8, plain=False):
    walk = records.walk_pcapng.py_func if plain else records.walk_pcapng
    table = np.zeros((max(len(interfaces), 1), records.INTERFACE_COLUMNS), np.int64)
    for row, (link, snaplen, resolution, offset) in enumerate(interfaces):
        table[row] = _clock(resolution, offset)
        table[row, LINK], table[row, SNAPLEN] = link, snaplen
    state = np.zeros(STATES, np.int64)
    state[STOP], state[BIG], state[NOTE_ROOM] = len(raw), order == ">", room
    state[BASE], state[COUNT] = 0, len(interfaces)
    out = columns(rows)
    notes = np.zeros(max(room, 1), np.int64)
    walk(np.frombuffer(raw, np.uint8), table, state, *out, notes)
    n = int(state[ROWS])
    found = list(zip(*(c[:n].tolist() for c in out), strict=True))
    return found, state, notes[: state[NOTES]].tolist()


u32 = st.integers(0, 2**32 - 1)
orders = st.sampled_from("<>")
bodies = st.binary(max_size=40)


@BOTH
@settings(max_examples=60, deadline=None)
@given(
    order=orders,
    kind=st.sampled_from([(16, 1000), (16, 1), (24, 1000)]),
    packets=st.lists(st.tuples(bodies, u32, u32, u32), max_size=8),
    cut=st.integers(0, 60),
)
def test_pcap_rows_are_what_the_plain_reading_gives(plain, order, kind, packets, cut):
    header, tick = kind
    raw = b"".join(
        making.pcap_record(d, s, f, wire=w, order=order, modified=header == 24)
        for d, s, f, w in packets
    )
    raw = raw[: max(len(raw) - cut, 0)]
    expected, stopped = naive.pcap_rows(raw, order, header, tick)
    got, state = run_pcap(raw, order, header, tick, plain=plain)
    assert got == expected
    assert (state[AT], state[STATUS]) == (stopped, MORE)
    assert state[CAPTURED] == sum(r[1] for r in expected)
    assert state[WIRE] == sum(r[2] for r in expected)


clocks = st.one_of(st.integers(0, 12), st.integers(0x80, 0x80 + 40))


@BOTH
@settings(max_examples=80, deadline=None)
@given(
    order=orders,
    interfaces=st.lists(
        st.tuples(
            st.integers(0, 65535),
            st.sampled_from([0, 7, 96]),
            clocks,
            st.integers(-1_000_000_000, 1_000_000_000),
        ),
        min_size=1,
        max_size=3,
    ),
    packets=st.lists(
        st.tuples(st.sampled_from("epsx"), bodies, st.integers(0, 2), u32, u32), max_size=8
    ),
    cut=st.integers(0, 60),
)
def test_pcapng_rows_are_what_the_plain_reading_gives(plain, order, interfaces, packets, cut):
    raw = b""
    for kind, data, index, seconds, low in packets:
        index %= len(interfaces)
        resolution = interfaces[index][2]
        unit = 2 ** (resolution & 0x7F) if resolution & 0x80 else 10**resolution
        ticks = (seconds * unit + low % unit) % 2**63
        if kind == "e":
            raw += making.epb(data, index, ticks, wire=low, order=order)
        elif kind == "p":
            raw += making.pb(data, index, ticks, wire=low, order=order)
        elif kind == "s":
            kept = data[: interfaces[0][1]] if interfaces[0][1] else data
            raw += making.spb(kept, wire=len(data), order=order)
        else:
            raw += making.block(0xBAD, making.pad(data), order)
    raw = raw[: max(len(raw) - cut, 0)]
    expected, stopped = naive.pcapng_rows(raw, order, interfaces)
    got, state, _ = run_pcapng(raw, interfaces, order, plain=plain)
    # 292 years from 1970 the clock of an i64 of ns ends.
    expected = [(*r[:3], r[3] if abs(r[3]) < 2**63 else UNKNOWN_TIME, *r[4:]) for r in expected]
    assert got == expected
    assert (state[AT], state[STATUS]) == (stopped, MORE)


@BOTH
@pytest.mark.parametrize(
    ("resolution", "offset", "ticks", "ns"),
    [
        (6, 0, 1_500_000, 1_500_000_000),
        (9, 0, 2**62, 2**62),
        (9, 0, 2**63, UNKNOWN_TIME),
        (9, 1, 2**63 - 1, UNKNOWN_TIME),
        (0, 0, 9_223_372_036, 9_223_372_036 * 10**9),
        (0, 0, 9_223_372_037, UNKNOWN_TIME),
        (0, -5, 3, -2 * 10**9),
        (12, 0, 1_234_999, 1_234),
        (40, 0, 2**62, 0),
        (0x80, 0, 77, 77 * 10**9),
        (0x80, 0, 2**40, UNKNOWN_TIME),
        (0x8A, 0, 1024 + 512, 1_500_000_000),
        (0x80 + 32, 0, (3_000_000_000 << 32) | 2**31, 3_000_000_000_500_000_000),
        (0x80 + 40, 0, 3 << 39, 1_500_000_000),
        (0x80 + 64, 0, 2**63, 500_000_000),
        (0x80 + 65, 0, 2**63, 250_000_000),
        (0x80 + 127, 0, 2**63, 0),
        (6, 2**62, 0, UNKNOWN_TIME),
        (6, -(2**62), 0, UNKNOWN_TIME),
    ],
)
def test_every_clock_a_file_may_name_gives_its_instant(plain, resolution, offset, ticks, ns):
    raw = making.epb(b"", 0, ticks)
    rows, _, _ = run_pcapng(raw, [(1, 0, resolution, offset)], plain=plain)
    assert rows[0][3] == ns


@BOTH
def test_a_full_table_of_rows_stops_the_walk_and_loses_nothing(plain):
    raw = making.pcap_record(b"ab") * 5
    rows, state = run_pcap(raw, rows=3, plain=plain)
    assert (len(rows), state[STATUS], state[AT]) == (3, FULL, 54)
    raw = making.epb(b"ab") * 5
    rows, state, _ = run_pcapng(raw, [(1, 0, 6, 0)], rows=3, plain=plain)
    assert (len(rows), state[STATUS], state[AT]) == (3, FULL, 3 * 36)


@BOTH
def test_lengths_swapped_by_old_writers_are_put_right(plain):
    raw = making.pcap_record(b"ab", caplen=9, wire=2) + making.pcap_record(b"ab", caplen=2, wire=9)
    assert [r[1:3] for r in run_pcap(raw[:18], swapped=2, plain=plain)[0]] == [(2, 9)]
    assert [r[1:3] for r in run_pcap(raw, swapped=1, plain=plain)[0]] == [(2, 9), (2, 9)]


@BOTH
def test_a_stamp_whose_fraction_exceeds_a_second_keeps_its_second_and_is_counted(plain):
    raw = making.pcap_record(b"", 5, 999_999) + making.pcap_record(b"", 5, 1_000_000)
    rows, state = run_pcap(raw, plain=plain)
    assert [r[3] for r in rows] == [5_999_999_000, 5_000_000_000]
    assert state[ODD] == 1


@BOTH
@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (making.block(0xBAD, b"", size=8), BAD_LENGTH),
        (making.block(0xBAD, b"", size=14), BAD_LENGTH),
        (making.block(0xBAD, b"", trailer=16), BAD_TRAILER),
        (making.block(0xBAD, b"", size=records.MAX_BLOCK + 4), LOOK),
        (making.block(6, b"", size=records.MAX_BLOCK + 4), TOO_LONG),
        (making.block(6, b"abcd"), BAD_LENGTH),
        (making.block(3, b""), BAD_LENGTH),
        (making.block(6, bytes(20), trailer=36), BAD_TRAILER),
        (making.epb(b"ab", interface=1), BAD_INTERFACE),
        (making.pb(b"ab", interface=0xFFFF), BAD_INTERFACE),
        (making.epb(b"abcd", caplen=5), BAD_CAPLEN),
        (making.epb(b"abcd", caplen=records.MAX_PACKET + 1), TOO_LONG),
        (making.epb(b"abcd", caplen=2**32 - 1), TOO_LONG),
        (making.spb(b"abcd", wire=5), BAD_CAPLEN),
        (making.shb(), LOOK),
        (making.idb(), LOOK),
        (making.isb(), LOOK),
        (b"\6\0\0\0", MORE),
        (making.epb(b"abcd")[:-1], MORE),
    ],
)
def test_the_walk_says_why_it_stopped_and_stands_before_the_cause(plain, raw, status):
    good = making.epb(b"good")
    rows, state, _ = run_pcapng(good + raw, [(1, 0, 6, 0)], plain=plain)
    assert (len(rows), state[STATUS], state[AT]) == (1, status, len(good))


@BOTH
def test_comments_are_pointed_at_until_no_note_is_left(plain):
    told = making.option(2, b"\0\0\0\0") + making.option(1, b"why") + making.option(1, b"so")
    raw = making.epb(b"abc", options=told + making.end()) * 3
    one = len(raw) // 3
    rows, state, notes = run_pcapng(raw, [(1, 0, 6, 0)], room=4, plain=plain)
    assert [raw[n + 4 : n + 6] for n in notes] == [b"wh", b"so", b"wh", b"so"]
    assert (len(rows), state[STATUS], state[AT]) == (2, FULL, 2 * one)
    rows, state, notes = run_pcapng(raw, [(1, 0, 6, 0)], room=0, plain=plain)
    assert (len(rows), notes) == (3, [])


@BOTH
def test_random_bytes_never_lead_the_walk_out_of_its_window(plain):
    chance = random.Random(7)
    for _ in range(40 if plain else 3_000):
        size = chance.randrange(0, 200)
        raw = bytearray(chance.randbytes(size))
        for at in range(0, size - 8, 4):  # let lengths and kinds be plausible now and then
            if chance.random() < 0.4:
                raw[at : at + 4] = chance.choice([2, 3, 6, 12, 16, 32, 36]).to_bytes(4, "little")
        for result in (
            run_pcapng(bytes(raw), [(1, 0, 6, 0)], plain=plain),
            run_pcap(bytes(raw), plain=plain),
        ):
            rows, state = result[0], result[1]
            assert 0 <= state[AT] <= size
            assert all(r[0] >= 0 and r[1] >= 0 and r[0] + r[1] <= size for r in rows)


def test_every_cut_of_a_capture_ends_where_the_plain_reading_ends():
    raw = b"".join(making.pcap_record(bytes(n), n, n, wire=n + 3) for n in range(0, 60, 7))
    for cut in range(len(raw) + 1):
        expected, stopped = naive.pcap_rows(raw[:cut], "<", 16, 1000)
        got, state = run_pcap(raw[:cut])
        assert (got, state[AT]) == (expected, stopped)
