"""Kernels' object code on disk: keyed to all it depends on, checked, and loaded without Numba.

A file holds one kernel for one list of argument types: one piece that runs as it is
(:mod:`wardwatch.compiled.image`), or an object, which LLVM links (:func:`link`). Its name and its
first bytes bear a key, the SHA-256 over everything that the machine code was made from: the byte
code of the kernel and of every helper in it, the constants they see, the argument types, our own
compiler flags, the versions of Python, NumPy, Numba and llvmlite, and what tells which instructions
this processor has. Any difference is another file, so nothing that is stale can be loaded. A digest
tells damage. Who may write the file decides what runs: it must be ours, and nobody else's to write.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import opcode
import os
import stat
import sys
import tempfile
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from wardwatch.compiled import image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAGIC = b"wardwatch object code 2\n"
LARGEST = 16 << 20
"""Octets of one file at most: our largest kernel has 0.2 MB."""
KEPT = 4
"""Files of one kernel: this machine's, and those of others (or other versions) that share a home."""

_LOAD_GLOBAL = opcode.opmap["LOAD_GLOBAL"]
_EXTENDED = opcode.opmap["EXTENDED_ARG"]
_NAME_SHIFT = 1 if sys.version_info >= (3, 11) else 0  # the low bit says: push NULL


class Unkeepable(Exception):
    """Object code of this kernel is not kept, and why; it is compiled in each process."""


def helpers_of(function: Callable[..., Any]) -> list[FunctionType]:
    """Every helper that ``function`` calls, directly or not."""
    found: dict[FunctionType, None] = {}
    waiting = [cast("FunctionType", function)]
    while waiting:
        for _, value in globals_of(waiting.pop()):
            if _is_helper(value) and value not in found:
                found[value] = None
                waiting.append(value)
    return list(found)


def key_of(function: Callable[..., Any], types: str) -> bytes:
    """32 octets that are equal only where the machine code would be; ``types`` of arguments.

    Raises :class:`Unkeepable` where that cannot be told, ``ImportError`` without llvmlite.
    """
    digest = hashlib.sha256(MAGIC)
    for said in (machine(), types):
        digest.update(said.encode() + b"\0")
    for each in (function, *sorted(helpers_of(function), key=lambda f: (f.__module__, f.__name__))):
        digest.update(_fingerprint(cast("FunctionType", each)))
    return digest.digest()


def machine() -> str:
    """The versions and the CPU that object code is good for."""
    global _machine
    if _machine is None:
        import llvmlite

        spec = importlib.util.find_spec("numba")  # does not import it
        there = spec.submodule_search_locations if spec is not None else None
        numba = (Path(there[0]) / "_version.py").read_bytes() if there else b""
        variables = sorted(
            f"{name}={value}"
            for name, value in os.environ.items()
            if name.startswith("NUMBA_") and name != "NUMBA_CACHE_DIR"
        )
        ours = ("border.py", "build.py", "image.py", "native.py")
        own = b"".join(Path(__file__).with_name(n).read_bytes() for n in ours)
        _machine = "\n".join(
            (
                f"{sys.implementation.cache_tag} {sys.version_info[:4]} {sys.byteorder} {sys.maxsize}",
                np.__version__,
                llvmlite.__version__,  # which is of one LLVM
                *(_processor() or _asked_of_llvm()),
                hashlib.sha256(numba).hexdigest(),
                hashlib.sha256(own).hexdigest(),
                *variables,
            )
        )
    return _machine


_machine: str | None = None

PROCESSORS = Path("/proc/cpuinfo")
MOST_TOLD = 8192
"""Characters read of it: of one processor it tells some 2,000, half of them flags."""
_TELLING = ("vendor_id", "cpu family", "model", "stepping", "flags")
"""What tells of a processor which instructions it has, in Linux's words."""


def _processor() -> list[str]:
    """Our processor as Linux tells it, where code need not be linked; else nothing.

    LLVM asks the processor itself, and to be asked has to be loaded. Two processors of which this
    is the same could differ in what Linux does not know: instructions on registers that Linux
    would have to save, which LLVM takes for missing then, and such as no compiler chooses.
    """
    if not image.is_known_here():
        return []
    try:
        with PROCESSORS.open(encoding="ascii", errors="replace") as file:
            first, end, _ = file.read(MOST_TOLD).partition("\n\n")
    except OSError:
        return []
    lines = first.splitlines() if end else ()  # else there is more of the first than we read
    told = {name.strip(): value.strip() for name, _, value in (li.partition(":") for li in lines)}
    if not all(told.get(name) for name in _TELLING):
        return []
    return [f"{sys.platform} x86_64", *(told[name] for name in _TELLING)]


def _asked_of_llvm() -> list[str]:
    """Our processor as LLVM knows it."""
    import llvmlite.binding as llvm

    return [
        str(llvm.get_process_triple()),
        str(llvm.get_host_cpu_name()),
        str(llvm.get_host_cpu_features().flatten()),
    ]


def path_of(folder: Path, name: str, key: bytes) -> Path:
    """Where code of ``name`` under ``key`` is kept."""
    return folder / f"{name}-{key.hex()[:32]}.code"


