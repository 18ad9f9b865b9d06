"""Raw: packets of conversations whose beginning another process has seen, kept as they are."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from wardwatch.model.block import PacketBlock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

MOST_BYTES = 64 << 20
"""Octets kept: a cut through the hospital mix leaves 10 MB of each GB behind it."""


class Packets(msgspec.Struct, frozen=True):
    """Packets in the order they came, one entry each."""

    capture: NDArray[np.int64]
    block: NDArray[np.int64]
    """Number of the first packet of the block it came in."""
    packet: NDArray[np.int64]
    """Number of the packet in its capture."""
    length: NDArray[np.int32]
    wire: NDArray[np.int64]
    time: NDArray[np.int64]
    link: NDArray[np.int32]
    interface: NDArray[np.int32]
    octets: NDArray[np.uint8]
    """Those of all of them, one behind the other."""

    def blocks(self) -> Iterator[tuple[PacketBlock, NDArray[np.int64]]]:
        """The blocks that they came in, and the rows that are there; the others are empty.

        What they tell depends on their order alone; so they pass by as many at once as they came.
        """
        ends = np.cumsum(self.length, dtype=np.int64)
        starts = ends - self.length
        came = np.stack([self.capture, self.block])
        borders = np.flatnonzero((came[:, 1:] != came[:, :-1]).any(0)) + 1
        for at, stop in pairwise((0, *borders.tolist(), len(self.packet))):
            if at == stop:
                continue
            one = slice(at, stop)
            first, base = int(self.block[at]), int(starts[at])
            rows = self.packet[one] - first
            size = int(rows[-1]) + 1
            link, interface = np.full(size, self.link[at]), np.full(size, self.interface[at])
            link[rows], interface[rows] = self.link[one], self.interface[one]
            block = PacketBlock(
                capture=int(self.capture[at]),
                first=first,
                n=size,
                arena=self.octets[base : int(ends[stop - 1])],
                offset=_spread(starts[one] - base, rows, size),
                length=_spread(self.length[one], rows, size),
                wire=_spread(self.wire[one], rows, size),
                time=_spread(self.time[one], rows, size),
                link=link,
                interface=interface,
            )
            yield block, rows


class Keeper:
    """Takes chosen rows of blocks."""

    def __init__(self) -> None:
        self.octets = 0
        """Kept so far."""
        self._columns: list[tuple[NDArray[Any], ...]] = []
        self._pieces: list[NDArray[np.uint8]] = []

    def take(self, block: PacketBlock, rows: NDArray[np.int64]) -> None:
        """Keep copies of these rows."""
        self._columns.append(
            (
                np.full(len(rows), block.capture, np.int64),
                np.full(len(rows), block.first, np.int64),
                block.first + rows,
                *(
                    column[rows]
                    for column in (
                        block.length,
                        block.wire,
                        block.time,
                        block.link,
                        block.interface,
                    )
                ),
            )
        )
        ends = block.offset[rows] + block.length[rows]
        piece = np.concatenate(
            [
                block.arena[start:end]
                for start, end in zip(block.offset[rows].tolist(), ends.tolist(), strict=True)
            ]
        )
        self._pieces.append(piece)
        self.octets += len(piece)

    def kept(self) -> Packets:
        """All of them."""
        kinds = (np.int64, np.int64, np.int64, np.int32, np.int64, np.int64, np.int32, np.int32)
        capture, block, packet, length, wire, time, link, interface = (
            np.concatenate([np.zeros(0, kind), *(part[at] for part in self._columns)])
            for at, kind in enumerate(kinds)
        )
        octets = np.concatenate([np.zeros(0, np.uint8), *self._pieces])
        return Packets(capture, block, packet, length, wire, time, link, interface, octets)


def _spread(values: NDArray[Any], rows: NDArray[np.int64], size: int) -> NDArray[Any]:
    """Values at their rows, 0 elsewhere."""
    out = np.zeros(size, values.dtype)
    out[rows] = values
    return out
