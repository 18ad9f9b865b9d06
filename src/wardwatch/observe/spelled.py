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


FEW = 64
"""Different values that are spelled one by one; more, as a flood of forged addresses has, at once."""


def _spelled(
    values: NDArray[Any],
    none: int,
    at_once: Callable[[NDArray[np.int64]], tuple[NDArray[np.uint8], NDArray[np.bool_]]],
    spell: Callable[[int], str],
) -> pa.Array:
    """Like :func:`spelled`; ``at_once`` tells the letters of many different values.

    It gives (n, width) letters, and which of them are to stand. ``none`` has none.
    """
    import pyarrow as pa

    coded = pa.array(values).dictionary_encode()
    if len(coded.dictionary) <= FEW:
        words = pa.array([spell(v) for v in coded.dictionary.to_pylist()], pa.string())
        return words.take(coded.indices)
    numbers = coded.dictionary.to_numpy()
    letters, stands = at_once(numbers.astype(np.int64))
    stands[numbers == none] = False
    ends = np.zeros(len(numbers) + 1, np.int32)
    np.cumsum(stands.sum(1), out=ends[1:])
    words = pa.StringArray.from_buffers(
        len(numbers), pa.py_buffer(ends), pa.py_buffer(letters[stands].tobytes())
    )
    return words.take(coded.indices)


_HEX = np.frombuffer("".join(f"{v:02x}:" for v in range(256)).encode(), np.uint8).reshape(256, 3)
_QUAD = np.frombuffer("".join(f"{v}.".ljust(4) for v in range(256)).encode(), np.uint8)
_QUAD = _QUAD.reshape(256, 4)


def _octets(values: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """(n, count): the lowest octets of numbers, the highest of them first."""
    return values[:, None] >> np.arange(8 * (count - 1), -8, -8) & 0xFF


def _mac_words(values: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    letters = _HEX[_octets(values, 6)].reshape(-1, 18)[:, :17]
    return letters, np.ones(letters.shape, np.bool_)


def _ip4_words(values: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    letters = _QUAD[_octets(values, 4)]
    stands = letters != ord(" ")
    stands[:, 3] &= letters[:, 3] != ord(".")
    return letters.reshape(-1, 16), stands.reshape(-1, 16)


def macs(values: NDArray[Any], none: int) -> pa.Array:
    """(n,) MAC addresses of 48 bits as text; ``none`` is spelled ""."""
    return _spelled(values, none, _mac_words, lambda v: mac_of(v) if v != none else "")


def ip4s(values: NDArray[Any], none: int) -> pa.Array:
    """(n,) IPv4 addresses of 32 bits as dotted quads; ``none`` is spelled ""."""
    return _spelled(values, none, _ip4_words, lambda v: ip_of(4, 0, v) if v != none else "")


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
