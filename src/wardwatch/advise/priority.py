"""Priority: an order of work that a person can follow, and why each line stands where it stands.

First the decision (SSVC), then within it: safety impact and verified exposure, evidence of
exploitation, the environmental CVSS score, and EPSS last. Each line is one device and one
advisory, led by the weakness that weighs most; the others stand behind it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from wardwatch.advise.environment import Audited, Scored, Standing, scored, surroundings
from wardwatch.advise.ssvc import (
    Decision,
    Exploitation,
    HumanImpact,
    Point,
    SystemExposure,
    automatable,
    decide,
    exploitation,
    exposure,
    human_impact,
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
    return tuple(sorted(tasks, key=lambda task: (task.weighed[0].rank, task.advisory, task.device)))


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
    reach = exposure(device, standing)
    machine = automatable(flaw.vector)
    impact = human_impact(flaw.cve, device)
    active = used.value is Exploitation.ACTIVE
    return Weighed(
        cve=flaw.cve,
        decision=decide(used.value, reach.value, machine.value, impact.value),
        exploitation=used,
        exposure=reach,
        automatable=machine,
        impact=impact,
        score=scored(flaw.vector, surroundings(device, advisory, standing, active=active)),
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
    return Task(
        device=device.id,
        name=_name(device),
        advisory=advisory.id,
        status=match.exposure,
        decision=lead.decision,
        do=_do(match, advisory, lead.decision),
        reasons=_reasons(match, lead, len(weighed)),
        weighed=tuple(weighed),
    )


def _do(match: Match, advisory: Advisory, decision: Decision) -> str:
    """The next step. Clinical sign-off is part of every step that touches a device."""
    when = WHEN[decision]
    if match.exposure is Exposure.UNKNOWN:
        return f"Read the version on the device {when}, and treat it as affected until then"
    if advisory.fixed_version:
        return (
            f"Ask the maker for {advisory.fixed_version} or later and plan it with clinical sign-off, "
            f"{when}; until then keep the measures that hold"
        )
    return f"Put the advisory's measures in place with clinical sign-off, {when}; no fixed version is named"  # fmt: skip


def _reasons(match: Match, lead: Weighed, count: int) -> tuple[str, ...]:
    said = [
        f"{lead.decision.word} by {lead.cve}" + (f", the gravest of {count}" if count > 1 else ""),
        f"human impact {lead.impact.value.word}: {lead.impact.why}",
        f"exposure {lead.exposure.value.name.lower()}: {lead.exposure.why}",
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
    return (*said, match.reason)


def _name(device: Device) -> str:
    identity, listed = device.identity, device.listed
    words = [
        " ".join(w for w in (identity.manufacturer, identity.model, identity.version) if w) or "unknown device",
        f"ward {listed.ward}" if listed and listed.ward else "",
        (listed.asset or listed.serial) if listed else device.serial,
        device.ips[0] if device.ips else "",
    ]  # fmt: skip
    return ", ".join(word for word in words if word)
