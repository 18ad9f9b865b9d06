"""wardwatch.observe.apart: with one process or two, every table is the same, row after row."""

import gc
import gzip
import os
import random
import signal
import threading
import time

import pytest
from bench.mix import write as write_mix
from tests.conversations import many
from tests.observe import frames as f
from tests.observe.test_young import write
from tests.shared import CAPTURES, needs_shared

from wardwatch.errors import CaptureError
from wardwatch.model.columns import TABLES
from wardwatch.observe import apart, engine, side, tables
from wardwatch.observe.engine import observe


def rows(paths, key, processes, **more):
    """Every table, its rows in their order, and what else was told."""
    seen = observe(paths, key_file=key, processes=processes, **more)
    told = (seen.packets, seen.decoded, seen.skipped, seen.malformed, seen.damaged)
    found = {table.name: seen.tables.arrow(table.name).to_pylist() for table in TABLES}
    counts = {name: seen.tables.rows(name) for name in found}
    assert counts == {name: len(found[name]) for name in found}
    refused = [str(error) for error in seen.refused]
    return found, (*told, seen.parser_calls, seen.key_note, refused)


def same(paths, tmp_path, **more):
    """What one process finds, having seen that two find the same."""
    alone = rows(paths, tmp_path / "key", 1, **more)
    assert rows(paths, tmp_path / "key", 2, **more) == alone
    return alone


@pytest.fixture
def twice(monkeypatch):
    """Fails where the second process was lost and all was done again."""

    def lost(text):
        raise AssertionError(text)

    monkeypatch.setattr(apart, "Lost", lost)


@pytest.fixture(scope="module")
def mix(tmp_path_factory):
    path = tmp_path_factory.mktemp("apart") / "mix.pcap"
    write_mix(path, 6, seed=8)
    return path


@pytest.mark.usefixtures("twice")
def test_a_mix_gives_the_same_tables(mix, tmp_path) -> None:
    found, told = same([mix], tmp_path)
    assert told[0] > 10_000
    assert all(found[name] for name in ("conversations", "tls", "http", "dns", "dhcp", "arp"))
    numbers = [row["conversation"] for row in found["conversations"]]
    assert len(set(numbers)) == len(numbers)
    assert {(row["proto"] == "tcp", row["conversation"] % 2) for row in found["conversations"]} == {
        (True, 0),
        (False, 1),
    }


@pytest.mark.usefixtures("twice")
@pytest.mark.parametrize("seed", range(3))
def test_disturbed_packed_cut_and_several_captures_too(seed, tmp_path) -> None:
    frames = many(seed, 150, disturbed=0.6, largest=(1460, 400, 60))
    plain = write(tmp_path / "a.pcap", frames)
    packed = tmp_path / "b.pcap.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    cut = tmp_path / "c.pcap"
    cut.write_bytes(plain.read_bytes()[:-7])
    none = tmp_path / "none.pcap"
    none.write_bytes(b"%PDF-1.7 no capture")
    _, told = same([plain, none, packed, cut], tmp_path, idle_s=0.05)
    assert told[4]  # damaged
    assert len(told[-1]) == 1


@needs_shared
@pytest.mark.usefixtures("twice")
def test_every_shared_capture_gives_the_same_tables(tmp_path) -> None:
    known = (".pcap", ".pcapng", ".cap")
    paths = sorted(p for p in CAPTURES.rglob("*") if p.suffix in known and p.is_file())
    assert len(paths) > 100
    dice = random.Random(11)
    for path in dice.sample(paths, 40):
        same([path], tmp_path)
    same(dice.sample(paths, 8), tmp_path)


@pytest.fixture
def little(monkeypatch):
    """Tables go to disk early."""
    monkeypatch.setattr(tables, "FLUSH_ROWS", 20)
    monkeypatch.setattr(tables, "GATHER_ROWS", 5)


@pytest.mark.usefixtures("twice")
def test_tables_that_went_to_disk_come_behind_each_other(mix, tmp_path, request) -> None:
    in_memory, _ = rows([mix], tmp_path / "key", 1)
    request.getfixturevalue("little")
    assert same([mix], tmp_path)[0] == in_memory
    seen = observe([mix], key_file=tmp_path / "key", processes=2)
    assert len(seen.tables._files["conversations"]) == 2
    assert len(seen.tables._files["dns"]) == 1
    for name in ("conversations", "tls", "dns"):
        (row,) = seen.tables.ask(f"SELECT count(*) AS n, max(conversation) AS last FROM {name}")
        assert row.n == seen.tables.rows(name) == len(in_memory[name])
        assert row.last == max(row["conversation"] for row in in_memory[name])


@pytest.mark.usefixtures("twice")
@pytest.mark.usefixtures("little")
def test_a_folder_gets_one_file_a_table(mix, tmp_path) -> None:
    for processes in (1, 2):
        out = tmp_path / f"out{processes}"
        observe([mix], out=out, key_file=tmp_path / "key", processes=processes)
        assert sorted(path.stem for path in out.iterdir()) == sorted(t.name for t in TABLES)
    for table in TABLES:
        one, two = (
            tables.Tables(tmp_path / f"out{n}").arrow(table.name).to_pylist() for n in (1, 2)
        )
        assert one == two


