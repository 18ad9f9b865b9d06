"""The device's surroundings: which measures stand for it, and what they do to a CVSS score.

A measure counts for a device only where its verdict holds (or a named role attests it) for
that device, for every segment the device was seen in, or for the whole site, and where no
verdict says broken. The published base score is never overwritten: base and environmental
stand side by side, each with its vector.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Protocol

import msgspec

from wardwatch.advise.families import families_of
from wardwatch.advise.knowledge import families
from wardwatch.advise.makers import answers as makers_answer
from wardwatch.advise.makers import makers_of
from wardwatch.advise.match import assets_of
from wardwatch.model.judgement import State, Verdict
from wardwatch.packs import read

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wardwatch.model.advisory import Advisory, Match
    from wardwatch.model.device import Device
    from wardwatch.model.judgement import Finding
    from wardwatch.model.site import Site
    from wardwatch.observe.tables import Tables


class Audited(Protocol):
    """What a statement and an order of work rest on; :class:`wardwatch.watch.Audit` is one."""

    @property
    def tables(self) -> Tables:
        """The evidence."""

    @property
    def devices(self) -> tuple[Device, ...]:
        """What is there."""

    @property
    def advisories(self) -> tuple[Advisory, ...]:
        """What concerns some of it."""

    @property
    def matches(self) -> tuple[Match, ...]:
        """How each stands to each."""

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Which measures hold."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Who attacks."""

    @property
    def site(self) -> Site:
        """What the hospital states."""


class Standing:
    """The verdicts of an audit, asked by device."""

    def __init__(self, verdicts: Iterable[Verdict]) -> None:
        self._of: dict[tuple[str, str], list[Verdict]] = {}
        self._measures: dict[str, None] = {}
        for verdict in verdicts:
            self._measures[verdict.measure] = None
            subject = "" if verdict.subject_kind == "site" else verdict.subject
            self._of.setdefault((verdict.measure, subject), []).append(verdict)

    def holding(self, device: Device) -> tuple[Verdict, ...]:
        """Verdicts that hold or are attested for a device, in the order of the measures."""
        return tuple(v for m in self._measures for v in self._stands(m, device))

    def holds(self, measure: str, device: Device) -> bool:
        """Whether a measure is shown by packets to hold for a device: attested is not shown."""
        stands = self._stands(measure, device)
        return bool(stands) and all(v.state is State.HOLDS for v in stands)

    def broken(self, measure: str, device: Device) -> tuple[Verdict, ...]:
        """Verdicts that say a measure is broken for a device."""
        return tuple(v for v in self._about(measure, device) if v.state is State.BROKEN)

    def _about(self, measure: str, device: Device) -> list[Verdict]:
        return [
            verdict
            for subject in (device.id, *device.segments, "")
            for verdict in self._of.get((measure, subject), ())
        ]

    def _stands(self, measure: str, device: Device) -> tuple[Verdict, ...]:
        """All or nothing: one segment in which it does not hold takes the measure away."""
        own = self._of.get((measure, device.id), ()) or self._of.get((measure, ""), ())
        if not own:
            by_segment = [self._of.get((measure, s), ()) for s in device.segments]
            own = [v for found in by_segment for v in found] if all(by_segment) else ()
        told = [v for v in own if v.state is not State.NOT_APPLICABLE]
        if self.broken(measure, device):
            return ()
        return tuple(told) if all(v.state in (State.HOLDS, State.ATTESTED) for v in told) else ()


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """Metrics of CVSS v3 §3 and §4 that the hospital's surroundings decide; "" is not defined (X)."""

    mav: str = ""
    """Modified attack vector: ``A`` only where segmentation is shown to be enforced."""
    cr: str = ""
    ir: str = ""
    ar: str = ""
    """Requirements: what the family's confidentiality, integrity, availability weigh (rubric)."""
    e: str = ""
    """Exploit code maturity."""
    rl: str = ""
    """Remediation level: ``O`` where the maker has a fixed version."""

    @property
    def metrics(self) -> str:
        """As a tail of a vector, ``/E:P/RL:O/CR:L/IR:H/AR:H/MAV:A``."""
        values = (("E", self.e), ("RL", self.rl), ("CR", self.cr), ("IR", self.ir),
                  ("AR", self.ar), ("MAV", self.mav))  # fmt: skip
        return "".join(f"/{name}:{value}" for name, value in values if value)


class Scored(msgspec.Struct, frozen=True):
    """One weakness scored twice: as published, and here."""

    vector: str
    """The published vector, with the metrics of the surroundings behind it."""
    base: float
    environmental: float
    base_severity: str
    environmental_severity: str


