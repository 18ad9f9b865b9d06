"""Where bytes come from: a file or a pipe, plain or compressed, hashed as it is read.

Everything is read in pieces and nothing is kept, so memory does not grow with the file, nor
with what a hostile stream unpacks to. A compressed stream that breaks off is damage of the
file, told by :attr:`Source.damage`; what came out before it counts.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from typing import TYPE_CHECKING, Protocol

from wardwatch.capture import PIPE
from wardwatch.capture.digest import Stamp
from wardwatch.model.block import Damage

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

GZIP_MAGIC = b"\x1f\x8b"
"""RFC 1952 §2.3.1."""
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
"""RFC 8878 §3.1.1."""
ZSTD_SKIPPABLE = b"\x2a\x4d\x18"
"""RFC 8878 §3.1.2: a frame with user data begins 5X 2A 4D 18."""
XZ_MAGIC = b"\xfd7zXZ\x00"
"""The .xz file format 1.1.0 §2.1.1.1."""

_PIECE = 256 * 1024
"""Packed bytes read at a time."""
_ZSTD_SLICE = 1024
"""zstd cannot be told to stop after so many bytes: a slice of n bytes holds at most n/4 blocks
that repeat one byte 128 KiB times (RFC 8878 §3.1.1.2), so this one unpacks to 32 MiB at most."""
_ZSTD_WINDOW = 128 * 1024 * 1024
"""What ``zstd -d`` itself allows (--long=27)."""
_SALVAGE_STEP = 64 * 1024
"""Bytes unpacked at a time in search of the byte that broke a gzip stream."""
_XZ_STEP = 4096
"""Bytes unpacked at a time: liblzma keeps to itself what it unpacked in the step that fails."""
_XZ_MEMORY = 256 * 1024 * 1024
"""``xz -9`` needs 65 MiB to unpack."""


class RawStream(Protocol):
    """What we ask of a file, a pipe or bytes in memory."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Fill ``buffer`` from its start ⇒ bytes read, 0 at the end."""


class CopiedStream(RawStream, Protocol):
    """A stream that keeps in a file what it gives."""

    @property
    def copy_damage(self) -> Damage | None:
        """Where that file ends before what was given does, and why; ``None`` where it does not."""


class _Unpacker(Protocol):
    """One compression format, unpacking a stream of whole members or frames."""

    def unpack(self, packed: bytes, room: int) -> tuple[bytes, bytes]:
        """⇒ (some unpacked bytes, about ``room`` at most; packed bytes not used yet)."""

    @property
    def hungry(self) -> bool:
        """Whether nothing more comes without more packed bytes."""

    @property
    def whole(self) -> bool:
        """Whether the stream may end here."""


