"""Forks: copies of this process, which share its memory as it was; and when one is worth it."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import pickle
import select
import signal
import stat
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

from wardwatch.capture import PIPE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")

WORTH_BYTES = 48 << 20
"""Stored octets of all files from which on it pays: the process costs some 0.1 s to begin."""

LARGE_BYTES = 1 << 20
"""More than what comes and goes with every block, less than a table of stations."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Of ``mallopt`` (malloc.h of the GNU C library)."""

PATIENCE_S = 120.0
"""So long a copy is waited for, after our own part is done; it did as much, and began with us."""

_PACKED = (b"\x1f\x8b", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
"""First octets of gzip, xz and zstd: to unpack twice costs more than is won."""


class Lost(Exception):
    """Another process came to no end, or to another one than ours: what is written is not good.

    Or there is none to be had.
    """


def forked() -> int:
    """A copy of this process ⇒ its number, 0 in the copy.

    Raises :class:`Lost` where the system gives none: too many processes, or no memory for one.
    """
    gc.freeze()  # what is there is written to by no collection: it stays one memory for both
    with warnings.catch_warnings():
        # Of the copy's threads only this one goes on. It asks for no lock that another may hold:
        # it writes to no terminal, and Arrow's pool begins anew behind a fork.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            child = os.fork()
        except OSError as error:
            gc.unfreeze()
            raise Lost(f"the system gives no other process ({error.strerror})") from error
    if child:
        gc.unfreeze()
    return child


def end_copy(child: int) -> None:
    """End a copy of this process, wherever it is, and have it gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


@contextlib.contextmanager
def beside(question: Callable[[], T], *, by_a_copy: bool = True) -> Iterator[Callable[[], T]]:
    """Have a copy of this process answer a question meanwhile; yields what waits for the answer.

    The answer travels pickled. Where no copy is wanted or to be had, or it came to no answer (in
    ``PATIENCE_S``), the question is answered here, when the answer is wanted: whatever it raises is
    raised here.
    """
    if not by_a_copy:
        yield question
        return
    ours, theirs = os.pipe()
    try:
        child = forked()
    except Lost:
        os.close(ours)
        os.close(theirs)
        yield question
        return
    if not child:
        os.close(ours)
        _answer(theirs, question)
    os.close(theirs)
    with os.fdopen(ours, "rb") as told:

        def wait() -> T:
            if not select.select([told], [], [], PATIENCE_S)[0]:
                return question()
            size, raw = told.read(8), told.read()
            if len(size) < 8 or int.from_bytes(size, "big") != len(raw):
                return question()
            answer: T = pickle.loads(raw)  # noqa: S301 - ours, from a copy of this process
            return answer

        try:
            yield wait
        finally:
            end_copy(child)


def answers(
    questions: Sequence[Callable[[], T]],
    *,
    by_a_copy: bool = True,
    first: Callable[[], object] = lambda: None,
) -> list[T]:
    """The answers to at most 256 questions, in their order; a copy of this process asks some of them.

    Each takes the next that nobody took, so that both are done at the same time: dear ones should
    stand in front. What a copy took and came to no answer of is asked here. The copy does ``first``
    before it takes any, and takes none where that raises.
    """
    here = os.getpid()
    turns, last = os.pipe()
    try:
        os.write(last, bytes(range(len(questions))))
        os.close(last)

        def some() -> dict[int, T]:
            if os.getpid() != here:
                first()
            found: dict[int, T] = {}
            while turn := os.read(turns, 1):
                found[turn[0]] = questions[turn[0]]()
            return found

        with beside(some, by_a_copy=by_a_copy) as others:
            found = some() | others()
    finally:
        os.close(turns)
    return [found[at] if at in found else ask() for at, ask in enumerate(questions)]


def _answer(pipe: int, question: Callable[[], object]) -> NoReturn:
    """The copy: it ends here."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller is asked, and ends us
        told = pickle.dumps(question(), protocol=5)
        raw = memoryview(len(told).to_bytes(8, "big") + told)
        while raw:
            raw = raw[os.write(pipe, raw) :]
    finally:
        os._exit(0)  # without an answer the caller asks itself


def large_apart() -> None:
    """Have large arrays from the system each time, and give them back, where that can be had (glibc).

    A table of zeros is then no memory but for the rows in use. By itself glibc takes such pieces
    out of what was freed before, once it has met one, and writes the zeros.
    """
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
        library.mallopt(M_TRIM_THRESHOLD, 2 * LARGE_BYTES)


def give_back() -> None:
    """Give the memory that was freed back to the system, where it knows how (glibc).

    Freed pieces between pieces in use are kept else, to be used again: of a process that reads
    part after part they are half of its memory.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def is_worth_it(paths: Sequence[str]) -> bool:
    """Whether two processes should share these files.

    There must be a second core and ``fork``, and enough to read, in files that are not packed; a
    pipe cannot be read twice.
    """
    if not sys.platform.startswith("linux") or cores() < 2:
        return False
    total = 0
    for path in paths:
        if path == PIPE:
            return False
        try:
            status = Path(path).stat()
            if not stat.S_ISREG(status.st_mode):
                return False
            with Path(path).open("rb") as file:
                if file.read(5).startswith(_PACKED):
                    return False
        except (OSError, ValueError):
            continue  # whoever reads it will say what is wrong
        total += status.st_size
    return total >= WORTH_BYTES
