"""wardwatch.observe.streams: TCP by itself."""

import random
import socket

import dpkt
import pytest
from tests.conversations import SCRIPTS, hesitant, many, with_holes
from tests.observe import frames as f
from tests.observe.test_young import observed, write

from wardwatch.capture import open_capture
from wardwatch.decode.kernels import conversations as k
from wardwatch.decode.kernels import headers
from wardwatch.decode.kernels import young as kernel
from wardwatch.decode.stream import Stream
from wardwatch.observe import logins, sessions, streams
from wardwatch.observe.ahead import decoded
from wardwatch.observe.secrets import Secrets
from wardwatch.observe.segments import Places
from wardwatch.observe.side import Reassembly
from wardwatch.observe.streams import Streams
from wardwatch.observe.tables import Spool


@pytest.mark.parametrize("early", [False, True])
def test_conversations_come_behind_others_without_a_file_between(tmp_path, early) -> None:
    """Unless some were written before: then all come behind those, with the rest of the tables."""
    path = write(tmp_path / "a.pcap", many(4, 40, disturbed=0.4))
    expected, _ = observed(path, tmp_path / "key")
    before, spool, places = Spool(), Spool(), Places()
    before.add("conversations", {"conversation": 1})
    streams = Streams(spool, Secrets(tmp_path / "key"), places, Reassembly())
    with open_capture(path) as reader:
        for given in decoded(reader, headers.Events(), threads=1):
            places.take(given.block, given.columns, given.interfaces, headers.TUNNELS)
            streams.take(given.block, given.columns)
    if early:
        spool.add("conversations", {"conversation": -2})
    streams.come_behind(before)
    streams.finish()
    own = spool.counts["conversations"]
    assert own == (len(expected["conversations"]) + 1 if early else 0)
    before.join(spool)
    asked = before.close().ask("SELECT conversation AS n FROM conversations")
    numbers = list(range(0, 2 * len(expected["conversations"]), 2))
    assert [row.n for row in asked] == [1, *([-2] if early else []), *numbers]


def test_it_finds_by_itself_what_it_finds_beside_the_other_side(tmp_path) -> None:
    frames = many(3, 80, disturbed=0.4)
    other = f.ether(f.NURSE, f.SERVER, f.udp("10.0.0.5", 999, "10.0.0.2", 53, b"x"))
    path = write(tmp_path / "a.pcap", [(other, None), *frames, (other, None)])
    expected, _ = observed(path, tmp_path / "key")
    spool, places = Spool(), Places()
    streams = Streams(spool, Secrets(tmp_path / "key"), places, Reassembly())
    with open_capture(path) as reader:
        for given in decoded(reader, headers.Events(), threads=1):
            places.take(given.block, given.columns, given.interfaces, headers.TUNNELS)
            streams.take(given.block, given.columns)
    streams.finish()
    tables = spool.close()
    assert tables.rows("tls") == len(expected["tls"]) > 20
    assert tables.rows("http") == len(expected["http"])
    numbers = [row.n for row in tables.ask("SELECT conversation AS n FROM conversations")]
    assert numbers == list(range(0, 2 * len(numbers), 2))
    assert len(numbers) == len(expected["conversations"]) - 1
    assert streams.parser_calls > 0


def hesitating(seed):
    return many(seed, 150, 0.5, (1460, 60, 3), scripts=(*[hesitant] * 20, *SCRIPTS))


@pytest.mark.parametrize("seed", range(4))
def test_who_says_one_word_is_not_followed_and_every_table_is_the_same(
    seed, tmp_path, monkeypatch
) -> None:
    path = write(tmp_path / "a.pcap", hesitating(seed))
    waited, went_on = [], []
    keep, go_on = sessions.Sessions.wait_for_more, sessions.Sessions.go_on_behind

    def kept(self, conversation, word):
        waited.append(conversation)
        keep(self, conversation, word)

    def gone_on(self, conversation, where):
        went_on.append(conversation)
        return go_on(self, conversation, where)

    monkeypatch.setattr(sessions.Sessions, "wait_for_more", kept)
    monkeypatch.setattr(sessions.Sessions, "go_on_behind", gone_on)
    found, seen = observed(path, tmp_path / "key", 0)
    assert len(waited) > 30 and 10 < len(went_on) <= len(waited)
    sides = seen.sides.streams.sessions
    assert not sides.words() and sides._buffered == 0
    monkeypatch.setattr(streams, "shows_nothing", lambda word, ports: False)
    waited.clear()
    expected, _ = observed(path, tmp_path / "key", 0)
    assert not waited
    assert found == expected


