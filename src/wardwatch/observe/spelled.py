"""Columns of numbers in words: each different value is spelled once, whatever stands in how many rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wardwatch.observe.text import ip_of, mac_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa
    from numpy.typing import NDArray


def spelled(values: NDArray[Any], spell: Callable[[int], str]) -> pa.Array:
    """(n,) integers ⇒ text by ``spell``."""
    import pyarrow as pa

    coded = pa.array(values).dictionary_encode()
    words = pa.array([spell(v) for v in coded.dictionary.to_pylist()], pa.string())
    return words.take(coded.indices)


def macs(values: NDArray[Any], none: int) -> pa.Array:
    """(n,) MAC addresses of 48 bits as text; ``none`` is spelled ""."""
    return spelled(values, lambda v: mac_of(v) if v != none else "")


def ip4s(values: NDArray[Any], none: int) -> pa.Array:
    """(n,) IPv4 addresses of 32 bits as dotted quads; ``none`` is spelled ""."""
    return spelled(values, lambda v: ip_of(4, 0, v) if v != none else "")


def ips(net: NDArray[Any], high: NDArray[Any], low: NDArray[Any]) -> pa.Array:
    """(n,) addresses as :class:`PacketColumns` has them, as text; IPv4, the rule, by its one number."""
    import pyarrow as pa

    four = net == 4
    if four.all():
        return ip4s(low, none=-1)
    other = np.flatnonzero(~four)
    keys = np.empty(len(other), [("net", np.int64), ("high", np.uint64), ("low", np.uint64)])
    for name, column in (("net", net), ("high", high), ("low", low)):
        keys[name] = column[other].astype(keys.dtype[name])
    found, inverse = np.unique(keys, return_inverse=True)
    words = pa.array([ip_of(*key) for key in found.tolist()], pa.string())
    place = np.empty(len(net), np.int64)
    place[four] = np.arange(len(net) - len(other))
    place[other] = len(net) - len(other) + inverse
    return pa.concat_arrays([ip4s(low[four], none=-1), words]).take(pa.array(place))
