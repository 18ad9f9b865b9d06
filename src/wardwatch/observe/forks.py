"""Forks: copies of this process, which share its memory as it was; and when one is worth it."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
import stat
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from wardwatch.capture import PIPE

if TYPE_CHECKING:
    from collections.abc import Sequence

WORTH_BYTES = 48 << 20
"""Stored octets of all files from which on it pays: the process costs some 0.1 s to begin."""

LARGE_BYTES = 1 << 20
"""More than what comes and goes with every block, less than a table of stations."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Of ``mallopt`` (malloc.h of the GNU C library)."""

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
