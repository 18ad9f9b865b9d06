"""Rows of ordinary messages: which packets are plain, their rows, and what each row cites.

Those of DNS, DHCP and ARP, one after the other, in one kernel.
"""

from __future__ import annotations

from collections import namedtuple
from typing import TYPE_CHECKING, Any

import numpy as np

from wardwatch.compiled import helper, kernel
from wardwatch.decode.kernels.rows_arp import arp_rows
from wardwatch.decode.kernels.rows_dhcp import dhcp_rows
from wardwatch.decode.kernels.rows_dns import dns_rows
from wardwatch.decode.kernels.select import ARP, DHCP, DNS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wardwatch.decode.columns import Arrays

    Int = int | np.int64

PLACE = (
    "packet",
    "ts",
    "segment",
    "conversation",
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
    "capture",
)
"""What is remembered of the packet behind each row, in the order of the rows of ``place``."""

Dns: Any = namedtuple("Dns", "inside numbers query answers text used places")
Dhcp: Any = namedtuple("Dhcp", "inside numbers ends heaps used places")
Arp: Any = namedtuple("Arp", "inside numbers used places")
"""Where rows of each kind go, as :func:`rows_dns.dns_rows` and its like say; ``inside`` and
``places`` as of :func:`plain_rows` and :func:`place_rows`."""

KIND, PLAIN, BEGIN = range(3)
"""What ``control`` holds: the list underway, one of those of select; how many of its packets are
plain, -1 before they are chosen; which of them is the next."""
KINDS = ARP + 1


@helper
def _device(prefix: Int, devices: NDArray[np.uint32]) -> bool:
    """Whether a MAC's first 24 bits are a device's."""
    for k in range(devices.size):
        if np.int64(devices[k]) == prefix:
            return True
    return False


@helper
def plain_rows(
    arena: NDArray[np.uint8],  # (bytes,)    every packet of the block
    payload: NDArray[np.int64],  # (packets,) first byte of the payload, -1 none
    payload_len: NDArray[np.int32],  # (packets,) bytes of it captured
    src_mac: NDArray[np.uint64],  # (packets,)
    dst_mac: NDArray[np.uint64],  # (packets,)
    rows: NDArray[np.int64],  # (LISTS, ≥ n) packets to choose from
    which: Int,  #                           those of this list
    n: Int,  #                               how many of them
    devices: NDArray[np.uint32],  # (d,)     prefixes whose messages the parsers shall read
    inside: NDArray[np.int64],  # (k,)       where in the payload MACs begin
    chosen: NDArray[np.int64],  # (≥ n,)    out: packets that concern no device
) -> Int:
    """Choose; returns how many."""
    count = 0
    for k in range(n):
        i = np.uint64(rows[which, k])
        known = _device(np.int64(src_mac[i] >> np.uint64(24)), devices) or _device(
            np.int64(dst_mac[i] >> np.uint64(24)), devices
        )
        for j in range(inside.size):
            if payload[i] >= 0 and inside[j] + 3 <= payload_len[i]:
                at = np.uint64(payload[i] + inside[j])
                prefix = (
                    (np.int64(arena[at]) << 16)
                    | (np.int64(arena[at + np.uint64(1)]) << 8)
                    | np.int64(arena[at + np.uint64(2)])
                )
                known = known or _device(prefix, devices)
        if not known:
            chosen[count] = rows[which, k]
            count += 1
    return count


