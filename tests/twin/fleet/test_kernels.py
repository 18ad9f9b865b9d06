"""The kernels of the fleet: compiled and plain the same, dates and mixtures right."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wardwatch.model.values import NS
from wardwatch.twin.fleet import kernels as k
from wardwatch.twin.fleet.capture import Packets
from wardwatch.twin.fleet.hospital import FleetPlan, fleet
from wardwatch.twin.fleet.life import life


@given(st.integers(0, 4_133_980_799))
def test_stamps_are_dates_from_1970_to_2100(seconds):
    out = np.zeros(14, np.uint8)
    k._stamp(out, 0, seconds * NS)
    assert out.tobytes().decode() == datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%d%H%M%S")


@given(st.integers(-(2**62), 2**62))
def test_mixing_is_the_same_for_a_number_and_an_array_and_stays_in_32_bits(x):
    one = k.mixed(x)
    assert 0 <= one < 2**32
    assert k.mixed(np.array([x], np.int64))[0] == one


def test_mixing_is_one_to_one_and_even():
    found = k.mixed(np.arange(1 << 16))
    assert len(np.unique(found)) == 1 << 16
    counts = np.histogram(found, bins=64, range=(0, 2**32))[0]
    assert counts.std() < 3 * np.sqrt(counts.mean())


@given(st.binary(min_size=2, max_size=60))
def test_a_folded_sum_is_the_internet_checksum(raw):
    raw += bytes(len(raw) % 2)
    total = sum(int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw), 2))
    check = k._folded(total)
    again = total + check
    while again >> 16:
        again = (again & 0xFFFF) + (again >> 16)
    assert again == 0xFFFF
    assert 0 <= check <= 0xFFFF


@pytest.fixture(scope="module")
def played():
    """A restart of a few pumps, so that every form of packet is there."""
    plan = FleetPlan(
        pumps=8, hours=0.06, seed=4, cut_at_h=0.01, dhcp_share=0.6, library_at_h=-119.99
    )
    return life(fleet(plan))


@pytest.mark.parametrize("shape", ["pcapng", "pcap"])
def test_compiled_and_plain_kernels_make_the_same_octets(played, shape, monkeypatch):
    def octets():
        source = Packets(played, shape=shape)
        return b"".join(
            bytes(piece)
            for _, packets, order in source.windows()
            for piece in source.octets(packets, order)
        )

    compiled = octets()
    assert len(compiled) > 30_000
    for name in ("count_packets", "expand", "fill"):
        monkeypatch.setattr(k, name, getattr(k, name).py_func)
    assert octets() == compiled


def test_every_form_of_packet_was_there(played):
    forms, modes = set(), set()
    for _, packets, order in Packets(played).windows():
        forms |= set(packets[order, k.P_FORM])
        modes |= set(packets[order, k.P_MODE])
    assert forms == {k.RAW, k.UDP, k.TCP}
    assert modes == {k.ROUTED, k.SHOUTED, k.ANNOUNCED, k.HANDED}
