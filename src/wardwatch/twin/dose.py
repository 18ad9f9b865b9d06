"""Dose: the delivery modes as one rule over typed units; a wrong dimension is a type error.

A quantity carries the powers of what it is made of: volume, drug, time, body weight, body surface.
Body weight is no drug mass, so kilograms of the patient never cancel milligrams of the drug. A rate
is what is left when weight, surface, duration and concentration have been multiplied in or divided
out as the dose's own dimension asks. Values are fractions: there and back is exact.
"""

from __future__ import annotations

from fractions import Fraction

import msgspec

Powers = tuple[int, int, int, int, int]
"""Of volume (mL), drug (mg), time (h), body weight (kg), body surface (m²)."""
NAMES = ("volume", "drug", "time", "body weight", "body surface")


class Quantity(msgspec.Struct, frozen=True):
    """A value in mL, mg, h, kg and m², to the powers given."""

    value: Fraction
    powers: Powers

    def __mul__(self, other: Quantity) -> Quantity:
        """The product; powers add."""
        return Quantity(self.value * other.value, self._joined(other, 1))

    def __truediv__(self, other: Quantity) -> Quantity:
        """The quotient; powers subtract."""
        return Quantity(self.value / other.value, self._joined(other, -1))

    def __add__(self, other: Quantity) -> Quantity:
        """The sum of two alike."""
        return Quantity(self.value + other.like(self).value, self.powers)

    def like(self, other: Quantity) -> Quantity:
        """The quantity itself, if it measures the same thing as the other."""
        if self.powers != other.powers:
            raise TypeError(f"{_words(self.powers)} is not {_words(other.powers)}")
        return self

    def _joined(self, other: Quantity, sign: int) -> Powers:
        a, b, c, d, e = (
            mine + sign * theirs for mine, theirs in zip(self.powers, other.powers, strict=True)
        )
        return a, b, c, d, e


def _unit(value: Fraction | int, *powers: int) -> Quantity:
    volume, drug, time, weight, surface = powers
    return Quantity(Fraction(value), (volume, drug, time, weight, surface))


UNITS = {
    "mL": _unit(1, 1, 0, 0, 0, 0),
    "nL": _unit(Fraction(1, 10**6), 1, 0, 0, 0, 0),
    "mg": _unit(1, 0, 1, 0, 0, 0),
    "mcg": _unit(Fraction(1, 1000), 0, 1, 0, 0, 0),
    "g": _unit(1000, 0, 1, 0, 0, 0),
    "h": _unit(1, 0, 0, 1, 0, 0),
    "min": _unit(Fraction(1, 60), 0, 0, 1, 0, 0),
    "day": _unit(24, 0, 0, 1, 0, 0),
    "kg": _unit(1, 0, 0, 0, 1, 0),
    "m2": _unit(1, 0, 0, 0, 0, 1),
}

MODES = (
    "mL/h", "mg/min", "mg/h", "mg/day", "mg", "mL", "mcg/kg/min", "mg/kg/h", "mg/m2", "mg/m2/h",
    "mL/kg/h", "mL/kg", "mg/kg",
)  # fmt: skip
"""Doses a rate can be made of; those without a time of their own are given over a duration."""


def quantity(value: Fraction | int | str, unit: str) -> Quantity:
    """A value in a unit such as ``mcg/kg/min``; a decimal is written as text, and taken exactly."""
    found = Quantity(Fraction(value), (0, 0, 0, 0, 0))
    for n, word in enumerate(unit.split("/")):
        found = found / UNITS[word] if n else found * UNITS[word]
    return found


def rate(
    dose: Quantity,
    *,
    concentration: Quantity | None = None,
    weight: Quantity | None = None,
    surface: Quantity | None = None,
    over: Quantity | None = None,
) -> Quantity:
    """The rate in mL/h that gives a dose."""
    found = volume(dose, concentration=concentration, weight=weight, surface=surface)
    if found.powers[2] == 0:
        found /= _asked(over, "h", "a duration")
    return found.like(quantity(1, "mL/h"))


def volume(
    dose: Quantity,
    *,
    concentration: Quantity | None = None,
    weight: Quantity | None = None,
    surface: Quantity | None = None,
) -> Quantity:
    """The same as volume: what a bolus or loading dose comes to, or a volume for each time."""
    _, drug, _, by_weight, by_surface = dose.powers
    if by_weight == -1:
        dose *= _asked(weight, "kg", "a body weight")
    if by_surface == -1:
        dose *= _asked(surface, "m2", "a body surface")
    if drug == 1:
        dose /= _asked(concentration, "mg/mL", "a concentration")
    return dose


def dose_of(
    rate_: Quantity,
    unit: str,
    *,
    concentration: Quantity | None = None,
    weight: Quantity | None = None,
    surface: Quantity | None = None,
    over: Quantity | None = None,
) -> Fraction:
    """The dose in ``unit`` that a rate gives."""
    one = rate(
        quantity(1, unit), concentration=concentration, weight=weight, surface=surface, over=over
    )
    return rate_.like(one).value / one.value


def nl_h(rate_: Quantity) -> int:
    """The whole nL/h nearest to a rate: what the head is told."""
    return round(rate_.like(quantity(1, "mL/h")).value * 10**6)


def _asked(given: Quantity | None, unit: str, words: str) -> Quantity:
    if given is None:
        raise TypeError(f"this dose needs {words}")
    if given.like(quantity(1, unit)).value <= 0:
        raise ValueError(f"{words} must be above zero")
    return given


def _words(powers: Powers) -> str:
    found = [f"{name}^{power}" for name, power in zip(NAMES, powers, strict=True) if power]
    return " ".join(found) or "a number"
