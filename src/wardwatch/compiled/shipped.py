"""Kernels that come with wardwatch in LLVM's language, so that a first run need not wait for Numba.

Types of Python's variables are found by Numba in ten seconds; what LLVM does of it takes one.
``make kernels`` keeps what Numba found in ``kernels.bin``: bitcode of each kernel, for any machine
of one architecture, under a key over the source of the kernel and of its helpers, the constants
they see and the argument types. Where a key is not in the file (another architecture, a kernel
that was edited since) Numba compiles as before.
"""

from __future__ import annotations

import hashlib
import inspect
import lzma
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from wardwatch.compiled import native
from wardwatch.compiled.store import Unkeepable, globals_of, helpers_of, told

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import FunctionType

MAGIC = b"wardwatch kernels 3\n"
FILE = Path(__file__).with_name("kernels.bin")
LARGEST = 64 << 20
"""Octets of all bitcode at most."""


class Shipped(NamedTuple):
    """One kernel as it came."""

    module: str
    name: str
    types: str
    """Of its arguments, as ``border.told_all`` tells them."""
    made: bytes
    """What :func:`wardwatch.compiled.build.build` gave."""


def key_of(function: Callable[..., object], types: str) -> str:
    """Hexadecimal digits that change with whatever the bitcode is made from, but the compilers.

    Raises :class:`Unkeepable` where the source is not to be had or a constant cannot be told.
    """
    digest = hashlib.sha256(MAGIC)
    digest.update(f"{types}\0".encode())
    helpers = sorted(helpers_of(function), key=lambda f: (f.__module__, f.__name__))
    for each in (cast("FunctionType", function), *helpers):
        try:
            source = inspect.getsource(each)
        except (OSError, TypeError) as error:
            raise Unkeepable(f"no source of {each.__qualname__}") from error
        said = [
            each.__module__,
            each.__qualname__,
            repr(getattr(each, "forceinline", None)),
            source,
        ]
        said += [f"{name}={told(name, value)}" for name, value in globals_of(each)]
        for part in said:
            digest.update(part.encode() + b"\0")
    return digest.hexdigest()[:32]


def find(function: Callable[..., object], types: str) -> bytes | None:
    """What :func:`wardwatch.compiled.build.build` would give, where it came with wardwatch."""
    kernels = _kernels()
    if not kernels:
        return None
    try:
        came = kernels.get(key_of(function, types))
    except Unkeepable:
        return None
    return None if came is None else came.made


def every() -> Mapping[str, Shipped]:
    """All kernels that came, by their keys."""
    return _kernels()


def pack(kernels: Mapping[str, Shipped]) -> bytes:
    """The file of kernels: for this architecture, by their keys, the same for the same kernels."""
    body = b"".join(
        key.encode() + _sized("\0".join(each[:3]).encode()) + _sized(each.made)
        for key, each in sorted(kernels.items())
    )
    head = MAGIC + native.architecture().encode() + b"\n"
    return head + hashlib.sha256(body).digest() + lzma.compress(body, preset=9)


def _sized(part: bytes) -> bytes:
    return len(part).to_bytes(4, "little") + part


def unpack(raw: bytes) -> dict[str, Shipped]:
    """Kernels of a file by their keys; none of a file for another architecture, or of a damaged one."""
    head = MAGIC + native.architecture().encode() + b"\n"
    if not raw.startswith(head):
        return {}
    digest, packed = raw[len(head) : len(head) + 32], raw[len(head) + 32 :]
    try:
        body = lzma.LZMADecompressor(memlimit=256 << 20).decompress(packed, LARGEST)
    except lzma.LZMAError:
        return {}
    if hashlib.sha256(body).digest() != digest:
        return {}
    kernels: dict[str, Shipped] = {}
    at = 0
    while at < len(body):
        key, at = body[at : at + 32].decode(), at + 32
        label, at = _part(body, at)
        made, at = _part(body, at)
        module, name, types = label.decode().split("\0")
        kernels[key] = Shipped(module, name, types, made)
    return kernels


def _part(body: bytes, at: int) -> tuple[bytes, int]:
    end = at + 4 + int.from_bytes(body[at : at + 4], "little")
    return body[at + 4 : end], end


def _kernels() -> dict[str, Shipped]:
    global _found
    if _found is None:
        _found = unpack(FILE.read_bytes()) if FILE.is_file() else {}
    return _found


_found: dict[str, Shipped] | None = None
