"""Medical version numbers: five outcomes, and what a range says of a version."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wardwatch.advise.ranges import (
    Order,
    Place,
    compare,
    listed,
    parse_range,
    parse_version,
    place,
    reaches,
)


def order(a: str, b: str) -> Order:
    one, two = parse_version(a), parse_version(b)
    assert one is not None
    assert two is not None
    return compare(one, two)


def where(version: str, statement: str) -> Place:
    own, said = parse_version(version), parse_range(statement)
    assert own is not None
    assert said is not None
    return place(own, said)[0]


@pytest.mark.parametrize(
    ("one", "sign", "two"),
    [
        ("1.6.0", "=", "1.6"),
        ("V1.6", "=", "1.6"),
        ("9.33.1", "refines", "9.33"),
        ("9.33", "<", "9.33.1"),
        ("U61", "=", "012U000061"),
        ("028U00093", "=", "012U000093"),
        ("L81", "incomparable", "U61"),
        ("M.03", "<", "N"),
        ("N.01", "refines", "N"),
        ("2.4A", "<", "2.6A"),
        ("3.0 D15", "<", "3.0 D16"),
        ("20D29", "<", "20D32"),
        ("16", "<", "16D38"),
        ("4.20 SR1", "<", "4.20 SR2"),
        ("8.5", "<", "8.5 GMA 3"),
        ("R8.0.4", ">", "8.0.3"),
        ("VM6.0", ">", "VM5.0"),
        ("VF10.1", "incomparable", "VM5.0"),
        ("2nd ed.", "=", "second edition"),
        ("FIRST ed", "<", "Third Edition"),
        ("fırst ed.", "=", "1st ed."),  # a dotless ı, which an expression takes for an i
        ("fifth edition", ">", "fourth edition"),
        ("2", "incomparable", "2.3.6"),
        ("May 2018", "<", "June 2018"),
        ("A10", "incomparable", "1.0"),
    ],
)
def test_two_versions_have_one_of_five_outcomes(one, sign, two):
    assert order(one, two) is Order(sign)


@pytest.mark.parametrize("text", ["", "N/A", "unknown", "-", "  x ", "see label", "wireless"])
def test_a_placeholder_is_no_version(text):
    assert parse_version(text) is None


@pytest.mark.parametrize(
    ("version", "statement", "expected"),
    [
        ("1.6.0", "1.1 | 1.5 | 1.6", "inside"),
        ("1.2", "1.1 | 1.5 | 1.6", "unlisted"),
        ("1.6.1", "1.1 | 1.5 | 1.6", "finer"),
        ("9.33.1", "<= 9.33", "finer"),
        ("2.2.1", "< 2.2", "outside"),
        ("12.1.2", "9.7 | <= 9.33 | <= 9.5", "outside"),
        ("9", "16 | 16D38 | >=20D29,<=20D32", "unlisted"),
        ("22D30", "9 | >=20D29,<=20D32 | >=22D19,<=22D28", "outside"),
        ("054U000091", "<= U61 |<= L81", "outside"),
        ("L81", "< 012U000040", "incomparable"),
        ("1.2", ">= 1.1 | <= 1.3.2", "inside"),
        ("1.0", ">= 1.1 | <= 1.3.2", "outside"),
        ("C.01", "A.01 <= C.0x | 4.0", "inside"),
        ("C.10", "A.01 <= C.0x | 4.0", "outside"),
        ("M.03", "Rev B-M", "inside"),
        ("P.01", "Rev B-M", "outside"),
        ("6.05.14", "v6.x", "inside"),
        ("2.3.5", "2.3.6 and  below", "inside"),
        ("2.0", "prior to 2.1", "inside"),
        ("2.1", "versions prior to 2.1", "outside"),
        ("3.2", "1.0 through 3.2", "inside"),
        ("1.4.1", "(Release 1.3.2 1.4.0 1.4.1)", "inside"),
        ("7", "vers:all/*", "inside"),
        ("2", "vers:intdot/>=1|<=3", "inside"),
    ],
)
def test_a_version_stands_to_a_statement(version, statement, expected):
    assert where(version, statement) is Place(expected)


@pytest.mark.parametrize("text", ["882300 Gemini 16 Slice", "with wireless option", "MMT-512 / MMT-712 Paradigm"])  # fmt: skip
def test_a_model_or_a_sentence_is_no_range(text):
    assert parse_range(text) is None


def test_a_listed_version_is_told_from_one_inside_a_range():
    said = parse_range("<= 9.33 | 9.7")
    assert listed(parse_version("9.7"), said)
    assert not listed(parse_version("9.5"), said)


def test_a_fix_is_reached_by_what_is_finer_and_by_nothing_of_another_series():
    fix = parse_version("054U000093")
    assert reaches(parse_version("U94"), fix) is True
    assert reaches(parse_version("U91"), fix) is False
    assert reaches(parse_version("L94"), fix) is None
    assert reaches(parse_version("1.6.1.2"), parse_version("1.6.1")) is True


numbers = st.lists(st.integers(0, 40), min_size=2, max_size=4)


@settings(max_examples=150, deadline=None)
@given(numbers, numbers)
def test_dotted_numbers_order_as_padded_tuples_do(a, b):
    """The slow twin: pad with zeros and compare; a finer equal one refines instead."""
    found = order(".".join(map(str, a)), ".".join(map(str, b)))
    one, two = [*a, 0, 0][:4] if len(a) < 4 else a, [*b, 0, 0][:4] if len(b) < 4 else b
    if one == two:
        assert found is Order.EQUAL
    elif len(a) > len(b) and a[: len(b)] == b:
        assert found is Order.REFINES
    else:
        assert found is (Order.BEFORE if one < two else Order.AFTER)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_no_text_escapes(version, statement):
    own, said = parse_version(version), parse_range(statement)
    if own is not None and said is not None:
        assert place(own, said)[0] in Place
