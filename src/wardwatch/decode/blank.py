"""Tables of zeros that take memory only where something was written."""

from __future__ import annotations

import math
import mmap
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

LEAST_BYTES = 1 << 19
"""Below this to have pages from the system takes longer than to fill them with zeros."""


def blank(shape: int | tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """An array of zeros of which few rows come to be in use; the system is asked for it.

    ``numpy.zeros`` may be given a piece that was in use before, and then writes every zero: in a
    process that has read some captures that took as long as reading a small one.
    """
    kind = np.dtype(dtype)
    octets = kind.itemsize * (math.prod(shape) if isinstance(shape, tuple) else shape)
    if octets < LEAST_BYTES:
        return np.zeros(shape, kind)
    # A copy of this process has pages of its own, as of all other memory.
    pages = mmap.mmap(-1, octets, access=mmap.ACCESS_COPY)
    return np.frombuffer(pages, kind).reshape(shape)
