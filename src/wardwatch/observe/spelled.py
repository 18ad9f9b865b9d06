"""Columns of numbers in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wardwatch.decode.kernels import spell
from wardwatch.observe.arrays import strings, words

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa
    from numpy.typing import NDArray

FEW = 4_096
"""Numbers below it are told apart by their place in a table, as those of segments are."""


def spelled(values: NDArray[Any], by: Callable[[int], str]) -> pa.Array:
    """(n,) integers ⇒ text by ``by``, which is asked of each different value once."""
    values = _words64(values)
    if values.size and values.min() >= 0 and values.max() < FEW:
        seen = np.bincount(values).tolist()
        return words([by(value) if count else "" for value, count in enumerate(seen)], values)
    found, at = np.unique(values, return_inverse=True)
    return words([by(value) for value in found.tolist()], at)


_MAC, _IP4 = (np.array([kind], np.int64) for kind in (spell.MAC, spell.IP4))


def macs(values: NDArray[Any], none: int) -> pa.Array:
    """(n,) MAC addresses of 48 bits as text; ``none`` is spelled ""."""
    low = _words64(values)
    return _addresses(_MAC, low, low, none, spell.LONGEST[spell.MAC])


def ip4s(values: NDArray[Any], none: int) -> pa.Array:
    """(n,) IPv4 addresses of 32 bits as dotted quads; ``none`` is spelled ""."""
    low = _words64(values)
    return _addresses(_IP4, low, low, none, spell.LONGEST[spell.IP4])


def ips(net: NDArray[Any], high: NDArray[Any], low: NDArray[Any]) -> pa.Array:
    """(n,) addresses as :class:`PacketColumns` has them, as text."""
    if (net == spell.IP4).all():
        return ip4s(low, none=-1)
    kind = np.where((net == spell.IP4) | (net == spell.IP6), net, 0).astype(np.int64)
    longest = spell.LONGEST[spell.IP6]
    return _addresses(kind, _words64(high), _words64(low), -1, longest)


def _addresses(
    kind: NDArray[np.int64],
    high: NDArray[np.int64],
    low: NDArray[np.int64],
    none: int,
    longest: int,
) -> pa.Array:
    ends = np.empty(len(low) + 1, np.int32)
    text = np.empty(len(low) * longest, np.uint8)
    spell.spell_addresses(len(low), kind, high, low, none, ends, text)
    return strings(ends, text)


def _words64(values: NDArray[Any]) -> NDArray[np.int64]:
    """Integers as words of 64 bits that lie in one piece."""
    own = np.ascontiguousarray(values)
    if own.dtype == np.uint64:
        return own.view(np.int64)
    return own.astype(np.int64, copy=False)
