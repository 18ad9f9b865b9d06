"""wardwatch.capture.digest: what is hashed, and what tells a file from what it was."""

import hashlib
import mmap
import os
import time

import numpy as np
import pytest

from wardwatch.capture import digest, open_capture
from wardwatch.capture.digest import Stamp, digest_of, whole_pages


@pytest.fixture
def capture(tmp_path):
    path = tmp_path / "a.pcap"
    path.write_bytes(bytes.fromhex("d4c3b2a1 02000400 00000000 00000000 00000400 01000000"))
    return path


def stamp_of(path):
    with path.open("rb") as file:
        return Stamp.of(file.fileno())


@pytest.mark.parametrize("size", [0, 1, 999, 1_000, 1_001, 5_000])
def test_the_digest_is_that_of_the_whole_file(size, tmp_path, monkeypatch):
    monkeypatch.setattr(digest, "PIECE", 1_000)
    path = tmp_path / "a"
    path.write_bytes(os.urandom(size))
    pieces = []
    found = digest_of(str(path), lambda: pieces.append(1))
    assert found == (stamp_of(path), hashlib.sha256(path.read_bytes()).hexdigest())
    assert found.stamp.size == size
    assert len(pieces) == -(-size // 1_000)


@pytest.mark.parametrize("change", ["longer", "shorter", "other octets", "set back"])
def test_who_is_written_to_meanwhile_has_no_digest(change, tmp_path, monkeypatch):
    monkeypatch.setattr(digest, "PIECE", 1_000)
    path = tmp_path / "a"
    path.write_bytes(bytes(5_000))
    before = path.stat()

    def write():
        with path.open("r+b") as file:
            if change == "longer":
                file.seek(5_000)
                file.write(b"more")
            elif change == "shorter":
                file.truncate(4_000)
            else:
                file.write(b"other")
        if change == "set back":
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert digest_of(str(path), write) is None
    assert digest_of(str(path)) is not None


def test_a_file_written_to_just_now_waits_for_the_next_tick_of_the_clock(capture, monkeypatch):
    slept = []
    monkeypatch.setattr(digest.time, "sleep", slept.append)
    at = capture.stat().st_ctime_ns / 1e9
    for now, tick, expected in (
        (at + 0.005, 0.02, [0.015]),
        (at + 0.5, 0.02, [0.0]),
        (at + 1.0, 2.1, [1.1]),
        (at - 9.0, 0.02, []),  # by a clock ahead of ours
    ):
        slept.clear()
        monkeypatch.setattr(digest, "TICK_S", tick)
        monkeypatch.setattr(digest.time, "time", lambda now=now: now)
        found = digest_of(str(capture))
        assert [round(s, 3) for s in slept] == expected
        assert (found is None) == (not expected)


def test_stamps_without_a_fraction_tick_slower(monkeypatch):
    slept = []
    monkeypatch.setattr(digest.time, "sleep", slept.append)
    monkeypatch.setattr(digest.time, "time", lambda: 101.0)
    assert digest._settled(Stamp(1, 1, 1, 100 * 10**9, 100 * 10**9))
    assert digest._settled(Stamp(1, 1, 1, 100 * 10**9, 100 * 10**9 + 1))
    assert [round(s, 3) for s in slept] == [1.1, 0.0]


def test_what_is_no_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, tmp_path / "none", os.devnull, "a\0b"):
        assert digest_of(str(path)) is None
    reading, writing = os.pipe()
    assert Stamp.of(reading) is None
    os.close(reading)
    os.close(writing)


def test_a_reader_tells_the_same_stamp_unless_the_file_changes_while_it_is_open(capture):
    expected = digest_of(str(capture)).stamp
    with open_capture(capture) as reader:
        reader.hash_not()
        assert list(reader) == []
        assert reader.result.sha256 == ""
    assert reader.stamp == expected
    with open_capture(capture) as reader:
        time.sleep(0.02)
        capture.write_bytes(capture.read_bytes())
        assert list(reader) == []
    assert reader.stamp is None
    with open_capture(capture) as reader:
        assert list(reader) == []
    capture.unlink()
    assert reader.stamp != expected
    assert reader.stamp.inode == expected.inode


@pytest.mark.parametrize("size", [1, 4_096, 1 << 20])
def test_room_to_read_into_begins_with_a_page(size):
    room = whole_pages(size)
    assert len(room) == size
    assert not any(room)
    assert np.frombuffer(room, np.uint8).ctypes.data % mmap.PAGESIZE == 0
    room[-1:] = b"\1"
    assert room[-1] == 1
