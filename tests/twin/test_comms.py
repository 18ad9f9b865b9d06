"""The published behaviour is shown, each weakness ends in its own label and only there."""

import asyncio
import random
from struct import pack

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wardwatch.model.values import NS
from wardwatch.twin import comms, messages
from wardwatch.twin.comms import Ftp, Module, Server, Telnet
from wardwatch.twin.ground import OutsideError, permitted

VULNERABLE = ["1.1.2", "1.5.0", "1.6.0"]
FIXED = ["1.6.1", "hardened"]
MAC = bytes.fromhex("001a01000101")


def offer(*options: messages.Option) -> bytes:
    return messages.dhcp(2, messages.OFFER, 7, MAC, list(options))


ANSWER = messages.dns_answer(77, "mds.ward.example", bytes([10, 0, 0, 1]))
OVERREAD = messages.dns_answer(77, "mds.ward.example", bytes([10, 0, 0, 1]), claimed=0x2000)


def module(version: str, **more: bool) -> Module:
    return comms.made(version, external=True, **more)


def labels(one: Module) -> list[str]:
    return [label.cve for label in one.labels]


# The eight rules -------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VULNERABLE)
def test_s1_an_option_longer_than_its_field_crashes_or_compromises(version: str) -> None:
    states = set()
    for seed in range(40):
        pump = msgspec.structs.replace(module(version), seed=seed)
        heard = comms.dhcp_heard(pump, offer((66, messages.FILLER * 65)), 0)
        assert labels(heard) == ["CVE-2017-12718"]
        state = heard.labels[0].state
        assert heard.up(0) is (state == "compromised")
        assert heard.up(25 * NS)
        states.add(state)
    assert states == {"crashed", "compromised"}


@pytest.mark.parametrize(
    ("raw", "over"),
    [
        (offer((66, messages.FILLER * 64), (67, messages.FILLER * 128)), False),
        (offer((66, messages.FILLER * 65)), True),
        (offer((67, messages.FILLER * 129)), True),
        (offer((43, messages.FILLER * 255)), False),
        (offer()[:-1].rstrip(b"\0\xff") + b"\x42\x0a\x41", True),
        (offer()[:-1].rstrip(b"\0\xff") + b"\x42", True),
        (b"\x01" + offer((66, messages.FILLER * 65))[1:], False),
        (offer((66, messages.FILLER * 65))[:236] + bytes(80), False),
        (b"", False),
    ],
)
def test_s1_the_predicate_is_the_size_of_the_field(raw: bytes, over: bool) -> None:
    assert comms.dhcp_overflows(raw) is over


def test_s1_the_client_follows_neither_overload_nor_pieces_and_the_rule_neither() -> None:
    """What the published client does not put together overruns nothing (``dhcp_overflows``)."""
    filler = messages.FILLER
    hidden = messages.dhcp(
        2, messages.OFFER, 7, MAC, [(52, b"\3")],
        file=messages.option(66, filler * 100) + b"\xff", sname=messages.option(67, filler * 60),
    )  # fmt: skip
    assert not comms.dhcp_overflows(hidden)
    assert not comms.dhcp_overflows(offer((66, filler * 64), (66, filler * 64)))
    assert not comms.dhcp_overflows(offer((67, filler * 128), (67, filler * 128)))
    # One of them too long is enough, wherever it stands among the others.
    assert comms.dhcp_overflows(offer((66, filler * 64), (66, filler * 65)))
    assert comms.dhcp_overflows(offer((67, filler * 129), (67, filler)))
    assert comms.dhcp_overflows(offer((52, b"\1"), (66, filler * 65)))


@pytest.mark.parametrize("version", VULNERABLE)
def test_s2_an_answer_that_counts_what_it_has_not_crashes_until_restart(version: str) -> None:
    heard = comms.dns_heard(module(version), OVERREAD, 77, 5 * NS)
    assert [(one.cve, one.state) for one in heard.labels] == [("CVE-2017-12722", "crashed")]
    assert not heard.up(30 * NS - 1)
    assert heard.up(30 * NS)
    assert comms.dns_heard(heard, OVERREAD, 77, 6 * NS) == heard


