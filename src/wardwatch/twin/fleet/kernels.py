"""Kernels of the fleet: events to packets, and packets to the octets of a capture file.

:func:`expand` plays each event's script and keeps both ends' numbers of every TCP connection true;
:func:`fill` writes frames with their record headers. What they say is in tables made by
:mod:`wardwatch.twin.fleet.scripts`; no kernel knows a protocol above TCP and UDP.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from wardwatch.compiled import helper, hot, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

N = TypeVar("N", int, "NDArray[np.int64]")

# Columns of a step of a script.
(DT, WHO, FORM, MODE, PEER, CPORT, PORT, FLAGS, TEMPLATE, CHOICE, REPEAT, FRESH, SLOT, LABEL) = (
    range(14)
)
STEP_COLUMNS = 14
"""Nominal ns since the step before; sent by pump (0) or to it (1); form; addressing; server; client
port (0: the connection's); server port; TCP flags; template (-1 none); how to choose among
templates; pairs of a bulk; a new client port; connection; label."""

RAW, UDP, TCP, BULK = range(4)
"""A whole frame as its template says; a datagram; a segment; pairs of segments, each acknowledged."""
ROUTED, SHOUTED, ANNOUNCED, HANDED = range(4)
"""Between pump and server over the router; from nobody to all; by the router to all; by the router."""
DETAIL, RUNNING = -1, -2
"""Choices of templates: by the event's detail; of four, the second of a pair while an infusion runs,
and the second pair with the second library; 1 and more: by lot among so many."""

# Columns of a packet.
(
    AT, SIZE, PUMP, P_FORM, P_WHO, P_MODE, P_PEER, P_CPORT, P_PORT, P_FLAGS, SEQ, ACK, IDENT,
    P_TEMPLATE, LO, LEN, TOKEN, MADE, RATE, GIVEN, DETAILED, P_LABEL, SENT,
) = range(23)  # fmt: skip
PACKET_COLUMNS = 23
"""When, ns from the start; octets of the frame; … ; octets [LO, LO + LEN) of the template; a number
that hangs on the event; stamp of the message; nL/h; nL; the event's detail; label; how it was sent."""

# Columns of an event, as in ``timeline.Events``.
E_AT, E_PUMP, E_WHAT, E_MADE, E_NUMBER, E_RATE, E_GIVEN, E_DETAIL, E_SENT, E_LIBRARY = range(10)

# Columns of a pump.
KIND, VLAN, ADDRESS, MAC_HIGH, MAC_LOW = range(5)
PUMP_COLUMNS = 5

# Columns of a pump's state.
FREE, TURN, OPENED, IDENT_UP, IDENT_DOWN, PORT_0, UP_0, DOWN_0, PORT_1, UP_1, DOWN_1 = range(11)
STATE_COLUMNS = 11
"""Free from when; exchanges so far; connections so far; IP idents; port and both sequence numbers of
its two connections."""

# Where a value lies in the scratch row, which is where patches take it from.
S_MAC, S_IP, S_GATEWAY, S_VLAN, S_XID, S_ID, S_SECS, S_RANDOM = 0, 6, 10, 14, 16, 20, 22, 24
S_EUI, S_HEX, S_NUMBER, S_SENT, S_MADE = 88, 104, 116, 124, 138
S_RATE, S_VOLUME, S_LEFT, SCRATCH = 152, 159, 166, 173
RANDOM_OCTETS = 64

# Columns of a template and of a patch.
T_AT, T_LEN, T_PATCH, T_PATCHES, T_TEXT = range(5)
X_POSITION, X_FROM, X_LEN = range(3)

MSS = 1460
FIRST_PORT, PORTS = 49152, 16384
"""Dynamic ports (RFC 6335 §6)."""
SYN, FIN, PSH_ACK = 2, 1, 24
NG, CLASSIC = 1, 0
_MASK = 0xFFFFFFFF


@hot
def mixed(x: N) -> N:
    """32 bits well mixed; for an integer or an array of them, and no product leaves 63 bits."""
    x = x & 0xFFFFFFFF
    x = ((x >> 16) ^ x) * 0x45D9F3B & 0xFFFFFFFF
    x = ((x >> 16) ^ x) * 0x45D9F3B & 0xFFFFFFFF
    return (x >> 16) ^ x


@kernel
def count_packets(
    events: NDArray[np.int64],  # (events, 10)
    pumps: NDArray[np.int64],  # (pumps, PUMP_COLUMNS)
    scripts: NDArray[np.int64],  # (kinds, events, 2)   first step and the one behind the last
    steps: NDArray[np.int64],  # (steps, STEP_COLUMNS)
    templates: NDArray[np.int64],  # (templates, 5)
) -> int:
    """Packets that :func:`expand` will make."""
    total = 0
    for e in range(events.shape[0]):
        kind = pumps[events[e, E_PUMP], KIND]
        what = events[e, E_WHAT]
        for s in range(scripts[kind, what, 0], scripts[kind, what, 1]):
            if steps[s, FORM] == BULK:
                total += 3 * steps[s, REPEAT]
            elif steps[s, FORM] != TCP or steps[s, TEMPLATE] < 0:
                total += 1
            else:
                total += (templates[steps[s, TEMPLATE], T_LEN] + MSS - 1) // MSS
    return total


@kernel
def expand(
    events: NDArray[np.int64],  # (events, 10)          by time
    pumps: NDArray[np.int64],  # (pumps, PUMP_COLUMNS)
    scripts: NDArray[np.int64],  # (kinds, events, 2)
    steps: NDArray[np.int64],  # (steps, STEP_COLUMNS)
    templates: NDArray[np.int64],  # (templates, 5)
    state: NDArray[np.int64],  # (pumps, STATE_COLUMNS) in and out
    seed: int,
    out: NDArray[np.int64],  # (packets, PACKET_COLUMNS) out
) -> int:
    """Play the script of each event, one exchange of a pump after another ⇒ packets made."""
    n = 0
    for e in range(events.shape[0]):
        pump = events[e, E_PUMP]
        what = events[e, E_WHAT]
        kind = pumps[pump, KIND]
        if scripts[kind, what, 0] == scripts[kind, what, 1]:
            continue
        state[pump, TURN] += 1
        lot = mixed(mixed(mixed(seed) + pump) + state[pump, TURN])
        token = events[e, E_NUMBER] if events[e, E_NUMBER] > 0 else lot
        t = max(events[e, E_AT], state[pump, FREE])
        for s in range(scripts[kind, what, 0], scripts[kind, what, 1]):
            lot = mixed(lot + s)
            # Half as long again, or less: no two exchanges have the same rhythm.
            t += steps[s, DT] + (steps[s, DT] * (lot & 1023) >> 11)
            slot = PORT_0 + 3 * steps[s, SLOT]
            form = steps[s, FORM]
            port = steps[s, CPORT]
            if steps[s, FRESH] == 1 and form == TCP:
                state[pump, OPENED] += 1
                state[pump, slot] = FIRST_PORT + (state[pump, OPENED] + pump) % PORTS
                state[pump, slot + 1] = mixed(lot + 1)
                state[pump, slot + 2] = mixed(lot + 2)
            if port == 0:
                port = FIRST_PORT + token % PORTS if form == UDP else state[pump, slot]
            template = steps[s, TEMPLATE]
            if template >= 0:
                if steps[s, CHOICE] == DETAIL:
                    template += events[e, E_DETAIL]
                elif steps[s, CHOICE] == RUNNING:
                    template += np.int64(1 if events[e, E_RATE] > 0 else 0)
                    template += np.int64(2 if events[e, E_LIBRARY] > 1 else 0)
                else:
                    template += lot % steps[s, CHOICE]
            length = templates[template, T_LEN] if template >= 0 else np.int64(0)
            pieces = steps[s, REPEAT] * 3 if form == BULK else np.int64(1)
            if form == TCP and length > 0:
                pieces = (length + MSS - 1) // MSS
            for piece in range(pieces):
                who, flags = steps[s, WHO], steps[s, FLAGS]
                lo, size = np.int64(0), length
                if form == BULK:
                    if piece % 3 == 2:
                        who, flags, size = 1 - who, np.int64(16), np.int64(0)
                    t += 120_000
                elif form == TCP:
                    lo = np.int64(piece * MSS)
                    size = min(length - lo, MSS)
                    if piece > 0:
                        t += 15_000
                head = np.int64(38)  # Ethernet with one tag, IPv4
                if form == RAW:
                    head = np.int64(0)
                elif form == UDP:
                    head = np.int64(46)
                else:
                    head = np.int64(62) if flags & SYN else np.int64(58)
                state[pump, IDENT_UP + who] = (state[pump, IDENT_UP + who] + 1) & 0xFFFF
                out[n, AT] = t
                out[n, SIZE] = max(head + size, 64)
                out[n, PUMP] = pump
                out[n, P_FORM] = TCP if form == BULK else form
                out[n, P_WHO] = who
                out[n, P_MODE] = steps[s, MODE]
                out[n, P_PEER] = steps[s, PEER]
                out[n, P_CPORT] = port
                out[n, P_PORT] = steps[s, PORT]
                out[n, P_FLAGS] = flags
                out[n, IDENT] = (state[pump, IDENT_UP + who] + pump * 4099) & 0xFFFF
                out[n, P_TEMPLATE] = template
                out[n, LO] = lo
                out[n, LEN] = size
                out[n, TOKEN] = token
                out[n, MADE] = events[e, E_MADE]
                out[n, RATE] = events[e, E_RATE]
                out[n, GIVEN] = events[e, E_GIVEN]
                out[n, DETAILED] = events[e, E_DETAIL]
                out[n, P_LABEL] = steps[s, LABEL]
                out[n, SENT] = events[e, E_SENT]
                out[n, SEQ] = 0
                out[n, ACK] = 0
                if form in (TCP, BULK):
                    mine, other = slot + 1 + who, slot + 2 - who
                    out[n, SEQ] = state[pump, mine]
                    if flags & 16:
                        out[n, ACK] = state[pump, other]
                    step = size + (1 if flags & (SYN | FIN) else 0)
                    state[pump, mine] = (state[pump, mine] + step) & _MASK
                n += 1
        state[pump, FREE] = t + 1_000_000
    return n


@hot
def _put16(out: NDArray[np.uint8], at: int, value: int) -> None:
    out[at] = (value >> 8) & 0xFF
    out[at + 1] = value & 0xFF


@hot
def _put32(out: NDArray[np.uint8], at: int, value: int) -> None:
    _put16(out, at, value >> 16)
    _put16(out, at + 2, value & 0xFFFF)


@hot
def _put32_little(out: NDArray[np.uint8], at: int, value: int) -> None:
    for octet in range(4):
        out[at + octet] = (value >> (8 * octet)) & 0xFF


@hot
def _folded(total: int) -> int:
    """The Internet checksum of a sum of 16-bit words (RFC 1071)."""
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


@hot
def _digits(out: NDArray[np.uint8], at: int, width: int, value: int) -> None:
    for place in range(width):
        out[at + width - 1 - place] = 48 + value % 10
        value //= 10


@hot
def _hex(out: NDArray[np.uint8], at: int, octet: int, letters: int) -> None:
    for place in range(2):
        nibble = (octet >> (4 - 4 * place)) & 15
        out[at + place] = 48 + nibble if nibble < 10 else letters + nibble - 10


@hot
def _stamp(out: NDArray[np.uint8], at: int, ns: int) -> None:
    """YYYYMMDDHHMMSS, UTC, of an instant after 1970."""
    seconds = ns // 1_000_000_000
    days, rest = seconds // 86400, seconds % 86400
    # Years that begin in March put the leap day at their end; day 0 is 1 March 2000.
    march = days - 11017
    cycle, day = march // 146097, march % 146097
    year = (day - day // 1460 + day // 36524 - day // 146096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    _digits(out, at + 6, 2, day - (153 * month + 2) // 5 + 1)
    _digits(out, at + 4, 2, month + 3 if month < 10 else month - 9)
    _digits(out, at, 4, 2000 + 400 * cycle + year + (0 if month < 10 else 1))
    _digits(out, at + 8, 2, rest // 3600)
    _digits(out, at + 10, 2, rest // 60 % 60)
    _digits(out, at + 12, 2, rest % 60)


@helper
def _scratch(
    packet: NDArray[np.int64],
    pump: NDArray[np.int64],
    start: int,
    text: int,
    out: NDArray[np.uint8],
) -> None:
    """Every value that a template may want of this packet."""
    _put16(out, S_MAC, pump[MAC_HIGH])
    _put32(out, S_MAC + 2, pump[MAC_LOW])
    _put32(out, S_IP, pump[ADDRESS])
    _put32(out, S_GATEWAY, (pump[ADDRESS] & 0xFFFF0000) | 1)
    _put16(out, S_VLAN, pump[VLAN])
    _put32(out, S_XID, packet[TOKEN])
    _put16(out, S_ID, packet[TOKEN] & 0xFFFF)
    _put16(out, S_SECS, packet[DETAILED])
    lot = mixed(packet[SEQ] - packet[LO] + packet[PUMP])
    for word in range(RANDOM_OCTETS // 4):
        lot = mixed(lot + word)
        _put32(out, S_RANDOM + 4 * word, lot)
    if text == 0:
        return
    for octet in range(6):
        _hex(out, S_HEX + 2 * octet, out[S_MAC + octet], 97)
        _hex(out, S_EUI + 2 * octet + (4 if octet > 2 else 0), out[S_MAC + octet], 65)
    _hex(out, S_EUI + 6, 255, 65)
    _hex(out, S_EUI + 8, 254, 65)
    _digits(out, S_NUMBER, 8, packet[TOKEN])
    _stamp(out, S_SENT, start + packet[AT])
    _stamp(out, S_MADE, start + packet[MADE])
    for at, amount in (
        (S_RATE, packet[RATE]),
        (S_VOLUME, packet[GIVEN]),
        (S_LEFT, packet[DETAILED]),
    ):
        hundredths = amount // 10_000
        _digits(out, at, 4, hundredths // 100)
        out[at + 4] = 46
        _digits(out, at + 5, 2, hundredths % 100)


@kernel
def fill(
    packets: NDArray[np.int64],  # (packets, PACKET_COLUMNS)
    order: NDArray[np.int64],  # (rows,)         which of them, as they go into the file
    offsets: NDArray[np.int64],  # (rows,)       first octet of each record in ``out``
    pumps: NDArray[np.int64],  # (pumps, PUMP_COLUMNS)
    servers: NDArray[np.int64],  # (servers,)    IPv4 addresses
    gateway: NDArray[np.int64],  # (2,)          the router's MAC, 16 and 32 bits
    templates: NDArray[np.int64],  # (templates, 5)
    patches: NDArray[np.int64],  # (patches, 3)
    arena: NDArray[
        np.uint8
    ],  # (octets,)       templates, each at an even place, zeros where patched
    sums: NDArray[np.int64],  # (octets // 2 + 1,)  16-bit words of the arena summed up to each
    start: int,  #                               ns since 1970 of instant 0
    shape: int,  #                               NG or CLASSIC records
    scratch: NDArray[np.uint8],  # (SCRATCH,)    room
    out: NDArray[np.uint8],  # (octets,)         out: records; zeros where nothing is written
) -> None:
    """Write records and frames, each checksum from the sums of its template and what is patched."""
    for row in range(order.shape[0]):
        packet = packets[order[row]]
        pump = pumps[packet[PUMP]]
        size = packet[SIZE]
        o = offsets[row]
        ns = start + packet[AT]
        if shape == NG:
            whole = 32 + (size + 3) // 4 * 4
            _put32_little(out, o, 6)
            _put32_little(out, o + 4, whole)
            _put32_little(out, o + 8, 0)
            _put32_little(out, o + 12, ns >> 32)
            _put32_little(out, o + 16, ns & _MASK)
            _put32_little(out, o + 20, size)
            _put32_little(out, o + 24, size)
            _put32_little(out, o + whole - 4, whole)
            o += 28
        else:
            _put32_little(out, o, ns // 1_000_000_000)
            _put32_little(out, o + 4, ns % 1_000_000_000)
            _put32_little(out, o + 8, size)
            _put32_little(out, o + 12, size)
            o += 16
        form, who, mode, length = packet[P_FORM], packet[P_WHO], packet[P_MODE], packet[LEN]
        flags = packet[P_FLAGS]
        # Where the payload begins, and the sum of its words.
        at = o
        if form == UDP:
            at = o + 46
        elif form == TCP:
            at = o + 62 if flags & SYN else o + 58
        total = np.int64(0)
        template = packet[P_TEMPLATE]
        if template >= 0 and length > 0:
            base, lo = templates[template, T_AT], packet[LO]
            first = base + lo
            for octet in range(length):
                out[at + octet] = arena[first + octet]
            total = sums[(first + length) // 2] - sums[first // 2]
            if length & 1:
                total += np.int64(arena[first + length - 1]) << 8
            if templates[template, T_PATCHES] > 0:
                _scratch(packet, pump, start, templates[template, T_TEXT], scratch)
                begin = templates[template, T_PATCH]
                for p in range(begin, begin + templates[template, T_PATCHES]):
                    for octet in range(patches[p, X_LEN]):
                        place = patches[p, X_POSITION] + octet - lo
                        if 0 <= place < length:
                            value = np.int64(scratch[patches[p, X_FROM] + octet])
                            out[at + place] = value
                            total += value if place & 1 else value << 8
        if form == RAW:
            continue
        # Ethernet (IEEE 802.3) with one tag (802.1Q).
        if mode in (SHOUTED, ANNOUNCED):
            _put16(out, o, 0xFFFF)
            _put32(out, o + 2, _MASK)
        elif who == 0:
            _put16(out, o, gateway[0])
            _put32(out, o + 2, gateway[1])
        else:
            _put16(out, o, pump[MAC_HIGH])
            _put32(out, o + 2, pump[MAC_LOW])
        if who == 0:
            _put16(out, o + 6, pump[MAC_HIGH])
            _put32(out, o + 8, pump[MAC_LOW])
        else:
            _put16(out, o + 6, gateway[0])
            _put32(out, o + 8, gateway[1])
        _put16(out, o + 12, 0x8100)
        _put16(out, o + 14, pump[VLAN])
        _put16(out, o + 16, 0x0800)
        # IPv4 (RFC 791): DF; what crossed the router has one hop less.
        source, target = pump[ADDRESS], servers[packet[P_PEER]]
        ttl = 64
        if mode == SHOUTED:
            source, target = np.int64(0), np.int64(_MASK)
        elif mode == ANNOUNCED:
            source, target = (pump[ADDRESS] & 0xFFFF0000) | 1, np.int64(_MASK)
        elif mode == HANDED:
            source, target = (pump[ADDRESS] & 0xFFFF0000) | 1, pump[ADDRESS]
        elif who == 1:
            source, target, ttl = target, source, 63
        inner = at + length - (o + 38)
        proto = 17 if form == UDP else 6
        _put16(out, o + 18, 0x4500)
        _put16(out, o + 20, 20 + inner)
        _put16(out, o + 22, packet[IDENT])
        _put16(out, o + 24, 0x4000)
        _put16(out, o + 26, (ttl << 8) | proto)
        _put32(out, o + 30, source)
        _put32(out, o + 34, target)
        ends = (source >> 16) + (source & 0xFFFF) + (target >> 16) + (target & 0xFFFF)
        of_ip = ends + 0x4500 + 20 + inner + packet[IDENT] + 0x4000 + ((ttl << 8) | proto)
        _put16(out, o + 28, _folded(of_ip))
        # UDP (RFC 768) or TCP (RFC 9293 §3.1), with the pseudo header in the sum.
        sport, dport = packet[P_CPORT], packet[P_PORT]
        if who == 1:
            sport, dport = dport, sport
        total += ends + proto + inner + sport + dport
        _put16(out, o + 38, sport)
        _put16(out, o + 40, dport)
        if form == UDP:
            _put16(out, o + 42, inner)
            check = _folded(total + inner)
            _put16(out, o + 44, check if check else 0xFFFF)
            continue
        seq, ack = packet[SEQ], packet[ACK]
        head = 0x6000 if flags & SYN else 0x5000
        _put32(out, o + 42, seq)
        _put32(out, o + 46, ack)
        _put16(out, o + 50, head | flags)
        _put16(out, o + 52, 8760)
        total += (seq >> 16) + (seq & 0xFFFF) + (ack >> 16) + (ack & 0xFFFF)
        total += (head | flags) + 8760
        if flags & SYN:
            _put16(out, o + 58, 0x0204)
            _put16(out, o + 60, MSS)
            total += 0x0204 + MSS
        _put16(out, o + 54, _folded(total))
