"""Segmentation in use: on its own side of every router the device speaks with permitted peers only.

Misses to know: an open rule that nobody used; a dual-homed server that is permitted and attacked;
NAT or a proxy that hides who the peer is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wardwatch.model.judgement import Reason
from wardwatch.signs.owners import homes
from wardwatch.signs.peers import contacts, is_internet, is_permitted, policy_of
from wardwatch.signs.policy import said_by
from wardwatch.signs.vantage import vantages
from wardwatch.verify.answer import Need, Subject, loss_need, span_need, standing_need, unseen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wardwatch.inventory.scene import Scene
    from wardwatch.model.judgement import Verdict
    from wardwatch.signs.peers import Contact
    from wardwatch.verify.minimums import Minimums

MEASURE = "segmentation_in_use"
RULE = (
    "Broken by a forbidden peer on the device's side of the router, even one SYN, and by a peer on"
    " the internet. Multicast, authorised scanners and confirmed servers do not count. To hold:"
)


def check(scene: Scene, minimums: Minimums) -> Iterator[Verdict]:
    """One verdict for each medical device."""
    devices = [device for device in scene.medical if device.seen]
    heard = vantages(scene, minimums.bridge_s)
    standing = homes(scene, devices)
    ips = {device.id: device.ips for device in devices}
    bad: dict[str, list[Contact]] = {}
    good: dict[str, int] = {}
    for contact in contacts(scene, devices):
        places = standing.get(contact.device, ())
        if not contact.is_near(places):
            continue
        policy = policy_of(scene, contact.segment, ips[contact.device])
        if is_permitted(scene, policy, contact):
            good[contact.device] = good.get(contact.device, 0) + 1
        elif policy.stated or is_internet(contact):
            bad.setdefault(contact.device, []).append(contact)
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
        mine = bad.get(device.id, [])
        if mine:
            named = list(dict.fromkeys(contact.text for contact in mine))
            yield subject.broken(
                f"It met {len({c.peer for c in mine})} peers that no confirmed line permits: "
                + ", ".join(named[:5])
                + ("." if len(named) <= 5 else " …"),
                [contact.evidence for contact in mine],
                "The path closed, or the peer confirmed in site.toml.",
            )
            continue
        policy = policy_of(scene, home, device.ips)
        both, one_way = (place.tcp_both, place.tcp_one_way) if place else (0, 0)
        needs = (
            standing_need(device.id in standing),
            loss_need(place, minimums.lost_share),
            Need(
                "both directions of its segment are heard",
                both > 0 and one_way <= both * minimums.one_way_share,
                Reason.VANTAGE,
                f"{one_way} of {both + one_way} one-way",
            ),
            Need("a confirmed zone with permitted peers", policy.stated, Reason.NO_POLICY),
            Need(
                "traffic of its own",
                good.get(device.id, 0) > 0,
                Reason.NO_STIMULUS,
                f"{good.get(device.id, 0)} permitted contacts",
            ),
            span_need(
                "all its traffic over",
                place.longest.seconds if place else 0.0,
                minimums.peers_span_s,
            ),
        )
        yield subject.judged(
            needs,
            "It spoke with permitted peers only.",
            (),
            said_by([*([policy.zone] if policy.zone else []), *policy.peers]),
        )
