"""Ahead: while one block is understood, the next one is read, hashed and decoded by another core.

Three ways, of which the blocks come in the same order, so that what is made of them is the same to
the last row: all in one thread; the hash beside it in another; reading, hashing and decoding apart
in another process (:mod:`~wardwatch.observe.apart`). Threads for the third saved little: both sides
need Python between their kernels, and waited for its lock.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from wardwatch.decode.columns import PacketColumns
from wardwatch.decode.kernels import headers
from wardwatch.model.block import Interface, PacketBlock

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from wardwatch.capture.reader import CaptureReader
    from wardwatch.observe.vantage import Vantage

ONE_THREAD, HASH_BESIDE, APART, APART_AND_BESIDE = 1, 2, 3, 4
"""All in the caller's thread; the hash in another; all but understanding in another process; and
the hash in a second thread of that."""

WORTH_THREAD = 4 << 20
"""Stored bytes of a file from which on a second thread pays: two or three blocks."""
WORTH_PROCESS = 32 << 20
"""Stored bytes of a file from which on another process pays."""


class Decoded(msgspec.Struct, frozen=True):
    """A block, its columns, where its packets were heard, and what the reader knew by then."""

    block: PacketBlock
    columns: PacketColumns
    segment: NDArray[np.int32]
    """(n,) row of each packet's segment."""
    interfaces: tuple[Interface, ...]
    bytes_read: int


class Room(msgspec.Struct):
    """Arrays that a block is decoded into."""

    columns: PacketColumns
    segment: NDArray[np.int32]

    @classmethod
    def of_size(cls, size: int) -> Room:
        """Room for ``size`` packets."""
        return cls(PacketColumns.of_size(size), np.zeros(size, np.int32))

    def decode(
        self,
        block: PacketBlock,
        events: headers.Events,
        places: Vantage,
        interfaces: Sequence[Interface],
    ) -> None:
        """Fill it with what the headers of a block say, and where it was heard."""
        headers.decode_block(block, self.columns, events)
        places.take(block, self.columns, interfaces, self.segment)


def decoded(
    reader: CaptureReader, events: headers.Events, places: Vantage, *, way: int = 0
) -> Generator[Decoded]:
    """Every block of a capture with its columns, which are good until the next is asked for.

    Tags are counted in ``events``, which are complete when the iteration ends. ``way`` is one of
    the numbers above; 0 takes what pays: with more than one core, the longer the file the more.
    """
    way = way or _way(reader)
    if way == ONE_THREAD:
        return _here(reader, events, places)
    if way == HASH_BESIDE:
        return _beside(reader, events, places)
    from wardwatch.observe.apart import apart

    return apart(reader, events, places, hashing=way == APART_AND_BESIDE)


def _way(reader: CaptureReader) -> int:
    """What pays for a file of this length, on this machine."""
    read, total = reader.progress
    size = total - read if total >= 0 else WORTH_PROCESS  # nobody knows how long a pipe is
    cores = _cores()
    if cores == 1 or size < WORTH_THREAD:
        return ONE_THREAD
    if size < WORTH_PROCESS or not hasattr(os, "fork"):
        return HASH_BESIDE
    return APART if cores == 2 else APART_AND_BESIDE


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _here(reader: CaptureReader, events: headers.Events, places: Vantage) -> Generator[Decoded]:
    room = Room.of_size(0)
    for block in reader:
        if len(room.segment) < block.n:
            room = Room.of_size(block.n)
        room.decode(block, events, places, reader.interfaces)
        yield Decoded(block, room.columns, room.segment, reader.interfaces, reader.progress[0])


def _beside(reader: CaptureReader, events: headers.Events, places: Vantage) -> Generator[Decoded]:
    """One thread hashes, and the caller's does the rest."""
    with ThreadPoolExecutor(1, "wardwatch") as pool:
        reader.lend(2)
        reader.hash_aside(pool)
        yield from _here(reader, events, places)
