"""Segmentation enforced: a forbidden attempt is stopped on its way to the device, or from it.

Nobody tried is still silence. Misses to know: an open rule that nobody used; a dual-homed server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wardwatch.model.evidence import Evidence
from wardwatch.model.judgement import Reason
from wardwatch.signs.owners import about, homes
from wardwatch.signs.peers import Contact, contacts, is_permitted, policy_of
from wardwatch.signs.policy import said_by, tags_of
from wardwatch.signs.vantage import vantages
from wardwatch.verify.answer import Need, Subject, count_need, loss_need, unseen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wardwatch.inventory.scene import Scene
    from wardwatch.model.device import Device
    from wardwatch.model.judgement import Verdict
    from wardwatch.verify.minimums import Minimums

MEASURE = "segmentation_enforced"
RULE = (
    "Broken when a forbidden peer reaches the device's side of the router, even with one SYN. To"
    " hold, an attempt seen outside and absent inside, or refused by ICMP 3/9, 3/10 or 3/13:"
)
PROHIBITED = (9, 10, 13)
"""RFC 1812 §5.2.7.1: network, host, communication administratively prohibited."""
PROHIBITED_6 = (1,)
"""RFC 4443 §3.1: communication with destination administratively prohibited."""


def check(scene: Scene, minimums: Minimums) -> Iterator[Verdict]:
    """One verdict for each medical device."""
    devices = [device for device in scene.medical if device.seen]
    heard = vantages(scene, minimums.bridge_s)
    standing = homes(scene, devices)
    by_id = {device.id: device for device in devices}
    inside: dict[str, list[Contact]] = {}
    outside: dict[str, list[Contact]] = {}
    hears: set[str] = set()
    through: set[tuple[str, str, str, int]] = set()
    for contact in contacts(scene, devices):
        device = by_id[contact.device]
        places = standing.get(contact.device, [])
        policy = policy_of(scene, places[0] if places else contact.segment, device.ips)
        near = contact.is_near(places)
        if near and contact.answered:
            hears.add(contact.device)
        if near:
            through.add((contact.device, contact.peer, contact.proto, contact.port))
        if not policy.stated or is_permitted(scene, policy, contact):
            continue
        if near:
            if contact.inbound or contact.answered:
                inside.setdefault(contact.device, []).append(contact)
        elif contact.inbound:
            outside.setdefault(contact.device, []).append(contact)
    refused = _refused(scene, devices)
    for device in scene.medical:
        if not device.seen:
            yield unseen(MEASURE, device, RULE)
            continue
        places = standing.get(device.id) or [s for s in device.segments if s in heard]
        home = places[0] if places else ""
        place = heard.get(home)
        subject = Subject(
            MEASURE, device.id, "device", RULE, home, place.longest if place else None
        )
        policy = policy_of(scene, home, device.ips)
        mine = inside.get(device.id, [])
        if mine:
            named = list(dict.fromkeys(contact.text for contact in mine))
            yield subject.broken(
                "A forbidden peer got through: " + ", ".join(named[:5]) + ".",
                [contact.evidence for contact in mine],
                "The rule closed, and an attempt that stays outside.",
            )
            continue
        # A conversation seen with the same tags on both sides is one: whether it arrived is not told.
        tagged = {tags_of(segment) for segment in places}
        apart = [c for c in outside.get(device.id, []) if tags_of(c.segment) not in tagged]
        mixed = len(outside.get(device.id, [])) - len(apart)
        stopped = [
            contact.evidence
            for contact in apart
            if (device.id, contact.peer, contact.proto, contact.port) not in through
            and place is not None
            and any(
                span.first <= contact.first_ts and contact.last_ts <= span.last
                for span in place.spans
            )
        ]
        stopped += [
            row.evidence
            for row in refused.get(device.id, [])
            if policy.stated and not is_permitted(scene, policy, row)
        ]
        needs = (
            loss_need(place, minimums.lost_share),
            Need(
                "an attempt outside whose VLAN tag is not that of the device's side",
                not mixed or bool(stopped),
                Reason.VANTAGE,
                f"{mixed} with the same",
            ),
            count_need("attempts stopped", len(stopped), minimums.attempts, Reason.NO_STIMULUS),
            Need(
                "what is handed to the device on its own side is heard",
                place is not None and device.id in hears,
                Reason.VANTAGE,
            ),
            Need("a confirmed zone with permitted peers", policy.stated, Reason.NO_POLICY),
        )
        # Without a policy nothing is forbidden, so no attempt can be told from ordinary traffic.
        if not policy.stated:
            needs = needs[::-1]
        yield subject.judged(
            needs,
            f"{len(stopped)} forbidden attempts were stopped on their way.",
            stopped,
            said_by([*([policy.zone] if policy.zone else []), *policy.peers]),
        )


def _refused(scene: Scene, devices: list[Device]) -> dict[str, list[Contact]]:
    """What routers refused on a device's behalf, told by the packets they quote."""
    rows = about(
        scene,
        devices,
        f""",
        said AS (SELECT * FROM unreachables WHERE (NOT ipv6 AND code IN {PROHIBITED})
            OR (ipv6 AND code IN {(*PROHIBITED_6, -1)}))
        SELECT device, segment, quoted_dst AS own, quoted_src AS peer, true AS inbound,
            quoted_proto AS proto, quoted_dst_port AS port,
            ts, capture, packet FROM said JOIN owners ON quoted_dst = address
        UNION ALL
        SELECT device, segment, quoted_src, quoted_dst, false, quoted_proto, quoted_dst_port,
            ts, capture, packet FROM said JOIN owners ON quoted_src = address
        ORDER BY ts LIMIT 10000""",
        of=("unreachables",),
    )
    found: dict[str, list[Contact]] = {}
    for row in rows:
        found.setdefault(row.device, []).append(
            Contact(
                device=row.device,
                segment=row.segment,
                device_ip=row.own,
                peer=row.peer,
                inbound=row.inbound,
                proto=row.proto,
                port=row.port,
                answered=False,
                device_mac_seen=False,
                other_mac_seen=False,
                first_ts=row.ts,
                last_ts=row.ts,
                packets=1,
                evidence=Evidence(row.capture, row.packet),
            )
        )
    return found
