"""Rows of ordinary DNS, DHCP and ARP by the thousand: kernel outputs become columns.

The kernels append to buffers that live over many blocks; when a buffer is full, and in
:meth:`FastRows.finish`, its rows go to the spool in one piece. What the kernels leave, and
whatever concerns a device's MAC prefix, stays for the Python parsers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wardwatch.decode.kernels import rows_arp, rows_dhcp, rows_dns, rows_place
from wardwatch.decode.wire import dhcp
from wardwatch.observe.datagrams import DNS_PORTS
from wardwatch.observe.spelled import ip4s, ips, macs, spelled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from wardwatch.decode.columns import PacketColumns
    from wardwatch.model.block import PacketBlock
    from wardwatch.observe.tables import Spool

ROOM = 8_192
"""Rows buffered of one table: a few MB, and row groups large enough for Parquet."""
DNS_QUERY_BYTES = 64 * ROOM
DNS_TEXT_BYTES = 64 * ROOM
DHCP_HEAP_BYTES = 512 * ROOM // 4

_NUMBERS = {name: at for at, name in enumerate(rows_dhcp.NUMBERS)}
_SPANS = {name: at for at, name in enumerate(rows_dhcp.SPANS)}

_NOWHERE = np.zeros(0, np.int64)
_CHADDR = np.array([28], np.int64)
"""RFC 2131 §2."""
_SHA_THA = np.array([8, 18], np.int64)
"""ar$sha and ar$tha (RFC 826) of addresses of 6 and 4 octets."""


class FastRows:
    """Buffers of ordinary rows, and the prefixes that are never ordinary."""

    def __init__(self, spool: Spool, devices: NDArray[np.uint32] | None = None) -> None:
        """``devices``: sorted 24 bit prefixes (OUI) whose messages the parsers shall read."""
        self.spool = spool
        self.devices = np.sort(np.asarray([] if devices is None else devices, np.uint32))
        self._names: Sequence[str] = ()
        self._plain = np.zeros(0, np.int64)
        self._status = np.zeros(0, np.uint8)
        self._dns = _Buffer(ROOM, len(rows_dns.NUMBERS), 4, self._flush_dns)
        self._dns_query = np.zeros(DNS_QUERY_BYTES, np.uint8)
        self._dns_answers = np.zeros((4 * ROOM, len(rows_dns.ANSWERS)), np.int64)
        self._dns_text = np.zeros(DNS_TEXT_BYTES, np.uint8)
        self._dhcp = _Buffer(ROOM // 4, len(rows_dhcp.NUMBERS), 2, self._flush_dhcp)
        self._dhcp_spans = np.zeros((ROOM // 4, len(rows_dhcp.SPANS), 2), np.int64)
        self._dhcp_heap = np.zeros(DHCP_HEAP_BYTES, np.uint8)
        self._arp = _Buffer(ROOM, len(rows_arp.NUMBERS), 1, self._flush_arp)

    def dns(
        self,
        block: PacketBlock,
        columns: PacketColumns,
        rows: NDArray[np.int64],  # (≥ n,) packets of the block that are DNS over UDP
        n: int,  # how many of them
        segment: NDArray[np.int32],  # (packets,) segments, as indices into ``names``
        names: Sequence[str],
        left: NDArray[np.uint8],  # (packets,) out: 0 for what need not be parsed any more
    ) -> None:
        """Take the ordinary ones; the others are left for the parser."""
        buffer = self._dns

        def call(own: NDArray[np.int64], n: int, first: int, status: NDArray[np.uint8]) -> int:
            return int(
                rows_dns.dns_rows(
                    block.arena,
                    columns.payload,
                    columns.payload_len,
                    columns.payload_claimed,
                    own,
                    n,
                    first,
                    status,
                    buffer.numbers,
                    self._dns_query,
                    self._dns_answers,
                    self._dns_text,
                    buffer.used,
                )
            )

        self._take(buffer, call, block, columns, rows, n, _NOWHERE, segment, names, left)

    def dhcp(
        self,
        block: PacketBlock,
        columns: PacketColumns,
        rows: NDArray[np.int64],
        n: int,
        segment: NDArray[np.int32],
        names: Sequence[str],
        left: NDArray[np.uint8],
    ) -> None:
        """As :meth:`dns`, for DHCP; a device's chaddr counts like its MAC."""
        buffer = self._dhcp

        def call(own: NDArray[np.int64], n: int, first: int, status: NDArray[np.uint8]) -> int:
            return int(
                rows_dhcp.dhcp_rows(
                    block.arena,
                    columns.payload,
                    columns.payload_len,
                    columns.payload_claimed,
                    own,
                    n,
                    first,
                    status,
                    buffer.numbers,
                    self._dhcp_spans,
                    self._dhcp_heap,
                    buffer.used,
                )
            )

        self._take(buffer, call, block, columns, rows, n, _CHADDR, segment, names, left)

    def arp(
        self,
        block: PacketBlock,
        columns: PacketColumns,
        rows: NDArray[np.int64],
        n: int,
        segment: NDArray[np.int32],
        names: Sequence[str],
        left: NDArray[np.uint8],
    ) -> None:
        """As :meth:`dns`, for ARP; a device's ar$sha and ar$tha count like its MAC."""
        buffer = self._arp

        def call(own: NDArray[np.int64], n: int, first: int, status: NDArray[np.uint8]) -> int:
            return int(
                rows_arp.arp_rows(
                    block.arena,
                    columns.payload,
                    columns.payload_len,
                    columns.payload_claimed,
                    own,
                    n,
                    first,
                    status,
                    buffer.numbers,
                    buffer.used,
                )
            )

        self._take(buffer, call, block, columns, rows, n, _SHA_THA, segment, names, left)

    def finish(self) -> None:
        """Hand every buffered row to the spool."""
        self._flush_dns()
        self._flush_dhcp()
        self._flush_arp()

    def _take(
        self,
        buffer: _Buffer,
        call: Callable[[NDArray[np.int64], int, int, NDArray[np.uint8]], int],
        block: PacketBlock,
        columns: PacketColumns,
        rows: NDArray[np.int64],
        n: int,
        inside: NDArray[np.int64],
        segment: NDArray[np.int32],
        names: Sequence[str],
        left: NDArray[np.uint8],
    ) -> None:
        """Run a kernel over the plain rows, flushing when its buffers are full."""
        c = columns
        if names is not self._names:  # the caller's numbers may start anew with each capture
            self.finish()
            self._names = names
        if n > len(self._plain):  # kept, as an array that kernels know is handed on sooner
            self._plain = np.zeros(len(rows), np.int64)
            self._status = np.zeros(len(rows), np.uint8)
        own, status = self._plain, self._status
        plain = rows_place.plain_rows(
            block.arena,
            c.payload,
            c.payload_len,
            c.src_mac,
            c.dst_mac,
            rows,
            n,
            self.devices,
            inside,
            own,
        )
        first = 0
        while first < plain:
            before = int(buffer.used[0])
            stopped = call(own, plain, first, status)
            rows_place.place_rows(
                first,
                stopped,
                own,
                status,
                block.first,
                block.capture,
                block.time,
                segment,
                c.conversation,
                c.has_mac,
                c.src_mac,
                c.dst_mac,
                c.net,
                c.src_hi,
                c.src_lo,
                c.dst_hi,
                c.dst_lo,
                c.src_port,
                c.dst_port,
                c.ttl,
                before,
                buffer.places,
                left,
            )
            first = stopped
            if first < plain:
                buffer.flush()

    def _flush_dns(self) -> None:
        import pyarrow as pa

        buffer = self._dns
        n = int(buffer.used[0])
        if n:
            numbers = buffer.numbers[:n]
            kept = int(buffer.used[2])
            answers = self._dns_answers[:kept]
            flags = numbers[:, 1]
            own: dict[str, Any] = {
                name: pa.array(numbers[:, at], pa.int32())
                for at, name in enumerate(rows_dns.NUMBERS[:10])
                if name != "flags"
            }
            for name, bit in (
                ("is_response", 0x8000),
                ("AA", 0x0400),
                ("RD", 0x0100),
                ("RA", 0x0080),
            ):
                own[name] = pa.array(flags & bit != 0)
            own["opcode"] = np.zeros(n, np.int32)
            own["rcode"] = pa.array(flags & 15, pa.int32())
            own["query"] = _texts(numbers[:, 10], self._dns_query)
            ends = _ends_with_zero(numbers[:, 11])
            text = _texts(answers[:, 2], self._dns_text)
            own["answers"] = pa.ListArray.from_arrays(ends, text)
            own["answer_types"] = pa.ListArray.from_arrays(ends, pa.array(answers[:, 0]))
            own["TTLs"] = pa.ListArray.from_arrays(ends, pa.array(answers[:, 1]))
            own["whole"] = pa.array(np.ones(n, np.bool_))
            own["proto"] = pa.repeat("udp", n)
            own["kind"] = self._dns_kinds(n)
            own["ip_ttl"] = pa.array(buffer.place["ttl"][:n], pa.int32())
            own["conversation"] = buffer.place["conversation"][:n].copy()
            self.spool.extend("dns", {**self._place(buffer, n), **self._ends(buffer, n), **own})
        buffer.used[:] = 0

    def _dns_kinds(self, n: int) -> pa.Array:
        """By the port of the one who is asked, else of the one who asks."""
        place = self._dns.place
        kind = np.zeros(n, np.int64)
        for side in ("src_port", "dst_port"):
            for port in DNS_PORTS:
                kind[place[side][:n] == port] = port
        return spelled(kind, lambda port: DNS_PORTS.get(port, "dns"))

    def _flush_dhcp(self) -> None:
        import pyarrow as pa

        buffer = self._dhcp
        n = int(buffer.used[0])
        if n:
            numbers = buffer.numbers[:n]

            def raw(name: str) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
                return _pieces(self._dhcp_spans[:n, _SPANS[name]], self._dhcp_heap)

            own: dict[str, Any] = {
                name: numbers[:, _NUMBERS[name]]
                for name in ("op", "hops", "xid", "secs", "flags", "lease_time", "renewal_time")
            }
            own["msg_type"] = spelled(
                numbers[:, _NUMBERS["msg_type"]], dhcp.MESSAGE_TYPES.__getitem__
            )
            for name in ("ciaddr", "yiaddr", "siaddr", "giaddr"):
                own[name] = ip4s(numbers[:, _NUMBERS[name]], none=0)
            for name in ("server_id", "requested_addr", "subnet_mask"):
                own[name] = ip4s(numbers[:, _NUMBERS[name]], none=-1)
            own["chaddr"] = macs(numbers[:, _NUMBERS["chaddr"]], none=-1)
            for name in ("sname", "file", "domain_name", "host_name", "client_fqdn"):
                own[name] = _strings(*raw(name))
            for name in ("vendor_class", "tftp_server", "bootfile"):
                own[name] = _strings(*raw(name))
            for name in ("routers", "dns_servers"):
                own[name] = _quads(*raw(name))
            for name in ("parameter_list", "options"):
                ends, octets = raw(name)
                own[name] = pa.ListArray.from_arrays(pa.array(ends), octets.astype(np.int64))
            ends, octets = raw("client_id")
            digits = np.frombuffer(octets.tobytes().hex().encode("ascii"), np.uint8)
            own["client_id"] = _strings(ends * 2, digits)
            for short, name in (("opt66", "tftp_server"), ("opt67", "bootfile")):
                spans = self._dhcp_spans[:n, _SPANS[name]]
                size = np.where(spans[:, 0] >= 0, spans[:, 1] - spans[:, 0], -1)
                own[f"{short}_len"] = own[f"{short}_sum"] = size
            own["overload"] = own["overrun_option"] = np.full(n, -1)
            own["overrun_claimed"] = own["overrun_present"] = np.full(n, -1)
            own["whole"] = np.ones(n, np.bool_)
            self.spool.extend("dhcp", {**self._place(buffer, n), **self._ends(buffer, n), **own})
        buffer.used[:] = 0

    def _flush_arp(self) -> None:
        buffer = self._arp
        n = int(buffer.used[0])
        if n:
            numbers = buffer.numbers[:n]
            own = {
                "op": numbers[:, 0].copy(),
                "sender_mac": macs(numbers[:, 1], none=-1),
                "sender_ip": ip4s(numbers[:, 2], none=-1),
                "target_mac": macs(numbers[:, 3], none=-1),
                "target_ip": ip4s(numbers[:, 4], none=-1),
            }
            self.spool.extend("arp", {**self._place(buffer, n), **own})
        buffer.used[:] = 0

    def _place(self, buffer: _Buffer, n: int) -> dict[str, Any]:
        place = buffer.place
        has = place["has_mac"][:n]
        return {
            "capture": place["capture"][:n].copy(),
            "packet": place["packet"][:n].copy(),
            "ts": place["ts"][:n].copy(),
            "segment": spelled(place["segment"][:n], self._names.__getitem__),
            "src_mac": macs(np.where(has != 0, place["src_mac"][:n], -1), none=-1),
            "dst_mac": macs(np.where(has != 0, place["dst_mac"][:n], -1), none=-1),
        }

    def _ends(self, buffer: _Buffer, n: int) -> dict[str, Any]:
        place = buffer.place
        net = place["net"][:n]
        return {
            "src": ips(net, place["src_hi"][:n], place["src_lo"][:n]),
            "src_port": place["src_port"][:n].copy(),
            "dst": ips(net, place["dst_hi"][:n], place["dst_lo"][:n]),
            "dst_port": place["dst_port"][:n].copy(),
        }


