"""The way of a block: kernels over all packets, then Python for the few that carry an answer."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from wardwatch.capture import open_capture
from wardwatch.decode import columns as kinds
from wardwatch.decode.columns import DECODED, MALFORMED, SKIPPED, PacketColumns
from wardwatch.decode.conversations import ConversationTable
from wardwatch.decode.fragments import Fragments, Key, Whole, reassembled
from wardwatch.decode.kernels import headers, young
from wardwatch.decode.kernels.select import is_behind, select_messages
from wardwatch.decode.kernels.young import tell
from wardwatch.decode.stream import ACK, FIN, RST, SYN
from wardwatch.model.values import NS
from wardwatch.observe import discovery
from wardwatch.observe.ahead import Decoded, decoded
from wardwatch.observe.bindings import Bindings
from wardwatch.observe.conversations import write_conversations
from wardwatch.observe.datagrams import Datagrams
from wardwatch.observe.fast_rows import FastRows
from wardwatch.observe.radio import Radio
from wardwatch.observe.segments import segment_name
from wardwatch.observe.sessions import FOLLOW, IGNORE, Sessions
from wardwatch.observe.tally import Tally
from wardwatch.observe.text import ip_of, mac_of, printable
from wardwatch.observe.vantage import Vantage, vantage_of_messages
from wardwatch.observe.where import Where
from wardwatch.observe.young import Young

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wardwatch.decode.conversations import Columns
    from wardwatch.model.block import CaptureFile, PacketBlock
    from wardwatch.observe.secrets import Secrets
    from wardwatch.observe.tables import Spool
    from wardwatch.observe.young import Piece, Told

DEVICE_PREFIXES = (0x001A01, 0x0003B1)
"""Prefixes of the advisory's manufacturer and of its successor: what their devices send or get is
read by the Python parsers, which are the definition. Not a judgement of what the device is."""

MOST_CONVERSATIONS = 1 << 18
"""Conversations kept at once: 84 MB, and no flood takes us over 500 MB in all; those over,
unanswered or longest idle are written early."""

WRITE_ROWS = 8_192
"""Conversations that have left the table are written in pieces of so many."""

SETTLE_ROWS = 512
"""Handshakes are written so many at a time: a column costs as much to begin as to fill."""

OUTCOMES = {DECODED: "decoded", SKIPPED: "skipped", MALFORMED: "malformed"}


class Observer:
    """Takes files one after the other and fills the tables of one run."""

    def __init__(
        self,
        spool: Spool,
        secrets: Secrets,
        *,
        idle_s: float = 0.0,
        seats: int = young.SEATS,
        threads: int = 0,
    ) -> None:
        """``seats``: conversations that the kernel follows at once; 0 leaves all to Python.

        ``threads``: 1 reads, decodes and understands in one; 0 as many as there is use for.
        """
        self.packets = 0
        self.outcomes = [0, 0, 0]
        """Packets decoded, skipped, malformed."""
        self.damaged = False
        self._spool = spool
        self._columns = PacketColumns.of_size(0)
        self._events = headers.Events()
        """Tags counted where packets are decoded, which may be another thread."""
        self._late_events = headers.Events()
        """Tags inside of datagrams put together from fragments."""
        self._threads = threads
        self._vantage = Vantage(spool)
        self._conversations = ConversationTable(MOST_CONVERSATIONS, round(idle_s * NS))
        self._bindings = Bindings(spool)
        self._datagrams = Datagrams(spool, secrets)
        self._datagrams.on_binding = self._bindings.note
        self._sessions = Sessions(spool, secrets, self._datagrams)
        prefixes = np.array(DEVICE_PREFIXES, np.uint32)
        self._young = Young(self._sessions.shared, self._vantage.names, prefixes, seats)
        self._fragments = Fragments()
        self._discovery = discovery.Discovery(spool)
        self._radio = Radio(self._datagrams)
        self._told_given_up = 0
        self._interest: dict[int, int] = {}
        self._fast = FastRows(spool, prefixes)
        self._bulk = (
            (kinds.KIND_DNS, self._fast.dns),
            (kinds.KIND_DHCP, self._fast.dhcp),
            (kinds.KIND_ARP, self._fast.arp),
        )

    @property
    def parser_calls(self) -> int:
        """Messages that a Python parser has read."""
        parsers = (self._datagrams, self._sessions, self._discovery)
        return sum(part.parser_calls for part in parsers)

    def read(self, number: int, path: str, progress: Callable[[int], None]) -> None:
        """Read one file to its end, or to its damage.

        Raises ``CaptureError`` where there is nothing to read a packet from.
        """
        tally = Tally()
        with open_capture(path, number) as reader:
            with closing(decoded(reader, self._events, threads=self._threads)) as blocks:
                for given in blocks:
                    self._take(given, tally)
                    progress(given.bytes_read)
            self._account(reader.result, tally)
        self._events.clear()
        self._late_events.clear()

    def finish(self) -> None:
        """Write what stays open to the end of all files."""
        self._settle()
        for pieces in self._young.living():
            self._reread(pieces)
        self._sessions.finish()
        self._fast.finish()
        self._datagrams.finish()
        self._vantage.finish()
        self._bindings.finish()
        for piece in self._conversations.pieces(WRITE_ROWS):
            self._write(piece)
        self._write_segments()

    def _take(self, given: Decoded, tally: Tally) -> None:
        """One block, from conversations to messages."""
        block, columns = given.block, given.columns
        n = block.n
        if not n:
            return
        self._columns = columns
        tally.take(block, columns)
        self._vantage.take(block, columns, given.interfaces, headers.TUNNELS)
        self._conversations.update(block, columns, self._vantage.segment)
        self._messages(block)
        if self._conversations.pending > WRITE_ROWS:
            for piece in self._conversations.finished_pieces(WRITE_ROWS):
                self._write(piece)

    def _messages(self, block: PacketBlock) -> None:
        """Messages that carry an answer: the ordinary in bulk, the others one by one."""
        columns = self._columns
        rows = select_messages(block.n, columns)
        kind = columns.kind[rows]
        wanted = kind != kinds.KIND_WIFI
        for number, bulk in self._bulk:
            chosen = np.flatnonzero(kind == number)
            if chosen.size:
                own = rows[chosen]
                segment = self._vantage.segment[own].astype(np.int64)
                left = bulk(block, columns, own, segment, self._vantage.names)
                wanted[chosen] = False
                wanted[chosen[left]] = True
        asked = np.zeros(block.n, np.uint8)
        asked[rows[wanted]] = 1

        names, arena, row = self._vantage.names, block.arena, self._conversations.row

        def read(told: Told, pieces: Sequence[Piece]) -> None:
            if pieces:
                self._reread(pieces)
            i = told[young.ROW]
            if columns.kind[i] != kinds.KIND_TCP:
                self._message(block, columns, i, _cited(names, told))
            elif self._is_wanted(told):
                start = told[young.START]
                payload = arena[start : start + told[young.LENGTH]].tobytes()
                self._segment(told, payload, _cited(names, told), int(row[i]))

        self._young.walk(block, columns, asked, self._vantage.segment, self._conversations, read)
        self._settle(SETTLE_ROWS)
        for i in discovery.rows_of(columns, block.n).tolist():
            self._discovery.read(_payload(block, columns, i), self._where(block, columns, i))
        self._radio.take(block, columns, lambda i: self._where(block, columns, i))

    def _settle(self, least: int = 1) -> None:
        """Rows of the handshakes that the kernel saw to their end."""
        for pieces in self._young.settle(least):
            self._reread(pieces)

    def _is_wanted(self, told: Told) -> bool:
        """Whether a segment is wanted still, behind those that were told together with it."""
        number = told[young.CONVERSATION]
        flow = self._sessions.flow(number)
        if flow is None:
            return self._interest.get(number) != IGNORE
        unwanted = flow.streams[1 - told[young.FROM_ORIG]].unwanted()
        if unwanted is None or told[young.FLAGS] & (SYN | FIN | RST):
            return True
        return told[young.LENGTH] > 0 and is_behind(
            told[young.SEQ], told[young.LENGTH], unwanted[1]
        )

    def _reread(self, pieces: Sequence[Piece]) -> None:
        """Segments of a conversation that the kernel gave up, from its first word."""
        for piece in pieces:
            self._segment(piece.told, piece.payload, _cited(self._vantage.names, piece.told))

    def _where(self, block: PacketBlock, columns: PacketColumns, i: int) -> Where:
        """The packet of row ``i`` as rows of tables will cite it."""
        return _cited(self._vantage.names, tell(block, columns, i, int(self._vantage.segment[i])))

    def _message(self, block: PacketBlock, columns: PacketColumns, i: int, where: Where) -> None:
        """One packet that carries an answer."""
        kind = int(columns.kind[i])
        if kind == kinds.KIND_TCP:
            # from fragments: its conversation may be one that the kernel follows
            self._reread(self._young.leave(self._conversations, where.conversation))
            self._segment(tell(block, columns, i, 0), _payload(block, columns, i), where)
        elif kind == kinds.KIND_FRAGMENT:
            self._fragment(block, columns, i, where)
        else:
            self._datagrams.read(
                kind,
                _payload(block, columns, i),
                where,
                claimed=int(columns.payload_claimed[i]),
                extension_headers=bool(columns.extensions[i]),
            )

    def _fragment(self, block: PacketBlock, columns: PacketColumns, i: int, where: Where) -> None:
        """One fragment: its datagram goes on when it is whole, or can never be."""
        whole, anomalies = self._fragments.take(block, columns, i)
        if anomalies:
            self._datagrams.anomalies("ip", anomalies, where)
        if whole is not None:
            one, inner = reassembled(whole, block, columns, i, self._late_events)
            there = self._vantage.segment[i : i + 1]
            self._conversations.touch(one, inner, whole, there)
        elif _cut_at_its_beginning(columns, i):
            # It never will be whole: what is there is read as far as it goes.
            one, inner = reassembled(
                _alone(block, columns, i), block, columns, i, self._late_events
            )
            inner.conversation[0] = columns.conversation[i]
        else:
            return
        if int(inner.kind[0]) not in (kinds.KIND_NONE, kinds.KIND_FRAGMENT, kinds.KIND_WIFI):
            inside = _segment_inside(columns, i, inner, where.segment)
            self._message(one, inner, 0, _cited((inside,), tell(one, inner, 0, 0)))

    def _segment(self, told: Told, payload: bytes, where: Where, near: int = -1) -> None:
        """One TCP segment of a conversation that somebody reads, or may come to read.

        ``near`` is the row of the conversation, where that is known.
        """
        number = where.conversation
        from_orig = bool(told[young.FROM_ORIG])
        flags = told[young.FLAGS]
        before = self._interest.get(number)
        if before is None:
            before = self._interest[number] = -1
            self._begin(number, where, from_orig, flags, near)
        flow = self._sessions.segment(
            number,
            from_orig,
            told[young.SEQ],
            told[young.ACK],
            flags,
            payload,
            where,
            told[young.CLAIMED],
        )
        interest = IGNORE if flow is None else flow.follower.interest
        if interest != before:
            self._interest[number] = interest
            agrees = flow is not None and flow.follower.agrees
            self._conversations.interest(number, interest, agrees=agrees, near=near)
        if flow is not None and interest == FOLLOW:
            unwanted = flow.streams[0 if from_orig else 1].unwanted()
            if unwanted is not None:
                self._conversations.skip_until(number, from_orig, unwanted[1], near)

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
            self._sessions.begin(number, orig, resp, where if from_orig else _turned(where))

    def _write(self, columns: Columns) -> None:
        """Rows of conversations that have left the table."""
        self._settle()
        sessions = self._sessions
        for seat in columns["seat"][columns["seat"] > 0].tolist():
            self._reread(self._young.vacate(seat))
        for number in columns["conversation"].tolist():
            if self._interest.pop(number, None) is not None:
                sessions.close(number)
        write_conversations(
            self._spool, columns, self._vantage.names, sessions.services, sessions.counters
        )
        for number in columns["conversation"].tolist():
            sessions.services.pop(number, None)
            sessions.counters.pop(number, None)

    def _write_segments(self) -> None:
        """The vantage, with what conversations and messages add to it."""
        told = vantage_of_messages(self._spool)
        for row in self._vantage.rows(headers.TUNNELS):
            self._spool.add("segments", {**row, **told(row["capture"], row["segment"])})

    def _segment_name(self, i: int) -> str:
        """Segment of row ``i`` of the present block."""
        return self._vantage.names[int(self._vantage.segment[i])]

    def _given_up(self) -> int:
        """Conversations, streams and stations given up so far because a bound was reached."""
        sessions = self._sessions
        read = sessions.evicted + sessions.shared.given_up
        return self._conversations.evicted + read + self._vantage.missed

    def _account(self, file: CaptureFile, tally: Tally) -> None:
        """Rows of one file that has been read."""
        outcomes = tally.outcomes()
        self.packets += file.packets
        self.outcomes = [a + b for a, b in zip(self.outcomes, outcomes, strict=True)]
        self.damaged = self.damaged or bool(file.damage)
        self._spool.add(
            "captures",
            {
                "capture": file.number,
                "name": printable(Path(file.name).name),
                "sha256": file.sha256,
                "stored_bytes": file.stored_bytes,
                "format": file.format,
                "compression": file.compression,
                "byte_order": file.byte_order,
                "packets": file.packets,
                "decoded": outcomes[DECODED],
                "skipped": outcomes[SKIPPED],
                "malformed": outcomes[MALFORMED],
                "captured_bytes": file.captured_bytes,
                "wire_bytes": file.wire_bytes,
                "first_ts": tally.first,
                "last_ts": tally.last,
                "cut_packets": tally.cut,
                "clock_jumps": tally.jumps,
                "damage": [f"byte {d.offset}: {printable(d.problem)}" for d in file.damage],
                "comments": list(file.comments),
                "evicted": self._given_up() - self._told_given_up,
            },
        )
        self._told_given_up = self._given_up()
        for interface in file.interfaces:
            self._spool.add(
                "interfaces",
                {
                    "capture": file.number,
                    "interface": interface.index,
                    "name": interface.name,
                    "description": interface.description,
                    "link": interface.link,
                    "snaplen": interface.snaplen,
                    "filter": interface.filter,
                    "resolution": interface.resolution,
                    "received": interface.received,
                    "dropped": interface.dropped,
                    "os_dropped": interface.os_dropped,
                    "packets": tally.of_interface(interface.index),
                },
            )
        for outcome, reason, count, first in tally.rows():
            self._spool.add(
                "accounting",
                {
                    "capture": file.number,
                    "outcome": OUTCOMES[outcome],
                    "reason": headers.REASONS[reason],
                    "packets": count,
                    "first_packet": first,
                },
            )
        for kind, value, count, first in self._events.rows(self._late_events):
            self._spool.add(
                "encapsulations",
                {
                    "capture": file.number,
                    "kind": kind,
                    "value": value,
                    "packets": count,
                    "first_packet": first,
                },
            )


def _segment_inside(outer: PacketColumns, i: int, inner: PacketColumns, segment: str) -> str:
    """The segment of a datagram put together: another one where a tunnel began inside of it."""
    tunnel, tunnel_id = int(inner.tunnel[0]), int(inner.tunnel_id[0])
    if (tunnel, tunnel_id) == (int(outer.tunnel[i]), int(outer.tunnel_id[i])):
        return segment
    _, at, name = segment.partition("@")
    return segment_name(
        air=False,
        vlan=int(inner.vlan[0]),
        outer_tag=int(inner.outer_tag[0]),
        tunnel=headers.TUNNELS[tunnel],
        tunnel_id=tunnel_id,
        suffix=at + name,
    )


def _cut_at_its_beginning(columns: PacketColumns, i: int) -> bool:
    """Whether row ``i`` is a first fragment of which the capture holds only a part."""
    cut = int(columns.payload_len[i]) < int(columns.payload_claimed[i])
    return cut and int(columns.fragment[i]) >> 1 == 0


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
    payload = _payload(block, columns, i)
    return Whole(key, int(columns.proto[i]), payload, (block.first + i,), ts, ts, size)


def _payload(block: PacketBlock, columns: PacketColumns, i: int) -> bytes:
    """What the packet of row ``i`` carries."""
    start, size = int(columns.payload[i]), int(columns.payload_len[i])
    return block.arena[start : start + size].tobytes() if start >= 0 else b""


def _cited(names: Sequence[str], told: Told) -> Where:
    """A packet as rows of tables will cite it; ``names`` are those of segments."""
    (
        packet, ts, whole, capture, has_mac, src_mac, dst_mac, net, src_hi, src_lo, src_port,
        dst_hi, dst_lo, dst_port, conversation, ttl, segment,
    ) = told[: young.WHERE + 1]  # fmt: skip
    return Where(
        capture,
        packet,
        ts,
        names[segment],
        mac_of(src_mac) if has_mac else "",
        mac_of(dst_mac) if has_mac else "",
        ip_of(net, src_hi, src_lo),
        src_port,
        ip_of(net, dst_hi, dst_lo),
        dst_port,
        conversation,
        ttl if net else -1,
        whole != 0,
    )


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
