"""Certificate validation: the device refuses a bad certificate.

Accepting a valid one proves nothing. TLS 1.3 and resumption hide the chain. Misses to know: a
cloned issuer (compare keys); a private CA that nobody confirmed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wardwatch.model.judgement import Reason
from wardwatch.model.values import Span
from wardwatch.signs.certificates import offers
from wardwatch.signs.policy import said_by
from wardwatch.verify.answer import Need, Subject, count_need, unseen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wardwatch.inventory.scene import Scene
    from wardwatch.model.judgement import Verdict
    from wardwatch.signs.certificates import Offer
    from wardwatch.verify.minimums import Minimums

MEASURE = "certificate_validation"
RULE = (
    "Broken by application data of the device after a chain that fails the confirmed roots, is out"
    " of date, for another name, or after key and issuer changed. To hold, alerts 42 to 46 or 48,"
    " or the connection closed before data, after a bad one:"
)
CVES = ("CVE-2017-12721",)


def check(scene: Scene, minimums: Minimums) -> Iterator[Verdict]:
    """One verdict for each medical device."""
    devices = [device for device in scene.medical if device.seen]
    seen: dict[str, list[Offer]] = {}
    for offer in offers(scene, devices):
        seen.setdefault(offer.device, []).append(offer)
    roots = [root for root in scene.site.root if root.confirmed]
    for device in scene.medical:
        if not device.seen:
            yield unseen(MEASURE, device, RULE)
            continue
        mine = seen.get(device.id, [])
        span = (
            Span(min(o.first_ts for o in mine), max(o.last_ts for o in mine))
            if mine
            else Span(device.first_ts, device.last_ts)
        )
        segment = mine[0].segment if mine else (device.segments[0] if device.segments else "")
        subject = Subject(MEASURE, device.id, "device", RULE, segment, span)
        wrong = [offer for offer in mine if offer.bad and offer.went_on]
        if wrong:
            yield subject.broken(
                "; ".join(
                    f"It sent data to {o.server} after a bad certificate: {o.bad}"
                    for o in wrong[:3]
                )
                + ".",
                [e for o in wrong for e in o.evidence],
                "A version of the device that checks, and a bad certificate that it refuses.",
                cves=CVES if device.is_pump else (),
            )
            continue
        refused = [offer for offer in mine if offer.bad and offer.refused]
        if not refused:
            yield subject.not_observable(*_why_not(mine, bool(roots)))
            continue
        needs = (
            count_need(
                "bad certificates refused",
                sum(offer.refused for offer in refused),
                minimums.refusals,
                Reason.NO_STIMULUS,
            ),
            Need("confirmed roots or pinned leaves", bool(roots), Reason.NO_POLICY),
        )
        yield subject.judged(
            needs,
            f"It refused a bad certificate of {refused[0].server}: {refused[0].bad}.",
            [e for o in refused for e in o.evidence],
            said_by(roots),
        )


def _why_not(mine: list[Offer], roots: bool) -> tuple[Reason, str]:
    """Why nothing can be told from what was offered."""
    if not mine:
        return Reason.NO_STIMULUS, "It opened no TLS session."
    if any(offer.self_signed and not offer.good and offer.went_on for offer in mine):
        return (
            Reason.NO_POLICY,
            "Suspect: it sent data after a self-signed certificate; ask whether that one is pinned.",
        )
    if not roots and any(offer.leaf for offer in mine):
        return Reason.NO_POLICY, "Nobody has confirmed which roots its servers are known by."
    if any(offer.leaf for offer in mine):
        return (
            Reason.NO_STIMULUS,
            "No bad certificate was offered to it; a valid one proves nothing.",
        )
    if any(offer.tls13 for offer in mine):
        return Reason.ENCRYPTED, "TLS 1.3 hides the certificates."
    if any(offer.resumed for offer in mine):
        return Reason.NO_STIMULUS, "Its sessions were resumed: no certificate was sent."
    return Reason.DAMAGED, "Handshakes of it were seen, but no certificate chain in whole."