@pytest.mark.parametrize(
    ("raw", "ident", "over"),
    [
        (ANSWER, 77, False),
        (OVERREAD, 77, True),
        (OVERREAD, 78, False),
        (OVERREAD[:2] + b"\x01\0" + OVERREAD[4:], 77, False),
        (ANSWER[:-1], 77, True),
        (ANSWER[:-6] + pack(">H", 400) + ANSWER[-4:], 77, True),
        (ANSWER[:20], 77, True),
        (b"", 77, False),
    ],
)
def test_s2_the_predicate_is_what_is_there(raw: bytes, ident: int, over: bool) -> None:
    assert comms.dns_overreads(raw, ident) is over


@pytest.mark.parametrize("version", VULNERABLE)
def test_s3_an_unconfigured_radio_joins_its_one_network(version: str) -> None:
    fresh = module(version, configured=False)
    assert labels(comms.beacon_heard(fresh, messages.FIXED_SSID, 0)) == ["CVE-2017-12725"]
    assert labels(comms.beacon_heard(fresh, b"ward", 0)) == []
    assert labels(comms.beacon_heard(module(version), messages.FIXED_SSID, 0)) == []


@pytest.mark.parametrize("version", VULNERABLE)
def test_s4_files_are_served_without_login(version: str) -> None:
    talk = Ftp(module(version))
    assert talk.receive(b"PORT 127,0,0,1,200,10\r\n") == (b"200 Port command okay\r\n", None)
    answer, transfer = talk.receive(b"STOR head_f~1\r\n")
    assert (answer[:3], transfer) == (b"150", comms.Transfer(51210, b"", takes=True))
    assert [one.state for one in talk.module.labels] == ["STOR without login", "head_update_offer"]


@pytest.mark.parametrize("version", VULNERABLE)
def test_s5_the_factory_account_is_let_in(version: str) -> None:
    talk = Ftp(module(version))
    account, password = talk.module.factory
    assert talk.receive(f"USER {account}\r\n".encode())[0] == b"331 Looking up password\r\n"
    assert talk.receive(f"PASS {password}\r\n".encode())[0][:3] == b"230"
    assert labels(talk.module) == ["CVE-2017-12724"]


@pytest.mark.parametrize("version", VULNERABLE)
def test_s6_telnet_opens_to_the_factory_password(version: str) -> None:
    talk = Telnet(module(version))
    assert talk.receive(talk.module.factory[1].encode() + b"\r\n").endswith(b"4000> ")
    assert labels(talk.module) == ["CVE-2017-12726"]
    assert talk.receive(b"flash_coldfire x\r\n") == b"unknown command\r\n4000> "


@pytest.mark.parametrize("version", VULNERABLE)
def test_s7_a_session_goes_on_with_a_server_that_proved_nothing(version: str) -> None:
    heard, on = comms.certificate_seen(module(version), valid=False, t=0)
    assert (labels(heard), on) == (["CVE-2017-12721"], True)
    assert comms.certificate_seen(module(version), valid=True, t=0)[1]


@pytest.mark.parametrize("version", VULNERABLE)
def test_s8_the_configuration_holds_generated_secrets(version: str) -> None:
    talk = Ftp(module(version))
    talk.receive(b"PORT 127,0,0,1,200,10\r\n")
    transfer = talk.receive(b"RETR CONFIG.XML\r\n")[1]
    assert transfer is not None
    assert talk.module.password.encode() in transfer.body
    assert labels(talk.module) == ["CVE-2017-12720", "CVE-2017-12723"]


