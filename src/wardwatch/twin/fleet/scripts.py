"""Scripts: what each class of pump says for each event, as tables for the kernels.

Messages are made once, by the builders of the ward's twin, with marks where a pump's own values go;
the marks become patches. What a class says is an assumption wherever its profile says so.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from wardwatch.model.values import NS
from wardwatch.twin import emit, messages, pcd, telling
from wardwatch.twin.emit import ACK, FIN, PSH, SYN
from wardwatch.twin.fleet import kernels as k
from wardwatch.twin.fleet.hospital import Class, FleetPlan, hospital
from wardwatch.twin.fleet.life import alarm_causes
from wardwatch.twin.fleet.timeline import What
from wardwatch.twin.therapy import PRIORITIES, Alarm, Phase

if TYPE_CHECKING:
    from wardwatch.twin.certs import Pki

GATEWAY = emit.mac("00:00:0c:12:00:01")
DHCP, DNS, MDS, PCD = range(4)
SERVERS = ("10.20.0.5", "10.20.0.6", "10.20.0.30", "10.20.0.40")
"""DHCP, DNS, the pump server and the gateway of the other makers, all behind the router."""
HOSTS = {MDS: "mds.fleet.example", PCD: "pcd.fleet.example"}
REPORTS, PACKAGES, HL7 = 1588, 1580, 2575
"""Ports: domain/pump.md §2.1, and the registered one of HL7."""
VARIANTS = 64
"""Records of each size that the arena holds: encrypted octets repeat after some."""
REPORT_OCTETS, EVENT_OCTETS, RECEIPT_OCTETS = 1504, 480, 160
"""Of TLS records' bodies: blocks of 16 (RFC 2246 §6.2.3.2) [A]."""
PACKAGE_RECORD = 1440
"""The greatest that leaves a record in one segment."""
MS, US = 1_000_000, 1_000

# Marks, none of which a message contains by itself.
_MAC, _IP, _DOOR = bytes.fromhex("f1d2f3d4f5d6"), b"\xf9\xd7\xf8\xd9", b"\xe9\xd7\xe8\xd9"
_XID, _ID = 0xF2D3F4D5, 0xF3D6
_RANDOM = bytes(range(0xC0, 0xE0))
_EUI, _HEX, _NUMBER = "F1D2F3FFFED4F5D6", "f1d2f3d4f5d6", "97531864"
_STAMP = "20991231235958"


class Label(NamedTuple):
    """What a packet is, for the labels."""

    kind: str
    of_pump: bool = True


LABELS = tuple(
    Label(kind, kind != "ra")
    for kind in (
        "ra", "arp announce", "arp request", "arp reply", "dns query", "dns answer",
        "dhcp discover", "dhcp offer", "dhcp request", "dhcp ack", "tcp syn", "tcp synack", "tcp",
        "tls hello", "tls good chain", "tls finish", "report", "receipt", "infusion start",
        "infusion stop", "alarm start", "alarm end", "library request", "library package",
    )
)  # fmt: skip
_LABEL = {label.kind: number for number, label in enumerate(LABELS)}


class Tables(msgspec.Struct, frozen=True):
    """Everything the kernels read."""

    scripts: NDArray[np.int64]
    steps: NDArray[np.int64]
    templates: NDArray[np.int64]
    patches: NDArray[np.int64]
    arena: NDArray[np.uint8]
    sums: NDArray[np.int64]
    servers: NDArray[np.int64]
    gateway: NDArray[np.int64]


def tables(plan: FleetPlan, pki: Pki) -> Tables:
    """The scripts of every class for a plan."""
    make = _Maker(plan, pki)
    classes = hospital().classes
    scripts = np.zeros((len(classes), max(What) + 1, 2), np.int64)
    for number, one in enumerate(classes):
        for what, steps in make.scripts(one).items():
            scripts[number, what] = len(make.steps), len(make.steps) + len(steps)
            make.steps += steps
    arena = np.frombuffer(bytes(make.arena) + bytes(len(make.arena) % 2), np.uint8)
    words = arena.reshape(-1, 2).astype(np.int64)
    return Tables(
        scripts=scripts,
        steps=np.array(make.steps, np.int64),
        templates=np.array(make.templates, np.int64),
        patches=np.array(make.patches, np.int64),
        arena=arena,
        sums=np.concatenate([[0], np.cumsum(words[:, 0] * 256 + words[:, 1])]),
        servers=np.array([int.from_bytes(emit.ip4(ip), "big") for ip in SERVERS]),
        gateway=np.array([int.from_bytes(GATEWAY[:2], "big"), int.from_bytes(GATEWAY[2:], "big")]),
    )


