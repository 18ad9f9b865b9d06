"""VLAN separation: only permitted classes of device stand in the devices' VLAN.

Gateways, infrastructure, phones and confirmed servers may be anywhere. A frame with two C-TAGs
reaches into the VLAN of the inner one when a switch sends it on without the outer one, its native
VLAN's. Nothing comes back that way: where frames with the same two tags are answered, they pass a
tunnel of 802.1Q, and a frame among them that hops cannot be told; whoever forges an answer comes as
far as that, and no VLAN holds beside it. An S-TAG outside is a provider's, and says nothing. Misses
to know: silent neighbours; devices that nothing identifies; a frame that hops, where it has lost its
outer tag or where that is a priority tag.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wardwatch.inventory.stations import evidence
from wardwatch.model.device import LEFT_OUT, Confidence
from wardwatch.model.evidence import Evidence
from wardwatch.model.judgement import Reason
from wardwatch.signs.owners import spoke, standing_segments
from wardwatch.signs.policy import base, names_of, outer_vlan, said_by, vlan_of, zone_of
from wardwatch.signs.vantage import device_segments, vantages
from wardwatch.signs.who import Who
from wardwatch.verify.answer import (
    Need,
    Subject,
    loss_need,
    span_need,
    standing_need,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wardwatch.inventory.scene import Scene
    from wardwatch.model.device import Device
    from wardwatch.model.judgement import Verdict
    from wardwatch.signs.vantage import Vantage
    from wardwatch.verify.minimums import Minimums

MEASURE = "vlan_separation"
RULE = (
    "Broken by a device of another class in the VLAN, by frames with two tags that reach into it"
    " and that nothing answers with the same tags, or by DTP from an edge. Infrastructure and phones"
    " do not count. To hold:"
)
EVERYWHERE = ("network", "gateway", "router", "switch", "access point", "firewall", "phone")
"""Kinds that belong in any VLAN."""
BETWEEN = tuple(kind for kind in EVERYWHERE if kind != "phone")
"""Kinds that may put a second tag on a frame: those between trunks."""


def check(scene: Scene, minimums: Minimums) -> Iterator[Verdict]:
    """One verdict for each segment that holds devices."""
    heard = vantages(scene, minimums.bridge_s)
    left_out = sum(device.packets for device in scene.devices if device.id == LEFT_OUT)
    stand = standing_segments(scene)
    for name in device_segments(scene, heard):
        place = heard[name]
        subject = Subject(MEASURE, name, "segment", RULE, name, place.longest)
        if vlan_of(name) < 0 or "capwap" in name or "capwap" in place.tunnel:
            yield subject.not_observable(
                Reason.VANTAGE,
                "Its frames bear no tag here: the mirror port or the card strips them, or they come"
                " through a wireless tunnel, so several VLANs may look like one.",
                "A capture on a trunk mirror that keeps the tags.",
            )
            continue
        zone = zone_of(scene.site, name)
        allowed = zone.permitted_kinds if zone else ()
        stations = _stations(scene, name)
        strangers = [
            (device, evidence(first))
            for device, first in stations
            if allowed and _is_stranger(scene, device, allowed)
        ]
        nameless = [
            device
            for device, _ in stations
            if (not device.identity.kind or device.confidence < Confidence.PROBABLE)
            and device.listed is None
            and not _is_server(scene, device)
        ]
        hopped, tunnels = _double_tagged(scene, heard, place)
        trunked = _dtp(scene, name)
        if strangers or hopped or trunked:
            said = [
                f"{device.id} ({device.identity.kind}) stands in it" for device, _ in strangers[:5]
            ]
            if hopped:
                said.append("frames with two tags reached into it")
            if trunked:
                said.append("an edge port spoke DTP")
            yield subject.broken(
                "; ".join(said) + ".",
                [*(e for _, e in strangers), *hopped, *trunked],
                "The device moved, or the port set to access; then a day without it.",
            )
            continue
        needs = (
            standing_need(name in stand),
            loss_need(place, minimums.lost_share),
            Need("broadcasts reach this place", place.broadcasts > 0, Reason.VANTAGE),
            Need(
                "every station in it identified",
                not nameless and not left_out,
                Reason.DAMAGED if place.cut_packets else Reason.VANTAGE,
                f"{len(nameless) + left_out} are not",
            ),
            Need(
                "no tunnel of 802.1Q that carries a VLAN of this number",
                not tunnels,
                Reason.VANTAGE,
                ", ".join(tunnels),
            ),
            Need("a confirmed zone with permitted kinds", bool(allowed), Reason.NO_POLICY),
            span_need("a span", place.longest.seconds, minimums.vlan_span_s),
        )
        yield subject.judged(
            needs, "Only permitted classes spoke in it.", (), said_by([zone] if zone else [])
        )


def _stations(scene: Scene, segment: str) -> list[tuple[Device, int]]:
    """Devices whose MACs spoke in a segment, in the order in which they were heard.

    With the number of the first packet of each.
    """
    heard = sorted((ts, first, mac) for _, mac, *_, ts, first in spoke(scene).get(segment, ()))
    who = Who.of(scene)
    found: dict[str, tuple[Device, int]] = {}
    for _, first, mac in heard:
        device = who.device(mac)
        if device is not None:
            found.setdefault(device.id, (device, first))
    return list(found.values())


def _is_stranger(scene: Scene, device: Device, allowed: tuple[str, ...]) -> bool:
    """Whether a device is surely of a class that the zone does not permit."""
    kind = device.identity.kind
    if not kind or device.confidence < Confidence.PROBABLE or kind in (*allowed, *EVERYWHERE):
        return False
    return not _is_server(scene, device)


def _is_server(scene: Scene, device: Device) -> bool:
    """Whether a confirmed line names it."""
    return any(
        line.confirmed
        and (line.ip in device.ips or bool({mac.lower() for mac in line.macs} & {*device.macs}))
        for line in scene.site.server
    )


def _double_tagged(
    scene: Scene, heard: dict[str, Vantage], place: Vantage
) -> tuple[list[Evidence], list[str]]:
    """Frames whose inner tag is this VLAN's, although its own frames bear one tag.

    First what hops, then the names of tunnels, whose frames are answered: a station that speaks in
    them is spoken to, or an end of TCP acknowledges what the other must have said.
    """
    if base(place.segment) != names_of(place.segment)[2]:
        return [], []
    names = [
        other
        for other, vantage in heard.items()
        if outer_vlan(other) not in (-1, vlan_of(other))
        and names_of(other)[2] == base(place.segment)
        and vantage.tunnel == place.tunnel
    ]
    if not names:
        return [], []
    spoken_to = {
        row.segment
        for row in scene.tables.ask(
            "SELECT DISTINCT segment FROM presence WHERE received > 0", of=("presence",)
        )
    }
    tunnels = [
        name
        for name in names
        if name in spoken_to or heard[name].tcp_both or heard[name].tcp_one_way
    ]
    rows = scene.tables.ask(
        """SELECT capture, first_packet FROM presence
        WHERE segment IN (SELECT unnest(?::VARCHAR[])) AND mac NOT IN (SELECT unnest(?::VARCHAR[]))
        ORDER BY first_ts LIMIT 20""",
        [
            [name for name in names if name not in tunnels],
            [mac for d in scene.devices if d.identity.kind in BETWEEN for mac in d.macs],
        ],
        of=("presence",),
    )
    return [Evidence(row.capture, row.first_packet) for row in rows], tunnels


def _dtp(scene: Scene, segment: str) -> list[Evidence]:
    """DTP from a station of this segment that is no network equipment."""
    if not scene.tables.rows("control"):
        return []
    network = [mac for d in scene.devices if d.identity.kind in EVERYWHERE for mac in d.macs]
    rows = scene.tables.ask(
        """SELECT capture, first_packet FROM control c
        WHERE protocol = 'dtp' AND src_mac NOT IN (SELECT unnest(?::VARCHAR[]))
            AND (segment = ? OR EXISTS (
                SELECT 1 FROM presence p WHERE p.segment = ? AND p.mac = c.src_mac))
        ORDER BY first_ts LIMIT 20""",
        [network, segment, segment],
        of=("control",),
    )
    return [Evidence(row.capture, row.first_packet) for row in rows]
