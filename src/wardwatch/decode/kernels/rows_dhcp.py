"""Rows of ordinary DHCP messages: Ethernet clients, options once each, no relay, nothing odd.

:mod:`wardwatch.decode.wire.dhcp` is the definition. Overload, relays, routes, repeated options,
pads between options, long boot names and text that needs escaping are left to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wardwatch.compiled import helper, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Int = int | np.int64

ORDINARY, FOR_PARSER = 0, 1
NUMBERS = (
    "op",
    "hops",
    "xid",
    "secs",
    "flags",
    "ciaddr",
    "yiaddr",
    "siaddr",
    "giaddr",
    "chaddr",
    "msg_type",
    "subnet_mask",
    "requested_addr",
    "lease_time",
    "server_id",
    "renewal_time",
)
SPANS = (
    "options",
    "sname",
    "file",
    "routers",
    "dns_servers",
    "host_name",
    "domain_name",
    "parameter_list",
    "vendor_class",
    "client_id",
    "tftp_server",
    "bootfile",
    "client_fqdn",
)
LARGEST = 1500
"""Bytes of an ordinary message: one Ethernet frame."""
MAX_SNAME, MAX_FILE = 64, 128  # what CVE-2017-12718 asks of options 66 and 67


@helper
def _big(arena: NDArray[np.uint8], at: Int, size: Int) -> Int:
    """``size`` octets at ``at``, network byte order."""
    value: Int = np.int64(0)
    for k in range(size):
        value = (value << 8) | np.int64(arena[at + k])
    return value


@helper
def _plain(arena: NDArray[np.uint8], at: Int, stop: Int) -> bool:
    """Whether ``[at, stop)`` is printable ASCII."""
    for k in range(at, stop):
        if arena[k] < 0x20 or arena[k] > 0x7E:
            return False
    return True


@helper
def _keep(
    arena: NDArray[np.uint8],
    at: Int,
    stop: Int,
    heap: NDArray[np.uint8],
    put: Int,
    spans: NDArray[np.int64],
    r: Int,
    which: Int,
) -> Int:
    """Copy ``[at, stop)`` to the heap as span ``which`` of row ``r``; returns the heap's end."""
    spans[r, which, 0] = put
    for k in range(at, stop):
        heap[put] = arena[k]
        put += 1
    spans[r, which, 1] = put
    return put


@helper
def _seen(codes: NDArray[np.uint8], begin: Int, stop: Int, code: Int) -> bool:
    """Whether ``code`` stands among the codes already written to the heap."""
    for k in range(begin, stop):
        if codes[k] == code:
            return True
    return False


@helper
def _options(
    arena: NDArray[np.uint8],
    at: Int,
    end: Int,
    numbers: NDArray[np.int64],
    spans: NDArray[np.int64],
    heap: NDArray[np.uint8],
    put: Int,
    r: Int,
) -> Int:
    """Read the options of row ``r``; the heap's end, or -1 when they are not ordinary.

    Codes go to the heap first (there is room for one in two octets), values behind them.
    """
    begin = put
    values = put + (end - at)
    while True:
        if at >= end:
            return -1  # no end option
        code = np.int64(arena[at])
        if code == 255:
            break
        if code == 0 or at + 1 >= end:
            return -1
        size = np.int64(arena[at + 1])
        at += 2
        stop = at + size
        if stop > end or _seen(heap, begin, put, code):
            return -1
        heap[put] = code
        put += 1
        which = -1
        if code == 1 or code == 50 or code == 51 or code == 54 or code == 58:
            if size != 4:
                return -1
            value = _big(arena, at, 4)
            if code == 1:
                numbers[r, 11] = value
            elif code == 50:
                numbers[r, 12] = value
            elif code == 51:
                numbers[r, 13] = value
            elif code == 54:
                numbers[r, 14] = value
            else:
                numbers[r, 15] = value
        elif code == 53:
            if size != 1 or arena[at] < 1 or arena[at] > 8:
                return -1
            numbers[r, 10] = np.int64(arena[at])
        elif code == 2 or code == 28 or code == 59:
            if size != 4:
                return -1
        elif code == 57:
            if size != 2:
                return -1
        elif code == 3 or code == 6:
            if size == 0 or size % 4 != 0:
                return -1
            which = 3 if code == 3 else 4
        elif code == 4 or code == 5 or code == 42 or code == 44 or code == 150:
            if size == 0 or size % 4 != 0:
                return -1
        elif code == 12 or code == 15 or code == 60:
            if not _plain(arena, at, stop):
                return -1
            which = 5 if code == 12 else (6 if code == 15 else 8)
        elif code == 55:
            which = 7
        elif code == 61:
            which = 9
        elif code == 66 or code == 67:
            if size > (MAX_SNAME if code == 66 else MAX_FILE) or not _plain(arena, at, stop):
                return -1
            which = 10 if code == 66 else 11
        elif code == 81:  # RFC 4702: flags, two octets of old, the name; DNS encoding if E
            if size < 3 or arena[at] & 4 != 0 or not _plain(arena, at + 3, stop):
                return -1
            values = _keep(arena, at + 3, stop, heap, values, spans, r, 12)
        elif code == 33 or code == 52 or code == 82 or code == 121 or code == 249:
            return -1
        if which >= 0:
            values = _keep(arena, at, stop, heap, values, spans, r, which)
        at = stop
    spans[r, 0, 0] = begin
    spans[r, 0, 1] = put
    return values