class _Step(NamedTuple):
    """The columns of a step, in the order of :mod:`wardwatch.twin.fleet.kernels`."""

    dt: int
    who: int
    form: int
    mode: int
    peer: int
    cport: int
    port: int
    flags: int
    template: int
    choice: int
    repeat: int
    fresh: int
    slot: int
    label: int


class _Maker:
    """Collects templates and steps."""

    def __init__(self, plan: FleetPlan, pki: Pki) -> None:
        self.plan, self.pki = plan, pki
        self.arena = bytearray()
        self.templates: list[tuple[int, ...]] = []
        self.patches: list[tuple[int, int, int]] = []
        self.steps: list[_Step] = []
        self.draws = plan.draws("octets")
        self.records: dict[tuple[int, int], int] = {}

    # Templates

    def template(self, raw: bytes, *more: tuple[int, int, int]) -> int:
        """A message whose marks become patches; ``more`` are patches at known places."""
        found = list(more)
        text = False
        for mark, source in (
            (_MAC, k.S_MAC), (_IP, k.S_IP), (_DOOR, k.S_GATEWAY), (_XID.to_bytes(4, "big"), k.S_XID),
            (_RANDOM, k.S_RANDOM), (_EUI.encode(), k.S_EUI), (_HEX.encode(), k.S_HEX),
            (_NUMBER.encode(), k.S_NUMBER), (b"1357.91", k.S_RATE), (b"2468.13", k.S_VOLUME),
            (b"3579.24", k.S_LEFT),
        ):  # fmt: skip
            places = _places(raw, mark)
            found += [(place, source, len(mark)) for place in places]
            text = text or (bool(places) and source >= k.S_EUI)
        for turn, place in enumerate(_places(raw, _STAMP.encode())):
            # A message names first when it is sent, then when what it tells was so.
            found.append((place, k.S_MADE if turn else k.S_SENT, len(_STAMP)))
            text = True
        whole = bytearray(raw)
        for place, _, length in found:
            whole[place : place + length] = bytes(length)
        self.templates.append((len(self.arena), len(raw), len(self.patches), len(found), int(text)))
        self.patches += sorted(found)
        self.arena += whole + bytes(len(whole) % 2)
        return len(self.templates) - 1

    def record(self, octets: int, version: int = 0x0301) -> int:
        """Variants of an encrypted TLS record; the first one's number."""
        if (octets, version) not in self.records:
            bodies = [self.draws.bytes(octets) for _ in range(VARIANTS)]
            made = [
                self.template_plain(messages.record(messages.APPLICATION, body, version))
                for body in bodies
            ]
            self.records[octets, version] = made[0]
        return self.records[octets, version]

    def template_plain(self, raw: bytes) -> int:
        """A message without marks, whatever its octets are."""
        self.templates.append((len(self.arena), len(raw), 0, 0, 0))
        self.arena += raw + bytes(len(raw) % 2)
        return len(self.templates) - 1

    # Steps

    def frame(self, dt: int, who: int, raw: bytes, label: str) -> _Step:
        """A whole Ethernet frame with one tag."""
        template = self.template(raw, (14, k.S_VLAN, 2))
        return _Step(dt, who, k.RAW, k.ROUTED, 0, 0, 0, 0, template, 1, 0, 0, 0, _LABEL[label])

    def segment(
        self,
        dt: int,
        who: int,
        way: _Way,
        flags: int,
        label: str = "tcp",
        template: int = -1,
        choice: int = 1,
    ) -> _Step:
        """A message over TCP, or a segment without one."""
        fresh = int(flags == SYN)
        return _Step(
            dt, who, k.TCP, k.ROUTED, way.peer, 0, way.port, flags, template, choice, 0, fresh,
            way.slot, _LABEL[label],
        )  # fmt: skip

    def datagram(
        self, dt: int, who: int, mode: int, peer: int, ports: tuple[int, int], template: int,
        label: str,
    ) -> _Step:  # fmt: skip
        """A message over UDP; ports are the client's (0: by lot) and the server's."""
        return _Step(dt, who, k.UDP, mode, peer, *ports, 0, template, 1, 0, 0, 0, _LABEL[label])

    # Scripts

    def scripts(self, one: Class) -> dict[What, list[_Step]]:
        """What pumps of a class say for each kind of event."""
        medfusion = one.told.link in ("soap", "tls")
        way = _Way(MDS, REPORTS, 0) if medfusion else _Way(PCD, HL7, 0)
        found = {
            What.ROUTER: [self._router()],
            What.ANNOUNCE: [self._announce()],
            What.JOIN: self._arp() + self._dns(way.peer),
            What.LIBRARY: self._library(one, _Way(way.peer, PACKAGES, 1)),
            **self._dhcp(medfusion),
            **self._messages(one, way),
        }
        if one.connects == "once":
            opened = self._opened(one, way)
            found[What.JOIN] += opened
            found[What.REOPEN] = self._closed(way) + self._dns(way.peer) + opened
        return found

    def _router(self) -> _Step:
        packet = emit.router_advertisement(emit.link_local(GATEWAY), GATEWAY, 1800)
        raw = emit.ethernet(emit.ALL_NODES_MAC, GATEWAY, emit.IPV6, packet, (0,))
        return self.frame(0, 1, raw, "ra")

    def _announce(self) -> _Step:
        body = emit.arp(1, (_MAC, _IP), (bytes(6), _IP))
        raw = emit.ethernet(emit.BROADCAST, _MAC, emit.ARP, body, (0,))
        return self.frame(0, 0, raw, "arp announce")

    def _arp(self) -> list[_Step]:
        asked = emit.arp(1, (_MAC, _IP), (bytes(6), _DOOR))
        told = emit.arp(2, (GATEWAY, _DOOR), (_MAC, _IP))
        return [
            self.frame(0, 0, emit.ethernet(emit.BROADCAST, _MAC, emit.ARP, asked, (0,)), "arp request"),
            self.frame(400 * US, 1, emit.ethernet(_MAC, GATEWAY, emit.ARP, told, (0,)), "arp reply"),
        ]  # fmt: skip

    def _dns(self, peer: int) -> list[_Step]:
        asked = self.template(messages.dns_query(0, HOSTS[peer]), (0, k.S_ID, 2))
        answer = messages.dns_answer(0, HOSTS[peer], emit.ip4(SERVERS[peer]))
        told = self.template(answer, (0, k.S_ID, 2))
        return [
            self.datagram(3 * MS, 0, k.ROUTED, DNS, (0, 53), asked, "dns query"),
            self.datagram(2 * MS, 1, k.ROUTED, DNS, (0, 53), told, "dns answer"),
        ]

    def _opened(self, one: Class, way: _Way) -> list[_Step]:
        """SYN, SYN-ACK, ACK, and TLS where the class speaks it."""
        found = [
            self.segment(5 * MS, 0, way, SYN, "tcp syn"),
            self.segment(MS, 1, way, SYN | ACK, "tcp synack"),
            self.segment(MS, 0, way, ACK),
        ]
        if one.told.link != "tls":
            return found
        hello = self.template(messages.pump_hello(_RANDOM))
        flight = self.template(messages.server_flight(_RANDOM, [self.pki.server, self.pki.root]))
        mine = self.template_plain(
            messages.client_finish(self.draws.bytes(256), self.draws.bytes(48))
        )
        theirs = self.template_plain(messages.server_finish(self.draws.bytes(48)))
        return [
            *found,
            self.segment(2 * MS, 0, way, PSH | ACK, "tls hello", hello),
            self.segment(3 * MS, 1, way, PSH | ACK, "tls good chain", flight),
            self.segment(20 * MS, 0, way, PSH | ACK, "tls finish", mine),
            self.segment(3 * MS, 1, way, PSH | ACK, "tls finish", theirs),
            self.segment(MS, 0, way, ACK),
        ]

    def _closed(self, way: _Way) -> list[_Step]:
        return [
            self.segment(2 * MS, 0, way, FIN | ACK),
            self.segment(MS, 1, way, FIN | ACK),
            self.segment(MS, 0, way, ACK),
        ]

    def _messages(self, one: Class, way: _Way) -> dict[What, list[_Step]]:
        """Reports and events, each with its receipt."""
        found = {}
        for what, label in (
            (What.REPORT, "report"), (What.START, "infusion start"), (What.STOP, "infusion stop"),
            (What.ALARM, "alarm start"), (What.ALARM_END, "alarm end"),
        ):  # fmt: skip
            choice = 1
            if one.told.link == "tls":
                octets = REPORT_OCTETS if what is What.REPORT else EVENT_OCTETS
                said, receipt = self.record(octets), self.record(RECEIPT_OCTETS)
                choice = VARIANTS
            elif one.told.link == "soap":
                said = self.template(messages.maintenance(int(_NUMBER)))
                receipt = self.template(messages.receipt(int(_NUMBER)))
            else:
                sender = one.told.model.upper().replace(" ", "_")
                if what in (What.ALARM, What.ALARM_END):
                    bodies = [hl7(what, sender, cause) for cause in alarm_causes(self.plan)]
                    choice = k.DETAIL
                else:
                    bodies = [
                        hl7(what, sender, "", running=runs, library=version)
                        for version in (1, 2)
                        for runs in (False, True)
                    ]
                    choice = k.RUNNING
                first, *_ = [self.template(body) for body in bodies]
                said = first
                receipt = self.template(messages.hl7_ack(_HEX + _NUMBER, _STAMP + "+0000"))
            exchange = [
                self.segment(MS, 0, way, PSH | ACK, label, said, choice),
                self.segment(3 * MS, 1, way, PSH | ACK, "receipt", receipt, max(choice, 1)),
                self.segment(MS, 0, way, ACK),
            ]
            if one.connects == "each":
                exchange = self._opened(one, way) + exchange + self._closed(way)
            found[what] = exchange
        return found

    def _library(self, one: Class, way: _Way) -> list[_Step]:
        """A package over a connection of its own, at 5,000 segments a second."""
        asked, piece, choice = self.record(128), self.record(PACKAGE_RECORD), VARIANTS
        if one.told.link != "tls":
            asked = self.template_plain(b"LIBRARY 2\r\n")
            piece, choice = self.template_plain(self.draws.bytes(emit.MSS)), 1
        pairs = max(int(hospital()["library_kb"] * 1000 / (2 * emit.MSS)), 1)
        bulk = _Step(
            20 * MS, 1, k.BULK, k.ROUTED, way.peer, 0, way.port, PSH | ACK, piece, choice, pairs,
            0, way.slot, _LABEL["library package"],
        )  # fmt: skip
        return [
            *self._opened(one, way),
            self.segment(5 * MS, 0, way, PSH | ACK, "library request", asked, choice),
            bulk,
            *self._closed(way),
        ]

    def _dhcp(self, medfusion: bool) -> dict[What, list[_Step]]:
        """What a client says and the server answers over the relay (RFC 2131)."""
        server, resolver = emit.ip4(SERVERS[DHCP]), emit.ip4(SERVERS[DNS])
        lease = messages.lease(server, _DOOR, resolver, int(hospital()["lease_s"]))
        if medfusion:
            wanted = bytes([1, 3, 6])
            discover = messages.rtcs_discover(_XID, _MAC, wanted)
            request = messages.rtcs_request(_XID, _MAC, wanted, server, _IP)
            options: list[messages.Option] = [(61, b"\x01" + _MAC), (55, wanted)]
        else:
            discover = messages.busybox_discover(_XID, _MAC, "pump")
            request = messages.busybox_request(_XID, _MAC, "pump", server, _IP)
            options = [(57, b"\x02\x40"), (55, messages.BUSYBOX_LIST), (61, b"\x01" + _MAC)]
        again = messages.dhcp(
            1, messages.REQUEST, _XID, _MAC, [(50, _IP), *options], broadcast=medfusion
        )
        renew = messages.dhcp(1, messages.REQUEST, _XID, _MAC, options, ciaddr=_IP)

        def said(raw: bytes, label: str) -> _Step:
            template = self.template(raw, (8, k.S_SECS, 2))
            return self.datagram(0, 0, k.SHOUTED, DHCP, (68, 67), template, label)

        def told(dt: int, kind: int, label: str) -> _Step:
            raw = messages.dhcp(
                2, kind, _XID, _MAC, lease, yiaddr=_IP, giaddr=_DOOR, broadcast=medfusion
            )
            mode = k.ANNOUNCED if medfusion else k.HANDED
            return self.datagram(dt, 1, mode, DHCP, (68, 67), self.template(raw), label)

        acked = messages.dhcp(2, messages.ACKNOWLEDGE, _XID, _MAC, lease, yiaddr=_IP, ciaddr=_IP)
        return {
            What.DISCOVER: [said(discover, "dhcp discover")],
            What.OFFER: [told(0, messages.OFFER, "dhcp offer")],
            What.REQUEST: [said(request, "dhcp request")],
            What.ACK: [told(0, messages.ACKNOWLEDGE, "dhcp ack")],
            What.REBOOT: [
                said(again, "dhcp request"),
                told(20 * MS, messages.ACKNOWLEDGE, "dhcp ack"),
            ],
            What.RENEW: [
                self.datagram(0, 0, k.ROUTED, DHCP, (68, 67), self.template(renew), "dhcp request"),
                self.datagram(
                    20 * MS, 1, k.ROUTED, DHCP, (68, 67), self.template(acked), "dhcp ack"
                ),
            ],
        }


