"""pcapng: sections of blocks, each with interfaces of its own (draft-ietf-opsawg-pcapng)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from wardwatch.capture.reader import MAX_COMMENTS, CaptureReader, foreign_text
from wardwatch.capture.records import (
    AT,
    BAD_CAPLEN,
    BAD_INTERFACE,
    BAD_LENGTH,
    BAD_TRAILER,
    BASE,
    BIG,
    BINARY,
    CLOCK,
    COUNT,
    EPB,
    FACTOR,
    FULL,
    IDB,
    INTERFACE_COLUMNS,
    ISB,
    LIMIT,
    LINK,
    LOOK,
    MAX_BLOCK,
    MAX_PACKET,
    MORE,
    NEVER,
    NOTE_ROOM,
    NOTES,
    OVER,
    PB,
    ROWS,
    SHB,
    SHIFT,
    SNAPLEN,
    SPB,
    STATUS,
    TIMES,
    TOO_LONG,
    walk_pcapng,
)
from wardwatch.errors import CaptureError
from wardwatch.model.block import Interface

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wardwatch.capture.window import Window
    from wardwatch.model.block import PacketBlock

MAGIC = struct.pack("<I", SHB)
"""First four bytes; the same in both byte orders (§4.1)."""
MAX_INTERFACES = 10_000
"""Interfaces of one file: each costs memory, and a block of 20 bytes makes one."""
_NOTES_A_WALK = 64

_ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
"""Byte-Order Magic 0x1A2B3C4D (§4.1)."""
_BLOCK_NAMES = {SHB: "section header", IDB: "interface description", PB: "packet"} | {
    SPB: "simple packet",
    ISB: "interface statistics",
    EPB: "enhanced packet",
}
_OPT_END, _OPT_COMMENT = 0, 1
_IF_NAME, _IF_DESCRIPTION, _IF_TSRESOL, _IF_FILTER, _IF_TSOFFSET = 2, 3, 9, 11, 14
_ISB_IFRECV, _ISB_IFDROP, _ISB_OSDROP = 4, 5, 7
_COUNTERS = {_ISB_IFRECV: "received", _ISB_IFDROP: "dropped", _ISB_OSDROP: "os_dropped"}

_INT64 = 2**63 - 1
_NS = 1_000_000_000


class PcapngReader(CaptureReader):
    """Reads a pcapng: every section in its byte order, every interface with its own clock."""

    _learned = (*CaptureReader._learned, "_table", "_described", "_order", "_orders")

    def __init__(self, window: Window, name: str, number: int) -> None:
        super().__init__(window, name, number)
        self._table = np.zeros((16, INTERFACE_COLUMNS), np.int64)
        self._notes = np.zeros(_NOTES_A_WALK, np.int64)
        self._described: list[Interface] = []
        self._order = "<"
        self._orders: set[str] = set()
        problem = self._section()
        if problem:
            raise CaptureError(
                name, f"a pcapng without a first packet: {problem}", "ask for it again, whole", 0
            )

    def _blocks(self) -> Iterator[PacketBlock]:
        window, state = self._window, self._state
        while True:
            self._aim()
            state[NOTE_ROOM] = min(_NOTES_A_WALK, MAX_COMMENTS - len(self._comments))
            walk_pcapng(
                window.arena,
                self._table,
                state,
                self._offset,
                self._length,
                self._wire,
                self._time,
                self._link,
                self._interface,
                self._notes,
            )
            window.at = int(state[AT])
            status = int(state[STATUS])
            self._read_notes(int(state[NOTES]))
            if state[ROWS]:
                yield self._block(int(state[ROWS]))
            if status == FULL:
                continue
            if status == MORE:
                if not window.more():
                    if window.left:
                        self._broken(self._cut())
                    return
                continue
            begun = window.offset
            problem = self._look() if status == LOOK else self._senseless(status)
            if problem:
                self._broken(problem, begun)
                return

    # Blocks that Python reads.

    def _look(self) -> str:
        """Read the block at the window's place and pass it ⇒ what is wrong with it, or ""."""
        kind = self._u32(0)
        if kind == SHB:
            return self._section()
        size = self._u32(4)
        if kind not in (IDB, ISB):
            return self._pass(size)
        body, problem = self._body(size, 20 if kind == IDB else 24)
        if problem:
            return problem
        return self._describe(body) if kind == IDB else self._count(body)

    def _section(self) -> str:
        """Begin a section (§4.1): from here on its byte order and its interfaces hold."""
        window = self._window
        if not window.ensure(12):
            return self._cut()
        order = _ORDERS.get(window.bytes(12)[8:])
        if order is None:
            return f"a section header with byte-order magic 0x{window.bytes(12)[8:].hex()}"
        self._order = order
        size = self._u32(4)
        body, problem = self._body(size, 28)
        if problem:
            return problem
        major, minor = struct.unpack(order + "HH", body[4:8])
        if major != 1:
            return f"a section of pcapng version {major}.{minor}, which nobody has described"
        self._orders.add(order)
        self._state[BIG] = order == ">"
        self._state[BASE] = len(self._described)
        self._state[COUNT] = 0
        for code, value in self._options(body, 16):
            if code == _OPT_COMMENT:
                self._comment(value)
        return ""

    def _describe(self, body: bytes) -> str:
        """Note an interface (§4.2)."""
        row = len(self._described)
        if row >= MAX_INTERFACES:
            return f"more than {MAX_INTERFACES} interfaces"
        link, snaplen = struct.unpack(self._order + "H2xI", body[:8])
        told: dict[int, str] = {}
        resolution, offset = 6, 0
        for code, value in self._options(body, 8):
            if code == _OPT_COMMENT:
                self._comment(value)
            elif code in (_IF_NAME, _IF_DESCRIPTION):
                told[code] = foreign_text(value)
            elif code == _IF_TSRESOL and value:
                resolution = value[0]
            elif code == _IF_TSOFFSET and len(value) >= 8:
                offset = struct.unpack(self._order + "q", value[:8])[0]
            elif code == _IF_FILTER and value:
                told[code] = _filter(value)
        if row == len(self._table):
            self._table = np.concatenate((self._table, np.zeros_like(self._table)))
        self._table[row] = _clock(resolution, offset)
        self._table[row, LINK] = link
        self._table[row, SNAPLEN] = snaplen
        base, power = (2, resolution & 0x7F) if resolution & 0x80 else (10, resolution)
        self._described.append(
            Interface(
                row,
                link,
                snaplen=snaplen,
                name=told.get(_IF_NAME, ""),
                description=told.get(_IF_DESCRIPTION, ""),
                filter=told.get(_IF_FILTER, ""),
                resolution=min(base**power, _INT64),
                offset_s=offset,
            )
        )
        self._state[COUNT] += 1
        return ""

    def _count(self, body: bytes) -> str:
        """Note an interface's own counters (§4.6); they count from its start, so the last holds."""
        index = struct.unpack(self._order + "I", body[:4])[0]
        if index >= self._state[COUNT]:
            self._broken(f"statistics of interface {index}, which is not described", fatal=False)
            return ""
        counters: dict[str, int] = {}
        for code, value in self._options(body, 12):
            if code == _OPT_COMMENT:
                self._comment(value)
            elif code in _COUNTERS and len(value) >= 8:
                told = struct.unpack(self._order + "Q", value[:8])[0]
                counters[_COUNTERS[code]] = min(told, _INT64)
        row = int(self._state[BASE]) + index
        self._described[row] = msgspec.structs.replace(self._described[row], **counters)
        return ""

    def _body(self, size: int, least: int) -> tuple[bytes, str]:
        """Pass the block of ``size`` at the window's place ⇒ (what is in it, problem or "")."""
        if size < least or size % 4:
            return b"", self._senseless(BAD_LENGTH)
        if size > MAX_BLOCK:
            return b"", self._senseless(TOO_LONG)
        if not self._window.ensure(size):
            return b"", self._cut()
        raw = self._window.bytes(size)
        if raw[-4:] != raw[4:8]:
            return b"", self._senseless(BAD_TRAILER)
        self._window.at += size
        return raw[8:-4], ""

    def _pass(self, size: int) -> str:
        """Pass over a block too long to be held, of a kind we do not need."""
        there = self._window.skip(size - 4)
        trailer = self._window.bytes(4) if self._window.ensure(4) else b""
        if there < size - 4 or not trailer:
            return f"the file ends inside a block of {size} bytes, {there} present"
        self._window.at += 4
        if struct.unpack(self._order + "I", trailer)[0] != size:
            return f"a block of {size} bytes whose second length differs"
        return ""

    def _options(self, body: bytes, at: int) -> Iterator[tuple[int, bytes]]:
        """(code, value) of the options from ``at`` on (§3.5); one that overruns is told."""
        while at + 4 <= len(body):
            code, size = struct.unpack_from(self._order + "HH", body, at)
            if code == _OPT_END:
                return
            if at + 4 + size > len(body):
                self._broken(
                    f"option {code} before this byte claims {size} bytes, "
                    f"{len(body) - at - 4} present",
                    fatal=False,
                )
                return
            yield code, body[at + 4 : at + 4 + size]
            at += 4 + size + -size % 4

    def _read_notes(self, count: int) -> None:
        """Keep the comments of packets that the kernel pointed at."""
        arena = self._window.arena
        for at in self._notes[:count].tolist():
            size = struct.unpack(self._order + "H", arena[at + 2 : at + 4].tobytes())[0]
            self._comment(arena[at + 4 : at + 4 + size].tobytes())

    # Words for what is wrong.

    def _u32(self, at: int) -> int:
        """An unsigned number ``at`` bytes behind the window's place; 0 where it is cut off."""
        raw = self._window.bytes(at + 4)[at:]
        return int(struct.unpack(self._order + "I", raw)[0]) if len(raw) == 4 else 0

    def _kind(self) -> str:
        """The block at the window's place, by name and with its article."""
        kind = self._u32(0)
        name = _BLOCK_NAMES.get(kind)
        if name is None:
            return f"a block of type 0x{kind:08x}"
        return f"{'an' if name[0] in 'aeiou' else 'a'} {name} block"

    def _cut(self) -> str:
        left = self._window.left
        if left < 8:
            return f"the file ends {left} bytes into a block, after packet {self.packets}"
        return (
            f"the file ends inside {self._kind()} after packet {self.packets}: "
            f"{self._u32(4)} bytes claimed, {left} present"
        )

    def _senseless(self, status: int) -> str:
        size = self._u32(4)
        kind, after = self._kind(), f"after packet {self.packets}"
        if status == BAD_LENGTH:
            return f"{kind} {after} claims a length of {size}, which no such block can have"
        if status == BAD_TRAILER:
            return f"{kind} {after} whose two lengths differ (the first says {size})"
        if status == BAD_INTERFACE:
            return f"{kind} {after} names an interface that is not described"
        if status == BAD_CAPLEN:
            return f"{kind} {after} claims more captured bytes than its {size} bytes hold"
        return f"{kind} {after} is longer than the {MAX_PACKET} bytes any capture keeps of a packet"

    def _format(self) -> str:
        return "pcapng"

    def _byte_order(self) -> str:
        if len(self._orders) > 1:
            return "mixed"
        return "big" if self._orders == {">"} else "little"

    def _interfaces(self) -> tuple[Interface, ...]:
        return tuple(self._described)


