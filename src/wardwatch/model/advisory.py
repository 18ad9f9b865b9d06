"""Advisories in CSAF 2.0 words: what is published, as our own checked record of it."""

# Annotations are not deferred: msgspec would compile the text of each when it first decodes one.

from enum import Enum

import msgspec


class Exposure(Enum):
    """How an advisory stands to a device."""

    AFFECTED = "affected"
    NOT_AFFECTED = "not affected"
    UNKNOWN = "unknown"
    """Above all: the version is not known."""
    CONDITIONAL = "conditional"
    """Of one CVE: it hangs on a named fact that nobody has stated ("FTP is enabled")."""


class Vulnerability(msgspec.Struct, frozen=True):
    """One CVE of an advisory."""

    cve: str
    title: str
    cwe: str
    vector: str
    """CVSS v3 vector, from the text that names this CVE where the file is at fault; "" none."""
    base_score: float
    """-1 where the advisory gives none."""
    published_score: float
    """What the CSAF file's ``scores`` said; -1 nothing."""
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
    """Key that device identities bear; "" for a document that is not a record of ours."""
    product: str
    affected_versions: tuple[str, ...]
    """The document's words on versions."""
    fixed_version: str
    """"" where no one version is named for every product."""
    source: str
    published: str
    vulnerabilities: tuple[Vulnerability, ...]
    remediations: tuple[Remediation, ...]
    notices: tuple[SafetyNotice, ...] = ()
    document: str = ""
    """Where it came from: our own record, or the file that was imported."""
    sha512: str = ""
    """Of the imported file's bytes; "" for our own record."""
    revision: str = ""
    """``document.tracking.version`` of the file."""


class CveMatch(msgspec.Struct, frozen=True):
    """One device × advisory × CVE."""

    cve: str
    exposure: Exposure
    condition: str = ""
    """The fact it hangs on; "" where it hangs on none."""
    reason: str = ""
    """Why; "" where it is the match's own reason."""


class Match(msgspec.Struct, frozen=True):
    """One device × advisory, with what is said of each CVE."""

    device: str
    advisory: str
    exposure: Exposure
    reason: str
    """Why, with where the version came from."""
    cves: tuple[str, ...]
    """CVEs that apply or may: those of ``answers`` that are not "not affected"."""
    notices: tuple[str, ...] = ()
    """Titles of the safety notices whose versions fit, or may fit."""
    answers: tuple[CveMatch, ...] = ()
    """Each CVE of the advisory that concerns the product, by number."""
    condition: str = ""
    """The fact on which the whole answer hangs ("its version"); "" none."""
    product: str = ""
    """Which product of the advisory is meant, in the document's words or the pack's."""
    basis: str = ""
    """How the product was known: product family, same name, name contained, likeness of names, maker alone."""
    text: str = ""
    """The document's words relied on."""
    origin: str = ""
    """Where those stand: branch, leaf name, or our reading with its source."""
    version: str = ""
    """The device's version that was compared; "" none."""
    version_source: str = ""
    """``wire``, ``list`` or ``typed``; "" without a version."""
    fixed_by: str = ""
    """The fixed release that the device's version is at or after; "" none."""
