"""Copies: packets that a mirror port or a router shows twice.

The last frames are kept, and of those that share a place in a table of hashes only the newest is
found: a copy that comes late is missed, never invented.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wardwatch.compiled import helper, hot, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

NOT_A_COPY, MIRROR_COPY, ROUTED_COPY = 0, 1, 2

(FRAME, TIME, WHOLE, PACKET, SENDER, RECENT_WIDTH) = range(6)
"""Of a recent frame: the hash it is looked for by; its stamp; a hash of all of it, 0 not made; the
hash of what a router leaves as it is, 0 none; TTL and source MAC."""
RECENT_BITS = 14
RECENT_ROWS = 1 << RECENT_BITS
"""Frames remembered: a millisecond at 10 Gbit/s holds at most 14,880."""

LINK, BODY = 128, 64
"""Bytes of a frame by which it is looked for: at most so many before the transport header's last
20 octets, and so many from there on, where the transport's checksum lies."""
HEAD, TAIL = 128, 64
"""Bytes hashed of a frame whose bytes will be gone when its copy comes."""
UNKNOWN_TIME = -(2**63)
_MASK = 2**63 - 1
_MAC = 2**48 - 1
_TAG = 2**17 - 1
_K1 = 0x1E3779B97F4A7C15
_SEEDS = (0x5555555555555555, 0x2545F4914F6CDD1D, 0x369DEA0F31A53F85)


@hot
def _word(arena: NDArray[np.uint8], at: int) -> int:
    """Eight bytes; from unsigned places LLVM makes one load of the eight."""
    k = np.uint64(at)
    return int(
        np.int64(arena[k])
        | np.int64(arena[k + np.uint64(1)]) << 8
        | np.int64(arena[k + np.uint64(2)]) << 16
        | np.int64(arena[k + np.uint64(3)]) << 24
        | np.int64(arena[k + np.uint64(4)]) << 32
        | np.int64(arena[k + np.uint64(5)]) << 40
        | np.int64(arena[k + np.uint64(6)]) << 48
        | np.int64(arena[k + np.uint64(7)]) << 56
    )


@hot
def _fold(h: int, word: int) -> int:
    """One more word in a hash of 63 bits; masked so that plain Python agrees."""
    h = ((h ^ word) * _K1) & _MASK
    return h ^ (h >> 32)


@helper
def hash_bytes(arena: NDArray[np.uint8], start: int, length: int) -> int:
    """63-bit hash of bytes: four words are folded side by side, none waits for another.

    The last word may reach back over bytes that were folded already.
    """
    a = length
    at = start
    stop = start + length
    if length >= 32:
        b = length ^ _SEEDS[0]
        c = length ^ _SEEDS[1]
        d = length ^ _SEEDS[2]
        while at + 32 <= stop:
            a = _fold(a, _word(arena, at))
            b = _fold(b, _word(arena, at + 8))
            c = _fold(c, _word(arena, at + 16))
            d = _fold(d, _word(arena, at + 24))
            at += 32
        a = _fold(_fold(a, b >> 1), _fold(c, d >> 1) >> 1)
    while at + 8 <= stop:
        a = _fold(a, _word(arena, at))
        at += 8
    if at < stop:
        if length >= 8:
            return _fold(a, _word(arena, stop - 8))
        while at < stop:
            a = _fold(a, int(arena[np.uint64(at)]))
            at += 1
    return a


@helper
def hash_frame(arena: NDArray[np.uint8], start: int, length: int) -> int:
    """Hash of a frame by its length, its first 128 bytes and its last 64; never 0.

    In between lies payload only, and the transport's checksum, which is hashed, covers it:
    equal is what is equal byte for byte. (A whole frame would cost four times as much.)
    """
    if length <= HEAD + TAIL:
        return hash_bytes(arena, start, length) | 1
    head = hash_bytes(arena, start, HEAD)
    return _fold(_fold(head, length), hash_bytes(arena, start + length - TAIL, TAIL)) | 1


@helper
def _equal(arena: NDArray[np.uint8], one: int, other: int, length: int) -> bool:
    """Whether two frames of one block are equal."""
    at = 0
    while at + 8 <= length:
        if _word(arena, one + at) != _word(arena, other + at):
            return False
        at += 8
    while at < length:
        if arena[np.uint64(one + at)] != arena[np.uint64(other + at)]:
            return False
        at += 1
    return True


@hot
def _changing(
    start: int, size: int, has_mac: int, net: int, ip_id: int, proto: int, payload: int
) -> int:
    """Where what a router changes ends: the transport header's last 20 octets (UDP: 8) begin.

    They hold the checksum over what the hash leaves out. -1: no packet that a router passes on
    and that can be told from others.
    """
    if not has_mac or not net or not ip_id or payload < start or payload > start + size:
        return -1
    back = int(payload) - (20 if proto == 6 else 8)
    return back if back >= start + 34 else int(payload)


def recent() -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
    """What :func:`mark_copies` keeps between blocks, empty: recent, frames, packets, count."""
    return (
        np.zeros((RECENT_ROWS, RECENT_WIDTH), np.int64),
        np.zeros(RECENT_ROWS, np.int32),
        np.zeros(RECENT_ROWS, np.int32),
        np.zeros(1, np.int64),
    )


