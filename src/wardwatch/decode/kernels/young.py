"""Young conversations: TCP that behaves, followed by a kernel until it is plain what it is.

Theory of operation: the first segment with payload of a connection seen from both SYNs gets a
*seat*, which keeps its pieces. Three kinds are followed here: a TLS handshake, until both sides
have sent application data; what surely nobody here reads, until that is plain; and HTTP/1 in plain
exchanges, until it ends. Each byte in its place, nothing repeated, nothing cut: whatever is out of
the ordinary goes to Python, which is the definition. It reads a handshake from its beginning, with
all its pieces. Of HTTP, which has no end, no more is kept than a stream and a reader would know by
then: Python goes on from there.

:func:`next_rows` goes through a block in order and stops where Python may learn something that
counts for the rows behind.
"""

from __future__ import annotations

from collections import namedtuple
from typing import TYPE_CHECKING, Any

import numpy as np

from wardwatch.compiled import helper, hot, kernel
from wardwatch.decode.columns import DECODED, KIND_FRAGMENT, KIND_TCP
from wardwatch.decode.kernels.conversations import (
    AGREES,
    ANYTHING,
    FOLLOW,
    IGNORE,
    INTEREST,
    LINES,
    ORIG_BYTES,
    ORIG_ISN,
    ORIG_SKIP,
    RESP_BYTES,
    RESP_ISN,
    SEAT,
    THEIRS,
)
from wardwatch.decode.kernels.rows_http import (
    CODE,
    MOST_ASKED,
    MOST_HEADS,
    MOST_RECENT,
    MOST_ROWS,
    NAMED,
    ROWS,
    head,
)
from wardwatch.decode.kernels.rows_http import LENGTH as BODY
from wardwatch.decode.kernels.rows_http import SHAPE as SHAPE_FOUND
from wardwatch.decode.kernels.rows_tls import CIPHER, OK, PSK, VERSION, server_hello
from wardwatch.decode.kernels.select import chosen_segment
from wardwatch.decode.stream import RECENT_BYTES
from wardwatch.decode.wire.tls import LONGEST_HANDSHAKE, LONGEST_RECORD, MAX_CERTIFICATES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wardwatch.decode.columns import PacketColumns
    from wardwatch.model.block import PacketBlock

    Arrays = Any  # the named tuple of columns_of
    Int = Any  # a Python int, or the NumPy scalar it is in plain mode
    Ints = NDArray[np.int64]
    Bytes = NDArray[np.uint8]

_Columns: Any = namedtuple(  # type: ignore[misc]
    "_Columns",
    (
        "kind outcome has_mac src_mac dst_mac net src_hi src_lo dst_hi dst_lo src_port dst_port ttl "
        "flags seq ack payload payload_len payload_claimed conversation from_orig"
    ).split(),
)


def columns_of(columns: PacketColumns) -> Arrays:
    """The columns that :func:`next_rows` reads, unsigned 64 bit ones as signed ones."""
    fields: tuple[str, ...] = _Columns._fields
    found = (getattr(columns, name) for name in fields)
    return _Columns(*(a.view(np.int64) if a.dtype == np.uint64 else a for a in found))


SEATS = 2_048
"""Conversations followed at once; those over go to Python. A block has some thousand packets."""
CLIENT_ROOM, SERVER_ROOM = 4_096, 12_288
"""Bytes kept of each side: hellos have some 500, chains some 4,000; more is Python's."""
ROOM = CLIENT_ROOM + SERVER_ROOM
MOST_PIECES = 24
"""Segments kept of a conversation: an honest handshake has 6 to 10."""

# What is told of a row: to Python that is to read it, and kept of each piece.
(PACKET, TS, WHOLE, CAPTURE, HAS_MAC, SRC_MAC, DST_MAC, NET, SRC_HI, SRC_LO, SRC_PORT) = range(11)
(DST_HI, DST_LO, DST_PORT, CONVERSATION, TTL, WHERE, SEQ, ACK, FLAGS, CLAIMED) = range(11, 21)
(FROM_ORIG, START, LENGTH, ROW) = range(21, 25)
TOLD = 25
"""WHERE is the caller's number of the segment. START and LENGTH: the payload, in the arena or in
the bytes of the seat. ROW: the row of the block."""

TYPED = 16
"""Octets of a payload at most that is taken for typed, where it ends no line."""
AT_ONCE = 256
"""Rows told at once: what one costs to be told shrinks with their number."""
GO_ON, GIVEN_UP = range(2)
"""What ``control`` holds: the row to go on with; the seat of the conversation that is given up with
the last row told, 0 none."""