class Stored:
    """The file as it is stored: its bytes, counted and hashed as they pass."""

    def __init__(
        self,
        stream: RawStream,
        name: str,
        total: int = -1,
        regular: bool = True,
        file: int | None = None,
    ) -> None:
        """``file``: the descriptor of ``stream``, where it has one."""
        self.name = name
        self.total = total
        """Size in bytes; -1 for a pipe."""
        self.count = 0
        """Bytes read so far."""
        self.problem = ""
        """What the operating system said when it would not give more."""
        self._stream = stream
        self._regular = regular
        self._digest = hashlib.sha256()
        self._hashing: Future[None] | None = None
        self._aside: Executor | None = None
        self._ahead = b""
        self.is_hashed = True
        """Whether what passes is hashed."""
        self._file = file
        self._opened = None if file is None else Stamp.of(file)

    @property
    def stamp(self) -> Stamp | None:
        """What the file is told by; ``None`` where it changed while it was open, or is no file."""
        if self._file is not None and Stamp.of(self._file) != self._opened:
            self._opened = None
        return self._opened

    def hash_not(self) -> None:
        """Hash nothing from here on: somebody else does, and :attr:`sha256` is "" here."""
        self.is_hashed = False

    def hash_aside(self, aside: Executor | None) -> None:
        """Hash what is read from now on in another thread (``None``: here), while the next steps go on.

        Who writes over what was read calls :meth:`settle` first.
        """
        self._aside = aside

    def settle(self) -> None:
        """Wait until what was read is hashed."""
        hashing, self._hashing = self._hashing, None
        if hashing is not None:
            hashing.result()

    def readinto(self, view: memoryview) -> int:
        """Fill ``view`` from its start, as far as one read gives ⇒ bytes, 0 at the end."""
        if self._hashing is not None:
            self.settle()
        if self._ahead:
            n = min(len(self._ahead), len(view))
            view[:n], self._ahead = self._ahead[:n], self._ahead[n:]
            return n
        try:
            n = self._stream.readinto(view) or 0
        except OSError as error:
            # A disk that fails half way: what was read before it counts.
            self.problem = f"the operating system stopped reading it: {error.strerror or error}"
            return 0
        if not self.is_hashed:
            pass
        elif self._aside is None:
            self._digest.update(view[:n])
        else:
            self._hashing = self._aside.submit(self._digest.update, view[:n])
        self.count += n
        return n

    def peek(self, size: int) -> bytes:
        """The next ``size`` bytes (fewer at the end), which stay to be read."""
        scratch = bytearray(size)
        view, filled = memoryview(scratch), 0
        while filled < size and (n := self.readinto(view[filled:])):
            filled += n
        self._ahead = bytes(view[:filled]) + self._ahead
        return self._ahead

    @property
    def can_go(self) -> bool:
        """Whether :meth:`go_to` is possible: a file of which nothing needs to be hashed."""
        return self._regular and self._file is not None and not self.is_hashed

    def go_to(self, offset: int) -> None:
        """Read on from an octet of the file, where :attr:`can_go`."""
        assert self.can_go
        assert self._file is not None
        os.lseek(self._file, offset, os.SEEK_SET)
        self._ahead = b""
        self.count = offset

    def drain(self) -> None:
        """Read a file on to its end, so that its hash is that of the whole.

        A pipe is left alone: it need not have an end.
        """
        if self._regular and self.is_hashed:
            self._ahead = b""
            scratch = memoryview(bytearray(_PIECE))
            while self.readinto(scratch):
                pass

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes read so far, hex."""
        self.settle()
        return self._digest.hexdigest() if self.is_hashed else ""

    def close(self) -> None:
        """Give the file back; standard input is not ours to close."""
        self.settle()
        _, self._file = self.stamp, None  # a last look
        if self.name != PIPE and hasattr(self._stream, "close"):
            self._stream.close()


class Source:
    """The decompressed stream of one stored file."""

    def __init__(self, stored: Stored) -> None:
        self.stored = stored
        self.damage: tuple[Damage, ...] = ()
        """Set when the stream ends badly; the offset is in the decompressed stream."""
        self.given = 0
        """Decompressed bytes given so far."""
        self.compression, self._unpacker = _unpacker(stored.peek(6))
        self._packed = b""
        self._unpacked = memoryview(b"")
        self.is_ended = False
        """Whether all of it has been given."""
        self._problem = ""

    def readinto(self, view: memoryview) -> int:
        """Fill ``view`` from its start, wholly unless the stream ends ⇒ bytes given."""
        filled, room = 0, len(view)
        while filled < room and not self.is_ended:
            if self._unpacker is None:
                n = self.stored.readinto(view[filled:])
                self.is_ended = n == 0
            else:
                n = self._unpack(self._unpacker, view[filled:])
            filled += n
        self.given += filled
        if self.is_ended and not self.damage and (problem := self.stored.problem or self._problem):
            self.damage = (Damage(self.given, problem),)
        return filled

    @property
    def can_go(self) -> bool:
        """Whether :meth:`go_to` is possible: in a file as it is stored, not hashed."""
        return self._unpacker is None and self.stored.can_go

    def go_to(self, offset: int) -> None:
        """Give on from an octet of the stream, where :attr:`can_go`."""
        self.stored.go_to(offset)
        self.given = offset
        self.is_ended = False

    def _unpack(self, unpacker: _Unpacker, view: memoryview) -> int:
        """Give unpacked bytes that wait, or unpack some more ⇒ bytes given, maybe 0."""
        if not self._unpacked:
            last = not self._packed and unpacker.hungry and not self._refill()
            try:
                raw, self._packed = unpacker.unpack(self._packed, len(view))
            except _NotAStream as error:
                raw = b""
                self.is_ended = True
                self._problem = self._where(f"is damaged ({error})")
            if last and not raw and not self.is_ended:
                self.is_ended = True
                if not unpacker.whole:
                    self._problem = self._where("breaks off")
            self._unpacked = memoryview(raw)
        n = min(len(self._unpacked), len(view))
        view[:n] = self._unpacked[:n]
        self._unpacked = self._unpacked[n:]
        return n

    def _refill(self) -> bool:
        """Read the next packed piece; false at the end of the file."""
        piece = bytearray(_PIECE)
        self._packed = bytes(piece[: self.stored.readinto(memoryview(piece))])
        return bool(self._packed)

    def _where(self, what: str) -> str:
        """One line about the compressed stream, with the place in the stored file."""
        return f"the {self.compression} stream {what} near byte {self.stored.count} of the file"


class _NotAStream(Exception):
    """The compressed bytes make no sense from here on."""


class _Gzip:
    """RFC 1952: members one behind the other."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(31)
        self._broken = ""

    def unpack(self, packed: bytes, room: int) -> tuple[bytes, bytes]:
        if self._broken:
            raise _NotAStream(self._broken)
        if self._member.eof:
            packed = packed.lstrip(b"\0")  # tar and tapes pad with zeros; gzip(1) accepts it
            if not packed:
                return b"", b""
            self._member = zlib.decompressobj(31)
        before = self._member.copy()
        try:
            raw = self._member.decompress(packed, room)
        except zlib.error as error:
            self._broken = str(error)
            raw = _salvaged(before, packed)
            if not raw:
                raise _NotAStream(self._broken) from None
            return raw, packed
        rest = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
        return raw, rest

    @property
    def hungry(self) -> bool:
        return True

    @property
    def whole(self) -> bool:
        return self._member.eof


