"""The advisory shelf: our own checked records, read and kept honest."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import msgspec

from wardwatch.advise.versions import version
from wardwatch.errors import AdvisoryError
from wardwatch.model.advisory import Advisory
from wardwatch.model.judgement import MEASURES

MAX_BYTES = 4 * 1024 * 1024
"""The largest published advisory is below 1 MB."""
CATEGORIES = ("vendor_fix", "mitigation", "workaround", "no_fix_planned", "none_available")
"""CSAF 2.0 §3.2.3.12.1."""


@cache
def shelf() -> tuple[Advisory, ...]:
    """The records that ship with wardwatch, by id."""
    folder = Path(__file__).parent / "shelf"
    records = [_decoded(entry.name, entry.read_bytes()) for entry in folder.glob("*.json")]
    return tuple(sorted(records, key=lambda advisory: advisory.id))


def read_advisory(path: str | Path) -> Advisory:
    """One record from a file, its scores checked against their vectors.

    Raises :class:`~wardwatch.errors.AdvisoryError`: what is wrong, where, and what to do.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise AdvisoryError(
            str(path), f"cannot be read ({error.strerror})", "name an advisory record"
        ) from error
    if len(raw) > MAX_BYTES:
        raise AdvisoryError(path.name, "is larger than 4 MB", "give one record a file")
    advisory = _decoded(path.name, raw)
    check(advisory, path.name)
    return advisory


def check(advisory: Advisory, name: str) -> None:
    """Refuse a record that contradicts itself: scores, measures, categories, versions."""
    from cvss import CVSS3
    from cvss.exceptions import CVSSError

    measures = {measure.id for measure in MEASURES}
    for flaw in advisory.vulnerabilities:
        try:
            score = float(CVSS3(flaw.vector).base_score)
        except CVSSError as error:
            raise AdvisoryError(
                name, f"{flaw.cve}: {flaw.vector!r} is no CVSS v3 vector", "correct the vector"
            ) from error
        if score != flaw.base_score:
            raise AdvisoryError(
                name,
                f"{flaw.cve}: its vector gives {score}, the record says {flaw.base_score}",
                "take vector and score from the text that names this CVE",
            )
        if (flaw.published_score != flaw.base_score) != bool(flaw.correction):
            raise AdvisoryError(
                name,
                f"{flaw.cve}: a score that differs from the published one, and only that, needs a correction",
                "say in 'correction' why they differ",
            )
    for remedy in advisory.remediations:
        if remedy.category not in CATEGORIES:
            raise AdvisoryError(
                name,
                f"remediation category {remedy.category!r} is none of CSAF's",
                f"use one of {', '.join(CATEGORIES)}",
            )
        if remedy.measure and remedy.measure not in measures:
            raise AdvisoryError(
                name,
                f"no measure is called {remedy.measure!r}",
                f"use one of {', '.join(sorted(measures))}",
            )


def _decoded(name: str, raw: bytes) -> Advisory:
    try:
        advisory = msgspec.json.decode(raw, type=Advisory)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise AdvisoryError(
            name,
            f"is no advisory record ({error})",
            "restore the file, or remove it from the shelf",
        ) from error
    for problem in _problems(advisory):
        raise AdvisoryError(name, problem, "restore the file, or remove it from the shelf")
    return advisory


def _problems(advisory: Advisory) -> list[str]:
    """What a record cannot be without."""
    found = []
    if not advisory.id or not advisory.family or not advisory.product:
        found.append("id, family or product is empty")
    found += [
        f"{flaw.cve!r} is no CVE number"
        for flaw in advisory.vulnerabilities
        if not re.fullmatch(r"CVE-\d{4}-\d{4,7}", flaw.cve)
    ]
    found += [
        f"{text!r} is no version number"
        for text in (*advisory.affected_versions, *filter(None, (advisory.fixed_version,)))
        if version(text) is None
    ]
    return found
