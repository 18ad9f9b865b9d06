"""wardwatch.observe.handshakes"""

import contextlib
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests import session_messages as said
from tests.observe.talk import CLIENT, SERVER, Talk

from wardwatch.decode.wire import tls

HELLO = said.record(22, said.handshake(1, said.client_hello(said.PUMP_SUITES, None, 0x0301)))
SERVER_HELLO = said.handshake(2, said.server_hello(0x0035, 0x0301))
DONE = said.handshake(14, b"")
KEYS = said.record(22, said.handshake(16, b"k" * 64))
CHANGE = said.record(20, b"\x01")
FINISHED = said.record(22, b"\xfe" * 40)
DATA = said.record(23, b"d" * 64)


def flight(*ders: bytes) -> bytes:
    """Hello, chain and done in one record, as servers send them."""
    return said.record(22, SERVER_HELLO + said.handshake(11, said.certificates(*ders)) + DONE)


def talk() -> Talk:
    return Talk(1588).opens()


def test_a_pump_that_goes_on_behind_a_chain() -> None:
    leaf, root = said.chain()
    heard = talk().client(HELLO).server(flight(leaf, root)).client(KEYS + CHANGE + FINISHED)
    heard.server(CHANGE + FINISHED).client(DATA).server(DATA)
    row = heard.row("tls")
    assert (row["client"], row["server"], row["server_port"]) == (CLIENT, SERVER, 1588)
    assert (row["client_version"], row["version"], row["cipher"]) == (0x0301, 0x0301, 0x0035)
    assert (row["hello_length"], row["export_offered"], row["extensions"]) == (93, True, [])
    assert row["ciphers"] == list(said.PUMP_SUITES)
    assert (row["client_hello_packet"], row["server_hello_packet"], row["certificate_packet"]) == (
        4,
        5,
        5,
    )
    assert (row["client_data_packet"], row["server_data_packet"]) == (8, 9)
    assert (row["certificates"], row["resumed"], row["client_closed"]) == (2, False, False)
    assert row["from_start"] and row["client_alerts"] == []
    first, second = heard.rows("certificates")
    assert (first["position"], first["common_name"], first["chained"]) == (0, "pump-server", True)
    assert (second["self_signed"], second["chained"], second["server"]) == (True, False, SERVER)
    assert first["der"] and heard.faults() == []


def test_nothing_more_is_wanted_once_both_sides_sent_data() -> None:
    heard = talk().client(HELLO).server(flight()).client(KEYS + CHANGE + FINISHED)
    heard.server(CHANGE + FINISHED).client(DATA)
    assert heard.sessions.interest(1) == 1
    heard.server(DATA)
    assert heard.sessions.interest(1) == 2


def test_a_client_that_refuses_says_so_in_clear() -> None:
    heard = talk().client(HELLO).server(flight(*said.chain()))
    row = heard.client(said.record(21, b"\x02\x30")).closes().row("tls")
    assert (row["client_alerts"], row["client_alert_packet"]) == ([0x0230], 6)
    assert row["client_closed"] and row["client_data_packet"] == -1


@pytest.mark.parametrize("end", [Talk.closes, Talk.resets])
def test_a_client_that_leaves_before_data_has_closed(end) -> None:
    assert end(talk().client(HELLO).server(flight())).row("tls")["client_closed"]


@pytest.mark.parametrize("end", [Talk.closes, Talk.resets])
def test_a_client_that_was_left_by_the_server_has_refused_nothing(end) -> None:
    heard = talk().client(HELLO).server(flight()).client(KEYS + CHANGE + FINISHED)
    assert not end(end(heard, 1), 0).row("tls")["client_closed"]


def test_a_client_that_leaves_behind_its_data_has_not() -> None:
    heard = talk().client(HELLO).server(flight()).client(KEYS + CHANGE + FINISHED, DATA).closes()
    assert not heard.row("tls")["client_closed"]


def test_an_encrypted_alert_is_none() -> None:
    heard = talk().client(HELLO).server(flight()).client(KEYS + CHANGE + FINISHED)
    assert heard.client(said.record(21, b"e" * 32)).row("tls")["client_alerts"] == []


