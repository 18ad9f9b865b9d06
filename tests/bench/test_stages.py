"""bench.stages"""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from bench import mix, stages

if TYPE_CHECKING:
    from pathlib import Path

STAGES = {
    "records, interpreter, the rest",
    "read and SHA-256",
    "headers to columns",
    "segments, stations",
    "copies of mirror and router",
    "conversations",
    "selection of messages",
    "young conversations (TLS, HTTP by kernel)",
    "TLS in rows",
    "account of the capture",
    "messages one by one (TCP, rare datagrams)",
    "DNS, DHCP, ARP in bulk",
    "conversations in words",
    "Parquet",
    "inventory",
    "verdicts, findings, advisories",
    "report",
}


def test_every_stage_of_an_audit_takes_its_time(tmp_path: Path) -> None:
    capture = tmp_path / "mix.pcap"
    with capture.open("wb") as file:
        mix.write(file, 2.5, seed=3)
    ended = subprocess.run(
        [sys.executable, "-m", "bench.stages", "profile", str(capture)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    spent = json.loads(ended.stdout.splitlines()[-1])
    # Tables of so short a capture need not leave memory.
    assert {s for s, kinds in spent.items() if sum(kinds.values()) > 0} | {"Parquet"} == STAGES
    assert all(set(kinds) == set(stages.KINDS) for kinds in spent.values())
    assert spent["read and SHA-256"][stages.READING] > 0
    assert spent["headers to columns"][stages.LOOPS] > 0
    assert spent["verdicts, findings, advisories"][stages.SQL] > 0
    assert spent["TLS in rows"][stages.PYTHON] > 0


class Clock:
    """A clock that a look at it moves on by a second, and work by as much as it says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(stages.time, "process_time", self.look)

    def look(self) -> float:
        self.now += 1.0
        return self.now

    def work(self, seconds: float) -> None:
        self.now += seconds


def test_what_it_takes_to_look_at_the_clock_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    watch = stages.Watch()
    own = SimpleNamespace(idle=lambda: None, work=lambda: clock.work(7.0))
    watch.around(own, "idle", stage="nothing")
    watch.around(own, "work", stage="something")
    watch.begin()
    for _ in range(50):
        own.idle()
    own.work()
    spent = watch.spent()
    assert {
        stage: sum(kinds.values()) for stage, kinds in spent.items() if any(kinds.values())
    } == {"something": pytest.approx(7.0, abs=0.01)}


def test_a_kind_within_a_stage_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    watch = stages.Watch()
    own = SimpleNamespace(loop=lambda: clock.work(5.0))
    watch.around(own, "loop", kind=stages.LOOPS)
    own.stage = lambda: (own.loop(), clock.work(2.0), own.loop())
    watch.around(own, "stage", stage="both")
    watch.begin()
    own.stage()
    assert watch.spent()["both"] == {
        stages.LOOPS: pytest.approx(10.0, abs=0.01),
        stages.PYTHON: pytest.approx(2.0, abs=0.01),
        stages.SQL: 0.0,
        stages.READING: 0.0,
    }
