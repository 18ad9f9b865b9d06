"""The twin's commands say what is assumed, and never that a version is safe."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from wardwatch.twin.live import Bed, Fleet, Page, Picture, Radio, Seen
from wardwatch.ui import twin
from wardwatch.ui.cli import app


def test_profiles_show_every_version_with_its_marks_notices_and_assumptions() -> None:
    shown = CliRunner().invoke(app, ["twin", "profiles"])
    assert shown.exit_code == 0
    for words in ("1.1.2 [P", "1.6.1 [V", "hardened [A", "CVE-2017-12718", "recall of August 2020"):
        assert words in shown.output
    told = json.loads(CliRunner().invoke(app, ["twin", "profiles", "--json"]).output)
    assert list(told) == ["1.1.2", "1.5.0", "1.6.0", "1.6.1", "hardened"]
    assert all(one["assumed"] for one in told.values())
    assert all(told[version]["notices"] for version in ("1.1.2", "1.5.0", "1.6.0", "1.6.1"))
    assert "safe" not in shown.output


# A ward to watch --------------------------------------------------------------------------------


def picture(**more) -> Picture:
    page = Page(
        at=90_000_000_000, phase="stopped by an alarm", rate=0, given_nl=1_234_000,
        delivered_nl=1_100_000, left_nl=500_000, pressure_mmhg=287.0, limit_mmhg=300.0,
        alarms=(("communications lost", 1), ("occlusion", 3)),
    )  # fmt: skip
    radio = Radio("10.77.0.101", True, 2, 17, (), ("server certificate refused: " + "x" * 200,))
    bed = Bed(
        "pump-1", "M000042", "1.6.0", page, radio, 3, (0.0, 150.0, 300.0, 600.0),
        ("HIGH 1", "HIGH 2"), (("CVE-2017-12720", "LIST without login" + "y" * 100),),
    )  # fmt: skip
    seen = Seen("M000042", 40, 2, 5, 8, 3, 1, 2, "pending until the next patient")
    return Picture("namespaces", 91.0, (bed,), Fleet((seen,), 1, 1), **more)


def drawn(one: Picture, columns: int = 80) -> list[str]:
    screen = Console(width=columns, file=io.StringIO(), legacy_windows=False)
    screen.print(twin._page(one))
    return screen.file.getvalue().splitlines()


def test_the_page_fits_80_columns_and_shows_what_a_nurse_would_ask() -> None:
    more = {"peers": ("dnsmasq",) * 30, "missing": ("nft",), "packets": 999,
            "doors": {"bench": "/proc/4194304/fd/11"}}  # fmt: skip
    lines = drawn(picture(**more))
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    for words in (
        "not a medical device", "pump-1 M000042 1.6.0  stopped by an alarm",
        "given 1.234 mL, at the vein 1.100 mL, left 0.500 mL", "287 of 300 mmHg", "| ▄██|",
        "HIGH occlusion, low communications lost",
        "10.77.0.101, connected, 17 waiting, 3 restarts", "stopped the motor 2 times",
        "CVE-2017-12720 LIST without login", "server certificate refused",
        "1 pumps, 40 reports (5 late, 2 twice), 1 refused",
        "M000042 pending until the next patient", "missing nft", "999 packets",
        "nsenter --net=/proc/4194304/fd/11",
    ):  # fmt: skip
        assert words in text, words


def test_a_ward_that_has_not_begun_is_shown_too() -> None:
    lines = drawn(Picture("loopback (asked for)", 0.0, (Bed("pump-1", "M1", "1.6.0"),)), 60)
    assert max(map(len, lines)) <= 60
    assert any("no address ()" in line for line in lines)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--pumps", "0"], "1 to 16 pumps"), (["--pumps", "17"], "1 to 16 pumps"),
        (["--version", "1.7.0"], "no version '1.7.0'"), (["--seconds", "0"], "1 to 86400 s"),
        (["--loopback", "--capture", "x.pcapng"], "no mirror port on loopback"),
        (["--loopback", "--rogue", "--impostor"], "no second DHCP server, no impostor on loopback"),
        (["--loopback", "--over-read"], "no over-reading resolver on loopback"),
        (["--loopback", "--roam", "2"], "no walks on loopback"),
    ],
)  # fmt: skip
def test_what_cannot_be_run_is_said_in_one_line(words: list[str], why: str, tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("SEQPACKET pairs are Linux's")
    ran = subprocess.run(
        [sys.executable, "-m", "wardwatch.ui.cli", "twin", "up", *words], cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (ran.returncode, ran.stdout) == (2, "")
    assert why in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="SEQPACKET pairs are Linux's")
@pytest.mark.parametrize("as_json", [False, True])
def test_once_shows_a_page_of_pumps_that_infuse_and_are_heard(as_json: bool) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "wardwatch.ui.cli", "twin", "up", "--once", "--loopback",
         "--pumps", "1", *["--json"] * as_json],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src"), "COLUMNS": "80"},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    if as_json:
        page = json.loads(ran.stdout)
        assert page["beds"][0]["page"]["phase"] == "running"
        assert page["fleet"]["pumps"][0]["reports"] >= 1
    else:
        assert "running" in ran.stdout
        assert max(map(len, ran.stdout.splitlines())) <= 80
