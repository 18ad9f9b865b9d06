"""A document of the shelf as the audit shows it: our own checked record over it, where there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from wardwatch.advise.library import CATEGORIES
from wardwatch.advise.own import SOURCE
from wardwatch.advise.ssvc import consequence
from wardwatch.model.advisory import Advisory, Remediation, Vulnerability

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wardwatch.advise.csaf import Document, Flaw
    from wardwatch.advise.repair import Scored
    from wardwatch.advise.said import Statement

MOST_REMEDIES = 12
"""Remediations shown of a document: some repeat a page of boilerplate for every CVE."""
MAX_WORDS = 600
"""Characters of one text shown."""


def advisory_of(
    document: Document, record: Advisory | None = None, said: Iterable[Statement] | None = None
) -> Advisory:
    """A document in our words for it: scores repaired with the file's beside them.

    ``record`` is our own checked record of the same id: its titles, clinical words, remediations and
    later notices stand; the scores that the file said are the file's. ``said`` are the document's
    statements where they are at hand; else they are read out of it.
    """
    known = {flaw.cve for flaw in record.vulnerabilities} if record else set()
    # A later revision may name more: nothing of the file is lost under our record.
    rest = [flaw for flaw in document.flaws if _called(flaw) not in known]
    imported = document.source != SOURCE
    scored = _scored(document) if rest or imported else {}
    flaws = tuple(_vulnerability(flaw, scored.get(flaw.cve), document.id) for flaw in rest)
    if record is None:
        return _alone(document, flaws, said)
    told = tuple(
        _as_the_file_says(flaw, scored.get(flaw.cve)) if imported else flaw
        for flaw in record.vulnerabilities
    )
    return msgspec.structs.replace(
        record,
        vulnerabilities=(*told, *flaws),
        document=document.source,
        sha512=document.sha512,
        revision=document.revision,
    )


def _scored(document: Document) -> dict[str, Scored]:
    from wardwatch.advise.repair import scores  # our own records mostly say all

    return {one.cve: one for one in scores(document)}


def _alone(
    document: Document, flaws: tuple[Vulnerability, ...], said: Iterable[Statement] | None
) -> Advisory:
    """A document of which we have no record."""
    if said is None:
        from wardwatch.advise.statements import statements

        said = statements(document)
    fixes = dict.fromkeys(fix.text for s in said for fix in s.fixed)
    return Advisory(
        id=document.id,
        title=document.title,
        family="",
        product=", ".join(dict.fromkeys(leaf.product or leaf.name for leaf in document.leaves))[:MAX_WORDS],
        affected_versions=tuple(dict.fromkeys(leaf.version for leaf in document.leaves if leaf.version))[:40],
        fixed_version=next(iter(fixes)) if len(fixes) == 1 else "",
        source=document.url or _page(document.id),
        published=document.initial if document.current in ("", document.initial) else f"{document.initial}, updated {document.current}",
        vulnerabilities=flaws,
        remediations=_remediations(document),
        document=document.source,
        sha512=document.sha512,
        revision=document.revision,
    )  # fmt: skip


def _as_the_file_says(flaw: Vulnerability, scored: Scored | None) -> Vulnerability:
    """Our record's weakness with the score of the imported file: a later file may be mended."""
    if scored is None or scored.file_score == flaw.published_score:
        return flaw
    differs = scored.file_score != flaw.base_score
    return msgspec.structs.replace(
        flaw, published_score=scored.file_score, correction=flaw.correction if differs else ""
    )


def _vulnerability(flaw: Flaw, scored: Scored | None, advisory: str) -> Vulnerability:
    title = flaw.title if flaw.title != flaw.cve else ""
    known = consequence(flaw.cve, advisory)
    return Vulnerability(
        cve=_called(flaw),
        title=title or (flaw.notes[0][:MAX_WORDS] if flaw.notes else ""),
        cwe=flaw.cwe,
        vector=scored.vector if scored else "",
        base_score=scored.base_score if scored else -1.0,
        published_score=scored.file_score if scored else -1.0,
        clinical=f"{known.why[:1].upper()}{known.why[1:]}." if known else "",
        correction=f"The text says otherwise, and is taken: {scored.why}." if scored and scored.replaced else "",
    )  # fmt: skip


def _called(flaw: Flaw) -> str:
    return flaw.cve or flaw.title or "(no CVE)"


def _remediations(document: Document) -> tuple[Remediation, ...]:
    told = dict.fromkeys(
        (remedy.category, " ".join(remedy.details.split())[:MAX_WORDS])
        for flaw in document.flaws
        for remedy in flaw.remedies
        if remedy.category in CATEGORIES and remedy.details.strip()
    )
    return tuple(Remediation(category, details) for category, details in list(told)[:MOST_REMEDIES])


def _page(identity: str) -> str:
    """Where CISA shows an advisory of its medical series; "" for others."""
    series = identity.casefold()
    return f"https://www.cisa.gov/news-events/ics-medical-advisories/{series}" if series.startswith("icsma-") else ""  # fmt: skip