def test_a_first_word_that_ftp_has_agreed_upon_is_read(tmp_path) -> None:
    """A data connection to where a PORT command said; its first word shows nothing."""
    client, server = ("10.0.0.5", 40_000), ("10.0.0.9", 21)
    agreed = (
        (1, b"220 x FTP\r\n"),
        (0, b"PORT 10,0,0,5,200,1\r\n"),
        (1, b"200 Port command okay\r\n"),
    )
    said = ((client, server, agreed), (("10.0.0.9", 20), ("10.0.0.5", 51_201), ((0, b"here"),)))
    frames = []
    for here, there, words in said:
        ends, at = ((*here, *there), (*there, *here)), [101, 501]
        for side, flags, seq, ack in ((0, "S", 100, 0), (1, "SA", 500, 101)):
            frames.append(f.tcp(*ends[side], b"", flags, seq, ack))
        for side, word in words:
            frames.append(f.tcp(*ends[side], word, "PA", at[side], at[1 - side]))
            at[side] += len(word)
    path = write(tmp_path / "a.pcap", [(f.ether(f.NURSE, f.SERVER, p), None) for p in frames])
    tables, _ = observed(path, tmp_path / "key")
    assert len(tables["conversations"]) == 2
    assert [row for row in tables["conversations"] if '"ftp-data"' in row]


