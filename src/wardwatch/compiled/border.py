"""A kernel as Python calls it: arguments are checked at this border, then compiled code runs.

Theory of operation: the first call tells the types of the arguments. For them object code is
taken from the store or, once, made of the bitcode that came with wardwatch or that Numba gives.
Each call then enters the code with the address of a *frame* of 64 bit words: the result, the
numbers, and the arrays as Numba passes them (address, shape, strides). Blocks take turns with a
few sets of arrays, and so a few frames are kept, by the identities of the arrays in them: where all
are those of an earlier call only the numbers are written. Python's lock is released meanwhile.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import os
import re
import struct
import sys
import threading
import weakref
from operator import index, itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from wardwatch.compiled import cache_folder, image, store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

ARRAY_WORDS = 5
"""Words of an array besides its shape and strides; see ``build.ARRAY_FIELDS``."""
LOW, HIGH = -(2**63), 2**63


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


def places(types: tuple[Type, ...]) -> list[int]:
    """Where in a frame each value stands, tuples taken apart: behind the result, numbers first."""
    found: list[int] = []
    number = 1
    other = 1 + sum(isinstance(kind, str) for kind in types)
    for kind in types:
        if isinstance(kind, str):
            found.append(number)
            number += 1
            continue
        for item in flat((kind,)):
            found.append(other)
            other += words_of(item)
    return found


def words_of(kind: Type) -> int:
    """How many words a value takes that is no tuple."""
    return 1 if isinstance(kind, str) else ARRAY_WORDS + 2 * kind.ndim


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
        for entry in self._entries:
            frame = entry.frame(args)
            if frame is not None:
                return entry.enter(frame)
        if self._other is not None:
            return self._other(*args)
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
        frame = entry.frame(args)
        assert frame is not None
        return entry.enter(frame)


MOST_FRAMES = 6
"""Frames of one thread and kernel: two tables of conversations, and three blocks on their way.
Each keeps the tuples of its last call alive, which are columns of a block."""


class _Own(threading.local):
    """One thread's frames, by the identities of the arrays and tuples in them."""

    def __init__(self) -> None:
        self.frames: dict[tuple[int, ...], _Frame] = {}


class Entry:
    """Compiled code for one list of argument types."""

    def __init__(self, function: Callable[..., Any], types: tuple[Type, ...]) -> None:
        """Load the object code, or make it and keep it."""
        self.name = function.__qualname__
        self._count = len(types)
        self._flat: list[Type] = list(flat(types))
        self._at = places(types)
        self._slots = [
            (at, kind.dtype, kind.ndim, kind.writable) if isinstance(kind, Kind) else None
            for at, kind in zip(self._at, self._flat, strict=True)
        ]
        self._words = 1 + sum(map(words_of, self._flat))
        self._plan = list(self._planned(types))
        numbers = [i for i, kind in enumerate(types) if isinstance(kind, str)]
        self._kinds = [bool if types[i] == "bool" else int for i in numbers]
        self._numbers = _picker(numbers)
        self._arrays = _picker([i for i in range(len(types)) if i not in numbers])
        self._pack = struct.Struct(f"={len(numbers)}q").pack_into
        self._own = _Own()
        result, address = _code(function, types)
        self._result = RESULTS[result]
        self._enter = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)(address)

    def _planned(self, types: tuple[Type, ...]) -> Iterator[tuple[int, int, int]]:
        """Of each argument that is no number: its place, its first value's, of how many a tuple (-1 none)."""
        i = 0
        for place, kind in enumerate(types):
            if isinstance(kind, str):
                i += 1
            elif kind.items is None:
                yield place, i, -1
                i += 1
            else:
                yield place, i, len(kind.items)
                i += len(kind.items)

    def frame(self, args: tuple[Any, ...]) -> _Frame | None:
        """The arguments in a frame of this thread; ``None`` if they are of other types."""
        if len(args) != self._count:
            return None
        numbers = self._numbers(args)
        if list(map(type, numbers)) != self._kinds:
            try:
                numbers = tuple(map(_number, numbers, self._kinds))
            except TypeError:
                return None
        arrays = tuple(map(id, self._arrays(args)))
        frame = self._own.frames.get(arrays)
        if frame is None or frame.lost:
            frame = self._fill(arrays, args)
            if frame is None:
                return None
        try:
            self._pack(frame.words, 8, *numbers)
        except struct.error:  # none of 64 bits
            return None
        return frame

    def _fill(self, arrays: tuple[int, ...], args: tuple[Any, ...]) -> _Frame | None:
        """Arrays that were not together in a call before: in a frame, preferably of such as are lost."""
        frames = self._own.frames
        for chosen, frame in frames.items():
            if frame.lost:
                del frames[chosen]
                frame.lost.clear()
                break
        else:
            if len(frames) >= MOST_FRAMES:
                frame = frames.pop(next(iter(frames)))
            else:
                frame = _Frame(self._words, len(self._flat), self._count)
        last, tuples = frame.last, frame.tuples
        for place, i, length in self._plan:
            value = args[place]
            if length < 0:
                if last[i]() is value and value is not None:  # a lost array's reference gives None
                    continue
                if not self._put(frame, i, value):
                    return None
            elif tuples[place] is not value:
                tuples[place] = None
                if not isinstance(value, tuple) or len(value) != length:
                    return None
                for k, item in enumerate(value, i):
                    if last[k]() is item and item is not None:
                        continue
                    if not self._put(frame, k, item):
                        return None
                tuples[place] = value
        frames[arrays] = frame
        return frame

    def _put(self, frame: _Frame, i: int, value: Any) -> bool:
        """Write an array or a tuple's item; false if it is of another type."""
        slot = self._slots[i]
        if slot is None:
            try:
                frame.array[self._at[i]] = _number(value, bool if self._flat[i] == "bool" else int)
            except TypeError:
                return False
            return True
        at, dtype, ndim, writable = slot
        if type(value) is not np.ndarray or value.dtype != dtype or value.ndim != ndim:
            return False
        flags, size = value.flags, value.size
        if writable:
            if not flags.carray:  # in one piece, aligned and writable
                return False
        elif flags.writeable or not flags.c_contiguous or not flags.aligned:
            return False
        if writable and size:
            address = ctypes.addressof(_Octet.from_buffer(value.data))  # a third of the time
        else:
            address = value.ctypes.data
        _ARRAY[ndim](
            frame.words, 8 * at + 16, size, value.itemsize, address, *value.shape, *value.strides
        )
        frame.last[i] = weakref.ref(value, frame.lost.append)
        return True

    def enter(self, frame: _Frame) -> Any:
        """Run the code on a filled frame."""
        status = self._enter(frame.address)
        # kernels whose code can raise are not built; a status would be a bug of ours
        assert status == 0, f"{self.name} gave status {status}"
        return self._result(frame.words[0])


