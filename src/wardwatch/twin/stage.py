"""Stage: the ordinary day of the ward, and the acts that events are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from wardwatch.model.values import NS, utc_text
from wardwatch.twin import emit, messages
from wardwatch.twin.cast import HOSTS, ICU, LAN, MIRRORED
from wardwatch.twin.ward import MS, ORDINARY, Mark, Part, Profile, Station, Talk, Ward, profiles

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from wardwatch.twin.certs import Pki

LEASE_S = 86400
"""Leases of the hospital's server; T1 is half of it."""
MDS, HL7_PORT = 1588, 2575
EXPIRED_SLOT, EXPIRED_S = 20, 600
"""For ten minutes of this slot the NICU's pump server shows an old certificate, put back by mistake."""
RTCS_WANTED = bytes([1, 3, 6])
"""What a pump asks DHCP for: its application decides, no source says [A]."""


class Pace(msgspec.Struct, frozen=True):
    """How much the ward says; a long capture can be played at a slower pace."""

    slot_s: int = 1800
    """A pump's session with its server begins this often [A]."""
    reports: int = 9
    """Reports in a session: it ends before the next slot begins."""
    visits: int = 12
    """Pages that a workstation reads in a shift."""


class Stage:
    """The ordinary day of the ward, and the acts that events are made of."""

    def __init__(self, ward: Ward, start: int, seconds: int, pki: Pki, pace: Pace) -> None:
        self.ward = ward
        self.start = start
        self.seconds = seconds
        self.pki = pki
        self.pace = pace
        self.taken: set[tuple[str, int]] = set()
        """(pump, slot) that an event plays instead of the ordinary session, which nobody hears."""
        self.printer_away = (0, 0)
        self.late_offers: tuple[Part, Station, int] | None = None
        """Event, server and instant from which a rogue answers each DISCOVER of the ICU, too late."""

    def at(self, hours: float) -> int:
        """An instant, hours after the start."""
        return self.start + int(hours * 3600 * NS)

    def station(self, name: str) -> Station:
        """A station by name."""
        return self.ward.stations[name]

    @property
    def displaced(self) -> tuple[tuple[str, int, int], ...]:
        """(station, from, until) of what events took the place of."""
        step = self.pace.slot_s * NS
        slots = [
            (name, self.start + slot * step, self.start + (slot + 1) * step)
            for name, slot in sorted(self.taken)
        ]
        return (*slots, ("printer", *self.printer_away)) if any(self.printer_away) else tuple(slots)

    def secret(self, what: str) -> str:
        """A secret generated for this seed; never anybody's."""
        return f"twin-{self.ward.draws('secret', what).getrandbits(48):012x}"

    def profile(self, pump: Station) -> Profile:
        """Its class."""
        return profiles()[pump.profile]

    def slot_at(self, hours: float) -> int:
        """The slot that holds an instant, hours after the start."""
        return int(hours * 3600) // self.pace.slot_s

    def slot(self, pump: Station, slot: int) -> int:
        """When a pump's session begins."""
        return self.start + slot * self.pace.slot_s * NS + self._offset(pump)

    def _offset(self, pump: Station) -> int:
        return self.ward.draws("offset", pump.name).randrange(5 * NS, 60 * NS)

    def ordinary(self) -> None:
        """Play what happens every day."""
        for station in self.ward.stations.values():
            if station.kind == "infusion pump" and station.vlan:
                for slot in range(self.seconds // self.pace.slot_s):
                    gone = (station.name, slot) in self.taken
                    with self.ward.exchange("session", station.name, slot, gone=gone):
                        self.session(station, slot, self.slot(station, slot))
            elif station.kind == "workstation":
                self._workstation(station)
        self._routers()
        self._radio()
        self._printing()
        self._clock()
        with self.ward.exchange("scan"):
            self._scan()
        with self.ward.exchange("mistyped"):
            self._blocked()

    # Acts of a pump

    def session(self, pump: Station, slot: int, ts: int) -> None:
        """ARP for the router, ask the resolver, report to the server until the slot ends."""
        self.ward.arp_exchange(ts, pump, self.ward.gateway(pump.vlan))
        ts = self.resolve(pump, HOSTS[pump.server], pump.server, slot, ts + 5 * MS)
        self.report(pump, self.station(pump.server), slot, ts)

    def resolve(
        self,
        pump: Station,
        host: str,
        server: str,
        slot: object,
        ts: int,
        part: Part = ORDINARY,
    ) -> int:
        """Question to the hospital's resolver and its answer; returns the time after."""
        draws = self.ward.draws("dns", pump.name, slot)
        ident, port = draws.getrandbits(16), draws.randrange(49152, 65536)
        dns = self.station("dns")
        mark = Mark("dns query", pump.name, "dns", pump.vlan, *part)
        self.ward.datagram(
            ts, pump, dns, (port, 53), messages.dns_query(ident, host), mark, draws.getrandbits(16)
        )
        body = messages.dns_answer(ident, host, self.station(server).ip)
        mark = Mark("dns answer", "dns", pump.name, dns.vlan, *part)
        self.ward.datagram(ts + 2 * MS, dns, pump, (53, port), body, mark, draws.getrandbits(16))
        return ts + 8 * MS

    def report(
        self,
        pump: Station,
        server: Station,
        slot: int,
        ts: int,
        part: Part = ORDINARY,
        reports: int = -1,
    ) -> None:
        """A session of reports in the pump's own language."""
        kind = self.profile(pump)
        draws = self.ward.draws("report", pump.name, slot)
        port = HL7_PORT if kind.link == "hl7" else MDS
        # A port for each slot, so that no 5-tuple comes twice.
        talk = Talk(
            self.ward, ts, pump, server, port, f"report {slot}", sport=49152 + slot, part=part,
        )  # fmt: skip
        talk.open()
        if kind.link == "tls":
            chain = [
                self.pki.server if server.name == "mds-icu" else self.pki.renewed,
                self.pki.root,
            ]
            expired = server.name == "mds-nicu" and slot == EXPIRED_SLOT
            if expired:
                self.hello(talk, draws, [self.pki.expired, self.pki.root], "tls bad chain")
                talk.ask(
                    messages.alert(2, messages.CERTIFICATE_EXPIRED), "tls client refuses"
                ).close()
                talk = Talk(
                    self.ward, ts + EXPIRED_S * NS, pump, server, port, f"again {slot}",
                    sport=51152 + slot,
                )  # fmt: skip
                talk.open()
                reports = 3
            self.hello(talk, draws, chain, "tls good chain")
            self.finish(talk, draws)
        for n in range(reports if reports >= 0 else self.pace.reports):
            self.one_report(talk, kind, pump, draws, slot * self.pace.reports + n, "tcp data")
            talk.wait(kind.report_s + draws.uniform(-2, 2))
        talk.close()

    def hello(self, talk: Talk, draws: Random, chain: list[bytes], kind: str) -> None:
        """The pump's hello and the server's flight with its chain."""
        talk.ask(messages.pump_hello(draws.randbytes(32)))
        talk.tell(messages.server_flight(draws.randbytes(32), chain), kind, acked=False)

    def finish(self, talk: Talk, draws: Random) -> None:
        """Both ends finish the handshake."""
        talk.ask(messages.client_finish(draws.randbytes(256), draws.randbytes(48)))
        talk.tell(messages.server_finish(draws.randbytes(48)))

    def one_report(
        self, talk: Talk, kind: Profile, pump: Station, draws: Random, number: int, mark: str
    ) -> None:
        """One report and its receipt."""
        if kind.link == "tls":
            talk.ask(messages.record(messages.APPLICATION, draws.randbytes(720)), mark)
            talk.tell(messages.record(messages.APPLICATION, draws.randbytes(160)))
        elif kind.link == "soap":
            talk.ask(messages.maintenance(number), mark).tell(messages.receipt(number))
        else:
            eui = (pump.mac[:3] + b"\xff\xfe" + pump.mac[3:]).hex().upper()
            stamp = utc_text(talk.ts)[:19].translate({45: None, 32: None, 58: None}) + "+0000"
            control = f"{pump.mac.hex()}{number:06d}"
            sender = kind.model.upper().replace(" ", "_")
            talk.ask(messages.pcd01(sender, eui, stamp, control), mark)
            talk.tell(messages.hl7_ack(control, stamp))

    # DHCP

    def dhcp(
        self,
        client: Station,
        ts: int,
        style: str,
        part: Part = ORDINARY,
        *,
        early: Callable[[int, bytes], None] | None = None,
        answered: bool = True,
    ) -> int:
        """DISCOVER, OFFER, REQUEST, ACK; over the relay where the server is elsewhere.

        ``early`` is called with the time and the DISCOVER before the hospital's server answers.
        """
        draws = self.ward.draws("dhcp", client.name, ts)
        xid = draws.getrandbits(32)
        server = self.station("dhcp")
        ask, take = STYLES[style]
        discover = ask(xid, client)
        self.shout(client, ts, discover, "dhcp discover", draws, part)
        if early is not None:
            early(ts, discover)
        options = messages.lease(
            server.ip, self.ward.gateway(client.vlan).ip, self.station("dns").ip, LEASE_S
        )
        self.serve(client, ts + MS, discover, messages.OFFER, options, draws, part)
        if self.late_offers is not None and client.vlan == ICU and ts >= self.late_offers[2]:
            self._late_offer(xid, client, ts + 40 * MS, draws)
        if not answered:
            return ts + 50 * MS
        request = take(xid, client, server.ip, client.ip)
        ts += 80 * MS
        self.shout(client, ts, request, "dhcp request", draws, part)
        self.serve(client, ts + MS, request, messages.ACKNOWLEDGE, options, draws, part)
        return ts + 20 * MS

    def shout(
        self, client: Station, ts: int, body: bytes, kind: str, draws: Random, part: Part
    ) -> None:
        """A DHCP client's message to everybody."""
        mark = Mark(kind, client.name, "", client.vlan, *part)
        nobody = (client.mac, bytes(4))
        self.ward.shout(ts, client.vlan, nobody, (68, 67), body, mark, draws.getrandbits(16))

    def serve(
        self,
        client: Station,
        ts: int,
        asked: bytes,
        kind: int,
        options: list[messages.Option],
        draws: Random,
        part: Part,
    ) -> None:
        """The hospital's server answers, directly or through the relay on the router."""
        server, door = self.station("dhcp"), self.ward.gateway(client.vlan)
        word = {messages.OFFER: "offer", messages.ACKNOWLEDGE: "ack"}[kind]
        far = client.vlan != server.vlan
        giaddr = door.ip if far else bytes(4)
        xid = int.from_bytes(asked[4:8], "big")
        reply = messages.dhcp(
            2, kind, xid, client.mac, options, yiaddr=client.ip, giaddr=giaddr,
            broadcast=bool(asked[10] & 0x80),
        )  # fmt: skip
        if far:
            relayed = asked[:3] + b"\x01" + asked[4:24] + giaddr + asked[28:]
            mark = Mark(f"dhcp relayed {word}", client.name, "dhcp", server.vlan, *part)
            face = self.ward.gateway(server.vlan)
            self.ward.datagram(ts, face, server, (67, 67), relayed, mark, draws.getrandbits(16))
            mark = mark._replace(who="dhcp", peer=client.name)
            self.leg(ts + MS, server, face, giaddr, (67, 67), reply, mark, draws)
            ts += 2 * MS
        speaker = door if far else server
        mark = Mark(f"dhcp {word}", "dhcp", client.name, client.vlan, *part)
        if asked[10] & 0x80:
            near = (speaker.mac, speaker.ip)
            self.ward.shout(ts, client.vlan, near, (67, 68), reply, mark, draws.getrandbits(16))
        else:
            self.leg(ts, speaker, client, client.ip, (67, 68), reply, mark, draws)

    def leg(
        self,
        ts: int,
        src: Station,
        dst: Station,
        address: bytes,
        ports: tuple[int, int],
        body: bytes,
        mark: Mark,
        draws: Random,
    ) -> None:
        """One UDP datagram inside a VLAN to an address that need not be the receiver's face there."""
        packet = emit.ipv4(
            src.ip,
            address,
            emit.UDP,
            emit.udp(src.ip, address, *ports, body),
            draws.getrandbits(16),
        )
        frame = emit.ethernet(dst.mac, src.mac, emit.IPV4, packet, (mark.vlan,))
        self.ward.wire(ts, mark.vlan, frame, mark)

    def _late_offer(self, xid: int, client: Station, ts: int, draws: Random) -> None:
        assert self.late_offers is not None
        part, rogue, _ = self.late_offers
        options = messages.lease(rogue.ip, rogue.ip, rogue.ip, 7200)
        self.offer(rogue, client, ts, xid, messages.OFFER, options, part, bytes([192, 168, 0, 100]))

    def offer(
        self,
        rogue: Station,
        client: Station,
        ts: int,
        xid: int,
        kind: int,
        options: list[messages.Option],
        part: Part,
        address: bytes,
    ) -> None:
        """A server nobody asked for answers, to everybody in the VLAN."""
        word = {messages.OFFER: "offer", messages.ACKNOWLEDGE: "ack"}[kind]
        reply = messages.dhcp(2, kind, xid, client.mac, options, yiaddr=address, broadcast=True)
        mark = Mark(f"dhcp {word}", rogue.name, client.name, client.vlan, *part)
        ident = self.ward.draws("offer", rogue.name, ts).getrandbits(16)
        self.ward.shout(ts, client.vlan, (rogue.mac, rogue.ip), (67, 68), reply, mark, ident)

    # Everybody else

    def _workstation(self, station: Station) -> None:
        draws = self.ward.draws("life", station.name)
        for n in range(3 * self.seconds // 86400 + 1):
            ts = self.at(0.3 + 8.1 * n) + draws.randrange(0, 1500 * NS)
            with self.ward.exchange("start", station.name, n):
                ts = self.dhcp(station, ts, "windows")
                self.ward.announce(ts, station)
            for visit in range(self.pace.visits):
                when = ts + draws.randrange(5, 6 * 3600) * NS
                label = n * self.pace.visits + visit
                with self.ward.exchange("visit", station.name, label):
                    self._visit(station, when, label, draws)

    def _visit(self, station: Station, ts: int, label: int, draws: Random) -> None:
        self.ward.arp_exchange(ts, station, self.ward.gateway(station.vlan))
        host = HOSTS["intranet"]
        ts = self.resolve(station, host, "intranet", label, ts + 5 * MS)
        server = self.station("intranet")
        chance = draws.random()
        if chance < 0.15:
            talk = Talk(
                self.ward, ts, station, server, 443, f"visit {label}", sport=52000 + label
            ).open()
            talk.ask(messages.modern_hello(draws.randbytes(32), draws.randbytes(32), host))
            talk.tell(
                messages.modern_flight(draws.randbytes(32), draws.randbytes(32))
                + messages.record(messages.APPLICATION, draws.randbytes(1900), 0x0303)
            )
            talk.ask(
                messages.record(messages.CHANGE, b"\x01", 0x0303)
                + messages.record(messages.APPLICATION, draws.randbytes(360), 0x0303)
            )
            talk.tell(messages.record(messages.APPLICATION, draws.randbytes(2400), 0x0303)).close()
            return
        if chance < 0.3:
            talk = Talk(
                self.ward, ts, station, server, 443, f"visit {label}", sport=52000 + label
            ).open()
            talk.ask(messages.workstation_hello(draws.randbytes(32), host))
            flight = messages.server_flight(
                draws.randbytes(32), [self.pki.intranet, self.pki.root], 0x002F, 0x0303
            )
            talk.tell(flight, acked=False)
            talk.ask(messages.client_finish(draws.randbytes(256), draws.randbytes(40), 0x0303))
            talk.tell(messages.server_finish(draws.randbytes(40), 0x0303))
            talk.ask(messages.record(messages.APPLICATION, draws.randbytes(300), 0x0303))
            talk.tell(messages.record(messages.APPLICATION, draws.randbytes(2400), 0x0303)).close()
            return
        talk = Talk(
            self.ward, ts, station, server, 80, f"visit {label}", sport=52000 + label
        ).open()
        page = b"<!doctype html><title>Ward board</title>" + b"<p>shift plan</p>" * 40
        talk.ask(
            f"GET /board HTTP/1.1\r\nHost: {host}\r\n"
            "User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64)\r\n\r\n".encode()
        )
        talk.tell(
            f"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: text/html\r\nContent-Length: {len(page)}"
            "\r\n\r\n".encode()
            + page
        ).close()

    def _printing(self) -> None:
        printer = self.station("printer")
        draws = self.ward.draws("life", "printer")
        with self.ward.exchange("start", "printer"):
            ts = self.dhcp(printer, self.at(0.2), "printer")
            self.ward.announce(ts, printer)
        for n in range(20):
            client = self.station(f"lan-ws-{draws.randrange(1, 5)}")
            ts = self.at(draws.uniform(1, 26))
            page = b"@PJL JOB\r\n" + b"%!PS ward list\r\n" * draws.randrange(40, 300)
            gone = self.printer_away[0] <= ts < self.printer_away[1]
            with self.ward.exchange("job", n, gone=gone):
                self.ward.arp_exchange(ts, client, printer)
                Talk(
                    self.ward, ts + 2 * MS, client, printer, 9100, f"job {n}", sport=53000 + n
                ).open().ask(page, acked=True).close()

    def _clock(self) -> None:
        """A clock on the wall of the LAN, with an embedded Linux."""
        clock = self.station("wall-clock")
        for hour in range(1, self.seconds // 3600, 6):
            with self.ward.exchange("start", clock.name, hour):
                self.ward.announce(self.dhcp(clock, self.at(hour), "busybox"), clock)

    def _routers(self) -> None:
        for vlan in MIRRORED:
            face = self.ward.gateway(vlan)
            address = emit.link_local(face.mac)
            draws = self.ward.draws("ra", vlan)
            ts = self.start + draws.randrange(0, 60 * NS)
            while ts < self.at(self.seconds / 3600):
                packet = emit.router_advertisement(address, face.mac, 1800)
                frame = emit.ethernet(emit.ALL_NODES_MAC, face.mac, emit.IPV6, packet, (vlan,))
                mark = Mark("ra", face.name, "", vlan, cast="multicast")
                with self.ward.exchange("advertisements", vlan):
                    self.ward.wire(ts, vlan, frame, mark)
                ts += draws.randrange(400 * NS, 600 * NS)

    def _radio(self) -> None:
        access, pump = self.station("ap"), self.station("radio-8")
        draws = self.ward.draws("radio")
        ts = self.start + draws.randrange(0, NS)
        seq = 0
        while ts < self.at(self.seconds / 3600):
            seq += 1
            frame = emit.beacon(
                access.mac, b"ward-clinical", seq, (ts - self.start) // 1000, private=True
            )
            with self.ward.exchange("beacons"):
                self.ward.air(ts, frame, Mark("beacon", "ap", "", 0, cast="broadcast"))
            if seq % 5 == 0:
                body = draws.randbytes(180)
                router = self.ward.gateway(ICU).mac
                frame = emit.protected_data(pump.mac, access.mac, router, seq, body)
                slot = (ts - self.start) // (self.pace.slot_s * NS)
                gone = ("radio-8", slot) in self.taken
                with self.ward.exchange("radio-8", slot, gone=gone):
                    self.ward.air(ts + 3 * MS, frame, Mark("wlan data", "radio-8", "ap", 0))
            ts += 60 * NS

    def _scan(self) -> None:
        """Biomed's authorised scanner asks two NICU pumps for services that should be closed."""
        scanner = self.station("scanner")
        ts = self.at(4.0)
        for name, closed in (("nicu-2", False), ("nicu-3", True)):
            pump = self.station(name)
            for port in (20, 21, 23, 2200):
                talk = Talk(self.ward, ts, scanner, pump, port, "scan")
                if closed:
                    talk.refused()
                else:
                    talk.attempt()
                ts = talk.ts + NS
            talk = Talk(self.ward, ts, scanner, pump, 3210, "scan").open()
            talk.ask(b"\r\n").tell(messages.status_line(pump.serial)).close()
            ts = talk.ts + 5 * NS

    def _blocked(self) -> None:
        """A mistyped address: a workstation of the LAN tries a NICU pump, and the router refuses."""
        client, pump = self.station("lan-ws-1"), self.station("nicu-1")
        ts = self.at(6.2)
        self.ward.arp_exchange(ts, client, self.ward.gateway(LAN))
        talk = Talk(self.ward, ts + 5 * MS, client, pump, 443, "mistyped")
        before = len(self.ward.frames)
        talk.attempt((), stopped=True)
        # RFC 1812 §5.2.7.1: code 13, with the header and 64 bits of what was dropped.
        dropped = self.ward.frames[before].data[18:46]
        door = self.ward.gateway(LAN)
        mark = Mark("icmp prohibited", door.name, client.name, LAN)
        self.ward.carry(
            talk.ts + MS, door, client, emit.ICMP, emit.icmp(3, 13, dropped), mark, 4711
        )


STYLES: dict[
    str,
    tuple[Callable[[int, Station], bytes], Callable[[int, Station, bytes, bytes], bytes]],
] = {
    "windows": (
        lambda xid, client: messages.windows_discover(xid, client.mac, client.name.upper()),
        lambda xid, client, server, address: messages.windows_request(
            xid, client.mac, client.name.upper(), server, address
        ),
    ),
    "printer": (
        lambda xid, client: messages.printer_discover(xid, client.mac, "NPI300060"),
        lambda xid, client, server, address: messages.printer_request(
            xid, client.mac, "NPI300060", server, address
        ),
    ),
    "busybox": (
        lambda xid, client: messages.busybox_discover(xid, client.mac, client.name),
        lambda xid, client, server, address: messages.busybox_request(
            xid, client.mac, client.name, server, address
        ),
    ),
    "rtcs": (
        lambda xid, client: messages.rtcs_discover(xid, client.mac, RTCS_WANTED),
        lambda xid, client, server, address: messages.rtcs_request(
            xid, client.mac, RTCS_WANTED, server, address
        ),
    ),
}
