"""Rogue DNS: with a list, without one, and disagreement that is nothing."""

import pytest
from tests.verify.ward import DESK, DESK_IP, DNS_IP, ROGUE, ROGUE_IP, ROUTER, Ward

TECHNIQUE = "rogue_dns"


def test_an_unlisted_server_is_named_for_any_target() -> None:
    ward = Ward().pump().server("dns", DNS_IP).answer(ROGUE_IP, ROGUE, DESK, DESK_IP)
    (found,) = ward.findings(TECHNIQUE)
    assert found.certainty.value == "confirmed"
    assert found.actor == f"{ROGUE} {ROGUE_IP}"
    assert not found.known_device


def test_without_a_list_an_answer_without_its_question_says_nothing() -> None:
    assert Ward().pump().answer(ROGUE_IP, ROGUE).findings(TECHNIQUE) == []
    assert Ward().pump().ask().answer().findings(TECHNIQUE) == []


def test_without_a_list_a_source_that_was_not_asked_is_suspect() -> None:
    (found,) = Ward().pump().ask().answer(ROGUE_IP, ROGUE).findings(TECHNIQUE)
    assert (found.certainty.value, found.variant) == ("suspect", "not asked")
    assert "multihomed" in found.speaks_against
    asked_both = Ward().pump().ask().ask(ROGUE_IP).answer(ROGUE_IP, ROGUE)
    assert asked_both.findings(TECHNIQUE) == []


def two_answers(**second) -> list:
    return Ward().pump().ask().answer().answer(at=100.2, **second).findings(TECHNIQUE)


@pytest.mark.parametrize(
    "second",
    [
        {"answers": ["10.9.9.9"], "mac": ROGUE},
        {"answers": ["10.9.9.9"], "ip_ttl": 60},
    ],
)
def test_a_second_different_answer_from_another_machine_is_suspect(second) -> None:
    (found,) = two_answers(**second)
    assert (found.certainty.value, found.variant) == ("suspect", "second answer")


@pytest.mark.parametrize(
    "second",
    [
        {"answers": ["10.9.9.9"], "mac": ROUTER},  # disagreement alone
        {"answers": ["10.9.9.9"], "ip_ttl": 61},
        {"mac": ROGUE},  # the same answer again
        {"answers": [], "mac": ROGUE},
        {"answers": ["10.9.9.9"], "mac": ROGUE, "kind": "mdns"},
    ],
)
def test_what_is_nothing(second) -> None:
    assert two_answers(**second) == []