@pytest.mark.parametrize("version", FIXED)
def test_s1_to_s8_none_of_them_shows_in_a_fixed_version(version: str) -> None:
    pump = module(version, configured=False)
    pump = comms.dhcp_heard(pump, offer((66, messages.FILLER * 200)), 0)
    pump = comms.dns_heard(pump, OVERREAD, 77, 0)
    pump = comms.beacon_heard(pump, messages.FIXED_SSID, 0)
    pump, on = comms.certificate_seen(pump, valid=False, t=0)
    assert not on
    talk = Ftp(pump)
    for line in ("PORT 127,0,0,1,200,10", "LIST", "RETR CONFIG.XML", f"USER {pump.factory[0]}",
                 f"PASS {pump.factory[1]}", "STOR HEAD_F~1"):  # fmt: skip
        answer, transfer = talk.receive(line.encode())
        assert answer[:3] in (b"200", b"331", b"530")
        assert transfer is None
    shell = Telnet(talk.module)
    shell.receive(pump.factory[1].encode())
    assert shell.over
    assert shell.module.labels == ()
    assert pump.password.encode() not in comms.files(pump)["CONFIG.XML"]


@pytest.mark.parametrize("version", VULNERABLE)
def test_s1_to_s8_below_their_thresholds_nothing_triggers(version: str) -> None:
    draws = random.Random(version)
    pump = module(version, configured=False)
    for _ in range(1500):
        raw = offer(
            (66, draws.randbytes(draws.randrange(65))), (67, draws.randbytes(draws.randrange(129)))
        )
        assert comms.dhcp_heard(pump, raw, 0) is pump
        host = ".".join("x" * draws.randrange(1, 60) for _ in range(draws.randrange(1, 4)))
        assert comms.dns_heard(pump, messages.dns_answer(5, host, draws.randbytes(4)), 5, 0) is pump
        assert comms.beacon_heard(pump, draws.randbytes(31), 0) is pump


@given(st.binary(max_size=400))
@settings(max_examples=150)
def test_hostile_octets_are_heard_without_harm(raw: bytes) -> None:
    pump = module("1.1.2")
    comms.dhcp_heard(pump, raw, 0)
    comms.dhcp_heard(pump, offer()[:240] + raw, 0)
    comms.dns_heard(pump, raw, int.from_bytes(raw[:2], "big"), 0)
    comms.dns_heard(pump, b"\0\x05\x81\x80" + raw, 5, 0)
    for talk in (Ftp(pump), Telnet(pump)):
        talk.receive(raw)


def test_s14_a_label_keeps_length_and_hash_and_no_octet() -> None:
    raw = offer((66, messages.FILLER * 200))
    label = comms.dhcp_heard(module("1.1.2"), raw, 0).labels[0]
    assert label.length == len(raw)
    assert label.sha256 == comms.hashlib.sha256(raw).hexdigest()
    assert set(label.__struct_fields__) == {"cve", "state", "length", "sha256"}


# Recovery ---------------------------------------------------------------------------------------


def taken_over() -> Module:
    """A hardened module somebody got hold of by a way nobody has thought of."""
    label = comms.Label("", "compromised")
    return msgspec.structs.replace(module("hardened", configured=False), labels=(label,))


def tried(pump: Module, key: bytes, who: str = "biomed 7", at: int = 5 * NS) -> tuple[Module, bool]:
    given = comms.answer(key, comms.challenge(pump, at), who)
    return comms.recovered(pump, given, who, at, at + NS)


def test_s18_an_authenticated_user_brings_back_the_trusted_default_and_it_is_logged() -> None:
    pump = taken_over()
    assert pump.compromised
    after, done = tried(pump, pump.recovery)
    assert done
    assert (after.external, after.configured, after.compromised) == (False, True, False)
    assert after.log == ((6 * NS, "recovered, asked by biomed7"),)
    assert not after.up(6 * NS)
    assert after.up(31 * NS)
    again = msgspec.structs.replace(after, labels=(*after.labels, comms.Label("", "compromised")))
    assert again.compromised


