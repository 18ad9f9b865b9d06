"""Conversations: packets to rows of an open-addressing table, both directions in one row.

Theory of operation: ``rows`` is dense and grows at its end; ``slots`` maps a hash to a row and
is at most half full. The hash is the same for both directions, so that one look-up finds the
row, and the comparison of addresses says who speaks. A row whose idle time has run out, or
whose TCP connection is over and begins anew, keeps its place and loses its slot to the new one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wardwatch.compiled import helper, hot, kernel
from wardwatch.decode.columns import KIND_TCP, MALFORMED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wardwatch.decode.kernels.headers import Arrays

    Int = Any  # a Python int, or the NumPy scalar it is in plain mode

# Columns of a row, in three cache lines of what every packet touches, here and where it is chosen to
# be read (young.next_rows), and what few do.
(ORIG_HI, ORIG_LO, RESP_HI, RESP_LO, PORTS, KEY, LAST_TS, LAST_PACKET) = range(8)
(ORIG_PKTS, RESP_PKTS, ORIG_IP, RESP_IP, ORIG_BYTES, RESP_BYTES, NUMBER, STATE) = range(8, 16)
(ORIG_NEXT, RESP_NEXT, SEEN, CAPTURES, INTEREST, ORIG_SKIP, RESP_SKIP, SEAT) = range(16, 24)
(FIRST_TS, FIRST_PACKET, ORIG_MAC, RESP_MAC, HISTORY, HISTORY2, ORIG_ISN, RESP_ISN) = range(24, 32)
(MISSED, RETRANSMITTED, REORDERED, TUNNEL, TUNNEL_ID, SEGMENT, AGREES, HASH) = range(32, 40)
WIDTH = 40
"""A multiple of a cache line."""

# Bits of STATE.
ORIG_SYN, ORIG_SYNACK, ORIG_FIN, ORIG_RST = 1, 2, 4, 8
RESP_SYN, RESP_SYNACK, RESP_FIN, RESP_RST = 16, 32, 64, 128
FLIPPED, OVER = 256, 512
ORIG_HOLE, RESP_HOLE = 1024, 2048
RST_AFTER_FINS = 4096
SPOKE = 8192
"""The other end acknowledged something, so both directions must have existed."""

# What KEY is made of: (shift, bits) of each part.
NET_SHIFT, PROTO_SHIFT, VLAN_SHIFT, TUNNEL_SHIFT, TUNNEL_ID_SHIFT = 0, 3, 12, 25, 30
# What PORTS is made of: port + 1 of either end, and the outer of two VLAN tags, 0 with one.
PORT_SHIFT, OUTER_SHIFT = 20, 40
PORT_MASK = (1 << PORT_SHIFT) - 1

LETTERS = "shadfrctgwiq^"
"""Zeek's letters of a history, lower case; code = index + 1, and 16 more from the originator."""
(L_SYN, L_SYNACK, L_ACK, L_DATA, L_FIN, L_RST, _, L_RETRANS, L_GAP, L_WINDOW) = range(1, 11)
(L_INCONSISTENT, L_MULTI, L_FLIP) = range(11, 14)
UPPER = 16
# SEEN has a bit for each letter that is in the history, from 40 on their number, and in between
# two for the ends whose MAC is there and stays.
MAC_SHIFT, LETTERS_SHIFT = 32, 40

# Counters of the whole table: rows in use, the number of the next conversation, and how far apart
# numbers are.
(USED, NEXT_NUMBER, STEP, COUNTERS) = range(4)

ALL, TCP, OTHERS = 0, 1, 2
"""Which packets a table takes: two tables that share the work have every conversation between them."""

UNDECIDED, FOLLOW, IGNORE = 0, 1, 2
NOTHING, ANYTHING, LINES = range(3)
"""AGREES: which segments may agree upon another connection, as FTP's do: none, each, or those that
may end a line."""
THEIRS = -1
"""SEAT of a conversation that Python reads, or nobody any more; 0: nobody has looked yet. Below it:
the same, and in which list of young.next_rows its first row was told."""
UNKNOWN_TIME = -(2**63)

RECENT = 1 << 13
"""Places by which a conversation of TCP that goes on is found without its hash."""
NEAR = 64
"""Packets of which is found out together which a table takes, and where their rows are: whether the
next one is of those is as good as random, and nothing else waits for that."""

_FIN, _SYN, _RST, _ACK = 1, 2, 4, 16
_WORD = 0xFFFFFFFF

# ICMP types that ask, and the types that answer them (RFC 792, RFC 950, RFC 4443, RFC 4861, RFC 2710).
_PAIRS4 = np.full(256, -1, np.int64)
_PAIRS6 = np.full(256, -1, np.int64)
for _table, _pairs in (
    (_PAIRS4, ((8, 0), (13, 14), (15, 16), (17, 18), (10, 9))),
    (_PAIRS6, ((128, 129), (133, 134), (135, 136), (130, 131), (139, 140), (144, 145))),
):
    for _ask, _answer in _pairs:
        _table[_ask] = _answer
        _table[_answer] = _ask


