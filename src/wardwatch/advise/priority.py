"""Priority: an order of work that a person can follow, and why each line stands where it stands.

First the decision (SSVC), then within it: safety impact and verified exposure, evidence of
exploitation, the environmental CVSS score, and EPSS last. Each line is one device and one
advisory, led by the weakness that weighs most; the others stand behind it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from wardwatch.advise.environment import (
    Audited,
    Scored,
    Standing,
    answers_for,
    scored,
    surroundings,
)
from wardwatch.advise.ssvc import (
    Decision,
    Exploitation,
    HumanImpact,
    Point,
    SystemExposure,
    automatable,
    by_radio,
    decide,
    exploitation,
    exposure,
    human_impact,
    is_target,
    seen_here,
)
from wardwatch.model.advisory import Advisory, Exposure, Match, Vulnerability

if TYPE_CHECKING:
    from wardwatch.advise.epss import Epss
    from wardwatch.advise.kev import Kev
    from wardwatch.model.device import Device


class Weighed(msgspec.Struct, frozen=True):
    """One weakness of one device, weighed."""

    cve: str
    decision: Decision
    exploitation: Point[Exploitation]
    exposure: Point[SystemExposure]
    automatable: Point[bool]
    impact: Point[HumanImpact]
    score: Scored | None
    """Base and environmental; None where the advisory gives no vector."""
    epss: float = -1.0
    """-1 not known."""

    @property
    def rank(self) -> tuple[float, ...]:
        """The order of work, gravest first; of two equals, the one that is known to be so."""
        return (
            -self.decision,
            -self.impact.value,
            -self.exposure.value,
            self.impact.assumed + self.exposure.assumed,
            -self.exploitation.value,
            -(self.score.environmental if self.score else 10.0),
            -self.epss,
        )


class Task(msgspec.Struct, frozen=True):
    """One line of the order of work."""

    device: str
    name: str
    """What it is and where a person finds it."""
    advisory: str
    status: Exposure
    decision: Decision
    do: str
    reasons: tuple[str, ...]
    """Why it stands here, in the order in which the questions count."""
    weighed: tuple[Weighed, ...]
    """Its weaknesses, the leading one first."""
    attacked: tuple[str, ...] = ()
    """Weaknesses that somebody was seen to use against this very device."""

    @property
    def rank(self) -> tuple[float, ...]:
        """That of its leading weakness; among equals, first what was itself attacked, the gravest first."""
        lead = self.weighed[0].rank
        worst = max(
            (one.impact.value for one in self.weighed if one.cve in self.attacked), default=-1
        )
        # Neither that it is affected nor what that would mean is known: behind what is known.
        guessed = self.status is Exposure.UNKNOWN and self.weighed[0].impact.assumed
        return (lead[0], guessed, *lead[1:4], -worst, -len(self.attacked), *lead[4:])


WHEN = {
    Decision.IMMEDIATE: "now",
    Decision.OUT_OF_CYCLE: "at the next chance, before planned maintenance",
    Decision.SCHEDULED: "at planned maintenance",
    Decision.DEFER: "not now; look again when something changes",
}
"""What SSVC's words ask of a deployer."""


def priority(
    audit: Audited, *, kev: Kev | None = None, epss: Epss | None = None
) -> tuple[Task, ...]:
    """What to work on, in order. Devices that are not affected are not in it."""
    standing = Standing(audit.verdicts)
    devices = {device.id: device for device in audit.devices}
    advisories = {advisory.id: advisory for advisory in audit.advisories}
    tasks = [
        _task(audit, match, devices[match.device], advisories[match.advisory], standing, kev, epss)
        for match in audit.matches
        if match.exposure is not Exposure.NOT_AFFECTED and match.cves
    ]
    return tuple(sorted(tasks, key=lambda task: (task.rank, task.advisory, task.device)))


def weigh(
    flaw: Vulnerability,
    device: Device,
    advisory: Advisory,
    standing: Standing,
    audit: Audited,
    *,
    kev: Kev | None = None,
    epss: Epss | None = None,
) -> Weighed:
    """One weakness of one device."""
    used = exploitation(flaw.cve, device, audit.findings, kev.says(flaw.cve) if kev else "")
    reach = exposure(device, standing, radio=by_radio(flaw.cve))
    machine = automatable(flaw.vector)
    impact = human_impact(flaw.cve, device, advisory.id)
    active = used.value is Exploitation.ACTIVE
    return Weighed(
        cve=flaw.cve,
        decision=decide(used.value, reach.value, machine.value, impact.value),
        exploitation=used,
        exposure=reach,
        automatable=machine,
        impact=impact,
        score=scored(
            flaw.vector,
            surroundings(device, advisory, standing, active=active, radio=by_radio(flaw.cve)),
        ),
        epss=epss.scores.get(flaw.cve, -1.0) if epss else -1.0,
    )


