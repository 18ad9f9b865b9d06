"""wardwatch.observe.ahead and apart: one thread, two, or another process: the rows are the same."""

import gzip
import os
import subprocess
import threading

from tests.conversations import many
from tests.observe.blocks import Nowhere, forks
from tests.observe.test_young import observed, write

from wardwatch.capture import open_capture
from wardwatch.capture.write import PcapngWriter
from wardwatch.decode.kernels import headers
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
