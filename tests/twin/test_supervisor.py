"""Restarts wait longer and longer, and a stalled head is stopped by somebody else."""

import os
import select
import subprocess
import sys
import threading
from pathlib import Path
from random import Random

import pytest

from wardwatch.twin.supervisor import HEALTHY_S, PATIENCE_S, Backoff, Gate, watch


def test_c14_restarts_wait_1_to_60_s_with_jitter() -> None:
    found = []
    for seed in range(50):
        backoff = Backoff(Random(seed))
        found.append([backoff.failed() for _ in range(12)])
    for n, waits in enumerate(zip(*found, strict=True)):
        longest = min(2.0**n, 60)
        assert max(longest / 2, 1) <= min(waits) <= max(waits) <= longest
        assert n == 0 or len(set(waits)) == 50


def test_c14_the_first_restart_is_at_once_and_health_begins_anew() -> None:
    backoff = Backoff(Random(1), at_once=True)
    assert backoff.failed() == 0
    assert backoff.failed() == 1
    assert backoff.failed() > 1 - 1e-9
    assert backoff.failed(HEALTHY_S) == 0
    backoff.failed()
    backoff.healthy()
    assert backoff.failed() == 0


class Watched:
    """A watchdog in a thread, its head played by the test."""

    def __init__(self, patience_s: float) -> None:
        self.gate = Gate()
        self.read, self.beat = os.pipe()
        self.heard, told = os.pipe()
        self.thread = threading.Thread(
            target=watch, args=(self.read, self.gate, told, patience_s), daemon=True
        )
        self.thread.start()
        self.told = told

    def close(self) -> None:
        os.close(self.beat)
        self.thread.join(10)
        assert not self.thread.is_alive()
        for end in (self.read, self.heard, self.told):
            os.close(end)


def test_t24_silence_closes_the_gate_and_announces_high_once() -> None:
    one = Watched(0.05)
    os.write(one.beat, b".")
    word, at = os.read(one.heard, 100).split()
    assert word == b"HIGH"
    assert one.gate.closed_at == int(at)
    assert not select.select([one.heard], [], [], 0.2)[0]
    one.gate.open()
    os.write(one.beat, b".")
    assert os.read(one.heard, 100).startswith(b"HIGH")
    one.close()


def test_t24_a_head_that_beats_is_left_alone() -> None:
    one = Watched(5.0)
    for _ in range(50):
        os.write(one.beat, b".")
    one.close()
    assert one.gate.closed_at == 0
    assert PATIENCE_S == 0.25


SHARED = """
import os, signal
from wardwatch.twin.supervisor import Gate
gate = Gate()
pid = os.fork()
if pid == 0:
    gate.close(42)
    os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(pid, 0)
print(gate.closed_at)
gate.open()
print(gate.closed_at)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_t24_the_gate_is_shared_by_processes() -> None:
    here = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    ran = subprocess.run(
        [sys.executable, "-c", SHARED], env=here, capture_output=True, text=True, check=True
    )
    assert ran.stdout.split() == ["42", "0"]