def test_s18_nobody_else_does_and_his_tries_are_logged_and_counted() -> None:
    pump = taken_over()
    right = pump.recovery
    for n in range(comms.TRIES):
        pump, done = tried(pump, b"x" * 32)
        assert (done, pump.tries, len(pump.log)) == (False, n + 1, n + 1)
    assert pump.log[-1] == (6 * NS, "recovery refused, asked by biomed7")
    assert (pump.external, pump.compromised, pump.up(0)) == (True, True, True)
    assert not tried(pump, right)[1], "too many wrong answers"


def test_s18_an_answer_is_good_once_for_one_person_and_for_a_minute() -> None:
    pump = taken_over()
    given = comms.answer(pump.recovery, comms.challenge(pump, 0), "biomed 7")
    assert not comms.recovered(pump, given, "somebody else", 0, NS)[1]
    assert not comms.recovered(pump, given, "biomed 7", 0, comms.ANSWER_NS + 1)[1]
    assert not comms.recovered(pump, given, "biomed 7", NS, 2 * NS)[1]
    wrong, _ = comms.recovered(pump, b"", "biomed 7", 0, NS)
    assert not comms.recovered(wrong, given, "biomed 7", 0, NS)[1], "another try, another question"
    assert comms.recovered(pump, given, "biomed 7", 0, NS)[1]


@pytest.mark.parametrize("version", [*VULNERABLE, "1.6.1"])
def test_s18_the_product_s_own_versions_have_no_such_recovery(version: str) -> None:
    pump = module(version)
    assert not tried(pump, pump.recovery)[1]
    assert pump.recovery == b""


def test_s18_a_hostile_name_does_not_reach_the_log_and_the_log_ends() -> None:
    pump = taken_over()
    for _ in range(comms.LOGGED + 9):
        pump, _ = comms.recovered(pump, b"", "x\n<b>\x1b[2J" + "y" * 99, 0, 0)
    assert len(pump.log) == comms.LOGGED
    assert {text for _, text in pump.log} == {"recovery refused, asked by xb2J" + "y" * 28}


def test_labels_end_at_their_bound() -> None:
    pump = module("1.1.2", configured=False)
    for _ in range(comms.LABELS + 5):
        pump = comms.beacon_heard(pump, messages.FIXED_SSID, 0)
    assert len(pump.labels) == comms.LABELS


def test_s13_credentials_are_of_the_instance() -> None:
    made = [comms.made("1.1.2") for _ in range(20)]
    assert len({one.password for one in made}) == 20
    assert len({one.factory for one in made}) == 20


def test_every_version_states_how_well_it_is_known() -> None:
    found = comms.firmwares()
    assert list(found) == [*VULNERABLE, *FIXED]
    assert all(len(found[version].weaknesses) == 8 for version in VULNERABLE)
    assert not any(found[version].weaknesses for version in FIXED)
    assert {one.mark for one in found.values()} == {"P", "V", "A"}
    assert len(found["1.6.1"].notices) == 4


# The wire --------------------------------------------------------------------------------------


def on_wire(pump: Module, play) -> Module:
    """Play a client against the module's listeners, and return the module after it."""

    async def run() -> Module:
        server = Server(pump)
        await server.start()
        try:
            await play(server)
        finally:
            await server.stop()
        return server.module

    return asyncio.run(run())


async def said(server: Server, port: int, *lines: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.ports[port])
    writer.write(b"".join(lines))
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


def test_c1_a_stock_pump_answers_on_3210_only() -> None:
    async def play(server: Server) -> None:
        assert list(server.ports) == [3210]
        line = f"{{{server.module.serial},????,invalid,-1,1618}}\r\n".encode()
        assert await said(server, 3210, b"hello\r\n", b"\r\n") == line * 2

    on_wire(comms.made("1.1.2"), play)