# Columns of a seat; those of a pair are the originator's and, behind it, the responder's.
MODE, NUMBER, PIECES, FILL, _FILL2, BASE, _BASE2, NEXT, _NEXT2, ACKED, _ACKED2 = range(11)
(PARSED, _PARSED2, AT, _AT2, HIDDEN, _HIDDEN2, DATA, _DATA2, OPAQUE, _OPAQUE2) = range(11, 21)
(HELLO_AT, HELLO_LEN, HELLO_PIECE, SERVER_PACKET, SERVER_VERSION, SERVER_CIPHER) = range(21, 27)
(CHAIN_AT, CHAIN_LEN, CHAIN_PIECE, CHAIN_COUNT, RESUMED) = range(27, 32)
SEAT_WIDTH = 40
"""FILL bytes kept; BASE sequence number of byte 0; NEXT place expected; ACKED place the other side
acknowledged; PARSED place of the next record, AT its index in the bytes (-1: ahead of what is
here); HIDDEN records of application data; DATA packet of the first of them that is data, -1;
OPAQUE encrypted."""

# Columns of a seat whose MODE is EXCHANGES, behind ACKED; pairs as above.
(SKIP, _SKIP2, LEFT, _LEFT2, FIN, _FIN2, SAID, _SAID2, OLD, _OLD2, NEW, _NEW2) = range(11, 23)
(HELD, _HELD2, ASKED, WAITING, SHOWN) = range(23, 28)
"""SKIP place before which nothing is wanted; LEFT bytes of a body of which none has come; FIN place
of the FIN, -1; SAID bytes ever remembered, of which the last RECENT_BYTES stand in a ring; OLD and
NEW numbers of the oldest piece of them and behind the newest, HELD bytes of these; ASKED methods
without a response, four bits each, the first lowest, WAITING how many; SHOWN the server is named."""

SHAPE, CONTENT_LENGTH, NAMES_SERVER = range(TOLD, TOLD + 3)
HEAD_WIDTH = TOLD + 3
"""A row of HTTP is what is told of the conversation's first piece, but for PACKET, TS, CAPTURE and
WHERE, which are the head's; and its shape, Content-Length, and 1 where it is the first to name the
server."""

EMPTY, HANDSHAKE, UNKNOWN, EXCHANGES = 0, 1, 2, 3
"""MODE of a seat."""

_FIN, _SYN, _RST, _ACK = 1, 2, 4, 16
_WORD = 0xFFFFFFFF
_WINDOW = 1 << 30
_HIDDEN_ALERT = 19
_LEAST = 11
"""Bytes of a side's first segment that are looked at: SSL 2 shows itself by then."""
_FTP, _TELNET, _DNS = 21, 23, 53
_DIGIT_2 = 50
_LF = 10
_HEAD = 2
"""Its number in rows_http.METHODS."""
_MAX_UNKNOWN, _BOTH = 1024, 64
"""When nobody will read it: recognise.MAX_UNKNOWN, and bytes of either side."""


