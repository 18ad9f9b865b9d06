"""Messages: the side of everything that is no TCP, the ordinary in bulk and the others one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wardwatch.decode import columns as kinds
from wardwatch.decode.kernels import select
from wardwatch.decode.kernels.conversations import OTHERS
from wardwatch.decode.kernels.young import (
    CLAIMED,
    LENGTH,
    ROW,
    START,
    TOLD,
    columns_of,
    told_rows,
)
from wardwatch.observe import discovery
from wardwatch.observe.bindings import Bindings
from wardwatch.observe.conversations import write_conversations
from wardwatch.observe.fast_rows import FastRows
from wardwatch.observe.lent import Inside, Lent, may_lend
from wardwatch.observe.radio import Radio
from wardwatch.observe.side import DEVICE_PREFIXES, WRITE_ROWS, Reassembly, Side, payload_of
from wardwatch.observe.told import cited

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wardwatch.decode.columns import PacketColumns
    from wardwatch.decode.conversations import Columns
    from wardwatch.decode.kernels.young import Arrays
    from wardwatch.model.block import PacketBlock
    from wardwatch.observe.bindings import Noted
    from wardwatch.observe.datagrams import Speakers
    from wardwatch.observe.part import Part
    from wardwatch.observe.secrets import Secrets
    from wardwatch.observe.segments import Places
    from wardwatch.observe.tables import Spool
    from wardwatch.observe.where import Where
    from wardwatch.observe.young import Told


class Messages(Side):
    """Takes every block: datagrams, frames without IP, and the conversations they belong to."""

    def __init__(
        self,
        spool: Spool,
        secrets: Secrets,
        places: Places,
        reassembly: Reassembly,
        *,
        idle_ns: int = 0,
    ) -> None:
        super().__init__(spool, secrets, places, reassembly, OTHERS, idle_ns)
        self._bindings = Bindings(spool)
        self._datagrams.on_binding = self._bindings.note
        self._discovery = discovery.Discovery(spool)
        self._radio = Radio(self._datagrams)
        self._fast = FastRows(spool, np.array(DEVICE_PREFIXES, np.uint32))
        self._chosen = select.Chosen()
        self._room = np.zeros((0, TOLD), np.int64)
        self._rows = np.zeros(0, np.int64)
        self._columns_of: PacketColumns | None = None
        self._arrays: Arrays = None

    @property
    def parser_calls(self) -> int:
        """Messages that a Python parser has read."""
        return self._datagrams.parser_calls + self._discovery.parser_calls

    @property
    def given_up(self) -> int:
        """Conversations given up so far because the table was full."""
        return self._conversations.evicted

    def take(self, block: PacketBlock, columns: PacketColumns) -> None:
        """One block, whose segments are known."""
        places, chosen = self._places, self._chosen
        chosen.take(block.n, columns)
        self._converse(block, columns, chosen.asked)
        if chosen.in_bulk:
            segment, names = places.segment, places.names
            self._fast.take(
                block, columns, chosen.found, chosen.counts, segment, names, chosen.asked
            )
        octets = block.arena.data
        for told in self._told(block, columns, np.flatnonzero(chosen.asked[: block.n])):
            i, start = told[ROW], told[START]
            kind = int(columns.kind[i])
            if kind == kinds.KIND_FRAGMENT:
                if self._tells(block, columns, i):
                    self._fragment(block, columns, i, cited(places.names, told))
                continue
            where = cited(places.names, told)
            self._datagrams.read(
                kind,
                bytes(octets[start : start + told[LENGTH]]) if start >= 0 else b"",
                where,
                claimed=told[CLAIMED],
                extension_headers=bool(columns.extensions[i]),
            )
        rows, count = chosen.rows(select.DISCOVERY)
        for told in self._told(block, columns, rows[:count]):
            payload = payload_of(block, columns, told[ROW])
            self._discovery.read(payload, cited(places.names, told))
        if chosen.on_air:
            self._radio.take(block, columns, lambda i: self._where(block, columns, i))
        self._written()

    def _converse(
        self, block: PacketBlock, columns: PacketColumns, asked: NDArray[np.uint8]
    ) -> None:
        """Tell each packet's conversation, that of a datagram in fragments where it is whole."""
        among, apart = [], []
        for i in self._whole(block, columns, asked):
            taken = self._reassembly.one(block, columns, i)
            if taken.whole is not None and taken.inside is not None and may_lend(columns, i):
                among.append(Inside(i, taken.row, taken.inside.columns, taken.whole))
            else:
                apart.append(i)
        lent = Lent(columns, among) if among else None
        at = 0
        for i in apart:
            at = self._advance(block, columns, lent, at, i + 1)
            self._count(block, columns, i)
        self._advance(block, columns, lent, at, block.n)
        if lent is not None:
            lent.give_back()

    def _advance(
        self, block: PacketBlock, columns: PacketColumns, lent: Lent | None, at: int, stop: int
    ) -> int:
        """Tell the conversations of the rows from ``at`` to ``stop`` ⇒ ``stop``."""
        table, segment = self._conversations, self._places.segment
        while at < stop:
            start, at = at, table.advance(block, columns, at, stop, segment)
            if lent is not None:
                lent.taken(table, start, at)
        return at

    def finish(self) -> None:
        """Write what stays open to the end of all files."""
        self._fast.finish()
        self._datagrams.finish()
        for piece in self._conversations.pieces(WRITE_ROWS):
            self._write(piece)

    def part(self) -> tuple[NDArray[np.int64], Speakers, Noted]:
        """What is not written as it comes: conversations, speakers, bindings noted.

        Instead of :meth:`finish`, for :meth:`absorb` of another that read what was before.
        """
        self._fast.finish()
        return self._conversations.taken(), self._datagrams.speakers(), self._bindings.noted()

    def refuses(self, part: Part) -> str:
        """Why what another read of packets behind all of ours cannot be taken over; "" it can."""
        if self._conversations.room() < len(part.others):
            return "there are too many conversations"
        return self._datagrams.can_absorb_speakers(part.speakers) or self._bindings.can_absorb(
            part.noted
        )

    def absorb(self, part: Part, segment: NDArray[np.int32]) -> NDArray[np.int64]:
        """Take over what another has read of packets behind all of ours (:meth:`part`).

        ``segment``: our number of each of its segments. ⇒ the numbers its conversations have here.
        """
        self._fast.finish()
        self._datagrams.absorb_speakers(part.speakers)
        self._bindings.absorb(part.noted)
        table = self._conversations
        found = [table.absorb(rows, segment, over=False) for rows in part.others.pieces()]
        return np.concatenate([np.zeros(0, np.int64), *found])

    def bind(self) -> None:
        """Write the bindings, when all tables they are counted from are complete."""
        self._bindings.finish()

    def _told(
        self, block: PacketBlock, columns: PacketColumns, rows: NDArray[np.int64]
    ) -> list[Told]:
        """Rows of a block, as :func:`~wardwatch.decode.kernels.young.tell` tells them."""
        n = len(rows)
        if not n:
            return []
        if columns is not self._columns_of:
            self._columns_of, self._arrays = columns, columns_of(columns)
        if n > len(self._room):
            self._room = np.zeros((n, TOLD), np.int64)
            self._rows = np.zeros(n, np.int64)
        self._rows[:n] = rows  # an array that kernels know is handed on much sooner
        told_rows(
            self._rows, n, block.first, block.capture, block.time, self._arrays,
            self._places.segment, self._room,
        )  # fmt: skip
        told: list[Told] = self._room[:n].tolist()
        return told

    def _message(self, block: PacketBlock, columns: PacketColumns, i: int, where: Where) -> None:
        self._datagrams.read(
            int(columns.kind[i]),
            payload_of(block, columns, i),
            where,
            claimed=int(columns.payload_claimed[i]),
            extension_headers=bool(columns.extensions[i]),
        )

    def _write(self, columns: Columns) -> None:
        write_conversations(self._spool, columns, self._places.names, {}, {})
