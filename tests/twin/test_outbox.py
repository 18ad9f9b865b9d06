"""The outbox keeps a day, in order, through a kill -9, and takes what the head said once."""

import gc
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from wardwatch.twin import outbox
from wardwatch.twin.outbox import Outbox


@pytest.fixture
def box(tmp_path: Path):
    made = Outbox(tmp_path / "outbox.db")
    yield made
    made.close()


def test_entries_wait_in_order_with_the_stamps_they_had(box: Outbox) -> None:
    for n in range(5):
        assert box.put(1000 + n, "event", bytes([n])) == n + 1
    assert [(e.seq, e.stamp, e.body) for e in box.waiting()] == [
        (n + 1, 1000 + n, bytes([n])) for n in range(5)
    ]
    assert [e.seq for e in box.waiting(2, after=1)] == [2, 3]
    box.taken(2)
    assert [e.seq for e in box.waiting()] == [1, 3, 4, 5]


def test_a_sequence_number_is_never_used_twice(box: Outbox, tmp_path: Path) -> None:
    seq = box.put(0, "event", b"")
    box.taken(seq)
    again = Outbox(tmp_path / "outbox.db")
    assert again.put(0, "event", b"") == seq + 1
    again.close()


def test_what_the_head_said_is_kept_once(box: Outbox) -> None:
    assert box.put(0, "event", b"a", number=7) == 1
    assert box.put(0, "event", b"a", number=7) == 0
    assert box.put(0, "alarm", b"b", number=6) == 0
    assert box.put(0, "alarm", b"c", number=8) == 2
    assert (box.heard, len(box)) == (8, 2)


def test_c15_a_day_at_the_shortest_interval_fits_and_beyond_the_oldest_goes(
    box: Outbox, monkeypatch
) -> None:
    assert outbox.KEEP >= 24 * 3600 / 5 + 24 * 60
    monkeypatch.setattr(outbox, "KEEP", 10)
    for n in range(14):
        box.put(n, "status", b"")
    assert [e.stamp for e in box.waiting()] == list(range(4, 14))
    assert box.dropped == 4


WRITER = """
import sys
from wardwatch.twin.outbox import Outbox
box = Outbox(sys.argv[1])
n = 0
while True:
    n += 1
    box.put(n, "event", b"x", number=n)
    print(n, flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_c15_what_was_kept_is_there_after_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    here = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, env=here
    ) as process:
        assert process.stdout is not None
        said = 0
        while said < 200:
            said = int(process.stdout.readline())
        process.kill()
        said = int((process.stdout.read().split() or [said])[-1])
    box = Outbox(path)
    found = box.waiting(100_000)
    assert len(found) >= said
    assert [e.stamp for e in found] == list(range(1, len(found) + 1))
    assert box.heard == len(found)
    box.close()


def test_what_nobody_closed_is_closed_with_it(tmp_path) -> None:
    box = Outbox(tmp_path / "outbox.db")
    database = box._db
    del box
    gc.collect()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        database.execute("SELECT 1")
