"""Bytes come plain or packed, from files and slow pipes, in bounded memory; damage is told."""

import gzip
import hashlib
import lzma
import random
import struct
import tracemalloc
from io import BytesIO

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from wardwatch.capture.source import Source, Stored

PACKERS = {
    "none": bytes,
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,
}
PACKED = [name for name in PACKERS if name != "none"]
TEXT = b"ward " * 50_000 + random.Random(1).randbytes(70_000)


class Drops:
    """A pipe that gives a few bytes a time."""

    def __init__(self, raw, most):
        self._inner, self._most = BytesIO(raw), most

    def readinto(self, view):
        return self._inner.readinto(view[: self._most])


class Failing(BytesIO):
    """A disk that fails once it has given what it could."""

    def readinto(self, view):
        n = super().readinto(view)
        if not n:
            raise OSError(5, "Input/output error")
        return n


def everything(stream, piece=65_536):
    source = Source(Stored(stream, "x"))
    view, out = memoryview(bytearray(piece)), []
    while n := source.readinto(view):
        out.append(bytes(view[:n]))
    return b"".join(out), source


@pytest.mark.parametrize("kind", PACKERS)
def test_what_was_packed_comes_out_and_the_stored_file_is_what_is_hashed(kind):
    packed = PACKERS[kind](TEXT)
    out, source = everything(BytesIO(packed))
    assert (out, source.compression, source.damage) == (TEXT, kind, ())
    assert source.given == len(TEXT)
    assert source.stored.sha256 == hashlib.sha256(packed).hexdigest()
    assert source.stored.count == len(packed)


@pytest.mark.parametrize("kind", PACKERS)
@settings(max_examples=25, deadline=None)
@given(
    parts=st.lists(st.binary(min_size=6, max_size=200), min_size=1, max_size=3),
    most=st.integers(1, 50),
    piece=st.integers(1, 70),
)
def test_members_one_behind_the_other_are_one_stream_however_it_drips(kind, parts, most, piece):
    packed = b"".join(PACKERS[kind](part) for part in parts)
    out, source = everything(Drops(packed, most), piece)
    if source.compression == kind:  # random bytes may look packed
        assert (out, source.damage) == (b"".join(parts), ())


@pytest.mark.parametrize("kind", PACKED)
def test_a_packed_stream_cut_anywhere_gives_its_beginning_and_says_so(kind):
    body = random.Random(2).randbytes(300)
    packed = PACKERS[kind](body)
    for cut in range(6, len(packed)):
        out, source = everything(BytesIO(packed[:cut]))
        assert body.startswith(out)
        assert [(d.offset, d.fatal) for d in source.damage] == [(len(out), True)], cut
        assert kind in source.damage[0].problem
        assert "breaks off" in source.damage[0].problem


@pytest.mark.parametrize("kind", PACKED)
def test_a_packed_stream_broken_in_the_middle_gives_its_beginning_and_says_so(kind):
    packed = bytearray(PACKERS[kind](TEXT))
    packed[len(packed) // 2] ^= 0x55
    out, source = everything(BytesIO(bytes(packed)))
    assert len(source.damage) == 1
    assert "is damaged" in source.damage[0].problem
    assert source.damage[0].offset == len(out)
    # Without a check sum behind every block a flipped byte may pass for a while.
    same = next((i for i, (a, b) in enumerate(zip(out, TEXT, strict=False)) if a != b), len(out))
    assert same > 0


def test_what_gzip_gave_before_a_wrong_check_sum_or_a_broken_code_is_not_lost():
    packed = gzip.compress(TEXT)
    out, source = everything(BytesIO(packed[:-8] + bytes(8)), piece=1 << 20)
    assert out == TEXT
    assert [(d.offset, "is damaged" in d.problem) for d in source.damage] == [(len(TEXT), True)]
    # RFC 1951 §3.2.4: a stored block, and then a block of the reserved type 3
    stored = b"\0" + struct.pack("<HH", 60_000, 5_535) + TEXT[:60_000] + b"\x07"
    out, _ = everything(BytesIO(packed[:10] + stored + bytes(100)), piece=1 << 20)
    assert out == TEXT[:60_000]


def test_what_xz_gave_before_a_wrong_check_sum_is_lost_by_a_step_at_most():
    packed = bytearray(lzma.compress(TEXT))
    packed[packed.rindex(b"YZ") - 24] ^= 0xFF  # in the check sum behind the only block
    out, source = everything(BytesIO(bytes(packed)), piece=1 << 20)
    assert source.damage and TEXT.startswith(out) and len(TEXT) - len(out) <= 4096


@pytest.mark.parametrize("kind", PACKED)
def test_foreign_bytes_behind_a_packed_stream_are_told_and_zeros_are_padding(kind):
    out, source = everything(BytesIO(PACKERS[kind](b"ward" * 9) + b"not packed at all"))
    assert out == b"ward" * 9
    assert len(source.damage) == 1
    if kind != "zstd":
        out, source = everything(BytesIO(PACKERS[kind](b"ward" * 9) + bytes(64)))
        assert (out, source.damage) == (b"ward" * 9, ())


def test_a_skippable_zstd_frame_is_passed_over():
    frame = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"notes"
    out, source = everything(BytesIO(frame + PACKERS["zstd"](b"ward")))
    assert (out, source.compression, source.damage) == (b"ward", "zstd", ())


@pytest.mark.parametrize("kind", PACKED)
def test_a_bomb_is_unpacked_in_bounded_memory(kind):
    zeros = bytes(1_000_000)
    pack = {
        "gzip": lambda: gzip.compress(zeros * 120, 1),
        "xz": lambda: lzma.compress(zeros * 120, preset=0),
        "zstd": lambda: zstandard.ZstdCompressor().compress(zeros * 120),
    }
    packed = pack[kind]()
    tracemalloc.start()
    source = Source(Stored(BytesIO(packed), "x"))
    view, total = memoryview(bytearray(65_536)), 0
    while n := source.readinto(view):
        total += n
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total == 120_000_000
    assert peak < 80_000_000


def test_a_disk_that_fails_half_way_is_damage_and_not_an_error():
    out, source = everything(Failing(b"ward" * 10))
    assert out == b"ward" * 10
    assert source.damage[0].offset == 40
    assert "Input/output error" in source.damage[0].problem


def test_looking_ahead_leaves_the_bytes_to_be_read_and_counts_them_once():
    stored = Stored(Drops(b"0123456789", 3), "x")
    assert stored.peek(6)[:6] == b"012345"
    assert stored.peek(4)[:6] == b"012345"
    view, out = memoryview(bytearray(4)), b""
    while n := stored.readinto(view):
        out += bytes(view[:n])
    assert out == b"0123456789"
    assert (stored.count, stored.sha256) == (10, hashlib.sha256(out).hexdigest())


def test_a_file_is_drained_so_that_its_hash_is_that_of_the_whole_and_a_pipe_is_not():
    for regular, count in ((True, 100), (False, 6)):
        stored = Stored(BytesIO(bytes(100)), "x", regular=regular)
        stored.peek(6)
        stored.drain()
        assert stored.count == count
