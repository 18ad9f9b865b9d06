"""Classic pcap: one link, one clock, records end to end (draft-ietf-opsawg-pcap)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from wardwatch.capture.middle import first_record
from wardwatch.capture.reader import ENDLESS, CaptureReader
from wardwatch.capture.records import (
    AT,
    BIG,
    FULL,
    MAX_PACKET,
    MORE,
    ODD,
    ROWS,
    STATUS,
    STOP,
    walk_pcap,
)
from wardwatch.errors import CaptureError
from wardwatch.model.block import Interface

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wardwatch.capture.window import Window
    from wardwatch.model.block import PacketBlock

HEADER = 24
"""Bytes of the file header (§4)."""
MICRO, NANO, MODIFIED = 0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34
"""Magic numbers: §4, and that of Alexey Kuznetzov's patch, whose record headers have 8 bytes more."""

_FORMATS = {MICRO: "pcap", NANO: "pcap-ns", MODIFIED: "pcap-modified"}
MAGICS = {
    struct.pack(order + "I", magic): (magic, order) for magic in _FORMATS for order in ("<", ">")
}
"""First four bytes ⇒ (magic number, byte order as struct spells it)."""

_LINK_BITS = 0x03FF_FFFF
"""The LINKTYPE; the six bits above it tell the length of a frame check sequence (§4)."""


class PcapReader(CaptureReader):
    """Reads a pcap in either byte order, µs or ns, with record headers of 16 or 24 bytes."""

    def __init__(self, window: Window, name: str, number: int) -> None:
        super().__init__(window, name, number)
        if not window.ensure(HEADER):
            raise CaptureError(
                name,
                f"a pcap that ends after {window.left} bytes of its {HEADER}-byte header",
                "ask for the file again, whole",
                window.left,
            )
        raw = window.bytes(HEADER)
        self._magic, self._order = MAGICS[raw[:4]]
        fields = struct.unpack(self._order + "4xHHiIII", raw)
        major, minor, _zone, _accuracy, self._snaplen, link = fields
        if major != 2 and (major, minor) != (543, 0):  # 543.0: DG/UX tcpdump, otherwise 2.4
            raise CaptureError(
                name,
                f"a pcap of version {major}.{minor}, which nobody has described",
                "ask for the file again, or convert it with: editcap -F pcap IN OUT",
                4,
            )
        # Before 2.3 the two lengths stood the other way round, and in 2.3 in either way.
        self._swapped = 0 if (major, minor) > (2, 3) else 1 if (major, minor) == (2, 3) else 2
        self._link_type = link & _LINK_BITS
        self._link.fill(self._link_type)
        self._interface.fill(0)
        self._state[BIG] = self._order == ">"
        window.at += HEADER

    def _blocks(self) -> Iterator[PacketBlock]:
        window, state, header = self._window, self._state, self._header
        tick = 1 if self._magic == NANO else 1000
        while True:
            self._aim()
            state[STOP] = min(window.stop, max(self._pause - window.base, 0))
            walk_pcap(
                window.arena,
                header,
                tick,
                self._swapped,
                state,
                self._offset,
                self._length,
                self._wire,
                self._time,
            )
            window.at = int(state[AT])
            status = int(state[STATUS])
            if state[ROWS]:
                yield self._block(int(state[ROWS]))
            if status == FULL:
                continue
            if status == MORE and (self._paused() or window.more()):
                continue
            break
        if state[ODD]:
            self._broken(
                f"{state[ODD]} stamps have a fraction longer than a second; "
                "their whole seconds were taken",
                fatal=False,
            )
        if status != MORE:
            self._broken(self._too_long())
        elif window.left:
            self._broken(self._cut(header))

    @property
    def _header(self) -> int:
        """Octets of a record's header."""
        return 24 if self._magic == MODIFIED else 16

    def _paused(self) -> bool:
        """Whether the walk ended where it was to pause, or at a record that goes beyond; it goes on."""
        ends_here = self._pause < self._window.base + self._window.stop
        if ends_here:
            self._pause = ENDLESS
        return ends_here

    def begins_near(self, offset: int) -> int:
        """As of every reader: where a chain of records begins (:mod:`wardwatch.capture.middle`)."""
        if self._swapped:  # either length may be either
            return -1
        self._window.go_to(max(offset, HEADER), 0)
        ticks = 1_000_000_000 if self._magic == NANO else 1_000_000
        octets = self._window.arena[: self._window.stop]
        found = first_record(octets, self._header, self._order, ticks)
        return found if found < 0 else self._window.base + found

    def _lengths(self) -> tuple[int, int]:
        """(captured, wire) as the record header at the window's place claims."""
        first, second = struct.unpack(self._order + "8xII", self._window.bytes(16))
        if self._swapped == 2 or (self._swapped == 1 and first > second):
            first, second = second, first
        return first, second

    def _too_long(self) -> str:
        caplen, _ = self._lengths()
        return (
            f"packet {self.packets + 1} claims {caplen} captured bytes, "
            f"more than the {MAX_PACKET} any capture keeps"
        )

    def _cut(self, header: int) -> str:
        left = self._window.left
        if left < header:
            return f"the file ends {left} bytes into the header of packet {self.packets + 1}"
        caplen, _ = self._lengths()
        return (
            f"the file ends inside packet {self.packets + 1}: "
            f"{caplen} bytes claimed, {left - header} present"
        )

    def _format(self) -> str:
        return _FORMATS[self._magic]

    def _byte_order(self) -> str:
        return "little" if self._order == "<" else "big"

    def _interfaces(self) -> tuple[Interface, ...]:
        resolution = 1_000_000_000 if self._magic == NANO else 1_000_000
        return (Interface(0, self._link_type, snaplen=self._snaplen, resolution=resolution),)
