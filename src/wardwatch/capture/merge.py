"""Several captures as one timeline: in which order files given together are read.

Each file keeps the number of its place on the command line, and is read as a whole: files are
ordered by their first packet, packets of files that overlap in time are not interleaved. For
the pieces of a ring buffer (``dumpcap -b``) the result is one timeline. For two sensors that
listened at the same time it is one after the other, each in its own order: nothing is lost, and
evidence keeps naming file and packet; but what is measured between packets of different files
rests on their stamps alone.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

from wardwatch.capture import PIPE
from wardwatch.capture.sniff import open_capture
from wardwatch.errors import CaptureError
from wardwatch.model.values import UNKNOWN_TIME

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence


def timeline(paths: Sequence[str | os.PathLike[str]]) -> list[tuple[int, str]]:
    """``(number, path)`` in reading order; ``number`` counts from 1 in the order given.

    A file that tells no time (a pipe, no packet, not readable) keeps its place.
    """
    given = [(number, str(path)) for number, path in enumerate(paths, 1)]
    if len(given) < 2:
        return given
    first = {number: first_time(path) for number, path in given}
    timed = iter(
        sorted((g for g in given if first[g[0]] != UNKNOWN_TIME), key=lambda g: first[g[0]])
    )
    return [g if first[g[0]] == UNKNOWN_TIME else next(timed) for g in given]


def first_time(path: str) -> int:
    """The first stamp in a file, looking no further than its first block, or UNKNOWN_TIME."""
    try:
        # What is read from a pipe to look at it is gone, so only files are looked into.
        if path == PIPE or not stat.S_ISREG(Path(path).stat().st_mode):
            return UNKNOWN_TIME
        with open_capture(path) as reader:
            for block in reader:
                known = block.time[: block.n][block.time[: block.n] != UNKNOWN_TIME]
                return int(known[0]) if known.size else UNKNOWN_TIME
    except (CaptureError, OSError, ValueError):
        pass  # whoever reads it will say what is wrong
    return UNKNOWN_TIME