def read(path: Path, key: bytes) -> bytes | None:
    """Code kept under ``key``; ``None`` where there is none that may be loaded."""
    flags = (getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY", "O_CLOEXEC"))
    try:
        handle = os.open(path, os.O_RDONLY | sum(flags))
    except OSError:
        return None
    try:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode) or about.st_size > LARGEST:
            return None
        if hasattr(os, "getuid") and (about.st_uid != os.getuid() or about.st_mode & 0o022):
            return None
        whole = os.read(handle, about.st_size)
    except OSError:
        return None
    finally:
        os.close(handle)
    head = MAGIC + key
    code = whole[len(head) + 32 :]
    if not whole.startswith(head) or whole[len(head) : len(head) + 32] != _digest(key, code):
        return None
    return code


def keep(path: Path, key: bytes, code: bytes) -> None:
    """Write code for later processes; a place that cannot be written is no fault."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)  # 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(MAGIC + key + _digest(key, code) + code)
            Path(name).replace(path)
        except OSError:
            Path(name).unlink()
            raise
        kin = path.parent.glob(path.name.rpartition("-")[0] + "-*.code")
        for old in sorted(kin, key=lambda p: p.stat().st_mtime, reverse=True)[KEPT:]:
            old.unlink()


def link(code: bytes, symbol: str) -> int:
    """Load object code into this process ⇒ the address of ``symbol``."""
    global _engine
    import llvmlite.binding as llvm

    if _engine is None:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        target = llvm.Target.from_triple(llvm.get_process_triple())
        # An engine is made of a module; ours is empty and only lends it the target's name
        _engine = llvm.create_mcjit_compiler(
            llvm.parse_assembly(""), target.create_target_machine(jit=True)
        )
    _engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    _engine.finalize_object()
    address = _engine.get_function_address(symbol)
    if not address:
        raise Unkeepable(f"{symbol} is not in its object code")
    return int(address)


_engine: Any = None


def _digest(key: bytes, code: bytes) -> bytes:
    return hashlib.sha256(key + code).digest()


def _is_helper(value: object) -> bool:
    return isinstance(value, FunctionType) and hasattr(value, "forceinline")


def _fingerprint(function: FunctionType) -> bytes:
    """Digest of a function's byte code and of every constant it sees."""
    known = _fingerprints.get(function)
    if known is None:
        digest = hashlib.sha256()
        for said in (
            function.__module__,
            function.__qualname__,
            repr(function.__defaults__),
            repr(getattr(function, "forceinline", None)),
        ):
            digest.update(said.encode() + b"\0")
        for code in _codes(function.__code__):
            digest.update(code.co_code)
            digest.update(repr((code.co_names, code.co_varnames, code.co_argcount)).encode())
            digest.update(
                repr([(type(c), c) for c in code.co_consts if not isinstance(c, CodeType)]).encode()
            )
        for name, value in globals_of(function):
            digest.update(f"{name}={told(name, value)}\0".encode())
        known = _fingerprints[function] = digest.digest()
    return known


_fingerprints: dict[FunctionType, bytes] = {}


def _codes(code: CodeType) -> Iterator[CodeType]:
    """A code object and those inside it (comprehensions)."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def globals_of(function: FunctionType) -> list[tuple[str, Any]]:
    """The module's names that a function loads, in order, with their values."""
    known = _seen.get(function)
    if known is not None:
        return known
    names: set[str] = set()
    for code in _codes(function.__code__):
        raw = code.co_code
        at = raw.find(_LOAD_GLOBAL)
        while at >= 0:
            if at % 2 == 0:
                index = raw[at + 1]
                back = at - 2
                shift = 8
                while back >= 0 and raw[back] == _EXTENDED:
                    index |= raw[back + 1] << shift
                    shift += 8
                    back -= 2
                names.add(code.co_names[index >> _NAME_SHIFT])
            at = raw.find(_LOAD_GLOBAL, at + 1)
    values = function.__globals__
    found = [(name, values[name]) for name in sorted(names) if name in values]
    cells = function.__closure__ or ()
    found += [
        (name, cell.cell_contents)
        for name, cell in zip(function.__code__.co_freevars, cells, strict=True)
    ]
    _seen[function] = found
    return found


_seen: dict[FunctionType, list[tuple[str, Any]]] = {}


def told(name: str, value: Any) -> str:
    """A constant as text that differs whenever it does; helpers are told by themselves."""
    if _is_helper(value):
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, np.ndarray) and value.dtype.hasobject is False:
        return f"{value.dtype.str} {value.shape} {hashlib.sha256(value.tobytes()).hexdigest()}"
    if value is None or isinstance(value, bool | int | float | str | np.generic):
        return f"{type(value).__name__} {value!r}"
    if isinstance(value, tuple):
        return f"({', '.join(told(name, item) for item in value)})"
    if isinstance(value, BuiltinFunctionType | type):
        return repr(value)
    if value is np:
        return "module numpy"  # its repr tells where it is installed; its version is told elsewhere
    what = "module " + value.__name__ if isinstance(value, ModuleType) else type(value).__name__
    raise Unkeepable(f"{name} is of a kind whose change could not be told: {what}")
