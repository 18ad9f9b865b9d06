"""wardwatch.decode.wire.lldp"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.shared import CAPTURES, needs_shared
from tests.walk import walk
from tests.wire_messages import LLDP, tlv, u16

from wardwatch.decode.wire import lldp


@needs_shared
def test_a_captured_frame_names_its_switch() -> None:
    seen = [
        s
        for s in walk(CAPTURES / "lldp-cdp__tcpdump__LLDP_and_CDP.pcap")
        if s.payload[:2] == b"\x88\xcc"
    ]
    message, anomalies = lldp.parse(seen[0].payload[2:])
    assert message is not None
    assert anomalies == ()
    assert message.system_name
    assert message.port_id


@given(st.binary(max_size=200))
def test_hostile_bytes_are_data(payload: bytes) -> None:
    message, anomalies = lldp.parse(payload)
    assert all(0 <= a.span.start <= a.span.stop <= len(payload) for a in anomalies)
    assert message is not None or anomalies


names = st.text(st.characters(codec="ascii", exclude_categories=["C"]), min_size=1, max_size=100)


@given(names, names, names, st.integers(0, 4094))
def test_honest_frames_read_back(chassis: str, port: str, system: str, pvid: int) -> None:
    payload = (
        tlv(1, b"\x07" + chassis.encode())
        + tlv(2, b"\x05" + port.encode())
        + tlv(3, u16(120))
        + tlv(5, system.encode())
        + tlv(127, b"\x00\x80\xc2\x01" + u16(pvid))
        + tlv(0, b"")
    )
    message, anomalies = lldp.parse(payload)
    assert anomalies == ()
    assert message == lldp.Message(chassis, port, system, pvid=pvid)


def test_a_length_has_nine_bits() -> None:
    message, anomalies = lldp.parse(FIRST + tlv(5, b"w" * 300) + tlv(6, b"switch") + tlv(0, b""))
    assert message is not None
    assert anomalies == ()
    assert (message.system_name, message.system_description) == ("w" * 300, "switch")


def test_identifiers_by_their_subtype() -> None:
    message, anomalies = lldp.parse(LLDP)
    assert anomalies == ()
    assert message == lldp.Message(
        "00:50:56:cc:00:01", "Gi1/0/7", "switch-ward-7", "Layer 3 switch", "10.0.0.254", 120
    )
    network = tlv(1, b"\x05\x01" + bytes([10, 0, 0, 7])) + LLDP[9:]
    message, _ = lldp.parse(network)
    assert message is not None
    assert message.chassis_id == "10.0.0.7"


FIRST = tlv(1, b"\x07a") + tlv(2, b"\x05b") + tlv(3, u16(1))


@pytest.mark.parametrize(
    ("payload", "claimed", "fault"),
    [
        (FIRST + b"\x0a", -1, lldp.TRUNCATED),
        (FIRST + b"\x0a", 30, lldp.CUT),
        (FIRST + tlv(5, b"ward")[:-1], -1, lldp.OVERRUN),
        (FIRST + tlv(5, b"ward")[:-1], 60, lldp.CUT),
        (tlv(2, b"\x05b") + tlv(1, b"\x07a") + tlv(3, u16(1)), -1, lldp.MANDATORY),
        (tlv(0, b""), -1, lldp.MANDATORY),
    ],
)
def test_one_damage_is_one_anomaly(payload: bytes, claimed: int, fault: object) -> None:
    assert [a.fault for a in lldp.parse(payload, claimed)[1]] == [fault]