def test_the_clients_own_chain_and_a_second_one_are_not_the_servers() -> None:
    leaf, root = said.chain()
    own = said.record(22, said.handshake(11, said.certificates(leaf, root)))
    heard = talk().client(HELLO).server(flight(root)).client(own, own).server(own)
    assert heard.row("tls")["certificates"] == 1
    assert [
        (row["client_cert"], row["position"], row["common_name"], row["chained"], row["server"])
        for row in heard.rows("certificates")
    ] == [
        (False, 0, "Ward Root", False, SERVER),
        (True, 0, "pump-server", True, SERVER),
        (True, 1, "Ward Root", False, SERVER),
    ]


def test_of_two_chains_without_a_hello_the_first_is_the_servers() -> None:
    leaf, root = said.chain()
    heard = talk().server(said.record(22, said.handshake(11, said.certificates(root))))
    heard.client(said.record(22, said.handshake(11, said.certificates(leaf))))
    told = [(r["client_cert"], r["common_name"], r["server"]) for r in heard.rows("certificates")]
    assert told == [(False, "Ward Root", SERVER), (True, "pump-server", SERVER)]
    assert (heard.row("tls")["server"], heard.row("tls")["certificates"]) == (SERVER, 1)


def test_an_abbreviated_handshake_sends_no_chain() -> None:
    heard = talk().client(HELLO).server(said.record(22, SERVER_HELLO) + CHANGE + FINISHED)
    row = heard.client(CHANGE + FINISHED + DATA).server(DATA).row("tls")
    assert (row["resumed"], row["certificates"]) == (True, 0)


def test_a_hello_in_pieces_of_any_size_is_the_same_hello() -> None:
    whole = talk().client(HELLO).server(flight()).row("tls")
    bits = talk().client(*[HELLO[k : k + 1] for k in range(len(HELLO))]).server(flight()).row("tls")
    body = HELLO[5:]
    records = b"".join(said.record(22, body[k : k + 9]) for k in range(0, len(body), 9))
    split = talk().client(records).server(flight()).row("tls")
    for name in ("ciphers", "ja3", "ja4", "hello_length", "version", "client_version"):
        assert whole[name] == bits[name] == split[name]


def test_a_hole_before_the_chain_is_told() -> None:
    heard = talk().client(HELLO).server(b"lost" * 5, lost=True).server(flight(*said.chain()))
    row = heard.client(b"").client(KEYS).row("tls")
    assert (row["certificates"], row["from_start"]) == (2, False)


def test_a_chain_that_lies_about_its_lengths_is_an_anomaly() -> None:
    body = said.certificates(b"D" * 30)[:-1]
    bad = said.record(22, SERVER_HELLO + said.handshake(11, body))
    assert "tls_certificates_length" in talk().client(HELLO).server(bad).faults()


def test_what_is_no_certificate_has_a_row_and_a_name() -> None:
    heard = talk().client(HELLO).server(flight(b"no certificate"))
    assert heard.faults() == ["x509_unreadable"]
    row = heard.row("certificates")
    assert len(row["sha256"]) == 64 and row["subject"] == ""


def test_a_handshake_message_without_end_is_bounded() -> None:
    huge = said.record(22, b"\x0b\xff\xff\xff" + b"z" * 9000)
    heard = talk().client(HELLO).server(said.record(22, SERVER_HELLO), *[huge] * 30)
    assert heard.sessions._flows[1].buffered < 40_000
    assert heard.faults() == ["tls_handshake_too_long"]


def test_bytes_that_stop_being_records_are_an_anomaly() -> None:
    assert talk().client(HELLO).server(flight()).client(b"GET / HTTP/1.1\r\n").faults() == [
        "tls_record"
    ]


def test_seen_from_the_middle_it_is_tls_without_a_hello() -> None:
    row = Talk(443).client(DATA, DATA).row("tls")
    assert (row["version"], row["client_version"], row["ja3"]) == (-1, -1, "")


