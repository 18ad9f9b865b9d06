"""wardwatch.observe.logins"""

import random

import numpy as np
import pytest
from tests.observe.talk import CLIENT, SERVER, Talk

from wardwatch.decode.kernels.young import TOLD
from wardwatch.decode.stream import Chunk, Gap
from wardwatch.observe import logins
from wardwatch.observe.told import where_of
from wardwatch.observe.where import Where


def ftp() -> Talk:
    return Talk(21).opens().server(b"220 RTCS FTP Ready\r\n")


def login(talk: Talk, secret: bytes = b"filler", answer: bytes = b"230 in\r\n") -> Talk:
    talk.client(b"USER bob\r\n").server(b"331 Looking up password\r\n")
    return talk.client(b"PASS " + secret + b"\r\n").server(answer)


def test_a_login_cites_its_packets_and_holds_no_secret() -> None:
    talk = login(ftp())
    row = talk.row("logins")
    assert (row["client"], row["server"], row["server_port"]) == (CLIENT, SERVER, 21)
    assert (row["user"], row["secret"], row["outcome"]) == ("bob", "#rellif", "success")
    assert (row["packet"], row["secret_packet"], row["outcome_packet"]) == (7, 7, 8)
    assert row["from_start"] and not row["anonymous"] and row["conversation"] == 1
    assert talk.sessions.services == {1: "ftp"}


def test_no_table_holds_the_secret() -> None:
    talk = login(ftp(), b"s3cr3t-0f-the-ward")
    files = {p.name: p.read_bytes() for p in talk.files().iterdir()}
    assert b"draw-eht-f0-t3rc3s" in files["logins.arrow"]  # what stands for it in these tests
    assert all(b"s3cr3t-0f-the-ward" not in octets for octets in files.values())


@pytest.mark.parametrize(
    "answer",
    [
        b"530 wrong: hunter2\r\n",
        b"220-no\r\nhunter2\r\n220 hunter2\r\n",
        b"230-hunter2\r\n230 in\r\n",
    ],
)
def test_a_reply_that_repeats_the_secret_is_not_kept(answer: bytes) -> None:
    talk = login(ftp(), b"hunter2", answer).client(b"NOOP\r\n").server(b"200 fine\r\n")
    texts = [row["text"] for row in talk.rows("ftp")]
    assert not any("hunter2" in said for said in texts)
    assert texts[-1] == "fine"


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (b"230 in\r\n", "success"),
        (b"230-in\r\n230-still\r\n230 done\r\n", "success"),
        (b"202 superfluous\r\n", "success"),
        (b"530 no\r\n", "failed"),
        (b"221 Goodbye!\r\n", "failed"),
        (b"421 too many\r\n", "failed"),
        (b"", "unknown"),
    ],
)
def test_outcomes(answer: bytes, outcome: str) -> None:
    talk = login(ftp(), answer=answer) if answer else ftp().client(b"USER bob\r\n", b"PASS x\r\n")
    assert talk.row("logins")["outcome"] == outcome


def test_a_name_may_be_enough_and_an_account_may_be_needed() -> None:
    talk = ftp().client(b"USER bob\r\n").server(b"230 in\r\n")
    assert (talk.row("logins")["outcome"], talk.row("logins")["secret"]) == ("success", "")
    talk = login(ftp(), answer=b"332 account\r\n").client(b"ACCT filler2\r\n").server(b"230 in\r\n")
    assert (talk.row("logins")["secret"], talk.row("logins")["outcome"]) == ("#rellif", "success")
    assert [r["argument"] for r in talk.rows("ftp") if r["command"] == "ACCT"] == [""]


def test_anonymous_and_defaults_are_told() -> None:
    talk = (
        ftp().client(b"USER anonymous\r\n", b"PASS default\r\n").server(b"331 p\r\n", b"230 k\r\n")
    )
    row = talk.row("logins")
    assert row["anonymous"] and row["known_default"] == "default"


