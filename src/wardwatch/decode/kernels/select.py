"""The packets that carry an answer: the few rows of a block that Python needs to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wardwatch.compiled import hot, kernel
from wardwatch.decode.columns import (
    DECODED,
    KIND_NONE,
    KIND_TCP,
    PacketColumns,
)
from wardwatch.decode.kernels.conversations import (
    FOLLOW,
    IGNORE,
    INTEREST,
    ORIG_BYTES,
    ORIG_SKIP,
    RESP_BYTES,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wardwatch.decode.kernels.headers import Arrays

_SYN, _FIN_RST = 2, 5


def select_messages(n: int, columns: PacketColumns) -> NDArray[np.int64]:
    """Rows of the block that are messages without TCP: datagrams and frames with a kind."""
    found = np.empty(n, np.int64)
    count = messages(n, columns.kind, columns.outcome, found)
    return found[:count]


@kernel
def messages(
    n: int,  #                              rows of the block
    kind: NDArray[np.uint8],  # (n,)        in: PacketColumns.kind
    outcome: NDArray[np.uint8],  # (n,)     in: PacketColumns.outcome
    found: NDArray[np.int64],  # (n,)       out: chosen rows, ascending
) -> int:
    """Write the chosen rows to ``found``; their count."""
    count = 0
    for i in range(n):
        if kind[i] != KIND_NONE and kind[i] != KIND_TCP and outcome[i] == DECODED:
            found[count] = i
            count += 1
    return count


@hot
def chosen_segment(
    i: int, r: int, c: Arrays, rows: NDArray[np.int64], handshakes: bool
) -> bool:
    """Whether a TCP segment of the conversation in row ``r`` carries an answer.

    Payload of conversations nobody decided to ignore, outside what is to be skipped; FIN and RST
    of conversations that are followed or have said something; SYNs of those that are followed,
    with ``handshakes`` of undecided ones too.
    """
    interest = rows[r, INTEREST]
    if interest == IGNORE:
        return False
    flags = np.int64(c.flags[i])
    size = np.int64(c.payload_len[i])
    if size > 0:
        skip = rows[r, ORIG_SKIP + 1 - np.int64(c.from_orig[i])]
        if skip < 0:
            return True
        behind = (np.int64(c.seq[i]) + size - skip + 0x80000000) & 0xFFFFFFFF
        if behind > 0x80000000:
            return True
    if flags & _FIN_RST and (
        interest == FOLLOW or rows[r, ORIG_BYTES] > 0 or rows[r, RESP_BYTES] > 0
    ):
        return True
    return bool(flags & _SYN and (interest == FOLLOW or handshakes))
