"""The decorators that own how kernels are compiled, and where their object code is kept.

Kernels live in :mod:`wardwatch.decode.kernels`, :mod:`wardwatch.capture.records` and, for the
twin's packets, :mod:`wardwatch.twin.fleet.kernels`. Each is a loop over arrays it was given: no
allocation, no exceptions, plain byte shifts. They come with wardwatch in LLVM's language
(:mod:`~wardwatch.compiled.shipped`; after an edit ``make kernels``, until then Numba compiles
them). When one is first called LLVM makes object code of it, which is kept and loaded by later
processes (:mod:`~wardwatch.compiled.store`, :mod:`~wardwatch.compiled.image`). Where neither Numba
nor LLVM is to be had (musl, Intel macOS) the same functions run as plain Python: slow, and correct.
"""

from __future__ import annotations

import functools
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

F = TypeVar("F", bound="Callable[..., Any]")

PLAIN = os.environ.get("WARDWATCH_PLAIN") == "1"
"""Set ``WARDWATCH_PLAIN=1`` to run every kernel as plain Python."""


def cache_folder() -> Path | None:
    """Folder for compiled kernels, made if need be; ``None`` where nothing can be written.

    In order: ``NUMBA_CACHE_DIR``, the user's cache folder, a private folder (0700, ours) in
    the temporary directory. A read-only install without HOME thus still works
    (numba issues 4908, 5566).
    """
    named = os.environ.get("NUMBA_CACHE_DIR")
    if named:
        return Path(named)
    candidates: list[Path] = []
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    if base:
        candidates.append(Path(base) / "wardwatch" / "kernels")
    home = os.environ.get("HOME") or os.environ.get("USERPROFILE")
    if home:
        candidates.append(Path(home) / ".cache" / "wardwatch" / "kernels")
    owner = os.getuid() if hasattr(os, "getuid") else 0
    candidates.append(Path(tempfile.gettempdir()) / f"wardwatch-kernels-{owner}")
    return next((c for c in candidates if _usable(c)), None)


@functools.lru_cache(maxsize=8)
def _usable(folder: Path) -> bool:
    """Whether ``folder`` is ours, private and writable: compiled code is loaded from it.

    Asked once: every kernel wants to know, and nobody else can change such a folder.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        stat = folder.lstat()
        if hasattr(os, "getuid") and (stat.st_uid != os.getuid() or stat.st_mode & 0o022):
            return False
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def kernel(function: F) -> F:
    """Compile ``function`` when it is first called; ``.py_func`` stays as the plain Python."""
    if PLAIN:
        cast("Any", function).py_func = function
        return function
    from wardwatch.compiled.border import Kernel

    return cast("F", Kernel(function))


def helper(function: F) -> F:
    """A function that kernels call: compiled into them, plain where Python calls it.

    Thus a kernel's ``.py_func`` runs without compiled code.
    """
    return _helper(function, forceinline=False)


def hot(function: F) -> F:
    """Like :func:`helper`, for what every packet passes: LLVM must put it where it is called."""
    return _helper(function, forceinline=True)


def _helper(function: F, *, forceinline: bool) -> F:
    marked = cast("Any", function)
    marked.py_func = function
    marked.forceinline = forceinline
    return function


@hot
def prefetch(array: NDArray[Any], row: int, column: int) -> None:
    """Have the cache line of ``array[row, column]`` brought while other rows are looked at.

    Nothing waits for it, and nothing is read: a row that is not there does no harm. Of an array of
    one dimension the line of ``array[row + column]``. Compiled it is one instruction
    (:func:`wardwatch.compiled.build.build`), in plain Python nothing.
    """
