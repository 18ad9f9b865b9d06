"""wardwatch.decode.wire.snmp"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.shared import CAPTURES, needs_shared
from tests.walk import walk
from tests.wire_messages import PDU, ber, snmp, snmp3

from wardwatch.decode.wire import snmp as parser


@needs_shared
@pytest.mark.parametrize(
    ("capture", "version", "community", "user"),
    [
        ("snmp__sv__SNMPv2c_get_requests.pcap", 1, b"[R0_C@cti!]", ""),
        ("snmp__zeek__snmpv1_set.pcap", 0, b"", ""),
        ("snmp__zeek__snmpv3_get_next.pcap", 3, None, "username"),
    ],
)
def test_captured_messages_are_read(
    capture: str, version: int, community: bytes | None, user: str
) -> None:
    seen = [
        s
        for s in walk(CAPTURES / capture)
        if s.kind == "udp" and {s.src_port, s.dst_port} & {161, 162}
    ]
    found = [parser.parse(s.payload, s.claimed) for s in seen]
    assert all(not anomalies for _, anomalies in found)
    assert {(m.version, m.community) for m, _ in found if m} == {(version, community)}
    assert user in {m.user for m, _ in found if m}


@given(st.binary(max_size=200))
def test_hostile_bytes_are_data(payload: bytes) -> None:
    message, anomalies = parser.parse(payload)
    assert message is not None or anomalies
    assert all(0 <= a.span.start <= a.span.stop <= len(payload) for a in anomalies)


@given(st.sampled_from([0, 1, 3]), st.binary(max_size=100))
def test_hostile_bodies_are_data(version: int, body: bytes) -> None:
    payload = ber(0x30, ber(2, bytes([version])) + body)
    assert parser.parse(payload)[0] is not None


@given(st.sampled_from([0, 1]), st.binary(max_size=300), st.integers(0xA0, 0xA8))
def test_honest_messages_read_back(version: int, community: bytes, pdu: int) -> None:
    message, anomalies = parser.parse(snmp(version, community, bytes([pdu]) + PDU[1:]))
    assert message is not None
    assert anomalies == ()
    assert (message.version, message.community, message.pdu) == (version, community, pdu)


@given(st.text("abc-09", max_size=32), st.sampled_from([0, 1, 3, 4, 7]))
def test_honest_version_3_messages_read_back(user: str, flags: int) -> None:
    message, anomalies = parser.parse(snmp3(user.encode(), flags))
    assert message is not None
    assert anomalies == ()
    assert (message.user, message.community) == (user, None)
    assert message.pdu == (-1 if flags & 2 else 0xA0)


def test_a_community_is_not_shown() -> None:
    message, _ = parser.parse(snmp(1, b"sesame"))
    assert "sesame" not in repr(message)
    assert "sesame" not in f"{message}"


@pytest.mark.parametrize(
    ("payload", "claimed", "fault"),
    [
        (b"", -1, parser.OVERRUN),
        (b"", 40, parser.CUT),
        (snmp()[:-1], -1, parser.OVERRUN),
        (b"\x31" + snmp()[1:], -1, parser.BAD_TAG),
        (b"\x30\x80" + snmp()[2:], -1, parser.BAD_LENGTH),
        (b"\x30\x85" + snmp()[2:], -1, parser.BAD_LENGTH),
        (b"\x30\x84\x7f\xff\xff\xff" + snmp()[2:], -1, parser.OVERRUN),
        (snmp(2), -1, parser.BAD_VERSION),
        (ber(0x30, ber(4, b"\x01") + ber(4, b"x")), -1, parser.BAD_TAG),
        (ber(0x30, ber(2, b"\x01") + ber(2, b"x")), -1, parser.BAD_TAG),
        (ber(0x30, ber(2, b"\x01") + b"\x04\x70public"), -1, parser.OVERRUN),
        (ber(0x30, ber(2, b"\x01") + ber(4, b"x") + b"\xa0\x09\x02"), -1, parser.OVERRUN),
    ],
)
def test_one_damage_is_one_anomaly(payload: bytes, claimed: int, fault: object) -> None:
    assert [a.fault for a in parser.parse(payload, claimed)[1]] == [fault]


def test_a_cut_message_is_read_as_far_as_it_goes() -> None:
    payload = snmp(1, b"ward", PDU)
    message, anomalies = parser.parse(payload[:12], len(payload))
    assert message is not None
    assert message.community == b"ward"
    assert {a.fault for a in anomalies} == {parser.CUT}
