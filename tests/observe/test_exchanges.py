"""wardwatch.observe.exchanges"""

import pytest
from tests import session_messages as said
from tests.observe.talk import CLIENT, SERVER, Talk

from wardwatch.observe.exchanges import SEGMENT_COST

GET = b"GET /patients/jane-doe HTTP/1.1\r\nHost: gw\r\n"
OK = b"HTTP/1.1 200 OK\r\nServer: goahead\r\n"


def web() -> Talk:
    return Talk(8080).opens()


def test_heads_become_rows_and_bodies_do_not() -> None:
    talk = web().client(said.HTTP_REQUEST, b"BODY").server(OK + b"Content-Length: 5\r\n\r\nJane!")
    request, response = talk.rows("http")
    assert (request["method"], request["user_agent"], request["auth_scheme"]) == (
        "POST",
        "Pump/1.0",
        "Basic",
    )
    assert (response["status"], response["server_header"], response["server"]) == (
        200,
        "goahead",
        SERVER,
    )
    assert talk.row("banners")["text"] == "goahead"
    for file in talk.files().iterdir():
        raw = file.read_bytes()
        assert b"jane" not in raw and b"Jane" not in raw and b"session=" not in raw


@pytest.mark.parametrize(
    ("status", "outcome"), [(200, "success"), (401, "failed"), (304, "success"), (500, "unknown")]
)
def test_basic_auth_is_a_login(status: int, outcome: str) -> None:
    talk = web().client(said.HTTP_REQUEST + b"BODY")
    row = talk.server(b"HTTP/1.1 %d x\r\nContent-Length: 0\r\n\r\n" % status).row("logins")
    assert (row["protocol"], row["user"], row["secret"]) == ("http", "user", "#ss:ap")
    assert (row["outcome"], row["server_port"], row["secret_packet"]) == (outcome, 8080, 4)


def test_the_same_credentials_again_are_one_row() -> None:
    talk = web()
    for _ in range(5):
        talk.client(said.HTTP_REQUEST + b"BODY").server(OK + b"Content-Length: 0\r\n\r\n")
    assert len(talk.rows("logins")) == 1


def test_a_long_body_is_skipped_and_need_not_be_brought() -> None:
    talk = web().client(GET + b"\r\n").server(OK + b"Content-Length: 100000\r\n\r\n", b"x" * 1000)
    start, stop = talk.sessions.skip(1, False) or (0, 0)
    assert stop - start == 99_000
    talk.sequence[1] += 99_000  # the caller leaves them out
    talk.server(b"HTTP/1.1 404 no\r\n\r\n")
    assert [r["status"] for r in talk.rows("http")] == [-1, 200, 404]
    assert talk.sessions.counters == {}


def test_what_ends_behind_a_skipped_body_is_over() -> None:
    talk = web().client(GET + b"\r\n").server(OK + b"Content-Length: 2000\r\n\r\n", b"x" * 1000)
    talk.sequence[1] += 1_000  # the caller leaves them out
    talk.closes(1)
    assert talk.sessions.interest(1) == 1
    talk.closes(0)
    assert talk.sessions.interest(1) == 2
    assert talk.sessions.counters == {}


def test_a_body_that_is_looked_at_ends_when_it_was_seen() -> None:
    head = OK + b"Content-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n9C40\r\n"
    talk = web().client(GET + b"\r\n").server(head, b"x" * 20_000)
    talk.sequence[1] += 20_000
    talk.closes(1).closes(0)
    assert talk.sessions.interest(1) == 1


def test_chunked_bodies_are_skipped_by_their_chunks() -> None:
    body = b"5;x=y\r\nhello\r\n3\r\nyou\r\n0\r\nTrailer: t\r\n\r\n"
    talk = (
        web()
        .client(GET + b"\r\n")
        .server(said.HTTP_RESPONSE + body, OK + b"Content-Length: 0\r\n\r\n")
    )
    assert [r["status"] for r in talk.rows("http")] == [-1, 200, 200]
    assert talk.faults() == []


