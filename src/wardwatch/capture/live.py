"""A live port: what passes a network interface, as a pcapng that grows until it is stopped.

It only listens: the socket is never written to, and has no address. What the kernel's ring had no
room for is counted by the kernel and told in the last block (``isb_osdrop``), as capture tools tell
it. Nothing is kept: who wants the packets lends a file for a copy.

Source: packet(7), ``linux/if_packet.h``; draft-ietf-opsawg-pcapng §4.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import math
import mmap
import os
import select
import socket
import struct
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from wardwatch.capture.ring import MOST, Ring
from wardwatch.capture.write import SNAPLEN, PcapngWriter
from wardwatch.errors import CaptureError
from wardwatch.model.block import Damage

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

RING_MB = 64
"""Of the ring: half a second of a gigabit a second, in which nobody need look."""
MOST_MB = 1024
_BLOCK = 1 << 20
"""Octets of one block of the ring: what is handed over at once when much comes."""
RETIRE_MS = 50
"""After so long the kernel hands over a block that is not full."""
_LAST_S = 1.0
"""So long at most the kernel has to hand over the block in which it was."""
_COUNT_S = 60.0
"""So often the kernel is asked what it has counted: in 32 bits, which a full gigabit uses up in hours."""
_LOOK_S = 0.2
"""Who waits for packets looks so often whether he was stopped."""

_SOL_PACKET = 263
_ADD_MEMBERSHIP, _RX_RING, _STATISTICS, _VERSION = 1, 5, 6, 10
_PROMISCUOUS = 1
_TPACKET_V3 = 2
_EVERYTHING = 3
"""``ETH_P_ALL``."""

_ATTACH_FILTER = 26
_LETS_NOTHING_PASS = struct.pack("=HBBI", 6, 0, 0, 0)
"""One instruction of a filter: keep 0 octets (``BPF_RET | BPF_K``, ``linux/filter.h``)."""
_IN_FLIGHT_S = 0.001
"""Within so long a frame that passed the filter before is in the ring, and counted."""

_LINKS = {1: 1, 772: 1, 801: 105, 803: 127, 65534: 101, 512: 9}
"""ARPHRD_… (``linux/if_arp.h``) ⇒ LINKTYPE_…: Ethernet, loopback, 802.11, radiotap, raw IP, PPP."""
_LOOPBACK = 772

_COUNTERS = Path("/sys/class/net")
_LOST_BEFORE = ("rx_missed_errors", "rx_fifo_errors")
"""What a port itself had no room for, before the system saw it (Linux, sysfs-class-net-statistics)."""


class _Program(ctypes.Structure):
    """``struct sock_fprog``."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


