"""Every mode goes to a rate and back exactly, and a wrong dimension is a type error (T-13)."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wardwatch.twin import dose as d
from wardwatch.twin.dose import quantity as q

positive = st.fractions(min_value=Fraction(1, 1000), max_value=1000, max_denominator=1000)
GIVEN = {
    "concentration": q("1.6", "mg/mL"),
    "weight": q(82, "kg"),
    "surface": q("1.73", "m2"),
    "over": q(30, "min"),
}


@given(st.sampled_from(d.MODES), positive, positive, positive, positive, positive)
def test_t13_every_mode_goes_there_and_back_exactly(mode, value, strength, kg, m2, hours) -> None:
    known = {
        "concentration": q(strength, "mg/mL"), "weight": q(kg, "kg"), "surface": q(m2, "m2"),
        "over": q(hours, "h"),
    }  # fmt: skip
    assert d.dose_of(d.rate(q(value, mode), **known), mode, **known) == value


def test_t13_the_golden_case() -> None:
    found = d.rate(q(5, "mcg/kg/min"), concentration=GIVEN["concentration"], weight=GIVEN["weight"])
    assert found == q("15.375", "mL/h")
    assert d.nl_h(found) == 15_375_000


@pytest.mark.parametrize(
    ("value", "mode", "ml_h"),
    [
        ("5", "mL/h", "5"),
        ("1", "mg/min", "37.5"),
        ("1.6", "mg/h", "1"),
        ("38.4", "mg/day", "1"),
        ("1.6", "mg", "2"),
        ("10", "mL", "20"),
        ("0.1", "mL/kg/h", "8.2"),
        ("0.1", "mL/kg", "16.4"),
        ("1.6", "mg/m2/h", "1.73"),
        ("1.6", "mg/m2", "3.46"),
        ("0.8", "mg/kg", "82"),
    ],
)
def test_t13_modes_by_hand(value: str, mode: str, ml_h: str) -> None:
    assert d.rate(q(value, mode), **GIVEN) == q(ml_h, "mL/h")


def test_t13_a_bolus_is_a_volume() -> None:
    assert d.volume(q(8, "mg"), concentration=GIVEN["concentration"]) == q(5, "mL")


@pytest.mark.parametrize(
    ("unit", "known"),
    [
        ("mcg/kg/min", {"concentration": GIVEN["concentration"]}),
        ("mcg/kg/min", {"concentration": GIVEN["concentration"], "weight": q(82, "mg")}),
        ("mg/h", {"concentration": q(1, "mL/mg")}),
        ("mg/h", {}),
        ("mg", {"concentration": GIVEN["concentration"]}),
        ("mg/m2/h", {"concentration": GIVEN["concentration"], "weight": GIVEN["weight"]}),
        ("kg", {"weight": GIVEN["weight"], "over": GIVEN["over"]}),
        ("h", {}),
    ],
)
def test_t13_a_wrong_or_missing_dimension_is_a_type_error(unit: str, known: dict) -> None:
    with pytest.raises(TypeError):
        d.rate(q(1, unit), **known)


def test_t13_unlike_quantities_do_not_add_and_nothing_is_divided_by_zero() -> None:
    assert q(1, "h") + q(30, "min") == q(90, "min")
    with pytest.raises(TypeError, match=r"volume\^1 is not time\^1"):
        q(1, "h") + q(1, "mL")
    with pytest.raises(ValueError, match="a concentration must be above zero"):
        d.rate(q(1, "mg/h"), concentration=q(0, "mg/mL"))
