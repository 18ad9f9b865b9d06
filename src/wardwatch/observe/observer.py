"""The way of a block: told apart by segment and side, and the account of every capture."""

from __future__ import annotations

from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from wardwatch.capture import open_capture
from wardwatch.capture.reader import ENDLESS
from wardwatch.capture.sniff import open_stream
from wardwatch.decode.columns import DECODED, MALFORMED, SKIPPED
from wardwatch.decode.kernels import headers, young
from wardwatch.errors import CaptureError
from wardwatch.model.values import NS
from wardwatch.observe.ahead import Decoded, decoded
from wardwatch.observe.captures import Captures
from wardwatch.observe.forks import Lost, give_back
from wardwatch.observe.part import UNCOUNTED
from wardwatch.observe.sides import Sides
from wardwatch.observe.tally import Tally
from wardwatch.observe.text import printable
from wardwatch.observe.vantage import vantage_of_messages

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wardwatch.capture.digest import Stamp
    from wardwatch.capture.reader import CaptureReader, Place
    from wardwatch.capture.source import CopiedStream, RawStream
    from wardwatch.decode.columns import PacketColumns
    from wardwatch.model.block import CaptureFile
    from wardwatch.observe.digests import Digests
    from wardwatch.observe.later import Later
    from wardwatch.observe.part import OfFile
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
        laters: Sequence[Later] = (),
        digests: Digests | None = None,
        streams: Mapping[str, RawStream | CopiedStream] | None = None,
    ) -> None:
        """``seats``: conversations that the kernel follows at once; 0 leaves all to Python.

        ``threads``: 1 reads, decodes and understands in one; 0 as many as there is use for.
        ``laters``: parts that other processes read, in their order; each from behind its cut up to
        its ``until``, else to the next cut. What stands between them we read ourselves.
        ``digests``: another one, which hashes the files; else they are hashed as they are read.
        ``streams``: captures by name that are read from there, and from no file.
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
        self.sides = Sides(
            (spool, spool.beside()),
            (secrets, secrets.beside()),
            idle_ns=round(idle_s * NS),
            seats=seats,
        )
        self._laters = laters
        self._digests = digests
        self._streams = streams or {}
        self.captures = Captures(spool, digests)
        """Of each capture accounted for."""
        self._now: dict[int, OfFile] | None = None
        """What the part in which we are has read, by capture; ``None``: we read ourselves."""
        self._columns: PacketColumns | None = None
        """Those of the last block that we took."""
        self._told_given_up = 0

    @property
    def parser_calls(self) -> int:
        """Messages that a Python parser has read."""
        return self.sides.parser_calls

    def read(self, number: int, path: str, progress: Callable[[int], None]) -> None:
        """Read one file to its end, or to its damage.

        Raises ``CaptureError`` where there is nothing to read a packet from, and
        :class:`~wardwatch.observe.forks.Lost` where another process read another file than we.
        """
        tally = Tally()
        packets, file = 0, None
        stamps: set[Stamp | None] = set()
        begins = self._begins(number)
        ends = [*(begin for begin, _ in begins), ENDLESS]
        try:
            opened = self._open(number, path)
        except CaptureError:
            if begins:  # nothing of it is anybody's; what follows is ours
                self._now = None
            raise
        with opened as reader:
            offset, place = reader.offset, reader.place
            for at, end in enumerate(ends):
                between = ends[at - 1] if at else -1, end
                if at:
                    later = begins[at - 1][1]
                    self._now = None
                    if later is not None:
                        self._now = self._take_over(later, number, packets, offset, place)
                if self._now is None:
                    reading_to = begins[at][1] if at < len(begins) else None
                    if reading_to is not None and reading_to.cut.told:
                        reader.pause(end)
                    packets = self._read(reader, tally, progress, between, packets)
                    offset, place = reader.offset, reader.place
                    continue
                here = self._count(number, tally)
                packets, file, place = here.packets, here.file, here.place
                stamps.add(here.stamp)
                offset = -1 if place is None else place.offset
                if place is not None and reader.can_go:
                    reader.go_to(place)
            if reader.is_hashed or (file is None and not reader.is_read):
                self._read(reader, tally, progress, (ENDLESS, ENDLESS), packets)
            file = reader.result if reader.is_read else file
        stamps.add(reader.stamp)
        if file is None or len(stamps) > 1 or (self._now and packets != file.packets):
            raise Lost("a file changed while it was read")
        stamp = stamps.pop()
        file = self._as_kept(path, file)
        # What others have read, too, or what stands behind damage.
        progress(stamp.size if self._digests and stamp else file.stored_bytes)
        self._account(file, tally, path, stamp)
        self._events.clear()
        self.sides.reassembly.events.clear()

    def _as_kept(self, path: str, file: CaptureFile) -> CaptureFile:
        """What is said of a file, where that is the copy of a stream and ended before the stream did."""
        damage = getattr(self._streams.get(path), "copy_damage", None)
        return file if damage is None else replace(file, damage=(*file.damage, damage))

    def _begins(self, number: int) -> list[tuple[int, Later | None]]:
        """Where in a capture parts begin, in their order: those of others, and ours (``None``)."""
        found: list[tuple[int, Later | None]] = []
        for one, following in pairwise((*self._laters, None)):
            assert one is not None
            if one.cut.capture == number:
                found.append((one.cut.offset, one))
            if one.until is None or (following is not None and following.cut == one.until):
                continue
            if one.until.capture == number:
                found.append((one.until.offset, None))
        return found

    def _open(self, number: int, path: str) -> CaptureReader:
        """One file, hashed as it is read where nobody else hashes it."""
        if path in self._streams:
            return open_stream(self._streams[path], path, number)
        reader = open_capture(path, number)
        if self._digests:
            reader.hash_not()
        return reader

    def _read(
        self,
        reader: CaptureReader,
        tally: Tally,
        progress: Callable[[int], None],
        between: tuple[int, int],
        packets: int,
    ) -> int:
        """Take the blocks between two octets of a file ⇒ packets up to the end of the last.

        ``packets`` have been taken before, by us or by others.
        """
        blocks = decoded(
            reader, self._events, threads=self._threads, between=between, columns=self._columns
        )
        with closing(blocks):
            for given in blocks:
                if not given.passed:
                    self._columns = given.columns
                    if given.block.first != packets + 1:
                        raise Lost("a file changed while it was read")
                    self._take(given, tally)
                    packets += given.block.n
                progress(given.bytes_read)
        return packets

    def _count(self, number: int, tally: Tally) -> OfFile:
        """Account for what the present part has read of a file."""
        assert self._now is not None
        here = self._now.get(number)
        if here is None:
            raise Lost("a file changed while it was read")
        tally.absorb(here.tally)
        self._events.absorb(here.events.told())
        self.sides.reassembly.events.absorb(here.inside.told())
        return here

    def _take_over(
        self, later: Later, number: int, packets: int, offset: int, place: Place | None
    ) -> dict[int, OfFile] | None:
        """Take over the part that begins in a file behind so many packets, which end at ``offset``.

        ``place`` is there, where another reader can go there. ⇒ the files of which it has read; ``None``: we read them ourselves.
        """
        if self._digests:
            self._digests.go_on()  # a core is idle from here on
        part = later.join()
        if part is not None and part.before == UNCOUNTED:
            if offset != later.cut.offset:
                later.refused = "the cut was inside of a packet"
            elif number in part.files:
                part = part.behind(packets, place)
        if part is not None and not later.refused:
            here = part.files.get(number)
            if here is None or part.before != packets:
                raise Lost("a file changed while it was read")
            later.refused = self.sides.refuses(part, self._events, here)
        if part is not None and not later.refused:
            self.sides.absorb(part)
            give_back()
        later.forget()
        return None if part is None or later.refused else part.files

    def finish(self) -> None:
        """Write what stays open to the end of all files."""
        sides = self.sides
        sides.messages.finish()
        sides.vantage.finish()
        sides.streams.come_behind(self._spool)
        sides.streams.finish()
        self._spool.join(sides.spools[1])
        self._secrets.unchecked += sides.secrets[1].unchecked
        sides.messages.bind()
        self._write_segments()

    def _take(self, given: Decoded, tally: Tally) -> None:
        """One block, from segments to what is said in it."""
        if given.block.n:
            self.sides.take(given.block, given.columns, given.interfaces, tally)

    def _write_segments(self) -> None:
        """The vantage, with what conversations and messages add to it."""
        told = vantage_of_messages(self._spool)
        for row in self.sides.vantage.rows(headers.TUNNELS):
            self._spool.add("segments", {**row, **told(row["capture"], row["segment"])})

    def _account(self, file: CaptureFile, tally: Tally, path: str, stamp: Stamp | None) -> None:
        """Rows of one file that has been read."""
        outcomes = tally.outcomes()
        self.packets += file.packets
        self.outcomes = [a + b for a, b in zip(self.outcomes, outcomes, strict=True)]
        self.damaged = self.damaged or bool(file.damage)
        self.captures.add(
            path,
            stamp,
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
                "evicted": self.sides.given_up - self._told_given_up,
            },
        )
        self._told_given_up = self.sides.given_up
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
        for kind, value, count, first in self._events.rows(self.sides.reassembly.events):
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
