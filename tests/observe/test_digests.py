"""wardwatch.observe.digests: hashed apart from its reading, and yet the digest of what was read."""

import gzip
import hashlib
import os
import signal
import subprocess
import sys
import textwrap
import time
import weakref

import pytest
from bench.mix import write as write_mix
from tests.patience import until

from wardwatch.capture import open_capture, reader
from wardwatch.capture.digest import digest_of
from wardwatch.observe import digests as module
from wardwatch.observe import engine, later
from wardwatch.observe.digests import Digests, hashed_ahead
from wardwatch.observe.engine import observe
from wardwatch.observe.forks import Lost
from wardwatch.observe.observer import Observer


@pytest.fixture(scope="module")
def mix(tmp_path_factory):
    path = tmp_path_factory.mktemp("digests") / "mix.pcap"
    write_mix(path, 2, seed=4)
    return path


@pytest.fixture
def begun():
    """Digests that are closed at the end, and their process with them."""
    made = []

    def begin(paths):
        made.append(Digests([str(path) for path in paths]))
        return made[-1]

    yield begin
    for one in made:
        child = one._child
        one.close()
        with pytest.raises(ChildProcessError):
            os.waitpid(child, os.WNOHANG)


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def stamp(path):
    with open_capture(path) as opened:
        return opened.stamp


def test_each_file_has_its_own_in_any_order_and_twice(mix, tmp_path, begun):
    other = tmp_path / "other.pcap"
    other.write_bytes(mix.read_bytes()[:5_000])
    digests = begun([mix, other, mix])
    assert digests.of(str(other), stamp(other)) == sha256(other)
    for _ in range(2):
        assert digests.of(str(mix), stamp(mix)) == sha256(mix)


def test_many_more_than_a_pipe_takes(tmp_path, begun):
    paths = [tmp_path / f"{n}" for n in range(1_500)]
    for n, path in enumerate(paths):
        path.write_bytes(b"%d" % n)
    digests = begun(paths)
    for path in reversed(paths):
        assert digests.of(str(path), digest_of(str(path)).stamp) == sha256(path)


def test_another_file_than_was_read_is_lost(mix, tmp_path, begun):
    path = tmp_path / "a.pcap"
    path.write_bytes(mix.read_bytes())
    digests = begun([path, tmp_path / "none"])
    known = stamp(path)
    assert digests.of(str(path), known) == sha256(path)
    for other in (None, known._replace(ctime_ns=known.ctime_ns + 1), stamp(mix)):
        with pytest.raises(Lost):
            digests.of(str(path), other)
    with pytest.raises(Lost):
        digests.of(str(tmp_path / "none"), None)


def test_what_an_ended_process_did_not_hash_is_hashed_here(mix, tmp_path, begun, monkeypatch):
    monkeypatch.setattr(module, "digest_of", lambda path, between: time.sleep(60))
    digests = begun([mix, mix])
    monkeypatch.undo()
    os.kill(digests._child, signal.SIGKILL)
    assert digests.of(str(mix), stamp(mix)) == sha256(mix)


def test_it_waits_while_others_read(mix, tmp_path, begun, monkeypatch):
    log = tmp_path / "log"
    log.touch()

    def steps(path, between):
        while not (tmp_path / "enough").exists():
            between()
            with log.open("ab") as file:
                file.write(b".")
        return digest_of(path, between)

    monkeypatch.setattr(module, "digest_of", steps)
    digests = begun([mix])
    said = lambda: log.stat().st_size  # noqa: E731
    assert until(said)
    for _ in range(3):
        digests.wait()

        def rests():
            before = said()
            time.sleep(0.1)
            return said() == before

        assert until(rests)
        before = said()
        time.sleep(0.3)  # longer than it sleeps between two looks at its caller
        assert said() == before
        digests.go_on()
        assert until(lambda before=before: said() > before)
    digests.wait()
    (tmp_path / "enough").touch()
    assert digests.of(str(mix), stamp(mix)) == sha256(mix)
    digests.wait()  # nobody is there any more
    digests.go_on()


@pytest.mark.parametrize("waiting", ["", ".wait()"])
def test_it_ends_with_its_caller(waiting, mix, tmp_path):
    program = f"""
        import os, time
        from wardwatch.observe import digests
        def slow(path, between):
            while True:
                time.sleep(0.01)
                between()
        digests.digest_of = slow
        begun = digests.Digests(["{mix}"])
        begun{waiting or "._child"}
        print(begun._child, flush=True)
        os._exit(0)
    """
    told = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        check=True,
        capture_output=True,
        timeout=60,
    )
    assert int(told.stdout) > 0  # it has the other end of stdout too: it is gone when that is read


