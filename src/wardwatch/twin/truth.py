"""Truth: what an audit of a capture must say, computed from the frames' marks and the minimums.

Nothing here reads a byte of a frame or runs the product: a mark says what its frame declares,
and the rules below are a second reading of domain/measures.md. What a cut took away turns to
``not observable``; where the note leaves a choice, the row's ``why`` says which was made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from wardwatch.model.values import HOUR_NS
from wardwatch.twin.scenario import EXPIRED_SLOT, ICU, LAN, WARDS
from wardwatch.twin.ward import AIR

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wardwatch.twin.scenario import Day
    from wardwatch.twin.ward import Frame, Mark, Station

HOLDS, BROKEN, ATTESTED = "holds", "broken", "attested"
NOT_OBSERVABLE, NOT_APPLICABLE = "not observable", "not applicable"

DAY_NS = 24 * HOUR_NS
DISCOVERS, CLIENTS = 10, 3
"""No rogue DHCP: 24 h, ≥ 10 DISCOVERs of ≥ 3 clients (domain/measures.md)."""
LEASE_NS = 12 * HOUR_NS
"""T1 of the ward's leases."""
NO_LEASE_NS = 96 * HOUR_NS
ROUTER_NS = HOUR_NS // 2
WEEK_NS = 7 * DAY_NS
SYNS = 3
ALIVE_NS = 60 * 10**9
CLOSED = (20, 21, 23, 2200)


class ExpectedVerdict(msgspec.Struct, frozen=True):
    """What an audit must answer for one measure and subject."""

    measure: str
    subject: str
    states: tuple[str, ...]
    """The answer; several where the note leaves it open."""
    why: str


class ExpectedFinding(msgspec.Struct, frozen=True):
    """What an audit must find."""

    technique: str
    actors: tuple[str, ...]
    """Its actor names one of these (MAC or address); () anybody, or nobody."""
    segment: str
    variants: tuple[str, ...]
    """One of these words; () any."""
    cve: str
    why: str
    event: str
    optional: bool = False
    """Allowed, not asked for."""


class Truth(msgspec.Struct, frozen=True):
    """The whole table for one capture."""

    verdicts: tuple[ExpectedVerdict, ...]
    findings: tuple[ExpectedFinding, ...]


def differences(
    truth: Truth,
    verdicts: Iterable[tuple[str, str, str]],
    findings: Iterable[tuple[str, str, str, str]],
) -> list[str]:
    """Where an audit departs from the truth, a line each; [] where it is met.

    ``verdicts`` are (measure, subject, state); ``findings`` (technique, actor, segment, variant).
    An answer of ``holds``, ``broken`` or ``attested`` that the truth does not know is a difference;
    further ``not observable`` ones are not.
    """
    said = {(measure, _plain(subject)): state for measure, subject, state in verdicts}
    lines = []
    for row in truth.verdicts:
        got = said.pop((row.measure, _plain(row.subject)), "no answer")
        if got not in row.states:
            lines.append(
                f"{row.measure} of {row.subject}: expected {' or '.join(row.states)}, got {got} "
                f"({row.why})"
            )
    lines += [
        f"{measure} of {subject}: got {state}, which the truth does not know"
        for (measure, subject), state in said.items()
        if state in (HOLDS, BROKEN, ATTESTED)
    ]
    left = list(findings)
    for expected in truth.findings:
        met = [found for found in left if _meets(expected, found)]
        if met:
            left.remove(met[0])
        elif not expected.optional:
            lines.append(
                f"finding {expected.technique} by {' or '.join(expected.actors) or 'anybody'} in "
                f"{expected.segment}: not found ({expected.why})"
            )
    lines += [
        f"finding {technique} ({variant}) by {actor or 'nobody'} in {segment}: nobody did that"
        for technique, actor, segment, variant in left
    ]
    return lines


def score(truth: Truth, report: dict[str, object]) -> list[str]:
    """:func:`differences` of a ``report.json``, read as plain objects."""

    def rows(name: str, *keys: str) -> list[tuple[str, ...]]:
        found = report.get(name, [])
        assert isinstance(found, list)
        return [tuple(str(row[key]) for key in keys) for row in found]

    return differences(
        truth,
        [(m, s, state) for m, s, state in rows("verdicts", "measure", "subject", "state")],
        [(t, a, s, v) for t, a, s, v in rows("findings", "technique", "actor", "segment", "variant")],
    )


def _plain(segment: str) -> str:
    """A segment without the interface's name behind it."""
    return segment.partition("@")[0]


def _meets(expected: ExpectedFinding, found: tuple[str, str, str, str]) -> bool:
    technique, actor, segment, variant = found
    return (
        technique == expected.technique
        and (not expected.actors or any(one in actor for one in expected.actors))
        and _plain(segment) == expected.segment
        and (not expected.variants or variant in expected.variants)
    )


# From marks to rows ---------------------------------------------------------------------------


class _Sight:
    """What a capture shows: marks with their time, and whether their frame is whole."""

    def __init__(self, frames: Sequence[Frame], day: Day, snap: int) -> None:
        self.day = day
        self.stations = day.ward.stations
        self.rows = [(f.ts, f.mark, len(f.data) <= snap) for f in frames]
        self.first = min((f.ts for f in frames), default=0)
        self.last = max((f.ts for f in frames), default=0)

    def of(
        self, *kinds: str, who: str = "", peer: str = "", vlan: int = -1, whole: bool = True
    ) -> list[tuple[int, Mark]]:
        """Marks of some kinds whose frames are there (and whole, unless told)."""
        return [
            (ts, mark)
            for ts, mark, complete in self.rows
            if mark.kind in kinds
            and (complete or not whole)
            and (not who or mark.who == who)
            and (not peer or mark.peer == peer)
            and (vlan < 0 or mark.vlan == vlan)
        ]

    def span(self, vlan: int) -> int:
        """From the first to the last frame of a VLAN."""
        times = [ts for ts, mark, _ in self.rows if mark.vlan == vlan]
        return max(times) - min(times) if times else 0

    def spoke(self, station: Station) -> list[int]:
        """When a station's own frames passed where it lives."""
        return [
            ts
            for ts, mark, _ in self.rows
            if mark.who == station.name and mark.vlan == station.vlan
        ]

    @property
    def pumps(self) -> list[Station]:
        """All pumps, listed or seen."""
        return [s for s in self.stations.values() if s.kind == "infusion pump"]


def truth(
    frames: Sequence[Frame], day: Day, *, lapsed: bool = False, snap: int = 1 << 30
) -> Truth:
    """The table of a capture that holds ``frames`` of a day, each kept up to ``snap`` bytes."""
    sight = _Sight(frames, day, snap)
    rows: list[ExpectedVerdict] = []
    for pump in sight.pumps:
        for rule in _DEVICE_RULES:
            measure = rule.__name__.removeprefix("_rule_")
            answer = rule(sight, pump) if sight.spoke(pump) else (NOT_OBSERVABLE, "it was not seen")
            rows.append(_row(measure, pump.device, answer))
    for vlan in WARDS:
        for rule_of in _SEGMENT_RULES:
            if sight.span(vlan):
                measure = rule_of.__name__.removeprefix("_rule_")
                rows.append(_row(measure, f"vlan {vlan}", rule_of(sight, vlan)))
    rows += _attested(sight, lapsed=lapsed)
    return Truth(tuple(rows), tuple(_findings(sight)))


def _row(measure: str, subject: str, answer: tuple[str, str]) -> ExpectedVerdict:
    states, why = answer
    return ExpectedVerdict(measure, subject, tuple(states.split("|")), why)
