"""Segments, stations and bindings: who was heard where, packet by packet, in fixed tables.

Rows of the tables are ``int64`` (unsigned columns come as views), open addressing with linear
probing, ``slots`` holding row + 1 and 0 for empty. A full table takes no more rows: what it
turns away is counted in ``used[MISSED]``, and nothing grows with the traffic.
"""

from __future__ import annotations

from collections import namedtuple
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wardwatch.compiled import helper, hot, kernel, prefetch

if TYPE_CHECKING:
    from wardwatch.decode.columns import Arrays

Ints = NDArray[np.int64]

# Columns of a segment's row.
SEG_CAPTURE, SEG_INTERFACE, SEG_ALIAS, SEG_AIR, SEG_VLAN, SEG_TUNNEL, SEG_TUNNEL_ID = range(7)
SEG_PACKETS, SEG_FIRST, SEG_LAST, SEG_GAP, SEG_BROADCASTS, SEG_BROADCASTERS = range(7, 13)
SEG_MULTICASTS, SEG_STATIONS, SEG_PAIRS, SEG_CUT, SEG_OFFLOADED = range(13, 18)
SEG_MIRRORED, SEG_ROUTED, SEG_OUTER_TAG, SEG_BEGAN, SEG_GAP_FROM, SEG_WIDTH = range(18, 24)
"""SEG_GAP, the longest step from a stamp to the next one that is later than all before it, began at
SEG_GAP_FROM. SEG_FIRST is the earliest stamp, SEG_BEGAN that of the first packet that bears one."""

# Columns of a station's row: its present spell of activity, and what it ever did. Those that every
# packet touches are in one cache line.
STA_SEGMENT, STA_MAC, STA_LAST, STA_LAST_PACKET, STA_PACKETS, STA_RECEIVED, STA_EVER = range(7)
STA_FIRST, STA_FIRST_PACKET, STA_IPS, STA_BEFORE, STA_WIDTH = range(7, 12)
"""STA_BEFORE: how many of STA_RECEIVED came before the spell's first packet, which are some where
a station was spoken to before it ever spoke."""
SPOKE, BROADCAST = 1, 2  # bits of STA_EVER

# Columns of a pair's row: a cache of what its packets need, and a count of pairs.
PAIR_SEGMENT, PAIR_SRC, PAIR_DST, PAIR_FROM, PAIR_TO, PAIR_BINDING, PAIR_WIDTH = range(7)

# Columns of a binding's row, again what every packet touches first.
BIND_STATION, BIND_NET, BIND_HI, BIND_LO, BIND_LAST, BIND_LAST_PACKET = range(6)
BIND_PACKETS, BIND_FIRST, BIND_FIRST_PACKET, BIND_WIDTH = range(6, 10)

STA_ROW, PAIR_ROW, BIND_ROW = 16, 8, 16
"""Words from one row to the next, whole cache lines; what stands behind the columns is 0."""

# How many rows of each table are in use, and how many were turned away.
SEGMENTS, STATIONS, PAIRS, BINDINGS, MISSED, USED_WIDTH = range(6)

RECENT = 64
"""Segments that :func:`assign_segments` finds without a hash: one of each tag, modulo this."""
NEAR = 64
"""Packets whose pairs are looked for together, so that they need not wait for memory one by one."""

Tables: Any = namedtuple(
    "Tables",
    "segments stations station_slots pairs pair_slots bindings binding_slots used options near",
)
"""What :func:`note_packets` counts in, and ``near`` (NEAR,) ``int32``, which is scratch."""

UNKNOWN_TIME = -(2**63)
_K1 = 0x5BD1E995
_K2 = 0x7ED55D17
_ALL_ONES = 0xFFFFFFFFFFFF
_GROUP = 1 << 40  # I/G bit of the first octet


@helper
def mix(a: int, b: int, c: int, d: int) -> int:
    """Hash of four integers, 63 bits; ``a`` is small, or ``b`` is.

    No product overflows: of signed ones that did LLVM would keep what suits it, where it knows more
    of an argument, and kernels that share a table would look in different places.
    """
    return _stir(_stir(_stir(a << 47 ^ b) ^ c) ^ d)


