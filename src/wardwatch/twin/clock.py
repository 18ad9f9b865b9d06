"""Clock: discrete events in virtual time; what is due first happens first, and may cause more."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock:
    """Acts by their instant (ns); those of one instant in the order in which they were asked for."""

    def __init__(self, now: int = 0) -> None:
        self.now = now
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._asked = 0

    def at(self, ts: int, act: Callable[[], None]) -> None:
        """Let ``act`` happen at ``ts``; the past cannot be changed."""
        if ts < self.now:
            raise ValueError(f"{ts} lies before {self.now}")
        heappush(self._due, (ts, self._asked, act))
        self._asked += 1

    def after(self, delay_ns: int, act: Callable[[], None]) -> None:
        """Let ``act`` happen so much later than now."""
        self.at(self.now + delay_ns, act)

    def run(self, until: int | None = None) -> int:
        """Let everything happen that is due (before ``until``, if told) ⇒ the time it then is."""
        while self._due and (until is None or self._due[0][0] < until):
            self.now, _, act = heappop(self._due)
            act()
        if until is not None:
            self.now = max(self.now, until)
        return self.now

    def drop(self) -> None:
        """Forget what is due: whoever would have done it does no more."""
        self._due.clear()
