"""Answer: how a check words its verdict, and the rule that nothing holds unless every need is met."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from wardwatch.model.judgement import Reason, State, Verdict
from wardwatch.model.values import Span, duration_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wardwatch.model.device import Device
    from wardwatch.model.evidence import Evidence
    from wardwatch.signs.vantage import Vantage

MAX_EVIDENCE = 20


class Need(msgspec.Struct, frozen=True):
    """One thing a measure needs before it may hold, and whether it was there."""

    says: str
    met: bool
    reason: Reason
    """Why the measure is not observable without it."""
    got: str = ""

    @property
    def text(self) -> str:
        """The need with what was met of it."""
        got = f" ({self.got})" if self.got else ""
        return f"{self.says}{got}: {'met' if self.met else 'not met'}"


class Subject(msgspec.Struct, frozen=True):
    """Whom a check judges, and by which rule."""

    measure: str
    subject: str
    kind: str
    rule: str
    segment: str = ""
    span: Span | None = None
    cves: tuple[str, ...] = ()

    def broken(
        self, statement: str, evidence: Iterable[Evidence], would_change: str = "", **more: object
    ) -> Verdict:
        """One sound packet is enough."""
        return self._verdict(
            State.BROKEN,
            statement,
            evidence=tuple(sorted(set(evidence)))[:MAX_EVIDENCE],
            would_change=would_change or "The cause removed, and a new capture without it.",
            **more,
        )

    def judged(
        self,
        needs: Sequence[Need],
        statement: str,
        evidence: Iterable[Evidence] = (),
        confirmed_by: str = "",
    ) -> Verdict:
        """Holds if every need is met; otherwise not observable, for the first that is not."""
        missing = [need for need in needs if not need.met]
        rule = f"{self.rule} " + "; ".join(need.text for need in needs) + "."
        if not missing:
            return self._verdict(
                State.HOLDS,
                statement,
                rule=rule,
                evidence=tuple(sorted(set(evidence)))[:MAX_EVIDENCE],
                would_change="One packet that shows the contrary.",
                confirmed_by=confirmed_by,
            )
        first = missing[0]
        return self.not_observable(
            first.reason,
            "Nothing against it was seen, but that proves nothing here: needed "
            + "; ".join(
                f"{need.says}{f' (got {need.got})' if need.got else ''}" for need in missing
            )
            + ".",
            rule=rule,
            confirmed_by=confirmed_by,
        )

    def not_observable(
        self, reason: Reason, statement: str, would_change: str = "", **more: object
    ) -> Verdict:
        """It could not be told, and why."""
        return self._verdict(
            State.NOT_OBSERVABLE,
            statement,
            reason=reason,
            would_change=would_change or WOULD_CHANGE[reason],
            **more,
        )

    def not_applicable(self, statement: str) -> Verdict:
        """The question does not arise."""
        return self._verdict(State.NOT_APPLICABLE, statement)

    def attested(self, statement: str, confirmed_by: str) -> Verdict:
        """A person stands behind it."""
        return self._verdict(
            State.ATTESTED,
            statement,
            confirmed_by=confirmed_by,
            would_change="The statement expires, or packets contradict it.",
        )

    def _verdict(self, state: State, statement: str, **more: object) -> Verdict:
        words: dict[str, object] = {
            "measure": self.measure,
            "subject": self.subject,
            "subject_kind": self.kind,
            "segment": self.segment,
            "span": self.span,
            "rule": self.rule.partition(" To hold")[0],
            "cves": self.cves,
            **more,
        }
        return Verdict(state=state, statement=statement, **words)  # type: ignore[arg-type]


WOULD_CHANGE: dict[Reason, str] = {
    Reason.VANTAGE: "A capture from a mirror port inside the segment, with broadcasts and both directions.",
    Reason.TOO_SHORT: "A longer capture at the same place.",
    Reason.DAMAGED: "A capture without a snap length, whole to its end.",
    Reason.NO_STIMULUS: "A capture in which the situation arises, for instance a planned test by biomed.",
    Reason.NO_POLICY: "A site.toml whose lines a person has confirmed; `wardwatch learn` proposes one.",
    Reason.ENCRYPTED: "The same question asked where it is not encrypted, or at the server.",
    Reason.UNSEEN: "A capture at a place and time where the device speaks.",
    Reason.CONTESTED: "The finding that tells of it settled, or a confirmed line that explains it.",
    Reason.NEVER_FROM_PACKETS: "A dated statement of a named role in site.toml.",
}


def unseen(measure: str, device: Device, rule: str) -> Verdict:
    """The verdict on a device that the hospital lists and no packet shows."""
    return Subject(measure, device.id, "device", rule).not_observable(
        Reason.UNSEEN, "The hospital's list names it, but no packet of it was seen."
    )


def span_need(says: str, seconds: float, minimum: float) -> Need:
    """A span of at least ``minimum`` seconds."""
    return Need(
        f"{says} of at least {duration_text(minimum)}",
        seconds >= minimum,
        Reason.TOO_SHORT,
        duration_text(seconds),
    )


def count_need(says: str, got: int, minimum: int, reason: Reason) -> Need:
    """At least ``minimum`` of something."""
    return Need(f"at least {minimum} {says}", got >= minimum, reason, str(got))


def loss_need(place: Vantage | None, share: float) -> Need:
    """Few TCP connections of a segment with gaps: else what was not seen may have been lost.

    Of packets cut by a snap length that is not told: what was cut counts as a gap, too.
    """
    gaps, every = (place.tcp_gaps, place.tcp_both + place.tcp_one_way) if place else (0, 0)
    return Need(
        "little of it lost on the way to this place",
        gaps <= every * share or bool(place and place.cut_packets),
        Reason.DAMAGED,
        f"{gaps} of {every} TCP connections with gaps",
    )


def standing_need(stands: bool) -> Need:
    """Frames of a device's own MAC: from behind a router nobody sees what happens on its side."""
    return Need(
        "a device's own frames are heard, not only what a router handed on", stands, Reason.VANTAGE
    )