@hot
def _spread(high: Int, low: Int, port: Int, seed: Int) -> Int:
    """Hash of one end; every product stays below 2^63, so that plain Python agrees."""
    x = np.int64(low & np.uint64(_WORD)) ^ seed
    y = np.int64((low >> np.uint64(32)) ^ (high & np.uint64(_WORD)))
    z = np.int64(high >> np.uint64(32))
    y = ((y ^ (x * 0x45D9F3B)) & 0x7FFFFFFF) * 0x2C1B3C6D
    return (y >> 9) ^ (x * 0x1B873593 >> 11) ^ (((z ^ (port << 15)) & 0x7FFFFFFF) * 0x297A2D39 >> 7)


@hot
def _hash(
    source: Int,
    target: Int,
    key: Int,
) -> Int:
    """Hash of a conversation: the same whichever end is called the source. 31 bits, never 0."""
    h = source + target
    h = ((h ^ (h >> 32) ^ key ^ (key >> 29)) & 0x7FFFFFFF) * 0x5851F42D
    return ((h >> 19) & 0x7FFFFFFF) | 1


@hot
def _letter(rows: NDArray[np.int64], r: Int, code: Int) -> None:
    """Append a letter to the history the first time it is due; 12 letters fit a word."""
    bit = np.int64(1) << code
    seen = rows[r, SEEN]
    if seen & bit:
        return
    count = seen >> LETTERS_SHIFT
    rows[r, SEEN] = (seen | bit) + (np.int64(1) << LETTERS_SHIFT)
    if count < 12:
        rows[r, HISTORY] |= np.int64(code) << (5 * count)
    elif count < 24:
        rows[r, HISTORY2] |= np.int64(code) << (5 * (count - 12))


@hot
def _after(a: Int, b: Int) -> Int:
    """How far sequence number ``a`` lies behind ``b`` (RFC 9293 §3.4), from -2^31 to 2^31 - 1."""
    return (((a - b) + 0x80000000) & _WORD) - 0x80000000


@kernel
def conversations(
    start: int,  #                          first row of the block to take
    stop: int,  #                           one behind the last
    first: int,  #                          packet number of row 0
    capture: int,  #                        number of the capture
    time: NDArray[np.int64],  # (n,)        ns
    c: Arrays,  #                             in: the arrays of PacketColumns; out: two of them
    rows: NDArray[np.int64],  # (cap, WIDTH) in and out: the table
    wide: NDArray[np.uint64],  # the same memory, for addresses
    slots: NDArray[np.int64],  # (2^k,)     in and out: hash << 32 | row + 1, or 0
    counters: NDArray[np.int64],  # (COUNTERS,)
    idle: NDArray[np.int64],  # (256,)      ns of silence that end a conversation; 0 never
    by_tunnel: bool,  #                     tell tunnels apart
    only: int,  #                           ALL, TCP or OTHERS: rows without it are left as they are
    seed: int,  #                           31 bits nobody outside knows
    segment: NDArray[np.int32],  # (n,) or (0,)  the caller's number of the broadcast domain
    recent: NDArray[np.int32],  # (RECENT,) in and out: row + 1 of a conversation of TCP, or 0
    turns: NDArray[np.int32],  # (2 NEAR,)  scratch, the next too
    near: NDArray[np.int64],  # (2 NEAR,)
    row_of: NDArray[np.int64],  # (n,)      out: row, -1 none
) -> int:
    """Assign the packets of ``start`` … ``stop`` ⇒ ``stop``, or the row before which it ended.

    Either the table was full; or the packet changes what is asked when its conversation is read
    for the first time, which an earlier one of these packets may be: then that is to be read first.
    """
    quick = only != OTHERS and idle[6] <= 0
    for begin in range(start, stop, NEAR):
        count = _own(begin, min(begin + NEAR, stop), c, only, recent, turns, near, row_of)
        for k in range(count):
            r = near[np.uint64(k)]
            i = np.int64(turns[np.uint64(k)] >> 1)
            if quick and r >= 0:
                here = np.uint64(r)
                if _goes_on(i, here, first, capture, time, c, rows, by_tunnel, row_of):
                    continue
            taken = _take(
                turns[np.uint64(k)],
                start,
                first,
                capture,
                time,
                c,
                rows,
                wide,
                slots,
                counters,
                idle,
                by_tunnel,
                seed,
                segment,
                recent,
                row_of,
            )
            if not taken:
                return int(i)
    return stop