@kernel
def next_rows(
    i: int,  #                                where to go on
    n: int,  #                                rows of the block
    first: int,  #                            number of the packet in row 0
    capture: int,
    wanted: NDArray[np.uint8],  # (n,)        1: a row that is no TCP and that Python reads
    arena: Bytes,
    time: Ints,  # (n,)
    c: Arrays,  #                             in: the arrays of :func:`columns_of`
    where: NDArray[np.int32],  # (n,)         number of the segment of each packet
    rows: Ints,  # (cap, WIDTH)               in and out: the conversation table
    row_of: Ints,  # (n,)                     row of each packet, -1 none
    prefixes: NDArray[np.uint32],  #          (k,) MAC prefixes of devices that Python reads
    expected: NDArray[np.uint8],  # (65536,)  1: ports at which FTP data is expected
    seats: Ints,  # (SEATS + 1, SEAT_WIDTH)   in and out; row 0 is nobody's
    pieces: Ints,  # (SEATS + 1, MOST_PIECES, TOLD)
    kept: Bytes,  # ((SEATS + 1) · ROOM,)     bytes of the pieces
    free: Ints,  # (SEATS + 1,)               stack of seats; the last entry counts them
    done: Ints,  # (SEATS + 2,)               out: handshakes to be written; the last counts them
    row: Ints,  # (1, FIELDS)                 scratch of the ServerHello
    lists: NDArray[np.int32],  # (1, WIDTH)   scratch
    web: Arrays,  #                           in and out: the arrays of rows_http.web_of
    told: Ints,  # (AT_ONCE, TOLD)            out: the rows that Python is to read
    control: Ints,  # (2,)                    out: GO_ON, GIVEN_UP
) -> int:
    """Go on to the next rows for Python ⇒ how many, 0 none are left.

    Datagrams, rows of conversations that Python follows already, and the first rows of those that
    tell it nothing of others are told together; a fragment, and a SYN that may begin a connection
    anew, ends the list, so that what Python learns counts for all behind it. Behind a row of a
    conversation that it has not decided about, or that may agree upon others (octet upon octet of
    FTP do not, but the line's end does), only rows are told that it reads whatever it learns, and
    those that it may come to want. Where a conversation leaves its seat, its pieces are to be read
    before the last row.
    """
    count = 0
    unsure = False  # whether Python may learn of the rows told what counts for those behind
    control[GIVEN_UP] = 0
    fresh = THEIRS - 1 - first - i  # no other list of this capture begins at this packet
    while i < n and count < told.shape[0]:
        if c.kind[i] == KIND_TCP:
            r = row_of[i]
            if r < 0 or c.outcome[i] != DECODED or rows[r, INTEREST] == IGNORE:
                i += 1
                continue
            if rows[r, SEAT] == fresh and count:
                break  # what Python makes of its first row decides which of the others it reads
            side = 1 - np.int64(c.from_orig[i])
            # Of those that it is undecided about it may come to want all, and takes what it wants.
            decided = not unsure or rows[r, SEAT] >= 0
            if not chosen_segment(
                rows[r, INTEREST] if decided else FOLLOW,
                rows[r, ORIG_BYTES] + rows[r, RESP_BYTES],
                rows[r, ORIG_SKIP + side],
                np.int64(c.flags[i]),
                np.int64(c.seq[i]),
                np.int64(c.payload_len[i]),
            ):
                i += 1
                continue
            if unsure and rows[r, SEAT] >= 0:
                break  # what Python learns decides who reads it
        elif not wanted[i]:
            i += 1
            continue
        _tell(told, count, i, first, capture, time, c, where)
        if c.kind[i] != KIND_TCP:
            count += 1
            i += 1
            if c.kind[i - 1] == KIND_FRAGMENT:
                break  # the datagram may be a segment, and move the table's rows
            continue
        r = row_of[i]
        seat = rows[r, SEAT]
        if seat <= THEIRS:
            count += 1
            i += 1
            if np.int64(c.flags[i - 1]) & (_SYN | _ACK) == _SYN:
                break  # of a new connection all is wanted, also what the one before would skip
            agrees = rows[r, AGREES]
            if rows[r, INTEREST] != FOLLOW or agrees == ANYTHING:
                unsure = True
            elif agrees == LINES and _may_end_line(arena, told, count - 1):
                unsure = True
            continue
        if seat == 0:
            seat = _sit_down(r, arena, told, count, rows, prefixes, expected, seats, free)
        if seat > 0 and seats[seat, MODE] == EXCHANGES:
            fresh_seat = seats[seat, PIECES] == 0
            behaves = _exchange(r, seat, arena, told, count, rows, seats, pieces, kept, free, web)
            if fresh_seat and not behaves:
                leave(seat, seats, free)
                seat = 0
        else:
            behaves = seat > 0 and _take(seat, arena, told, count, seats, pieces, kept)
            if behaves:
                behaves = _reads(r, seat, told, count, rows, seats, kept, free, done, row, lists)
        if behaves:
            i += 1
            continue
        alone = seat > 0 or _may_agree(arena, told, count, expected)
        rows[r, SEAT] = THEIRS if alone else fresh
        control[GIVEN_UP] = max(seat, 0)
        count += 1
        i += 1
        if alone:
            break
    control[GO_ON] = i
    return count


def tell(block: PacketBlock, columns: PacketColumns, i: int, segment: int) -> list[int]:
    """What :func:`next_rows` tells of a row, where Python asks for it."""
    c = columns
    told = [
        block.first + i,
        block.time[i],
        c.payload_len[i] >= c.payload_claimed[i],
        block.capture,
        c.has_mac[i],
        c.src_mac[i],
        c.dst_mac[i],
        c.net[i],
        c.src_hi[i],
        c.src_lo[i],
        c.src_port[i],
        c.dst_hi[i],
        c.dst_lo[i],
        c.dst_port[i],
        c.conversation[i],
        c.ttl[i],
        segment,
        c.seq[i],
        c.ack[i],
        c.flags[i],
        c.payload_claimed[i],
        c.from_orig[i],
        c.payload[i],
        c.payload_len[i] if c.payload[i] >= 0 else 0,
        i,
    ]
    return list(map(int, told))


@kernel
def told_rows(
    rows: Ints,  # (≥ n,)                     rows of the block
    n: int,  #                                how many of them
    first: int,  #                            number of the packet in row 0
    capture: int,
    time: Ints,  # (packets,)
    c: Arrays,  #                             in: the arrays of :func:`columns_of`
    where: NDArray[np.int32],  # (packets,)   number of the segment of each packet
    told: Ints,  # (≥ n, TOLD)                out
) -> None:
    """What :func:`next_rows` tells of rows, for many of them."""
    for k in range(n):
        _tell(told, k, rows[k], first, capture, time, c, where)


