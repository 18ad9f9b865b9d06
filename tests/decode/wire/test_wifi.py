"""wardwatch.decode.wire.wifi"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import wire_messages as wire
from tests.shared import CAPTURES, needs_shared
from tests.walk import walk
from tests.wire_messages import RATES, RSN, beacon, element, wlan

from wardwatch.decode.wire import wifi


@needs_shared
def test_captured_management_frames_are_read() -> None:
    seen = [s.payload for s in walk(CAPTURES / "wifi-probe__aircrack__wpa2-psk-linksys.cap")]
    found = [wifi.parse(payload)[0] for payload in seen]
    kinds = [m.subtype for m in found if m is not None]
    assert (kinds.count(8), kinds.count(4), kinds.count(11)) == (85, 18, 8)
    beacons = [m for m in found if m is not None and m.subtype == 8]
    assert len({m.ssid_text for m in beacons} - {""}) == 1
    assert all(m.protected and m.akm == (2,) for m in beacons if m.akm)


@given(st.binary(max_size=200))
def test_hostile_bytes_are_data(payload: bytes) -> None:
    message, anomalies = wifi.parse(payload)
    assert message is not None or anomalies
    assert all(0 <= a.span.start <= a.span.stop <= len(payload) for a in anomalies)


@given(st.integers(0, 15), st.binary(max_size=200))
def test_hostile_bodies_are_data(subtype: int, body: bytes) -> None:
    assert wifi.parse(wlan(subtype, body))[0] is not None


@given(
    st.binary(max_size=32),
    st.integers(1, 14),
    st.lists(st.integers(1, 24), max_size=4, unique=True),
    st.booleans(),
)
def test_honest_beacons_read_back(
    ssid: bytes, channel: int, suites: list[int], privacy: bool
) -> None:
    rsn = RSN[:12] + bytes([len(suites), 0]) + b"".join(b"\0\x0f\xac" + bytes([s]) for s in suites)
    frame = wlan(
        8,
        bytes(10)
        + bytes([privacy << 4, 0])
        + element(0, ssid)
        + RATES
        + element(3, bytes([channel]))
        + element(48, rsn),
    )
    message, anomalies = wifi.parse(frame)
    assert message is not None
    assert anomalies == ()
    assert (message.ssid, message.channel, message.akm) == (ssid, channel, tuple(suites))
    assert message.protected == privacy
    assert message.ssid_hidden == (not any(ssid))
    assert message.ssid_text.isprintable()


def test_kinds_and_addresses() -> None:
    message, _ = wifi.parse(wire.PROBE)
    assert message is not None
    assert (message.subtype, message.transmitter, message.ssid_text) == (
        4,
        "00:1a:01:00:00:42",
        "ward",
    )
    message, _ = wifi.parse(wire.ASSOCIATE)
    assert message is not None
    assert (message.subtype, message.bssid, message.akm) == (0, "02:00:00:00:00:01", (2, 8))
    message, _ = wifi.parse(wire.RTS)
    assert message is not None
    assert (message.subtype, message.transmitter) == (16 + 11, "00:1a:01:00:00:42")
    message, _ = wifi.parse(wire.ACK)
    assert message is not None
    assert (message.subtype, message.transmitter) == (16 + 13, "")


def test_an_xid_broadcast_is_seen_in_clear_data_only() -> None:
    message, _ = wifi.parse(wire.XID_DATA)
    assert message is not None
    assert (message.subtype, message.xid_broadcast) == (32, True)
    sealed = bytes([0x08, 0x42]) + wire.XID_DATA[2:]
    assert wifi.parse(sealed)[0].xid_broadcast is False
    other = wire.XID_DATA.replace(wire.XID, b"\xaa\xaa\x03" + bytes(5))
    assert wifi.parse(other)[0].xid_broadcast is False
    unicast = wire.XID_DATA[:4] + wire.STATION + wire.XID_DATA[10:]
    assert wifi.parse(unicast)[0].xid_broadcast is False
    to_ap = bytes([0x88, 0x01, 0, 0]) + wire.AP + wire.STATION + b"\xff" * 6 + bytes(4) + wire.XID
    assert wifi.parse(to_ap)[0].xid_broadcast is True
    assert wifi.parse(to_ap)[0].bssid == "02:00:00:00:00:01"


def test_zeros_and_nothing_hide_an_ssid() -> None:
    for ssid in (b"", bytes(8)):
        message, _ = wifi.parse(beacon(ssid))
        assert message is not None
        assert (message.ssid_hidden, message.ssid_text) == (True, "")
    message, _ = wifi.parse(wire.PROBE.replace(element(0, b"ward"), element(0, b"")))
    assert message is not None
    assert message.ssid_hidden is False


def test_odd_ssids_stay_text() -> None:
    message, _ = wifi.parse(beacon(b"<b>\x1b[2J\xff"))
    assert message is not None
    assert message.ssid_text == "<b>\\x1b[2J\\xff"


@pytest.mark.parametrize(
    ("payload", "claimed", "fault"),
    [
        (beacon()[:9], -1, wifi.TRUNCATED),
        (beacon()[:9], 80, wifi.CUT),
        (beacon()[:23], -1, wifi.TRUNCATED),
        (beacon()[:35], -1, wifi.TRUNCATED),
        (beacon()[:35], 80, wifi.CUT),
        (beacon()[:-1], -1, wifi.OVERRUN),
        (beacon()[:-1], len(beacon()), wifi.CUT),
        (beacon() + b"\x00", -1, wifi.OVERRUN),
        (beacon(b"w" * 33), -1, wifi.SSID_LENGTH),
        (beacon(rsn=RSN[:6] + b"\xff\0" + RSN[8:]), -1, wifi.BAD_RSN),
        (beacon(rsn=RSN[:12] + b"\x09\0" + RSN[14:]), -1, wifi.BAD_RSN),
    ],
)
def test_one_damage_is_one_anomaly(payload: bytes, claimed: int, fault: object) -> None:
    assert [a.fault for a in wifi.parse(payload, claimed)[1]] == [fault]
