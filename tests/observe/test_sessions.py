"""wardwatch.observe.sessions"""

import gc
import json
import random
import struct
import weakref
from collections import Counter as Counted
from pathlib import Path

import dpkt
import pytest
from tests import hostile, hostile_sessions
from tests.observe.talk import CLIENT, SERVER, Talk
from tests.shared import CAPTURES, needs_shared

from wardwatch.decode.kernels.young import (
    CAPTURE,
    CONVERSATION,
    DST_LO,
    DST_PORT,
    NET,
    PACKET,
    SEQ,
    SRC_LO,
    SRC_PORT,
    TOLD,
    TS,
    WHOLE,
)
from wardwatch.decode.stream import ACK, FIN, RECENT_COST, SYN
from wardwatch.observe import sessions as module
from wardwatch.observe.follow import FOLLOW, IGNORE, UNDECIDED
from wardwatch.observe.sessions import AS_IT_WAS, Sessions
from wardwatch.observe.told import where_of
from wardwatch.observe.where import Where
from wardwatch.observe.young import Piece


def test_interest_begins_undecided_and_follows_what_it_knows() -> None:
    talk = Talk(21)
    assert talk.sessions.interest(1) == UNDECIDED
    assert talk.opens().sessions.interest(1) == UNDECIDED
    assert talk.server(b"220 RTCS FTP Ready\r\n").sessions.interest(1) == FOLLOW


def test_what_nobody_can_read_is_ignored_and_forgotten() -> None:
    talk = Talk(9).opens().client(b"\x01" * 70).server(b"\x02" * 70)
    assert talk.sessions.interest(1) == IGNORE
    assert not talk.sessions._flows and talk.sessions._buffered == 0


def test_a_conversation_that_ended_is_forgotten() -> None:
    talk = Talk(21).opens().server(b"220 x FTP\r\n").closes(0).closes(1)
    assert not talk.sessions._flows
    talk.sessions.close(1)
    assert talk.sessions.interest(1) == UNDECIDED


def test_a_conversation_that_is_over_needs_no_garbage_collector() -> None:
    talk = Talk(21).opens().server(b"220 x FTP\r\n").client(b"USER a\r\n")
    flow = weakref.ref(talk.sessions._flows[1])
    collecting = gc.isenabled()
    gc.disable()
    try:
        talk.closes(0).closes(1)
        assert flow() is None
    finally:
        if collecting:
            gc.enable()


def test_a_new_syn_on_the_same_ports_is_a_new_connection() -> None:
    talk = Talk(21).opens().server(b"220 one FTP\r\n").closes(0).closes(1)
    talk.sequence = [90_000, 70_000]
    talk.opens().server(b"220 two FTP\r\n")
    assert [r["text"] for r in talk.rows("banners")] == ["220 one FTP", "220 two FTP"]


def test_streams_are_counted_by_conversation() -> None:
    talk = Talk(21).opens().server(b"220 x FTP\r\n").client(b"USER a\r\n")
    talk.sequence[0] -= 8
    talk.client(b"USER b\r\n").server(b"gone", lost=True).client(b"").closes(0).closes(1)
    assert "tcp_overlap" in talk.faults()
    found = talk.sessions.counters[1]
    assert (found.missed_bytes, found.overlaps, found.retransmissions) == (4, 1, 1)


def test_a_flood_of_connections_evicts_the_longest_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FOLLOWED", 10)
    talk = Talk(21).turns_to(0, 21).opens()
    first = talk.sequence
    for number in range(1, 25):
        talk.turns_to(number, 21, 40000 + number).opens()
        talk.turns_to(0, 21).sequence = first
        talk.server(b"220 x FTP\r\n")  # keeps talking
    assert len(talk.sessions._flows) == 10
    assert talk.sessions.evicted == 15
    assert talk.sessions.interest(0) == FOLLOW and talk.sessions.interest(3) == IGNORE


def word(payload: bytes = b"here") -> Piece:
    told = [0] * TOLD
    told[SEQ] = 1001
    return Piece(told, payload, (1000, 5000))


