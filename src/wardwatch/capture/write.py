"""Writing captures: pcap for one link, pcapng for several, with nanosecond stamps."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

SNAPLEN = 262_144
"""Bytes kept of a packet at most: what Wireshark and our own reader accept."""
EN10MB = 1
"""LINKTYPE_ETHERNET, the default of both writers."""

_OPT_ENDOFOPT, _OPT_COMMENT, _IF_NAME, _IF_TSRESOL = 0, 1, 2, 9
_ISB_IFRECV, _ISB_IFDROP, _ISB_OSDROP = 4, 5, 7


class _Writer:
    """A binary file we opened, or one we were lent (and then leave open)."""

    def __init__(self, target: str | Path | BinaryIO) -> None:
        self._lent = not isinstance(target, str | Path)
        self._file: BinaryIO = open(target, "wb") if isinstance(target, str | Path) else target  # noqa: PTH123, SIM115 — closed by close()
        self.packets = 0
        """Packets written so far: the number of the last one, as Wireshark counts."""

    def close(self) -> None:
        """Flush, and close the file unless it was lent."""
        self._file.flush()
        if not self._lent:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class PcapWriter(_Writer):
    """A classic pcap, little-endian; the stamps are ns, or cut to µs with ``nanosecond=False``."""

    def __init__(
        self,
        target: str | Path | BinaryIO,
        link: int = EN10MB,
        nanosecond: bool = True,
        snaplen: int = SNAPLEN,
    ) -> None:
        super().__init__(target)
        self._tick = 1 if nanosecond else 1000
        self._snaplen = snaplen
        magic = 0xA1B23C4D if nanosecond else 0xA1B2C3D4
        self._file.write(struct.pack("<IHHiIII", magic, 2, 4, 0, 0, snaplen, link))

    def packet(self, ts_ns: int, data: bytes, wire_len: int | None = None) -> int:
        """Append one packet (its ``wire_len`` is that of ``data`` unless told) ⇒ its number."""
        seconds, rest = divmod(ts_ns, 1_000_000_000)
        kept = data[: self._snaplen]
        wire = len(data) if wire_len is None else wire_len
        self._file.write(struct.pack("<IIII", seconds, rest // self._tick, len(kept), wire) + kept)
        self.packets += 1
        return self.packets


class PcapngWriter(_Writer):
    """A pcapng of one section, little-endian, ns stamps, with as many interfaces as links."""

    def __init__(
        self,
        target: str | Path | BinaryIO,
        interfaces: Sequence[tuple[int, str, int]] = ((EN10MB, "", SNAPLEN),),
        comment: str = "",
    ) -> None:
        """``interfaces`` holds (LINKTYPE number, if_name, snaplen; 0 no limit) each."""
        super().__init__(target)
        self._snaplens = [snaplen or SNAPLEN for _, _, snaplen in interfaces]
        section = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)
        self._file.write(_block(0x0A0D0D0A, section + _options((_OPT_COMMENT, comment.encode()))))
        for link, name, snaplen in interfaces:
            described = _options((_IF_NAME, name.encode()), (_IF_TSRESOL, b"\x09"))
            self._file.write(_block(1, struct.pack("<HHI", link, 0, snaplen) + described))

    def packet(
        self,
        interface: int,
        ts_ns: int,
        data: bytes,
        wire_len: int | None = None,
        comment: str = "",
    ) -> int:
        """Append one packet caught on ``interface`` (0-based) ⇒ its number in the file."""
        kept = data[: self._snaplens[interface]]
        wire = len(data) if wire_len is None else wire_len
        fixed = struct.pack("<IIIII", interface, ts_ns >> 32, ts_ns & 0xFFFFFFFF, len(kept), wire)
        options = _options((_OPT_COMMENT, comment.encode()))
        self._file.write(_block(6, fixed + _padded(kept) + options))
        self.packets += 1
        return self.packets

    def statistics(
        self, interface: int, ts_ns: int, *, received: int, dropped: int = -1, os_dropped: int = -1
    ) -> None:
        """Append what ``interface`` (0-based) and the system counted up to now; -1 is not told."""
        told = ((_ISB_IFRECV, received), (_ISB_IFDROP, dropped), (_ISB_OSDROP, os_dropped))
        counted = _options(*((code, struct.pack("<Q", n)) for code, n in told if n >= 0))
        fixed = struct.pack("<III", interface, ts_ns >> 32, ts_ns & 0xFFFFFFFF)
        self._file.write(_block(5, fixed + counted))


def _padded(raw: bytes) -> bytes:
    """``raw`` filled with zeros to a multiple of 32 bits."""
    return raw + bytes(-len(raw) % 4)


def _options(*options: tuple[int, bytes]) -> bytes:
    """Options with a value, and their end; nothing at all where none has a value."""
    coded = [struct.pack("<HH", code, len(v)) + _padded(v) for code, v in options if v]
    return b"".join([*coded, struct.pack("<HH", _OPT_ENDOFOPT, 0)]) if coded else b""


def _block(kind: int, body: bytes) -> bytes:
    """One pcapng block: its total length stands before and behind the body."""
    total = len(body) + 12
    return struct.pack("<II", kind, total) + body + struct.pack("<I", total)
