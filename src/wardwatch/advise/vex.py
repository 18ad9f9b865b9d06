"""VEX: the operator's own statement on each weakness and device, from the verdicts of an audit.

CSAF 2.0, profile ``csaf_vex``. The mapping is strict, because a statement is read by others:

    a fixed version seen or listed            → fixed
    an affected version                       → known_affected, each measure that holds as a mitigation
    a named person's sign-off in site.toml    → known_not_affected, with the justification signed
    everything else, above all no version     → under_investigation

The hospital's own network never makes a product "not affected": segmentation, closed services
and static addresses are mitigations of an affected product, and the justification
``inline_mitigations_already_exist`` means controls built into the product, so it is never used.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

import wardwatch
from wardwatch.advise.environment import Audited, Standing, scored, surroundings
from wardwatch.advise.ssvc import by_radio, seen_here
from wardwatch.errors import AdvisoryError, UsageError
from wardwatch.model.advisory import Advisory, Exposure, Match, Vulnerability
from wardwatch.model.judgement import MEASURES, State, Verdict
from wardwatch.model.site import JUSTIFICATIONS, Attestation
from wardwatch.model.values import NS, utc_text
from wardwatch.signs.policy import instant, zone_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wardwatch.model.device import Device

FIXED, AFFECTED = "fixed", "known_affected"
NOT_AFFECTED, INVESTIGATED = "known_not_affected", "under_investigation"
WORST_FIRST = (AFFECTED, INVESTIGATED, FIXED, NOT_AFFECTED)
"""Two advisories may name one weakness of one device: the graver word stands."""

_WIRED = tuple(f"CVE-2017-{n}" for n in (12718, 12720, 12721, 12722, 12723, 12724, 12726))
"""Of the Medfusion's weaknesses, those reached through the hospital's network: CVE-2017-12725 is by radio."""
BEARS_ON = {
    "static_address": ("CVE-2017-12718",),
    "no_rogue_dhcp": ("CVE-2017-12718",),
    "no_rogue_dns": ("CVE-2017-12722",),
    "segmentation_in_use": _WIRED,
    "segmentation_enforced": _WIRED,
    "vlan_separation": _WIRED,
    "certificate_validation": ("CVE-2017-12721",),
    "unneeded_services": ("CVE-2017-12720", "CVE-2017-12723", "CVE-2017-12724", "CVE-2017-12726"),
    # a password that is built in cannot be made strong: these help where one is read from a file
    "password_hygiene": ("CVE-2017-12723",),
    "attested_passwords": ("CVE-2017-12723",),
}
"""Measures that stand in the way of some weaknesses only; the rest bear on all an advisory names."""

SEPARATES = ("segmentation_in_use", "segmentation_enforced", "vlan_separation")
"""Measures that keep strangers of other networks away, whatever the weakness is."""

CWE_NAMES = {
    "CWE-120": "Buffer Copy without Checking Size of Input ('Classic Buffer Overflow')",
    "CWE-125": "Out-of-bounds Read",
    "CWE-259": "Use of Hard-coded Password",
    "CWE-260": "Password in Configuration File",
    "CWE-284": "Improper Access Control",
    "CWE-287": "Improper Authentication",
    "CWE-295": "Improper Certificate Validation",
    "CWE-306": "Missing Authentication for Critical Function",
    "CWE-319": "Cleartext Transmission of Sensitive Information",
    "CWE-798": "Use of Hard-coded Credentials",
}
"""CSAF wants number and name as the catalogue has them; a number we cannot name is left out."""

RANGE_WORDS = ("<", ">", "after", "all", "before", "earlier", "later", "prior", "versions")
"""CSAF 2.0 §6.1.31: none of these in the name of a ``product_version``."""

MAX_BYTES = 256 * 1024 * 1024
"""A statement on 100,000 devices, some 2 kB each."""
MAX_TEXT = 2000
"""Characters of one text from outside."""
MAX_REVISIONS = 10_000
"""A statement a day for 27 years."""


def statement(
    audit: Audited,
    *,
    publisher: str,
    namespace: str,
    previous: dict[str, Any] | None = None,
    at: int | None = None,
) -> dict[str, Any]:
    """The statement as a CSAF document; the same audit always gives the same one.

    ``at`` is its date (ns), by default the end of the captures. ``previous`` is the statement it
    supersedes, as :func:`read_statement` gives it: the new one carries on its number and history and
    says what changed, above all which measures no longer hold.

    Raises :class:`~wardwatch.errors.UsageError`: no advisory concerns a device, a name that CSAF
    does not take, a previous statement of somebody else or of a later date.
    """
    if not publisher.strip():
        raise UsageError("a statement needs the name of who makes it; give --publisher")
    if not re.fullmatch(r"https?://[^\s/?#]+(?:/[^\s?#]*)?", namespace):
        raise UsageError(
            f"{namespace!r} is no namespace; give --namespace as https://hospital.example"
        )
    if not audit.matches:
        raise UsageError("no advisory concerns a device of these captures, so nothing is stated")
    captures = audit.tables.ask(
        "SELECT capture, sha256, packets, first_ts, last_ts FROM captures ORDER BY capture"
    )
    if at is None:
        ends = [row.last_ts for row in captures if row.packets > 0 and row.last_ts > 0]
        if not ends:
            raise UsageError("the captures hold no packet with a time; give the date with --date")
        at = max(ends)
    made = _Statement(audit, at)
    identity = f"wardwatch-vex-{_slug(audit.site.name) or 'site'}"
    document = {
        "document": {
            "category": "csaf_vex",
            "csaf_version": "2.0",
            "distribution": _marking(audit.site.marking),
            "lang": "en",
            "notes": made.basis(captures),
            "publisher": {"category": "user", "name": publisher.strip(), "namespace": namespace},
            "references": made.references(),
            "title": f"Exploitability of published weaknesses in devices of {publisher.strip()}",
            "tracking": {
                "current_release_date": _date(at),
                "generator": {
                    "date": _date(at),
                    "engine": {"name": "wardwatch", "version": wardwatch.__version__},
                },
                "id": identity,
                "initial_release_date": _date(at),
                "revision_history": [
                    {"date": _date(at), "number": "1", "summary": "First statement."}
                ],
                "status": "final",
                "version": "1",
            },
        },
        "product_tree": {"branches": made.branches()},
        "vulnerabilities": made.vulnerabilities(),
    }
    _refer_to_itself(document, namespace)
    return document if previous is None else superseded(previous, document)


def superseded(previous: dict[str, Any], current: dict[str, Any]) -> dict[str, Any]:
    """``current`` as the next revision of ``previous``; ``previous`` itself where nothing changed."""
    old, new = previous["document"], current["document"]
    for key in ("name", "namespace"):
        if old["publisher"][key] != new["publisher"][key]:
            raise UsageError(
                f"the statement to supersede is by {old['publisher']['name']!r} "
                f"({old['publisher']['namespace']}); only its publisher can supersede it"
            )
    changed = changes(previous, current)
    if not changed and previous["vulnerabilities"] == current["vulnerabilities"]:
        return previous
    then, now = old["tracking"]["current_release_date"], new["tracking"]["current_release_date"]
    earlier, later = _moment(then), _moment(now)
    if earlier is None or later is None or earlier >= later:
        raise UsageError(
            f"the statement to supersede is of {then}, these captures end {now}; "
            "an older capture cannot supersede it"
        )
    number = str(int(old["tracking"]["version"]) + 1)
    summary = f"Supersedes revision {int(number) - 1}. {changed or 'Evidence renewed.'}"
    entry = {"date": now, "number": number, "summary": summary}
    result = json.loads(json.dumps(current))
    tracking = result["document"]["tracking"]
    tracking["id"] = old["tracking"]["id"]
    tracking["initial_release_date"] = old["tracking"]["initial_release_date"]
    tracking["revision_history"] = [*old["tracking"]["revision_history"], entry]
    tracking["version"] = number
    _refer_to_itself(result, new["publisher"]["namespace"])
    return result  # type: ignore[no-any-return]


def changes(previous: dict[str, Any], current: dict[str, Any]) -> str:
    """What differs between two statements, in sentences: broken measures first."""
    before, after = _told(previous), _told(current)
    lost: dict[str, set[str]] = {}
    gained: dict[str, set[str]] = {}
    moved: dict[tuple[str, str], set[str]] = {}
    for key in sorted(before.keys() | after.keys()):
        product, cve = key
        status, measures = before.get(key, ("no statement", frozenset()))
        status_now, measures_now = after.get(key, ("no statement", frozenset()))
        for measure in measures - measures_now:
            lost.setdefault(measure, set()).add(product)
        for measure in measures_now - measures:
            gained.setdefault(measure, set()).add(product)
        if status != status_now:
            moved.setdefault((status, status_now), set()).add(f"{cve} of {product}")
    said = [f"No longer holds: {m} for {_some(p)}." for m, p in sorted(lost.items())]
    said += [f"Now holds: {m} for {_some(p)}." for m, p in sorted(gained.items())]
    said += [f"From {a} to {b}: {_some(p)}." for (a, b), p in sorted(moved.items())]
    return " ".join(said)


def render(document: dict[str, Any]) -> str:
    """The file: keys sorted, as CSAF 2.0 §6.2.17 asks."""
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def file_name(document: dict[str, Any]) -> str:
    """The name CSAF 2.0 §5.1 gives its file."""
    identity = document["document"]["tracking"]["id"].lower()
    return re.sub(r"[^+\-a-z0-9]+", "_", identity) + ".json"


class _Revision(msgspec.Struct):
    date: str
    number: str
    summary: str


class _Tracking(msgspec.Struct):
    id: str
    version: str
    status: str
    initial_release_date: str
    current_release_date: str
    revision_history: list[_Revision]


class _Publisher(msgspec.Struct):
    category: str
    name: str
    namespace: str


class _Head(msgspec.Struct):
    category: str
    csaf_version: str
    publisher: _Publisher
    tracking: _Tracking


class _Remediation(msgspec.Struct):
    category: str
    details: str
    product_ids: list[str] = []


class _Flaw(msgspec.Struct):
    product_status: dict[str, list[str]]
    cve: str = ""
    remediations: list[_Remediation] = []


class _File(msgspec.Struct):
    """The parts of a statement that its successor reads."""

    document: _Head
    vulnerabilities: list[_Flaw]


def read_statement(path: str | Path) -> dict[str, Any]:
    """A statement this program wrote before, to be superseded.

    Raises :class:`~wardwatch.errors.AdvisoryError`: it is no such statement, and why.
    """
    import orjson

    path = Path(path)
    remedy = "give a statement that `wardwatch vex` wrote"
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise AdvisoryError(str(path), f"cannot be read ({error.strerror})", remedy) from error
    if len(raw) > MAX_BYTES:
        raise AdvisoryError(path.name, "is larger than 256 MB", remedy)
    try:
        document = orjson.loads(raw)
        told = msgspec.convert(document, _File)
    except (orjson.JSONDecodeError, msgspec.ValidationError) as error:
        raise AdvisoryError(path.name, f"is no VEX statement ({error})", remedy) from error
    head, tracking = told.document, told.document.tracking
    numbers = [revision.number for revision in tracking.revision_history]
    dates = [tracking.initial_release_date, tracking.current_release_date]
    dates += [revision.date for revision in tracking.revision_history]
    problem = (
        "is not of category csaf_vex, CSAF 2.0"
        if (head.category, head.csaf_version) != ("csaf_vex", "2.0")
        else "has more revisions than a statement a day could make"
        if len(numbers) > MAX_REVISIONS
        else "has a revision history that does not count 1, 2, 3 up to its version"
        if not numbers
        or numbers != [str(n + 1) for n in range(len(numbers))]
        or tracking.version != numbers[-1]
        else "is not final"
        if tracking.status != "final"
        else "has a date that is none"
        if any(_moment(date) is None for date in dates)
        else "has no id"
        if not tracking.id.strip()
        else ""
    )
    if problem:
        raise AdvisoryError(path.name, problem, remedy)
    return document  # type: ignore[no-any-return]


class _Said(msgspec.Struct, frozen=True):
    """One device × weakness: its status and why."""

    status: str
    why: str
    advisory: Advisory
    flaw: Vulnerability
    sign_off: Attestation | None = None


class _Statement:
    """One audit read as statements."""

    def __init__(self, audit: Audited, at: int) -> None:
        self.audit, self.at = audit, at
        self.standing = Standing(audit.verdicts)
        self.devices = {device.id: device for device in audit.devices}
        self.advisories = {advisory.id: advisory for advisory in audit.advisories}
        self.signed: dict[str, list[Attestation]] = {}
        for line in audit.site.attestation:
            if stands(line, at):
                self.signed.setdefault(line.measure.partition(" ")[2], []).append(line)
        self.said: dict[str, dict[str, _Said]] = {}
        for match in audit.matches:
            device, advisory = self.devices[match.device], self.advisories[match.advisory]
            for flaw in advisory.vulnerabilities:
                told = self._status(device, advisory, match, flaw)
                if told is None:
                    continue
                of_cve = self.said.setdefault(flaw.cve, {})
                other = of_cve.get(device.id)
                if other is None or _graver(told, other):
                    of_cve[device.id] = told
        self.concerned = sorted({d for of_cve in self.said.values() for d in of_cve})

    def _status(
        self, device: Device, advisory: Advisory, match: Match, flaw: Vulnerability
    ) -> _Said | None:
        signed = self._sign_off(device, flaw.cve)
        if signed is not None:
            return _Said(NOT_AFFECTED, signed.statement, advisory, flaw, signed)
        answer = next((a for a in match.answers if a.cve == flaw.cve), None)
        if answer is None:  # the document ties this weakness to other products of its own
            return None
        why = answer.reason or match.reason
        if answer.exposure is Exposure.AFFECTED:
            return _Said(AFFECTED, why, advisory, flaw)
        if answer.exposure is Exposure.NOT_AFFECTED and match.fixed_by:
            return _Said(FIXED, match.reason, advisory, flaw)
        if answer.exposure is Exposure.NOT_AFFECTED:
            why = f"{why} Neither a fixed version nor a person's sign-off shows more, so it is not stated here."
        return _Said(INVESTIGATED, why, advisory, flaw)

    def _sign_off(self, device: Device, cve: str) -> Attestation | None:
        """A standing line in which a named person signs that a weakness cannot be used here."""
        for line in self.signed.get(cve, ()):
            if not line.zone or self._zones(device) == {line.zone}:
                return line
        return None

    def _zones(self, device: Device) -> set[str]:
        """The zones a device was seen in; "" among them where a segment is of none."""
        segments = device.segments or ("",)
        found = (zone_of(self.audit.site, segment, device.ips) for segment in segments)
        return {zone.name if zone is not None else "" for zone in found}

    def basis(self, captures: Sequence[Any]) -> list[dict[str, str]]:
        """What the whole statement rests on."""
        files = "; ".join(
            f"capture {row.capture}: SHA-256 {row.sha256}, {row.packets} packets" for row in captures[:100]
        )  # fmt: skip
        return [
            {
                "category": "general",
                "text": "Made by the operator from passively captured network traffic and its own device list. "
                "Measures named as mitigations are the operator's own network and organisational controls; "
                "they make no product unaffected. A measure is named only where it was seen to hold, or "
                "where a named role attests it, at the time stated with it.",
                "title": "What this statement rests on",
            },
            {"category": "details", "text": files or "none", "title": "Captures"},
        ]

    def references(self) -> list[dict[str, str]]:
        """The advisories stated upon."""
        return [
            {"category": "external", "summary": f"{a.id}: {a.title}", "url": a.source}
            for a in self.audit.advisories
            if re.match(r"https?://\S+$", a.source)
        ]

    def branches(self) -> list[dict[str, Any]]:
        """Manufacturer, model, version, device: one product for each device, so measures can differ."""
        tree: dict[str, dict[str, dict[str, list[dict[str, Any]]]]] = {}
        advised = {match.device: match for match in self.audit.matches}
        for name in self.concerned:
            device = self.devices[name]
            identity = device.identity
            vendor = shown(identity.manufacturer) or "unknown manufacturer"
            model = (
                shown(identity.model)
                or shown(advised[name].product)
                or self.advisories[advised[name].advisory].product
            )
            text = shown(identity.version)
            stated = "" if any(word in text.casefold() for word in RANGE_WORDS) else text
            leaf = {
                "category": "specification",
                "name": name,
                "product": _product(device, vendor, model, text),
            }
            tree.setdefault(vendor, {}).setdefault(model, {}).setdefault(stated, []).append(leaf)
        return [
            {
                "category": "vendor",
                "name": vendor,
                "branches": [
                    {
                        "category": "product_name",
                        "name": model,
                        "branches": [
                            branch
                            for stated, leaves in sorted(versions.items())
                            for branch in _version_branch(stated, leaves)
                        ],
                    }
                    for model, versions in sorted(models.items())
                ],
            }
            for vendor, models in sorted(tree.items())
        ]

    def vulnerabilities(self) -> list[dict[str, Any]]:
        """One entry a weakness, in the order of their numbers."""
        return [self._vulnerability(cve, self.said[cve]) for cve in sorted(self.said)]

    def _vulnerability(self, cve: str, said: dict[str, _Said]) -> dict[str, Any]:
        flaw = next(iter(said.values())).flaw
        status: dict[str, list[str]] = {}
        for name, told in sorted(said.items()):
            status.setdefault(told.status, []).append(name)
        entry: dict[str, Any] = {
            "notes": self._notes(flaw, said),
            "product_status": status,
            "title": shown(flaw.title) or cve,
        }
        if re.fullmatch(r"CVE-[0-9]{4}-[0-9]{4,}", cve):
            entry["cve"] = cve
        else:
            entry["ids"] = [{"system_name": "advisory", "text": cve}]
        if flaw.cwe in CWE_NAMES:
            entry["cwe"] = {"id": flaw.cwe, "name": CWE_NAMES[flaw.cwe]}
        parts = {
            "flags": self._flags(said),
            "remediations": self._remediations(cve, said),
            "scores": self._scores(cve, said),
            "threats": self._threats(cve, said),
        }
        entry.update({name: rows for name, rows in parts.items() if rows})
        return entry

    def _notes(self, flaw: Vulnerability, said: dict[str, _Said]) -> list[dict[str, str]]:
        notes = [{"category": "description", "text": shown(flaw.title) or flaw.cve}]
        if flaw.clinical:
            notes.append(
                {"category": "details", "text": shown(flaw.clinical), "title": "At the bedside"}
            )
        if flaw.correction:
            notes.append(
                {"category": "details", "text": shown(flaw.correction), "title": "On the score"}
            )
        reasons: dict[tuple[str, str], list[str]] = {}
        for name, told in sorted(said.items()):
            reasons.setdefault((told.status, told.why), []).append(name)
        notes += [
            {
                "category": "details",
                "text": f"{shown(why)} Concerns {', '.join(names)}.",
                "title": f"Why {status.replace('_', ' ')}",
            }
            for (status, why), names in sorted(reasons.items())
        ]
        return notes

    def _flags(self, said: dict[str, _Said]) -> list[dict[str, Any]]:
        labels: dict[str, list[str]] = {}
        for name, told in sorted(said.items()):
            if told.sign_off is not None:
                labels.setdefault(told.sign_off.measure.partition(" ")[0], []).append(name)
        return [{"label": label, "product_ids": ids} for label, ids in sorted(labels.items())]

    def _remediations(self, cve: str, said: dict[str, _Said]) -> list[dict[str, Any]]:
        """What the maker offers for what is affected or may be, and each measure that holds, with its evidence."""
        rows: dict[tuple[str, str], list[str]] = {}
        for name, told in sorted(said.items()):
            if told.status not in (AFFECTED, INVESTIGATED):
                continue
            offered = {
                (remedy.category, shown(remedy.details))
                for remedy in told.advisory.remediations
                if remedy.category not in ("mitigation", "workaround")
            }
            standing = {
                ("mitigation", mitigation(verdict))
                for verdict in self.standing.holding(self.devices[name])
                if bears_on(verdict.measure, cve, told.advisory)
            }
            nothing = {("none_available", "No fixed version is named, and no measure was seen to hold.")}  # fmt: skip
            for row in offered | standing or nothing:
                rows.setdefault(row, []).append(name)
        return [
            {"category": category, "details": details, "product_ids": ids}
            for (category, details), ids in sorted(rows.items())
        ]

    def _scores(self, cve: str, said: dict[str, _Said]) -> list[dict[str, Any]]:
        """Base and environmental score of what is affected or may be, by device."""
        active = bool(seen_here(self.audit.findings, cve))
        vectors: dict[str, tuple[Any, list[str]]] = {}
        for name, told in sorted(said.items()):
            if told.status not in (AFFECTED, INVESTIGATED):
                continue
            environment = surroundings(
                self.devices[name], told.advisory, self.standing, active=active, radio=by_radio(cve)
            )
            result = scored(told.flaw.vector, environment)
            if result is not None:
                vectors.setdefault(result.vector, (result, []))[1].append(name)
        return [
            {
                "cvss_v3": {
                    "baseScore": result.base,
                    "baseSeverity": result.base_severity.upper(),
                    "environmentalScore": result.environmental,
                    "environmentalSeverity": result.environmental_severity.upper(),
                    "vectorString": result.vector,
                    "version": result.vector[5:8],
                },
                "products": names,
            }
            for _, (result, names) in sorted(vectors.items())
        ]

    def _threats(self, cve: str, said: dict[str, _Said]) -> list[dict[str, Any]]:
        """Why a signed product is not affected, and what was seen of an exploit here."""
        threats: list[dict[str, Any]] = [
            {
                "category": "impact",
                "details": shown(
                    f"{told.sign_off.statement} Signed by {told.sign_off.confirmed_by},"
                    f" {told.sign_off.confirmed_on}; stands until {told.sign_off.expires_on}."
                ),
                "product_ids": [name],
            }
            for name, told in sorted(said.items())
            if told.sign_off is not None
        ]
        concerned = [n for n, told in sorted(said.items()) if told.status in (AFFECTED, INVESTIGATED)]  # fmt: skip
        if not concerned:
            return threats
        threats += [
            {
                "category": "exploit_status",
                "details": shown(
                    f"Seen on this network ({f.certainty.value}): {f.statement}"
                    f" First {utc_text(f.first_ts)}; {_cited(f.evidence)}."
                ),
                "product_ids": concerned,
            }
            for f in seen_here(self.audit.findings, cve)
        ]
        return threats


def bears_on(measure: str, cve: str, advisory: Advisory) -> bool:
    """Whether a measure stands in the way of a weakness.

    Of our own records: the advisory recommends it, and it fits. A document ties no measure to its
    weaknesses in a form that can be read; there only the separation of networks counts, and only
    against what is reached over a network from afar (``AV:N``): a neighbour is inside the segment.
    """
    narrow = BEARS_ON.get(measure)
    if narrow is not None and any(flaw.cve in narrow for flaw in advisory.vulnerabilities):
        return cve in narrow
    if any(remedy.measure for remedy in advisory.remediations):
        return any(remedy.measure == measure for remedy in advisory.remediations)
    vector = next((flaw.vector for flaw in advisory.vulnerabilities if flaw.cve == cve), "")
    return measure in SEPARATES and "/AV:N/" in vector and not by_radio(cve)


def mitigation(verdict: Verdict) -> str:
    """A measure that stands, with its evidence, as the text of a remediation."""
    title = next((m.title for m in MEASURES if m.id == verdict.measure), verdict.measure)
    word = "holds" if verdict.state is State.HOLDS else "is attested, not shown by packets"
    parts = [f"[{verdict.measure}] {title}: {word}. {verdict.statement}"]
    if verdict.segment:
        parts.append(f"Where: {verdict.segment}.")
    if verdict.span is not None:
        parts.append(f"From {utc_text(verdict.span.first)} to {utc_text(verdict.span.last)}.")
    if verdict.state is State.HOLDS:
        parts.append(f"Evidence: {_cited(verdict.evidence)}.")
    if verdict.rule:
        parts.append(f"Rule: {verdict.rule}")
    if verdict.confirmed_by:
        parts.append(f"Confirmed by {verdict.confirmed_by}.")
    return shown(" ".join(parts))


def stands(line: Attestation, at: int) -> bool:
    """Whether a line is a justification that a named person signed, and that has not run out."""
    until = instant(line.expires_on, end_of_day=True)
    return (
        line.measure.partition(" ")[0] in JUSTIFICATIONS
        and line.confirmed
        and names_a_person(line.confirmed_by)
        and until is not None
        and until >= at
    )


def names_a_person(confirmed_by: str) -> bool:
    """Whether a line is signed by a name and not by a role alone: ``A. Silva, clinical engineering``."""
    name, comma, role = confirmed_by.partition(",")
    return bool(comma and role.strip() and len(name.split()) >= 2)


def shown(text: str) -> str:
    """Text from outside: control characters spelled out, and never longer than a page."""
    spelled = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return spelled.strip()[:MAX_TEXT]


def _graver(one: _Said, other: _Said) -> bool:
    return WORST_FIRST.index(one.status) < WORST_FIRST.index(other.status)


def _product(device: Device, vendor: str, model: str, text: str) -> dict[str, Any]:
    listed = device.listed
    source = {"wire": "seen on the wire", "list": "by the list"}.get(device.identity.version_source)
    words = [
        f"{vendor} {model}",
        f"version {text} ({source})" if text and source else f"version {text}" if text else "version unknown",
        f"asset {shown(listed.asset)}" if listed and listed.asset else "",
        device.id,
    ]  # fmt: skip
    product: dict[str, Any] = {
        "name": ", ".join(word for word in words if word),
        "product_id": device.id,
    }
    serial = shown(device.serial or (listed.serial if listed else ""))
    if serial:
        # * and ? are wildcards in CSAF's serial numbers unless escaped (§3.1.3.3.6)
        escaped = re.sub(r"([\\*?])", r"\\\1", serial)
        product["product_identification_helper"] = {"serial_numbers": [escaped]}
    return product


def _version_branch(stated: str, leaves: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if not stated:
        return leaves
    return [{"branches": leaves, "category": "product_version", "name": stated}]


def _marking(marking: str) -> dict[str, Any]:
    """CSAF 2.0 knows the four labels of TLP 1; the hospital's own words stand beside."""
    words = marking.upper()
    label = next((name for name in ("RED", "AMBER", "GREEN") if name in words), "")
    label = label or ("WHITE" if "CLEAR" in words or "WHITE" in words else "AMBER")
    return {"text": shown(marking) or "TLP:AMBER", "tlp": {"label": label}}