def test_a_flood_of_first_words_evicts_none_that_is_followed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_FOLLOWED", 10)
    talk = Talk(21).turns_to(0, 21).opens().server(b"220 x FTP\r\n")
    talk.turns_to(1, 9000).opens()
    for number in range(2, 40):
        talk.sessions.wait_for_more(number, word())
    assert len(talk.sessions.words()) == 8 and talk.sessions.evicted == 30
    assert talk.sessions.interest(0) == FOLLOW and talk.sessions.interest(1) == UNDECIDED
    assert talk.sessions.interest(2) == IGNORE and talk.sessions.interest(39) == UNDECIDED
    talk.turns_to(40, 21).opens()
    assert len(talk.sessions.words()) == 7 and talk.sessions.evicted == 31


def test_a_first_word_is_read_where_a_second_comes_and_forgotten_where_none_does() -> None:
    talk = Talk(9000)
    kept = talk.sessions._buffered
    for number in (1, 2, 3):
        talk.sessions.wait_for_more(number, word())
    assert talk.sessions._buffered == kept + 12
    where = Where(1, 7, 0, "lan", src=CLIENT, src_port=40000, dst=SERVER, dst_port=9000)
    flow = talk.sessions.go_on_behind(2, where)
    assert flow is talk.sessions.flow(2) and flow.last is where
    assert not talk.sessions.waits_for_more(2) and flow.from_start
    assert [stream.next for stream in flow.streams] == [4, 0]
    assert flow.ends[0].ip == CLIENT and flow.follower.buffered == 4
    talk.sessions.close(1)
    assert talk.sessions.interest(1) == UNDECIDED and talk.sessions.words() == [3]
    talk.sessions.finish()
    assert talk.sessions.interest(3) == IGNORE and talk.sessions._buffered == 0
    assert not talk.sessions.counters and not talk.sessions.evicted


def test_kept_bytes_of_all_conversations_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BUFFERED", 20_000)
    talk = Talk(21)
    for number in range(40):
        talk.turns_to(number, 21, 40000 + number).opens().server(b"220 x FTP\r\n")
        talk.client(b"A" * 3000)
    assert talk.sessions._buffered <= 20_000 and talk.sessions.evicted > 10


def test_anomalies_of_one_conversation_are_bounded() -> None:
    talk = Talk(23).opens().server(b"\xff\xfb\x01")
    for _ in range(500):
        talk.client(b"\xff\x41")
    assert len(talk.faults()) == 64


@pytest.mark.parametrize("seed", range(6))
def test_hostile_conversations_neither_raise_nor_grow(seed: int) -> None:
    """Mutated messages of every protocol, in any order, with holes, resets and new SYNs."""
    chance = random.Random(seed)
    valid = [m for _, messages in hostile_sessions.PARSERS.values() for m in messages]
    talk = Talk(21)
    for number in range(40):
        talk.turns_to(number, chance.choice((21, 23, 53, 80, 443, 2575, 9999)), number)
        if chance.random() < 0.8:
            talk.opens()
        framed = [b"\x0b%b\x1c\r" % m for m in valid] + [m + b"\r\n" for m in valid] + valid
        for payload in hostile.mutate(chance.randrange(1 << 30), framed, 12):
            say = chance.choice((talk.client, talk.server))
            say(payload, lost=chance.random() < 0.1)
            if chance.random() < 0.1:
                talk.sequence[chance.randrange(2)] += chance.randrange(-100, 200)
        chance.choice((lambda: None, talk.closes, talk.resets))()
    assert talk.rows("anomalies") is not None
    assert not talk.sessions._flows and talk.sessions._buffered == 0
    assert talk.sessions.shared.pool.used == 0


def test_without_a_listener_for_datagrams_dns_is_passed_over() -> None:
    talk = Talk(53)
    talk.sessions = Sessions(talk.spool, talk.sessions.shared.secrets)
    talk.opens().client(b"\0\x0c" + bytes(12))
    assert talk.sessions.interest(1) == FOLLOW


# -- real captures, compared with what other programs found -------------------------------------


def segments(path: Path):
    """TCP over IP over Ethernet (and VLAN), read with dpkt and no code of ours."""
    with path.open("rb") as file:
        for number, (stamp, raw) in enumerate(dpkt.pcap.Reader(file), 1):
            frame = dpkt.ethernet.Ethernet(raw)
            ip = frame.data
            if isinstance(ip, (dpkt.ip.IP, dpkt.ip6.IP6)) and isinstance(ip.data, dpkt.tcp.TCP):
                yield number, int(stamp * 1e9), frame, ip, ip.data


