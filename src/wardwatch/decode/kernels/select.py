"""The packets that carry an answer: the few rows of a block that Python needs to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wardwatch.compiled import kernel
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
from wardwatch.decode.kernels.headers import views

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wardwatch.decode.conversations import ConversationTable
    from wardwatch.decode.kernels.headers import Arrays

_SYN, _FIN_RST = 2, 5


def select_rows(
    n: int,
    columns: PacketColumns,
    table: ConversationTable,
    *,
    handshakes: bool = True,
) -> NDArray[np.int64]:
    """Rows of the block that carry an answer, ascending.

    Datagrams and frames with a kind; TCP segments with payload of conversations nobody decided
    to ignore, outside what is to be skipped; FIN and RST of conversations that are followed or
    have said something; with ``handshakes`` the SYNs too.
    """
    found = np.empty(n, np.int64)
    count = select(n, views(columns), table.table, table.row, handshakes, found)
    return found[:count]


@kernel
def select(
    n: int,  #                              rows of the block
    c: Arrays,  #                             in: the arrays of PacketColumns
    rows: NDArray[np.int64],  # (cap, WIDTH) in: the conversation table
    row_of: NDArray[np.int64],  # (n,)      in: row of each packet, -1 none
    handshakes: bool,  #                    SYNs of undecided conversations too
    found: NDArray[np.int64],  # (n,)       out: chosen rows
) -> int:
    """Write the chosen rows to ``found``; their count."""
    count = 0
    for i in range(n):
        kind = c.kind[i]
        if kind == KIND_NONE or c.outcome[i] != DECODED:
            continue
        if kind != KIND_TCP:
            found[count] = i
            count += 1
            continue
        r = row_of[i]
        if r < 0:
            continue
        interest = rows[r, INTEREST]
        if interest == IGNORE:
            continue
        flags = np.int64(c.flags[i])
        size = np.int64(c.payload_len[i])
        chosen = False
        if size > 0:
            chosen = True
            skip = rows[r, ORIG_SKIP + 1 - np.int64(c.from_orig[i])]
            if skip >= 0:
                behind = (np.int64(c.seq[i]) + size - skip + 0x80000000) & 0xFFFFFFFF
                chosen = behind > 0x80000000
        if flags & _FIN_RST and (
            interest == FOLLOW or rows[r, ORIG_BYTES] > 0 or rows[r, RESP_BYTES] > 0
        ):
            chosen = True
        if flags & _SYN and (interest == FOLLOW or handshakes):
            chosen = True
        if chosen:
            found[count] = i
            count += 1
    return count
