"""wardwatch.decode.wire.banner"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import hostile, hostile_sessions

from wardwatch.decode.wire import banner
from wardwatch.decode.wire.banner import Banner


@pytest.mark.parametrize(
    ("payload", "protocol"),
    [
        (b"SSH-2.0-dropbear_2019.78\r\n", "ssh"),
        (b"220 mail ESMTP ready\r\n", "smtp"),
        (b"220 RTCS FTP Ready\r\n", "ftp"),
        (b"+OK ready\r\n", "pop3"),
        (b"* OK IMAP4rev1\r\n", "imap"),
        (b"RFB 003.008\n", "rfb"),
        (b"Failure: Socket Error (2)\r\n", ""),
    ],
)
def test_first_words_name_their_protocol(payload: bytes, protocol: str) -> None:
    assert banner.parse(payload) == (Banner(protocol, payload.rstrip().decode()), ())


def test_bytes_that_are_no_text_are_no_banner() -> None:
    assert banner.parse(b"\x01\x02\n") == (None, ())
    assert banner.parse(b"\r\n") == (None, ())


def test_hostile_bytes_are_data() -> None:
    hostile.run(*hostile_sessions.PARSERS["banner"], seed=7, count=2000)


@settings(max_examples=60)
@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=200))
def test_honest_lines_read_back(line: str) -> None:
    found, anomalies = banner.parse(line.encode() + b"\r\nmore")
    assert found is not None and found.text == line and anomalies == ()


def test_a_line_that_never_ends_is_named_and_cut() -> None:
    found, anomalies = banner.parse(b"A" * 513 + b"\n")
    assert found is not None and len(found.text) == banner.SHOWN
    assert [a.fault for a in anomalies] == [banner.LINE_TOO_LONG]
    assert set(banner.FAULTS) == {banner.LINE_TOO_LONG}