def hear(path: Path) -> Talk:
    talk = Talk()
    numbers: dict[tuple, int] = {}
    for packet, ts, frame, ip, tcp in segments(path):
        text = [dpkt.utils.inet_to_str(a) for a in (ip.src, ip.dst)]
        ends = ((text[0], tcp.sport), (text[1], tcp.dport))
        from_orig = ends in numbers or ends[::-1] not in numbers
        number = numbers.setdefault(ends if from_orig else ends[::-1], len(numbers))
        macs = [a.hex(":") for a in (frame.src, frame.dst)]
        where = Where(1, packet, ts, "untagged", *macs, *ends[0], *ends[1], number)
        if talk.sessions.interest(number) != IGNORE:
            data = bytes(tcp.data)
            talk.sessions.segment(
                number, from_orig, tcp.seq, tcp.ack, tcp.flags, data, where, len(data)
            )
    return talk


def expected(name: str) -> dict[str, object]:
    found = json.loads((CAPTURES / "expect" / f"{name}.json").read_text())
    rows = found if isinstance(found, list) else found["assertions"]
    return {r["path"]: r["value"] for r in rows if r["confidence"] in ("A", "B")}


def words(rows: list[dict], name: str) -> list:
    return sorted({r[name] for r in rows} - {""})


MEASURED = {
    "ftp.commands": lambda t: dict(Counted(r["command"] for r in t.rows("ftp") if r["command"])),
    "ftp.users": lambda t: [r["argument"] for r in t.rows("ftp") if r["command"] == "USER"],
    "ftp.logins_ok": lambda t: sum(r["outcome"] == "success" for r in t.rows("logins")),
    "ftp.logins_failed": lambda t: sum(r["outcome"] == "failed" for r in t.rows("logins")),
    "ftp.servers": lambda t: words(t.rows("ftp"), "server"),
    "ftp.transfer_before_login": lambda t: [r["command"] for r in t.rows("transfers") if r["before_login"]],
    "ftp.files": lambda t: [[r["command"], r["path"]] for r in t.rows("transfers") if r["path"] and r["command"] == "RETR"],
    "telnet.sessions": lambda t: list(t.sessions.services.values()).count("telnet"),
    "tls.streams": lambda t: len(t.rows("tls")),
    "tls.sni": lambda t: words(t.rows("tls"), "server_name"),
    "tls.n_certs": lambda t: len({r["sha256"] for r in t.rows("certificates")}),
    "tls.leaf_subjects": lambda t: words([r for r in t.rows("certificates") if not r["position"]], "subject"),
    "http.requests": lambda t: sum(r["direction"] == "request" for r in t.rows("http")),
    "http.responses": lambda t: sum(r["direction"] == "response" for r in t.rows("http")),
    "hl7.types": lambda t: dict(Counted("^".join(r["message_type"].split("^")[:2]) for r in t.rows("hl7"))),
    "dicom.calling": lambda t: words(t.rows("dicom"), "calling"),
    "dicom.called": lambda t: words(t.rows("dicom"), "called"),
}  # fmt: skip


@needs_shared
@pytest.mark.parametrize(
    "name",
    [
        "dicom__lab__dicom_104_echo_store.pcap",
        "ftp-active-passive__sv__ftp-download-active__input.pcap",
        "ftp-anonymous__zeek__retr.pcap",
        "ftp-bruteforce__zeek__bruteforce.pcap",
        "ftp-login__zeek__ipv4.pcap",
        "ftp-login__zeek__ipv6.pcap",
        "ftp-overlong__sv__ftp-too-long-command.pcap",
        "hl7__lab__hl7_2575_oru.pcap",
        "http-get__zeek__get.pcap",
        "telnet-login__ndpi__telnet.pcap",
        "telnet-options__ppp__telnet.pcap",
        "tls-1.0__arkime__openssl-tls1.pcap",
        "tls-1.1__zeek__tls1_1.pcap",
        "tls-1.2__zeek__tls1.2.pcap",
        "tls-alert__zeek__tls-early-alert.pcap",
        "tls-expired__zeek__tls-expired-cert.pcap",
        "tls-fragmented__arkime__tls-split-client-hello.pcap",
        "tls-odd-cert__zeek__cert-no-cn.pcap",
        "tls-ssl2-3__zeek__ssl-v2.pcap",
    ],
)
def test_a_real_capture_says_what_other_programs_read_in_it(name: str) -> None:
    talk = hear(CAPTURES / name)
    told = {p: v for p, v in expected(name).items() if p in MEASURED}
    assert told, "no expectation of ours in this capture"
    for path, value in told.items():
        measured = MEASURED[path](talk)
        if isinstance(value, list):
            assert sorted(measured) == sorted(value), path
        else:
            assert measured == value, path


