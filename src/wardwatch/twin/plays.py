"""Plays: every technique in its variants, with what each must be told from.

A play emits the packets of one attack and of what the ward does in consequence, and says by which
of them the technique (and each measure it breaks) can be told. Every planted message is a length,
a count or an unasked word, filled with one constant byte; the pump's answers are those of its
declared rules (``comms.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from wardwatch.model.values import NS
from wardwatch.twin import comms, emit, messages
from wardwatch.twin.cast import HOSTS, ICU
from wardwatch.twin.parties import NAK, Race, Rogue, deliver, leases
from wardwatch.twin.sight import Need, Sight
from wardwatch.twin.stage import MDS
from wardwatch.twin.ward import MS, PLAIN, Disguise, Mark, Part, Station, Talk

if TYPE_CHECKING:
    from wardwatch.twin.clock import Clock
    from wardwatch.twin.stage import Stage

EVENT = "drill"
ATTACK, CONSEQUENCE = Part(EVENT, "attack"), Part(EVENT, "consequence")


class Show(msgspec.Struct, frozen=True):
    """A technique or a broken measure that a play shows, and when it can be told."""

    question: str
    """Id of a technique or a measure."""
    need: Need
    counts: bool = True
    """False: allowed to be found, not asked for."""


class Act:
    """What a play acts on."""

    def __init__(self, stage: Stage, clock: Clock, play: Play, ts: int) -> None:
        self.stage, self.clock, self.ward, self.ts = stage, clock, stage.ward, ts
        self.slot = play.slot
        self.pump, self.actor = stage.station(play.target), stage.station(play.actor)
        self.door = stage.ward.gateway(self.pump.vlan or ICU)
        version = stage.profile(self.pump).version
        secret = stage.secret
        self.module = comms.Module(
            version, self.pump.serial, secret("telnet"), ("service", secret("service")),
            secret("key"), external=True, seed=stage.ward.seed,
        )  # fmt: skip
        self.draws = stage.ward.draws(EVENT, play.technique, play.variant)
        self.silent: list[tuple[str, int, int]] = []
        """(station, from, until): whose ordinary frames the play took the place of."""
        self.also: list[Station] = []
        """Further pumps that it strikes."""
        if play.six:
            self.pump, self.actor, self.door = map(six, (self.pump, self.actor, self.door))

    def displace(self) -> int:
        """Take the place of the pump's session of the slot ⇒ when that would have begun."""
        start = self.stage.start + self.slot * self.stage.pace.slot_s * NS
        self.silent.append((self.pump.name, start, start + self.stage.pace.slot_s * NS))
        return self.stage.slot(self.pump, self.slot)

    def heard_dhcp(self, replies: list[tuple[int, bytes]]) -> None:
        """What the pump's rule makes of replies."""
        for ts, body in replies:
            self.module = comms.dhcp_heard(self.module, body, ts)


class Play(msgspec.Struct, frozen=True):
    """One technique in one variant."""

    technique: str
    variant: str
    act: Callable[[Act], None]
    shows: tuple[Show, ...]
    actor: str = "laptop"
    target: str = "icu-4"
    disguise: Disguise = PLAIN
    six: bool = False
    tunnelled: bool = False
    slot: int = 2
    """The pump's session that an attack on its start-up takes the place of."""

    @property
    def name(self) -> str:
        """Technique and variant."""
        return f"{self.technique}/{self.variant}"


def six(station: Station) -> Station:
    """The same machine by its IPv6 address: fd00::/8, its VLAN and its EUI-64 (RFC 4193)."""
    prefix = bytes.fromhex("fd00000000000000")[:6] + station.vlan.to_bytes(2, "big")
    return msgspec.structs.replace(station, ip=prefix + emit.link_local(station.mac)[8:])


# DHCP ------------------------------------------------------------------------------------------


def dhcp(
    form: str = "", way: str = "shout", *, late_ns: int = MS // 2, kinds: tuple[int, ...] = (),
    claims: str = "", router: str = "", more: tuple[messages.Option, ...] = (),
) -> Callable[[Act], None]:  # fmt: skip
    """A rogue server in the start-up of a pump; ``form`` says how its reply is malformed."""

    def act(a: Act) -> None:
        claimed = a.stage.station(claims).ip if claims else b""
        rogue = _rogue(a, form, way, late_ns, kinds, claimed, router, more)
        race = Race(a.clock, a.stage, a.pump, rogue, ATTACK, CONSEQUENCE).start(a.displace())
        ts = a.clock.run()
        a.heard_dhcp(race.replies[:1])
        if a.module.down_until > ts:
            race = Race(a.clock, a.stage, a.pump, None, Part(EVENT, "consequence"), CONSEQUENCE)
            race.start(a.module.down_until)
            ts = a.clock.run()
        _session(a, ts + 100 * MS)

    return act


def _rogue(
    a: Act, form: str, way: str, late_ns: int, kinds: tuple[int, ...], claimed: bytes, router: str,
    more: tuple[messages.Option, ...],
) -> Rogue:  # fmt: skip
    said = list(more)
    file = b""
    tail = None
    if form in ("66", "67"):
        said.append((int(form), messages.FILLER * 200))
    elif form == "pieces":
        said += [(66, messages.FILLER * 50)] * 2
    elif form == "overload":
        said.append((52, b"\x01"))
        file = messages.option(66, messages.FILLER * 100) + b"\xff"
    elif form == "past end":
        tail = bytes([66, 200]) + messages.FILLER * 20
    door = a.stage.ward.gateway(a.pump.vlan).ip
    reply = leases(
        a.actor, a.actor.ip if router == "actor" else door, a.actor.ip,
        giaddr=door if way == "relayed" else bytes(4), claims=claimed, more=tuple(said),
        broadcast=way == "shout", file=file, tail=tail,
    )  # fmt: skip
    usual = (messages.OFFER, messages.ACKNOWLEDGE)
    return Rogue(a.actor, late_ns, reply, way, kinds or usual, claimed)


def informed(a: Act) -> None:
    """A pump with a static address asks for the rest (INFORM), and is answered with too much."""
    ts = a.displace()
    draws = a.draws
    body = messages.inform(draws.getrandbits(32), a.pump.mac, a.pump.ip, "pump")
    mark = Mark("dhcp inform", a.pump.name, "", a.pump.vlan, *CONSEQUENCE)
    a.ward.shout(ts, a.pump.vlan, (a.pump.mac, a.pump.ip), (68, 67), body, mark, 9)
    rogue = _rogue(a, "66", "unicast", MS, (), b"", "", ())
    reply = rogue.reply(messages.ACKNOWLEDGE, int.from_bytes(body[4:8], "big"), a.pump)
    deliver(a.stage, rogue, a.pump, ts + MS, reply, "dhcp ack", ATTACK)
    a.heard_dhcp([(ts + MS, reply)])
    _session(a, max(ts + 100 * MS, a.module.down_until))


