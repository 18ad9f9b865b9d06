"""wardwatch.decode.resting"""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from wardwatch.decode import resting
from wardwatch.decode.resting import Resting

MAPS = Path("/proc/self/smaps")


def resident(table: NDArray[np.int64]) -> int:
    """Octets of a table that are in our memory."""
    address, here, found = table.ctypes.data, False, 0
    for line in MAPS.read_text(encoding="ascii").splitlines():
        head = line.split()
        if "-" in head[0]:
            start, stop = (int(end, 16) for end in head[0].split("-"))
            here = start <= address < stop
        elif here and head[0] == "Rss:":
            found += 1_024 * int(head[1])
    return found


@pytest.mark.skipif(not MAPS.exists(), reason="the system tells of no maps")
def test_what_rests_is_no_memory_and_is_there_again() -> None:
    made = Resting.of(100_000, 4)
    assert made is not None
    table = made.table
    assert table.shape == (100_000, 4)
    assert not table.any()
    table[:, 2] = np.arange(100_000)
    assert resident(table) >= table.nbytes
    made.rest()
    assert resident(table) < table.nbytes / 20
    table[17, 3] = 5
    made.rest()
    assert table[99_999].tolist() == [0, 0, 99_999, 0]
    assert resident(table) < table.nbytes / 20
    assert table[17].tolist() == [0, 0, 17, 5]
    del made
    assert (table[:, 2] == np.arange(100_000)).all()


def test_without_room_on_the_disk_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(resting.os, "posix_fallocate", full)
    assert Resting.of(1_000, 4) is None
