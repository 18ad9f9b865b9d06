"""Attested: what packets cannot show, a named role states with a date, and it expires."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wardwatch.model.judgement import Reason
from wardwatch.model.values import utc_text
from wardwatch.signs.policy import instant, zone_of
from wardwatch.verify.answer import Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from wardwatch.inventory.scene import Scene
    from wardwatch.model.evidence import Evidence
    from wardwatch.model.judgement import Verdict
    from wardwatch.model.site import Attestation
    from wardwatch.verify.minimums import Minimums

RULE = (
    "Attested by a dated statement of a named role that has not expired at the end of the capture."
    " Broken when it has expired, or packets contradict it."
)


def attestation(
    measure: str, contradictions: Callable[[Scene], Sequence[Evidence]]
) -> Callable[[Scene, Minimums], Iterator[Verdict]]:
    """The check of one attested measure; ``contradictions`` names packets that speak against it."""

    def check(scene: Scene, minimums: Minimums) -> Iterator[Verdict]:
        subject = Subject(measure, "site", "site", RULE)
        stated = [a for a in scene.site.attestation if a.measure == measure and a.confirmed]
        against = contradictions(scene) if stated else ()
        if not stated:
            yield subject.not_observable(
                Reason.NEVER_FROM_PACKETS, "Nobody has stated it in site.toml."
            )
            return
        lines = sorted(stated, key=_expiry)
        last = lines[-1]
        who = f"{last.confirmed_by}, {last.confirmed_on}"
        if against:
            yield subject.broken(
                f"Stated: {last.statement} Packets contradict it: a published default or a shared"
                " secret was accepted.",
                against,
                "The secrets changed, and a new statement.",
                confirmed_by=who,
            )
        elif not _stands(last, scene.now):
            yield subject.broken(
                f"The statement of {who} expired on {last.expires_on or 'an unreadable date'};"
                f" the capture ends {utc_text(scene.now)}.",
                (),
                "A new dated statement of a named role.",
                confirmed_by=who,
            )
        else:
            yield subject.attested(f"{last.statement} (until {last.expires_on})", who)

    return check


def standing_statement(
    scene: Scene, measure: str, segments: Sequence[str], ips: Sequence[str]
) -> Attestation | None:
    """A confirmed statement on a measure that still stands, for the zone of a device or for all."""
    zones = {z.name for s in segments if (z := zone_of(scene.site, s, ips)) is not None}
    for line in scene.site.attestation:
        if (
            line.measure == measure
            and line.confirmed
            and _stands(line, scene.now)
            and (not line.zone or line.zone in zones)
        ):
            return line
    return None


def _expiry(line: Attestation) -> int:
    """The end of its last day; a date that cannot be read has passed."""
    until = instant(line.expires_on, end_of_day=True)
    return -(2**63) if until is None else until


def _stands(line: Attestation, now: int) -> bool:
    return _expiry(line) >= now