@hot
def _own(
    begin: Int,
    stop: Int,
    c: Arrays,
    only: Int,
    recent: NDArray[np.int32],
    turns: NDArray[np.int32],
    near: NDArray[np.int64],
    row_of: NDArray[np.int64],
) -> Int:
    """Which packets of ``begin`` … ``stop`` a table takes, to ``turns``: 2 i, and 1 more ⇒ how many.

    The even number before it is the tunnel that carries what has no ports of its own: it is whose
    5-tuple is seen. To ``near`` the row that may be the packet's, -1 none.
    """
    count = np.int64(0)
    for i in range(begin, stop):
        at = np.uint64(i)
        row_of[at] = -1
        if only == OTHERS and c.kind[at] == KIND_TCP:
            continue  # most packets; none of them is in a tunnel that counts
        if only != TCP:
            turns[np.uint64(count)] = 2 * i
            near[np.uint64(count)] = -1
            if c.carried[at]:
                count += np.int64(c.carrier[at, 0] != 0)
        turns[np.uint64(count)] = 2 * i + 1
        if only != OTHERS:
            r = np.int64(recent[_place(c, at)]) - 1
            near[np.uint64(count)] = r
        else:
            near[np.uint64(count)] = -1
        ours = only == ALL or (c.proto[at] == 6) == (only == TCP)
        count += np.int64(ours) & np.int64(c.net[at] != 0)
    return count


@hot
def _place(c: Arrays, at: Int) -> Int:
    """Where ``recent`` tells of a packet's conversation: the same whichever end it comes from.

    It takes no seed and little time; whose places are the same are looked for by their hash.
    """
    low = c.src_lo[at] ^ c.dst_lo[at]
    ports = (np.int64(c.src_port[at]) ^ np.int64(c.dst_port[at])) & 0xFFFF
    h = np.int64((low ^ (low >> np.uint64(32))) & np.uint64(0x7FFFFFFF)) ^ (ports << 15)
    return np.uint64(h * 0x2C1B3C6D >> 30 & (RECENT - 1))


@hot
def _key(c: Arrays, at: Int, by_tunnel: bool) -> Int:
    """KEY of a packet."""
    key = np.int64(c.net[at]) | (np.int64(c.proto[at]) << PROTO_SHIFT)
    key |= (np.int64(c.vlan[at]) + 1) << VLAN_SHIFT
    if by_tunnel:
        key |= np.int64(c.tunnel[at]) << TUNNEL_SHIFT
        key |= ((np.int64(c.tunnel_id[at]) + 1) & _WORD) << TUNNEL_ID_SHIFT
    return key


@hot
def _goes_on(
    i: Int,
    r: Int,
    first: Int,
    capture: Int,
    time: NDArray[np.int64],
    c: Arrays,
    rows: NDArray[np.int64],
    by_tunnel: bool,
    row_of: NDArray[np.int64],
) -> bool:
    """Take a packet that only goes on with the conversation of TCP in a row: by far the most.

    False where it is another one's, or where :func:`_take` would do more than to count it and to
    move the end of what its side has said by its octets: it has to be an acknowledgement without
    SYN, FIN or RST, whose letter is in the history, with the next octets or none, of which the
    other side has said all that it acknowledges. Then no packet before it is read in another way
    (:func:`_tells_earlier_ones`): such octets are not the first. All is asked at once, as who
    speaks, and whether with octets or without, is as good as random.
    """
    at = np.uint64(i)
    src_hi = np.int64(c.src_hi[at])
    src_lo = np.int64(c.src_lo[at])
    dst_hi = np.int64(c.dst_hi[at])
    dst_lo = np.int64(c.dst_lo[at])
    source_port = np.int64(c.src_port[at]) + 1
    target_port = np.int64(c.dst_port[at]) + 1
    tags = np.int64(c.outer_tag[at]) << OUTER_SHIFT
    forwards = (
        (rows[r, PORTS] ^ (tags | (source_port << PORT_SHIFT) | target_port))
        | (rows[r, ORIG_LO] ^ src_lo)
        | (rows[r, RESP_LO] ^ dst_lo)
        | (rows[r, ORIG_HI] ^ src_hi)
        | (rows[r, RESP_HI] ^ dst_hi)
    )
    backwards = (
        (rows[r, PORTS] ^ (tags | (target_port << PORT_SHIFT) | source_port))
        | (rows[r, ORIG_LO] ^ dst_lo)
        | (rows[r, RESP_LO] ^ src_lo)
        | (rows[r, ORIG_HI] ^ dst_hi)
        | (rows[r, RESP_HI] ^ src_hi)
    )
    from_orig = np.int64(forwards == 0)
    side = 1 - from_orig
    size = np.int64(c.payload_claimed[at])
    seq = np.int64(c.seq[at])
    letters = np.int64(1 << L_DATA) if size > 0 else np.int64(1 << L_ACK)
    due = (letters << (UPPER * from_orig)) | (np.int64(1) << (MAC_SHIFT + side))
    state = rows[r, STATE]
    reached = rows[r, np.uint64(ORIG_NEXT + side)]  # negative where nothing was said yet
    said = rows[r, np.uint64(RESP_NEXT - side)]  # by the other side, the same
    missing = _after(np.int64(c.ack[at]), said)
    odd = (
        (rows[r, KEY] ^ _key(c, at, by_tunnel))
        | ((np.int64(c.flags[at]) & (_FIN | _SYN | _RST | _ACK)) ^ _ACK)
        | (state & OVER)
        | (~state & SPOKE)
        | (due & ~rows[r, SEEN])
        | (seq ^ reached if size > 0 else np.int64(0))
        | np.int64(c.window[at] == 0)
        | np.int64(c.outcome[at] == MALFORMED)
        | np.int64(c.fragment[at] >= 0)
        | (np.int64(missing > 0) & ~(said >> 63))
        | (np.int64(backwards != 0) & side)
    )
    if odd != 0:
        return False
    rows[r, np.uint64(ORIG_PKTS + side)] += 1
    rows[r, np.uint64(ORIG_IP + side)] += np.int64(c.ip_bytes[at])
    rows[r, np.uint64(ORIG_BYTES + side)] += size
    rows[r, np.uint64(ORIG_NEXT + side)] = (seq + size) & _WORD if size > 0 else reached
    rows[r, LAST_TS] = max(rows[r, LAST_TS], time[at])
    rows[r, LAST_PACKET] = first + i
    rows[r, CAPTURES] = (rows[r, CAPTURES] & ~np.int64(_WORD)) | capture
    c.conversation[at] = rows[r, NUMBER]
    c.from_orig[at] = from_orig
    row_of[at] = np.int64(r)
    return True