@helper
def _stir(h: int) -> int:
    """The lower 32 bits, and the 31 above them, each times a number of 31 bits."""
    h = (h & 0xFFFFFFFF) * _K1 ^ (h >> 32 & 0x7FFFFFFF) * _K2
    return h ^ h >> 29


@helper
def _segment(
    capture: int,
    interface: int,
    via: int,
    air: int,
    tag: int,
    outer: int,
    through: int,
    number: int,
    segments: Ints,
    slots: NDArray[np.int32],
    used: Ints,
) -> int:
    """Row of a segment, made where there is room, then ``interface``'s; -1 otherwise."""
    wrap = slots.shape[0] - 1
    at = mix(capture * 2 + air, via, (outer << 20) + tag * 64 + through, number) & wrap
    while slots[at]:
        row = int(slots[at]) - 1
        if (
            segments[row, SEG_CAPTURE] == capture
            and segments[row, SEG_ALIAS] == via
            and segments[row, SEG_AIR] == air
            and segments[row, SEG_VLAN] == tag
            and segments[row, SEG_OUTER_TAG] == outer
            and segments[row, SEG_TUNNEL] == through
            and segments[row, SEG_TUNNEL_ID] == number
        ):
            return row
        at = (at + 1) & wrap
    if used[SEGMENTS] >= segments.shape[0]:
        used[MISSED] += 1
        return -1
    row = int(used[SEGMENTS])
    used[SEGMENTS] += 1
    slots[at] = row + 1
    segments[row, SEG_CAPTURE] = capture
    segments[row, SEG_INTERFACE] = interface
    segments[row, SEG_ALIAS] = via
    segments[row, SEG_AIR] = air
    segments[row, SEG_VLAN] = tag
    segments[row, SEG_OUTER_TAG] = outer
    segments[row, SEG_TUNNEL] = through
    segments[row, SEG_TUNNEL_ID] = number
    return row


@kernel
def assign_segments(
    n: int,
    capture: int,
    link: NDArray[np.int32],
    interface: NDArray[np.int32],
    alias: NDArray[np.int32],
    c: Arrays,
    segments: Ints,
    slots: NDArray[np.int32],
    used: Ints,
    recent: NDArray[np.int32],
    out: NDArray[np.int32],
) -> None:
    """Give each packet the row of its segment in ``out``.

    ``alias`` (interfaces,) is 0 for the interface whose segments bear plain names; ``c`` are the
    arrays of PacketColumns. A packet without room for its segment goes to row 0, the segment of all
    others. ``recent`` (RECENT,) lives on between blocks: rows that tags led to, which are looked at
    first.
    """
    for i in range(n):
        kind = link[i]
        # LINKTYPE_ 802.11, with Prism, radiotap, AVS or PPI header
        air = 1 if kind == 105 or kind == 119 or kind == 127 or kind == 163 or kind == 192 else 0
        via = int(alias[interface[i]])
        tag = int(c.vlan[i])
        outer = int(c.outer_tag[i])
        through = int(c.tunnel[i])
        number = int(c.tunnel_id[i]) if through else -1
        if air and not through:
            tag = -1
            outer = 0
            via = 0
        near = np.uint64((tag ^ number) & (RECENT - 1))
        row = int(recent[near])
        if (
            segments[row, SEG_CAPTURE] == capture
            and segments[row, SEG_ALIAS] == via
            and segments[row, SEG_AIR] == air
            and segments[row, SEG_VLAN] == tag
            and segments[row, SEG_OUTER_TAG] == outer
            and segments[row, SEG_TUNNEL] == through
            and segments[row, SEG_TUNNEL_ID] == number
            and used[SEGMENTS]
        ):
            out[i] = row
            continue
        row = _segment(
            capture, int(interface[i]), via, air, tag, outer, through, number, segments, slots, used
        )
        if row < 0:
            out[i] = 0
            continue
        recent[near] = row
        out[i] = row