@hot
def _tell(
    told: Ints,
    count: Int,
    i: Int,
    first: Int,
    capture: Int,
    time: Ints,
    c: Arrays,
    where: NDArray[np.int32],
) -> None:
    """Write what is told of row ``i``; copied where it is called, as the columns are many."""
    told[count, PACKET] = first + i
    told[count, TS] = time[i]
    told[count, WHOLE] = 1 if c.payload_len[i] >= c.payload_claimed[i] else 0
    told[count, CAPTURE] = capture
    told[count, HAS_MAC] = c.has_mac[i]
    told[count, SRC_MAC] = c.src_mac[i]
    told[count, DST_MAC] = c.dst_mac[i]
    told[count, NET] = c.net[i]
    told[count, SRC_HI] = c.src_hi[i]
    told[count, SRC_LO] = c.src_lo[i]
    told[count, SRC_PORT] = c.src_port[i]
    told[count, DST_HI] = c.dst_hi[i]
    told[count, DST_LO] = c.dst_lo[i]
    told[count, DST_PORT] = c.dst_port[i]
    told[count, CONVERSATION] = c.conversation[i]
    told[count, TTL] = c.ttl[i]
    told[count, WHERE] = where[i]
    told[count, SEQ] = c.seq[i]
    told[count, ACK] = c.ack[i]
    told[count, FLAGS] = c.flags[i]
    told[count, CLAIMED] = c.payload_claimed[i]
    told[count, FROM_ORIG] = c.from_orig[i]
    told[count, START] = c.payload[i]
    told[count, LENGTH] = c.payload_len[i] if c.payload[i] >= 0 else 0
    told[count, ROW] = i


@helper
def _u16(b: Bytes, at: Int) -> Int:
    return (np.int64(b[np.uint64(at)]) << 8) | np.int64(b[np.uint64(at + 1)])


@helper
def _u24(b: Bytes, at: Int) -> Int:
    return (np.int64(b[np.uint64(at)]) << 16) | _u16(b, at + 1)


@helper
def _sit_down(
    r: Int,
    arena: Bytes,
    told: Ints,
    count: Int,
    rows: Ints,
    prefixes: NDArray[np.uint32],
    expected: NDArray[np.uint8],
    seats: Ints,
    free: Ints,
) -> Int:
    """A seat for a conversation that says its first word; 0 where Python is to read it."""
    source, target = told[count, SRC_PORT], told[count, DST_PORT]
    if not told[count, FROM_ORIG] or rows[r, ORIG_ISN] < 0 or rows[r, RESP_ISN] < 0:
        return 0
    if told[count, LENGTH] < _LEAST or source < 0 or target < 0 or free[free.size - 1] == 0:
        return 0
    # told apart one by one: a loop over a tuple may raise, and its code could not be kept
    if source == _FTP or target == _FTP or source == _TELNET or target == _TELNET:
        return 0
    if source == _DNS or target == _DNS:
        return 0
    if expected[source] or expected[target]:
        return 0
    for k in range(prefixes.size):
        prefix = np.int64(prefixes[k])
        if told[count, SRC_MAC] >> 24 == prefix or told[count, DST_MAC] >> 24 == prefix:
            return 0
    at = told[count, START]
    begins = arena[at] == 22 and arena[at + 1] == 3 and arena[at + 2] <= 4
    record = _u16(arena, at + 3)
    if begins and 0 < record <= LONGEST_RECORD:
        mode = HANDSHAKE
    elif _strange(arena, at):
        mode = UNKNOWN
    elif 0x41 <= arena[at] <= 0x5A:  # a method, which will be seen
        mode = EXCHANGES
    else:
        return 0
    free[free.size - 1] -= 1
    seat = free[free[free.size - 1]]
    for k in range(SEAT_WIDTH):
        seats[seat, k] = 0
    seats[seat, MODE] = mode
    seats[seat, NUMBER] = told[count, CONVERSATION]
    seats[seat, BASE] = (rows[r, ORIG_ISN] + 1) & _WORD
    seats[seat, BASE + 1] = (rows[r, RESP_ISN] + 1) & _WORD
    rows[r, SEAT] = seat
    if mode == EXCHANGES:
        seats[seat, FIN] = -1
        seats[seat, FIN + 1] = -1
        return seat
    seats[seat, DATA] = -1
    seats[seat, DATA + 1] = -1
    seats[seat, HELLO_AT] = -1
    seats[seat, SERVER_PACKET] = -1
    seats[seat, CHAIN_AT] = -1
    if mode == HANDSHAKE:
        rows[r, INTEREST] = FOLLOW
    return seat


@helper
def _may_agree(arena: Bytes, told: Ints, count: Int, expected: NDArray[np.uint8]) -> bool:
    """Whether the first row of a conversation may agree upon others, or be one agreed upon.

    FTP is told by its port, or by a reply 220 on whatever port (observe.recognise).
    """
    source, target = told[count, SRC_PORT], told[count, DST_PORT]
    if source < 0 or target < 0 or source == _FTP or target == _FTP:
        return True
    if expected[source] or expected[target]:
        return True
    return bool(told[count, LENGTH] > 0 and arena[told[count, START]] == _DIGIT_2)


