"""A receive ring of Linux's packet sockets, made into blocks of a pcapng.

Theory of operation: the kernel writes frames into memory that it shares with us, a block of the ring
at a time, and hands a block over when it is full or has waited long enough (TPACKET_V3,
``linux/if_packet.h``). Compiled code writes an enhanced packet block of each frame (draft-ietf-opsawg-
pcapng §4.3); then the block of the ring is the kernel's again. The tag of a VLAN, which the kernel
takes out of a frame and tells beside it, is put back where it was.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np

from wardwatch.capture.records import EPB, MAX_PACKET, u16, u32
from wardwatch.compiled import helper, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Int = int | np.int64

HEADER = 48
"""Octets of ``struct tpacket3_hdr``; the address of the frame's sender stands behind it."""
KIND = HEADER + 10
"""Where ``sll_pkttype`` stands in a frame's header."""
OUTGOING = 4
"""``PACKET_OUTGOING``: our own machine sends it."""
TAGGED, TAG_NAMED = 1 << 4, 1 << 6
"""``TP_STATUS_VLAN_VALID``, ``TP_STATUS_VLAN_TPID_VALID``."""
TAG, DOT1Q, MACS = 4, 0x8100, 12
"""Octets of a tag; its EtherType where the kernel names none; what stands before it."""
AROUND = 32
"""Octets of an enhanced packet block around the packet and its padding."""
MOST = MAX_PACKET + AROUND
"""Octets of the longest block that a frame becomes."""

IN_USER, BLOCK_STATUS, BLOCK_COUNT, BLOCK_FIRST = 1, 8, 12, 16
"""``TP_STATUS_USER``; where in a block of the ring its state, its number of frames and the place of
the first stand (``struct tpacket_hdr_v1``)."""

NEXT, LEFT, END, TAKEN, PASSED, ODD = range(6)
"""Of ``state``: where the next frame's header stands and how many are left in the block, which ends
there; frames taken, and passed over; blocks whose numbers made no sense (these three added to)."""
STATES = 6
_BIG = int(sys.byteorder == "big")
"""The ring speaks the machine's own byte order; what we write is little-endian."""


@helper
def _put(out: NDArray[np.uint8], at: Int, value: Int) -> None:
    """Write 32 bits."""
    for k in range(4):
        out[at + k] = np.uint8((value >> (8 * k)) & 0xFF)


@helper
def _copied(
    out: NDArray[np.uint8], to: Int, memory: NDArray[np.uint8], begin: Int, octets: Int
) -> None:
    """Copy octets from one array to another."""
    target, source = np.uint64(to), np.uint64(begin)  # unsigned: no place is counted from the end,
    for k in range(np.uint64(octets)):  # and many are copied at once
        out[target + k] = memory[source + k]


@kernel
def take_frames(
    memory: NDArray[np.uint8],  # (octets,)   the ring
    state: NDArray[np.int64],  # (STATES,)    in and out, see above
    inward: int,  #                           1: without what our own machine sends
    out: NDArray[np.uint8],  # (octets,)      out: blocks of a pcapng
) -> int:
    """Frames left in one block of the ring, as far as there is room for them ⇒ octets written."""
    at, left, end = state[NEXT], state[LEFT], state[END]
    written = np.int64(0)
    while left > 0:
        if at + KIND >= end:
            state[ODD] += 1
            left = np.int64(0)
            break
        step = u32(memory, at, _BIG)
        kept = u32(memory, at + 12, _BIG)
        wire = u32(memory, at + 16, _BIG)
        status = u32(memory, at + 20, _BIG)
        begin = at + u16(memory, at + 24, _BIG)
        if begin + kept > end or (step < HEADER and left > 1):
            state[ODD] += 1
            left = np.int64(0)
            break
        if inward and memory[at + KIND] == OUTGOING:
            state[PASSED] += 1
        else:
            before, tag = np.int64(0), np.int64(0)
            if status & TAGGED and kept >= MACS:
                before, tag = np.int64(MACS), np.int64(TAG)
            length = kept + tag
            if length > MAX_PACKET:
                length = np.int64(MAX_PACKET)
            size = AROUND + ((length + 3) & ~3)
            if written + size > out.size:
                break
            stamp = u32(memory, at + 4, _BIG) * 1_000_000_000 + u32(memory, at + 8, _BIG)
            _put(out, written, EPB)
            _put(out, written + 4, size)
            _put(out, written + 8, 0)
            _put(out, written + 12, stamp >> 32)
            _put(out, written + 16, stamp)
            _put(out, written + 20, length)
            _put(out, written + 24, wire + tag)
            to = written + 28
            _copied(out, to, memory, begin, before)
            if tag:
                kind = np.int64(DOT1Q)
                if status & TAG_NAMED:
                    kind = u16(memory, at + 36, _BIG)
                told = u32(memory, at + 32, _BIG)
                out[to + before] = np.uint8(kind >> 8)
                out[to + before + 1] = np.uint8(kind & 0xFF)
                out[to + before + 2] = np.uint8((told >> 8) & 0xFF)
                out[to + before + 3] = np.uint8(told & 0xFF)
            rest = length - before - tag
            _copied(out, to + before + tag, memory, begin + before, rest)
            for k in range(length, size - AROUND):
                out[to + k] = np.uint8(0)
            _put(out, written + size - 4, size)
            written += size
            state[TAKEN] += 1
        left -= 1
        at += step
    state[NEXT] = at
    state[LEFT] = left
    return int(written)


class Ring:
    """The blocks of a ring, each taken when the kernel has handed it over."""

    def __init__(self, memory: NDArray[np.uint8], block: int, *, inward: bool = False) -> None:
        """``memory`` (octets,) is shared with the kernel, in blocks of so many octets.

        ``inward``: what our own machine sends is passed over. On a loopback it comes twice.
        """
        self._memory = memory
        self._words = memory.view(np.uint32)
        self._block = block
        self._inward = int(inward)
        self._at = 0
        self._state = np.zeros(STATES, np.int64)

    @property
    def taken(self) -> int:
        """Frames given so far."""
        return int(self._state[TAKEN])

    @property
    def handed(self) -> int:
        """Frames that the kernel has handed over, those passed over too."""
        return int(self._state[TAKEN] + self._state[PASSED])

    @property
    def odd(self) -> int:
        """Blocks of the ring whose numbers made no sense: what was left of each is lost."""
        return int(self._state[ODD])

    def take(self, out: NDArray[np.uint8]) -> int:
        """Write blocks of a pcapng to ``out``, which has room for one at least ⇒ octets.

        0: the kernel has handed over nothing more.
        """
        written, state = 0, self._state
        while True:
            if not state[LEFT]:
                if not self._word(BLOCK_STATUS) & IN_USER:
                    return written
                state[NEXT] = self._at + self._word(BLOCK_FIRST)
                state[LEFT] = self._word(BLOCK_COUNT)
                state[END] = self._at + self._block
            written += take_frames(self._memory, state, self._inward, out[written:])
            if state[LEFT]:
                return written
            self._words[(self._at + BLOCK_STATUS) // 4] = 0  # the kernel's again
            self._at = (self._at + self._block) % len(self._memory)

    def _word(self, at: int) -> int:
        """A number of the block at hand."""
        return int(self._words[(self._at + at) // 4])
