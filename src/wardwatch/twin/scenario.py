"""Scenario: the demo day, attacked and clean, played on the ward and written as captures."""

from __future__ import annotations

import csv
import io
import json
import tomllib
from datetime import datetime, timedelta
from pathlib import Path
from struct import pack
from typing import TYPE_CHECKING

import msgspec

from wardwatch.capture.write import PcapngWriter
from wardwatch.model.values import NS, utc_text
from wardwatch.twin import certs, emit, messages
from wardwatch.twin.ward import AIR, MS, TRUNK, Frame, Mark, Profile, Station, Talk, Ward, profiles

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from wardwatch.twin.certs import Pki
    from wardwatch.twin.truth import Truth

SERVERS, LAN, ICU, NICU = 20, 30, 120, 121
"""VLANs: pump servers (behind the router, not mirrored), hospital LAN, and two wards of pumps."""
MIRRORED = (LAN, ICU, NICU)
WARDS = (ICU, NICU)
SLOT_S = 1800
"""A pump's session with its server begins every half hour [A]."""
REPORTS = 9
"""Reports in a session: the session ends before the next slot begins."""
LEASE_S = 86400
INTERFACES = ((1, "trunk", 262144), (127, "air", 262144))
MDS, HL7_PORT = 1588, 2575
HOSTS = {
    "mds-icu": "mds.icu.ward.example",
    "mds-nicu": "mds.nicu.ward.example",
    "gateway-hl7": "pcd.ward.example",
    "intranet": "intranet.ward.example",
}
EXPIRED_SLOT, EXPIRED_S = 20, 600
"""For ten minutes of this slot the NICU's pump server shows a certificate that has run out."""


class Event(msgspec.Struct, frozen=True):
    """One thing that happens in the attacked day only."""

    id: str
    kind: str
    at_h: float
    actor: str
    target: str
    why: str


class Plan(msgspec.Struct, frozen=True):
    """A scenario file."""

    name: str
    start: str
    hours: float
    event: tuple[Event, ...] = ()


class Secrets(msgspec.Struct, frozen=True):
    """Generated for one seed; never anybody's."""

    ftp: str
    telnet: str
    key: str
    file: str


class Day(msgspec.Struct, frozen=True):
    """A day as it was played: frames in file order, and what they were played from."""

    seed: int
    attacked: bool
    start: int
    plan: Plan
    ward: Ward
    frames: tuple[Frame, ...]
    pki: Pki
    secrets: Secrets

    @property
    def labels(self) -> dict[str, list[int]]:
        """Packet numbers of each event, 1-based: its attack frames and their consequences apart."""
        found: dict[str, list[int]] = {}
        for number, frame in enumerate(self.frames, 1):
            if frame.mark.event:
                found.setdefault(f"{frame.mark.event} {frame.mark.role}", []).append(number)
        return found


class Demo(msgspec.Struct, frozen=True):
    """What :func:`demo` wrote."""

    attacked: Path
    clean: Path
    site: Path
    site_attacked: Path
    """The same site a year on paper: two attestations have run out."""
    listed: Path
    truth: Path
    truth_attacked: Truth
    truth_clean: Truth


def demo(seed: int, out: Path) -> Demo:
    """Write both days, the site, the list and the truth into ``out``; same seed, same bytes."""
    from wardwatch.twin.truth import truth

    days = [play(seed, attacked=attacked) for attacked in (True, False)]
    paths = [out / "attacked.pcapng", out / "clean.pcapng"]
    rows = [truth(day.frames, day, lapsed=day.attacked) for day in days]
    for day, path in zip(days, paths, strict=True):
        write(day.frames, path)
    site, lapsed, listed, table = (
        out / name for name in ("site.toml", "site-attacked.toml", "list.csv", "truth.json")
    )
    site.write_text(site_toml(days[0]), "utf-8")
    lapsed.write_text(site_toml(days[0], lapsed=True), "utf-8")
    listed.write_text(list_csv(days[0].ward), "utf-8")
    table.write_text(
        json.dumps(
            {
                "seed": seed,
                **{
                    path.name: {**msgspec.to_builtins(row), "labels": day.labels}
                    for day, path, row in zip(days, paths, rows, strict=True)
                },
            },
            indent=1,
        )
        + "\n",
        "utf-8",
    )
    return Demo(*paths, site, lapsed, listed, table, *rows)


def write(frames: tuple[Frame, ...], path: Path) -> None:
    """Write frames as a pcapng of two interfaces."""
    with PcapngWriter(path, INTERFACES, "wardwatch twin: a ward that never was") as file:
        for frame in frames:
            file.packet(frame.interface, frame.ts, frame.data)


def play(seed: int, *, attacked: bool, plan: Plan | None = None) -> Day:
    """Play a day; the clean twin draws the same numbers and lacks the events."""
    plan = plan or load("demo_day")
    start = int(datetime.fromisoformat(plan.start).timestamp()) * NS
    ward = Ward(seed, stations(), MIRRORED)
    draws = ward.draws("secrets")
    secrets = Secrets(*(f"twin-{draws.getrandbits(48):012x}" for _ in range(4)))
    pki = certs.pki(start, HOSTS["mds-icu"], HOSTS["mds-nicu"], HOSTS["intranet"])
    stage = _Stage(ward, start, int(plan.hours * 3600), pki, secrets)
    if attacked:
        for event in plan.event:
            PLAYS[event.kind](stage, event)
    stage.ordinary()
    end = start + int(plan.hours * 3600) * NS
    frames = tuple(sorted(frame for frame in ward.frames if frame.ts < end))
    return Day(seed, attacked, start, plan, ward, frames, pki, secrets)


