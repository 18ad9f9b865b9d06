"""Part: everything that one reader finds between two places of what is to be read.

It is taken over by who has read what stands before it (:mod:`wardwatch.observe.sides`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from wardwatch.capture.digest import Stamp
from wardwatch.capture.reader import FROM_HERE, Place
from wardwatch.decode.fragments import Key
from wardwatch.decode.fragments import UnderWay as InFragments
from wardwatch.decode.kernels import conversations as k
from wardwatch.decode.kernels import headers
from wardwatch.decode.kernels import stations as s
from wardwatch.model.block import CaptureFile
from wardwatch.observe import raw
from wardwatch.observe.arrays import numbers
from wardwatch.observe.bindings import Noted
from wardwatch.observe.datagrams import Speakers
from wardwatch.observe.sessions import Counters
from wardwatch.observe.side import WRITE_ROWS
from wardwatch.observe.tally import Tally
from wardwatch.observe.underway import UnderWay
from wardwatch.observe.vantage import Part as Heard

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    from numpy.typing import NDArray


UNCOUNTED = -1
"""Of packets before a part: whoever read it does not know, and numbered its own behind
:data:`~wardwatch.capture.reader.FROM_HERE`."""


def numbered(found: NDArray[np.int64], packets: int) -> NDArray[np.int64]:
    """Numbers of packets, with those that are told so many came before them."""
    return found + np.where(found > FROM_HERE, packets - FROM_HERE, 0)


class Refused(Exception):
    """Why a part cannot be taken over."""


class OfFile(msgspec.Struct, frozen=True):
    """One capture, or what of it is in the part."""

    packets: int
    """Packets of the capture up to the end of the part, those before it too."""
    file: CaptureFile | None
    """All of it, not hashed; ``None`` where it goes on behind the part."""
    stamp: Stamp | None
    """What the file is told by; ``None`` where it changed while it was read."""
    tally: Tally
    events: headers.Events
    inside: headers.Events
    """Tags inside of datagrams put together."""
    place: Place | None = None
    """Behind the part, where the file goes on and a reader can go there."""

    def behind(self, packets: int, place: Place | None) -> OfFile:
        """The same where so many packets came before, up to ``place``, and were not counted."""
        for events in (self.events, self.inside):
            events.follow(packets - FROM_HERE)
        self.tally.follow(packets - FROM_HERE)
        here = None if place is None or self.place is None else place.followed_by(self.place)
        return msgspec.structs.replace(self, packets=self.packets + packets - FROM_HERE, place=here)


class Stored(msgspec.Struct, frozen=True):
    """Rows of a conversation table in a file: two processes never have all of them in memory."""

    path: Path
    before: int = UNCOUNTED
    """Packets before those that whoever wrote it did not count; :data:`UNCOUNTED`, all are counted."""

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
        rows = np.fromfile(self.path, np.int64, count, offset=offset).reshape(-1, k.WIDTH)
        if self.before != UNCOUNTED:
            for column in (k.FIRST_PACKET, k.LAST_PACKET):
                rows[:, column] = numbered(rows[:, column], self.before)
        return rows

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
    """Everything between two places."""

    before: int
    """Packets of the capture in which it begins, before it; :data:`UNCOUNTED`, nobody knew."""
    files: dict[int, OfFile]
    """By number of the capture, in their order; those that could not be opened are not there."""
    vantage: Heard
    others: Stored
    """Conversations without TCP, as their table has them."""
    speakers: Speakers
    noted: Noted
    tcp: Stored
    """Connections that began here, by a SYN."""
    services: dict[int, str]
    counters: dict[int, Counters]
    under_way: UnderWay | None
    """What of those may go on behind; ``None``: nothing stands behind, and all were read to their end."""
    packets: raw.Packets
    """Those of connections that were under way before."""
    fragments: set[Key]
    """The datagrams that fragments belonged to."""
    in_fragments: InFragments
    """Those of them that still miss something."""
    parser_calls: int
    unchecked: int
    checked: int
    on_disk: tuple[dict[str, Path], dict[str, Path]]
    """Tables with rows, of each side: all of them are files."""
    not_counted: int = UNCOUNTED
    """As ``before``, of the rows ``on_disk``: packets before those that were not counted there."""

    def behind(self, packets: int, place: Place | None) -> Part:
        """The same where so many packets of the capture came before, up to ``place``.

        Of one whose packets before it are :data:`UNCOUNTED`, which is good for nothing else
        afterwards.
        """
        capture = next(iter(self.files))
        for row in (row for table in self.speakers.values() for row in table):
            told = {name: at for name, at in row.items() if _is_packet(name) and at > FROM_HERE}
            row.update({name: at - FROM_HERE + packets for name, at in told.items()})
        for _, noted in self.noted:
            noted[2:4] = [at - FROM_HERE + packets if at > FROM_HERE else at for at in noted[2:4]]
        heard = self.vantage
        for rows, columns in (
            (heard.stations, (s.STA_FIRST_PACKET, s.STA_LAST_PACKET)),
            (heard.spells, (s.STA_FIRST_PACKET, s.STA_LAST_PACKET)),
            (heard.bindings, (s.BIND_FIRST_PACKET, s.BIND_LAST_PACKET)),
        ):
            for column in columns:
                rows[:, column] = numbered(rows[:, column], packets)
        return msgspec.structs.replace(
            self,
            before=packets,
            files={**self.files, capture: self.files[capture].behind(packets, place)},
            others=msgspec.structs.replace(self.others, before=packets),
            tcp=msgspec.structs.replace(self.tcp, before=packets),
            packets=msgspec.structs.replace(
                self.packets,
                block=numbered(self.packets.block, packets),
                packet=numbered(self.packets.packet, packets),
            ),
            not_counted=packets,
        )

    def numbered(self, table: pa.Table) -> pa.Table:
        """Rows that are ``on_disk``, with the numbers that their packets have."""
        if self.not_counted == UNCOUNTED:
            return table
        for at, field in enumerate(table.schema):
            if _is_packet(field.name):
                had = table.column(at).to_numpy()
                has = numbers(numbered(had, self.not_counted), field.type)
                table = table.set_column(at, field, has)
        return table


def _is_packet(column: str) -> bool:
    """Whether a column holds numbers of packets: of its row's capture, or of another one."""
    return column == "packet" or column.endswith("_packet")
