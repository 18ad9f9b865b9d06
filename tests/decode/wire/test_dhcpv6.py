"""wardwatch.decode.wire.dhcpv6"""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import wire_messages as wire
from tests.shared import CAPTURES, needs_shared
from tests.walk import walk
from tests.wire_messages import option6, u32

from wardwatch.decode.wire import dhcpv6

sixteen = st.binary(min_size=16, max_size=16)


@needs_shared
def test_a_captured_exchange_is_read() -> None:
    seen = [
        s
        for s in walk(CAPTURES / "dhcpv6__arkime__wireshark-dhcpv6.pcap")
        if s.dst_port in (546, 547)
    ]
    found = [dhcpv6.parse(s.payload, s.claimed) for s in seen]
    assert sorted(m.msg_type for m, _ in found if m) == [1, 2, 3, 7, 7, 8]
    assert all(anomalies == () for _, anomalies in found)
    assert len({m.client_duid for m, _ in found if m}) == 1


@given(st.binary(max_size=300))
def test_hostile_bytes_are_data(payload: bytes) -> None:
    message, anomalies = dhcpv6.parse(payload)
    assert message is not None or anomalies
    assert all(0 <= a.span.start <= a.span.stop <= len(payload) for a in anomalies)


@given(
    st.sampled_from([b"\x01\0\0\0", wire.RELAY6[:34], wire.RELAY6[:38]]), st.binary(max_size=200)
)
def test_hostile_options_are_data(head: bytes, options: bytes) -> None:
    assert dhcpv6.parse(head + options)[0] is not None


@given(
    st.integers(1, 11),
    st.integers(0, 2**24 - 1),
    st.binary(min_size=1, max_size=130),
    st.lists(sixteen, max_size=4),
    st.lists(sixteen, max_size=4),
)
def test_honest_messages_read_back(
    kind: int, xid: int, duid: bytes, given_out: list[bytes], servers: list[bytes]
) -> None:
    addresses = b"".join(option6(5, a + bytes(8)) for a in given_out)
    payload = (
        bytes([kind]) + u32(xid)[1:] + option6(1, duid) + option6(3, bytes(12) + addresses)
        + option6(23, b"".join(servers))
    )  # fmt: skip
    message, anomalies = dhcpv6.parse(payload)
    assert message is not None
    assert anomalies == ()
    assert (message.msg_type, message.transaction_id, message.client_duid) == (kind, xid, duid)
    assert [ipaddress.IPv6Address(a).packed for a in message.addresses] == given_out
    assert [ipaddress.IPv6Address(a).packed for a in message.dns_servers] == servers


def test_a_relay_message_holds_another() -> None:
    message, anomalies = dhcpv6.parse(wire.RELAY6)
    assert message is not None
    assert message.inner is not None
    assert anomalies == ()
    assert (message.msg_type, message.peer_address) == (12, "2001:db8::77")
    assert (message.inner.msg_type, message.inner.fqdn) == (1, "pump.ward")


def nested(depth: int) -> bytes:
    payload = wire.SOLICIT6
    for _ in range(depth):
        payload = wire.RELAY6[:34] + option6(9, payload)
    return payload


def test_relays_nest_no_deeper_than_the_rfc_lets_them() -> None:
    def depth(message: dhcpv6.Message | None) -> int:
        return 0 if message is None else 1 + depth(message.inner)

    message, anomalies = dhcpv6.parse(nested(8))
    assert (depth(message), anomalies) == (9, ())
    message, anomalies = dhcpv6.parse(nested(9))
    assert (depth(message), [a.fault for a in anomalies]) == (9, [dhcpv6.RELAY_DEPTH])


@pytest.mark.parametrize(
    ("payload", "claimed", "fault"),
    [
        (b"", -1, dhcpv6.TRUNCATED),
        (wire.SOLICIT6[:3], -1, dhcpv6.TRUNCATED),
        (wire.SOLICIT6[:3], 40, dhcpv6.CUT),
        (wire.RELAY6[:33], -1, dhcpv6.TRUNCATED),
        (wire.SOLICIT6[:-1], -1, dhcpv6.OPTION_OVERRUN),
        (wire.SOLICIT6[:-1], len(wire.SOLICIT6), dhcpv6.CUT),
        (wire.SOLICIT6 + b"\0", -1, dhcpv6.OPTION_OVERRUN),
        (b"\x01\0\0\0" + option6(3, bytes(11)), -1, dhcpv6.OPTION_LENGTH),
        (b"\x01\0\0\0" + option6(3, bytes(12) + option6(5, bytes(23))), -1, dhcpv6.OPTION_LENGTH),
        (b"\x01\0\0\0" + option6(3, bytes(12) + b"\0\x05\0\x30" + bytes(24)), -1, dhcpv6.OPTION_OVERRUN),
        (b"\x01\0\0\0" + option6(8, b"") * 513, -1, dhcpv6.TOO_MANY),
    ],
)  # fmt: skip
def test_one_damage_is_one_anomaly(payload: bytes, claimed: int, fault: object) -> None:
    assert [a.fault for a in dhcpv6.parse(payload, claimed)[1]] == [fault]