@helper
def _may_end_line(arena: Bytes, told: Ints, count: Int) -> bool:
    """Whether a row's payload ends a line, or is longer than what is typed."""
    size = told[count, LENGTH]
    if size > TYPED:
        return True
    for k in range(size):
        if arena[np.uint64(told[count, START] + k)] == _LF:
            return True
    return False


@helper
def _strange(b: Bytes, at: Int) -> bool:
    """Whether a side that begins so is surely read by nobody here: see observe.recognise.

    Text, a TLS record, MLLP, DICOM, telnet's IAC, a byte order mark, an SSL 2 hello: may be read.
    """
    octet = b[at]
    if 0x20 <= octet <= 0x7E or 9 <= octet <= 13 or 20 <= octet <= 24:
        return False
    if octet == 0xEF or octet == 0xFF or (octet <= 2 and b[at + 1] == 0 and octet > 0):
        return False
    return not (octet & 0x80 and (b[at + 2] == 1 or b[at + 2] == 4))


@helper
def _place(seq: Int, base: Int, near: Int) -> Int:
    """Place in the stream of a sequence number, the one nearest to ``near``."""
    ahead = (seq - base - near) & _WORD
    return near + (ahead - (_WORD + 1) if ahead & 0x80000000 else ahead)


@helper
def _take(
    seat: Int, arena: Bytes, told: Ints, count: Int, seats: Ints, pieces: Ints, kept: Bytes
) -> bool:
    """Keep a segment that continues its side; ``False``: it is out of the ordinary."""
    side = 1 - told[count, FROM_ORIG]
    size = told[count, LENGTH]
    if told[count, FLAGS] & (_SYN | _FIN | _RST) or size <= 0 or size != told[count, CLAIMED]:
        return False
    if seats[seat, PIECES] >= MOST_PIECES or seats[seat, FILL + side] + size > (
        SERVER_ROOM if side else CLIENT_ROOM
    ):
        return False
    place = _place(told[count, SEQ], seats[seat, BASE + side], seats[seat, NEXT + side])
    ahead = (
        seats[seat, AT + side] < 0
    )  # what nobody wants is not brought: behind it the stream goes on
    if place != seats[seat, NEXT + side] and not (
        ahead and seats[seat, NEXT + side] < place <= seats[seat, PARSED + side]
    ):
        return False
    if told[count, FLAGS] & _ACK:
        other = 1 - side
        reached = _place(told[count, ACK], seats[seat, BASE + other], seats[seat, NEXT + other])
        if seats[seat, ACKED + other] < reached <= seats[seat, NEXT + other] + _WINDOW:
            seats[seat, ACKED + other] = reached
    at = told[count, START]
    first = seats[seat, FILL + side] == 0 and side == 1
    if first and seats[seat, MODE] == UNKNOWN and (size < _LEAST or not _strange(arena, at)):
        return False
    start = seat * ROOM + side * CLIENT_ROOM + seats[seat, FILL + side]
    for k in range(size):
        kept[np.uint64(start + k)] = arena[np.uint64(at + k)]
    piece = seats[seat, PIECES]
    for k in range(TOLD):
        pieces[seat, piece, k] = told[count, k]
    pieces[seat, piece, START] = start
    seats[seat, PIECES] += 1
    if ahead and seats[seat, PARSED + side] < place + size:
        seats[seat, AT + side] = seats[seat, FILL + side] + seats[seat, PARSED + side] - place
    seats[seat, FILL + side] += size
    seats[seat, NEXT + side] = place + size
    return True


@helper
def _reads(
    r: Int,
    seat: Int,
    told: Ints,
    count: Int,
    rows: Ints,
    seats: Ints,
    kept: Bytes,
    free: Ints,
    done: Ints,
    row: Ints,
    lists: NDArray[np.int32],
) -> bool:
    """Read the piece just kept; ``False``: it is out of the ordinary, and not kept any more."""
    if seats[seat, MODE] == UNKNOWN:
        behaves = _unknown(r, seat, rows, seats, kept, free)
    else:
        behaves = _records(r, seat, told, count, rows, seats, kept, done, row, lists)
    if not behaves:
        seats[seat, PIECES] -= 1  # the present one, which Python is given beside them
    return behaves


@helper
def _unknown(r: Int, seat: Int, rows: Ints, seats: Ints, kept: Bytes, free: Ints) -> bool:
    """Whether a strange conversation may go on or be given up; ``False``: Python is to look."""
    begin = seat * ROOM + CLIENT_ROOM
    for k in range(begin, begin + seats[seat, FILL + 1] - 3):  # the pump's telnet, on whatever port
        if kept[k] == 82 and kept[k + 1] == 84 and kept[k + 2] == 67 and kept[k + 3] == 83:
            return False
    both = seats[seat, FILL] >= _BOTH and seats[seat, FILL + 1] >= _BOTH
    if both or seats[seat, FILL] + seats[seat, FILL + 1] > _MAX_UNKNOWN:
        rows[r, INTEREST] = IGNORE
        rows[r, SEAT] = THEIRS
        leave(seat, seats, free)
    return True