@hot
def _take(
    turn: Int,
    start: Int,
    first: Int,
    capture: Int,
    time: NDArray[np.int64],
    c: Arrays,
    rows: NDArray[np.int64],
    wide: NDArray[np.uint64],
    slots: NDArray[np.int64],
    counters: NDArray[np.int64],
    idle: NDArray[np.int64],
    by_tunnel: bool,
    seed: Int,
    segment: NDArray[np.int32],
    recent: NDArray[np.int32],
    row_of: NDArray[np.int64],
) -> bool:
    """Assign one packet, or the tunnel around it; false where :func:`conversations` ends before it."""
    mask = slots.size - 1
    i = np.int64(turn >> 1)
    at = np.uint64(i)
    outside = turn & 1 == 0
    if outside:
        if counters[USED] + 2 > rows.shape[0]:
            return False
        net = c.carrier[at, 0]
        proto = np.int64(17)
        src_hi = np.uint64(c.carrier[at, 1])
        src_lo = np.uint64(c.carrier[at, 2])
        dst_hi = np.uint64(c.carrier[at, 3])
        dst_lo = np.uint64(c.carrier[at, 4])
        source_port = c.carrier[at, 5]
        target_port = c.carrier[at, 6]
        vlan = c.carrier[at, 7]
        ip_bytes = c.carrier[at, 8]
        size = c.carrier[at, 9]
        fragment = np.int64(-1)
        outer = np.int64(0)
        malformed = np.int64(0)
    else:
        net = np.int64(c.net[at])
        proto = np.int64(c.proto[at])
        src_hi = c.src_hi[at]
        src_lo = c.src_lo[at]
        dst_hi = c.dst_hi[at]
        dst_lo = c.dst_lo[at]
        source_port = np.int64(c.src_port[at])
        target_port = np.int64(c.dst_port[at])
        vlan = np.int64(c.vlan[at])
        ip_bytes = np.int64(c.ip_bytes[at])
        size = np.int64(c.payload_claimed[at])
        fragment = np.int64(c.fragment[at])
        outer = np.int64(c.outer_tag[at])
        malformed = np.int64(c.outcome[at] == MALFORMED)
    if source_port < 0 and (
        fragment >= 0 or malformed or proto == 6 or proto == 17 or proto == 1 or proto == 58
    ):
        return True  # without ports nobody can say whose it is; a fragment waits for its whole
    if proto == 1 or proto == 58:
        other = _PAIRS4[source_port] if proto == 1 else _PAIRS6[source_port]
        if other >= 0:
            target_port = other
    key = net | (proto << PROTO_SHIFT) | ((vlan + 1) << VLAN_SHIFT)
    if by_tunnel and not outside:
        key |= np.int64(c.tunnel[at]) << TUNNEL_SHIFT
        key |= ((np.int64(c.tunnel_id[at]) + 1) & _WORD) << TUNNEL_ID_SHIFT
    tags = outer << OUTER_SHIFT
    forth = tags | ((source_port + 1) << PORT_SHIFT) | (target_port + 1)
    back = tags | ((target_port + 1) << PORT_SHIFT) | (source_port + 1)
    tag = _hash(
        _spread(src_hi, src_lo, source_port + 1, seed),
        _spread(dst_hi, dst_lo, target_port + 1, seed),
        key ^ (outer * 0x2C1B3C6D),
    )
    slot = (tag ^ (tag >> 15)) & mask
    r = np.int64(-1)
    from_orig = np.int64(1)
    while slots[np.uint64(slot)] != 0:
        entry = slots[np.uint64(slot)]
        if entry >> 32 == tag:
            k = np.uint64((entry & _WORD) - 1)
            if rows[k, KEY] == key:
                # Who speaks is as good as random: it is found without a branch to guess.
                forwards = (
                    np.uint64(rows[k, PORTS] ^ forth)
                    | (wide[k, ORIG_LO] ^ src_lo)
                    | (wide[k, RESP_LO] ^ dst_lo)
                    | (wide[k, ORIG_HI] ^ src_hi)
                    | (wide[k, RESP_HI] ^ dst_hi)
                )
                backwards = (
                    np.uint64(rows[k, PORTS] ^ back)
                    | (wide[k, ORIG_LO] ^ dst_lo)
                    | (wide[k, RESP_LO] ^ src_lo)
                    | (wide[k, ORIG_HI] ^ dst_hi)
                    | (wide[k, RESP_HI] ^ src_hi)
                )
                if min(forwards, backwards) == 0:
                    r = np.int64(k)
                    from_orig = np.int64(forwards == 0)
                    break
        slot = (slot + 1) & mask
    now = time[at]
    flags = np.int64(c.flags[at]) if proto == 6 else np.int64(0)
    if r >= 0:
        silence = idle[proto & 0xFF]
        here = np.uint64(r)
        last = rows[here, LAST_TS]
        fresh = silence > 0 and last != UNKNOWN_TIME and now > last and now - last > silence
        if flags & (_SYN | _ACK) == _SYN and _begins_anew(rows, r, np.int64(c.seq[at])):
            fresh = True
        if fresh:
            rows[here, STATE] |= OVER
            r = np.int64(-1)
        elif (
            proto == 6
            and rows[here, LAST_PACKET] >= first + start
            and rows[here, CAPTURES] & _WORD == capture
            and _tells_earlier_ones(rows, r, 1 - from_orig, flags, c, at)
        ):
            return False
    if r < 0:
        if counters[USED] >= rows.shape[0]:
            return False
        r = counters[USED]
        counters[USED] += 1
        here = np.uint64(r)
        for column in range(WIDTH):
            rows[here, column] = 0
        from_orig = np.int64(1)
        wide[here, ORIG_HI] = src_hi
        wide[here, ORIG_LO] = src_lo
        wide[here, RESP_HI] = dst_hi
        wide[here, RESP_LO] = dst_lo
        rows[here, PORTS] = forth
        rows[here, KEY] = key
        rows[here, FIRST_TS] = now
        rows[here, LAST_TS] = now
        rows[here, FIRST_PACKET] = first + i
        rows[here, CAPTURES] = np.int64(capture) << 32
        rows[here, NUMBER] = counters[NEXT_NUMBER]
        counters[NEXT_NUMBER] += counters[STEP]
        rows[here, ORIG_NEXT] = -1
        rows[here, RESP_NEXT] = -1
        rows[here, ORIG_SKIP] = -1
        rows[here, RESP_SKIP] = -1
        rows[here, ORIG_ISN] = -1
        rows[here, RESP_ISN] = -1
        rows[here, HASH] = tag
        rows[here, TUNNEL] = 0 if outside else np.int64(c.tunnel[at])
        rows[here, TUNNEL_ID] = -1 if outside else np.int64(c.tunnel_id[at])
        rows[here, SEGMENT] = segment[at] if segment.size else -1
        slots[np.uint64(slot)] = (tag << 32) | (r + 1)
        if flags & (_SYN | _ACK | _RST | _FIN) == _SYN | _ACK:
            # Zeek: who answers a SYN is the responder, though it be seen first
            _turn(rows, wide, r)
            _letter(rows, r, L_FLIP)
            from_orig = np.int64(0)
        # Until the other end speaks, its column holds the MAC that it is spoken to; a group's
        # is nobody's.
        dst_mac = c.carrier[at, 11] if outside else np.int64(c.dst_mac[at])
        if dst_mac >> 40 & 1 == 0:
            rows[here, np.uint64(ORIG_MAC + from_orig)] = dst_mac
    here = np.uint64(r)
    side = 1 - from_orig  # 0 the originator's columns, 1 the responder's
    packets = rows[here, np.uint64(ORIG_PKTS + side)] + 1
    rows[here, np.uint64(ORIG_PKTS + side)] = packets
    rows[here, np.uint64(ORIG_IP + side)] += ip_bytes
    rows[here, LAST_TS] = max(rows[here, LAST_TS], now)
    rows[here, LAST_PACKET] = first + i
    rows[here, CAPTURES] = (rows[here, CAPTURES] & ~np.int64(_WORD)) | capture
    if packets == 1 or not rows[here, SEEN] >> (MAC_SHIFT + side) & 1:
        mac = rows[here, np.uint64(ORIG_MAC + side)]
        if packets == 1 or mac == 0:
            mac = c.carrier[at, 10] if outside else np.int64(c.src_mac[at])
            rows[here, np.uint64(ORIG_MAC + side)] = mac
        if mac:
            rows[here, SEEN] |= np.int64(1) << (MAC_SHIFT + side)
    if fragment < 0:
        if malformed:
            size = np.int64(0)
        elif proto == 1 or proto == 58:
            size = max(size - 8, np.int64(0))  # behind the ICMP header
        rows[here, np.uint64(ORIG_BYTES + side)] += size
        if proto == 6:
            if not malformed:
                _segment(
                    rows,
                    r,
                    side,
                    flags,
                    np.int64(c.seq[at]),
                    np.int64(c.ack[at]),
                    np.int64(c.window[at]),
                    size,
                )
        elif proto == 17 and size > 0:
            _letter(rows, r, L_DATA + UPPER * from_orig)
    if not outside:
        c.conversation[at] = rows[here, NUMBER]
        c.from_orig[at] = from_orig
        row_of[at] = r
        if proto == 6:
            recent[_place(c, at)] = r + 1
    return True


