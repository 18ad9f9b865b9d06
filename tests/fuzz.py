"""``make fuzz``: the hostile-input runs at full length; the suite runs the same code, shorter.

python -m tests.fuzz [--packets N] [--payloads N] [--alike N] [--seed N]
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests import alike, hostile, hostile_sessions
from tests.decode.kernels import guard
from tests.shared import CAPTURES
from tests.whole_way import whole_way


def main() -> int:
    """Run everything once; any escape ends the process with its own traceback or signal."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument(
        "--packets", type=int, default=10_000_000, help="mutated packets for the kernels"
    )
    arguments.add_argument(
        "--payloads", type=int, default=1_000_000, help="hostile payloads a parser"
    )
    arguments.add_argument(
        "--alike", type=int, default=500, help="random captures, read in every way there is"
    )
    arguments.add_argument("--seed", type=int, default=int(time.time()))
    chosen = arguments.parse_args()
    sys.stdout.write(f"seed {chosen.seed}\n")
    guard.run(chosen.seed, chosen.packets)
    sys.stdout.write(f"{chosen.packets:,} packets against the guard page: no fault\n")
    for name, (parse, valid) in {**hostile.PARSERS, **hostile_sessions.PARSERS}.items():
        share = hostile.run(parse, valid, chosen.seed, chosen.payloads)
        sys.stdout.write(
            f"{name}: {chosen.payloads:,} payloads, {share:.0%} past the first length check\n"
        )
    if CAPTURES.is_dir():
        files = sorted(p for p in CAPTURES.iterdir() if p.is_file() and "__" in p.name)
        sent = whole_way(files, chosen.seed, wounds=100)
        sys.stdout.write(
            f"{sent:,} cut and changed captures through the whole way: all accounted for\n"
        )
    with tempfile.TemporaryDirectory() as folder:
        for number in range(chosen.alike):
            if told := alike.differences(chosen.seed + number, Path(folder) / "read"):
                sys.stdout.write("\n".join(told) + "\n")
                return 1
    sys.stdout.write(f"{chosen.alike:,} random captures: the same tables, whoever reads them\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
