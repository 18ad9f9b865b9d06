"""Cast: who stands on the ward of the demo day, and what the hospital states of it."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

import msgspec

from wardwatch.twin import certs, emit
from wardwatch.twin.ward import Station, Ward, profiles

if TYPE_CHECKING:
    from wardwatch.twin.certs import Pki

SERVERS, LAN, ICU, NICU = 20, 30, 120, 121
"""VLANs: pump servers (behind the router, not mirrored), hospital LAN, and two wards of pumps."""
NATIVE = 1
"""The VLAN of ports that nobody set, and of what passes a trunk without a tag: every switch's default."""
MIRRORED = (LAN, ICU, NICU)
WARDS = (ICU, NICU)
HOSTS = {
    "mds-icu": "mds.icu.ward.example",
    "mds-nicu": "mds.nicu.ward.example",
    "gateway-hl7": "pcd.ward.example",
    "intranet": "intranet.ward.example",
}
"""Names of the servers behind the router."""


def stations(seed: int) -> tuple[Station, ...]:
    """Everybody of the demo day; prefixes of makers are facts, the rest is made up of the seed."""
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
        _station("wall-clock", "clock", "00:0e:8e:30:00:61", "10.30.0.61", LAN),
        _station("printer", "printer", "00:1b:78:30:00:60", "10.30.0.60", LAN),
    ]
    versions = ("1.1.2", "1.1.2", "1.6.0", "1.5.0", "1.5.0", "1.6.0", "1.6.1")
    found += [
        _pump(f"icu-{n}", f"00:1a:01:00:01:{n:02x}", ICU, 100 + n, f"medfusion-4000-{v}", "mds-icu")
        for n, v in enumerate(versions, 1)
    ]
    found += [
        _pump(
            f"nicu-{n}",
            f"00:1a:01:00:02:{n:02x}",
            NICU,
            100 + n,
            "medfusion-4000-1.6.1",
            "mds-nicu",
        )
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
    draws = Random(f"{seed}/cast")  # noqa: S311 — a twin, no secret
    serial, host = draws.randrange(256), draws.randrange(80)
    return tuple(_moved(station, serial, host) for station in found)


def _moved(station: Station, serial: int, host: int) -> Station:
    """The same machine with another MAC of its maker and, on a ward of pumps, another address."""
    mac, ip = bytearray(station.mac), bytearray(station.ip)
    mac[3] = mac[3] + serial & 0xFF
    if station.vlan in WARDS and station.kind != "gateway" and ip[0] == 10:
        ip[3] += host
    return msgspec.structs.replace(station, mac=bytes(mac), ip=bytes(ip))


def _station(name: str, kind: str, mac: str, ip: str, vlan: int) -> Station:
    return Station(name, kind, emit.mac(mac), emit.ip4(ip), vlan)


def _pump(name: str, mac: str, vlan: int, host: int, profile: str, server: str) -> Station:
    ip = bytes([10, vlan, 0, host]) if vlan else bytes(4)
    serial = f"M{int(mac[-5:].replace(':', ''), 16):06d}"
    return Station(name, "infusion pump", emit.mac(mac), ip, vlan, profile, serial, server)


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


def site_toml(ward: Ward, start: str, pki: Pki, *, lapsed: bool = False) -> str:
    """The site file; ``lapsed`` lets the attestations of backups and physical access run out."""
    date = datetime.fromisoformat(start)
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
    add("root", pem=certs.pem(pki.root))
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
