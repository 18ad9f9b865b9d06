"""Supervisor: restarts communications, and watches over the head that it cannot stall unseen.

Communications that end are started again at once, and where they keep ending, after 1 to 60 s
(C-14). The watchdog is a process of its own: where the head's loop stands still for longer than
250 ms [A] it closes the gate of the motor and announces a failure, whatever the head does (T-24).
"""

from __future__ import annotations

import mmap
import os
import select
import time
from contextlib import suppress
from struct import Struct as Layout
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

FIRST_S, LONGEST_S = 1.0, 60.0
HEALTHY_S = 60.0
"""[A] What ran for so long begins again without waiting."""
PATIENCE_S = 0.25
_STOPPED = Layout(">Q")


class Backoff:
    """How long to wait before the next try: nothing, then 1 s, doubling to 60 s, with jitter."""

    def __init__(self, draws: Random, *, at_once: bool = False) -> None:
        """``at_once``: the first try after health waits for nothing."""
        self._draws = draws
        self._at_once = at_once
        self._failures = 0

    def failed(self, ran_s: float = 0.0) -> float:
        """Seconds to wait after a try that lasted for ``ran_s``."""
        if ran_s >= HEALTHY_S:
            self._failures = 0
        self._failures += 1
        n = self._failures - 1 - self._at_once
        if n < 0:
            return 0.0
        # Jitter upwards to the bound only: a fleet that lost its server does not return as one.
        longest = min(FIRST_S * 2 ** min(n, 10), LONGEST_S)
        return self._draws.uniform(max(longest / 2, FIRST_S), longest)

    def healthy(self) -> None:
        """The last try was good."""
        self._failures = 0


class Gate:
    """The motor's enable line: closed once, with the instant of it, for head and watchdog to see."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, _STOPPED.size)

    def close(self, at_ns: int) -> None:
        """The motor stands from ``at_ns`` (monotonic) on."""
        self._shared[: _STOPPED.size] = _STOPPED.pack(at_ns)

    def open(self) -> None:
        """The motor may run."""
        self.close(0)

    @property
    def closed_at(self) -> int:
        """When it was closed, ns; 0 while it is open."""
        return int(_STOPPED.unpack(self._shared[: _STOPPED.size])[0])


def watch(beats: int, gate: Gate, announce: int, patience_s: float = PATIENCE_S) -> None:
    """The watchdog's loop; ends when the head has closed its side of ``beats``.

    ``beats`` is a pipe that the head writes a byte to in every tick. A stall is announced as one
    line ``HIGH <ns>`` on ``announce``, at most once until the head beats again.
    """
    poll = select.poll()
    poll.register(beats, select.POLLIN | select.POLLHUP)
    waits_for_head = False
    while True:
        ready = poll.poll(None if waits_for_head else patience_s * 1000)
        if not ready:
            now = time.monotonic_ns()
            gate.close(now)
            waits_for_head = True
            # Where nobody reads, the motor stands all the same.
            with suppress(BlockingIOError, BrokenPipeError):
                os.write(announce, f"HIGH {now}\n".encode())
            continue
        if not os.read(beats, 4096):
            return
        waits_for_head = False
