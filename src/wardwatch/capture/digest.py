"""The digest of a file apart from its reading, and how to tell that it is still the same file."""

from __future__ import annotations

import hashlib
import mmap
import os
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

PIECE = 1 << 20
"""Octets read at a time: Python's lock is let go while they are hashed."""
TICK_S = 0.02
"""A clock that stamps files goes on at least as often (a kernel's 100 Hz, and as much again)."""
COARSE_TICK_S = 2.1
"""The same where stamps have no fraction of a second (FAT: 2 s)."""


class Stamp(NamedTuple):
    """What changes with a file: who wrote to it can set back ``mtime_ns``, not ``ctime_ns``."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, file: int) -> Stamp | None:
        """That of an open file; ``None`` of what is no regular file."""
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            return None
        return cls(
            status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
        )


class Digest(NamedTuple):
    """SHA-256 of a file, good for whoever finds it with the same stamp before and after reading."""

    stamp: Stamp
    sha256: str
    """Hex."""


def digest_of(path: str, between: Callable[[], object] = lambda: None) -> Digest | None:
    """Hash a file as it is stored; ``between`` is called for every piece.

    ``None`` where that cannot be: no regular file, not readable, written to meanwhile, or stamped
    so late that one who writes to it next might leave the stamp as it is.
    """
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            return None  # to open a pipe is to have its writer begin
        with Path(path).open("rb", buffering=0) as file:
            before = Stamp.of(file.fileno())
            if before is None or not _settled(before):
                return None
            digest, count = hashlib.sha256(), 0
            buffer = whole_pages(PIECE)
            while count <= before.size and (n := file.readinto(buffer)):
                digest.update(buffer[:n])
                count += n
                between()
            if count != before.size or Stamp.of(file.fileno()) != before:
                return None
            return Digest(before, digest.hexdigest())
    except (OSError, ValueError):
        return None  # whoever reads it says what is wrong


def whole_pages(size: int) -> memoryview:
    """Room for ``size`` octets from the beginning of a page on, to read a file into piece by piece.

    Some processors (Zen 3) copy at a quarter of the speed to a place that stands 1 to 31 octets
    further in its page than what is copied stands in its own: Python's arrays and the system's
    pages are 16 or 32 apart.
    """
    return memoryview(mmap.mmap(-1, size))


def _settled(stamp: Stamp) -> bool:
    """Wait until the clock has gone on since the file was written to; false where it stands ahead."""
    fine = stamp.ctime_ns % 1_000_000_000 or stamp.mtime_ns % 1_000_000_000
    tick = TICK_S if fine else COARSE_TICK_S
    left = max(stamp.ctime_ns, stamp.mtime_ns) / 1e9 + tick - time.time()
    if left > tick:
        return False
    time.sleep(max(left, 0.0))
    return True
