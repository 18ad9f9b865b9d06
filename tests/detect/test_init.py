"""Detect: every technique looks, and an empty capture shows nothing."""

from tests.verify.ward import Ward

from wardwatch.detect import TECHNIQUES, detect
from wardwatch.model.columns import BY_NAME
from wardwatch.model.judgement import TECHNIQUES as NAMED


def test_the_list_is_that_of_the_techniques_in_order() -> None:
    assert tuple(detector.technique for detector in TECHNIQUES) == NAMED


def test_each_names_tables_that_exist() -> None:
    assert all(d.tables and set(d.tables) <= BY_NAME.keys() for d in TECHNIQUES)


def test_silence_is_no_finding() -> None:
    assert detect(Ward().hears().pump().scene()) == ()
    assert detect(Ward().scene()) == ()
