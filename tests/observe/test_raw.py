"""wardwatch.observe.raw"""

import numpy as np
import pytest
from tests.decode.kernels.blocks import block_of

from wardwatch.observe.raw import Keeper


@pytest.mark.parametrize("rows", [[0], [3], [1, 2, 5], list(range(6))])
def test_packets_come_back_in_the_blocks_they_came_in(rows) -> None:
    keeper, given = Keeper(), []
    for first, capture in ((1, 1), (7, 1), (1, 2)):
        packets = [bytes([first, n]) * (n + 1) for n in range(6)]
        block = block_of(packets, first=first, capture=capture, wire=[99 + n for n in range(6)])
        keeper.take(block, np.array(rows))
        given.append(block)
    assert keeper.octets == 3 * sum(2 * (n + 1) for n in rows)
    found = list(keeper.kept().blocks())
    assert len(found) == 3
    for before, (block, there) in zip(given, found, strict=True):
        assert there.tolist() == rows
        assert (block.capture, block.first, block.n) == (before.capture, before.first, rows[-1] + 1)
        for n in range(block.n):
            start, size = int(block.offset[n]), int(block.length[n])
            old, length = int(before.offset[n]), int(before.length[n])
            expected = before.arena[old : old + length].tobytes() if n in rows else b""
            assert block.arena[start : start + size].tobytes() == expected
            for name in ("wire", "time"):
                assert getattr(block, name)[n] == (getattr(before, name)[n] if n in rows else 0)
            assert (block.link[n], block.interface[n]) == (1, 0)


def test_nothing_kept_is_no_block() -> None:
    assert list(Keeper().kept().blocks()) == []
