"""Messages: the side of everything that is no TCP, the ordinary in bulk and the others one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wardwatch.decode import columns as kinds
from wardwatch.decode.kernels.conversations import OTHERS
from wardwatch.decode.kernels.select import select_messages
from wardwatch.decode.kernels.young import tell_rows
from wardwatch.observe import discovery
from wardwatch.observe.bindings import Bindings
from wardwatch.observe.conversations import write_conversations
from wardwatch.observe.fast_rows import FastRows
from wardwatch.observe.radio import Radio
from wardwatch.observe.side import DEVICE_PREFIXES, WRITE_ROWS, Reassembly, Side, cited, payload_of

if TYPE_CHECKING:
    from wardwatch.decode.columns import PacketColumns
    from wardwatch.decode.conversations import Columns
    from wardwatch.model.block import PacketBlock
    from wardwatch.observe.secrets import Secrets
    from wardwatch.observe.segments import Places
    from wardwatch.observe.tables import Spool
    from wardwatch.observe.where import Where


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
        self._bulk = (
            (kinds.KIND_DNS, self._fast.dns),
            (kinds.KIND_DHCP, self._fast.dhcp),
            (kinds.KIND_ARP, self._fast.arp),
        )

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
        places = self._places
        self._conversations.update(block, columns, places.segment)
        rows = select_messages(block.n, columns)
        kind = columns.kind[rows]
        wanted = kind != kinds.KIND_WIFI
        for number, bulk in self._bulk:
            own = np.flatnonzero(kind == number)
            if own.size:
                there = rows[own]
                segment = places.segment[there].astype(np.int64)
                left = bulk(block, columns, there, segment, places.names)
                wanted[own] = False
                wanted[own[left]] = True
        asked = rows[wanted]
        if asked.size:
            told = tell_rows(block, columns, asked, places.segment)
            for i, one in zip(asked.tolist(), told, strict=True):
                self._message(block, columns, i, cited(places.names, one))
        for i in discovery.rows_of(columns, block.n).tolist():
            self._discovery.read(payload_of(block, columns, i), self._where(block, columns, i))
        self._radio.take(block, columns, lambda i: self._where(block, columns, i))
        self._written()

    def finish(self) -> None:
        """Write what stays open to the end of all files."""
        self._fast.finish()
        self._datagrams.finish()
        for piece in self._conversations.pieces(WRITE_ROWS):
            self._write(piece)

    def bind(self) -> None:
        """Write the bindings, when all tables they are counted from are complete."""
        self._bindings.finish()

    def _message(self, block: PacketBlock, columns: PacketColumns, i: int, where: Where) -> None:
        kind = int(columns.kind[i])
        if kind == kinds.KIND_FRAGMENT:
            self._fragment(block, columns, i, where)
            return
        self._datagrams.read(
            kind,
            payload_of(block, columns, i),
            where,
            claimed=int(columns.payload_claimed[i]),
            extension_headers=bool(columns.extensions[i]),
        )

    def _write(self, columns: Columns) -> None:
        write_conversations(self._spool, columns, self._places.names, {}, {})
