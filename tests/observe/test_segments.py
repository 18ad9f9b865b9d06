"""Names of segments."""

import numpy as np
import pytest

from wardwatch.decode.columns import S_TAG
from wardwatch.model.block import Interface, PacketBlock
from wardwatch.observe.segments import Aliases, segment_name


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        ({}, "untagged"),
        ({"vlan": 120}, "vlan 120"),
        ({"vlan": 120, "suffix": "@eth1"}, "vlan 120@eth1"),
        ({"vlan": 120, "outer_tag": 1}, "vlan 1 vlan 120"),
        ({"vlan": 120, "outer_tag": 4095, "suffix": "@eth1"}, "vlan 4095 vlan 120@eth1"),
        ({"vlan": 120, "outer_tag": S_TAG | 9}, "s-vlan 9 vlan 120"),
        ({"tunnel": "gre", "vlan": 120, "outer_tag": 1}, "gre vlan 1 vlan 120"),
        ({"air": True, "suffix": "@mon0"}, "wlan"),
        ({"tunnel": "vxlan", "tunnel_id": 5}, "vxlan 5"),
        ({"tunnel": "vxlan", "tunnel_id": 5, "vlan": 9}, "vxlan 5 vlan 9"),
        ({"tunnel": "ip"}, "ip"),
        ({"tunnel": "capwap", "air": True}, "capwap"),
    ],
)
def test_a_segment_is_named_in_words(facts, name):
    plain = {"air": False, "vlan": -1, "tunnel": "", "tunnel_id": -1}
    assert segment_name(**{**plain, **facts}) == name


def block(interfaces, links, capture=1):
    n = len(interfaces)
    zeros = np.zeros(n, np.int64)
    return PacketBlock(
        capture, 1, n, np.zeros(0, np.uint8), zeros, zeros.astype(np.int32), zeros, zeros,
        np.array(links, np.int32), np.array(interfaces, np.int32),
    )  # fmt: skip


def named(*names):
    return [Interface(index, 1, name=name) for index, name in enumerate(names)]


def test_the_first_wired_interface_bears_no_suffix():
    aliases = Aliases()
    found = aliases.of_block(block([1, 0, 1], [1, 1, 1]), named("eth0", "eth1"))
    assert found.tolist() == [1, 0]
    assert aliases.suffix == {(1, 0): "", (1, 1): "@eth0"}


def test_an_interface_that_comes_later_is_told_apart():
    aliases = Aliases()
    aliases.of_block(block([0], [1]), named("eth0"))
    assert aliases.of_block(block([1], [1]), named("eth0", "eth1")).tolist() == [0, 1]


def test_interfaces_of_one_name_are_one():
    aliases = Aliases()
    assert aliases.of_block(block([0, 1], [1, 1]), named("eth0", "eth0")).tolist() == [0, 0]


def test_the_air_takes_no_name_away():
    aliases = Aliases()
    assert aliases.of_block(block([0, 1], [127, 1]), named("mon0", "eth0")).tolist() == [0, 0]
    assert aliases.suffix == {(1, 0): ""}


def test_a_name_from_outside_is_cut_and_made_visible():
    aliases = Aliases()
    aliases.of_block(block([0, 1], [1, 1]), named("eth0", "\x1b" * 99))
    assert aliases.suffix[1, 1] == "@" + ("\\x1b" * 99)[:32]


def test_captures_are_told_apart():
    aliases = Aliases()
    aliases.of_block(block([0, 1], [1, 1], capture=1), named("a", "b"))
    assert aliases.of_block(block([1, 0], [1, 1], capture=2), named("a", "b")).tolist() == [1, 0]