@lru_cache(maxsize=4096)  # a fleet shares few vectors and fewer surroundings
def scored(vector: str, environment: Environment) -> Scored | None:
    """Base and environmental score of a published CVSS v3 vector; None where it is none.

    The attack vector is only ever narrowed: a weakness that needs the device itself (AV:L, AV:P)
    stays what it is.
    """
    from cvss import CVSS3
    from cvss.exceptions import CVSSError

    if environment.mav and "/AV:N" not in vector:
        environment = msgspec.structs.replace(environment, mav="")
    try:
        base = CVSS3(vector)
        here = CVSS3(base.clean_vector() + environment.metrics)
    except CVSSError:
        return None
    severities = here.severities()
    return Scored(
        here.clean_vector(),
        float(base.base_score),
        float(here.environmental_score),
        base.severities()[0],
        severities[2],
    )


class Rubric(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The medical-device rubric's answers for one family; "" is not answered, and stays unknown."""

    families: tuple[str, ...]
    """Families of the knowledge pack that one text answers for."""
    source: str
    phi: str = ""
    """Whether patient data can be had through a weakness: ``yes``, ``no`` or ""."""
    diagnosis: str = ""
    therapy: str = ""
    """Whether delivery of therapy can be touched."""
    workflow: str = ""
    credentials: str = ""
    cr: str = ""
    ir: str = ""
    ar: str = ""

    @property
    def said(self) -> str:
        """The answered questions in words: ``therapy yes, patient data no``."""
        asked = (("therapy", self.therapy), ("diagnosis", self.diagnosis), ("workflow", self.workflow),
                 ("patient data", self.phi), ("credentials", self.credentials))  # fmt: skip
        return ", ".join(f"{question} {answer}" for question, answer in asked if answer)


@cache
def rubric() -> dict[str, Rubric]:
    """The answers that ship with wardwatch, by family."""
    rows = read("advise/knowledge/rubric.toml", dict[str, tuple[Rubric, ...]])
    return {family: row for row in rows["answer"] for family in row.families}


GRAVEST = ("yes", "H", "M", "", "no", "L")
"""Which of two answers to one question counts: not answered is unknown, and outweighs a "no"."""


def answers_for(device: Device) -> Rubric | None:
    """The rubric's answers for a device, by whatever name it goes; None where none are known."""
    names = tuple(
        dict.fromkeys(
            name for asset in assets_of(device) for name in (asset.model, asset.component)
        )
    )
    return _answers(device.identity.manufacturer, device.identity.family, names)


@lru_cache(maxsize=4096)  # a fleet shares few names
def _answers(manufacturer: str, key: str, names: tuple[str, ...]) -> Rubric | None:
    rows = [rubric()[f] for f in sorted(_kin(manufacturer, key, names)) if f in rubric()]
    return gravest(tuple(dict.fromkeys(rows))) if rows else None


def _kin(manufacturer: str, key: str, names: tuple[str, ...]) -> set[str]:
    """Families of the knowledge pack that a device is of.

    The wire's rules have a key for what they recognise (``medfusion-4000``), a list has the words
    of whoever wrote it ("Alaris PCU 8015 v12"): both end here. A name without a model may mean any
    of its models.
    """
    maker, known = makers_of(manufacturer), families()
    found = {family for family in known if key and family.partition(".")[2] == key}
    found |= {
        family
        for name in names
        for family in families_of(name)
        if not maker or makers_answer(maker, frozenset(known[family].makers))
    }
    for family in tuple(found):
        models = set(known[family].models)
        if not found & models:
            found |= models
    return found


def gravest(rows: tuple[Rubric, ...]) -> Rubric:
    """One row of several: for each question the graver answer."""
    questions = ("phi", "diagnosis", "therapy", "workflow", "credentials", "cr", "ir", "ar")
    worst = {q: min((getattr(row, q) for row in rows), key=GRAVEST.index) for q in questions}
    return Rubric(
        families=tuple(family for row in rows for family in row.families),
        source="; ".join(row.source for row in rows),
        **worst,
    )


def surroundings(
    device: Device, advisory: Advisory, standing: Standing, *, active: bool, radio: bool = False
) -> Environment:
    """The environmental metrics of a device for an advisory, each from its evidence or not defined.

    ``active``: the weakness is exploited; ``radio``: it is reached by radio, where no segmentation
    of the wired network stands in the way.
    """
    answers = answers_for(device)
    return Environment(
        mav="A" if not radio and standing.holds("segmentation_enforced", device) else "",
        cr=answers.cr if answers else "",
        ir=answers.ir if answers else "",
        ar=answers.ar if answers else "",
        e="H" if active else "",
        rl="O" if advisory.fixed_version else "",
    )
