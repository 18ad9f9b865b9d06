"""Kernels that walk the records of a capture: headers in, one row a packet out.

Both run over a window of the stream, ``arena[AT:STOP]``, fill rows until the window, the rows
or sense ends, and leave in ``state`` where they stopped and why. They keep no packet: a row
points into the window.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wardwatch.compiled import helper, kernel, prefetch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Int = int | np.int64

MAX_PACKET = 262_144
"""Captured bytes of one packet at most: Wireshark's WTAP_MAX_PACKET_SIZE_STANDARD. More is taken
for damage, since a record that claims more would hide all that follows it."""
MAX_BLOCK = 2 * MAX_PACKET
"""Bytes of one pcapng block that we look into: a packet and options as long as it."""

# What ``state`` holds, in and out.
AT, STOP, ROWS, STATUS, CAPTURED, WIRE, NOTES, NOTE_ROOM, BIG, BASE, COUNT, ODD = range(12)
"""Where to begin ⇒ where it stopped; end of the window; rows filled; why it stopped; sums of
captured and wire bytes (added to); comments found; how many of them fit; whether this section is
big-endian; index of its first interface in the file; how many interfaces it has described; stamps
whose fraction is no fraction of a second (added to)."""
STATES = 12

# Why a walk stopped.
MORE, FULL, LOOK = 0, 1, 2
"""MORE: the next record is not whole in the window. FULL: no row or no note is left.
LOOK: a block that Python reads (section, interface, statistics) stands at ``AT``."""
TOO_LONG, BAD_LENGTH, BAD_TRAILER, BAD_INTERFACE, BAD_CAPLEN = 3, 4, 5, 6, 7
"""Damage: the record at ``AT`` makes no sense."""

# Columns of the interface table.
LINK, SNAPLEN, CLOCK, FACTOR, LIMIT, SHIFT = range(6)
"""LINKTYPE; bytes kept (0 no limit); how ticks become ns (below), with its factor and the largest
upper half; ns to add."""
INTERFACE_COLUMNS = 6
TIMES, OVER, BINARY, NEVER = 0, 1, 2, 3
"""ns = ticks × factor; ns = ticks ÷ factor; ns = ticks ÷ 2^factor; the clock cannot be told."""

SHB, IDB, PB, SPB, ISB, EPB = 0x0A0D0D0A, 1, 2, 3, 5, 6
"""Block types of draft-ietf-opsawg-pcapng §4."""

_NONE = np.int64(-(2**63))
"""UNKNOWN_TIME, as a constant the compiler sees."""
_LAST = 2**63 - 1

SOON, LINES = 1536, 7
"""Where the record header after the next ones may stand: so many octets further, and in one of so
many cache lines. Where a record ends only its header tells, and to wait for each is most of a walk."""


@helper
def u16(arena: NDArray[np.uint8], at: Int, big: int) -> np.int64:
    """16 bits, in network order where ``big``."""
    k = np.uint64(at)  # unsigned: no place is counted from the end
    first, second = np.int64(arena[k]), np.int64(arena[k + np.uint64(1)])
    if big:
        return (first << 8) | second
    return (second << 8) | first


@helper
def u32(arena: NDArray[np.uint8], at: Int, big: int) -> np.int64:
    """32 bits, in network order where ``big``."""
    k = np.uint64(at)
    a, b = np.int64(arena[k]), np.int64(arena[k + np.uint64(1)])
    c, d = np.int64(arena[k + np.uint64(2)]), np.int64(arena[k + np.uint64(3)])
    if big:
        return (a << 24) | (b << 16) | (c << 8) | d
    return (d << 24) | (c << 16) | (b << 8) | a


@kernel
def walk_pcap(
    arena: NDArray[np.uint8],  # (bytes,)    the window
    header: int,  #                          bytes of a record header: 16, or 24 "modified"
    tick: int,  #                            ns of one unit of the fraction: 1000 or 1
    swapped: int,  #                         1: lengths swapped where absurd; 2: always
    state: NDArray[np.int64],  # (STATES,)   in and out, see above
    offset: NDArray[np.int64],  # (rows,)    out: first byte of the packet
    length: NDArray[np.int32],  # (rows,)    out: captured bytes
    wire: NDArray[np.int64],  # (rows,)      out: bytes it had on the wire
    time: NDArray[np.int64],  # (rows,)      out: ns since 1970
) -> None:
    """Walk pcap records (draft-ietf-opsawg-pcap §5) from ``AT`` as far as they are whole."""
    at, stop, big = state[AT], state[STOP], state[BIG]
    n = 0
    status = FULL
    captured = state[CAPTURED]
    total = state[WIRE]
    while n < offset.size:
        if at + header > stop:
            status = MORE
            break
        for line in range(LINES):
            prefetch(arena, at, SOON + 64 * line)
        caplen = u32(arena, at + 8, big)
        claim = u32(arena, at + 12, big)
        if swapped == 2 or (swapped == 1 and caplen > claim):
            caplen, claim = claim, caplen
        if caplen > MAX_PACKET:
            status = TOO_LONG
            break
        if at + header + caplen > stop:
            status = MORE
            break
        fraction = u32(arena, at + 4, big) * tick
        if fraction >= 1_000_000_000:
            state[ODD] += 1
            fraction = np.int64(0)  # the whole second is all that can be believed
        offset[n] = at + header
        length[n] = caplen
        wire[n] = claim
        time[n] = u32(arena, at, big) * 1_000_000_000 + fraction
        captured += caplen
        total += claim
        n += 1
        at += header + caplen
    state[AT] = at
    state[ROWS] = n
    state[STATUS] = status
    state[CAPTURED] = captured
    state[WIRE] = total


@helper
def _instant(table: NDArray[np.int64], row: int, high: np.int64, low: np.int64) -> np.int64:
    """Ticks (two halves) of interface ``row`` in ns since 1970, or UNKNOWN_TIME."""
    clock, factor = table[row, CLOCK], table[row, FACTOR]
    if clock == NEVER or high > table[row, LIMIT]:
        return _NONE
    if clock == BINARY:
        # Seconds, the upper 32 bits of the fraction, and the bits below them: exact, and
        # no product ever exceeds 63 bits.
        below, rest = np.int64(0), np.int64(0)
        if factor <= 32:
            seconds = (high << (32 - factor)) | (low >> factor)
            part = (low & ((1 << factor) - 1)) << (32 - factor)
        elif factor < 64:
            below = factor - 32
            mask = (1 << below) - 1
            seconds = high >> below
            part = ((high & mask) << (32 - below)) | (low >> below)
            rest = low & mask
        else:
            seconds = np.int64(0)
            part = high >> (factor - 64)
        part = part * 1_000_000_000 + ((rest * 1_000_000_000) >> below)
        ns = seconds * 1_000_000_000 + (part >> 32)
    elif clock == TIMES:
        ticks = (high << 32) | low
        if ticks > _LAST // factor:
            return _NONE
        ns = ticks * factor
    else:
        ns = ((high << 32) | low) // factor
    shift = table[row, SHIFT]
    if shift > 0 and ns > _LAST - shift:
        return _NONE
    return np.int64(ns + shift)


@kernel
def walk_pcapng(
    arena: NDArray[np.uint8],  # (bytes,)       the window
    table: NDArray[np.int64],  # (interfaces, INTERFACE_COLUMNS) of the whole file
    state: NDArray[np.int64],  # (STATES,)      in and out, see above
    offset: NDArray[np.int64],  # (rows,)       out: first byte of the packet
    length: NDArray[np.int32],  # (rows,)       out: captured bytes
    wire: NDArray[np.int64],  # (rows,)         out: bytes it had on the wire
    time: NDArray[np.int64],  # (rows,)         out: ns since 1970, UNKNOWN_TIME without a stamp
    link: NDArray[np.int32],  # (rows,)         out: LINKTYPE
    interface: NDArray[np.int32],  # (rows,)    out: row of ``table``
    notes: NDArray[np.int64],  # (notes,)       out: where a packet's comment option begins
) -> None:
    """Walk pcapng blocks from ``AT``: rows from EPB, PB and SPB, other blocks passed over.

    Stops before a block that changes what follows (SHB, IDB) or that counts (ISB).
    draft-ietf-opsawg-pcapng §3.1, §4.3, §4.4; PB: its appendix A.
    """
    at, stop, big = state[AT], state[STOP], state[BIG]
    n = 0
    noted = 0
    status = FULL
    captured = state[CAPTURED]
    total = state[WIRE]
    while n < offset.size:
        if at + 12 > stop:
            status = MORE
            break
        for line in range(LINES):
            prefetch(arena, at, SOON + 64 * line)
        kind = u32(arena, at, big)
        size = u32(arena, at + 4, big)
        if kind in (SHB, IDB, ISB):
            status = LOOK  # a section's length is in its own byte order: do not judge it here
            break
        if size < 12 or size & 3:
            status = BAD_LENGTH
            break
        if kind != EPB and kind != SPB and kind != PB:
            if at + size > stop:
                status = LOOK if size > MAX_BLOCK else MORE
                break
            if u32(arena, at + size - 4, big) != size:
                status = BAD_TRAILER
                break
            at += size
            continue
        if size > MAX_BLOCK:
            status = TOO_LONG
            break
        if at + size > stop:
            status = MORE
            break
        if u32(arena, at + size - 4, big) != size:
            status = BAD_TRAILER
            break
        if size < (16 if kind == SPB else 32):
            status = BAD_LENGTH
            break
        index = np.int64(0)
        if kind == EPB:
            index = u32(arena, at + 8, big)
        elif kind == PB:
            index = u16(arena, at + 8, big)
        if index >= state[COUNT]:
            status = BAD_INTERFACE
            break
        row = state[BASE] + index
        if kind == SPB:
            claim = u32(arena, at + 8, big)
            caplen = claim
            if 0 < table[row, SNAPLEN] < caplen:
                caplen = table[row, SNAPLEN]
            begin = at + 12
            instant = _NONE
        else:
            caplen = u32(arena, at + 20, big)
            claim = u32(arena, at + 24, big)
            begin = at + 28
            instant = _instant(table, row, u32(arena, at + 12, big), u32(arena, at + 16, big))
        end = at + size - 4
        if caplen > MAX_PACKET:
            status = TOO_LONG
            break
        if begin + caplen > end:
            status = BAD_CAPLEN
            break
        if kind != SPB and noted < state[NOTE_ROOM]:
            option = begin + ((caplen + 3) & ~3)
            while option + 4 <= end:
                code = u16(arena, option, big)
                value = u16(arena, option + 2, big)
                if code == 0 or option + 4 + value > end:
                    break  # what claims more than the block is no comment of this packet
                if code == 1 and noted < state[NOTE_ROOM]:
                    notes[noted] = option
                    noted += 1
                option += 4 + ((value + 3) & ~3)
        offset[n] = begin
        length[n] = caplen
        wire[n] = claim
        time[n] = instant
        link[n] = table[row, LINK]
        interface[n] = row
        captured += caplen
        total += claim
        n += 1
        at += size
        if noted > 0 and noted == state[NOTE_ROOM]:
            break
    state[AT] = at
    state[ROWS] = n
    state[STATUS] = status
    state[CAPTURED] = captured
    state[WIRE] = total
    state[NOTES] = noted