@helper
def _turn(rows: NDArray[np.int64], wide: NDArray[np.uint64], r: Int) -> None:
    """Exchange originator and responder of a row that has no packet yet."""
    for k in range(2):
        kept = wide[r, ORIG_HI + k]
        wide[r, ORIG_HI + k] = wide[r, RESP_HI + k]
        wide[r, RESP_HI + k] = kept
    ports = rows[r, PORTS]
    rows[r, PORTS] = (
        (ports >> OUTER_SHIFT << OUTER_SHIFT)
        | ((ports & PORT_MASK) << PORT_SHIFT)
        | ((ports >> PORT_SHIFT) & PORT_MASK)
    )
    rows[r, STATE] |= FLIPPED


@helper
def _begins_anew(rows: NDArray[np.int64], r: Int, seq: Int) -> bool:
    """A SYN with a new initial number on a connection that is over (RFC 9293 §3.6.1)."""
    state = rows[r, STATE]
    over = state & (ORIG_RST | RESP_RST) or (state & ORIG_FIN and state & RESP_FIN)
    return bool(over) and rows[r, ORIG_ISN] != seq and rows[r, RESP_ISN] != seq


@helper
def _tells_earlier_ones(
    rows: NDArray[np.int64], r: Int, side: Int, flags: Int, c: Arrays, i: Int
) -> bool:
    """Whether packet ``i`` changes how earlier ones of its connection are to be read.

    Its first segment that says something is read from the SYNs seen by then; and a FIN or a RST
    is read where something was said by then (:func:`~wardwatch.decode.kernels.select.chosen_segment`).
    """
    said = rows[r, ORIG_BYTES] + rows[r, RESP_BYTES]
    if flags & _SYN and said > 0 and rows[r, SEAT] == 0:
        return bool(rows[r, ORIG_ISN + side] != np.int64(c.seq[i]))
    ended = rows[r, STATE] & (ORIG_FIN | ORIG_RST | RESP_FIN | RESP_RST)
    return bool(ended and said == 0 and c.payload_claimed[i] > 0)