def test_ssl2() -> None:
    leaf, _ = said.chain()
    heard = talk().client(said.ssl2_client_hello()).server(said.ssl2_server_hello(leaf))
    row = heard.row("tls")
    assert (row["client_version"], row["version"], row["cipher"]) == (2, 2, 0x010080)
    assert row["certificates"] == 1 and row["export_offered"]
    assert heard.row("certificates")["common_name"] == "pump-server"


def test_an_ssl2_hello_may_be_answered_in_tls() -> None:
    heard = talk().client(said.ssl2_client_hello(version=0x0301)).server(flight(*said.chain()))
    row = heard.row("tls")
    assert (row["version"], row["certificates"]) == (0x0301, 2)


def test_many_equal_handshakes_cost_few_parser_calls() -> None:
    heard = Talk(443)
    ders = said.chain()
    for number in range(50):
        heard.turns_to(number, 443, 40000 + number).opens().client(HELLO).server(flight(*ders))
        heard.client(KEYS + CHANGE + FINISHED + DATA).server(CHANGE + FINISHED + DATA)
    assert len(heard.rows("tls")) == 50 and len(heard.rows("certificates")) == 100
    assert heard.sessions.parser_calls <= 6


@pytest.fixture(scope="module")
def server_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate and its key, made here."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mds.ward")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2040, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("server")
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "both.pem").write_bytes(private + made.public_bytes(Encoding.PEM))
    return folder / "both.pem"


def real(heard: Talk, pem: Path, version: ssl.TLSVersion) -> Talk:
    """A handshake and one message each way of Python's own TLS, through memory."""
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(pem)
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.check_hostname = False
    client_context.verify_mode = ssl.CERT_NONE
    client_context.maximum_version = client_context.minimum_version = version
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(down, up, server_hostname="mds.ward")
    server = server_context.wrap_bio(up, down, server_side=True)

    def flush(bio: ssl.MemoryBIO, tell) -> None:
        if raw := bio.read():
            tell(raw)
            bio.write(raw)

    for _ in range(4):
        for end, bio, tell in ((client, up, heard.client), (server, down, heard.server)):
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
            flush(bio, tell)
    client.write(b"hello from the pump")
    flush(up, heard.client)
    assert server.read() == b"hello from the pump"
    server.write(b"hello to the pump")
    flush(down, heard.server)
    return heard


def test_a_real_tls_1_2_handshake(server_files: Path) -> None:
    heard = real(talk(), server_files, ssl.TLSVersion.TLSv1_2)
    row = heard.row("tls")
    assert (row["version"], row["server_name"], row["certificates"]) == (0x0303, "mds.ward", 1)
    assert row["client_data_packet"] == heard.packet - 1
    assert row["server_data_packet"] == heard.packet
    assert heard.row("certificates")["self_signed"] and heard.faults() == []


def test_a_real_tls_1_3_handshake_hides_its_chain(server_files: Path) -> None:
    heard = real(talk(), server_files, ssl.TLSVersion.TLSv1_3)
    row = heard.row("tls")
    assert (row["version"], row["client_version"], row["certificates"]) == (0x0304, 0x0304, 0)
    assert row["client_data_packet"] == heard.packet - 1 and not row["resumed"]
    assert heard.rows("certificates") == [] and heard.faults() == []


def test_a_hello_retry_keeps_the_first_hello() -> None:
    first = said.client_hello((0x1301,), said.sni(b"a.ward") + said.supported_versions(0x0304))
    retry = said.server_hello(0x1301, extensions=said.extension(43, b"\3\4"))
    retry = retry.replace(b"S" * 32, tls.HELLO_RETRY)
    final = said.server_hello(0x1301, extensions=said.extension(43, b"\3\4"))
    again = said.client_hello((0x1301,), said.sni(b"a.ward"))
    heard = talk().client(said.record(22, said.handshake(1, first)))
    heard.server(said.record(22, said.handshake(2, retry)) + CHANGE)
    heard.client(CHANGE + said.record(22, said.handshake(1, again)))
    row = heard.server(said.record(22, said.handshake(2, final)) + DATA).row("tls")
    assert (row["hello_length"], row["version"]) == (len(first), 0x0304)
    assert row["server_hello_packet"] == heard.packet and heard.faults() == []
