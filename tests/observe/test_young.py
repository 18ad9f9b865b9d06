"""wardwatch.observe.young: with and without the kernel, the tables are the same."""

import json
import random

import pytest
from tests.conversations import WEB, Segment, frame, many, plain_web, strange, tls12, tls13, web
from tests.shared import CAPTURES, needs_shared

from wardwatch.capture.write import PcapWriter
from wardwatch.decode.kernels import young as k
from wardwatch.model.columns import TABLES
from wardwatch.observe.observer import Observer
from wardwatch.observe.secrets import Secrets
from wardwatch.observe.tables import Spool


def write(path, frames):
    with PcapWriter(path) as file:
        for at, (raw, wire) in enumerate(frames):
            file.packet(1_700_000_000_000_000_000 + at * 1_000_000, raw, wire)
    return path


def observed(path, key, seats=k.SEATS, threads=1, arranged=sorted):
    """Every table's rows, ``arranged``, and the observer that made them."""
    spool = Spool()
    observer = Observer(spool, Secrets(key), seats=seats, threads=threads)
    observer.read(1, str(path), lambda count: None)
    observer.finish()
    observer.captures.write()
    tables = spool.close()
    rows = {
        table.name: arranged(json.dumps(row) for row in tables.arrow(table.name).to_pylist())
        for table in TABLES
    }
    return rows, observer


def same(path, tmp_path, seats=(k.SEATS, 3)):
    expected, _ = observed(path, tmp_path / "key", 0)
    for count in seats:
        found, _ = observed(path, tmp_path / "key", count)
        for table, rows in expected.items():
            assert found[table] == rows, (path.name, table, count)
    return expected


@pytest.mark.parametrize("seed", range(3))
def test_honest_conversations_give_the_same_rows(seed, tmp_path) -> None:
    tables = same(write(tmp_path / "a.pcap", many(seed, 120)), tmp_path)
    assert len(tables["tls"]) > 40
    assert len(tables["certificates"]) > 10


@pytest.mark.parametrize("seed", range(12))
def test_disturbed_conversations_give_the_same_rows(seed, tmp_path) -> None:
    frames = many(seed, 150, disturbed=0.7, largest=(1460, 1460, 400, 61, 7))
    tables = same(write(tmp_path / "a.pcap", frames), tmp_path)
    assert len(tables["tls"]) > 20


def test_handshakes_that_behave_never_reach_python(tmp_path) -> None:
    path = write(tmp_path / "a.pcap", many(5, 200, scripts=(tls12, tls13, strange), ports=(443,)))
    _, without = observed(path, tmp_path / "key", 0)
    _, with_kernel = observed(path, tmp_path / "key", k.SEATS)
    assert len(with_kernel.sides.streams.sessions.shared.services) == len(
        without.sides.streams.sessions.shared.services
    )
    assert with_kernel.sides.streams.young.reread < 0.35 * without.sides.streams.young.reread


def test_a_seat_is_free_again_once_its_conversation_is_done(tmp_path) -> None:
    _, observer = observed(
        write(tmp_path / "a.pcap", many(7, 150, disturbed=0.5)), tmp_path / "key", 64
    )
    seats = observer.sides.streams.young
    assert seats._free[-1] + (seats._seats[1:, k.MODE] == k.UNKNOWN).sum() == 64
    assert len(set(seats._free[: seats._free[-1]].tolist())) == seats._free[-1]


@needs_shared
def test_shared_captures_give_the_same_rows(tmp_path) -> None:
    names = [
        p
        for p in sorted(CAPTURES.iterdir())
        if p.name.startswith(("tls", "http", "ftp", "tcp", "mixed"))
    ]
    assert len(names) > 20
    for path in names:
        same(path, tmp_path, seats=(k.SEATS,))


@pytest.mark.parametrize("seed", range(3))
def test_plain_http_gives_the_same_rows(seed, tmp_path) -> None:
    frames = many(seed, 120, scripts=(plain_web,), largest=(1460, 700), ports=(80, 8080))
    tables = same(write(tmp_path / "a.pcap", frames), tmp_path)
    assert len(tables["http"]) > 300
    assert len(tables["banners"]) > 10


