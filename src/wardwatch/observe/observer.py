"""The way of a block: told apart by segment and side, and the account of every capture."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wardwatch.capture import open_capture
from wardwatch.decode.columns import DECODED, MALFORMED, SKIPPED
from wardwatch.decode.kernels import headers, young
from wardwatch.decode.kernels.conversations import NUMBER
from wardwatch.model.values import NS
from wardwatch.observe.ahead import Decoded, decoded
from wardwatch.observe.forks import Lost
from wardwatch.observe.messages import Messages
from wardwatch.observe.secrets import MAX_CHECKED
from wardwatch.observe.side import Reassembly
from wardwatch.observe.streams import Streams
from wardwatch.observe.tally import Tally
from wardwatch.observe.text import printable
from wardwatch.observe.vantage import Vantage, vantage_of_messages

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from wardwatch.capture.reader import CaptureReader
    from wardwatch.model.block import CaptureFile
    from wardwatch.observe.later import Later, OfFile, Part
    from wardwatch.observe.secrets import Secrets
    from wardwatch.observe.tables import Spool

ENDLESS = 1 << 62
"""An octet behind the end of every file."""
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
        later: Later | None = None,
    ) -> None:
        """``seats``: conversations that the kernel follows at once; 0 leaves all to Python.

        ``threads``: 1 reads, decodes and understands in one; 0 as many as there is use for.
        ``later``: another process, which reads what stands behind a cut.
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
        self._later = later
        self._took: Part | None = None
        """What stands behind the cut, once it is ours."""
        self._beside = spool.beside()
        self._beside_secrets = secrets.beside()
        self.streams = Streams(
            self._beside,
            self._beside_secrets,
            self._vantage.places,
            self._reassembly,
            idle_ns=idle_ns,
            seats=seats,
        )
        self._told_given_up = 0
        self._captures: list[dict[str, Any]] = []

    @property
    def parser_calls(self) -> int:
        """Messages that a Python parser has read."""
        told = self._took.parser_calls if self._took else 0
        return self.messages.parser_calls + self.streams.parser_calls + told

    def read(self, number: int, path: str, progress: Callable[[int], None]) -> None:
        """Read one file to its end, or to its damage.

        Raises ``CaptureError`` where there is nothing to read a packet from, and
        :class:`~wardwatch.observe.forks.Lost` where another process read another file than we.
        """
        if self._took is not None:
            self._pass(number, path, progress)
            return
        tally = Tally()
        cut = self._later.cut if self._later else None
        end = cut.offset if cut and cut.capture == number else ENDLESS
        with open_capture(path, number) as reader:
            before = self._read(reader, tally, progress, (-1, end))
            file = reader.result
        if self._later and end < ENDLESS:
            part = self._later.join()
            later = part.files.get(number) if part else None
            if part and (later is None or (later.packets, part.before) != (file.packets, before)):
                raise Lost("a file changed while it was read")
            if part and later and not (why := self._refuses(part, later)):
                self._absorb(part)
                tally.absorb(later.tally)
                self._events.absorb(later.events.told())
                self._reassembly.events.absorb(later.inside.told())
            else:
                self._later.refused = self._later.refused or why
                self._later = None
                with open_capture(path, number) as reader:
                    reader.hash_not()
                    self._read(reader, tally, progress, (end, ENDLESS))
        self._account(file, tally)
        self._events.clear()
        self._reassembly.events.clear()

    def _read(
        self,
        reader: CaptureReader,
        tally: Tally,
        progress: Callable[[int], None],
        between: tuple[int, int],
    ) -> int:
        """Take the blocks between two octets of a file ⇒ packets up to the end of the last."""
        last = 0
        blocks = decoded(reader, self._events, threads=self._threads, between=between)
        with closing(blocks):
            for given in blocks:
                if not given.passed:
                    self._take(given, tally)
                    last = given.block.first + given.block.n - 1
                progress(given.bytes_read)
        return last

    def _pass(self, number: int, path: str, progress: Callable[[int], None]) -> None:
        """Account for a file behind the cut, which the other process has read."""
        assert self._took is not None
        with open_capture(path, number) as reader:
            self._read(reader, Tally(), progress, (ENDLESS, ENDLESS))
            file = reader.result
        later = self._took.files.get(number)
        if later is None or later.packets != file.packets:
            raise Lost("a file changed while it was read")
        self._events.absorb(later.events.told())
        self._reassembly.events.absorb(later.inside.told())
        self._account(file, later.tally)
        self._events.clear()
        self._reassembly.events.clear()

    def _refuses(self, part: Part, here: OfFile) -> str:
        """Why what stands behind the cut would not be as if we had read it; "" it would.

        ``here`` is what of it lies in the capture that is cut.
        """
        if self._given_up():
            return "a bound was reached"
        if self._secrets.checked + self._beside_secrets.checked + part.checked > MAX_CHECKED:
            return "there are more secrets than are compared with hashed defaults"
        if self._reassembly.fragments.awaits(part.fragments):
            return "a datagram came in fragments before the cut and behind it"
        return (
            self._events.can_absorb(here.events.told())
            or self._reassembly.events.can_absorb(here.inside.told())
            or self._vantage.can_absorb(part.vantage)
            or self.messages.refuses(part)
            or self.streams.refuses(part.tcp)
        )

    def _absorb(self, part: Part) -> None:
        """Take over everything that stands behind the cut."""
        segment = self._vantage.absorb(part.vantage)
        others = self.messages.absorb(part, segment)
        tcp = self.streams.absorb(part, segment)
        numbers = []
        for rows, have in ((part.tcp, tcp), (part.others, others)):
            had = rows.columns(NUMBER)[:, 0] >> 1
            numbers.append(np.full(int(had.max(initial=0)) + 1, -1))
            numbers[-1][had] = have

        def renumber(table: pa.Table) -> pa.Table:
            return _renumbered(table, numbers)

        for spool, files in zip((self._spool, self._beside), part.on_disk, strict=True):
            spool.take_in(files, renumber)
        self._secrets.unchecked += part.unchecked
        self._took = part

    def finish(self) -> None:
        """Write what stays open to the end of all files."""
        self.messages.finish()
        self._vantage.finish()
        self.streams.finish()
        self._spool.join(self._beside)
        self._secrets.unchecked += self._beside_secrets.unchecked
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
        self.streams.take(block, columns)

    def _write_segments(self) -> None:
        """The vantage, with what conversations and messages add to it."""
        told = vantage_of_messages(self._spool)
        for row in self._vantage.rows(headers.TUNNELS):
            self._spool.add("segments", {**row, **told(row["capture"], row["segment"])})

    def _given_up(self) -> int:
        """Conversations, streams and stations given up so far because a bound was reached."""
        return self.messages.given_up + self.streams.given_up + self._vantage.missed

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


def _renumbered(table: pa.Table, numbers: Sequence[NDArray[np.int64]]) -> pa.Table:
    """Rows with the numbers that conversations have here: even ones by the first, odd ones by the other."""
    import pyarrow as pa

    at = table.schema.get_field_index("conversation")
    if at < 0:
        return table
    given = table.column(at).to_numpy()
    known = given >= 0
    found = given.copy()
    for parity, told in enumerate(numbers):
        own = known & (given & 1 == parity)
        found[own] = told[given[own] >> 1]
    return table.set_column(at, table.schema.field(at), pa.array(found))
