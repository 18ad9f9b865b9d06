"""Captures in, evidence tables out: every packet once, in constant memory.

A block of packets passes the compiled kernels (headers, conversations, stations, copies, rows of
ordinary messages); only packets that carry an answer the kernels leave open reach Python.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable  # msgspec looks at the types of a struct's fields
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from wardwatch.errors import CaptureError
from wardwatch.observe.tables import Spool, Tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from wardwatch.capture.source import RawStream
    from wardwatch.model.site import KnownSecret
    from wardwatch.observe.digests import Digests
    from wardwatch.observe.later import Later


class Observed(msgspec.Struct, frozen=True):
    """What was read, and the tables to ask."""

    tables: Tables
    packets: int
    decoded: int
    skipped: int
    malformed: int
    damaged: bool
    """Whether a file was cut or damaged."""
    key_note: str
    """What a user should know of secrets: a key for this run only, a bound reached; "" nothing."""
    parser_calls: int
    """Messages that a Python parser has read."""
    refused: tuple[CaptureError, ...]
    """Files that could not be read, where others could."""
    end: int
    """Time of the last packet, ns; 0 without any."""
    complete: Callable[[], None]
    """Complete the table ``captures``, where :func:`observe` was asked to leave that to its caller.

    It waits for the digests, and raises :class:`~wardwatch.observe.forks.Lost` where a file changed
    while it was read: nothing of this is good then, and all is to be observed again by one process."""


def observe(
    paths: Sequence[str | Path],
    *,
    out: Path | str | None = None,
    key_file: Path | str | None = None,
    progress: Callable[[int, int], None] | None = None,
    known_secrets: Sequence[KnownSecret] = (),
    idle_s: float = 0.0,
    threads: int = 0,
    processes: int = 0,
    meanwhile: Callable[[], object] | None = None,
    digests: Digests | None = None,
    completed: bool = True,
    streams: Mapping[str, RawStream] | None = None,
) -> Observed:
    """Read captures, in the order of their first packets, and fill the evidence tables.

    The tables are written to ``out`` as Parquet; without it small ones stay in memory, and larger
    ones live in a temporary folder as long as the value. ``progress`` is called with (bytes read,
    bytes in all or -1). ``idle_s`` ends a conversation after so many seconds of silence; 0 never.
    ``threads`` 1 keeps all work in the caller's; of ``processes`` 2 and more each reads a part
    and one more hashes, 0 lets two share where that saves time; the tables hold the same rows.
    Where they do, ``meanwhile`` is called in a thread besides: what the caller needs afterwards is
    loaded while two cores read; and ``digests`` are asked, which the caller began and closes
    (:func:`~wardwatch.observe.digests.hashed_ahead`). Where those are given, a caller who has
    other things to do first may say that the table ``captures`` need not be ``completed``: it does
    so itself (:attr:`Observed.complete`). ``streams`` are captures that are read as they come,
    by names among the ``paths``: a live port, say. Raises
    :class:`~wardwatch.errors.CaptureError` when no file could be read at all; otherwise files
    that could not be read are named in :attr:`Observed.refused`.
    """
    from wardwatch.capture import timeline
    from wardwatch.observe.collector import at_rest
    from wardwatch.observe.digests import MOST_HELD, Digests
    from wardwatch.observe.forks import Lost, cores, give_back, is_worth_it
    from wardwatch.observe.observer import Observer
    from wardwatch.observe.secrets import Secrets

    folder = None if out is None else Path(out)
    given = Secrets(key_file, known=known_secrets, output=folder)
    names = [str(path) for path in paths]
    files = timeline(names)

    def run(laters: Sequence[Later] = (), hashed: Digests | None = None) -> Observed:
        spool, secrets = Spool(folder), given.beside()
        observer = Observer(
            spool, secrets, idle_s=idle_s, threads=threads, laters=laters, digests=hashed,
            streams=streams,
        )  # fmt: skip
        try:
            return taken(spool, secrets, observer)
        except Lost:
            spool.discard()
            raise

    def taken(spool: Spool, secrets: Secrets, observer: Observer) -> Observed:
        meter = _Meter(names, progress)
        refused: list[CaptureError] = []
        for number, name in files:
            try:
                observer.read(number, name, meter.report)
            except CaptureError as error:
                refused.append(error)
            meter.next()
        if refused and len(refused) == len(names):
            raise refused[0]
        observer.finish()
        tables, captures = spool.close(but="captures"), observer.captures

        @cache  # once, whoever asks
        def complete() -> None:
            captures.write()
            spool.seal("captures")

        if completed or digests is None:
            complete()
        return Observed(
            tables=tables,
            packets=observer.packets,
            decoded=observer.outcomes[0],
            skipped=observer.outcomes[1],
            malformed=observer.outcomes[2],
            damaged=observer.damaged,
            key_note="; ".join(filter(None, (secrets.note, secrets.limits))),
            parser_calls=observer.parser_calls,
            refused=tuple(refused),
            end=captures.end,
            complete=complete,
        )

    shared = processes > 1 or (processes == 0 and threads != 1 and is_worth_it(names))
    if shared and not streams:
        from wardwatch.observe import later as other

        with contextlib.suppress(Lost), contextlib.ExitStack() as stack:
            hashed = digests or stack.enter_context(closing(Digests(names)))
            laters: list[Later] = []
            for parts in other.shares_of(files, processes or 2):
                reading = other.Other(files, given, parts, idle_s=idle_s)
                laters += stack.enter_context(closing(reading)).laters
            order = [number for number, _ in files]
            laters.sort(key=lambda one: (order.index(one.cut.capture), one.cut.offset))
            octets = sum(map(other.size_of, names))
            if cores() <= (processes or 2) and octets <= MOST_HELD:
                hashed.wait()
            stack.enter_context(at_rest())
            # Behind the fork: what a thread has locked stays locked in the copy.
            stack.enter_context(_besides(meanwhile))
            seen = run(laters, hashed)
            give_back()  # that of who has read
            return seen
        # It was ended from outside, or a file grew meanwhile: what was written is written over.
    with at_rest():
        return run()


@contextlib.contextmanager
def _besides(work: Callable[[], object] | None) -> Iterator[None]:
    """Another thread does ``work`` meanwhile, and has done it at the end.

    Where there is none to be had nothing is done: who needs what it loads will load it.
    """
    with contextlib.ExitStack() as stack:
        if work is not None:
            thread = threading.Thread(target=work, name="meanwhile")
            with contextlib.suppress(RuntimeError):  # too many threads, or no memory for its stack
                thread.start()
                stack.callback(thread.join)
        yield


def write_evidence(
    paths: Sequence[str | Path], out: Path | str, key_file: Path | str | None = None
) -> Observed:
    """Write ``out/<table>.parquet`` for every table: what ``wardwatch evidence --out`` does."""
    return observe(paths, out=out, key_file=key_file)


class _Meter:
    """Progress over several files as one."""

    def __init__(self, names: Sequence[str], progress: Callable[[int, int], None] | None) -> None:
        self._progress = progress
        self._done = 0
        self._here = 0
        self._total = 0
        for name in names:
            path = Path(name)
            if name == "-" or not path.is_file():
                self._total = -1
                break
            self._total += path.stat().st_size

    def report(self, count: int) -> None:
        """``count`` bytes of the present file have been read."""
        self._here = count
        if self._progress is not None:
            self._progress(self._done + count, self._total)

    def next(self) -> None:
        """The present file is finished."""
        self._done += self._here
        self._here = 0
