"""Policy: what a person has confirmed of a segment; lines nobody confirmed say nothing."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from wardwatch.model.values import NS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

    from wardwatch.model.site import Confirmed, Site, TrustedServer, Zone

IN_WINDOW = "in a declared window, confirm with biomed"
SCANNER = "an authorised scanner"
VIRTUAL_MACS = (
    "00:00:5e:00:01:",
    "00:00:5e:00:02:",
    "00:00:0c:07:ac:",
    "00:00:0c:9f:f",
    "00:07:b4:",
)
"""VRRP (RFC 9568 §7.3, v4 and v6), HSRP versions 1 and 2, GLBP: a router's MAC that several share."""


def is_virtual(mac: str) -> bool:
    """Whether a MAC belongs to a group of routers, not to one machine."""
    return mac.startswith(VIRTUAL_MACS)


def base(segment: str) -> str:
    """A segment's name without the interface behind ``@``."""
    return segment.partition("@")[0]


_OUTER = re.compile(r"(?:s-)?vlan \d+ (?=vlan \d)")


def names_of(segment: str) -> tuple[str, ...]:
    """What a person may have written for a segment: its name, and that without an interface.

    Also without the outer of two tags: in a tunnel of 802.1Q the VLAN's own number is the inner one.
    """
    plain = base(segment)
    return segment, plain, _OUTER.sub("", plain)


def outer_vlan(segment: str) -> int:
    """The VID of the outer of two C-TAGs in a segment's name; -1 with one tag, or a provider's outside."""
    found = re.search(r"(?<!s-)\bvlan (\d+) vlan \d", base(segment))
    return int(found[1]) if found else -1


def vlan_of(segment: str) -> int:
    """The innermost VID in a segment's name; -1 where it has none."""
    found = re.findall(r"vlan (\d+)", base(segment))
    return int(found[-1]) if found else -1


def tags_of(segment: str) -> tuple[str, ...]:
    """The VLAN tags in a segment's name: where they are the same, conversations are one."""
    return tuple(re.findall(r"(?:s-)?vlan \d+", base(segment)))


def in_subnets(ip: str, subnets: Iterable[str]) -> bool:
    """Whether an address lies in one of some CIDR texts; what cannot be read matches nothing."""
    address = _address(ip)
    if address is None:
        return False
    networks = (_network(text) for text in subnets)
    return any(network is not None and address in network for network in networks)


@lru_cache(maxsize=1024)
def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An address, read once: one is held against one zone after the other."""
    try:
        return ip_address(text)
    except ValueError:
        return None


@lru_cache(maxsize=1024)
def _network(text: str) -> IPv4Network | IPv6Network | None:
    """A CIDR text as a network, read once: the same few are asked of many addresses."""
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def zone_of(site: Site, segment: str, ips: Sequence[str] = ()) -> Zone | None:
    """The confirmed zone that names a segment, or whose subnets hold one of the addresses."""
    zones = [zone for zone in site.zone if zone.confirmed]
    for zone in zones:
        if vlan_of(segment) in zone.vlans or not set(zone.segments).isdisjoint(names_of(segment)):
            return zone
    return next((z for z in zones if any(in_subnets(ip, z.subnets) for ip in ips)), None)


def serves(server: TrustedServer, segment: str) -> bool:
    """Whether a confirmed server may serve a segment."""
    return not server.segments or not set(server.segments).isdisjoint(names_of(segment))


def permitted(site: Site, role: str, segment: str) -> tuple[TrustedServer, ...]:
    """The confirmed servers of a role that may serve a segment."""
    return tuple(server for server in site.servers(role) if serves(server, segment))


def macs_of(servers: Iterable[TrustedServer]) -> set[str]:
    """The MACs that confirmed servers are named with, lower case."""
    return {mac.lower() for server in servers for mac in server.macs}


def said_by(lines: Iterable[Confirmed]) -> str:
    """Who confirmed some lines, and when, each once."""
    return "; ".join(dict.fromkeys(f"{line.confirmed_by}, {line.confirmed_on}" for line in lines))


def instant(text: str, *, end_of_day: bool = False) -> int | None:
    """An ISO 8601 date or time as ns UTC (no offset: UTC); None where it is none."""
    try:
        stamp = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    if end_of_day and len(text.strip()) == 10:
        stamp += timedelta(days=1, microseconds=-1)
    if stamp.tzinfo is None:
        stamp = stamp.replace(tzinfo=UTC)
    return int(stamp.timestamp()) * NS + stamp.microsecond * 1000


def label(site: Site, first_ts: int, last_ts: int, mac: str, ip: str, zone: Zone | None) -> str:
    """What the hospital declared of this time or this actor; it labels, and never deletes."""
    for scanner in site.scanner:
        if scanner.confirmed and is_scanner(scanner.ip, scanner.mac, mac, ip):
            return SCANNER
    for window in site.window:
        start, end = instant(window.start), instant(window.end, end_of_day=True)
        if (
            window.confirmed
            and start is not None
            and end is not None
            and start <= first_ts
            and last_ts <= end
            and (not window.zone or (zone is not None and zone.name == window.zone))
        ):
            return IN_WINDOW
    return ""


def is_scanner(scanner_ip: str, scanner_mac: str, mac: str, ip: str) -> bool:
    """Whether an actor is the scanner of a line: its address, and its MAC where both are known."""
    return (
        bool(ip) and ip == scanner_ip and (not scanner_mac or not mac or mac == scanner_mac.lower())
    )


def scanner_ips(site: Site) -> list[str]:
    """Addresses of confirmed scanners."""
    return [scanner.ip for scanner in site.scanner if scanner.confirmed]
