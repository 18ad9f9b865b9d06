"""The hospital mix: a seeded capture, honest in every sum, number and length.

``python -m bench.mix --megabytes 1000 --seed 1 OUT.pcap``. About 2.47 million packets a GB, 393
bytes each on average; TCP sessions (TLS with certificates, HTTP, FTP, telnet, a little HL7), DNS
1.8 % of the packets, DHCP 0.2 %, ARP 1 %, some 802.1Q and IPv6; some 3,000 hosts. Real monitors give up
early on a capture whose checksums, sequence numbers or lengths lie, and then look fast.

``--dense`` makes short exchanges only, about 16 packets a flow: many beginnings, few bytes.

A conversation is written once as a template of frames, and stamped as often as needed: addresses,
ports, sequence numbers and stamps are set by NumPy, checksums follow from the template's partial
sums. Flows overlap in time within an episode of some minutes; episodes follow each other.
"""

from __future__ import annotations

import argparse
import json
import random
import struct
import sys
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np
from numpy.typing import NDArray

from bench.scripts import Line, Sayings, dhcp, dns
from wardwatch.capture.write import PcapWriter

START_NS = 1_793_500_000_000_000_000
"""When the capture begins (2026-10-31)."""
EPISODE_BYTES = 32_000_000
EPISODE_NS = 180_000_000_000
RECORD = 16
MINIMUM = 60
"""Ethernet frames are padded to 60 bytes before the check sequence (IEEE 802.3 §3.2.8)."""

VLANS = (0, 120, 130, 140)
"""Untagged; pumps; workstations; guests and the rest."""
_SHARES = (0.62, 0.04, 0.24, 0.10)
_OUIS = ("001b21", "3c5282", "b8ca3a", "005056")
_PUMP_OUIS = ("001a01", "5842e4", "f8c678")

SYN, ACK, PSH, FIN = 2, 16, 8, 1


class Host(msgspec.Struct, frozen=True):
    """A client: its addresses, and the segment it lives in."""

    name: str
    mac: bytes
    v4: bytes
    v6: bytes
    vlan: int


class Template(msgspec.Struct):
    """Frames of one TCP conversation with their pcap record headers, addresses left at zero."""

    raw: NDArray[np.uint8]
    offset: NDArray[np.int64]
    """Where each record begins."""
    up: NDArray[np.bool_]
    """Whether the client sent it."""
    seq: NDArray[np.int64]
    ack: NDArray[np.int64]
    """Relative; -1 without ACK."""
    tcp_sum: NDArray[np.int64]
    """16-bit sum of pseudo header and segment without addresses, ports, seq and ack."""
    ip_sum: NDArray[np.int64]
    pause: NDArray[np.float64]
    """Share of the conversation's time before each frame."""
    ip: int
    """Bytes from the record's begin to the IP header."""
    v6: bool


def segments(lines: list[Line], mss: int, chance: random.Random) -> list[tuple[str, int, bytes]]:
    """(who, flags, payload) of a whole connection: handshake, data, some pure ACKs, farewell."""
    out = [("c", SYN, b""), ("s", SYN | ACK, b""), ("c", ACK, b"")]
    for n, (who, message) in enumerate(lines):
        other = "s" if who == "c" else "c"
        pieces = [message[at : at + mss] for at in range(0, len(message), mss)]
        for k, piece in enumerate(pieces, 1):
            out.append((who, ACK | PSH if k == len(pieces) else ACK, piece))
            if k % 2 == 0 and k < len(pieces):
                out.append((other, ACK, b""))
        speaks_next = lines[n + 1][0] if n + 1 < len(lines) else ""
        if speaks_next != other or chance.random() < 0.5:  # a delayed ACK that ran out
            out.append((other, ACK, b""))
    return [*out, ("c", FIN | ACK, b""), ("s", FIN | ACK, b""), ("c", ACK, b"")]


