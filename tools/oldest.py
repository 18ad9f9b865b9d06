"""Runs the tests with the oldest releases that `pyproject.toml` says suffice.

    python -m tools.oldest [ARGUMENTS OF PYTEST]

They are had into an environment of their own, `.cache/oldest`; the tests' own tools come as the
index has them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import venv
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[1]
PLACE = ROOT / ".cache" / "oldest"
TOOLS = (ROOT / "requirements-dev.in", ROOT / "requirements-build.in")


def oldest(project: Mapping[str, Any]) -> list[Requirement]:
    """Each requirement of a project (its table of ``pyproject.toml``), with its bound as its release.

    Raises ``ValueError`` where one has no lower bound, or more than that.
    """
    found = []
    for told in chain(
        project.get("dependencies", ()), *project.get("optional-dependencies", {}).values()
    ):
        requirement = Requirement(told)
        bounds = list(requirement.specifier)
        if [bound.operator for bound in bounds] != [">="]:
            raise ValueError(f"{told}: not a name and the oldest release that suffices")
        requirement.specifier = SpecifierSet(f"=={bounds[0].version}")
        found.append(requirement)
    return found


def run(*command: str, **environment: str) -> int:
    """Run a command in the repository ⇒ its exit status."""
    return subprocess.run(  # noqa: S603 — our own words
        command, cwd=ROOT, env={**os.environ, **environment}, check=False
    ).returncode


def main() -> int:
    """Make the environment where it is not as it should be, and run the tests in it."""
    told = oldest(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"])
    pins, pinned = [*map(str, told)], {pin.name for pin in told}
    tools = [
        line
        for path in TOOLS
        for line in path.read_text(encoding="utf-8").splitlines()
        if line and not line.startswith(("-", "#")) and line not in pinned
    ]
    wanted = "\n".join([sys.version, *pins, *tools])
    python, made = str(PLACE / "bin" / "python"), PLACE / "made-of"
    if not made.exists() or made.read_text(encoding="utf-8") != wanted:
        print(f"setting up {PLACE.relative_to(ROOT)}: {', '.join(pins)} …", file=sys.stderr)
        venv.create(PLACE, with_pip=True, clear=True)
        pip = (python, "-m", "pip", "--disable-pip-version-check", "-q", "install")
        failed = run(*pip, *pins, *tools) or run(
            *pip, "--no-deps", "--no-build-isolation", "-e", "."
        )
        if failed:
            return failed
        made.write_text(wanted, encoding="utf-8")
    return run(
        *(python, "-m", "pytest", *(sys.argv[1:] or ("-n", "auto", "--dist", "worksteal"))),
        # kernels are compiled by this environment's compiler, and kept apart
        NUMBA_CACHE_DIR=str(PLACE / "kernels"),
        PYTHONDONTWRITEBYTECODE="",
    )


if __name__ == "__main__":
    sys.exit(main())
