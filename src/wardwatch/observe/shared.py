"""Memory that a forked copy of this process and this one both see."""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray


def shared(size: int, dtype: DTypeLike) -> NDArray[Any]:
    """(size,) of zeros that a copy made later sees as this process does; plain without ``fork``."""
    kind = np.dtype(dtype)
    if not hasattr(os, "fork"):
        return np.zeros(size, kind)
    return np.frombuffer(mmap.mmap(-1, max(size * kind.itemsize, 1)), kind, size)