def captures(seen):
    table = seen.tables.arrow("captures").to_pylist()
    return {row["name"]: (row["sha256"], row["stored_bytes"], row["packets"]) for row in table}


@pytest.mark.parametrize("processes", [1, 2])
def test_the_table_has_them_of_damaged_and_packed_files_too(mix, tmp_path, processes):
    whole = mix.read_bytes()
    files = {
        "a.pcap": whole,
        "b.pcap": whole[: len(whole) // 2] + b"\xff" * 60_000 + whole,
        "c.pcap": whole[:-7],
        "d.pcap.gz": gzip.compress(whole[:200_000])[:-100],
    }
    for name, octets in files.items():
        (tmp_path / name).write_bytes(octets)
    (tmp_path / "e.pcap").write_bytes(b"no capture")
    progress: list[tuple[int, int]] = []
    seen = observe(
        [tmp_path / name for name in (*files, "e.pcap")],
        key_file=tmp_path / "key",
        processes=processes,
        progress=lambda *told: progress.append(told),
    )
    assert max(progress)[0] == sum(map(len, files.values()))
    found = captures(seen)
    assert {name: (sha, size) for name, (sha, size, _) in found.items()} == {
        name: (hashlib.sha256(octets).hexdigest(), len(octets)) for name, octets in files.items()
    }
    assert all(packets > 0 for _, _, packets in found.values())
    assert len(seen.refused) == 1


@pytest.mark.parametrize("where", ["before it was read", "behind the cut", "other octets"])
def test_who_writes_meanwhile_has_all_read_and_hashed_again(where, mix, tmp_path, monkeypatch):
    path = tmp_path / "a.pcap"
    whole = mix.read_bytes()
    path.write_bytes(whole)
    monkeypatch.setattr(later, "cuts_of", lambda *_, **__: [later.Cut(1, len(whole) // 2)])
    monkeypatch.setattr(reader, "BLOCK_ROWS", 50)
    digests = Digests([str(path)])
    assert digests.of(str(path), stamp(path)) == sha256(path)
    if where == "before it was read":
        path.write_bytes(whole[:-3_000])
    read, runs = Observer._read, []

    def written(self, opened, tally, progress, between, packets):
        found = read(self, opened, tally, progress, between, packets)
        runs.append(self)
        if len(runs) == 1 and where != "before it was read":
            time.sleep(0.02)
            with path.open("r+b") as file:
                file.seek(-100, 2)
                file.write(bytes(100 if where == "other octets" else 10_000))
        return found

    monkeypatch.setattr(Observer, "_read", written)
    seen = observe([path], key_file=tmp_path / "key", processes=2, digests=digests)
    digests.close()
    assert len(set(runs)) == 2
    assert captures(seen)["a.pcap"][:2] == (sha256(path), path.stat().st_size)


def test_who_has_read_is_gone_while_the_files_are_still_hashed(mix, tmp_path, begun, monkeypatch):
    """What he followed is a third of the memory of a run, and two processes judge behind him."""
    readers = []
    begin = Observer.__init__

    def noted(self, *given, **named):
        readers.append(weakref.ref(self))
        begin(self, *given, **named)

    monkeypatch.setattr(Observer, "__init__", noted)
    digests = begun([mix])
    seen = observe([mix], digests=digests, completed=False)
    assert [one() for one in readers] == [None]
    seen.complete()
    ((told,),) = seen.tables.ask("SELECT sha256 FROM captures")
    assert told == sha256(mix)


def test_nothing_is_hashed_ahead_where_one_process_reads(mix, tmp_path, monkeypatch):
    begun = []
    monkeypatch.setattr(module, "Digests", begun.append)
    with hashed_ahead([str(mix)]) as digests:
        assert digests is None
    monkeypatch.setattr(engine, "closing", begun.append)
    assert observe([mix], key_file=tmp_path / "key", processes=1).packets
    assert begun == []


def test_who_is_stopped_leaves_no_process_behind(mix, monkeypatch):
    monkeypatch.setattr(module, "is_worth_it", lambda paths: True)
    monkeypatch.setattr(module, "digest_of", lambda path, between: time.sleep(60))
    with pytest.raises(KeyboardInterrupt), hashed_ahead([str(mix)]) as digests:
        child = digests._child
        raise KeyboardInterrupt
    with pytest.raises(ChildProcessError):
        os.waitpid(child, os.WNOHANG)
