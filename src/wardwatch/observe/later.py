"""Later: parts of what is to be read, by other processes, taken over at the end.

Each is a copy of this one (``fork``), as is who hashes (:mod:`wardwatch.observe.digests`). It passes
over what stands before its *cut*, takes what stands behind it, up to the next, as if nothing had
been before, and leaves its state: counts, tables of stations and conversations, rows, and what is
under way at its end (:class:`~wardwatch.observe.part.Part`). The last part needs not pass over
anything where a record can be told to begin at its cut (:mod:`wardwatch.capture.middle`): whoever
takes it over knows what numbers its packets have (:meth:`~wardwatch.observe.part.Part.behind`).
What it cannot know without those before it, it leaves as it is: the packets of TCP connections that
were under way at its cut (:mod:`wardwatch.observe.raw`), which are read when both are there. We read
up to the first cut, take over what was found (:meth:`wardwatch.observe.observer.Observer.read`), and every row is as
one process would have written it. Where that cannot be told to be so, it says why
(:class:`~wardwatch.observe.part.Refused`), and we read on ourselves: nothing is lost but time.
"""

from __future__ import annotations

import bisect
import contextlib
import gc
import itertools
import os
import pickle
import shutil
import signal
from multiprocessing import Pipe
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import msgspec

from wardwatch.capture import open_capture
from wardwatch.capture.reader import ENDLESS
from wardwatch.decode.columns import PacketColumns
from wardwatch.decode.kernels import conversations as k
from wardwatch.decode.kernels import headers
from wardwatch.decode.kernels.duplicates import RECENT_ROWS, recent
from wardwatch.errors import CaptureError
from wardwatch.observe.begun import Begun
from wardwatch.observe.forks import Lost, end_copy, forked, give_back, large_apart
from wardwatch.observe.part import UNCOUNTED, OfFile, Part, Refused, Stored
from wardwatch.observe.segments import Aliases
from wardwatch.observe.sides import Sides
from wardwatch.observe.tables import Spool, Temporary
from wardwatch.observe.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from multiprocessing.connection import Connection

    from wardwatch.capture.reader import CaptureReader
    from wardwatch.model.block import PacketBlock
    from wardwatch.observe.secrets import Secrets
    from wardwatch.observe.vantage import Recent

PART = "part"
"""The file in which the other process leaves what it found: written as it goes, it is never twice
in memory."""
MOST_FRAGMENTED = 1 << 16
"""Datagrams in fragments that are remembered."""
AT_ONCE_BYTES = 4 << 30
"""Up to so many octets of all files each process reads one part of them."""
TURN_BYTES = 1 << 30
"""Of more, so many are shared at a time."""
WARM_BYTES = 24 << 20
"""Read before the cut, for the last frames that a copy may be one of."""

PASSING = 0.12
"""What it costs to pass over packets, of what it costs to read them: 1 GB of the hospital mix is
copied and its records are walked in 0.12 s, and 1.0 s it takes to understand them."""
BEHIND = 1.05
"""What it costs to read behind a cut, of what it costs those before: what is not known there is kept,
what is found is left in files, and pages that both processes write to are copied."""


class Cut(NamedTuple):
    """Behind the first block that ends at or behind ``offset`` of a capture."""

    capture: int
    offset: int
    told: bool = False
    """A record seems to begin there: who reads behind it need not know what stands before."""


Between = tuple[Cut, Cut | None]
"""Where a part begins, and where it ends; ``None``: with the files."""


