"""Plain HTTP: exchanges that the kernel follows become rows, or Python goes on with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from wardwatch.decode.kernels import rows_http
from wardwatch.decode.kernels import young as k
from wardwatch.decode.stream import RECENT_BYTES
from wardwatch.decode.wire.banner import SHOWN
from wardwatch.observe.told import Told, cited_columns, ips_of, macs_of, taken

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from wardwatch.observe.follow import Shared

ENOUGH_ROWS, ENOUGH_SHAPES = rows_http.MOST_ROWS // 2, rows_http.MOST_SHAPES // 2
"""Rows are written when there are so many, and shapes forgotten: a block has room for as many."""


class Half(msgspec.Struct, frozen=True, gc=False):
    """One side of a conversation, as decode.stream and observe.exchanges would know it."""

    isn: int
    next: int
    skip_to: int
    acked: int
    fin: int
    left: int
    recent: list[tuple[int, bytes]]


class Midway(msgspec.Struct, frozen=True, gc=False):
    """A conversation that the kernel followed, for Python to go on with."""

    number: int
    first: Told
    last: Told
    sides: tuple[Half, Half]
    asked: list[str]
    shown: bool


class PlainHttp:
    """What the kernel knows of HTTP, beside the seats of those who speak it."""

    def __init__(
        self,
        shared: Shared,
        names: Sequence[str],
        seats: NDArray[np.int64],
        kept: NDArray[np.uint8],
    ) -> None:
        """``names`` are those of segments; ``seats`` and ``kept`` the kernel's."""
        self._shared = shared
        self._names = names
        self._seats = seats
        self._kept = kept
        self.web: rows_http.Arrays = rows_http.web_of(len(seats) - 1, k.HEAD_WIDTH)
        """The arrays that the kernel fills."""

    def is_full(self) -> bool:
        """Whether rows are to be written soon."""
        rows, shapes = self.web.used.tolist()
        return bool(rows >= ENOUGH_ROWS or shapes >= ENOUGH_SHAPES)

    def settle(self) -> None:
        """Write the rows of tables ``http`` and ``banners``; forget the shapes where they are many."""
        count, shapes = self.web.used.tolist()
        if count:
            self._write(self.web.rows[:count])
            self.web.used[rows_http.ROWS] = 0
        if shapes >= ENOUGH_SHAPES:
            self.web.used[rows_http.SHAPES] = 0
            self.web.slots[:] = 0

    def has_ended(self, seat: int) -> bool:
        """Whether nothing would be told of the conversation at a seat, were it over now."""
        return bool(k.seen_all(self._seats, seat))

    def midway(self, seat: int, first: Told, last: Told) -> Midway:
        """What Python has to know of the conversation at a seat."""
        s = self._seats[seat].tolist()
        asked = [rows_http.METHODS[s[k.ASKED] >> 4 * n & 15] for n in range(s[k.WAITING])]
        sides = self._half(seat, 0, s), self._half(seat, 1, s)
        return Midway(s[k.NUMBER], first, last, sides, asked, s[k.SHOWN] != 0)

    def _half(self, seat: int, side: int, s: list[int]) -> Half:
        room = seat * k.ROOM + side * k.CLIENT_ROOM
        ring = self._kept[room : room + RECENT_BYTES]
        at = s[k.SAID + side] - s[k.HELD + side]
        ring = np.roll(ring, -(at % RECENT_BYTES))
        pieces, at = [], 0
        for n in range(s[k.OLD + side], s[k.NEW + side]):
            place, size = self.web.recent[seat, side, n % rows_http.MOST_RECENT].tolist()
            pieces.append((place, ring[at : at + size].tobytes()))
            at += size
        return Half(
            (s[k.BASE + side] - 1) & 0xFFFFFFFF,
            s[k.NEXT + side],
            s[k.SKIP + side],
            s[k.ACKED + side],
            s[k.FIN + side],
            s[k.LEFT + side],
            pieces,
        )

    def _write(self, rows: NDArray[np.int64]) -> None:
        numbers = rows[:, k.CONVERSATION]
        services = self._shared.services
        for number in set(numbers.tolist()):
            services.setdefault(number, "http")
        shapes, inverse = np.unique(rows[:, k.SHAPE], return_inverse=True)
        said = [self._said(shape) for shape in shapes.tolist()]
        own = taken("http", dict(zip(_OF_SHAPE, zip(*said, strict=True), strict=True)), inverse)
        self._shared.spool.extend(
            "http",
            {
                **cited_columns(rows, numbers, self._names),
                "client": ips_of(rows, k.SRC_HI),
                **_server(rows),
                **own,
                "content_length": rows[:, k.CONTENT_LENGTH],
            },
        )
        named = np.flatnonzero(rows[:, k.NAMES_SERVER])
        if named.size:
            self._shared.spool.extend(
                "banners",
                {
                    **cited_columns(rows[named], numbers[named], self._names),
                    **_server(rows[named]),
                    "protocol": ["http"] * named.size,
                    "text": [said[at][_SERVER][:SHOWN] for at in inverse[named].tolist()],
                },
            )

    def _said(self, shape: int) -> tuple[Any, ...]:
        """The columns of a shape: the parser's, once it has read it."""
        at = shape * rows_http.LONGEST_SHAPE
        octets = self.web.octets[at : at + self.web.shapes[shape, 0]].tobytes() + b"\r\n"
        read = self._shared.heads.read(octets)
        assert read.plain, octets  # what the kernel takes for plain is
        return read.row


def _server(rows: NDArray[np.int64]) -> dict[str, Any]:
    return {
        "server": ips_of(rows, k.DST_HI),
        "server_port": rows[:, k.DST_PORT],
        "server_mac": macs_of(rows, k.DST_MAC),
    }


_OF_SHAPE = (
    "direction",
    "method",
    "host",
    "version",
    "status",
    "user_agent",
    "server_header",
    "content_type",
    "content_length",
    "auth_scheme",
    "soap_action",
)
"""The columns that a head has of its own, in the order of observe.heads; its length is counted."""
_SERVER = _OF_SHAPE.index("server_header")
