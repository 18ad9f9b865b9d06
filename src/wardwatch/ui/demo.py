"""``wardwatch demo``: a ward in a box, attacked and clean, both audited and held against the truth."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import msgspec

from wardwatch.ui.render import console, page, report_json, summary_text, write_report
from wardwatch.ui.report import build
from wardwatch.watch import audit, private_folder

if TYPE_CHECKING:
    from pathlib import Path

    from wardwatch.twin.truth import Truth


class Outcome(msgspec.Struct, frozen=True):
    """One capture of the demo held against its truth."""

    capture: str
    expected_verdicts: int
    expected_findings: int
    differences: tuple[str, ...]
    """Each verdict or finding that is not as the truth says, one line each."""


def run_demo(out: Path, seed: int, *, as_json: bool = False) -> int:
    """Make the two days, audit both, compare, tell; 0 when the truth was met, 1 when not."""
    from wardwatch.twin.scenario import demo

    folder = private_folder(out)
    if not as_json:
        sys.stderr.write(f"wardwatch demo: making a day on the twin's ward (seed {seed}) …\n")
    made = demo(seed, folder)
    outcomes = []
    days = (
        (made.attacked, made.site_attacked, made.truth_attacked),
        (made.clean, made.site, made.truth_clean),
    )
    for path, site, truth in days:
        if not as_json:
            sys.stderr.write(f"wardwatch demo: auditing {path.name} …\n")
        outcomes.append(_judge(path, site, made.listed, folder / path.stem, truth, quiet=as_json))
    met = not any(o.differences for o in outcomes)
    if as_json:
        sys.stdout.write(
            json.dumps(
                {"seed": seed, "met": met, "captures": msgspec.to_builtins(outcomes)}, indent=1
            )
            + "\n"
        )
        return 0 if met else 1
    screen = console()
    for outcome in outcomes:
        word = "as the truth says" if not outcome.differences else "NOT as the truth says"
        screen.print(
            f"{outcome.capture}: {outcome.expected_verdicts} verdicts and "
            f"{outcome.expected_findings} findings {word}"
        )
        for difference in outcome.differences:
            screen.print(f"  {difference}")
    screen.print(f"the attacked day's page: {folder / made.attacked.stem / 'report.html'}")
    screen.print(f"the clean day's page:    {folder / made.clean.stem / 'report.html'}")
    screen.print(
        "The twin and the detectors have the same authors: this shows that they agree, not how well "
        "they do in the field."
    )
    return 0 if met else 1


def _judge(
    capture: Path, site: Path, listed: Path, out: Path, truth: Truth, *, quiet: bool
) -> Outcome:
    """Audit one capture and list where it differs from its truth."""
    from wardwatch.twin.truth import differences

    result = audit([capture], site=site, inventory=listed, out=out)
    report = build(result)
    write_report(out, report_json(report), page(report))
    if not quiet:
        sys.stdout.write(summary_text(report, out))
    return Outcome(
        capture=capture.name,
        expected_verdicts=len(truth.verdicts),
        expected_findings=len(truth.findings),
        differences=tuple(
            differences(
                truth,
                [(v.measure, v.subject, v.state.value) for v in result.verdicts],
                [(f.technique, f.actor, f.segment, f.variant) for f in result.findings],
            )
        ),
    )