@helper
def _station(segment: int, mac: int, stations: Ints, slots: NDArray[np.int32], used: Ints) -> int:
    """Row of a station, made where there is room; -1 otherwise."""
    wrap = slots.shape[0] - 1
    at = mix(segment, mac, 0, 0) & wrap
    while slots[at]:
        row = int(slots[at]) - 1
        if stations[row, STA_SEGMENT] == segment and stations[row, STA_MAC] == mac:
            return row
        at = (at + 1) & wrap
    if used[STATIONS] >= stations.shape[0]:
        used[MISSED] += 1
        return -1
    row = int(used[STATIONS])
    used[STATIONS] += 1
    slots[at] = row + 1
    stations[row, STA_SEGMENT] = segment
    stations[row, STA_MAC] = mac
    return row


@helper
def _binding(
    station: int,
    net: int,
    hi: int,
    lo: int,
    most: int,
    stations: Ints,
    bindings: Ints,
    slots: NDArray[np.int32],
    used: Ints,
) -> int:
    """Row of a station's address, made while the station has fewer than ``most``; else -1."""
    wrap = slots.shape[0] - 1
    at = mix(station, net, hi, lo) & wrap
    while slots[at]:
        row = int(slots[at]) - 1
        if (
            bindings[row, BIND_STATION] == station
            and bindings[row, BIND_LO] == lo
            and bindings[row, BIND_HI] == hi
            and bindings[row, BIND_NET] == net
        ):
            return row
        at = (at + 1) & wrap
    if stations[station, STA_IPS] >= most:
        return -1
    if used[BINDINGS] >= bindings.shape[0]:
        used[MISSED] += 1
        return -1
    row = int(used[BINDINGS])
    used[BINDINGS] += 1
    slots[at] = row + 1
    stations[station, STA_IPS] += 1
    bindings[row, BIND_STATION] = station
    bindings[row, BIND_NET] = net
    bindings[row, BIND_HI] = hi
    bindings[row, BIND_LO] = lo
    return row


@kernel
def note_packets(
    n: int,
    first: int,
    time: Ints,
    length: NDArray[np.int32],
    wire: Ints,
    segment: NDArray[np.int32],
    c: Arrays,
    t: Arrays,
    spells: Ints,
) -> int:
    """Count each packet for its segment, its stations and its binding; return ended spells.

    ``c`` are the arrays of PacketColumns, all signed; ``t`` are :class:`Tables`, whose ``options``
    (3,) are: ns of silence that end a spell; most addresses kept of one station; bytes
    on the wire above which a TCP packet was merged by the network card. ``spells``
    (n, STA_WIDTH) takes copies of the rows of spells that ended.
    """
    ended = 0
    for begin in range(0, n, NEAR):
        stop = min(begin + NEAR, n)
        _find_pairs(begin, stop, segment, c, t)
        ended = _note(begin, stop, first, time, length, wire, segment, c, t, spells, ended)
    return ended


@hot
def _find_pairs(begin: int, stop: int, segment: NDArray[np.int32], c: Arrays, t: Arrays) -> None:
    """Where a pair stands in the first place looked at, its row to ``near``; else -1.

    What is looked at, and what :func:`_note` will count in, is asked for ahead: of what was looked
    at for the last block the cache holds nothing any more.
    """
    pairs, slots, near = t.pairs, t.pair_slots, t.near
    wrap = slots.shape[0] - 1
    for i in range(begin, stop):
        at = mix(int(segment[i]), int(c.src_mac[i]), int(c.dst_mac[i]), 1) & wrap
        near[np.uint64(i - begin)] = at
        prefetch(slots, at, 0)
    for k in range(stop - begin):
        row = int(slots[np.uint64(near[np.uint64(k)])]) - 1
        near[np.uint64(k)] = row
        prefetch(pairs, row, 0)
    for i in range(begin, stop):
        row = int(near[np.uint64(i - begin)])
        if row < 0:
            continue
        if (
            pairs[row, PAIR_SRC] == c.src_mac[i]
            and pairs[row, PAIR_DST] == c.dst_mac[i]
            and pairs[row, PAIR_SEGMENT] == segment[i]
        ):
            prefetch(t.stations, int(pairs[row, PAIR_FROM]), 0)
            prefetch(t.stations, int(pairs[row, PAIR_TO]), 0)
            prefetch(t.bindings, int(pairs[row, PAIR_BINDING]), 0)
        else:
            near[np.uint64(i - begin)] = -1


