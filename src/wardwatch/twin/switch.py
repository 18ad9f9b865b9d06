"""Switch: which links of the hospital's network a frame passes, and what a tap on them catches.

One core switch joins a switch in each ward, the router and the servers. A frame for a group, or for
a MAC nobody has, floods its VLAN; any other goes from the sender's port to the receiver's alone
(IEEE 802.1Q §8.8). Hence a place of listening sees what passes there, and nothing else: whether an
attack can be observed from it is settled here, before anything is audited.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from wardwatch.twin import emit
from wardwatch.twin.cast import ICU, LAN, NICU, SERVERS
from wardwatch.twin.ward import AIR, TRUNK, Frame

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wardwatch.twin.ward import Station

CORE, ROUTER = "core", "router"
VNI = 5120
"""Of the ICU's VLAN where the ward's uplink is a tunnel."""
TUNNEL_ENDS = (
    (emit.mac("00:1c:73:0a:00:01"), emit.ip4("10.254.0.1")),
    (emit.mac("00:1c:73:0a:00:02"), emit.ip4("10.254.0.2")),
)
"""The ward switch's end and the core's: (MAC, address)."""
CARRIED = {
    CORE: (SERVERS, LAN, ICU, NICU),
    "sw-icu": (ICU,),
    "sw-nicu": (NICU, ICU),
    "sw-lan": (LAN,),
}
"""VLANs that each switch carries; the ICU's reaches a few ports beside the NICU."""
BESIDE = {ICU: "sw-icu", NICU: "sw-nicu", LAN: "sw-lan", SERVERS: CORE}
"""Where a station of a VLAN is plugged in, unless :data:`ELSEWHERE` names another switch."""
ELSEWHERE = {"dhcp": CORE, "dns": CORE, "far-laptop": "sw-nicu"}


class Passage(NamedTuple):
    """Where a frame goes."""

    sent: str
    """Station whose port it comes in by; "" the router's, or nobody's."""
    out: frozenset[str]
    """Stations whose ports it goes out of."""
    links: frozenset[str]
    """Switches whose uplink it crosses; the router's is ``router``."""
    switches: frozenset[str]
    """Switches it passes."""
    floods: bool = False
    """It goes out of every port of its VLAN."""


class Fabric:
    """The switches and who is plugged in where."""

    def __init__(self, stations: Iterable[Station]) -> None:
        self._at: dict[bytes, tuple[str, str, int]] = {}
        self.kinds: dict[str, str] = {}
        for one in stations:
            self.kinds[one.name] = one.kind
            if one.kind == "gateway":
                self._at[one.mac] = (ROUTER, "", 0)
            elif one.vlan:
                switch = ELSEWHERE.get(one.name, BESIDE[one.vlan])
                self._at[one.mac] = (switch, one.name, one.vlan)

    def passage(self, frame: Frame) -> Passage:
        """The ports and links that a wired frame passes; learnt MACs are assumed."""
        vlan, dst, src = frame.mark.vlan, frame.data[:6], frame.data[6:12]
        start, sent, _ = self._at.get(src, (BESIDE[vlan], "", vlan))
        known = self._at.get(dst)
        floods = bool(dst[0] & 1) or known is None or (known[0] != ROUTER and known[2] != vlan)
        if floods or known is None:
            switches = {name for name, vlans in CARRIED.items() if vlan in vlans} | {start}
            links = (switches | {ROUTER}) - {CORE}
            out = {
                name for switch, name, its in self._at.values()
                if its == vlan and switch in switches and name != sent
            }  # fmt: skip
        else:
            ends = {start, known[0]}
            links = ends - {CORE} if len(ends) == 2 else set()
            switches = (ends | {CORE} if links else ends) - {ROUTER}
            out = {known[1]} - {""}
        passed = frozenset(switches - {ROUTER})
        return Passage(sent, frozenset(out), frozenset(links), passed, floods)


class Tap(msgspec.Struct, frozen=True):
    """A place of listening: which frames pass it, and how it hands them on."""

    name: str
    says: str
    passes: Callable[[Frame, Passage, Fabric], bool]
    interface: int = TRUNK
    untags: bool = False
    """An access port: frames leave it without their tag."""
    uplink: bool = False
    """The ward switch's uplink, which may be a tunnel."""

    def caught(
        self, frames: Iterable[Frame], fabric: Fabric, *, tunnelled: bool = False
    ) -> tuple[Frame, ...]:
        """The frames that pass here, as they pass."""
        found = []
        for frame in frames:
            if frame.interface != self.interface:
                continue
            if frame.interface == AIR:
                found.append(frame)
                continue
            passage = fabric.passage(frame)
            if not self.passes(frame, passage, fabric):
                continue
            data = emit.untagged(frame.data) if self.untags else frame.data
            if self.uplink and tunnelled:
                up = passage.sent != "" and "sw-icu" in passage.switches
                ends = TUNNEL_ENDS if up else TUNNEL_ENDS[::-1]
                inner = emit.untagged(frame.data)
                data = emit.vxlan(ends, VNI, inner, emit.checksum(inner))
            found.append(frame._replace(data=data))
        return tuple(found)


def _pumps(names: Iterable[str], fabric: Fabric) -> bool:
    return any(fabric.kinds[name] == "infusion pump" for name in names if name)


TAPS: tuple[Tap, ...] = (
    Tap("vlan", "mirror of the pumps' VLAN on the ward's switch, tagged",
        lambda f, p, _: f.mark.vlan == ICU and "sw-icu" in p.switches),
    Tap("port", "an access port in the pumps' VLAN, no mirror: floods only, untagged",
        lambda f, p, _: f.mark.vlan == ICU and "sw-icu" in p.switches and p.floods, untags=True),
    Tap("trunk", "the ward switch's uplink, tagged (or VXLAN)",
        lambda f, p, _: "sw-icu" in p.links, uplink=True),
    Tap("relay", "the relay's uplink: the VLAN of the DHCP and DNS servers, tagged",
        lambda f, p, _: f.mark.vlan == LAN and ROUTER in p.links),
    Tap("routed", "mirror behind the router: the pump servers' ports, untagged",
        lambda f, p, _: f.mark.vlan == SERVERS and CORE in p.switches, untags=True),
    Tap("from", "one direction: what the pumps send, tagged",
        lambda f, p, fabric: f.mark.vlan == ICU and _pumps([p.sent], fabric)),
    Tap("to", "one direction: what is sent to the pumps, tagged",
        lambda f, p, fabric: f.mark.vlan == ICU and _pumps(p.out, fabric)),
    Tap("air", "a wireless monitor: 802.11 only",
        lambda f, p, _: True, AIR),
)  # fmt: skip
"""Every vantage point of the drill."""
