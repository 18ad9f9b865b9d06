"""Verify: every measure is asked, of every subject."""

from tests.verify.ward import PUMP_2, PUMP_2_IP, Ward

from wardwatch.model.judgement import MEASURES, State
from wardwatch.verify import CHECKS, verify


def test_the_list_is_that_of_the_measures_in_order() -> None:
    assert tuple(check.measure for check in CHECKS) == MEASURES


def test_every_subject_gets_a_verdict_on_every_measure() -> None:
    ward = Ward().hears().hears(segment="vlan 121").pump().pump(PUMP_2, PUMP_2_IP).listed_only()
    verdicts = verify(ward.scene())
    by_kind = {"device": 3, "segment": 1, "site": 1}
    for measure in MEASURES:
        mine = [v for v in verdicts if v.measure == measure.id]
        assert len({v.subject for v in mine}) == len(mine) == by_kind[mine[0].subject_kind]
    assert all((v.reason is not None) == (v.state is State.NOT_OBSERVABLE) for v in verdicts)
    assert all(v.statement and v.rule for v in verdicts)


def test_silence_is_never_an_answer() -> None:
    verdicts = verify(Ward().hears(200).pump(hours=199).scene())
    assert {v.state for v in verdicts} == {State.NOT_OBSERVABLE}


def test_an_empty_capture_raises_nothing() -> None:
    verdicts = verify(Ward().scene())
    assert {v.subject_kind for v in verdicts} == {"site"}
