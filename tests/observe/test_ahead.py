"""wardwatch.observe.ahead and apart: one thread, two, or another process: the rows are the same."""

import contextlib
import gzip
import os
import signal
import subprocess
import threading

import pytest
from bench.mix import write as write_mix
from tests.conversations import many
from tests.observe.test_young import observed, write

from wardwatch.capture import open_capture
from wardwatch.capture.write import PcapngWriter
from wardwatch.decode.kernels import headers
from wardwatch.errors import InputError
from wardwatch.observe import apart
from wardwatch.observe.ahead import (
    APART,
    APART_AND_BESIDE,
    HASH_BESIDE,
    ONE_THREAD,
    WORTH_PROCESS,
    WORTH_THREAD,
    _way,
    decoded,
)

WAYS = (HASH_BESIDE, APART, APART_AND_BESIDE)
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


class Nowhere:
    """Nobody asks where packets were heard."""

    def __init__(self):
        self.heard = []
        self._news = []

    def take(self, block, columns, interfaces, segment) -> None:
        segment[: block.n] = block.first
        self._news.append(block.first)

    def news(self) -> bytes:
        news, self._news = self._news, []
        return repr(news).encode()

    def hear(self, news) -> None:
        self.heard.append(news.decode())


@pytest.fixture(scope="module")
def capture(tmp_path_factory):
    """Eight megabytes: half a dozen blocks, and as many turns of the arenas."""
    path = tmp_path_factory.mktemp("ahead") / "mix.pcap"
    write_mix(path, 8, seed=5)
    return path


@forks
def test_the_tables_are_the_same(capture, tmp_path) -> None:
    one, observer = observed(capture, tmp_path / "key", way=ONE_THREAD)
    assert observer.packets > 10_000
    for way in WAYS:
        assert observed(capture, tmp_path / "key", way=way)[0] == one


@forks
def test_packed_and_disturbed_captures_too(tmp_path) -> None:
    frames = many(2, 400, disturbed=0.6, largest=(1460, 60))
    plain = write(tmp_path / "a.pcap", frames * 3)
    packed = tmp_path / "a.pcap.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(plain.read_bytes()[:-7])
    tagged = tmp_path / "two.pcapng"
    with PcapngWriter(tagged, ((1, "ward", 0), (1, "icu", 0))) as writer:
        for n, (frame, wire) in enumerate(frames):
            writer.packet(n % 2, (1_700_000_000 + n // 300 * 70) * 10**9 + n, frame, wire)
    for path in (plain, packed, cut, tagged):
        one, _ = observed(path, tmp_path / "key", way=ONE_THREAD)
        for way in WAYS:
            assert observed(path, tmp_path / "key", way=way)[0] == one


@forks
def test_blocks_that_are_out_keep_their_bytes(capture) -> None:
    places = Nowhere()
    with open_capture(capture) as reader:
        for given in decoded(reader, headers.Events(), places, way=APART):
            block = given.block
            kept = [block.arena.copy(), block.offset[: block.n].copy(), given.columns.seq.copy()]
            for _ in range(50):  # time for the reader to go on as far as it may
                threading.Event().wait(0.0002)
                assert (given.segment[: block.n] == block.first).all()
            assert (block.arena == kept[0]).all()
            assert (block.offset[: block.n] == kept[1]).all()
            assert (given.columns.seq == kept[2]).all()
            assert places.heard[-1] == f"[{block.first}]"
        assert reader.result.packets == block.first + block.n - 1
    assert apart.OUTSTANDING >= 2


def children() -> str:
    return subprocess.run(
        ["ps", "--ppid", str(os.getpid()), "-o", "comm="],
        capture_output=True,
        text=True,
        check=False,
    ).stdout


@forks
def test_who_stops_early_leaves_nobody_behind(capture) -> None:
    before = threading.active_count(), children().count("py")
    for way in WAYS:
        with open_capture(capture) as reader:
            blocks = decoded(reader, headers.Events(), Nowhere(), way=way)
            next(blocks)
            blocks.close()
        assert (threading.active_count(), children().count("py")) == before


@forks
def test_who_stops_early_does_not_wait_for_a_pipe_that_never_ends(capture, monkeypatch) -> None:
    reads, writes = os.pipe()
    hung, written = threading.Event(), threading.Event()

    def fill() -> None:
        with contextlib.suppress(BrokenPipeError), os.fdopen(os.dup(writes), "wb") as pipe:
            pipe.write(capture.read_bytes()[:3_000_000])
        written.set()

    threading.Thread(target=fill).start()

    def end() -> None:
        hung.set()
        os.close(writes)

    late = threading.Timer(30, end)
    late.start()
    with os.fdopen(reads, "rb", buffering=0) as stream:
        monkeypatch.setattr("sys.stdin", type("Stdin", (), {"buffer": stream}))
        with open_capture("-") as reader:
            blocks = decoded(reader, headers.Events(), Nowhere(), way=APART)
            assert next(blocks).block.n > 50
            blocks.close()
    late.cancel()
    os.close(writes)
    assert written.wait(30)
    assert not hung.is_set()


@forks
def test_what_goes_wrong_there_is_raised_here(capture, monkeypatch) -> None:
    def broken(*given):
        raise MemoryError("no room")

    monkeypatch.setattr(headers, "decode_block", broken)
    with open_capture(capture) as reader, pytest.raises(MemoryError, match="no room"):
        list(decoded(reader, headers.Events(), Nowhere(), way=APART))


@forks
def test_who_is_ended_from_outside_is_missed_by_name(capture, monkeypatch) -> None:
    def ended(*given):
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(headers, "decode_block", ended)
    with open_capture(capture) as reader, pytest.raises(InputError, match="ended from outside"):
        list(decoded(reader, headers.Events(), Nowhere(), way=APART))


def test_what_pays_depends_on_cores_and_length(monkeypatch) -> None:
    class Reader:
        progress = (0, WORTH_PROCESS)

    cores = "wardwatch.observe.ahead._cores"
    ways = []
    for number, size in ((1, 1 << 40), (2, 100), (2, WORTH_THREAD), (2, WORTH_PROCESS), (8, -1)):
        monkeypatch.setattr(cores, lambda number=number: number)
        Reader.progress = (0, size)
        ways.append(_way(Reader()))
    assert ways == [ONE_THREAD, ONE_THREAD, HASH_BESIDE, APART, APART_AND_BESIDE]
