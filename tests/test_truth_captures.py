"""The shared captures: exactly the findings that ``truth_captures.toml`` names, and no others."""

import tomllib
from collections import Counter
from pathlib import Path

import pytest
from tests.shared import CAPTURES, needs_shared

from wardwatch.model.judgement import TECHNIQUES, Certainty

TRUTH = tomllib.loads((Path(__file__).parent / "truth_captures.toml").read_text("utf-8"))
CAPTURE_NAMES = TRUTH["captures"]
FINDINGS = TRUTH["finding"]


def test_the_table_names_known_things_only() -> None:
    assert len(CAPTURE_NAMES) == len(set(CAPTURE_NAMES)) == 135
    for row in FINDINGS:
        assert row["capture"] in CAPTURE_NAMES
        assert row["technique"] in {technique.id for technique in TECHNIQUES}
        assert Certainty(row["certainty"])
        assert row["why"]


@needs_shared
def test_the_table_names_every_capture_of_the_folder() -> None:
    beside = {"MANIFEST.json", "MANIFEST.tsv", "README.md"}
    assert {p.name for p in CAPTURES.iterdir() if p.is_file()} - beside == set(CAPTURE_NAMES)


@needs_shared
@pytest.mark.parametrize("name", CAPTURE_NAMES)
def test_exactly_these_findings_occur(name: str) -> None:
    from wardwatch.detect import detect
    from wardwatch.errors import CaptureError
    from wardwatch.inventory.identify import inventory
    from wardwatch.inventory.scene import Scene
    from wardwatch.model.site import Site
    from wardwatch.observe.engine import observe

    expected: Counter[tuple[str, str]] = Counter()
    for row in FINDINGS:
        if row["capture"] == name:
            expected[row["technique"], row["certainty"]] += row.get("number", 1)
    try:
        tables = observe([CAPTURES / name]).tables
    except CaptureError:
        assert name in TRUTH["refused"]
        return
    assert name not in TRUTH["refused"]
    # As watch.audit does without a site file; verdicts are left out, they have tests of their own.
    findings = detect(Scene(tables=tables, devices=inventory(tables, ()), site=Site(), now=0))
    assert Counter((f.technique, f.certainty.value) for f in findings) == expected
    for finding in findings:
        assert finding.evidence
        assert finding.statement
        assert finding.do_next
