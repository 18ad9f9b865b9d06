"""A live ward on loopback: it runs, is watched, survives its communications, and leaves nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from wardwatch.twin import live, spaces, therapy
from wardwatch.twin.link import Kind

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="SEQPACKET pairs are Linux's")
HERE = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}


class Running:
    """``wardwatch twin up --json`` and its last page."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.page: dict = {}

    def until(self, condition, pages: int = 120) -> dict:
        """The first page of which it is true; a page comes every second."""
        assert self.process.stdout is not None
        for _ in range(pages):
            line = self.process.stdout.readline()
            assert line, "the ward ended"
            self.page = json.loads(line)
            if condition(self.page):
                return self.page
        raise AssertionError(self.page)


@contextmanager
def running(*words: str, folder: Path) -> Iterator[Running]:
    command = [sys.executable, "-m", "wardwatch.ui.cli", "twin", "up", "--json", *words]
    process = subprocess.Popen(
        command, env=HERE | {"TMPDIR": str(folder)}, stdout=subprocess.PIPE, text=True
    )
    try:
        yield Running(process)
    finally:
        process.terminate()
        process.communicate(timeout=60)


def alive(pids: list[int]) -> list[int]:
    """Of these, those that still run (a zombie has ended)."""
    found = []
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state != "Z":
            found.append(pid)
    return found


def gone(pids: list[int]) -> bool:
    """Whether all of them end: the kernel needs an instant after their parent's end."""
    for _ in range(500):
        if not alive(pids):
            return True
        time.sleep(0.02)
    return False


def heard(page: dict) -> bool:
    return all(
        bed["page"]["phase"] == "running" and bed["radio"]["connected"] for bed in page["beds"]
    )


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_ward_and_nothing_is_left(tmp_path: Path, how: signal.Signals) -> None:
    with running("--loopback", "--pumps", "1", folder=tmp_path) as ward:
        page = ward.until(lambda page: page["fleet"]["pumps"])
        pids = list(page["pids"].values())
        assert {name.partition("/")[2] or name for name in page["pids"]} == {
            "server", "head", "watchdog", "comms",
        }  # fmt: skip
        assert alive(pids) == pids
        assert list(tmp_path.iterdir())
        ward.process.send_signal(how)
        assert ward.process.wait(60) == 0
        assert gone(pids)
    assert list(tmp_path.iterdir()) == []


def test_a_ward_that_is_killed_takes_everybody_with_it(tmp_path: Path) -> None:
    with running("--loopback", "--pumps", "1", folder=tmp_path) as ward:
        pids = list(ward.until(lambda page: page["beds"])["pids"].values())
        ward.process.kill()
        ward.process.wait(60)
        assert gone(pids)


def test_c14_communications_that_are_killed_begin_again_and_report_what_waited(
    tmp_path: Path,
) -> None:
    words = ("--loopback", "--pumps", "1", "--interval", "5", "--boot", "1")
    with running(*words, folder=tmp_path) as ward:
        page = ward.until(heard)
        first = page["pids"]["pump-1/comms"]
        os.kill(first, signal.SIGKILL)
        page = ward.until(lambda page: page["beds"][0]["restarts"] == 1)
        assert page["pids"]["pump-1/comms"] not in (first, -1)
        events = page["fleet"]["pumps"][0]["events"]
        page = ward.until(
            lambda page: heard(page) and page["fleet"]["pumps"][0]["reports"] > events + 3
        )
        bed, pump = page["beds"][0], page["fleet"]["pumps"][0]
        assert bed["page"]["stalls"] == 0 or bed["watchdog"]
        assert pump["events"] >= 1
        assert bed["page"]["given_nl"] > 0


def test_t24_a_head_that_is_stopped_is_announced_and_its_motor_stands(tmp_path: Path) -> None:
    with running("--loopback", "--pumps", "1", folder=tmp_path) as ward:
        page = ward.until(heard)
        head = page["pids"]["pump-1/head"]
        before = len(page["beds"][0]["watchdog"])
        os.kill(head, signal.SIGSTOP)
        page = ward.until(lambda page: len(page["beds"][0]["watchdog"]) > before)
        assert page["beds"][0]["watchdog"][-1].startswith("HIGH ")
        os.kill(head, signal.SIGCONT)
        page = ward.until(lambda page: page["beds"][0]["page"]["stalls"] > 0)
        bed = page["beds"][0]["page"]
        stopped = [alarm for alarm, priority in bed["alarms"] if priority == 3]
        assert (bed["phase"], stopped) == ("stopped by an alarm", ["system failure"])
        page = ward.until(heard)
        assert page["beds"][0]["page"]["steps"] >= bed["steps"]


@pytest.mark.parametrize(
    ("version", "pumps", "violates"), [("1.6.0", 1, True), ("hardened", 2, False)]
)
def test_c17_a_library_reaches_the_pumps_in_stages_and_waits(
    tmp_path: Path, version: str, pumps: int, violates: bool
) -> None:
    words = ("--loopback", "--pumps", str(pumps), "--interval", "5", "--library", "7")
    with running(*words, "--version", version, folder=tmp_path) as ward:
        page = ward.until(
            lambda page: (
                len(page["fleet"]["pumps"]) == pumps
                and all(7 in (p["library"], p["pending"]) for p in page["fleet"]["pumps"])
            )
        )
        assert page["fleet"]["most_at_once"] == 1
        # Unsigned in a historic profile is a labelled violation; hardened has the maker's mark.
        assert {bed["page"]["violations"] > 0 for bed in page["beds"]} == {violates}


def test_a_library_for_a_ward_is_signed_where_there_is_a_key() -> None:
    for key, verifies in ((b"", False), (live.RULES_KEY, True)):
        one = live.release(4, key)
        assert one.signed is bool(key)
        rules = therapy.Rules(verifies=verifies, key=key)
        assert one.offer == therapy.offer(rules, Kind.LIBRARY_COMMIT, 4, one.package)


def test_real_time_and_leaving_the_network_say_whether_they_were_granted() -> None:
    script = (
        "from wardwatch.twin import live; import socket\n"
        "print(live.real_time(5) in (True, False), live.leave_network() in (True, False))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], env=HERE, capture_output=True, text=True, check=True
    )
    assert ran.stdout.split() == ["True", "True"]


def test_a_user_namespace_that_is_refused_ends_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> None:
        raise spaces.SpaceError(1, "a user namespace is not permitted")

    monkeypatch.setattr(spaces, "possible", lambda: "")
    monkeypatch.setattr(spaces, "privileged", lambda: False)
    monkeypatch.setattr(spaces, "own_user", refused)
    with live.Ward(live.Wish(pumps=1, seconds=5)) as ward:
        assert ward.where == "loopback (a user namespace is not permitted)"
        assert ward.spaces == {}
