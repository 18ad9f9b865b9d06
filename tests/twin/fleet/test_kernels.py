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
from wardwatch.twin.fleet.timeline import Events, What


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


def test_exchanges_of_one_pump_wait_for_each_other(played):
    # Five messages at one instant: what they say over one connection may not overlap.
    source = Packets(played)
    join = [played.joined[0], 0, What.JOIN, 0, 0, 0, 0, 0, 0, 0]
    reports = [
        [played.joined[0] + 9 * NS, 0, What.REPORT, 0, n, 0, 0, 0, 0, 1] for n in range(1, 6)
    ]
    events = Events(*np.array([join, *reports], np.int64).T)
    packets = source._expanded(events)
    packets = packets[packets[:, k.P_FORM] == k.TCP]
    assert (np.diff(packets[:, k.AT]) > 0).all()
    for who in (0, 1):
        mine = packets[packets[:, k.P_WHO] == who]
        assert (np.diff(mine[:, k.SEQ]) >= 0).all() or mine[:, k.SEQ].max() > 2**31


def test_a_udp_checksum_of_zero_is_sent_as_65535(played):
    # One of the 65,536 ids of a DNS question makes the sum 0, which would mean "none" (RFC 768).
    for _, packets, _ in (source := Packets(played)).windows():
        asked = packets[(packets[:, k.P_PORT] == 53) & (packets[:, k.P_WHO] == 0)]
        break
    rows = np.repeat(asked[:1], 65_536, axis=0)
    rows[:, k.TOKEN] = np.arange(65_536)
    sums = []
    order = np.arange(65_536)
    size = int(rows[0, k.SIZE])
    step = 32 + (size + 3) // 4 * 4
    for piece in source.octets(rows, order):
        records = np.frombuffer(piece, np.uint8).reshape(-1, step)[:, 28 + 44 : 28 + 46]
        sums.append(records[:, 0].astype(int) << 8 | records[:, 1])
    sums = np.concatenate(sums)
    assert len(sums) == 65_536
    assert sums.min() > 0
    assert np.count_nonzero(sums == 0xFFFF) == 1
    assert len(np.unique(sums)) == 65_535
