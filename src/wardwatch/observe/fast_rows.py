"""Rows of ordinary DNS, DHCP and ARP by the thousand: kernel outputs become columns.

The kernels append to buffers that live over many blocks; when a buffer is full, and in
:meth:`FastRows.finish`, its rows go to the spool in one piece. What the kernels leave, and
whatever concerns a device's MAC prefix, is returned for the Python parsers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wardwatch.decode.kernels import rows_arp, rows_dhcp, rows_dns
from wardwatch.decode.wire import dhcp
from wardwatch.decode.wire.reader import ip4_list
from wardwatch.observe.datagrams import DNS_PORTS
from wardwatch.observe.text import ip_of, mac_of

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

PLACE = (
    "packet",
    "ts",
    "capture",
    "segment",
    "has_mac",
    "src_mac",
    "dst_mac",
    "net",
    "src_hi",
    "src_lo",
    "dst_hi",
    "dst_lo",
    "src_port",
    "dst_port",
    "ttl",
    "conversation",
)
"""What is remembered of the packet behind each row, one 64 bit column each."""

_NUMBERS = {name: at for at, name in enumerate(rows_dhcp.NUMBERS)}
_SPANS = {name: at for at, name in enumerate(rows_dhcp.SPANS)}


class FastRows:
    """Buffers of ordinary rows, and the prefixes that are never ordinary."""

    def __init__(self, spool: Spool, devices: NDArray[np.uint32] | None = None) -> None:
        """``devices``: sorted 24 bit prefixes (OUI) whose messages the parsers shall read."""
        self.spool = spool
        self.devices = np.sort(np.asarray([] if devices is None else devices, np.uint32))
        self._segments: list[str] = []
        self._segment_of: dict[str, int] = {}
        self._dns = _Buffer(ROOM, len(rows_dns.NUMBERS), 4)
        self._dns_query = np.zeros(DNS_QUERY_BYTES, np.uint8)
        self._dns_answers = np.zeros((4 * ROOM, len(rows_dns.ANSWERS)), np.int64)
        self._dns_text = np.zeros(DNS_TEXT_BYTES, np.uint8)
        self._dhcp = _Buffer(ROOM // 4, len(rows_dhcp.NUMBERS), 2)
        self._dhcp_spans = np.zeros((ROOM // 4, len(rows_dhcp.SPANS), 2), np.int64)
        self._dhcp_heap = np.zeros(DHCP_HEAP_BYTES, np.uint8)
        self._arp = _Buffer(ROOM, len(rows_arp.NUMBERS), 1)

    def dns(
        self,
        block: PacketBlock,
        columns: PacketColumns,
        rows: NDArray[np.int64],  # (n,) packets of the block that are DNS over UDP
        segment: NDArray[np.int64],  # (n,) their segments, as indices into ``names``
        names: Sequence[str],
        conversation: NDArray[np.int64] | None = None,  # (n,) numbers; None: those in ``columns``
    ) -> NDArray[np.int64]:
        """Take the ordinary ones; returns the indices *into* ``rows`` left for the parser."""
        plain = ~self._concerns_device(columns, rows)
        buffer = self._dns

        def call(own: NDArray[np.int64], first: int, status: NDArray[np.uint8]) -> int:
            return int(
                rows_dns.dns_rows(
                    block.arena,
                    columns.payload,
                    columns.payload_len,
                    columns.payload_claimed,
                    own,
                    first,
                    status,
                    buffer.numbers,
                    self._dns_query,
                    self._dns_answers,
                    self._dns_text,
                    buffer.used,
                )
            )

        return self._take(
            buffer, call, self._flush_dns, block, columns, rows, plain, segment, names, conversation
        )

    def dhcp(
        self,
        block: PacketBlock,
        columns: PacketColumns,
        rows: NDArray[np.int64],
        segment: NDArray[np.int64],
        names: Sequence[str],
        conversation: NDArray[np.int64] | None = None,
    ) -> NDArray[np.int64]:
        """As :meth:`dns`, for DHCP; a device's chaddr counts like its MAC."""
        plain = ~self._concerns_device(columns, rows)
        if self.devices.size:
            plain &= ~self._prefix_at(block, columns, rows, 28)
        buffer = self._dhcp

        def call(own: NDArray[np.int64], first: int, status: NDArray[np.uint8]) -> int:
            return int(
                rows_dhcp.dhcp_rows(
                    block.arena,
                    columns.payload,
                    columns.payload_len,
                    columns.payload_claimed,
                    own,
                    first,
                    status,
                    buffer.numbers,
                    self._dhcp_spans,
                    self._dhcp_heap,
                    buffer.used,
                )
            )

        return self._take(
            buffer,
            call,
            self._flush_dhcp,
            block,
            columns,
            rows,
            plain,
            segment,
            names,
            conversation,
        )

    def arp(
        self,
        block: PacketBlock,
        columns: PacketColumns,
        rows: NDArray[np.int64],
        segment: NDArray[np.int64],
        names: Sequence[str],
    ) -> NDArray[np.int64]:
        """As :meth:`dns`, for ARP; a device's ar$sha and ar$tha count like its MAC."""
        plain = ~self._concerns_device(columns, rows)
        if self.devices.size:
            plain &= ~self._prefix_at(block, columns, rows, 8)
            plain &= ~self._prefix_at(block, columns, rows, 18)
        buffer = self._arp

        def call(own: NDArray[np.int64], first: int, status: NDArray[np.uint8]) -> int:
            return int(
                rows_arp.arp_rows(
                    block.arena,
                    columns.payload,
                    columns.payload_len,
                    columns.payload_claimed,
                    own,
                    first,
                    status,
                    buffer.numbers,
                    buffer.used,
                )
            )

        return self._take(
            buffer, call, self._flush_arp, block, columns, rows, plain, segment, names, None
        )

    def finish(self) -> None:
        """Hand every buffered row to the spool."""
        self._flush_dns()
        self._flush_dhcp()
        self._flush_arp()

    def _take(
        self,
        buffer: _Buffer,
        call: Callable[[NDArray[np.int64], int, NDArray[np.uint8]], int],
        flush: Callable[[], None],
        block: PacketBlock,
        columns: PacketColumns,
        rows: NDArray[np.int64],
        plain: NDArray[np.bool_],
        segment: NDArray[np.int64],
        names: Sequence[str],
        conversation: NDArray[np.int64] | None,
    ) -> NDArray[np.int64]:
        """Run a kernel over the plain rows, flushing when its buffers are full."""
        chosen = np.flatnonzero(plain)
        own = np.ascontiguousarray(rows[chosen], np.int64)
        status = np.ones(own.size, np.uint8)
        first = 0
        while first < own.size:
            before = int(buffer.used[0])
            stopped = int(call(own, first, status))
            done = chosen[first:stopped][status[first:stopped] == 0]
            if done.size:
                number = (
                    columns.conversation[rows[done]] if conversation is None else conversation[done]
                )
                self._remember(buffer, before, block, columns, rows[done], number)
                buffer.place["segment"][before : before + done.size] = self._segment_numbers(
                    segment[done], names
                )
            first = stopped
            if first < own.size:
                flush()
        left = np.ones(rows.size, np.bool_)
        left[chosen[status == 0]] = False
        return np.flatnonzero(left)

    def _remember(
        self,
        buffer: _Buffer,
        at: int,
        block: PacketBlock,
        columns: PacketColumns,
        rows: NDArray[np.int64],
        conversation: NDArray[np.int64],
    ) -> None:
        place = buffer.place
        stop = at + rows.size
        place["packet"][at:stop] = rows + block.first
        place["ts"][at:stop] = block.time[rows]
        place["capture"][at:stop] = block.capture
        place["conversation"][at:stop] = conversation
        for name in ("has_mac", "net", "src_port", "dst_port", "ttl"):
            place[name][at:stop] = getattr(columns, name)[rows]
        for name in ("src_mac", "dst_mac", "src_hi", "src_lo", "dst_hi", "dst_lo"):
            place[name][at:stop] = getattr(columns, name)[rows].view(np.int64)

    def _segment_numbers(
        self, segment: NDArray[np.int64], names: Sequence[str]
    ) -> NDArray[np.int64]:
        """Our own numbers of segments: the caller's may start anew with each capture."""
        found, inverse = np.unique(segment, return_inverse=True)
        numbers = []
        for index in found.tolist():
            name = names[index]
            if name not in self._segment_of:
                self._segment_of[name] = len(self._segments)
                self._segments.append(name)
            numbers.append(self._segment_of[name])
        return np.array(numbers, np.int64)[inverse]

    def _concerns_device(
        self, columns: PacketColumns, rows: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Whether either MAC of each packet bears a device's prefix."""
        if not self.devices.size:
            return np.zeros(rows.size, np.bool_)
        shift = np.uint64(24)
        source, target = columns.src_mac[rows] >> shift, columns.dst_mac[rows] >> shift
        return self._of_device(source) | self._of_device(target)

    def _of_device(self, prefixes: NDArray[Any]) -> NDArray[np.bool_]:
        """Which are a device's: with so few of them a comparison each beats ``np.isin``."""
        found = np.zeros(prefixes.size, np.bool_)
        for device in self.devices:
            found |= prefixes == device
        return found

    def _prefix_at(
        self, block: PacketBlock, columns: PacketColumns, rows: NDArray[np.int64], offset: int
    ) -> NDArray[np.bool_]:
        """Whether the three octets ``offset`` into each payload are a device's prefix."""
        known = columns.payload_len[rows] >= offset + 3
        at = np.where(known & (columns.payload[rows] >= 0), columns.payload[rows] + offset, 0)
        at = np.minimum(at, max(block.arena.size - 3, 0))
        octets = [block.arena[at + k].astype(np.uint32) for k in range(3)]
        prefix = octets[0] << np.uint32(16) | octets[1] << np.uint32(8) | octets[2]
        return known & self._of_device(prefix)

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
        import pyarrow as pa

        place = self._dns.place
        ports, inverse = np.unique(
            place["src_port"][:n] << 32 | place["dst_port"][:n], return_inverse=True
        )
        kinds = [
            DNS_PORTS.get(port & 0xFFFFFFFF) or DNS_PORTS.get(port >> 32) or "dns"
            for port in ports.tolist()
        ]
        return pa.array(kinds).take(pa.array(inverse))

    def _flush_dhcp(self) -> None:
        buffer = self._dhcp
        n = int(buffer.used[0])
        if n:
            heap = self._dhcp_heap[: int(buffer.used[1])].tobytes()
            numbers = buffer.numbers[:n]

            def raw(name: str) -> list[bytes]:
                spans = self._dhcp_spans[:n, _SPANS[name]].tolist()
                return [heap[start:stop] if start >= 0 else b"" for start, stop in spans]

            own: dict[str, Any] = {
                name: numbers[:, _NUMBERS[name]]
                for name in ("op", "hops", "xid", "secs", "flags", "lease_time", "renewal_time")
            }
            types = numbers[:, _NUMBERS["msg_type"]].tolist()
            own["msg_type"] = [dhcp.MESSAGE_TYPES[t] for t in types]
            for name in ("ciaddr", "yiaddr", "siaddr", "giaddr"):
                own[name] = _ip4_column(numbers[:, _NUMBERS[name]], none=0)
            for name in ("server_id", "requested_addr", "subnet_mask"):
                own[name] = _ip4_column(numbers[:, _NUMBERS[name]], none=-1)
            own["chaddr"] = _mac_column(numbers[:, _NUMBERS["chaddr"]])
            for name in ("sname", "file", "domain_name", "host_name", "client_fqdn"):
                own[name] = [piece.decode("ascii") for piece in raw(name)]
            for name in ("vendor_class", "tftp_server", "bootfile"):
                own[name] = [piece.decode("ascii") for piece in raw(name)]
            for name in ("routers", "dns_servers"):
                own[name] = [ip4_list(piece) for piece in raw(name)]
            for name in ("parameter_list", "options"):
                own[name] = [list(piece) for piece in raw(name)]
            own["client_id"] = [piece.hex() for piece in raw("client_id")]
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
                "sender_mac": _mac_column(numbers[:, 1]),
                "sender_ip": _ip4_column(numbers[:, 2], none=-1),
                "target_mac": _mac_column(numbers[:, 3]),
                "target_ip": _ip4_column(numbers[:, 4], none=-1),
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
            "segment": _by_value(place["segment"][:n], self._segments.__getitem__),
            "src_mac": _mac_column(np.where(has != 0, place["src_mac"][:n], -1)),
            "dst_mac": _mac_column(np.where(has != 0, place["dst_mac"][:n], -1)),
        }

    def _ends(self, buffer: _Buffer, n: int) -> dict[str, Any]:
        place = buffer.place
        net = place["net"][:n]
        return {
            "src": _ip_column(net, place["src_hi"][:n], place["src_lo"][:n]),
            "src_port": place["src_port"][:n].copy(),
            "dst": _ip_column(net, place["dst_hi"][:n], place["dst_lo"][:n]),
            "dst_port": place["dst_port"][:n].copy(),
        }


