"""Rows of ordinary ARP messages: Ethernet and IPv4, request or reply, whole.

:mod:`wardwatch.decode.wire.arp` is the definition; whatever is not plain is left to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wardwatch.compiled import helper

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Int = int | np.int64

ORDINARY, FOR_PARSER = 0, 1
NUMBERS = ("op", "sender_mac", "sender_ip", "target_mac", "target_ip")
SIZE = 28  # RFC 826 with addresses of 6 and 4 octets


@helper
def _big(arena: NDArray[np.uint8], at: Int, size: Int) -> Int:
    """``size`` octets at ``at``, network byte order."""
    value: Int = np.int64(0)
    for k in range(size):
        value = (value << 8) | np.int64(arena[at + k])
    return value


@helper
def arp_rows(
    arena: NDArray[np.uint8],  # (bytes,)    every packet of the block
    payload: NDArray[np.int64],  # (packets,) first byte behind the link header, -1 none
    payload_len: NDArray[np.int32],  # (packets,) bytes of it captured
    payload_claimed: NDArray[np.int32],  # (packets,) bytes of it sent
    rows: NDArray[np.int64],  # (≥ n,)      packets that are ARP
    n: int,  #                              how many of them
    first: int,  #                          where in ``rows`` to begin
    status: NDArray[np.uint8],  # (≥ n,)    out: ORDINARY or FOR_PARSER
    numbers: NDArray[np.int64],  # (room, 5) out: NUMBERS of each ordinary row
    used: NDArray[np.int64],  # (1,)        in, out: rows of ``numbers`` in use
) -> Int:
    """Fill a row for each ordinary message; returns where it stopped for want of room."""
    for k in range(first, n):
        if used[0] >= numbers.shape[0]:
            return k
        i = rows[k]
        at = payload[i]
        status[k] = FOR_PARSER
        if at < 0 or payload_len[i] < SIZE or payload_len[i] < payload_claimed[i]:
            continue
        # ar$hrd 1, ar$pro 0x0800, ar$hln 6, ar$pln 4
        if _big(arena, at, 6) != 0x000108000604:
            continue
        op = _big(arena, at + 6, 2)
        if op < 1 or op > 2:
            continue
        r = used[0]
        numbers[r, 0] = op
        numbers[r, 1] = _big(arena, at + 8, 6)
        numbers[r, 2] = _big(arena, at + 14, 4)
        numbers[r, 3] = _big(arena, at + 18, 6)
        numbers[r, 4] = _big(arena, at + 24, 4)
        used[0] = r + 1
        status[k] = ORDINARY
    return n
