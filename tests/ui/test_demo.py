"""wardwatch.ui.demo"""

import io
import json
from contextlib import redirect_stdout
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from wardwatch.twin import scenario
from wardwatch.twin.scenario import Demo
from wardwatch.twin.truth import Truth
from wardwatch.ui import demo as door
from wardwatch.watch import Audit


class Ran(NamedTuple):
    """The command, run once: what it answered, wrote and made of which captures."""

    status: int
    told: str
    folder: Path
    made: Demo
    audits: dict[Path, Audit]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    real_demo, real_audit = scenario.demo, door.audit
    made: list[Demo] = []
    audits: dict[Path, Audit] = {}

    def demo(seed: int, out: Path) -> Demo:
        made.append(real_demo(seed, out))
        return made[0]

    def audit(captures: list[Path], **asked) -> Audit:
        audits[captures[0]] = real_audit(captures, **asked)
        return audits[captures[0]]

    folder, told = tmp_path_factory.mktemp("demo") / "d", io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(told):
        patch.setattr(scenario, "demo", demo)
        patch.setattr(door, "audit", audit)
        status = door.run_demo(folder, 3, as_json=True)
    return Ran(status, told.getvalue(), folder, made[0], audits)


def test_the_demo_says_that_the_truth_was_met(ran: Ran) -> None:
    assert ran.status == 0
    told = json.loads(ran.told)
    assert told["met"] is True
    assert [c["capture"] for c in told["captures"]] == ["attacked.pcapng", "clean.pcapng"]
    assert told["captures"][0]["expected_findings"] >= 8
    assert (ran.folder / "attacked" / "report.html").stat().st_size > 10_000


def test_a_truth_that_is_not_met_is_told_line_by_line(
    ran: Ran, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = msgspec.structs.replace(
        ran.made, truth_clean=Truth(verdicts=ran.made.truth_attacked.verdicts, findings=())
    )

    def audited(captures: list[Path], *, out: Path, **_) -> Audit:
        out.mkdir()
        return ran.audits[captures[0]]

    monkeypatch.setattr(scenario, "demo", lambda seed, out: other)
    monkeypatch.setattr(door, "audit", audited)
    assert door.run_demo(tmp_path / "d", 3) == 1
    out = capsys.readouterr().out
    assert "NOT as the truth says" in out
    assert "static_address of dev-" in out
