"""A kernel as Python calls it: arguments are checked at this border, then compiled code runs.

Theory of operation: the first call tells the types of the arguments. For them object code is
taken from the store or, once, made of the bitcode that came with wardwatch or that Numba gives. Each call then writes the arguments into a
*frame* of 64 bit words (an array as Numba passes it: address, shape, strides) and enters the
code with its address; Python's lock is released meanwhile. An argument that is the same array
as in the last call is already in the frame: most of a block's columns are. What was asked of one
array is remembered, since blocks take turns with a few sets of columns.
"""

from __future__ import annotations

import ctypes
import functools
import os
import re
import sys
import threading
import weakref
from operator import index
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from wardwatch.compiled import cache_folder, store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Described = tuple[Callable[[], object], np.dtype[Any], int, bool, list[Any]]

ARRAY_WORDS = 5
"""Words of an array besides its shape and strides; see ``build.ARRAY_FIELDS``."""
LOW, HIGH = -(2**63), 2**63
_ARRAY, _INT, _BOOL = 0, -1, -2


class Kind(NamedTuple):
    """The type of an array argument, or of a tuple of arguments."""

    dtype: np.dtype[Any] | None = None
    ndim: int = 0
    writable: bool = True
    items: tuple[Type, ...] | None = None
    named: type | None = None
    """The class of a named tuple."""

    @property
    def told(self) -> str:
        """As text, equal for equal types."""
        if self.items is not None:
            name = "" if self.named is None else ",".join(self.named._fields)  # type: ignore[attr-defined]
            return f"{name}({' '.join(map(told, self.items))})"
        assert self.dtype is not None
        return f"{self.dtype.str}{self.ndim}{'' if self.writable else 'r'}"


Type = str | Kind
"""``"int"``, ``"bool"``, or a :class:`Kind`."""


def told(kind: Type) -> str:
    """A type as text."""
    return kind if isinstance(kind, str) else kind.told


def told_all(types: tuple[Type, ...]) -> str:
    """The types of all arguments as text."""
    return " ".join(map(told, types))


class Kernel:
    """A function over arrays, compiled when first called."""

    def __init__(self, function: Callable[..., Any]) -> None:
        """``function`` is what the kernel is; its object code follows from it."""
        self.py_func = function
        functools.update_wrapper(self, function)
        self._entries: list[Entry] = []
        self._by_types: dict[str, Entry] = {}
        self._other: Callable[..., Any] | None = None
        self._lock = threading.Lock()

    def __call__(self, *args: Any) -> Any:
        """Run it; ``TypeError`` for arguments that the code was not made for."""
        if self._other is not None:
            return self._other(*args)
        for entry in self._entries:
            frame = entry.fill(args)
            if frame is not None:
                return entry.enter(frame)
        return self._first(args)

    def _first(self, args: tuple[Any, ...]) -> Any:
        """The first call with arguments of these types."""
        types = tuple(_type_of(value) for value in args)
        _check(self.py_func, types)
        with self._lock:
            entry = self._by_types.get(told_all(types))
            if entry is None:
                try:
                    entry = Entry(self.py_func, types)
                except (ImportError, store.Unkeepable) as error:
                    other = _without(self.py_func, error)
                    result = other(*args)
                    self._other = other
                    return result
                self._by_types[told_all(types)] = entry
                self._entries.append(entry)
        frame = entry.fill(args)
        assert frame is not None
        return entry.enter(frame)


