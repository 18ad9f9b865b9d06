"""Tables of numbers in a file of their own: rows that nobody looks at take no memory of ours.

The file has no name and ends with the table. What is written to it the system keeps, and brings to
disk when it likes; after :meth:`Resting.rest` a row comes back when it is looked at.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import NDArray


class Resting:
    """A table (rows, width) of zeros at first, each row of which lies in memory or in a file."""

    def __init__(self, table: NDArray[np.int64], behind: mmap.mmap) -> None:
        self.table = table
        self._behind = behind

    @classmethod
    def of(cls, rows: int, width: int) -> Self | None:
        """A new one; ``None`` where the system has none of this, or the disk no room for it."""
        size = 8 * rows * width
        try:
            with tempfile.TemporaryFile() as file:
                # A page of the file that the disk has no room for would end the process.
                os.posix_fallocate(file.fileno(), 0, size)
                behind = mmap.mmap(file.fileno(), size)
                behind.madvise(mmap.MADV_RANDOM)  # the rows beside one are not wanted with it
        except (OSError, AttributeError):
            return None
        return cls(np.frombuffer(behind, np.int64).reshape(rows, width), behind)

    def rest(self) -> None:
        """Leave all rows to the file until they are looked at again."""
        self._behind.madvise(mmap.MADV_DONTNEED)
