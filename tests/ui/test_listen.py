"""``wardwatch watch``: the same answer from a live port as from a file of it."""

import hashlib
import json
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest
from tests import demo_audits
from tests.capture.ports import needs_wire, on_a_wire

from wardwatch.capture import open_capture
from wardwatch.capture.write import PcapWriter
from wardwatch.errors import OutputError, UsageError
from wardwatch.ui import listen
from wardwatch.ui.listen import give_up_root, seconds_of
from wardwatch.ui.render import report_json
from wardwatch.ui.report import build
from wardwatch.watch import audit


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("90", 90), ("90s", 90), ("15m", 900), ("8h", 28_800), ("2d", 172_800), (" 0.5s ", 0.5)],
)
def test_times_are_said_as_people_say_them(said: str, seconds: float) -> None:
    assert seconds_of(said) == seconds


@pytest.mark.parametrize("said", ["", "0", "-5s", "5 m", "1w", "m", "nan", "1e9", "9999999999"])
def test_what_is_no_time_is_refused(said: str) -> None:
    with pytest.raises(UsageError, match="90s, 15m, 8h or 2d"):
        seconds_of(said)


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "kept.pcapng").write_bytes(b"somebody's")
    with (
        pytest.raises(OutputError, match="is there already"),
        listen._new(tmp_path / "kept.pcapng"),
    ):
        pass
    assert (tmp_path / "kept.pcapng").read_bytes() == b"somebody's"
    with (
        pytest.raises(OutputError, match="cannot be written"),
        listen._new(tmp_path / "no" / "folder"),
    ):
        pass


def test_a_file_to_which_nothing_came_does_not_stay(tmp_path: Path) -> None:
    with pytest.raises(KeyError), listen._new(tmp_path / "a.pcapng"):
        raise KeyError
    assert list(tmp_path.iterdir()) == []
    with listen._new(tmp_path / "a.pcapng") as file:
        file.write(b"1")
    assert (tmp_path / "a.pcapng").read_bytes() == b"1"


def test_packets_are_piped_on_by_others() -> None:
    with pytest.raises(UsageError, match="dumpcap"):
        listen.listened("lo", write=Path("-"))


def test_only_who_called_sudo_is_become(monkeypatch: pytest.MonkeyPatch) -> None:
    for user, group in (("", ""), ("0", "0"), ("x", "1"), ("-1", "1"), ("1000", "")):
        monkeypatch.setenv("SUDO_UID", user)
        monkeypatch.setenv("SUDO_GID", group)
        assert not give_up_root()


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root has something to give up"
)
def test_the_right_that_sudo_lent_is_given_up_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = pwd.getpwnam("nobody")
    monkeypatch.setenv("SUDO_UID", str(nobody.pw_uid))
    monkeypatch.setenv("SUDO_GID", str(nobody.pw_gid))
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        told: object = "failed"
        try:
            gone = give_up_root()
            try:
                os.setuid(0)
                back = True
            except PermissionError:
                back = False
            told = [
                gone,
                back,
                *os.getresuid(),
                *os.getresgid(),
                os.getgroups(),
                os.environ["HOME"],
            ]
        finally:
            os.write(theirs, json.dumps(told).encode())
            os._exit(0)
    os.waitpid(child, 0)
    user, group = nobody.pw_uid, nobody.pw_gid
    assert json.loads(os.read(ours, 4096)) == [
        True, False, user, user, user, group, group, group, [], nobody.pw_dir,
    ]  # fmt: skip
    os.close(ours)
    os.close(theirs)


WATCHED = """
import os, signal, struct, threading
program = [sys.executable, "-m", "wardwatch.ui.cli", "watch", "here", "--out", "out", "--json", *sys.argv[2:]]
heard = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
line = heard.stderr.readline()
raw, at = Path(sys.argv[1]).read_bytes(), 24
while at < len(raw):
    size = struct.unpack_from("<I", raw, at + 8)[0]
    wire.send(raw[at + 16 : at + 16 + size])
    at += 16 + size
time.sleep(1)
heard.send_signal(signal.SIGINT)
out, rest = heard.communicate(timeout=60)
print(heard.returncode, line, rest, file=sys.stderr)
print(out)
"""


@needs_wire
def test_a_live_port_is_answered_as_its_file_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour of a ward passes the wire in a second; Ctrl-C; and what was kept says the same."""
    capture = tmp_path / "ward.pcap"
    first_packets(demo_audits.days().attacked, capture, 3_000)
    monkeypatch.chdir(tmp_path)
    ran = on_a_wire(WATCHED, str(capture), "--write", "kept.pcapng", XDG_STATE_HOME=str(tmp_path))
    status, _, said = ran.stderr.partition(" ")
    assert said == "wardwatch: listening to here (Ctrl-C ends it); nothing is sent\n \n"
    live = json.loads(ran.stdout)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    file = audit(["kept.pcapng"])
    assert json.loads(b"".join(report_json(build(file)))) == live
    assert int(status) == file.exit_status
    (told,) = live["captures"]
    assert told["sha256"] == hashlib.sha256((tmp_path / "kept.pcapng").read_bytes()).hexdigest()
    assert (told["packets"], told["name"]) == (3_000, "kept.pcapng")
    assert (tmp_path / "kept.pcapng").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "out" / "report.html").is_file()


def first_packets(source: Path, target: Path, most: int) -> None:
    """Frames of a capture of one link, as a pcap, none longer than a wire takes."""
    with open_capture(source) as reader, PcapWriter(target) as out:
        for block in reader:
            for i in range(block.n):
                at, size = int(block.offset[i]), int(block.length[i])
                if out.packets < most and 14 <= size <= 1514:
                    out.packet(int(block.time[i]), block.arena[at : at + size].tobytes())


@needs_wire
def test_what_was_lost_is_no_whole_input() -> None:
    ran = on_a_wire("""
from wardwatch.capture.live import Port
from wardwatch.watch import audit
port = Port("here", megabytes=1, seconds=0.5)
port.begin()
for n in range(2000):
    wire.send(frame(n, 1000))
found = audit(["here"], streams={"here": port})
print(found.exit_status, found.lost + found.packets, found.lost > 500)
print(*found.losses)
""")
    told, said = ran.stdout.splitlines()
    assert (told, ran.stderr) == ("3 2000 True", "")
    assert said.startswith("Capture 1 counts 1,")
    assert said.endswith("by the system): what was in them was not seen.")


def test_no_interface_is_one_line(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "wardwatch.ui.cli", "watch", "nothere\x1b[31m"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert ran.returncode == 2
    assert ran.stderr.count("\n") == 1
    assert "nothere\\x1b[31m: there is no such interface" in ran.stderr
