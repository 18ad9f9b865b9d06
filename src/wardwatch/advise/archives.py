"""Files of advisories from wherever they lie: files, folders, tar and zip archives, each by name.

An archive comes from outside. Nothing of it is ever written to a path of its own choosing; what it
unpacks to is counted while it is read, not believed from its table of contents.
"""

from __future__ import annotations

import stat
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

import msgspec

from wardwatch.advise.csaf import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_MEMBERS = 50_000
"""The whole OT corpus has 7,200 files with hashes and signatures."""
MAX_UNPACKED = 1024 * 1024 * 1024
"""The whole OT corpus is 56 MB; a thousand times its archive is a bomb."""
MAX_RATIO = 200
"""JSON of advisories shrinks to a tenth, one archive of many to a sixteenth; a bomb to a thousandth."""
KEPT = (".json", ".sha512", ".asc", ".sha256")
"""Ends of names that belong to an advisory."""
ASIDE = ("changes.csv", "index.txt", "notice.txt")


class Found(msgspec.Struct, frozen=True):
    """One file of an import: its bytes, or why it is refused."""

    name: str
    raw: bytes = b""
    refused: str = ""


def gather(paths: Iterable[str | Path]) -> Iterator[Found]:
    """Every file that may belong to an advisory, in the order of the paths, then of names."""
    for path in map(Path, paths):
        if path.is_dir():
            for inner in sorted(p for p in path.rglob("*") if p.is_file() or p.is_symlink()):
                if inner.is_symlink():
                    if inner.name.casefold().endswith((*KEPT, ".zip", *_TARS)):
                        yield Found(inner.relative_to(path).as_posix(), refused="is a link")
                elif inner.name.casefold().endswith(KEPT):
                    yield _file(inner, inner.relative_to(path).as_posix())
                elif inner.name.casefold().endswith((".zip", *_TARS)):
                    yield from _archive(inner)
        elif path.name.casefold().endswith((".zip", *_TARS)):
            yield from _archive(path)
        else:
            yield _file(path, path.name)


_TARS = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2")


def _file(path: Path, name: str) -> Found:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        return Found(name, refused=f"cannot be read ({error.strerror})")
    if len(raw) > MAX_BYTES:
        return Found(name, refused=f"is larger than {MAX_BYTES // 1024 // 1024} MB")
    return Found(name, raw)


def _archive(path: Path) -> Iterator[Found]:
    try:
        if path.name.casefold().endswith(".zip"):
            with zipfile.ZipFile(path) as archive:
                yield from _zipped(path, archive)
        else:
            with tarfile.open(path, "r:*") as tar:
                yield from _tarred(path, tar)
    except (OSError, EOFError, zipfile.BadZipFile, tarfile.TarError, zlib.error, NotImplementedError, RuntimeError, _lzma()) as error:  # fmt: skip
        yield Found(path.name, refused=f"is no archive that can be read to its end ({error})")


def _lzma() -> type[Exception]:
    import lzma

    return lzma.LZMAError


def _zipped(path: Path, archive: zipfile.ZipFile) -> Iterator[Found]:
    unpacked = 0
    for i, member in enumerate(archive.infolist()):
        if i >= MAX_MEMBERS:
            yield Found(path.name, refused=f"has more than {MAX_MEMBERS} members; the rest is left")
            return
        name = f"{path.name}/{member.filename}"
        if member.is_dir() or not member.filename.casefold().endswith(KEPT):
            continue
        if bad := _bad_name(member.filename):
            yield Found(name, refused=bad)
            continue
        if stat.S_ISLNK(member.external_attr >> 16):
            yield Found(name, refused="is a link")
            continue
        if member.flag_bits & 1:
            yield Found(name, refused="is encrypted")
            continue
        try:
            with archive.open(member) as file:
                found = _bounded(name, file, MAX_UNPACKED - unpacked, member.compress_size)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            found = Found(name, refused=f"cannot be unpacked ({error})")
        unpacked += len(found.raw)
        yield found


def _tarred(path: Path, tar: tarfile.TarFile) -> Iterator[Found]:
    unpacked = 0
    for i, member in enumerate(tar):
        # To pass over a member unpacks it, so its claimed end counts, wanted or not.
        if i >= MAX_MEMBERS or member.offset_data + member.size > MAX_UNPACKED:
            yield Found(
                path.name, refused="unpacks to more than an archive of advisories; the rest is left"
            )
            return
        name = f"{path.name}/{member.name}"
        if member.isdir() or not member.name.casefold().endswith(KEPT):
            continue
        if bad := _bad_name(member.name):
            yield Found(name, refused=bad)
            continue
        if not member.isfile():
            yield Found(name, refused="is a link or a device, not a file")
            continue
        file = tar.extractfile(member)
        assert file is not None
        found = _bounded(name, file, MAX_UNPACKED - unpacked, 0)
        unpacked += len(found.raw)
        yield found


def _bounded(name: str, file: IO[bytes], room: int, packed: int) -> Found:
    limit = min(MAX_BYTES, room)
    raw = file.read(limit + 1)
    if len(raw) > limit:
        return Found(name, refused=f"unpacks to more than {limit // 1024 // 1024} MB")
    if packed and len(raw) > 1024 * 1024 and len(raw) > packed * MAX_RATIO:
        return Found(name, refused=f"unpacks to more than {MAX_RATIO} times its size")
    return Found(name, raw)


def _bad_name(name: str) -> str:
    """Why a member's name is not taken; names are shown, never used as paths, all the same."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if ".." in parts or name.startswith(("/", "\\")) or (len(name) > 1 and name[1] == ":"):
        return "has a name that leads out of its archive"
    if "\x00" in name or len(name) > 500:
        return "has a name that is no file's"
    return ""
