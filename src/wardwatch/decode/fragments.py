"""IP fragments put together again: bounded, and overlaps named instead of resolved in silence.

Sans-io: time is an argument. A datagram with overlapping fragments is discarded, as RFC 5722
orders for IPv6 and as no honest sender of IPv4 gives reason not to; an exact copy of a fragment
is no overlap (RFC 8200 §4.5).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from wardwatch.decode.columns import PacketColumns
from wardwatch.model.block import PacketBlock
from wardwatch.model.evidence import Anomaly, ByteSpan, Fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from wardwatch.decode.kernels.headers import Events

OVERLAP = Fault("ip_fragment_overlap", "RFC 5722 §4, RFC 1858 §4: fragments of a packet overlap")
TOO_LONG = Fault(
    "ip_fragment_too_long", "RFC 791 §3.1, RFC 8200 §4.5: a fragment ends behind octet 65,535"
)
UNALIGNED = Fault(
    "ip_fragment_unaligned",
    "RFC 791 §3.1, RFC 8200 §4.5: a fragment that is not the last is no multiple of 8 octets",
)
TWO_ENDS = Fault("ip_fragment_two_ends", "RFC 815 §3: two last fragments end at different octets")
TINY = Fault(
    "ip_fragment_tiny", "RFC 1858 §3: the first fragment does not hold the transport header"
)

FAULTS: tuple[Fault, ...] = (OVERLAP, TOO_LONG, UNALIGNED, TWO_ENDS, TINY)

MAX_DATAGRAMS = 1024
"""Datagrams under way at once: whoever sends first fragments only must not fill our memory."""
MAX_BYTES = 8 << 20
"""Octets of memory of all of them together."""
PIECE_COST = 256
"""Octets that a piece takes beside its data: it may be of eight, or one, where a capture cut it."""
MAX_PIECES = 8192
"""Fragments of one datagram: 65,535 octets in pieces of 8. Of more, repeated, the first are cited."""
TIMEOUT_NS = 60 * 10**9
"""RFC 8200 §4.5: 60 seconds from the first that came; RFC 1122 §3.3.2 allows 60 to 120 for IPv4."""

HEADER_SIZES = {6: 20, 17: 8, 1: 8, 58: 8, 132: 12}
"""Octets of a transport header that the first fragment has to hold."""


class Key(msgspec.Struct, frozen=True, gc=False):
    """What tells the datagram of a fragment (RFC 791 §3.2, RFC 8200 §4.5)."""

    net: int
    """4 or 6."""
    src: int
    dst: int
    ip_id: int
    proto: int = -1
    """IPv4 only: the next header of a later IPv6 fragment need not be that of the first."""
    vlan: int = -1
    outer_tag: int = 0


class Whole(msgspec.Struct, frozen=True):
    """A datagram whose fragments are all there."""

    key: Key
    proto: int
    """IP protocol, by the first fragment."""
    payload: bytes
    """What stands behind the IP header (IPv6: behind the fragment header)."""
    packets: int
    """Packets that brought it, repeated ones too."""
    first_ts: int
    last_ts: int
    ip_bytes: int
    """IP lengths of the fragments, summed."""
    counted: int = 0
    """Fragments that the conversation table has counted already: the first, with its ports."""
    counted_bytes: int = 0
    """IP lengths of those."""

    def packet(self, ttl: int = 64) -> bytes:
        """The datagram as one unfragmented IP packet, to be decoded like any other (raw IP).

        A payload too long for the length field leaves it 0, which says "what is left".
        """
        key, size = self.key, len(self.payload)
        if key.net == 4:
            total = size + 20 if size + 20 <= 0xFFFF else 0
            return b"".join(
                (
                    b"\x45\x00",
                    total.to_bytes(2, "big"),
                    (key.ip_id & 0xFFFF).to_bytes(2, "big"),
                    b"\x00\x00",
                    bytes((ttl & 0xFF, self.proto & 0xFF)),
                    b"\x00\x00",
                    key.src.to_bytes(4, "big"),
                    key.dst.to_bytes(4, "big"),
                    self.payload,
                )
            )
        return b"".join(
            (
                b"\x60\x00\x00\x00",
                (size if size <= 0xFFFF else 0).to_bytes(2, "big"),
                bytes((self.proto & 0xFF, ttl & 0xFF)),
                key.src.to_bytes(16, "big"),
                key.dst.to_bytes(16, "big"),
                self.payload,
            )
        )


class Transport(msgspec.Struct, frozen=True, gc=False):
    """Ports and payload of a whole datagram."""

    src_port: int
    dst_port: int
    payload: bytes
    claimed: int
    """Octets of payload by the header."""


class _Partial:
    """A datagram under way: its pieces by offset, none of which overlap."""

    __slots__ = (
        "bad",
        "counted",
        "counted_bytes",
        "cut",
        "end",
        "first_ts",
        "ip_bytes",
        "last_ts",
        "packets",
        "pieces",
        "proto",
        "size",
        "starts",
    )

    def __init__(self, ts: int) -> None:
        self.first_ts = ts
        self.last_ts = ts
        self.proto = -1
        self.pieces: dict[int, bytes] = {}
        self.starts: list[int] = []  # their offsets, ascending: a look at two neighbours suffices
        self.packets = 0
        self.size = 0
        self.ip_bytes = 0
        self.counted = 0
        self.counted_bytes = 0
        self.end = -1  # octets in all, once the last fragment is there
        self.bad = False  # it overlapped: RFC 5722 has all of it discarded, later pieces too
        self.cut = False  # the capture did not keep all of some piece

    @property
    def held(self) -> int:
        """Octets of memory."""
        return self.size + PIECE_COST * len(self.pieces)


UnderWay = dict[Key, _Partial]
"""Datagrams under way, oldest first; pickle takes them to another process."""


class Fragments:
    """Datagrams under way, oldest first."""

    def __init__(
        self,
        max_datagrams: int = MAX_DATAGRAMS,
        max_bytes: int = MAX_BYTES,
        timeout_ns: int = TIMEOUT_NS,
    ) -> None:
        """Bounds on what is kept at once."""
        self.expired = 0
        """Datagrams given up: time ran out, or a bound was reached."""
        self._max_datagrams = max_datagrams
        self._max_bytes = max_bytes
        self._timeout = timeout_ns
        self.met: set[Key] | None = None
        """The datagrams that any fragment belonged to, where somebody wants to know them."""
        self._under_way: OrderedDict[Key, _Partial] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        """Datagrams under way."""
        return len(self._under_way)

    @property
    def buffered(self) -> int:
        """Octets of memory for what is kept."""
        return self._bytes

    def awaits(self, keys: Iterable[Key]) -> bool:
        """Whether one of these datagrams is under way."""
        return any(key in self._under_way for key in keys)

    def under_way(self) -> UnderWay:
        """The datagrams that still miss something, for :meth:`absorb` elsewhere."""
        return dict(self._under_way)

    def can_absorb(self, under_way: UnderWay) -> str:
        """Why :meth:`absorb` could not be exact; ``""`` where it will be."""
        octets = self._bytes + sum(partial.held for partial in under_way.values())
        if len(self) + len(under_way) > self._max_datagrams or octets > self._max_bytes:
            return "too many datagrams are in fragments"
        return ""

    def absorb(self, under_way: UnderWay) -> None:
        """Go on with datagrams none of whose fragments has come here (:meth:`awaits`)."""
        self._under_way.update(under_way)
        self._bytes += sum(partial.held for partial in under_way.values())

    def take(
        self, block: PacketBlock, columns: PacketColumns, rows: Sequence[int]
    ) -> Iterator[tuple[Whole | None, tuple[Anomaly, ...]]]:
        """Take the fragments in ``rows`` of a block that is decoded, one after the other.

        One that shows ports is counted by the conversation table. See :meth:`add`.
        """
        at = np.asarray(rows, np.int64)
        octets = block.arena.data
        facts = [
            getattr(columns, name)[at].tolist()
            for name in (
                "net", "src_hi", "src_lo", "dst_hi", "dst_lo", "ip_id", "proto", "vlan", "outer_tag",
                "fragment", "payload", "payload_len", "payload_claimed", "ip_bytes", "src_port",
            )
        ]  # fmt: skip
        for (
            net, src_hi, src_lo, dst_hi, dst_lo, ip_id, proto, vlan, outer_tag,
            fragment, start, size, claimed, ip_bytes, src_port, ts,
        ) in zip(*facts, block.time[at].tolist(), strict=True):  # fmt: skip
            yield self.add(
                Key(
                    net,
                    src_hi << 64 | src_lo,
                    dst_hi << 64 | dst_lo,
                    ip_id,
                    proto if net == 4 else -1,
                    vlan,
                    outer_tag,
                ),
                proto,
                fragment >> 1,
                bool(fragment & 1),
                bytes(octets[start : start + size]),
                ts,
                ip_bytes=ip_bytes,
                whole=claimed <= size,
                counted=src_port >= 0,
            )

    def add(
        self,
        key: Key,
        proto: int,
        offset: int,
        more: bool,
        data: bytes,
        ts: int,
        *,
        ip_bytes: int = 0,
        whole: bool = True,
        counted: bool = False,
    ) -> tuple[Whole | None, tuple[Anomaly, ...]]:
        """Take a fragment: the datagram if this was the last piece missing, and what was wrong.

        ``offset`` in octets; ``whole`` is false where the capture cut the fragment: its datagram
        is given up when complete, for what it said is not known.
        """
        if self.met is not None:
            self.met.add(key)
        self._expire(ts)
        partial = self._under_way.get(key)
        if partial is None:
            partial = self._under_way[key] = _Partial(ts)
            if len(self._under_way) > self._max_datagrams or self._bytes > self._max_bytes:
                self._bound()
        if partial.bad:
            return None, ()
        faults = self._place(partial, proto, offset, more, data, whole)
        if partial.bad:
            self._drop(partial)
        else:
            partial.packets += 1
            partial.last_ts = max(partial.last_ts, ts)
            partial.ip_bytes += ip_bytes
            if counted:
                partial.counted += 1
                partial.counted_bytes += ip_bytes
        anomalies: tuple[Anomaly, ...] = ()
        if faults:
            span = ByteSpan(offset, offset + len(data))
            anomalies = tuple(Anomaly(fault, span, *numbers) for fault, *numbers in faults)
        if partial.bad or partial.size != partial.end:
            return None, anomalies
        self._bytes -= partial.held
        del self._under_way[key]
        if partial.cut:
            return None, anomalies
        pieces = partial.pieces
        return (
            Whole(
                key=key,
                proto=partial.proto,
                payload=b"".join([pieces[at] for at in partial.starts]),
                packets=partial.packets,
                first_ts=partial.first_ts,
                last_ts=partial.last_ts,
                ip_bytes=partial.ip_bytes,
                counted=partial.counted,
                counted_bytes=partial.counted_bytes,
            ),
            anomalies,
        )

    def _place(
        self, partial: _Partial, proto: int, offset: int, more: bool, data: bytes, whole: bool
    ) -> Sequence[tuple[Fault, int, int]]:
        """Put a piece where it belongs; faults as (fault, claimed, present)."""
        size = len(data)
        stop = offset + size
        if stop > 0xFFFF:
            partial.bad = True
            return ((TOO_LONG, stop, 0xFFFF),)
        if more and whole and size % 8:
            partial.bad = True
            return ((UNALIGNED, size, size // 8 * 8),)
        starts, pieces = partial.starts, partial.pieces
        place, last = 0, stop
        if starts:
            if pieces.get(offset) == data and (not more) == (stop == partial.end):
                return ()  # the same fragment again
            place = bisect_left(starts, offset)
            before = starts[place - 1] if place else -1
            reached = before + len(pieces[before]) if place else 0
            follows = starts[place] if place < len(starts) else stop
            if reached > offset or follows < stop:
                partial.bad = True
                return ((OVERLAP, stop, offset),)
            last = max(starts[-1] + 1, stop)
        if not more:
            if partial.end >= 0 and partial.end != stop:
                partial.bad = True
                return ((TWO_ENDS, stop, partial.end),)
            partial.end = stop
        if partial.end >= 0 and last > partial.end:
            partial.bad = True
            return ((TWO_ENDS, last, partial.end),)
        if not data:
            return ()
        faults: Sequence[tuple[Fault, int, int]] = ()
        if offset == 0:
            partial.proto = proto
            needed = HEADER_SIZES.get(proto, 0)
            if more and size < needed:
                faults = ((TINY, needed, size),)
        if len(pieces) >= MAX_PIECES:
            partial.bad = True
            return ()
        partial.cut = partial.cut or not whole
        pieces[offset] = data
        starts.insert(place, offset)
        partial.size += size
        self._bytes += size + PIECE_COST
        if self._bytes > self._max_bytes:
            self._bound()
        return faults

    def _drop(self, partial: _Partial) -> None:
        """Forget what a datagram said; its key stays, so that later pieces are discarded too."""
        self._bytes -= partial.held
        partial.size = 0
        partial.pieces.clear()
        partial.starts.clear()

    def _expire(self, now: int) -> None:
        while self._under_way:
            oldest = next(iter(self._under_way.values()))
            if now - oldest.first_ts <= self._timeout:
                return
            self._give_up()

    def _bound(self) -> None:
        while len(self._under_way) > self._max_datagrams or (
            self._bytes > self._max_bytes and len(self._under_way) > 1
        ):
            self._give_up()

    def _give_up(self) -> None:
        _, partial = self._under_way.popitem(last=False)
        self._bytes -= partial.held
        if not partial.bad:
            self.expired += 1


class Reassembled:
    """Datagrams put together from fragments of one block, decoded as a block of their own.

    Its arrays are used again and again: kernels know them. They hold until the next decoding.
    """

    def __init__(self) -> None:
        self.columns = PacketColumns.of_size(0)
        self.block = _empty(0, np.zeros(0, np.uint8))

    def decode(
        self,
        wholes: Sequence[tuple[int, Whole]],
        block: PacketBlock,
        columns: PacketColumns,
        events: Events,
    ) -> None:
        """Decode whole datagrams, each with the link of the last of its fragments.

        ``wholes`` are rows of ``block``, ascending, with the datagram that each of these fragments
        made whole. The first of them becomes row 0, and the others stand as far behind it as they
        do in ``block``: so packets keep their numbers. Rows between are of no use. What a datagram
        carries (a tunnel, say) is read as deep as in any other packet.
        """
        from wardwatch.decode.kernels.headers import decode_block

        rows = np.array([i for i, _ in wholes])
        first = int(rows[0])
        there, n = rows - first, int(rows[-1]) - first + 1
        ttls = columns.ttl[rows].tolist()
        packets = [whole.packet(ttl) for (_, whole), ttl in zip(wholes, ttls, strict=True)]
        sizes = np.array([len(packet) for packet in packets])
        self._make_room(n, int(sizes.sum()))
        one = self.block
        one.capture, one.first, one.n = block.capture, block.first + first, n
        one.arena[: sizes.sum()] = np.frombuffer(b"".join(packets), np.uint8)
        one.length[:n] = one.wire[:n] = 0
        one.offset[there] = np.cumsum(sizes) - sizes
        one.length[there] = one.wire[there] = sizes
        one.time[there], one.interface[there] = block.time[rows], block.interface[rows]
        decoded = self.columns
        decoded.conversation[:n] = decoded.from_orig[:n] = 0
        decode_block(one, decoded, events)
        for sign, names in LENT.items():
            lacks = getattr(decoded, sign)[there] == 0
            for name in names if lacks.any() else ():
                getattr(decoded, name)[there[lacks]] = getattr(columns, name)[rows[lacks]]

    def _make_room(self, rows: int, octets: int) -> None:
        """Room for so many packets and octets."""
        self.columns = self.columns.for_size(rows)
        if len(self.block.arena) < octets:
            self.block.arena = np.zeros(1 << (octets - 1).bit_length(), np.uint8)
        if len(self.block.offset) < rows:
            self.block = _empty(len(self.columns.kind), self.block.arena)


def _empty(rows: int, arena: NDArray[np.uint8]) -> PacketBlock:
    """A block with room for so many packets, none of which is there yet."""
    return PacketBlock(
        capture=0,
        first=0,
        n=0,
        arena=arena,
        offset=np.zeros(rows, np.int64),
        length=np.zeros(rows, np.int32),
        wire=np.zeros(rows, np.int64),
        time=np.zeros(rows, np.int64),
        link=np.full(rows, RAW_IP, np.int32),
        interface=np.zeros(rows, np.int32),
    )


RAW_IP = 101
"""LINKTYPE_RAW."""
LENT = {
    "has_mac": ("src_mac", "dst_mac", "vlan", "outer_tag", "has_mac"),
    "tunnel": ("tunnel_id", "wlan_subtype", "tunnel"),
}
"""What a datagram has of its last fragment, where it shows no such sign of its own."""


def parse_transport(proto: int, payload: bytes) -> Transport | None:
    """Ports and payload of a whole datagram; ``None`` where its header is not all there."""
    if proto == 17 and len(payload) >= 8:
        claimed = int.from_bytes(payload[4:6], "big") or len(payload)
        body = payload[8 : max(claimed, 8)]
        size = max(claimed - 8, 0)
    elif proto == 6 and len(payload) >= 20:
        header = (payload[12] >> 4) * 4
        if header < 20 or header > len(payload):
            return None
        body = payload[header:]
        size = len(body)
    elif proto in (1, 58) and len(payload) >= 4:
        return Transport(payload[0], payload[1], payload, len(payload))
    else:
        return None
    return Transport(
        int.from_bytes(payload[:2], "big"), int.from_bytes(payload[2:4], "big"), body, size
    )
