"""``make fuzz``: the hostile-input runs at full length; the suite runs the same code, shorter.

python -m tests.fuzz [--packets N] [--payloads N] [--seed N]
"""

import argparse
import sys
import time

from tests import hostile, hostile_sessions
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
    return 0


if __name__ == "__main__":
    sys.exit(main())
