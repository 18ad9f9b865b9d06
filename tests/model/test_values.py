"""wardwatch.model.values"""

import pytest

from wardwatch.model.values import (
    NS,
    UNKNOWN_TIME,
    Span,
    duration_text,
    is_group,
    is_locally_administered,
    mac_text,
    utc_text,
)


def test_an_instant_reads_as_utc() -> None:
    assert utc_text(0) == "1970-01-01 00:00:00.000 UTC"
    assert utc_text(1_464_132_421_960_780_000) == "2016-05-24 23:27:01.960 UTC"
    assert utc_text(UNKNOWN_TIME) == "unknown time"
    assert utc_text(10**30).endswith("s since 1970")


@pytest.mark.parametrize(
    ("seconds", "text"), [(42, "42 s"), (1020, "17 min"), (26 * 3600, "26 h"), (9 * 86400, "9 d")]
)
def test_a_length_of_time_reads_in_its_own_unit(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_the_bits_of_a_mac_are_those_of_its_first_octet() -> None:
    assert mac_text(b"\x00\x1a\x01\x00\x00A") == "00:1a:01:00:00:41"
    assert is_locally_administered("02:00:00:00:00:01")
    assert not is_locally_administered("00:1a:01:00:00:41")
    assert is_group("ff:ff:ff:ff:ff:ff")
    assert not is_group("02:00:00:00:00:01")


def test_a_span_holds_both_its_ends() -> None:
    span = Span(5 * NS, 7 * NS)
    assert (span.seconds, span.covers(5 * NS), span.covers(7 * NS + 1)) == (2.0, True, False)
