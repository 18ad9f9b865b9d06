"""wardwatch.model.judgement"""

from wardwatch.model.judgement import MEASURES, TECHNIQUES, State


def test_every_id_is_its_own() -> None:
    names = [m.id for m in MEASURES] + [t.id for t in TECHNIQUES]
    assert len(set(names)) == len(names)


def test_each_of_the_eight_weaknesses_has_a_technique() -> None:
    numbers = {12718, 12722, 12725, 12720, 12724, 12726, 12721, 12723}
    assert numbers == {int(t.cve[-5:]) for t in TECHNIQUES if t.cve}


def test_a_verdict_has_no_state_that_hides_what_was_not_seen() -> None:
    assert {s.value for s in State} == {
        "broken",
        "holds",
        "attested",
        "not observable",
        "not applicable",
    }
