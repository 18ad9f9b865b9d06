"""Side: what the readers of TCP and of everything else share.

Every packet passes two sides in turn: :class:`~wardwatch.observe.streams.Streams` takes TCP and
:class:`~wardwatch.observe.messages.Messages` what is none. Neither knows anything that the other
learns: each has conversations, tables and bounds of its own. So both may go through a capture one
after the other, block by block, or at once, in two processes; the tables are the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from wardwatch.decode import columns as kinds
from wardwatch.decode.conversations import ConversationTable
from wardwatch.decode.fragments import Fragments, Key, Reassembled, Whole
from wardwatch.decode.kernels import headers
from wardwatch.decode.kernels.conversations import TCP
from wardwatch.decode.kernels.young import tell
from wardwatch.model.evidence import Anomaly
from wardwatch.observe.datagrams import Datagrams
from wardwatch.observe.segments import segment_name
from wardwatch.observe.told import cited

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from wardwatch.decode.columns import PacketColumns
    from wardwatch.decode.conversations import Columns
    from wardwatch.model.block import PacketBlock
    from wardwatch.observe.secrets import Secrets
    from wardwatch.observe.segments import Places
    from wardwatch.observe.tables import Spool
    from wardwatch.observe.where import Where

DEVICE_PREFIXES = (0x001A01, 0x0003B1)
"""Prefixes of the advisory's manufacturer and of its successor: what their devices send or get is
read by the Python parsers, which are the definition. Not a judgement of what the device is."""

MOST_CONVERSATIONS = 1 << 18
"""Conversations that a side keeps at once: 84 MB, and no flood takes us over 500 MB in all; those
over, unanswered or longest idle are written early."""

WRITE_ROWS = 8_192
"""Conversations are written, and handed over by another process, so many at a time: 2.6 MB."""

_TCP = 6
_FRAGMENT = bytes([kinds.KIND_FRAGMENT])


class Taken(msgspec.Struct, eq=False):
    """What came of one fragment."""

    whole: Whole | None
    """Its datagram, if that is whole now."""
    anomalies: tuple[Anomaly, ...]
    inside: Reassembled | None = None
    """Where what it holds is decoded, if there is something to read."""
    row: int = -1
    """Of ``inside``."""
    proto: int = -1
    """IP protocol of what it holds, the innermost."""
    kind: int = kinds.KIND_NONE


class Reassembly:
    """Puts fragments together, once for every side that asks while a block is looked at."""

    def __init__(self) -> None:
        self.events = headers.Events()
        """Tags inside of datagrams put together."""
        self.fragments = Fragments()
        self.of_tcp = np.zeros(0, np.uint8)
        """(≥ n,) 1 for rows of this block, of those taken, that are TCP or bring a datagram of it."""
        self._known: dict[int, Taken] = {}
        self._of: tuple[int, int] = (0, 0)
        self._inside: list[Reassembled] = []
        self._used = 0

    def take(self, block: PacketBlock, columns: PacketColumns, rows: Sequence[int]) -> list[Taken]:
        """Take the fragments of ``rows``, ascending, in one go ⇒ what came of each.

        What a first fragment holds that the capture has only a part of is read as far as it goes,
        as its datagram never will be whole.
        """
        if self._of != (block.capture, block.first):
            self._of = (block.capture, block.first)
            self._known.clear()
            self._used = 0
            if len(self.of_tcp) < block.n:
                self.of_tcp = np.zeros(block.n, np.uint8)
        known = self._known
        fresh = [i for i in rows if i not in known]
        if fresh:
            self._read(block, columns, fresh)
        return [known[i] for i in rows]

    def one(self, block: PacketBlock, columns: PacketColumns, i: int) -> Taken:
        """What came of the fragment of row ``i``; it is taken now, if it was not yet."""
        found = self._known.get(i) if self._of == (block.capture, block.first) else None
        return self.take(block, columns, (i,))[0] if found is None else found

    def _read(self, block: PacketBlock, columns: PacketColumns, rows: list[int]) -> None:
        cut = _cut_at_their_beginning(columns, rows)
        found = []
        came = self.fragments.take(block, columns, rows)
        for i, is_cut, (whole, anomalies) in zip(rows, cut, came, strict=True):
            taken = self._known[i] = Taken(whole, anomalies)
            if whole is not None:
                found.append((i, taken, whole))
            elif is_cut:
                found.append((i, taken, _alone(block, columns, i)))
        self.of_tcp[rows] = columns.proto[rows] == _TCP
        if not found:
            return
        if self._used == len(self._inside):
            self._inside.append(Reassembled())
        inside = self._inside[self._used]
        self._used += 1
        inside.decode([(i, whole) for i, _, whole in found], block, columns, self.events)
        first = found[0][0]
        there = [i - first for i, *_ in found]
        protos, kind = inside.columns.proto[there].tolist(), inside.columns.kind[there].tolist()
        for (i, taken, _), row, proto, kind_ in zip(found, there, protos, kind, strict=True):
            taken.inside, taken.row, taken.proto, taken.kind = inside, row, proto, kind_
            if proto == _TCP:
                self.of_tcp[i] = 1


class Side:
    """One side; ``only`` says which conversations are its own."""

    def __init__(
        self,
        spool: Spool,
        secrets: Secrets,
        places: Places,
        reassembly: Reassembly,
        only: int,
        idle_ns: int,
    ) -> None:
        """Rows go to ``spool``; ``places`` and ``reassembly`` know each block before we take it.

        ``idle_ns`` of silence end a conversation, 0 never.
        """
        self._spool = spool
        self._places = places
        self._only = only
        self._reassembly = reassembly
        self._from, self._segments = -1, np.zeros(0, np.int32)
        self._conversations = ConversationTable(MOST_CONVERSATIONS, idle_ns, only=only)
        self._datagrams = Datagrams(spool, secrets)

    def _written(self) -> None:
        """Write the conversations that are over, where there are many."""
        if self._conversations.pending > WRITE_ROWS:
            for piece in self._conversations.finished_pieces(WRITE_ROWS):
                self._write(piece)

    def _write(self, columns: Columns) -> None:
        """Rows of conversations that have left the table."""
        raise NotImplementedError

    def _message(self, block: PacketBlock, columns: PacketColumns, i: int, where: Where) -> None:
        """One packet of ours that carries an answer."""
        raise NotImplementedError

    def _fragment(self, block: PacketBlock, columns: PacketColumns, i: int, where: Where) -> None:
        """One fragment: its datagram goes on, if it is ours, when it is whole or never can be.

        It was counted before (:meth:`_count`).
        """
        taken = self._reassembly.one(block, columns, i)
        if taken.anomalies and self._is_ours(int(columns.proto[i])):
            self._datagrams.anomalies("ip", taken.anomalies, where)
        inside, row = taken.inside, taken.row
        if inside is None or not self._is_ours(taken.proto):
            return
        if taken.kind not in (kinds.KIND_NONE, kinds.KIND_FRAGMENT, kinds.KIND_WIFI):
            one, inner = inside.block, inside.columns
            name = _segment_inside(columns, i, inner, row, where.segment)
            self._message(one, inner, row, cited((name,), tell(one, inner, row, 0)))

    def _tells(self, block: PacketBlock, columns: PacketColumns, i: int) -> bool:
        """Whether :meth:`_fragment` may have something to tell of a row: of most it has nothing."""
        taken = self._reassembly.one(block, columns, i)
        return bool(taken.anomalies) or taken.kind != kinds.KIND_NONE

    def _whole(
        self, block: PacketBlock, columns: PacketColumns, asked: NDArray[np.uint8]
    ) -> Iterator[int]:
        """The rows with which a datagram of ours is whole, or never can be: it counts from there on.

        ``asked`` (≥ n,): 1 for fragments, and maybe others.
        """
        if not has_fragments(columns, block.n):
            return
        fragments = (asked[: block.n] != 0) & (columns.kind[: block.n] == kinds.KIND_FRAGMENT)
        rows = np.flatnonzero(fragments).tolist()
        for i, taken in zip(rows, self._reassembly.take(block, columns, rows), strict=True):
            if taken.inside is not None and self._is_ours(taken.proto):
                yield i

    def _count(self, block: PacketBlock, columns: PacketColumns, i: int) -> None:
        """Give one of those rows' datagrams to its conversation."""
        taken = self._reassembly.one(block, columns, i)
        assert taken.inside is not None
        one, inner, row = taken.inside.block, taken.inside.columns, taken.row
        segment = self._segments_from(i - row)
        if taken.whole is not None:
            self._conversations.touch(one, inner, taken.whole, segment, row)
        elif _tunnel(inner, row) != _tunnel(columns, i):
            self._conversations.update_row(one, inner, segment, row)
        else:
            inner.conversation[row] = columns.conversation[i]

    def _segments_from(self, row: int) -> NDArray[np.int32]:
        """Segments from a row on: the same array as long as may be, which kernels know then."""
        segment = self._places.segment
        if self._from != row or self._segments.base is not segment:
            self._from, self._segments = row, segment[row:]
        return self._segments

    def _is_ours(self, proto: int) -> bool:
        return (proto == _TCP) == (self._only == TCP)

    def _where(self, block: PacketBlock, columns: PacketColumns, i: int) -> Where:
        """The packet of row ``i`` as rows of tables will cite it."""
        return cited(self._places.names, tell(block, columns, i, int(self._places.segment[i])))


