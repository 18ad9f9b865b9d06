"""wardwatch.decode.kernels.rows_tls"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import hostile, hostile_sessions
from tests import session_messages as said
from tests.decode.wire.test_tls import hellos, openssl_hello

from wardwatch.decode.kernels import rows_tls as rows
from wardwatch.decode.wire import tls

FUNCTIONS = [(rows.client_hellos, rows.server_hellos)]
FUNCTIONS += [tuple(getattr(f, "py_func", f) for f in FUNCTIONS[0])]
both = pytest.mark.parametrize("functions", FUNCTIONS, ids=["compiled", "plain"])


def block(payloads: list[bytes]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Payloads end to end, 0xff between them: to read past one is to read wrong."""
    arena = b"\xff" + b"\xff".join(payloads) + b"\xff"
    size = np.array([len(p) for p in payloads], np.int32)
    at = np.ones(len(payloads), np.int64)
    at[1:] += np.cumsum(size[:-1] + 1)
    return np.frombuffer(arena, np.uint8), at, size


def clients(function, payloads: list[bytes]) -> list[tls.ClientHello | None]:
    arena, at, size = block(payloads)
    row = np.full((len(payloads), rows.FIELDS), 77, np.int64)
    lists = np.full((len(payloads), rows.WIDTH), 77, np.int32)
    function(arena, at, size, row, lists)
    return [
        rows.client_hello_of(arena, r, values) if r[rows.OK] else None
        for r, values in zip(row, lists, strict=True)
    ]


def servers(function, bodies: list[bytes]) -> list[tls.ServerHello | None]:
    arena, at, size = block(bodies)
    row = np.full((len(bodies), rows.FIELDS), 77, np.int64)
    lists = np.full((len(bodies), rows.WIDTH), 77, np.int32)
    function(arena, at, size, row, lists)
    return [
        rows.server_hello_of(r, values) if r[rows.OK] else None
        for r, values in zip(row, lists, strict=True)
    ]


def parsed(payload: bytes) -> tls.ClientHello | None:
    """The definition: what the parser reads of one hello that fills the first record, if whole."""
    size = int.from_bytes(payload[3:5], "big")
    inner = int.from_bytes(payload[6:9], "big")
    if len(payload) < 9 or payload[0] & 0x80 or inner + 4 != size:
        return None
    hello, anomalies = tls.parse(payload)
    return None if anomalies else hello


def record(body: bytes) -> bytes:
    return said.record(22, said.handshake(1, body))


@both
def test_a_real_hello_is_ordinary(functions) -> None:
    payload = openssl_hello()
    assert clients(functions[0], [payload]) == [parsed(payload)] != [None]


@both
def test_the_pumps_hello_is_ordinary(functions) -> None:
    payload = record(said.client_hello(said.PUMP_SUITES, None, 0x0301))
    assert clients(functions[0], [payload]) == [parsed(payload)] != [None]


@both
@settings(max_examples=60, deadline=None)
@given(st.lists(hellos(), min_size=1, max_size=5))
def test_honest_hellos_give_the_parsers_rows(functions, made) -> None:
    payloads = [record(body) for _, body in made]
    found = clients(functions[0], payloads)
    assert found == [parsed(p) for p in payloads]
    assert None not in found


@pytest.mark.parametrize("count", [1500])
@both
def test_a_hostile_hello_is_the_parsers_row_or_is_left_to_the_parser(functions, count) -> None:
    _, valid = hostile_sessions.PARSERS["tls"]
    payloads = list(hostile.mutate(10, valid[:1], count))
    found = clients(functions[0], payloads)
    expected = [parsed(p) for p in payloads]
    assert all(f is None or f == e for f, e in zip(found, expected, strict=True))
    missed = sum(f is None and e is not None for f, e in zip(found, expected, strict=True))
    assert missed == 0
    assert sum(f is not None for f in found) > count // 10


@both
def test_what_does_not_fit_the_columns_is_left_to_the_parser(functions) -> None:
    many = record(said.client_hello(tuple(range(129)), b""))
    most = record(said.client_hello(tuple(range(128)), b""))
    assert clients(functions[0], [many, most]) == [None, parsed(most)]


@both
def test_a_hello_cut_anywhere_is_left_to_the_parser(functions) -> None:
    payload = openssl_hello()
    cut = [payload[:k] for k in range(1, len(payload))]
    assert clients(functions[0], cut) == [None] * len(cut)


@both
def test_server_hellos(functions) -> None:
    bodies = [
        said.server_hello(),
        said.server_hello(
            0x1301, 0x0303, said.extension(43, b"\3\4") + said.extension(51, b"k" * 36)
        ),
        said.server_hello(session_id=b"i" * 32, extensions=said.extension(41, b"\0\0")),
    ]
    assert servers(functions[1], bodies) == [tls.parse_server_hello(b)[0] for b in bodies]
    retry = said.server_hello().replace(b"S" * 32, tls.HELLO_RETRY)
    assert servers(functions[1], [retry]) == [None]


@both
def test_a_hostile_server_hello_is_the_parsers_row_or_is_left_to_it(functions) -> None:
    bodies = list(hostile.mutate(11, hostile_sessions.PARSERS["tls server hello"][1], 1500))
    for body, found in zip(bodies, servers(functions[1], bodies), strict=True):
        hello, anomalies = tls.parse_server_hello(body)
        assert found == (None if anomalies else hello) or found is None


@both
def test_repeated_extensions_are_left_to_the_parser(functions) -> None:
    twice = record(said.client_hello(extensions=said.extension(99, b"") * 2))
    assert clients(functions[0], [twice]) == [None]
    body = said.server_hello(extensions=said.extension(99, b"") * 2)
    assert servers(functions[1], [body]) == [None]


@both
@pytest.mark.parametrize("version", [b"", b"\3", b"\3\4\3"])
def test_a_version_of_another_length_is_no_version(functions, version) -> None:
    body = said.server_hello(extensions=said.extension(43, version))
    assert servers(functions[1], [body]) == [tls.parse_server_hello(body)[0]] != [None]


def test_one_at_a_time_gives_the_same() -> None:
    one = rows.One()
    payload = openssl_hello()
    assert one.client(payload) == parsed(payload)
    assert one.client(payload[:-1]) is None
    assert one.server(said.server_hello()) == tls.parse_server_hello(said.server_hello())[0]
    assert one.server(b"") is None