def test_pipelined_commands_meet_their_replies_in_order() -> None:
    talk = (
        ftp().client(b"USER bob\r\nPASS x\r\nRETR a\r\n").server(b"331 p\r\n530 no\r\n550 no\r\n")
    )
    assert talk.row("logins")["outcome"] == "failed"
    assert (talk.row("transfers")["end_code"], talk.row("transfers")["before_login"]) == (550, True)


def test_the_secret_packet_is_the_one_with_its_last_byte() -> None:
    talk = ftp().client(b"USER bob\r\n").server(b"331 p\r\n").client(b"PASS fil", b"ler", b"\r\n")
    row = talk.server(b"230 in\r\n").row("logins")
    assert (row["secret"], row["secret_packet"], row["packet"]) == ("#rellif", 8, 9)


def test_a_transfer_without_a_login_is_what_the_pump_allows() -> None:
    talk = ftp().client(b"PORT 10,0,0,2,4,1\r\n").server(b"200 Port command okay\r\n")
    talk.client(b"RETR CONFIG.XML\r\n").server(b"150 Opening\r\n", b"226 File sent OK\r\n")
    row = talk.row("transfers")
    assert (row["command"], row["path"], row["mode"]) == ("RETR", "CONFIG.XML", "active")
    assert (row["begin_code"], row["begin_packet"]) == (150, 8)
    assert (row["end_code"], row["end_packet"]) == (226, 9)
    assert row["before_login"] and row["from_start"]


def test_a_transfer_behind_a_login_is_not_before_it() -> None:
    talk = login(ftp()).client(b"LIST\r\n").server(b"150 x\r\n", b"226 y\r\n")
    assert not talk.row("transfers")["before_login"]


def test_a_session_seen_from_its_middle_proves_nothing_of_its_start() -> None:
    talk = Talk(21).client(b"RETR a\r\n").server(b"150 x\r\n", b"226 y\r\n")
    row = talk.row("transfers")
    assert row["before_login"] and not row["from_start"]


def test_a_lost_reply_proves_nothing_either() -> None:
    talk = ftp().client(b"USER bob\r\n", b"PASS x\r\n").server(b"331 p\r\n230 in\r\n", lost=True)
    talk.client(b"RETR a\r\n").server(b"150 x\r\n").client(b"").server(b"226 y\r\n")
    row = talk.row("transfers")
    assert row["before_login"] and not row["from_start"]
    assert {r["outcome"] for r in talk.rows("logins")} == {"unknown"}


def test_behind_auth_tls_nothing_is_read_as_ftp() -> None:
    talk = ftp().client(b"AUTH TLS\r\n").server(b"234 go\r\n").client(b"RETR secret\r\n")
    assert talk.rows("transfers") == []
    assert talk.sessions.services[1] == "ftp,ssl"


def test_a_refused_auth_changes_nothing() -> None:
    talk = login(ftp().client(b"AUTH TLS\r\n").server(b"500 what\r\n"))
    assert talk.row("logins")["outcome"] == "success"


def test_rein_takes_the_login_back() -> None:
    talk = login(ftp()).client(b"REIN\r\n").server(b"220 again\r\n")
    assert talk.client(b"RETR a\r\n").server(b"550 no\r\n").row("transfers")["before_login"]


def test_help_and_the_banner_are_kept() -> None:
    talk = ftp().client(b"HELP\r\n").server(b"214- The following\r\n user pass\r\n214 end\r\n")
    assert talk.row("banners")["text"] == "220 RTCS FTP Ready"
    assert [r["text"] for r in talk.rows("ftp") if r["code"] == 214] == [
        " The following",
        "user pass",
    ]


def test_an_endless_line_costs_a_bounded_one() -> None:
    talk = ftp().client(*[b"A" * 1000] * 40).client(b"\r\nUSER bob\r\n")
    assert "ftp_command_code" in talk.faults()
    assert [r["command"] for r in talk.rows("ftp") if r["direction"] == "command"] == ["USER"]


def test_endless_commands_wait_in_a_bounded_queue() -> None:
    talk = ftp().client(b"NOOP\r\n" * 500).client(b"RETR a\r\n")
    assert talk.sessions._flows[1].follower.buffered == 0
    assert len(talk.sessions._flows[1].follower._pending) == 64  # type: ignore[attr-defined]


