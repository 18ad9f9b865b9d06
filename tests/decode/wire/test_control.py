"""wardwatch.decode.wire.control"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import wire_messages as wire

from wardwatch.decode.wire import control

GROUPS = {
    "stp": "01:80:c2:00:00:00",
    "dtp": control.CISCO_GROUP,
    "vtp": control.CISCO_GROUP,
    "pagp": control.CISCO_GROUP,
    "udld": control.CISCO_GROUP,
    "lacp": control.SLOW_GROUP,
    "eapol": "01:80:c2:00:00:03",
    "xid": "ff:ff:ff:ff:ff:ff",
}


@pytest.mark.parametrize(("protocol", "payload"), list(zip(GROUPS, wire.CONTROL, strict=True)))
def test_each_protocol_is_told_by_how_it_begins(protocol: str, payload: bytes) -> None:
    message, anomalies = control.parse(payload, dst_mac=GROUPS[protocol])
    assert anomalies == ()
    assert message == control.Message(protocol)


@given(st.binary(max_size=80), st.sampled_from([*GROUPS.values(), ""]))
def test_hostile_bytes_are_data(payload: bytes, group: str) -> None:
    message, anomalies = control.parse(payload, dst_mac=group)
    assert (message is None) == bool(anomalies)
    assert all(0 <= a.span.start <= a.span.stop <= len(payload) for a in anomalies)


@given(st.integers(1, 3), st.sampled_from([0, 1, 2, 3]), st.binary(max_size=90))
def test_eapol_of_any_version_and_type_is_eapol(version: int, kind: int, body: bytes) -> None:
    payload = bytes([version, kind]) + len(body).to_bytes(2, "big") + body
    if payload[:4] != b"\x01\x01\x01\x14" and payload[2] not in control.XID_CONTROLS:
        message, _ = control.parse(payload, dst_mac="02:00:00:00:00:01")
        assert message == control.Message("eapol")


@given(st.sampled_from([0, 2, 3, 4]), st.binary(min_size=30, max_size=40))
def test_bridge_protocol_frames_are_stp(version: int, body: bytes) -> None:
    message, _ = control.parse(bytes([0, 0, version]) + body, dst_mac="01:80:c2:00:00:00")
    assert message == control.Message("stp")


@pytest.mark.parametrize(
    ("payload", "claimed", "fault"),
    [
        (b"\0\0", -1, control.TRUNCATED),
        (b"\0\0", 35, control.CUT),
        (b"\xee\xee\xee\xee", -1, control.UNKNOWN),
    ],
)
def test_one_damage_is_one_anomaly(payload: bytes, claimed: int, fault: object) -> None:
    assert [a.fault for a in control.parse(payload, claimed)[1]] == [fault]


def test_an_xid_between_null_saps_is_no_bridge() -> None:
    message, anomalies = control.parse(bytes.fromhex("0000af810100"))
    assert (message, anomalies) == (control.Message("xid"), ())
