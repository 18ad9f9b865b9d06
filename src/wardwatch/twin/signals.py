"""Signals: how an alarm looks and sounds by its priority, as IEC 60601-1-8 bounds it.

The bounds are those of secondary sources (domain/pump.md §1.5), the standard itself was not read;
the values chosen within them are this project's [A].
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from wardwatch.model.values import NS

if TYPE_CHECKING:
    from wardwatch.twin.therapy import Priority


class Signal(msgspec.Struct, frozen=True):
    """Light and sound of one priority."""

    colour: str
    flash_hz: float
    """0 is constant."""
    duty: float
    """Share of a period that is lit."""
    melody: tuple[str, ...]
    """Notes of one burst, drug delivery; "-" is a rest."""
    gap_s: float
    """Between bursts."""


HIGH = Signal("red", 2.0, 0.5, ("C", "d", "g", "-", "C", "d"), 3.0)
MEDIUM = Signal("yellow", 0.5, 0.5, ("C", "d", "g"), 3.5)
LOW = Signal("cyan", 0.0, 1.0, ("e", "c"), 16.0)
NOTE_NS = NS // 5

_SIGNALS = (LOW, MEDIUM, HIGH)


def signal(priority: Priority) -> Signal:
    """What a priority looks and sounds like."""
    return _SIGNALS[priority - 1]


def lit(one: Signal, since: int, t: int) -> bool:
    """Whether the light of an alarm raised at ``since`` is on at ``t``."""
    if one.flash_hz == 0:
        return t >= since
    period = round(NS / one.flash_hz)
    return t >= since and (t - since) % period < round(period * one.duty)


def note(one: Signal, since: int, t: int, *, paused: bool = False) -> str:
    """The note sounding at ``t``; "" in rests, between bursts and while the sound is paused."""
    if paused or t < since:
        return ""
    burst = len(one.melody) * NOTE_NS
    at = (t - since) % (burst + round(one.gap_s * NS))
    sounding = one.melody[at // NOTE_NS] if at < burst else "-"
    return "" if sounding == "-" else sounding
