"""Switch: which links of the hospital's network a frame passes, and what a tap on them catches.

One core switch joins a switch in each ward, the router and the servers. A frame for a group, or for
a MAC nobody has, floods its VLAN; any other goes from the sender's port to the receiver's alone
(IEEE 802.1Q §8.8). A frame of the trunks' native VLAN passes them without its tag; if a second tag
stands beneath, the next switch takes the frame into that one's VLAN. Hence a place of listening sees
what passes there, and nothing else: whether an attack can be observed from it is settled here,
before anything is audited.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from wardwatch.twin import emit
from wardwatch.twin.cast import ICU, LAN, NATIVE, NICU, SERVERS
from wardwatch.twin.ward import AIR, TRUNK, Frame

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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
    CORE: (SERVERS, LAN, ICU, NICU, NATIVE),
    "sw-icu": (ICU, NATIVE),
    "sw-nicu": (NICU, ICU, NATIVE),
    "sw-lan": (LAN, NATIVE),
}
"""VLANs that each switch carries; the ICU's reaches a few ports beside the NICU."""
BESIDE = {ICU: "sw-icu", NICU: "sw-nicu", LAN: "sw-lan", SERVERS: CORE, NATIVE: "sw-nicu"}
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
        self._passages: dict[tuple[bytes, int], Passage] = {}
        """By both MACs and the VLAN, from which alone a passage follows: they come again and again."""
        for one in stations:
            self.kinds[one.name] = one.kind
            if one.kind == "gateway":
                self._at[one.mac] = (ROUTER, "", 0)
            elif one.vlan:
                switch = ELSEWHERE.get(one.name, BESIDE[one.vlan])
                self._at[one.mac] = (switch, one.name, one.vlan)

    def passage(self, frame: Frame) -> Passage:
        """The ports and links that a wired frame passes in its VLAN; learnt MACs are assumed."""
        key = frame.data[:12], frame.mark.vlan
        if key not in self._passages:
            self._passages[key] = self._passage(frame)
        return self._passages[key]

    def _passage(self, frame: Frame) -> Passage:
        vlan = frame.mark.vlan
        start, sent = self._sender(frame)
        known = self._receiver(frame)
        if known is None:
            switches = {name for name, vlans in CARRIED.items() if vlan in vlans} | {start}
            links = (switches | {ROUTER}) - {CORE}
            out = self._ports(vlan, switches) - {sent}
        else:
            ends = {start, known[0]}
            links = ends - {CORE} if len(ends) == 2 else set()
            switches = (ends | {CORE} if links else ends) - {ROUTER}
            out = {known[1]} - {""}
        passed = frozenset(switches - {ROUTER})
        return Passage(sent, frozenset(out), frozenset(links), passed, known is None)

    def passages(self, frame: Frame) -> Iterator[tuple[Frame, Passage]]:
        """A frame as it is on its way, and where: in two VLANs, one after the other, if it hops."""
        inner = _second_tag(frame.data) if frame.mark.vlan == NATIVE else -1
        if inner < 0:
            yield frame, self.passage(frame)
            return
        start, sent = self._sender(frame)
        ports = self._ports(NATIVE, {start}) - {sent}
        yield frame, Passage(sent, frozenset(ports), frozenset(), frozenset({start}), floods=True)
        data = emit.untagged(frame.data)
        hopped = frame._replace(data=data, mark=frame.mark._replace(vlan=inner))
        # It does not come back over the trunk by which it came (§8.6.1).
        there = {name for name, vlans in CARRIED.items() if inner in vlans} - {start}
        known = self._receiver(hopped)
        if known is None:
            links = (there | {start, ROUTER}) - {CORE}
            out = self._ports(inner, there)
        elif known[0] == start:
            there, links, out = {CORE}, {start}, set()
        else:
            there, links = {CORE, known[0]} - {start, ROUTER}, {start, known[0]} - {CORE}
            out = {known[1]} - {""}
        yield (
            hopped,
            Passage(sent, frozenset(out), frozenset(links), frozenset(there), known is None),
        )

    def _sender(self, frame: Frame) -> tuple[str, str]:
        """The switch that a frame comes in at, and whose port it is."""
        start, sent, _ = self._at.get(frame.data[6:12], (BESIDE[frame.mark.vlan], "", 0))
        return start, sent

    def _receiver(self, frame: Frame) -> tuple[str, str] | None:
        """The switch (or router) and the station that a frame is for; None: it floods its VLAN."""
        switch, name, vlan = self._at.get(frame.data[:6], ("", "", 0))
        if frame.data[0] & 1 or (switch != ROUTER and vlan != frame.mark.vlan):
            return None
        return switch, name

    def _ports(self, vlan: int, switches: set[str]) -> set[str]:
        """Whose ports a VLAN has at some switches."""
        return {n for switch, n, its in self._at.values() if its == vlan and switch in switches}


