"""HTTP/1 heads to shapes: the ordinary request and response, without a Python parser.

Ordinary is a head that lies in one segment, of which :mod:`wardwatch.decode.wire.http` says nothing
odd, and behind which there is nothing to do but to step over a body of known length. What tells one
such head from another in the tables, its length apart, is its *shape*: the start line without
target and reason, and the few fields that are kept. Shapes are numbered when they are first seen;
the parser, which is the definition, reads each of them once.
"""

from __future__ import annotations

from collections import namedtuple
from typing import TYPE_CHECKING, Any

import numpy as np

from wardwatch.compiled import helper, hot
from wardwatch.decode.blank import blank

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = Any  # the named tuple of web_of
    Int = Any  # a Python int, or the NumPy scalar it is in plain mode
    Bytes = NDArray[np.uint8]

MOST_ROWS = 8_192
"""Rows kept until they are written: 2 MB. Conversations that find no room are Python's."""
MOST_SHAPES = 1_024
"""Shapes told apart at once; the mix has some hundred."""
LONGEST_SHAPE = 768
"""Octets of a shape: a browser's has 250."""
MOST_LINES = 100
"""Field lines of an ordinary head; servers take about as many."""
LONGEST_BODY = 1 << 30
"""Octets that are stepped over: what the window of a sequence number can tell (RFC 9293 §3.4)."""
MOST_HEADS = 8
"""Heads in one segment: nobody pipelines more."""
MOST_RECENT = 64
"""Pieces of a side kept to compare retransmissions with; a stream has 256, but heads are long."""
MOST_ASKED = 15
"""Requests waiting for their response, four bits of a number each."""

