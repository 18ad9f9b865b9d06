"""wardwatch.decode.wire.arp"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.shared import CAPTURES, needs_shared
from tests.walk import walk
from tests.wire_messages import ARP_REPLY, ARP_REQUEST, u16

from wardwatch.decode.wire import arp

six, four = st.binary(min_size=6, max_size=6), st.binary(min_size=4, max_size=4)


@needs_shared
def test_captured_claims_are_read() -> None:
    seen = [s for s in walk(CAPTURES / "arp-spoof__lab__arp_spoof_a.pcap") if s.kind == "arp"]
    found = [arp.row(m) for m, _ in (arp.parse(s.payload) for s in seen) if m]
    liar = {
        r["sender_ip"] for r in found if r["op"] == 2 and r["sender_mac"] == "00:0c:29:de:ad:01"
    }
    assert len(liar) > 1


@given(st.binary(max_size=80))
def test_hostile_bytes_are_data(payload: bytes) -> None:
    message, anomalies = arp.parse(payload)
    assert message is not None or anomalies
    assert all(0 <= a.span.start <= a.span.stop <= len(payload) for a in anomalies)


@given(st.integers(0, 65535), six, four, six, four, st.binary(max_size=18))
def test_honest_messages_read_back(
    op: int, sha: bytes, spa: bytes, tha: bytes, tpa: bytes, padding: bytes
) -> None:
    payload = bytes.fromhex("000108000604") + u16(op) + sha + spa + tha + tpa + padding
    message, anomalies = arp.parse(payload)
    assert message is not None
    assert anomalies == ()
    assert (message.op, message.sha, message.spa, message.tha, message.tpa) == (
        op,
        sha,
        spa,
        tha,
        tpa,
    )


def test_the_row_of_a_reply() -> None:
    message, _ = arp.parse(ARP_REPLY)
    assert message is not None
    assert arp.row(message) == {
        "op": 2,
        "sender_mac": "02:00:00:00:00:0a",
        "sender_ip": "10.0.0.1",
        "target_mac": "00:1a:01:00:00:42",
        "target_ip": "10.0.0.77",
    }


@pytest.mark.parametrize(
    ("payload", "claimed", "fault"),
    [
        (ARP_REQUEST[:7], -1, arp.TRUNCATED),
        (ARP_REQUEST[:27], -1, arp.TRUNCATED),
        (ARP_REQUEST[:27], 28, arp.CUT),
        (ARP_REQUEST[:3], 28, arp.CUT),
        (ARP_REQUEST[:4] + b"\x05" + ARP_REQUEST[5:], -1, arp.ADDRESS_LENGTH),
        (ARP_REQUEST[:5] + b"\x03" + ARP_REQUEST[6:], -1, arp.ADDRESS_LENGTH),
    ],
)
def test_one_damage_is_one_anomaly(payload: bytes, claimed: int, fault: object) -> None:
    assert [a.fault for a in arp.parse(payload, claimed)[1]] == [fault]