@helper
def _segment(
    rows: NDArray[np.int64],
    r: Int,
    side: Int,
    flags: Int,
    seq: Int,
    ack: Int,
    window: Int,
    size: Int,
) -> None:
    """What a TCP segment tells: history, state, and sequence space."""
    upper = UPPER * (1 - side)
    shift = 4 * side
    syn = flags & _SYN
    fin = flags & _FIN
    rst = flags & _RST
    if syn and (fin or rst):
        _letter(rows, r, L_MULTI + upper)
    elif fin and rst:
        _letter(rows, r, L_INCONSISTENT + upper)
    if syn:
        if flags & _ACK:
            rows[r, STATE] |= ORIG_SYNACK << shift
            _letter(rows, r, L_SYNACK + upper)
        else:
            rows[r, STATE] |= ORIG_SYN << shift
            _letter(rows, r, L_SYN + upper)
        rows[r, ORIG_ISN + side] = seq
    if flags & _ACK and not rst:
        rows[r, STATE] |= SPOKE
    if size > 0:
        _letter(rows, r, L_DATA + upper)
    elif flags & _ACK and not (syn or fin or rst):
        _letter(rows, r, L_ACK + upper)
    if window == 0 and flags & _ACK and not (syn or fin or rst):
        _letter(rows, r, L_WINDOW + upper)
    if fin:
        rows[r, STATE] |= ORIG_FIN << shift
        _letter(rows, r, L_FIN + upper)
    if rst:
        state = rows[r, STATE]
        if state & ORIG_FIN and state & RESP_FIN:
            rows[r, STATE] |= RST_AFTER_FINS
        rows[r, STATE] |= ORIG_RST << shift
        _letter(rows, r, L_RST + upper)
        return  # its numbers may be anything
    length = size + (1 if syn else 0) + (1 if fin else 0)
    if length:
        after = (seq + length) & _WORD
        reached = rows[r, ORIG_NEXT + side]
        hole = ORIG_HOLE << side
        if reached < 0:
            rows[r, ORIG_NEXT + side] = after
        elif _after(after, reached) > 0:
            if _after(seq, reached) > 0:
                rows[r, STATE] |= hole
            rows[r, ORIG_NEXT + side] = after
        elif size > 1 or _after(after, reached) < 0:  # one octet just before: a keep-alive
            if rows[r, STATE] & hole:
                rows[r, REORDERED] += 1
            else:
                rows[r, RETRANSMITTED] += 1
                _letter(rows, r, L_RETRANS + upper)
    if flags & _ACK:
        other = 1 - side
        reached = rows[r, ORIG_NEXT + other]
        if reached >= 0:
            missing = _after(ack, reached)
            # More than a window at once is a wild acknowledgement, not a gap of the capture.
            if 0 < missing <= 1 << 20:
                rows[r, MISSED] += missing
                rows[r, ORIG_NEXT + other] = ack
                _letter(rows, r, L_GAP + UPPER * (1 - other))


