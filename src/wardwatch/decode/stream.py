"""TCP streams put in order: segments in, ordered bytes out, and what was odd named.

Theory of operation. A :class:`Stream` is one direction of a connection. It counts bytes from 0,
the first behind the SYN (or the first seen, where the SYN was missed), and unwraps the 32 bit
sequence numbers of RFC 9293 around the byte it expects next::

    delivered ──────► next ── hole ── held ── hole ── held          (acked by the other side)

Bytes at ``next`` come out at once. Bytes ahead of it are held until the hole is filled, or until
it is plain that nobody will fill it here: the other side acknowledged past it (it arrived, but
not before our eyes), the connection ended, or a bound was reached. Then the hole comes out as a
:class:`Gap`. The bytes seen first win; bytes that disagree with them are an anomaly.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from operator import attrgetter
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from wardwatch.model.evidence import Anomaly, ByteSpan, Fault

if TYPE_CHECKING:
    from collections.abc import Callable

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32

OVERLAP = Fault(
    "tcp_overlap", "RFC 9293 §3.10.7.4: bytes that differ from those seen before in their place"
)
BUFFER_FULL = Fault(
    "tcp_hole_too_wide", "RFC 9293 §3.10.7.4: more bytes wait behind a hole than we hold"
)
FAULTS: tuple[Fault, ...] = (OVERLAP, BUFFER_FULL)

HELD_BYTES = 256 * 1024
"""Held behind a hole at most: a common receive window; a hole wider than that was lost here."""
HELD_SEGMENTS = 256
"""Held pieces at most, and delivered ones that are kept, were they only one byte long."""
HELD_COST = 384
"""Bytes of memory that a held piece takes beside its data, with the packet it cites."""
RECENT_COST = 128
"""The same of a delivered piece: its place, and what Python keeps of a pair."""
POOL_BYTES = 32 * 1024 * 1024
"""Held in all streams together: what a flood of connections with holes may cost us."""
RECENT_BYTES = 4096
"""Delivered bytes kept to compare retransmissions with; an overlap follows what it overlaps."""
WINDOW = 1 << 30
"""RFC 7323 §2.3: no window is wider; what lies further ahead belongs to no honest stream."""
ANOMALIES = 8
"""Anomalies reported of one direction; the rest is counted only."""

_MASK = 0xFFFFFFFF

M = TypeVar("M")
"""What the caller marks a segment with: the packet that carried it."""


class Chunk(msgspec.Struct, Generic[M], frozen=True, gc=False):
    """Bytes in order; ``mark`` is what the caller gave with the segment that carried them."""

    start: int
    """Place of the first byte in the stream."""
    data: bytes
    mark: M


class Gap(msgspec.Struct, Generic[M], frozen=True, gc=False):
    """Bytes that will not come; ``mark`` belongs to the segment that made it plain."""

    start: int
    length: int
    mark: M


class Pool:
    """How many bytes all streams together may hold, with what each piece costs beside its data."""

    __slots__ = ("limit", "used")

    def __init__(self, limit: int = POOL_BYTES) -> None:
        self.limit = limit
        self.used = 0


class _Held(msgspec.Struct, Generic[M], gc=False):
    start: int
    length: int
    data: bytes
    mark: M


_START = attrgetter("start")


class Stream(Generic[M]):
    """One direction of a TCP connection, see the module for its theory of operation."""

    __slots__ = (
        "_acked",
        "_base",
        "_held",
        "_held_bytes",
        "_pool",
        "_recent",
        "_skip_to",
        "_top",
        "anomalies",
        "fin",
        "from_syn",
        "gaps",
        "missed",
        "next",
        "out_of_window",
        "overlaps",
        "recent",
        "reordered",
        "retransmissions",
        "skips",
    )

    def __init__(self, pool: Pool | None = None) -> None:
        self._pool = pool or Pool()
        self._base = -1  # sequence number of byte 0; -1 nothing seen yet
        self._held: list[_Held[M]] = []
        self._held_bytes = 0
        self._recent: list[tuple[int, bytes]] = []
        self.recent = 0
        """Bytes of memory that delivered pieces take, kept to compare retransmissions with."""
        self._skip_to = 0
        self.skips = False
        """Whether bytes of it ever were not wanted."""
        self._acked = 0
        self._top = 0  # behind the highest byte seen
        self.next = 0
        """Place of the byte expected next."""
        self.fin = -1
        """Place of the FIN: where the stream ends; -1 not seen."""
        self.from_syn = False
        """The SYN was seen: byte 0 is the first one sent."""
        self.gaps = 0
        self.missed = 0
        """Bytes that never came (or were cut off by a snap length)."""
        self.overlaps = 0
        """Segments that said different bytes for the same place."""
        self.retransmissions = 0
        """Segments of which every or some byte had been seen."""
        self.reordered = 0
        """Segments that came behind later ones and brought new bytes."""
        self.out_of_window = 0
        self.anomalies: list[tuple[Anomaly, M]] = []
        """Anomalies with their marks, at most ``ANOMALIES``; the caller may take them out."""

    @property
    def held(self) -> int:
        """Bytes of the pool that it holds."""
        return self._held_bytes + HELD_COST * len(self._held)

    @property
    def seen(self) -> bool:
        """Whether any segment of this direction came."""
        return self._base >= 0

    @property
    def whole(self) -> bool:
        """Seen from the SYN, no byte missing, and none acknowledged that we have not seen."""
        end = self.next + (1 if self.fin in (-1, self.next) else 0)  # a FIN takes one number
        return self.from_syn and not self.gaps and not self._held and self._acked <= end

    @property
    def ended(self) -> bool:
        """Whether every byte up to the FIN has come out."""
        return 0 <= self.fin <= self.next

    @property
    def over(self) -> bool:
        """Whether every byte up to the FIN has come out, or is one that nobody wants."""
        return 0 <= self.fin <= self.wanted

    @property
    def buffered(self) -> int:
        """Bytes kept in memory for this direction."""
        return self.held + self.recent

    def feed(
        self, seq: int, flags: int, data: bytes, mark: M, claimed: int = -1
    ) -> list[Chunk[M] | Gap[M]]:
        """Take one segment; return what comes out in order because of it.

        ``claimed`` is the length of the payload by the IP header: what is claimed and not in
        ``data`` was cut off by a snap length and will not come again.
        """
        if flags & SYN:
            self.begin(seq)
            seq = (seq + 1) & _MASK
        elif self._base < 0:
            self._base = seq
        if flags & RST:
            return []  # RFC 9293 §3.10.7.4: text in a RST explains it and is no part of the stream
        offset = self._place(seq)
        length = len(data) if claimed < len(data) else claimed
        if flags & FIN and self.fin < 0 and offset + length >= self.next:
            self.fin = offset + length
        if not length:
            return []
        if offset == self.next and not self._held:  # by far the most
            out: list[Chunk[M] | Gap[M]] = []
            self._deliver(offset, length, data, mark, out)
            return out
        return self._late_or_early(offset, length, data, mark)

    def go_on(self, seq: int, data: bytes, other: Stream[M], ack: int = -1) -> int:
        """Take a whole segment without SYN, FIN or RST, as :meth:`feed` would: by far the most.

        ``other`` is the other direction, of which all before ``ack`` is acknowledged (-1 nothing is
        said of it). ⇒ the place of its first byte: ``data`` comes out as it is. -1: it does not just
        continue the stream, or bytes that wait may come out with it, and nothing was done.
        """
        at = self.next
        if (
            (self._base + at) & _MASK != seq
            or self.fin >= 0
            or at < self._skip_to
            or self._base < 0
            or not data
        ):
            return -1
        size = len(data)
        stop = at + size
        held = self._held
        if held and (stop >= held[0].start or self._pool.used > self._pool.limit):
            return -1
        if ack >= 0 and not other._takes_note(ack):
            return -1
        self.next = stop
        if held:
            self.reordered += 1
        if self._top < stop:
            self._top = stop
        kept = len(self._recent)
        if size + self.recent - RECENT_COST * kept > RECENT_BYTES or kept >= HELD_SEGMENTS:
            self._remember(at, data)
        else:  # nothing has to go for it: no call
            self._recent.append((at, data))
            self.recent += size + RECENT_COST
        return at

    def wait(self, seq: int, data: bytes, mark: M, other: Stream[M], ack: int = -1) -> int:
        """Take a whole segment without SYN, FIN or RST that has to wait, as :meth:`feed` would.

        ``other`` and ``ack`` as in :meth:`go_on`. ⇒ bytes of the pool that it takes (0: it was held
        already): nothing comes out. -1: it does not just wait, and nothing was done.
        """
        size, held, pool, expected = len(data), self._held, self._pool, self.next
        ahead = (seq - self._base - expected) & _MASK
        start = expected + ahead
        cost = size + HELD_COST
        if (
            not 0 < ahead <= WINDOW
            or start <= self._acked
            or expected < self._skip_to
            or self._base < 0
            or not size
            or len(held) >= HELD_SEGMENTS
            or self._held_bytes + size > HELD_BYTES
            or pool.used + cost > pool.limit
        ):
            return -1
        stop, at = start + size, len(held)
        if at:
            before = held[-1]
            if before.start > start:
                at = bisect_right(held, start, key=_START)
                if held[at].start < stop:
                    return -1
                before = held[at - 1]
            if at and before.start + before.length > start:
                if before.start != start or before.length != size or before.data != data:
                    return -1
                cost = 0
        if ack >= 0 and not other._takes_note(ack):
            return -1
        if not cost:
            self.retransmissions += 1
            return 0
        if start < self._top:
            self.reordered += 1
        if stop > self._top:
            self._top = stop
        held.insert(at, _Held(start, size, data, mark))
        self._held_bytes += size
        pool.used += cost
        return cost

    def acked(self, ack: int, mark: M) -> list[Chunk[M] | Gap[M]]:
        """The other side acknowledges all before ``ack``: what is missing there was lost to us."""
        return self._settle(mark) if self._note_acked(ack) and self._held else []

    def skip_to(self, place: int) -> None:
        """Bytes before ``place`` are not wanted: they are counted, and do not come out."""
        if place > self._skip_to:
            self._skip_to, self.skips = place, True

    @property
    def wanted(self) -> int:
        """Place of the next byte that is wanted."""
        return max(self.next, self._skip_to)

    def unwanted(self) -> tuple[int, int] | None:
        """Sequence numbers ``[from, to)`` of bytes that need not be fed; ``None`` if none."""
        if self._skip_to <= self.next or self._base < 0:  # by far the most
            return None
        return (self._base + self.next) & _MASK, (self._base + self._skip_to) & _MASK

    def finish(self, mark: M) -> list[Chunk[M] | Gap[M]]:
        """The connection is over: every hole is a gap, the tail that was acknowledged too."""
        out: list[Chunk[M] | Gap[M]] = []
        while self._held:
            self._give_up_hole(mark, out)
        end = max(self._acked - 1, self.next) if self.fin < 0 else self.fin  # - 1: maybe a FIN
        if self._base >= 0 and end > self.next:
            self._gap(self.next, end - self.next, mark, out)
        return out

    def mark_anew(self, marked: Callable[[M], M]) -> None:
        """Give what is held other marks."""
        for piece in self._held:
            piece.mark = marked(piece.mark)

    def begins_at(self, seq: int) -> bool:
        """Whether byte 0 of this stream has this sequence number."""
        return self._base == seq

    def drop(self) -> None:
        """Forget what is held and kept: nothing more will come out."""
        self._pool.used -= self.held
        self._held_bytes = self.recent = 0
        self._held.clear()
        self._recent.clear()

    def begin(self, isn: int) -> None:
        """A SYN with this sequence number, of which it takes one (RFC 9293 §3.4)."""
        base = (isn + 1) & _MASK
        if self._base < 0:
            self._base, self.from_syn = base, True
        elif self._base == base:
            self.from_syn = True  # the SYN came late, or again

    def go_on_from(
        self, place: int, skip_to: int, acked: int, fin: int, recent: list[tuple[int, bytes]]
    ) -> None:
        """Be as after segments that somebody else has put in order, none missing, behind the SYN.

        ``place`` is that of the next byte, ``skip_to`` and ``acked`` of what was said to
        :meth:`skip_to` and :meth:`acked`, ``fin`` of the FIN, -1 none; ``recent`` are the pieces
        that came last, with their places, at most ``RECENT_BYTES``.
        """
        self.next = self._top = place
        self._skip_to, self._acked, self.fin = skip_to, acked, fin
        self.skips = skip_to > 0
        self._recent = recent
        self.recent = sum(len(data) + RECENT_COST for _, data in recent)

    def _place(self, seq: int) -> int:
        ahead = (seq - self._base - self.next) & _MASK
        return self.next + (ahead - (1 << 32) if ahead & 0x80000000 else ahead)

    def _note_acked(self, ack: int) -> bool:
        """Whether more is acknowledged than before by a segment that does so before ``ack``."""
        if self._base < 0:
            return False
        place = self._place(ack)
        if place <= self._acked or place - self.next > WINDOW:
            return False
        self._acked = place
        return True

    def _takes_note(self, ack: int) -> bool:
        """As :meth:`_note_acked`; ``False``: nothing was done, something that is held may come out."""
        held, at = self._held, self.next
        if (self._base + at) & _MASK == ack:  # by far the most
            if self._base >= 0 and self._acked < at:
                self._acked = at
            return True
        if held and (self._place(ack) >= held[0].start or self._pool.used > self._pool.limit):
            return False
        self._note_acked(ack)
        return True

    def _late_or_early(
        self, offset: int, length: int, data: bytes, mark: M
    ) -> list[Chunk[M] | Gap[M]]:
        end = offset + length
        if length == 1 and offset == self.next - 1:
            if self._recent and self._recent[-1][1].endswith(data):
                self.retransmissions += 1
            return []  # RFC 9293 §3.8.4: a keep-alive, whose one octet may be garbage
        if offset < self.next:
            old = self.next - offset
            self.retransmissions += 1
            self._compare_delivered(offset, data[:old], mark)
            if end <= self.next:
                return []
            offset, length, data = self.next, length - old, data[old:]
        out: list[Chunk[M] | Gap[M]] = []
        if offset > self.next and self.next < self._skip_to:
            self.next = min(offset, self._skip_to)  # the caller left out what nobody wants
            self._drain(out)
        if offset - self.next > WINDOW:
            self.out_of_window += 1
            return out
        for piece in self._new_pieces(offset, length, data, mark):
            if piece.start < self.next:
                continue  # held bytes that reached this far came out just now
            if piece.start < self._top:
                self.reordered += 1
            if piece.start == self.next:
                self._deliver(piece.start, piece.length, piece.data, mark, out)
                self._drain(out)
            else:
                self._hold(piece)
        if self._held:
            out += self._settle(mark)
        return out

    def _new_pieces(self, offset: int, length: int, data: bytes, mark: M) -> list[_Held[M]]:
        """The parts of a segment that are not held already, in order."""
        known = self._held
        if not known or known[-1].start + known[-1].length <= offset:
            return [_Held(offset, length, data, mark)]
        end = offset + length
        pieces = []
        repeated = False
        first = bisect_right(known, offset, key=_START)
        if first and known[first - 1].start + known[first - 1].length > offset:
            first -= 1
        for at in range(first, len(known)):
            held = known[at]
            if held.start >= end:
                break
            stop = held.start + held.length
            repeated = True
            start = max(offset, held.start)
            self._compare(
                held.data[start - held.start :], data[start - (end - length) :], start, mark
            )
            if offset < held.start:
                base = offset - (end - length)
                size = held.start - offset
                pieces.append(_Held(offset, size, data[base : base + size], mark))
            offset = min(stop, end)
        if offset < end:
            pieces.append(_Held(offset, end - offset, data[offset - (end - length) :], mark))
        self.retransmissions += repeated
        return pieces

    def _deliver(
        self, offset: int, length: int, data: bytes, mark: M, out: list[Chunk[M] | Gap[M]]
    ) -> None:
        self.next = offset + length
        self._top = max(self._top, self.next)
        if self.next <= self._skip_to:
            self.missed += length - len(data)
            return
        if offset < self._skip_to:
            offset, data = self._skip_to, data[self._skip_to - offset :]
        self._remember(offset, data)
        if data:
            out.append(Chunk(offset, data, mark))
        lost = self.next - offset - len(data)
        if lost:
            self.gaps += 1
            self.missed += lost
            out.append(Gap(offset + len(data), lost, mark))

    def _drain(self, out: list[Chunk[M] | Gap[M]]) -> None:
        while self._held and self._held[0].start <= self.next:
            piece = self._held.pop(0)
            self._held_bytes -= len(piece.data)
            self._pool.used -= len(piece.data) + HELD_COST
            old = self.next - piece.start
            if old < piece.length:
                data = piece.data[old:]
                self._deliver(self.next, piece.length - old, data, piece.mark, out)

    def _hold(self, piece: _Held[M]) -> None:
        held = self._held
        if held and held[-1].start > piece.start:
            insort(held, piece, key=_START)
        else:
            held.append(piece)
        self._held_bytes += len(piece.data)
        self._pool.used += len(piece.data) + HELD_COST
        self._top = max(self._top, piece.start + piece.length)

    def _settle(self, mark: M) -> list[Chunk[M] | Gap[M]]:
        """Give up the holes that will not be filled."""
        out: list[Chunk[M] | Gap[M]] = []
        while self._held:
            full = (
                self._held_bytes > HELD_BYTES
                or len(self._held) > HELD_SEGMENTS
                or self._pool.used > self._pool.limit
            )
            if not full and self._acked < self._held[0].start:
                break
            if full:
                hole = ByteSpan(self.next, self._held[0].start)
                self._note(Anomaly(BUFFER_FULL, hole, HELD_BYTES, self._held_bytes), mark)
            self._give_up_hole(mark, out)
        return out

    def _give_up_hole(self, mark: M, out: list[Chunk[M] | Gap[M]]) -> None:
        start = self._held[0].start
        if start > self.next:
            self._gap(self.next, start - self.next, mark, out)
        self._drain(out)

    def _gap(self, start: int, length: int, mark: M, out: list[Chunk[M] | Gap[M]]) -> None:
        self.next = start + length
        unwanted = min(max(self._skip_to - start, 0), length)
        if unwanted == length:
            return
        self.gaps += 1
        self.missed += length - unwanted
        out.append(Gap(start + unwanted, length - unwanted, mark))

    def _remember(self, offset: int, data: bytes) -> None:
        if len(data) > RECENT_BYTES:
            offset, data = offset + len(data) - RECENT_BYTES, data[-RECENT_BYTES:]
        recent = self._recent
        recent.append((offset, data))
        size = self.recent + len(data) + RECENT_COST
        while size - RECENT_COST * len(recent) > RECENT_BYTES or len(recent) > HELD_SEGMENTS:
            size -= len(recent.pop(0)[1]) + RECENT_COST
        self.recent = size

    def _compare_delivered(self, offset: int, data: bytes, mark: M) -> None:
        for start, known in self._recent:
            low, high = max(start, offset), min(start + len(known), offset + len(data))
            if low < high and self._compare(
                known[low - start : high - start], data[low - offset : high - offset], low, mark
            ):
                return

    def _compare(self, known: bytes, said: bytes, start: int, mark: M) -> bool:
        size = min(len(known), len(said))
        if known[:size] == said[:size]:
            return False
        self.overlaps += 1
        self._note(Anomaly(OVERLAP, ByteSpan(start, start + size), size, size), mark)
        return True

    def _note(self, anomaly: Anomaly, mark: M) -> None:
        if len(self.anomalies) < ANOMALIES:
            self.anomalies.append((anomaly, mark))
