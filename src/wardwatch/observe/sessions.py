"""Sessions: TCP conversations followed as far as they say something, and no further.

Every selected segment goes through :meth:`Sessions.segment`. The first bytes of a conversation
decide who reads it (:mod:`logins`, :mod:`handshakes`, :mod:`exchanges`); what nobody can read, and
what has said all it will, is ignored from then on: :meth:`Sessions.interest` tells the caller so
that it need not bring further segments. Of a conversation whose first word shows nothing, and which
says no second, no more is kept than that word (:meth:`Sessions.wait_for_more`).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, cast

import msgspec

from wardwatch.decode.kernels.young import SEQ
from wardwatch.decode.stream import ACK, FIN, RST, SYN, Chunk, Gap
from wardwatch.observe.exchanges import DeviceStream, Http
from wardwatch.observe.follow import FOLLOW, IGNORE, UNDECIDED, Flow, Shared
from wardwatch.observe.recognise import Undecided
from wardwatch.observe.told import where_of
from wardwatch.observe.underway import UnderWay, packed, unpacked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wardwatch.observe.datagrams import Datagrams
    from wardwatch.observe.follow import Follower, Mark
    from wardwatch.observe.plain_http import Midway
    from wardwatch.observe.secrets import Secrets
    from wardwatch.observe.tables import Spool
    from wardwatch.observe.told import Raw
    from wardwatch.observe.where import Where
    from wardwatch.observe.young import Piece

AS_IT_WAS = -2
"""What is wanted of a conversation is what was wanted before, see :meth:`Sessions.go_on`."""
_MARKS = SYN | FIN | RST
MAX_FOLLOWED = 16_384
"""Conversations followed at once, some 3 KiB each: a SYN flood must not cost more. Those of which no
more than a first word is kept count among them, and are given up before the others."""
MAX_BUFFERED = 64 * 1024 * 1024
"""Bytes kept for all of them together; the one longest silent is given up first."""


class Counters(msgspec.Struct, frozen=True, gc=False):
    """What was odd in the two streams of a conversation."""

    missed_bytes: int
    overlaps: int
    retransmissions: int
    reordered: int


class Sessions:
    """All TCP conversations of a run."""

    def __init__(
        self,
        spool: Spool,
        secrets: Secrets,
        datagrams: Datagrams | None = None,
        names: Sequence[str] = (),
    ) -> None:
        """Rows go to ``spool``; DNS over TCP goes to ``datagrams.dns_message``.

        ``names`` are those of segments, as :meth:`go_on` needs them.
        """
        self.shared = Shared(spool, secrets, datagrams, names)
        """What all readers of conversations share."""
        self._flows: OrderedDict[int, Flow] = OrderedDict()
        self.flow: Callable[[int], Flow | None] = self._flows.get
        """A conversation that is followed, or may come to be, by its number; asked for every packet."""
        self._words: OrderedDict[int, Piece] = OrderedDict()
        """First words that show nothing, of conversations that said no second."""
        self._buffered = 0
        self._over: set[int] = set()
        self.services = self.shared.services
        """Service found, in Zeek's words, by conversation."""
        self.counters: dict[int, Counters] = {}
        """Stream counters of conversations that are no longer followed, where any is not 0."""
        self.evicted = 0
        """Conversations given up early because a bound was reached."""

    @property
    def parser_calls(self) -> int:
        """Python parsers called so far."""
        return self.shared.parser_calls + self.shared.heads.calls

    def interest(self, conversation: int) -> int:
        """0 not decided yet, 1 followed, 2 nothing more is wanted of it."""
        if conversation in self._over:
            return IGNORE
        flow = self._flows.get(conversation)
        return UNDECIDED if flow is None else flow.follower.interest

    def skip(self, conversation: int, from_orig: bool) -> tuple[int, int] | None:
        """Sequence numbers ``[from, to)`` of payload that need not be brought.

        Segments with SYN, FIN or RST are wanted all the same.
        """
        flow = self._flows.get(conversation)
        return None if flow is None else flow.streams[0 if from_orig else 1].unwanted()

    def segment(
        self,
        conversation: int,
        from_orig: bool,
        seq: int,
        ack: int,
        flags: int,
        payload: bytes,
        where: Where,
        claimed: int = -1,
    ) -> Flow | None:
        """Take one TCP segment, in capture order; ``claimed`` is its payload by the IP header.

        ⇒ the conversation, if more is wanted of it.
        """
        flow = self._flows.get(conversation)
        if flags & SYN and not flags & ACK and self._reopens(conversation, flow, from_orig, seq):
            self.close(conversation)
            self._over.discard(conversation)
            flow = None
        if flow is None:
            if conversation in self._over:
                return None
            flow = self._open(conversation, where, from_orig)
        else:
            self._flows.move_to_end(conversation)
        flow.newest = where
        side = 0 if from_orig else 1
        stream, other = flow.streams[side], flow.streams[1 - side]
        if flags & ACK:
            pieces = other.acked(ack, where)
            if pieces:
                self._hand_over(flow, 1 - side, pieces)
        pieces = stream.feed(seq, flags, payload, where, claimed)
        if pieces:
            self._hand_over(flow, side, pieces)
        if stream.anomalies:
            for anomaly, mark in stream.anomalies:
                flow.anomalies("tcp", (anomaly,), flow.cited(mark))
            stream.anomalies.clear()
        if flags & RST and not flow.closed[side]:
            flow.closed[side] = True
            flow.follower.closed(side, where)
            flow.closed[1 - side] = True
        elif stream.fin >= 0 and _has_ended(flow, side) and not flow.closed[side]:
            flow.closed[side] = True
            flow.follower.closed(side, where)
        if flow.follower.interest == IGNORE or (flow.closed[0] and flow.closed[1]):
            self._finish(flow)
            return None
        self._account(flow, flow.buffered)
        return flow

    def go_on(
        self,
        flow: Flow,
        side: int,
        seq: int,
        ack: int,
        flags: int,
        payload: bytes,
        raw: Raw,
        claimed: int,
    ) -> int:
        """Take a segment that just continues its stream, as :meth:`segment` would: by far the most.

        Or one that only waits behind a hole: of single octets with holes between, all do.
        ``raw`` is what the kernel tells of it, which is cited where somebody asks for it.

        ⇒ what is wanted of the conversation, IGNORE: it is over, AS_IT_WAS: it came to nothing yet;
        -1: nothing was done, as the segment is neither.
        """
        streams = flow.streams
        stream, other = streams[side], streams[1 - side]
        if flags & _MARKS or claimed > len(payload) or stream.anomalies:
            return -1
        before = stream.recent
        reached = ack if flags & ACK else -1
        place = stream.go_on(seq, payload, other, reached)
        if place < 0:
            if stream.fin >= 0 and not flow.closed[side] and _has_ended(flow, side):
                return -1
            held = stream.wait(seq, payload, raw, other, reached)
            return -1 if held < 0 else self._waits(flow, raw, held)
        flow.newest = raw
        self._flows.move_to_end(flow.number)
        follower = flow.follower
        more = follower.quiet(side, payload, raw)
        if more is not None:
            more += stream.recent - before
            if more:
                flow.accounted += more
                self._buffered += more
                if self._buffered > MAX_BUFFERED:
                    self._relieve()
            return AS_IT_WAS
        where = flow.newest = where_of(self.shared.names, raw)
        follower.data(side, Chunk(place, payload, where))
        follower = flow.follower
        interest = follower.interest
        if interest == IGNORE:
            self._finish(flow)
            return interest
        self._account(flow, stream.buffered + other.buffered + follower.buffered)
        return interest

    def _waits(self, flow: Flow, raw: Raw, more: int) -> int:
        """A segment waits that takes ``more`` bytes ⇒ as :meth:`go_on`."""
        flow.newest = raw
        self._flows.move_to_end(flow.number)
        if more:
            flow.accounted += more
            self._buffered += more
            if self._buffered > MAX_BUFFERED:
                self._relieve()
        # A late octet may complete a line that waits: the kernel is told so.
        return flow.follower.interest if flow.follower.agrees else AS_IT_WAS

    def begin(
        self, conversation: int, orig: int, resp: int, where: Where, *, late: bool = False
    ) -> None:
        """Begin a conversation whose SYNs somebody else has seen, before its first segment.

        ``orig`` and ``resp`` are their sequence numbers, -1 of one that was not seen (but not of
        both); ``where`` is a packet of the originator. ``late``: the kernel has followed it so far,
        so that FTP had not agreed upon it when it began.
        """
        if conversation in self._over:
            if orig < 0:
                return
            self._over.discard(conversation)
        flow = self._open(conversation, where, True, late=late)
        if orig >= 0:
            flow.streams[0].begin(orig)
        if resp >= 0:
            flow.streams[1].begin(resp)

    def go_on_with(self, talk: Midway, first: Where, last: Where) -> None:
        """Follow a conversation that the kernel has followed so far, as if all had come here.

        ``first`` and ``last`` are the first of its packets that said something, and the newest.
        """
        flow = self._open(talk.number, first, True, late=True)
        for stream, side in zip(flow.streams, talk.sides, strict=True):
            stream.begin(side.isn)
            stream.go_on_from(side.next, side.skip_to, side.acked, side.fin, side.recent)
        flow.become(Http.midway(flow, [side.left for side in talk.sides], talk.asked, talk.shown))
        flow.closed = [side.fin >= 0 for side in talk.sides]
        flow.newest = last
        self._account(flow, flow.buffered)

    def wait_for_more(self, conversation: int, word: Piece) -> None:
        """Keep the first word of a conversation that shows nothing, until it says a second.

        It is the originator's, whole, and nobody can read it yet
        (:func:`~wardwatch.observe.recognise.shows_nothing`). It stands right behind the SYNs of both
        sides, or neither was seen (``word.isn`` is -1, -1). A flood of such conversations is one of
        words, and its audit costs less than half of what it would to follow them (decision 0037).
        """
        if len(self._flows) + len(self._words) >= MAX_FOLLOWED:
            self._evict()
        self._words[conversation] = word
        self._buffered += len(word.payload)

    def waits_for_more(self, conversation: int) -> bool:
        """Whether no more than a first word is kept of a conversation."""
        return conversation in self._words

    def word(self, conversation: int) -> Piece:
        """The first word of a conversation that :meth:`waits_for_more`."""
        return self._words[conversation]

    def words(self) -> list[int]:
        """The conversations of which no more than a first word is kept, in the order of these."""
        return list(self._words)

    def go_on_behind(self, conversation: int, where: Where) -> Flow:
        """Follow a conversation of which a first word is kept, which came in packet ``where``."""
        word = self._words.pop(conversation)
        self._buffered -= len(word.payload)
        flow = self._open(conversation, where, True, late=True)
        for stream, isn in zip(flow.streams, word.isn, strict=True):
            if isn >= 0:
                stream.begin(isn)
        self._hand_over(flow, 0, flow.streams[0].feed(word.told[SEQ], 0, word.payload, where))
        self._account(flow, flow.buffered)
        return flow

    def close(self, conversation: int) -> None:
        """The conversation is over: write what it still holds, forget it."""
        if conversation in self._words:
            self._forget(conversation)
        flow = self._flows.get(conversation)
        if flow is not None:
            self._finish(flow)
        self._over.discard(conversation)

    def under_way(self, interest: dict[int, int]) -> UnderWay:
        """What may go on behind the last packet, for :meth:`absorb` elsewhere; nothing changes.

        ``interest``: what is wanted of conversations, by number, as the caller knows it.
        """
        for flow in self._flows.values():
            flow.settle()  # there packets are told by other numbers
        return UnderWay(
            flows=packed(list(self._flows.values()), self.shared),
            interest=interest,
            over=list(self._over),
            expected=list(self.shared.expected),
        )

    def absorb(self, there: UnderWay, numbers: Mapping[int, int]) -> None:
        """Go on with what was :meth:`under_way` elsewhere, in packets behind all of ours.

        ``numbers``: that of each conversation here, by the one it has there.
        """
        for flow in unpacked(there.flows, self.shared, numbers):
            self._flows[flow.number] = flow
            self._buffered += flow.accounted
        self._over.update(numbers[number] for number in there.over if number in numbers)
        for host, port in there.expected:
            self.shared.expect(host, port)
        while len(self._flows) + len(self._words) > MAX_FOLLOWED or (
            self._buffered > MAX_BUFFERED and len(self._flows) > 1
        ):
            self._evict()

    def finish(self) -> None:
        """The capture is over."""
        while self._words:
            self._forget(next(iter(self._words)))
        while self._flows:
            self._finish(next(iter(self._flows.values())))

    def _open(
        self, conversation: int, where: Where, from_orig: bool, *, late: bool = False
    ) -> Flow:
        """``late``: its first word came before now, when FTP had not agreed upon it."""
        if len(self._flows) + len(self._words) >= MAX_FOLLOWED:
            self._evict()
        flow = Flow(conversation, self.shared, where, from_orig)
        flow.become(Undecided(flow) if late else self._first_reader(flow))
        self._flows[conversation] = flow
        return flow

    def _first_reader(self, flow: Flow) -> Follower:
        """FTP agreed upon its data connections beforehand; the others have to show themselves."""
        if self.shared.expected:
            for end in flow.ends:
                if self.shared.expected.pop((end.ip, end.port), False) is None:
                    return DeviceStream(flow, "ftp-data")
        return Undecided(flow)

    def _reopens(self, conversation: int, flow: Flow | None, from_orig: bool, seq: int) -> bool:
        """RFC 9293 §3.6.1: a SYN with another sequence number begins a new connection."""
        if flow is None:
            return conversation in self._over
        stream = flow.streams[0 if from_orig else 1]
        return stream.seen and stream.next > 0 and not stream.begins_at((seq + 1) & 0xFFFFFFFF)

    def _hand_over(self, flow: Flow, side: int, pieces: list[Chunk[Mark] | Gap[Mark]]) -> None:
        for piece in pieces:
            follower = flow.follower
            mark = piece.mark
            if isinstance(piece, Gap):
                follower.gap(side, cast("Gap[Where]", piece))  # made plain by one that was cited
            elif not isinstance(mark, bytes):
                follower.data(side, cast("Chunk[Where]", piece))
            elif follower.quiet(side, piece.data, mark) is None:  # it had waited
                follower.data(side, Chunk(piece.start, piece.data, flow.cited(mark)))

    def _finish(self, flow: Flow) -> None:
        one, two = flow.streams
        for side, stream in ((0, one), (1, two)):
            if flow.follower.interest != IGNORE:
                pieces = stream.finish(flow.last)
                if pieces:
                    self._hand_over(flow, side, pieces)
                if stream.ended and not flow.closed[side]:
                    flow.closed[side] = True
                    flow.follower.closed(side, flow.last)
        flow.follower.end()
        number = flow.number
        missed, overlaps = one.missed + two.missed, one.overlaps + two.overlaps
        retransmissions = one.retransmissions + two.retransmissions
        reordered = one.reordered + two.reordered
        if missed or overlaps or retransmissions or reordered:
            self.counters[number] = Counters(missed, overlaps, retransmissions, reordered)
        one.drop()
        two.drop()
        self._flows.pop(number, None)
        self._buffered -= flow.accounted
        flow.accounted = 0
        flow.part()
        self._over.add(number)

    def _account(self, flow: Flow, size: int) -> None:
        """``size``: bytes that the flow keeps now."""
        before = flow.accounted
        if size != before:
            flow.accounted = size
            self._buffered += size - before
            self._relieve()

    def _relieve(self) -> None:
        """Give up conversations where more is kept of all than may be."""
        while self._buffered > MAX_BUFFERED and len(self._flows) > 1:
            self._evict()

    def _evict(self) -> None:
        """Give up the conversation that has been silent longest, first of those that said one word."""
        self.evicted += 1
        if self._words:
            self._forget(next(iter(self._words)))
        else:
            self._finish(next(iter(self._flows.values())))

    def _forget(self, conversation: int) -> None:
        """Give up a conversation of which a first word is kept: nobody would have written any of it."""
        self._buffered -= len(self._words.pop(conversation).payload)
        self._over.add(conversation)


def _has_ended(flow: Flow, side: int) -> bool:
    stream = flow.streams[side]
    return stream.ended or (flow.follower.passes_over and stream.over)


__all__ = ["AS_IT_WAS", "FOLLOW", "IGNORE", "UNDECIDED", "Counters", "Sessions"]