@kernel
def mark_copies(
    n: int,
    arena: NDArray[np.uint8],
    offset: NDArray[np.int64],
    length: NDArray[np.int32],
    time: NDArray[np.int64],
    has_mac: NDArray[np.uint8],
    src_mac: NDArray[np.int64],
    net: NDArray[np.uint8],
    ttl: NDArray[np.uint8],
    ip_id: NDArray[np.int64],
    proto: NDArray[np.int16],
    src_hi: NDArray[np.int64],
    src_lo: NDArray[np.int64],
    dst_lo: NDArray[np.int64],
    payload: NDArray[np.int64],
    windows: NDArray[np.int64],
    recent: NDArray[np.int64],
    frames: NDArray[np.int32],
    packets: NDArray[np.int32],
    count: NDArray[np.int64],
    out: NDArray[np.uint8],
) -> int:
    """Mark the copies of a block in ``out``; return how many there are.

    ``recent`` (RECENT_ROWS, RECENT_WIDTH), ``frames`` and ``packets`` (RECENT_ROWS,) and
    ``count`` (1,), the frames so far, live on between blocks. ``windows`` (2,): ns within which
    equal frames, and equal packets with a lower TTL, are copies. A routed copy is the same from
    the transport header's last 20 octets on, bears the same addresses and identification, a
    lower TTL and another source MAC (RFC 1812 §5.3.1).

    The last frames stand in ``recent`` in their order, which the cache likes; ``frames`` and
    ``packets`` are small and say by hash where: 17 of its bits, and the row. A frame is looked
    for by its first bytes and its length, which the decoder has just read; only one that is
    found is compared in whole. Those that the next block may repeat leave a hash of all of
    them behind, since their bytes will be gone.
    """
    wrap = RECENT_ROWS - 1
    near = int(windows[0])
    nearby = int(windows[1])
    base = int(count[0])
    count[0] = base + n
    latest = UNKNOWN_TIME
    found = 0
    for i in range(n):
        out[i] = NOT_A_COPY
        here = (base + i) & wrap
        at = np.uint64(here)
        t = int(time[i])
        size = int(length[i])
        if t == UNKNOWN_TIME or size <= 0:
            recent[at, FRAME] = 0
            recent[at, PACKET] = 0
            continue
        latest = max(latest, t)
        start = int(offset[i])
        back = _changing(start, size, has_mac[i], net[i], ip_id[i], proto[i], payload[i])
        body = hash_bytes(arena, back, min(start + size - back, BODY)) if back >= 0 else 0
        if back >= 0:
            h = _fold(hash_bytes(arena, start, min(back - start, LINK)), body)
        else:
            h = hash_bytes(arena, start, min(size, LINK))
        h = _fold(h, size) | 1
        slot = np.uint64((h >> 20) & wrap)
        head = int(frames[slot])
        frames[slot] = ((h >> 40) & _TAG) << RECENT_BITS | here
        if head >> RECENT_BITS == (h >> 40) & _TAG:
            k = np.uint64(head & wrap)
            if recent[k, FRAME] == h and 0 <= t - int(recent[k, TIME]) <= near:
                age = (here - head) & wrap
                row = i - (age if age else RECENT_ROWS)
                if row < 0:
                    same = recent[k, WHOLE] == hash_frame(arena, start, size)
                else:
                    other = int(offset[np.uint64(row)])
                    same = length[np.uint64(row)] == size and _equal(arena, start, other, size)
                if same:
                    out[i] = MIRROR_COPY
                    found += 1
        recent[at, FRAME] = h
        recent[at, TIME] = t
        recent[at, WHOLE] = 0
        if back < 0 or out[i]:
            recent[at, PACKET] = 0
            continue
        h = _fold(body, int(src_lo[i]))
        h = _fold(h, int(dst_lo[i]))
        h = _fold(h, int(src_hi[i]))
        h = _fold(h, int(ip_id[i])) | 1
        slot = np.uint64((h >> 20) & wrap)
        head = int(packets[slot])
        packets[slot] = ((h >> 40) & _TAG) << RECENT_BITS | here
        if head >> RECENT_BITS == (h >> 40) & _TAG:
            k = np.uint64(head & wrap)
            if recent[k, PACKET] == h and 0 <= t - int(recent[k, TIME]) <= nearby:
                sender = int(recent[k, SENDER])
                if ttl[i] < sender >> 48 and src_mac[i] != sender & _MAC:
                    out[i] = ROUTED_COPY
                    found += 1
        recent[at, PACKET] = h
        recent[at, SENDER] = int(ttl[i]) << 48 | int(src_mac[i])
    if latest == UNKNOWN_TIME:
        return found
    i = n - 1
    while i >= 0 and (time[i] == UNKNOWN_TIME or time[i] >= latest - 2 * near):
        at = np.uint64((base + i) & wrap)
        if recent[at, FRAME]:
            recent[at, WHOLE] = hash_frame(arena, int(offset[i]), int(length[i]))
        i -= 1
    return found
