"""Ahead: while one block is understood, another thread reads, hashes and decodes the next one.

Most of the work is done by kernels and by the hash, which let Python's lock go, so that two cores
share it. What is done ahead sees blocks in their order and keeps its own state (segments,
stations, copies); what is understood of them is the same, to the last row, with one core or more.
"""

from __future__ import annotations

import contextlib
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from threading import Semaphore
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from wardwatch.decode.columns import PacketColumns
from wardwatch.decode.kernels import headers
from wardwatch.model.block import Interface, PacketBlock

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from concurrent.futures import Future

    from wardwatch.capture.reader import CaptureReader

    Place = Callable[[PacketBlock, PacketColumns, tuple[Interface, ...], NDArray[np.int32]], None]


OUTSTANDING = 2
"""Blocks given or waiting to be: more would leave the cache before they are looked at."""
WORTH_BYTES = 4 << 20
"""Stored bytes of a file from which on a second thread pays: two or three blocks."""
TURN_S = 0.0002
"""Seconds after which a thread that computes in Python lets another one have its lock: a block
takes a few milliseconds, and Python's own five would keep the other core waiting for all of it."""


class Decoded(msgspec.Struct, frozen=True):
    """A block, its columns, where its packets were heard, and what the reader knew by then."""

    block: PacketBlock
    columns: PacketColumns
    segment: NDArray[np.int32]
    """(n,) row of each packet's segment, as ``place`` filled it in."""
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


def decoded(
    reader: CaptureReader, events: headers.Events, place: Place, *, threads: int = 0
) -> Generator[Decoded]:
    """Every block of a capture with its columns, which are good until the next is asked for.

    Tags are counted in ``events``, which are complete when the iteration ends; ``place`` says
    where packets were heard, and is called block after block. ``threads`` 1 does it all in the
    caller's, 2 reads, hashes and decodes in another, 3 hashes in a third; 0 takes as many as there
    are cores where the file is long.
    """
    if threads == 0:
        _, total = reader.progress
        threads = 1 if 0 <= total < WORTH_BYTES else min(_cores(), 3)
    if threads == 1:
        return _here(reader, events, place)
    return _ahead(reader, events, place, hashing=threads > 2)


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _here(reader: CaptureReader, events: headers.Events, place: Place) -> Generator[Decoded]:
    room = Room.of_size(0)
    for block in reader:
        room = _decode(block, room, events, place, reader.interfaces)
        yield Decoded(block, room.columns, room.segment, reader.interfaces, reader.progress[0])


def _decode(
    block: PacketBlock,
    room: Room,
    events: headers.Events,
    place: Place,
    interfaces: tuple[Interface, ...],
) -> Room:
    if len(room.segment) < block.n:
        room = Room.of_size(block.n)
    headers.decode_block(block, room.columns, events)
    place(block, room.columns, interfaces, room.segment)
    return room


@contextlib.contextmanager
def _short_turns() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(before, TURN_S))
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _ahead(
    reader: CaptureReader, events: headers.Events, place: Place, *, hashing: bool
) -> Generator[Decoded]:
    """One thread reads and decodes, perhaps one hashes, and the caller's understands."""
    room = Semaphore(OUTSTANDING)
    ready: SimpleQueue[Decoded | None] = SimpleQueue()
    stopped = False

    def work() -> None:
        rooms = [Room.of_size(0)] * (OUTSTANDING + 1)
        try:
            blocks = iter(reader)
            while True:
                room.acquire()
                block = None if stopped else next(blocks, None)
                if block is None:
                    return
                interfaces = reader.interfaces
                one = _decode(block, rooms.pop(0), events, place, interfaces)
                rooms.append(one)
                ready.put(Decoded(block, one.columns, one.segment, interfaces, reader.progress[0]))
        finally:
            ready.put(None)

    with _short_turns(), ThreadPoolExecutor(2, "wardwatch") as pool:
        reader.lend(OUTSTANDING + 2)
        if hashing:
            reader.hash_aside(pool)
        working: Future[None] = pool.submit(work)
        try:
            while (given := ready.get()) is not None:
                yield given
                room.release()
            working.result()
        finally:
            stopped = True
            room.release()
