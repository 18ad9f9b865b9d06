"""wardwatch.decode.wire.telnet"""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests import hostile, hostile_sessions

from wardwatch.decode.wire import telnet
from wardwatch.decode.wire.telnet import Piece


def faults(payload: bytes) -> list:
    return [a.fault for a in telnet.parse(payload)[1]]


def test_negotiation_is_told_apart_from_text() -> None:
    piece, anomalies = telnet.parse(b"\xff\xfb\x01\xff\xfd\x18log\xff\xffin: \xff\xf1")
    assert piece == Piece(b"log\xffin: ", ((251, 1), (253, 24)), (), b"")
    assert anomalies == ()


def test_subnegotiations_come_with_their_parameters() -> None:
    piece, anomalies = telnet.parse(b"\xff\xfa\x18\0VT\xff\xff100\xff\xf0ok")
    assert piece is not None and anomalies == ()
    assert piece.subnegotiations == ((24, b"\0VT\xff100"),)
    assert piece.text == b"ok"


def test_hostile_bytes_are_data() -> None:
    assert hostile.run(*hostile_sessions.PARSERS["telnet"], seed=2, count=2000) == 1.0


commands = st.one_of(
    st.tuples(st.integers(251, 254), st.integers(0, 255)).map(lambda t: b"\xff" + bytes(t)),
    st.integers(236, 249).filter(lambda c: c != 240).map(lambda c: b"\xff" + bytes([c])),
    st.binary(min_size=1, max_size=12)
    .filter(lambda b: b[0] != telnet.AUTHENTICATION)
    .map(lambda b: b"\xff\xfa" + b.replace(b"\xff", b"\xff\xff") + b"\xff\xf0"),
)


@settings(max_examples=80)
@given(
    st.lists(
        st.one_of(commands, st.binary(max_size=9).map(lambda b: b.replace(b"\xff", b""))),
        max_size=8,
    ),
    st.data(),
)
def test_honest_sessions_read_the_same_wherever_they_are_cut(
    parts: list[bytes], data: st.DataObject
) -> None:
    whole = b"".join(parts)
    words = b"".join(p for p in parts if not p.startswith(b"\xff"))
    cut = data.draw(st.integers(0, len(whole)))
    first, one = telnet.parse(whole[:cut])
    assert first is not None
    second, two = telnet.parse(first.rest + whole[cut:])
    assert second is not None
    assert first.text + second.text == words
    assert (one, two, second.rest) == ((), (), b"")


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        (b"\xff\xfa\x18" + b"x" * telnet.LONGEST_SUBNEGOTIATION, telnet.SUBNEGOTIATION_UNENDED),
        (b"\xff\xfa\x25\x02\x02\xff\xf0", telnet.AUTHENTICATION_SHORT),
        (b"\xff\xfa\x25\x03\xff\xf0", telnet.AUTHENTICATION_SHORT),
        (b"\xff\xfa\x25\x01\x02\xff\xf0", telnet.AUTHENTICATION_SHORT),
        (b"\xff\xfa\x25\x01\x02\0\x03\xff\xf0", telnet.AUTHENTICATION_SHORT),
        (b"\xff\x41", telnet.COMMAND_UNKNOWN),
    ],
)
def test_one_damage_brings_its_anomaly_and_no_other(payload: bytes, fault: object) -> None:
    assert faults(payload) == [fault]
    assert fault in telnet.FAULTS


@pytest.mark.parametrize(
    "payload",
    [
        b"\xff\xfa\x25\x02\x0f\0\x04\xff\xf0",
        b"\xff\xfa\x25\x00\x00\xff\xf0",
        b"\xff\xfa\x25\x03bob\xff\xf0",
    ],
)
def test_honest_authentication_brings_none(payload: bytes) -> None:
    assert faults(payload) == []


@pytest.mark.parametrize(
    ("line", "asks"),
    [
        (b"password:", "password"),
        (b"Password for root: ", "password"),
        (b"ward-switch login: ", "user"),
        (b"Username:", "user"),
        (b"4000>", "command"),
        (b"\x1b[1mroot@pump:~#\x1b[0m ", "command"),
        (b"$ ", "command"),
        (b"Last login:", ""),
        (b"Welcome to the Medfusion 4000 Configuration Interface", ""),
        (b"", ""),
    ],
)
def test_prompts(line: bytes, asks: str) -> None:
    assert telnet.prompt(line) == asks


