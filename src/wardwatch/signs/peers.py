"""Peers: whom devices speak with on their own side of every router, and who is forbidden there."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING

import msgspec

from wardwatch.model.evidence import Evidence
from wardwatch.model.site import PermittedPeer, Zone
from wardwatch.signs.cited import values
from wardwatch.signs.owners import about, owned
from wardwatch.signs.policy import in_subnets, permitted, scanner_ips, zone_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from ipaddress import IPv4Address, IPv6Address

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
    """Frames of it bore the device's own MAC: they were on its side of every router."""
    other_mac_seen: bool
    """Frames of it bore another MAC for the device: a router's, mostly."""
    first_ts: int
    last_ts: int
    packets: int
    evidence: Evidence

    def is_near(self, places: Sequence[str]) -> bool:
        """Whether it was on the device's side of every router; ``places`` are where the device speaks.

        A tap hands on each direction by a port of its own: what was sent to the device is then not
        heard where it speaks, and yet bears its MAC. A mirror without tags shows both sides of a
        router as one segment: what bears the router's MAC was not on the device's.
        """
        return self.device_mac_seen or (self.segment in places and not self.other_mac_seen)

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
    # Each conversation is looked at once; one of two devices is a contact of both.
    rows = about(
        scene,
        devices,
        f""",
        near AS (
            -- picked up in the middle, the answer may have been seen first: the service is then
            -- at the port of the one who seems to have begun
            SELECT o.device AS orig, r.device AS resp, s.device AS silent, segment, orig_h, resp_h,
                orig_l2_addr, CASE WHEN resp_pkts > 0 THEN resp_l2_addr ELSE silent_l2_addr END AS resp_mac,
                proto, orig_p, resp_p, resp_pkts > 0 AS answered,
                (proto = 'udp' AND orig_p BETWEEN 0 AND 1023 AND resp_p > 1023)
                    OR (proto = 'tcp' AND NOT contains(history, 'S') AND orig_p < resp_p) AS reversed,
                first_ts, last_ts, orig_pkts + resp_pkts AS packets, capture, first_packet
            FROM conversations LEFT JOIN owners o ON o.address = orig_h
            LEFT JOIN owners r ON r.address = resp_h
            LEFT JOIN owners s ON s.address = silent_l2_addr
            WHERE coalesce(o.device, r.device, s.device) IS NOT NULL
                AND NOT (proto = 'icmp6' AND orig_p BETWEEN {ND_TYPES.start} AND {ND_TYPES.stop - 1}))
        SELECT orig, resp, silent, segment, orig_h, resp_h, orig_l2_addr, resp_mac, proto,
            CASE WHEN reversed THEN orig_p ELSE resp_p END AS port, answered, reversed,
            min(first_ts) AS first_ts, max(last_ts) AS last_ts, sum(packets)::BIGINT AS packets,
            min((first_ts, capture, first_packet)) AS first
        FROM near GROUP BY ALL""",
        of=("conversations",),
    )
    forwards = {device.id for device in devices if _forwards(device)}
    found: dict[_Key, _Seen] = {}
    for (
        orig, resp, silent, segment, orig_h, resp_h, orig_mac, resp_mac, proto, port, answered,
        reversed_, first_ts, last_ts, packets, first,
    ) in rows:  # fmt: skip
        ways = []
        if orig is not None:
            ways.append((orig, True, orig_mac))
        if resp is not None:
            ways.append((resp, False, resp_mac))
        # At an address that nobody is known to hold, but to the device's own MAC: the end that
        # never spoke is the device, since what is for one behind a router bears the router's.
        if (
            silent is not None
            and silent not in forwards
            and (orig_h if answered else resp_h) not in known
        ):
            ways.append((silent, answered, orig_mac if answered else resp_mac))
        for device, begins, mac in ways:
            own, peer = (orig_h, resp_h) if begins else (resp_h, orig_h)
            if proto == "icmp6" and peer.startswith("fe80:"):
                continue
            # An access point may hand on a group's frames to one station's MAC (directed
            # multicast, IEEE 802.11).
            if _is_group(peer) or (own not in known and _is_group(own)):
                continue
            # DHCP servers are judged by their own measure, and speak before there is an address.
            if proto == "udp" and port in (67, 68):
                continue
            key = (device, segment, own, peer, begins == reversed_, proto, port)
            own_mac = known.get(mac) == device
            other_mac = bool(mac) and not own_mac
            seen = (
                reversed_ or answered, own_mac, other_mac, first_ts, last_ts, packets, values(first)
            )  # fmt: skip
            before = found.get(key)
            found[key] = seen if before is None else _both(before, seen)
    for key, (answered, own_mac, other_mac, first_ts, last_ts, packets, first) in sorted(
        found.items(), key=_in_order
    ):
        yield Contact(
            *key,
            answered=answered,
            device_mac_seen=own_mac,
            other_mac_seen=other_mac,
            first_ts=first_ts,
            last_ts=last_ts,
            packets=packets,
            evidence=Evidence(first[1], first[2]),
        )