def _filter(value: bytes) -> str:
    """if_filter (§4.2): one byte tells how it is spelled, 0 as text, 1 as BPF instructions."""
    if value[0] == 0:
        return foreign_text(value[1:])
    return f"{len(value) // 8} BPF instructions" if value[0] == 1 else f"kind {value[0]}"


def _clock(resolution: int, offset: int) -> list[int]:
    """The row of the interface table that turns ticks into ns (if_tsresol, if_tsoffset: §4.2)."""
    row = [0] * INTERFACE_COLUMNS
    row[SHIFT] = offset * _NS
    row[LIMIT] = 2**31 - 1  # the upper half, so that ticks stay within 63 bits
    power = resolution & 0x7F
    if abs(row[SHIFT]) > _INT64:
        row[SHIFT], row[CLOCK] = 0, NEVER  # a clock 292 years away from 1970
    elif resolution & 0x80:
        row[CLOCK], row[FACTOR] = BINARY, power
        # Seconds must fit when taken times 10^9: 2^33 of them do, with 2^30 ns each.
        row[LIMIT] = (2**33 - 1) >> (32 - power) if power < 32 else 2**32 - 1
    elif power <= 9:
        row[CLOCK], row[FACTOR] = TIMES, 10 ** (9 - power)
    else:
        row[CLOCK], row[FACTOR] = OVER, min(10 ** (power - 9), _INT64)
    return row
