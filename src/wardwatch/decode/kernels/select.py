"""The packets that carry an answer: the few rows of a block that Python needs to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wardwatch.compiled import hot, kernel
from wardwatch.decode.columns import DECODED, KIND_NONE, KIND_TCP, PacketColumns
from wardwatch.decode.kernels.conversations import FOLLOW

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Int = Any  # a Python int, or the NumPy scalar it is in plain mode

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
def chosen_segment(interest: Int, said: Int, skip: Int, flags: Int, seq: Int, size: Int) -> bool:
    """Whether a TCP segment of a conversation that is not ignored carries an answer.

    ``said``: bytes that both sides have said; ``skip``: sequence number before which nothing is
    wanted, -1 none; ``size`` bytes of payload. Payload outside what is to be skipped; FIN and RST
    of conversations that are followed or have said something; SYNs of those that are followed.
    """
    if size > 0 and (skip < 0 or is_behind(seq, size, skip)):
        return True
    if flags & _FIN_RST and (interest == FOLLOW or said > 0):
        return True
    return bool(flags & _SYN and interest == FOLLOW)


@hot
def is_behind(seq: Int, size: Int, skip: Int) -> bool:
    """Whether a segment ends behind sequence number ``skip``, in the half of the numbers near it."""
    return bool((seq + size - skip + 0x80000000) & 0xFFFFFFFF > 0x80000000)