SAID = (
    b"login: ", b"Password: ", b"\r\n", b"\r\0", b"bob", b"$ ", b"\x7f", b"\x15", b"\0", b"\xff\xf1",
    b"\xff\xfb\x01", b"\xff\xfa\x18\x00x\xff\xf0", b"\x1b[1m", b"Login incorrect", b"last login ",
    b"all that is here", b" ", b"\n",
)  # fmt: skip


@pytest.mark.parametrize("seed", range(30))
def test_what_comes_to_nothing_yet_is_taken_as_it_would_be_read(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for bound, size in (("LINE", 60), ("TYPED", 5), ("OUTCOME", 70), ("QUIET", 150)):
        monkeypatch.setattr(logins, f"MAX_{bound}", size)
    chance = random.Random(seed)
    one, two = Talk(23).opens(), Talk(23).opens()
    quick, plain = (logins.Telnet(talk.sessions.flow(1), 1) for talk in (one, two))
    quiet = place = 0
    for packet in range(900):
        side = chance.randrange(2)
        words = chance.choice(SAID)
        pieces = [words] if chance.random() < 0.3 else [bytes([octet]) for octet in words]
        for piece in pieces:
            where = Where(1, packet, packet, "vlan 7")
            raw = np.array([packet] + [0] * (TOLD - 1), np.int64).tobytes()
            before = quick.buffered
            more = quick.quiet(side, piece, raw)
            if more is None:
                assert quick.buffered == before
                quick.data(side, Chunk(place, piece, where))
            else:
                quiet += 1
                assert quick.buffered == before + more
            plain.data(side, Chunk(place, piece, where))
            place += len(piece)
            kept = [{n: v for n, v in vars(t).items() if n != "flow"} for t in (quick, plain)]
            assert kept[0] == kept[1], (packet, piece)
            assert one.sessions.parser_calls == two.sessions.parser_calls
    assert quiet > 500
    assert one.rows("logins") == two.rows("logins") != []
    assert one.rows("banners") == two.rows("banners")


REPLIES = (
    b"220 x FTP\r\n",
    b"331 Password\r\n",
    b"230 In\r\n",
    b"530 No\r\n",
    b"200 Okay\r\n",
    b"2",
)
COMMANDS = (b"USER biomed\r\n", b"PASS letmein\r\n", b"\r\n", b"SYST\r\n", b"RETR a\r\n", b"x" * 9)


@pytest.mark.parametrize("seed", range(30))
def test_the_middle_of_an_ftp_line_is_taken_as_it_would_be_read(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logins, "MAX_LINE", 60)
    monkeypatch.setattr(logins, "MOST_TYPED", 30)
    chance = random.Random(seed)
    one, two = Talk(21).opens(), Talk(21).opens()
    one.sessions.shared.names = ["vlan 7"]
    quick, plain = (logins.Ftp(talk.sessions.flow(1), 1) for talk in (one, two))
    quick.flow.become(quick)
    plain.flow.become(plain)
    quiet, places = 0, [0, 0]
    for packet in range(600):
        side = chance.randrange(2)
        words = chance.choice(REPLIES if side else COMMANDS)
        pieces = [words] if chance.random() < 0.3 else [bytes([octet]) for octet in words]
        if chance.random() < 0.05:
            gap = Gap(places[side], 7, Where(1, packet, packet, "vlan 7"))
            quick.gap(side, gap)
            plain.gap(side, gap)
            places[side] += 7
        for at, piece in enumerate(pieces):
            number = 100 * packet + at
            raw = np.array([number, number, 1, 1] + [0] * (TOLD - 4), np.int64).tobytes()
            where = where_of(["vlan 7"], raw)
            before = quick.buffered
            more = quick.quiet(side, piece, raw)
            if more is None:
                assert quick.buffered == before
                quick.data(side, Chunk(places[side], piece, where))
            else:
                quiet += 1
                assert quick.buffered == before + more
            plain.data(side, Chunk(places[side], piece, where))
            places[side] += len(piece)
            assert quick.agreeing() == plain.agreeing()
        if chance.random() < 0.1:
            quick.settle()
            assert quick._boxes[0].mark == plain._boxes[0].mark
    assert quiet > 500
    quick.end()
    plain.end()
    for table in ("ftp", "logins", "transfers"):
        assert one.rows(table) == two.rows(table) != []


def telnet(greeting: bytes = b"\r\nward login: ") -> Talk:
    return Talk(23).opens().server(b"\xff\xfb\x01\xff\xfb\x03", greeting)


def test_a_telnet_login_typed_a_character_at_a_time() -> None:
    talk = telnet()
    for key in b"bob":
        talk.client(bytes([key])).server(bytes([key]))
    talk.client(b"\r\0").server(b"\r\nPassword: ")
    talk.client(b"f", b"x", b"\x7f", b"iller", b"\r\0").server(b"\r\n")
    talk.server(b"Last login: Monday\r\n$ ")
    row = talk.row("logins")
    assert (row["user"], row["secret"], row["outcome"]) == ("bob", "#rellif", "success")
    assert row["secret_packet"] == row["packet"] - 1


def test_the_pump_asks_for_no_name() -> None:
    talk = telnet(b"RTCS v2.96.00 Telnet server\r\n")
    talk.server(b"Welcome to the Medfusion 4000 Configuration Interface\r\n", b"password:")
    talk.client(b"filler\r\n").server(b"\r\n4000>")
    row = talk.row("logins")
    assert (row["user"], row["outcome"], row["outcome_packet"]) == ("", "success", talk.packet)
    assert [r["text"] for r in talk.rows("banners")] == [
        "RTCS v2.96.00 Telnet server",
        "Welcome to the Medfusion 4000 Configuration Interface",
        "password:",
        "4000>",
    ]


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (b"\r\nLogin incorrect\r\nlogin: ", "failed"),
        (b"\r\npassword:", "failed"),
        (b"\r\nroot@pump:~# ", "success"),
        (b"\r\nLast successful login: Monday\r\n", "success"),
        (b"\r\nhmm\r\n", "unknown"),
        (b"x" * 5000, "unknown"),
    ],
)
@pytest.mark.parametrize("size", [1, 9_999])
def test_telnet_outcomes(answer: bytes, outcome: str, size: int) -> None:
    talk = telnet().client(b"bob\r\n").server(b"Password:").client(b"filler\r\n")
    talk.server(*[answer[at : at + size] for at in range(0, len(answer), size)])
    assert talk.row("logins")["outcome"] == outcome