class _Buffer:
    """Numbers of ordinary rows, and the packets they came in."""

    def __init__(self, room: int, width: int, counters: int) -> None:
        self.numbers = np.zeros((room, width), np.int64)
        self.place = {name: np.zeros(room, np.int64) for name in PLACE}
        self.used = np.zeros(counters, np.int64)


def _by_value(values: NDArray[np.int64], spell: Callable[[int], str]) -> pa.Array:
    """Each value spelled out, each different one once."""
    import pyarrow as pa

    found, inverse = np.unique(values, return_inverse=True)
    return pa.array([spell(v) for v in found.tolist()], pa.string()).take(pa.array(inverse))


def _mac_column(values: NDArray[np.int64]) -> pa.Array:
    """MACs as text; -1 is none."""
    return _by_value(values, lambda v: mac_of(v) if v >= 0 else "")


def _ip4_column(values: NDArray[np.int64], none: int) -> pa.Array:
    """IPv4 addresses as dotted quads; ``none`` is spelled ""."""
    return _by_value(values, lambda v: ip_of(4, 0, v) if v != none else "")


def _ip_column(net: NDArray[np.int64], high: NDArray[np.int64], low: NDArray[np.int64]) -> pa.Array:
    """Addresses of the columns as text."""
    import pyarrow as pa

    if (net == 4).all():
        return _ip4_column(low, none=-1)
    keys = np.stack((net, high, low), axis=1)
    found, inverse = np.unique(keys, axis=0, return_inverse=True)
    spelled = [ip_of(n, h, w) for n, h, w in found.tolist()]
    return pa.array(spelled, pa.string()).take(pa.array(inverse.reshape(-1)))


def _ends_with_zero(ends: NDArray[np.int64]) -> pa.Array:
    """Offsets of a list array from the end of each list."""
    import pyarrow as pa

    offsets = np.zeros(ends.size + 1, np.int32)
    offsets[1:] = ends
    return pa.array(offsets)


def _texts(ends: NDArray[np.int64], heap: NDArray[np.uint8]) -> pa.Array:
    """Strings that stand end to end in ``heap``; they are ASCII, the kernel saw to that."""
    import pyarrow as pa

    offsets = np.zeros(ends.size + 1, np.int32)
    offsets[1:] = ends
    body = heap[: int(offsets[-1])].tobytes()
    return pa.StringArray.from_buffers(
        ends.size, pa.py_buffer(offsets.tobytes()), pa.py_buffer(body)
    )
