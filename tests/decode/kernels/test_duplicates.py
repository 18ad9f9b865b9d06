"""Copies of packets against the same thing written slowly and plainly."""

import random
from itertools import pairwise

import numpy as np
import pytest

from wardwatch.compiled import kernel
from wardwatch.decode.kernels import duplicates as k
from wardwatch.decode.kernels.duplicates import hash_bytes, hash_frame

MILLISECOND = 1_000_000
WINDOWS = np.array([MILLISECOND, 100 * MILLISECOND], np.int64)


def ip_frame(src_mac, ttl, ident, text):
    """An Ethernet frame with UDP in IPv4; lengths and checksums do not matter here."""
    ip = bytes([0x45, 0, 0, 0, ident >> 8, ident & 255, 0, 0, ttl, 17, 0, 0]) + bytes(8)
    return b"\x02" * 6 + src_mac.to_bytes(6, "big") + b"\x08\x00" + ip + bytes(8) + text


def marks(frames, *, plain=False, split=None):
    """(mark of each frame) for (time, src_mac, ttl, ident, text) tuples."""
    function = k.mark_copies.py_func if plain else k.mark_copies
    recent = k.recent()
    found = []
    cuts = split if isinstance(split, list) else [split] if split else []
    for part in (frames[a:b] for a, b in pairwise((0, *cuts, len(frames)))):
        raw = [ip_frame(mac, ttl, ident, text) for _, mac, ttl, ident, text in part]
        offset = np.cumsum([0, *map(len, raw)])[:-1].astype(np.int64)
        n = len(part)
        out = np.full(n, 9, np.uint8)
        marked = function(
            n,
            np.frombuffer(b"".join(raw) or b"\0", np.uint8),
            offset,
            np.array([len(r) for r in raw], np.int32),
            np.array([t for t, *_ in part], np.int64),
            np.ones(n, np.uint8),
            np.array([mac for _, mac, *_ in part], np.int64),
            np.full(n, 4, np.uint8),
            np.array([ttl for _, _, ttl, *_ in part], np.uint8),
            np.array([ident for *_, ident, _ in part], np.int64),
            np.full(n, 17, np.int16),
            np.zeros(n, np.int64),
            np.full(n, 0x0A000001, np.int64),
            np.full(n, 0x0A000002, np.int64),
            offset + 42,
            WINDOWS,
            *recent,
            np.zeros(k.NEAR, np.int64),
            out,
        )
        assert marked == np.count_nonzero(out)
        found.extend(out.tolist())
    return found


