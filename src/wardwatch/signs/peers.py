"""Peers: whom devices speak with on their own side of every router, and who is forbidden there."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING

import msgspec

from wardwatch.model.evidence import Evidence
from wardwatch.model.site import PermittedPeer, Zone
from wardwatch.signs.owners import about, owned
from wardwatch.signs.policy import in_subnets, permitted, scanner_ips, zone_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from wardwatch.inventory.scene import Scene
    from wardwatch.model.device import Device


ROLE_PORTS: dict[str, tuple[int, ...]] = {
    "dhcp": (67, 68),
    "relay": (67, 68),
    "dns": (53,),
    "ntp": (123,),
    "dhcpv6": (546, 547),
    "router": (),
    "pump_server": (),
}
"""What a confirmed server of a role may be spoken with about; () anything."""

ND_TYPES = range(133, 138)
"""Neighbour discovery is how IPv6 finds its link, no peer (RFC 4861 §4)."""


class Contact(msgspec.Struct, frozen=True):
    """Conversations of one device with one peer about one service, in one segment."""

    device: str
    segment: str
    device_ip: str
    peer: str
    inbound: bool
    """The peer spoke first."""
    proto: str
    port: int
    answered: bool
    device_mac_seen: bool
    first_ts: int
    last_ts: int
    packets: int
    evidence: Evidence

    @property
    def text(self) -> str:
        """For a person."""
        way = "from" if self.inbound else "to"
        port = f"/{self.port}" if self.port >= 0 and self.proto in ("tcp", "udp") else ""
        return f"{self.proto}{port} {way} {self.peer}"


def contacts(scene: Scene, devices: Sequence[Device]) -> list[Contact]:
    """Every contact of these devices; broadcast, multicast and neighbour discovery are none."""
    return scene.once(
        ("contacts", *(device.id for device in devices)), lambda: list(_contacts(scene, devices))
    )


def _contacts(scene: Scene, devices: Sequence[Device]) -> Iterator[Contact]:
    known = owned(devices)
    rows = about(
        scene,
        devices,
        f""",
        turned AS (
            -- picked up in the middle, the answer may have been seen first: the service is then
            -- at the port of the one who seems to have begun
            SELECT *, (proto = 'udp' AND orig_p BETWEEN 0 AND 1023 AND resp_p > 1023)
                OR (proto = 'tcp' AND NOT contains(history, 'S') AND orig_p < resp_p) AS reversed
            FROM conversations),
        ways AS (
            SELECT device, c.segment, orig_h AS device_ip, resp_h AS peer, reversed AS inbound,
                proto, CASE WHEN reversed THEN orig_p ELSE resp_p END AS port,
                reversed OR resp_pkts > 0 AS answered, orig_l2_addr AS l2, orig_p AS kind,
                first_ts, last_ts, orig_pkts + resp_pkts AS packets, capture, first_packet
            FROM turned c JOIN owners ON orig_h = address
            UNION ALL
            SELECT device, c.segment, resp_h, orig_h, NOT reversed, proto,
                CASE WHEN reversed THEN orig_p ELSE resp_p END,
                reversed OR resp_pkts > 0, resp_l2_addr, orig_p, first_ts, last_ts,
                orig_pkts + resp_pkts, capture, first_packet
            FROM turned c JOIN owners ON resp_h = address
            UNION ALL
            -- at an address that nobody is known to hold, but to the device's own MAC: the end that
            -- never spoke is the device, since what is for one behind a router bears the router's
            SELECT device, c.segment, CASE WHEN resp_pkts = 0 THEN resp_h ELSE orig_h END AS own,
                CASE WHEN resp_pkts = 0 THEN orig_h ELSE resp_h END,
                CASE WHEN resp_pkts = 0 THEN NOT reversed ELSE reversed END,
                proto, CASE WHEN reversed THEN orig_p ELSE resp_p END,
                reversed OR resp_pkts > 0, '', orig_p, first_ts, last_ts,
                orig_pkts + resp_pkts, capture, first_packet
            FROM turned c JOIN owners ON silent_l2_addr = address
            WHERE device IN (SELECT unnest(?::VARCHAR[])) AND own NOT IN (SELECT address FROM owners))
        SELECT device, segment, device_ip, peer, inbound, proto, port,
            bool_or(answered) AS answered, bool_or(l2 IN (SELECT address FROM owners)) AS own_mac,
            min(first_ts) AS first_ts, max(last_ts) AS last_ts, sum(packets) AS packets,
            min((first_ts, capture, first_packet)) AS first
        FROM ways
        WHERE NOT (proto = 'icmp6' AND kind BETWEEN {ND_TYPES.start} AND {ND_TYPES.stop - 1})
            AND NOT (proto = 'icmp6' AND starts_with(peer, 'fe80:'))
        GROUP BY ALL ORDER BY device, first_ts, peer""",
        ([device.id for device in devices if not _forwards(device)],),
        of=("conversations",),
    )
    for row in rows:
        # An access point may hand on a group's frames to one station's MAC (directed multicast, IEEE 802.11).
        if _is_group(row.peer) or (row.device_ip not in known and _is_group(row.device_ip)):
            continue
        # DHCP servers are judged by their own measure, and speak before there is an address.
        if row.proto == "udp" and row.port in (67, 68):
            continue
        first = tuple(row.first.values()) if isinstance(row.first, dict) else row.first
        yield Contact(
            device=row.device,
            segment=row.segment,
            device_ip=row.device_ip,
            peer=row.peer,
            inbound=row.inbound,
            proto=row.proto,
            port=row.port,
            answered=row.answered,
            device_mac_seen=row.own_mac,
            first_ts=row.first_ts,
            last_ts=row.last_ts,
            packets=int(row.packets),
            evidence=Evidence(first[1], first[2]),
        )


def _forwards(device: Device) -> bool:
    """Whether it hands on packets for others, so that what its MAC is sent may be for them."""
    return any(trait.rule in ("router-routing", "router-forwards") for trait in device.traits)


class Policy(msgspec.Struct, frozen=True):
    """What a person confirmed of a device's peers."""

    zone: Zone | None
    peers: tuple[PermittedPeer, ...]

    @property
    def stated(self) -> bool:
        """Whether a zone and at least one permitted peer of it stand confirmed."""
        return self.zone is not None and bool(self.peers)