ESCAPES = re.compile(rb"\x1b(?:\[[0-?]{0,16}[ -/]{0,4}[@-~]|\][^\x07]{0,64}\x07|[@-Z])")
ASKS = (
    ("password", re.compile(rb"(?:password|passcode|passwd)[^:\n]{0,40}:[ ]{0,2}$", re.I)),
    ("user", re.compile(rb"(?:login|user ?name|user|account)[ ]?:[ ]{0,2}$", re.I)),
    ("command", re.compile(rb"[^\s][^\n]{0,78}?[$#%>][ ]{0,2}$|^[$#%>][ ]?$")),
)
LAST = re.compile(rb"last (?:interactive |successful )?login\b", re.I)
REFUSED = re.compile(
    rb"login incorrect|login failed|incorrect login|authentication (?:failed|failure)|access denied"
    rb"|permission denied|(?:bad|wrong|invalid|incorrect) (?:password|passwd|login|user)"
    rb"|(?:password|login|user ?name|user)[a-z ]{0,20} (?:incorrect|invalid|failed|rejected)",
    re.I,
)


def asked(line: bytes) -> str:
    """What a line asks for, searched in all of it."""
    shown = ESCAPES.sub(b"", line).strip(b"\r\n\0")
    for name, pattern in ASKS:
        if pattern.search(shown) and not (name == "user" and LAST.search(shown)):
            return name
    return ""


WORDS = (
    b"Password", b"passwd", b"PASSCODE", b"login", b"User name", b"user", b"account", b":", b" ", b"  ",
    b"\n", b"\r\n", b"\t", b"\0", b"$", b"#", b"%", b">", b"\x1b[1m", b"x", b"last ", b"interactive ",
    b"incorrect", b"failed", b"failure", b"rejected", b"bad ", b"authentication ", b"permission denied",
    b"invalid", b"y" * 20, b"y" * 39,
)  # fmt: skip
words = st.lists(st.one_of(st.sampled_from(WORDS), st.binary(max_size=2)), max_size=8).map(b"".join)


@given(words)
@settings(max_examples=1500)
@example(b"x" + b" " * 78 + b"$")
@example(b"x" + b" " * 79 + b"$")
@example(b"password" + b"y" * 40 + b":  ")
@example(b"password" + b"y" * 41 + b":")
@example(b"$  ")
def test_what_is_asked_is_told_by_the_end_as_by_all_of_a_line(line: bytes) -> None:
    assert telnet.prompt(line) == asked(line)


@given(words, st.integers(0, 60))
@settings(max_examples=1500)
@example(b"user name" + b"y" * 20 + b" incorrect", 38)
@example(b"user name" + b"y" * 20 + b" incorrect", 39)
def test_an_outcome_is_told_by_the_octets_around_the_newest(said: bytes, old: int) -> None:
    for tells, pattern in ((telnet.refused, REFUSED), (telnet.welcomed, LAST)):
        assert tells(said) == (pattern.search(said) is not None)
        if not pattern.search(said[:old]):
            since = max(old - telnet.LONGEST_OUTCOME, 0)
            assert tells(said[since:]) == tells(said)


@given(
    st.lists(st.sampled_from([b"\xff", b"\xff\xff", b"\xf0", b"ab", b"\0"]), max_size=9).map(
        b"".join
    )
)
def test_parameters_end_where_iac_is_not_doubled(said: bytes) -> None:
    found, at = bytearray(), 0
    while at + 1 < len(said) and (said[at] != 255 or said[at + 1] == 255):
        found.append(said[at])
        at += 2 if said[at] == 255 else 1
    piece, _ = telnet.parse(b"\xff\xfa" + said)
    assert piece is not None
    if at + 1 < len(said):
        assert piece.subnegotiations[:1] == (((found[0], bytes(found[1:])),) if found else ())
    else:
        assert piece.rest == b"\xff\xfa" + said


def test_refusals_and_welcomes() -> None:
    assert telnet.refused(b"\r\nLogin incorrect\r\nlogin: ")
    assert telnet.refused(b"Invalid password")
    assert not telnet.refused(b"Last login: Monday")
    assert telnet.welcomed(b"Last login: Monday")
