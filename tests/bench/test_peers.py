"""Peers: what is there is found, what is not is missing, and nobody's version is guessed."""

import os
import sys
from pathlib import Path

import pytest
from bench import __main__ as bench
from bench import peers
from bench.peers import Peer


def test_a_command_that_is_not_there_is_missing(tmp_path):
    variables = peers.environment(tmp_path)
    gone = Peer("gone", ("no-such-command-here",), "", ("no-such-command-here", "-V"))
    assert not peers.there(gone, variables)
    assert peers.version(gone, variables) == ""


def test_a_python_peer_without_its_package_is_missing(tmp_path):
    command = (sys.executable, "-m", "bench.loops", "version", "no-such-package")
    peer = Peer("gone", (sys.executable, "-m", "bench.loops", "gone", "x"), "", command)
    assert not peers.there(peer, peers.environment(tmp_path))


def test_the_version_is_what_the_tool_says(tmp_path):
    tool = tmp_path / "bin" / "tool"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho usage of tool; echo 'tool: Version: v1.7.1, for 9 users'\n")
    tool.chmod(0o755)
    variables = peers.environment(tmp_path)
    assert variables["PATH"].split(os.pathsep)[0] == str(tmp_path / "bin")
    peer = Peer("tool", ("tool",), "", ("tool", "-V"))
    assert peers.there(peer, variables)
    assert peers.version(peer, variables) == "1.7.1"


def test_what_cannot_be_set_up_is_told_and_no_error(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not peers._tried("no-such-command-here")
    assert "no-such-command-here" in capsys.readouterr().err


def unpacked(root, triplet="riscv64-linux-gnu", loader="ld-linux-riscv64-lp64d.so.1"):
    """Suricata's files under ``root``, its loader a shell that shows what it is called with."""
    for name in (f"usr/lib/{triplet}/{loader}", "usr/bin/suricata"):
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text('#!/bin/sh\necho "$@" "This is Suricata version 7.0.10 RELEASE"\n')
        file.chmod(0o755)
    return root / "usr" / "lib" / triplet / loader


@pytest.mark.parametrize(
    ("triplet", "loader"),
    [
        ("x86_64-linux-gnu", "ld-linux-x86-64.so.2"),
        ("aarch64-linux-gnu", "ld-linux-aarch64.so.1"),
        ("arm-linux-gnueabihf", "ld-linux-armhf.so.3"),
        ("powerpc64le-linux-gnu", "ld64.so.2"),
    ],
)
def test_suricata_unpacked_is_run_by_the_loader_beside_its_libraries(tmp_path, triplet, loader):
    found = unpacked(tmp_path, triplet, loader)
    (found.parent / "libdl.so.2").touch()
    command = peers.suricata(tmp_path)
    libraries, program = str(found.parent), str(tmp_path / "usr" / "bin" / "suricata")
    assert command[:4] == (str(found), "--library-path", libraries, program)
    named = [str(tmp_path / "etc" / "suricata" / n) for n in ("suricata.yaml", "threshold.config")]
    assert command[command.index("-c") + 1] == named[0]
    assert f"threshold-file={named[1]}" in command


def suricata_of(folder, work):
    """The peer as the bench wants it of ``folder``."""
    found = peers.wanted(work / "mix.pcap", work / "small.pcap", work, folder)
    return next(peer for peer in found if peer.name == "suricata")


def test_suricata_unpacked_tells_its_version_and_runs_in_an_empty_folder(tmp_path):
    unpacked(tmp_path / "suricata")
    (tmp_path / "suricata-logs").mkdir()
    (tmp_path / "suricata-logs" / "eve.json").write_text("of the round before")
    peer, variables = suricata_of(tmp_path, tmp_path), peers.environment(tmp_path)
    assert peers.there(peer, variables)
    assert peers.version(peer, variables) == "7.0.10"
    run = bench.measure(peer.command, variables)
    assert run.status == 0
    assert f"-r {tmp_path / 'mix.pcap'} -l ." in run.output
    assert list((tmp_path / "suricata-logs").iterdir()) == []


@pytest.mark.parametrize("lost", ["usr/bin/suricata", "usr/lib/riscv64-linux-gnu"])
def test_suricata_without_a_part_of_it_is_what_the_path_has(tmp_path, monkeypatch, lost):
    monkeypatch.setenv("PATH", str(tmp_path))
    unpacked(tmp_path / "suricata")
    (tmp_path / "suricata" / lost).rename(tmp_path / "lost")
    assert peers.suricata(tmp_path / "suricata") == ("suricata",)
    assert not peers.there(suricata_of(tmp_path, tmp_path), peers.environment(tmp_path))


def test_suricata_whose_loader_finds_no_library_is_missing(tmp_path):
    loader = unpacked(tmp_path / "suricata")
    loader.write_text("#!/bin/sh\necho 'cannot open libyaml 2.0: No such file' >&2; exit 127\n")
    assert not peers.there(suricata_of(tmp_path, tmp_path), peers.environment(tmp_path))


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("deb http://a/debian bookworm main\n", "deb http://a/debian trixie main\n"),
        (
            "URIs: http://bookworm.example/debian-bookworm\nSuites: bookworm bookworm-updates\n",
            "URIs: http://bookworm.example/debian-bookworm\nSuites: trixie trixie-updates\n",
        ),
        ("Suites: bullseye/updates bookworm-security", "Suites: trixie/updates trixie-security"),
        ("Suites: bookworms trixie forky noble", "Suites: bookworms trixie forky noble"),
    ],
)
def test_suites_of_an_older_release_become_the_newer(here, there):
    assert peers.rewritten(here) == there