class Entry:
    """Compiled code for one list of argument types."""

    def __init__(self, function: Callable[..., Any], types: tuple[Type, ...]) -> None:
        """Load the object code, or make it and keep it."""
        self.name = function.__qualname__
        self._flat: list[Type] = list(_flat(types))
        self._count = len(types)
        self._at: list[int] = []
        words = 1
        for kind in self._flat:
            self._at.append(words)
            words += 1 if isinstance(kind, str) else ARRAY_WORDS + 2 * kind.ndim
        self._words = words
        self._plan = list(self._planned(types))
        self._frames = threading.local()
        result, address = _code(function, types)
        self._result = RESULTS[result]
        self._enter = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)(address)

    def _planned(self, types: tuple[Type, ...]) -> Iterator[tuple[int, int, int]]:
        """Of each argument: what it is (or of how many a tuple), its first value's number, its word."""
        i = 0
        for kind in types:
            if isinstance(kind, str):
                yield (_INT if kind == "int" else _BOOL), i, self._at[i]
                i += 1
            elif kind.items is None:
                yield _ARRAY, i, self._at[i]
                i += 1
            else:
                yield len(kind.items), i, 0
                i += len(kind.items)

    def fill(self, args: tuple[Any, ...]) -> _Frame | None:
        """The arguments in a frame of this thread; ``None`` if they are of other types."""
        frame: _Frame | None = getattr(self._frames, "frame", None)
        if frame is None:
            frame = self._frames.frame = _Frame(self._words, len(self._flat))
        if len(args) != self._count:
            return None
        last, words, tuples = frame.last, frame.words, frame.tuples
        for value, (what, i, at) in zip(args, self._plan, strict=True):
            if not what:
                if last[i]() is value and value is not None:  # a lost array's reference gives None
                    continue
                if not self._put(frame, i, value):
                    return None
            elif what < 0:
                if type(value) is not int or what == _BOOL:
                    value = _number(value, what == _BOOL)
                try:
                    words[at] = value
                except (TypeError, ValueError):  # no number; none of 64 bits
                    return None
            elif tuples[i] is not value:
                tuples[i] = None
                if not isinstance(value, tuple) or len(value) != what:
                    return None
                for k, item in enumerate(value, i):
                    if last[k]() is item and item is not None:
                        continue
                    if not self._put(frame, k, item):
                        return None
                tuples[i] = value
        return frame

    def _put(self, frame: _Frame, i: int, value: Any) -> bool:
        """Write one value that is no number of its own; false if it is of another type."""
        kind = self._flat[i]
        if isinstance(kind, str):
            try:
                frame.words[self._at[i]] = _number(value, kind == "bool")
            except (TypeError, ValueError):
                return False
            return True
        known = _KNOWN.get(id(value))
        if known is None or known[0]() is not value:
            known = _described(value)
            if known is None:
                return False
        there, dtype, ndim, writable, said = known
        if dtype != kind.dtype or ndim != kind.ndim or writable != kind.writable:
            return False
        at = self._at[i] + 2
        frame.array[at : at + len(said)] = said
        frame.last[i] = there
        return True

    def enter(self, frame: _Frame) -> Any:
        """Run the code on a filled frame."""
        status = self._enter(frame.address)
        # kernels whose code can raise are not built; a status would be a bug of ours
        assert status == 0, f"{self.name} gave status {status}"
        return self._result(frame.words[0])


def _number(value: Any, is_bool: bool) -> int:
    """A truth or an integer as a word; ``TypeError`` for what is not the one that was asked for."""
    if isinstance(value, np.ndarray) or isinstance(value, bool) != is_bool:
        raise TypeError
    return index(value)


_KNOWN: dict[int, Described] = {}
"""What has been asked of arrays, by their identity, which a dead one's successor does not share."""
MOST_KNOWN = 1_024


def _described(value: Any) -> Described | None:
    """An array's weak reference, dtype, dimensions, whether it is writable, and its words.

    ``None`` for what is no array that kernels take.
    """
    if type(value) is not np.ndarray:
        return None
    flags = value.flags
    if not flags.c_contiguous or not flags.aligned:
        return None
    if flags.writeable and value.size:
        address = ctypes.addressof(ctypes.c_char.from_buffer(value.data))  # a third of the time
    else:
        address = value.ctypes.data
    said = [value.size, value.itemsize, address, *value.shape, *value.strides]
    if len(_KNOWN) >= MOST_KNOWN:
        _KNOWN.clear()
    told: Described = (weakref.ref(value), value.dtype, value.ndim, flags.writeable, said)
    _KNOWN[id(value)] = told
    return told


class _Frame:
    """Words that the code reads its arguments from, and which arrays they tell of."""

    def __init__(self, words: int, values: int) -> None:
        self.array = (ctypes.c_int64 * words)()
        self.words = memoryview(self.array).cast("B").cast("q")
        self.address = ctypes.addressof(self.array)
        # Weak, so that no capture's memory outlives its reader; `object()` is never a value
        self.last: list[Callable[[], object]] = [object] * values
        # Tuples are columns, of a block's size; they cannot be referred to weakly
        self.tuples: list[tuple[Any, ...] | None] = [None] * values


def _flat(types: tuple[Type, ...]) -> Iterator[Type]:
    """Types with tuples taken apart."""
    for kind in types:
        if isinstance(kind, Kind) and kind.items is not None:
            yield from kind.items
        else:
            yield kind


