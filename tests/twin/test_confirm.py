"""Real processes: what is done to communications leaves what the head gave and announced alone.

Lateness is reported and not judged: no test here depends on how fast this machine is.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from wardwatch.twin import confirm, therapy

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")


HERE = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}


def run(*words: str) -> list[dict]:
    """A process without threads does the forking, and this one reads what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "wardwatch.twin.confirm", *words],
        capture_output=True, timeout=120, check=False, env=HERE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_s9_i1_with_real_processes_killed_stopped_and_forging() -> None:
    faults = ("kill", "stop", "forged")
    runs = run("--seconds", "2", *(word for fault in faults for word in ("--fault", fault)))
    assert [one["fault"] for one in runs] == list(faults)
    for one in runs:
        assert one["steps_off"] <= 1
        assert one["given_nl"] == one["expected_nl"] > 10_000
        assert one["delivered_equal"]
        assert one["alarms_equal"]
        assert one["log_whole"]
        assert one["violations"] == 0
    assert runs[0]["kills"] > 0
    assert runs[2]["dropped"] > 0


KILLED = """
import sys
from pathlib import Path
from wardwatch.twin import confirm, therapy
records = confirm.killed_head(0.5, Path(sys.argv[1]))
print(len(records), therapy.chained(records), therapy.chained(records[1:]))
"""


def test_t28_the_log_on_disk_survives_the_kill_of_its_own_head(tmp_path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "log")],
        capture_output=True, timeout=60, check=True, env=HERE,
    )  # fmt: skip
    count, whole, cut = done.stdout.split()
    assert int(count) >= 4
    assert (whole, cut) == (b"True", b"False")


def test_a_line_cut_off_is_left_out(tmp_path) -> None:
    log = tmp_path / "log"
    record = therapy.Record(0, 5, "power on", b"x")
    line = confirm.msgspec.json.encode(record) + b"\n"
    log.write_bytes(line + line[:-9])
    assert confirm.logged(log) == [record]
    log.write_bytes(b"")
    assert confirm.logged(log) == []


def test_the_script_ends_in_an_occlusion_that_is_announced() -> None:
    truth = confirm.virtual(2)
    assert truth.sounds[-1].alarm is therapy.Alarm.OCCLUSION
    assert 10**9 < truth.sounds[-1].at < 2 * 10**9
    assert truth.core.phase is therapy.Phase.STOPPED
