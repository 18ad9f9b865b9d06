import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wardwatch.advise.library import shelf
from wardwatch.advise.versions import concerns, exposure, version
from wardwatch.model.advisory import Exposure

MEDFUSION = next(a for a in shelf() if a.family == "medfusion-4000")


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1.6", (1, 6)),
        ("1.6.0", (1, 6)),
        ("V1.6.1", (1, 6, 1)),
        ("version 1.1.2", (1, 1, 2)),
        (" v. 1.5 ", (1, 5)),
        ("1.10", (1, 10)),
        ("0.0", (0,)),
    ],
)
def test_dotted_numbers_are_read_without_trailing_zeros(text, numbers):
    assert version(text) == numbers


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4000",
        "1.6.x",
        "1.6 - 1.7",
        "D25",
        "1.6.1b",
        "<1.6",
        "1..6",
        "1.6.",
        "9" * 40 + ".1",
        "١.٦",
    ],
)
def test_what_is_no_dotted_number_is_incomparable(text):
    assert version(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.0", Exposure.UNKNOWN),
        ("1.1", Exposure.AFFECTED),
        ("1.1.2", Exposure.AFFECTED),
        ("1.2", Exposure.UNKNOWN),
        ("1.5.0", Exposure.AFFECTED),
        ("1.5.1", Exposure.AFFECTED),
        ("1.6", Exposure.AFFECTED),
        ("1.6.0", Exposure.AFFECTED),
        ("1.6.0.9", Exposure.AFFECTED),
        ("1.6.1", Exposure.NOT_AFFECTED),
        ("1.6.5", Exposure.NOT_AFFECTED),
        ("1.10", Exposure.NOT_AFFECTED),  # ten is more than six
        ("1.61", Exposure.NOT_AFFECTED),
        ("2", Exposure.UNKNOWN),
        ("4000", Exposure.UNKNOWN),
        ("?", Exposure.UNKNOWN),
    ],
)
def test_exposure_just_below_and_just_above_what_is_named(text, expected):
    assert exposure(text, MEDFUSION)[0] is expected


@given(st.lists(st.integers(0, 20), min_size=2, max_size=4))
@settings(max_examples=200, deadline=None)
def test_nothing_older_than_the_fix_is_ever_called_unaffected(numbers):
    found, _ = exposure(".".join(map(str, numbers)), MEDFUSION)
    fixed = [*numbers, 0, 0] >= [1, 6, 1]
    assert (found is Exposure.NOT_AFFECTED) is fixed


@pytest.mark.parametrize(
    ("own", "stated", "covers"),
    [
        ("1.6.4", "< 1.6.5", True),
        ("1.6.5", "< 1.6.5", False),
        ("1.6", "1.6.0", True),
        ("1.6.1", "1.6.0", False),
        ("", "1.6.0", True),
        ("", "PharmGuard Server 2.3", False),
        ("2.3", "PharmGuard Server 2.3", False),
    ],
)
def test_a_notice_covers_the_versions_it_states(own, stated, covers):
    assert concerns(own, stated) is covers