@helper
def leave(seat: Int, seats: Ints, free: Ints) -> None:
    """The seat is free again."""
    seats[seat, MODE] = EMPTY
    free[free[free.size - 1]] = seat
    free[free.size - 1] += 1


@helper
def _whole(seats: Ints, seat: Int) -> bool:
    """Whether all that either side acknowledged has been seen; a FIN would take one number."""
    return bool(
        seats[seat, ACKED] <= seats[seat, NEXT] + 1
        and seats[seat, ACKED + 1] <= seats[seat, NEXT + 1] + 1
    )


@helper
def _go_on(seats: Ints, seat: Int, side: Int, size: Int, r: Int, rows: Ints) -> None:
    """The record of ``size`` bytes is dealt with, be it all here or not."""
    seats[seat, PARSED + side] += size
    seats[seat, AT + side] += size
    if seats[seat, AT + side] > seats[seat, FILL + side]:
        seats[seat, AT + side] = -1
        rows[r, ORIG_SKIP + side] = (seats[seat, BASE + side] + seats[seat, PARSED + side]) & _WORD


@helper
def _records(
    r: Int,
    seat: Int,
    told: Ints,
    count: Int,
    rows: Ints,
    seats: Ints,
    kept: Bytes,
    done: Ints,
    row: Ints,
    lists: NDArray[np.int32],
) -> bool:
    """Read the records that are here (RFC 8446 §5.1); ``False``: one is out of the ordinary."""
    side = 1 - told[count, FROM_ORIG]
    packet = told[count, PACKET]
    base = seat * ROOM + side * CLIENT_ROOM
    while seats[seat, AT + side] >= 0:
        here = seats[seat, FILL + side] - seats[seat, AT + side]
        at = base + seats[seat, AT + side]
        if here < 5:
            return True
        kind = np.int64(kept[at])
        size = _u16(kept, at + 3)
        if kind < 20 or kind > 24 or kept[at + 1] != 3 or size > LONGEST_RECORD:
            return False
        if kind == 23:
            if seats[seat, HELLO_AT] < 0 or seats[seat, SERVER_PACKET] < 0:
                return False
            _go_on(seats, seat, side, 5 + size, r, rows)
            _application(seats, seat, side, size, packet)
            if seats[seat, DATA] >= 0 and seats[seat, DATA + 1] >= 0:
                rows[r, INTEREST] = IGNORE
                rows[r, SEAT] = THEIRS
                done[done[done.size - 1]] = seat
                done[done.size - 1] += 1
                return True
            continue
        if kind == 22 and seats[seat, OPAQUE + side]:
            if here < 9:
                return True
            if kept[at + 5] == 1 and _u24(kept, at + 6) + 4 == size:
                return False  # a ClientHello behind a dummy ChangeCipherSpec
            _go_on(seats, seat, side, 5 + size, r, rows)
            continue
        if here < 5 + size:
            return True
        if kind == 21 and size == 2:
            return False
        if kind == 20:
            _change(seats, seat, side)
        elif kind == 22 and not _messages(seats, seat, side, at, size, packet, kept, row, lists):
            return False
        _go_on(seats, seat, side, 5 + size, r, rows)
    return True


@hot
def _application(seats: Ints, seat: Int, side: Int, size: Int, packet: Int) -> None:
    """A record of application data; in TLS 1.3 it may still be handshake (RFC 8446 §5.2)."""
    seats[seat, HIDDEN + side] += 1
    if seats[seat, DATA + side] >= 0:
        return
    if seats[seat, SERVER_VERSION] >= 0x0304:
        if side == 0:
            data = seats[seat, HIDDEN] > 1 and size != _HIDDEN_ALERT
        else:
            data = seats[seat, HIDDEN] > 0
    else:
        data = True
    if data:
        seats[seat, DATA + side] = packet


@hot
def _change(seats: Ints, seat: Int, side: Int) -> None:
    """ChangeCipherSpec: up to TLS 1.2 the side encrypts from here on."""
    known = seats[seat, SERVER_PACKET] >= 0
    if known and seats[seat, SERVER_VERSION] >= 0x0304:
        return
    seats[seat, OPAQUE + side] = 1
    if side == 1 and known and seats[seat, CHAIN_COUNT] == 0:
        seats[seat, RESUMED] = 1


