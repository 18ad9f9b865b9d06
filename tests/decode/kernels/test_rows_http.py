"""wardwatch.decode.kernels.rows_http"""

import random
from dataclasses import dataclass

import msgspec
import numpy as np
import pytest
from tests.conversations import exchanges

from wardwatch.compiled import kernel
from wardwatch.decode.kernels import rows_http as rows
from wardwatch.decode.kernels.rows_http import FOUND, head
from wardwatch.decode.wire import http
from wardwatch.observe.heads import Heads


@kernel
def each(arena, at, end, request, web, out):
    """Read one head of each span."""
    for i in range(at.size):
        out[i, FOUND] = head(arena, at[i], end[i], request[i] == 1, web)
        for k in range(FOUND):
            out[i, k] = web.found[k]


both = pytest.mark.parametrize("function", [each, each.py_func], ids=["compiled", "plain"])


@dataclass
class Found:
    """What the kernel said of a head: ``size`` 0 is nothing."""

    size: int
    shape: int
    length: int
    code: int
    named: int
    said: http.Head | None


def read(function, payloads, web=None):
    """Payloads end to end, between them what would go on a head: to read past one is to read wrong."""
    web = web or rows.web_of(1, 30)
    between = b"\r\n\r\n"
    arena = np.frombuffer(between + between.join(payloads) + between, np.uint8)
    size = np.array([len(p) for p in payloads], np.int64)
    at = np.cumsum(size + len(between)) - size
    request = np.array([not p.startswith(b"HTTP/") for p in payloads], np.int64)
    out = np.zeros((len(payloads), rows.FOUND + 1), np.int64)
    function(arena, at, at + size, request, web, out)
    found = []
    for shape, length, code, named, there in out.tolist():
        head = None
        if there:
            begin = shape * rows.LONGEST_SHAPE
            said = web.octets[begin : begin + int(web.shapes[shape, 0])].tobytes()
            head, anomalies = http.parse(said)
            assert not anomalies
            head = msgspec.structs.replace(head, content_length=length)
        found.append(Found(there, shape, length, code, named, head))
    return found


def agrees(one, payload):
    """A head that the kernel reads is what the parser says, and is plain."""
    if not one.size:
        return
    told = Heads().read(payload[: one.size])
    assert told.plain and not told.anomalies
    assert one.said == told.head
    assert payload[: one.size].endswith(b"\r\n\r\n")
    assert payload.find(b"\n\r\n") + 3 == one.size and b"\n\n" not in payload[: one.size]
    assert one.code == (
        told.head.status if told.head.status >= 0 else rows.METHODS.index(told.head.method)
    )
    assert one.named == (told.head.status >= 0 and told.head.server != "")


def said(seed, odd):
    chance = random.Random(seed)
    return [body for _ in range(60) for _, body in exchanges(chance, odd)]


@both
def test_honest_heads_are_ordinary(function) -> None:
    payloads = said(1, 0.0)
    found = read(function, payloads)
    assert len(payloads) > 200
    for one, payload in zip(found, payloads, strict=True):
        assert one.size
        agrees(one, payload)


@both
@pytest.mark.parametrize("seed", range(4))
def test_odd_heads_are_the_parsers_or_read_as_it_reads_them(function, seed) -> None:
    payloads = said(seed, 0.6)
    found = read(function, payloads)
    for one, payload in zip(found, payloads, strict=True):
        agrees(one, payload)
    assert 0 < sum(not one.size for one in found) < len(found)


@both
@pytest.mark.parametrize("seed", range(4))
def test_heads_with_an_octet_bent_are_the_parsers_or_read_as_it_reads_them(function, seed) -> None:
    chance = random.Random(seed)
    payloads = []
    for payload in said(seed, 0.1):
        bent = bytearray(payload)
        for _ in range(chance.randrange(1, 3)):
            place = chance.randrange(min(len(bent), 120))
            bent[place] = chance.choice((chance.randrange(256), *b'\r\n :\t,;"0x'))
        payloads.append(
            bytes(bent[: chance.choice((len(bent), chance.randrange(1, len(bent) + 1)))])
        )
    found = read(function, payloads)
    for one, payload in zip(found, payloads, strict=True):
        agrees(one, payload)
    assert any(one.size for one in found)


PLAIN = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\n\r\n"
ODD = {
    "no end": PLAIN[:-1],
    "line feeds alone": PLAIN.replace(b"\r", b""),
    "interim": PLAIN.replace(b"200", b"100"),
    "no status": PLAIN.replace(b"200", b"20x"),
    "version": PLAIN.replace(b"1.1", b"2.0"),
    "twice": PLAIN.replace(b"Server: x", b"Server: x\r\nserver: y"),
    "chunked": PLAIN.replace(b"Server: x", b"Transfer-Encoding: chunked"),
    "challenge": PLAIN.replace(b"Server: x", b"WWW-Authenticate: Basic"),
    "looked at": PLAIN.replace(b"Server: x", b"Content-Type: text/Xml"),
    "soap": PLAIN.replace(b"Server: x", b"content-type: soAP/x"),
    "length": PLAIN.replace(b" 5", b" 5x"),
    "no length": PLAIN.replace(b" 5", b" "),
    "long body": PLAIN.replace(b" 5", b" 99999999999"),
    "folded": PLAIN.replace(b"Server", b" Server"),
    "blank": PLAIN.replace(b"Server", b"Server "),
    "no colon": PLAIN.replace(b"Server:", b"Server"),
    "control": PLAIN.replace(b" x", b" \x01"),
    "many lines": PLAIN.replace(b"Server: x", b"\r\n".join([b"a:b"] * rows.MOST_LINES)),
    "long": PLAIN.replace(b" x", b" " + b"x" * rows.LONGEST_SHAPE),
    "credentials": b"GET / HTTP/1.1\r\nAuthorization: Basic eA==\r\n\r\n",
    "no target": b"GET  HTTP/1.1\r\n\r\n",
    "simple": b"GET /\r\n\r\n",
    "tunnel": b"CONNECT a:1 HTTP/1.1\r\n\r\n",
    "lower case": b"get / HTTP/1.1\r\n\r\n",
}


@both
@pytest.mark.parametrize("name", ODD)
def test_what_is_out_of_the_ordinary_is_left(function, name) -> None:
    plain, odd = read(function, [PLAIN, ODD[name]])
    assert plain.size == len(PLAIN)
    assert odd.size == 0


@both
def test_a_shape_is_numbered_once(function) -> None:
    web = rows.web_of(1, 30)
    again = [
        PLAIN,
        PLAIN.replace(b"5", b"77"),
        PLAIN.replace(b"OK", b"Fine"),
        PLAIN.replace(b"x", b"y"),
    ]
    assert [one.shape for one in read(function, again * 2, web)] == [0, 0, 0, 1] * 2
    assert web.used[rows.SHAPES] == 2


@both
def test_no_more_shapes_than_there_is_room_for(function) -> None:
    web = rows.web_of(1, 30)
    many = [PLAIN.replace(b"x", b"%d" % n) for n in range(rows.MOST_SHAPES + 3)]
    found = read(function, many, web)
    assert [one.shape for one in found if one.size] == list(range(rows.MOST_SHAPES))
    assert [bool(one.size) for one in found[-3:]] == [False] * 3


def test_names_are_those_the_parser_keeps() -> None:
    assert set(rows._FIELDS) == http._KEPT
    assert set(rows.METHODS[1:]) < set(http.METHODS)
