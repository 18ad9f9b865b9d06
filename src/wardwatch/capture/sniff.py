"""Which format a file has, told from its first bytes; and a clear line where it has none."""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING, cast

from wardwatch.capture import PIPE, pcap, pcapng
from wardwatch.capture.source import Source, Stored
from wardwatch.capture.window import Window
from wardwatch.errors import CaptureError

if TYPE_CHECKING:
    from wardwatch.capture.reader import CaptureReader
    from wardwatch.capture.source import RawStream

_CONVERT = "convert it with: editcap -F pcapng IN OUT"
_UNPACK = "unpack it and give the capture inside"
_LOOKALIKES: tuple[tuple[bytes, str, str], ...] = (
    (b"snoop\0\0\0", "a Solaris snoop capture", _CONVERT),
    (b"RTSS", "a Microsoft Network Monitor 1 capture", _CONVERT),
    (b"GMBU", "a Microsoft Network Monitor 2 capture", _CONVERT),
    (b"TRSNIFF data    \x1a", "a Network General Sniffer capture", _CONVERT),
    (b"XCP\0", "a NetXRay capture", _CONVERT),
    (b"\xac\x01\x00\x1c", "a capture of an Ixia analyser", _CONVERT),
    (b"\xab\x01\x00\x1c", "a capture of an Ixia analyser", _CONVERT),
    (b"PK\x03\x04", "a ZIP archive", _UNPACK),
    (b"BZh", "a bzip2 file", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK),
    (b"Rar!", "a RAR archive", _UNPACK),
    (b"\x04\x22\x4d\x18", "an LZ4 file", _UNPACK),
    (b"%PDF", "a PDF document", "give the capture itself (pcap or pcapng)"),
    (b"PAR1", "a Parquet table", "give the capture it was made from (pcap or pcapng)"),
    (b"\x7fELF", "a program", "give a pcap or pcapng file"),
    (b"MZ", "a Windows program", "give a pcap or pcapng file"),
)
"""What people hand over by mistake: (first bytes, what it is, what to do)."""


def open_capture(path: str | os.PathLike[str], number: int = 1) -> CaptureReader:
    """Open a capture, or standard input for ``-``; ``number`` is what evidence will cite.

    Raises :class:`CaptureError` where there is nothing to read a packet from.
    """
    name = os.fspath(path)
    stored = _stored(name)
    try:
        return _reader(stored, number)
    except CaptureError:
        stored.close()
        raise


def open_stream(stream: RawStream, name: str = PIPE, number: int = 1) -> CaptureReader:
    """Read a capture from any binary stream with ``readinto`` (a file in memory, say)."""
    return _reader(Stored(stream, name, regular=False), number)


def _stored(name: str) -> Stored:
    """Open what ``name`` names."""
    if name == PIPE:
        buffer = getattr(sys.stdin, "buffer", None)
        if buffer is None:
            raise CaptureError(name, "there is no standard input", "name a file instead")
        return Stored(cast("RawStream", getattr(buffer, "raw", buffer)), name, regular=False)
    try:
        file = open(name, "rb", buffering=0)  # noqa: PTH123, SIM115 — Stored closes it
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        remedy = "give a file, not a folder" if isinstance(error, IsADirectoryError) else ""
        remedy = remedy or "check the name, and that you may read it"
        raise CaptureError(name, f"cannot be opened ({reason})", remedy) from None
    status = os.fstat(file.fileno())
    regular = stat.S_ISREG(status.st_mode)
    return Stored(file, name, status.st_size if regular else -1, regular, file.fileno())


def _reader(stored: Stored, number: int) -> CaptureReader:
    """The reader for what the first bytes announce."""
    source = Source(stored)
    window = Window(source)
    window.ensure(64)
    head = window.bytes(64)
    if head[:4] in pcap.MAGICS:
        return pcap.PcapReader(window, stored.name, number)
    if head[:4] == pcapng.MAGIC:
        return pcapng.PcapngReader(window, stored.name, number)
    raise CaptureError(stored.name, *_refusal(source, head))


def _refusal(source: Source, head: bytes) -> tuple[str, str]:
    """(what the file is instead, what to do about it)."""
    inside = "" if source.compression == "none" else f" inside {source.compression}"
    if source.damage and len(head) < 4:
        return source.damage[0].problem, "ask for the file again, whole"
    if not head:
        return f"the file is empty{inside}", "ask for it again, or check that the capture ran"
    for magic, what, remedy in _LOOKALIKES:
        if head.startswith(magic):
            return f"this is {what}{inside}, not pcap or pcapng", remedy
    if not head.strip(b"\0"):
        return f"it begins with zeros{inside}: never written, or lost", "ask for it again, whole"
    if any(magic.startswith(head) for magic in (*pcap.MAGICS, pcapng.MAGIC)):
        return f"the file ends after {len(head)} bytes", "ask for it again, whole"
    if all(32 <= byte < 127 or byte in b"\t\r\n\xef\xbb\xbf" for byte in head):
        return f"this is text{inside}, not a capture", "give the pcap or pcapng file itself"
    return (
        f"no capture we know begins with 0x{head[:4].hex()}{inside}",
        "give a pcap or pcapng file (plain, gzip, zstd or xz)",
    )