class _Way(NamedTuple):
    """To which server, on which port, by which of a pump's connections."""

    peer: int
    port: int
    slot: int


def hl7(what: What, sender: str, cause: str, *, running: bool = True, library: int = 1) -> bytes:
    """PCD-01 for reports, PCD-10 for infusion events, PCD-04 for alarms, with marks for patches."""
    device = pcd.Device("", _EUI, sender)
    at = int(datetime.strptime(_STAMP + "+0000", "%Y%m%d%H%M%S%z").timestamp()) * NS
    control = _HEX + _NUMBER
    phase = Phase.RUNNING if running else Phase.IDLE
    # In nL and nL/h what the marks say in mL: 1357.91, 2468.13 and 3579.24.
    rate, given, left = 1_357_910_000, 2_468_130_000, 3_579_240_000
    if what is What.REPORT:
        one = telling.Status(0, phase, rate, given, left, 0, library, 0, None)
        return pcd.report(device, one, at, control)
    if what in (What.START, What.STOP):
        kind = telling.What.START if what is What.START else telling.What.COMPLETE
        return pcd.event(
            device, telling.Happened(kind, phase, False, rate, given, given), at, control
        )
    alarm = ALARMS[cause]
    on = what is What.ALARM
    alarmed = telling.Alarmed(alarm, PRIORITIES[alarm], on, 0)
    # The filler id is that of the alarm's start: here of pump and cause (C-8).
    filler = f"{_HEX}-{cause.replace(' ', '-')}"
    return pcd.alarm(device, alarmed, "start" if on else "end", filler, at, control)


ALARMS = {
    "kvo": Alarm.COMPLETE,
    "complete": Alarm.COMPLETE,
    "hold expired": Alarm.CALLBACK,
    "downstream occlusion": Alarm.OCCLUSION,
    "door or syringe": Alarm.DISLODGED,
    "air": Alarm.FAILURE,
    "other": Alarm.BATTERY_LOW,
}
"""The head's alarm for each published cause; for air and for the rest it has none of that name [A]."""


def _places(raw: bytes, mark: bytes) -> list[int]:
    found, at = [], raw.find(mark)
    while at >= 0:
        found.append(at)
        at = raw.find(mark, at + len(mark))
    return found
