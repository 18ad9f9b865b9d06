"""How the devices stand to the advisories, gathered for people: devices that stand alike stand together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from wardwatch.model.advisory import Exposure, Match
from wardwatch.model.report import AdvisoryRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wardwatch.model.advisory import Advisory, CveMatch
    from wardwatch.model.device import Device
    from wardwatch.model.report import Report

ORDER = (Exposure.AFFECTED, Exposure.UNKNOWN, Exposure.CONDITIONAL, Exposure.NOT_AFFECTED)
"""Gravest first."""
CAME = {
    "wire": "seen on the wire",
    "list": "by the hospital's list",
    "typed": "as typed",
}
"""Where a version came from, in words."""


class Cves(msgspec.Struct, frozen=True):
    """CVEs of which the same is said."""

    exposure: Exposure
    condition: str
    reason: str
    cves: tuple[str, ...]


class Alike(msgspec.Struct, frozen=True):
    """Devices that stand alike to one advisory, and why."""

    match: Match
    """Of the first of them; its reason is that of all."""
    devices: tuple[str, ...]
    names: tuple[str, ...]
    """What those are called, each once."""
    version: str
    """With where it came from; "unknown" where there is none."""
    cves: tuple[Cves, ...]


def gathered(report: Report) -> tuple[tuple[Advisory, tuple[Alike, ...]], ...]:
    """Each advisory with the devices that stand alike to it, in the order of the report's rows."""
    of: dict[str, dict[bytes, tuple[Match, list[str]]]] = {}
    for match in report.matches:
        same = msgspec.structs.replace(match, device="")
        key = msgspec.msgpack.encode(same)
        of.setdefault(match.advisory, {}).setdefault(key, (match, []))[1].append(match.device)
    advisories = {advisory.id: advisory for advisory in report.advisories}
    concerned = {match.device for match in report.matches}
    names = {d.id: device_name(d) for d in report.devices if d.id in concerned}
    return tuple(
        (
            advisories[row.advisory],
            tuple(
                Alike(
                    match,
                    tuple(devices),
                    tuple(dict.fromkeys(names[d] for d in devices if d in names)),
                    _version(match),
                    tuple(_cves(match)),
                )
                for match, devices in sorted(
                    of.get(row.advisory, {}).values(),
                    key=lambda pair: (ORDER.index(pair[0].exposure), -len(pair[1]), pair[1][0]),
                )
            ),
        )
        for row in report.advisory_rows
    )


def device_name(device: Device) -> str:
    """A device in a few words: what it is, as far as known."""
    identity = device.identity
    words = [identity.manufacturer, identity.model]
    name = " ".join(w for w in words if w) or identity.kind or "unknown device"
    return f"{name} {identity.version}".strip()


def rows(advisories: Sequence[Advisory], matches: Iterable[Match]) -> tuple[AdvisoryRow, ...]:
    """A row an advisory: those that affect most devices first, then those that may."""
    counts: dict[str, dict[Exposure, int]] = {}
    open_: dict[str, set[str]] = {}
    for match in matches:
        of = counts.setdefault(match.advisory, {})
        of[match.exposure] = of.get(match.exposure, 0) + 1
        open_.setdefault(match.advisory, set()).update(match.cves)
    found = []
    for advisory in advisories:
        of, cves = counts.get(advisory.id, {}), open_.get(advisory.id, set())
        scores = [v.base_score for v in advisory.vulnerabilities if v.cve in cves]
        found.append(
            AdvisoryRow(
                advisory.id,
                advisory.title,
                of.get(Exposure.AFFECTED, 0),
                of.get(Exposure.UNKNOWN, 0),
                of.get(Exposure.NOT_AFFECTED, 0),
                len(cves),
                max(scores, default=-1.0),
            )
        )
    return tuple(sorted(found, key=lambda r: (-r.affected, -r.unknown, -r.worst, r.advisory)))


def standing(matches: Iterable[Match]) -> dict[Exposure, int]:
    """How many devices stand how, each by the gravest word on it."""
    worst: dict[str, Exposure] = {}
    for match in matches:
        old = worst.get(match.device)
        if old is None or ORDER.index(match.exposure) < ORDER.index(old):
            worst[match.device] = match.exposure
    return {exposure: sum(w is exposure for w in worst.values()) for exposure in ORDER}


def _version(match: Match) -> str:
    if not match.version:
        return "unknown"
    return f"{match.version} ({CAME.get(match.version_source, 'of unknown origin')})"


def _cves(match: Match) -> Iterable[Cves]:
    same: dict[tuple[Exposure, str, str], list[str]] = {}
    answers: Sequence[CveMatch] = match.answers
    for answer in answers:
        key = (answer.exposure, answer.condition, answer.reason)
        same.setdefault(key, []).append(answer.cve)
    for (exposure, condition, reason), cves in sorted(
        same.items(), key=lambda item: (ORDER.index(item[0][0]), item[1])
    ):
        yield Cves(exposure, condition, reason, tuple(cves))
