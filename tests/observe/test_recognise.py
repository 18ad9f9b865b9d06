"""wardwatch.observe.recognise"""

import random

import pytest
from tests import session_messages as said
from tests.observe.talk import Talk

from wardwatch.observe import recognise
from wardwatch.observe.follow import IGNORE, UNDECIDED, Flow
from wardwatch.observe.where import Where

HELLO = said.record(22, said.handshake(1, said.client_hello()))


@pytest.mark.parametrize(
    ("service", "first", "answer"),
    [
        ("ssl", HELLO, b""),
        ("ssl", said.ssl2_client_hello(), b""),
        ("http", b"GET / HTTP/1.1\r\n\r\n", b""),
        ("http", b"", b"HTTP/1.1 200 OK\r\n\r\n"),
        ("hl7", b"\x0b" + said.HL7_MESSAGE, b""),
        ("hl7", said.HL7_MESSAGE, b""),
        ("dicom", said.associate(), b""),
        ("ftp", b"", b"220 RTCS FTP Ready\r\n"),
        ("ftp", b"USER x\r\n", b"220 hello\r\n"),
        ("telnet", b"", b"\xff\xfb\x01\xff\xfb\x03"),
        ("telnet", b"", b"RTCS v2.96.00 Telnet server\r\n"),
        ("medfusion", b"\r\n", said.STATUS_LINE),
        ("medfusion", said.SOAP, b""),
        ("ssh", b"", b"SSH-2.0-dropbear\r\n"),
        ("smtp", b"", b"220 mail ESMTP\r\n"),
        ("imap", b"", b"* OK ready\r\n"),
    ],
)
def test_content_decides_on_any_port(service: str, first: bytes, answer: bytes) -> None:
    talk = Talk(7777).opens()
    if first:
        talk.client(first)
    if answer:
        talk.server(answer)
    assert talk.sessions.services == {1: service}


@pytest.mark.parametrize(
    ("port", "service", "said_by_server"),
    [
        (21, "ftp", b"530 log in\r\n"),
        (23, "telnet", b"hello\r\n"),
        (53, "dns", b"\0\x0c" + bytes(12)),
    ],
)
def test_a_port_helps_where_content_is_weak(port: int, service: str, said_by_server: bytes) -> None:
    assert Talk(port).opens().server(said_by_server).sessions.services == {1: service}
    assert Talk(7777).opens().server(said_by_server).sessions.services == {}


def test_a_message_in_single_bytes_is_recognised_all_the_same() -> None:
    talk = Talk(7777).opens()
    for octet in said.HL7_MESSAGE[:30]:
        talk.client(bytes([octet]))
    assert talk.sessions.services == {1: "hl7"}


def test_the_bytes_before_the_decision_are_not_lost() -> None:
    talk = Talk(7777).opens().server(b"22", b"0 RTCS FT", b"P Ready\r\n")
    assert talk.row("banners")["text"] == "220 RTCS FTP Ready"


def test_an_unknown_server_that_is_answered_leaves_its_first_line() -> None:
    talk = Talk(2200).opens().server(b"Failure: Socket Error (2)\r\n").client(b"x\r\n").closes()
    row = talk.row("banners")
    assert (row["text"], row["protocol"], row["packet"]) == ("Failure: Socket Error (2)", "", 4)


def test_a_file_that_one_side_pours_out_is_no_banner() -> None:
    assert Talk(50123).opens().server(b"Jane Doe, ward 3\r\n").closes(1).rows("banners") == []


def test_the_ssh_banner_is_the_servers() -> None:
    talk = Talk(22).opens().client(b"SSH-2.0-client\r\n").server(b"SSH-2.0-server\r\n")
    assert talk.row("banners")["text"] == "SSH-2.0-server"
    assert talk.sessions.interest(1) == IGNORE


def test_undecided_bytes_are_bounded() -> None:
    talk = Talk(7777).opens()
    for _ in range(7):
        talk.client(b"<" * 1000)
    assert talk.sessions.interest(1) == UNDECIDED
    assert talk.client(b"<" * 2000).sessions.interest(1) == IGNORE
    talk.turns_to(2, 7777).opens()
    for _ in range(80):
        talk.client(b"<")
    assert talk.sessions.interest(2) == IGNORE
    talk.turns_to(3, 7777).opens().client(b"\x80" * 1100)
    assert talk.sessions.interest(3) == IGNORE


def test_behind_a_hole_what_follows_may_still_be_recognised() -> None:
    talk = Talk(7777).opens().client(b"?").client(b"lost", lost=True).client(HELLO).server(b"")
    assert talk.sessions.services == {1: "ssl"}


SAID = (
    HELLO,
    said.ssl2_client_hello(),
    b"GET / HTTP/1.1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n",
    b"\x0b" + said.HL7_MESSAGE,
    said.HL7_MESSAGE,
    said.associate(),
    b"220 RTCS FTP Ready",
    b"\xff\xfb\x01\xff\xfb\x03",
    b"RTCS v2.96.00 Telnet server",
    said.STATUS_LINE,
    said.SOAP,
    b"\xef\xbb\xbf" + said.SOAP,
    b"SSH-2.0-dropbear\r\n",
    b"* OK ready\r\n",
)


@pytest.mark.parametrize("side", [0, 1])
def test_bytes_passed_over_are_read_by_nobody(side: int) -> None:
    chance = random.Random(7)
    answer = b"USER x\r\n"
    shared = Talk().sessions.shared
    where = Where(1, 1, 1, "s", "", "", "10.0.0.2", 40_000, "10.0.0.9", 7_777)
    passed = 0
    for _ in range(6_000):
        head = bytearray(chance.choice(SAID)[: chance.choice((1, 4, 11, 64, 500))])
        for _ in range(chance.randrange(3)):
            head[chance.randrange(min(len(head), 12))] = chance.randrange(256)
        if chance.random() < 0.2:
            head[:0] = chance.randbytes(chance.randrange(4))
        if recognise._may_show(bytes(head), side):
            continue
        passed += 1
        flow = Flow(1, shared, where, from_orig=True)
        heads = (bytes(head), answer) if side == 0 else (answer, bytes(head))
        assert [look(flow, heads, side) for look in recognise._LOOKS] == [None] * 9, heads
    assert passed > 300


def test_whatever_shows_itself_is_not_passed_over() -> None:
    for head in SAID:
        assert recognise._may_show(head, 1), head