@hot
def _note(
    begin: int,
    stop: int,
    first: int,
    time: Ints,
    length: NDArray[np.int32],
    wire: Ints,
    segment: NDArray[np.int32],
    c: Arrays,
    tables: Arrays,
    spells: Ints,
    ended: int,
) -> int:
    """Count the packets of ``begin`` … ``stop``, whose pairs were looked for."""
    segments, stations, station_slots = tables.segments, tables.stations, tables.station_slots
    pairs, pair_slots, near = tables.pairs, tables.pair_slots, tables.near
    bindings, binding_slots, used = tables.bindings, tables.binding_slots, tables.used
    silence = int(tables.options[0])
    most = int(tables.options[1])
    longest = int(tables.options[2])
    wrap = pair_slots.shape[0] - 1
    for i in range(begin, stop):
        number = first + i
        t = int(time[i])
        where = int(segment[i])
        at_segment = np.uint64(where)
        segments[at_segment, SEG_PACKETS] += 1
        if length[i] < wire[i]:
            segments[at_segment, SEG_CUT] += 1
        if wire[i] > longest and c.proto[i] == 6:
            segments[at_segment, SEG_OFFLOADED] += 1
        if t != UNKNOWN_TIME:
            if (
                segments[at_segment, SEG_LAST] == UNKNOWN_TIME
                or segments[at_segment, SEG_PACKETS] == 1
            ):
                segments[at_segment, SEG_FIRST] = t
                segments[at_segment, SEG_LAST] = t
                segments[at_segment, SEG_BEGAN] = t
            else:
                if t < segments[at_segment, SEG_FIRST]:
                    segments[at_segment, SEG_FIRST] = t
                if t > segments[at_segment, SEG_LAST]:
                    if t - int(segments[at_segment, SEG_LAST]) > segments[at_segment, SEG_GAP]:
                        segments[at_segment, SEG_GAP] = t - int(segments[at_segment, SEG_LAST])
                        segments[at_segment, SEG_GAP_FROM] = segments[at_segment, SEG_LAST]
                    segments[at_segment, SEG_LAST] = t
        elif segments[at_segment, SEG_PACKETS] == 1:
            segments[at_segment, SEG_FIRST] = UNKNOWN_TIME
            segments[at_segment, SEG_LAST] = UNKNOWN_TIME
            segments[at_segment, SEG_BEGAN] = UNKNOWN_TIME
        if not c.has_mac[i]:
            continue
        src = int(c.src_mac[i])
        dst = int(c.dst_mac[i])
        group = (dst & _GROUP) != 0
        if dst == _ALL_ONES:
            segments[at_segment, SEG_BROADCASTS] += 1
        elif group:
            segments[at_segment, SEG_MULTICASTS] += 1
        if src & _GROUP or src == 0:
            continue  # nobody's address (IEEE 802-2014 §8.2.2): forged, or not Ethernet

        pair = int(near[np.uint64(i - begin)])
        at = mix(where, src, dst, 1) & wrap if pair < 0 else 0
        while pair < 0 and pair_slots[at]:
            seen = int(pair_slots[at]) - 1
            if (
                pairs[seen, PAIR_SRC] == src
                and pairs[seen, PAIR_DST] == dst
                and pairs[seen, PAIR_SEGMENT] == where
            ):
                pair = seen
            at = (at + 1) & wrap
        if pair >= 0:
            sender = int(pairs[pair, PAIR_FROM])
            receiver = int(pairs[pair, PAIR_TO])
            bound = int(pairs[pair, PAIR_BINDING])
        else:
            sender = _station(where, src, stations, station_slots, used)
            receiver = -1 if group else _station(where, dst, stations, station_slots, used)
            bound = -1
            if used[PAIRS] < pairs.shape[0]:
                pair = int(used[PAIRS])
                used[PAIRS] += 1
                pair_slots[at] = pair + 1
                pairs[pair, PAIR_SEGMENT] = where
                pairs[pair, PAIR_SRC] = src
                pairs[pair, PAIR_DST] = dst
                pairs[pair, PAIR_FROM] = sender
                pairs[pair, PAIR_TO] = receiver
                pairs[pair, PAIR_BINDING] = -1
                if not group:
                    segments[at_segment, SEG_PAIRS] += 1
        if receiver >= 0:
            stations[receiver, STA_RECEIVED] += 1
        if sender < 0:
            continue

        speaker = np.uint64(sender)
        if not stations[speaker, STA_EVER] & SPOKE:
            stations[speaker, STA_EVER] |= SPOKE
            segments[at_segment, SEG_STATIONS] += 1
        if dst == _ALL_ONES and not stations[speaker, STA_EVER] & BROADCAST:
            stations[speaker, STA_EVER] |= BROADCAST
            segments[at_segment, SEG_BROADCASTERS] += 1
        if (
            stations[speaker, STA_PACKETS]
            and t != UNKNOWN_TIME
            and stations[speaker, STA_LAST] != UNKNOWN_TIME
            and t - int(stations[speaker, STA_LAST]) > silence
        ):
            for k in range(STA_WIDTH):
                spells[ended, k] = stations[speaker, k]
            ended += 1
            stations[speaker, STA_PACKETS] = 0
            stations[speaker, STA_RECEIVED] = 0
        if stations[speaker, STA_PACKETS] == 0:
            stations[speaker, STA_FIRST] = t
            stations[speaker, STA_LAST] = t
            stations[speaker, STA_FIRST_PACKET] = number
            stations[speaker, STA_BEFORE] = stations[speaker, STA_RECEIVED]
        elif t > stations[speaker, STA_LAST]:
            stations[speaker, STA_LAST] = t
        stations[speaker, STA_LAST_PACKET] = number
        stations[speaker, STA_PACKETS] += 1

        kind = int(c.net[i])
        if kind == 0:
            continue
        hi = int(c.src_hi[i])
        lo = int(c.src_lo[i])
        if hi == 0 and lo == 0:
            continue  # the unspecified address: DHCP, duplicate address detection
        if not (
            bound >= 0
            and bindings[bound, BIND_LO] == lo
            and bindings[bound, BIND_HI] == hi
            and bindings[bound, BIND_NET] == kind
        ):
            bound = _binding(sender, kind, hi, lo, most, stations, bindings, binding_slots, used)
            if bound < 0:
                continue
            if pair >= 0:
                pairs[pair, PAIR_BINDING] = bound
        row = np.uint64(bound)
        if bindings[row, BIND_PACKETS] == 0:
            bindings[row, BIND_FIRST] = t
            bindings[row, BIND_LAST] = t
            bindings[row, BIND_FIRST_PACKET] = number
        elif t > bindings[row, BIND_LAST]:
            bindings[row, BIND_LAST] = t
        bindings[row, BIND_LAST_PACKET] = number
        bindings[row, BIND_PACKETS] += 1
    return ended


