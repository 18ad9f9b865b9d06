"""A name is remembered for its time to live and no longer; hostile answers teach nothing."""

from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wardwatch.model.values import NS
from wardwatch.twin import messages
from wardwatch.twin.names import LONGEST_TTL_S, Names

HOST = "mds.ward.example"
ADDRESS = bytes([10, 0, 0, 30])


def answered(raw: bytes, host: str = HOST, ident: int = 5) -> tuple[str, str]:
    names = Names()
    return names.answer(raw, host, ident, 0), names.known(host, 0)


def test_c19_an_answer_holds_for_its_time_to_live() -> None:
    names = Names()
    assert names.known(HOST, 0) == ""
    assert names.question(HOST, 5) == messages.dns_query(5, HOST)
    raw = messages.dns_answer(5, HOST, ADDRESS, ttl=60)
    assert names.answer(raw, HOST, 5, 10 * NS) == "10.0.0.30"
    assert names.known(HOST, 70 * NS - 1) == "10.0.0.30"
    assert names.known(HOST, 70 * NS) == ""
    assert names.asked == 1


@pytest.mark.parametrize(("ttl", "kept_s"), [(0, 0), (2**32 - 1, LONGEST_TTL_S)])
def test_c19_no_time_to_live_keeps_nothing_and_a_long_one_a_day(ttl: int, kept_s: int) -> None:
    names = Names()
    assert names.answer(messages.dns_answer(5, HOST, ADDRESS, ttl=ttl), HOST, 5, 0)
    assert bool(names.known(HOST, 0)) is (ttl > 0)
    assert names.known(HOST, kept_s * NS) == ""


def test_an_alias_before_the_address_is_passed_over() -> None:
    raw = messages.dns_answer(5, HOST, ADDRESS, claimed=2)
    alias = pack(">HHHIH", 0xC00C, 5, 1, 60, 4) + b"\x01x\xc0\x0c"
    head = len(messages.dns_query(5, HOST))
    assert answered(raw[:head] + alias + raw[head:]) == ("10.0.0.30", "10.0.0.30")


GOOD = messages.dns_answer(5, HOST, ADDRESS)


@pytest.mark.parametrize(
    "raw",
    [
        b"", GOOD[:11], GOOD[:-1], messages.dns_query(5, HOST),
        messages.dns_answer(6, HOST, ADDRESS), messages.dns_answer(5, "other.example", ADDRESS),
        GOOD[:3] + b"\x83" + GOOD[4:], GOOD[:4] + b"\0\2" + GOOD[6:],
        messages.dns_answer(5, HOST, ADDRESS, claimed=0),
    ],
)  # fmt: skip
def test_what_is_no_answer_to_the_question_teaches_nothing(raw: bytes) -> None:
    assert answered(raw) == ("", "")


@given(st.binary(max_size=200))
def test_hostile_octets_are_heard_without_harm(raw: bytes) -> None:
    answered(raw, ident=int.from_bytes(raw[:2], "big"))
    answered(GOOD[: len(messages.dns_query(5, HOST))] + raw)
