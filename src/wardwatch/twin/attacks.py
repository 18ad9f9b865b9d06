"""Attacks: how each kind of event is played, with what the ward does in consequence.

Every attack is a message whose bytes are inconsistent or unasked, and a declared rule for what the
pump does then (domain/pump.md §4.1); no message is made to do anything to a real device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from wardwatch.model.values import NS
from wardwatch.twin import emit, messages
from wardwatch.twin.cast import HOSTS, ICU
from wardwatch.twin.stage import LEASE_S, MDS, RTCS_WANTED
from wardwatch.twin.ward import MS, Mark, Part, Station, Talk

if TYPE_CHECKING:
    from collections.abc import Callable

    from wardwatch.twin.stage import Stage


class Event(msgspec.Struct, frozen=True):
    """One thing that happens in the attacked day only."""

    id: str
    kind: str
    at_h: float
    actor: str
    target: str
    why: str

    @property
    def attack(self) -> Part:
        """What is planted."""
        return Part(self.id, "attack")

    @property
    def consequence(self) -> Part:
        """What the ward does because of it."""
        return Part(self.id, "consequence")


def _rogue_dhcp_loses(stage: Stage, event: Event) -> None:
    stage.late_offers = (event.attack, stage.station(event.actor), stage.at(event.at_h))


def _dhcp_on(stage: Stage, event: Event) -> None:
    pump = stage.station(event.target)
    _restart(stage, pump, stage.slot_at(event.at_h), event, dhcp=True)


def _rogue_dhcp_wins(stage: Stage, event: Event) -> None:
    pump, rogue = stage.station(event.target), stage.station(event.actor)
    slot = stage.slot_at(event.at_h)
    stage.taken.add((pump.name, slot))
    ts = stage.slot(pump, slot)
    options = messages.lease(rogue.ip, stage.ward.gateway(pump.vlan).ip, rogue.ip, LEASE_S)
    xid = 0

    def first(when: int, discover: bytes) -> None:
        nonlocal xid
        xid = int.from_bytes(discover[4:8], "big")
        stage.offer(
            rogue, pump, when + MS // 2, xid, messages.OFFER, options, event.attack, pump.ip
        )

    stage.dhcp(pump, ts, "rtcs", event.consequence, early=first, answered=False)
    draws = stage.ward.draws(event.id)
    request = messages.rtcs_request(xid, pump.mac, RTCS_WANTED, rogue.ip, pump.ip)
    ts += 80 * MS
    stage.shout(pump, ts, request, "dhcp request", draws, event.consequence)
    stage.offer(rogue, pump, ts + MS, xid, messages.ACKNOWLEDGE, options, event.attack, pump.ip)
    ts += 100 * MS
    stage.ward.announce(ts, pump, event.consequence)
    stage.ward.arp_exchange(ts + MS, pump, rogue, event.consequence)
    ident, port = draws.getrandbits(16), draws.randrange(49152, 65536)
    host = HOSTS[pump.server]
    mark = Mark("dns query", pump.name, rogue.name, pump.vlan, *event.consequence)
    stage.ward.datagram(
        ts + 3 * MS, pump, rogue, (port, 53), messages.dns_query(ident, host), mark, 1
    )
    mark = Mark("dns answer", rogue.name, pump.name, pump.vlan, *event.attack)
    body = messages.dns_answer(ident, host, rogue.ip)
    stage.ward.datagram(ts + 4 * MS, rogue, pump, (53, port), body, mark, 2)
    talk = Talk(stage.ward, ts + 8 * MS, pump, rogue, MDS, event.id, part=event.attack)
    talk.open()
    stage.hello(talk, draws, [stage.pki.impostor, stage.pki.impostor_root], "tls bad chain")
    stage.finish(talk, draws)
    for n in range(3):
        stage.one_report(talk, stage.profile(pump), pump, draws, n, "tls data after bad chain")
        talk.wait(180)
    talk.close()
    _restart(stage, pump, slot + 1, event, dhcp=True)


def _dhcp_overflow(stage: Stage, event: Event) -> None:
    pump, rogue = stage.station(event.target), stage.station(event.actor)
    slot = stage.slot_at(event.at_h)
    stage.taken.add((pump.name, slot))
    ts = stage.slot(pump, slot)

    def first(when: int, discover: bytes) -> None:
        xid = int.from_bytes(discover[4:8], "big")
        options = messages.lease(rogue.ip, stage.ward.gateway(pump.vlan).ip, rogue.ip, LEASE_S)
        options.append((66, messages.FILLER * 200))
        stage.offer(
            rogue, pump, when + MS // 2, xid, messages.OFFER, options, event.attack, pump.ip
        )

    ts = stage.dhcp(pump, ts, "rtcs", event.consequence, early=first, answered=False)
    _restart(stage, pump, slot, event, dhcp=True, ts=ts + stage.profile(pump).boot_s * NS)


def _dns_overread(stage: Stage, event: Event) -> None:
    pump, rogue = stage.station(event.target), stage.station(event.actor)
    slot = stage.slot_at(event.at_h)
    stage.taken.add((pump.name, slot))
    ts = stage.slot(pump, slot)
    stage.ward.arp_exchange(ts, pump, stage.ward.gateway(pump.vlan), event.consequence)
    ts += 5 * MS
    host = HOSTS[pump.server]
    draws = stage.ward.draws("dns", pump.name, slot)
    ident, port = draws.getrandbits(16), draws.randrange(49152, 65536)
    mark = Mark("dns answer", rogue.name, pump.name, pump.vlan, *event.attack)
    body = messages.dns_answer(ident, host, rogue.ip, claimed=0x2000)
    stage.ward.datagram(ts + MS, rogue, pump, (53, port), body, mark, 3)
    stage.resolve(pump, host, pump.server, slot, ts, event.consequence)
    _restart(stage, pump, slot, event, ts=ts + stage.profile(pump).boot_s * NS)


def _restart(
    stage: Stage, pump: Station, slot: int, event: Event, *, dhcp: bool = False, ts: int = 0
) -> None:
    """A pump's communications start up, and the session of the slot follows, shorter."""
    stage.taken.add((pump.name, slot))
    ts = ts or stage.slot(pump, slot)
    if dhcp:
        ts = stage.dhcp(pump, ts, "rtcs", event.consequence)
    stage.ward.announce(ts, pump, event.consequence)
    draws_slot = slot + 1000
    stage.ward.arp_exchange(ts + MS, pump, stage.ward.gateway(pump.vlan), event.consequence)
    ts = stage.resolve(
        pump, HOSTS[pump.server], pump.server, f"{slot} again", ts + 6 * MS, event.consequence
    )
    stage.report(
        pump,
        stage.station(pump.server),
        draws_slot,
        ts,
        event.consequence,
        stage.pace.reports - 1,
    )