@kernel
def index_rows(kind: int, rows: Ints, n: int, slots: NDArray[np.int32]) -> None:
    """Put the first ``n`` rows of a table, STATIONS, PAIRS or BINDINGS, into empty ``slots``.

    These are (2^k,), more than there will be rows.
    """
    wrap = slots.shape[0] - 1
    for row in range(n):
        if kind == STATIONS:
            at = mix(int(rows[row, STA_SEGMENT]), int(rows[row, STA_MAC]), 0, 0)
        elif kind == PAIRS:
            at = mix(
                int(rows[row, PAIR_SEGMENT]), int(rows[row, PAIR_SRC]), int(rows[row, PAIR_DST]), 1
            )
        else:
            at = mix(
                int(rows[row, BIND_STATION]),
                int(rows[row, BIND_NET]),
                int(rows[row, BIND_HI]),
                int(rows[row, BIND_LO]),
            )
        at &= wrap
        while slots[at]:
            at = (at + 1) & wrap
        slots[at] = row + 1


@kernel
def absorb_segments(
    later: Ints,  # (n, SEG_WIDTH)       segments of packets behind ours
    segments: Ints,
    slots: NDArray[np.int32],
    used: Ints,
    where: Ints,  # (n,)                 out: the row of each here
) -> None:
    """Count segments of packets behind ours as if we had taken those packets.

    But for what is counted once of each station and pair: :func:`absorb_stations`.
    """
    for i in range(later.shape[0]):
        row = _segment(
            int(later[i, SEG_CAPTURE]),
            int(later[i, SEG_INTERFACE]),
            int(later[i, SEG_ALIAS]),
            int(later[i, SEG_AIR]),
            int(later[i, SEG_VLAN]),
            int(later[i, SEG_OUTER_TAG]),
            int(later[i, SEG_TUNNEL]),
            int(later[i, SEG_TUNNEL_ID]),
            segments,
            slots,
            used,
        )
        where[i] = row
        if segments[row, SEG_PACKETS] == 0 or segments[row, SEG_LAST] == UNKNOWN_TIME:
            segments[row, SEG_FIRST] = later[i, SEG_FIRST]
            segments[row, SEG_LAST] = later[i, SEG_LAST]
            segments[row, SEG_BEGAN] = later[i, SEG_BEGAN]
            segments[row, SEG_GAP] = later[i, SEG_GAP]
            segments[row, SEG_GAP_FROM] = later[i, SEG_GAP_FROM]
        elif later[i, SEG_LAST] != UNKNOWN_TIME:
            last = int(segments[row, SEG_LAST])
            if int(later[i, SEG_BEGAN]) - last > segments[row, SEG_GAP]:
                segments[row, SEG_GAP] = int(later[i, SEG_BEGAN]) - last
                segments[row, SEG_GAP_FROM] = last
            if later[i, SEG_GAP] > segments[row, SEG_GAP]:
                segments[row, SEG_GAP] = later[i, SEG_GAP]
                segments[row, SEG_GAP_FROM] = later[i, SEG_GAP_FROM]
            segments[row, SEG_FIRST] = min(segments[row, SEG_FIRST], later[i, SEG_FIRST])
            segments[row, SEG_LAST] = max(segments[row, SEG_LAST], later[i, SEG_LAST])
        for column in (
            SEG_PACKETS,
            SEG_BROADCASTS,
            SEG_MULTICASTS,
            SEG_CUT,
            SEG_OFFLOADED,
            SEG_MIRRORED,
            SEG_ROUTED,
        ):
            segments[row, column] += later[i, column]


