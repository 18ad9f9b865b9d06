"""Needles: a small set of known byte strings, looked for in every payload in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wardwatch.compiled import kernel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from wardwatch.decode.columns import PacketColumns
    from wardwatch.model.block import PacketBlock

MAX_NEEDLES = 64
"""Bits of a mask."""


class Needles:
    """A set of byte strings, ready for the kernel.

    ``patterns`` have at least two octets, and at most :data:`MAX_NEEDLES` are told apart. Bit
    ``k`` of a mask says that pattern ``k`` occurs; of ``anchored`` ones, that the payload
    begins with it.
    """

    def __init__(self, patterns: Sequence[bytes], anchored: Sequence[bytes] = ()) -> None:
        """Patterns that may stand anywhere take the first bits, anchored ones those behind."""
        self.patterns = (*patterns, *anchored)
        if len(self.patterns) > MAX_NEEDLES or any(len(p) < 2 for p in self.patterns):
            raise ValueError("at most 64 needles of at least two octets")
        sizes = [len(p) for p in self.patterns]
        self._text = np.frombuffer(b"".join(self.patterns) + b"\0", np.uint8)
        self._start = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self._anchored = np.array([0] * len(patterns) + [1] * len(anchored), np.uint8)
        # Needles in order of their first two octets, and where those of each pair begin and end
        pairs = np.array([p[0] << 8 | p[1] for p in self.patterns], np.int64)
        self._order = np.argsort(pairs, kind="stable").astype(np.int64)
        ordered = pairs[self._order]
        self._from = np.searchsorted(ordered, np.arange(65_537)).astype(np.uint8)
        self._first = np.zeros(256, np.uint8)
        self._first[[p[0] for p in self.patterns]] = 1

    def search(
        self,
        block: PacketBlock,
        columns: PacketColumns,
        rows: NDArray[np.int64],
        limit: int = 1 << 16,
    ) -> NDArray[np.uint64]:
        """Masks of the needles in the payloads of ``rows``, of each at most ``limit`` octets."""
        found = np.zeros(len(rows), np.uint64)
        search(
            block.arena,
            columns.payload,
            columns.payload_len,
            np.asarray(rows, np.int64),
            limit,
            self._text,
            self._start,
            self._anchored,
            self._order,
            self._from,
            self._first,
            found,
        )
        return found


@kernel
def search(
    arena: NDArray[np.uint8],  # (bytes,)
    payload: NDArray[np.int64],  # (n,)    first octet of each payload, -1 none
    length: NDArray[np.int32],  # (n,)     octets of it
    rows: NDArray[np.int64],  # (m,)       which to search
    limit: int,  #                         octets of a payload at most
    text: NDArray[np.uint8],  #            the needles, one behind the other
    start: NDArray[np.int64],  # (k + 1,)  where each begins in ``text``
    anchored: NDArray[np.uint8],  # (k,)   1: only at the beginning of a payload
    order: NDArray[np.int64],  # (k,)      needles by their first two octets
    begin: NDArray[np.uint8],  # (65537,)  first place in ``order`` of each pair of octets
    first: NDArray[np.uint8],  # (256,)    1: some needle begins so
    found: NDArray[np.uint64],  # (m,)     out: a bit a needle
) -> None:
    """Look at every place whose first two octets begin a needle."""
    for m in range(rows.size):
        found[m] = 0
        at = payload[rows[m]]
        if at < 0:
            continue
        end = at + min(np.int64(length[rows[m]]), np.int64(limit))
        for p in range(at, end - 1):
            if not first[arena[p]]:
                continue
            pair = (np.int64(arena[p]) << 8) | np.int64(arena[p + 1])
            for o in range(begin[pair], begin[pair + 1]):
                needle = order[o]
                if anchored[needle] and p != at:
                    continue
                size = start[needle + 1] - start[needle]
                if p + size > end:
                    continue
                same = True
                for k in range(2, size):
                    if arena[p + k] != text[start[needle] + k]:
                        same = False
                        break
                if same:
                    found[m] |= np.uint64(1) << np.uint64(needle)