def load(name: str) -> Plan:
    """A scenario that is shipped."""
    path = Path(__file__).parent / "scenarios" / f"{name}.toml"
    return msgspec.convert(tomllib.loads(path.read_text("utf-8")), Plan)


# Who is there ---------------------------------------------------------------------------------


def stations() -> tuple[Station, ...]:
    """Everybody of the demo day; prefixes of makers are facts, the rest is made up."""
    found = [
        _station(f"gateway-{vlan}", "gateway", "00:00:0c:12:00:01", f"10.{vlan}.0.1", vlan)
        for vlan in (SERVERS, LAN, ICU, NICU)
    ]
    found += [
        _station("dhcp", "server", "00:50:56:30:00:05", "10.30.0.5", LAN),
        _station("dns", "server", "00:50:56:30:00:06", "10.30.0.6", LAN),
        _station("mds-icu", "server", "00:50:56:20:00:30", "10.20.0.30", SERVERS),
        _station("mds-nicu", "server", "00:50:56:20:00:31", "10.20.0.31", SERVERS),
        _station("gateway-hl7", "server", "00:50:56:20:00:40", "10.20.0.40", SERVERS),
        _station("intranet", "server", "00:50:56:20:00:50", "10.20.0.50", SERVERS),
        _station("scanner", "server", "00:50:56:20:00:77", "10.20.0.77", SERVERS),
        _station("printer", "printer", "00:1b:78:30:00:60", "10.30.0.60", LAN),
    ]
    versions = ("1.1.2", "1.1.2", "1.6.0", "1.5.0", "1.5.0", "1.6.0", "1.6.1")
    found += [
        _pump(f"icu-{n}", f"00:1a:01:00:01:{n:02x}", ICU, 100 + n, f"medfusion-4000-{v}", "mds-icu")
        for n, v in enumerate(versions, 1)
    ]
    found += [
        _pump(f"nicu-{n}", f"00:1a:01:00:02:{n:02x}", NICU, 100 + n, "medfusion-4000-1.6.1", "mds-nicu")
        for n in (1, 2, 3)
    ]
    found += [
        _pump("nicu-4", "00:d0:75:00:02:04", NICU, 104, "alaris-pcu", "gateway-hl7"),
        _pump("nicu-5", "00:12:21:00:02:05", NICU, 105, "bbraun-space", "gateway-hl7"),
        _pump("radio-8", "00:17:23:00:00:08", 0, 0, "medfusion-4000-1.1.2", "mds-icu"),
        _pump("unseen-9", "00:1a:01:00:01:09", 0, 0, "medfusion-4000-1.5.0", "mds-icu"),
    ]
    found += [
        _station(f"{ward}-ws-{n}", "workstation", f"f8:b1:56:{vlan:02x}:00:{n:02x}", f"10.{vlan}.0.{20 + n}", vlan)
        for ward, vlan in (("lan", LAN), ("icu", ICU), ("nicu", NICU))
        for n in (1, 2, 3, 4)
    ]  # fmt: skip
    found += [
        _station("ap", "access point", "00:0b:86:00:00:01", "0.0.0.0", 0),  # noqa: S104 — no address
        _station("bait-ap", "attacker", "00:c0:ca:00:00:66", "0.0.0.0", 0),  # noqa: S104
        _station("home-router", "attacker", "f4:f2:6d:00:00:01", "192.168.0.1", ICU),
        _station("laptop", "attacker", "b8:27:eb:00:00:66", "10.120.0.66", ICU),
    ]
    return tuple(found)


def _station(name: str, kind: str, mac: str, ip: str, vlan: int) -> Station:
    return Station(name, kind, emit.mac(mac), emit.ip4(ip), vlan)


def _pump(name: str, mac: str, vlan: int, host: int, profile: str, server: str) -> Station:
    ip = bytes([10, vlan, 0, host]) if vlan else bytes(4)
    serial = f"M{int(mac[-5:].replace(':', ''), 16):06d}"
    return Station(name, "infusion pump", emit.mac(mac), ip, vlan, profile, serial, server)


# What the hospital states ---------------------------------------------------------------------


