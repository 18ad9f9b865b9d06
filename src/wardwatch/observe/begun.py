"""Begun: the side of TCP of a part, which reads what begins there, and keeps the rest as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wardwatch.decode.kernels import conversations as k
from wardwatch.decode.stream import ACK, FIN, RST, SYN
from wardwatch.observe import raw
from wardwatch.observe.part import Refused
from wardwatch.observe.streams import Streams, are_among

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wardwatch.decode.columns import PacketColumns
    from wardwatch.model.block import PacketBlock
    from wardwatch.observe.part import Part, Stored
    from wardwatch.observe.secrets import Secrets
    from wardwatch.observe.segments import Places
    from wardwatch.observe.side import Reassembly
    from wardwatch.observe.tables import Spool
    from wardwatch.observe.where import Where

FTP = 21
"""Its port; what is agreed upon by FTP on another is met too late, and all is read again."""


class Begun(Streams):
    """Reads connections that begin by a SYN in the part, and keeps the packets of all others."""

    def __init__(
        self, spool: Spool, secrets: Secrets, places: Places, reassembly: Reassembly
    ) -> None:
        """As of :class:`~wardwatch.observe.streams.Streams`."""
        super().__init__(spool, secrets, places, reassembly)
        self.keeper = raw.Keeper()
        self._agreed_here: set[tuple[str, int]] = set()
        """What FTP agreed upon since it was last looked at."""
        self.sessions.shared.agreed = self._agreed_here
        self._under_way = np.zeros(1 << 12, np.bool_)
        """By half of the number: whether the connection was under way before."""
        self._known = 0
        self._fed = 0
        """Of the connections that another part read, those known here."""
        self._ends = np.zeros(0, np.int64)
        """Of connections under way before, what tells their ends apart, in order; others may share it."""
        self._ftp = np.zeros(0, np.int64)
        """Pairs of hosts that had FTP under way, in order: what it agrees upon those before us must read."""

    def take(self, block: PacketBlock, columns: PacketColumns) -> None:
        """As of :class:`~wardwatch.observe.streams.Streams`.

        Raises :class:`~wardwatch.observe.part.Refused` for what those before us have to read.
        """
        super().take(block, columns)
        if self._agreed_here:
            table = self._conversations
            rows = table.table[: len(table)]
            old = self._under_way[rows[:, k.NUMBER] >> 1]
            # It may say its first word behind this, and then those before us must take it for data.
            if are_among(self._agreed_here, rows[old]):
                raise Refused("FTP agreed upon data that was picked up in the middle")
            self._agreed_here.clear()

    def began(self) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """The conversations as their table has them, and which of them began here."""
        found = self._conversations.taken()
        return found, ~self._under_way[found[:, k.NUMBER] >> 1]

    def finish(self) -> None:
        """Read what is still open to its end; conversations are written by who takes us over."""
        self._settle()
        for pieces in self.young.living():
            self._reread(pieces)
        self.sessions.finish()

    def refuses(self, began: Stored) -> str:
        """As of :class:`~wardwatch.observe.streams.Streams`."""
        for rows in began.pieces():
            if _among(_ends(rows), self._ends).any():
                return "a connection followed one that was under way before us"
            if _among(_pairs(rows), self._ftp).any():
                return "FTP that was under way before us may have agreed upon data"
        return super().refuses(began)

    def absorb(self, part: Part, segment: NDArray[np.int32]) -> NDArray[np.int64]:
        """As of :class:`~wardwatch.observe.streams.Streams`; what is ours to keep is kept."""
        self._fed = 0
        numbers = super().absorb(part, segment)
        self._know()
        return numbers

    def _updated(self, block: PacketBlock, columns: PacketColumns, start: int, stop: int) -> None:
        """Part the conversations of some rows into those that begin here and the others."""
        super()._updated(block, columns, start, stop)
        table = self._conversations
        if table.pending:
            raise Refused("there were more conversations at once than are kept")
        fresh = self._know()
        if len(fresh):
            rows = table.table[fresh]
            flags = columns.flags[rows[:, k.FIRST_PACKET] - block.first]
            old = (flags & (SYN | ACK | FIN | RST) != SYN) | (rows[:, k.ORIG_ISN] < 0)
            # What becomes of the next connection of the same ends is those before us to say too.
            ends, pairs = _ends(rows), _pairs(rows)
            old |= _among(ends, self._ends)
            if old.any():
                old |= _among(ends, np.sort(ends[old]))
                self._ftp = _with(self._ftp, pairs[old & _is_ftp(rows)])
            old |= _among(pairs, self._ftp)
            if old.any():
                self._ends = _with(self._ends, ends[old])
                if are_among(self.sessions.shared.expected, rows[old]):
                    raise Refused("FTP data was picked up in the middle")
                table.table[fresh[old], k.INTEREST] = k.IGNORE
                table.table[fresh[old], k.SEAT] = k.THEIRS
            self._under_way[rows[:, k.NUMBER] >> 1] = old
        if len(self._ends):
            at = start + np.flatnonzero(table.row[start:stop] >= 0)
            at = at[self._under_way[columns.conversation[at] >> 1]]
            if len(at):
                self.keeper.take(block, at)
        if self.keeper.octets > raw.MOST_BYTES:
            raise Refused("connections under way at the cut said more than is kept")

    def _know(self) -> NDArray[np.int64]:
        """Rows of the table that are new and that no other part has read."""
        table = self._conversations
        used = len(table)
        if used > len(self._under_way):
            self._under_way = np.pad(self._under_way, (0, max(used, len(self._under_way))))
        fresh = np.arange(self._known, used)
        self._known = used
        if self._feed is not None and len(fresh):
            told = self._feed.numbers[self._fed : self._feed.done]
            self._fed = self._feed.done
            fresh = fresh[~_among(table.table[fresh, k.NUMBER], np.sort(told))]
        return fresh

    def _fragment(self, block: PacketBlock, columns: PacketColumns, i: int, where: Where) -> None:
        """Of TCP in fragments it cannot be told whose conversation it is."""
        taken = self._reassembly.one(block, columns, i)
        if self._is_ours(int(columns.proto[i])) or self._is_ours(taken.proto):
            raise Refused("TCP came in fragments")

    def _written(self) -> None:
        """Nothing is written before those before us are known."""


def _among(values: NDArray[np.int64], known: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which values are among those known, which are in order: ``isin`` puts all in order anew."""
    if not len(known):
        return np.zeros(len(values), np.bool_)
    at = np.searchsorted(known, values)
    return np.asarray(known[np.minimum(at, len(known) - 1)] == values)


def _with(known: NDArray[np.int64], more: NDArray[np.int64]) -> NDArray[np.int64]:
    """Both, in order."""
    return np.sort(np.concatenate([known, more])) if len(more) else known


def _pairs(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """What tells apart the two hosts of each conversation, whichever began; others may share it."""
    high = rows[:, k.ORIG_HI] + rows[:, k.RESP_HI]
    return np.asarray(high * 0x1E3779B97F4A7C15 + rows[:, k.ORIG_LO] + rows[:, k.RESP_LO])


def _ports(rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of originator and responder, 1 higher each."""
    ports = rows[:, k.PORTS]
    return ports >> k.PORT_SHIFT & k.PORT_MASK, ports & k.PORT_MASK


def _ends(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """What tells apart the ends of each conversation, whichever began; others may share it."""
    one, other = _ports(rows)
    ports = (one + other) * 0x2545F4914F6CDD1D + (one ^ other) * 0x369DEA0F31A53F85
    return np.asarray(_pairs(rows) * 0x1B873593CC9E2D51 + ports + rows[:, k.KEY])


def _is_ftp(rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether one of the ports is FTP's."""
    one, other = _ports(rows)
    return np.asarray((one - 1 == FTP) | (other - 1 == FTP))
