"""wardwatch.observe.heads"""

import random

import pytest
from tests.observe.talk import Talk

from wardwatch.model.columns import BY_NAME
from wardwatch.observe.exchanges import Hl7, Http
from wardwatch.observe.heads import Heads

PLAIN = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
SECRET = b"GET / HTTP/1.1\r\nAuthorization: Basic YTpi\r\n\r\n"


def test_heads_with_credentials_are_not_remembered() -> None:
    heads = Heads()
    for _ in range(3):
        heads.read(PLAIN)
        heads.read(SECRET)
    assert heads.calls == 4
    assert list(heads._known) == [PLAIN]


def test_the_row_of_a_head_is_the_end_of_the_table() -> None:
    read = Heads().read(b"HTTP/1.1 404 No\r\nServer: s\r\nContent-Type: a/b\r\n\r\n")
    names = [column.name for column in BY_NAME["http"].columns][-len(read.row) :]
    row = dict(zip(names, read.row, strict=True))
    assert names[0] == "direction"
    assert (row["direction"], row["status"], row["server_header"]) == ("response", 404, "s")
    assert (row["content_type"], row["content_length"], row["soap_action"]) == ("a/b", -1, "")


@pytest.mark.parametrize(
    "raw",
    [
        SECRET,
        b"CONNECT a:1 HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 101 Go\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Type: text/xml\r\nContent-Length: 9\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"GET\r\n\r\n",
    ],
)
def test_a_head_that_asks_for_more_is_not_plain(raw: bytes) -> None:
    assert Heads().read(PLAIN).plain
    assert not Heads().read(raw).plain


def web(chance: random.Random) -> list[tuple[int, bytes]]:
    """Requests and responses, most of them plain; who says what, 0 the client."""
    out = []
    for _ in range(chance.randrange(1, 6)):
        method = chance.choice((b"GET", b"GET", b"POST", b"HEAD", b"CONNECT", b"FOO"))
        size = chance.choice((0, 1, 40, 700))
        fields = [
            b"Host: a",
            b"Content-Length: %d" % size if method == b"POST" else b"Accept: */*",
            chance.choice((b"X: y", b"Authorization: Basic YTpi", b"Content-Type: text/xml")),
        ]
        begin = chance.choice((b"", b"", b"", b"\r\n")) + method + b" /x HTTP/1.1\r\n"
        body = bytes(chance.choices(b"ab\r\nGET /", k=size)) if method == b"POST" else b""
        out.append((0, begin + b"\r\n".join(fields) + b"\r\n\r\n" + body))
        if chance.random() < 0.1:
            continue  # the next request before the response
        if chance.random() < 0.1:
            out.append((1, b"HTTP/1.1 100 Continue\r\n\r\n"))
        status = chance.choice((200, 200, 200, 204, 304, 401, 500, 101))
        size = chance.choice((0, 1, 300, 4_000))
        kind = chance.choice((b"text/html", b"text/html", b"application/soap+xml"))
        framing = chance.choice(
            (b"Content-Length: %d" % size,) * 5 + (b"X: y", b"Transfer-Encoding: chunked")
        )
        head = b"HTTP/1.1 %d OK\r\nServer: s\r\n" % status
        head += b"Content-Type: " + kind + b"\r\n" + framing + b"\r\n\r\n"
        body = bytes(chance.choices(b"ab\r\nHTTP/1", k=size))
        if framing.startswith(b"T"):
            body = b"%x\r\n" % size + body + b"\r\n0\r\n\r\n" if size else b"0\r\n\r\n"
        if method == b"HEAD" or status in (204, 304):
            body = b""
        out.append((1, head + body))
    return out


def words(chance: random.Random) -> list[tuple[int, bytes]]:
    """HL7 both ways, framed or not, one message in a segment as a rule."""
    out = []
    for _ in range(chance.randrange(1, 6)):
        for side in (0, 1):
            end = chance.choice((b"\r", b"\r", b"\r", b"\r\n", b"\n"))
            rows = [b"MSH|^~\\&|A|B|C|D|1||ORU^R01|7|P|2.5", b"PID|1||0", b"MSA|AA|7"]
            rows += [b"OBX|1|NM|69965^MDC_MDS^MDC|1.0.0.0|1" + b"|" * 12 + b"dev"] * (
                chance.choice((0, 1, 1, 70))
            )
            rows += [b"OBX|" + b"x" * 5_000] * (chance.random() < 0.1)
            said = end.join(rows) + end * (chance.random() < 0.9)
            begin, stop = chance.choice(((b"\x0b", b"\x1c\r"),) * 4 + ((b"", b""), (b"\x0b", b"")))
            out.append((side, begin + said + stop))
    return out


def told(script: list[tuple[int, bytes]], cuts: random.Random, port: int) -> list[object]:
    """What a conversation leaves, and what it wanted on the way."""
    talk = Talk(port).opens()
    on_the_way: list[object] = []
    for side, said in script:
        largest = cuts.choice((20_000, 1_460, 1_460, 90, 7))
        for at in range(0, len(said), largest):
            lost = cuts.random() < 0.02
            skip = talk.sessions.skip(1, side == 0)
            part = said[at : at + largest]
            again = part if cuts.random() < 0.03 else b""
            (talk.server if side else talk.client)(part, lost=lost)
            if again:
                talk.sequence[side] -= len(again)
                (talk.server if side else talk.client)(again[:-1] + b"?")
            on_the_way.append((skip, talk.sessions.interest(1)))
    if cuts.random() < 0.5:
        talk.closes(0).closes(1)
    tables = ("http", "hl7", "banners", "logins", "device_messages", "anomalies")
    rows = {name: talk.rows(name) for name in tables}
    return [on_the_way, rows, talk.sessions.counters, talk.sessions.services]


@pytest.mark.parametrize(("says", "port"), [(web, 80), (words, 2575)])
def test_in_one_step_is_as_step_by_step(says, port, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    fast = [told(says(random.Random(n)), random.Random(n), port) for n in range(250)]
    assert sum(len(one[1]["http"]) + len(one[1]["hl7"]) for one in fast) > 500  # type: ignore[index]
    steps = 0

    def none(self: object, side: int, box: object, chunk: object) -> bool:
        nonlocal steps
        steps += 1
        return False

    monkeypatch.setattr(Http, "_plain_head", none)
    monkeypatch.setattr(Hl7, "_whole_message", none)
    for n, one in enumerate(fast):
        assert told(says(random.Random(n)), random.Random(n), port) == one, n
    assert steps > 500