@pytest.mark.usefixtures("twice")
def test_what_was_given_up_is_told_of_its_capture(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(side, "MOST_CONVERSATIONS", 64)
    crowd = [
        (n, f.ether(f.NURSE, f.PUMP, f.tcp("10.0.0.5", 1000 + n, "10.0.0.41", 21, flags="S")))
        for n in range(200)
    ]
    paths = [f.pcap(tmp_path / "a.pcap", crowd), f.pcap(tmp_path / "b.pcap", crowd[-1:])]
    found, _ = same(paths, tmp_path)
    assert [row["evicted"] > 0 for row in found["captures"]] == [True, False]


def test_who_is_lost_is_done_without(mix, tmp_path, monkeypatch) -> None:
    expected = rows([mix], tmp_path / "key", 1)
    inner, ended = apart.Apart.join, []

    def end_it(self, packets):
        os.kill(self._child, signal.SIGKILL)
        ended.append(self._child)
        return inner(self, packets)

    monkeypatch.setattr(apart.Apart, "join", end_it)
    assert rows([mix], tmp_path / "key", 2) == expected
    assert len(ended) == 1
    monkeypatch.setattr(tables, "FLUSH_ROWS", 20)  # what was on disk already is written over
    seen = observe([mix], out=tmp_path / "out", key_file=tmp_path / "key", processes=2)
    gc.collect()
    for name, its in expected[0].items():
        assert seen.tables.arrow(name).to_pylist() == its
    with pytest.raises(ChildProcessError):
        os.waitpid(ended[0], os.WNOHANG)


def test_what_goes_wrong_there_is_met_here(mix, tmp_path, monkeypatch) -> None:
    def broken(*given):
        raise MemoryError("no room")

    expected = rows([mix], tmp_path / "key", 1)
    monkeypatch.setattr(apart, "_streams", broken)
    assert rows([mix], tmp_path / "key", 2) == expected


def test_a_file_that_grows_meanwhile_is_read_by_one(tmp_path, monkeypatch) -> None:
    frames = many(4, 60)
    path = write(tmp_path / "a.pcap", frames)
    whole = path.read_bytes()
    expected = rows([path], tmp_path / "key", 1)
    path.write_bytes(whole[: len(whole) // 2])
    inner, grown = engine.closing, []

    def grow(other):
        os.waitid(os.P_PID, other._child, os.WEXITED | os.WNOWAIT)
        path.write_bytes(whole)
        grown.append(other)
        return inner(other)

    monkeypatch.setattr(engine, "closing", grow)
    assert rows([path], tmp_path / "key", 2) == expected
    assert grown


def test_no_file_can_be_read(tmp_path) -> None:
    none = tmp_path / "none.pcap"
    none.write_bytes(b"%PDF-1.7 no capture")
    with pytest.raises(CaptureError, match="PDF"):
        observe([none], key_file=tmp_path / "key", processes=2)


def test_it_is_worth_it_for_long_plain_files_and_two_cores(mix, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(apart, "cores", lambda: 2)
    monkeypatch.setattr(apart.sys, "platform", "linux")
    assert not apart.is_worth_it([str(mix)])
    monkeypatch.setattr(apart, "WORTH_BYTES", mix.stat().st_size + 1)
    assert not apart.is_worth_it([str(mix)])
    assert apart.is_worth_it([str(mix), str(mix), str(tmp_path / "absent")])
    packed = tmp_path / "a.gz"
    packed.write_bytes(gzip.compress(b"x"))
    assert not apart.is_worth_it([str(mix), str(mix), str(packed)])
    assert not apart.is_worth_it([str(mix), str(mix), "-"])
    assert not apart.is_worth_it([str(mix), str(mix), os.devnull])
    monkeypatch.setattr(apart, "cores", lambda: 1)
    assert not apart.is_worth_it([str(mix), str(mix)])


def test_nothing_stays_behind(mix, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(tables.tempfile, "tempdir", str(tmp_path / "t"))
    (tmp_path / "t").mkdir()
    seen = observe([mix], key_file=tmp_path / "key", processes=2)
    assert seen.tables.rows("conversations")
    del seen
    gc.collect()
    assert list((tmp_path / "t").iterdir()) == []
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_what_is_to_be_done_meanwhile_is_done_by_the_end(mix, tmp_path) -> None:
    before = rows([mix], tmp_path / "key", 2)
    done = []

    def load() -> None:
        time.sleep(0.3)
        done.append(threading.current_thread())

    assert rows([mix], tmp_path / "key", 2, meanwhile=load) == before
    assert len(done) == 1
    assert done[0] is not threading.current_thread()
    assert not done[0].is_alive()
    assert rows([mix], tmp_path / "key", 1, meanwhile=load) == before
    assert len(done) == 1
