"""``make kernels``: put the kernels of this tree into the package, in LLVM's language.

Captures of the mix and of the twin are read, as pcap and as pcapng, and a block of a live port's
ring, with Numba at hand; each kernel that was called goes into ``src/wardwatch/compiled/kernels.bin``
for the types that it was called with. ``tests/compiled/test_shipped.py`` fails when the file is not
what this would write.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from wardwatch.compiled.border import Type

    Called = dict[str, tuple[Callable[..., Any], tuple[Type, ...]]]


def called(folder: Path) -> Called:
    """Every kernel that making and reading captures calls, and the types of its arguments, by key."""
    from bench import mix, worst

    from wardwatch.compiled import border, shipped
    from wardwatch.observe.engine import observe
    from wardwatch.twin.fleet.capture import write
    from wardwatch.twin.fleet.hospital import FleetPlan
    from wardwatch.twin.scenario import demo

    found: Called = {}
    plain = border.bitcode_of

    def noting(function: Callable[..., Any], types: tuple[Type, ...]) -> bytes:
        found[shipped.key_of(function, border.told_all(types))] = function, types
        return plain(function, types)

    border.bitcode_of = noting
    try:
        mix.write(folder / "mix.pcap", 3, 1)
        worst.write("SYN flood, 64 bytes", folder / "flood.pcap", 20_000)
        for shape in ("pcap", "pcapng"):
            (folder / shape).mkdir()
            write(FleetPlan(pumps=20), folder / shape, shape=shape)
        (folder / "demo").mkdir()
        demo(1, folder / "demo")
        for path in sorted(folder.rglob("*.pcap*")):
            observe([path])
        _shared_by_two(folder / "mix.pcap")
        _of_a_port()
    finally:
        border.bitcode_of = plain
    return found


def _shared_by_two(path: Path) -> None:
    """Two processes share a capture, cut in the middle: those as small as ours are not."""
    from wardwatch.observe import later
    from wardwatch.observe.engine import observe

    chosen = later.cuts_of
    later.cuts_of = lambda files, _=2, **__: [later.Cut(files[0][0], path.stat().st_size // 2)]
    try:
        observe([path], processes=2)
    finally:
        later.cuts_of = chosen


def _of_a_port() -> None:
    """A block of a live port's ring is taken, with no frame in it."""
    import numpy as np

    from wardwatch.capture.ring import BLOCK_STATUS, IN_USER, Ring

    memory = np.zeros(4096, np.uint8)
    memory[BLOCK_STATUS] = IN_USER
    Ring(memory, len(memory)).take(np.zeros(4096, np.uint8))


def made(found: Called) -> bytes:
    """The file of kernels that were called."""
    from wardwatch.compiled import border, shipped
    from wardwatch.compiled.build import build

    return shipped.pack(
        {
            key: shipped.Shipped(
                function.__module__,
                function.__name__,
                border.told_all(types),
                build(function, types),
            )
            for key, (function, types) in sorted(found.items())
        }
    )


def main() -> int:
    """Write the file, or with ``--check`` say what differs from it; 0, or 1 where something does."""
    from wardwatch.compiled.shipped import FILE, unpack

    with tempfile.TemporaryDirectory() as name:
        # kernels that were compiled before would not be asked for
        os.environ["NUMBA_CACHE_DIR"] = str(Path(name) / "kernels")
        found = called(Path(name))
    raw = made(found)
    names = {key: f"{f.__module__}.{f.__name__}" for key, (f, _) in found.items()}
    if "--check" in sys.argv[1:]:
        old, new = unpack(FILE.read_bytes()), unpack(raw)
        stale = sorted({names[key] for key in new if old.get(key) != new[key]})
        more = len(old.keys() - new.keys())
        sys.stdout.write(
            json.dumps({"kernels": len(new), "stale": stale, "not called": more}) + "\n"
        )
        return 1 if stale or more else 0
    FILE.write_bytes(raw)
    sys.stdout.write("".join(f"{name}\n" for name in sorted(names.values())))
    sys.stdout.write(f"{len(found)} kernels, {len(raw):,} octets\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