@helper
def _messages(
    seats: Ints,
    seat: Int,
    side: Int,
    at: Int,
    size: Int,
    packet: Int,
    kept: Bytes,
    row: Ints,
    lists: NDArray[np.int32],
) -> bool:
    """The messages of a handshake record, whole ones only; ``False``: Python is to read them."""
    if size < 4:
        return False
    if side == 0 and seats[seat, HELLO_AT] < 0:
        # the first word: a ClientHello that fills its record
        if kept[at + 5] != 1 or _u24(kept, at + 6) + 4 != size or not _whole(seats, seat):
            return False
        seats[seat, HELLO_AT] = at
        seats[seat, HELLO_LEN] = 5 + size
        seats[seat, HELLO_PIECE] = seats[seat, PIECES] - 1
        return True
    if seats[seat, HELLO_AT] < 0:
        return False
    at += 5
    end = at + size
    while at < end:
        if at + 4 > end:
            return False
        kind = np.int64(kept[at])
        length = _u24(kept, at + 1)
        at += 4
        if length > LONGEST_HANDSHAKE or at + length > end or kind == 1:
            return False
        if kind == 2:
            if side == 0 or seats[seat, SERVER_PACKET] >= 0 or not _whole(seats, seat):
                return False
            server_hello(kept, at, length, row, lists, 0)
            if not row[0, OK]:
                return False
            seats[seat, SERVER_PACKET] = packet
            seats[seat, SERVER_VERSION] = row[0, VERSION]
            seats[seat, SERVER_CIPHER] = row[0, CIPHER]
            seats[seat, RESUMED] = 1 if row[0, VERSION] >= 0x0304 and row[0, PSK] else 0
        elif kind == 11 and side == 0 and length > 3:
            return False  # who asks clients to show a certificate is rare
        elif kind == 11 and side == 1:
            count = _certificates(kept, at, length)
            if seats[seat, CHAIN_COUNT] or count < 1 or not _whole(seats, seat):
                return False
            seats[seat, CHAIN_AT] = at
            seats[seat, CHAIN_LEN] = length
            seats[seat, CHAIN_PIECE] = seats[seat, PIECES] - 1
            seats[seat, CHAIN_COUNT] = count
        at += length
    return True


@helper
def _certificates(kept: Bytes, at: Int, size: Int) -> Int:
    """Certificates of a list whose lengths agree (RFC 5246 §7.4.2); 0 where they do not."""
    if size < 3 or _u24(kept, at) != size - 3:
        return 0
    end = at + size
    at += 3
    count = 0
    while at < end:
        if at + 3 > end or at + 3 + _u24(kept, at) > end or count >= MAX_CERTIFICATES:
            return 0
        at += 3 + _u24(kept, at)
        count += 1
    return count


@helper
def _exchange(
    r: Int,
    seat: Int,
    arena: Bytes,
    told: Ints,
    count: Int,
    rows: Ints,
    seats: Ints,
    pieces: Ints,
    kept: Bytes,
    free: Ints,
    web: Arrays,
) -> bool:
    """Read a segment of HTTP; ``False``: it is out of the ordinary, and nothing was done.

    What is done is what observe.exchanges and a stream of decode.stream would do. That the other
    side's bytes are acknowledged is noted even so: Python will note it again.
    """
    side = 1 - told[count, FROM_ORIG]
    size = told[count, LENGTH]
    flags = told[count, FLAGS]
    if flags & _SYN or size != told[count, CLAIMED]:
        return False
    other = 1 - side
    if flags & _ACK:
        reached = _place(told[count, ACK], seats[seat, BASE + other], seats[seat, NEXT + other])
        if seats[seat, ACKED + other] < reached <= seats[seat, NEXT + other] + _WINDOW:
            seats[seat, ACKED + other] = reached
    if flags & _RST:  # RFC 9293 §3.10.7.4: text in it is no part of the stream
        if seats[seat, FIN + side] >= 0:
            return True  # that side had ended
        if not seen_all(seats, seat):
            return False
        _is_over(r, seat, rows, seats, free)
        return True
    if seats[seat, FIN + side] >= 0:
        return False
    place = _place(told[count, SEQ], seats[seat, BASE + side], seats[seat, NEXT + side])
    skip = seats[seat, SKIP + side]
    if place < seats[seat, NEXT + side] or place > max(seats[seat, NEXT + side], skip):
        return False
    left_out = min(max(skip - place, 0), size)
    if left_out < size and not _heads(
        seat, side, arena, told, count, left_out, place, seats, pieces, kept, web
    ):
        return False
    if seats[seat, PIECES] == 0:
        for k in range(TOLD):
            pieces[seat, 0, k] = told[count, k]
        rows[r, INTEREST] = FOLLOW
    for k in range(TOLD):
        pieces[seat, 1, k] = told[count, k]
    seats[seat, PIECES] = 2
    if size:
        seats[seat, NEXT + side] = place + size
    if seats[seat, SKIP + side] > seats[seat, NEXT + side]:
        rows[r, ORIG_SKIP + side] = (seats[seat, BASE + side] + seats[seat, SKIP + side]) & _WORD
    if flags & _FIN:
        seats[seat, FIN + side] = place + size
        if seats[seat, FIN + other] >= 0:
            _is_over(r, seat, rows, seats, free)
    return True


