"""The reused buffer through which a capture is seen: a window that moves along the stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from wardwatch.capture.source import Source

CAPACITY = 1_572_864
"""1.5 MiB: pieces of 1–2 MB stay in the second and third level of the cache, where 128 KB and
16 MB cost half the speed again; and one whole record or block (MAX_BLOCK) always fits."""


class Window:
    """``arena[at:stop]`` is what has been read and not used; ``base`` is where arena[0] stands."""

    def __init__(self, source: Source, capacity: int = CAPACITY) -> None:
        self.source = source
        self.arena = np.empty(capacity, np.uint8)
        self._view = self.arena.data
        self.at = 0
        self.stop = 0
        self.base = 0
        """Offset of ``arena[0]`` in the decompressed stream."""
        self.lent = False
        """Rows point into the arena that somebody may still read: what moves, moves to another."""
        self._arenas = [self.arena]
        self._turn = 0

    def lend(self, count: int) -> None:
        """Keep ``count`` arenas, used in turn."""
        self._arenas += [np.empty_like(self.arena) for _ in range(count - 1)]

    @property
    def offset(self) -> int:
        """Offset of ``arena[at]`` in the decompressed stream."""
        return self.base + self.at

    @property
    def left(self) -> int:
        """Bytes read and not used."""
        return self.stop - self.at

    def more(self) -> bool:
        """Move what is left to the front and read on behind it; false at the end of the stream.

        Rows that point into the arena are void afterwards, or, with several arenas, when its turn
        comes again. Where nothing follows nothing moves.
        """
        if self.source.is_ended:
            return False
        left = self.left
        if self.at:
            before = self.arena
            if self.lent and len(self._arenas) > 1:
                self.lent = False
                self._turn = (self._turn + 1) % len(self._arenas)
                self.arena = self._arenas[self._turn]
                self._view = self.arena.data
            else:
                self.source.stored.settle()
            self.arena[:left] = before[self.at : self.stop]
            self.base += self.at
            self.at, self.stop = 0, left
        n = self.source.readinto(self._view[self.stop :])
        self.stop += n
        return n > 0

    def go_to(self, base: int, at: int) -> None:
        """Stand where another window of the same stream stood, where ``source.can_go``.

        It holds what the other one held, so that both go on in the same steps.
        """
        self.source.go_to(base)
        self.base = base
        self.stop = self.source.readinto(self._view)
        self.at = min(at, self.stop)  # whoever gave the place may have seen a longer file

    def ensure(self, size: int) -> bool:
        """Have ``size`` bytes (at most the capacity) from ``at`` on; false where they end first."""
        while self.stop - self.at < size:
            if not self.more():
                return False
        return True

    def skip(self, size: int) -> int:
        """Pass over ``size`` bytes, however many ⇒ how many of them were there."""
        passed = 0
        while passed < size:
            if not self.left and not self.more():
                break
            step = min(self.left, size - passed)
            self.at += step
            passed += step
        return passed

    def bytes(self, size: int) -> bytes:
        """A copy of the next ``size`` bytes, fewer where fewer are there."""
        return self._view[self.at : min(self.at + size, self.stop)].tobytes()
