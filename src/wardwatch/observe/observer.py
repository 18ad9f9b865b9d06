"""The way of a block: kernels over all packets, then Python for the few that carry an answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wardwatch.capture import open_capture
from wardwatch.decode import columns as kinds
from wardwatch.decode.columns import DECODED, MALFORMED, SKIPPED, PacketColumns
from wardwatch.decode.kernels import headers
from wardwatch.observe.bindings import Bindings
from wardwatch.observe.datagrams import Datagrams
from wardwatch.observe.fast_rows import FastRows
from wardwatch.observe.text import ip_of, mac_of, printable
from wardwatch.observe.vantage import Clock, Vantage
from wardwatch.observe.where import Where

if TYPE_CHECKING:
    from collections.abc import Callable

    from wardwatch.capture.reader import CaptureReader
    from wardwatch.model.block import CaptureFile, PacketBlock
    from wardwatch.observe.secrets import Secrets
    from wardwatch.observe.tables import Spool

DEVICE_PREFIXES = (0x001A01, 0x0003B1)
"""Prefixes of the advisory's manufacturer and of its successor: what their devices send or get is
read by the Python parsers, which are the definition. Not a judgement of what the device is."""

OUTCOMES = {DECODED: "decoded", SKIPPED: "skipped", MALFORMED: "malformed"}


class Observer:
    """Takes files one after the other and fills the tables of one run."""

    def __init__(self, spool: Spool, secrets: Secrets, *, idle_s: float = 0.0) -> None:
        self.packets = 0
        self.outcomes = [0, 0, 0]
        """Packets decoded, skipped, malformed."""
        self.damaged = False
        self._spool = spool
        self._columns = PacketColumns.of_size(0)
        self._events = headers.Events()
        self._vantage = Vantage(spool)
        self._bindings = Bindings(spool)
        self._datagrams = Datagrams(spool, secrets)
        self._datagrams.on_binding = self._bindings.note
        self._fast = FastRows(spool, np.array(DEVICE_PREFIXES, np.uint32))
        self._bulk = (
            (kinds.KIND_DNS, self._fast.dns),
            (kinds.KIND_DHCP, self._fast.dhcp),
            (kinds.KIND_ARP, self._fast.arp),
        )

    @property
    def parser_calls(self) -> int:
        """Messages that a Python parser has read."""
        return self._datagrams.parser_calls

    def read(self, number: int, path: str, progress: Callable[[int], None]) -> None:
        """Read one file to its end, or to its damage.

        Raises ``CaptureError`` where there is nothing to read a packet from.
        """
        tally = _Tally()
        with open_capture(path, number) as reader:
            for block in reader:
                self._take(block, reader, tally)
                progress(reader.progress[0])
            self._account(reader.result, tally)
        self._events.clear()

    def finish(self) -> None:
        """Write what stays open to the end of all files."""
        self._fast.finish()
        self._datagrams.finish()
        self._vantage.finish()
        self._bindings.finish()
        for row in self._vantage.rows(headers.TUNNELS):
            self._spool.add("segments", row)

    def _take(self, block: PacketBlock, reader: CaptureReader, tally: _Tally) -> None:
        """One block, from headers to messages."""
        n = block.n
        if not n:
            return
        if len(self._columns.kind) < n:
            self._columns = PacketColumns.of_size(n)
        columns = self._columns
        headers.decode_block(block, columns, self._events)
        tally.take(block, columns)
        self._vantage.take(block, columns, reader.interfaces, headers.TUNNELS)
        self._messages(block)

    def _messages(self, block: PacketBlock) -> None:
        """Messages of one packet each: the ordinary in bulk, the others one by one."""
        kind = self._columns.kind[: block.n]
        chosen = (kind != kinds.KIND_NONE) & (kind != kinds.KIND_TCP)
        for number, bulk in self._bulk:
            rows = np.flatnonzero(kind == number)
            if rows.size:
                left = bulk(
                    block,
                    self._columns,
                    rows,
                    self._vantage.segment[rows].astype(np.int64),
                    self._vantage.names,
                )
                chosen[rows] = False
                chosen[rows[left]] = True
        for i in np.flatnonzero(chosen).tolist():
            claimed = int(self._columns.payload_claimed[i])
            self._datagrams.read(
                int(kind[i]), self._payload(block, i), self._where(block, i), claimed=claimed
            )

    def _payload(self, block: PacketBlock, i: int) -> bytes:
        """What the packet of row ``i`` carries."""
        start, size = int(self._columns.payload[i]), int(self._columns.payload_len[i])
        return block.arena[start : start + size].tobytes() if start >= 0 else b""

    def _where(self, block: PacketBlock, i: int) -> Where:
        """The packet of row ``i`` as rows of tables will cite it."""
        c = self._columns
        net = int(c.net[i])
        has_mac = bool(c.has_mac[i])
        return Where(
            capture=block.capture,
            packet=block.first + i,
            ts=int(block.time[i]),
            segment=self._vantage.names[self._vantage.segment[i]],
            src_mac=mac_of(int(c.src_mac[i])) if has_mac else "",
            dst_mac=mac_of(int(c.dst_mac[i])) if has_mac else "",
            src=ip_of(net, int(c.src_hi[i]), int(c.src_lo[i])),
            src_port=int(c.src_port[i]),
            dst=ip_of(net, int(c.dst_hi[i]), int(c.dst_lo[i])),
            dst_port=int(c.dst_port[i]),
            conversation=int(c.conversation[i]),
            ip_ttl=int(c.ttl[i]) if net else -1,
            whole=int(c.payload_len[i]) >= int(c.payload_claimed[i]),
        )

    def _account(self, file: CaptureFile, tally: _Tally) -> None:
        """Rows of one file that has been read."""
        outcomes = tally.outcomes()
        self.packets += file.packets
        self.outcomes = [a + b for a, b in zip(self.outcomes, outcomes, strict=True)]
        self.damaged = self.damaged or bool(file.damage)
        self._spool.add(
            "captures",
            {
                "capture": file.number,
                "name": printable(Path(file.name).name),
                "sha256": file.sha256,
                "stored_bytes": file.stored_bytes,
                "format": file.format,
                "compression": file.compression,
                "byte_order": file.byte_order,
                "packets": file.packets,
                "decoded": outcomes[DECODED],
                "skipped": outcomes[SKIPPED],
                "malformed": outcomes[MALFORMED],
                "captured_bytes": file.captured_bytes,
                "wire_bytes": file.wire_bytes,
                "first_ts": tally.clock.first,
                "last_ts": tally.clock.last,
                "cut_packets": tally.cut,
                "clock_jumps": tally.clock.jumps,
                "damage": [f"byte {d.offset}: {printable(d.problem)}" for d in file.damage],
                "comments": list(file.comments),
                "evicted": self._vantage.missed,
            },
        )
        for interface in file.interfaces:
            self._spool.add(
                "interfaces",
                {
                    "capture": file.number,
                    "interface": interface.index,
                    "name": interface.name,
                    "description": interface.description,
                    "link": interface.link,
                    "snaplen": interface.snaplen,
                    "filter": interface.filter,
                    "resolution": interface.resolution,
                    "received": interface.received,
                    "dropped": interface.dropped,
                    "os_dropped": interface.os_dropped,
                    "packets": tally.of_interface(interface.index),
                },
            )
        for outcome, reason, count, first in tally.rows():
            self._spool.add(
                "accounting",
                {
                    "capture": file.number,
                    "outcome": OUTCOMES[outcome],
                    "reason": headers.REASONS[reason],
                    "packets": count,
                    "first_packet": first,
                },
            )
        for kind, value, count, first in self._events.rows():
            self._spool.add(
                "encapsulations",
                {
                    "capture": file.number,
                    "kind": kind,
                    "value": value,
                    "packets": count,
                    "first_packet": first,
                },
            )


class _Tally:
    """Counts of one file."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.cut = 0
        self._size = len(headers.REASONS)
        self._counts = np.zeros(3 * self._size, np.int64)
        self._first = np.zeros(3 * self._size, np.int64)
        self._interfaces = np.zeros(0, np.int64)

    def take(self, block: PacketBlock, columns: PacketColumns) -> None:
        """Count one block."""
        n = block.n
        self.clock.take(block.time[:n])
        self.cut += int((block.length[:n] < block.wire[:n]).sum())
        key = columns.outcome[:n].astype(np.int64) * self._size + columns.reason[:n]
        counts = np.bincount(key, minlength=len(self._counts))
        for fresh in np.flatnonzero((counts > 0) & (self._counts == 0)).tolist():
            self._first[fresh] = block.first + int((key == fresh).argmax())
        self._counts += counts
        seen = np.bincount(block.interface[:n])
        if len(seen) > len(self._interfaces):
            self._interfaces = np.pad(self._interfaces, (0, len(seen) - len(self._interfaces)))
        self._interfaces[: len(seen)] += seen

    def outcomes(self) -> list[int]:
        """Packets decoded, skipped and malformed."""
        return [int(part.sum()) for part in self._counts.reshape(3, self._size)]

    def of_interface(self, index: int) -> int:
        """Packets of one interface."""
        return int(self._interfaces[index]) if index < len(self._interfaces) else 0

    def rows(self) -> list[tuple[int, int, int, int]]:
        """(outcome, reason, packets, first packet) of what occurred."""
        return [
            (*divmod(key, self._size), int(self._counts[key]), int(self._first[key]))
            for key in np.flatnonzero(self._counts).tolist()
        ]