class _Buffer:
    """Numbers of ordinary rows, and the packets they came in."""

    def __init__(self, room: int, width: int, counters: int, flush: Callable[[], None]) -> None:
        self.flush = flush
        self.numbers = np.zeros((room, width), np.int64)
        self.places = np.zeros((len(rows_place.PLACE), room), np.int64)
        self.place = dict(zip(rows_place.PLACE, self.places, strict=True))
        self.used = np.zeros(counters, np.int64)


def _pieces(
    spans: NDArray[np.int64], heap: NDArray[np.uint8]
) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """(n, 2) where pieces begin and end, -1 none ⇒ (n + 1,) offsets, and the pieces end to end."""
    begin = spans[:, 0]
    size = np.where(begin >= 0, spans[:, 1] - begin, 0)
    offsets = np.zeros(len(spans) + 1, np.int32)
    np.cumsum(size, out=offsets[1:])
    return offsets, heap[np.repeat(begin - offsets[:-1], size) + np.arange(offsets[-1])]


def _strings(offsets: NDArray[np.int32], body: NDArray[np.uint8]) -> pa.Array:
    """Strings that stand end to end; they are ASCII, the kernel saw to that."""
    import pyarrow as pa

    return pa.StringArray.from_buffers(
        len(offsets) - 1, pa.py_buffer(offsets.tobytes()), pa.py_buffer(body.tobytes())
    )


