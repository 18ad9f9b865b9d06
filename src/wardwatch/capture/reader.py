"""What both readers share: iteration, accounting, damage, and the account at the end."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from wardwatch.capture.records import AT, CAPTURED, ODD, STATES, STOP, WIRE
from wardwatch.model.block import CaptureFile, Damage, Interface, PacketBlock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Executor
    from types import TracebackType
    from typing import Self

    from wardwatch.capture.digest import Stamp
    from wardwatch.capture.window import Window

BLOCK_ROWS = 16_384
"""Packets in one block at most: their columns stay in the cache beside the 1.5 MiB they describe."""
LEAST = 16
"""Octets of the shortest record of a packet: a pcap's header alone, or a simple packet block."""
MAX_COMMENTS = 1_000
MAX_TEXT = 4_096
"""Characters kept of a comment or a name: text that a stranger chose."""
MAX_DAMAGE = 100
"""Damages told of one file."""
ENDLESS = 1 << 62
"""An octet behind the end of every file."""
FROM_HERE = 1 << 40
"""Behind so many a reader numbers its packets that began in the middle: more than any capture has,
so that such a number is known wherever it stands."""


class Place(msgspec.Struct, frozen=True):
    """Where a reader stands behind a block, for another one of the same file to go on there."""

    packets: int
    base: int
    """Where its window begins, in octets of the file."""
    at: int
    """Octets of the window up to the next record."""
    known: dict[str, Any]
    """What it has learned of the file, by attribute."""

    @property
    def offset(self) -> int:
        """The octet of the file at which the next record stands."""
        return self.base + self.at

    def followed_by(self, there: Place) -> Place:
        """Where a reader stands that went on from here, told by one that began here anew."""
        state = there.known["_state"].copy()
        sums = [CAPTURED, WIRE, ODD]
        state[sums] += self.known["_state"][sums]
        return Place(
            packets=self.packets + there.packets - FROM_HERE,
            base=there.base,
            at=there.at,
            known={**self.known, "_state": state},
        )