def test_what_is_typed_at_a_shell_is_not_kept() -> None:
    talk = telnet().client(b"bob\r\n").server(b"Password:").client(b"x\r\n").server(b"\r\n$ ")
    talk.client(b"cat patients\r\n").server(b"cat patients\r\nJane Doe\r\n$ ")
    assert len(talk.rows("logins")) == 1
    assert all(b"Doe" not in p.read_bytes() for p in talk.files().iterdir())


def test_two_attempts_are_two_rows() -> None:
    talk = telnet()
    for secret in (b"one", b"two"):
        talk.client(b"bob\r\n").server(b"Password:").client(secret + b"\r\n")
        talk.server(b"\r\nLogin incorrect\r\nlogin: ")
    assert [r["secret"] for r in talk.rows("logins")] == ["#eno", "#owt"]


def test_a_telnet_session_that_prints_for_ever_is_given_up_and_counted() -> None:
    heard = Talk(23).opens().server(b"login: ").client(b"nurse\r\n")
    for _ in range(18):
        heard.server(b"filler of a listing\r\n" * 3_000)
    assert heard.sessions.interest(1) == 2
    assert heard.sessions.shared.given_up == 1


def test_a_telnet_session_with_a_login_now_and_then_is_not_given_up() -> None:
    heard = Talk(23).opens()
    for _ in range(4):
        heard.server(b"login: ").client(b"nurse\r\n").server(b"Password: ").client(b"x\r\n")
        heard.server(b"Login incorrect\r\n" + b"filler of a listing\r\n" * 20_000)
    assert heard.sessions.interest(1) == 1
    assert len(heard.rows("logins")) == 4
