"""Later: the second half of what is to be read, by another process, taken over at the end.

The process is a copy of this one (``fork``). It passes over what stands before the *cut*, takes
what stands behind it as if nothing had been before, and leaves its state: counts, tables of
stations and conversations, rows. What it cannot know without the first half it leaves as it is:
the packets of TCP connections that were under way at the cut (:mod:`wardwatch.observe.raw`), which
are read when both halves are there. We read up to the cut, take over what it found
(:meth:`wardwatch.observe.observer.Observer.read`), and every row is as one process would have
written it. Where that cannot be told to be so, it says why (:class:`Refused`), and we read on
ourselves: nothing is lost but time.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import stat
import sys
from multiprocessing import Pipe
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import msgspec
import numpy as np

from wardwatch.capture import open_capture
from wardwatch.capture.source import PIPE
from wardwatch.decode.columns import PacketColumns
from wardwatch.decode.fragments import Key
from wardwatch.decode.kernels import conversations as k
from wardwatch.decode.kernels import headers
from wardwatch.decode.kernels.duplicates import RECENT_ROWS
from wardwatch.decode.stream import ACK, FIN, RST, SYN
from wardwatch.errors import CaptureError
from wardwatch.observe import raw
from wardwatch.observe.ahead import cores
from wardwatch.observe.bindings import Noted
from wardwatch.observe.datagrams import Speakers
from wardwatch.observe.forks import forked
from wardwatch.observe.messages import Messages
from wardwatch.observe.sessions import Counters
from wardwatch.observe.side import WRITE_ROWS, Reassembly
from wardwatch.observe.streams import Streams
from wardwatch.observe.tables import Spool, Temporary
from wardwatch.observe.tally import Tally
from wardwatch.observe.vantage import Part as Heard
from wardwatch.observe.vantage import Vantage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing.connection import Connection

    from numpy.typing import NDArray

    from wardwatch.capture.reader import CaptureReader
    from wardwatch.model.block import PacketBlock
    from wardwatch.observe.secrets import Secrets
    from wardwatch.observe.segments import Places
    from wardwatch.observe.where import Where

WORTH_BYTES = 48 << 20
"""Stored octets of all files from which on it pays: the process costs some 0.1 s to begin."""

MOST_BYTES = 5 << 30
"""Beyond so many, two processes together would need more than 500 MB: 540 for 10 GB of the mix."""

_PACKED = (b"\x1f\x8b", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
"""First octets of gzip, xz and zstd: to unpack twice costs more than is won."""

SHARE = 0.38
"""Of all octets, where the cut is: who reads the first half hashes the second one too."""
PART = "part"
"""The file in which the other process leaves what it found: written as it goes, it is never twice
in memory."""
FTP = 21
"""Its port; what is agreed upon by FTP on another is met too late, and all is read again."""
MOST_FRAGMENTED = 1 << 16
"""Datagrams in fragments that are remembered."""
WARM_BYTES = 24 << 20
"""Read before the cut, for the last frames that a copy may be one of."""


class Cut(NamedTuple):
    """Behind the first block that ends at or behind ``offset`` of a capture."""

    capture: int
    offset: int


class Refused(Exception):
    """Why what stands behind the cut cannot be taken over."""


class OfFile(msgspec.Struct, frozen=True):
    """One capture, or what of it stands behind the cut."""

    packets: int
    """All of its packets, those before the cut too."""
    tally: Tally
    events: headers.Events
    inside: headers.Events
    """Tags inside of datagrams put together."""


class Stored(msgspec.Struct, frozen=True):
    """Rows of a conversation table in a file: two processes never have all of them in memory."""

    path: Path

    @classmethod
    def of(cls, path: Path, rows: NDArray[np.int64], chosen: NDArray[np.bool_] | None) -> Stored:
        """Write ``rows`` (n, WIDTH), those ``chosen`` or all."""
        with path.open("wb") as file:
            for at in range(0, len(rows), WRITE_ROWS):
                one = slice(at, at + WRITE_ROWS)
                piece = rows[one] if chosen is None else rows[one][chosen[one]]
                piece.tofile(file)
        return cls(path)

    def __len__(self) -> int:
        return self.path.stat().st_size // (8 * k.WIDTH)

    def rows(self, start: int, stop: int) -> NDArray[np.int64]:
        """(stop - start, WIDTH) some of them."""
        count, offset = (stop - start) * k.WIDTH, start * 8 * k.WIDTH
        return np.fromfile(self.path, np.int64, count, offset=offset).reshape(-1, k.WIDTH)

    def pieces(self) -> Iterator[NDArray[np.int64]]:
        """All of them, some thousand at a time."""
        n = len(self)
        for at in range(0, n, WRITE_ROWS):
            yield self.rows(at, min(at + WRITE_ROWS, n))

    def columns(self, *which: int) -> NDArray[np.int64]:
        """(n, columns) some columns of all of them."""
        found = [rows[:, list(which)] for rows in self.pieces()]
        return np.concatenate([np.zeros((0, len(which)), np.int64), *found])


class Part(msgspec.Struct, frozen=True):
    """Everything behind the cut."""

    before: int
    """Packets of the capture that is cut, before the cut."""
    files: dict[int, OfFile]
    """By number of the capture, in their order; those that could not be opened are not there."""
    vantage: Heard
    others: Stored
    """Conversations without TCP, as their table has them."""
    speakers: Speakers
    noted: Noted
    tcp: Stored
    """Connections that began behind the cut, by a SYN."""
    services: dict[int, str]
    counters: dict[int, Counters]
    packets: raw.Packets
    """Those of connections that were under way."""
    fragments: set[Key]
    """The datagrams that fragments belonged to."""
    parser_calls: int
    unchecked: int
    checked: int
    on_disk: tuple[dict[str, Path], dict[str, Path]]
    """Tables with rows, of each side: all of them are files."""


class Begun(Streams):
    """The side of TCP behind a cut: reads what begins there by a SYN, and keeps the other packets."""

    def __init__(
        self, spool: Spool, secrets: Secrets, places: Places, reassembly: Reassembly
    ) -> None:
        """As of :class:`~wardwatch.observe.streams.Streams`."""
        super().__init__(spool, secrets, places, reassembly)
        self.keeper = raw.Keeper()
        self._under_way = np.zeros(1 << 12, np.bool_)
        """By half of the number: whether the connection was under way at the cut."""
        self._known = 0
        self._ends = np.zeros(0, np.int64)
        """Of those connections, what tells their ends apart: a hash, which others may share."""
        self._ftp = np.zeros(0, np.int64)
        """Pairs of hosts that had FTP under way: what it agrees upon the first half must read."""

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

    def _updated(self, block: PacketBlock, columns: PacketColumns) -> None:
        """Part the conversations of a block into those that begin here and the others."""
        table = self._conversations
        if table.pending:
            raise Refused("there were more conversations at once than are kept")
        used = len(table)
        fresh = table.table[self._known : used]
        if len(fresh):
            if used > len(self._under_way):
                self._under_way = np.pad(self._under_way, (0, max(used, len(self._under_way))))
            flags = columns.flags[fresh[:, k.FIRST_PACKET] - block.first]
            old = (flags & (SYN | ACK | FIN | RST) != SYN) | (fresh[:, k.ORIG_ISN] < 0)
            # What becomes of the next connection of the same ends is the first half's to say too.
            old |= np.isin(fresh[:, k.HASH], self._ends)
            old |= np.isin(fresh[:, k.HASH], fresh[old, k.HASH])
            pairs = _pairs(fresh)
            self._ftp = np.concatenate([self._ftp, pairs[old & _is_ftp(fresh)]])
            old |= np.isin(pairs, self._ftp)
            self._ends = np.concatenate([self._ends, fresh[old, k.HASH]])
            fresh[old, k.INTEREST] = k.IGNORE
            fresh[old, k.SEAT] = k.THEIRS
            self._under_way[self._known : used] = old
            self._known = used
        if len(self._ends):
            rows = np.flatnonzero(table.row[: block.n] >= 0)
            rows = rows[self._under_way[columns.conversation[rows] >> 1]]
            if len(rows):
                self.keeper.take(block, rows)
        if self.keeper.octets > raw.MOST_BYTES:
            raise Refused("connections under way at the cut said more than is kept")

    def _fragment(self, block: PacketBlock, columns: PacketColumns, i: int, where: Where) -> None:
        """Of TCP in fragments it cannot be told whose conversation it is."""
        _, inside, _ = self._reassembly.take(block, columns, i)
        if self._is_ours(columns, i) or (inside is not None and self._is_ours(inside[1], 0)):
            raise Refused("TCP came in fragments")

    def _written(self) -> None:
        """Nothing is written before the first half is known."""


def _pairs(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """What tells apart the two hosts of each conversation, whichever began; others may share it."""
    high = rows[:, k.ORIG_HI] + rows[:, k.RESP_HI]
    return np.asarray(high * 0x1E3779B97F4A7C15 + rows[:, k.ORIG_LO] + rows[:, k.RESP_LO])


def _is_ftp(rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether one of the ports is FTP's."""
    ports = rows[:, k.PORTS]
    return np.asarray(
        ((ports & k.PORT_MASK) - 1 == FTP) | ((ports >> k.PORT_SHIFT & k.PORT_MASK) - 1 == FTP)
    )