def test_apt_apart_names_no_folder_of_the_machines_state(tmp_path):
    command = peers.apt_apart(tmp_path)
    assert command[0] == "apt-get"
    told = dict(word.split("=", 1) for word in command[2::2])
    kept = ("sourceparts", "State", "lists", "status", "Cache")
    for name in (n for n in told if n.endswith(kept)):
        assert Path(told[name]).is_relative_to(tmp_path)
    assert told["Dir::Etc::sourcelist"] == "/dev/null"
    assert set(command[1::2]) == {"-o"}


def fake_apt(folder, script):
    """An apt-get of our own on the PATH, beside a dpkg-deb that writes what it is asked for."""
    folder.mkdir()
    for name, text in (("apt-get", script), ("dpkg-deb", 'mkdir -p "$3"; cp "$2" "$3"')):
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)


def test_what_apt_names_is_downloaded_and_unpacked(tmp_path, monkeypatch):
    fake_apt(
        tmp_path / "bin",
        'case "$*" in *install*) echo "Inst libc6 (2.41)"; echo "Inst suricata (7)"; echo Conf x;;\n'
        "*download*) touch libc6.deb suricata.deb;; esac",
    )
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    peers._apart(tmp_path, "suricata")
    assert {f.name for f in (tmp_path / "suricata").iterdir()} == {"libc6.deb", "suricata.deb"}
    assert (tmp_path / ".suricata").exists()


def test_what_apt_does_not_know_is_told_and_tried_again_next_time(tmp_path, monkeypatch, capsys):
    fake_apt(tmp_path / "bin", 'echo "E: Unable to locate package suricata" >&2; exit 100')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    peers._apart(tmp_path, "suricata")
    assert "Unable to locate package suricata" in capsys.readouterr().err
    assert not (tmp_path / ".suricata").exists()


def test_every_floor_is_held_against_a_peer_that_is_wanted(tmp_path):
    names = {peer.name for peer in peers.wanted(tmp_path, tmp_path, tmp_path, tmp_path)}
    assert {whom for _, whom, _, _ in bench.FLOORS} <= names | {bench.FLOOR}
