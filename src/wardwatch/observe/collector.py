"""The garbage collector while captures are read: it looks at little, and seldom."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

YOUNG = 10_000
"""Objects made before it looks for garbage among them; Python's 700 are made by 40 segments."""


@contextmanager
def at_rest() -> Iterator[None]:
    """Leave alone what is there, and look seldom at what comes.

    Rows wait by the thousand to be written, and no object of ours that comes and goes is part of
    a cycle (``Flow.part``): what it found was never garbage, and cost a twentieth of the time.
    Behind this all is as before. Whoever made it look as seldom before is left alone: what is frozen
    is counted one by one, 40 ms of a process that has loaded all of our tests.
    """
    before = gc.get_threshold()
    if not 0 < before[0] < YOUNG:  # the caller has told it to look as seldom, or never
        yield
        return
    frozen = gc.get_freeze_count() > 0  # by the caller, who will not want it undone
    if not frozen:
        gc.freeze()
    gc.set_threshold(YOUNG, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        if not frozen:
            gc.unfreeze()