@kernel
def dhcp_rows(
    arena: NDArray[np.uint8],  # (bytes,)    every packet of the block
    payload: NDArray[np.int64],  # (packets,) first byte of the UDP payload, -1 none
    payload_len: NDArray[np.int32],  # (packets,) bytes of it captured
    payload_claimed: NDArray[np.int32],  # (packets,) bytes of it sent
    rows: NDArray[np.int64],  # (≥ n,)      packets that are DHCP
    n: int,  #                              how many of them
    first: int,  #                          where in ``rows`` to begin
    status: NDArray[np.uint8],  # (≥ n,)    out: ORDINARY or FOR_PARSER
    numbers: NDArray[np.int64],  # (room, 16) out: NUMBERS of each ordinary row, -1 none
    spans: NDArray[np.int64],  # (room, 13, 2) out: SPANS of each, start and stop in ``heap``
    heap: NDArray[np.uint8],  # (bytes,)    out: octets of the spans
    used: NDArray[np.int64],  # (2,)        in, out: rows and bytes of ``heap`` in use
) -> Int:
    """Fill a row for each ordinary message; returns where it stopped for want of room."""
    for k in range(first, n):
        if used[0] >= numbers.shape[0] or used[1] + 2 * LARGEST > heap.size:
            return k
        i = rows[k]
        at = payload[i]
        size = payload_len[i]
        status[k] = FOR_PARSER
        if at < 0 or size < 240 or size > LARGEST or size < payload_claimed[i]:
            continue
        # op 1 or 2, htype 1 Ethernet, hlen 6; the cookie of RFC 2131 §3
        if arena[at] < 1 or arena[at] > 2 or arena[at + 1] != 1 or arena[at + 2] != 6:
            continue
        if _big(arena, at + 236, 4) != 0x63825363:
            continue
        r = used[0]
        numbers[r, 0] = np.int64(arena[at])
        numbers[r, 1] = np.int64(arena[at + 3])
        numbers[r, 2] = _big(arena, at + 4, 4)
        numbers[r, 3] = _big(arena, at + 8, 2)
        numbers[r, 4] = _big(arena, at + 10, 2)
        for j in range(4):
            numbers[r, 5 + j] = _big(arena, at + 12 + 4 * j, 4)
        numbers[r, 9] = _big(arena, at + 28, 6)
        for j in range(10, 16):
            numbers[r, j] = -1
        for j in range(13):
            spans[r, j, 0] = -1
            spans[r, j, 1] = -1
        put = used[1]
        ordinary = True
        for which in range(1, 3):
            begin = at + 44 if which == 1 else at + 108
            stop = begin
            last = begin + (64 if which == 1 else 128)
            while stop < last and arena[stop] != 0:
                stop += 1
            if not _plain(arena, begin, stop):
                ordinary = False
                break
            put = _keep(arena, begin, stop, heap, put, spans, r, which)
        if not ordinary:
            continue
        put = _options(arena, at + 240, at + size, numbers, spans, heap, put, r)
        if put < 0 or numbers[r, 10] < 0:
            continue
        used[0] = r + 1
        used[1] = put
        status[k] = ORDINARY
    return n
