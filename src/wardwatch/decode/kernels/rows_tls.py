"""TLS hellos to rows: the ordinary ClientHello and ServerHello, without a Python parser.

Ordinary is what :mod:`wardwatch.decode.wire.tls` reads without an anomaly, in one record within
one segment, and what fits the columns here. The parser is the definition; for everything else
``row[:, OK]`` is 0 and the parser is to be asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wardwatch.compiled import helper, kernel
from wardwatch.decode.wire.reader import text
from wardwatch.decode.wire.tls import ClientHello, ServerHello

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Int = Any  # a Python int, or the NumPy scalar it is in plain mode

# Columns of a row.
OK, VERSION, SESSION_ID, LENGTH, SNI_AT, SNI_LEN, ALPN_AT, ALPN_LEN, CIPHER = range(9)
N_CIPHERS, N_EXTENSIONS, N_GROUPS, N_FORMATS, N_SIGNATURES, N_VERSIONS, PSK = range(9, 16)
FIELDS = 16
"""Columns of ``row``; the N_ columns count what stands in ``lists``; PSK 1: the server took a
pre-shared key (RFC 8446 §4.2.11)."""

# Where each list begins in a row of ``lists``, and how many it may hold: browsers offer 16
# suites, OpenSSL 1.0 some 80; a hello with more of anything is the parser's.
CIPHERS_AT, EXTENSIONS_AT, GROUPS_AT, FORMATS_AT, SIGNATURES_AT, VERSIONS_AT = (
    0,
    128,
    176,
    208,
    212,
    260,
)
WIDTH = 276
"""Columns of ``lists``."""


@helper
def _u16(arena: NDArray[np.uint8], at: int) -> int:
    return (np.int64(arena[at]) << 8) | np.int64(arena[at + 1])  # type: ignore[return-value]


@helper
def _list16(
    arena: NDArray[np.uint8],
    at: int,
    size: int,
    lists: NDArray[np.int32],
    i: int,
    to: int,
    room: int,
) -> int:
    """Copy ``size`` octets of 16 bit numbers; -1 where they are odd, none, or too many."""
    if size < 2 or size & 1 or size // 2 > room:
        return -1
    for k in range(size // 2):
        lists[i, to + k] = _u16(arena, at + 2 * k)
    return size // 2


@kernel
def client_hellos(
    arena: NDArray[np.uint8],  # (bytes,)
    payload: NDArray[np.int64],  # (n,) first byte of the TCP payload (or of the record)
    size: NDArray[np.int32],  # (n,) bytes of it that are there
    row: NDArray[np.int64],  # (n, FIELDS) out
    lists: NDArray[np.int32],  # (n, WIDTH) out: what the N_ columns count; the rest is left alone
) -> None:
    """Rows of ordinary ClientHellos that fill the first record of a payload. RFC 8446 §4.1.2."""
    for i in range(payload.size):
        for k in range(FIELDS):
            row[i, k] = 0
        row[i, SNI_AT] = -1
        row[i, ALPN_AT] = -1
        at = payload[i]
        end = at + size[i]
        if at < 0 or end - at < 9 + 38:
            continue
        record = _u16(arena, at + 3)
        inner = (np.int64(arena[at + 6]) << 16) | _u16(arena, at + 7)
        if (
            arena[at] != 22
            or arena[at + 1] != 3
            or arena[at + 5] != 1
            or inner + 4 != record
            or at + 5 + record > end
        ):
            continue
        at += 9
        end = at + inner
        if inner < 38:
            continue
        row[i, LENGTH] = inner
        row[i, VERSION] = _u16(arena, at)
        session_id = np.int64(arena[at + 34])
        row[i, SESSION_ID] = session_id
        at += 35 + session_id
        if at + 2 > end:
            continue
        claimed = _u16(arena, at)
        at += 2
        if at + claimed + 1 > end:
            continue
        found = _list16(arena, at, claimed, lists, i, CIPHERS_AT, 128)
        if found < 0:
            continue
        row[i, N_CIPHERS] = found
        at += claimed
        at += 1 + np.int64(arena[at])
        if at > end:
            continue
        if at == end:
            row[i, OK] = 1
            continue
        if at + 2 > end or at + 2 + _u16(arena, at) != end:
            continue
        at += 2
        count = 0
        good = True
        while at < end:
            if at + 4 > end or count >= 48:
                good = False
                break
            kind = _u16(arena, at)
            length = _u16(arena, at + 2)
            at += 4
            if at + length > end:
                good = False
                break
            for k in range(count):
                if lists[i, EXTENSIONS_AT + k] == kind:
                    good = False
            lists[i, EXTENSIONS_AT + count] = kind
            count += 1
            if kind == 0:
                if length < 6 or _u16(arena, at) != length - 2 or arena[at + 2] != 0:
                    good = False
                    break
                name = _u16(arena, at + 3)
                if name < 1 or 5 + name > length:
                    good = False
                    break
                row[i, SNI_AT] = at + 5
                row[i, SNI_LEN] = name
            elif kind == 16:
                if length < 4 or _u16(arena, at) != length - 2:
                    good = False
                    break
                first = np.int64(arena[at + 2])
                if first < 1 or first > length - 3:
                    good = False
                    break
                row[i, ALPN_AT] = at + 3
                row[i, ALPN_LEN] = first
            elif kind == 11:
                if length < 2 or np.int64(arena[at]) != length - 1 or length - 1 > 4:
                    good = False
                    break
                for k in range(length - 1):
                    lists[i, FORMATS_AT + k] = arena[at + 1 + k]
                row[i, N_FORMATS] = length - 1
            elif kind == 10 or kind == 13:
                if length < 4 or _u16(arena, at) != length - 2:
                    good = False
                    break
                if kind == 10:
                    found = _list16(arena, at + 2, length - 2, lists, i, GROUPS_AT, 32)
                    row[i, N_GROUPS] = found
                else:
                    found = _list16(arena, at + 2, length - 2, lists, i, SIGNATURES_AT, 48)
                    row[i, N_SIGNATURES] = found
                if found < 0:
                    good = False
                    break
            elif kind == 43:
                if length < 3 or np.int64(arena[at]) != length - 1:
                    good = False
                    break
                found = _list16(arena, at + 1, length - 1, lists, i, VERSIONS_AT, 16)
                row[i, N_VERSIONS] = found
                if found < 0:
                    good = False
                    break
            at += length
        if good:
            row[i, N_EXTENSIONS] = count
            row[i, OK] = 1


@kernel
def server_hellos(
    arena: NDArray[np.uint8],  # (bytes,)
    body: NDArray[np.int64],  # (n,) first byte of the handshake body
    size: NDArray[np.int32],  # (n,) its length, all of it there
    row: NDArray[np.int64],  # (n, FIELDS) out: OK, VERSION (as chosen), CIPHER, N_EXTENSIONS, PSK
    lists: NDArray[np.int32],  # (n, WIDTH) out: extension types at EXTENSIONS_AT
) -> None:
    """Rows of ordinary ServerHellos (not HelloRetryRequests)."""
    for i in range(body.size):
        server_hello(arena, body[i], np.int64(size[i]), row, lists, i)


@helper
def server_hello(
    arena: NDArray[np.uint8],
    at: Int,
    size: Int,
    row: NDArray[np.int64],
    lists: NDArray[np.int32],
    i: Int,
) -> None:
    """One of :func:`server_hellos`. RFC 5246 §7.4.1.3, RFC 8446 §4.1.3."""
    for k in range(FIELDS):
        row[i, k] = 0
    end = at + size
    if at < 0 or end - at < 38 or end - at < 38 + np.int64(arena[at + 34]):
        return
    # The random of a HelloRetryRequest begins with these four octets: leave it to the parser.
    if _u16(arena, at + 2) == 0xCF21 and _u16(arena, at + 4) == 0xAD74:
        return
    row[i, VERSION] = _u16(arena, at)
    at += 35 + np.int64(arena[at + 34])
    row[i, CIPHER] = _u16(arena, at)
    at += 3
    if at == end:
        row[i, OK] = 1
        return
    if at + 2 > end or at + 2 + _u16(arena, at) != end:
        return
    at += 2
    count = 0
    while at < end:
        if at + 4 > end or count >= 48:
            return
        kind = _u16(arena, at)
        length = _u16(arena, at + 2)
        at += 4
        if at + length > end:
            return
        for k in range(count):
            if lists[i, EXTENSIONS_AT + k] == kind:
                return
        lists[i, EXTENSIONS_AT + count] = kind
        count += 1
        if kind == 43 and length == 2:
            row[i, VERSION] = _u16(arena, at)
        elif kind == 41:
            row[i, PSK] = 1
        at += length
    row[i, N_EXTENSIONS] = count
    row[i, OK] = 1


def client_hello_of(
    arena: NDArray[np.uint8], row: NDArray[np.int64], lists: NDArray[np.int32]
) -> ClientHello:
    """The row as the message the parser would have made of it."""
    told = row.tolist()

    def values(start: int, count: int) -> tuple[int, ...]:
        return tuple(lists[start : start + told[count]].tolist())

    name_at, alpn_at = told[SNI_AT], told[ALPN_AT]
    name = arena[name_at : name_at + told[SNI_LEN]].tobytes() if name_at >= 0 else b""
    alpn = arena[alpn_at : alpn_at + told[ALPN_LEN]].tobytes() if alpn_at >= 0 else b""
    return ClientHello(
        version=told[VERSION],
        session_id_length=told[SESSION_ID],
        ciphers=values(CIPHERS_AT, N_CIPHERS),
        extensions=values(EXTENSIONS_AT, N_EXTENSIONS),
        length=told[LENGTH],
        server_name=text(name, 255),
        groups=values(GROUPS_AT, N_GROUPS),
        point_formats=values(FORMATS_AT, N_FORMATS),
        signature_algorithms=values(SIGNATURES_AT, N_SIGNATURES),
        versions=values(VERSIONS_AT, N_VERSIONS),
        alpn=alpn,
    )


def server_hello_of(row: NDArray[np.int64], lists: NDArray[np.int32]) -> ServerHello:
    """The row as the message the parser would have made of it."""
    count = int(row[N_EXTENSIONS])
    kinds = tuple(lists[EXTENSIONS_AT : EXTENSIONS_AT + count].tolist())
    return ServerHello(int(row[VERSION]), int(row[CIPHER]), kinds)


class One:
    """Rows for one hello at a time, their arrays made once."""

    def __init__(self) -> None:
        self._at = np.zeros(1, np.int64)
        self._size = np.zeros(1, np.int32)
        self._row = np.zeros((1, FIELDS), np.int64)
        self._lists = np.zeros((1, WIDTH), np.int32)

    def client(self, record: bytes) -> ClientHello | None:
        """The ClientHello that fills a record; ``None``: ask the parser."""
        arena = np.frombuffer(record, np.uint8)
        self._size[0] = len(record)
        client_hellos(arena, self._at, self._size, self._row, self._lists)
        if not self._row[0, OK]:
            return None
        return client_hello_of(arena, self._row[0], self._lists[0])

    def server(self, body: bytes) -> ServerHello | None:
        """The ServerHello of a handshake body; ``None``: ask the parser."""
        if not body:
            return None
        arena = np.frombuffer(body, np.uint8)
        self._size[0] = len(body)
        server_hellos(arena, self._at, self._size, self._row, self._lists)
        return server_hello_of(self._row[0], self._lists[0]) if self._row[0, OK] else None
