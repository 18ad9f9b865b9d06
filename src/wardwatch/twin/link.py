"""Link: the only thing between the therapy module and communications.

Every frame is 64 octets: version, type, length of the body, zero, sequence, 52 octets of body, and
the CRC-32 of all before it. Each direction has a list of types that may travel on it; the rest is
counted and dropped. The layout is ours: the real inter-module protocol is not published
(domain/pump.md §8). A twin of a pump is not a medical device.
"""

from __future__ import annotations

import socket
import zlib
from enum import IntEnum, unique
from struct import Struct as Layout
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

VERSION = 1
SIZE = 64
"""Octets of every frame, whatever it says (C-11)."""
BODY = 52
PER_TICK = 4
"""Frames read in one tick of therapy (C-11): a flood costs no more than this."""
TICK_NS = 20_000_000
QUEUE = 278
"""Frames the default socket buffer held before EAGAIN (domain/pump.md §4.4, measured)."""

_HEAD = Layout(">BBBBI")
_CRC = Layout(">I")


@unique
class Kind(IntEnum):
    """What a frame is about; from 0x80 on it travels towards therapy."""

    STATUS = 0x01
    EVENT = 0x02
    ALARM = 0x03
    LOG = 0x04
    VERSION = 0x05
    ACK = 0x81
    TIME_OFFER = 0x82
    LIBRARY_CHUNK = 0x83
    LIBRARY_COMMIT = 0x84
    FIRMWARE_OFFER = 0x85


TO_COMMS = frozenset({Kind.STATUS, Kind.EVENT, Kind.ALARM, Kind.LOG, Kind.VERSION})
TO_THERAPY = frozenset(
    {Kind.ACK, Kind.TIME_OFFER, Kind.LIBRARY_CHUNK, Kind.LIBRARY_COMMIT, Kind.FIRMWARE_OFFER}
)
"""The two allow-lists (C-12)."""

_KINDS = {int(kind): kind for kind in Kind}


class Frame(msgspec.Struct, frozen=True):
    """One frame that was allowed."""

    kind: Kind
    seq: int
    """0 to 2**32 - 1; counted by the sender, and believed for nothing but the count of gaps."""
    body: bytes
    """At most 52 octets."""


class Counts(msgspec.Struct, frozen=True):
    """What arrived, by what became of it."""

    good: int = 0
    length: int = 0
    """Not 64 octets."""
    version: int = 0
    crc: int = 0
    form: int = 0
    """A body longer than a body, or octets behind it that are not zero."""
    unknown: int = 0
    """A type that is not on the list of this direction."""
    gaps: int = 0
    """Frames whose sequence did not follow the one before."""
    expected: int = -1

    @property
    def dropped(self) -> int:
        """Frames that were refused."""
        return self.length + self.version + self.crc + self.form + self.unknown


def pack(frame: Frame) -> bytes:
    """The 64 octets of a frame."""
    body = frame.body[:BODY]
    raw = _HEAD.pack(VERSION, frame.kind, len(body), 0, frame.seq & 0xFFFFFFFF)
    raw += body + bytes(BODY - len(body))
    return raw + _CRC.pack(zlib.crc32(raw))


def unpack(raw: bytes, allowed: frozenset[Kind]) -> Frame | str:
    """The frame, or the name of the count it falls under; reads any octets."""
    if len(raw) != SIZE:
        return "length"
    if _CRC.unpack_from(raw, SIZE - 4)[0] != zlib.crc32(raw[: SIZE - 4]):
        return "crc"
    version, kind, length, zero, seq = _HEAD.unpack_from(raw)
    if version != VERSION:
        return "version"
    end = _HEAD.size + length
    if zero or length > BODY or any(raw[end : SIZE - 4]):
        return "form"
    found = _KINDS.get(kind)
    if found is None or found not in allowed:
        return "unknown"
    return Frame(found, seq, raw[_HEAD.size : end])


def receive(
    counts: Counts, raws: Iterable[bytes], allowed: frozenset[Kind]
) -> tuple[Counts, tuple[Frame, ...]]:
    """Frames of one tick: at most four are looked at, and each is counted once."""
    frames: list[Frame] = []
    tally = {name: getattr(counts, name) for name in counts.__struct_fields__}
    for _, raw in zip(range(PER_TICK), raws, strict=False):
        found = unpack(raw, allowed)
        if isinstance(found, str):
            tally[found] += 1
            continue
        tally["good"] += 1
        tally["gaps"] += tally["expected"] not in (-1, found.seq)
        tally["expected"] = found.seq + 1 & 0xFFFFFFFF
        frames.append(found)
    return Counts(**tally), tuple(frames)


class Port:
    """One end of the socket pair: never blocks, drops what does not fit, and counts it."""

    def __init__(self, end: socket.socket, allowed: frozenset[Kind]) -> None:
        end.setblocking(False)
        self.end = end
        self.allowed = allowed
        self.counts = Counts()
        self.sent = 0
        self.unsent = 0
        """Frames dropped on the way out: the other side does not read, or is gone."""

    def send(self, kind: Kind, body: bytes = b"") -> bool:
        """Whether the frame left; a full or closed socket drops it (C-11)."""
        raw = pack(Frame(kind, self.sent + self.unsent, body))
        try:
            self.end.send(raw)
        except (BlockingIOError, ConnectionError, InterruptedError):
            self.unsent += 1
            return False
        self.sent += 1
        return True

    def poll(self) -> tuple[Frame, ...]:
        """What one tick reads."""
        raws = []
        for _ in range(PER_TICK):
            try:
                # One octet more than a frame has: a longer datagram shows itself by its length.
                raw = self.end.recv(SIZE + 1)
            except (BlockingIOError, ConnectionError, InterruptedError):
                break
            if not raw:
                break
            raws.append(raw)
        self.counts, frames = receive(self.counts, raws, self.allowed)
        return frames


def pair() -> tuple[socket.socket, socket.socket]:
    """The ends of therapy and of communications: datagrams in order, with boundaries."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
