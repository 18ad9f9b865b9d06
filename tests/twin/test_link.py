"""The link lets through what is listed, looks at four frames a tick, and never blocks (C-11, C-12)."""

import random
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wardwatch.twin import link
from wardwatch.twin.link import TO_COMMS, TO_THERAPY, Counts, Frame, Kind, Port

frames = st.builds(
    Frame, st.sampled_from(Kind), st.integers(0, 2**32 - 1), st.binary(max_size=link.BODY)
)


def sealed(raw: bytes) -> bytes:
    return raw + zlib.crc32(raw).to_bytes(4, "big")


@given(frames)
@settings(max_examples=60)
def test_c11_a_frame_is_64_octets_and_reads_back(frame: Frame) -> None:
    raw = link.pack(frame)
    assert len(raw) == 64
    assert link.unpack(raw, frozenset(Kind)) == frame


@given(frames)
@settings(max_examples=60)
def test_c12_a_frame_is_read_in_its_own_direction_only(frame: Frame) -> None:
    raw = link.pack(frame)
    assert isinstance(link.unpack(raw, TO_COMMS), Frame) == (frame.kind < 0x80)
    assert isinstance(link.unpack(raw, TO_THERAPY), Frame) == (frame.kind >= 0x80)


def test_c12_of_256_types_ten_parse_and_five_in_each_direction() -> None:
    read = {TO_COMMS: 0, TO_THERAPY: 0}
    for kind in range(256):
        raw = sealed(bytes([1, kind, 0, 0]) + bytes(56))
        for allowed in read:
            read[allowed] += isinstance(link.unpack(raw, allowed), Frame)
    assert list(read.values()) == [5, 5]


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_hostile_octets_are_refused_under_one_name(raw: bytes) -> None:
    assert link.unpack(raw, TO_THERAPY) in ("length", "crc", "version", "form", "unknown")
    if len(raw) >= 60:
        assert isinstance(link.unpack(sealed(raw[:60]), TO_THERAPY), str | Frame)


good = link.pack(Frame(Kind.ACK, 7, b"abc"))


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (good[:-1], "length"),
        (good + b"\0", "length"),
        (b"", "length"),
        (good[:-1] + bytes([good[-1] ^ 1]), "crc"),
        (sealed(b"\x02" + good[1:60]), "version"),
        (sealed(good[:2] + b"\x35" + good[3:60]), "form"),
        (sealed(good[:3] + b"\x01" + good[4:60]), "form"),
        (sealed(good[:59] + b"\x01"), "form"),
        (sealed(b"\x01\x86" + good[2:60]), "unknown"),
        (sealed(b"\x01\x01" + good[2:60]), "unknown"),
    ],
)
def test_one_named_damage_is_counted_under_exactly_that_name(raw: bytes, name: str) -> None:
    counts, read = link.receive(Counts(), [raw], TO_THERAPY)
    assert read == ()
    assert counts == Counts(**{name: 1})
    assert counts.dropped == 1


@given(st.integers(0, 511), st.integers(1, 255))
@settings(max_examples=60)
def test_no_flipped_octet_gets_through(bit: int, flips: int) -> None:
    raw = bytearray(good)
    raw[bit // 8] ^= flips
    assert link.unpack(bytes(raw), frozenset(Kind)) == "crc"


def test_c11_a_tick_looks_at_four_frames_and_leaves_the_rest() -> None:
    waiting = iter([good] * 9)
    counts, read = link.receive(Counts(), waiting, TO_THERAPY)
    assert (len(read), counts.good, len(list(waiting))) == (4, 4, 5)


def test_gaps_are_counted_and_the_sequence_wraps() -> None:
    raws = [link.pack(Frame(Kind.ACK, seq, b"")) for seq in (2**32 - 1, 0, 1, 5)]
    counts, _ = link.receive(Counts(), raws, TO_THERAPY)
    assert (counts.good, counts.gaps, counts.expected) == (4, 1, 6)


def test_c11_a_full_socket_drops_and_the_other_end_reads_four_a_tick() -> None:
    ours, theirs = link.pair()
    with ours, theirs:
        therapy, comms = Port(ours, TO_THERAPY), Port(theirs, TO_COMMS)
        sent = 0
        while therapy.send(Kind.STATUS, b"x"):
            sent += 1
        assert therapy.unsent == 1
        assert sent > 4
        assert [len(comms.poll()), len(comms.poll())] == [4, 4]
        assert comms.counts.good == 8


def test_c11_an_end_that_is_gone_or_babbles_never_raises() -> None:
    ours, theirs = link.pair()
    draws = random.Random(1)
    with ours:
        therapy = Port(ours, TO_THERAPY)
        with theirs:
            assert therapy.poll() == ()
            for _ in range(8):
                theirs.send(draws.randbytes(draws.randrange(1, 4000)))
            assert therapy.poll() == therapy.poll() == ()
            assert therapy.counts.dropped == 8
        assert therapy.poll() == ()
        assert not therapy.send(Kind.STATUS)
