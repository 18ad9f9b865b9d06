"""SSVC: what a deployer should do about a weakness and when, as one table that can be read.

Stakeholder-Specific Vulnerability Categorization, CERT/CC, decision table "Deployer Patch
Application Priority" 1.0.0: exploitation, exposure, automatable, human impact. What is not
known is taken as the worst, and said to be assumed.
"""

from __future__ import annotations

import re
from enum import IntEnum
from functools import cache
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from wardwatch.model.judgement import Certainty
from wardwatch.packs import read
from wardwatch.signs.policy import SCANNER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wardwatch.advise.environment import Standing
    from wardwatch.model.device import Device
    from wardwatch.model.judgement import Finding

T = TypeVar("T")


class Exploitation(IntEnum):
    """Evidence that somebody uses the weakness (SSVC 1.1.0)."""

    NONE = 0
    POC = 1
    ACTIVE = 2


class SystemExposure(IntEnum):
    """How reachable the device is (SSVC 1.0.1)."""

    SMALL = 0
    CONTROLLED = 1
    OPEN = 2


class HumanImpact(IntEnum):
    """Safety and mission impact together (SSVC 2.0.2)."""

    LOW = 0
    MEDIUM = 1
    HIGH = 2
    VERY_HIGH = 3

    @property
    def word(self) -> str:
        """As SSVC writes it."""
        return self.name.lower().replace("_", " ")


class Decision(IntEnum):
    """What to do, and when."""

    DEFER = 0
    SCHEDULED = 1
    OUT_OF_CYCLE = 2
    IMMEDIATE = 3

    @property
    def word(self) -> str:
        """As SSVC writes it."""
        return self.name.lower().replace("_", "-")


_D, _S, _O, _I = Decision
_NONE, _POC, _ACTIVE = Exploitation
_SMALL, _CONTROLLED, _OPEN = SystemExposure

DECISIONS: dict[tuple[Exploitation, SystemExposure, bool], tuple[Decision, ...]] = {
    # exploitation, exposure, automatable: by human impact low, medium, high, very high
    (_NONE, _SMALL, False): (_D, _D, _S, _S),
    (_NONE, _SMALL, True): (_D, _S, _S, _S),
    (_NONE, _CONTROLLED, False): (_D, _S, _S, _S),
    (_NONE, _CONTROLLED, True): (_S, _S, _S, _S),
    (_NONE, _OPEN, False): (_D, _S, _S, _S),
    (_NONE, _OPEN, True): (_S, _S, _S, _O),
    (_POC, _SMALL, False): (_D, _S, _S, _S),
    (_POC, _SMALL, True): (_S, _S, _S, _S),
    (_POC, _CONTROLLED, False): (_D, _S, _S, _S),
    (_POC, _CONTROLLED, True): (_S, _S, _S, _O),
    (_POC, _OPEN, False): (_S, _S, _S, _O),
    (_POC, _OPEN, True): (_S, _S, _O, _O),
    (_ACTIVE, _SMALL, False): (_S, _S, _O, _O),
    (_ACTIVE, _SMALL, True): (_S, _O, _O, _O),
    (_ACTIVE, _CONTROLLED, False): (_S, _S, _O, _O),
    (_ACTIVE, _CONTROLLED, True): (_O, _O, _O, _O),
    (_ACTIVE, _OPEN, False): (_S, _O, _O, _I),
    (_ACTIVE, _OPEN, True): (_O, _O, _I, _I),
}

SAFETY = ("negligible", "marginal", "critical", "catastrophic")
MISSION = ("degraded", "crippled", "failure", "mission failure")
HUMAN_IMPACT: dict[str, tuple[HumanImpact, ...]] = {
    # safety impact: by mission impact degraded, crippled, failure (of an essential function), mission failure
    "negligible": (HumanImpact.LOW, HumanImpact.LOW, HumanImpact.MEDIUM, HumanImpact.VERY_HIGH),
    "marginal": (HumanImpact.LOW, HumanImpact.LOW, HumanImpact.MEDIUM, HumanImpact.VERY_HIGH),
    "critical": (HumanImpact.MEDIUM, HumanImpact.HIGH, HumanImpact.HIGH, HumanImpact.VERY_HIGH),
    "catastrophic": (HumanImpact.VERY_HIGH,) * 4,
}
"""SSVC "Human Impact" 1.0.0."""

SUSTAINING = ("infusion pump", "ventilator", "dialysis")
"""Kinds that deliver or sustain therapy."""


class Point(msgspec.Struct, Generic[T], frozen=True):
    """One decision point: its value, why, and whether it was assumed for lack of knowledge."""

    value: T
    why: str
    assumed: bool = False


