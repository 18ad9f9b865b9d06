"""TCP packet by packet: what the tables say of connections, by one slow loop that knows no blocks.

Of the product it has the readers of streams (:class:`~wardwatch.observe.sessions.Sessions`) and
nothing else: no kernel, no table, no list of rows. Every rule below looks at the packet at hand and
at what came before it.
"""

from ipaddress import ip_address

import dpkt

from wardwatch.observe.datagrams import Datagrams
from wardwatch.observe.secrets import Secrets
from wardwatch.observe.sessions import FOLLOW, IGNORE, UNDECIDED, Sessions
from wardwatch.observe.tables import Spool
from wardwatch.observe.where import Where

FIN, SYN, RST, ACK = 1, 2, 4, 16
WORD = 1 << 32
HALF = 1 << 31


def after(one, other):
    """How far a sequence number lies behind another (RFC 9293 §3.4), the shorter way round."""
    return (one - other + HALF) % WORD - HALF


class Connection:
    """What is known of two ends, up to now."""

    def __init__(self, number, packet, orig):
        self.number, self.first_packet, self.orig = number, packet, orig
        self.packets, self.said = 0, 0
        self.isn, self.reached, self.hole = [-1, -1], [-1, -1], [False, False]
        self.fin, self.rst = [False, False], [False, False]
        self.missed = self.retransmissions = self.reordered = 0
        self.interest, self.skip, self.begun = UNDECIDED, [-1, -1], False

    @property
    def over(self):
        return any(self.rst) or all(self.fin)

    def count(self, side, flags, seq, ack, size):
        """What a segment's numbers tell of those that were not seen, or came again."""
        if flags & SYN:
            self.isn[side] = seq
        self.fin[side] |= bool(flags & FIN)
        if flags & RST:
            self.rst[side] = True
            return
        length = size + bool(flags & SYN) + bool(flags & FIN)
        end, reached = (seq + length) % WORD, self.reached[side]
        if length and reached < 0:
            self.reached[side] = end
        elif length and after(end, reached) > 0:
            self.hole[side] |= after(seq, reached) > 0
            self.reached[side] = end
        elif length and (size > 1 or after(end, reached) < 0):  # else a keep-alive
            if self.hole[side]:
                self.reordered += 1
            else:
                self.retransmissions += 1
        if flags & ACK and self.reached[1 - side] >= 0:
            missing = after(ack, self.reached[1 - side])
            if 0 < missing <= 1 << 20:
                self.missed += missing
                self.reached[1 - side] = ack


class Plain:
    """Takes one frame after the other."""

    def __init__(self, key):
        spool, secrets = Spool(), Secrets(key)
        self.sessions = Sessions(spool, secrets, Datagrams(spool, secrets))
        self.all = []
        self._open = {}

    def take(self, packet, ts, raw, wire):
        ethernet = dpkt.ethernet.Ethernet(raw)
        ip = ethernet.data
        tcp = ip.data
        source, target = (ip.src, tcp.sport), (ip.dst, tcp.dport)
        size = wire - 14 - 4 * ip.hl - 4 * tcp.off
        payload = bytes(tcp.data)
        one = self._of(packet, source, target, tcp)
        side = 0 if source == one.orig else 1
        one.packets += 1
        one.said += size
        one.count(side, tcp.flags, tcp.seq, tcp.ack, size)
        if one.interest != IGNORE and self._carries_an_answer(one, side, tcp, len(payload)):
            where = Where(
                1, packet, ts, "untagged", ethernet.src.hex(":"), ethernet.dst.hex(":"),
                str(ip_address(ip.src)), tcp.sport, str(ip_address(ip.dst)), tcp.dport,
                one.number, ip.ttl, len(payload) >= size,
            )  # fmt: skip
            self._read(one, side, tcp, payload, size, where)

    def finish(self):
        """⇒ of each connection: first packet, packets, and what was odd."""
        self.sessions.finish()
        found = []
        for one in self.all:
            told = self.sessions.counters.get(one.number)
            counts = [one.missed, 0, one.retransmissions, one.reordered]
            if told is not None:
                there = told.missed_bytes, told.overlaps, told.retransmissions, told.reordered
                counts = [max(pair) for pair in zip(counts, there, strict=True)]
            service = self.sessions.services.get(one.number, "")
            found.append((one.first_packet, one.packets, service, *counts))
        return found

    def _of(self, packet, source, target, tcp):
        """The connection of a segment; a SYN begins one anew where the one before is over."""
        key = frozenset((source, target))
        one = self._open.get(key)
        flags = tcp.flags
        if one is not None and flags & (SYN | ACK) == SYN and one.over and tcp.seq not in one.isn:
            one = None
        if one is None:
            answers = flags & (SYN | ACK | RST | FIN) == SYN | ACK
            orig = target if answers else source
            one = self._open[key] = Connection(2 * len(self.all), packet, orig)
            self.all.append(one)
        return one

    def _carries_an_answer(self, one, side, tcp, here):
        behind = one.skip[side] < 0 or after((tcp.seq + here) % WORD, one.skip[side]) > 0
        if here and behind:
            return True
        if tcp.flags & (FIN | RST) and (one.interest == FOLLOW or one.said):
            return True
        return bool(tcp.flags & SYN and one.interest == FOLLOW)

    def _read(self, one, side, tcp, payload, size, where):
        sessions, flags = self.sessions, tcp.flags
        if not one.begun:
            one.begun = True
            orig, resp = one.isn[0], -1 if flags & SYN else one.isn[1]
            if flags & (SYN | ACK) != SYN and (orig >= 0 or resp >= 0):
                sessions.begin(one.number, orig, resp, where if side == 0 else turned(where))
        before = sessions.flow(one.number)
        flow = sessions.segment(
            one.number, side == 0, tcp.seq, tcp.ack, flags, payload, where, size
        )  # fmt: skip
        if flags & (SYN | ACK) == SYN and sessions.flow(one.number) is not before:
            one.skip = [-1, -1]
        one.interest = IGNORE if flow is None else flow.follower.interest
        if flow is not None and one.interest == FOLLOW:
            unwanted = flow.streams[side].unwanted()
            if unwanted is not None:
                one.skip[side] = unwanted[1]


def turned(where):
    return Where(
        where.capture, where.packet, where.ts, where.segment, where.dst_mac, where.src_mac,
        where.dst, where.dst_port, where.src, where.src_port, where.conversation, where.ip_ttl,
        where.whole,
    )  # fmt: skip
