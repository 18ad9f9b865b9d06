"""Forks: copies of this process, which share its memory as it was; and when one is worth it."""

from __future__ import annotations

import gc
import os
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

MOST_BYTES = 5 << 30
"""Beyond so many, two processes together would need more than 500 MB: 540 for 10 GB of the mix."""

_PACKED = (b"\x1f\x8b", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
"""First octets of gzip, xz and zstd: to unpack twice costs more than is won."""


class Lost(Exception):
    """Another process came to no end, or to another one than ours: what is written is not good."""


def forked() -> int:
    """A copy of this process ⇒ its number, 0 in the copy."""
    gc.freeze()  # what is there is written to by no collection: it stays one memory for both
    with warnings.catch_warnings():
        # Of the copy's threads only this one goes on. It asks for no lock that another may hold:
        # it writes to no terminal, and Arrow's pool begins anew behind a fork.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child:
        gc.unfreeze()
    return child


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def is_worth_it(paths: Sequence[str]) -> bool:
    """Whether two processes should share these files.

    There must be a second core and ``fork``, and enough to read, not too much, in files that are
    not packed; a pipe cannot be read twice.
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
    return WORTH_BYTES <= total <= MOST_BYTES
