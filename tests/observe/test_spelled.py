"""wardwatch.observe.spelled"""

import numpy as np
import pytest

from wardwatch.observe import spelled as spelled_module
from wardwatch.observe.spelled import ip4s, ips, macs, spelled
from wardwatch.observe.text import ip_of, mac_of


def test_each_different_value_is_spelled_once():
    asked = []

    def spell(value):
        asked.append(value)
        return f"<{value}>"

    assert spelled(np.array([7, 3, 7, 7]), spell).to_pylist() == ["<7>", "<3>", "<7>", "<7>"]
    assert sorted(asked) == [3, 7]


@pytest.mark.parametrize("least", [-3, 0, spelled_module.FEW - 2, spelled_module.FEW, 1 << 40])
def test_words_stand_where_their_numbers_stood(least):
    numbers = [least + 1, least, least + 1, least + 7]
    expected = [f"vlan {n}" for n in numbers]
    assert spelled(np.array(numbers), "vlan {}".format).to_pylist() == expected


def test_nothing_is_spelled_as_nothing():
    none = np.zeros(0, np.int64)
    assert macs(none, none=0).to_pylist() == []
    assert ips(none, none, none).to_pylist() == []


def test_none_is_the_empty_text():
    assert macs(np.array([0, 0x001A01000007]), none=0).to_pylist() == ["", "00:1a:01:00:00:07"]
    assert macs(np.array([-1, 0]), none=-1).to_pylist() == ["", "00:00:00:00:00:00"]
    assert ip4s(np.array([0x0A000001, 0]), none=0).to_pylist() == ["10.0.0.1", ""]


def test_a_column_that_lies_apart_in_memory_is_read_in_its_order():
    table = np.arange(12).reshape(4, 3)
    assert macs(table[:, 1], none=-1).to_pylist() == [mac_of(v) for v in (1, 4, 7, 10)]


@pytest.mark.parametrize("signed", [False, True])
def test_addresses_of_both_kinds_stand_where_they_stood(signed):
    chance = np.random.default_rng(5)
    net = chance.choice([0, 4, 6], 300)
    high = chance.choice(np.array([0, 0xFE80 << 48, 2**64 - 1], np.uint64), 300)
    low = np.where(net == 4, chance.integers(0, 9, 300), chance.integers(0, 2**63, 300))
    low = low.astype(np.uint64)
    expected = [ip_of(*row) for row in zip(net.tolist(), high.tolist(), low.tolist(), strict=True)]
    if signed:
        high, low = high.view(np.int64), low.view(np.int64)
    assert ips(net, high, low).to_pylist() == expected
    assert {"", "0.0.0.3"} <= set(expected)


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
@pytest.mark.parametrize("none", [0, -1])
def test_a_flood_of_addresses_is_spelled_as_each_of_them_is(dtype, none):
    chance = np.random.default_rng(6)
    numbers = chance.integers(0, 1 << 48, 300)
    numbers[::9] = 0
    numbers[4] = (1 << 48) - 1
    low = numbers & 0xFFFFFFFF
    if dtype is np.int64:
        numbers[1::9] = low[1::9] = -1
    words = [mac_of(n) if n != none else "" for n in numbers.tolist()]
    assert macs(numbers.astype(dtype), none).to_pylist() == words
    quads = [ip_of(4, 0, n) if n != none else "" for n in low.tolist()]
    assert ip4s(low.astype(dtype), none).to_pylist() == quads
    assert len({*words}) > 200 and ("" in words) == (none in numbers)