class CaptureReader:
    """Iterate for the :class:`PacketBlock` values of a capture, each once; then ask for :attr:`result`.

    A block and its arrays are good until the next is asked for. Who stops and iterates again goes
    on where it was. Damage ends the iteration, and is no exception: everything before it has been
    given, and :attr:`result` tells.
    """

    _learned: tuple[str, ...] = ("_state", "_comments", "_damage")
    """The attributes that hold what was learned of the file up to where it has been read."""

    def __init__(self, window: Window, name: str, number: int) -> None:
        self.name = name
        self.number = number
        self.packets = 0
        """Packets given so far."""
        self._window = window
        self._state = np.zeros(STATES, np.int64)
        rows = BLOCK_ROWS
        if window.source.is_ended:  # a small file, and here is all of it
            rows = min(rows, window.left // LEAST + 1)
        self._offset = np.empty(rows, np.int64)
        self._length = np.empty(rows, np.int32)
        self._wire = np.empty(rows, np.int64)
        self._time = np.empty(rows, np.int64)
        self._link = np.empty(rows, np.int32)
        self._interface = np.empty(rows, np.int32)
        self._rows = [self._arrays()]
        self._comments: list[str] = []
        self._damage: list[Damage] = []
        self._result: CaptureFile | None = None
        self._given: Iterator[PacketBlock] | None = None
        self._pause = ENDLESS

    def lend(self, blocks: int) -> None:
        """Let ``blocks`` blocks be in other hands at once: their arrays are used in turn.

        To be called before the first is asked for, or with no more than at first.
        """
        more = blocks - len(self._rows)
        if more > 0:
            self._rows += [tuple(a.copy() for a in self._arrays()) for _ in range(more)]
            self._window.lend(blocks)

    def hash_aside(self, aside: Executor | None) -> None:
        """Hash the file in another thread; ``None``: here."""
        self._window.source.stored.hash_aside(aside)

    def hash_not(self) -> None:
        """Hash nothing: somebody else does. To be called before the first block."""
        self._window.source.stored.hash_not()

    @property
    def can_go(self) -> bool:
        """Whether :meth:`go_to` is possible.

        A file that is packed, or hashed as it is read, has to be read from its beginning.
        """
        return not self.is_read and self._window.source.can_go

    @property
    def place(self) -> Place | None:
        """Where we stand behind the last block; ``None`` where nobody can go there."""
        if not self.can_go:
            return None
        window = self._window
        known = {name: copy(getattr(self, name)) for name in self._learned}
        return Place(self.packets, window.base, window.at, known)

    def go_to(self, place: Place) -> None:
        """Go on where another reader of the same file stands: its blocks are ours from there on.

        To be called where :attr:`can_go`; a block given before is void.
        """
        for name, value in place.known.items():
            setattr(self, name, copy(value))
        self.packets = place.packets
        self._window.go_to(place.base, place.at)
        self._given = None

    def begins_near(self, offset: int) -> int:
        """An octet at or behind ``offset`` where a record seems to begin; -1 where none can be told.

        To be called where :attr:`can_go`, and of a reader that nothing is read from.
        """
        return -1

    def begin_at(self, offset: int, packets: int = FROM_HERE) -> None:
        """Read from a record on as if so many stood before it, of which nothing is known.

        To be called where :attr:`can_go`, with what :meth:`begins_near` said; a block given before
        is void.
        """
        self.packets = packets
        self._state[[CAPTURED, WIRE, ODD]] = 0
        self._window.go_to(offset, 0)
        self._given = None

    def pause(self, offset: int) -> None:
        """End a block at ``offset``, if a record ends there and :meth:`begins_near` tells such."""
        self._pause = offset

    @property
    def stamp(self) -> Stamp | None:
        """What the file is told by; ``None`` where it changed while it was open, or is no file."""
        return self._window.source.stored.stamp

    @property
    def is_hashed(self) -> bool:
        """Whether the file is hashed as it is read."""
        return self._window.source.stored.is_hashed

    # What the two formats say of themselves.

    def _blocks(self) -> Iterator[PacketBlock]:
        """Give the blocks, up to the end or to damage."""
        raise NotImplementedError

    def _format(self) -> str:
        """``pcap``, ``pcap-ns``, ``pcap-modified`` or ``pcapng``."""
        raise NotImplementedError

    def _byte_order(self) -> str:
        """``little``, ``big`` or ``mixed``."""
        raise NotImplementedError

    def _interfaces(self) -> tuple[Interface, ...]:
        """The interfaces described so far."""
        raise NotImplementedError

    # The reader's own.

    def __iter__(self) -> Iterator[PacketBlock]:
        if self.is_read:
            return iter(())
        if self._given is None:
            self._given = self._all()
        return self._given

    def _all(self) -> Iterator[PacketBlock]:
        yield from self._blocks()
        source = self._window.source
        if source.damage:
            # The cut record behind it is a consequence; tell the cause.
            self._damage = [d for d in self._damage if d.offset < self._window.offset]
            self._damage.extend(source.damage)
        source.stored.drain()
        self._result = self._account()
        self.close()

    @property
    def is_read(self) -> bool:
        """Whether it has been read to its end, or to the damage."""
        return self._result is not None

    @property
    def result(self) -> CaptureFile:
        """What is known of the file once it has been read to its end, or to the damage."""
        assert self._result is not None, "iterate over the reader to its end first"
        return self._result

    @property
    def progress(self) -> tuple[int, int]:
        """(bytes read of the stored file, its size or -1 for a pipe)."""
        stored = self._window.source.stored
        return stored.count, stored.total

    @property
    def offset(self) -> int:
        """Octets of the (unpacked) stream up to the end of the last block given."""
        return self._window.offset

    @property
    def interfaces(self) -> tuple[Interface, ...]:
        """The interfaces described so far; those of a whole file stand in :attr:`result`."""
        return self._interfaces()

    def close(self) -> None:
        """Give the file back, also before the end."""
        self._given = None
        self._window.source.stored.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _block(self, rows: int) -> PacketBlock:
        """The first ``rows`` rows as a block; counts them."""
        first = self.packets + 1
        self.packets += rows
        self._window.lent = True
        block = PacketBlock(self.number, first, rows, self._window.arena, *self._rows[0])
        if len(self._rows) > 1:
            self._rows.append(self._rows.pop(0))
            (self._offset, self._length, self._wire, self._time, self._link, self._interface) = (
                self._rows[0]
            )
        return block

    def _arrays(self) -> tuple[Any, ...]:
        """The arrays that the walk fills, in the order a block has them."""
        return (
            self._offset, self._length, self._wire, self._time, self._link, self._interface
        )  # fmt: skip

    def _aim(self) -> None:
        """Point the kernel at what the window holds."""
        self._state[AT] = self._window.at
        self._state[STOP] = self._window.stop

    def _broken(self, problem: str, offset: int | None = None, *, fatal: bool = True) -> None:
        """Note damage at ``offset``, or at the window's place."""
        if fatal or len(self._damage) < MAX_DAMAGE:
            remedy = "what came before is kept; ask for the file again, whole"
            if not fatal:
                remedy = "reading went on behind it"
            at = self._window.offset if offset is None else offset
            self._damage.append(Damage(at, problem, remedy, fatal))

    def _comment(self, raw: bytes) -> None:
        """Keep a comment, within bounds."""
        if len(self._comments) < MAX_COMMENTS and (text := foreign_text(raw)):
            self._comments.append(text)

    def _account(self) -> CaptureFile:
        """Everything known at the end."""
        source = self._window.source
        return CaptureFile(
            number=self.number,
            name=self.name,
            sha256=source.stored.sha256,
            stored_bytes=source.stored.count,
            format=self._format(),
            compression=source.compression,
            byte_order=self._byte_order(),
            packets=self.packets,
            captured_bytes=int(self._state[CAPTURED]),
            wire_bytes=int(self._state[WIRE]),
            interfaces=self._interfaces(),
            comments=tuple(self._comments),
            damage=tuple(self._damage),
        )


def foreign_text(raw: bytes) -> str:
    """Text a file brings, at most MAX_TEXT characters, with control characters made visible."""
    text = raw[: 4 * MAX_TEXT].split(b"\0", 1)[0].decode("utf-8", "backslashreplace")[:MAX_TEXT]
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )
