"""Where rows of ordinary messages came from: which packets are plain, and what each row cites.

What the kernels of DNS, DHCP and ARP rows have in common, before and behind them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wardwatch.compiled import helper, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

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


@helper
def _device(prefix: Int, devices: NDArray[np.uint32]) -> bool:
    """Whether a MAC's first 24 bits are a device's."""
    for k in range(devices.size):
        if np.int64(devices[k]) == prefix:
            return True
    return False


@kernel
def plain_rows(
    arena: NDArray[np.uint8],  # (bytes,)    every packet of the block
    payload: NDArray[np.int64],  # (packets,) first byte of the payload, -1 none
    payload_len: NDArray[np.int32],  # (packets,) bytes of it captured
    src_mac: NDArray[np.uint64],  # (packets,)
    dst_mac: NDArray[np.uint64],  # (packets,)
    rows: NDArray[np.int64],  # (≥ n,)      packets to choose from
    n: int,  #                               how many of them
    devices: NDArray[np.uint32],  # (d,)     prefixes whose messages the parsers shall read
    inside: NDArray[np.int64],  # (k,)       where in the payload MACs begin
    chosen: NDArray[np.int64],  # (≥ n,)    out: packets that concern no device
) -> int:
    """Choose; returns how many."""
    count = 0
    for k in range(n):
        i = np.uint64(rows[k])
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
            chosen[count] = rows[k]
            count += 1
    return count


@kernel
def place_rows(
    first: int,  #                           where in ``rows`` to begin
    stop: int,  #                            one behind the last
    rows: NDArray[np.int64],  # (≥ stop,)    packets of the block
    status: NDArray[np.uint8],  # (≥ stop,)  0: it has become a row
    packet: int,  #                          number of the packet in row 0
    capture: int,  #                         number of the capture
    time: NDArray[np.int64],  # (packets,)   ns
    segment: NDArray[np.int32],  # (packets,) the caller's numbers
    conversation: NDArray[np.int64],  # (packets,) and so on, as in PacketColumns
    has_mac: NDArray[np.uint8],
    src_mac: NDArray[np.uint64],
    dst_mac: NDArray[np.uint64],
    net: NDArray[np.uint8],
    src_hi: NDArray[np.uint64],
    src_lo: NDArray[np.uint64],
    dst_hi: NDArray[np.uint64],
    dst_lo: NDArray[np.uint64],
    src_port: NDArray[np.int32],
    dst_port: NDArray[np.int32],
    ttl: NDArray[np.uint8],
    at: int,  #                              first row of ``place`` to fill
    place: NDArray[np.int64],  # (PLACE, room) out
    left: NDArray[np.uint8],  # (packets,)   out: 0 for what has become a row
) -> int:
    """Remember where each row came from; returns the row of ``place`` behind the last."""
    for k in range(first, stop):
        if status[k]:
            continue
        i = np.uint64(rows[k])
        place[0, at] = packet + rows[k]
        place[1, at] = time[i]
        place[2, at] = segment[i]
        place[3, at] = conversation[i]
        place[4, at] = has_mac[i]
        place[5, at] = np.int64(src_mac[i])
        place[6, at] = np.int64(dst_mac[i])
        place[7, at] = net[i]
        place[8, at] = np.int64(src_hi[i])
        place[9, at] = np.int64(src_lo[i])
        place[10, at] = np.int64(dst_hi[i])
        place[11, at] = np.int64(dst_lo[i])
        place[12, at] = src_port[i]
        place[13, at] = dst_port[i]
        place[14, at] = ttl[i]
        place[15, at] = capture
        left[i] = 0
        at += 1
    return at
