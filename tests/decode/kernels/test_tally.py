"""The counts of a capture against the same thing written slowly and plainly."""

import itertools

import numpy as np
import pytest

from wardwatch.decode.kernels import tally as k

SECOND = 1_000_000_000
BACK, FORWARD = SECOND, 3600 * SECOND


def naive(blocks):
    """Over all packets at once, as sums."""
    packets = [p for block in blocks for p in block]
    stamps = [p["time"] for p in packets if p["time"] != k.UNKNOWN_TIME]
    steps = [b - a for a, b in itertools.pairwise(stamps)]
    ways = [(p["outcome"], p["reason"]) for p in packets]
    return {
        "first": min(stamps, default=k.UNKNOWN_TIME),
        "last": max(stamps, default=k.UNKNOWN_TIME),
        "began": stamps[0] if stamps else k.UNKNOWN_TIME,
        "jumps": sum(step < -BACK or step > FORWARD for step in steps),
        "cut": sum(p["length"] < p["wire"] for p in packets),
        "ways": {way: (ways.count(way), 1 + ways.index(way)) for way in ways},
        "interfaces": [sum(p["interface"] == i for p in packets) for i in range(3)],
    }


def counted(blocks, function):
    stamps = np.zeros(k.STAMPS, np.int64)
    stamps[[k.FIRST, k.LAST, k.BEGAN, k.PREVIOUS]] = k.UNKNOWN_TIME
    counts, firsts = np.zeros((3, 7), np.int64), np.zeros((3, 7), np.int64)
    interfaces = np.zeros(3, np.int64)
    first = 1
    for block in blocks:

        def column(name, dtype, block=block):
            return np.array([p[name] for p in block], dtype)

        function(
            len(block),
            first,
            column("time", np.int64),
            column("length", np.int32),
            column("wire", np.int64),
            column("interface", np.int32),
            column("outcome", np.uint8),
            column("reason", np.uint16),
            BACK,
            FORWARD,
            stamps,
            counts,
            firsts,
            interfaces,
        )
        first += len(block)
    return {
        "first": stamps[k.FIRST],
        "last": stamps[k.LAST],
        "began": stamps[k.BEGAN],
        "jumps": stamps[k.JUMPS],
        "cut": stamps[k.CUT],
        "ways": {(o, r): (counts[o, r], firsts[o, r]) for o, r in np.argwhere(counts).tolist()},
        "interfaces": interfaces.tolist(),
    }


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_counts_are_those_of_the_plain_twin(seed, plain):
    chance = np.random.default_rng(seed)
    steps = (0, SECOND // 2, -SECOND, -SECOND - 1, FORWARD, FORWARD + 1)
    time, blocks = 10**15, []
    for size in (40, 0, 1, 25):
        block = []
        for _ in range(size):
            time += int(chance.choice(steps))
            size = int(chance.integers(60, 70))
            block.append(
                {
                    "time": k.UNKNOWN_TIME if chance.random() < 0.2 else time,
                    "length": size,
                    "wire": size + int(chance.integers(0, 2)),
                    "interface": int(chance.integers(0, 3)),
                    "outcome": int(chance.integers(0, 3)),
                    "reason": int(chance.integers(0, 7)),
                }
            )
        blocks.append(block)
    assert counted(blocks, k.tally.py_func if plain else k.tally) == naive(blocks)
