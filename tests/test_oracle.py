"""The oracle passes on the shared captures, and can fail."""

import json
import tomllib
from collections import Counter
from pathlib import Path

import pytest
from tests import oracle
from tests.shared import CAPTURES, needs_shared


@needs_shared
def test_every_expectation_about_the_shared_captures_is_met():
    outcomes = oracle.run(CAPTURES)
    failed = [o for o in outcomes if o.state == "failed"]
    assert failed == []
    states = Counter(o.state for o in outcomes)
    assert states["passed"] > 2000
    listed = tomllib.loads((Path(oracle.__file__).parent / "oracle_disputed.toml").read_text())
    assert states["disputed"] == len(listed["dispute"]), "a dispute that is none must go"


def folder_with(tmp_path, assertion, content, file_type="pcap"):
    """A folder as the oracle wants it, with one capture and one assertion."""
    (tmp_path / "expect").mkdir()
    (tmp_path / "one.pcap").write_bytes(content)
    (tmp_path / "expect/one.json").write_text(json.dumps({"assertions": [assertion]}))
    entry = {"file": "one.pcap", "expect": "expect/one.json", "file_type": file_type}
    (tmp_path / "MANIFEST.json").write_text(json.dumps([entry]))
    return tmp_path


EMPTY = bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000")


@pytest.mark.parametrize(
    ("assertion", "state"),
    [
        ({"path": "packets", "value": 0, "confidence": "A"}, "passed"),
        ({"path": "packets", "value": 1, "confidence": "A"}, "failed"),
        (
            {"path": "packets", "value": 1, "confidence": "A", "others": {"plain_python": 0}},
            "passed",
        ),
        ({"path": "packets", "value": 1, "confidence": "disputed"}, "not compared"),
        ({"path": "dns.by_moon_phase", "value": 0, "confidence": "B"}, "failed"),
        ({"path": "smb2_cmds", "value": {}, "confidence": "B"}, "not compared"),
        ({"path": "n_malformed", "value": 9, "confidence": "C"}, "failed"),
        ({"path": "ftp.passwords", "value": ["pass"], "confidence": "B"}, "failed"),
    ],
)
def test_judgement_of_one_assertion(tmp_path, assertion, state):
    (outcome,) = oracle.run(folder_with(tmp_path, assertion, EMPTY))
    assert outcome.state == state


@pytest.mark.parametrize(("file_type", "state"), [("snoop", "passed"), ("pcap", "failed")])
def test_a_clear_refusal_passes_only_for_what_is_no_capture(tmp_path, file_type, state):
    assertion = {"path": "packets", "value": 1, "confidence": "A"}
    (outcome,) = oracle.run(folder_with(tmp_path, assertion, b"snoop\0\0\0rest", file_type))
    assert outcome.state == state


def test_the_last_line_sums_up(tmp_path, capsys):
    assertion = {"path": "packets", "value": 1, "confidence": "A"}
    assert oracle.main([str(folder_with(tmp_path, assertion, EMPTY))]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "failed: one.pcap: packets: expected 1, got 0"
    assert lines[-1] == "0 passed, 1 failed"


def test_the_oracle_imports_nothing_that_decodes():
    assert "wardwatch.decode" not in Path(oracle.__file__).read_text().replace(
        ":mod:`wardwatch.decode`", ""
    )
