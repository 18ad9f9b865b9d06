"""Arrow arrays made of NumPy's memory as it is.

``pyarrow.array`` finds out first what it was given, and looks for pandas and ``numpy.ma`` to know;
Arrow's functions come with ``pyarrow.compute``, whose import wraps three hundred of them. Where the
type is told neither is needed.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from wardwatch.decode.kernels import spell

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray


def numbers(values: NDArray[Any], to: pa.DataType) -> pa.Array:
    """(n,) numbers or truths as an array of their own.

    ``to`` is bool, or a type of numbers; ``OverflowError`` where one of them cannot hold a value.
    """
    import pyarrow as pa

    if pa.types.is_boolean(to):
        own: NDArray[Any] = np.packbits(values.astype(np.bool_, copy=False), bitorder="little")
    else:
        values = np.ascontiguousarray(values)  # a column of a table is gone through once
        # Arrow names NumPy's type too, but some releases of it only where pandas is there.
        kind = "f" if pa.types.is_floating(to) else "u" if pa.types.is_unsigned_integer(to) else "i"
        own = values.astype(f"{kind}{to.bit_width // 8}")
        if own.dtype != values.dtype and not np.array_equal(own, values):
            raise OverflowError(f"a number is no {to}")
    return pa.Array.from_buffers(to, len(values), [None, pa.py_buffer(own)])


def alike(value: object, kind: pa.DataType, size: int) -> pa.Array:
    """(size,) one value of ``kind``, again and again; of lists it is the empty one."""
    import pyarrow as pa

    if not pa.types.is_list(kind):
        return pa.repeat(pa.scalar(value, kind), size)
    if value:
        raise ValueError("only the empty list is repeated")
    ends = pa.py_buffer(np.zeros(size + 1, np.int32))
    return pa.Array.from_buffers(kind, size, [None, ends], children=[pa.array([], kind.value_type)])


def strings(ends: NDArray[np.int32], octets: NDArray[np.uint8]) -> pa.Array:
    """Strings that stand end to end in ``octets``; ``ends`` (n + 1,), from 0, is not copied."""
    import pyarrow as pa

    body = octets[: int(ends[-1])].tobytes()
    return pa.StringArray.from_buffers(len(ends) - 1, pa.py_buffer(ends), pa.py_buffer(body))


def words(texts: Sequence[str], at: NDArray[np.int64]) -> pa.Array:
    """(n,) numbers of texts ⇒ those texts."""
    raw = [text.encode() for text in texts]
    word_ends = np.zeros(len(raw) + 1, np.int32)
    word_ends[1:] = np.cumsum([len(word) for word in raw])
    longest = max(map(len, raw), default=0)
    ends = np.empty(len(at) + 1, np.int32)
    text = np.empty(len(at) * longest, np.uint8)
    octets = np.frombuffer(b"".join(raw), np.uint8).copy()
    spell.spell_words(len(at), np.ascontiguousarray(at), word_ends, octets, ends, text)
    return strings(ends, text)


def taken(values: Sequence[Any], at: NDArray[np.int64], to: pa.DataType) -> pa.Array:
    """(n,) places among ``values``, texts, numbers or lists of them ⇒ what stands there."""
    import pyarrow as pa

    if pa.types.is_string(to):
        return words(values, at)
    if not pa.types.is_list(to):
        return numbers(np.array(values)[at], to)
    size = np.array([len(value) for value in values], np.int64)
    begin = np.cumsum(size) - size
    ends = np.zeros(len(at) + 1, np.int32)
    np.cumsum(size[at], out=ends[1:])
    inside = np.repeat(begin[at] - ends[:-1], size[at]) + np.arange(ends[-1])
    items = taken(list(chain.from_iterable(values)), inside, to.value_type)
    return pa.ListArray.from_arrays(numbers(ends, pa.int32()), items)