def test_frames_are_what_dpkt_writes() -> None:
    chance = random.Random(5)
    for _ in range(300):
        src, dst = (f"10.{chance.randrange(256)}.0.{chance.randrange(256)}" for _ in "sd")
        sport, dport = chance.randrange(1 << 16), chance.randrange(1 << 16)
        data = bytes(chance.choices((0, 0, 255, 7), k=chance.choice((0, 1, 2, 3, 40, 41, 1460))))
        ident, ttl = chance.randrange(1 << 16), chance.randrange(256)
        ends = {"src": socket.inet_aton(src), "dst": socket.inet_aton(dst), "id": ident, "ttl": ttl}
        seq, ack = chance.randrange(1 << 32), chance.randrange(1 << 32)
        flags = chance.choice(("S", "SA", "A", "PA", "FA", "R", "RA"))
        bits = sum(1 << "FSRPA".index(flag) for flag in flags)
        even = data[: len(data) // 2 * 2]
        # a word that makes the checksum zero, which UDP sends as all ones
        zero = even + f.tcp(src, sport, dst, dport, even + bytes(2), flags, seq, ack)[36:38]
        assert f.tcp(src, sport, dst, dport, zero, flags, seq, ack)[36:38] == bytes(2)
        for last in (data, zero):
            told = dpkt.tcp.TCP(sport=sport, dport=dport, seq=seq, ack=ack, flags=bits, win=8192)
            told.data = last
            mine = f.tcp(src, sport, dst, dport, last, flags, seq, ack, ttl=ttl, ident=ident)
            assert mine == bytes(dpkt.ip.IP(**ends, p=6, data=told, len=40 + len(last)))
        zero = even + f.udp(src, sport, dst, dport, even + bytes(2))[26:28]
        assert f.udp(src, sport, dst, dport, zero)[26:28] == b"\xff\xff"
        for last in (data, zero):
            told = dpkt.udp.UDP(sport=sport, dport=dport, ulen=8 + len(last), data=last)
            mine = f.udp(src, sport, dst, dport, last, ttl=ttl, ident=ident)
            assert mine == bytes(dpkt.ip.IP(**ends, p=17, data=told, len=28 + len(last)))
        mine = f.ip4(src, dst, data, 2, ttl=ttl, ident=ident)
        assert mine == bytes(dpkt.ip.IP(**ends, p=2, data=data, len=20 + len(data)))


def typed(words: bytes, size: int) -> list[tuple[int, bytes]]:
    """Words in pieces of so many octets, with their places."""
    return [(at, words[at : at + size]) for at in range(0, len(words), size)]


@pytest.mark.parametrize("size", [1, 3, 16])
@pytest.mark.parametrize("how", ["in order", "its end comes first", "without an end"])
def test_what_ftp_agrees_upon_piece_by_piece_counts_from_the_next_packet_on(
    how, size, tmp_path
) -> None:
    client, server = ("10.0.0.5", 40_000), ("10.0.0.9", 21)
    reply = typed(b"227 Entering Passive Mode (10,0,0,9,200,1)\r\n", size)
    if how == "its end comes first":
        reply[-2:] = reply[:-3:-1]
    if how == "without an end":  # as much as is taken for a line
        reply = typed(b"227 Entering Passive Mode (10,0,0,9,200,1)" + b" " * logins.MAX_LINE, size)
        reply = reply[: logins.MAX_LINE // size + 1]
    ends, first = ((*client, *server), (*server, *client)), [101, 501]
    packets = [f.tcp(*ends[0], b"", "S", 100, 0), f.tcp(*ends[1], b"", "SA", 500, 101)]
    for side, pieces in (
        (1, typed(b"220 x FTP\r\n", 99)),
        (0, typed(b"PASV\r\n", size)),
        (1, reply),
    ):
        for at, piece in pieces:
            packets.append(f.tcp(*ends[side], piece, "PA", first[side] + at, first[1 - side]))
        first[side] += sum(len(piece) for _, piece in pieces)
    data = (("10.0.0.5", 40_001, "10.0.0.9", 51_201), ("10.0.0.9", 51_201, "10.0.0.5", 40_001))
    packets += [f.tcp(*data[0], b"", "S", 100, 0), f.tcp(*data[1], b"", "SA", 500, 101)]
    # A file that looks like what a kernel reads by itself, unless it knows better by then.
    packets.append(f.tcp(*data[0], b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "PA", 101, 501))
    path = write(tmp_path / "a.pcap", [(f.ether(f.NURSE, f.SERVER, p), None) for p in packets])
    tables, _ = observed(path, tmp_path / "key")
    assert len(tables["conversations"]) == 2
    assert [row for row in tables["conversations"] if '"ftp-data"' in row] and not tables["http"]


def test_octets_of_ftp_that_end_no_line_are_told_together(tmp_path, monkeypatch) -> None:
    """And a line's end, a hole, or much of a line ends the list."""
    told = []
    agreeing = logins.Ftp.agreeing

    def noted(self):
        told.append(agreeing(self))
        return told[-1]

    monkeypatch.setattr(logins.Ftp, "agreeing", noted)
    ends = ("10.0.0.5", 40_000, "10.0.0.9", 21), ("10.0.0.9", 21, "10.0.0.5", 40_000)
    packets = [f.tcp(*ends[0], b"", "S", 100, 0), f.tcp(*ends[1], b"", "SA", 500, 101)]
    packets.append(f.tcp(*ends[1], b"220 x FTP\r\n", "PA", 501, 101))
    order = (0, 1, 2, 4, 5, 3)
    packets += [f.tcp(*ends[0], b"USER x"[at : at + 1], "PA", 101 + at, 512) for at in order]
    packets.append(f.tcp(*ends[0], b"x" * (logins.MAX_LINE // 2), "PA", 107, 512))
    path = write(tmp_path / "a.pcap", [(f.ether(f.NURSE, f.SERVER, p), None) for p in packets])
    observed(path, tmp_path / "key")
    # Nobody asks again behind the first three octets of the line.
    assert told == [k.LINES] + [k.ANYTHING] * 2 + [k.LINES, k.ANYTHING]


@pytest.mark.parametrize("seed", range(12))
def test_rows_that_are_told_together_are_read_as_one_by_one(seed, tmp_path, monkeypatch) -> None:
    """With holes, and what FTP agrees upon: the same rows in the same order."""
    waited, lists = [], []
    wait, next_rows = Stream.wait, kernel.next_rows

    def noted(self, *given):
        waited.append(wait(self, *given))
        return waited[-1]

    def listed(*given):
        lists.append(next_rows(*given))
        return lists[-1]

    monkeypatch.setattr(Stream, "wait", noted)
    monkeypatch.setattr(kernel, "next_rows", listed)
    monkeypatch.setattr(sessions, "MAX_FOLLOWED", 4 if seed % 3 else 16_384)
    path = write(tmp_path / "a.pcap", with_holes(seed))
    found, _ = observed(path, tmp_path / "key", arranged=list)
    assert sum(taken >= 0 for taken in waited) > 100
    together = len(lists)
    monkeypatch.setattr(kernel, "AT_ONCE", 1)
    monkeypatch.setattr(Stream, "wait", lambda *given: -1)
    expected, _ = observed(path, tmp_path / "key", arranged=list)
    assert together < 0.7 * (len(lists) - together)
    for table, rows in expected.items():
        assert found[table] == rows, table
    assert len(expected["ftp"]) > 20 and len(expected["logins"]) > 5
    assert [row for row in expected["conversations"] if '"ftp-data"' in row]


def test_a_syn_is_told_behind_what_may_matter_and_read_only_where_it_is_wanted(
    tmp_path, monkeypatch
) -> None:
    """Of a conversation given up before anybody was decided about it, nobody wants another SYN."""
    monkeypatch.setattr(sessions, "MAX_FOLLOWED", 1)
    packets = []

    def say(port, side, flags, seq, ack, words=b""):
        ends = ("10.0.0.5", port, "10.0.0.9", 9_000)
        packets.append(f.tcp(*(ends[2:] + ends[:2] if side else ends), words, flags, seq, ack))

    for port in (1_001, 1_002):
        say(port, 0, "S", 100, 0)
        say(port, 1, "SA", 500, 101)
    for port in (1_001, 1_002):
        say(port, 1, "PA", 501, 101, b"x")
    say(1_002, 1, "PA", 502, 101, b"y")
    say(1_001, 0, "S", 100, 0)
    say(1_001, 1, "PA", 502, 101, b"SSH-2.0-Ward\r\n")
    path = write(tmp_path / "a.pcap", [(f.ether(f.NURSE, f.SERVER, p), None) for p in packets])
    tables, observer = observed(path, tmp_path / "key")
    assert observer.sides.streams.sessions.evicted == 1
    assert not [row for row in tables["conversations"] if '"ssh"' in row] and not tables["banners"]
