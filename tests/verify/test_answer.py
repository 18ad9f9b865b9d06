"""Answer: nothing holds unless every need is met."""

import pytest

from wardwatch.model.evidence import Evidence
from wardwatch.model.judgement import Reason, State
from wardwatch.verify.answer import MAX_EVIDENCE, WOULD_CHANGE, Need, Subject, count_need, span_need

SUBJECT = Subject("static_address", "dev-x", "device", "Broken by a word. To hold:")


def test_one_need_that_is_not_met_decides_with_its_reason() -> None:
    needs = (
        Need("a", True, Reason.VANTAGE),
        Need("b", False, Reason.DAMAGED, "3 cut"),
        Need("c", False, Reason.NO_POLICY),
    )
    verdict = SUBJECT.judged(needs, "said")
    assert (verdict.state, verdict.reason) == (State.NOT_OBSERVABLE, Reason.DAMAGED)
    assert "b (got 3 cut)" in verdict.statement
    assert "a: met; b (3 cut): not met; c: not met." in verdict.rule


def test_every_need_met_holds() -> None:
    verdict = SUBJECT.judged((Need("a", True, Reason.VANTAGE),), "said", confirmed_by="IT, 2026")
    assert (verdict.state, verdict.statement, verdict.confirmed_by) == (
        State.HOLDS,
        "said",
        "IT, 2026",
    )
    assert verdict.would_change


def test_a_broken_verdict_cites_the_first_packets_once_and_says_no_needs() -> None:
    packets = [Evidence(1, n % 30) for n in range(60)]
    verdict = SUBJECT.broken("said", packets)
    assert verdict.evidence == tuple(Evidence(1, n) for n in range(MAX_EVIDENCE))
    assert verdict.rule == "Broken by a word."


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_says_what_would_change_it(reason: Reason) -> None:
    assert WOULD_CHANGE[reason]


def test_a_minimum_is_met_when_it_is_reached() -> None:
    assert span_need("a span", 10.0, 10.0).met
    assert not span_need("a span", 9.99, 10.0).met
    assert count_need("words", 3, 3, Reason.NO_STIMULUS).met
    assert not count_need("words", 2, 3, Reason.NO_STIMULUS).met