def _picker(at: list[int]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    """What picks the arguments at some places."""
    if len(at) < 2:
        return (lambda args: (args[at[0]],)) if at else lambda _: ()
    return itemgetter(*at)


def _number(value: Any, kind: type) -> int:
    """A truth or an integer as a word; ``TypeError`` for what is not the one that was asked for."""
    if isinstance(value, np.ndarray) or isinstance(value, bool) != (kind is bool):
        raise TypeError
    number = index(value)
    if not LOW <= number < HIGH:
        raise TypeError
    return number


_Octet = ctypes.c_char
_ARRAY = [struct.Struct(f"={3 + 2 * ndim}q").pack_into for ndim in range(33)]
"""By dimensions, what writes of an array its items, their octets, address, shape and strides."""


class _Frame:
    """Words that the code reads its arguments from, and which arrays they tell of."""

    def __init__(self, words: int, values: int, arguments: int) -> None:
        self.array = (ctypes.c_int64 * words)()
        self.words = memoryview(self.array).cast("B").cast("q")
        self.address = ctypes.addressof(self.array)
        # Weak, so that no capture's memory outlives its reader; `object()` is never a value
        self.last: list[Callable[[], object]] = [object] * values
        self.lost: list[object] = []
        """References to arrays that are no more: another may come to bear the identity of one."""
        # Tuples are columns, of a block's size; they cannot be referred to weakly
        self.tuples: list[tuple[Any, ...] | None] = [None] * arguments


def flat(types: tuple[Type, ...]) -> Iterator[Type]:
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
    key = store.key_of(function, told_all(types))
    symbol = _symbol(function, key)
    made = _made(function, key, lambda: bitcode_of(function, types))
    result, form, code = made[:1], made[1:2], made[2:]
    if form == image.FORM:
        try:
            return result, image.place(code)
        except OSError:  # LLVM asks for its memory in another way
            code = _emitted(bitcode_of(function, types), symbol)
    return result, store.link(code, symbol)


def _symbol(function: Callable[..., Any], key: bytes) -> str:
    return f"wardwatch_{function.__name__}_{key.hex()[:16]}"


def _made(function: Callable[..., Any], key: bytes, bitcode: Callable[[], bytes]) -> bytes:
    """The sign of what the code gives back, its form and itself: kept, or made of ``bitcode``."""
    folder = cache_folder()
    name = f"{function.__module__}.{function.__name__}"
    path = None if folder is None else store.path_of(folder, name, key)
    made = _ahead.get(key)
    if made is None and path is not None:
        made = store.read(path, key)
    if made is None:
        language = bitcode()
        symbol = _symbol(function, key)
        code = _emitted(language, symbol)
        piece = image.image_of(code, symbol) if image.is_known_here() else None
        made = language[:1] + (OBJECT + code if piece is None else image.FORM + piece)
        if path is not None:
            store.keep(path, key, made)
    return made


_ahead: dict[bytes, bytes] = {}
"""What :func:`make_ahead` made or found, for who calls it later, by its key."""


def make_ahead(packages: Iterable[str]) -> int:
    """Make object code of all kernels of ``packages`` that came with wardwatch ⇒ how many there are.

    A first call finds it then, and does not wait for LLVM, also where nothing can be kept. Kernels
    that were edited since they came, or are to be had in plain Python alone, are left to their
    first call.
    """
    from wardwatch.compiled import shipped

    count = 0
    for came_as, came in shipped.every().items():
        if not any(came.module.startswith(f"{package}.") for package in packages):
            continue
        kernel = getattr(importlib.import_module(came.module), came.name, None)
        if not isinstance(kernel, Kernel):
            continue
        function = kernel.py_func
        try:
            if shipped.key_of(function, came.types) != came_as:
                continue
            key = store.key_of(function, came.types)
            _ahead[key] = _made(function, key, lambda made=came.made: made)  # type: ignore[misc]
        except (ImportError, store.Unkeepable):
            continue
        count += 1
    return count


OBJECT = b"O"
"""How what is kept says that it is an object, which LLVM links."""


def _emitted(bitcode: bytes, symbol: str) -> bytes:
    """LLVM's object of a kernel."""
    from wardwatch.compiled import native

    return native.emit(bitcode[1:], symbol)


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
