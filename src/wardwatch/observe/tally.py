"""The account of one capture: its packets by outcome and interface, and the jumps of its clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wardwatch.decode.kernels import tally as kernel
from wardwatch.decode.kernels.headers import REASONS
from wardwatch.model.values import NS, UNKNOWN_TIME

if TYPE_CHECKING:
    from wardwatch.decode.columns import PacketColumns
    from wardwatch.model.block import PacketBlock

BACK_NS = NS
FORWARD_NS = 3600 * NS
"""A clock that goes back by more than a second, or forward by more than an hour, jumped."""


_TIMES = [kernel.FIRST, kernel.LAST, kernel.BEGAN, kernel.PREVIOUS]


class Tally:
    """Takes every block of one capture; plain arrays, which other processes may be sent."""

    def __init__(self) -> None:
        self._stamps = np.zeros(kernel.STAMPS, np.int64)
        self._stamps[_TIMES] = UNKNOWN_TIME
        self._counts = np.zeros((3, len(REASONS)), np.int64)
        self._first = np.zeros((3, len(REASONS)), np.int64)
        self._interfaces = np.zeros(1, np.int64)

    @property
    def first(self) -> int:
        """The earliest stamp, ns; UNKNOWN_TIME without any."""
        return int(self._stamps[kernel.FIRST])

    @property
    def last(self) -> int:
        """The latest stamp, ns."""
        return int(self._stamps[kernel.LAST])

    @property
    def jumps(self) -> int:
        """How often the clock jumped from one packet to the next."""
        return int(self._stamps[kernel.JUMPS])

    @property
    def cut(self) -> int:
        """Packets of which the capture holds less than there was."""
        return int(self._stamps[kernel.CUT])

    def take(self, block: PacketBlock, columns: PacketColumns, interfaces: int = 0) -> None:
        """Count one block; ``interfaces`` are described in the capture so far, 0 nobody knows."""
        n = block.n
        highest = int(block.interface[:n].max()) if n and interfaces != 1 else 0
        if highest >= len(self._interfaces):
            self._interfaces = np.pad(self._interfaces, (0, highest + 1 - len(self._interfaces)))
        kernel.tally(
            n,
            block.first,
            block.time,
            block.length,
            block.wire,
            block.interface,
            columns.outcome,
            columns.reason,
            BACK_NS,
            FORWARD_NS,
            self._stamps,
            self._counts,
            self._first,
            self._interfaces,
        )

    def follow(self, packets: int) -> None:
        """Number all of our packets so many higher: whoever counted them did not know their numbers."""
        self._first += np.where(self._counts, packets, 0)

    def absorb(self, later: Tally) -> None:
        """Count what another counted of the packets that follow ours in the same capture.

        It is then as if we had taken them: packets bear their numbers in the whole capture there
        as here, and the step from our last stamp to its first may be a jump too.
        """
        mine, theirs = self._stamps, later._stamps
        if mine[kernel.PREVIOUS] == UNKNOWN_TIME:
            mine[_TIMES] = theirs[_TIMES]
        elif theirs[kernel.PREVIOUS] != UNKNOWN_TIME:
            step = int(theirs[kernel.BEGAN]) - int(mine[kernel.PREVIOUS])
            mine[kernel.JUMPS] += step < -BACK_NS or step > FORWARD_NS
            mine[kernel.FIRST] = min(mine[kernel.FIRST], theirs[kernel.FIRST])
            mine[kernel.LAST] = max(mine[kernel.LAST], theirs[kernel.LAST])
            mine[kernel.PREVIOUS] = theirs[kernel.PREVIOUS]
        mine[[kernel.JUMPS, kernel.CUT]] += theirs[[kernel.JUMPS, kernel.CUT]]
        self._first = np.where(self._counts, self._first, later._first)
        self._counts += later._counts
        missing = len(later._interfaces) - len(self._interfaces)
        if missing > 0:
            self._interfaces = np.pad(self._interfaces, (0, missing))
        self._interfaces[: len(later._interfaces)] += later._interfaces

    def outcomes(self) -> list[int]:
        """Packets decoded, skipped and malformed."""
        return [int(part.sum()) for part in self._counts]

    def of_interface(self, index: int) -> int:
        """Packets of one interface."""
        return int(self._interfaces[index]) if index < len(self._interfaces) else 0

    def rows(self) -> list[tuple[int, int, int, int]]:
        """(outcome, reason, packets, first packet) of what occurred."""
        return [
            (outcome, reason, int(self._counts[outcome, reason]), int(self._first[outcome, reason]))
            for outcome, reason in np.argwhere(self._counts).tolist()
        ]
