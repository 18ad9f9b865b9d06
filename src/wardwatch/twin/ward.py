"""Ward: stations on a switch with VLANs, a router that relays, and the port that mirrors them.

Every frame that passes the mirror port is kept with a mark: what it declares, who sent it to
whom, and the event of the scenario it belongs to. The truth is computed from the marks.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from contextlib import contextmanager
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from wardwatch.model.values import NS, mac_text
from wardwatch.twin import emit
from wardwatch.twin.emit import ACK, BROADCAST, FIN, PSH, RST, SYN

if TYPE_CHECKING:
    from collections.abc import Iterator

TRUNK, AIR = 0, 1
"""Interfaces of the capture: the mirrored trunk (Ethernet, tagged) and the radio (802.11)."""
ROUTE_NS = 60_000
"""Between the two sides of the router [A]."""
MS = 1_000_000


class Part(NamedTuple):
    """Which event of the scenario something belongs to, and as what."""

    event: str = ""
    """Id of the event; "" the ordinary day."""
    role: str = ""
    """``attack``, or ``consequence`` of one; "" the ordinary day."""


ORDINARY = Part()


class Mark(NamedTuple):
    """What a frame declares."""

    kind: str
    """``dhcp discover``, ``dns answer``, ``tcp syn`` …"""
    who: str
    """Station that sent it (the originator, also on the router's other side)."""
    peer: str
    """Station it is for; "" everybody."""
    vlan: int
    """VID; 0 on the air."""
    event: str = ""
    """Event of the scenario it belongs to; "" the ordinary day."""
    role: str = ""
    """``attack``, or ``consequence`` of one; "" the ordinary day."""
    cast: str = "unicast"
    """``unicast``, ``broadcast`` or ``multicast``."""
    port: int = 0
    """Server port of a conversation; 0 none."""
    routed: bool = False
    """Handed on by the router: the frame bears its MAC."""
    unit: str = ""
    """What it carries, told apart from all else of its event: copies of one packet share it, and
    the fragments of one bear ``#1``, ``#2`` … behind it."""


class Frame(NamedTuple):
    """One captured frame; the order of fields is the order of the file."""

    ts: int
    interface: int
    data: bytes
    mark: Mark


class Sent(NamedTuple):
    """Whose a frame is, for whoever plays exchanges on the clock (``wires.py``)."""

    exchange: str
    """The exchange that it is a step of."""
    number: int
    """Counted from 0 in the order of writing."""
    over: int = -1
    """Number of the frame that the router makes this one of; -1 is no such."""


class Disguise(msgspec.Struct, frozen=True):
    """How packets are sent, whatever they say: what a detector must not be put off by."""

    fragment: int = 0
    """Octets of the body of an IP packet in each fragment; 0 whole."""
    mss: int = emit.MSS
    """Octets of TCP payload in a segment."""
    resent: bool = False
    """Everything comes twice, as after a lost acknowledgement."""
    swapped: bool = False
    """Of two segments the second comes first."""
    pause_s: float = 0.0
    """Silence before each segment with payload."""


PLAIN = Disguise()
AGAIN_NS = 300_000_000
"""Until a packet is sent again: the usual least retransmission time of clients (RFC 6298 asks for 1 s)."""


class Station(msgspec.Struct, frozen=True):
    """One machine on the wire."""

    name: str
    kind: str
    mac: bytes
    ip: bytes
    vlan: int
    profile: str = ""
    serial: str = ""
    server: str = ""
    """Station it reports to."""

    @property
    def address(self) -> str:
        """Its IP address as text."""
        return str(ip_address(self.ip))

    @property
    def device(self) -> str:
        """Its id in an audit: ``dev-`` and its MAC without colons."""
        return f"dev-{self.mac.hex()}"

    @property
    def mac_text(self) -> str:
        """Its MAC as text."""
        return mac_text(self.mac)


class Profile(msgspec.Struct, frozen=True):
    """A class of device as data; ``assumed`` names what no source gives."""

    name: str
    manufacturer: str
    model: str
    version: str
    link: str
    """``soap`` in clear, ``tls`` or ``hl7``."""
    verifies: bool
    """Whether it refuses a bad certificate."""
    report_s: int
    boot_s: int
    source: str
    assumed: tuple[str, ...] = ()


@cache
def profiles() -> dict[str, Profile]:
    """Every profile shipped, by name."""
    found = {}
    for path in sorted((Path(__file__).parent / "profiles").glob("*.toml")):
        profile = msgspec.convert(tomllib.loads(path.read_text("utf-8")), Profile)
        found[profile.name] = profile
    return found


class Ward:
    """The stations, the router, and what the mirror port caught of them."""

    def __init__(self, seed: int, stations: tuple[Station, ...], mirrored: tuple[int, ...]) -> None:
        """``mirrored`` are the VLANs the port copies; the others are behind the router."""
        self.seed = seed
        self.stations = {station.name: station for station in stations}
        self.mirrored = mirrored
        self.frames: list[Frame] = []
        """What exchanges mean to send, at the instants at which they mean to: :func:`wires.played`
        says what came of it."""
        self.sent: list[Sent] = []
        """Whose each of the frames is."""
        self.gone: set[str] = set()
        """Exchanges that an event takes the place of: they are played, and nobody hears them."""
        self._exchange = ""
        self.disguise = PLAIN
        """How an attack sends its packets."""
        self._units: Counter[str] = Counter()
        self._gateways = {s.vlan: s for s in stations if s.kind == "gateway"}

    def begin(self, disguise: Disguise = PLAIN) -> None:
        """Begin a play of its own: no frames yet, and its packets in this disguise."""
        self.frames, self.sent, self.disguise = [], [], disguise
        self._units.clear()

    @contextmanager
    def exchange(self, *label: object, gone: bool = False) -> Iterator[None]:
        """What is written meanwhile is the script of one exchange."""
        before, self._exchange = self._exchange, " ".join(map(str, label))
        if gone:
            self.gone.add(self._exchange)
        try:
            yield
        finally:
            self._exchange = before

    def draws(self, *label: object) -> Random:
        """Random numbers of their own for one actor or exchange: an attack shifts nobody else's."""
        return Random(f"{self.seed}/{'/'.join(map(str, label))}")  # noqa: S311 — a twin, no secret

    def gateway(self, vlan: int) -> Station:
        """The router's face in a VLAN."""
        return self._gateways[vlan]

    def wire(self, ts: int, vlan: int, frame: bytes, mark: Mark, over: int = -1) -> None:
        """Keep an Ethernet frame if its VLAN is mirrored; ``over``: what the router made it of."""
        if vlan in self.mirrored:
            self.sent.append(Sent(self._exchange, len(self.frames), over))
            self.frames.append(Frame(ts, TRUNK, frame, mark))

    def air(self, ts: int, frame: bytes, mark: Mark) -> None:
        """Keep an 802.11 frame."""
        self.sent.append(Sent(self._exchange, len(self.frames)))
        self.frames.append(Frame(ts, AIR, frame, mark))

    def carry(
        self,
        ts: int,
        src: Station,
        dst: Station,
        proto: int,
        segment: bytes,
        mark: Mark,
        ident: int,
        *,
        stopped: bool = False,
        answers_from: bytes = b"",
    ) -> None:
        """Carry a unicast packet, over the router where the VLANs differ.

        ``stopped``: the router's rules drop it. ``answers_from`` is a source address other than
        the sender's own.
        """
        source = answers_from or src.ip
        mark = self._unit(mark)
        for when, number in self._times(ts, ident):
            first = len(self.frames) if src.vlan in self.mirrored else -1
            if src.vlan == dst.vlan or src.vlan in self.mirrored:
                peer = dst.mac if src.vlan == dst.vlan else self.gateway(src.vlan).mac
                packets = self._packets(source, dst.ip, proto, segment, number)
                here = mark if mark.vlan == src.vlan else mark._replace(vlan=src.vlan)
                self._put(when, (peer, src.mac), packets, here)
            if src.vlan != dst.vlan and dst.vlan in self.mirrored and not stopped:
                door = self.gateway(dst.vlan).mac
                packets = self._packets(source, dst.ip, proto, segment, number, 63)
                passed = mark._replace(vlan=dst.vlan, routed=True)
                self._put(when + ROUTE_NS, (dst.mac, door), packets, passed, first)

    def _unit(self, mark: Mark) -> Mark:
        """The mark with a name of its own for what it carries, if it is part of an event."""
        if not mark.event or mark.unit:
            return mark
        self._units[mark.event] += 1
        return mark._replace(unit=str(self._units[mark.event]))

    def _times(self, ts: int, ident: int) -> list[tuple[int, int]]:
        """When a packet is sent, and under which identification."""
        once = [(ts, ident)]
        return [*once, (ts + AGAIN_NS, ident ^ 0x8000)] if self.disguise.resent else once

    def _packets(
        self, src: bytes, dst: bytes, proto: int, body: bytes, ident: int, ttl: int = 64
    ) -> list[bytes]:
        """One IP packet, or its fragments."""
        size = self.disguise.fragment
        if len(dst) == 16:
            packet = emit.ipv6(src, dst, proto, body, ttl)
            return emit.fragments6(packet, size, ident) if size else [packet]
        packet = emit.ipv4(src, dst, proto, body, ident, ttl)
        return emit.fragments4(packet, size) if size else [packet]

    def _put(
        self,
        ts: int,
        ends: tuple[bytes, bytes],
        packets: list[bytes],
        mark: Mark,
        over: int = -1,
    ) -> None:
        """Packets of one datagram as frames, 10 µs behind each other.

        ``over``: number of the first of the frames that the router makes these of; -1 none is kept.
        """
        for n, packet in enumerate(packets):
            kind = emit.IPV6 if packet[0] >> 4 == 6 else emit.IPV4
            part = mark._replace(unit=f"{mark.unit}#{n + 1}") if len(packets) > 1 else mark
            frame = emit.ethernet(*ends, kind, packet, (mark.vlan,))
            self.wire(ts + n * 10_000, mark.vlan, frame, part, over + n if over >= 0 else -1)

    def datagram(
        self,
        ts: int,
        src: Station,
        dst: Station,
        ports: tuple[int, int],
        body: bytes,
        mark: Mark,
        ident: int,
        *,
        answers_from: bytes = b"",
    ) -> None:
        """One UDP datagram, carried."""
        segment = emit.udp(answers_from or src.ip, dst.ip, *ports, body)
        self.carry(ts, src, dst, emit.UDP, segment, mark, ident, answers_from=answers_from)

    def shout(
        self,
        ts: int,
        vlan: int,
        src: tuple[bytes, bytes],
        ports: tuple[int, int],
        body: bytes,
        mark: Mark,
        ident: int,
    ) -> None:
        """One UDP datagram to 255.255.255.255 in a VLAN, from (MAC, address)."""
        everyone = b"\xff" * 4
        mark = self._unit(mark)._replace(vlan=vlan, cast="broadcast")
        datagram = emit.udp(src[1], everyone, *ports, body)
        for when, number in self._times(ts, ident):
            packets = self._packets(src[1], everyone, emit.UDP, datagram, number)
            self._put(when, (BROADCAST, src[0]), packets, mark)

    def arp_exchange(self, ts: int, asker: Station, target: Station, part: Part = ORDINARY) -> None:
        """Who has …? A broadcast question and the target's unicast answer."""
        vlan = asker.vlan
        question = emit.arp(1, (asker.mac, asker.ip), (bytes(6), target.ip))
        self.wire(
            ts,
            vlan,
            emit.ethernet(BROADCAST, asker.mac, emit.ARP, question, (vlan,)),
            Mark("arp request", asker.name, target.name, vlan, *part, "broadcast"),
        )
        answer = emit.arp(2, (target.mac, target.ip), (asker.mac, asker.ip))
        self.wire(
            ts + MS // 2,
            vlan,
            emit.ethernet(asker.mac, target.mac, emit.ARP, answer, (vlan,)),
            Mark("arp reply", target.name, asker.name, vlan, *part),
        )

    def neighbour_exchange(
        self, ts: int, asker: Station, target: Station, part: Part = ORDINARY
    ) -> None:
        """Neighbour discovery (RFC 4861 §7.2): a question to the group, and the target's answer."""
        vlan = asker.vlan
        question, group = emit.neighbour_solicitation(asker.ip, asker.mac, target.ip)
        frame = emit.ethernet(group, asker.mac, emit.IPV6, question, (vlan,))
        mark = Mark("neighbour question", asker.name, target.name, vlan, *part, "multicast")
        self.wire(ts, vlan, frame, mark)
        answer = emit.neighbour_advertisement(target.ip, target.mac, asker.ip, 0x60000000)
        frame = emit.ethernet(asker.mac, target.mac, emit.IPV6, answer, (vlan,))
        mark = Mark("neighbour answer", target.name, asker.name, vlan, *part)
        self.wire(ts + MS // 2, vlan, frame, mark)

    def announce(self, ts: int, station: Station, part: Part = ORDINARY) -> None:
        """A gratuitous ARP: how a station that starts up makes itself known (RFC 5227 §2.3)."""
        body = emit.arp(1, (station.mac, station.ip), (bytes(6), station.ip))
        self.wire(
            ts,
            station.vlan,
            emit.ethernet(BROADCAST, station.mac, emit.ARP, body, (station.vlan,)),
            Mark("arp announce", station.name, "", station.vlan, *part, "broadcast"),
        )


class Talk:
    """A TCP conversation: both ends' numbers kept true, segment by segment."""

    def __init__(
        self,
        ward: Ward,
        ts: int,
        client: Station,
        server: Station,
        port: int,
        label: str,
        *,
        sport: int = 0,
        part: Part = ORDINARY,
    ) -> None:
        """``label`` names the conversation; its random numbers follow from it alone."""
        self._ward = ward
        self._draws = ward.draws("talk", label, client.name, server.name, port)
        self.ts = ts
        self._ends = (client, server)
        self._ports = (sport or self._draws.randrange(49152, 65536), port)
        self._seq = [self._draws.getrandbits(32), self._draws.getrandbits(32)]
        self._ident = [self._draws.getrandbits(16), self._draws.getrandbits(16)]
        self._part = part

    def open(self) -> Talk:
        """SYN, SYN-ACK, ACK."""
        self._send(0, SYN, kind="tcp syn")
        self._send(1, SYN | ACK, kind="tcp synack")
        self._send(0, ACK)
        return self

    def attempt(self, gaps_s: tuple[float, ...] = (1.0, 2.0), *, stopped: bool = False) -> Talk:
        """SYNs that nobody answers, with the waits between them."""
        start = self._seq[0]
        for gap in (0.0, *gaps_s):
            self.ts += int(gap * NS)
            self._seq[0] = start
            self._send(0, SYN, kind="tcp syn", stopped=stopped)
        return self

    def refused(self) -> Talk:
        """A SYN that a closed port answers with RST."""
        self._send(0, SYN, kind="tcp syn")
        self._seq[1] = 0
        self._send(1, RST | ACK, kind="tcp refusal")
        return self

    def ask(self, body: bytes, kind: str = "tcp data", *, acked: bool = False) -> Talk:
        """The client speaks; the server's next words acknowledge it, unless ``acked`` alone."""
        return self._say(0, body, kind, acked)

    def tell(self, body: bytes, kind: str = "tcp data", *, acked: bool = True) -> Talk:
        """The server speaks, and the client acknowledges."""
        return self._say(1, body, kind, acked)

    def wait(self, seconds: float) -> Talk:
        """Let time pass."""
        self.ts += int(seconds * NS)
        return self

    def close(self, who: int = 0) -> Talk:
        """FIN by one end, FIN by the other, and the last ACK."""
        self._send(who, FIN | ACK)
        self._send(1 - who, FIN | ACK)
        self._send(who, ACK)
        return self

    def reset(self, who: int) -> Talk:
        """RST by one end."""
        self._send(who, RST | ACK)
        return self

    def _say(self, who: int, body: bytes, kind: str, acked: bool) -> Talk:
        how = self._ward.disguise if self._part.event else PLAIN
        parts = [(at, body[at : at + how.mss]) for at in range(0, len(body), how.mss)]
        if how.swapped:
            parts = [one for n in range(0, len(parts), 2) for one in parts[n : n + 2][::-1]]
        first = self._seq[who]
        for at, part in parts:
            self.wait(how.pause_s)
            self._seq[who] = first + at & 0xFFFFFFFF
            self._send(who, PSH | ACK, part, kind)
        self._seq[who] = first + len(body) & 0xFFFFFFFF
        if acked:
            self._send(1 - who, ACK)
        return self

    def _send(
        self, who: int, flags: int, body: bytes = b"", kind: str = "tcp", *, stopped: bool = False
    ) -> None:
        src, dst = self._ends[who], self._ends[1 - who]
        self.ts += self._draws.randrange(200_000, 3_000_000)
        options = b"\x02\x04" + emit.MSS.to_bytes(2, "big") if flags & SYN else b""
        ports = (self._ports[who], self._ports[1 - who])
        segment = emit.tcp(
            (src.ip, dst.ip), ports, self._seq[who], self._seq[1 - who], flags, body, options
        )
        self._ident[who] = self._ident[who] + 1 & 0xFFFF
        mark = Mark(kind, src.name, dst.name, src.vlan, *self._part, "unicast", self._ports[1])
        self._ward.carry(
            self.ts, src, dst, emit.TCP, segment, mark, self._ident[who], stopped=stopped
        )
        step = len(body) + bool(flags & (SYN | FIN))
        self._seq[who] = self._seq[who] + step & 0xFFFFFFFF