class Walk:
    """A way through captures, on which nothing is read twice: who takes a part goes on from the last."""

    def __init__(self) -> None:
        self.at = -1
        """Where the last block ends; -1 before the first of a capture."""
        self.seen = 0
        """Frames of the capture up to there that :attr:`recent` knows without a gap."""
        self.recent: Recent | None = None
        """The last frames that were looked at, ``None`` of a capture just begun."""
        self.aliases = Aliases()
        """Which interfaces count as one, as far as they were met."""
        self.columns = PacketColumns.of_size(0)
        """Those of one block after the other."""
        self._reader: CaptureReader | None = None

    def open(self, number: int, path: str) -> CaptureReader:
        """A capture, from its beginning or from where we are in it."""
        if self._reader is None or self._reader.number != number:
            self.close()
            self._reader = open_capture(path, number)
            self._reader.hash_not()
            self.at, self.seen, self.recent = -1, 0, None
        return self._reader

    def next(self) -> PacketBlock | None:
        """The next block; ``None``: there is none."""
        assert self._reader is not None
        block = next(iter(self._reader), None)
        if block is not None:
            self.at = self._reader.offset
            self.seen += block.n
        return block

    def close(self) -> None:
        """Give the capture back."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None


class Reader:
    """Reads a part: what stands behind one cut, up to another."""

    def __init__(
        self,
        cut: Cut,
        spools: tuple[Spool, Spool],
        secrets: Secrets,
        until: Cut | None = None,
        walk: Walk | None = None,
    ) -> None:
        """``spools`` take the rows without TCP and those of TCP; ``until`` unsaid is the end.

        ``walk``: that of who read a part before ours, and goes on behind it.
        """
        self.files: dict[int, OfFile] = {}
        self._walk = walk or Walk()
        self._goes_on = walk is not None
        self.sides = Sides(spools, (secrets, secrets.beside()), part=True)
        self._cut = cut
        self._until = until
        self._before = 0
        """Packets of the capture before our cut; :data:`UNCOUNTED`, nobody has told us."""
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
        walk, vantage = self._walk, self.sides.vantage
        try:
            reader = walk.open(number, path)
        except CaptureError:
            return  # the caller meets it too, and tells
        end = self._until.offset if self._until and self._over else ENDLESS
        try:
            if not behind:
                self._go_to_cut(reader)
            if self._until and self._over and self._until.told:
                reader.pause(end)
            counted = behind or self._before != UNCOUNTED
            place = reader.place
            while walk.at < end and (block := walk.next()) is not None:
                columns = self._decode(block, events)
                self.sides.take(block, columns, reader.interfaces, tally)
                if len(self.sides.reassembly.fragments.met or ()) > MOST_FRAGMENTED:
                    raise Refused("too many datagrams came in fragments")
                if not counted:  # of a pcap: of a pcapng it would copy what is known each time
                    place = reader.place
            if counted:
                place = reader.place
        finally:
            walk.aliases, walk.recent = vantage.places.aliases, vantage.recent
            if not self._goes_on:
                walk.close()
        reassembly = self.sides.reassembly
        inside, reassembly.events = reassembly.events, headers.Events()
        # Who has counted what was before reads on behind our last block, and meets end or damage.
        whole = reader.result if counted and reader.is_read else None
        self.files[number] = OfFile(
            reader.packets, whole, reader.stamp, tally, events, inside, place
        )

    def _pass_over(self, reader: CaptureReader) -> None:
        """Pass over what stands before our cut, and look at the last frames of it."""
        walk, vantage = self._walk, self.sides.vantage
        vantage.places.aliases.absorb(walk.aliases)
        cut = self._cut.offset
        if self._cut.told:
            reader.pause(cut)  # we end there or behind it, as those do who read up to here
        while walk.at < cut and (block := walk.next()) is not None:
            vantage.places.aliases.of_block(block, reader.interfaces)
            if walk.at < min(cut, cut - WARM_BYTES):
                walk.seen, walk.recent = 0, None
                continue
            if walk.recent is not None:
                vantage.go_on(walk.recent)
                walk.recent = None
            vantage.warm(block, self._decode(block, headers.Events()))
        if walk.recent is not None:
            vantage.go_on(walk.recent)
        self._before = reader.packets
        if walk.seen < min(RECENT_ROWS, self._before):
            # A copy may be one of a frame that we have not looked at.
            raise Refused("the packets before the cut are too long")

    def _go_to_cut(self, reader: CaptureReader) -> None:
        """Begin at our cut, if it seems to stand between two records; else pass over what is before.

        What goes on behind our part has to know the numbers of its packets.
        """
        walk, first = self._walk, reader.offset
        is_first = walk.at < 0 and reader.can_go
        if not self._cut.told or self._until is not None or not is_first:
            self._pass_over(reader)
        elif self._looked(reader):
            reader.begin_at(self._cut.offset)
            self._before = UNCOUNTED
        else:
            reader.begin_at(first, packets=0)
            self.sides.vantage.go_on(recent())
            walk.at, walk.seen = -1, 0
            self._pass_over(reader)

    def _looked(self, reader: CaptureReader) -> bool:
        """Look at the last frames before our cut: whether they are enough, and end where it stands.

        Frames are mostly short, and some are long: little is looked at first.
        """
        first = reader.offset
        for octets in (WARM_BYTES // 4, WARM_BYTES, 4 * WARM_BYTES):
            if self._cut.offset - octets <= first:
                return self._looked_from(reader, first)
            begin = reader.begins_near(self._cut.offset - octets)
            if self._looked_from(reader, begin) and self._walk.seen >= RECENT_ROWS:
                return True
            self.sides.vantage.go_on(recent())
        return False

    def _looked_from(self, reader: CaptureReader, begin: int) -> bool:
        """Look at the frames from one that seems to begin there to our cut: whether they end there."""
        walk, vantage, cut = self._walk, self.sides.vantage, self._cut.offset
        if not 0 <= begin <= cut:
            return False
        walk.at, walk.seen = begin, 0
        reader.begin_at(begin)
        reader.pause(cut)
        while walk.at < cut and (block := walk.next()) is not None:
            vantage.places.aliases.of_block(block, reader.interfaces)
            vantage.warm(block, self._decode(block, headers.Events()))
        return walk.at == cut

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
        if part.before == UNCOUNTED and mine is not None:
            part = part.behind(mine.packets, mine.place)
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
                mine, packets=told.packets, file=told.file, stamp=stamp, place=told.place
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
            on_disk=(spools[0].passed_on(), spools[1].passed_on()),
        )

    def _decode(self, block: PacketBlock, events: headers.Events) -> PacketColumns:
        columns = self._walk.columns = self._walk.columns.for_size(block.n)
        headers.decode_block(block, columns, events)
        return columns


def cuts_of(
    files: Sequence[tuple[int, str]], processes: int = 2, *, told: bool = False
) -> list[Cut]:
    """Where to cut files, given as number and path in their order: parts that take the same time.

    Who reads a part passes over what stands before it in its file, so that one far behind in a long
    file is shorter; but for the last one, if the last cut will be ``told``. The octets of a cut file
    before its cut hold the last frames that a copy may be one of.
    """
    borders = [0, *itertools.accumulate(size_of(path) for _, path in files)]
    total = borders[-1]

    def ends(each: float) -> list[float]:
        """Where parts end that take as long as it takes to read so many octets from the beginning."""
        found = [each]
        for number in range(1, processes):
            at = found[-1]
            passed = at - borders[bisect.bisect_right(borders, at) - 1]
            if told and number == processes - 1:
                passed = 0
            found.append(at + max(each - PASSING * passed, 0) / BEHIND)
        return found

    low, high = total / processes / 2, float(total)
    while high - low > 0.5:
        middle = (low + high) / 2
        low, high = (middle, high) if ends(middle)[-1] < total else (low, middle)
    return _cuts_at((end / max(total, 1) for end in ends(high)[:-1]), files)


def _cuts_at(shares: Iterable[float], files: Sequence[tuple[int, str]]) -> list[Cut]:
    """Cuts behind these shares of all octets, each once."""
    sizes = [(number, size_of(path)) for number, path in files]
    total = sum(size for _, size in sizes)
    return list(dict.fromkeys(_cut_at(int(total * share), sizes) for share in shares))


def shares_of(files: Sequence[tuple[int, str]], processes: int = 2) -> list[list[Between]]:
    """What each process beside ours reads of files, given as number and path in their order.

    Long ones are shared by turns, each of which has a part for every process, ours first: no
    process ever holds more than it found in one.
    """
    total = sum(size_of(path) for _, path in files)
    if total <= AT_ONCE_BYTES:
        *cuts, last = cuts_of(files, processes, told=True)
        told = _told(last, files)
        cuts = cuts_of(files, processes) if told is None else [*cuts, told]
    else:
        count = -(-total // TURN_BYTES) * processes
        cuts = _cuts_at((part / count for part in range(1, count)), files)
    parts = [*zip(cuts, (*cuts[1:], None), strict=True)]
    return [parts[first::processes] for first in range(processes - 1)]


def _told(cut: Cut, files: Sequence[tuple[int, str]]) -> Cut | None:
    """The same where a record begins; ``None`` where that cannot be told."""
    path = next(path for number, path in files if number == cut.capture)
    try:
        with open_capture(path, cut.capture) as reader:
            reader.hash_not()
            at = reader.begins_near(cut.offset) if reader.can_go else -1
    except CaptureError:
        return None  # who reads it will tell
    return cut._replace(offset=at, told=True) if at >= 0 else None


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
    """A part that another process reads."""

    def __init__(self, other: Other, turn: int, between: Between) -> None:
        self.cut, self.until = between
        self.refused = ""
        """Why what was found was not taken over."""
        self._other = other
        self._turn = turn

    def join(self) -> Part | None:
        """Wait until it is read ⇒ what was found; ``None`` where that was refused or lost."""
        self.refused = self._other.told(self._turn)
        if self.refused:
            return None
        with (self._other.folder(self._turn) / PART).open("rb") as file:
            part: Part = pickle.load(file)  # noqa: S301 - ours, in a folder that is nobody else's
        return part

    def forget(self) -> None:
        """Nothing more is wanted of what was found: its files go."""
        shutil.rmtree(self._other.folder(self._turn), ignore_errors=True)


class Other:
    """Another process, from its beginning to its end; to be closed."""

    def __init__(
        self,
        files: Sequence[tuple[int, str]],
        secrets: Secrets,
        parts: Sequence[Between],
        *,
        idle_s: float = 0.0,
    ) -> None:
        """Begin to read ``parts`` of ``files``, given as number and path in their order.

        The parts are read one after the other, without waiting until one is taken over.
        ``idle_s`` ends a conversation after so many seconds of silence: then none is. Raises
        :class:`~wardwatch.observe.forks.Lost` where there is no other process to be had.
        """
        if len(parts) > 1:
            large_apart()  # of both processes
        self.laters = [Later(self, turn, between) for turn, between in enumerate(parts)]
        self._told: dict[int, str] = {}
        self._scratch = Temporary()
        self._pipe, theirs = Pipe(duplex=False)
        _load()
        try:
            self._child = forked()
        except Lost:
            self._pipe.close()
            theirs.close()
            raise
        if not self._child:
            self._pipe.close()
            why = "conversations end by silence" if idle_s else ""
            folders = [(between, self.folder(turn)) for turn, between in enumerate(parts)]
            _work(theirs, files, folders, secrets, why)
        theirs.close()

    def told(self, turn: int) -> str:
        """Wait until it has read a part ⇒ why it was refused, "" it was not."""
        while turn not in self._told:
            try:
                number, why = self._pipe.recv()
            except (EOFError, OSError):
                number, why = turn, "it was ended from outside"
            self._told[number] = why
        return self._told[turn]

    def folder(self, turn: int) -> Path:
        """Where it leaves what it found in a part."""
        return self._scratch.path / str(turn)

    def close(self) -> None:
        """End it, wherever it is."""
        self._pipe.close()
        if self._child:
            end_copy(self._child)
            self._child = 0


def _load() -> None:
    """Load what both processes come to need, once: else each takes 80 ms for it."""
    import pyarrow.ipc  # noqa: F401
    from cryptography import x509  # noqa: F401

    from wardwatch.compiled.store import machine

    with contextlib.suppress(ImportError):  # without llvmlite kernels run as they are written
        machine()


def _work(
    pipe: Connection,
    files: Sequence[tuple[int, str]],
    parts: Sequence[tuple[Between, Path]],
    secrets: Secrets,
    why: str,
) -> NoReturn:
    """The other process: it ends here. ``why`` not to begin, "" nothing."""
    status = 1
    walk = Walk()
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller is asked, and ends us
        for turn, (between, folder) in enumerate(parts):
            pipe.send((turn, why or _read(walk, files, between, folder, secrets.beside())))
            if turn + 1 < len(parts):
                gc.collect()  # a reader is a hundred MB, and what it is made of knows each other
                give_back()
        status = 0
    finally:
        walk.close()
        os._exit(status)


def _read(
    walk: Walk,
    files: Sequence[tuple[int, str]],
    between: Between,
    folder: Path,
    secrets: Secrets,
) -> str:
    """Read a part and leave it in ``folder`` ⇒ why it is refused, "" it is not."""
    spools = (
        Spool(folder / "others", passed_on=True),
        Spool(folder / "tcp", passed_on=True),
    )
    cut, until = between
    reader = Reader(cut, spools, secrets, until, walk)
    try:
        for number, path in files:
            reader.read(number, path)
        with (folder / PART).open("wb") as file:
            pickle.dump(reader.part(), file, protocol=5)
    except Refused as why:
        return str(why)
    return ""