def _salvaged(member: zlib._Decompress, packed: bytes) -> bytes:
    """What comes out before the error that is known to follow: zlib drops it with the error."""
    out = bytearray()
    raw = b"-"
    while raw:
        before = member.copy()
        try:
            raw = member.decompress(packed, _SALVAGE_STEP)
        except zlib.error:
            break
        out += raw
        packed = member.unconsumed_tail
    for at in range(len(packed)):  # what stands before the bad byte comes out without it
        try:
            out += before.decompress(packed[at : at + 1])
        except zlib.error:
            break
    return bytes(out)


class _Xz:
    """The .xz file format: streams one behind the other, with zero padding."""

    def __init__(self) -> None:
        self._new()

    def _new(self) -> None:
        import lzma

        self._stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)

    def unpack(self, packed: bytes, room: int) -> tuple[bytes, bytes]:
        import lzma

        if self._stream.eof:
            packed = packed.lstrip(b"\0")  # §2.2 stream padding
            if not packed:
                return b"", b""
            self._new()
        try:
            raw = self._stream.decompress(packed, min(room, _XZ_STEP))
        except lzma.LZMAError as error:
            raise _NotAStream(str(error)) from None
        return raw, self._stream.unused_data

    @property
    def hungry(self) -> bool:
        return self._stream.eof or self._stream.needs_input

    @property
    def whole(self) -> bool:
        return self._stream.eof


class _Zstd:
    """RFC 8878: frames one behind the other."""

    def __init__(self) -> None:
        import zstandard

        self._maker = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        self._frame = self._maker.decompressobj()

    def unpack(self, packed: bytes, room: int) -> tuple[bytes, bytes]:
        import zstandard

        if not packed:
            return b"", b""
        if self._frame.eof:
            self._frame = self._maker.decompressobj()
        taken, rest = packed[:_ZSTD_SLICE], packed[_ZSTD_SLICE:]
        try:
            raw = self._frame.decompress(taken)
        except zstandard.ZstdError as error:
            raise _NotAStream(str(error)) from None
        return raw, self._frame.unused_data + rest if self._frame.eof else rest

    @property
    def hungry(self) -> bool:
        return True

    @property
    def whole(self) -> bool:
        return self._frame.eof


def _unpacker(head: bytes) -> tuple[str, _Unpacker | None]:
    """The compression that the first bytes announce, and what undoes it."""
    if head.startswith(GZIP_MAGIC):
        return "gzip", _Gzip()
    if head.startswith(XZ_MAGIC):
        return "xz", _Xz()
    if head.startswith(ZSTD_MAGIC) or (head[1:4] == ZSTD_SKIPPABLE and head[0] >> 4 == 5):
        return "zstd", _Zstd()
    return "none", None
