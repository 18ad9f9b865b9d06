"""DNS answers: the window in which a question counts as asked."""

import random

import pytest
from tests.verify.ward import DNS_IP, ROGUE, ROGUE_IP, ROUTER, Ward, rows_of

from wardwatch.signs import dns
from wardwatch.signs.dns import ANSWER_S, Told, segments, told, unlisted


def signs(ward: Ward) -> list:
    scene = ward.scene()
    sql, parameters = unlisted(scene)
    return rows_of(scene, sql, parameters) if sql else []


@pytest.mark.parametrize(
    ("late", "number"), [(0.0, 1), (ANSWER_S, 1), (ANSWER_S + 0.001, 0), (-1.0, 0)]
)
def test_a_question_counts_for_a_minute(late: float, number: int) -> None:
    ward = Ward().ask(at=100).answer(ROGUE_IP, ROGUE, at=100 + late)
    assert len(signs(ward)) == number


def test_of_a_flood_of_answers_to_one_question_each_is_told() -> None:
    ward = Ward().ask(at=100)
    for n in range(3 * dns.MOST_OF_ONE):
        mac = ROGUE if n % 2 else ROUTER
        ward.answer(mac=mac, at=100 + n / 1000, answers=[f"10.0.{n >> 8}.{n & 255}"])
    rows = signs(ward)
    assert len(rows) == 3 * dns.MOST_OF_ONE - 1  # all but the first, once each
    assert {row.actor_mac for row in rows} == {ROGUE, ROUTER}


def test_names_from_outside_are_quoted() -> None:
    (row,) = signs(Ward().ask().answer(ROGUE_IP, ROGUE, query="<script>.example"))
    assert row.detail == 'for "<script>.example"'


def test_where_every_question_was_answered_once_by_whom_it_asked_nothing_is_asked() -> None:
    plain = Ward().ask().answer().ask(at=200, trans_id=8).answer(at=200.1, trans_id=8)
    assert unlisted(plain.scene()) == ("", [])
    assert unlisted(plain.answer(at=200.2, trans_id=8, ip_ttl=64).scene()) == ("", [])
    assert unlisted(plain.answer(at=200.3, trans_id=8, ip_ttl=66).scene())[0]
    assert unlisted(Ward().ask().answer().answer(mac=ROGUE).scene())[0]
    assert unlisted(Ward().ask().answer(ROGUE_IP, ROGUE).scene())[0]
    assert unlisted(Ward().ask().answer().server("dns", "10.9.9.9").scene())[0]


@pytest.mark.parametrize("listed", [None, DNS_IP, ROGUE_IP])
@pytest.mark.parametrize("seed", range(12))
def test_a_question_that_is_not_asked_had_no_answer(
    seed: int, listed: str | None, monkeypatch
) -> None:
    """Whatever few messages there are, all questions together find nothing more."""
    chance = random.Random(seed)
    ward = Ward()
    if listed:
        ward.server("dns", listed)
    for _ in range(chance.randint(2, 5)):
        at, ident = chance.uniform(1, 90), chance.choice((7, 8))
        if chance.random() < 0.4:
            ward.ask(at=at, trans_id=ident, dst=chance.choice((DNS_IP, ROGUE_IP)))
        else:
            ward.answer(
                chance.choice((DNS_IP, ROGUE_IP)),
                chance.choice((ROGUE, ROUTER, "")),
                at=at,
                trans_id=ident,
                ip_ttl=chance.choice((-1, 60, 62, 64)),
                answers=chance.choice(([], ["10.0.0.1"], ["10.0.0.2"])),
                segment=chance.choice(("vlan 31", "vlan 32")),
            )
    found = signs(ward)
    monkeypatch.setattr(dns, "_possible", lambda scene: (True, True))
    assert sorted(map(repr, found)) == sorted(map(repr, signs(ward)))


def test_segments_are_told_as_a_whole() -> None:
    shaped = {"impossible_counts": True, "segment": "vlan 31"}
    ward = Ward().answer(**shaped).answer(**shaped | {"TC": True, "segment": "vlan 32"})
    ward.answer(kind="mdns", overrun=True, segment="vlan 33")
    scene = ward.scene()
    assert told(scene) == [
        Told("vlan 31", heard=True, overreads=True),
        Told("vlan 32", heard=True, overreads=False),
        Told("vlan 33", heard=False, overreads=False),
    ]
    assert segments(scene) == ["vlan 31", "vlan 32"]