@helper
def place_rows(
    first: Int,  #                           where in ``rows`` to begin
    stop: Int,  #                            one behind the last
    rows: NDArray[np.int64],  # (≥ stop,)    packets of the block
    status: NDArray[np.uint8],  # (≥ stop,)  0: it has become a row
    packet: Int,  #                          number of the packet in row 0
    capture: Int,  #                         number of the capture
    time: NDArray[np.int64],  # (packets,)   ns
    segment: NDArray[np.int32],  # (packets,) the caller's numbers
    c: Arrays,  #                            the arrays of PacketColumns
    at: Int,  #                              first row of ``place`` to fill
    place: NDArray[np.int64],  # (PLACE, room) out
    left: NDArray[np.uint8],  # (packets,)   out: 0 for what has become a row
) -> Int:
    """Remember where each row came from; returns the row of ``place`` behind the last."""
    for k in range(first, stop):
        if status[k]:
            continue
        i = np.uint64(rows[k])
        place[0, at] = packet + rows[k]
        place[1, at] = time[i]
        place[2, at] = segment[i]
        place[3, at] = c.conversation[i]
        place[4, at] = c.has_mac[i]
        place[5, at] = np.int64(c.src_mac[i])
        place[6, at] = np.int64(c.dst_mac[i])
        place[7, at] = c.net[i]
        place[8, at] = np.int64(c.src_hi[i])
        place[9, at] = np.int64(c.src_lo[i])
        place[10, at] = np.int64(c.dst_hi[i])
        place[11, at] = np.int64(c.dst_lo[i])
        place[12, at] = c.src_port[i]
        place[13, at] = c.dst_port[i]
        place[14, at] = c.ttl[i]
        place[15, at] = capture
        left[i] = 0
        at += 1
    return at


@kernel
def bulk_rows(
    found: NDArray[np.int64],  # (LISTS, n)  rows of each list (select.messages)
    counts: NDArray[np.int64],  # (≥ LISTS,) how many of each
    arena: NDArray[np.uint8],  # (bytes,)    every packet of the block
    packet: int,  #                          number of the packet in row 0
    capture: int,  #                         number of the capture
    time: NDArray[np.int64],  # (packets,)   ns
    segment: NDArray[np.int32],  # (packets,) the caller's numbers
    c: Arrays,  #                            the arrays of PacketColumns
    devices: NDArray[np.uint32],  # (d,)     as of :func:`plain_rows`
    dns: Arrays,  #                          in and out: a :class:`Dns`
    dhcp: Arrays,  #                         in and out: a :class:`Dhcp`
    arp: Arrays,  #                          in and out: an :class:`Arp`
    own: NDArray[np.int64],  # (n,)          scratch, as it is when it goes on
    status: NDArray[np.uint8],  # (n,)       the same
    left: NDArray[np.uint8],  # (packets,)   out: 0 for what has become a row
    control: NDArray[np.int64],  # (3,)      in and out: KIND, PLAIN, BEGIN; 0, -1, 0 to begin
) -> int:
    """Rows of DNS, DHCP and ARP ⇒ :data:`KINDS`, or the list whose buffers are full.

    Those are to be emptied; then it goes on.
    """
    while control[KIND] < KINDS:
        which = control[KIND]
        if control[PLAIN] < 0:
            inside = dns.inside if which == DNS else dhcp.inside if which == DHCP else arp.inside
            control[PLAIN] = plain_rows(
                arena,
                c.payload,
                c.payload_len,
                c.src_mac,
                c.dst_mac,
                found,
                which,
                counts[which],
                devices,
                inside,
                own,
            )
        first, n = control[BEGIN], control[PLAIN]
        if which == DNS:
            at, places = dns.used[0], dns.places
            stop = dns_rows(
                arena, c.payload, c.payload_len, c.payload_claimed, own, n, first, status,
                dns.numbers, dns.query, dns.answers, dns.text, dns.used,
            )  # fmt: skip
        elif which == DHCP:
            at, places = dhcp.used[0], dhcp.places
            stop = dhcp_rows(
                arena, c.payload, c.payload_len, c.payload_claimed, own, n, first, status,
                dhcp.numbers, dhcp.ends, dhcp.heaps, dhcp.used,
            )  # fmt: skip
        else:
            at, places = arp.used[0], arp.places
            stop = arp_rows(
                arena, c.payload, c.payload_len, c.payload_claimed, own, n, first, status,
                arp.numbers, arp.used,
            )  # fmt: skip
        place_rows(
            first, stop, own, status, packet, capture, time, segment, c, at, places, left,
        )  # fmt: skip
        control[BEGIN] = stop
        if stop < n:
            return int(which)
        control[KIND] += 1
        control[PLAIN] = -1
        control[BEGIN] = 0
    return KINDS
