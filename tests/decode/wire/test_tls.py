"""wardwatch.decode.wire.tls"""

import hashlib
import ssl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import hostile, hostile_sessions
from tests import session_messages as said

from wardwatch.decode.wire import tls


def faults(found: tuple) -> list:
    return [a.fault for a in found[1]]


def openssl_hello(name: str | None = "pump-server.ward") -> bytes:
    """What a real client sends first: OpenSSL's, through memory."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def test_a_real_hello() -> None:
    hello, anomalies = tls.parse(openssl_hello())
    assert anomalies == () and hello is not None
    assert hello.server_name == "pump-server.ward"
    assert (hello.alpn, hello.version, hello.highest) == (b"h2", 0x0303, 0x0304)
    assert 0x1301 in hello.ciphers and not hello.export_offered
    assert tls.ja4(hello).startswith("t13d") and "h2_" in tls.ja4(hello)


def test_the_hello_of_the_published_teardown() -> None:
    body = said.client_hello(said.PUMP_SUITES, None, 0x0301)
    hello, anomalies = tls.parse(said.record(22, said.handshake(1, body), 0x0301))
    assert anomalies == () and hello is not None
    assert (hello.length, len(hello.ciphers), hello.extensions) == (93, 27, ())
    assert hello.export_offered and hello.highest == 0x0301 and hello.server_name == ""
    assert tls.ja3_text(hello) == "769," + "-".join(map(str, said.PUMP_SUITES)) + ",,,"
    assert tls.ja4(hello).startswith("t10i270000_") and tls.ja4(hello).endswith("_000000000000")


def test_ja3_by_its_definition() -> None:
    """Example shape of the JA3 definition: version,suites,extensions,groups,formats as numbers."""
    extensions = said.extension(0x0A0A, b"") + said.groups(0x1A1A, 29, 23) + said.point_formats(0)
    body = said.client_hello((0x2A2A, 47, 53), extensions, 0x0301)
    hello, _ = tls.parse_client_hello(body)
    assert hello is not None
    assert tls.ja3_text(hello) == "769,47-53,10-11,29-23,0"
    assert tls.ja3(hello) == hashlib.md5(b"769,47-53,10-11,29-23,0").hexdigest()


def test_ja4_by_its_definition() -> None:
    """The published example: parts a, b and c of t13d1516h2_8daaf6152771_e5627efa2ab1."""
    ciphers = (
        0x4A4A, 0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8,
        0xC013, 0xC014, 0x009C, 0x009D, 0x002F, 0x0035,
    )  # fmt: skip
    empty = [0x001B, 0x0033, 0x4469, 0x0017, 0x002D, 0x0005, 0x0023, 0x0012, 0xFF01]
    extensions = (
        said.extension(0xCACA, b"")
        + said.sni(b"a.example")
        + said.alpn(b"h2", b"http/1.1")
        + said.groups(29)
        + said.point_formats(0)
        + said.signature_algorithms(0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601)
        + said.supported_versions(0x7A7A, 0x0304, 0x0303)
        + said.extension(0x0015, b"")
        + b"".join(said.extension(kind, b"") for kind in empty)
    )
    hello, anomalies = tls.parse_client_hello(said.client_hello(ciphers, extensions))
    assert hello is not None and anomalies == ()
    assert tls.ja4(hello) == "t13d1516h2_8daaf6152771_e5627efa2ab1"


@pytest.mark.parametrize(
    ("alpn", "shown"),
    [(b"", "00"), (b"h2", "h2"), (b"http/1.1", "h1"), (b"x", "xx"), (b"\xab\xcd", "ad")],
)
def test_ja4_alpn(alpn: bytes, shown: str) -> None:
    hello = tls.ClientHello(0x0303, 0, (47,), (16,), 50, alpn=alpn)
    assert tls.ja4(hello)[8:10] == shown


def test_ssl2_hellos() -> None:
    hello, anomalies = tls.parse(said.ssl2_client_hello())
    assert anomalies == () and hello is not None and hello.ssl2
    assert (hello.version, hello.ciphers) == (2, (0x010080, 0x020080, 0x000039))
    assert hello.export_offered and tls.ja3(hello) == tls.ja4(hello) == ""
    answer, anomalies = tls.parse_ssl2_server_hello(said.ssl2_server_hello(b"DER"))
    assert anomalies == ()
    assert answer == tls.ServerHello(2, 0x010080, (), False, b"DER")


def test_the_version_a_server_chose_may_stand_in_an_extension() -> None:
    body = said.server_hello(0x1301, extensions=said.extension(43, b"\x03\x04"))
    hello, _ = tls.parse_server_hello(body)
    assert hello == tls.ServerHello(0x0304, 0x1301, (43,))
    resumed = said.server_hello(extensions=said.extension(41, b"\0\0"))
    assert tls.parse_server_hello(resumed)[0].resumes


def test_a_hello_retry_request_is_told_by_its_random() -> None:
    body = said.server_hello(0x1301).replace(b"S" * 32, tls.HELLO_RETRY)
    hello, _ = tls.parse_server_hello(body)
    assert hello is not None and hello.retry


@pytest.mark.parametrize(
    "name", [n for n in hostile_sessions.PARSERS if n.startswith(("tls", "ssl2"))]
)
def test_hostile_bytes_are_data(name: str) -> None:
    hostile.run(*hostile_sessions.PARSERS[name], seed=8, count=2000)


numbers = st.integers(0, 0xFFFF)


@st.composite
def hellos(draw: st.DrawFn) -> tuple[dict, bytes]:
    """What a client offers, and the body that says so."""
    some = st.lists(numbers, min_size=1, max_size=6)
    kinds = draw(st.lists(st.sampled_from([0, 10, 11, 13, 16, 43, 99]), unique=True))
    offered = {
        "version": draw(numbers),
        "ciphers": tuple(draw(some)),
        "session_id_length": draw(st.integers(0, 32)),
        "extensions": tuple(kinds),
    }
    raw = b""
    for kind in kinds:
        if kind == 0:
            offered["server_name"] = draw(st.text("abc.-", min_size=1, max_size=20))
            raw += said.sni(offered["server_name"].encode())
        elif kind == 16:
            offered["alpn"] = draw(st.binary(min_size=1, max_size=9))
            raw += said.alpn(offered["alpn"], b"other")
        elif kind == 11:
            offered["point_formats"] = tuple(
                draw(st.lists(st.integers(0, 255), min_size=1, max_size=4))
            )
            raw += said.point_formats(*offered["point_formats"])
        elif kind == 99:
            raw += said.extension(99, draw(st.binary(max_size=9)))
        else:
            field, make = {
                10: ("groups", said.groups),
                13: ("signature_algorithms", said.signature_algorithms),
                43: ("versions", said.supported_versions),
            }[kind]
            offered[field] = tuple(draw(some))
            raw += make(*offered[field])
    body = said.client_hello(
        offered["ciphers"], raw, offered["version"], b"i" * offered["session_id_length"]
    )
    return offered, body


@settings(max_examples=80)
@given(hellos())
def test_honest_hellos_read_back(made: tuple[dict, bytes]) -> None:
    offered, body = made
    hello, anomalies = tls.parse_client_hello(body)
    assert anomalies == ()
    assert hello == tls.ClientHello(length=len(body), **offered)


ODD_SUITES = said.client_hello(extensions=None).replace(
    b"\0\x04\xc0\x2f\x00\x35", b"\0\x03\xc0\x2f\x00"
)


def hello_with(extensions: bytes) -> tuple:
    return tls.parse_client_hello(said.client_hello(extensions=extensions))


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        (tls.parse_client_hello(said.client_hello()[:34]), tls.HELLO_SHORT),
        (tls.parse_client_hello(said.client_hello(extensions=None)[:-1]), tls.HELLO_SHORT),
        (tls.parse_client_hello(said.client_hello(extensions=None)[:-2]), tls.HELLO_SHORT),
        (tls.parse_client_hello(said.client_hello(ciphers=())), tls.CIPHERS_LENGTH),
        (tls.parse_client_hello(ODD_SUITES), tls.CIPHERS_LENGTH),
        (tls.parse_client_hello(said.client_hello() + b"\0"), tls.EXTENSIONS_LENGTH),
        (hello_with(said.extension(99, b"") + b"\0\x63\0\x09"), tls.EXTENSION_OVERRUN),
        (hello_with(said.extension(0, b"\0\x09\0\0\x01a")), tls.EXTENSION_BODY),
        (hello_with(said.extension(10, b"\0\x03\0\x1d")), tls.EXTENSION_BODY),
        (hello_with(said.extension(43, b"")), tls.EXTENSION_BODY),
        (hello_with(said.extension(99, b"") * 2), tls.EXTENSION_REPEATED),
        (tls.parse_server_hello(said.server_hello()[:-1]), tls.HELLO_SHORT),
        (tls.parse_certificates(said.certificates(b"D" * 9)[:-1]), tls.CERTIFICATES_LENGTH),
        (tls.parse_certificates(said.certificates(b"D" * 9) + b"x"), tls.CERTIFICATES_LENGTH),
        (tls.parse_certificates(b"\0\0"), tls.CERTIFICATES_LENGTH),
        (tls.parse_ssl2_client_hello(said.ssl2_client_hello()[:10]), tls.SSL2_HELLO),
        (tls.parse_ssl2_server_hello(said.ssl2_server_hello(b"D" * 99)[:50]), tls.SSL2_HELLO),
        (tls.parse(b"\x16\x03\x01\0\x00"), tls.RECORD),
    ],
)
def test_one_damage_brings_its_anomaly_first(found: tuple, fault: object) -> None:
    assert faults(found)[0] is fault
    assert fault in tls.FAULTS


def test_one_damaged_extension_brings_exactly_one_anomaly() -> None:
    assert faults(hello_with(said.extension(0, b"\0\x09\0\0\x01a"))) == [tls.EXTENSION_BODY]
    assert faults(hello_with(said.extension(99, b"") * 2)) == [tls.EXTENSION_REPEATED]


def test_a_list_of_suites_without_a_boundary_names_none() -> None:
    body = bytearray(said.client_hello(extensions=None))
    body[36] = 200
    hello, _ = tls.parse_client_hello(bytes(body))
    assert hello is not None and hello.ciphers == ()


def test_certificates_come_leaf_first_and_bounded() -> None:
    ders = tuple(bytes([k]) * 5 for k in range(40))
    found, anomalies = tls.parse_certificates(said.certificates(*ders))
    assert found == ders[: tls.MAX_CERTIFICATES] and anomalies == ()


def test_grease_is_sixteen_values() -> None:
    assert [v for v in range(0x10000) if tls.is_grease(v)] == [
        0x0A0A + 0x1010 * k for k in range(16)
    ]


def test_what_looks_like_tls() -> None:
    assert tls.looks_like(said.record(22, b"x")) and tls.looks_like(said.ssl2_client_hello())
    assert tls.looks_like(said.record(21, b"\2\x28"))
    assert not tls.looks_like(said.record(21, b"\2\x28\0"))
    assert not tls.looks_like(b"\x16\x03\x09\0\x05abcde") and not tls.looks_like(b"\x16\x03")
