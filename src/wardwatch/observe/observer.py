"""The way of a block: told apart by segment and side, and the account of every capture."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wardwatch.capture import open_capture
from wardwatch.decode.columns import DECODED, MALFORMED, SKIPPED
from wardwatch.decode.kernels import headers, young
from wardwatch.model.values import NS
from wardwatch.observe.ahead import Decoded, decoded
from wardwatch.observe.messages import Messages
from wardwatch.observe.side import Reassembly
from wardwatch.observe.streams import Streams
from wardwatch.observe.tally import Tally
from wardwatch.observe.text import printable
from wardwatch.observe.vantage import Vantage, vantage_of_messages

if TYPE_CHECKING:
    from collections.abc import Callable

    from wardwatch.model.block import CaptureFile
    from wardwatch.observe.apart import Apart
    from wardwatch.observe.secrets import Secrets
    from wardwatch.observe.tables import Spool

OUTCOMES = {DECODED: "decoded", SKIPPED: "skipped", MALFORMED: "malformed"}


class Observer:
    """Takes files one after the other and fills the tables of one run."""

    def __init__(
        self,
        spool: Spool,
        secrets: Secrets,
        *,
        idle_s: float = 0.0,
        seats: int = young.SEATS,
        threads: int = 0,
        apart: Apart | None = None,
    ) -> None:
        """``seats``: conversations that the kernel follows at once; 0 leaves all to Python.

        ``threads``: 1 reads, decodes and understands in one; 0 as many as there is use for.
        ``apart``: another process that goes through the same files for what is TCP.
        """
        self.packets = 0
        self.outcomes = [0, 0, 0]
        """Packets decoded, skipped, malformed."""
        self.damaged = False
        self._spool = spool
        self._secrets = secrets
        self._events = headers.Events()
        """Tags counted where packets are decoded, which may be another thread."""
        self._threads = threads
        self._vantage = Vantage(spool)
        self._reassembly = Reassembly()
        idle_ns = round(idle_s * NS)
        self.messages = Messages(
            spool, secrets, self._vantage.places, self._reassembly, idle_ns=idle_ns
        )
        self._apart = apart
        self._beside = spool.beside()
        self._beside_secrets = secrets.beside()
        self.streams = (
            None
            if apart
            else Streams(
                self._beside,
                self._beside_secrets,
                self._vantage.places,
                self._reassembly,
                idle_ns=idle_ns,
                seats=seats,
            )
        )
        self._told_given_up = 0
        self._captures: list[dict[str, Any]] = []

    @property
    def parser_calls(self) -> int:
        """Messages that a Python parser has read."""
        other = self.streams or self._apart
        return self.messages.parser_calls + (other.parser_calls if other else 0)

    def read(self, number: int, path: str, progress: Callable[[int], None]) -> None:
        """Read one file to its end, or to its damage.

        Raises ``CaptureError`` where there is nothing to read a packet from.
        """
        tally = Tally()
        with open_capture(path, number) as reader:
            with closing(decoded(reader, self._events, threads=self._threads)) as blocks:
                for given in blocks:
                    self._take(given, tally)
                    progress(given.bytes_read)
            self._account(reader.result, tally)
        self._events.clear()
        self._reassembly.events.clear()

    def finish(self) -> None:
        """Write what stays open to the end of all files.

        Raises :class:`~wardwatch.observe.apart.Lost` where the other process did not come to
        the same end: nothing of what was written is good then.
        """
        self.messages.finish()
        self._vantage.finish()
        if self.streams is not None:
            self.streams.finish()
            self._spool.join(self._beside)
            self._secrets.unchecked += self._beside_secrets.unchecked
        elif self._apart is not None:
            told = self._apart.join({row["capture"]: row["packets"] for row in self._captures})
            self._spool.take_over(told.memory, told.files, keep=told.scratch)
            self._secrets.unchecked += told.unchecked
            for row in self._captures:
                row["evicted"] += told.given_up[row["capture"]]
        for row in self._captures:
            self._spool.add("captures", row)
        self.messages.bind()
        self._write_segments()

    def _take(self, given: Decoded, tally: Tally) -> None:
        """One block, from segments to what is said in it."""
        block, columns = given.block, given.columns
        if not block.n:
            return
        tally.take(block, columns)
        self._vantage.take(block, columns, given.interfaces, headers.TUNNELS)
        self.messages.take(block, columns)
        if self.streams is not None:
            self.streams.take(block, columns)

    def _write_segments(self) -> None:
        """The vantage, with what conversations and messages add to it."""
        told = vantage_of_messages(self._spool)
        for row in self._vantage.rows(headers.TUNNELS):
            self._spool.add("segments", {**row, **told(row["capture"], row["segment"])})

    def _given_up(self) -> int:
        """Conversations, streams and stations given up so far because a bound was reached."""
        streams = self.streams.given_up if self.streams else 0
        return self.messages.given_up + streams + self._vantage.missed

    def _account(self, file: CaptureFile, tally: Tally) -> None:
        """Rows of one file that has been read."""
        outcomes = tally.outcomes()
        self.packets += file.packets
        self.outcomes = [a + b for a, b in zip(self.outcomes, outcomes, strict=True)]
        self.damaged = self.damaged or bool(file.damage)
        self._captures.append(
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
                "first_ts": tally.first,
                "last_ts": tally.last,
                "cut_packets": tally.cut,
                "clock_jumps": tally.jumps,
                "damage": [f"byte {d.offset}: {printable(d.problem)}" for d in file.damage],
                "comments": list(file.comments),
                "evicted": self._given_up() - self._told_given_up,
            },
        )
        self._told_given_up = self._given_up()
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
        for kind, value, count, first in self._events.rows(self._reassembly.events):
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
