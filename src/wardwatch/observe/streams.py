"""Streams: the side of TCP, from conversations to what they say."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from wardwatch.decode.columns import PacketColumns
from wardwatch.decode.kernels import conversations as k
from wardwatch.decode.kernels import headers, young
from wardwatch.decode.kernels.conversations import NOTHING, TCP
from wardwatch.decode.kernels.select import chosen_segment
from wardwatch.decode.kernels.young import tell
from wardwatch.decode.stream import ACK, FIN, RST, SYN
from wardwatch.observe.conversations import write_conversations
from wardwatch.observe.forks import Lost
from wardwatch.observe.plain_http import Midway
from wardwatch.observe.recognise import shows_nothing
from wardwatch.observe.sessions import AS_IT_WAS, FOLLOW, IGNORE, UNDECIDED, Sessions
from wardwatch.observe.side import (
    DEVICE_PREFIXES,
    WRITE_ROWS,
    InFragments,
    Reassembly,
    Side,
    payload_of,
)
from wardwatch.observe.text import ip_of
from wardwatch.observe.told import cited, told_of, where_of
from wardwatch.observe.young import Piece, Young

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from wardwatch.decode.conversations import Columns, ConversationTable
    from wardwatch.model.block import PacketBlock
    from wardwatch.observe.follow import Flow
    from wardwatch.observe.part import Part, Stored
    from wardwatch.observe.secrets import Secrets
    from wardwatch.observe.segments import Places
    from wardwatch.observe.tables import Spool
    from wardwatch.observe.underway import UnderWay
    from wardwatch.observe.where import Where
    from wardwatch.observe.young import Heard, Raw, Told

_WORD = 0xFFFFFFFF

SETTLE_ROWS = 512
"""Handshakes are written so many at a time: a column costs as much to begin as to fill."""


class Streams(Side):
    """Takes every block: TCP conversations, and what they say until nobody wants more of it."""

    def __init__(
        self,
        spool: Spool,
        secrets: Secrets,
        places: Places,
        reassembly: Reassembly,
        *,
        idle_ns: int = 0,
        seats: int = young.SEATS,
    ) -> None:
        """``seats``: conversations that the kernel follows at once; 0 leaves all to Python."""
        super().__init__(spool, secrets, places, reassembly, TCP, idle_ns)
        self.sessions = Sessions(spool, secrets, self._datagrams, places.names)
        prefixes = np.array(DEVICE_PREFIXES, np.uint32)
        self.young = Young(self.sessions.shared, places.names, prefixes, seats)
        self._into = spool
        """Takes the conversations."""
        self._interest: dict[int, int] = {}
        self._fragments = InFragments()
        self._feed: Feed | None = None
        self._columns = PacketColumns.of_size(0)
        """Those of packets that another process has kept."""

    @property
    def parser_calls(self) -> int:
        """Messages that a Python parser has read."""
        return self._datagrams.parser_calls + self.sessions.parser_calls

    @property
    def given_up(self) -> int:
        """Conversations and streams given up so far because a bound was reached."""
        sessions = self.sessions
        return self._conversations.evicted + sessions.evicted + sessions.shared.given_up

    def take(self, block: PacketBlock, columns: PacketColumns) -> None:
        """One block, whose segments are known.

        What is read of a packet depends on those before it alone, wherever the block begins and
        ends: where a packet would tell something of those before it they are read first.
        """
        segment, names = self._places.segment, self._places.names
        asked, any_asked = self._fragments.take(columns, block.n)
        sessions, octets, table = self.sessions, block.arena.data, self._conversations
        known, flow_of, go_on = self._interest, sessions.flow, sessions.go_on

        def read(heard: Heard, raw: Raw, pieces: Sequence[Piece | Midway]) -> None:
            if pieces:
                self._reread(pieces)
            number, seq, ack, flags, claimed, from_orig, start, size, i = heard
            if any_asked and asked[i]:
                self._fragment(block, columns, i, where_of(names, raw))
                return
            flow, side = flow_of(number), 1 - from_orig
            stream = None if flow is None else flow.streams[side]
            # By far the most are wanted: nothing was said to the kernel since it told this.
            if (stream is None or not size or stream.skips) and not self._is_wanted(
                number, flow, side, flags, seq, size, int(table.row[i])
            ):
                return
            if flow is None and sessions.waits_for_more(number):
                flow = self._go_on_behind(number)
                stream = flow.streams[side]
            payload = octets[start : start + size].tobytes()
            if flow is not None and stream is not None:
                interest = go_on(flow, side, seq, ack, flags, payload, raw, claimed)
                if interest == AS_IT_WAS:
                    return
                if interest >= 0:
                    if interest != known.get(number) or stream.skips or flow.follower.agrees:
                        self._learn(number, flow, interest, side, int(table.row[i]))
                    return
            told, row = told_of(raw), int(table.row[i])
            if flow is None and number not in known and self._waits(told, payload, row):
                return
            self._segment(told, payload, cited(names, told), row)

        whole = self._whole(block, columns, asked) if any_asked else ()
        at = 0
        for last in itertools.chain(whole, (block.n - 1,)):
            end = last + 1
            while at < end:
                start, at = at, table.advance(block, columns, at, end, segment)
                self._updated(block, columns, start, at)
                if any_asked:  # those before ``at`` are all taken
                    asked[start:at] &= self._reassembly.of_tcp[start:at]
                self.young.walk(block, columns, asked, segment, table, read, start, at)
        self._settle(SETTLE_ROWS)
        self._written()

    def refuses(self, began: Stored) -> str:
        """Why connections that began behind all our packets cannot be taken over; "" they can."""
        if self._conversations.room() < len(began):
            return "there are too many conversations"
        if any(self._conversations.meets(rows) for rows in began.pieces()):
            return "a SYN behind the cut belongs to a connection before it"
        return "FTP data was agreed upon before the cut" if self._agreed(began) else ""

    def absorb(self, part: Part, segment: NDArray[np.int32]) -> NDArray[np.int64]:
        """Take over what another process read behind all our packets.

        The packets it could not read pass here in their place among the connections that began
        there. ``segment``: our number of each of its segments. ⇒ the numbers those have here.
        Raises :class:`~wardwatch.observe.forks.Lost` where they agree upon FTP data that the
        other process read.
        """
        under_way = part.under_way
        feed = self._feed = Feed(
            self._conversations, part.tcp, segment, list(part.files), under_way is not None
        )
        events = headers.Events()
        for block, rows in part.packets.blocks():
            feed.up_to(block.capture, block.first)
            columns = self._columns = self._columns.for_size(block.n)
            headers.decode_block(block, columns, events)
            self._places.fill(block, columns, rows)
            self.take(block, columns)
            if self._agreed(part.tcp):
                raise Lost("FTP data was agreed upon across the cut")
        feed.all()
        numbers, self._feed = feed.numbers, None
        had = part.tcp.columns(k.NUMBER)[:, 0]
        new = dict(zip(had.tolist(), numbers.tolist(), strict=True))
        self.sessions.services.update({new[n]: said for n, said in part.services.items()})
        self.sessions.counters.update({new[n]: told for n, told in part.counters.items()})
        if under_way is not None:
            self._interest.update({new[n]: said for n, said in under_way.interest.items()})
            self.sessions.absorb(under_way, new)
        return numbers

    def _agreed(self, began: Stored) -> bool:
        """Whether one of these connections is one that FTP has agreed upon here."""
        expected = self.sessions.shared.expected
        return bool(expected) and any(are_among(expected, rows) for rows in began.pieces())

    def _updated(self, block: PacketBlock, columns: PacketColumns, start: int, stop: int) -> None:
        """The conversations of some rows are known, and nothing of what they say is read yet."""
        if self._feed is not None:
            self._feed.put_in(block, columns, start, stop)

    def under_way(self) -> UnderWay:
        """What may go on behind the last packet, for :meth:`absorb` elsewhere.

        Conversations that the kernel follows are Python's from here on.
        """
        self._settle()
        for number in self.young.seated():
            self._reread(self.young.leave(self._conversations, number))
        for number in self.sessions.words():
            self._go_on_behind(number)
        return self.sessions.under_way(dict(self._interest))

    def come_behind(self, spool: Spool) -> None:
        """Our tables come behind those of ``spool``, whose other conversations are all there.

        From now on ours go there at once, where none has been written yet, instead of being read
        back from a file.
        """
        if not self._spool.counts["conversations"]:
            self._into = spool

    def finish(self) -> None:
        """Write what stays open to the end of all files."""
        self._settle()
        for pieces in self.young.living():
            self._reread(pieces)
        self.sessions.finish()
        for piece in self._conversations.pieces(WRITE_ROWS):
            self._write(piece)

    def _settle(self, least: int = 1) -> None:
        """Rows of the handshakes that the kernel saw to their end."""
        for pieces in self.young.settle(least):
            self._reread(pieces)

    def _is_wanted(
        self, number: int, flow: Flow | None, side: int, flags: int, seq: int, size: int, row: int
    ) -> bool:
        """Whether a segment is wanted still, behind those that were told together with it.

        What is read does not depend on what was told at once. ``row``: that of the conversation.
        """
        interest = self._interest.get(number, UNDECIDED)
        if flow is None and (size or interest != UNDECIDED):
            return interest != IGNORE
        if flags & (SYN | FIN | RST) and interest == FOLLOW:
            return True
        # What the kernel goes by (not the stream, which may have gone past what it skips).
        now = self._conversations.table[row]
        return chosen_segment(
            interest,
            now[k.ORIG_BYTES] + now[k.RESP_BYTES],
            int(now[k.ORIG_SKIP + side]),
            flags,
            seq,
            size,
        )

    def _waits(self, told: Told, payload: bytes, row: int) -> bool:
        """Whether a conversation's first word is all that need be kept before it says a second.

        It is kept then. ``row``: that of the conversation.
        """
        flags = told[young.FLAGS]
        if not payload or flags & (SYN | FIN | RST | ACK) != ACK or not told[young.FROM_ORIG]:
            return False
        if told[young.CLAIMED] != len(payload) or self.sessions.shared.expected:
            return False
        if not shows_nothing(payload, (told[young.SRC_PORT], told[young.DST_PORT])):
            return False
        number = told[young.CONVERSATION]
        isn = orig, resp = self._conversations.isn(number, row)
        if isn != (-1, -1) and (
            min(isn) < 0
            or (orig + 1) & _WORD != told[young.SEQ]
            or (resp + 1) & _WORD != told[young.ACK]
        ):
            return False
        self._interest[number] = UNDECIDED
        self.sessions.wait_for_more(number, Piece(told, payload, isn))
        return True

    def _go_on_behind(self, number: int) -> Flow:
        """A conversation of which a first word is kept says a second, or is taken elsewhere."""
        word = self.sessions.word(number)
        return self.sessions.go_on_behind(number, cited(self._places.names, word.told))

    def _reread(self, pieces: Sequence[Piece | Midway]) -> None:
        """Segments of a conversation that the kernel gave up, from its first word, or its state."""
        names = self._places.names
        for piece in pieces:
            if isinstance(piece, Midway):
                self._interest[piece.number] = FOLLOW  # as the kernel has noted
                self.sessions.go_on_with(piece, cited(names, piece.first), cited(names, piece.last))
                continue
            where = cited(names, piece.told)
            if where.conversation not in self._interest:
                # its SYNs as they were then: there may be others since
                self._interest[where.conversation] = -1
                self.sessions.begin(where.conversation, *piece.isn, where, late=True)
            self._segment(piece.told, piece.payload, where)

    def _fragment(self, block: PacketBlock, columns: PacketColumns, i: int, where: Where) -> None:
        if self._is_ours(self._reassembly.one(block, columns, i).proto):
            self._count(block, columns, i)
        super()._fragment(block, columns, i, where)

    def _message(self, block: PacketBlock, columns: PacketColumns, i: int, where: Where) -> None:
        """A segment that came in fragments: its conversation may be one that the kernel follows."""
        if self._conversations.wanted(where.conversation) == IGNORE:
            return
        self._reread(self.young.leave(self._conversations, where.conversation))
        self._segment(tell(block, columns, i, 0), payload_of(block, columns, i), where)

    def _segment(self, told: Told, payload: bytes, where: Where, near: int = -1) -> None:
        """One TCP segment of a conversation that somebody reads, or may come to read.

        ``near`` is the row of the conversation, where that is known.
        """
        number = where.conversation
        if self.sessions.waits_for_more(number):
            self._go_on_behind(number)
        from_orig = bool(told[young.FROM_ORIG])
        flags = told[young.FLAGS]
        if number not in self._interest:
            self._interest[number] = -1
            self._begin(number, where, from_orig, flags, near)
        before = self.sessions.flow(number)
        flow = self.sessions.segment(
            number,
            from_orig,
            told[young.SEQ],
            told[young.ACK],
            flags,
            payload,
            where,
            told[young.CLAIMED],
        )
        if flags & (SYN | ACK) == SYN and self.sessions.flow(number) is not before:
            self._conversations.skip_nothing(number, near)
        interest = IGNORE if flow is None else flow.follower.interest
        self._learn(number, flow, interest, 0 if from_orig else 1, near)

    def _learn(self, number: int, flow: Flow | None, interest: int, side: int, near: int) -> None:
        """What the kernel is to bring of a conversation from now on, behind a segment of ``side``.

        ``flow`` is looked at where it is not over.
        """
        agrees = NOTHING if flow is None or interest == IGNORE else flow.follower.agreeing()
        if interest != self._interest[number] or (flow is not None and agrees != flow.agreeing):
            self._interest[number] = interest
            if flow is not None:
                flow.agreeing = agrees
            self._conversations.interest(number, interest, agrees=agrees, near=near)
        if flow is not None and interest == FOLLOW:
            unwanted = flow.streams[side].unwanted()
            if unwanted is not None:
                self._conversations.skip_until(number, side == 0, unwanted[1], near)

    def _begin(self, number: int, where: Where, from_orig: bool, flags: int, near: int) -> None:
        """Tell the stream's beginning: SYNs are remembered by the kernel, not brought one by one.

        A port scan is many SYNs; only conversations that come to say something reach Python.
        """
        if flags & SYN and not flags & ACK:
            return
        orig, resp = self._conversations.isn(number, near)
        if flags & SYN:
            resp = -1
        if orig >= 0 or resp >= 0:
            self.sessions.begin(number, orig, resp, where if from_orig else _turned(where))

    def _write(self, columns: Columns) -> None:
        self._settle()
        sessions = self.sessions
        for seat in columns["seat"][columns["seat"] > 0].tolist():
            self._reread(self.young.vacate(seat))
        for number in columns["conversation"].tolist():
            if self._interest.pop(number, None) is not None:
                sessions.close(number)
        write_conversations(
            self._into, columns, self._places.names, sessions.services, sessions.counters
        )
        for number in columns["conversation"].tolist():
            sessions.services.pop(number, None)
            sessions.counters.pop(number, None)


class Feed:
    """Puts connections that another process has read among those of packets that pass here."""

    def __init__(
        self,
        table: ConversationTable,
        began: Stored,
        segment: NDArray[np.int32],
        captures: Sequence[int],
        going_on: bool,
    ) -> None:
        """``began`` are in the order of their beginnings, ``captures`` in the order of reading.

        ``going_on``: more of them may come.
        """
        self.numbers = np.zeros(len(began), np.int64)
        """(n,) those they have here."""
        self._table = table
        self._began = began
        self._segment = segment
        self._going_on = going_on
        self._turn = {capture: turn << 40 for turn, capture in enumerate(captures)}
        turns = np.zeros(max(captures, default=0) + 1, np.int64)
        turns[list(self._turn)] = list(self._turn.values())
        there, packet = began.columns(k.CAPTURES, k.FIRST_PACKET).T
        self._order = turns[there >> 32] + packet
        self.done = 0
        """How many have been put in."""
        self._known = len(table)

    def up_to(self, capture: int, packet: int) -> None:
        """Put in those that began before a packet."""
        self._put(int(np.searchsorted(self._order, self._turn[capture] + packet)))

    def all(self) -> None:
        """Put in those that are left."""
        self._put(len(self._order))

    def _put(self, there: int) -> None:
        for at in range(self.done, there, WRITE_ROWS):
            stop = min(at + WRITE_ROWS, there)
            rows = self._began.rows(at, stop)
            self.numbers[at:stop] = self._table.absorb(
                rows, self._segment, over=True, going_on=self._going_on
            )
        self.done, self._known = there, len(self._table)

    def put_in(self, block: PacketBlock, columns: PacketColumns, start: int, stop: int) -> None:
        """Put in those that began between the packets of rows whose conversations are known."""
        table, first, done = self._table, self._known, self.done
        began = len(table) > first
        self.up_to(block.capture, block.first + stop)
        if began and self.done > done:
            had, have = table.arrange(first)
            for numbers in (self.numbers[done : self.done], columns.conversation[start:stop]):
                at = np.minimum(np.searchsorted(had, numbers), len(had) - 1)
                numbers[:] = np.where(had[at] == numbers, have[at], numbers)
            table.find(columns, start, stop)


def _turned(where: Where) -> Where:
    """The same packet seen from its other end."""
    return msgspec.structs.replace(
        where,
        src_mac=where.dst_mac,
        dst_mac=where.src_mac,
        src=where.dst,
        src_port=where.dst_port,
        dst=where.src,
        dst_port=where.src_port,
    )


def are_among(expected: Collection[tuple[str, int]], began: NDArray[np.int64]) -> bool:
    """Whether an end of one of these conversations is among those where FTP data is expected."""
    if not expected:  # asked for every block; what tells is dear to load
        return False
    ports = began[:, k.PORTS]
    ends = (
        (k.ORIG_HI, (ports >> k.PORT_SHIFT & k.PORT_MASK) - 1),
        (k.RESP_HI, (ports & k.PORT_MASK) - 1),
    )
    wide = began.view(np.uint64)
    for column, port in ends:
        for at in np.flatnonzero(np.isin(port, [one for _, one in expected])).tolist():
            high, low = wide[at, column : column + 2].tolist()
            host = ip_of(int(began[at, k.KEY]) & 7, high, low)
            if (host, int(port[at])) in expected:
                return True
    return False