@pytest.mark.parametrize("seed", range(20))
def test_disturbed_http_gives_the_same_rows(seed, tmp_path) -> None:
    frames = many(seed, 150, 0.6, (1460, 1460, 400, 61), scripts=(*WEB, web), ports=(80, 8080, 443))
    tables = same(write(tmp_path / "a.pcap", frames), tmp_path)
    assert len(tables["http"]) > 100
    assert len(tables["anomalies"]) > 5


REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"


def talk(*said, number=1, port=80):
    """Frames of one conversation behind its SYNs; of each segment: side, flags, payload, lost."""
    lot, seqs = [Segment(0, "S", 99, 0), Segment(1, "SA", 499, 100)], [100, 500]
    for side, flags, payload, *lost in said:
        if not lost:
            lot.append(Segment(side, flags, seqs[side], seqs[1 - side], payload))
        seqs[side] += len(payload) + ("F" in flags)
    return [frame(one, number, port) for one in lot]


def test_what_was_acknowledged_and_never_seen_is_missing(tmp_path) -> None:
    lost = [(0, "A", REQUEST), (1, "A", RESPONSE, "lost"), (0, "A", REQUEST)]
    for end in ([], [(0, "RA", b"")], [(1, "R", b"")]):
        tables = same(write(tmp_path / "a.pcap", talk(*lost, *end)), tmp_path)
        (row,) = map(json.loads, tables["conversations"])
        assert row["missed_bytes"] >= len(RESPONSE) - 1, end  # the last number may be a FIN's
        assert (row["service"], len(tables["http"])) == ("http", 2)


def test_a_reset_behind_the_fin_of_its_side_ends_nothing(tmp_path) -> None:
    said = [(0, "A", REQUEST), (1, "A", RESPONSE), (1, "FA", b""), (1, "R", b""), (0, "A", REQUEST)]
    tables = same(write(tmp_path / "a.pcap", talk(*said)), tmp_path)
    assert len(tables["http"]) == 3


def test_what_follows_both_fins_or_a_reset_is_not_read(tmp_path) -> None:
    said = [(0, "A", REQUEST), (1, "A", RESPONSE)]
    for end in ([(1, "FA", b""), (0, "FA", b"")], [(0, "R", b"")]):
        frames = talk(*said, *end, (0, "A", REQUEST))
        assert len(same(write(tmp_path / "a.pcap", frames), tmp_path)["http"]) == 2


AGREED = b"227 Entering Passive Mode (10,0,0,9,195,81)\r\n"


@pytest.mark.parametrize("first", [tls12, strange, lambda _: [("c", REQUEST)]])
def test_what_ftp_agreed_upon_is_none_that_had_begun_before(first, tmp_path) -> None:
    """Whoever read its first word, and however late the kernel gives it up."""
    port = 195 * 256 + 81
    (_, word), *_ = first(random.Random(1))
    begun = talk((0, "A", word), number=2, port=port)
    login = (1, "A", b"220 x FTP\r\n"), (0, "A", b"PASV\r\n"), (1, "A", AGREED)
    then = [(1, "A", RESPONSE), (0, "A", REQUEST)]
    after = talk((1, "A", b"a file\r\n"), number=3, port=port)
    for more in ([], talk((0, "A", word), *then, number=2, port=port)[-2:]):
        frames = [*begun, *talk(*login, number=9, port=21), *more, *after]
        tables = same(write(tmp_path / "a.pcap", frames), tmp_path)
        told = [json.loads(row) for row in tables["conversations"]]
        services = {row["orig_h"]: row["service"] for row in told}
        assert "ftp-data" not in services["10.1.0.2"]
        assert services["10.1.0.3"] == "ftp-data"


def test_http_that_behaves_never_reaches_python(tmp_path) -> None:
    frames = many(5, 200, scripts=(plain_web,), largest=(20_000,), ports=(80,))
    path = write(tmp_path / "a.pcap", frames)
    _, without = observed(path, tmp_path / "key", 0)
    _, with_kernel = observed(path, tmp_path / "key", k.SEATS)
    assert with_kernel.sides.streams.young.reread < 0.2 * without.sides.streams.young.reread