def _tunnel(columns: PacketColumns, i: int) -> tuple[int, int]:
    return int(columns.tunnel[i]), int(columns.tunnel_id[i])


def _segment_inside(
    outer: PacketColumns, i: int, inner: PacketColumns, row: int, segment: str
) -> str:
    """The segment of a datagram put together: another one where a tunnel began inside of it."""
    tunnel, tunnel_id = _tunnel(inner, row)
    if (tunnel, tunnel_id) == _tunnel(outer, i):
        return segment
    _, at, name = segment.partition("@")
    return segment_name(
        air=False,
        vlan=int(inner.vlan[row]),
        outer_tag=int(inner.outer_tag[row]),
        tunnel=headers.TUNNELS[tunnel],
        tunnel_id=tunnel_id,
        suffix=at + name,
    )


def _cut_at_their_beginning(columns: PacketColumns, rows: Sequence[int]) -> list[bool]:
    """Which rows are first fragments of which the capture holds only a part."""
    cut = columns.payload_len[rows] < columns.payload_claimed[rows]
    told: list[bool] = (cut & (columns.fragment[rows] >> 1 == 0)).tolist()
    return told


def _alone(block: PacketBlock, columns: PacketColumns, i: int) -> Whole:
    """A first fragment as if it were its whole datagram."""
    ts = int(block.time[i])
    key = Key(
        net=int(columns.net[i]),
        src=int(columns.src_hi[i]) << 64 | int(columns.src_lo[i]),
        dst=int(columns.dst_hi[i]) << 64 | int(columns.dst_lo[i]),
        ip_id=int(columns.ip_id[i]),
    )
    size = int(columns.ip_bytes[i])
    body = payload_of(block, columns, i)
    return Whole(key, int(columns.proto[i]), body, 1, ts, ts, size)