def test_ends_are_named_by_who_began() -> None:
    row = Talk(21).opens().server(b"220 x FTP\r\n").row("banners")
    assert (row["server"], row["server_port"]) == (SERVER, 21)
    assert CLIENT != SERVER


@pytest.mark.parametrize(("orig", "resp"), [(999, 4_999), (999, -1), (-1, 4_999)])
def test_syns_that_somebody_else_saw_are_as_if_they_had_come(orig: int, resp: int) -> None:
    def after(begin: bool) -> Talk:
        talk = Talk(21)
        where = Where(1, 1, 1, "vlan 7", "a", "b", CLIENT, 40_000, SERVER, 21, 1)
        if begin:
            talk.sessions.begin(1, orig, resp, where)
        else:
            back = Where(1, 1, 1, "vlan 7", "b", "a", SERVER, 21, CLIENT, 40_000, 1)
            if orig >= 0:
                talk.sessions.segment(1, True, orig, 0, SYN, b"", where, 0)
            if resp >= 0:
                ack = orig + 1 if orig >= 0 else 0
                talk.sessions.segment(1, False, resp, ack, SYN | ACK, b"", back, 0)
        return talk.server(b"220 x FTP\r\n").client(b"USER a\r\n", b"PASS b\r\n")

    one, two = after(True), after(False)
    assert one.sessions.skip(1, True) == two.sessions.skip(1, True)
    for table in ("ftp", "banners", "logins"):
        assert one.rows(table) == two.rows(table) != []


SPOKEN = {
    21: (b"220 x FTP\r\n", b"USER a\r\n", b"331 go on\r\n", b"PASS b\r\n", b"230 in\r\n", b"RETR f\r\n"),
    80: (
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nServer: s\r\nContent-Length: 3000\r\n\r\n" + b"x" * 300,
        b"y" * 1300,
        b"z" * 1400,
        b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n",
        b"123456789",
    ),
    23: (b"login: ", b"r", b"oot\r\n", b"Password: ", b"secret\r\n", b"# ", b"l", b"l", b"s", b"s"),
    9: (b"\x01" * 40, b"\x02" * 70, b"\x03" * 70),
}  # fmt: skip
NAMES = ["vlan 7"]
BY_SERVER = {21: {0, 2, 4}, 80: {1, 2, 3, 5}, 23: {0, 3, 5, 7, 9}, 9: {1}}


def raw_of(packet: int, number: int, side: int, ports: tuple[int, int]) -> bytes:
    """What the kernel tells of a packet."""
    told = [0] * TOLD
    told[PACKET], told[TS], told[WHOLE], told[CAPTURE] = packet, packet, 1, 1
    told[NET], told[CONVERSATION] = 4, number
    told[SRC_LO], told[DST_LO] = 0x0A000002 + 7 * side, 0x0A000009 - 7 * side
    told[SRC_PORT], told[DST_PORT] = ports[side], ports[1 - side]
    return struct.pack(f"={TOLD}q", *told)


