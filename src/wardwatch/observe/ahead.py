"""Ahead: while one block is understood, the next one is hashed, read and decoded by other threads.

The kernels let Python's lock go, so that two cores share the work; the blocks come in their order
and what is made of them is the same, to the last row, with one core or two.
"""

from __future__ import annotations

from queue import SimpleQueue
from threading import Barrier, Semaphore
from typing import TYPE_CHECKING

import msgspec

from wardwatch.capture.reader import ENDLESS
from wardwatch.decode.columns import PacketColumns
from wardwatch.decode.kernels import headers
from wardwatch.model.block import Interface, PacketBlock
from wardwatch.observe.forks import cores

if TYPE_CHECKING:
    from collections.abc import Generator
    from concurrent.futures import Future, ThreadPoolExecutor

    from wardwatch.capture.reader import CaptureReader


OUTSTANDING = 2
"""Blocks given or waiting to be: more would leave the cache before they are looked at."""
WORTH_BYTES = 4 << 20
"""Stored bytes of a file from which on a second thread pays: two or three blocks."""


class Decoded(msgspec.Struct, frozen=True):
    """A block, its columns, and what the reader knew when it had read it."""

    block: PacketBlock
    columns: PacketColumns
    """Those of a block that is passed over say nothing."""
    interfaces: tuple[Interface, ...]
    bytes_read: int
    passed: bool = False
    """It was read, and not decoded: it lies outside of what was asked for."""


EVERYTHING = (-1, ENDLESS)


def decoded(
    reader: CaptureReader,
    events: headers.Events,
    *,
    threads: int = 0,
    between: tuple[int, int] = EVERYTHING,
    columns: PacketColumns | None = None,
) -> Generator[Decoded]:
    """Every block of a capture with its columns, which are good until the next is asked for.

    Tags are counted in ``events``, which are complete when the iteration ends. ``threads`` 1 does
    it all in the caller's, 2 hash in another, 3 read and decode in a third; 0 takes as many as
    there are cores where the file is long. On two cores a third thread saved no time: it waits
    for Python's lock, and the block has left its core's cache when it is understood. Where the
    system gives no more threads the caller's does it all.

    Blocks are passed over up to the first that ends at or behind the first octet of ``between``,
    it too; and the iteration ends behind the first that ends at or behind the second. Another one
    goes on there, with the ``columns`` of this one if it is given them.
    """
    if threads == 0:
        _, total = reader.progress
        threads = 1 if 0 <= total < WORTH_BYTES else min(cores(), 3)
    if threads == 1 or (threads == 2 and not reader.is_hashed):
        return _here(reader, events, between, columns)
    return _by_threads(threads, reader, events, between, columns)


def _by_threads(
    threads: int,
    reader: CaptureReader,
    events: headers.Events,
    between: tuple[int, int],
    columns: PacketColumns | None,
) -> Generator[Decoded]:
    pool = _pool_of(threads - 1)
    if pool is None:
        yield from _here(reader, events, between, columns)
        return
    try:
        with pool:
            yield from (_beside if threads == 2 else _ahead)(pool, reader, events, between)
    finally:
        reader.hash_aside(None)


def _pool_of(threads: int) -> ThreadPoolExecutor | None:
    """A pool with so many threads, all of them begun; ``None``: the system does not give them."""
    from concurrent.futures import ThreadPoolExecutor

    pool, begun = ThreadPoolExecutor(threads, "wardwatch"), Barrier(threads)
    try:
        for _ in range(threads):
            pool.submit(begun.wait)
    except RuntimeError:  # too many threads, or no memory for one's stack
        begun.abort()
        pool.shutdown()
        return None
    return pool


def _here(
    reader: CaptureReader,
    events: headers.Events,
    between: tuple[int, int],
    columns: PacketColumns | None = None,
) -> Generator[Decoded]:
    columns = columns or PacketColumns.of_size(0)
    begin, end = between
    at = _end_of(reader)
    while at < end and (block := next(iter(reader), None)) is not None:
        passed = at < begin
        at = reader.offset
        if not passed:
            columns = _decode(block, columns, events)
        yield Decoded(block, columns, reader.interfaces, reader.progress[0], passed)


def _end_of(reader: CaptureReader) -> int:
    """Where the last block ends; -1 before the first."""
    return reader.offset if reader.packets else -1


def _beside(
    pool: ThreadPoolExecutor,
    reader: CaptureReader,
    events: headers.Events,
    between: tuple[int, int],
) -> Generator[Decoded]:
    """One thread hashes, and the caller's does the rest."""
    reader.lend(2)
    reader.hash_aside(pool)
    yield from _here(reader, events, between)


def _decode(block: PacketBlock, columns: PacketColumns, events: headers.Events) -> PacketColumns:
    columns = columns.for_size(block.n)
    headers.decode_block(block, columns, events)
    return columns


def _ahead(
    pool: ThreadPoolExecutor,
    reader: CaptureReader,
    events: headers.Events,
    between: tuple[int, int],
) -> Generator[Decoded]:
    """One thread reads and decodes, one hashes, and the caller's understands."""
    room = Semaphore(OUTSTANDING)
    ready: SimpleQueue[Decoded | None] = SimpleQueue()
    stopped = False

    def work() -> None:
        columns = [PacketColumns.of_size(0)] * (OUTSTANDING + 1)
        begin, end = between
        at = _end_of(reader)
        try:
            blocks = iter(reader)
            while True:
                room.acquire()
                block = None if stopped or at >= end else next(blocks, None)
                if block is None:
                    return
                passed = at < begin
                at = reader.offset
                own = columns.pop(0)
                columns.append(own if passed else _decode(block, own, events))
                ready.put(
                    Decoded(block, columns[-1], reader.interfaces, reader.progress[0], passed)
                )
        finally:
            ready.put(None)

    reader.lend(OUTSTANDING + 2)
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
