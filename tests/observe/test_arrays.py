"""wardwatch.observe.arrays"""

import numpy as np
import pyarrow as pa
import pytest

from wardwatch.observe.arrays import alike, numbers, strings, taken, words


@pytest.mark.parametrize(
    ("values", "to"),
    [
        (np.arange(-3, 4), pa.int64()),
        (np.arange(-3, 4), pa.int32()),
        (np.arange(12).reshape(4, 3)[:, 1], pa.int32()),
        (np.array([2**63 - 1], np.uint64), pa.int64()),
        (np.array([1.5, np.inf]), pa.float64()),
        (np.arange(19) % 3 == 0, pa.bool_()),
        (np.zeros(0, np.int64), pa.int32()),
    ],
)
def test_numbers_are_what_arrow_makes_of_them(values, to):
    made = numbers(values, to)
    made.validate(full=True)
    assert made.equals(pa.array(values, to))


@pytest.mark.parametrize(
    ("values", "to"),
    [
        (np.array([1 << 31]), pa.int32()),
        (np.array([-(1 << 31) - 1]), pa.int32()),
        (np.array([1 << 63], np.uint64), pa.int64()),
        (np.array([0.5]), pa.int64()),
    ],
)
def test_a_number_that_does_not_fit_is_told(values, to):
    with pytest.raises(OverflowError):
        numbers(values, to)


def test_the_callers_numbers_may_change_behind_an_array():
    for to, dtype in ((pa.int64(), np.int64), (pa.bool_(), np.bool_)):
        values = np.ones(9, dtype)
        made = numbers(values, to)
        values[:] = 0
        assert made.to_pylist() == [1] * 9


def test_strings_end_where_they_are_said_to():
    octets = np.frombuffer(b"pumpward, and what is behind", np.uint8)
    made = strings(np.array([0, 4, 4, 8], np.int32), octets)
    made.validate(full=True)
    assert made.to_pylist() == ["pump", "", "ward"]


@pytest.mark.parametrize("texts", [["untagged"], ["", "vlan 7", "пульс @ \u2603", "x" * 300]])
def test_words_are_set_by_number(texts):
    at = np.random.default_rng(3).integers(0, len(texts), 50)
    made = words(texts, at)
    made.validate(full=True)
    assert made.to_pylist() == [texts[k] for k in at]


def test_of_nothing_there_is_nothing():
    none = np.zeros(0, np.int64)
    assert words([], none).to_pylist() == []
    assert taken([], none, pa.list_(pa.string())).to_pylist() == []


@pytest.mark.parametrize(
    ("values", "to"),
    [
        (["a", "", "bcd"], pa.string()),
        ([3, -1, 1 << 40], pa.int64()),
        ([True, False, True], pa.bool_()),
        ([[1, 2], [], [3]], pa.list_(pa.int64())),
        ([["ward", ""], ["pump"], []], pa.list_(pa.string())),
        ([[], [], []], pa.list_(pa.int64())),
    ],
)
def test_what_is_taken_is_what_arrow_takes(values, to):
    at = np.array([2, 0, 0, 1, 2, 1, 0])
    made = taken(values, at, to)
    made.validate(full=True)
    assert made.equals(pa.array([values[k] for k in at], to))


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("", pa.string()),
        (-1, pa.int64()),
        (0, pa.int32()),
        (False, pa.bool_()),
        ((), pa.list_(pa.string())),
        ((), pa.list_(pa.int64())),
    ],
)
def test_one_value_again_and_again(value, kind):
    for size in (0, 1, 9):
        made = alike(value, kind, size)
        made.validate(full=True)
        assert made.equals(pa.array([list(value) if value == () else value] * size, kind))


def test_no_list_but_the_empty_one_is_repeated():
    with pytest.raises(ValueError, match="empty"):
        alike((1,), pa.list_(pa.int64()), 2)
