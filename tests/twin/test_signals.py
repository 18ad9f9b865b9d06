"""Lights and melodies keep the bounds of their priority, measured on what is shown (T-19)."""

import re
from itertools import pairwise

import pytest

from wardwatch.twin import signals as s
from wardwatch.twin.therapy import Priority

MS = 1_000_000
BOUNDS = {
    Priority.HIGH: ("red", (1.4, 2.8), (0.2, 0.8), (2.5, 15), "Cdg Cd"),
    Priority.MEDIUM: ("yellow", (0.4, 0.8), (0.2, 0.6), (2.5, 30), "Cdg"),
}


@pytest.mark.parametrize("priority", BOUNDS)
def test_t19_light_and_gap_of_flashing_priorities(priority: Priority) -> None:
    colour, hz, duty, gap, melody = BOUNDS[priority]
    one = s.signal(priority)
    shown = [s.lit(one, 7, 7 + n * MS) for n in range(60_000)]
    rises = sum(now and not before for before, now in pairwise(shown))
    assert one.colour == colour
    assert hz[0] <= rises / 60 <= hz[1]
    assert duty[0] <= sum(shown) / len(shown) <= duty[1]
    sound = "".join(s.note(one, 7, 7 + n * MS) or " " for n in range(0, 60_000, 10))
    assert sound[::20].startswith(melody + "  ")
    silence = max(len(part) for part in re.split("[Cdg]", sound))
    assert gap[0] <= silence / 100 <= gap[1]


def test_t19_low_is_constant_and_seldom_heard() -> None:
    one = s.signal(Priority.LOW)
    assert one.colour in ("cyan", "yellow")
    assert all(s.lit(one, 0, n * MS) for n in range(0, 20_000, 7))
    starts = [
        n
        for n in range(1, 60_000)
        if s.note(one, 0, n * MS) == "e" and not s.note(one, 0, (n - 1) * MS)
    ]
    assert starts
    assert one.gap_s >= 15


def test_t19_nothing_shows_before_the_alarm_and_a_pause_silences_only_the_sound() -> None:
    one = s.signal(Priority.HIGH)
    assert not s.lit(one, 100, 99)
    assert s.note(one, 100, 99) == ""
    assert s.note(one, 100, 100) == "C"
    assert s.note(one, 100, 100, paused=True) == ""
    assert s.lit(one, 100, 100)
