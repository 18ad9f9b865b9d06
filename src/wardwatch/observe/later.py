"""Later: parts of what is to be read, by other processes, taken over at the end.

Each is a copy of this one (``fork``), as is who hashes (:mod:`wardwatch.observe.digests`). It passes
over what stands before its *cut*, takes what stands behind it, up to the next, as if nothing had been before, and leaves its state: counts,
tables of stations and conversations, rows, and what is under way at its end
(:class:`~wardwatch.observe.part.Part`). What it cannot know without those before it, it leaves as
it is: the packets of TCP connections that were under way at its cut
(:mod:`wardwatch.observe.raw`), which are read when both are there. We read up to the first cut,
take over what was found (:meth:`wardwatch.observe.observer.Observer.read`), and every row is as
one process would have written it. Where that cannot be told to be so, it says why
(:class:`~wardwatch.observe.part.Refused`), and we read on ourselves: nothing is lost but time.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
from multiprocessing import Pipe
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import msgspec

from wardwatch.capture import open_capture
from wardwatch.decode.columns import PacketColumns
from wardwatch.decode.kernels import conversations as k
from wardwatch.decode.kernels import headers
from wardwatch.decode.kernels.duplicates import RECENT_ROWS
from wardwatch.errors import CaptureError
from wardwatch.observe.ahead import ENDLESS
from wardwatch.observe.begun import Begun
from wardwatch.observe.forks import Lost, forked
from wardwatch.observe.part import OfFile, Part, Refused, Stored
from wardwatch.observe.sides import Sides
from wardwatch.observe.tables import Spool, Temporary
from wardwatch.observe.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.connection import Connection

    from wardwatch.model.block import PacketBlock
    from wardwatch.observe.secrets import Secrets

PART = "part"
"""The file in which the other process leaves what it found: written as it goes, it is never twice
in memory."""
MOST_FRAGMENTED = 1 << 16
"""Datagrams in fragments that are remembered."""
WARM_BYTES = 24 << 20
"""Read before the cut, for the last frames that a copy may be one of."""

PASSING = 0.12
"""What it costs to pass over packets, of what it costs to read them: 1 GB of the hospital mix is
copied and its records are walked in 0.12 s, and 1.0 s it takes to understand them."""


class Cut(NamedTuple):
    """Behind the first block that ends at or behind ``offset`` of a capture."""

    capture: int
    offset: int


class Reader:
    """Reads a part: what stands behind one cut, up to another."""

    def __init__(
        self, cut: Cut, spools: tuple[Spool, Spool], secrets: Secrets, until: Cut | None = None
    ) -> None:
        """``spools`` take the rows without TCP and those of TCP; ``until`` unsaid is the end."""
        self.files: dict[int, OfFile] = {}
        self.sides = Sides(spools, (secrets, secrets.beside()), part=True)
        self._cut = cut
        self._until = until
        self._columns = PacketColumns.of_size(0)
        self._before = 0
        self._met = self._over = False
        """Whether the files that are cut have been given; their numbers need not be in their order."""

    def read(self, number: int, path: str) -> None:
        """One file, in its order; what stands before the cut is passed over."""
        if self._over:
            return
        behind = self._met
        self._met = behind or number == self._cut.capture
        if not self._met:
            return
        if self._until and number == self._until.capture:
            self._over = True
        tally, events = Tally(), headers.Events()
        try:
            reader = open_capture(path, number)
        except CaptureError:
            return  # the caller meets it too, and tells
        vantage = self.sides.vantage
        end = self._until.offset if self._until and self._over else ENDLESS
        with reader:
            reader.hash_not()
            warm = packets = 0
            at = -1
            for block in reader:
                if at >= end:
                    break
                at, packets = reader.offset, reader.packets
                if not behind:
                    vantage.places.aliases.of_block(block, reader.interfaces)
                    behind = reader.offset >= self._cut.offset
                    if reader.offset >= self._cut.offset - WARM_BYTES or behind:
                        self._decode(block, headers.Events())
                        vantage.warm(block, self._columns)
                        warm += block.n
                    self._before = reader.packets
                    continue
                self._decode(block, events)
                if len(self.sides.reassembly.fragments.met or ()) > MOST_FRAGMENTED:
                    raise Refused("too many datagrams came in fragments")
                self.sides.take(block, self._columns, reader.interfaces, tally)
            if number == self._cut.capture and warm < min(RECENT_ROWS, self._before):
                # A copy may be one of a frame that we have not looked at.
                raise Refused("the packets before the cut are too long")
            reassembly = self.sides.reassembly
            inside, reassembly.events = reassembly.events, headers.Events()
            whole = reader.result if reader.is_read else None
        self.files[number] = OfFile(packets, whole, reader.stamp, tally, events, inside)

    def begin(self, part: Part) -> None:
        """Be who has read a part, instead of :meth:`read`."""
        self._before = part.before
        self._met = True
        self.absorb(part)

    def absorb(self, part: Part) -> None:
        """Take over the part that begins where we have ended.

        It is then as if we had read it. Raises :class:`~wardwatch.observe.part.Refused` where
        that cannot be, and :class:`~wardwatch.observe.forks.Lost` where a file has changed or
        data was agreed upon across the border: we are good for nothing then.
        """
        number = next(iter(part.files), -1)
        mine, events = self.files.get(number), headers.Events()
        if mine is not None:
            events.absorb(mine.events.told())
            self.sides.reassembly.events = mine.inside
        if number >= 0 and (why := self.sides.refuses(part, events, part.files[number])):
            raise Refused(why)
        if mine is not None and part.before != mine.packets:
            raise Lost("a file changed while it was read")
        self.sides.absorb(part)
        self.sides.reassembly.events = headers.Events()
        for number, told in part.files.items():
            mine = self.files.get(number)
            if mine is None:
                self.files[number] = told
                continue
            mine.tally.absorb(told.tally)
            mine.events.absorb(told.events.told())
            mine.inside.absorb(told.inside.told())
            stamp = mine.stamp if mine.stamp == told.stamp else None
            self.files[number] = msgspec.structs.replace(
                mine, packets=told.packets, file=told.file, stamp=stamp
            )
        if part.under_way is None:
            self._until = None

    def part(self) -> Part:
        """Everything that was found."""
        sides, spools = self.sides, self.sides.spools
        messages, streams = sides.messages, sides.streams
        assert isinstance(streams, Begun)
        under_way = streams.under_way() if self._until else None
        if under_way is None:
            streams.finish()
        others, speakers, noted = messages.part()
        rows, began = streams.began()
        if messages.given_up or streams.given_up:
            raise Refused("a bound was reached")
        numbers = set(rows[began, k.NUMBER].tolist())
        sessions = streams.sessions
        fragments = sides.reassembly.fragments
        return Part(
            before=self._before,
            files=self.files,
            vantage=sides.vantage.told(),
            others=Stored.of(spools[0].folder / "conversations", others, None),
            speakers=speakers,
            noted=noted,
            tcp=Stored.of(spools[1].folder / "conversations", rows, began),
            services={n: s for n, s in sessions.services.items() if n in numbers},
            counters={n: c for n, c in sessions.counters.items() if n in numbers},
            under_way=under_way,
            packets=streams.keeper.kept(),
            fragments=fragments.met or set(),
            in_fragments=fragments.under_way(),
            parser_calls=sides.parser_calls,
            unchecked=sum(s.unchecked for s in sides.secrets),
            checked=max(s.checked for s in sides.secrets),
            on_disk=(_written(spools[0]), _written(spools[1])),
        )

    def _decode(self, block: PacketBlock, events: headers.Events) -> None:
        if len(self._columns.kind) < block.n:
            self._columns = PacketColumns.of_size(block.n)
        headers.decode_block(block, self._columns, events)


def _written(spool: Spool) -> dict[str, Path]:
    """All tables of a spool that have rows, as files: those that stayed in memory as Arrow."""
    import pyarrow as pa

    memory, found = spool.parts()
    for table, data in memory.items():
        found[table] = spool.folder / f"{table}.arrow"
        with pa.ipc.new_file(str(found[table]), data.schema) as file:
            file.write_table(data)
    return found


def cuts_of(files: Sequence[tuple[int, str]], processes: int = 2) -> list[Cut]:
    """Where to cut files, given as number and path in their order, into parts that take the same time.

    Who reads a part passes over all that stands before it, so that later ones are shorter. The octets of a cut file before its cut hold the last frames that a copy may be one of.
    """
    sizes = [(number, size_of(path)) for number, path in files]
    total = sum(size for _, size in sizes)
    cuts: list[Cut] = []
    left = [(1 - PASSING) ** turn for turn in range(processes + 1)]
    for turn in range(1, processes):
        cut = _cut_at(int(total * (1 - left[turn]) / (1 - left[processes])), sizes)
        if cut not in cuts:
            cuts.append(cut)
    return cuts


def _cut_at(left: int, sizes: Sequence[tuple[int, int]]) -> Cut:
    for number, size in sizes:
        if left < size:
            return Cut(number, max(left, min(WARM_BYTES, size)))
        left -= size
    return Cut(*sizes[-1])


def size_of(path: str) -> int:
    """Stored octets; 0 of what cannot be read."""
    try:
        return Path(path).stat().st_size
    except (OSError, ValueError):
        return 0


class Later:
    """Another process, from its beginning to its end; to be closed."""

    def __init__(
        self,
        files: Sequence[tuple[int, str]],
        secrets: Secrets,
        cut: Cut,
        until: Cut | None = None,
        *,
        idle_s: float = 0.0,
        lasting: bool,
    ) -> None:
        """Begin to read ``files``, given as number and path in their order, behind a cut.

        Up to another, or to their end. ``idle_s`` ends a conversation after so many seconds of
        silence: then no part is taken over. ``lasting`` is as of a
        :class:`~wardwatch.observe.tables.Spool`.
        """
        self.cut = cut
        self.refused = ""
        """Why what it found was not taken over."""
        self.scratch = Temporary()
        self._pipe, theirs = Pipe(duplex=False)
        self._child = forked()
        if not self._child:
            self._pipe.close()
            why = "conversations end by silence" if idle_s else ""
            between = cut, until
            _work(theirs, files, between, secrets.beside(), self.scratch.path, lasting, why)
        theirs.close()

    def join(self) -> Part | None:
        """Wait for its end ⇒ what it found; ``None`` where it refused or was lost."""
        try:
            self.refused = self._pipe.recv()
        except (EOFError, OSError):
            self.refused = "it was ended from outside"
        if self.refused:
            return None
        with (self.scratch.path / PART).open("rb") as file:
            part: Part = pickle.load(file)  # noqa: S301 - ours, in a folder that is nobody else's
        return part

    def close(self) -> None:
        """End it, wherever it is."""
        self._pipe.close()
        if self._child:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._child, signal.SIGKILL)
            os.waitpid(self._child, 0)
            self._child = 0


def _work(
    pipe: Connection,
    files: Sequence[tuple[int, str]],
    between: tuple[Cut, Cut | None],
    secrets: Secrets,
    folder: Path,
    lasting: bool,
    why: str,
) -> NoReturn:
    """The other process: it ends here. ``why`` not to begin, "" nothing."""
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller is asked, and ends us
        spools = (
            Spool(folder / "others", scratch=True, lasting=lasting),
            Spool(folder / "tcp", scratch=True, lasting=lasting),
        )
        cut, until = between
        reader = Reader(cut, spools, secrets, until)
        try:
            if why:
                raise Refused(why)
            for number, path in files:
                reader.read(number, path)
            with (folder / PART).open("wb") as file:
                pickle.dump(reader.part(), file, protocol=5)
            pipe.send("")
        except Refused as why:
            pipe.send(str(why))
        status = 0
    finally:
        os._exit(status)
