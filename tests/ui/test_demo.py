"""wardwatch.ui.demo"""

import json
from pathlib import Path

import msgspec
import pytest

from wardwatch.twin.scenario import demo
from wardwatch.twin.truth import Truth
from wardwatch.ui import demo as door


def test_the_demo_says_that_the_truth_was_met(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert door.run_demo(tmp_path / "d", 3, as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["met"] is True
    assert [c["capture"] for c in told["captures"]] == ["attacked.pcapng", "clean.pcapng"]
    assert told["captures"][0]["expected_findings"] >= 8
    assert (tmp_path / "d" / "attacked" / "report.html").stat().st_size > 10_000


def test_a_truth_that_is_not_met_is_told_line_by_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def other(seed: int, out: Path):
        made = demo(seed, out)
        return msgspec.structs.replace(
            made, truth_clean=Truth(verdicts=made.truth_attacked.verdicts, findings=())
        )

    monkeypatch.setattr("wardwatch.twin.scenario.demo", other)
    assert door.run_demo(tmp_path / "d", 3) == 1
    out = capsys.readouterr().out
    assert "NOT as the truth says" in out
    assert "static_address of dev-" in out
