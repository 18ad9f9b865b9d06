"""bench.__main__: its short form, which tells only that everything works."""

from __future__ import annotations

import subprocess
import sys

SECTIONS = ("## Streaming", "## Against the floors", "## Where the time goes", "## Worst cases")


def test_the_short_form_measures_everything_of_ours() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "bench", "--quick"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    page = ended.stdout
    assert [section for section in SECTIONS if section not in page] == []
    ours = [line for line in page.splitlines() if line.startswith("| wardwatch")]
    assert len(ours) == 7 + 2  # processes, and two of them as they stream
    worst = page.partition(SECTIONS[-1])[2].splitlines()
    cases = [line for line in worst if line.startswith("| ")][2:]
    assert len(cases) == 8
    assert not any("ended with" in line for line in (*ours, *cases))
    assert "| TLS in rows |" in page
