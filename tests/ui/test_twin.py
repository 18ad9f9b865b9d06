"""The twin's commands say what is assumed, and never that a version is safe."""

import json

from typer.testing import CliRunner

from wardwatch.ui.cli import app


def test_profiles_show_every_version_with_its_marks_notices_and_assumptions() -> None:
    shown = CliRunner().invoke(app, ["twin", "profiles"])
    assert shown.exit_code == 0
    for words in ("1.1.2 [P", "1.6.1 [V", "hardened [A", "CVE-2017-12718", "recall of August 2020"):
        assert words in shown.output
    told = json.loads(CliRunner().invoke(app, ["twin", "profiles", "--json"]).output)
    assert list(told) == ["1.1.2", "1.5.0", "1.6.0", "1.6.1", "hardened"]
    assert all(one["assumed"] for one in told.values())
    assert all(told[version]["notices"] for version in ("1.1.2", "1.5.0", "1.6.0", "1.6.1"))
    assert "safe" not in shown.output
