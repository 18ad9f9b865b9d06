"""DNS answers: the window in which a question counts as asked."""

import pytest
from tests.verify.ward import ROGUE, ROGUE_IP, Ward, rows_of

from wardwatch.signs.dns import ANSWER_S, unlisted


def signs(ward: Ward) -> list:
    scene = ward.scene()
    sql, parameters = unlisted(scene)
    return rows_of(scene, sql, parameters)


@pytest.mark.parametrize(
    ("late", "number"), [(0.0, 1), (ANSWER_S, 1), (ANSWER_S + 0.001, 0), (-1.0, 0)]
)
def test_a_question_counts_for_a_minute(late: float, number: int) -> None:
    ward = Ward().ask(at=100).answer(ROGUE_IP, ROGUE, at=100 + late)
    assert len(signs(ward)) == number


def test_names_from_outside_are_quoted() -> None:
    (row,) = signs(Ward().ask().answer(ROGUE_IP, ROGUE, query="<script>.example"))
    assert row.detail == 'for "<script>.example"'
