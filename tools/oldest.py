"""Runs the tests with the oldest releases that `pyproject.toml` says suffice.

    python -m tools.oldest [ARGUMENTS OF PYTEST]

They are had into an environment of their own, `.cache/oldest`; the tests' own tools come as the
index has them.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[1]
PLACE = ROOT / ".cache" / "oldest"
TOOLS = (ROOT / "requirements-dev.in", ROOT / "requirements-build.in")


def oldest(project: Mapping[str, Any]) -> list[str]:
    """Each requirement of a project (its table of ``pyproject.toml``), with its bound as its release.

    Raises ``ValueError`` where one has no lower bound, or more than that.
    """
    told = list(project.get("dependencies", []))
    for more in project.get("optional-dependencies", {}).values():
        told += more
    found = []
    for requirement in told:
        said = re.fullmatch(r"([\w.-]+(?:\[[\w,-]+\])?)>=([\w.]+)(\s*;.*)?", requirement)
        if said is None:
            raise ValueError(f"{requirement}: not a name and the oldest release that suffices")
        found.append(f"{said[1]}=={said[2]}{said[3] or ''}")
    return found


def run(*command: str, **environment: str) -> int:
    """Run a command in the repository ⇒ its exit status."""
    return subprocess.run(  # noqa: S603 — our own words
        command, cwd=ROOT, env={**os.environ, **environment}, check=False
    ).returncode


def main() -> int:
    """Make the environment where it is not as it should be, and run the tests in it."""
    pins = oldest(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"])
    pinned = {pin.partition("==")[0] for pin in pins}
    tools = [
        line
        for path in TOOLS
        for line in path.read_text(encoding="utf-8").splitlines()
        if line and not line.startswith(("-", "#")) and line not in pinned
    ]
    wanted = "\n".join([*pins, *tools])
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