@kernel
def reindex(
    rows: NDArray[np.int64],  # (cap, WIDTH)
    used: int,
    slots: NDArray[np.int64],  # out: zeroed by the caller
) -> None:
    """Build the slots anew from the rows that are not over."""
    mask = slots.size - 1
    for r in range(used):
        if rows[r, STATE] & OVER:
            continue
        tag = rows[r, HASH]
        slot = (tag ^ (tag >> 15)) & mask
        while slots[slot] != 0:
            slot = (slot + 1) & mask
        slots[slot] = (tag << 32) | (r + 1)


@hot
def _slot_of(
    other: NDArray[np.int64],
    wide_other: NDArray[np.uint64],
    k: Int,
    rows: NDArray[np.int64],
    wide: NDArray[np.uint64],
    slots: NDArray[np.int64],
    seed: Int,
) -> tuple[Int, Int, Int, Int]:
    """Where the conversation of row ``k`` of another table stands in this one.

    ⇒ its hash here, its slot (an empty one where it is unknown), its row or -1, and whether its
    originator is the originator here.
    """
    mask = slots.size - 1
    key = other[k, KEY]
    ports = other[k, PORTS]
    outer = ports >> OUTER_SHIFT
    source_port = (ports >> PORT_SHIFT) & PORT_MASK
    target_port = ports & PORT_MASK
    back = (outer << OUTER_SHIFT) | (target_port << PORT_SHIFT) | source_port
    src_hi = wide_other[k, ORIG_HI]
    src_lo = wide_other[k, ORIG_LO]
    dst_hi = wide_other[k, RESP_HI]
    dst_lo = wide_other[k, RESP_LO]
    tag = _hash(
        _spread(src_hi, src_lo, source_port, seed),
        _spread(dst_hi, dst_lo, target_port, seed),
        key ^ (outer * 0x2C1B3C6D),
    )
    slot = (tag ^ (tag >> 15)) & mask
    while slots[slot] != 0:
        if slots[slot] >> 32 == tag:
            r = (slots[slot] & _WORD) - 1
            if rows[r, KEY] == key:
                if (
                    rows[r, PORTS] == ports
                    and wide[r, ORIG_LO] == src_lo
                    and wide[r, RESP_LO] == dst_lo
                    and wide[r, ORIG_HI] == src_hi
                    and wide[r, RESP_HI] == dst_hi
                ):
                    return tag, slot, r, np.int64(1)
                if (
                    rows[r, PORTS] == back
                    and wide[r, ORIG_LO] == dst_lo
                    and wide[r, RESP_LO] == src_lo
                    and wide[r, ORIG_HI] == dst_hi
                    and wide[r, RESP_HI] == src_hi
                ):
                    return tag, slot, r, np.int64(0)
        slot = (slot + 1) & mask
    return tag, slot, np.int64(-1), np.int64(1)


@kernel
def meets(
    other: NDArray[np.int64],  # (n, WIDTH)   conversations of TCP that another table began by a SYN
    wide_other: NDArray[np.uint64],  #        the same memory
    n: int,
    rows: NDArray[np.int64],  # (cap, WIDTH)  this table
    wide: NDArray[np.uint64],
    slots: NDArray[np.int64],
    seed: int,
) -> int:
    """The first of the other's conversations that belongs to one of this table; -1 there is none.

    A SYN begins a new one unless one of the same ends is under way (RFC 9293 §3.6.1). One that
    was sent again, and never answered, is no matter: what is known of it is counted together.
    """
    for k in range(n):
        _, _, r, same = _slot_of(other, wide_other, k, rows, wide, slots, seed)
        if (
            r >= 0
            and not _begins_anew(rows, r, other[k, ORIG_ISN])
            and not (same and _asks_again(rows, r, other, k))
        ):
            return k
    return -1