def template(lines: list[Line], v6: bool, vlan: bool, chance: random.Random) -> Template:
    """Write a conversation once; addresses, ports, numbers and sums are filled in by stamping."""
    link = bytes(12) + (b"\x81\x00\x00\x00" if vlan else b"") + (b"\x86\xdd" if v6 else b"\x08\x00")
    parts, offset, up, seqs, acks, tcp_sum, ip_sum, pause = [], [], [], [], [], [], [], []
    position = {"c": 0, "s": 0}
    at, before = 0, ""
    for who, flags, payload in segments(lines, 1_440 if v6 else 1_460, chance):
        other = "s" if who == "c" else "c"
        options = b""
        if flags & SYN:  # MSS, SACK permitted, window scale (RFC 9293 §3.2, 2018, 7323)
            options = (
                struct.pack("!BBHBBBBB", 2, 4, 1_440 if v6 else 1_460, 4, 2, 3, 3, 7) + b"\1\1\1"
            )
        size = 20 + len(options)
        tcp = struct.pack("!HHIIBBHHH", 0, 0, 0, 0, size // 4 << 4, flags, 501, 0, 0) + options
        length = size + len(payload)
        ttl = 64 if who == "c" else 63  # the server's side is one router away
        if v6:
            ip = struct.pack("!IHBB", 6 << 28, length, 6, ttl) + bytes(32)
        else:
            ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0x4000, ttl, 6, 0) + bytes(8)
        frame = (link + ip + tcp + payload).ljust(MINIMUM, b"\0")
        parts.append(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)
        offset.append(at)
        at += len(parts[-1])
        up.append(who == "c")
        seqs.append(position[who])
        acks.append(position[other] if flags & ACK else -1)
        position[who] += len(payload) + bool(flags & (SYN | FIN))
        tcp_sum.append(words(tcp + payload) + length + 6)
        ip_sum.append(0 if v6 else words(ip))
        pause.append(chance.expovariate(1) if who != before and payload else 0.02)
        before = who
    share = np.cumsum(pause)
    return Template(
        raw=np.frombuffer(b"".join(parts), np.uint8),
        offset=np.array(offset),
        up=np.array(up),
        seq=np.array(seqs),
        ack=np.array(acks),
        tcp_sum=np.array(tcp_sum),
        ip_sum=np.array(ip_sum),
        pause=share / share[-1],
        ip=RECORD + len(link),
        v6=v6,
    )


def words(raw: bytes) -> int:
    """Sum of the 16-bit words (RFC 1071), not folded."""
    if len(raw) % 2:
        raw += b"\0"
    return sum(struct.unpack(f"!{len(raw) // 2}H", raw))


