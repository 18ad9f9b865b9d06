"""Places: the ward under a hospital's own addresses, as its site file states them.

Taken from confirmed lines: the first zone of pumps (VLAN and IPv4 subnet), its router and relay, the
first DHCP server, resolver and pump server, with their MACs where they are named. Everything else
stays the twin's own. Nothing of the hospital's network is touched: only numbers are borrowed.
"""

from __future__ import annotations

from ipaddress import IPv4Network, ip_address, ip_network
from typing import TYPE_CHECKING

import msgspec

from wardwatch.twin import emit
from wardwatch.twin.cast import ICU, LAN, NATIVE, NICU, SERVERS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wardwatch.model.site import Site
    from wardwatch.twin.ward import Frame, Station

SMALLEST = 24
"""Longest prefix of a subnet that holds the ward's pumps: their host numbers go up to 250."""
OWN_VLANS = (SERVERS, LAN, ICU, NICU, NATIVE)


class Places(msgspec.Struct, frozen=True):
    """What of the ward bears a hospital's numbers."""

    vlans: dict[int, int] = {}
    """The twin's VID → the hospital's."""
    subnet: str = ""
    """Of the pumps, CIDR; "" the twin's own."""
    ips: dict[str, str] = {}
    """Station → IPv4 address."""
    macs: dict[str, str] = {}
    """Station → MAC."""
    said: tuple[str, ...] = ()
    """What was taken, and what stayed the twin's, a sentence each."""

    def station(self, one: Station) -> Station:
        """A station under these numbers."""
        ip, mac = one.ip, one.mac
        if self.subnet and one.vlan == ICU and ip[:2] == bytes([10, ICU]):
            network = ip_network(self.subnet)
            ip = (int(network.network_address) + ip[3]).to_bytes(4, "big")
        if one.name in self.ips:
            ip = emit.ip4(self.ips[one.name])
        if one.name in self.macs:
            mac = emit.mac(self.macs[one.name])
        return msgspec.structs.replace(one, ip=ip, mac=mac)

    def frame(self, frame: Frame) -> Frame:
        """A frame under the hospital's VIDs."""
        data, at = frame.data, 12
        while data[at : at + 2] == b"\x81\x00":
            tag = int.from_bytes(data[at + 2 : at + 4], "big")
            tag = tag & 0xF000 | self.vlans.get(tag & 0xFFF, tag & 0xFFF)
            data = data[: at + 2] + tag.to_bytes(2, "big") + data[at + 4 :]
            at += 4
        return frame._replace(data=data)


def places(site: Site) -> Places:
    """The numbers that a site file confirms, as far as the ward can take them."""
    said: list[str] = []
    vlans: dict[int, int] = {}
    subnet = ""
    ips: dict[str, str] = {}
    macs: dict[str, str] = {}
    zone = next((z for z in site.zone if z.confirmed and z.pumps), None)
    if zone is None:
        said.append("no confirmed zone of pumps: VLAN and subnet stay the twin's own")
    else:
        if zone.vlans:
            vlans = _free(zone.vlans[0])
            said.append(f"pumps stand in VLAN {zone.vlans[0]} of zone {zone.name!r}")
        subnet = next((s for s in zone.subnets if _holds(s)), "")
        said.append(f"pumps have addresses of {subnet}" if subnet else "no IPv4 subnet of /24 or wider in that zone: addresses stay the twin's own")  # fmt: skip
    for role, name in (("dhcp", "dhcp"), ("dns", "dns"), ("pump_server", "mds-icu")):
        line = next((s for s in site.servers(role) if _v4(s.ip)), None)
        if line is None:
            said.append(
                f"no confirmed {role}: the twin's own is used, and the site file does not know it"
            )
            continue
        ips[name] = line.ip
        macs |= {name: line.macs[0]} if line.macs else {}
        said.append(f"{role} is {line.ip}")
    door = [
        s for role in ("relay", "router") for s in site.servers(role)
        if _v4(s.ip) and subnet and ip_address(s.ip) in ip_network(subnet, strict=False)
    ]  # fmt: skip
    if door:
        ips[f"gateway-{ICU}"] = door[0].ip
        said.append(f"the pumps' router is {door[0].ip}")
        named = next((s.macs[0] for s in door if s.macs), "")
        # One router with one MAC in every VLAN, as the twin's own.
        macs |= {f"gateway-{vlan}": named for vlan in OWN_VLANS} if named else {}
    else:
        said.append("no confirmed router or relay in the pumps' subnet: the twin's own is used")
    return Places(vlans, subnet, ips, macs, tuple(said))


def moved(stations: Iterable[Station], to: Places) -> tuple[Station, ...]:
    """Everybody under these numbers; a station whose address a server took gets another."""
    found = [to.station(one) for one in stations]
    fixed = {emit.ip4(ip) for ip in to.ips.values()}
    return tuple(
        msgspec.structs.replace(one, ip=one.ip[:3] + bytes([251 - n % 100]))
        if one.ip in fixed and one.name not in to.ips and one.vlan == ICU
        else one
        for n, one in enumerate(found)
    )


def _free(vid: int) -> dict[int, int]:
    """The pumps' VID; another of the twin's that bears the same number takes the pumps' old one."""
    return {ICU: vid} | {own: ICU for own in OWN_VLANS if own == vid and own != ICU}


def _holds(text: str) -> bool:
    try:
        network = ip_network(text)
    except ValueError:
        return False
    return isinstance(network, IPv4Network) and network.prefixlen <= SMALLEST


def _v4(text: str) -> bool:
    try:
        return ip_address(text).version == 4
    except ValueError:
        return False