def _session(a: Act, ts: int) -> None:
    """The pump's communications are up (again): it makes itself known and reports."""
    a.ward.announce(ts, a.stage.station(a.pump.name), CONSEQUENCE)
    pump = a.stage.station(a.pump.name)
    a.ward.arp_exchange(ts + MS, pump, a.ward.gateway(pump.vlan), CONSEQUENCE)
    host = HOSTS[pump.server]
    ts = a.stage.resolve(pump, host, pump.server, "drill", ts + 6 * MS, CONSEQUENCE)
    hidden, a.ward.disguise = a.ward.disguise, PLAIN
    a.stage.report(pump, a.stage.station(pump.server), 900, ts, CONSEQUENCE, 1)
    a.ward.disguise = hidden


# DNS -------------------------------------------------------------------------------------------


def dns(
    form: str = "", *, late_ns: int = MS // 2, poses: bool = False, blind: bool = False
) -> Callable[[Act], None]:
    """An answer that is not the resolver's: ``poses`` as it, ``blind`` without the question's id."""

    def act(a: Act) -> None:
        ts = a.displace()
        host, draws = HOSTS[a.stage.station(a.pump.name).server], a.draws
        ident, port = draws.getrandbits(16), draws.randrange(49152, 65536)
        resolver = a.stage.station("dns")
        if len(a.pump.ip) == 16:
            resolver = six(resolver)
        mark = Mark("dns query", a.pump.name, "dns", a.pump.vlan, *CONSEQUENCE)
        asked = messages.dns_query(ident, host)
        a.ward.datagram(ts, a.pump, resolver, (port, 53), asked, mark, 11)
        true = messages.dns_answer(
            ident, host, a.stage.station(a.stage.station(a.pump.name).server).ip
        )
        mark = Mark("dns answer", "dns", a.pump.name, resolver.vlan, *CONSEQUENCE)
        a.ward.datagram(ts + 2 * MS, resolver, a.pump, (53, port), true, mark, 12)
        number = ident ^ 0x5A5A if blind else ident
        address = a.stage.station(a.actor.name).ip
        if form == "counts":
            body = messages.dns_answer(number, host, address, claimed=0x2000)
        elif form:
            body = messages.dns_odd(number, host, form)
        else:
            body = messages.dns_answer(number, host, address)
        mark = Mark("dns answer", a.actor.name, a.pump.name, a.pump.vlan, *ATTACK)
        source = resolver.ip if poses else b""
        when = ts + late_ns
        a.ward.datagram(when, a.actor, a.pump, (53, port), body, mark, 13, answers_from=source)
        a.module = comms.dns_heard(a.module, body, ident, when)
        _session(a, max(when + 2 * NS, a.module.down_until))

    return act


# A restart ---------------------------------------------------------------------------------------


