"""wardwatch.decode.wire.medfusion"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import hostile, hostile_sessions
from tests import session_messages as said

from wardwatch.decode.wire import medfusion
from wardwatch.decode.wire.medfusion import Message


def test_the_published_status_line() -> None:
    assert medfusion.parse(said.STATUS_LINE) == (Message("status_line"), ())


def test_a_serial_number_in_the_status_line_is_kept() -> None:
    assert medfusion.parse(b"{M000123,????,invalid,-1,1618}")[0] == Message(
        "status_line", serial="M000123"
    )


def test_the_configuration_tells_of_its_secret_and_keeps_nothing_of_it() -> None:
    message, anomalies = medfusion.parse(said.CONFIGURATION)
    assert anomalies == ()
    assert message == Message(
        "configuration", "Medfusion3600Configuration", "M000001", has_secret=True
    )
    assert "filler" not in repr(message)


def test_empty_password_elements_are_no_secret() -> None:
    empty = said.CONFIGURATION.replace(b"filler", b" ")
    message, _ = medfusion.parse(empty)
    assert message is not None and not message.has_secret


def test_soap_is_named_by_its_body() -> None:
    message, anomalies = medfusion.parse(said.SOAP)
    assert message == Message("soap", "Medfusion4000_Maintenance", "M000001") and anomalies == ()


@pytest.mark.parametrize(
    "payload",
    [
        b'{"json": 1}',
        b"<html><body>Medfusion3600Configuration</body></html>",
        b"see <Medfusion3600Configuration>",
        said.SOAP.replace(b"Medfusion4000_Maintenance", b"GetPatient"),
        b"<!DOCTYPE x><Medfusion3600Configuration>",
        b"",
    ],
)
def test_what_only_speaks_of_it_is_no_message(payload: bytes) -> None:
    assert medfusion.parse(payload) == (None, ())


def test_hostile_bytes_are_data() -> None:
    hostile.run(*hostile_sessions.PARSERS["medfusion"], seed=6, count=2000)


@settings(max_examples=60)
@given(
    st.text("M0123456789", min_size=1, max_size=12),
    st.integers(0, 4),
    st.sampled_from([b"", b"c:"]),
    st.booleans(),
)
def test_honest_configurations_read_back(
    serial: str, blanks: int, prefix: bytes, secret: bool
) -> None:
    root = prefix + b"Medfusion4000Configuration"
    body = b"<%b>%b<Serial>%b</Serial>" % (root, b" " * blanks, serial.encode())
    body += b"<Key>k</Key>" if secret else b""
    message, anomalies = medfusion.parse(b"<!-- c -->" + body + b"</%b>" % root)
    assert anomalies == ()
    assert message == Message(
        "configuration", "Medfusion4000Configuration", serial, has_secret=secret
    )


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        (b"{M1,????,invalid,-1}", medfusion.STATUS_FIELDS),
        (said.CONFIGURATION[:-4], medfusion.XML_UNENDED),
    ],
)
def test_one_damage_brings_its_anomaly_and_no_other(payload: bytes, fault: object) -> None:
    assert [a.fault for a in medfusion.parse(payload)[1]] == [fault]
    assert fault in medfusion.FAULTS


def test_a_megabyte_of_open_elements_ends_in_bounded_time() -> None:
    assert medfusion.parse(b"<" * 1_000_000) == (None, ())
    assert medfusion.parse(b"<Envelope>" + b"<Body " * 100_000)[0] is None
