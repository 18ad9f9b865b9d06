"""Rows of ordinary DNS messages: one question, plain names, counts that fit, nothing odd.

:mod:`wardwatch.decode.wire.dns` is the definition. Whatever that parser would name an anomaly
for, or escape a byte of, is left to it.
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
    "trans_id",
    "flags",
    "qdcount",
    "ancount",
    "nscount",
    "arcount",
    "qtype",
    "qclass",
    "edns_size",
    "payload_len",
    "query_end",  # behind the last byte of the question's name in ``query``
    "answers_end",  # behind the last row of its answers in ``answers``
)
ANSWERS = ("type", "ttl", "text_end")

MAX_RECORDS = 24
"""Records of an ordinary message; more are rare, and bounded work is quick work."""
MAX_NAME = 255
MAX_JUMPS = 127
"""Pointers followed in one name, as the parser follows."""
ROOM_QUERY = 256  # bytes one question's name may take
ROOM_TEXT = MAX_RECORDS * 256  # bytes the answers of one message may take


@helper
def _u16(arena: NDArray[np.uint8], at: Int) -> Int:
    """Two octets at ``at``, network byte order."""
    return (np.int64(arena[at]) << 8) | np.int64(arena[at + 1])


@helper
def _name(
    arena: NDArray[np.uint8],
    start: Int,
    end: Int,
    at: Int,
    text: NDArray[np.uint8],
    put: Int,
    keep: bool,
) -> tuple[Int, Int]:
    """The plain name at ``at`` of the message ``[start, end)``, lower case, written at ``put``.

    Returns the byte behind it (-1: not plain) and where writing stopped. Every pointer must
    lead before the labels it was found behind, so that this ends.
    """
    behind: Int = np.int64(-1)
    octets: Int = 1
    lowest = at
    jumps = 0
    begun = False
    while True:
        if at >= end:
            return -1, put
        size = np.int64(arena[at])
        if size == 0:
            if behind < 0:
                behind = at + 1
            if not begun and keep:
                text[put] = 46  # the root is "."
                put += 1
            return behind, put
        if size >= 0xC0:
            if at + 2 > end:
                return -1, put
            target = start + (((size & 0x3F) << 8) | np.int64(arena[at + 1]))
            if behind < 0:
                behind = at + 2
            jumps += 1
            if target >= lowest or target < start + 12 or jumps > MAX_JUMPS:
                return -1, put
            if target < end and arena[target] >= 0xC0:
                return -1, put  # a pointer to a pointer: the parser names it
            lowest = target
            at = target
            continue
        octets += 1 + size
        if size >= 0x40 or octets > MAX_NAME or at + 1 + size > end:
            return -1, put
        if begun and keep:
            text[put] = 46
            put += 1
        begun = True
        for j in range(at + 1, at + 1 + size):
            c = np.int64(arena[j])
            if c >= 65 and c <= 90:
                c += 32
            elif not ((c >= 97 and c <= 122) or (c >= 48 and c <= 57) or c == 45 or c == 95):
                return -1, put
            if keep:
                text[put] = c
                put += 1
        at += 1 + size


@helper
def _decimal(value: Int, text: NDArray[np.uint8], put: Int) -> Int:
    """``value`` in decimal at ``put``; returns where writing stopped."""
    scale: Int = np.int64(1)
    while value // scale >= 10:
        scale *= 10
    while scale > 0:
        text[put] = 48 + (value // scale) % 10
        put += 1
        scale //= 10
    return put


@helper
def _ip6(arena: NDArray[np.uint8], at: Int, text: NDArray[np.uint8], put: Int) -> Int:
    """An IPv6 address as RFC 5952 writes it; returns where writing stopped, -1 if IPv4-mapped."""
    best = -1
    best_size = 1
    k = 0
    while k < 8:
        stop = k
        while stop < 8 and arena[at + 2 * stop] == 0 and arena[at + 2 * stop + 1] == 0:
            stop += 1
        if stop - k > best_size:
            best = k
            best_size = stop - k
        k = stop + 1
    if best == 0 and best_size == 5 and _u16(arena, at + 10) == 0xFFFF:
        return -1
    k = 0
    while k < 8:
        if k == best:
            text[put] = 58
            text[put + 1] = 58
            put += 2
            k += best_size
            continue
        if k > 0 and k != best + best_size:
            text[put] = 58
            put += 1
        group = _u16(arena, at + 2 * k)
        begun = False
        for nibble in range(4):
            digit = (group >> (12 - 4 * nibble)) & 15
            if digit > 0 or begun or nibble == 3:
                begun = True
                text[put] = 48 + digit if digit < 10 else 87 + digit
                put += 1
        k += 1
    return put


@helper
def _options_fit(arena: NDArray[np.uint8], at: Int, stop: Int) -> bool:
    """Whether the EDNS options in ``[at, stop)`` have lengths that add up."""
    while at < stop:
        if at + 4 > stop:
            return False
        at += 4 + _u16(arena, at + 2)
    return at == stop


@helper
def _records(
    arena: NDArray[np.uint8],
    start: Int,
    end: Int,
    at: Int,
    numbers: NDArray[np.int64],
    answers: NDArray[np.int64],
    text: NDArray[np.uint8],
    used: NDArray[np.int64],
    r: Int,
) -> bool:
    """Read the three sections of row ``r``; whether all of it is ordinary."""
    kept: Int = used[2]
    put: Int = used[3]
    edns: Int = np.int64(-1)
    for section in range(3):
        for _ in range(numbers[r, 3 + section]):
            root = at < end and arena[at] == 0
            at, _ = _name(arena, start, end, at, text, put, False)
            if at < 0 or at + 10 > end:
                return False
            kind = _u16(arena, at)
            rclass = _u16(arena, at + 2)
            ttl = (_u16(arena, at + 4) << 16) | _u16(arena, at + 6)
            rdlength = _u16(arena, at + 8)
            at += 10
            stop = at + rdlength
            if stop > end:
                return False
            keep = section == 0
            behind: Int = np.int64(-2)  # not a name
            if kind == 41:  # OPT: RFC 6891 §6.1.1
                if section != 2 or edns >= 0 or not root or not _options_fit(arena, at, stop):
                    return False
                edns = rclass
            elif kind == 1:
                if rdlength != 4:
                    return False
                if keep:
                    for j in range(4):
                        if j > 0:
                            text[put] = 46
                            put += 1
                        put = _decimal(np.int64(arena[at + j]), text, put)
            elif kind == 28:
                if rdlength != 16:
                    return False
                if keep:
                    put = _ip6(arena, at, text, put)
                    if put < 0:
                        return False
            elif kind == 2 or kind == 5 or kind == 12 or kind == 39:
                behind, put = _name(arena, start, end, at, text, put, keep)
            elif kind == 15:
                behind, put = _name(arena, start, end, at + 2, text, put, keep)
            elif kind == 33:
                behind, put = _name(arena, start, end, at + 6, text, put, keep)
            elif kind == 6:  # SOA: two names and 20 octets, RFC 1035 §3.3.13
                behind, _ = _name(arena, start, end, at, text, put, False)
                if behind >= 0:
                    behind, _ = _name(arena, start, end, behind, text, put, False)
                if behind >= 0:
                    behind += 20
            if behind != -2 and behind != stop:
                return False
            if keep:
                if (behind == -2 and kind != 1 and kind != 28) or kind == 6:
                    text[put] = 84
                    text[put + 1] = 89
                    text[put + 2] = 80
                    text[put + 3] = 69
                    put = _decimal(kind, text, put + 4)
                answers[kept, 0] = kind
                answers[kept, 1] = ttl
                answers[kept, 2] = put
                kept += 1
            at = stop
    numbers[r, 8] = edns
    used[2] = kept
    used[3] = put
    return True


@helper
def dns_rows(
    arena: NDArray[np.uint8],  # (bytes,)    every packet of the block
    payload: NDArray[np.int64],  # (packets,) first byte of the UDP payload, -1 none
    payload_len: NDArray[np.int32],  # (packets,) bytes of it captured
    payload_claimed: NDArray[np.int32],  # (packets,) bytes of it sent
    rows: NDArray[np.int64],  # (≥ n,)      packets that are DNS over UDP
    n: int,  #                              how many of them
    first: int,  #                          where in ``rows`` to begin
    status: NDArray[np.uint8],  # (≥ n,)    out: ORDINARY or FOR_PARSER
    numbers: NDArray[np.int64],  # (room, 12) out: NUMBERS of each ordinary row
    query: NDArray[np.uint8],  # (bytes,)   out: names asked for, end to end
    answers: NDArray[np.int64],  # (room, 3) out: ANSWERS, row after row
    text: NDArray[np.uint8],  # (bytes,)    out: answers as text, end to end
    used: NDArray[np.int64],  # (4,)        in, out: of numbers, query, answers and text in use
) -> Int:
    """Fill a row for each ordinary message; returns where it stopped for want of room."""
    for k in range(first, n):
        if (
            used[0] >= numbers.shape[0]
            or used[1] + ROOM_QUERY > query.size
            or used[2] + MAX_RECORDS > answers.shape[0]
            or used[3] + ROOM_TEXT > text.size
        ):
            return k
        i = rows[k]
        start = payload[i]
        status[k] = FOR_PARSER
        if start < 0 or payload_len[i] < 12 or payload_len[i] < payload_claimed[i]:
            continue
        end = start + payload_len[i]
        flags = _u16(arena, start + 2)
        if flags & 0x7A00 != 0 or _u16(arena, start + 4) != 1:
            continue  # opcodes other than QUERY, TC, and not one question
        r = used[0]
        total = 0
        for section in range(3):
            numbers[r, 3 + section] = _u16(arena, start + 6 + 2 * section)
            total += numbers[r, 3 + section]
        if total > MAX_RECORDS:
            continue
        behind, put = _name(arena, start, end, start + 12, query, used[1], True)
        if behind < 0 or behind + 4 > end or total * 11 > end - behind - 4:
            continue
        if not _records(arena, start, end, behind + 4, numbers, answers, text, used, r):
            continue
        numbers[r, 0] = _u16(arena, start)
        numbers[r, 1] = flags
        numbers[r, 2] = 1
        numbers[r, 6] = _u16(arena, behind)
        numbers[r, 7] = _u16(arena, behind + 2)
        numbers[r, 9] = payload_len[i]
        numbers[r, 10] = put
        numbers[r, 11] = used[2]
        used[0] = r + 1
        used[1] = put
        status[k] = ORDINARY
    return n
