"""wardwatch.decode.wire.cdp"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.shared import CAPTURES, needs_shared
from tests.walk import walk
from tests.wire_messages import CDP, field, u16

from wardwatch.decode.wire import cdp

SNAP = bytes.fromhex("aaaa0300000c2000")


@needs_shared
def test_a_captured_frame_names_its_switch() -> None:
    seen = [
        s
        for s in walk(CAPTURES / "lldp-cdp__tcpdump__LLDP_and_CDP.pcap")
        if s.payload[2:10] == SNAP
    ]
    message, anomalies = cdp.parse(seen[0].payload[10:])
    assert message is not None
    assert anomalies == ()
    assert message.device_id
    assert message.platform


@given(st.binary(max_size=200))
def test_hostile_bytes_are_data(payload: bytes) -> None:
    message, anomalies = cdp.parse(payload)
    assert message is not None or anomalies
    assert all(0 <= a.span.start <= a.span.stop <= len(payload) for a in anomalies)


names = st.text(st.characters(codec="ascii", exclude_categories=["C"]), max_size=100)


@given(names, names, names, st.integers(0, 4094))
def test_honest_frames_read_back(device: str, port: str, platform: str, vlan: int) -> None:
    payload = (
        b"\x02\xb4\0\0" + field(1, device.encode()) + field(3, port.encode())
        + field(6, platform.encode()) + field(0x0A, u16(vlan))
    )  # fmt: skip
    message, anomalies = cdp.parse(payload)
    assert anomalies == ()
    assert message == cdp.Message(2, device, port, platform, native_vlan=vlan)


def test_every_field_we_keep() -> None:
    message, anomalies = cdp.parse(CDP)
    assert anomalies == ()
    assert message == cdp.Message(
        2,
        "switch-ward-7",
        "GigabitEthernet1/0/7",
        "cisco WS-C2960",
        "IOS",
        99,
        "10.0.0.250",
        "10.0.0.250",
    )


HEAD = b"\x02\xb4\0\0"


@pytest.mark.parametrize(
    ("payload", "claimed", "fault"),
    [
        (HEAD[:3], -1, cdp.TRUNCATED),
        (HEAD[:3], 60, cdp.CUT),
        (HEAD + b"\0\x01\0", -1, cdp.OVERRUN),
        (HEAD + field(1, b"ward")[:-1], -1, cdp.OVERRUN),
        (HEAD + field(1, b"ward")[:-1], 60, cdp.CUT),
        (HEAD + b"\0\x01\0\x03", -1, cdp.LENGTH),
    ],
)
def test_one_damage_is_one_anomaly(payload: bytes, claimed: int, fault: object) -> None:
    assert [a.fault for a in cdp.parse(payload, claimed)[1]] == [fault]