class Consequence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a weakness can do at the bedside, with its source."""

    cve: str
    safety: str
    mission: str
    why: str
    source: str
    radio: bool = False
    """Reached by radio: the wired network's segmentation does not stand in the way."""

    @property
    def impact(self) -> HumanImpact:
        """Safety and mission impact as one."""
        return HUMAN_IMPACT[self.safety][MISSION.index(self.mission)]


def decide(
    exploitation: Exploitation,
    exposure: SystemExposure,
    automatable: bool,
    impact: HumanImpact,
) -> Decision:
    """The table's answer."""
    return DECISIONS[exploitation, exposure, automatable][impact]


def seen_here(findings: Iterable[Finding], cve: str) -> tuple[Finding, ...]:
    """Findings that somebody uses a weakness on this network.

    A hazard for other devices, a weakness shown without anybody acting on it, and probes of an
    authorised scanner are none. A declared window excuses nothing: its work is confirmed by people.
    """
    return tuple(
        f for f in findings
        if cve in f.cves and f.certainty is not Certainty.NOTICE and f.actor and f.label != SCANNER
    )  # fmt: skip


def is_target(device: Device, finding: Finding) -> bool:
    """Whether what was seen was sent to this device."""
    return bool({device.id, *device.ips, *device.macs} & set(finding.targets))


def exploitation(
    cve: str, device: Device, findings: Iterable[Finding], known_exploited: str = ""
) -> Point[Exploitation]:
    """Own detections first, then the catalogue (``known_exploited``: what it says, "" nothing)."""
    seen = seen_here(findings, cve)
    own = [f for f in seen if is_target(device, f)]
    if own:
        return Point(Exploitation.ACTIVE, f"seen here against this device: {own[0].statement}")
    if seen:
        return Point(Exploitation.ACTIVE, f"seen on this network: {seen[0].statement}")
    if known_exploited:
        return Point(Exploitation.ACTIVE, known_exploited)
    return Point(Exploitation.NONE, "no attempt was seen here, and no catalogue given names it")


def exposure(device: Device, standing: Standing, *, radio: bool = False) -> Point[SystemExposure]:
    """From verdicts alone; what nothing verifies is taken as open."""
    if radio:
        return Point(SystemExposure.OPEN, "reached by radio, past the borders of the wired network")
    for measure in ("segmentation_enforced", "segmentation_in_use"):
        broken = standing.broken(measure, device)
        if broken:
            return Point(SystemExposure.OPEN, f"{measure} is broken: {broken[0].statement}")
    if standing.holds("segmentation_enforced", device):
        return Point(SystemExposure.SMALL, "segmentation_enforced holds")
    if standing.holds("segmentation_in_use", device):
        return Point(SystemExposure.CONTROLLED, "segmentation_in_use holds; a border was not tried")
    return Point(SystemExposure.OPEN, "no segmentation was verified, so the worst is assumed", assumed=True)  # fmt: skip


def automatable(vector: str) -> Point[bool]:
    """Whether one attempt can be made at many devices by machine: over the network, easily, by nobody."""
    if not vector:
        return Point(True, "its vector is not known, so the worst is assumed", assumed=True)
    metrics = set(vector.split("/"))
    easy = metrics >= {"AV:N", "AC:L", "PR:N", "UI:N"}
    return Point(easy, "AV:N, AC:L, PR:N, UI:N" if easy else f"not all of AV:N, AC:L, PR:N, UI:N in {vector}")  # fmt: skip


def human_impact(cve: str, device: Device, advisory: str) -> Point[HumanImpact]:
    """What our records say of a weakness at the bedside; else the worst the kind of device allows."""
    known = consequence(cve, advisory)
    if known is not None:
        return Point(known.impact, f"{known.why} (safety {known.safety}, mission {known.mission})")
    kind = device.identity.kind or "device"
    worst = (
        HumanImpact.VERY_HIGH if kind in SUSTAINING
        else HumanImpact.HIGH if device.is_medical
        else HumanImpact.MEDIUM
    )  # fmt: skip
    return Point(worst, f"nothing known of it at the bedside; the worst of a {kind} is assumed", assumed=True)  # fmt: skip


def by_radio(cve: str) -> bool:
    """Whether our records say that a weakness is reached by radio."""
    known = consequences().get(cve)
    return known is not None and known.radio


def consequence(cve: str, advisory: str) -> Consequence | None:
    """What a weakness does at the bedside, where the advisory is the one that says so.

    The same weakness of a part means something else in another device.
    """
    known = consequences().get(cve)
    named = known is not None and re.search(rf"\b{re.escape(advisory)}\b", known.source)
    return known if advisory and named else None


@cache
def consequences() -> dict[str, Consequence]:
    """The clinical consequences that ship with wardwatch, by weakness."""
    rows = read("advise/knowledge/clinical.toml", dict[str, tuple[Consequence, ...]])
    return {row.cve: row for row in rows["consequence"]}