@helper
def seen_all(seats: Ints, seat: Int) -> bool:
    """Whether all that was acknowledged of an exchange, and is wanted, was seen: a FIN takes one."""
    for side in range(2):
        reached = max(seats[seat, NEXT + side], seats[seat, SKIP + side])
        if seats[seat, FIN + side] < 0 and seats[seat, ACKED + side] - 1 > reached:
            return False
    return True


@helper
def _is_over(r: Int, seat: Int, rows: Ints, seats: Ints, free: Ints) -> None:
    """An exchange that ended: nobody wants more of it."""
    rows[r, INTEREST] = IGNORE
    rows[r, SEAT] = THEIRS
    leave(seat, seats, free)


@helper
def _heads(
    seat: Int,
    side: Int,
    arena: Bytes,
    told: Ints,
    count: Int,
    left_out: Int,
    place: Int,
    seats: Ints,
    pieces: Ints,
    kept: Bytes,
    web: Arrays,
) -> bool:
    """Read the heads of a segment, whole ones only, and step over bodies; ``False``: as it was.

    The first ``left_out`` bytes of the segment at ``place`` are not wanted.
    """
    at = told[count, START] + left_out
    end = told[count, START] + told[count, LENGTH]
    first = web.used[ROWS]
    fill = first
    left = seats[seat, LEFT + side]
    asked = seats[seat, ASKED]
    waiting = seats[seat, WAITING]
    shown = seats[seat, SHOWN]
    while at < end:
        if left:
            at += left  # as far as it is here, and further
            left = 0
            continue
        if fill >= MOST_ROWS or fill >= first + MOST_HEADS:
            return False
        read = head(arena, at, end, side == 0, web)
        if read == 0:
            return False
        body = web.found[BODY]
        if side == 0:
            body = max(body, 0)
            if waiting >= MOST_ASKED:
                return False
            asked |= web.found[CODE] << (4 * waiting)
            waiting += 1
        else:
            if (waiting and asked & 15 == _HEAD) or (
                web.found[CODE] == 204 or web.found[CODE] == 304
            ):
                body = 0  # RFC 9112 §6.3
            if body < 0:
                return False
            if waiting:
                asked >>= 4
                waiting -= 1
        web.rows[fill, SHAPE] = web.found[SHAPE_FOUND]
        web.rows[fill, CONTENT_LENGTH] = web.found[BODY]
        web.rows[fill, NAMES_SERVER] = 1 if web.found[NAMED] and not shown else 0
        if web.found[NAMED]:
            shown = 1
        fill += 1
        at += read
        if at < end:
            at += body
        else:
            left = body  # stepped over when its first byte comes
    size = told[count, LENGTH] - left_out
    if not _remember(seat, side, arena, end - size, size, place + left_out, seats, kept, web):
        return False
    if at > end:
        seats[seat, SKIP + side] = place + told[count, LENGTH] + at - end
    seats[seat, LEFT + side] = left
    seats[seat, ASKED] = asked
    seats[seat, WAITING] = waiting
    seats[seat, SHOWN] = shown
    begun = seats[seat, PIECES] > 0
    for n in range(first, fill):
        for k in range(TOLD):
            web.rows[n, k] = pieces[seat, 0, k] if begun else told[count, k]
        web.rows[n, PACKET] = told[count, PACKET]
        web.rows[n, TS] = told[count, TS]
        web.rows[n, CAPTURE] = told[count, CAPTURE]
        web.rows[n, WHERE] = told[count, WHERE]
    web.used[ROWS] = fill
    return True


@helper
def _remember(
    seat: Int,
    side: Int,
    arena: Bytes,
    at: Int,
    size: Int,
    place: Int,
    seats: Ints,
    kept: Bytes,
    web: Arrays,
) -> bool:
    """Keep the last bytes of a side as a stream does; ``False``: in too many pieces, as it was."""
    if size > RECENT_BYTES:
        over = size - RECENT_BYTES
        at += over
        place += over
        size = RECENT_BYTES
    old = seats[seat, OLD + side]
    new = seats[seat, NEW + side]
    held = seats[seat, HELD + side] + size
    while held > RECENT_BYTES:
        held -= web.recent[seat, side, old % MOST_RECENT, 1]
        old += 1
    if new - old >= MOST_RECENT:
        return False
    web.recent[seat, side, new % MOST_RECENT, 0] = place
    web.recent[seat, side, new % MOST_RECENT, 1] = size
    seats[seat, OLD + side] = old
    seats[seat, NEW + side] = new + 1
    seats[seat, HELD + side] = held
    room = seat * ROOM + side * CLIENT_ROOM
    begin = seats[seat, SAID + side] % RECENT_BYTES
    straight = min(size, RECENT_BYTES - begin)
    for k in range(straight):
        kept[np.uint64(room + begin + k)] = arena[np.uint64(at + k)]
    for k in range(size - straight):
        kept[np.uint64(room + k)] = arena[np.uint64(at + straight + k)]
    seats[seat, SAID + side] += size
    return True
