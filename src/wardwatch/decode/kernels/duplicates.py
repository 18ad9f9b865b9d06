"""Copies: packets that a mirror port or a router shows twice.

The last frames are kept, and of those that share a place in a table of hashes only the newest is
found: a copy that comes late is missed, never invented.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wardwatch.compiled import helper, hot, kernel, prefetch
from wardwatch.decode.blank import blank

if TYPE_CHECKING:
    from numpy.typing import NDArray

NOT_A_COPY, MIRROR_COPY, ROUTED_COPY = 0, 1, 2

(KEY, TIME, WHOLE, SENDER, BEFORE, RECENT_WIDTH) = range(6)
"""Of a recent frame: the key it is looked for by, 0 none; its stamp; a hash of all of it, 0 not
made; TTL and source MAC, 0 where no router can have passed it on; what stood in its place in the
table of keys."""
RECENT_BITS = 14
RECENT_ROWS = 1 << RECENT_BITS
"""Frames remembered: a millisecond at 10 Gbit/s holds at most 14,880."""
MOST_BEFORE = 4
"""Frames of one key that are looked at: each leg of a routed way, twice."""

NEAR = 64
"""Frames whose keys are looked for together, so that they need not wait for memory one by one."""

LINK, BODY = 128, 32
"""Bytes of a frame by which it is looked for: so many from the transport header's last 20 octets
(UDP: 8) on, where its checksum lies; of a frame without one, at most so many of its first."""
REST = 64
"""What is left of a frame from there on is told apart up to so many bytes."""
UNKNOWN_TIME = -(2**63)
_MAC = 2**48 - 1
_TAG = 2**17 - 1

# Hashes are made of unsigned numbers of 64 bits, whose products wrap. Of signed ones Numba promises
# LLVM that none overflows, and a mask afterwards is then LLVM's to drop, here and not there. A
# constant of 64 bits is unsigned to Numba, one of fewer is signed and would make all of it signed.
_MASK = 2**64 - 1
_K1 = 0x9E3779B97F4A7C15
_K2 = 0xBF58476D1CE4E5B9
_K3 = 0xAB2AE3D27D4EB4F3
_K4 = 0xB69DEA0F31A53F85
_K5 = 0x98F2E1D9AC5B7E6D
_K6 = 0xB5A98F4D286A90B9
_SEEDS = (0xD555555555555555, 0xA545F4914F6CDD1D, 0xB69DEA0F31A53F85)


@hot
def _word(arena: NDArray[np.uint8], at: int) -> int:
    """Eight bytes, unsigned; from unsigned places LLVM makes one load of the eight."""
    k = np.uint64(at)
    return int(
        np.uint64(arena[k])
        | np.uint64(arena[k + np.uint64(1)]) << np.uint64(8)
        | np.uint64(arena[k + np.uint64(2)]) << np.uint64(16)
        | np.uint64(arena[k + np.uint64(3)]) << np.uint64(24)
        | np.uint64(arena[k + np.uint64(4)]) << np.uint64(32)
        | np.uint64(arena[k + np.uint64(5)]) << np.uint64(40)
        | np.uint64(arena[k + np.uint64(6)]) << np.uint64(48)
        | np.uint64(arena[k + np.uint64(7)]) << np.uint64(56)
    )


@hot
def _fold(h: int, word: int) -> int:
    """One more word in a hash, both unsigned; masked so that plain Python agrees."""
    h = ((h ^ word) * _K1) & _MASK
    return h ^ (h >> 32)


@hot
def _kept(h: int) -> int:
    """A hash as the tables keep it: signed, 63 bits, never 0."""
    return int(np.int64(h >> 1)) | 1


@helper
def hash_bytes(arena: NDArray[np.uint8], start: int, length: int) -> int:
    """Unsigned 64-bit hash of bytes: four words are folded side by side, none waits for another.

    The last word may reach back over bytes that were folded already.
    """
    size = int(np.uint64(length))
    a = size
    at = start
    stop = start + length
    if length >= 32:
        b = size ^ _SEEDS[0]
        c = size ^ _SEEDS[1]
        d = size ^ _SEEDS[2]
        while at + 32 <= stop:
            a = _fold(a, _word(arena, at))
            b = _fold(b, _word(arena, at + 8))
            c = _fold(c, _word(arena, at + 16))
            d = _fold(d, _word(arena, at + 24))
            at += 32
        # times a factor of its own, or a bit of one word would undo one of its neighbour's
        b = (b * _K2) & _MASK
        d = (d * _K3) & _MASK
        a = _fold(_fold(a, b), (_fold(c, d) * _K4) & _MASK)
    while at + 8 <= stop:
        a = _fold(a, _word(arena, at))
        at += 8
    if at < stop:
        if length >= 8:
            return _fold(a, _word(arena, stop - 8))
        while at < stop:
            a = _fold(a, int(np.uint64(arena[np.uint64(at)])))
            at += 1
    return a


@helper
def hash_frame(arena: NDArray[np.uint8], start: int, length: int) -> int:
    """63-bit hash of a frame's length and every byte; never 0.

    No checksum stands for what lies in the middle: a fragment has none of its own, and a frame that
    was damaged on its way has that of another. It would be a copy or none by where a block ends.
    """
    return _kept(hash_bytes(arena, start, length))


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
def _transport(start: int, size: int, net: int, proto: int, payload: int) -> int:
    """Where what a router changes ends: the transport header's last 20 octets (UDP: 8) begin.

    They hold the checksum over what the key leaves out. -1: no such packet.
    """
    if not net or payload < start or payload > start + size:
        return -1
    back = int(payload) - (20 if proto == 6 else 8)
    return back if back >= start + 34 else int(payload)


@hot
def _key(arena: NDArray[np.uint8], at: int, rest: int) -> int:
    """Unsigned hash of at most ``BODY`` bytes from ``at`` on, of ``rest`` that there are.

    No product waits for another. Of fewer than four words the middle ones are read twice.
    """
    if rest < 16:
        return hash_bytes(arena, at, rest)
    last = at + min(rest, BODY)
    h = (_word(arena, at) ^ _SEEDS[0]) * _K1
    h += (_word(arena, at + 8) ^ _SEEDS[1]) * _K2
    h += (_word(arena, last - 16) ^ _SEEDS[2]) * _K3
    h += (_word(arena, last - 8) ^ int(np.uint64(min(rest, REST)))) * _K4
    return h & _MASK


@hot
def _find_keys(
    begin: int,
    stop: int,
    arena: NDArray[np.uint8],
    offset: NDArray[np.int64],
    length: NDArray[np.int32],
    time: NDArray[np.int64],
    net: NDArray[np.uint8],
    ip_id: NDArray[np.int64],
    proto: NDArray[np.int16],
    src_hi: NDArray[np.int64],
    src_lo: NDArray[np.int64],
    dst_lo: NDArray[np.int64],
    payload: NDArray[np.int64],
    keys: NDArray[np.int32],
    ahead: NDArray[np.int64],
) -> None:
    """The key of each frame to ``ahead``, 0 for frames without a stamp or a byte.

    Of the last block's keys and of this one's payload the cache holds little: they are asked for.
    """
    for i in range(begin, stop):
        prefetch(arena, payload[i], -20)
        prefetch(arena, payload[i], BODY - 21)
    for i in range(begin, stop):
        size = int(length[i])
        start = int(offset[i])
        key = 0
        if time[i] != UNKNOWN_TIME and size > 0:
            back = _transport(start, size, net[i], proto[i], payload[i])
            if back >= 0:
                h = _key(arena, back, start + size - back)
                h += int(np.uint64(src_lo[i])) * _K5 + int(np.uint64(dst_lo[i])) * _K6
                h = _fold(h, int(np.uint64(src_hi[i] ^ ip_id[i] << 20)))
            else:
                h = _fold(hash_bytes(arena, start, min(size, LINK)), int(np.uint64(size)))
            key = _kept(h)
            prefetch(keys, (key >> 20) & (RECENT_ROWS - 1), 0)
        ahead[np.uint64(i - begin)] = key


(FRAMES, LATEST, SINCE, CAPTURE, COUNT_WIDTH) = range(5)
"""Of ``count``: frames so far; the latest stamp since the clock was set, and which frame was the
first behind that; the capture."""


def begin(count: NDArray[np.int64], capture: int) -> None:
    """Another capture begins: none of its frames is a copy of one before."""
    count[CAPTURE], count[SINCE], count[LATEST] = capture, count[FRAMES], UNKNOWN_TIME


def recent() -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
    """What :func:`mark_copies` keeps between blocks, empty: recent, keys, count."""
    count = np.zeros(COUNT_WIDTH, np.int64)
    count[LATEST] = UNKNOWN_TIME
    return blank((RECENT_ROWS, RECENT_WIDTH), np.int64), np.zeros(RECENT_ROWS, np.int32), count


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
    keys: NDArray[np.int32],
    count: NDArray[np.int64],
    ahead: NDArray[np.int64],
    out: NDArray[np.uint8],
) -> int:
    """Mark the copies of a block in ``out``; return how many there are.

    ``recent`` (RECENT_ROWS, RECENT_WIDTH), ``keys`` (RECENT_ROWS,) and ``count`` (COUNT_WIDTH,)
    live on between blocks; ``ahead`` (NEAR,) is scratch. ``windows`` (2,): ns within which
    equal frames, and equal packets with a lower TTL, are copies. A routed copy is the same from the
    transport header's last 20 octets on, bears the same addresses and identification, a lower TTL
    and another source MAC (RFC 1812 §5.3.1).

    Where the clock goes back by more than the second window it was set, and no frame is a copy
    across that. So it is known at the end of a block which frames the next may repeat, and what is
    a copy does not depend on where blocks end.

    The last frames stand in ``recent`` in their order, which the cache likes; ``keys`` is small
    and says by hash where: 17 of its bits, and the row. A frame is looked for by what a router
    leaves as it is and the decoder has just read; only one that is found is compared in whole.
    Those that the next block may repeat leave a hash of all their bytes behind, which will be gone.
    """
    wrap = RECENT_ROWS - 1
    near = int(windows[0])
    nearby = int(windows[1])
    base = int(count[FRAMES])
    latest = int(count[LATEST])
    since = int(count[SINCE])
    found = 0
    for i in range(n):
        if i % NEAR == 0:
            _find_keys(
                i,
                min(i + NEAR, n),
                arena,
                offset,
                length,
                time,
                net,
                ip_id,
                proto,
                src_hi,
                src_lo,
                dst_lo,
                payload,
                keys,
                ahead,
            )
        out[i] = NOT_A_COPY
        here = (base + i) & wrap
        at = np.uint64(here)
        t = int(time[i])
        size = int(length[i])
        key = int(ahead[np.uint64(i % NEAR)])
        if key == 0:
            recent[at, KEY] = 0
            continue
        if latest != UNKNOWN_TIME and t < latest - nearby:
            latest = t
            since = base + i
        latest = max(latest, t)
        start = int(offset[i])
        passes = int(ip_id[i]) if has_mac[i] else 0
        if _transport(start, size, net[i], proto[i], payload[i]) < 0:
            passes = 0
        slot = np.uint64((key >> 20) & wrap)
        tag = (key >> 40) & _TAG
        before = int(keys[slot])
        keys[slot] = tag << RECENT_BITS | here
        recent[at, KEY] = key
        recent[at, TIME] = t
        recent[at, WHOLE] = 0
        recent[at, SENDER] = 0
        recent[at, BEFORE] = before
        looked = 0
        routed = passes == 0  # whether that is settled
        last = RECENT_ROWS
        while looked < MOST_BEFORE and before >> RECENT_BITS == tag:
            looked += 1
            k = np.uint64(before & wrap)
            age = (here - before) & wrap
            # no frame is older than the one before it, unless its row was taken by another
            if age == 0 or recent[k, KEY] != key or (looked > 1 and age <= last):
                break
            if age > base + i - since:
                break
            last = age
            past = t - int(recent[k, TIME])
            if 0 <= past <= near:
                row = i - age
                if row < 0:
                    same = recent[k, WHOLE] == hash_frame(arena, start, size)
                else:
                    other = int(offset[np.uint64(row)])
                    same = length[np.uint64(row)] == size and _equal(arena, start, other, size)
                if same:
                    out[i] = MIRROR_COPY
                    break
            sender = int(recent[k, SENDER])
            if not routed and sender:
                routed = True
                if 0 <= past <= nearby and ttl[i] < sender >> 48 and src_mac[i] != sender & _MAC:
                    out[i] = ROUTED_COPY
            before = int(recent[k, BEFORE])
        if out[i]:
            found += 1
        if passes and out[i] != MIRROR_COPY:
            recent[at, SENDER] = int(ttl[i]) << 48 | int(src_mac[i])
    count[FRAMES] = base + n
    count[LATEST] = latest
    count[SINCE] = max(since, base + n - RECENT_ROWS)  # those before are forgotten
    if latest == UNKNOWN_TIME:
        return found
    for i in range(max(0, since - base), n):
        if time[i] != UNKNOWN_TIME and time[i] >= latest - nearby - near:
            at = np.uint64((base + i) & wrap)
            if recent[at, KEY]:
                recent[at, WHOLE] = hash_frame(arena, int(offset[i]), int(length[i]))
    return found