def naive(frames):
    """Look back over everything, with room for all."""
    whole, passed, found = {}, {}, []
    for t, mac, ttl, ident, text in frames:
        frame = ip_frame(mac, ttl, ident, text)
        mark = k.NOT_A_COPY
        if frame in whole and 0 <= t - whole[frame] <= MILLISECOND:
            whole[frame] = t
            found.append(k.MIRROR_COPY)
            continue
        whole[frame] = t
        if ident:
            key = (ident, text[:24], min(len(text), 56))
            if key in passed:
                before, ttl_before, mac_before = passed[key]
                near = 0 <= t - before <= 100 * MILLISECOND
                if near and ttl < ttl_before and mac != mac_before:
                    mark = k.ROUTED_COPY
            passed[key] = (t, ttl, mac)
        found.append(mark)
    return found


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_marks_are_those_of_the_plain_twin(seed, plain):
    rng = np.random.default_rng(seed)
    time, frames = 0, []
    for _ in range(300):
        time += int(rng.choice([0, MILLISECOND // 2, 2 * MILLISECOND, 200 * MILLISECOND]))
        size = int(rng.integers(0, 40))
        frames.append(
            (
                time,
                int(rng.integers(1, 3)),
                int(rng.choice([62, 63, 64])),
                int(rng.integers(0, 3)),
                bytes([int(rng.integers(0, 2))]) * size if rng.random() < 0.5 else b"same",
            )
        )
    expected = naive(frames)
    assert marks(frames, plain=plain, split=120) == expected
    assert {k.MIRROR_COPY, k.ROUTED_COPY} <= set(expected)


def test_a_retransmission_is_no_routed_copy():
    again = [(0, 1, 64, 7, b"data"), (5 * MILLISECOND, 1, 64, 7, b"data")]
    assert marks(again) == [k.NOT_A_COPY, k.NOT_A_COPY]


def test_a_clock_that_goes_back_makes_no_copy():
    back = [(5 * MILLISECOND, 1, 64, 7, b"data"), (0, 1, 64, 7, b"data")]
    assert marks(back) == [k.NOT_A_COPY, k.NOT_A_COPY]


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_what_is_a_copy_does_not_depend_on_where_blocks_end(seed, plain):
    """Frames of a few kinds, some of them damaged in their middle; the clock goes back at times."""
    dice = random.Random(seed)
    texts = [bytes([i]) * 300 + bytes([j]) + bytes(300) for i in range(3) for j in range(2)]
    frames, t = [], 10**18
    for _ in range(400):
        steps = (0, 1, MILLISECOND // 2, MILLISECOND, 40 * MILLISECOND, -1, -40 * MILLISECOND)
        t += dice.choice(steps) if dice.random() < 0.95 else -dice.choice((1, 9)) * 10**9
        stamp = k.UNKNOWN_TIME if dice.random() < 0.03 else t
        frames.append((stamp, 1, 64, dice.choice((0, 7)), dice.choice(texts)))
    found = marks(frames, plain=plain)
    assert found.count(k.MIRROR_COPY) > 30
    for _ in range(6):
        cuts = sorted(dice.sample(range(1, 400), dice.choice((1, 7, 399))))
        assert marks(frames, split=cuts, plain=plain) == found


def test_no_frame_is_a_copy_across_a_clock_that_was_set():
    near = [(t * MILLISECOND // 2, 1, 64, 7, b"data") for t in (0, 1, -100, 0, -300, 0, 1)]
    mirror = k.MIRROR_COPY
    assert marks(near) == [0, mirror, 0, mirror, 0, 0, mirror]
    assert marks(near, split=[1, 2, 3, 4, 5, 6]) == marks(near)


LONG = bytes(range(256)) * 4


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("split", [None, 1])
@pytest.mark.parametrize(
    ("again", "mark"),
    [
        (LONG, k.MIRROR_COPY),
        (b"\xff" + LONG[1:], k.NOT_A_COPY),
        (LONG[:500] + b"!" + LONG[501:], k.NOT_A_COPY),
        (LONG[:-1] + b"\0", k.NOT_A_COPY),
        (LONG[:-1], k.NOT_A_COPY),
    ],
)
def test_every_byte_is_compared_wherever_a_block_ends(again, mark, split, plain):
    frames = [(0, 1, 64, 7, LONG), (1, 1, 64, 7, again)]
    assert marks(frames, split=split, plain=plain)[1] == mark


def test_a_frame_repeated_for_longer_than_a_block_stays_a_copy():
    often = [(n * MILLISECOND * 9 // 10, 1, 64, 7, LONG) for n in range(12)]
    assert marks(often, split=9) == [k.NOT_A_COPY] + [k.MIRROR_COPY] * 11


def test_what_came_before_so_many_frames_is_forgotten():
    others = [(1, 1, 64, 7, n.to_bytes(2, "big")) for n in range(k.RECENT_ROWS)]
    again = [(0, 1, 64, 7, b"first"), *others, (2, 1, 64, 7, b"first")]
    assert marks(again)[-1] == k.NOT_A_COPY
    assert marks(again[:1] + again[-500:])[-1] == k.MIRROR_COPY


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("split", [None, 2, 3])
def test_both_legs_of_a_routed_way_seen_twice_are_told_apart(split, plain):
    legs = [(0, 1, 64, 7, LONG), (9, 2, 63, 7, LONG), (20, 1, 64, 7, LONG), (29, 2, 63, 7, LONG)]
    expected = [k.NOT_A_COPY, k.ROUTED_COPY, k.MIRROR_COPY, k.MIRROR_COPY]
    assert marks(legs, split=split, plain=plain) == expected


@pytest.mark.parametrize("at", [0, 3, 9, 23])
def test_what_differs_behind_the_transport_header_is_no_routed_copy(at):
    other = LONG[:at] + b"\xee" + LONG[at + 1 :]
    assert marks([(0, 1, 64, 7, LONG), (9, 2, 63, 7, other)])[1] == k.NOT_A_COPY
    assert marks([(0, 1, 64, 7, LONG), (9, 2, 63, 8, LONG)])[1] == k.NOT_A_COPY


@kernel
def hashes(arena, starts, lengths, pieces, frames):
    """Each frame's hash of bytes, and what is kept of it, as compiled code makes them."""
    for i in range(starts.shape[0]):
        pieces[i] = hash_bytes(arena, starts[i], lengths[i])
        frames[i] = hash_frame(arena, starts[i], lengths[i])


def random_frames(seed):
    """Two random frames of every length from 0 to 300 ⇒ arena, starts, lengths."""
    rng = np.random.default_rng(seed)
    lengths = rng.permutation(np.repeat(np.arange(301), 2)).astype(np.int32)
    starts = np.cumsum(lengths, dtype=np.int64) - lengths
    return rng.integers(0, 256, int(lengths.sum()), np.uint8), starts, lengths


@pytest.mark.parametrize("seed", range(3))
def test_compiled_hashes_are_those_of_plain_python(seed):
    arena, starts, lengths = random_frames(seed)
    pieces, frames = np.zeros(starts.size, np.uint64), np.zeros(starts.size, np.int64)
    hashes(arena, starts, lengths, pieces, frames)
    where = list(zip(starts.tolist(), lengths.tolist(), strict=True))
    assert pieces.tolist() == [hash_bytes(arena, *each) for each in where]
    assert frames.tolist() == [hash_frame(arena, *each) for each in where]
    assert pieces.max() >= 2**63  # all 64 bits
    assert frames.min() > 0


@pytest.mark.parametrize("seed", range(3))
def test_compiled_kernels_leave_the_keys_and_hashes_of_plain_python(seed):
    arena, starts, lengths = random_frames(seed)
    n = starts.size
    rng = np.random.default_rng(100 + seed)
    address = rng.integers(-(2**63), 2**63, (3, n), np.int64)
    ident = rng.integers(-1, 2**32, n)
    behind = rng.integers(-1, 300, n)
    proto = rng.choice([6, 17], n).astype(np.int16)
    left = []
    for function in (k.mark_copies, k.mark_copies.py_func):
        recent, keys, count = k.recent()
        function(
            n, arena, starts, lengths, np.arange(n, dtype=np.int64), np.ones(n, np.uint8),
            np.ones(n, np.int64), np.full(n, 4, np.uint8), np.full(n, 64, np.uint8),
            ident, proto, *address, np.where(behind < 0, -1, starts + behind), WINDOWS, recent, keys, count,
            np.zeros(k.NEAR, np.int64), np.zeros(n, np.uint8),
        )  # fmt: skip
        left.append((recent, keys))
    (compiled, compiled_keys), (plain, plain_keys) = left
    assert np.count_nonzero(plain[:, k.KEY]) == np.count_nonzero(lengths)
    assert np.count_nonzero(plain[:, k.WHOLE]) == np.count_nonzero(lengths)
    assert (plain[:n, k.KEY] >= 0).all()
    assert compiled[:, k.KEY].tolist() == plain[:, k.KEY].tolist()
    assert compiled[:, k.WHOLE].tolist() == plain[:, k.WHOLE].tolist()
    assert compiled_keys.tolist() == plain_keys.tolist()


@pytest.mark.parametrize("length", [5, 8, 16, 31, 64, 184, 192])
def test_every_bit_of_a_frame_counts(length):
    flipped = np.zeros((1 + 8 * length, length), np.uint8)
    for bit in range(8 * length):
        flipped[1 + bit, bit >> 3] = 1 << (bit & 7)
    starts = np.arange(flipped.shape[0]) * length
    found = [hash_frame(flipped.ravel(), int(start), length) for start in starts]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("at", [7, 15, 23])
def test_the_highest_bit_of_a_word_counts_in_what_a_routed_copy_is_known_by(at, plain):
    text = bytes(24)
    other = text[:at] + b"\x80" + text[at + 1 :]
    for again, mark in ((text, k.ROUTED_COPY), (other, k.NOT_A_COPY)):
        assert marks([(0, 1, 64, 7, text), (9, 2, 63, 7, again)], plain=plain)[1] == mark
