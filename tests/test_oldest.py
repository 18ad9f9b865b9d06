"""tools.oldest: the releases that `pyproject.toml` says suffice, as pins."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.version import Version
from tools.oldest import oldest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_a_bound_becomes_the_release_and_keeps_its_condition() -> None:
    project = {
        "dependencies": ["numba>=0.62; platform_machine != 'armv7l'", "csaf[yaml]>=2026.10.10"],
        "optional-dependencies": {"sdc": ["sdc11073>=3"]},
    }
    assert [str(pin) for pin in oldest(project)] == [
        'numba==0.62; platform_machine != "armv7l"',
        "csaf[yaml]==2026.10.10",
        "sdc11073==3",
    ]
    assert oldest({}) == []


@pytest.mark.parametrize("requirement", ["numpy", "numpy<3", "numpy>=2,<3", "numpy==2.0"])
def test_what_has_no_bound_or_more_than_one_is_named(requirement: str) -> None:
    with pytest.raises(ValueError, match=rf"^{re.escape(requirement)}: not a name"):
        oldest({"dependencies": [requirement]})


@pytest.mark.parametrize("requirement", ["", ">=3"])
def test_what_is_no_requirement_is_refused(requirement: str) -> None:
    with pytest.raises(ValueError, match="Expected package name"):
        oldest({"dependencies": [requirement]})


def test_what_is_locked_is_no_older_than_what_suffices() -> None:
    locked = dict(
        re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    )
    for pin in oldest({"dependencies": PROJECT["dependencies"]}):
        (bound,) = pin.specifier
        assert Version(locked[pin.name]) >= Version(bound.version), pin