class Reader:
    """Reads what stands behind a cut."""

    def __init__(self, cut: Cut, spools: tuple[Spool, Spool], secrets: Secrets) -> None:
        """``spools`` take the rows without TCP and those of TCP."""
        self.files: dict[int, OfFile] = {}
        self._cut = cut
        self._spools = spools
        self._secrets = secrets, secrets.beside()
        self._vantage = Vantage(spools[0], part=True)
        self._reassembly = Reassembly()
        self._reassembly.fragments.met = set()
        places = self._vantage.places
        self._messages = Messages(spools[0], self._secrets[0], places, self._reassembly)
        self._streams = Begun(spools[1], self._secrets[1], places, self._reassembly)
        self._columns = PacketColumns.of_size(0)
        self._before = 0
        self._met = False
        """Whether the file that is cut has been given; their numbers need not be in their order."""

    def read(self, number: int, path: str) -> None:
        """One file, in its order; what stands before the cut is passed over."""
        behind = self._met
        self._met = behind or number == self._cut.capture
        if not self._met:
            return
        tally, events = Tally(), headers.Events()
        try:
            reader = open_capture(path, number)
        except CaptureError:
            return  # the caller meets it too, and tells
        with reader:
            reader.hash_not()
            warm = 0
            for block in reader:
                if not behind:
                    self._vantage.places.aliases.of_block(block, reader.interfaces)
                    behind = reader.offset >= self._cut.offset
                    if reader.offset >= self._cut.offset - WARM_BYTES or behind:
                        self._decode(block, headers.Events())
                        self._vantage.warm(block, self._columns)
                        warm += block.n
                    self._before = reader.packets
                    continue
                self._decode(block, events)
                self._take(block, reader, tally)
            if number == self._cut.capture and warm < min(RECENT_ROWS, self._before):
                # A copy may be one of a frame that we have not looked at.
                raise Refused("the packets before the cut are too long")
            inside, self._reassembly.events = self._reassembly.events, headers.Events()
            self.files[number] = OfFile(reader.packets, tally, events, inside)

    def part(self) -> Part:
        """Everything that was found."""
        messages, streams = self._messages, self._streams
        streams.finish()
        others, speakers, noted = messages.part()
        rows, began = streams.began()
        if messages.given_up or streams.given_up:
            raise Refused("a bound was reached")
        numbers = set(rows[began, k.NUMBER].tolist())
        sessions = streams.sessions
        return Part(
            before=self._before,
            files=self.files,
            vantage=self._vantage.told(),
            others=Stored.of(self._spools[0].folder / "conversations", others, None),
            speakers=speakers,
            noted=noted,
            tcp=Stored.of(self._spools[1].folder / "conversations", rows, began),
            services={n: s for n, s in sessions.services.items() if n in numbers},
            counters={n: c for n, c in sessions.counters.items() if n in numbers},
            packets=streams.keeper.kept(),
            fragments=self._reassembly.fragments.met or set(),
            parser_calls=messages.parser_calls + streams.parser_calls,
            unchecked=sum(s.unchecked for s in self._secrets),
            checked=max(s.checked for s in self._secrets),
            on_disk=(_written(self._spools[0]), _written(self._spools[1])),
        )

    def _decode(self, block: PacketBlock, events: headers.Events) -> None:
        if len(self._columns.kind) < block.n:
            self._columns = PacketColumns.of_size(block.n)
        headers.decode_block(block, self._columns, events)

    def _take(self, block: PacketBlock, reader: CaptureReader, tally: Tally) -> None:
        if len(self._reassembly.fragments.met or ()) > MOST_FRAGMENTED:
            raise Refused("too many datagrams came in fragments")
        columns = self._columns
        tally.take(block, columns)
        self._vantage.take(block, columns, reader.interfaces, headers.TUNNELS)
        self._messages.take(block, columns)
        self._streams.take(block, columns)


