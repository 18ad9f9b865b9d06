"""Rows of ordinary DNS, DHCP and ARP by the thousand: kernel outputs become columns.

The kernels append to buffers that live over many blocks; when a buffer is full, and in
:meth:`FastRows.finish`, its rows go to the spool in one piece. What the kernels leave, and
whatever concerns a device's MAC prefix, stays for the Python parsers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wardwatch.decode.blank import blank
from wardwatch.decode.kernels import rows_arp, rows_dhcp, rows_dns, rows_place, select
from wardwatch.decode.wire import dhcp
from wardwatch.observe.arrays import numbers as array
from wardwatch.observe.arrays import strings, words
from wardwatch.observe.datagrams import DNS_PORTS
from wardwatch.observe.spelled import ip4s, ips, macs, spelled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from wardwatch.decode.columns import PacketColumns
    from wardwatch.model.block import PacketBlock
    from wardwatch.observe.tables import Spool

ROOM = 8_192
"""Rows buffered of one table: a few MB, and row groups large enough for Parquet. Another number
puts rows of parsers elsewhere among those of kernels."""
DNS_QUERY_BYTES = 64 * ROOM
DNS_TEXT_BYTES = 64 * ROOM
DHCP_HEAP_BYTES = 32 * ROOM
"""Of each of :data:`rows_dhcp.HEAPS`."""

_NUMBERS = {name: at for at, name in enumerate(rows_dhcp.NUMBERS)}
_HEAPS = {name: at for at, name in enumerate(rows_dhcp.HEAPS)}

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
        self._control = np.zeros(3, np.int64)
        self._dns = _Buffer(ROOM, len(rows_dns.NUMBERS), 4)
        self._dns_query = blank(DNS_QUERY_BYTES, np.uint8)
        self._dns_answers = blank((4 * ROOM, len(rows_dns.ANSWERS)), np.int64)
        self._dns_text = blank(DNS_TEXT_BYTES, np.uint8)
        self._dhcp = _Buffer(ROOM, 0, 1)
        self._dhcp_numbers = blank((len(rows_dhcp.NUMBERS), ROOM + rows_dhcp.APART), np.int64)
        self._dhcp_ends = np.zeros((len(rows_dhcp.HEAPS), ROOM + 1 + rows_dhcp.APART), np.int32)
        self._dhcp_heaps = blank((len(rows_dhcp.HEAPS), DHCP_HEAP_BYTES), np.uint8)
        self._arp = _Buffer(ROOM, len(rows_arp.NUMBERS), 1)
        self._into = (
            rows_place.Dns(
                _NOWHERE,
                self._dns.numbers,
                self._dns_query,
                self._dns_answers,
                self._dns_text,
                self._dns.used,
                self._dns.places,
            ),
            rows_place.Dhcp(
                _CHADDR,
                self._dhcp_numbers,
                self._dhcp_ends,
                self._dhcp_heaps,
                self._dhcp.used,
                self._dhcp.places,
            ),
            rows_place.Arp(_SHA_THA, self._arp.numbers, self._arp.used, self._arp.places),
        )

    def take(
        self,
        block: PacketBlock,
        columns: PacketColumns,
        found: NDArray[np.int64],  # (LISTS, ≥ n) packets of the block, by the lists of select
        counts: NDArray[np.int64],  # (≥ LISTS,) how many of each list
        segment: NDArray[np.int32],  # (packets,) segments, as indices into ``names``
        names: Sequence[str],
        left: NDArray[np.uint8],  # (packets,) out: 0 for what need not be parsed any more
    ) -> None:
        """Take the ordinary DNS over UDP, DHCP and ARP; the others are left for the parsers.

        What DHCP's chaddr and ARP's ar$sha and ar$tha say counts like a MAC of the frame.
        """
        if names is not self._names:  # the caller's numbers may start anew with each capture
            self.finish()
            self._names = names
        if found.shape[1] > len(self._plain):
            self._plain = np.zeros(found.shape[1], np.int64)
            self._status = np.zeros(found.shape[1], np.uint8)
        self._control[:] = 0, -1, 0
        while True:
            full = rows_place.bulk_rows(
                found,
                counts,
                block.arena,
                block.first,
                block.capture,
                block.time,
                segment,
                columns.arrays,
                self.devices,
                *self._into,
                self._plain,
                self._status,
                left,
                self._control,
            )
            if full == rows_place.KINDS:
                return
            _FLUSHES[full](self)

    def finish(self) -> None:
        """Hand every buffered row to the spool."""
        self._flush_dns()
        self._flush_dhcp()
        self._flush_arp()

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
                name: numbers[:, at]
                for at, name in enumerate(rows_dns.NUMBERS[:10])
                if name != "flags"
            }
            for name, bit in (
                ("is_response", 0x8000),
                ("AA", 0x0400),
                ("RD", 0x0100),
                ("RA", 0x0080),
            ):
                own[name] = flags & bit != 0
            own["opcode"] = np.zeros(n, np.int32)
            own["rcode"] = flags & 15
            own["query"] = _texts(numbers[:, 10], self._dns_query)
            ends = _ends_with_zero(numbers[:, 11])
            text = _texts(answers[:, 2], self._dns_text)
            own["answers"] = pa.ListArray.from_arrays(ends, text)
            own["answer_types"] = pa.ListArray.from_arrays(ends, array(answers[:, 0], pa.int64()))
            own["TTLs"] = pa.ListArray.from_arrays(ends, array(answers[:, 1], pa.int64()))
            own["whole"] = np.ones(n, np.bool_)
            own["proto"] = words(("udp",), np.zeros(n, np.int64))
            own["kind"] = self._dns_kinds(n)
            own["ip_ttl"] = buffer.place["ttl"][:n]
            own["conversation"] = buffer.place["conversation"][:n]
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
            numbers = {name: self._dhcp_numbers[at, :n] for name, at in _NUMBERS.items()}

            def raw(name: str) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
                ends = self._dhcp_ends[_HEAPS[name], : n + 1].copy()
                return ends, self._dhcp_heaps[_HEAPS[name], : ends[-1]]

            own: dict[str, Any] = {
                name: numbers[name]
                for name in ("op", "hops", "xid", "secs", "flags", "lease_time", "renewal_time")
            }
            own["msg_type"] = spelled(numbers["msg_type"], dhcp.MESSAGE_TYPES.__getitem__)
            for name in ("ciaddr", "yiaddr", "siaddr", "giaddr"):
                own[name] = ip4s(numbers[name], none=0)
            for name in ("server_id", "requested_addr", "subnet_mask"):
                own[name] = ip4s(numbers[name], none=-1)
            own["chaddr"] = macs(numbers["chaddr"], none=-1)
            for name in ("sname", "file", "domain_name", "host_name", "client_fqdn"):
                own[name] = strings(*raw(name))
            for name in ("vendor_class", "tftp_server", "bootfile"):
                own[name] = strings(*raw(name))
            for name in ("routers", "dns_servers"):
                own[name] = _quads(*raw(name))
            for name in ("parameter_list", "options"):
                ends, octets = raw(name)
                codes = array(octets, pa.int64())
                own[name] = pa.ListArray.from_arrays(array(ends, pa.int32()), codes)
            ends, octets = raw("client_id")
            digits = np.frombuffer(octets.tobytes().hex().encode("ascii"), np.uint8)
            own["client_id"] = strings(ends * 2, digits)
            for short in ("opt66", "opt67"):
                own[f"{short}_len"] = own[f"{short}_sum"] = numbers[f"{short}_len"]
            own["whole"] = np.ones(n, np.bool_)
            self.spool.extend("dhcp", {**self._place(buffer, n), **self._ends(buffer, n), **own})
        buffer.used[:] = 0

    def _flush_arp(self) -> None:
        buffer = self._arp
        n = int(buffer.used[0])
        if n:
            numbers = buffer.numbers[:n]
            own = {
                "op": numbers[:, 0],
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
            "capture": place["capture"][:n],
            "packet": place["packet"][:n],
            "ts": place["ts"][:n],
            "segment": spelled(place["segment"][:n], self._names.__getitem__),
            "src_mac": macs(np.where(has != 0, place["src_mac"][:n], -1), none=-1),
            "dst_mac": macs(np.where(has != 0, place["dst_mac"][:n], -1), none=-1),
        }

    def _ends(self, buffer: _Buffer, n: int) -> dict[str, Any]:
        place = buffer.place
        net = place["net"][:n]
        return {
            "src": ips(net, place["src_hi"][:n], place["src_lo"][:n]),
            "src_port": place["src_port"][:n],
            "dst": ips(net, place["dst_hi"][:n], place["dst_lo"][:n]),
            "dst_port": place["dst_port"][:n],
        }


_FLUSHES: Mapping[int, Callable[[FastRows], None]] = {
    select.DNS: FastRows._flush_dns,
    select.DHCP: FastRows._flush_dhcp,
    select.ARP: FastRows._flush_arp,
}
"""What makes room for more of a list. Not bound: these buffers should not wait for the collector."""


class _Buffer:
    """Numbers of ordinary rows, and the packets they came in."""

    def __init__(self, room: int, width: int, counters: int) -> None:
        self.numbers = blank((room, width), np.int64)
        # a cache line more: rows that lie a power of two apart push each other out of the cache
        self.places = blank((len(rows_place.PLACE), room + 8), np.int64)
        self.place = dict(zip(rows_place.PLACE, self.places, strict=True))
        self.used = np.zeros(counters, np.int64)


def _quads(ends: NDArray[np.int32], octets: NDArray[np.uint8]) -> pa.Array:
    """Lists of IPv4 addresses of four octets each, as dotted quads."""
    import pyarrow as pa

    return pa.ListArray.from_arrays(
        array(ends // 4, pa.int32()), ip4s(octets.view(">u4").astype(np.int64), none=-1)
    )


def _ends_with_zero(ends: NDArray[np.int64]) -> pa.Array:
    """Offsets of a list array from the end of each list."""
    import pyarrow as pa

    offsets = np.zeros(ends.size + 1, np.int32)
    offsets[1:] = ends
    return array(offsets, pa.int32())


def _texts(ends: NDArray[np.int64], heap: NDArray[np.uint8]) -> pa.Array:
    """Strings that stand end to end in ``heap``; they are ASCII, the kernel saw to that."""
    offsets = np.zeros(ends.size + 1, np.int32)
    offsets[1:] = ends
    return strings(offsets, heap)
