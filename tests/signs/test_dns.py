"""DNS answers: the window in which a question counts as asked."""

import pytest
from tests.verify.ward import ROGUE, ROGUE_IP, Ward, rows_of

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


def test_names_from_outside_are_quoted() -> None:
    (row,) = signs(Ward().ask().answer(ROGUE_IP, ROGUE, query="<script>.example"))
    assert row.detail == 'for "<script>.example"'


def test_where_every_question_was_answered_once_by_whom_it_asked_nothing_is_asked() -> None:
    plain = Ward().ask().answer().ask(at=200, trans_id=8).answer(at=200.1, trans_id=8)
    assert unlisted(plain.scene()) == ("", [])
    assert unlisted(plain.answer(at=200.2, trans_id=8).scene())[0]
    assert unlisted(Ward().ask().answer(ROGUE_IP, ROGUE).scene())[0]
    assert unlisted(Ward().ask().answer().server("dns", "10.9.9.9").scene())[0]


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
