"""Part: everything that one reader finds between two places of what is to be read.

It is taken over by who has read what stands before it (:mod:`wardwatch.observe.sides`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from wardwatch.capture.digest import Stamp
from wardwatch.capture.reader import Place
from wardwatch.decode.fragments import Key
from wardwatch.decode.fragments import UnderWay as InFragments
from wardwatch.decode.kernels import conversations as k
from wardwatch.decode.kernels import headers
from wardwatch.model.block import CaptureFile
from wardwatch.observe import raw
from wardwatch.observe.bindings import Noted
from wardwatch.observe.datagrams import Speakers
from wardwatch.observe.sessions import Counters
from wardwatch.observe.side import WRITE_ROWS
from wardwatch.observe.tally import Tally
from wardwatch.observe.underway import UnderWay
from wardwatch.observe.vantage import Part as Heard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


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
    """Everything between two places."""

    before: int
    """Packets of the capture in which it begins, before it."""
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