class Port:
    """What passes an interface, to be read like a file (``RawStream``)."""

    def __init__(
        self,
        interface: str,
        *,
        megabytes: int = RING_MB,
        seconds: float = math.inf,
        begun: Callable[[], object] = lambda: None,
    ) -> None:
        """Get ready to listen to ``interface``: that begins with the first read, and is told ``begun``.

        It ends after ``seconds``, or with :meth:`stop`. ``megabytes`` (of 2^20 octets): how much may
        wait to be read. Raises :class:`~wardwatch.errors.CaptureError` where the interface cannot
        be listened to.
        """
        self.name = interface
        self.lost = 0
        """Packets that the ring had no room for, so far."""
        self.copy_problem = ""
        """Why the copy ends before the packets do; "" while it does not."""
        self._copy: BinaryIO | None = None
        self._copied = 0
        self._seconds = seconds
        self._begun = begun
        self._ends = math.inf
        self._closes = math.inf
        self._seen = 0
        self._counted = -math.inf
        self._is_ended = False
        self._problem: OSError | None = None
        self._socket, self._shared, link, is_loopback = _listening(interface, megabytes)
        memory = np.frombuffer(self._shared, np.uint8)
        self._ring: Ring | None = Ring(memory, _BLOCK, inward=is_loopback)
        self._taken = 0
        self._scratch = np.empty(MOST, np.uint8)
        """Where blocks are made when the reader has less room than the longest needs."""
        self._before = -1
        self._is_begun = False
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN | select.POLLERR)
        self._head = io.BytesIO()
        self._writer = PcapngWriter(self._head, ((link, interface, SNAPLEN),))
        self._pending = memoryview(self._head.getvalue())

    @property
    def packets(self) -> int:
        """Packets given so far."""
        return self._taken if self._ring is None else self._ring.taken

    def copy_to(self, file: BinaryIO) -> None:
        """Have every octet that is read from now on written to ``file``, too; it is not closed."""
        self._copy = file

    @property
    def copy_damage(self) -> Damage | None:
        """Where the copy ends before the packets do; ``None`` while it does not (``CopiedStream``)."""
        if not self.copy_problem:
            return None
        problem = f"the copy that was made ends here ({self.copy_problem})"
        return Damage(self._copied, f"{problem}; what follows was heard and is in no file")

    def begin(self) -> None:
        """Listen from here on, if not yet. Raises ``OSError`` where the interface went away."""
        if self._is_begun:
            return
        self._is_begun = True
        self._before = self._lost_before()
        self._socket.bind((self.name, _EVERYTHING))
        if self._ends == math.inf:
            self._ends = time.monotonic() + self._seconds
        self._begun()

    def stop(self) -> None:
        """End soon: what the kernel has by now is still given. May be called by a signal's handler."""
        self._ends = -math.inf

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill ``buffer`` from its start, as far as there is something ⇒ octets, 0 at the end.

        Waits until there is. Raises ``OSError`` where the interface went away.
        """
        self.begin()
        n = self._given(buffer) or self._next(buffer)
        if self._copy is not None:
            try:
                done = 0
                while done < n:
                    written = self._copy.write(buffer[done:n])
                    done += written
                    self._copied += written
            except OSError as error:
                self.copy_problem = error.strerror or str(error)
                self._copy = None
        return n

    def close(self) -> None:
        """Leave the interface, and give its ring back."""
        self._is_ended = True
        self._socket.close()
        if self._ring is not None:
            self._taken, self._ring = self._ring.taken, None
            self._shared.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _given(self, buffer: memoryview) -> int:
        """Give what waits."""
        n = min(len(self._pending), len(buffer))
        buffer[:n] = self._pending[:n]
        self._pending = self._pending[n:]
        return n

    def _next(self, buffer: memoryview) -> int:
        """Wait for packets, and give them."""
        while not self._is_ended and self._ring is not None:
            now = time.monotonic()
            if self._closes == math.inf and (now >= self._ends or self._problem is not None):
                self._hear_no_more()
                self._closes = now + _LAST_S
            elif now >= self._counted + _COUNT_S:
                self._counted = now
                self.count()
            if len(buffer) >= MOST:
                n = self._ring.take(np.frombuffer(buffer, np.uint8))
            else:
                made = self._ring.take(self._scratch)
                self._pending = self._scratch.data[:made]
                n = self._given(buffer)
            if n:
                return n
            if now >= self._closes or self._is_all_read():
                self._finish()
                break
            self._wait(min(self._ends, self._closes) - now)
        if self._pending:
            return self._given(buffer)
        if self._problem is not None:
            raise self._problem
        return 0

    def _hear_no_more(self) -> None:
        """Have nothing more written to the ring: what came up to here is read, and all of that is counted.

        A filter that lets nothing pass is set: to bind the socket to no protocol would change nothing.
        """
        nothing = ctypes.create_string_buffer(_LETS_NOTHING_PASS)
        program = bytes(_Program(1, ctypes.addressof(nothing)))
        with contextlib.suppress(OSError):  # no memory for it: what comes on is not counted
            self._socket.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, program)
        time.sleep(_IN_FLIGHT_S)
        self.count()

    def _is_all_read(self) -> bool:
        """Whether nothing more comes, and all that came was handed over or lost."""
        if self._closes == math.inf or self._ring is None:
            return False
        return self._ring.handed + self.lost >= self._seen

    def _wait(self, seconds: float) -> None:
        """Wait until the kernel hands something over."""
        for _, event in self._poll.poll(1000 * min(max(seconds, RETIRE_MS / 1000), _LOOK_S)):
            if event & ~select.POLLIN:
                code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                self._problem = OSError(code, os.strerror(code) if code else "the port went away")

    def _finish(self) -> None:
        """End: the last block is the statistics of the interface (§4.6).

        What the kernel counted and we could not read (a block whose numbers make no sense) is lost, too.
        """
        if self._ring is not None:
            self.lost = max(self.lost, self._seen - self._ring.handed)
        dropped = -1 if self._before < 0 else max(self._lost_before() - self._before, 0)
        end = len(self._head.getvalue())
        self._writer.statistics(
            0, time.time_ns(), received=self._seen, dropped=dropped, os_dropped=self.lost
        )
        self._pending = memoryview(self._head.getvalue())[end:]
        self._is_ended = True

    def count(self) -> None:
        """Ask the kernel how many packets came and were lost (its own counters begin anew then)."""
        told = self._socket.getsockopt(_SOL_PACKET, _STATISTICS, 12)
        came, lost, _ = struct.unpack("=3I", told)
        self._seen += came
        self.lost += lost

    def _lost_before(self) -> int:
        """What the port itself has lost since it was there; -1 where that is not told."""
        folder = _COUNTERS / self.name / "statistics"
        try:
            return sum(int((folder / name).read_text(encoding="ascii")) for name in _LOST_BEFORE)
        except (OSError, ValueError):
            return -1


def _listening(interface: str, megabytes: int) -> tuple[socket.socket, mmap.mmap, int, bool]:
    """A socket that listens to an interface, its ring, the LINKTYPE of what comes, whether a loopback."""
    if not sys.platform.startswith("linux"):
        raise CaptureError(
            interface,
            "only Linux can be listened to live",
            "record with dumpcap -i INTERFACE -w FILE, and give the file",
        )
    if not 1 <= megabytes <= MOST_MB:
        raise CaptureError(interface, f"a ring of {megabytes} MB", f"give 1 to {MOST_MB}")
    try:
        number = socket.if_nametoindex(interface)
    except (OSError, ValueError):
        there = ", ".join(name for _, name in socket.if_nameindex())
        raise CaptureError(interface, "there is no such interface", f"there are: {there}") from None
    try:
        listening = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)  # 0: nothing comes yet
    except PermissionError:
        raise CaptureError(
            interface,
            "this user may not listen to an interface",
            "use sudo, or record with dumpcap -i INTERFACE -w - and pipe it into wardwatch audit -",
        ) from None
    except OSError as error:
        raise CaptureError(
            interface,
            f"the system has no packet sockets ({error.strerror})",
            "record elsewhere, and give the file",
        ) from None
    try:
        link, is_loopback = _prepared(listening, interface, number, megabytes)
        shared = mmap.mmap(listening.fileno(), megabytes << 20)
    except CaptureError:
        listening.close()
        raise
    except OSError as error:
        listening.close()
        remedy = "bring it up: ip link set INTERFACE up"
        if megabytes > 1 and not isinstance(error, PermissionError):
            remedy += ", or ask for less room with --buffer"
        raise CaptureError(interface, f"cannot be listened to ({error.strerror})", remedy) from None
    return listening, shared, link, is_loopback


def _prepared(
    listening: socket.socket, interface: str, number: int, megabytes: int
) -> tuple[int, bool]:
    """Set up the ring, and hear what is for others, too ⇒ LINKTYPE, whether it is a loopback."""
    listening.bind((interface, 0))
    kind = listening.getsockname()[3]
    link = _LINKS.get(kind)
    if link is None:
        raise CaptureError(
            interface,
            f"an interface of a kind we do not read (ARPHRD {kind})",
            "record with dumpcap -i INTERFACE -w FILE, and give the file",
        )
    listening.setsockopt(_SOL_PACKET, _VERSION, _TPACKET_V3)
    frame = 2048  # of no meaning to this version but that it has to fit
    ring = struct.pack(
        "=7I", _BLOCK, megabytes, frame, megabytes * (_BLOCK // frame), RETIRE_MS, 0, 0
    )
    listening.setsockopt(_SOL_PACKET, _RX_RING, ring)
    # For as long as this socket lives; nothing of it is to be seen from outside.
    wanted = struct.pack("=iHH8x", number, _PROMISCUOUS, 0)
    listening.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, wanted)
    return link, kind == _LOOPBACK