def _ftp_without_login(stage: Stage, event: Event) -> None:
    pump, rogue = stage.station(event.target), stage.station(event.actor)
    ts = stage.at(event.at_h) + 70 * NS
    stage.ward.arp_exchange(ts, rogue, pump, event.attack)
    talk = Talk(stage.ward, ts + 2 * MS, rogue, pump, 21, event.id, part=event.attack)
    talk.open().tell(b"220 RTCS FTP Ready\r\n", "ftp banner")
    listing = b"".join(
        f"-rw-rw-rw- 1 0 0 {size:8d} Jan  1 00:00 {name}\r\n".encode()
        for name, size in (
            ("CONFIG.XML", 1764), ("STORED~1", 2140), ("HEAD_F~1", 491648), ("HEAD_C~1", 6224),
        )
    )  # fmt: skip
    config = messages.configuration(stage.secret("file"), stage.secret("key"))
    for n, (command, content) in enumerate(((b"LIST", listing), (b"RETR CONFIG.XML", config))):
        port = 50100 + n
        words = ",".join([*map(str, rogue.ip), str(port >> 8), str(port & 255)])
        talk.ask(f"PORT {words}\r\n".encode()).tell(b"200 Port command okay\r\n")
        talk.ask(command + b"\r\n", "ftp command without login")
        talk.tell(b"150 Opening ASCII mode data connection\r\n")
        data = Talk(
            stage.ward, talk.ts + MS, pump, rogue, port, f"{event.id} data {n}", sport=20,
            part=event.attack,
        )  # fmt: skip
        data.open().ask(content, "configuration" if n else "tcp data", acked=True).close()
        talk.ts = data.ts + MS
        talk.tell(b"226 File sent OK\r\n", "ftp done without login")
    talk.ask(b"QUIT\r\n").tell(b"221 Goodbye!\r\n").close()


def _ftp_login(stage: Stage, event: Event) -> None:
    pump, rogue = stage.station(event.target), stage.station(event.actor)
    ts = stage.at(event.at_h) + 70 * NS
    stage.ward.arp_exchange(ts, rogue, pump, event.attack)
    talk = Talk(stage.ward, ts + 2 * MS, rogue, pump, 21, event.id, part=event.attack)
    talk.open().tell(b"220 RTCS FTP Ready\r\n", "ftp banner")
    talk.ask(b"USER service\r\n").tell(b"331 Looking up password\r\n")
    talk.ask(b"PASS " + stage.secret("service").encode() + b"\r\n", "login")
    talk.tell(b"230 User logged in\r\n", "login accepted")
    talk.ask(b"QUIT\r\n").tell(b"221 Goodbye!\r\n").close()