def _type_of(value: Any) -> Type:
    """The type of an argument; ``TypeError`` for what no kernel takes."""
    if isinstance(value, np.ndarray):
        flags = value.flags
        if type(value) is not np.ndarray or not flags.c_contiguous or not flags.aligned:
            raise TypeError("kernels take arrays that lie in one piece (C-contiguous, aligned)")
        if value.dtype.kind not in "iub" or not value.dtype.isnative:
            raise TypeError(f"kernels take arrays of native integers, not {value.dtype}")
        return Kind(value.dtype, value.ndim, flags.writeable)
    if isinstance(value, tuple):
        items = tuple(_type_of(item) for item in value)
        if any(isinstance(item, Kind) and item.items is not None for item in items):
            raise TypeError("kernels take no tuples of tuples")
        named = type(value) if hasattr(value, "_fields") else None
        return Kind(items=items, named=named)
    if isinstance(value, bool):
        return "bool"
    try:
        number = index(value)
    except TypeError:
        raise TypeError(f"kernels take integers and arrays, not {type(value).__name__}") from None
    if not LOW <= number < HIGH:
        raise TypeError(f"kernels take integers of 64 bits, not {number}")
    return "int"


_ARRAY_NOTE = re.compile(r"NDArray\[np\.(\w+)\]")


def _check(function: Callable[..., Any], types: tuple[Type, ...]) -> None:
    """Raise ``TypeError`` where an argument is not what the kernel's annotations say."""
    code = function.__code__
    if len(types) != code.co_argcount:
        raise TypeError(
            f"{function.__qualname__} takes {code.co_argcount} arguments, not {len(types)}"
        )
    for name, kind in zip(code.co_varnames, types, strict=False):
        said = str(function.__annotations__.get(name, ""))
        array = _ARRAY_NOTE.fullmatch(said)
        is_array = isinstance(kind, Kind) and kind.items is None
        if array is not None and not (is_array and kind.dtype == np.dtype(array[1])):  # type: ignore[union-attr]
            raise TypeError(f"{function.__qualname__}: {name} is {told(kind)}, not {said}")
        if said in ("int", "Int") and kind != "int":
            raise TypeError(f"{function.__qualname__}: {name} is {told(kind)}, not an integer")


RESULTS: dict[bytes, Callable[[int], Any]] = {b"n": lambda _: None, b"i": int, b"b": bool}
"""What a kernel gives back, by the first octet of what is kept: nothing, an integer, a truth."""


def _code(function: Callable[..., Any], types: tuple[Type, ...]) -> tuple[bytes, int]:
    """What the code gives back and where it is, from the store or anew."""
    described = told_all(types)
    key = store.key_of(function, described)
    symbol = f"wardwatch_{function.__name__}_{key.hex()[:16]}"
    folder = cache_folder()
    path = (
        None
        if folder is None
        else store.path_of(folder, f"{function.__module__}.{function.__name__}", key)
    )
    made = None if path is None else store.read(path, key)
    if made is None:
        from wardwatch.compiled import native

        code = bitcode_of(function, types)
        made = code[:1] + native.emit(code[1:], symbol)
        if path is not None:
            store.keep(path, key, made)
    return made[:1], store.link(made[1:], symbol)


def bitcode_of(function: Callable[..., Any], types: tuple[Type, ...]) -> bytes:
    """A kernel in LLVM's language (``build.build``): it came with wardwatch, or Numba finds it."""
    from wardwatch.compiled import shipped

    made = shipped.find(function, told_all(types))
    if made is None:
        _tell()
        from wardwatch.compiled.build import build

        made = build(function, types)
    return made


_told = False


def _tell() -> None:
    """Say, on a terminal and once, why the first run takes longer."""
    global _told
    if not _told and sys.stderr.isatty():
        sys.stderr.write("wardwatch: compiling its packet kernels for this machine, once …\n")
    _told = True


def _without(function: Callable[..., Any], error: Exception) -> Callable[..., Any]:
    """How to run a kernel whose object code cannot be had: Numba's own way, or plain Python."""
    if isinstance(error, ImportError):
        return function
    folder = cache_folder()
    if folder is not None:
        os.environ["NUMBA_CACHE_DIR"] = str(folder)
    from wardwatch.compiled.build import jitted

    return jitted(function, cached=folder is not None)
