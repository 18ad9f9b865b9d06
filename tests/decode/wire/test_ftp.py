"""wardwatch.decode.wire.ftp"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import hostile, hostile_sessions

from wardwatch.decode.wire import ftp


def faults(found: tuple) -> list:
    return [a.fault for a in found[1]]


def test_the_dialogue_of_the_published_teardown() -> None:
    assert ftp.parse_reply(b"220 RTCS FTP Ready") == (ftp.Reply(220, False, b"RTCS FTP Ready"), ())
    assert ftp.parse_command(b"retr CONFIG.XML") == (ftp.Command("RETR", b"CONFIG.XML"), ())
    assert ftp.parse_reply(b"214- The following")[0] == ftp.Reply(214, True, b" The following")


@pytest.mark.parametrize("name", [n for n in hostile_sessions.PARSERS if n.startswith("ftp")])
def test_hostile_bytes_are_data(name: str) -> None:
    parse, valid = hostile_sessions.PARSERS[name]
    hostile.run(parse, valid, seed=1, count=2000)


arguments = st.binary(max_size=80).filter(lambda b: not b.lstrip().startswith(b"\n"))


@settings(max_examples=60)
@given(
    st.sampled_from(sorted(ftp.VERBS)), st.text("abc/._-", min_size=1, max_size=30), st.booleans()
)
def test_honest_commands_read_back(verb: str, argument: str, lower: bool) -> None:
    said = verb.lower() if lower else verb
    command, anomalies = ftp.parse_command(f"{said} {argument}".encode())
    assert command == ftp.Command(verb, argument.encode())
    assert anomalies == ()


@settings(max_examples=60)
@given(st.integers(100, 659), st.booleans(), st.binary(max_size=40))
def test_honest_replies_read_back(code: int, more: bool, said: bytes) -> None:
    line = b"%d%s%s" % (code, b"-" if more else b" ", said)
    assert ftp.parse_reply(line) == (ftp.Reply(code, more, said), ())


@settings(max_examples=60)
@given(st.tuples(*[st.integers(0, 255)] * 4), st.integers(1, 65535))
def test_honest_addresses_read_back(host: tuple[int, ...], port: int) -> None:
    six = ",".join(map(str, (*host, port >> 8, port & 255)))
    expected = ftp.Endpoint(".".join(map(str, host)), port)
    assert ftp.parse_port(six.encode()) == (expected, ())
    assert ftp.parse_pasv(f"Entering Passive Mode ({six}).".encode()) == (expected, ())
    assert ftp.parse_extended(f"|1|{expected.host}|{port}|".encode()) == (expected, ())
    assert ftp.parse_extended(f"Entering (|||{port}|)".encode())[0] == ftp.Endpoint("", port)


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        (ftp.parse_command(b"RETR " + b"A" * 508), ftp.COMMAND_TOO_LONG),
        (ftp.parse_command(b"RETRI x"), ftp.COMMAND_CODE),
        (ftp.parse_command(b"RE-R x"), ftp.COMMAND_CODE),
        (ftp.parse_command(b"PASS PASS filler"), ftp.COMMAND_REPEATED),
        (ftp.parse_reply(b"72 hello"), ftp.REPLY_CODE),
        (ftp.parse_reply(b"720 hello"), ftp.REPLY_CODE),
        (ftp.parse_port(b"10,0,0,256,4,1"), ftp.HOST_PORT),
        (ftp.parse_extended(b"|1|10.0.0.1|65536|"), ftp.HOST_PORT),
    ],
)
def test_one_damage_brings_its_anomaly_and_no_other(found: tuple, fault: object) -> None:
    assert faults(found) == [fault]
    assert fault in ftp.FAULTS


def test_a_command_at_the_bound_is_not_too_long() -> None:
    assert faults(ftp.parse_command(b"RETR " + b"A" * 507)) == []


@pytest.mark.parametrize(
    "line", [b"PASS filler", b"acct filler", b"SITE PSWD old new", b"XYZZ filler"]
)
def test_secrets_are_not_shown(line: bytes) -> None:
    command, _ = ftp.parse_command(line)
    assert command is not None
    assert ftp.shown_argument(command) == ""


def test_arguments_from_outside_are_shown_as_text() -> None:
    assert ftp.shown_argument(ftp.Command("RETR", b"a\x1b[2Jb\xff")) == "a\\x1b[2Jb\\xff"