def _refer_to_itself(document: dict[str, Any], namespace: str) -> None:
    head = document["document"]
    head["references"] = [
        {
            "category": "self",
            "summary": "The latest revision of this statement",
            "url": f"{namespace.rstrip('/')}/{file_name(document)}",
        },
        *(r for r in head["references"] if r["category"] != "self"),
    ]


def _told(document: dict[str, Any]) -> dict[tuple[str, str], tuple[str, frozenset[str]]]:
    """Status and measures that hold, by product and weakness."""
    found: dict[tuple[str, str], tuple[str, frozenset[str]]] = {}
    for flaw in msgspec.convert(document, _File).vulnerabilities:
        measures: dict[str, set[str]] = {}
        for remedy in flaw.remediations:
            named = re.match(r"\[([a-z_]{1,60})\] ", remedy.details)
            if remedy.category == "mitigation" and named:
                for product in remedy.product_ids:
                    measures.setdefault(product, set()).add(named[1])
        for status, products in flaw.product_status.items():
            for product in products:
                found[product, flaw.cve] = (status, frozenset(measures.get(product, ())))
    return found


def _some(names: Iterable[str], most: int = 20) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - most} more" if len(ordered) > most else ""
    return ", ".join(ordered[:most]) + more


def _cited(evidence: Iterable[Any], most: int = 5) -> str:
    items = list(evidence)
    some = ", ".join(f"capture {e.capture} packet {e.packet}" for e in items[:most])
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return some + more or "no single packet, the span as a whole"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-")[:60]


def _date(at: int) -> str:
    try:
        return datetime.fromtimestamp(at // NS, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError) as error:
        raise UsageError(f"{at} ns is no date of a statement; give one with --date") from error


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