def _quads(offsets: NDArray[np.int32], body: NDArray[np.uint8]) -> pa.Array:
    """Lists of dotted quads; a rest of fewer than four octets is left out."""
    import pyarrow as pa

    size = np.diff(offsets) // 4
    ends = np.zeros(len(offsets), np.int32)
    np.cumsum(size, out=ends[1:])
    begin = np.repeat(offsets[:-1] - 4 * ends[:-1], size) + 4 * np.arange(ends[-1])
    word = np.zeros(len(begin), np.int64)
    for k in range(4):
        word = word << 8 | body[begin + k]
    return pa.ListArray.from_arrays(pa.array(ends), ip4s(word, none=-1))


def _ends_with_zero(ends: NDArray[np.int64]) -> pa.Array:
    """Offsets of a list array from the end of each list."""
    import pyarrow as pa

    offsets = np.zeros(ends.size + 1, np.int32)
    offsets[1:] = ends
    return pa.array(offsets)


def _texts(ends: NDArray[np.int64], heap: NDArray[np.uint8]) -> pa.Array:
    """Strings that stand end to end in ``heap``; they are ASCII, the kernel saw to that."""
    offsets = np.zeros(ends.size + 1, np.int32)
    offsets[1:] = ends
    return _strings(offsets, heap[: int(offsets[-1])])