def _task(
    audit: Audited,
    match: Match,
    device: Device,
    advisory: Advisory,
    standing: Standing,
    kev: Kev | None,
    epss: Epss | None,
) -> Task:
    weighed = sorted(
        (
            weigh(flaw, device, advisory, standing, audit, kev=kev, epss=epss)
            for flaw in advisory.vulnerabilities
            if flaw.cve in match.cves
        ),
        key=lambda one: (one.rank, one.cve),
    )
    lead = weighed[0]
    attacked = tuple(
        one.cve
        for one in weighed
        if any(is_target(device, finding) for finding in seen_here(audit.findings, one.cve))
    )
    return Task(
        device=device.id,
        name=_name(device),
        advisory=advisory.id,
        status=match.exposure,
        decision=lead.decision,
        do=_do(match, advisory, lead, attacked),
        reasons=(
            *_reasons(lead, len(weighed), attacked),
            *_answers(device),
            *_measures(device, advisory, standing),
            match.reason,
        ),
        weighed=tuple(weighed),
        attacked=attacked,
    )


def _do(match: Match, advisory: Advisory, lead: Weighed, attacked: tuple[str, ...]) -> str:
    """The next step. Clinical sign-off is part of every step that touches a device."""
    when = WHEN[lead.decision]
    first = (
        "Look at the device at the bedside and follow the audit's first steps; then "
        if attacked
        else ""
    )
    if match.exposure is Exposure.UNKNOWN:
        step = f"{_to_learn(match)} {when}, and treat it as affected until then"
    elif advisory.fixed_version:
        step = (
            f"ask the maker for {advisory.fixed_version} or later and plan it with clinical sign-off, "
            f"{when}; until then keep the measures that hold and mend the broken ones"
        )
    elif any(remedy.category == "vendor_fix" for remedy in advisory.remediations):
        step = (
            f"ask the maker which release fixes it and plan it with clinical sign-off, {when} "
            "(the document speaks of a fix, and names no one version for every product); until then "
            "keep the measures that hold and mend the broken ones"
        )
    else:
        step = f"put the advisory's measures in place with clinical sign-off, {when}; no fixed version is named"
    said = first + step
    return said[:1].upper() + said[1:]


def _to_learn(match: Match) -> str:
    """What would settle an open answer."""
    if match.condition == "its model":
        return "read model and version on the device"
    if match.condition and match.condition != "its version":
        return f"find out whether this is so: {match.condition}"
    if match.version:
        return "ask the maker how its version stands to the advisory"
    return "read the version on the device"


def _reasons(lead: Weighed, count: int, attacked: tuple[str, ...]) -> list[str]:
    said = [
        f"{lead.decision.word} by {lead.cve}" + (f", the gravest of {count}" if count > 1 else ""),
        f"human impact {lead.impact.value.word}: {lead.impact.why}",
        f"exposure {lead.exposure.value.name.lower()}: {lead.exposure.why}",
    ]
    if attacked:
        said.append(f"seen in use against this device: {', '.join(attacked)}")
    said += [
        f"exploitation {lead.exploitation.value.name.lower()}: {lead.exploitation.why}",
        f"automatable {'yes' if lead.automatable.value else 'no'}: {lead.automatable.why}",
    ]
    if lead.score is not None:
        said.append(
            f"CVSS base {lead.score.base:.1f}, environmental {lead.score.environmental:.1f} "
            f"({lead.score.vector})"
        )
    if lead.epss >= 0:
        said.append(f"EPSS {lead.epss:.3f}")
    return said


def _answers(device: Device) -> list[str]:
    """What the medical-device rubric's answers for its family are."""
    answers = answers_for(device)
    return [f"rubric: {answers.said} ({answers.source})"] if answers and answers.said else []


def _measures(device: Device, advisory: Advisory, standing: Standing) -> list[str]:
    """What the advisory recommends and stands or does not stand for this device."""
    named = dict.fromkeys(remedy.measure for remedy in advisory.remediations if remedy.measure)
    held = {verdict.measure for verdict in standing.holding(device)}
    holds = [measure for measure in named if measure in held]
    broken = [measure for measure in named if standing.broken(measure, device)]
    words = (("measures that hold", holds), ("measures that are broken", broken))
    return [f"{what}: {', '.join(measures)}" for what, measures in words if measures]


def _name(device: Device) -> str:
    identity, listed = device.identity, device.listed
    words = [
        " ".join(w for w in (identity.manufacturer, identity.model, identity.version) if w) or "unknown device",
        f"ward {listed.ward}" if listed and listed.ward else "",
        (listed.asset or listed.serial) if listed else device.serial,
        device.ips[0] if device.ips else "",
    ]  # fmt: skip
    return ", ".join(word for word in words if word)
