"""wardwatch.model.columns"""

import pytest

from wardwatch.model.columns import EMPTY, PYTHON_TYPE, TABLES, Table


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.name)
def test_every_column_has_a_name_of_its_own_a_known_type_and_a_meaning(table: Table) -> None:
    assert len(set(table.names)) == len(table.names)
    for column in table.columns:
        assert column.type in PYTHON_TYPE
        assert column.type in EMPTY
        assert column.meaning


def test_instants_are_integers_of_nanoseconds() -> None:
    stamps = [c for t in TABLES for c in t.columns if c.name == "ts" or c.name.endswith("_ts")]
    assert len(stamps) > 20
    assert {(c.type, c.unit) for c in stamps} == {("i64", "ns UTC")}


def test_no_column_could_hold_a_secret_or_patient_data() -> None:
    forbidden = {"password", "community", "uri", "cookie", "body", "patient", "pid", "arg_secret"}
    assert not forbidden & {c.name for t in TABLES for c in t.columns}
