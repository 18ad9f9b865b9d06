"""Lent: rows of a block that stand for the datagrams their fragments made whole.

A kernel that tells conversations goes over a block once. A datagram counts from the packet on with
which it is whole, so the row of that packet, which counts for nothing itself, says for as long what
the datagram says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from wardwatch.decode.columns import PacketColumns
from wardwatch.decode.fragments import Whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from wardwatch.decode.conversations import ConversationTable

_TOLD = ("conversation", "from_orig")
"""Columns that conversations are told in: each row keeps its own."""


class Inside(msgspec.Struct, frozen=True, gc=False):
    """A datagram and where it is decoded."""

    i: int
    """Row of the block whose fragment made it whole."""
    row: int
    """Its row among ``columns``."""
    columns: PacketColumns
    whole: Whole


def may_lend(columns: PacketColumns, i: int) -> bool:
    """Whether a row counts for nothing itself: a fragment without ports, in no tunnel that counts."""
    return bool(columns.src_port[i] < 0 and not columns.carried[i])


class Lent:
    """Rows lent until :meth:`give_back`; ``inside`` ascending."""

    def __init__(self, columns: PacketColumns, inside: Sequence[Inside]) -> None:
        """Lend the rows."""
        self._columns = columns
        self._rows = np.array([one.i for one in inside], np.int64)
        self._theirs = np.array([one.row for one in inside], np.int64)
        # Mostly all of a block were decoded together.
        decoded = {id(one.columns): one.columns for one in inside}
        belongs = np.array([id(one.columns) for one in inside], np.int64)
        self._groups = [(of, belongs == number) for number, of in decoded.items()]
        wholes = [one.whole for one in inside]
        self._packets = np.array([one.packets - 1 - one.counted for one in wholes], np.int64)
        self._octets = np.array([one.ip_bytes - one.counted_bytes for one in wholes], np.int64)
        names = columns.__struct_fields__
        self._own: dict[str, NDArray[Any]] = {n: getattr(columns, n)[self._rows] for n in names}
        for of, mine in self._groups:
            rows, theirs = self._rows[mine], self._theirs[mine]
            for name in names:
                if name not in _TOLD:
                    getattr(columns, name)[rows] = getattr(of, name)[theirs]
        self._octets -= columns.ip_bytes[self._rows]

    def taken(self, table: ConversationTable, start: int, stop: int) -> None:
        """The table has taken the rows of the block from ``start`` to ``stop``.

        The datagrams among them learn their conversations, and those their other fragments.
        """
        begin, end = np.searchsorted(self._rows, (start, stop))
        if begin == end:
            return
        rows, columns = self._rows[begin:end], self._columns
        table.amend(columns, rows, self._packets[begin:end], self._octets[begin:end])
        for of, mine in self._groups:
            here = mine[begin:end]
            theirs = self._theirs[begin:end][here]
            for name in _TOLD:
                getattr(of, name)[theirs] = getattr(columns, name)[rows[here]]
        table.row[rows] = -1

    def give_back(self) -> None:
        """Every row says again what its packet says."""
        for name, own in self._own.items():
            getattr(self._columns, name)[self._rows] = own
