"""One row a packet, in order, and every column says something."""

import pyarrow.parquet as pq
import pytest

from wardwatch.twin.labels import GENERATOR, SCHEMA, LabelFile


@pytest.fixture
def table(tmp_path):
    with LabelFile(tmp_path / "labels.parquet", "day", 7) as labels:
        labels.write(3, {"pump_id": ["dev-1", "dev-2", "dev-1"], "kind": ["report"] * 3})
        labels.write(2, {"role": ["attack", ""], "i2_violation": [True, False]})
    assert labels.rows == 5
    return pq.read_table(tmp_path / "labels.parquet")


def test_rows_are_numbered_like_the_packets_across_pieces(table):
    assert table["packet_no"].to_pylist() == [1, 2, 3, 4, 5]
    assert table["pump_id"].to_pylist() == ["dev-1", "dev-2", "dev-1", "", ""]


def test_what_is_not_given_is_an_ordinary_packet(table):
    assert table["role"].to_pylist() == ["", "", "", "attack", ""]
    assert set(table["ground_truth_event"].to_pylist()) == {"none"}
    assert table["i1_ok"].to_pylist() == [True] * 5
    assert table["i2_violation"].to_pylist() == [False, False, False, True, False]


def test_no_column_is_empty_and_all_name_their_origin(table):
    assert table.schema.names == SCHEMA.names
    assert all(column.null_count == 0 for column in table.columns)
    assert set(table["seed"].to_pylist()) == {7}
    assert set(table["generator"].to_pylist()) == {GENERATOR}
    assert set(table["capture_id"].to_pylist()) == {"day"}
