"""The demo's truth over 20 seeds, and over cuts: what the twin did, the audit says, and nothing else."""

import hashlib
import subprocess
from pathlib import Path

import pytest
from tests.twin.days import day, days

from wardwatch.twin.cuts import CUTS
from wardwatch.twin.scenario import Demo, demo, lay
from wardwatch.twin.truth import Truth, differences
from wardwatch.watch import audit

ROOT = Path(__file__).parents[1]


def seeds_of_the_commit(count: int) -> list[int]:
    """Seeds nobody chose: from the hash of the commit under test (or of nothing, outside git)."""
    told = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    base = told.stdout.strip() or "no commit"
    return [
        int.from_bytes(hashlib.sha256(f"{base} {n}".encode()).digest()[:4], "big")
        for n in range(count)
    ]


SEEDS = [*range(1, 11), *seeds_of_the_commit(10)]


def wrong(truth: Truth, result) -> list[str]:
    return differences(
        truth,
        [(v.measure, v.subject, v.state.value) for v in result.verdicts],
        [(f.technique, f.actor, f.segment, f.variant) for f in result.findings],
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_both_days_are_answered_as_they_were_played(seed: int, tmp_path: Path) -> None:
    made = demo(seed, tmp_path)
    attacked = audit([made.attacked], site=made.site_attacked, inventory=made.listed)
    assert wrong(made.truth_attacked, attacked) == []
    eight = {12718, 12722, 12725, 12720, 12724, 12726, 12721, 12723}
    assert {f"CVE-2017-{n}" for n in eight} <= {c for f in attacked.findings for c in f.cves}
    clean = audit([made.clean], site=made.site, inventory=made.listed)
    assert wrong(made.truth_clean, clean) == []
    assert clean.findings == ()
    assert clean.broken == ()
    assert attacked.packets == attacked.decoded + attacked.skipped + attacked.malformed <= 100_000


@pytest.fixture(scope="module")
def seven(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The demo of seed 7: what its hospital knows is the same whatever is cut away."""
    return lay(days(), tmp_path_factory.mktemp("seven"))


@pytest.mark.parametrize("cut", CUTS, ids=lambda cut: cut.name)
@pytest.mark.parametrize("attacked", [True, False], ids=["attacked", "clean"])
def test_what_was_cut_away_is_not_observable_and_never_holds(
    cut, attacked: bool, seven: Demo, tmp_path: Path
) -> None:
    whole = day(attacked)
    path = tmp_path / f"{cut.name}.pcapng"
    cut.write(whole, path)
    site = seven.site_attacked if attacked else seven.site
    result = audit([path], site=site, inventory=seven.listed)
    assert wrong(cut.truth(whole), result) == []