def test_c2_external_communications_show_the_published_banners() -> None:
    async def play(server: Server) -> None:
        assert list(server.ports) == [3210, 21, 23, 2200]
        assert await said(server, 21) == b"220 RTCS FTP Ready\r\n"
        assert await said(server, 23) == (
            b"RTCS v2.96.00 Telnet server\r\n"
            b"Welcome to the Medfusion 4000 Configuration Interface\r\npassword: "
        )
        assert await said(server, 2200) == b"Failure: Socket Error (2)\r\n"

    on_wire(module("1.1.2"), play)


def test_c3_ftp_is_active_only_and_shows_the_published_files() -> None:
    async def play(server: Server) -> None:
        # The answer on the first connection may come before all of the second has been read.
        got: asyncio.Queue[bytes] = asyncio.Queue()

        async def data(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            got.put_nowait(await reader.read())
            writer.close()

        place = await asyncio.start_server(data, "127.0.0.1", 0)
        port = place.sockets[0].getsockname()[1]
        where = f"PORT 127,0,0,1,{port >> 8},{port & 255}\r\n".encode()
        for name, size in (
            ("CONFIG.XML", 1764),
            ("STORED~1", 2140),
            ("HEAD_F~1", 491_648),
            ("HEAD_C~1", 6224),
        ):
            answer = await said(server, 21, where, f"RETR {name}\r\n".encode(), b"QUIT\r\n")
            assert answer.split(b"\r\n")[-3:-1] == [b"226 File sent OK", b"221 Goodbye!"]
            assert len(await got.get()) == size
        answer = await said(server, 21, where, b"LIST\r\n")
        assert b"150 Opening ASCII mode data connection" in answer
        assert (await got.get()).count(b"\r\n") == 4
        place.close()
        await place.wait_closed()
        assert await said(server, 21, b"PASV\r\n", b"HELP\r\n") == Ftp.banner + comms.HELP
        assert comms.HELP.endswith(b"Direct comments to ARC International\r\n")
        wrong = await said(server, 21, b"USER anonymous\r\n", b"PASS x\r\n")
        assert wrong.endswith(b"331 Looking up password\r\n221 Goodbye!\r\n")

    after = on_wire(module("1.1.2"), play)
    assert {"CVE-2017-12720", "CVE-2017-12723"} == set(labels(after))


def test_an_upload_is_read_and_not_kept() -> None:
    async def play(server: Server) -> None:
        async def data(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"x" * 3000)
            writer.close()

        place = await asyncio.start_server(data, "127.0.0.1", 0)
        port = place.sockets[0].getsockname()[1]
        where = f"PORT 127,0,0,1,{port >> 8},{port & 255}\r\n".encode()
        assert b"226 File received OK" in await said(server, 21, where, b"STOR HEAD_F~1\r\n")
        place.close()
        await place.wait_closed()

    assert "head_update_offer" in [one.state for one in on_wire(module("1.5.0"), play).labels]


def test_a_line_without_end_and_a_silent_data_port_end_the_talk_only() -> None:
    async def play(server: Server) -> None:
        assert await said(server, 3210, b"x" * 5000) == b""
        assert b"425" in await said(server, 21, b"PORT 127,0,0,1,0,1\r\n", b"LIST\r\n")
        assert (await said(server, 3210, b"\r\n")).startswith(b"{M")
        assert server.peers == 0

    on_wire(module("1.1.2"), play)


def test_conversations_beyond_the_bound_are_closed_unheard(monkeypatch) -> None:
    monkeypatch.setattr(comms, "PEERS", 1)

    async def play(server: Server) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.ports[3210])
        writer.write(b"one\r\n")
        assert (await reader.readline()).startswith(b"{M")
        assert await said(server, 2200) == b""
        writer.close()
        await writer.wait_closed()

    on_wire(module("1.1.2"), play)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "", "::", "::1", "192.168.0.1", "localhost", "128.0.0.1"]
)
def test_s12_nothing_outside_loopback_is_listened_on(host: str) -> None:
    with pytest.raises(OutsideError) as caught:
        Server(comms.made("1.1.2"), host)
    assert caught.value.host == host
    assert permitted("127.0.0.9") == "127.0.0.9"