def _written(spool: Spool) -> dict[str, Path]:
    """All tables of a spool that have rows, as files: those that stayed in memory as Arrow."""
    import pyarrow as pa

    memory, found = spool.parts()
    for table, data in memory.items():
        found[table] = spool.folder / f"{table}.arrow"
        with pa.ipc.new_file(str(found[table]), data.schema) as file:
            file.write_table(data)
    return found


def cut_of(files: Sequence[tuple[int, str]]) -> Cut:
    """Where to cut files, given as number and path in their order, so that both halves take as long.

    The octets of a cut file before its cut hold the last frames that a copy may be one of.
    """
    sizes = [(number, _size(path)) for number, path in files]
    left = int(SHARE * sum(size for _, size in sizes))
    for number, size in sizes:
        if left < size:
            return Cut(number, max(left, min(WARM_BYTES, size)))
        left -= size
    return Cut(*sizes[-1])


def _size(path: str) -> int:
    """Stored octets; 0 of what cannot be read."""
    try:
        return Path(path).stat().st_size
    except (OSError, ValueError):
        return 0


def is_worth_it(paths: Sequence[str]) -> bool:
    """Whether two processes should share these files.

    There must be a second core and ``fork``, and enough to read, not too much, in files that are
    not packed; a pipe cannot be read twice.
    """
    if not sys.platform.startswith("linux") or cores() < 2:
        return False
    total = 0
    for path in paths:
        if path == PIPE:
            return False
        try:
            status = Path(path).stat()
            if not stat.S_ISREG(status.st_mode):
                return False
            with Path(path).open("rb") as file:
                if file.read(5).startswith(_PACKED):
                    return False
        except (OSError, ValueError):
            continue  # whoever reads it will say what is wrong
        total += status.st_size
    return WORTH_BYTES <= total <= MOST_BYTES


class Later:
    """The other process, from its beginning to its end; to be closed."""

    def __init__(
        self,
        files: Sequence[tuple[int, str]],
        secrets: Secrets,
        *,
        idle_s: float = 0.0,
        lasting: bool,
    ) -> None:
        """Begin to read ``files``, given as number and path in their order, behind their cut.

        ``idle_s`` ends a conversation after so many seconds of silence: then no cut is taken over.
        ``lasting`` is as of a :class:`~wardwatch.observe.tables.Spool`.
        """
        self.cut = cut = cut_of(files)
        self.refused = ""
        """Why what it found was not taken over."""
        self.part: Part | None = None
        """What it found, when it was taken over."""
        self.scratch = Temporary()
        self._pipe, theirs = Pipe(duplex=False)
        self._child = forked()
        if not self._child:
            self._pipe.close()
            why = "conversations end by silence" if idle_s else ""
            _work(theirs, files, cut, secrets.beside(), self.scratch.path, lasting, why)
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
    cut: Cut,
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
        reader = Reader(cut, spools, secrets)
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
