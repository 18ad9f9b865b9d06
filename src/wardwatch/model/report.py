"""Report: everything an audit answers, in the form of ``report.json`` (its schema is published)."""

from __future__ import annotations

from typing import Any

import msgspec

from wardwatch.model.advisory import Advisory, Match
from wardwatch.model.device import Device
from wardwatch.model.judgement import Finding, Verdict

FORMAT = "wardwatch-report"
FORMAT_VERSION = 1
"""Raised when a field goes or changes its meaning; new fields alone do not raise it."""


class CaptureRow(msgspec.Struct, frozen=True):
    """One capture file as it was read."""

    number: int
    name: str
    sha256: str
    packets: int
    decoded: int
    skipped: int
    malformed: int
    first_ts: int
    last_ts: int
    first: str
    """The same instant for people, UTC."""
    last: str
    damage: tuple[str, ...]


class AccountingRow(msgspec.Struct, frozen=True):
    """Packets of one outcome and reason."""

    outcome: str
    reason: str
    packets: int


class Action(msgspec.Struct, frozen=True):
    """One thing to do first: who, by when, and what it does to care."""

    who: str
    by: str
    what: str
    effect: str


class NotShown(msgspec.Struct, frozen=True):
    """What this capture could not show, why, and where to listen instead."""

    measure: str
    title: str
    subjects: int
    """How many devices or segments it could not be told for."""
    why: str
    where_to_listen: str


class SegmentRow(msgspec.Struct, frozen=True):
    """One segment as heard from here."""

    segment: str
    first: str
    last: str
    packets: int
    stations: int
    broadcasts: int
    both_directions: int
    one_direction: int


class Link(msgspec.Struct, frozen=True):
    """Who talks to whom: one edge of the picture, by group."""

    source: str
    target: str
    conversations: int
    bytes: int
    forbidden: bool


class Group(msgspec.Struct, frozen=True):
    """One node of the picture: devices of a kind in a zone."""

    id: str
    zone: str
    kind: str
    members: int


class Moment(msgspec.Struct, frozen=True):
    """One mark of the time line."""

    ts: int
    last_ts: int
    text: str
    lane: str
    """Certainty of the finding it marks."""


class AdvisoryRow(msgspec.Struct, frozen=True):
    """One advisory for one look: how many devices stand how to it."""

    advisory: str
    title: str
    affected: int
    unknown: int
    not_affected: int
    cves: int
    """CVEs that apply, or may, to any device here."""
    worst: float
    """The highest base score among those; -1 where none is given."""


class Summary(msgspec.Struct, frozen=True):
    """Counts for one look."""

    findings: int
    confirmed: int
    suspects: int
    notices: int
    broken: int
    holds: int
    attested: int
    not_observable: int
    not_applicable: int
    devices: int
    pumps_seen: int
    pumps_listed_unseen: int
    pumps_maybe: int
    devices_affected: int
    """Devices that at least one advisory says are affected."""
    devices_unknown: int
    """Devices that none says are affected, and at least one may."""
    devices_not_affected: int
    """Devices that advisories concern, none of which affects them."""


class Report(msgspec.Struct, frozen=True):
    """The whole answer."""

    format: str
    format_version: int
    generator: str
    marking: str
    site: str
    timezone: str
    answer: str
    """``act today``, ``plan``, ``nothing broken seen`` or ``could not tell``."""
    exit_status: int
    first_ts: int
    last_ts: int
    span: str
    """First to last packet for people, UTC."""
    span_local: str
    """The same in the site's time zone."""
    sentences: tuple[str, ...]
    """One to three plain sentences of what was seen, then what captures count as lost."""
    summary: Summary
    do_first: tuple[Action, ...]
    captures: tuple[CaptureRow, ...]
    accounting: tuple[AccountingRow, ...]
    devices: tuple[Device, ...]
    advisories: tuple[Advisory, ...]
    matches: tuple[Match, ...]
    verdicts: tuple[Verdict, ...]
    findings: tuple[Finding, ...]
    not_shown: tuple[NotShown, ...]
    segments: tuple[SegmentRow, ...]
    groups: tuple[Group, ...]
    links: tuple[Link, ...]
    moments: tuple[Moment, ...]
    assumed: tuple[str, ...]
    report_to: str
    key_note: str
    anomalies: int
    """Named departures from standards in decoded packets (table ``anomalies``)."""
    advisory_rows: tuple[AdvisoryRow, ...]
    """The advisories that concern a device or may, the gravest first."""
    shelved: int
    """How many advisories the devices were held against."""


def schema() -> dict[str, object]:
    """The JSON Schema (2020-12) of ``report.json``."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "wardwatch report",
        **_told(msgspec.json.schema(Report)),
    }


def _told(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema whose descriptions are docstrings without their margin, as Python has them from 3.13 on."""
    from inspect import cleandoc  # 10 ms, which no audit need wait

    found = dict(schema)
    for key, value in schema.items():
        if isinstance(value, dict):
            found[key] = _told(value)
        elif key == "description":
            found[key] = cleandoc(value)
    return found