def test_responses_without_bodies() -> None:
    talk = web().client(b"HEAD / HTTP/1.1\r\n\r\n").server(OK + b"Content-Length: 99\r\n\r\n")
    talk.client(GET + b"\r\n").server(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 none\r\n\r\n")
    talk.client(GET + b"\r\n").server(OK + b"\r\nuntil the end HTTP/1.1 500 x\r\n\r\n")
    assert [r["status"] for r in talk.rows("http")] == [-1, 200, -1, 100, 204, -1, 200]


def test_behind_a_lost_body_the_next_head_is_found() -> None:
    talk = web().client(GET + b"\r\n").server(OK + b"Content-Length: 20\r\n\r\nparts of")
    talk.server(b" it are lost", lost=True).server(OK + b"Content-Length: 0\r\n\r\n")
    talk.server(OK[:20]).server(OK[20:], lost=True).server(
        OK + b"Content-Length: 0\r\n\r\n"
    ).client(b"")
    assert [r["status"] for r in talk.rows("http") if r["status"] > 0] == [200] * 3


def test_a_tunnel_is_looked_into_again() -> None:
    talk = web().client(b"CONNECT mds:443 HTTP/1.1\r\n\r\n").server(b"HTTP/1.1 200 ok\r\n\r\n")
    talk.client(said.record(22, said.handshake(1, said.client_hello())))
    assert talk.rows("tls") and talk.sessions.services[1] == "http,ssl"


def test_a_head_without_end_is_bounded() -> None:
    talk = web().client(GET, *[b"X-Long: " + b"y" * 1000 + b"\r\n"] * 60)
    assert talk.sessions._flows[1].buffered < 10_000
    assert talk.faults() == ["http_head_too_long"]


def test_soap_in_a_body_is_a_device_message() -> None:
    post = b"POST /mds HTTP/1.1\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n"
    talk = web().client(post % len(said.SOAP), said.SOAP[:50], said.SOAP[50:])
    row = talk.row("device_messages")
    assert (row["kind"], row["root"], row["src"]) == ("soap", "Medfusion4000_Maintenance", CLIENT)
    assert (row["serial"], row["at_stream_start"]) == ("M000001", False)


def test_the_status_line_answers_whatever_was_asked() -> None:
    for question in (b"\r\n", b"GET / HTTP/1.0\r\n\r\n", b"\x01\x02\x03"):
        talk = Talk(3210).opens().client(question).server(said.STATUS_LINE)
        row = talk.row("device_messages")
        assert (row["kind"], row["src"], row["at_stream_start"]) == ("status_line", SERVER, True)


def test_only_the_first_message_stands_at_the_start() -> None:
    talk = Talk(3210).opens()
    for _ in range(2):
        talk.client(b"\r\n").server(said.STATUS_LINE)
    assert [r["at_stream_start"] for r in talk.rows("device_messages")] == [True, False]


def test_the_configuration_on_a_data_connection() -> None:
    talk = Talk(21).opens().server(b"220 RTCS FTP Ready\r\n").client(b"PORT 10,0,0,2,4,1\r\n")
    talk.server(b"200 ok\r\n").client(b"RETR CONFIG.XML\r\n").server(b"150 opening\r\n")
    talk.turns_to(2, 1025, 20).between(SERVER, CLIENT).opens()
    half = len(said.CONFIGURATION) // 2
    talk.client(said.CONFIGURATION[:half], said.CONFIGURATION[half:]).closes()
    row = talk.row("device_messages")
    assert (row["kind"], row["src"], row["dst"]) == ("configuration", SERVER, CLIENT)
    assert row["has_secret"] and row["at_stream_start"] and row["packet"] == talk.packet - 1
    assert talk.sessions.services[2] == "ftp-data"
    assert all(b"filler" not in p.read_bytes() for p in talk.files().iterdir())


def test_another_file_on_a_data_connection_is_none_of_our_business() -> None:
    talk = Talk(21).opens().server(b"220 x FTP\r\n").client(b"PASV\r\n")
    talk.server(b"227 Entering (10,0,0,9,200,1)\r\n").turns_to(2, 51201).opens()
    talk.server(b"Jane Doe, ward 3\r\n")
    assert talk.sessions.interest(2) == 2
    assert [r["conversation"] for r in talk.rows("banners")] == [1]


def test_the_configuration_anywhere_else_is_known_by_its_root() -> None:
    row = Talk(9999).opens().server(said.CONFIGURATION).row("device_messages")
    assert row["has_secret"] and row["at_stream_start"]


def test_hl7_over_mllp_keeps_the_device_and_nothing_of_the_patient() -> None:
    framed = b"\x0b" + said.HL7_MESSAGE + b"\x1c\r"
    talk = Talk(6661).opens().client(framed[:90], framed[90:], framed)
    rows = talk.rows("hl7")
    assert [r["message_type"] for r in rows] == ["ORU^R01^ORU_R01"] * 2
    assert all(r["mllp"] for r in rows) and rows[0]["device_id"].startswith("001A01FFFE000031")
    assert rows[0]["packet"] == 5
    assert all(b"Doe" not in p.read_bytes() for p in talk.files().iterdir())


def test_patient_segments_are_not_even_kept_while_a_message_is_read() -> None:
    talk = Talk(2575).opens().client(b"\x0b" + said.HL7_MESSAGE)
    kept = talk.sessions._flows[1].follower._kept[0]  # type: ignore[attr-defined]
    assert [segment[:3] for segment in kept] == [b"MSH", b"OBX", b"OBX"]


def test_bare_hl7_ends_with_the_answer() -> None:
    talk = Talk(6661).opens().client(said.HL7_MESSAGE).server(b"MSH|^~\\&|A|B|||||ACK|1\r").closes()
    first, second = talk.rows("hl7")
    assert (first["mllp"], first["src"], second["message_type"]) == (False, CLIENT, "ACK")


def test_an_hl7_document_of_megabytes_is_bounded() -> None:
    talk = Talk(2575).opens().client(b"\x0b" + said.HL7_MESSAGE + b"OBX|3|ED|x|1|")
    for _ in range(100):
        talk.client(b"QUJD" * 2000)
    assert talk.sessions._flows[1].buffered < 30_000
    assert len(talk.client(b"\r\x1c\r").rows("hl7")) == 1


def test_small_hl7_segments_are_counted_with_what_they_cost() -> None:
    talk = Talk(2575).opens().client(b"\x0b" + said.HL7_MESSAGE)
    reader = talk.sessions._flows[1].follower
    before = reader.buffered
    talk.client(b"OBX\r" * 10)
    assert reader.buffered == before + 10 * (3 + SEGMENT_COST)


def test_dicom_pdus_are_counted_and_their_data_skipped() -> None:
    data = said.pdu(4, b"Doe^Jane" * 500)
    talk = Talk(104).opens().client(said.associate()).server(said.associate(2))
    talk.client(data[:100], data[100:] + data).client(said.pdu(5, bytes(4))).server(
        said.pdu(6, bytes(4))
    )
    rows = {r["pdu_type"]: r for r in talk.rows("dicom")}
    assert {kind: r["pdus"] for kind, r in rows.items()} == {1: 1, 2: 1, 4: 2, 5: 1, 6: 1}
    assert (rows[4]["calling"], rows[4]["called"], rows[4]["client"]) == (
        "CT_ROOM1",
        "PACS",
        CLIENT,
    )
    assert talk.faults() == []
    assert all(b"Doe" not in p.read_bytes() for p in talk.files().iterdir())


def test_dns_over_tcp_goes_to_the_datagrams() -> None:
    message = b"\x12\x34\x01\0" + b"\0\x01" + bytes(6) + b"\x04ward\0\0\x01\0\x01"
    framed = len(message).to_bytes(2, "big") + message
    talk = Talk(53).opens().client(framed[:9], framed[9:] + framed)
    talk.rows("dns")
    assert talk.heard.dns == [(message, 5, "tcp"), (message, 5, "tcp")]
