"""Peers: what is there is found, what is not is missing, and nobody's version is guessed."""

import os
import sys

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
