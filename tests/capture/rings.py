"""Rings as the kernel fills them (``linux/if_packet.h``), written plainly, and what is to come of them."""

import struct
import sys
from typing import NamedTuple

import numpy as np

ORDER = "<" if sys.byteorder == "little" else ">"
HEADER, ADDRESS = 48, 20


class Frame(NamedTuple):
    """One frame as the kernel tells of it."""

    data: bytes
    ts: int = 1_700_000_000_123_456_789
    wire: int = -1
    tag: int = -1
    """Tag control information that was taken out; -1 none."""
    kind: int = 0
    """EtherType of that tag; 0 not told."""
    packet_type: int = 0


def block(frames: list[Frame], octets: int, ready: bool = True) -> bytes:
    """One block of a ring."""
    body, lengths = bytearray(), []
    for at, frame in enumerate(frames):
        mac = (HEADER + ADDRESS + 15) & ~15
        size = (mac + len(frame.data) + 15) & ~15
        status = 1
        if frame.tag >= 0:
            status |= 1 << 4 | ((1 << 6) if frame.kind else 0)
        seconds, rest = divmod(frame.ts, 1_000_000_000)
        wire = len(frame.data) if frame.wire < 0 else frame.wire
        step = 0 if at == len(frames) - 1 else size
        head = struct.pack(
            ORDER + "6IHHIIHH8x",
            step, seconds, rest, len(frame.data), wire, status, mac, mac + 14, 0,
            max(frame.tag, 0), frame.kind, 0,
        )  # fmt: skip
        address = struct.pack(ORDER + "HHiHBB8x", 17, 0x0300, 2, 1, frame.packet_type, 6)
        body += (
            (head + address).ljust(mac, b"\x5a") + frame.data + bytes(size - mac - len(frame.data))
        )
        lengths.append(size)
    first = 48
    head = struct.pack(
        ORDER + "6IQ", 1, first, int(ready), len(frames), first, first + len(body), 7
    )
    made = head.ljust(first, b"\xa5") + bytes(body)
    assert len(made) <= octets
    return made.ljust(octets, b"\xee")


def ring(*blocks: bytes) -> np.ndarray:
    """Blocks one behind the other, as memory of their own."""
    return np.frombuffer(b"".join(blocks), np.uint8).copy()


def seen(frame: Frame) -> tuple[int, bytes, int]:
    """Stamp, octets and octets on the wire of what a reader finds of a frame."""
    data, wire = frame.data, len(frame.data) if frame.wire < 0 else frame.wire
    if frame.tag >= 0 and len(data) >= 12:
        tag = struct.pack(">HH", frame.kind or 0x8100, frame.tag)
        data, wire = data[:12] + tag + data[12:], wire + 4
    return frame.ts, data[:262_144], wire