def restart(trigger: str, boot_s: int, *, dhcp_again: bool = False) -> Callable[[Act], None]:
    """A message that could trigger it, then silence, then a start-up."""

    def act(a: Act) -> None:
        if trigger == "dhcp":
            rogue = _rogue(a, "66", "shout", MS // 2, (messages.OFFER,), b"", "", ())
            Race(a.clock, a.stage, a.pump, rogue, ATTACK, CONSEQUENCE).start(a.displace())
            # It falls silent on the OFFER: there is no REQUEST.
            ts = a.clock.run(a.stage.slot(a.pump, a.slot) + 60 * MS)
            a.clock.drop()
        else:
            ts = a.displace()
            host = HOSTS[a.stage.station(a.pump.name).server]
            ident, port = a.draws.getrandbits(16), a.draws.randrange(49152, 65536)
            resolver = a.stage.station("dns")
            if len(a.pump.ip) == 16:
                resolver = six(resolver)
            mark = Mark("dns query", a.pump.name, "dns", a.pump.vlan, *CONSEQUENCE)
            asked = messages.dns_query(ident, host)
            a.ward.datagram(ts, a.pump, resolver, (port, 53), asked, mark, 11)
            body = messages.dns_answer(
                ident, host, a.stage.station(a.actor.name).ip, claimed=0x2000
            )
            mark = Mark("dns answer", a.actor.name, a.pump.name, a.pump.vlan, *ATTACK)
            a.ward.datagram(ts + MS, a.actor, a.pump, (53, port), body, mark, 13)
            ts += MS
        a.module = msgspec.structs.replace(
            a.module, labels=(comms.Label("CVE-2017-12722" if trigger != "dhcp" else "CVE-2017-12718", "crashed"),),
            down_until=ts + boot_s * NS,
        )  # fmt: skip
        up = ts + boot_s * NS
        if dhcp_again:
            Race(a.clock, a.stage, a.pump, None, CONSEQUENCE, CONSEQUENCE).start(up)
            up = a.clock.run() + 20 * MS
        _session(a, up)

    return act


# Routers and addresses -------------------------------------------------------------------------


def advert(form: str, *, every_s: float = 30.0, count: int = 5) -> Callable[[Act], None]:
    """Router advertisements, and other words that lead packets elsewhere."""

    def act(a: Act) -> None:
        rogue, door = a.stage.station(a.actor.name), a.stage.ward.gateway(a.pump.vlan)
        pump = a.stage.station(a.pump.name)
        own, real = emit.link_local(rogue.mac), emit.link_local(door.mac)
        cast, dst = "multicast", emit.ALL_NODES_MAC
        if form == "forged away":
            packets = [emit.router_advertisement(real, door.mac, 0)]
        elif form == "resolver only":
            packets = [emit.router_advertisement(own, rogue.mac, 0, rdnss=own)]
        elif form == "extension header":
            packets = [emit.extended(emit.router_advertisement(own, rogue.mac, 1800))]
        elif form == "dhcpv6":
            packets = [_dhcpv6(rogue, pump)]
            cast, dst = "unicast", pump.mac
        elif form == "redirect":
            to = emit.link_local(pump.mac)
            packets = [emit.redirect6(real, to, own, emit.ip6("fd00::1:2"), rogue.mac)]
            cast, dst = "unicast", pump.mac
        elif form == "icmp redirect":
            quoted = emit.ipv4(pump.ip, a.stage.station("mds-icu").ip, emit.TCP, bytes(8), 1)
            body = emit.icmp(5, 1, quoted, rogue.ip)
            packets = [emit.ipv4(door.ip, pump.ip, emit.ICMP, body, 77)]
            cast, dst = "unicast", pump.mac
        elif form == "hsrp":
            group = bytes([0, 0, 16, 3, 10, 255, 1, 0]) + b"cisco\0\0\0" + bytes([10, 120, 0, 254])
            to = emit.ip4("224.0.0.2")
            packets = [
                emit.ipv4(rogue.ip, to, emit.UDP, emit.udp(rogue.ip, to, 1985, 1985, group), 78, 1)
            ]
            dst = emit.mac("01:00:5e:00:00:02")
        else:
            packets = [emit.router_advertisement(own, rogue.mac, 1800, rdnss=own)]
        if a.ward.disguise.fragment:
            packets = emit.fragments6(packets[0], a.ward.disguise.fragment, 99)
        mark = Mark(
            "ra", rogue.name, pump.name if cast == "unicast" else "", pump.vlan, *ATTACK, cast
        )
        times = [a.ts + int(n * every_s * NS) for n in range(count)]
        if a.ward.disguise.resent:
            times = [one for ts in times for one in (ts, ts + 300 * MS)]
        for number, ts in enumerate(times):
            for part, packet in enumerate(packets):
                kind = emit.IPV6 if packet[0] >> 4 == 6 else emit.IPV4
                frame = emit.ethernet(dst, rogue.mac, kind, packet, (pump.vlan,))
                unit = f"ra {number}" + (f"#{part}" if len(packets) > 1 else "")
                a.ward.wire(ts + part * 10_000, pump.vlan, frame, mark._replace(unit=unit))

    return act


def _dhcpv6(rogue: Station, pump: Station) -> bytes:
    """An ADVERTISE to a pump that may have asked (RFC 8415 §18.3.9), with a resolver."""
    own, to = emit.link_local(rogue.mac), emit.link_local(pump.mac)
    options = [
        (1, b"\0\x03\0\x01" + pump.mac), (2, b"\0\x03\0\x01" + rogue.mac), (23, own),
    ]  # fmt: skip
    body = b"\x02\x12\x34\x56" + b"".join(
        code.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value for code, value in options
    )
    return emit.ipv6(own, to, emit.UDP, emit.udp(own, to, 547, 546, body), 255)


def claims(form: str, *, every_s: float = 10.0, count: int = 12) -> Callable[[Act], None]:
    """One station says that the router's address is its own."""

    def act(a: Act) -> None:
        pump, rogue = a.stage.station(a.pump.name), a.stage.station(a.actor.name)
        door = a.stage.ward.gateway(pump.vlan)
        kind, ethertype, dst, cast = "arp claim", emit.ARP, pump.mac, "unicast"
        if form == "announcement":
            body, dst, cast = (
                emit.arp(1, (rogue.mac, door.ip), (bytes(6), door.ip)),
                emit.BROADCAST,
                "broadcast",
            )
        elif form == "question":
            body, dst, cast = (
                emit.arp(1, (rogue.mac, door.ip), (bytes(6), pump.ip)),
                emit.BROADCAST,
                "broadcast",
            )
        elif form == "neighbour":
            kind, ethertype = "na claim", emit.IPV6
            body = emit.neighbour_advertisement(
                emit.link_local(door.mac), rogue.mac, emit.link_local(pump.mac)
            )
        else:
            body = emit.arp(2, (rogue.mac, door.ip), (pump.mac, pump.ip))
        frame = emit.ethernet(dst, rogue.mac, ethertype, body, (pump.vlan,))
        mark = Mark(
            kind, rogue.name, "" if cast == "broadcast" else pump.name, pump.vlan, *ATTACK, cast
        )
        # Into the pump's own session: the router is heard on both sides of a claim.
        begin = a.stage.slot(pump, a.slot) + 10 * MS
        times = [begin + int(n * every_s * NS) for n in range(count)]
        for n, ts in enumerate(times):
            a.ward.wire(ts, pump.vlan, frame, mark._replace(unit=f"claim {n}"))
            if a.ward.disguise.resent:
                a.ward.wire(ts + 300 * MS, pump.vlan, frame, mark._replace(unit=f"claim {n}"))

    return act


# The air -----------------------------------------------------------------------------------------


def radio(*forms: str, every_s: float = 30.08, count: int = 8) -> Callable[[Act], None]:
    """The fixed network: offered, asked for, or joined."""

    def act(a: Act) -> None:
        pump, bait, ssid = a.pump, a.actor, messages.FIXED_SSID
        stop = a.ts + int((every_s * count + 30) * NS)
        a.silent.append((pump.name, a.ts, stop))

        def air(
            ts: int, frame: bytes, kind: str, who: Station, unit: str, cast: str = "unicast"
        ) -> None:
            peer = "" if cast == "broadcast" else (bait if who is pump else pump).name
            for again in (0, 1) if a.ward.disguise.resent else (0,):
                # IEEE 802.11-2020 §9.2.4.1.7: the retry bit marks what is sent again.
                body = frame if not again else frame[:15] + bytes([frame[15] | 8]) + frame[16:]
                a.ward.air(
                    ts + again * MS, body, Mark(kind, who.name, peer, 0, *ATTACK, cast, unit=unit)
                )

        for n in range(count):
            ts = a.ts + int(n * every_s * NS)
            if "probe" in forms:
                air(
                    ts,
                    emit.probe_request(pump.mac, ssid, n),
                    "fixed probe",
                    pump,
                    f"probe {n}",
                    "broadcast",
                )
            if "beacon" in forms:
                frame = emit.beacon(bait.mac, ssid, n, n * 102400, private=False)
                air(ts + 10 * MS, frame, "fixed beacon", bait, f"beacon {n}", "broadcast")
            if "hidden" in forms:
                frame = emit.beacon(bait.mac, bytes(len(ssid)), n, n * 102400, private=False)
                air(ts + 10 * MS, frame, "hidden beacon", bait, f"hidden {n}", "broadcast")
            if "response" in forms or "hidden" in forms:
                frame = emit.probe_response(bait.mac, pump.mac, ssid, n, n * 102400)
                air(ts + 20 * MS, frame, "fixed beacon", bait, f"response {n}")
        if "join" in forms:
            ts = a.ts + int(every_s * count * NS)
            for n, (who, frame, kind) in enumerate((
                (pump, emit.authentication(pump.mac, bait.mac, bait.mac, 20, 1), "wlan join"),
                (bait, emit.authentication(bait.mac, pump.mac, bait.mac, 21, 2), "wlan join"),
                (pump, emit.association_request(pump.mac, bait.mac, ssid, 22), "fixed probe"),
                (bait, emit.association_response(pump.mac, bait.mac, 23), "wlan join"),
                (pump, emit.xid(pump.mac, bait.mac, 24), "xid"),
            )):  # fmt: skip
                air(ts + n * 2 * MS, frame, kind, who, f"join {n}")
            a.module = comms.beacon_heard(
                msgspec.structs.replace(a.module, configured=False), ssid, ts
            )

    return act


# Conversations ---------------------------------------------------------------------------------


def _talk(a: Act, port: int, ts: int) -> Talk:
    """A conversation of the attacker with the pump, after ARP or neighbour discovery."""
    client, pump = a.stage.station(a.actor.name), a.stage.station(a.pump.name)
    if len(a.pump.ip) == 16:
        a.ward.neighbour_exchange(ts, a.actor, a.pump, ATTACK)
    elif client.vlan == pump.vlan:
        a.ward.arp_exchange(ts, client, pump, ATTACK)
    else:
        a.ward.arp_exchange(ts, client, a.ward.gateway(client.vlan), ATTACK)
    return Talk(a.ward, ts + 2 * MS, a.actor, a.pump, port, f"{EVENT} {port}", part=ATTACK)


def ftp(*lines: bytes) -> Callable[[Act], None]:
    """Lines of an FTP client; the answers are the pump's own, and so are its data connections."""

    def act(a: Act) -> None:
        server = comms.Ftp(a.module)
        talk = _talk(a, 21, a.ts).open().tell(server.banner, "ftp control")
        port = 50100
        for line in lines:
            line = line.replace(b"FACTORY", a.module.factory[1].encode())
            if line.startswith((b"LIST", b"RETR", b"STOR")):
                port += 1
                talk = _names_port(a, talk, server, port)
            answer, moved = server.receive(line)
            kind = "login" if line.startswith(b"PASS") else "ftp control"
            talk.ask(line + b"\r\n", kind).tell(
                answer, "login answer" if kind == "login" else "ftp control"
            )
            if moved is None:
                continue
            data = Talk(
                a.ward, talk.ts + MS, a.pump, a.actor, port, f"{EVENT} data {port}", sport=20, part=ATTACK,
            ).open()  # fmt: skip
            config = b"CONFIG" in line
            if moved.takes:
                data.tell(messages.FILLER * 600, "ftp data").close(1)
            else:
                data.ask(moved.body, "configuration" if config else "ftp data", acked=True).close()
            talk.ts = data.ts + MS
            talk.tell(b"226 File sent OK\r\n", "ftp control")
        talk.close()
        a.module = server.module

    return act


def _names_port(a: Act, talk: Talk, server: comms.Ftp, port: int) -> Talk:
    """PORT, or EPRT where the address is IPv6 (RFC 2428 §2)."""
    if len(a.actor.ip) == 16:
        line, answer = f"EPRT |2|{a.actor.address}|{port}|".encode(), b"200 Port command okay\r\n"
        server.port = port
    else:
        words = ",".join([*map(str, a.actor.ip), str(port >> 8), str(port & 255)])
        line = f"PORT {words}".encode()
        answer, _ = server.receive(line)
    return talk.ask(line + b"\r\n", "ftp control").tell(answer, "ftp control")


def telnet(*lines: bytes) -> Callable[[Act], None]:
    """Lines typed at the pump's telnet; its answers are its own."""

    def act(a: Act) -> None:
        server = comms.Telnet(a.module)
        talk = _talk(a, 23, a.ts).open()
        talk.tell(b"\xff\xfb\x01\xff\xfb\x03" + server.banner, "telnet banner")
        talk.ask(b"\xff\xfd\x01\xff\xfd\x03", acked=True).wait(1)
        for n, line in enumerate(lines):
            line = line.replace(b"FACTORY", a.module.factory[1].encode())
            kind = "login" if n == 0 else "tcp data"
            talk.ask(line + b"\r\n", kind).tell(
                server.receive(line), "login answer" if n == 0 else "tcp data"
            ).wait(1)
        talk.close()
        a.module = server.module

    return act


def pushed(a: Act) -> None:
    """The pump's configuration as a stream of its own to a port of no known service."""
    talk = Talk(
        a.ward, a.ts, a.pump, a.actor, 9000, f"{EVENT} push", part=ATTACK
    ).open()  # fmt: skip
    body = messages.configuration(a.module.password, a.module.wireless_key)
    talk.ask(body, "configuration", acked=True).close()


def tls(form: str = "impostor", *, record: int = 0, modern: bool = False) -> Callable[[Act], None]:
    """The pump server's place taken by one with a bad certificate; the pump goes on."""

    def act(a: Act) -> None:
        ts = a.displace()
        pki, draws = a.stage.pki, a.draws
        chain = {
            "impostor": [pki.impostor, pki.impostor_root],
            "expired": [pki.expired, pki.root],
            "other name": [pki.intranet, pki.root],
        }[form]
        if form == "other name":
            ts = _misled(a, ts)
        talk = Talk(a.ward, ts, a.pump, a.actor, MDS, f"{EVENT} tls", part=ATTACK).open()
        if modern:
            host = HOSTS[a.stage.station(a.pump.name).server]
            talk.ask(messages.modern_hello(draws.randbytes(32), draws.randbytes(32), host))
            talk.tell(messages.modern_flight(draws.randbytes(32), draws.randbytes(32)))
        else:
            talk.ask(messages.pump_hello(draws.randbytes(32)), "tls hello")
            flight = messages.server_flight(draws.randbytes(32), chain)
            talk.tell(_records(flight, record), "tls bad chain", acked=False)
            talk.ask(
                messages.client_finish(draws.randbytes(256), draws.randbytes(48)), "tls finish"
            )
            talk.tell(messages.server_finish(draws.randbytes(48)))
        a.module, on = comms.certificate_seen(a.module, valid=False, t=talk.ts)
        for n in range(2):
            if on:
                talk.ask(messages.record(messages.APPLICATION, draws.randbytes(720)), "tls data")
                talk.tell(messages.record(messages.APPLICATION, draws.randbytes(160))).wait(
                    20 * (n + 1)
                )
        talk.close()

    return act


def _misled(a: Act, ts: int) -> int:
    """The hospital's resolver has been told wrongly, and tells the pump so ⇒ the time after."""
    host, pump, dns = HOSTS[a.stage.station(a.pump.name).server], a.pump, a.stage.station("dns")
    ident, port = a.draws.getrandbits(16), a.draws.randrange(49152, 65536)
    mark = Mark("dns query", pump.name, "dns", pump.vlan, *CONSEQUENCE)
    a.ward.datagram(ts, pump, dns, (port, 53), messages.dns_query(ident, host), mark, 21)
    body = messages.dns_answer(ident, host, a.actor.ip)
    mark = Mark("dns answer", "dns", pump.name, dns.vlan, *CONSEQUENCE)
    a.ward.datagram(ts + 2 * MS, dns, pump, (53, port), body, mark, 22)
    return ts + 10 * MS


def _records(flight: bytes, size: int) -> bytes:
    """The handshake of a flight in records of ``size`` octets (RFC 2246 §6.2.1 allows any)."""
    if not size:
        return flight
    body, at = b"", 0
    while at < len(flight):
        length = int.from_bytes(flight[at + 3 : at + 5], "big")
        body += flight[at + 5 : at + 5 + length]
        at += 5 + length
    return b"".join(
        messages.record(messages.HANDSHAKE, body[n : n + size]) for n in range(0, len(body), size)
    )


def crossing(port: int, answer: str) -> Callable[[Act], None]:
    """A station that is not permitted reaches a pump."""

    def act(a: Act) -> None:
        talk = _talk(a, port, a.ts)
        if answer == "refused":
            talk.refused()
        else:
            talk.attempt()

    return act


def moved_in(a: Act) -> None:
    """A printer is plugged into the pumps' VLAN."""
    printer = a.stage.station(a.actor.name)
    body = messages.printer_discover(a.draws.getrandbits(32), printer.mac, "NPI300060")
    a.stage.shout(printer, a.ts, body, "foreign discover", a.draws, ATTACK)
    a.ward.announce(a.ts + NS, printer, ATTACK)


def trunking(a: Act) -> None:
    """A station at an edge port offers to be a trunk, in DTP's own words.

    To a switch of another maker DTP's group is any multicast: it floods the port's VLAN.
    """
    rogue = a.stage.station(a.actor.name)
    # version 1, then TLVs: domain, status (desirable), type (802.1Q), neighbour
    body = b"\1" + b"".join(
        kind.to_bytes(2, "big") + (4 + len(value)).to_bytes(2, "big") + value
        for kind, value in ((1, b"\0"), (2, b"\x03"), (3, b"\xa5"), (4, rogue.mac))
    )
    words = b"\xaa\xaa\x03\x00\x00\x0c\x20\x04" + body
    frame = emit.llc(emit.mac("01:00:0c:cc:cc:cc"), rogue.mac, words, (rogue.vlan,))
    mark = Mark("dtp", rogue.name, "", rogue.vlan, *ATTACK, "multicast")
    for n in range(3):
        a.ward.wire(a.ts + n * 30 * NS, rogue.vlan, frame, mark._replace(unit=f"dtp {n}"))


def hopping(form: str = "") -> Callable[[Act], None]:
    """A station at a port that nobody set reaches into the pumps' VLAN, by a second tag beneath.

    Nothing can come back, so that it asks nothing: a datagram to a closed port of one pump, which
    drops it in silence [A], or with ``announcement`` an ARP of its own that every pump hears.
    """

    def act(a: Act) -> None:
        rogue, pump = a.stage.station(a.actor.name), a.stage.station(a.pump.name)
        dst, kind, peer, cast = pump.mac, emit.IPV4, pump.name, "unicast"
        body = emit.udp(rogue.ip, pump.ip, 49999, 9, messages.FILLER * 64)
        body = emit.ipv4(rogue.ip, pump.ip, emit.UDP, body, 31)
        if form == "announcement":
            own = bytes([10, pump.vlan, 0, rogue.ip[3]])
            dst, kind, peer, cast = emit.BROADCAST, emit.ARP, "", "broadcast"
            body = emit.arp(1, (rogue.mac, own), (bytes(6), own))
        frame = emit.ethernet(dst, rogue.mac, kind, body, (rogue.vlan, pump.vlan))
        mark = Mark("double tag", rogue.name, peer, rogue.vlan, *ATTACK, cast)
        for n in range(3):
            a.ward.wire(a.ts + n * 30 * NS, rogue.vlan, frame, mark._replace(unit=f"tags {n}"))

    return act


def twice(act: Callable[[Act], None], other: str) -> Callable[[Act], None]:
    """The same at a second pump, with the same secret."""

    def acts(a: Act) -> None:
        act(a)
        a.pump, first = a.stage.station(other), a.pump
        a.ts += 60 * NS
        act(a)
        a.also.append(a.pump)
        a.pump = first

    return acts


def self_assigned(a: Act) -> None:
    """No server answers the pump, and it takes an address of 169.254/16 (RFC 3927)."""
    ts = a.displace()
    Race(a.clock, a.stage, a.pump, None, ATTACK, ATTACK, server_down=True).start(ts)
    ts = a.clock.run() + NS
    own = msgspec.structs.replace(a.pump, ip=bytes([169, 254, 7, 9]))
    for n in range(2):
        a.ward.announce(ts + n * 2 * NS, own, ATTACK)


# The whole list --------------------------------------------------------------------------------


def any_(*kinds: str, role: str = "attack") -> Need:
    """One whole message of these kinds is enough."""
    return lambda sight: sight.any(*kinds, role=role)


def both(*needs: Need) -> Need:
    """Everything of these."""
    return lambda sight: all(need(sight) for need in needs)


def all_(*kinds: str, role: str = "attack") -> Need:
    """Every message of these kinds."""
    return lambda sight: sight.all(*kinds, role=role)


def known(sight: Sight) -> bool:
    """The target can be told to be a pump of the hospital's list."""
    return sight.known


def tagged(sight: Sight) -> bool:
    """Frames bear their VLAN's tag there: without one, several VLANs may look like one."""
    return sight.tagged


def two_tags(sight: Sight) -> bool:
    """A frame bears two tags there: behind the next switch it is like any other of the VLAN."""
    return sight.two_tags


def inside(sight: Sight) -> bool:
    """A packet of the attack that reached the pump's own side of the router."""
    return sight.inside


def still_there(sight: Sight) -> bool:
    """A claim, and the holder's frames on both sides of it."""
    return sight.contested


_ASKED = ("dhcp discover", "dhcp request", "dhcp relayed offer", "dhcp relayed ack")
_OFFERS = ("dhcp offer", "dhcp ack", "dhcp nak", "dhcp offer relayed", "dhcp ack relayed")
_AFTER = any_("arp announce", "dhcp discover", role="consequence")
_STATIC = Show("static_address", any_(*_ASKED, role="consequence"))
_CLASS = Show("vlan_separation", known, counts=False)
"""A machine that shows itself to be a server is of no class that belongs among pumps."""
_ROGUE = (
    Show("rogue_dhcp", any_(*_OFFERS)),
    Show("no_rogue_dhcp", any_("dhcp offer", "dhcp ack", "dhcp nak")),
    _CLASS,
)
_STRANGER = Show("segmentation_in_use", known, counts=False)
_INSIDE = Show("segmentation_enforced", known, counts=False)

OVERFLOW = (
    Show("dhcp_overflow", any_(*_OFFERS)),
    *_ROGUE,
    _STATIC,
    Show("comms_loss", known, counts=False),
)
ROGUE_DHCP = (*_ROGUE, _STATIC)
OVERREAD = (
    Show("dns_overread", any_("dns answer")),
    Show("rogue_dns", any_("dns answer")),
    Show("no_rogue_dns", both(any_("dns answer"), known)),
    Show("comms_loss", known, counts=False), _STRANGER, _INSIDE,
)  # fmt: skip
POSED = (
    Show("dns_overread", any_("dns answer")),
    Show("rogue_dns", any_("dns answer"), counts=False),
    Show("no_rogue_dns", any_("dns answer"), counts=False),
    Show("comms_loss", known, counts=False), _STRANGER, _INSIDE,
)  # fmt: skip
ROGUE_DNS = (
    Show("rogue_dns", any_("dns answer")), Show("no_rogue_dns", both(any_("dns answer"), known)),
    _STRANGER, _INSIDE,
)  # fmt: skip
POSED_DNS = (
    Show("rogue_dns", both(any_("dns answer"), any_("dns answer", role="consequence"))),
    Show("no_rogue_dns", any_("dns answer"), counts=False), _STRANGER, _INSIDE,
)  # fmt: skip
ROUTER = (Show("rogue_router", any_("ra")), Show("no_rogue_router", any_("ra")), _STRANGER, _INSIDE)
ARP = (
    Show("arp_impersonation", still_there), Show("no_arp_impersonation", still_there),
)  # fmt: skip
BAIT = (Show("known_wireless", any_("fixed beacon", "fixed probe")),)
_SERVICE = (
    Show("unneeded_services", both(any_("tcp synack", "ftp control", "telnet banner"), known), counts=False),
    _STRANGER, _INSIDE,
)  # fmt: skip
FILES = (
    Show("ftp_without_login", all_("ftp control", "tcp syn", "tcp synack")),
    Show("configuration_in_clear", all_("configuration"), counts=False), *_SERVICE,
)  # fmt: skip
FTP_LOGIN = (
    Show("ftp_login", all_("login")),
    Show("password_hygiene", both(all_("login", "login answer"), known), counts=False),
    Show("attested_passwords", known, counts=False), *_SERVICE,
)  # fmt: skip
TELNET = (
    Show("telnet", any_("telnet banner")),
    Show("password_hygiene", both(all_("login", "login answer"), known), counts=False),
    Show("attested_passwords", known, counts=False), *_SERVICE,
)  # fmt: skip
_HANDSHAKE = both(all_("tls bad chain", "tls hello", "tls finish"), any_("tls data"), known)
_NAMED = both(_HANDSHAKE, any_("dns answer", role="consequence"))
CERTIFICATE = (
    Show("certificate_accepted", _HANDSHAKE), Show("certificate_validation", _HANDSHAKE),
    _STRANGER, _INSIDE, _CLASS,
)  # fmt: skip
OTHER_NAME = (
    Show("certificate_accepted", _NAMED), Show("certificate_validation", _NAMED),
    _STRANGER, _INSIDE, _CLASS,
)  # fmt: skip
CONFIGURATION = (
    Show("configuration_in_clear", all_("configuration")),
    Show("ftp_without_login", known, counts=False), *_SERVICE,
)  # fmt: skip
LOSS = (
    Show("comms_loss", both(any_("dhcp offer", "dns answer"), _AFTER)),
    Show("dhcp_overflow", known, counts=False), Show("rogue_dhcp", known, counts=False),
    Show("no_rogue_dhcp", known, counts=False), Show("dns_overread", known, counts=False),
    Show("rogue_dns", known, counts=False), Show("no_rogue_dns", known, counts=False),
    Show("static_address", known, counts=False), _STRANGER, _INSIDE, _CLASS,
)  # fmt: skip

AIR: dict[str, object] = {"actor": "bait-ap", "target": "radio-8"}
FAR: dict[str, object] = {"actor": "far-laptop"}
LAN_SIDE: dict[str, object] = {"actor": "lan-laptop"}
FTP_LIST = (b"LIST", b"QUIT")
FTP_CONFIG = (b"LIST", b"RETR CONFIG.XML", b"QUIT")
FTP_IN = (b"USER service", b"PASS FACTORY", b"QUIT")
TELNET_IN = (b"FACTORY", b"ifconfig")


def _play(
    technique: str, variant: str, act: Callable[[Act], None], shows: tuple[Show, ...], **how: object
) -> Play:
    return msgspec.structs.replace(Play(technique, variant, act, shows), **how)


def _manners(
    technique: str, act: Callable[[Act], None], shows: tuple[Show, ...], *, small: int = 5
) -> tuple[Play, ...]:
    """A conversation in every manner of carrying it."""
    ways: tuple[tuple[str, dict[str, object]], ...] = (
        ("few octets a segment", {"disguise": Disguise(mss=small)}),
        ("sent twice", {"disguise": Disguise(resent=True)}),
        ("out of order", {"disguise": Disguise(mss=max(small, 8), swapped=True)}),
        ("slow", {"disguise": Disguise(pause_s=15.0)}),
        ("IP fragments", {"disguise": Disguise(fragment=24)}),
        ("over IPv6", {"six": True}),
        ("IPv6 fragments", {"six": True, "disguise": Disguise(fragment=32)}),
        ("from another switch", FAR),
        ("through the router", LAN_SIDE),
        ("in a tunnel", {**FAR, "tunnelled": True}),
    )
    return tuple(_play(technique, name, act, shows, **how) for name, how in ways)


def _datagrams(
    technique: str, act: Callable[[Act], None], shows: tuple[Show, ...], *, fragment: int = 64
) -> tuple[Play, ...]:
    """A datagram in every manner of carrying it."""
    ways: tuple[tuple[str, dict[str, object]], ...] = (
        ("IP fragments", {"disguise": Disguise(fragment=fragment)}),
        ("sent twice", {"disguise": Disguise(resent=True)}),
        ("from another switch", FAR),
        ("in a tunnel", {**FAR, "tunnelled": True}),
    )
    return tuple(_play(technique, name, act, shows, **how) for name, how in ways)


LOSES = 40 * MS
PLAYS: tuple[Play, ...] = (
    _play("dhcp_overflow", "option 66, wins", dhcp("66"), OVERFLOW),
    _play("dhcp_overflow", "option 66, loses", dhcp("66", late_ns=LOSES), OVERFLOW),
    _play("dhcp_overflow", "option 67", dhcp("67"), OVERFLOW),
    _play("dhcp_overflow", "runs past the end", dhcp("past end"), OVERFLOW),
    _play("dhcp_overflow", "option overload", dhcp("overload"), OVERFLOW),
    _play("dhcp_overflow", "in pieces", dhcp("pieces"), OVERFLOW),
    _play("dhcp_overflow", "in the ACK alone", dhcp("66", late_ns=LOSES, kinds=(messages.ACKNOWLEDGE,)), OVERFLOW),
    _play("dhcp_overflow", "unicast", dhcp("66", "unicast"), OVERFLOW),
    _play("dhcp_overflow", "answer to INFORM", informed, (OVERFLOW[0], *_ROGUE)),
    _play("dhcp_overflow", "relay between", dhcp("66", "relayed"), OVERFLOW, actor="lan-laptop"),
    _play("dhcp_overflow", "slow", dhcp("66", late_ns=3 * NS), OVERFLOW),
    *_datagrams("dhcp_overflow", dhcp("66"), OVERFLOW, fragment=128),
    _play("dns_overread", "counts", dns("counts"), OVERREAD),
    _play("dns_overread", "behind the true answer", dns("counts", late_ns=LOSES), OVERREAD),
    _play("dns_overread", "length past the end", dns("length"), OVERREAD),
    _play("dns_overread", "name past the end", dns("name"), OVERREAD),
    _play("dns_overread", "pointer loop", dns("loop"), OVERREAD),
    _play("dns_overread", "wrong id", dns("counts", blind=True), OVERREAD),
    _play("dns_overread", "as the resolver", dns("counts", poses=True), POSED),
    _play("dns_overread", "slow", dns("counts", late_ns=4 * NS), OVERREAD),
    _play("dns_overread", "over IPv6", dns("counts"), OVERREAD, six=True),
    _play("dns_overread", "IPv6 fragments", dns("counts"), OVERREAD, six=True, disguise=Disguise(fragment=32)),
    _play("dns_overread", "through the router", dns("counts"), OVERREAD, actor="lan-laptop"),
    *_datagrams("dns_overread", dns("counts"), OVERREAD, fragment=32),
    _play("known_wireless", "beacon", radio("beacon"), BAIT, **AIR),
    _play("known_wireless", "probe response alone", radio("response"), BAIT, **AIR),
    _play("known_wireless", "hidden name", radio("hidden"), BAIT, **AIR),
    _play("known_wireless", "pump asks", radio("probe"), BAIT, **AIR),
    _play("known_wireless", "pump joins", radio("probe", "beacon", "join"), BAIT, **AIR),
    _play("known_wireless", "slow", radio("beacon", every_s=240, count=2), BAIT, **AIR),
    _play("known_wireless", "sent twice", radio("beacon"), BAIT, **AIR, disguise=Disguise(resent=True)),
    _play("ftp_without_login", "LIST", ftp(*FTP_LIST), FILES),
    _play("ftp_without_login", "STOR", ftp(b"STOR STORED~1", b"QUIT"), FILES),
    _play("ftp_without_login", "STOR of firmware", ftp(b"STOR HEAD_F~1", b"QUIT"), FILES),
    _play("ftp_without_login", "no QUIT", ftp(b"LIST"), FILES),
    *_manners("ftp_without_login", ftp(*FTP_LIST), FILES),
    _play("ftp_login", "let in", ftp(*FTP_IN), FTP_LOGIN),
    _play("ftp_login", "turned away", ftp(b"USER service", b"PASS guess"), FTP_LOGIN),
    *_manners("ftp_login", ftp(*FTP_IN), FTP_LOGIN, small=3),
    _play("telnet", "banner alone", telnet(), TELNET),
    _play("telnet", "let in", telnet(*TELNET_IN), TELNET),
    _play("telnet", "turned away", telnet(b"guess"), TELNET),
    *_manners("telnet", telnet(*TELNET_IN), TELNET, small=1),
    _play("certificate_accepted", "impostor", tls(), CERTIFICATE),
    _play("certificate_accepted", "expired", tls("expired"), CERTIFICATE),
    _play("certificate_accepted", "other name", tls("other name"), OTHER_NAME),
    _play("certificate_accepted", "small records", tls(record=60), CERTIFICATE),
    _play("certificate_accepted", "TLS 1.3", tls(modern=True), CERTIFICATE),
    *_manners("certificate_accepted", tls(), CERTIFICATE, small=40),
    _play("configuration_in_clear", "RETR", ftp(*FTP_CONFIG), CONFIGURATION),
    _play("configuration_in_clear", "a stream of its own", pushed, CONFIGURATION),
    *_manners("configuration_in_clear", ftp(*FTP_CONFIG), CONFIGURATION, small=40),
    _play("rogue_dhcp", "wins", dhcp(), ROGUE_DHCP),
    _play("rogue_dhcp", "loses", dhcp(late_ns=LOSES), ROGUE_DHCP),
    _play("rogue_dhcp", "says NAK only", dhcp(late_ns=LOSES, kinds=(NAK,)), ROGUE_DHCP),
    _play("rogue_dhcp", "listed id, other MAC", dhcp(claims="dhcp"), ROGUE_DHCP),
    _play("rogue_dhcp", "unicast", dhcp("", "unicast"), ROGUE_DHCP),
    _play("rogue_dhcp", "relay between", dhcp("", "relayed"), ROGUE_DHCP, actor="lan-laptop"),
    _play("rogue_dhcp", "slow", dhcp(late_ns=3 * NS), ROGUE_DHCP),
    *_datagrams("rogue_dhcp", dhcp(), ROGUE_DHCP, fragment=128),
    _play("rogue_dns", "wins", dns(), ROGUE_DNS),
    _play("rogue_dns", "loses", dns(late_ns=LOSES), ROGUE_DNS),
    _play("rogue_dns", "as the resolver", dns(poses=True), POSED_DNS),
    _play("rogue_dns", "wrong id", dns(blind=True), ROGUE_DNS),
    _play("rogue_dns", "slow", dns(late_ns=4 * NS), ROGUE_DNS),
    _play("rogue_dns", "over IPv6", dns(), ROGUE_DNS, six=True),
    _play("rogue_dns", "IPv6 fragments", dns(), ROGUE_DNS, six=True, disguise=Disguise(fragment=32)),
    _play("rogue_dns", "through the router", dns(), ROGUE_DNS, actor="lan-laptop"),
    *_datagrams("rogue_dns", dns(), ROGUE_DNS, fragment=32),
    _play("rogue_router", "advertisement", advert("plain"), ROUTER),
    _play("rogue_router", "once", advert("plain", count=1), ROUTER),
    _play("rogue_router", "slow", advert("plain", every_s=500, count=2), ROUTER),
    _play("rogue_router", "router forged away", advert("forged away"), ROUTER),
    _play("rogue_router", "lifetime zero, resolver", advert("resolver only"), ROUTER),
    _play("rogue_router", "extension header", advert("extension header"), ROUTER),
    _play("rogue_router", "IPv6 fragments", advert("plain"), ROUTER, disguise=Disguise(fragment=32)),
    _play("rogue_router", "sent twice", advert("plain"), ROUTER, disguise=Disguise(resent=True)),
    _play("rogue_router", "DHCPv6", advert("dhcpv6"), ROUTER),
    _play("rogue_router", "ICMPv6 redirect", advert("redirect"), ROUTER),
    _play("rogue_router", "ICMP redirect", advert("icmp redirect"), ROUTER),
    _play("rogue_router", "HSRP", advert("hsrp"), ROUTER),
    _play("rogue_router", "DHCP option 3", dhcp(router="actor"), (Show("rogue_router", any_(*_OFFERS)), Show("no_rogue_router", any_(*_OFFERS), counts=False), *ROGUE_DHCP)),
    _play("rogue_router", "from another switch", advert("plain"), ROUTER, **FAR),
    _play("rogue_router", "in a tunnel", advert("plain"), ROUTER, **FAR, tunnelled=True),
    _play("arp_impersonation", "replies", claims("reply"), ARP),
    _play("arp_impersonation", "announcements", claims("announcement"), ARP),
    _play("arp_impersonation", "questions", claims("question"), ARP),
    _play("arp_impersonation", "once", claims("reply", count=1), ARP),
    _play("arp_impersonation", "slow", claims("announcement", every_s=400, count=3), ARP),
    _play("arp_impersonation", "sent twice", claims("reply"), ARP, disguise=Disguise(resent=True)),
    _play("arp_impersonation", "neighbour discovery", claims("neighbour"), ARP),
    _play("arp_impersonation", "from another switch", claims("reply"), ARP, **FAR),
    _play("arp_impersonation", "in a tunnel", claims("announcement"), ARP, **FAR, tunnelled=True),
    _play("comms_loss", "on DHCP", restart("dhcp", 100, dhcp_again=True), LOSS),
    _play("comms_loss", "on DNS", restart("dns", 100), LOSS),
    _play("comms_loss", "quick", restart("dns", 25), LOSS),
    _play("comms_loss", "slow", restart("dns", 400), LOSS),
    _play("comms_loss", "over IPv6", restart("dns", 100), LOSS, six=True),
    _play("comms_loss", "sent twice", restart("dns", 100), LOSS, disguise=Disguise(resent=True)),
    _play("comms_loss", "IP fragments", restart("dns", 100), LOSS, disguise=Disguise(fragment=32)),
    _play("comms_loss", "through the router", restart("dns", 100), LOSS, actor="lan-laptop"),
    _play("comms_loss", "in a tunnel", restart("dns", 100), LOSS, **FAR, tunnelled=True),
)  # fmt: skip
"""Every technique, in the order of ``judgement.TECHNIQUES``."""

_TRUNK = (Show("vlan_separation", both(any_("dtp"), tagged)),)
_HOP = (Show("vlan_separation", both(any_("double tag"), two_tags)), _STRANGER, _INSIDE)
_MEASURED = (Show("segmentation_in_use", both(any_("tcp syn"), inside, known)),)
_TIMES = {
    "dhcp_overflow": ("icu-1", 1), "dns_overread": ("icu-2", 1), "known_wireless": ("radio-8", 1),
    "ftp_without_login": ("icu-3", 1), "ftp_login": ("icu-4", 2), "telnet": ("icu-1", 3),
    "certificate_accepted": ("icu-4", 3), "configuration_in_clear": ("icu-2", 3),
    "rogue_dhcp": ("icu-3", 4), "rogue_dns": ("icu-1", 4), "rogue_router": ("icu-2", 4),
    "arp_impersonation": ("icu-4", 5), "comms_loss": ("icu-7", 3),
}  # fmt: skip
ONE_OF_EACH: tuple[Play, ...] = tuple(
    msgspec.structs.replace(
        next(p for p in PLAYS if p.technique == technique), target=target, slot=slot,
    )
    for technique, (target, slot) in _TIMES.items()
)  # fmt: skip
"""Every technique once, each at a pump and a time of its own: a quiet hour of an attacker."""

BREACHES: tuple[Play, ...] = (
    _play("static_address", "takes 169.254/16", self_assigned, (Show("static_address", any_("dhcp discover", "arp announce")),)),
    _play("segmentation_in_use", "a neighbour tries", crossing(9999, ""), (*_MEASURED, _INSIDE)),
    _play("segmentation_in_use", "over IPv6", crossing(9999, ""), (*_MEASURED, _INSIDE), six=True),
    _play("segmentation_enforced", "router lets through", crossing(23, ""), (*_MEASURED, Show("segmentation_enforced", both(any_("tcp syn"), inside, known))), actor="lan-laptop"),
    _play("segmentation_enforced", "refused by the pump", crossing(23, "refused"), (*_MEASURED, Show("segmentation_enforced", both(any_("tcp syn"), inside, known))), actor="lan-laptop"),
    _play("vlan_separation", "a printer moves in", moved_in, (Show("vlan_separation", both(any_("foreign discover"), tagged)),), actor="guest-printer"),
    _play("vlan_separation", "DTP at an edge port", trunking, _TRUNK),
    _play("vlan_separation", "DTP from another switch", trunking, _TRUNK, **FAR),
    _play("vlan_separation", "two tags", hopping(), _HOP, actor="native-laptop"),
    _play("vlan_separation", "two tags, to everybody", hopping("announcement"), _HOP, actor="native-laptop"),
    _play("password_hygiene", "FTP", ftp(*FTP_IN), (Show("password_hygiene", both(all_("login", "login answer"), known)), Show("ftp_login", known, counts=False), Show("attested_passwords", known, counts=False), *_SERVICE)),
    _play("password_hygiene", "telnet", telnet(*TELNET_IN), (Show("password_hygiene", both(all_("login", "login answer"), known)), Show("telnet", known, counts=False), Show("attested_passwords", known, counts=False), *_SERVICE)),
    _play("attested_passwords", "one secret at two pumps, FTP", twice(ftp(*FTP_IN), "icu-3"), (Show("attested_passwords", both(all_("login", "login answer"), known)), Show("password_hygiene", known, counts=False), Show("ftp_login", known, counts=False), *_SERVICE)),
    _play("attested_passwords", "one secret at two pumps, telnet", twice(telnet(*TELNET_IN), "icu-3"), (Show("attested_passwords", both(all_("login", "login answer"), known)), Show("password_hygiene", known, counts=False), Show("telnet", known, counts=False), *_SERVICE)),
    _play("unneeded_services", "FTP answers", ftp(b"QUIT"), (Show("unneeded_services", both(any_("tcp synack"), known)), _STRANGER, _INSIDE)),
    _play("unneeded_services", "telnet answers", telnet(), (Show("unneeded_services", both(any_("tcp synack"), known)), Show("telnet", known, counts=False), _STRANGER, _INSIDE)),
)  # fmt: skip
"""Measures that are broken without one of the techniques."""