@helper
def _asks_again(rows: NDArray[np.int64], r: Int, other: NDArray[np.int64], k: Int) -> bool:
    """Whether two conversations are the same SYN, sent again and again without an answer."""
    return bool(
        rows[r, ORIG_ISN] == other[k, ORIG_ISN]
        and rows[r, STATE] == ORIG_SYN
        and other[k, STATE] == ORIG_SYN
        and rows[r, RESP_PKTS] == 0
        and other[k, RESP_PKTS] == 0
        and rows[r, ORIG_BYTES] == 0
        and other[k, ORIG_BYTES] == 0
    )


@kernel
def absorb(
    start: int,  #                            first row of the other table to take
    stop: int,  #                             one behind the last
    other: NDArray[np.int64],  # (m, WIDTH)   another table's rows, of packets behind all of ours
    wide_other: NDArray[np.uint64],  #        the same memory
    rows: NDArray[np.int64],  # (cap, WIDTH)  in and out: this table
    wide: NDArray[np.uint64],
    slots: NDArray[np.int64],  # (2^k,)       in and out
    counters: NDArray[np.int64],  # (COUNTERS,)
    seed: int,
    segment: NDArray[np.int32],  # (s,)       our number of each of its broadcast domains
    over: bool,  #                            they are begun by SYNs, and nobody asks more of them
    numbers: NDArray[np.int64],  # (m,)       out: the number each has here
) -> int:
    """Take rows of another table as if we had read their packets; where we were full, or ``stop``."""
    for k in range(start, stop):
        tag, slot, r, same = _slot_of(other, wide_other, k, rows, wide, slots, seed)
        if r >= 0 and over and not _asks_again(rows, r, other, k):
            rows[r, STATE] |= OVER
            r = np.int64(-1)
        if r < 0:
            if counters[USED] >= rows.shape[0]:
                return k
            r = counters[USED]
            counters[USED] += 1
            for c in range(WIDTH):
                rows[r, c] = other[k, c]
            rows[r, NUMBER] = counters[NEXT_NUMBER]
            counters[NEXT_NUMBER] += counters[STEP]
            rows[r, HASH] = tag
            if rows[r, SEGMENT] >= 0:
                rows[r, SEGMENT] = segment[rows[r, SEGMENT]]
            rows[r, SEAT] = THEIRS if over else 0
            rows[r, INTEREST] = IGNORE if over else UNDECIDED
            slots[slot] = (tag << 32) | (r + 1)
        else:
            _join(rows, r, other, k, same)
        numbers[k] = rows[r, NUMBER]
    return stop


@helper
def _join(rows: NDArray[np.int64], r: Int, other: NDArray[np.int64], k: Int, same: Int) -> None:
    """Add what a conversation without TCP did later; ``same``: its originator is ours."""
    for s in range(2):
        mine = s if same else 1 - s
        if other[k, ORIG_PKTS + s] > 0 and (
            rows[r, ORIG_PKTS + mine] == 0 or rows[r, ORIG_MAC + mine] == 0
        ):
            rows[r, ORIG_MAC + mine] = other[k, ORIG_MAC + s]
            rows[r, SEEN] &= ~(np.int64(1) << (MAC_SHIFT + mine))
        rows[r, ORIG_PKTS + mine] += other[k, ORIG_PKTS + s]
        rows[r, ORIG_IP + mine] += other[k, ORIG_IP + s]
        rows[r, ORIG_BYTES + mine] += other[k, ORIG_BYTES + s]
    if other[k, LAST_TS] > rows[r, LAST_TS]:
        rows[r, LAST_TS] = other[k, LAST_TS]
    rows[r, LAST_PACKET] = other[k, LAST_PACKET]
    rows[r, CAPTURES] = (rows[r, CAPTURES] & ~np.int64(_WORD)) | (other[k, CAPTURES] & _WORD)
    for position in range(min(other[k, SEEN] >> LETTERS_SHIFT, 24)):
        word = other[k, HISTORY] if position < 12 else other[k, HISTORY2]
        code = (word >> (5 * (position % 12))) & 31
        if not same:
            code = code - UPPER if code > UPPER else code + UPPER
        _letter(rows, r, code)


@kernel
def settle(
    first: int,  #                            first row that moved
    used: int,  #                             rows in use
    rows: NDArray[np.int64],  # (cap, WIDTH)  the table
    came: NDArray[np.int64],  # (n,)          where each row from ``first`` on stood before
    slots: NDArray[np.int64],  # (2^k,)       in and out
) -> None:
    """Tell the slots where rows have moved to, of those that still had one."""
    mask = slots.size - 1
    for turn in range(2):  # the second undoes the marks of the first: rows change places
        for r in range(first, used):
            tag = rows[r, HASH]
            slot = (tag ^ (tag >> 15)) & mask
            before = (tag << 32) | (came[r - first] + 1)
            if turn:
                before = -1 - r
            while slots[slot] != 0:
                if slots[slot] == before:
                    slots[slot] = (tag << 32) | (r + 1) if turn else -1 - r
                    break
                slot = (slot + 1) & mask