@kernel
def absorb_stations(
    later: Ints,  # (n, STA_WIDTH)             stations of packets behind ours
    later_pairs: Ints,  # (p, PAIR_WIDTH)      pairs of theirs
    later_bindings: Ints,  # (b, BIND_WIDTH)   bindings of theirs, which no count of addresses bounds
    later_spells: Ints,  # (s, STA_WIDTH)      spells of theirs, in the order in which they began
    where: Ints,  # (segments of theirs,)      the row of each here
    rows: Ints,  # (n,)                        out: the row of each station here
    bound: Ints,  # (b,)                       out: the row of each binding here; -1 one too many
    segments: Ints,
    stations: Ints,
    station_slots: NDArray[np.int32],
    pairs: Ints,
    pair_slots: NDArray[np.int32],
    bindings: Ints,
    binding_slots: NDArray[np.int32],
    used: Ints,
    options: Ints,  #                          as of note_packets
    spells: Ints,  # (s, STA_WIDTH)            out: spells that ended
) -> int:
    """Take in stations of packets behind ours as if we had taken those packets; return ended spells.

    A spell is taken as its packets would be. None of its steps in time ended it there, thus none
    does here, where a later stamp may stand before; only its first packet can end ours.
    """
    silence = int(options[0])
    most = int(options[1])
    for i in range(later.shape[0]):
        at_segment = int(where[later[i, STA_SEGMENT]])
        row = _station(at_segment, int(later[i, STA_MAC]), stations, station_slots, used)
        rows[i] = row
        ever = int(later[i, STA_EVER])
        fresh = ever & ~int(stations[row, STA_EVER])
        if fresh & SPOKE:
            segments[at_segment, SEG_STATIONS] += 1
        if fresh & BROADCAST:
            segments[at_segment, SEG_BROADCASTERS] += 1
        stations[row, STA_EVER] |= ever
        if not ever & SPOKE:
            stations[row, STA_RECEIVED] += later[i, STA_RECEIVED]

    for i in range(later_bindings.shape[0]):
        row = _binding(
            int(rows[later_bindings[i, BIND_STATION]]),
            int(later_bindings[i, BIND_NET]),
            int(later_bindings[i, BIND_HI]),
            int(later_bindings[i, BIND_LO]),
            most,
            stations,
            bindings,
            binding_slots,
            used,
        )
        bound[i] = row
        if row < 0:
            continue
        if bindings[row, BIND_PACKETS] == 0:
            bindings[row, BIND_FIRST] = later_bindings[i, BIND_FIRST]
            bindings[row, BIND_LAST] = later_bindings[i, BIND_LAST]
            bindings[row, BIND_FIRST_PACKET] = later_bindings[i, BIND_FIRST_PACKET]
        elif later_bindings[i, BIND_LAST] > bindings[row, BIND_LAST]:
            bindings[row, BIND_LAST] = later_bindings[i, BIND_LAST]
        bindings[row, BIND_LAST_PACKET] = later_bindings[i, BIND_LAST_PACKET]
        bindings[row, BIND_PACKETS] += later_bindings[i, BIND_PACKETS]

    wrap = pair_slots.shape[0] - 1
    for i in range(later_pairs.shape[0]):
        at_segment = int(where[later_pairs[i, PAIR_SEGMENT]])
        src = int(later_pairs[i, PAIR_SRC])
        dst = int(later_pairs[i, PAIR_DST])
        at = mix(at_segment, src, dst, 1) & wrap
        seen = -1
        while pair_slots[at]:
            row = int(pair_slots[at]) - 1
            if (
                pairs[row, PAIR_SRC] == src
                and pairs[row, PAIR_DST] == dst
                and pairs[row, PAIR_SEGMENT] == at_segment
            ):
                seen = row
                break
            at = (at + 1) & wrap
        if seen >= 0 or used[PAIRS] >= pairs.shape[0]:
            continue
        row = int(used[PAIRS])
        used[PAIRS] += 1
        pair_slots[at] = row + 1
        sender = int(later_pairs[i, PAIR_FROM])
        receiver = int(later_pairs[i, PAIR_TO])
        binding = int(later_pairs[i, PAIR_BINDING])
        pairs[row, PAIR_SEGMENT] = at_segment
        pairs[row, PAIR_SRC] = src
        pairs[row, PAIR_DST] = dst
        pairs[row, PAIR_FROM] = rows[sender] if sender >= 0 else -1
        pairs[row, PAIR_TO] = rows[receiver] if receiver >= 0 else -1
        pairs[row, PAIR_BINDING] = bound[binding] if binding >= 0 else -1
        if not dst & _GROUP:
            segments[at_segment, SEG_PAIRS] += 1

    ended = 0
    for i in range(later_spells.shape[0]):
        at_segment = int(where[later_spells[i, STA_SEGMENT]])
        row = _station(at_segment, int(later_spells[i, STA_MAC]), stations, station_slots, used)
        t = int(later_spells[i, STA_FIRST])
        stations[row, STA_RECEIVED] += later_spells[i, STA_BEFORE]
        if (
            stations[row, STA_PACKETS]
            and t != UNKNOWN_TIME
            and stations[row, STA_LAST] != UNKNOWN_TIME
            and t - int(stations[row, STA_LAST]) > silence
        ):
            for k in range(STA_WIDTH):
                spells[ended, k] = stations[row, k]
            ended += 1
            stations[row, STA_PACKETS] = 0
            stations[row, STA_RECEIVED] = 0
        if stations[row, STA_PACKETS] == 0:
            stations[row, STA_FIRST] = t
            stations[row, STA_LAST] = later_spells[i, STA_LAST]
            stations[row, STA_FIRST_PACKET] = later_spells[i, STA_FIRST_PACKET]
            stations[row, STA_BEFORE] = stations[row, STA_RECEIVED]
        elif later_spells[i, STA_LAST] > stations[row, STA_LAST]:
            stations[row, STA_LAST] = later_spells[i, STA_LAST]
        stations[row, STA_LAST_PACKET] = later_spells[i, STA_LAST_PACKET]
        stations[row, STA_PACKETS] += later_spells[i, STA_PACKETS]
        stations[row, STA_RECEIVED] += later_spells[i, STA_RECEIVED] - later_spells[i, STA_BEFORE]
    return ended