def list_csv(ward: Ward) -> str:
    """The hospital's own list: every pump, one of them never heard."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["asset", "mac", "serial", "manufacturer", "model", "version", "ward", "ip"])
    places = {ICU: "ICU", NICU: "NICU", 0: "store"}
    for n, pump in enumerate((s for s in ward.stations.values() if s.kind == "infusion pump"), 1):
        kind = profiles()[pump.profile]
        address = pump.address if pump.vlan else ""
        rows.writerow(
            [f"A{n:03d}", pump.mac_text, pump.serial, kind.manufacturer, kind.model, kind.version,
             places[pump.vlan], address]
        )  # fmt: skip
    return text.getvalue()


ATTESTED = {
    "attested_backups": "Configuration of every pump is backed up monthly and read back.",
    "attested_physical": "Pumps stand in staffed rooms; spare pumps are locked away.",
    "attested_passwords": "Passwords of the pumps were changed at hand-over and differ.",
}


def site_toml(day: Day, *, lapsed: bool = False) -> str:
    """The site file; ``lapsed`` lets the attestations of backups and physical access run out."""
    ward = day.ward
    date = datetime.fromisoformat(day.plan.start)
    said = f'confirmed_by = "clinical engineering"\nconfirmed_on = "{date - timedelta(days=20):%Y-%m-%d}"\n'
    lines = ['name = "Twin General"', 'timezone = "Europe/Berlin"', 'report_to = "the ward\'s CSIRT"', ""]  # fmt: skip

    def add(table: str, **words: object) -> None:
        lines.append(f"[[{table}]]")
        lines.extend(
            f"{key} = {json.dumps(value)}" if "\n" not in str(value) else f'{key} = """\n{value}"""'
            for key, value in words.items()
        )
        lines.append(said)

    for label, vlan in (("ICU pumps", ICU), ("NICU pumps", NICU)):
        add("zone", name=label, vlans=[vlan], subnets=[f"10.{vlan}.0.0/24"],
            permitted_kinds=["infusion pump", "workstation"], pumps=True)  # fmt: skip
    add("zone", name="hospital LAN", vlans=[LAN], subnets=[f"10.{LAN}.0.0/24"],
        permitted_kinds=["workstation", "printer", "server"])  # fmt: skip
    at = {name: station.address for name, station in ward.stations.items()}
    macs = {name: [station.mac_text] for name, station in ward.stations.items()}
    add("server", role="dhcp", ip=at["dhcp"], macs=macs["dhcp"])
    add("server", role="dns", ip=at["dns"])
    router = ward.gateway(ICU)
    for vlan in MIRRORED:
        add("server", role="router", ip=at[f"gateway-{vlan}"], macs=macs[f"gateway-{vlan}"])
        add("server", role="relay", ip=at[f"gateway-{vlan}"], macs=macs[f"gateway-{vlan}"])
    add("server", role="router", ip=_text6(emit.link_local(router.mac)), macs=[router.mac_text])
    for name in ("mds-icu", "mds-nicu"):
        add("server", role="pump_server", ip=at[name])
    for zone, peers in PEERS.items():
        for name, ports, proto in peers:
            add("peer", zone=zone, peer=at[name], ports=list(ports), proto=proto)
    add("scanner", ip=at["scanner"])
    until = {name: date + timedelta(days=300) for name in ATTESTED}
    if lapsed:
        for name in ("attested_backups", "attested_physical"):
            until[name] = date - timedelta(days=3)
    for name, statement in ATTESTED.items():
        add("attestation", measure=name, statement=statement, expires_on=f"{until[name]:%Y-%m-%d}")
    add("root", pem=certs.pem(day.pki.root))
    return "\n".join(lines)


PEERS: dict[str, tuple[tuple[str, tuple[int, ...], str], ...]] = {
    "ICU pumps": (
        ("mds-icu", (1588, 1580), "tcp"), ("dns", (53,), "udp"), ("intranet", (80, 443), "tcp"),
    ),
    "NICU pumps": (
        ("mds-nicu", (1588, 1580), "tcp"), ("gateway-hl7", (2575,), "tcp"), ("dns", (53,), "udp"),
        ("intranet", (80, 443), "tcp"),
    ),
}  # fmt: skip


def _text6(address: bytes) -> str:
    """A link-local address with a modified EUI-64, in the form of RFC 5952."""
    groups = [f"{address[n] << 8 | address[n + 1]:x}" for n in range(8, 16, 2)]
    return "fe80::" + ":".join(groups)


# The day --------------------------------------------------------------------------------------


class _Stage:
    """The ordinary day of the ward, and the acts that events are made of."""

    def __init__(self, ward: Ward, start: int, seconds: int, pki: Pki, secrets: Secrets) -> None:
        self.ward = ward
        self.start = start
        self.seconds = seconds
        self.pki = pki
        self.secrets = secrets
        self.taken: set[tuple[str, int]] = set()
        """(pump, slot) that an event plays instead of the ordinary session."""
        self.printer_away = (0, 0)
        self.late_offers: tuple[Event, Station] | None = None

    def at(self, hours: float) -> int:
        """An instant, hours after the start."""
        return self.start + int(hours * 3600 * NS)

    def station(self, name: str) -> Station:
        """A station by name."""
        return self.ward.stations[name]

    def profile(self, pump: Station) -> Profile:
        """Its class."""
        return profiles()[pump.profile]

    def slot(self, pump: Station, slot: int) -> int:
        """When a pump's session begins."""
        return self.start + slot * SLOT_S * NS + self._offset(pump)

    def _offset(self, pump: Station) -> int:
        return self.ward.draws("offset", pump.name).randrange(5 * NS, 60 * NS)

    def ordinary(self) -> None:
        """Play what happens every day."""
        for station in self.ward.stations.values():
            if station.kind == "infusion pump" and station.vlan:
                for slot in range(self.seconds // SLOT_S):
                    if (station.name, slot) not in self.taken:
                        self.session(station, slot, self.slot(station, slot))
            elif station.kind == "workstation":
                self._workstation(station)
        self._routers()
        self._radio()
        self._printing()
        self._scan()
        self._blocked()

    # Acts of a pump

    def session(
        self,
        pump: Station,
        slot: int,
        ts: int,
        event: str = "",
        role: str = "",
        reports: int = REPORTS,
    ) -> None:
        """ARP for the router, ask the resolver, report to the server for half an hour."""
        self.ward.arp_exchange(ts, pump, self.ward.gateway(pump.vlan), event, role)
        ts += 5 * MS
        ts = self.resolve(pump, HOSTS[pump.server], pump.server, slot, ts, event, role)
        self.report(pump, self.station(pump.server), slot, ts, event, role, reports)

    def resolve(
        self,
        pump: Station,
        host: str,
        server: str,
        slot: object,
        ts: int,
        event: str = "",
        role: str = "",
    ) -> int:
        """Question to the hospital's resolver and its answer; returns the time after."""
        draws = self.ward.draws("dns", pump.name, slot)
        ident, port = draws.getrandbits(16), draws.randrange(1024, 5000)
        dns = self.station("dns")
        mark = Mark("dns query", pump.name, "dns", pump.vlan, event, role)
        self.ward.datagram(
            ts, pump, dns, (port, 53), messages.dns_query(ident, host), mark, draws.getrandbits(16)
        )
        body = messages.dns_answer(ident, host, self.station(server).ip)
        mark = Mark("dns answer", "dns", pump.name, dns.vlan, event, role)
        self.ward.datagram(ts + 2 * MS, dns, pump, (53, port), body, mark, draws.getrandbits(16))
        return ts + 8 * MS

    def report(
        self,
        pump: Station,
        server: Station,
        slot: int,
        ts: int,
        event: str = "",
        role: str = "",
        reports: int = REPORTS,
    ) -> None:
        """A session of reports in the pump's own language."""
        kind = self.profile(pump)
        draws = self.ward.draws("report", pump.name, slot)
        port = HL7_PORT if kind.link == "hl7" else MDS
        # A port for each slot, so that no 5-tuple comes twice.
        talk = Talk(
            self.ward, ts, pump, server, port, f"report {slot}", sport=49152 + slot, event=event,
            role=role,
        )  # fmt: skip
        talk.open()
        if kind.link == "tls":
            chain = [self.pki.server if server.name == "mds-icu" else self.pki.renewed, self.pki.root]
            expired = server.name == "mds-nicu" and slot == EXPIRED_SLOT
            if expired:
                self._hello(talk, draws, [self.pki.expired, self.pki.root], "tls bad chain")
                talk.ask(
                    messages.alert(2, messages.CERTIFICATE_EXPIRED), "tls client refuses"
                ).close()
                talk = Talk(
                    self.ward, ts + EXPIRED_S * NS, pump, server, port, f"again {slot}",
                    sport=51152 + slot,
                )  # fmt: skip
                talk.open()
                reports = 3
            self._hello(talk, draws, chain, "tls good chain")
            self._finish(talk, draws)
        for n in range(reports):
            self._one_report(talk, kind, pump, draws, slot * REPORTS + n, "tcp data")
            talk.wait(kind.report_s + draws.uniform(-2, 2))
        talk.close()

    def _hello(self, talk: Talk, draws: Random, chain: list[bytes], kind: str) -> None:
        talk.ask(messages.pump_hello(draws.randbytes(32)))
        talk.tell(messages.server_flight(draws.randbytes(32), chain), kind, acked=False)

    def _finish(self, talk: Talk, draws: Random) -> None:
        talk.ask(messages.client_finish(draws.randbytes(256), draws.randbytes(48)))
        talk.tell(messages.server_finish(draws.randbytes(48)))

    def _one_report(
        self, talk: Talk, kind: Profile, pump: Station, draws: Random, number: int, mark: str
    ) -> None:
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
        event: str = "",
        role: str = "",
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
        ask, take = _STYLES[style]
        discover = ask(xid, client)
        self._shout(client, ts, discover, "dhcp discover", draws, event, role)
        if early is not None:
            early(ts, discover)
        options = messages.lease(
            server.ip, self.ward.gateway(client.vlan).ip, self.station("dns").ip, LEASE_S
        )
        self._serve(client, ts + MS, discover, messages.OFFER, options, draws, event, role)
        if self.late_offers is not None and client.vlan == ICU and ts >= self.at(self.late_offers[0].at_h):
            self._late_offer(xid, client, ts + 40 * MS, draws)
        if not answered:
            return ts + 50 * MS
        request = take(xid, client, server.ip, client.ip)
        ts += 80 * MS
        self._shout(client, ts, request, "dhcp request", draws, event, role)
        self._serve(client, ts + MS, request, messages.ACKNOWLEDGE, options, draws, event, role)
        return ts + 20 * MS

    def _shout(
        self, client: Station, ts: int, body: bytes, kind: str, draws: Random, event: str, role: str
    ) -> None:
        mark = Mark(kind, client.name, "", client.vlan, event, role)
        nobody = (client.mac, bytes(4))
        self.ward.shout(ts, client.vlan, nobody, (68, 67), body, mark, draws.getrandbits(16))

    def _serve(
        self,
        client: Station,
        ts: int,
        asked: bytes,
        kind: int,
        options: list[messages.Option],
        draws: Random,
        event: str,
        role: str,
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
            mark = Mark(f"dhcp relayed {word}", client.name, "dhcp", server.vlan, event, role)
            face = self.ward.gateway(server.vlan)
            self.ward.datagram(ts, face, server, (67, 67), relayed, mark, draws.getrandbits(16))
            mark = mark._replace(who="dhcp", peer=client.name)
            self._leg(ts + MS, server, face, giaddr, (67, 67), reply, mark, draws)
            ts += 2 * MS
        speaker = door if far else server
        mark = Mark(f"dhcp {word}", "dhcp", client.name, client.vlan, event, role)
        if asked[10] & 0x80:
            near = (speaker.mac, speaker.ip)
            self.ward.shout(ts, client.vlan, near, (67, 68), reply, mark, draws.getrandbits(16))
        else:
            self._leg(ts, speaker, client, client.ip, (67, 68), reply, mark, draws)

    def _leg(
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
            src.ip, address, emit.UDP, emit.udp(src.ip, address, *ports, body), draws.getrandbits(16)
        )
        frame = emit.ethernet(dst.mac, src.mac, emit.IPV4, packet, (mark.vlan,))
        self.ward.wire(ts, mark.vlan, frame, mark)

    def _late_offer(self, xid: int, client: Station, ts: int, draws: Random) -> None:
        assert self.late_offers is not None
        event, rogue = self.late_offers
        options = messages.lease(rogue.ip, rogue.ip, rogue.ip, 7200)
        self.offer(rogue, client, ts, xid, messages.OFFER, options, event.id, bytes([192, 168, 0, 100]))

    def offer(
        self,
        rogue: Station,
        client: Station,
        ts: int,
        xid: int,
        kind: int,
        options: list[messages.Option],
        event: str,
        address: bytes,
    ) -> None:
        """A server nobody asked for answers, to everybody in the VLAN."""
        word = {messages.OFFER: "offer", messages.ACKNOWLEDGE: "ack"}[kind]
        reply = messages.dhcp(2, kind, xid, client.mac, options, yiaddr=address, broadcast=True)
        mark = Mark(f"dhcp {word}", rogue.name, client.name, client.vlan, event, "attack")
        ident = self.ward.draws("offer", rogue.name, ts).getrandbits(16)
        self.ward.shout(ts, client.vlan, (rogue.mac, rogue.ip), (67, 68), reply, mark, ident)

    # Everybody else

    def _workstation(self, station: Station) -> None:
        draws = self.ward.draws("life", station.name)
        shifts = (0.3, 8.5, 16.5, 24.4)
        for n, hour in enumerate(shifts):
            ts = self.at(hour) + draws.randrange(0, 1500 * NS)
            ts = self.dhcp(station, ts, "windows")
            self.ward.announce(ts, station)
            for visit in range(12):
                when = ts + int(draws.uniform(5, 6 * 3600 if n < 3 else 3600)) * NS
                self._visit(station, when, n * 12 + visit, draws)

    def _visit(self, station: Station, ts: int, label: int, draws: Random) -> None:
        self.ward.arp_exchange(ts, station, self.ward.gateway(station.vlan))
        host = HOSTS["intranet"]
        ts = self.resolve(station, host, "intranet", label, ts + 5 * MS)
        server = self.station("intranet")
        if draws.random() < 0.3:
            talk = Talk(self.ward, ts, station, server, 443, f"visit {label}", sport=52000 + label).open()
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
        talk = Talk(self.ward, ts, station, server, 80, f"visit {label}", sport=52000 + label).open()
        page = b"<!doctype html><title>Ward board</title>" + b"<p>shift plan</p>" * 40
        talk.ask(
            f"GET /board HTTP/1.1\r\nHost: {host}\r\n"
            "User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64)\r\n\r\n".encode()
        )
        talk.tell(
            f"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: text/html\r\nContent-Length: {len(page)}"
            "\r\n\r\n".encode() + page
        ).close()

    def _printing(self) -> None:
        printer = self.station("printer")
        draws = self.ward.draws("life", "printer")
        ts = self.dhcp(printer, self.at(0.2), "printer")
        self.ward.announce(ts, printer)
        for n in range(20):
            client = self.station(f"lan-ws-{draws.randrange(1, 5)}")
            ts = self.at(draws.uniform(1, 26))
            page = b"@PJL JOB\r\n" + b"%!PS ward list\r\n" * draws.randrange(40, 300)
            if self.printer_away[0] <= ts < self.printer_away[1]:
                continue
            self.ward.arp_exchange(ts, client, printer)
            Talk(self.ward, ts + 2 * MS, client, printer, 9100, f"job {n}", sport=53000 + n).open().ask(
                page, acked=True
            ).close()

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
                self.ward.wire(ts, vlan, frame, mark)
                ts += draws.randrange(400 * NS, 600 * NS)

    def _radio(self) -> None:
        access, pump = self.station("ap"), self.station("radio-8")
        draws = self.ward.draws("radio")
        ts = self.start + draws.randrange(0, NS)
        seq = 0
        while ts < self.at(self.seconds / 3600):
            seq += 1
            frame = emit.beacon(access.mac, b"ward-clinical", seq, (ts - self.start) // 1000, private=True)
            self.ward.air(ts, frame, Mark("beacon", "ap", "", 0, cast="broadcast"))
            if seq % 5 == 0 and ("radio-8", seq // 30) not in self.taken:
                body = draws.randbytes(180)
                router = self.ward.gateway(ICU).mac
                frame = emit.protected_data(pump.mac, access.mac, router, seq, body)
                self.ward.air(ts + 3 * MS, frame, Mark("wlan data", "radio-8", "ap", 0))
            elif seq % 5 == 0:
                draws.randbytes(180)
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


_STYLES: dict[
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
    "rtcs": (
        lambda xid, client: messages.rtcs_discover(xid, client.mac, RTCS_WANTED),
        lambda xid, client, server, address: messages.rtcs_request(
            xid, client.mac, RTCS_WANTED, server, address
        ),
    ),
}
RTCS_WANTED = bytes([1, 3, 6])
"""What a pump asks for: its application decides, no source says [A]."""


# The events -----------------------------------------------------------------------------------


def _rogue_dhcp_loses(stage: _Stage, event: Event) -> None:
    stage.late_offers = (event, stage.station(event.actor))


def _dhcp_on(stage: _Stage, event: Event) -> None:
    pump = stage.station(event.target)
    _restart(stage, pump, int(event.at_h * 2), event.id, dhcp=True)


def _rogue_dhcp_wins(stage: _Stage, event: Event) -> None:
    pump, rogue = stage.station(event.target), stage.station(event.actor)
    slot = int(event.at_h * 2)
    stage.taken.add((pump.name, slot))
    ts = stage.slot(pump, slot)
    options = messages.lease(rogue.ip, stage.ward.gateway(pump.vlan).ip, rogue.ip, LEASE_S)
    xid = 0

    def first(when: int, discover: bytes) -> None:
        nonlocal xid
        xid = int.from_bytes(discover[4:8], "big")
        stage.offer(rogue, pump, when + MS // 2, xid, messages.OFFER, options, event.id, pump.ip)

    stage.dhcp(pump, ts, "rtcs", event.id, "consequence", early=first, answered=False)
    draws = stage.ward.draws(event.id)
    request = messages.rtcs_request(xid, pump.mac, RTCS_WANTED, rogue.ip, pump.ip)
    ts += 80 * MS
    stage._shout(pump, ts, request, "dhcp request", draws, event.id, "consequence")
    stage.offer(rogue, pump, ts + MS, xid, messages.ACKNOWLEDGE, options, event.id, pump.ip)
    ts += 100 * MS
    stage.ward.announce(ts, pump, event.id, "consequence")
    stage.ward.arp_exchange(ts + MS, pump, rogue, event.id, "consequence")
    ident, port = draws.getrandbits(16), draws.randrange(1024, 5000)
    host = HOSTS[pump.server]
    mark = Mark("dns query", pump.name, rogue.name, pump.vlan, event.id, "consequence")
    stage.ward.datagram(ts + 3 * MS, pump, rogue, (port, 53), messages.dns_query(ident, host), mark, 1)
    mark = Mark("dns answer", rogue.name, pump.name, pump.vlan, event.id, "attack")
    body = messages.dns_answer(ident, host, rogue.ip)
    stage.ward.datagram(ts + 4 * MS, rogue, pump, (53, port), body, mark, 2)
    talk = Talk(stage.ward, ts + 8 * MS, pump, rogue, MDS, event.id, event=event.id, role="attack")
    talk.open()
    stage._hello(talk, draws, [stage.pki.impostor], "tls bad chain")
    stage._finish(talk, draws)
    for n in range(3):
        stage._one_report(
            talk, stage.profile(pump), pump, draws, n, "tls data after bad chain"
        )
        talk.wait(180)
    talk.close()
    _restart(stage, pump, slot + 1, event.id, dhcp=True)


def _dhcp_overflow(stage: _Stage, event: Event) -> None:
    pump, rogue = stage.station(event.target), stage.station(event.actor)
    slot = int(event.at_h * 2)
    stage.taken.add((pump.name, slot))
    ts = stage.slot(pump, slot)

    def first(when: int, discover: bytes) -> None:
        xid = int.from_bytes(discover[4:8], "big")
        options = messages.lease(rogue.ip, stage.ward.gateway(pump.vlan).ip, rogue.ip, LEASE_S)
        options.append((66, messages.FILLER * 200))
        stage.offer(rogue, pump, when + MS // 2, xid, messages.OFFER, options, event.id, pump.ip)

    ts = stage.dhcp(pump, ts, "rtcs", event.id, "consequence", early=first, answered=False)
    _restart(stage, pump, slot, event.id, dhcp=True, ts=ts + stage.profile(pump).boot_s * NS)


def _dns_overread(stage: _Stage, event: Event) -> None:
    pump, rogue = stage.station(event.target), stage.station(event.actor)
    slot = int(event.at_h * 2)
    stage.taken.add((pump.name, slot))
    ts = stage.slot(pump, slot)
    stage.ward.arp_exchange(ts, pump, stage.ward.gateway(pump.vlan), event.id, "consequence")
    ts += 5 * MS
    host = HOSTS[pump.server]
    draws = stage.ward.draws("dns", pump.name, slot)
    ident, port = draws.getrandbits(16), draws.randrange(1024, 5000)
    mark = Mark("dns answer", rogue.name, pump.name, pump.vlan, event.id, "attack")
    body = messages.dns_answer(ident, host, rogue.ip, claimed=0x2000)
    stage.ward.datagram(ts + MS, rogue, pump, (53, port), body, mark, 3)
    stage.resolve(pump, host, pump.server, slot, ts, event.id, "consequence")
    _restart(stage, pump, slot, event.id, ts=ts + stage.profile(pump).boot_s * NS)


def _restart(
    stage: _Stage, pump: Station, slot: int, event: str, *, dhcp: bool = False, ts: int = 0
) -> None:
    """A pump's communications start up, and the session of the slot follows, shorter."""
    stage.taken.add((pump.name, slot))
    ts = ts or stage.slot(pump, slot)
    if dhcp:
        ts = stage.dhcp(pump, ts, "rtcs", event, "consequence")
    stage.ward.announce(ts, pump, event, "consequence")
    draws_slot = slot + 1000
    stage.ward.arp_exchange(ts + MS, pump, stage.ward.gateway(pump.vlan), event, "consequence")
    ts = stage.resolve(
        pump, HOSTS[pump.server], pump.server, f"{slot} again", ts + 6 * MS, event, "consequence"
    )
    stage.report(
        pump, stage.station(pump.server), draws_slot, ts, event, "consequence", REPORTS - 1
    )


def _ftp_without_login(stage: _Stage, event: Event) -> None:
    pump, rogue = stage.station(event.target), stage.station(event.actor)
    ts = stage.at(event.at_h) + 70 * NS
    stage.ward.arp_exchange(ts, rogue, pump, event.id, "attack")
    talk = Talk(stage.ward, ts + 2 * MS, rogue, pump, 21, event.id, event=event.id, role="attack")
    talk.open().tell(b"220 RTCS FTP Ready\r\n", "ftp banner")
    listing = b"".join(
        f"-rw-rw-rw- 1 0 0 {size:8d} Jan  1 00:00 {name}\r\n".encode()
        for name, size in (
            ("CONFIG.XML", 1764), ("STORED~1", 2140), ("HEAD_F~1", 491648), ("HEAD_C~1", 6224),
        )
    )  # fmt: skip
    config = messages.configuration(stage.secrets.file, stage.secrets.key)
    for n, (command, content) in enumerate(((b"LIST", listing), (b"RETR CONFIG.XML", config))):
        port = 50100 + n
        words = ",".join([*map(str, rogue.ip), str(port >> 8), str(port & 255)])
        talk.ask(f"PORT {words}\r\n".encode()).tell(b"200 Port command okay\r\n")
        talk.ask(command + b"\r\n", "ftp command without login")
        talk.tell(b"150 Opening ASCII mode data connection\r\n")
        data = Talk(
            stage.ward, talk.ts + MS, pump, rogue, port, f"{event.id} data {n}", sport=20,
            event=event.id, role="attack",
        )  # fmt: skip
        data.open().ask(content, "configuration" if n else "tcp data", acked=True).close()
        talk.ts = data.ts + MS
        talk.tell(b"226 File sent OK\r\n", "ftp done without login")
    talk.ask(b"QUIT\r\n").tell(b"221 Goodbye!\r\n").close()


def _ftp_login(stage: _Stage, event: Event) -> None:
    pump, rogue = stage.station(event.target), stage.station(event.actor)
    ts = stage.at(event.at_h) + 70 * NS
    stage.ward.arp_exchange(ts, rogue, pump, event.id, "attack")
    talk = Talk(stage.ward, ts + 2 * MS, rogue, pump, 21, event.id, event=event.id, role="attack")
    talk.open().tell(b"220 RTCS FTP Ready\r\n", "ftp banner")
    talk.ask(b"USER service\r\n").tell(b"331 Looking up password\r\n")
    talk.ask(f"PASS {stage.secrets.ftp}\r\n".encode(), "login")
    talk.tell(b"230 User logged in\r\n", "login accepted")
    talk.ask(b"QUIT\r\n").tell(b"221 Goodbye!\r\n").close()


def _telnet_login(stage: _Stage, event: Event) -> None:
    pump, rogue = stage.station(event.target), stage.station(event.actor)
    ts = stage.at(event.at_h) + 70 * NS
    stage.ward.arp_exchange(ts, rogue, pump, event.id, "attack")
    talk = Talk(stage.ward, ts + 2 * MS, rogue, pump, 23, event.id, event=event.id, role="attack")
    talk.open()
    talk.tell(
        b"\xff\xfb\x01\xff\xfb\x03RTCS v2.96.00 Telnet server\r\n\r\n"
        b"Welcome to the Medfusion 4000 Configuration Interface\r\n\r\npassword:",
        "telnet banner",
    )
    talk.ask(b"\xff\xfd\x01\xff\xfd\x03", acked=True).wait(2)
    talk.ask(stage.secrets.telnet.encode() + b"\r\n", "login")
    talk.tell(b"\r\n4000>", "login accepted").wait(1)
    talk.ask(b"ifconfig\r\n").tell(b"ifconfig\r\neth0 up\r\n4000>").close()


def _arp_claims(stage: _Stage, event: Event) -> None:
    pump, rogue = stage.station(event.target), stage.station(event.actor)
    door = stage.ward.gateway(pump.vlan)
    body = emit.arp(2, (rogue.mac, door.ip), (pump.mac, pump.ip))
    frame = emit.ethernet(pump.mac, rogue.mac, emit.ARP, body, (pump.vlan,))
    mark = Mark("arp claim", rogue.name, pump.name, pump.vlan, event.id, "attack")
    for n in range(12):
        stage.ward.wire(stage.at(event.at_h) + n * 10 * NS, pump.vlan, frame, mark)


def _rogue_router(stage: _Stage, event: Event) -> None:
    rogue, vlan = stage.station(event.actor), stage.station(event.target).vlan
    own, door = emit.link_local(rogue.mac), stage.ward.gateway(vlan)
    real = emit.link_local(door.mac)
    for n in range(8):
        forged = n >= 5
        if forged:
            packet = emit.router_advertisement(real, door.mac, 0)
        else:
            packet = emit.router_advertisement(own, rogue.mac, 1800, rdnss=own)
        frame = emit.ethernet(emit.ALL_NODES_MAC, rogue.mac, emit.IPV6, packet, (vlan,))
        mark = Mark("ra", rogue.name, "", vlan, event.id, "attack", "multicast")
        stage.ward.wire(stage.at(event.at_h) + n * 30 * NS, vlan, frame, mark)


def _known_wireless(stage: _Stage, event: Event) -> None:
    pump, bait = stage.station(event.target), stage.station(event.actor)
    ssid = messages.FIXED_SSID
    stage.taken.update(("radio-8", block) for block in range(31, 35))
    ts = stage.at(event.at_h)

    def air(when: int, frame: bytes, kind: str, who: Station, cast: str = "unicast") -> None:
        peer = "" if cast == "broadcast" else (bait if who is pump else pump).name
        stage.ward.air(when, frame, Mark(kind, who.name, peer, 0, event.id, "attack", cast))

    for n in range(8):
        when = ts + int(n * 30.08 * NS)
        air(when, emit.probe_request(pump.mac, ssid, n), "fixed probe", pump, "broadcast")
    for n in range(4):
        when = ts + int((200 + n * 0.1024) * NS)
        air(when, emit.beacon(bait.mac, ssid, n, n * 102400, private=False), "fixed beacon", bait, "broadcast")
    ts += 215 * NS
    air(ts, emit.authentication(pump.mac, bait.mac, bait.mac, 20, 1), "wlan join", pump)
    air(ts + 2 * MS, emit.authentication(bait.mac, pump.mac, bait.mac, 21, 2), "wlan join", bait)
    air(ts + 4 * MS, emit.association_request(pump.mac, bait.mac, ssid, 22), "fixed probe", pump)
    air(ts + 6 * MS, emit.association_response(pump.mac, bait.mac, 23), "wlan join", bait)
    air(ts + 9 * MS, emit.xid(pump.mac, bait.mac, 24), "xid", pump, "broadcast")


def _crossing(stage: _Stage, event: Event) -> None:
    client, pump = stage.station(event.actor), stage.station(event.target)
    ts = stage.at(event.at_h)
    stage.ward.arp_exchange(ts, client, stage.ward.gateway(client.vlan), event.id, "attack")
    Talk(
        stage.ward, ts + 5 * MS, client, pump, 23, event.id, event=event.id, role="attack"
    ).attempt()


def _printer_moved(stage: _Stage, event: Event) -> None:
    there = stage.station(event.target)
    stage.printer_away = (stage.at(event.at_h), stage.at(event.at_h + 1))
    here = msgspec.structs.replace(there, vlan=ICU, ip=bytes([10, ICU, 0, 60]))
    ts = stage.dhcp(here, stage.at(event.at_h) + 90 * NS, "printer", event.id, "attack")
    stage.ward.announce(ts, here, event.id, "attack")
    for n in range(6):
        stage.ward.arp_exchange(
            ts + (n * 600 + 1) * NS, here, stage.ward.gateway(ICU), event.id, "attack"
        )


PLAYS: dict[str, Callable[[_Stage, Event], None]] = {
    "rogue_dhcp_loses": _rogue_dhcp_loses,
    "dhcp_on": _dhcp_on,
    "rogue_dhcp_wins": _rogue_dhcp_wins,
    "dhcp_overflow": _dhcp_overflow,
    "dns_overread": _dns_overread,
    "ftp_without_login": _ftp_without_login,
    "ftp_login": _ftp_login,
    "telnet_login": _telnet_login,
    "arp_claims": _arp_claims,
    "rogue_router": _rogue_router,
    "known_wireless": _known_wireless,
    "crossing": _crossing,
    "printer_moved": _printer_moved,
}
"""How each kind of event is played."""
