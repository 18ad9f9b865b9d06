"""Run the whole drill and store its document: ``python -m docs.drill`` (some 25 min of one core).

Four seeds dealt in turn over the plays, two of them from the commit's hash; 50 clean twins, each
audited from all nine places; the time to detection of every play; and with ``--background FILE`` every
technique once more among that capture (``python -m bench.mix --megabytes 1000 --seed 1 FILE``).
One command makes the whole document, ``python -m docs.drill --background FILE``. It names the
commit it ran at: run it in a committed tree, and let no rebase move that commit afterwards.
"""

from __future__ import annotations

import argparse
from pathlib import Path

ROOT = Path(__file__).parents[1]
SEEDS, CLEAN = 4, 50


def main() -> int:
    """Run it, write ``docs/drill.md``, and say whether everything was seen."""
    from wardwatch.ui import matrix
    from wardwatch.ui.drill import drilled

    words = argparse.ArgumentParser(description=__doc__, prog="docs.drill")
    words.add_argument("--background", type=Path, action="append", default=[])
    words.add_argument("--jobs", type=int, default=2)
    asked = words.parse_args()
    result = drilled([], SEEDS, CLEAN, times=True, behind=asked.background, jobs=asked.jobs)
    text = "# Drill\n\n<!-- Made by `python -m docs.drill`; edit the source, not this file. -->\n\n"
    (ROOT / "docs" / "drill.md").write_text(text + matrix.document(result), encoding="utf-8")
    print(matrix.terminal(result))
    return 0 if result.passed else 1


if __name__ == "__main__":
    raise SystemExit(main())
