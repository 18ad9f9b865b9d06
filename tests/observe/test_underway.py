"""wardwatch.observe.underway: a conversation goes on elsewhere as if it had never moved."""

import msgspec
import numpy as np
import pytest
from tests import session_messages as said
from tests.observe.talk import Talk

from wardwatch.decode.kernels.young import CONVERSATION, PACKET, TOLD
from wardwatch.decode.stream import ACK
from wardwatch.model.columns import TABLES
from wardwatch.observe.sessions import AS_IT_WAS, Sessions
from wardwatch.observe.told import where_of


class Moved(Talk):
    """Conversations that go on in other sessions behind every packet, by another number there."""

    moves = 0

    def _send(self, side, flags, payload=b""):
        self.conversation = 1 + self.moves
        super()._send(side, flags, payload)
        before = self.sessions
        after = Sessions(self.spool, before.shared.secrets, self.heard)
        self.moves += 1
        here, there = self.conversation, 1 + self.moves
        if here in before.services:
            after.services[there] = before.services[here]
        after.absorb(before.under_way({}), {here: there})
        assert after._buffered == before._buffered
        assert after.shared.pool.used == before.shared.pool.used
        self.sessions = after
        return self


def pieces(text, size):
    return [text[at : at + size] for at in range(0, len(text), size)]


HELLO = said.record(22, said.handshake(1, said.client_hello(said.PUMP_SUITES)))
FLIGHT = b"".join(
    said.record(22, said.handshake(kind, body))
    for kind, body in ((2, said.server_hello()), (11, said.certificates(*said.chain())), (14, b""))
)
DIALOGUES = {
    "ftp": (21, b"USER nurse\r\nPASS filler\r\nRETR a.xml\r\n", b"220 a FTP\r\n331 x\r\n230 y\r\n"),
    "telnet": (23, b"nurse\r\nfiller\r\n", b"\xff\xfb\x01login: Password: \r\n# "),
    "http": (8080, said.HTTP_REQUEST * 2, said.HTTP_RESPONSE * 2),
    "hl7": (2575, b"\x0b" + said.HL7_MESSAGE + b"\x1c\r", b""),
    "dicom": (104, said.associate(), said.associate(2)),
    "tls": (443, HELLO, FLIGHT),
    "dns": (53, b"\0\x0c" + bytes(12), b"\0\x0c" + bytes(12)),
    "medfusion": (1588, said.STATUS_LINE, said.CONFIGURATION),
    "banner": (22, b"SSH-2.0-x\r\n", b"SSH-2.0-dropbear\r\n"),
    "nobody's": (9, b"\1" * 30, b"\2" * 30),
}


def told(talk):
    """All rows, but for the number of the conversation."""
    return {
        table.name: [
            {name: value for name, value in row.items() if name != "conversation"}
            for row in talk.rows(table.name)
        ]
        for table in TABLES
    }


@pytest.mark.parametrize("size", [5, 90])
@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("name", DIALOGUES)
def test_a_dialogue_that_moves_is_read_as_one_that_stays(name, lost, size) -> None:
    port, client, server = DIALOGUES[name]
    found = []
    for kind in (Talk, Moved):
        talk = kind(port).opens()
        for turn, (one, other) in enumerate(
            zip(pieces(client, size), pieces(server, size) + [b""] * 999, strict=False)
        ):
            talk.client(one, lost=lost and turn == 2)
            if other:
                talk.server(other)
        talk.server(*pieces(server, size)[len(pieces(client, size)) :])
        talk.closes(0).closes(1)
        found.append((told(talk), talk.heard.dns, sorted(talk.sessions.services.values())))
    assert found[0] == found[1]
    if size > 5 and not lost and name != "nobody's":
        assert any(found[0][0].values()) or found[0][1]


def test_rows_bear_the_number_that_the_conversation_has_there() -> None:
    talk = Moved(21).opens().server(b"220 a FTP\r\n").client(b"USER nurse\r\nPASS filler\r\n")
    talk.server(b"230 in\r\n")
    assert talk.row("logins")["conversation"] in (talk.moves, talk.moves + 1)


def test_the_newest_packet_bears_the_number_that_the_conversation_has_there() -> None:
    talk = Talk(23).opens().server(b"login: ")
    flow = talk.sessions.flow(1)
    names = talk.sessions.shared.names = ["vlan 7"]
    told = np.zeros(TOLD, np.int64)
    told[[PACKET, CONVERSATION]] = 9, 1
    raw = told.tobytes()
    assert (
        talk.sessions.go_on(flow, 1, talk.sequence[1], talk.sequence[0], ACK, b"x", raw, 1)
        == AS_IT_WAS
    )
    assert flow.newest == raw
    after = Sessions(talk.spool, talk.sessions.shared.secrets)
    after.absorb(talk.sessions.under_way({}), {1: 7})
    assert after.flow(7).last == msgspec.structs.replace(where_of(names, raw), conversation=7)


def test_packets_that_wait_bear_the_number_that_the_conversation_has_there() -> None:
    talk = Talk(23).opens().server(b"login: ").client(b"nurse\r\n").server(b"Password: ")
    names = talk.sessions.shared.names = ["vlan 7"]
    told = np.zeros(TOLD, np.int64)
    told[[PACKET, CONVERSATION]] = 9, 1
    raw, (seq, ack) = told.tobytes(), talk.sequence
    flow = talk.sessions.flow(1)
    assert talk.sessions.go_on(flow, 0, seq + 1, ack, ACK, b"\r\n", raw, 2) == AS_IT_WAS
    after = Sessions(talk.spool, talk.sessions.shared.secrets)
    after.absorb(talk.sessions.under_way({}), {1: 7})
    (piece,) = after.flow(7).streams[0]._held
    assert piece.mark == msgspec.structs.replace(where_of(names, raw), conversation=7)


def test_data_agreed_upon_and_what_is_over_is_known_there() -> None:
    talk = Talk(9).opens().client(b"\1" * 70).server(b"\2" * 70)
    talk.sessions.shared.expect("10.0.0.5", 4000)
    after = Sessions(talk.spool, talk.sessions.shared.secrets)
    after.absorb(talk.sessions.under_way({}), {1: 7})
    assert after.interest(7) == 2
    assert after.interest(1) == 0
    assert list(after.shared.expected) == [("10.0.0.5", 4000)]


def test_more_than_are_followed_at_once_are_given_up_there_too(monkeypatch) -> None:
    talk = Talk()
    for number in range(1, 9):
        talk.turns_to(number, 21, 40000 + number).opens().server(b"220 a FTP\r\n")
    after = Sessions(talk.spool, talk.sessions.shared.secrets)
    monkeypatch.setattr("wardwatch.observe.sessions.MAX_FOLLOWED", 5)
    after.absorb(talk.sessions.under_way({}), {n: n for n in range(1, 9)})
    assert (len(after._flows), after.evicted) == (5, 3)