def heard(seed: int, shortly: bool) -> tuple[Talk, int]:
    """Some disturbed conversations, said by turns, and how many segments went the short way."""
    chance, talk, taken = random.Random(seed), Talk(), 0
    talk.sessions.shared.names = NAMES
    said = []
    for number, port in enumerate(SPOKEN):
        ahead, own = [1000, 2000], []
        for flags in ((0, SYN), (1, SYN | ACK)):
            own.append((number, port, flags[0], ahead[flags[0]], flags[1], b"", 0))
            ahead[flags[0]] += 1
        for at, payload in enumerate(SPOKEN[port]):
            side = int(at in BY_SERVER[port])
            cut = payload[: len(payload) - 3] if chance.random() < 0.05 else payload
            own.append((number, port, side, ahead[side], ACK, cut, len(payload)))
            ahead[side] += len(payload)
        for at in range(2, len(own)):
            draw = chance.random()
            if draw < 0.1:
                own[at - 1], own[at] = own[at], own[at - 1]
            elif draw < 0.2:
                own.insert(at, own[at])
            elif draw < 0.25:
                own[at] = (*own[at][:5], own[at][5][::-1], own[at][6])
        said.append([one for one in own if chance.random() > 0.03])
    packet, latest = 0, {}
    while any(said):
        own = chance.choice([one for one in said if one])
        number, port, side, seq, flags, payload, claimed = own.pop(0)
        packet += 1
        raw = raw_of(packet, number, side, (40_000, port))
        where = where_of(NAMES, raw)
        latest[number, side] = seq + claimed
        given = (seq, latest.get((number, 1 - side), 0), flags, payload)
        if talk.sessions.interest(number) == IGNORE:
            continue
        flow = talk.sessions.flow(number)
        if shortly and flow is not None:
            before = talk.sessions.interest(number)
            interest = talk.sessions.go_on(flow, side, *given, raw, claimed)
            if interest != -1:
                taken += 1
                expected = talk.sessions.interest(number)
                assert expected == (before if interest == AS_IT_WAS else interest)
                assert interest == IGNORE or flow.last == where
                continue
        talk.sessions.segment(number, side == 0, *given, where, claimed)
    return talk, taken


def test_bytes_that_come_to_nothing_yet_count_among_those_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    talk = Talk()
    for number in (1, 2):
        talk.turns_to(number, 23, 40_000 + number).opens().server(b"login: ")
    sessions, flow = talk.sessions, talk.sessions.flow(2)
    seq, ack = talk.sequence[::-1]
    kept, each = sessions._buffered, 2 + RECENT_COST  # of the stream, and of the line
    most = kept + 40 * each
    monkeypatch.setattr(module, "MAX_BUFFERED", most)
    raw = raw_of(9, 2, 1, (40_002, 23))
    for at in range(50):
        assert sessions.go_on(flow, 1, seq + at, ack, ACK, b"x", raw, 1) == AS_IT_WAS
        assert flow.accounted == flow.buffered
        kept += each
        assert (sessions.flow(1) is None) == (at >= 40)
        assert sessions.flow(1) is None or sessions._buffered == kept <= most
    assert sessions.evicted == 1 and sessions._buffered == flow.buffered


def test_the_short_way_of_a_segment_ends_where_the_long_one_does() -> None:
    shortened = 0
    for seed in range(40):
        one, taken = heard(seed, True)
        two, _ = heard(seed, False)
        shortened += taken
        assert one.sessions._buffered == two.sessions._buffered
        there = [
            [[(f.number, s.next, s._acked) for s in f.streams] for f in t.sessions._flows.values()]
            for t in (one, two)
        ]
        assert there[0] == there[1]
        for table in ("ftp", "http", "banners", "logins", "anomalies", "transfers"):
            strip = [{**row, "secret": ""} for row in two.rows(table)]
            assert [{**row, "secret": ""} for row in one.rows(table)] == strip, (seed, table)
        assert one.sessions.counters == two.sessions.counters
        assert one.sessions.services == two.sessions.services
    assert shortened > 300


def test_a_side_whose_fin_came_before_a_hole_has_ended_with_the_next_that_it_says() -> None:
    """The other side acknowledges the hole, so that all before the FIN came out by then."""
    talk = Talk(21).opens().server(b"220 x FTP\r\n")
    sessions, flow = talk.sessions, talk.sessions.flow(1)
    sessions.shared.names = NAMES
    one, two = talk.sequence
    where = where_of(NAMES, raw_of(9, 1, 0, (40_000, 21)))
    sessions.segment(1, True, one + 5, two, ACK | FIN, b"x", where)
    sessions.segment(1, False, two, one + 7, ACK, b"2", where)
    assert flow.streams[0].ended and flow.closed == [False, False]
    raw = raw_of(10, 1, 0, (40_000, 21))
    assert sessions.go_on(flow, 0, one + 20, two, ACK, b"y", raw, 1) == -1
    sessions.segment(1, True, one + 20, two, ACK, b"y", where)
    assert flow.closed == [True, False]
    assert sessions.go_on(flow, 0, one + 30, two, ACK, b"z", raw, 1) == FOLLOW
