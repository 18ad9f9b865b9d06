"""Flow and Follower: what every reader of a TCP conversation shares.

A :class:`Flow` is one conversation: who talks to whom, two streams, and the tables its rows go
to. A :class:`Follower` reads its ordered bytes for one protocol. Side 0 is the originator, side 1
the responder; which of them is client or server a follower tells from what they say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from wardwatch.decode.kernels.conversations import NOTHING
from wardwatch.decode.stream import Chunk, Gap, Pool, Stream
from wardwatch.observe.chains import Chains, Fingerprints
from wardwatch.observe.heads import Heads
from wardwatch.observe.told import where_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wardwatch.decode.kernels.rows_tls import One
    from wardwatch.model.evidence import Anomaly
    from wardwatch.observe.datagrams import Datagrams
    from wardwatch.observe.secrets import Secrets
    from wardwatch.observe.tables import Spool
    from wardwatch.observe.told import Raw
    from wardwatch.observe.where import Where

    Mark = Where | Raw
    """A packet, as rows cite it or as the kernel told it."""

UNDECIDED, FOLLOW, IGNORE = 0, 1, 2

MAX_ANOMALIES = 64
"""Anomaly rows of one conversation; a peer could otherwise fill the table by itself."""


class Shared:
    """What all conversations of a run share: the tables, the secrets, what is expected where."""

    def __init__(
        self,
        spool: Spool,
        secrets: Secrets,
        datagrams: Datagrams | None,
        names: Sequence[str] = (),
    ) -> None:
        """``names`` are those of segments, for packets that nobody has cited yet."""
        self.spool = spool
        self.names = names
        self.secrets = secrets
        self.datagrams = datagrams
        self.pool = Pool()
        self.parser_calls = 0
        """Python parsers called, those of heads apart; an answer from a cache is no call."""
        self.services: dict[int, str] = {}
        self.given_up = 0
        """Conversations no longer read because a bound of their reader was reached."""
        self.chains = Chains()
        self.fingerprints = Fingerprints()
        self.heads = Heads()
        self._hellos: One | None = None
        self.expected: dict[tuple[str, int], None] = {}
        """Where FTP data connections will be opened to, see :meth:`expect`."""
        self.agreed: set[tuple[str, int]] | None = None
        """Each of these as it was agreed upon, for somebody who takes them out; else none are kept."""

    @property
    def hellos(self) -> One:
        """The hello kernels; compiled (or loaded) when the first hello comes."""
        if self._hellos is None:
            from wardwatch.decode.kernels.rows_tls import One

            self._hellos = One()
        return self._hellos

    def expect(self, host: str, port: int) -> None:
        """An FTP data connection to ``host`` and ``port`` was agreed upon."""
        self.expected[host, port] = None
        if self.agreed is not None:
            self.agreed.add((host, port))
        if len(self.expected) > MAX_EXPECTED:
            self.expected.pop(next(iter(self.expected)))


MAX_EXPECTED = 4096
"""FTP data connections agreed upon and not yet opened; PORT commands cost a peer nothing."""


class End(msgspec.Struct, frozen=True, gc=False):
    """One end of a conversation."""

    ip: str
    port: int
    mac: str


class Flow:
    """One followed conversation."""

    def __init__(self, number: int, shared: Shared, where: Where, from_orig: bool) -> None:
        self.number = number
        self.shared = shared
        # Without [Mark]: the alias makes a stream in thrice the time.
        self.streams: tuple[Stream[Mark], Stream[Mark]] = (
            Stream(shared.pool),
            Stream(shared.pool),
        )
        source = End(where.src, where.src_port, where.src_mac)
        target = End(where.dst, where.dst_port, where.dst_mac)
        self.newest: Mark = where
        """The newest packet, see :attr:`last`."""
        self.ends = (source, target) if from_orig else (target, source)
        self.follower: Follower = Follower(self)
        self.service = ""
        self.closed = [False, False]
        self.accounted = 0
        """Bytes in memory when it was last counted."""
        self.agreeing = NOTHING
        """What the kernel was told of :meth:`Follower.agreeing`."""
        self._anomalies = 0

    @property
    def last(self) -> Where:
        """The newest packet; hardly any is ever asked for, and only then it is looked up."""
        newest = self.newest = self.cited(self.newest)
        return newest

    def cited(self, mark: Mark) -> Where:
        """A packet as rows cite it."""
        return where_of(self.shared.names, mark) if isinstance(mark, bytes) else mark

    def settle(self) -> None:
        """Cite packets that nobody has cited yet: elsewhere they are told by other numbers."""
        self.newest = self.last
        for stream in self.streams:
            stream.mark_anew(self.cited)
        self.follower.settle()

    @property
    def from_start(self) -> bool:
        """Seen from both SYNs, with no byte missing up to here."""
        return self.streams[0].whole and self.streams[1].whole

    @property
    def buffered(self) -> int:
        """Bytes kept in memory for this conversation."""
        first, second = self.streams
        return first.buffered + second.buffered + self.follower.buffered

    def become(self, follower: Follower) -> None:
        """From here on ``follower`` reads it; the service found is added to those before."""
        self.follower = follower
        if follower.service and follower.service not in self.service.split(","):
            self.service = f"{self.service},{follower.service}".lstrip(",")
            self.shared.services[self.number] = self.service

    def part(self) -> None:
        """Let go of the follower: nothing more will come.

        Each holds the other. Left to the garbage collector, which looks at all that is alive to
        find them, a million conversations at once took it more than half of the whole audit.
        """
        del self.follower

    def put(self, table: str, where: Where, row: tuple[Any, ...]) -> None:
        """Add a row of the columns behind those that say where, a value for each."""
        place = (where.capture, where.packet, where.ts, where.segment, self.number)
        self.shared.spool.put(table, place + row)

    def add(self, table: str, where: Where, row: Mapping[str, Any]) -> None:
        """Add a row with the columns that say where; those the row names itself win."""
        self.shared.spool.add(
            table,
            {
                "capture": where.capture,
                "packet": where.packet,
                "ts": where.ts,
                "segment": where.segment,
                "conversation": self.number,
                **row,
            },
        )

    def anomalies(self, protocol: str, found: Iterable[Anomaly], where: Where) -> None:
        """Add rows for what breaks its standard."""
        for anomaly in found:
            self._anomalies += 1
            if self._anomalies > MAX_ANOMALIES:
                return
            fault, span = anomaly.fault, anomaly.span
            row = (
                protocol, fault.name, fault.clause, anomaly.claimed, anomaly.present,
                where.src, where.dst, where.src_mac, span.start, span.stop,
            )  # fmt: skip
            self.put("anomalies", where, row)

    def banner(self, side: int, protocol: str, text: str, where: Where) -> None:
        """Add a row for the first words of the server on ``side``."""
        server = self.ends[side]
        row = {
            "server": server.ip,
            "server_port": server.port,
            "server_mac": server.mac,
            "protocol": protocol,
            "text": text,
        }
        self.add("banners", where, row)


class Follower:
    """Reads one conversation; this one wants nothing of it."""

    service = ""
    """Zeek's word for the protocol; "" none."""
    interest = IGNORE
    """UNDECIDED, FOLLOW or IGNORE."""
    agrees = False
    """Whether it may agree upon other connections, as FTP does: :meth:`agreeing`."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow

    @property
    def buffered(self) -> int:
        """Bytes kept in memory."""
        return 0

    @property
    def passes_over(self) -> bool:
        """Whether a side ends with its FIN, though what it skips before it was not seen."""
        return False

    def agreeing(self) -> int:
        """Which segments to come may agree upon other connections: NOTHING, ANYTHING or LINES."""
        return NOTHING

    def data(self, side: int, chunk: Chunk[Where]) -> None:
        """Bytes in order."""

    def quiet(self, side: int, octets: bytes, raw: Raw) -> int | None:
        """Take bytes in order, as :meth:`data` would, where they come to nothing yet.

        They write no row and change nothing of what is wanted. ``raw``: the packet they came in.
        ⇒ how many bytes it keeps more; ``None``: nothing was done, :meth:`data` is to read them.
        """
        return None

    def settle(self) -> None:
        """Cite packets that nobody has cited yet: elsewhere they are told by other numbers."""

    def gap(self, side: int, gap: Gap[Where]) -> None:
        """Bytes that will not come."""

    def closed(self, side: int, where: Where) -> None:
        """The side sent a FIN and all before it came, or a RST."""

    def end(self) -> None:
        """Nothing more will come: write what is still open. Called once."""


class Inbox:
    """Ordered bytes of one side that are not yet consumed."""

    __slots__ = ("_stream", "data", "mark", "previous", "start")

    def __init__(self, stream: Stream[Mark]) -> None:
        self._stream = stream
        self.data = bytearray()
        self.start = 0
        """Place in the stream of the first byte of ``data``."""
        self.mark: Where | None = None
        """Mark of the newest bytes."""
        self.previous: Where | None = None
        """Mark of the bytes that were here before them; ``None`` if none were."""

    def __len__(self) -> int:
        return len(self.data)

    def feed(self, chunk: Chunk[Where]) -> int:
        """Take a chunk; return the index in ``data`` of its first byte."""
        place = self.start + len(self.data)
        self.previous = self.mark if self.data else None
        self.mark = chunk.mark
        fresh = chunk.data
        if chunk.start < place:  # fed in one go with bytes that asked to skip them
            fresh = fresh[place - chunk.start :]
        elif chunk.start > place:
            self.data.clear()
            self.start = chunk.start
        at = len(self.data)
        self.data += fresh
        return at

    def feed_past(self, chunk: Chunk[Where], size: int) -> None:
        """Take a chunk where nothing is here, and consume ``size`` bytes, all there or not."""
        self.previous, self.mark = None, chunk.mark
        self.start = chunk.start + size
        here = len(chunk.data)
        if size < here:
            self.data += chunk.data[size:]
        elif size > here:
            self._stream.skip_to(self.start)

    def take(self, size: int) -> bytes:
        """Consume ``size`` bytes, which are there."""
        taken = bytes(self.data[:size])
        del self.data[:size]
        self.start += size
        return taken

    def skip(self, size: int) -> None:
        """Consume ``size`` bytes, there or still to come, without looking at them."""
        here = len(self.data)
        if size <= here:
            del self.data[:size]
            self.start += size
            return
        self.data.clear()
        self.start += size
        self._stream.skip_to(self.start)

    def clear(self) -> None:
        """Forget what is here: a gap follows."""
        self.start += len(self.data)
        self.data.clear()