def folded(total: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sums folded to 16 bits and complemented: the checksum's field."""
    for _ in range(3):
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def checksum(raw: bytes) -> int:
    """The Internet checksum of ``raw``."""
    total = words(raw)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Mix:
    """Makes episodes: flows that overlap in time, as one sorted run of pcap records."""

    def __init__(self, seed: int, dense: bool = False) -> None:
        self.dense = dense
        self.chance = random.Random(seed)
        self.say = Sayings(seed)
        self.hosts = [self._host(n) for n in range(3_000)]
        self.server_v4 = [bytes([10, 9, 0, 10 + n]) for n in range(len(self.say.servers))]
        self.server_v6 = [
            bytes.fromhex("20010db8000900000000000000000000")[:15] + bytes([10 + n])
            for n in range(len(self.say.servers))
        ]
        self.resolver = bytes([10, 9, 0, 2])
        self.resolver_v6 = self.server_v6[0][:15] + b"\x02"
        self.packets = self.conversations = 0
        self._scripts: dict[str, list[list[Line]]] = {}
        self._templates: dict[tuple[str, int, bool, bool], Template] = {}
        self._ident = 0
        self._ports: dict[bytes, int] = {}

    def _host(self, n: int) -> Host:
        vlan = self.chance.choices(VLANS, _SHARES)[0]
        oui = self.chance.choice(_PUMP_OUIS if vlan == 120 else _OUIS)
        mac = bytes.fromhex(oui) + (n + 1).to_bytes(3, "big")
        v4 = bytes([10, vlan or 1]) + (n + 10).to_bytes(2, "big")
        v6 = (
            bytes.fromhex("20010db8")
            + vlan.to_bytes(2, "big")
            + bytes(8)
            + (n + 10).to_bytes(2, "big")
        )
        kind = "pump" if vlan == 120 else "pc"
        return Host(f"{kind}-{n:04d}", mac, v4, v6, vlan)

    def gateway(self, vlan: int) -> bytes:
        """MAC of the router in a segment."""
        return b"\x00\x1c\x73\x00\x00" + bytes([vlan or 1])

    # One episode

    def episode(self, start_ns: int, size: int) -> bytes:
        """About ``size`` bytes of records, sorted by time."""
        raws: list[NDArray[np.uint8] | bytes] = []
        begins: list[NDArray[np.int64]] = []
        times: list[NDArray[np.int64]] = []
        total = packets = 0
        while total < size * 0.985:
            for raw, offset, time in self._conversation(start_ns):
                raws.append(raw)
                begins.append(offset + total)
                times.append(time)
                total += len(raw)
                packets += len(offset)
                self.conversations += 1
        loose = self._loose(start_ns, packets)
        lengths = np.array([len(frame) for _, frame in loose]) + RECORD
        stamps = np.array([time for time, _ in loose])
        heads = [
            struct.pack("<IIII", *divmod(t // 1000, 10**6), len(f), len(f)) + f for t, f in loose
        ]
        begins.append(total + np.cumsum(lengths) - lengths)
        times.append(stamps)
        whole = memoryview(b"".join([*raws, *heads]))
        begin, time = np.concatenate(begins), np.concatenate(times)
        stop = np.append(begin[1:], len(whole))
        order = np.argsort(time, kind="stable")
        self.packets += len(order)
        pairs = zip(begin[order].tolist(), stop[order].tolist(), strict=True)
        return b"".join([whole[a:b] for a, b in pairs])

    def _conversation(
        self, start_ns: int
    ) -> list[tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]]:
        """One connection of a random kind, or two where FTP needs a second."""
        kinds, shares = zip(*(_DENSE_KINDS if self.dense else _KINDS), strict=True)
        kind = self.chance.choices(kinds, shares)[0]
        host = self.chance.choice(self.hosts)
        server = self.chance.randrange(len(self.server_v4))
        v6 = self.chance.random() < 0.08 and kind not in ("ftp", "hl7", "telnet")
        begin = start_ns + int(self.chance.random() * EPISODE_NS * 0.6)
        length = int(EPISODE_NS * self.chance.uniform(0.01, 0.39))
        if kind != "ftp":
            script = self.chance.randrange(_VARIETY)
            made = self._template(kind, script, v6, bool(host.vlan))
            return [self._stamp(made, host, server, v6, _PORTS[kind], begin, length)]
        # The data connection opens when the control connection has said where.
        most = 4_000 if self.dense else 400_000
        port, size = self.chance.randrange(50_000, 60_000), self.chance.randrange(most // 20, most)
        address = ".".join(map(str, self.server_v4[server]))
        talk = self.say.ftp(address, port, size)
        tag = bool(host.vlan)
        control = template(talk, False, tag, self.chance)
        data = template([("s", self.say.noise(size))], False, tag, self.chance)
        first = self._stamp(control, host, server, False, 21, begin, length)
        asked = int(first[2][int(len(first[2]) * 0.7)])
        reply = int(first[2][-1])
        span = max(reply - asked, 1) // 3
        return [first, self._stamp(data, host, server, False, port, asked + span, span)]

    def _template(self, kind: str, script: int, v6: bool, vlan: bool) -> Template:
        """The template of a script in one dress, written when first needed."""
        key = (kind, script, v6, vlan)
        if key not in self._templates:
            if kind not in self._scripts:
                self._scripts[kind] = [self._script(kind) for _ in range(_VARIETY)]
            self._templates[key] = template(self._scripts[kind][script], v6, vlan, self.chance)
        return self._templates[key]

    def _script(self, kind: str) -> list[Line]:
        chance, say = self.chance, self.say
        version = chance.choice((0x0303, 0x0304))
        if self.dense:
            return self._short_script(kind, version)
        if kind == "tls bulk":
            rounds = [
                (chance.randrange(200, 900), chance.randrange(20_000, 130_000))
            ] * chance.randrange(1, 6)
            return say.tls(rounds, version)
        if kind == "tls small":
            rounds = chance.randrange(40, 120)
            return say.tls(
                [(chance.randrange(40, 260), chance.randrange(30, 420)) for _ in range(rounds)],
                version,
            )
        if kind == "http bulk":
            return say.http(
                [chance.randrange(10_000, 200_000) for _ in range(chance.randrange(1, 5))]
            )
        if kind == "http small":
            return say.http([chance.randrange(60, 900) for _ in range(chance.randrange(2, 12))])
        if kind == "records":
            return say.records(chance.randrange(40, 120))
        if kind == "hl7":
            return say.hl7(chance.randrange(30, 130))
        return say.telnet(chance.randrange(20, 120))

    def _short_script(self, kind: str, version: int) -> list[Line]:
        """A short exchange of the kind: about 16 packets with handshake and farewell."""
        chance, say = self.chance, self.say
        if kind.startswith("tls"):
            rounds = chance.randrange(1, 3)
            return say.tls(
                [(chance.randrange(40, 400), chance.randrange(30, 1_200)) for _ in range(rounds)],
                version,
            )
        if kind.startswith("http"):
            return say.http([chance.randrange(60, 2_000) for _ in range(chance.randrange(2, 5))])
        if kind == "records":
            return say.records(chance.randrange(3, 6))
        if kind == "hl7":
            return say.hl7(chance.randrange(2, 5))
        return say.telnet(chance.randrange(1, 3))

    def _stamp(
        self, made: Template, host: Host, server: int, v6: bool, port: int, begin: int, length: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
        """One conversation from its template ⇒ (records, where each begins, when)."""
        raw = made.raw.copy()
        offset, up = made.offset, made.up
        sport = self._ports.get(host.v4, 49_152 + host.v4[3] * 7)
        self._ports[host.v4] = 49_152 + (sport + 1 - 49_152) % 16_000
        ours, theirs = (
            (host.v6, self.server_v6[server]) if v6 else (host.v4, self.server_v4[server])
        )
        first = np.array([self.chance.getrandbits(32), self.chance.getrandbits(32)])
        mine = np.where(up, first[0], first[1])
        peer = np.where(up, first[1], first[0])
        seq = (made.seq + mine) & 0xFFFFFFFF
        ack = np.where(made.ack < 0, 0, (made.ack + peer) & 0xFFFFFFFF)
        time = begin + (made.pause * length).astype(np.int64)
        seconds, rest = np.divmod(time, 1_000_000_000)
        _put(raw, offset, seconds.astype("<u4"))
        _put(raw, offset + 4, (rest // 1000).astype("<u4"))
        for side, source, target, macs in (
            (up, ours, theirs, self.gateway(host.vlan) + host.mac),
            (~up, theirs, ours, host.mac + self.gateway(host.vlan)),
        ):
            at = offset[side]
            _same(raw, at + RECORD, macs)
            if host.vlan:
                _same(raw, at + RECORD + 14, struct.pack("!H", host.vlan))
            _same(raw, at + made.ip + (8 if v6 else 12), source + target)
            ports = (sport, port) if source is ours else (port, sport)
            _same(raw, at + made.ip + (40 if v6 else 20), struct.pack("!HH", *ports))
        addresses = words(ours + theirs)
        if not v6:
            ident = (self._ident + np.arange(len(offset))) & 0xFFFF
            self._ident += len(offset)
            _put(raw, offset + made.ip + 4, ident.astype(">u2"))
            _put(raw, offset + made.ip + 10, folded(made.ip_sum + ident + addresses).astype(">u2"))
        tcp = offset + made.ip + (40 if v6 else 20)
        _put(raw, tcp + 4, seq.astype(">u4"))
        _put(raw, tcp + 8, ack.astype(">u4"))
        numbers = (seq >> 16) + (seq & 0xFFFF) + (ack >> 16) + (ack & 0xFFFF)
        total = made.tcp_sum + addresses + sport + port + numbers
        _put(raw, tcp + 16, folded(total).astype(">u2"))
        return raw, offset, time

    # Packets that are no stream

    def _loose(self, start_ns: int, packets: int) -> list[tuple[int, bytes]]:
        """DNS 1.8 %, DHCP 0.2 %, ARP 1 %, NTP and IPv6 neighbours, as (time, frame)."""
        out: list[tuple[int, bytes]] = []
        all_of_them = packets / 0.966
        for share, of_one, make in (
            (0.018, 4, self._lookup),
            (0.002, 4, self._lease),
            (0.010, 2, self._who_has),
            (0.003, 2, self._clock),
            (0.001, 2, self._neighbour),
        ):
            for _ in range(max(round(all_of_them * share / of_one), 1)):
                begin = start_ns + int(self.chance.random() * EPISODE_NS * 0.99)
                out += make(begin, self.chance.choice(self.hosts))
        return out

    def _lookup(self, at: int, host: Host) -> list[tuple[int, bytes]]:
        """A and AAAA of one server, asked together as resolvers of hosts do."""
        chance = self.chance
        n = chance.randrange(len(self.say.servers))
        v6 = chance.random() < 0.1
        there = self.resolver_v6 if v6 else self.resolver
        port = chance.randrange(32_768, 60_999)
        out = []
        for k, (kind, answer) in enumerate(((1, self.server_v4[n]), (28, self.server_v6[n]))):
            ident = chance.getrandbits(16)
            ask = dns(ident, self.say.servers[n], kind)
            tell = dns(ident, self.say.servers[n], kind, (answer,))
            out.append((at + k * 60_000, self._udp(host, there, port, 53, ask, up=True)))
            later = at + 400_000 + k * 90_000 + chance.randrange(900_000)
            out.append((later, self._udp(host, there, 53, port, tell, up=False)))
        return out

    def _lease(self, at: int, host: Host) -> list[tuple[int, bytes]]:
        """DISCOVER, OFFER, REQUEST, ACK; broadcast, the server's side through the gateway's relay."""
        xid, router = self.chance.getrandbits(32), bytes([10, host.vlan or 1, 0, 1])
        out = []
        for k, kind in enumerate((1, 2, 3, 5)):
            body = dhcp(kind, xid, host.mac, host.v4, self.resolver, router, host.name)
            asks = kind in (1, 3)
            source = bytes(4) if asks else self.resolver
            ports = (68, 67) if asks else (67, 68)
            macs = b"\xff" * 6 + (host.mac if asks else self.gateway(host.vlan))
            packet = self._ipv4(source, b"\xff" * 4, *ports, body)
            out.append((at + k * 1_500_000, _frame(macs, host.vlan, 0x0800, packet)))
        return out

    def _who_has(self, at: int, host: Host) -> list[tuple[int, bytes]]:
        """A request for the gateway and its reply (RFC 826)."""
        gateway, router = self.gateway(host.vlan), bytes([10, host.vlan or 1, 0, 1])
        head = struct.pack("!HHBB", 1, 0x0800, 6, 4)
        ask = head + b"\0\1" + host.mac + host.v4 + bytes(6) + router
        tell = head + b"\0\2" + gateway + router + host.mac + host.v4
        return [
            (at, _frame(b"\xff" * 6 + host.mac, host.vlan, 0x0806, ask)),
            (at + 150_000, _frame(host.mac + gateway, host.vlan, 0x0806, tell)),
        ]

    def _clock(self, at: int, host: Host) -> list[tuple[int, bytes]]:
        """An NTP query and its answer (RFC 5905)."""
        ask = b"\x23" + bytes(39) + self.chance.randbytes(8)
        tell = b"\x24\x02\x06\xe9" + bytes(8) + b"\x0a\x09\x00\x02" + self.chance.randbytes(32)
        return [
            (at, self._udp(host, self.resolver, 123, 123, ask, up=True)),
            (at + 700_000, self._udp(host, self.resolver, 123, 123, tell, up=False)),
        ]

    def _neighbour(self, at: int, host: Host) -> list[tuple[int, bytes]]:
        """A Neighbor Solicitation for the gateway and its Advertisement (RFC 4861 §4.3, §4.4)."""
        gateway, router = self.gateway(host.vlan), host.v6[:15] + b"\x01"
        group = bytes.fromhex("ff0200000000000000000001ff") + router[13:]
        ask = b"\x87\0\0\0" + bytes(4) + router + b"\1\1" + host.mac
        tell = b"\x88\0\0\0" + b"\xe0\0\0\0" + router + b"\2\1" + gateway
        out = []
        for later, macs, source, target, body in (
            (0, b"\x33\x33" + group[12:] + host.mac, host.v6, group, ask),
            (300_000, host.mac + gateway, router, host.v6, tell),
        ):
            sum_of = checksum(source + target + struct.pack("!II", len(body), 58) + body)
            body = body[:2] + struct.pack("!H", sum_of) + body[4:]
            head = struct.pack("!IHBB", 6 << 28, len(body), 58, 255) + source + target
            out.append((at + later, _frame(macs, host.vlan, 0x86DD, head + body)))
        return out

    def _udp(
        self, host: Host, there: bytes, sport: int, dport: int, body: bytes, up: bool
    ) -> bytes:
        """A datagram between a host and a server behind the gateway."""
        gateway = self.gateway(host.vlan)
        macs = gateway + host.mac if up else host.mac + gateway
        here = host.v6 if len(there) == 16 else host.v4
        source, target = (here, there) if up else (there, here)
        if len(there) == 4:
            packet = self._ipv4(source, target, sport, dport, body)
            return _frame(macs, host.vlan, 0x0800, packet)
        size = 8 + len(body)
        udp = _datagram(source + target + struct.pack("!II", size, 17), sport, dport, body)
        head = struct.pack("!IHBB", 6 << 28, size, 17, 64) + source + target
        return _frame(macs, host.vlan, 0x86DD, head + udp)

    def _ipv4(self, source: bytes, target: bytes, sport: int, dport: int, body: bytes) -> bytes:
        size = 8 + len(body)
        udp = _datagram(source + target + struct.pack("!HH", 17, size), sport, dport, body)
        self._ident += 1
        fields = (0x45, 0, 20 + size, self._ident & 0xFFFF, 0, 64, 17)
        head = struct.pack("!BBHHHBB", *fields)
        sum_of = checksum(head + source + target)
        return head + struct.pack("!H", sum_of) + source + target + udp


_VARIETY = 24
"""Different scripts of each kind."""
_KINDS = (
    ("tls bulk", 0.21),
    ("tls small", 0.53),
    ("records", 0.18),
    ("http bulk", 0.04),
    ("http small", 0.03),
    ("hl7", 0.002),
    ("ftp", 0.006),
    ("telnet", 0.002),
)
_DENSE_KINDS = (
    ("tls small", 0.62),
    ("records", 0.15),
    ("http small", 0.20),
    ("hl7", 0.01),
    ("ftp", 0.015),
    ("telnet", 0.005),
)
"""Of the dense mix: what a ward's devices and workstations begin, without the bulk."""
_PORTS = {"tls bulk": 443, "tls small": 443, "http bulk": 80, "http small": 80} | {
    "records": 8650,
    "hl7": 2575,
    "telnet": 23,
}


def _datagram(pseudo: bytes, sport: int, dport: int, body: bytes) -> bytes:
    """A UDP datagram; a sum of 0 is sent as all ones (RFC 768)."""
    head = struct.pack("!HHH", sport, dport, 8 + len(body))
    return head + struct.pack("!H", checksum(pseudo + head + b"\0\0" + body) or 0xFFFF) + body


def _frame(macs: bytes, vlan: int, kind: int, packet: bytes) -> bytes:
    """An Ethernet frame, tagged where the segment has a number, padded to the minimum."""
    tag = struct.pack("!HH", 0x8100, vlan) if vlan else b""
    return (macs + tag + struct.pack("!H", kind) + packet).ljust(MINIMUM, b"\0")


def _put(raw: NDArray[np.uint8], at: NDArray[np.int64], values: NDArray[np.generic]) -> None:
    """Write ``values`` (with their byte order) at each offset."""
    size = values.dtype.itemsize
    raw[at[:, None] + np.arange(size)] = values.view(np.uint8).reshape(-1, size)


def _same(raw: NDArray[np.uint8], at: NDArray[np.int64], value: bytes) -> None:
    """Write the same bytes at each offset."""
    raw[at[:, None] + np.arange(len(value))] = np.frombuffer(value, np.uint8)


def write(
    target: BinaryIO | Path, megabytes: float, seed: int, tell: bool = False, dense: bool = False
) -> Mix:
    """Write a mix of about ``megabytes`` (10^6 bytes) ⇒ the maker, with its counts."""
    mix = Mix(seed, dense)
    file = target.open("wb") if isinstance(target, Path) else target
    PcapWriter(file, nanosecond=False).close()
    goal, done, start = int(megabytes * 1_000_000), 24, START_NS
    episode = EPISODE_BYTES // 8 if dense else EPISODE_BYTES
    while done < goal * 0.995:
        # A last episode of a few kB would be all overhead: share the rest evenly.
        rest = goal - done
        size = rest if rest < episode * 1.5 else episode
        done += file.write(mix.episode(start, size))
        start += EPISODE_NS
        if tell:
            sys.stderr.write(f"\r{done / 1e6:,.0f} MB, {mix.packets:,} packets")
    if tell:
        sys.stderr.write("\n")
    if isinstance(target, Path):
        file.close()
    return mix


def main() -> None:
    """Write a mix from the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.mix", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--megabytes", type=float, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dense", action="store_true", help="short exchanges only")
    asked = parser.parse_args()
    mix = write(asked.out, asked.megabytes, asked.seed, tell=sys.stderr.isatty(), dense=asked.dense)
    print(json.dumps({"packets": mix.packets, "conversations": mix.conversations}))


if __name__ == "__main__":
    main()
