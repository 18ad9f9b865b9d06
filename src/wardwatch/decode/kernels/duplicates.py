"""Copies: packets that a mirror port or a router shows twice.

Two direct-mapped rings of recent packets, newest wins: a copy that comes late enough to have
been overwritten is missed, never invented.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wardwatch.compiled import hot, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

NOT_A_COPY, MIRROR_COPY, ROUTED_COPY = 0, 1, 2

RING_HASH, RING_TIME, RING_TTL, RING_MAC, RING_WIDTH = range(5)
RING_ROWS = 1 << 14
"""Rows of a ring: a millisecond at 10 Gbit/s holds at most 14,880 frames."""

HEAD, TAIL = 128, 64
"""Bytes of a frame that are hashed."""

UNKNOWN_TIME = -(2**63)
_MASK = 2**63 - 1
_K1 = 0x1E3779B97F4A7C15


@hot
def _word(arena: NDArray[np.uint8], at: int) -> int:
    """Eight bytes as 63 bits; from unsigned places LLVM makes two loads of the eight."""
    k = np.uint64(at)
    low = (
        np.int64(arena[k])
        | np.int64(arena[k + np.uint64(1)]) << 8
        | np.int64(arena[k + np.uint64(2)]) << 16
        | np.int64(arena[k + np.uint64(3)]) << 24
    )
    high = (
        np.int64(arena[k + np.uint64(4)])
        | np.int64(arena[k + np.uint64(5)]) << 8
        | np.int64(arena[k + np.uint64(6)]) << 16
        | np.int64(arena[k + np.uint64(7)]) << 24
    )
    return int((high << 31) ^ low)


@hot
def hash_bytes(arena: NDArray[np.uint8], start: int, length: int) -> int:
    """63-bit hash of bytes; masked so that plain Python agrees.

    Two halves of 16 bytes are multiplied side by side: neither waits for the other.
    """
    h = length
    other = length ^ 0x5555555555555555
    at = start
    stop = start + length
    while at + 16 <= stop:
        h = ((h ^ _word(arena, at)) * _K1) & _MASK
        other = ((other ^ _word(arena, at + 8)) * _K1) & _MASK
        h ^= h >> 32
        other ^= other >> 32
        at += 16
    h = ((h ^ (other >> 1)) * _K1) & _MASK
    h ^= h >> 32
    while at < stop:
        h = ((h ^ int(arena[np.uint64(at)])) * _K1) & _MASK
        h ^= h >> 32
        at += 1
    return h


@hot
def hash_frame(arena: NDArray[np.uint8], start: int, length: int) -> int:
    """Hash of a frame by its length, its first 128 bytes and its last 64.

    In between lies payload only, and the transport's checksum, which is hashed, covers it:
    equal is what is equal byte for byte. (A whole frame would cost four times as much.)
    """
    if length <= HEAD + TAIL:
        return hash_bytes(arena, start, length)
    head = hash_bytes(arena, start, HEAD)
    tail = hash_bytes(arena, start + length - TAIL, TAIL)
    return ((((head ^ length) * _K1) & _MASK) >> 1) ^ tail


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
    mirror: NDArray[np.int64],
    routed: NDArray[np.int64],
    out: NDArray[np.uint8],
) -> None:
    """Mark the copies of a block in ``out``.

    ``mirror`` and ``routed`` (RING_ROWS, RING_WIDTH) live on between blocks; ``windows`` (2,):
    ns within which equal frames, and equal packets with a lower TTL, are copies. A routed copy
    is the same from the transport header's payload on, bears the same addresses and
    identification, a lower TTL and another source MAC (RFC 1812 §5.3.1).
    """
    wrap = mirror.shape[0] - 1
    for i in range(n):
        out[i] = NOT_A_COPY
        t = int(time[i])
        if t == UNKNOWN_TIME or length[i] <= 0:
            continue
        start = int(offset[i])
        stop = start + int(length[i])
        h = hash_frame(arena, start, stop - start) | 1  # 0 means an empty row
        row = mirror[(h >> 20) & wrap]
        if row[RING_HASH] == h and 0 <= t - int(row[RING_TIME]) <= windows[0]:
            out[i] = MIRROR_COPY
            row[RING_TIME] = t
            continue
        row[RING_HASH] = h
        row[RING_TIME] = t
        if not has_mac[i] or net[i] == 0 or payload[i] < 0 or ip_id[i] == 0:
            continue
        begin = int(payload[i])
        if begin < start or begin > stop:
            continue
        # the end of the transport header holds the checksum over what the hash of 96 bytes
        # leaves out; the IP header before it has changed on the way
        back = begin - (20 if proto[i] == 6 else 8)
        if back < start + 34:
            back = begin
        size = stop - back
        size = size if size < 96 else 96
        h = hash_bytes(arena, back, size)
        h = ((h ^ (int(src_lo[i]) & _MASK)) * _K1) & _MASK
        h = ((h ^ (h >> 30) ^ (int(dst_lo[i]) & _MASK)) * _K1) & _MASK
        h = ((h ^ (h >> 30) ^ (int(src_hi[i]) & _MASK)) * _K1) & _MASK
        h = ((h ^ (h >> 30) ^ (int(ip_id[i]) + 1)) * _K1) & _MASK
        h |= 1
        row = routed[(h >> 20) & wrap]
        if (
            row[RING_HASH] == h
            and 0 <= t - int(row[RING_TIME]) <= windows[1]
            and ttl[i] < row[RING_TTL]
            and src_mac[i] != row[RING_MAC]
        ):
            out[i] = ROUTED_COPY
        row[RING_HASH] = h
        row[RING_TIME] = t
        row[RING_TTL] = ttl[i]
        row[RING_MAC] = src_mac[i]