METHODS = ("", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
"""Methods of ordinary requests by their number, at most 15: RFC 9110 §9.3 and RFC 5789, without
CONNECT, behind which another protocol follows, and TRACE."""

_Web: Any = namedtuple("_Web", "rows shapes octets slots used found recent")


def web_of(seats: int, width: int) -> Arrays:
    """Arrays for the heads of ``seats`` conversations, whose rows have ``width`` columns.

    rows (MOST_ROWS, width) int64: heads that were read; shapes (MOST_SHAPES + 1, 2): bytes and hash of
    each; octets: LONGEST_SHAPE of each; slots: 0 free, or 1 + number of a shape; used (2,): ROWS,
    SHAPES; found (FOUND,): scratch; recent (seats + 1, 2, MOST_RECENT, 2): place and length of the
    pieces remembered of either side.
    """
    return _Web(
        blank((MOST_ROWS, width), np.int64),
        np.zeros((MOST_SHAPES + 1, 2), np.int64),
        blank((MOST_SHAPES + 1) * LONGEST_SHAPE, np.uint8),
        np.zeros(4 * MOST_SHAPES, np.int64),
        np.zeros(2, np.int64),
        np.zeros(FOUND, np.int64),
        blank((seats + 1, 2, MOST_RECENT, 2), np.int64),
    )


ROWS, SHAPES = range(2)
"""What ``used`` counts."""

SHAPE, LENGTH, CODE, NAMED = range(4)
FOUND = 4
"""Of a head: SHAPE its number; LENGTH Content-Length, -1 none; CODE number of the method or the
status; NAMED 1 where a response names its server."""

_HOST, _AGENT, _SERVER, _TYPE, _LENGTH, _SOAP, _CODING, _CREDENTIALS, _CHALLENGE = range(9)
_FIELDS = (
    b"host",
    b"user-agent",
    b"server",
    b"content-type",
    b"content-length",
    b"soapaction",
    b"transfer-encoding",
    b"authorization",
    b"www-authenticate",
)
"""The fields that :mod:`wardwatch.decode.wire.http` keeps; a head with one of the last three is the
parser's."""
_NAMES = np.frombuffer(b"".join(name.ljust(20) for name in _FIELDS), np.uint8).reshape(-1, 20)
_SIZES = np.array([len(name) for name in _FIELDS], np.int64)

_LF, _CR, _SP, _COLON, _ZERO = 10, 13, 32, 58, 48
_GET, _HEAD, _POST, _PUT = 0x474554, 0x48454144, 0x504F5354, 0x505554
_DELETE, _OPTIONS, _PATCH = 0x44454C455445, 0x4F5054494F4E53, 0x5041544348


@hot
def head(b: Bytes, at: Int, end: Int, request: bool, web: Arrays) -> Int:
    """Read an ordinary head that begins at ``at`` and ends before ``end`` ⇒ its size; 0: it is none.

    ``web.found`` tells what it says. RFC 9112 §3 to §5.
    """
    shape = web.used[SHAPES]
    to = shape * LONGEST_SHAPE
    if shape >= MOST_SHAPES:
        return 0
    web.found[LENGTH] = -1
    web.found[NAMED] = 0
    line = _request(b, at, end, web, to) if request else _status(b, at, end, web, to)
    if line == 0:
        return 0
    fill = to + web.found[SHAPE]  # behind the start line, which has said how long it is
    seen = 0
    for _ in range(MOST_LINES):
        if line + 2 > end:
            return 0
        if b[line] == _CR:
            if b[line + 1] != _LF:
                return 0
            web.found[SHAPE] = _number(web, shape, fill - to)
            return line + 2 - at
        colon = line
        while colon < end and b[colon] > _SP and b[colon] != _COLON:
            colon += 1
        stop = colon
        while stop < end and b[stop] >= _SP:
            stop += 1
        if colon == line or stop + 2 > end or b[colon] != _COLON:
            return 0
        if b[stop] != _CR or b[stop + 1] != _LF:
            return 0
        kind = _kind(b, line, colon - line)
        if kind >= 0:
            begin = colon + 1
            last = stop
            while begin < last and b[begin] == _SP:
                begin += 1
            while last > begin and b[last - 1] == _SP:
                last -= 1
            if kind >= _CODING or seen & (1 << kind):
                return 0
            seen |= 1 << kind
            if kind == _LENGTH:
                length = _digits(b, begin, last)
                if length < 0 or length > LONGEST_BODY:
                    return 0
                web.found[LENGTH] = length
            else:
                if kind == _TYPE and _looked_at(b, begin, last):
                    return 0
                if kind == _SERVER and last > begin and not request:
                    web.found[NAMED] = 1
                if fill - to + (colon - line) + 1 + (last - begin) + 2 > LONGEST_SHAPE:
                    return 0
                fill = _copy(b, line, colon + 1, web.octets, fill)
                fill = _copy(b, begin, last, web.octets, fill)
                web.octets[fill] = _CR
                web.octets[fill + 1] = _LF
                fill += 2
        line = stop + 2
    return 0


@hot
def _request(b: Bytes, at: Int, end: Int, web: Arrays, to: Int) -> Int:
    """A request line without its target becomes the shape's ⇒ where the fields begin; 0: none."""
    code = np.int64(0)
    blank = at
    while blank < end and blank < at + 8 and b[blank] != _SP:
        code = (code << 8) | np.int64(b[blank])
        blank += 1
    # told apart one by one: a loop over a tuple may raise, and its code could not be kept
    if code == _GET:
        method = 1
    elif code == _HEAD:
        method = 2
    elif code == _POST:
        method = 3
    elif code == _PUT:
        method = 4
    elif code == _DELETE:
        method = 5
    elif code == _OPTIONS:
        method = 6
    elif code == _PATCH:
        method = 7
    else:
        return 0
    stop = blank + 1
    while stop < end and b[stop] > _SP:
        stop += 1
    if stop == blank + 1 or stop + 11 > end or b[stop] != _SP:
        return 0
    if not _version(b, stop + 1) or b[stop + 9] != _CR or b[stop + 10] != _LF:
        return 0
    web.found[CODE] = method
    fill = _copy(b, at, blank + 1, web.octets, to)
    web.octets[fill] = 0x2F
    fill = _copy(b, stop, stop + 11, web.octets, fill + 1)
    web.found[SHAPE] = fill - to
    return stop + 11


@hot
def _status(b: Bytes, at: Int, end: Int, web: Arrays, to: Int) -> Int:
    """A status line without its reason becomes the shape's ⇒ where the fields begin; 0: none."""
    if at + 14 > end or not _version(b, at) or b[at + 8] != _SP:
        return 0
    status = _digits(b, at + 9, at + 12)
    if status < 200 or (b[at + 12] != _SP and b[at + 12] != _CR):
        return 0
    stop = at + 12
    while stop < end and b[stop] >= _SP:
        stop += 1
    if stop + 2 > end or b[stop] != _CR or b[stop + 1] != _LF:
        return 0
    web.found[CODE] = status
    fill = _copy(b, at, at + 12, web.octets, to)
    web.octets[fill] = _CR
    web.octets[fill + 1] = _LF
    web.found[SHAPE] = fill + 2 - to
    return stop + 2


@hot
def _version(b: Bytes, at: Int) -> bool:
    """Whether HTTP/1.0 or HTTP/1.1 stands there."""
    return bool(
        b[at] == 0x48
        and b[at + 1] == 0x54
        and b[at + 2] == 0x54
        and b[at + 3] == 0x50
        and b[at + 4] == 0x2F
        and b[at + 5] == 0x31
        and b[at + 6] == 0x2E
        and (b[at + 7] == 0x30 or b[at + 7] == 0x31)
    )


@hot
def _digits(b: Bytes, at: Int, stop: Int) -> Int:
    """The number in one to fifteen digits; -1: it is none."""
    if stop <= at or stop - at > 15:
        return -1
    number = np.int64(0)
    for k in range(at, stop):
        digit = np.int64(b[k]) - _ZERO
        if digit < 0 or digit > 9:
            return -1
        number = number * 10 + digit
    return number


@hot
def _kind(b: Bytes, at: Int, size: Int) -> Int:
    """Which of the fields that are kept a name is, upper and lower case alike; -1 none."""
    for kind in range(_SIZES.size):
        if _SIZES[kind] != size or b[at] | 0x20 != _NAMES[kind, 0]:
            continue
        same = 1
        # A name has no octet that becomes a letter or a hyphen so, but those that are one.
        while same < size and b[at + same] | 0x20 == _NAMES[kind, same]:
            same += 1
        if same == size:
            return kind
    return -1


@hot
def _looked_at(b: Bytes, at: Int, stop: Int) -> bool:
    """Whether a body of this media type may be looked at: observe.heads.is_xml, or what is no ASCII."""
    for k in range(at, stop):
        if b[k] >= 0x7F:
            return True
        if k + 3 <= stop and b[k] | 0x20 == 0x78 and b[k + 1] | 0x20 == 0x6D:
            if b[k + 2] | 0x20 == 0x6C:
                return True
        elif k + 4 <= stop and b[k] | 0x20 == 0x73 and b[k + 1] | 0x20 == 0x6F:
            if b[k + 2] | 0x20 == 0x61 and b[k + 3] | 0x20 == 0x70:
                return True
    return False


@hot
def _copy(b: Bytes, at: Int, stop: Int, octets: Bytes, to: Int) -> Int:
    for k in range(stop - at):
        octets[np.uint64(to + k)] = b[np.uint64(at + k)]
    return to + (stop - at)


@helper
def _number(web: Arrays, shape: Int, size: Int) -> Int:
    """The number of the shape whose ``size`` octets stand behind all others."""
    at = shape * LONGEST_SHAPE
    hashed = np.int64(0x811C9DC5)  # FNV-1a, 32 bits
    for k in range(at, at + size):
        hashed = ((hashed ^ np.int64(web.octets[k])) * 0x01000193) & 0xFFFFFFFF
    slot = hashed % web.slots.size
    while web.slots[slot]:
        known = web.slots[slot] - 1
        if web.shapes[known, 0] == size and web.shapes[known, 1] == hashed:
            same = 0
            there = known * LONGEST_SHAPE
            while same < size and web.octets[there + same] == web.octets[at + same]:
                same += 1
            if same == size:
                return known
        slot = (slot + 1) % web.slots.size
    web.slots[slot] = shape + 1
    web.shapes[shape, 0] = size
    web.shapes[shape, 1] = hashed
    web.used[SHAPES] = shape + 1
    return shape
