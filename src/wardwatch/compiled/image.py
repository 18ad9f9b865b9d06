"""Object code of one kernel as one piece that runs wherever it stands.

Theory of operation: what LLVM makes of a kernel needs nothing outside itself
(:func:`wardwatch.compiled.native.check`), and its parts find each other by their distance. Put one
behind the other, with these distances filled in, they are a piece that can be kept and run as it
is: who loads it needs no linker. LLVM's own is a library of 120 MB, which every process that reads
packets would load for that alone. Objects of another system, or that are made in a way not known
here, are left to LLVM (:func:`wardwatch.compiled.store.link`).

Source: System V ABI, chapter 4 (object files); AMD64 supplement, table 4.9 (relocation types).
"""

from __future__ import annotations

import errno
import mmap
import os
import struct
import sys
from typing import NamedTuple

import numpy as np

FORM = b"I"
"""How what is kept of a kernel says that it is such a piece."""
HEAD = 64
"""Octets before the first part: where the code is entered (64 bits), then zeros."""

PAGE = 4096
"""Where a piece begins is a multiple of it."""

_OBJECT = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QQq")
_ENTRY = struct.Struct("<Q")
_DISTANCE = struct.Struct("<i")

_LITTLE_64 = b"\x7fELF\x02\x01"
_RELOCATABLE, _X86_64 = 1, 62
_PROGBITS, _SYMTAB, _RELA, _REL = 1, 2, 4, 9  # types of sections
_UNWIND = 0x70000001
_WRITE, _ALLOC = 1, 2  # flags of sections
_PC32, _PLT32 = 2, 4  # types of relocations: a distance in 32 bits


class _Section(NamedTuple):
    name: int
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int
    entry_size: int


def is_known_here() -> bool:
    """Whether this process is one that such pieces are made for."""
    return (
        sys.platform == "linux"
        and os.uname().machine == "x86_64"
        and sys.maxsize > 2**32
        and hasattr(os, "memfd_create")
    )


def image_of(code: bytes, symbol: str) -> bytes | None:
    """The piece that an object is, entered at ``symbol``.

    ``None`` for an object of another machine, one that needs what is outside of it or writes to
    what is its own, and for whatever else is not known here.
    """
    try:
        return _image_of(code, symbol.encode())
    except (struct.error, ValueError, IndexError, OverflowError):  # it ends before its own words
        return None


def _image_of(code: bytes, symbol: bytes) -> bytes | None:
    head = _OBJECT.unpack_from(code)
    kinds = head[0][:6], *head[1:3]
    if kinds != (_LITTLE_64, _RELOCATABLE, _X86_64):
        return None
    first, count = head[6], head[12]
    sections = [
        _Section(*_SECTION.unpack_from(code, first + _SECTION.size * i)) for i in range(count)
    ]
    image = bytearray(HEAD)
    places: dict[int, int] = {}
    for number, section in enumerate(sections):
        if not section.flags & _ALLOC or not section.size or section.kind == _UNWIND:
            continue  # nothing unwinds a kernel: none raises
        if section.kind != _PROGBITS or section.flags & _WRITE or section.alignment > PAGE:
            return None
        image += bytes(-len(image) % max(section.alignment, 1))
        places[number] = len(image)
        image += _octets(code, section)
    tables = [section for section in sections if section.kind == _SYMTAB]
    if len(tables) != 1:
        return None
    table = tables[0]
    names = _octets(code, sections[table.link])
    symbols = list(_SYMBOL.iter_unpack(_octets(code, table)))
    entries = [
        places[where] + value
        for name, _, _, where, value, _ in symbols
        if where in places and names[name : names.index(b"\0", name)] == symbol
    ]
    for section in sections:
        if section.kind == _REL:
            return None
        if section.kind != _RELA or section.info not in places:
            continue
        for offset, what, addend in _RELOCATION.iter_unpack(_octets(code, section)):
            _, _, _, where, value, _ = symbols[what >> 32]
            if what & 0xFFFFFFFF not in (_PC32, _PLT32) or where not in places:
                return None
            at = places[section.info] + offset
            _DISTANCE.pack_into(image, at, places[where] + value + addend - at)
    if len(entries) != 1:
        return None
    _ENTRY.pack_into(image, 0, entries[0])
    return bytes(image)


def _octets(code: bytes, section: _Section) -> bytes:
    """What a section holds."""
    found = code[section.offset : section.offset + section.size]
    if len(found) < section.size:
        raise ValueError("an object ends inside of a section")
    return found


def place(image: bytes) -> int:
    """Where this process can enter a piece from now on: memory that nobody can write to.

    Raises ``OSError`` where the system lets no such memory be run.
    """
    file = _nameless()
    try:
        with open(file, "wb", closefd=False) as room:
            room.write(image)
        piece = mmap.mmap(
            file, len(image), flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_EXEC
        )
    finally:
        os.close(file)
    octets = np.frombuffer(piece, np.uint8)
    _placed.append(octets)
    return int(octets.ctypes.data) + int(_ENTRY.unpack_from(image)[0])


_NOEXEC_SEAL = 8
"""Of ``memfd_create``, since Linux 6.3: it can never be a program of its own. To map and run it is
allowed; where a system is strict (``vm.memfd_noexec``) nothing else is."""


def _nameless() -> int:
    """Memory without a name, as an open file."""
    name = "wardwatch-kernel"
    try:
        return os.memfd_create(name, os.MFD_CLOEXEC | _NOEXEC_SEAL)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return os.memfd_create(name, os.MFD_CLOEXEC)  # older ones do not know the word


_placed: list[np.ndarray[tuple[int], np.dtype[np.uint8]]] = []
"""Holds the pieces for as long as this process lives."""
