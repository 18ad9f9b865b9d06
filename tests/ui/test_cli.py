"""wardwatch.ui.cli"""

import errno
import json
import os
import stat
import struct
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
import typer

from wardwatch.observe import digests, forks
from wardwatch.ui import cli
from wardwatch.ui.cli import printable

BROADCAST, CLIENT, SERVER = (
    b"\xff" * 6,
    bytes.fromhex("001a01000041"),
    bytes.fromhex("000c29000001"),
)


def wardwatch(
    *arguments: object, stdin: bytes = b"", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """Run the command as a person would, in a process of its own."""
    keep = {
        k: v
        for k, v in os.environ.items()
        if k in ("PATH", "HOME", "NUMBA_CACHE_DIR", "XDG_STATE_HOME")
    }
    return subprocess.run(
        [sys.executable, "-m", "wardwatch.ui.cli", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        check=False,
        env={**keep, "COLUMNS": "100", **environment},
    )


def arp_capture(name: bytes = b"") -> bytes:
    """A pcap of one ARP request, by hand."""
    arp = struct.pack(
        "!HHBBH6s4s6s4s",
        1,
        0x0800,
        6,
        4,
        1,
        CLIENT,
        b"\x0a\x00\x00\x09",
        b"\0" * 6,
        b"\x0a\x00\x00\x01",
    )
    frame = BROADCAST + CLIENT + b"\x08\x06" + arp + b"\0" * 18
    return (
        struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
        + struct.pack("<IIII", 1_800_000_000, 5, len(frame), len(frame))
        + frame
    )


@pytest.fixture
def state(tmp_path: Path) -> dict[str, str]:
    return {"XDG_STATE_HOME": str(tmp_path / "state")}


def test_a_missing_file_is_one_line_and_status_two(tmp_path: Path, state) -> None:
    ran = wardwatch("audit", tmp_path / "gone.pcap", **state)
    assert ran.returncode == 2
    assert ran.stdout == b""
    assert len(ran.stderr.decode().strip().splitlines()) == 1
    assert b"gone.pcap" in ran.stderr


def test_a_file_that_is_no_capture_is_refused_with_a_remedy(tmp_path: Path, state) -> None:
    (tmp_path / "notes.txt").write_text("these are notes\n" * 20)
    ran = wardwatch("audit", tmp_path / "notes.txt", **state)
    assert ran.returncode == 2
    assert len(ran.stderr.decode().strip().splitlines()) == 1
    assert b"Traceback" not in ran.stderr


def test_an_unknown_table_lists_those_there_are(tmp_path: Path, state) -> None:
    (tmp_path / "a.pcap").write_bytes(arp_capture())
    ran = wardwatch("evidence", tmp_path / "a.pcap", "--table", "nope", **state)
    assert ran.returncode == 2
    assert b"conversations" in ran.stderr


def test_a_tiny_capture_could_not_tell_and_says_so(tmp_path: Path, state) -> None:
    (tmp_path / "a.pcap").write_bytes(arp_capture())
    out = tmp_path / "out"
    ran = wardwatch("audit", tmp_path / "a.pcap", "--out", out, **state)
    assert ran.returncode == 3, ran.stderr
    assert b"COULD NOT TELL" in ran.stdout
    assert {p.name for p in out.iterdir()} == {"report.html", "report.json", "evidence"}
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    report = json.loads((out / "report.json").read_bytes())
    assert (report["captures"][0]["packets"], report["captures"][0]["decoded"]) == (1, 1)


def test_json_is_what_the_file_holds_whatever_a_terminal_can_show(tmp_path: Path, state) -> None:
    (tmp_path / "späte Schicht.pcap").write_bytes(arp_capture())
    capture, out = tmp_path / "späte Schicht.pcap", tmp_path / "out"
    ran = wardwatch("audit", capture, "--json", "--out", out, PYTHONIOENCODING="ascii", **state)
    assert ran.returncode == 3, ran.stderr
    assert ran.stdout == (out / "report.json").read_bytes()
    assert json.loads(ran.stdout)["captures"][0]["name"] == "späte Schicht.pcap"


def test_a_pipe_is_read_like_a_file(tmp_path: Path, state) -> None:
    ran = wardwatch("evidence", "-", "--table", "arp", "--json", stdin=arp_capture(), **state)
    assert ran.returncode == 0, ran.stderr
    (row,) = [json.loads(line) for line in ran.stdout.splitlines()]
    assert (row["packet"], row["sender_ip"], row["target_ip"]) == (1, "10.0.0.9", "10.0.0.1")


def test_a_cut_capture_keeps_what_came_before(tmp_path: Path, state) -> None:
    whole = arp_capture()
    (tmp_path / "cut.pcap").write_bytes(whole + whole[24:60])
    ran = wardwatch("audit", tmp_path / "cut.pcap", "--json", **state)
    assert ran.returncode == 3, ran.stderr
    report = json.loads(ran.stdout)
    assert report["captures"][0]["packets"] == 1
    assert "byte" in report["captures"][0]["damage"][0]


def test_preflight_says_what_a_capture_is_good_for(tmp_path: Path, state) -> None:
    (tmp_path / "a.pcap").write_bytes(arp_capture())
    ran = wardwatch("preflight", tmp_path / "a.pcap", "--json", **state)
    rows = json.loads(ran.stdout)
    assert rows
    assert ran.returncode == (0 if any(r["good"] for r in rows) else 3)


def test_learn_proposes_a_site_file_that_reads_back_inert(tmp_path: Path, state) -> None:
    (tmp_path / "a.pcap").write_bytes(arp_capture())
    ran = wardwatch("learn", tmp_path / "a.pcap", **state)
    assert ran.returncode == 0, ran.stderr
    (tmp_path / "site.toml").write_bytes(ran.stdout)
    again = wardwatch("audit", tmp_path / "a.pcap", "--site", tmp_path / "site.toml", **state)
    assert again.returncode == 3, again.stderr


def test_the_key_may_not_lie_beside_the_output(tmp_path: Path, state) -> None:
    (tmp_path / "a.pcap").write_bytes(arp_capture())
    ran = wardwatch(
        "audit",
        tmp_path / "a.pcap",
        "--out",
        tmp_path / "o",
        "--key-file",
        tmp_path / "o" / "key",
        **state,
    )
    assert ran.returncode == 2
    assert b"key" in ran.stderr


def test_help_and_version_cost_nothing_and_work() -> None:
    assert wardwatch("--version").stdout.startswith(b"wardwatch ")
    ran = wardwatch("audit", "--help")
    assert ran.returncode == 0
    assert b"Exit status" in ran.stdout


def test_the_end_leaves_no_temporary_folder(tmp_path: Path, state) -> None:
    (tmp_path / "a.pcap").write_bytes(arp_capture())
    (tmp_path / "temporary").mkdir()
    ran = wardwatch("audit", tmp_path / "a.pcap", TMPDIR=str(tmp_path / "temporary"), **state)
    assert ran.returncode == 3, ran.stderr
    assert not list((tmp_path / "temporary").iterdir())


def test_what_another_thread_still_does_is_waited_for() -> None:
    program = """
import sys, threading, time
from wardwatch.ui.cli import main
threading.Thread(target=lambda: (time.sleep(0.5), print("late"))).start()
sys.argv = ["wardwatch", "--version"]
main()
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=False, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[1:] == ["late"]


def test_control_characters_of_a_file_name_are_shown_not_obeyed(tmp_path: Path, state) -> None:
    assert printable("a\x1b[2Jb") == "a\\x1b[2Jb"
    ran = wardwatch("audit", tmp_path / "x\x1b[2Jy.pcap", **state)
    assert ran.returncode == 2
    assert b"\x1b" not in ran.stderr


def came_of(error: Exception, first: Exception) -> Exception:
    """An error that was raised while another one was handled."""
    error.__context__ = first
    return error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError("Unable to allocate 3 GiB"), ["there is not enough memory", "editcap"]),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), ["there is not enough memory"]),
        (duckdb.OutOfMemoryException("failed\nPossible ways"), ["not enough memory (failed)"]),
        (ImportError("x.so: failed to map segment from shared object"), ["not enough memory"]),
        (
            came_of(OSError("not found, or else"), OSError("x.so: failed to map segment from it")),
            ["not enough memory (x.so: failed to map segment from it)"],
        ),
        (
            SystemError("<function f at 0x7f> returned NULL without setting an exception"),
            ["not enough memory (<function f"],
        ),
        (
            SystemError("<built-in function f> returned NULL without setting an exception"),
            ["Traceback", "a fault of ours"],
        ),
        (came_of(OSError("not found"), OSError("no such file")), ["Traceback", "a fault of ours"]),
        (ImportError("no module"), ["Traceback", "a fault of ours"]),
        (OSError(errno.EIO, "worn"), ["Traceback", "OSError: [Errno 5] worn", "a fault of ours"]),
        (KeyError("\x1b[2J"), ["Traceback", "\\x1b[2J", "please report"]),
    ],
)
def test_what_nobody_foresaw_is_no_finding(error, said, monkeypatch, capsys) -> None:
    def fails() -> None:
        raise error

    monkeypatch.setattr(cli, "app", fails)
    with pytest.raises(SystemExit) as end:
        cli._run()
    assert end.value.code == 2
    told = capsys.readouterr().err
    assert all(words in told for words in said)
    assert "\x1b" not in told
    assert ("Traceback" in told) == ("Traceback" in said)


@pytest.mark.parametrize("more", [[], ["--json"]], ids=["tables", "json"])
def test_a_reader_that_goes_away_is_no_finding(more: list[str], tmp_path: Path, state) -> None:
    (tmp_path / "a.pcap").write_bytes(arp_capture())
    reading, writing = os.pipe()
    os.close(reading)
    keep = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "NUMBA_CACHE_DIR")}
    ran = subprocess.run(
        [sys.executable, "-m", "wardwatch.ui.cli", "audit", str(tmp_path / "a.pcap"), *more],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
        env={**keep, **state},
    )
    os.close(writing)
    assert ran.returncode == 2, ran.stderr
    assert b"Traceback" not in ran.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere one process reads a capture")
def test_what_is_answered_is_the_same_where_a_capture_is_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "a.pcap").write_bytes(arp_capture())
    real, forked = os.fork, []

    def fork() -> int:
        forked.append(1)
        return real()

    monkeypatch.setattr(os, "fork", fork)

    def told(shared: bool) -> list[bytes]:
        for module in (digests, forks):
            monkeypatch.setattr(module, "is_worth_it", lambda _: shared)
        with pytest.raises(typer.Exit) as end:
            cli.audit([str(tmp_path / "a.pcap")], out=tmp_path / "out")
        assert end.value.exit_code == 3
        assert "COULD NOT TELL" in capsys.readouterr().out
        return [(tmp_path / "out" / name).read_bytes() for name in ("report.html", "report.json")]

    alone = told(False)
    assert not forked
    assert told(True) == alone
    assert len(forked) == 2  # who hashes, and who reads a part
    assert json.loads(alone[1])["answer"] == "could not tell"