class Tap(msgspec.Struct, frozen=True):
    """A place of listening: which frames pass it, and how it hands them on."""

    name: str
    says: str
    passes: Callable[[int, Passage, Fabric], bool]
    """Whether a frame of a VLAN passes here on its way."""
    interface: int = TRUNK
    untags: bool = False
    """An access port: frames leave it without their tag."""
    uplink: bool = False
    """The ward switch's uplink, which may be a tunnel."""

    def caught(
        self, frames: Iterable[Frame], fabric: Fabric, *, tunnelled: bool = False
    ) -> tuple[Frame, ...]:
        """The frames that pass here, as they pass."""
        if self.interface == AIR:
            return tuple(frame for frame in frames if frame.interface == AIR)
        found = []
        past: set[tuple[bytes, int]] = set()
        # Most frames pass elsewhere, and those of the same MACs and VLAN all do.
        for frame in frames:
            if frame.interface == AIR or (way := (frame.data[:12], frame.mark.vlan)) in past:
                continue
            here = False
            for one, passage in fabric.passages(frame):
                if self.passes(one.mark.vlan, passage, fabric):
                    here = True
                    octets = self._handed(one, passage, tunnelled)
                    found.append(one if octets is one.data else one._replace(data=octets))
            if not here and frame.mark.vlan != NATIVE:  # a second tag takes it into another VLAN
                past.add(way)
        return tuple(found)

    def _handed(self, frame: Frame, passage: Passage, tunnelled: bool) -> bytes:
        """The octets of a frame as they pass here."""
        if self.uplink and tunnelled:
            up = passage.sent != "" and "sw-icu" in passage.switches
            inner = emit.untagged(frame.data)
            ends = TUNNEL_ENDS if up else TUNNEL_ENDS[::-1]
            return emit.vxlan(ends, VNI, inner, emit.checksum(inner))
        bare = self.untags or (self.uplink and frame.mark.vlan == NATIVE)
        return emit.untagged(frame.data) if bare else frame.data


def _second_tag(data: bytes) -> int:
    """VID of a frame's second 802.1Q tag; -1 it has none."""
    if data[12:14] + data[16:18] != b"\x81\0\x81\0":
        return -1
    return int.from_bytes(data[18:20], "big") & 0xFFF


def _pumps(names: Iterable[str], fabric: Fabric) -> bool:
    return any(fabric.kinds[name] == "infusion pump" for name in names if name)


TAPS: tuple[Tap, ...] = (
    Tap("vlan", "mirror of the pumps' VLAN on the ward's switch, tagged",
        lambda vlan, p, _: vlan == ICU and "sw-icu" in p.switches),
    Tap("port", "an access port in the pumps' VLAN, no mirror: floods only, untagged",
        lambda vlan, p, _: vlan == ICU and "sw-icu" in p.switches and p.floods, untags=True),
    Tap("trunk", "the ward switch's uplink, tagged (or VXLAN)",
        lambda vlan, p, _: "sw-icu" in p.links, uplink=True),
    Tap("relay", "the relay's uplink: the VLAN of the DHCP and DNS servers, tagged",
        lambda vlan, p, _: vlan == LAN and ROUTER in p.links),
    Tap("routed", "mirror behind the router: the pump servers' ports, untagged",
        lambda vlan, p, _: vlan == SERVERS and CORE in p.switches, untags=True),
    Tap("from", "one direction: what the pumps send, tagged",
        lambda vlan, p, fabric: vlan == ICU and _pumps([p.sent], fabric)),
    Tap("to", "one direction: what is sent to the pumps, tagged",
        lambda vlan, p, fabric: vlan == ICU and _pumps(p.out, fabric)),
    Tap("edge", "the switch beside: its ports in the pumps' and in no set VLAN, tagged",
        lambda vlan, p, _: vlan in (ICU, NATIVE) and "sw-nicu" in p.switches),
    Tap("air", "a wireless monitor: 802.11 only",
        lambda vlan, p, _: True, AIR),
)  # fmt: skip
"""Every vantage point of the drill."""
