"""Rows of ordinary DHCP messages: Ethernet clients, options once each, no relay, nothing odd.

:mod:`wardwatch.decode.wire.dhcp` is the definition. Overload, relays, routes, repeated options,
pads between options, long boot names and text that needs escaping are left to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wardwatch.compiled import helper

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
    "opt66_len",
    "opt67_len",
)
HEAPS = (
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
ROOM_HEAP = 255
"""Octets one message may add to a heap: a value has no more, and no code stands twice."""
APART = 16
"""Columns behind the last row: where rooms are powers of two apart, what one message writes would
push itself out of the cache."""
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
    heaps: NDArray[np.uint8],
    ends: NDArray[np.int32],
    r: Int,
    which: Int,
) -> None:
    """Append ``[at, stop)`` to what row ``r`` has in heap ``which``."""
    put: Int = np.int64(ends[which, r + 1])
    for k in range(at, stop):
        heaps[which, put] = arena[k]
        put += 1
    ends[which, r + 1] = put


@helper
def _seen(heaps: NDArray[np.uint8], begin: Int, stop: Int, code: Int) -> bool:
    """Whether ``code`` stands among the codes already written, ``[begin, stop)`` of heap 0."""
    for k in range(begin, stop):
        if heaps[0, k] == code:
            return True
    return False


@helper
def _options(
    arena: NDArray[np.uint8],
    at: Int,
    end: Int,
    numbers: NDArray[np.int64],
    heaps: NDArray[np.uint8],
    ends: NDArray[np.int32],
    r: Int,
) -> bool:
    """Read the options of row ``r``; whether they are ordinary."""
    while True:
        if at >= end:
            return False  # no end option
        code = np.int64(arena[at])
        if code == 255:
            return True
        if code == 0 or at + 1 >= end:
            return False
        size = np.int64(arena[at + 1])
        at += 2
        stop = at + size
        if stop > end or _seen(heaps, ends[0, r], ends[0, r + 1], code):
            return False
        heaps[0, ends[0, r + 1]] = code
        ends[0, r + 1] += 1
        which = -1
        if code == 1 or code == 50 or code == 51 or code == 54 or code == 58:
            if size != 4:
                return False
            value = _big(arena, at, 4)
            if code == 1:
                numbers[11, r] = value
            elif code == 50:
                numbers[12, r] = value
            elif code == 51:
                numbers[13, r] = value
            elif code == 54:
                numbers[14, r] = value
            else:
                numbers[15, r] = value
        elif code == 53:
            if size != 1 or arena[at] < 1 or arena[at] > 8:
                return False
            numbers[10, r] = np.int64(arena[at])
        elif code == 2 or code == 28 or code == 59:
            if size != 4:
                return False
        elif code == 57:
            if size != 2:
                return False
        elif code == 3 or code == 6:
            if size == 0 or size % 4 != 0:
                return False
            which = 3 if code == 3 else 4
        elif code == 4 or code == 5 or code == 42 or code == 44 or code == 150:
            if size == 0 or size % 4 != 0:
                return False
        elif code == 12 or code == 15 or code == 60:
            if not _plain(arena, at, stop):
                return False
            which = 5 if code == 12 else (6 if code == 15 else 8)
        elif code == 55:
            which = 7
        elif code == 61:
            which = 9
        elif code == 66 or code == 67:
            if size > (MAX_SNAME if code == 66 else MAX_FILE) or not _plain(arena, at, stop):
                return False
            which = 10 if code == 66 else 11
            numbers[which + 6, r] = size
        elif code == 81:  # RFC 4702: flags, two octets of old, the name; DNS encoding if E
            if size < 3 or arena[at] & 4 != 0 or not _plain(arena, at + 3, stop):
                return False
            _keep(arena, at + 3, stop, heaps, ends, r, 12)
        elif code == 33 or code == 52 or code == 82 or code == 121 or code == 249:
            return False
        if which >= 0:
            _keep(arena, at, stop, heaps, ends, r, which)
        at = stop


@helper
def dhcp_rows(
    arena: NDArray[np.uint8],  # (bytes,)    every packet of the block
    payload: NDArray[np.int64],  # (packets,) first byte of the UDP payload, -1 none
    payload_len: NDArray[np.int32],  # (packets,) bytes of it captured
    payload_claimed: NDArray[np.int32],  # (packets,) bytes of it sent
    rows: NDArray[np.int64],  # (≥ n,)      packets that are DHCP
    n: int,  #                              how many of them
    first: int,  #                          where in ``rows`` to begin
    status: NDArray[np.uint8],  # (≥ n,)    out: ORDINARY or FOR_PARSER
    numbers: NDArray[np.int64],  # (18, room + APART) out: NUMBERS of each ordinary row, -1 none
    ends: NDArray[
        np.int32
    ],  # (13, room + 1 …) out: HEAPS: where each row's octets begin and the next's
    heaps: NDArray[np.uint8],  # (13, bytes) out: octets of the rows, end to end
    used: NDArray[np.int64],  # (1,)        in, out: rows in use
) -> Int:
    """Fill a row for each ordinary message; returns where it stopped for want of room."""
    for k in range(first, n):
        r = used[0]
        if r >= numbers.shape[1] - APART:
            return k
        for j in range(13):
            if ends[j, r] + ROOM_HEAP > heaps.shape[1]:
                return k
            ends[j, r + 1] = ends[j, r]
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
        numbers[0, r] = np.int64(arena[at])
        numbers[1, r] = np.int64(arena[at + 3])
        numbers[2, r] = _big(arena, at + 4, 4)
        numbers[3, r] = _big(arena, at + 8, 2)
        numbers[4, r] = _big(arena, at + 10, 2)
        for j in range(4):
            numbers[5 + j, r] = _big(arena, at + 12 + 4 * j, 4)
        numbers[9, r] = _big(arena, at + 28, 6)
        for j in range(10, 18):
            numbers[j, r] = -1
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
            _keep(arena, begin, stop, heaps, ends, r, which)
        if not ordinary or not _options(arena, at + 240, at + size, numbers, heaps, ends, r):
            continue
        if numbers[10, r] < 0:
            continue
        used[0] = r + 1
        status[k] = ORDINARY
    return n