_Key = tuple[str, str, str, str, bool, str, int]
"""What makes a contact one: device, segment, its address, the peer's, inbound, protocol, port."""
_Seen = tuple[bool, bool, bool, int, int, int, tuple[int, int, int]]
"""Whether it was answered, whether the device's own MAC was seen, and another in its place; first
and last stamp, packets, the first of them."""


def _both(one: _Seen, other: _Seen) -> _Seen:
    """What two groups of conversations of one contact tell together."""
    return (
        one[0] or other[0],
        one[1] or other[1],
        one[2] or other[2],
        min(one[3], other[3]),
        max(one[4], other[4]),
        one[5] + other[5],
        min(one[6], other[6]),
    )


def _in_order(contact: tuple[_Key, _Seen]) -> tuple[str, int, str, tuple[int, int, int]]:
    (device, _, _, peer, *_), (_, _, _, first_ts, _, _, first) = contact
    return device, first_ts, peer, first


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
    own = tuple(ips)
    return scene.once(("policy", segment, own), lambda: _policy_of(scene, segment, own))


def _policy_of(scene: Scene, segment: str, ips: tuple[str, ...]) -> Policy:
    zone = zone_of(scene.site, segment, ips)
    peers = tuple(
        p for p in scene.site.peer if p.confirmed and zone is not None and p.zone == zone.name
    )
    return Policy(zone, peers)


def is_permitted(scene: Scene, policy: Policy, contact: Contact) -> bool:
    """Whether a confirmed line allows a contact; scanners and confirmed servers are allowed."""
    if contact.peer in scanner_ips(scene.site):
        return True
    served = scene.once(("served", contact.segment), lambda: _served(scene, contact.segment))
    for ports in served.get(contact.peer, ()):
        if not ports or contact.port in ports:
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


def _served(scene: Scene, segment: str) -> dict[str, list[tuple[int, ...]]]:
    """By address of a confirmed server of a segment: :data:`ROLE_PORTS` of its roles."""
    found: dict[str, list[tuple[int, ...]]] = {}
    for role, ports in ROLE_PORTS.items():
        for server in permitted(scene.site, role, segment):
            found.setdefault(server.ip, []).append(ports)
    return found


def is_internet(contact: Contact) -> bool:
    """Whether a device with a private address meets a global one."""
    return _is_global(contact.peer) is True and _is_global(contact.device_ip) is False


@lru_cache(maxsize=65_536)
def _is_global(ip: str) -> bool | None:
    """Whether an address is one of the internet; None what is no address."""
    address = _address(ip)
    return None if address is None else address.is_global


@lru_cache(maxsize=65_536)
def _is_group(ip: str) -> bool:
    """Multicast, broadcast or the unspecified address; a subnet's broadcast ends in 255."""
    address = _address(ip)
    return (
        address is None
        or address.is_multicast
        or address.is_unspecified
        or ip == "255.255.255.255"
        or (address.version == 4 and ip.endswith(".255"))
    )


@lru_cache(maxsize=65_536)
def _address(ip: str) -> IPv4Address | IPv6Address | None:
    """What an address in words is; None for what is none."""
    try:
        return ip_address(ip)
    except ValueError:
        return None
