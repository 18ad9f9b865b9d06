"""Apart: another process reads, hashes and decodes; this one understands.

The process is a copy of this one (``fork``), and what it fills lies in memory that both see: a few
arenas, the arrays of their blocks and columns, counts of tags, and the tables of who was heard
where. Through a pipe goes one short message a block: which of them to look at. It reads on while
at most ``OUTSTANDING`` blocks are in other hands, as their memory is written over in turn. It runs
kernels, the hash and the unpackers, nothing else of the copy, and ends when the pipe does.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import signal
import warnings
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import Pipe
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from wardwatch.capture.reader import BLOCK_ROWS
from wardwatch.decode.columns import PacketColumns
from wardwatch.errors import InputError
from wardwatch.model.block import CaptureFile, Interface, PacketBlock
from wardwatch.observe.ahead import Decoded, Room
from wardwatch.observe.shared import shared

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from multiprocessing.connection import Connection

    from numpy.typing import NDArray

    from wardwatch.capture.reader import CaptureReader
    from wardwatch.decode.kernels import headers
    from wardwatch.observe.vantage import Vantage

OUTSTANDING = 2
"""Blocks given or waiting to be: more would leave the cache before they are looked at."""

Message = tuple[int, int, int, int, int, int, tuple[Interface, ...] | None, bytes]
"""Arena, arrays, room, first packet, packets, bytes read, interfaces where there are new ones, and
the news of who was heard where."""


class _Memory(NamedTuple):
    """What both processes see of the blocks; each kind is used in turn."""

    arenas: list[NDArray[np.uint8]]
    arrays: list[tuple[Any, ...]]
    rooms: list[Room]


def apart(
    reader: CaptureReader, events: headers.Events, places: Vantage, *, hashing: bool
) -> Generator[Decoded]:
    """Every block of a capture, read and decoded by another process (see :func:`ahead.decoded`).

    ``hashing``: that process hashes in a thread of its own. Raises
    :class:`~wardwatch.errors.InputError` where it was ended from outside.
    """
    memory = _Memory(
        *reader.lend(OUTSTANDING + 2, shared), [_room() for _ in range(OUTSTANDING + 1)]
    )
    counted = events.table
    events.table = shared(counted.size, counted.dtype).reshape(counted.shape)
    events.table[:] = counted
    ours, theirs = Pipe()
    child = _forked()
    if not child:
        ours.close()
        _work(theirs, reader, events, places, memory, hashing=hashing)
    theirs.close()
    try:
        yield from _given(ours, reader, places, memory)
    finally:
        ours.close()
        os.kill(child, signal.SIGKILL)  # it may wait for a pipe that never ends
        os.waitpid(child, 0)
        counted[:] = events.table
        events.table = counted


def _forked() -> int:
    with warnings.catch_warnings():
        # Of the copy's threads only this one goes on. None of ours holds a lock that kernels, the
        # hash or the unpackers ask for.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _room() -> Room:
    """Room for a block in memory that both processes see."""
    columns = PacketColumns.of_size(0)
    for name in PacketColumns.__struct_fields__:
        like: NDArray[Any] = getattr(columns, name)
        width = like.shape[1] if like.ndim == 2 else 1
        made = shared(BLOCK_ROWS * width, like.dtype)
        setattr(columns, name, made.reshape(-1, width) if like.ndim == 2 else made)
    return Room(columns, shared(BLOCK_ROWS, np.int32))


def _given(
    pipe: Connection,
    reader: CaptureReader,
    places: Vantage,
    memory: _Memory,
) -> Iterator[Decoded]:
    """What the other process tells of, block after block; at its end the reader is told the result."""
    interfaces: tuple[Interface, ...] = ()
    while True:
        try:
            told: Message | CaptureFile | BaseException = pickle.loads(pipe.recv_bytes())  # noqa: S301
        except (EOFError, ConnectionResetError):
            raise InputError(
                reader.name,
                "the process that read it was ended from outside",
                "see whether memory is short, and try again",
            ) from None
        if isinstance(told, BaseException):
            raise told
        if isinstance(told, CaptureFile):
            reader.conclude(told)
            return
        arena, row, number, first, n, read, new, news = told
        if new is not None:
            interfaces = new
        places.hear(news)
        room = memory.rooms[number]
        block = PacketBlock(reader.number, first, n, memory.arenas[arena], *memory.arrays[row])
        yield Decoded(block, room.columns, room.segment, interfaces, read)
        with contextlib.suppress(
            BrokenPipeError, ConnectionResetError
        ):  # it has read to the end, and is gone
            pipe.send_bytes(b".")


def _work(
    pipe: Connection,
    reader: CaptureReader,
    events: headers.Events,
    places: Vantage,
    memory: _Memory,
    *,
    hashing: bool,
) -> None:
    """The other process: read to the end, tell of each block, and be gone."""
    status = 1
    try:
        gc.disable()  # what was there is not ours to look through: it would be copied
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # who was interrupted closes the pipe
        with ThreadPoolExecutor(1) if hashing else contextlib.nullcontext() as pool:
            if pool is not None:
                reader.hash_aside(pool)
            _tell(pipe, reader, events, places, memory)
        status = 0
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass  # nobody listens any more
    except BaseException as error:
        with contextlib.suppress(OSError):
            pipe.send_bytes(pickle.dumps(_carried(error)))
    finally:
        os._exit(status)  # without what this copy would flush and remove at its end


def _carried(error: BaseException) -> BaseException:
    """An error as it can be raised in another process."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _tell(
    pipe: Connection,
    reader: CaptureReader,
    events: headers.Events,
    places: Vantage,
    memory: _Memory,
) -> None:
    told: tuple[Interface, ...] | None = None
    turns = deque(range(len(memory.rooms)))
    out = 0
    places.news()
    blocks = iter(reader)
    while True:
        if out == OUTSTANDING:
            pipe.recv_bytes()
            out -= 1
        block = next(blocks, None)
        if block is None:
            break
        number = turns[0]
        turns.rotate(-1)
        interfaces = reader.interfaces
        memory.rooms[number].decode(block, events, places, interfaces)
        message: Message = (
            next(i for i, arena in enumerate(memory.arenas) if arena is block.arena),
            next(i for i, row in enumerate(memory.arrays) if row[0] is block.offset),
            number,
            block.first,
            block.n,
            reader.progress[0],
            interfaces if interfaces != told else None,
            places.news(),
        )
        told = interfaces
        pipe.send_bytes(pickle.dumps(message, pickle.HIGHEST_PROTOCOL))
        out += 1
    pipe.send_bytes(pickle.dumps(reader.result, pickle.HIGHEST_PROTOCOL))
