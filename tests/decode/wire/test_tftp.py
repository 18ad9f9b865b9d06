"""wardwatch.decode.wire.tftp"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.shared import CAPTURES, needs_shared
from tests.walk import walk
from tests.wire_messages import RRQ, WRQ, u16

from wardwatch.decode.wire import tftp


@needs_shared
def test_captured_requests_name_their_files() -> None:
    seen = [
        s for s in walk(CAPTURES / "tftp__ndpi__tftp.pcap") if s.kind == "udp" and s.dst_port == 69
    ]
    found = [tftp.parse(s.payload, s.claimed)[0] for s in seen]
    assert {"rfc1350.txt", "sysman.lis"} <= {m.filename for m in found if m}


@given(st.binary(max_size=100))
def test_hostile_bytes_are_data(payload: bytes) -> None:
    message, anomalies = tftp.parse(payload)
    assert message is not None or anomalies
    assert all(0 <= a.span.start <= a.span.stop <= len(payload) for a in anomalies)


@given(
    st.sampled_from([1, 2]),
    st.text(st.characters(codec="ascii", exclude_categories=["C"]), max_size=300),
    st.sampled_from(["octet", "NetASCII", "mail"]),
    st.binary(max_size=20),
)
def test_honest_requests_read_back(opcode: int, name: str, mode: str, options: bytes) -> None:
    payload = u16(opcode) + name.encode() + b"\0" + mode.encode() + b"\0" + options
    message, anomalies = tftp.parse(payload)
    assert anomalies == ()
    assert message == tftp.Message(opcode, name, mode.lower())


@pytest.mark.parametrize(
    ("payload", "command"),
    [(RRQ, "RRQ"), (WRQ, "WRQ"), (b"\0\x03\0\x01data", "DATA"), (b"\0\x06blksize\0", "OACK")],
)
def test_packets_are_told_by_their_opcode(payload: bytes, command: str) -> None:
    message, anomalies = tftp.parse(payload)
    assert message is not None
    assert anomalies == ()
    assert message.command == command


@pytest.mark.parametrize(
    ("payload", "claimed", "fault"),
    [
        (b"\0", -1, tftp.TRUNCATED),
        (b"\0", 20, tftp.CUT),
        (b"\0\x07", -1, tftp.OPCODE),
        (b"\0\x01name", -1, tftp.UNTERMINATED),
        (b"\0\x01name\0octet", -1, tftp.UNTERMINATED),
        (b"\0\x01name\0oct", 20, tftp.CUT),
        (b"\0\x01name\0binary\0", -1, tftp.MODE),
    ],
)
def test_one_damage_is_one_anomaly(payload: bytes, claimed: int, fault: object) -> None:
    assert [a.fault for a in tftp.parse(payload, claimed)[1]] == [fault]
