"""Advisories in CSAF 2.0 words: what is published, as our own checked record of it."""

from __future__ import annotations

from enum import Enum

import msgspec


class Exposure(Enum):
    """How an advisory stands to a device."""

    AFFECTED = "affected"
    NOT_AFFECTED = "not affected"
    UNKNOWN = "unknown"
    """Above all: the version is not known."""


class Vulnerability(msgspec.Struct, frozen=True):
    """One CVE of an advisory."""

    cve: str
    title: str
    cwe: str
    vector: str
    """CVSS v3.0 vector, from the text that names this CVE."""
    base_score: float
    published_score: float
    """What the CSAF file's ``scores`` said."""
    correction: str = ""
    """Why they differ; "" where they agree."""
    clinical: str = ""
    """What it means at the bedside."""


class Remediation(msgspec.Struct, frozen=True):
    """What the advisory says to do."""

    category: str
    """CSAF: vendor_fix, mitigation, workaround, no_fix_planned, none_available."""
    details: str
    measure: str = ""
    """Id of the measure that checks it; "" none."""


class SafetyNotice(msgspec.Struct, frozen=True):
    """A later recall: why a fixed version is not called safe."""

    title: str
    versions: tuple[str, ...]
    published: str
    source: str


class Advisory(msgspec.Struct, frozen=True):
    """One advisory for one product family."""

    id: str
    title: str
    family: str
    """Key that device identities bear."""
    product: str
    affected_versions: tuple[str, ...]
    """Versions named by the text, as prefixes of dotted numbers."""
    fixed_version: str
    source: str
    published: str
    vulnerabilities: tuple[Vulnerability, ...]
    remediations: tuple[Remediation, ...]
    notices: tuple[SafetyNotice, ...] = ()


class Match(msgspec.Struct, frozen=True):
    """One device × advisory."""

    device: str
    advisory: str
    exposure: Exposure
    reason: str
    """Why, with where the version came from."""
    cves: tuple[str, ...]
    notices: tuple[str, ...] = ()
    """Titles of the safety notices whose versions fit, or may fit."""