def policy_of(scene: Scene, segment: str, ips: Iterable[str]) -> Policy:
    """The confirmed zone of a device and the confirmed peers of that zone."""
    zone = zone_of(scene.site, segment, tuple(ips))
    peers = tuple(
        p for p in scene.site.peer if p.confirmed and zone is not None and p.zone == zone.name
    )
    return Policy(zone, peers)


def is_permitted(scene: Scene, policy: Policy, contact: Contact) -> bool:
    """Whether a confirmed line allows a contact; scanners and confirmed servers are allowed."""
    if contact.peer in scanner_ips(scene.site):
        return True
    for role, ports in ROLE_PORTS.items():
        for server in permitted(scene.site, role, contact.segment):
            if server.ip == contact.peer and (not ports or contact.port in ports):
                return True
    for line in policy.peers:
        if (
            in_subnets(contact.peer, [line.peer])
            and line.proto in ("", contact.proto)
            and (
                not line.ports or contact.port in line.ports or contact.proto not in ("tcp", "udp")
            )
        ):
            return True
    return False


def is_internet(contact: Contact) -> bool:
    """Whether a device with a private address meets a global one."""
    try:
        return ip_address(contact.peer).is_global and not ip_address(contact.device_ip).is_global
    except ValueError:
        return False


@lru_cache(maxsize=65_536)
def _is_group(ip: str) -> bool:
    """Multicast, broadcast or the unspecified address; a subnet's broadcast ends in 255."""
    try:
        address = ip_address(ip)
    except ValueError:
        return True
    return (
        address.is_multicast
        or address.is_unspecified
        or ip == "255.255.255.255"
        or (address.version == 4 and ip.endswith(".255"))
    )
