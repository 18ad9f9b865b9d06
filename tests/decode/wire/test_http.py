"""wardwatch.decode.wire.http"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import hostile, hostile_sessions
from tests import session_messages as said

from wardwatch.decode.wire import http


def faults(payload: bytes) -> list:
    return [a.fault for a in http.parse(payload)[1]]


def test_a_request_keeps_device_fields_only() -> None:
    head, anomalies = http.parse(said.HTTP_REQUEST)
    assert anomalies == ()
    assert head == http.Head(
        method="POST",
        status=-1,
        version="HTTP/1.1",
        host="gateway",
        user_agent="Pump/1.0",
        content_length=4,
        auth_scheme="Basic",
        credentials=b"dXNlcjpwYTpzcw==",
    )


def test_no_field_of_a_head_holds_target_or_cookie() -> None:
    head, _ = http.parse(said.HTTP_REQUEST)
    assert "jane" not in repr(head) and "secret" not in repr(head)


@pytest.mark.parametrize(
    "line",
    [
        b"Host: a:hidden@gw:80",
        b"Host: gw:80/hidden",
        b"Host: gw:80?n=hidden",
        b"Host: gw:80#hidden",
    ],
)
def test_a_host_is_a_name_and_a_port_and_nothing_else(line: bytes) -> None:
    head, _ = http.parse(b"GET / HTTP/1.1\r\n" + line + b"\r\n\r\n")
    assert head is not None and head.host == "gw:80"


def test_a_query_of_a_soap_action_and_credentials_without_a_scheme_are_not_kept() -> None:
    lines = b'SOAPAction: "urn:act?name=hidden"\r\nAuthorization: hidden\r\n'
    head, _ = http.parse(b"POST / HTTP/1.1\r\n" + lines + b"\r\n")
    assert head is not None and "hidden" not in repr(head)
    assert head.soap_action == "urn:act"


def test_a_response() -> None:
    head, anomalies = http.parse(said.HTTP_RESPONSE)
    assert anomalies == ()
    assert head is not None and head.status == 200
    assert (head.server, head.content_type, head.chunked) == ("goahead", "text/html", True)


def test_a_simple_request() -> None:
    head, _ = http.parse(b"GET /\r\n\r\n")
    assert head is not None and head.version == "HTTP/0.9"


@pytest.mark.parametrize("name", [n for n in hostile_sessions.PARSERS if n.startswith("http")])
def test_hostile_bytes_are_data(name: str) -> None:
    hostile.run(*hostile_sessions.PARSERS[name], seed=3, count=2000)


words = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)


@settings(max_examples=60)
@given(st.sampled_from(http.METHODS), words, words, st.integers(0, 10**9), st.booleans())
def test_honest_requests_read_back(
    method: str, target: str, agent: str, length: int, bare: bool
) -> None:
    end = "\n" if bare else "\r\n"
    lines = [f"{method} /{target} HTTP/1.1", f"USER-agent:  {agent} ", f"Content-Length: {length}"]
    head, anomalies = http.parse((end.join(lines) + end + end).encode())
    assert anomalies == () and head is not None
    assert (head.method, head.user_agent, head.content_length) == (method, agent, length)


REQUEST = b"GET / HTTP/1.1\r\n"


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        (b"GE T / HTTP/1.1\r\n\r\n", http.START_LINE),
        (REQUEST + b"no colon here\r\n\r\n", http.FIELD_LINE),
        (REQUEST + b"Host : x\r\n\r\n", http.FIELD_LINE),
        (REQUEST + b"Content-Length: x\r\n\r\n", http.CONTENT_LENGTH),
        (REQUEST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", http.CONTENT_LENGTH),
        (
            REQUEST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            http.BOTH_LENGTHS,
        ),
    ],
)
def test_one_damage_brings_its_anomaly_and_no_other(payload: bytes, fault: object) -> None:
    assert faults(payload) == [fault]
    assert fault in http.FAULTS


def test_basic_credentials_split_at_the_first_colon() -> None:
    assert http.parse_basic(b"dXNlcjpwYTpzcw==") == ((b"user", b"pa:ss"), ())
    for damaged in (b"dXNlcg==", b"!!!!", b""):
        found, anomalies = http.parse_basic(damaged)
        assert found is None and [a.fault for a in anomalies] == [http.BASIC]


def test_chunk_sizes() -> None:
    assert http.parse_chunk_size(b"1aF;name=x") == (0x1AF, ())
    for damaged in (b"", b"-1", b"0x10", b"1" * 17, b"1_0"):
        assert http.parse_chunk_size(damaged)[0] is None


def test_what_looks_like_http() -> None:
    assert http.looks_like(b"NOTIFY * HTTP/1.1") and http.looks_like(b"HTTP/1.0 401 no")
    assert not http.looks_like(b"HELO GET /") and not http.looks_like(b"GETTING")