def payload_of(block: PacketBlock, columns: PacketColumns, i: int) -> bytes:
    """What the packet of row ``i`` carries."""
    start, size = int(columns.payload[i]), int(columns.payload_len[i])
    return block.arena[start : start + size].tobytes() if start >= 0 else b""


def has_fragments(columns: PacketColumns, n: int) -> bool:
    """Whether any of the first ``n`` rows is a fragment: of most blocks none is."""
    return _FRAGMENT in columns.kind[:n].tobytes()  # a fifth of the time that NumPy takes


class InFragments:
    """Rows of the last block that are fragments; its array is used again and again.

    Kernels know it by then, and most blocks have none.
    """

    def __init__(self) -> None:
        self._found = np.zeros(0, np.uint8)
        self._any = False

    def take(self, columns: PacketColumns, n: int) -> tuple[NDArray[np.uint8], bool]:
        """(≥ n,) 1 for fragments that are decoded, and whether there are any."""
        if len(self._found) < n:
            self._found = np.zeros(n, np.uint8)
            self._any = False
        before, self._any = self._any, has_fragments(columns, n)
        if self._any or before:
            are = columns.kind[:n] == kinds.KIND_FRAGMENT
            self._found[:] = 0
            self._found[:n] = are & (columns.outcome[:n] == kinds.DECODED)
        return self._found, self._any