def _telnet_login(stage: Stage, event: Event) -> None:
    pump, rogue = stage.station(event.target), stage.station(event.actor)
    ts = stage.at(event.at_h) + 70 * NS
    stage.ward.arp_exchange(ts, rogue, pump, event.attack)
    talk = Talk(stage.ward, ts + 2 * MS, rogue, pump, 23, event.id, part=event.attack)
    talk.open()
    talk.tell(
        b"\xff\xfb\x01\xff\xfb\x03RTCS v2.96.00 Telnet server\r\n\r\n"
        b"Welcome to the Medfusion 4000 Configuration Interface\r\n\r\npassword:",
        "telnet banner",
    )
    talk.ask(b"\xff\xfd\x01\xff\xfd\x03", acked=True).wait(2)
    talk.ask(stage.secret("service").encode() + b"\r\n", "login")
    talk.tell(b"\r\n4000>", "login accepted").wait(1)
    talk.ask(b"ifconfig\r\n").tell(b"ifconfig\r\neth0 up\r\n4000>").close()


def _arp_claims(stage: Stage, event: Event) -> None:
    pump, rogue = stage.station(event.target), stage.station(event.actor)
    door = stage.ward.gateway(pump.vlan)
    body = emit.arp(2, (rogue.mac, door.ip), (pump.mac, pump.ip))
    frame = emit.ethernet(pump.mac, rogue.mac, emit.ARP, body, (pump.vlan,))
    mark = Mark("arp claim", rogue.name, pump.name, pump.vlan, *event.attack)
    for n in range(12):
        stage.ward.wire(stage.at(event.at_h) + n * 10 * NS, pump.vlan, frame, mark)


def _rogue_router(stage: Stage, event: Event) -> None:
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
        mark = Mark("ra", rogue.name, "", vlan, *event.attack, "multicast")
        stage.ward.wire(stage.at(event.at_h) + n * 30 * NS, vlan, frame, mark)


def _known_wireless(stage: Stage, event: Event) -> None:
    pump, bait = stage.station(event.target), stage.station(event.actor)
    ssid = messages.FIXED_SSID
    slot = stage.slot_at(event.at_h)
    stage.taken.update((pump.name, slot + n) for n in (-1, 0, 1))
    ts = stage.at(event.at_h)

    def air(when: int, frame: bytes, kind: str, who: Station, cast: str = "unicast") -> None:
        peer = "" if cast == "broadcast" else (bait if who is pump else pump).name
        stage.ward.air(when, frame, Mark(kind, who.name, peer, 0, *event.attack, cast))

    for n in range(8):
        when = ts + int(n * 30.08 * NS)
        air(when, emit.probe_request(pump.mac, ssid, n), "fixed probe", pump, "broadcast")
    for n in range(4):
        when = ts + int((200 + n * 0.1024) * NS)
        air(
            when,
            emit.beacon(bait.mac, ssid, n, n * 102400, private=False),
            "fixed beacon",
            bait,
            "broadcast",
        )
    ts += 215 * NS
    air(ts, emit.authentication(pump.mac, bait.mac, bait.mac, 20, 1), "wlan join", pump)
    air(ts + 2 * MS, emit.authentication(bait.mac, pump.mac, bait.mac, 21, 2), "wlan join", bait)
    air(ts + 4 * MS, emit.association_request(pump.mac, bait.mac, ssid, 22), "fixed probe", pump)
    air(ts + 6 * MS, emit.association_response(pump.mac, bait.mac, 23), "wlan join", bait)
    air(ts + 9 * MS, emit.xid(pump.mac, bait.mac, 24), "xid", pump, "broadcast")


def _crossing(stage: Stage, event: Event) -> None:
    client, pump = stage.station(event.actor), stage.station(event.target)
    ts = stage.at(event.at_h)
    stage.ward.arp_exchange(ts, client, stage.ward.gateway(client.vlan), event.attack)
    Talk(stage.ward, ts + 5 * MS, client, pump, 23, event.id, part=event.attack).attempt()


def _printer_moved(stage: Stage, event: Event) -> None:
    there = stage.station(event.target)
    stage.printer_away = (stage.at(event.at_h), stage.at(event.at_h + 1))
    here = msgspec.structs.replace(there, vlan=ICU, ip=bytes([10, ICU, 0, 250]))
    ts = stage.dhcp(here, stage.at(event.at_h) + 90 * NS, "printer", event.attack)
    stage.ward.announce(ts, here, event.attack)
    for n in range(6):
        stage.ward.arp_exchange(
            ts + (n * 600 + 1) * NS, here, stage.ward.gateway(ICU), event.attack
        )


def _hostile_name(stage: Stage, event: Event) -> None:
    rogue = stage.station(event.actor)
    draws = stage.ward.draws(event.id)
    body = messages.inform(draws.getrandbits(32), rogue.mac, rogue.ip, HOSTILE_NAME)
    mark = Mark("dhcp inform", rogue.name, "", rogue.vlan, *event.attack)
    source = (rogue.mac, rogue.ip)
    stage.ward.shout(stage.at(event.at_h), rogue.vlan, source, (68, 67), body, mark, 7)


HOSTILE_NAME = "<script>alert(1)</script>"
"""A host name that a page must show as text."""


PLAYS: dict[str, Callable[[Stage, Event], None]] = {
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
    "hostile_name": _hostile_name,
}
"""How each kind of event is played."""
