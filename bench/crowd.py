"""Crowds: a million conversations at once, and a hundred thousand hosts, honest like the mix.

``python -m bench.crowd FOLDER [SCALE]``. Frames are made many at a time, as rows of octets.
"""

from __future__ import annotations

import argparse
import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.mix import ACK, PSH, START_NS, SYN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    Rows = npt.NDArray[np.uint8]
    Numbers = npt.NDArray[np.int64]

STEP_US = 20
CHUNK = 50_000
SERVER = (10 << 24) | 53
ROUTER_MAC = 0x001B21000001
_PORTS = 50_000
"""Ports that one host of the crowd uses: its conversations differ by them."""


def put(frames: Rows, at: int, octets: int, values: Numbers | int) -> None:
    """Write one number a frame at an offset, most significant octet first."""
    for n in range(octets):
        frames[:, at + n] = (np.asarray(values, np.int64) >> 8 * (octets - 1 - n)) & 0xFF


def put_sum(frames: Rows, at: int, first: int, pseudo: Numbers | int = 0) -> None:
    """Write the checksum of RFC 1071 over the octets from ``first`` (20 of them for a header at 14)."""
    last = 34 if first == 14 else frames.shape[1]
    words = np.zeros((len(frames), (last - first + 1) // 2 * 2), np.int64)
    words[:, : last - first] = frames[:, first:last]
    total = words[:, 0::2].sum(1) * 256 + words[:, 1::2].sum(1) + pseudo
    for _ in range(3):
        total = (total & 0xFFFF) + (total >> 16)
    put(frames, at, 2, 0xFFFF - total)


def ipv4(size: int, proto: int, ends: tuple[Numbers, Numbers], macs: tuple[Any, Any]) -> Rows:
    """Frames with an IPv4 header for ``size`` octets of payload; ``ends`` and ``macs`` are (from, to)."""
    frames = np.zeros((len(ends[0]), 34 + size), np.uint8)
    put(frames, 0, 6, macs[1])
    put(frames, 6, 6, macs[0])
    put(frames, 12, 4, 0x08004500)
    put(frames, 16, 2, 20 + size)
    put(frames, 18, 2, np.arange(len(frames)))
    put(frames, 22, 2, 64 << 8 | proto)
    put(frames, 26, 4, ends[0])
    put(frames, 30, 4, ends[1])
    put_sum(frames, 24, 14)
    return frames


def _pseudo(ends: tuple[Numbers, Numbers], proto: int, size: int) -> Numbers:
    """The sum of the pseudo header (RFC 9293 §3.1, RFC 768)."""
    high = (ends[0] >> 16) + (ends[0] & 0xFFFF) + (ends[1] >> 16) + (ends[1] & 0xFFFF)
    return high + proto + size


def tcp(
    ends: tuple[Numbers, Numbers],
    macs: tuple[Any, Any],
    ports: tuple[Any, Any],
    numbers: tuple[int, int],
    flags: int,
    body: bytes = b"",
) -> Rows:
    """Segments with true checksums, padded to 60 octets."""
    size = 20 + len(body)
    frames = ipv4(size, 6, ends, macs)
    put(frames, 34, 2, ports[0])
    put(frames, 36, 2, ports[1])
    put(frames, 38, 4, numbers[0])
    put(frames, 42, 4, numbers[1])
    put(frames, 46, 2, 0x5000 | flags)
    put(frames, 48, 2, 64_240)
    frames[:, 54:] = np.frombuffer(body, np.uint8)
    put_sum(frames, 50, 34, _pseudo(ends, 6, size))
    return np.pad(frames, ((0, 0), (0, max(60 - frames.shape[1], 0))))


def udp(
    ends: tuple[Numbers, Numbers], macs: tuple[Any, Any], ports: tuple[Any, Any], body: Rows
) -> Rows:
    """Datagrams with true checksums; ``body`` holds a row for each."""
    size = 8 + body.shape[1]
    frames = ipv4(size, 17, ends, macs)
    put(frames, 34, 2, ports[0])
    put(frames, 36, 2, ports[1])
    put(frames, 38, 2, size)
    frames[:, 42:] = body
    put_sum(frames, 40, 34, _pseudo(ends, 17, size))
    return frames


def conversations(count: int) -> Iterator[Rows]:
    """``count`` TCP connections that are all opened before the first of them speaks."""
    server = np.full(CHUNK, SERVER, np.int64)
    for speaking in (False, True):
        for first in range(0, count, CHUNK):
            n = np.arange(first, min(first + CHUNK, count))
            host, ports = n // _PORTS, (1_024 + n % _PORTS, 443)
            there, back = ((10 << 24) + (1 << 16) + host, server[: len(n)]), (0x02 << 40) + host
            ways = (there, (back, ROUTER_MAC)), (there[::-1], (ROUTER_MAC, back))
            if speaking:
                yield tcp(*ways[0], ports, (1, 1), PSH | ACK, b"here")
                continue
            opening = (
                tcp(*ways[0], ports, (0, 0), SYN),
                tcp(*ways[1], ports[::-1], (0, 1), SYN | ACK),
                tcp(*ways[0], ports, (1, 1), ACK),
            )
            yield np.stack(opening, 1).reshape(-1, 60)


def hosts(count: int) -> Iterator[Rows]:
    """``count`` hosts, each with a MAC and an address: an announcement, a name asked for, a connection."""
    head = struct.pack("!HHHHHH", 0, 0x0100, 1, 0, 0, 0)
    tail = b"\x08hospital\x07example\0\0\x01\0\x01"
    for first in range(0, count, CHUNK // 8):
        n = np.arange(first, min(first + CHUNK // 8, count))
        mac, ip = 0x001B22000000 + n, (10 << 24) + (1 << 16) + n
        server = np.full(len(n), SERVER, np.int64)
        arp = np.zeros((len(n), 60), np.uint8)
        put(arp, 0, 6, (1 << 48) - 1)
        put(arp, 6, 6, mac)
        put(arp, 12, 4, 0x08060001)
        put(arp, 16, 6, 0x080006040001)
        put(arp, 22, 6, mac)
        put(arp, 28, 4, ip)
        put(arp, 38, 4, ip)
        yield arp
        question = np.zeros((len(n), len(head) + 8 + len(tail)), np.uint8)
        question[:, : len(head)] = np.frombuffer(head, np.uint8)
        question[:, len(head)] = 7
        for place in range(7):
            question[:, len(head) + 1 + place] = 48 + n // 10 ** (6 - place) % 10
        question[:, len(head) + 8 :] = np.frombuffer(tail, np.uint8)
        put(question, 0, 2, n)
        record = np.zeros((len(n), 16), np.uint8)
        put(record, 0, 6, 0xC00C00010001)
        put(record, 6, 4, 300)
        put(record, 10, 2, 4)
        put(record, 12, 4, ip)
        answer = np.concatenate((question, record), 1)
        put(answer, 2, 2, 0x8180)
        put(answer, 6, 2, 1)
        there, back = ((ip, server), (mac, ROUTER_MAC)), ((server, ip), (ROUTER_MAC, mac))
        yield udp(*there, (40_000, 53), question)
        yield udp(*back, (53, 40_000), answer)
        yield tcp(*there, (40_001, 443), (0, 0), SYN)
        yield tcp(*back, (443, 40_001), (0, 1), SYN | ACK)
        yield tcp(*there, (40_001, 443), (1, 1), ACK)


CASES: dict[str, tuple[Callable[[int], Iterator[Rows]], int]] = {
    "a million conversations at once": (conversations, 1_000_000),
    "100,000 hosts": (hosts, 100_000),
}
"""What makes each case, and how many of them."""


def write(case: str, target: Path, scale: float = 1.0) -> int:
    """Write a case (a part of it, where ``scale`` is below 1) ⇒ how many packets."""
    make, count = CASES[case]
    packets = 0
    with target.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1))
        for frames in make(round(count * scale)):
            records = np.zeros((len(frames), 16 + frames.shape[1]), np.uint8)
            at = START_NS // 1_000 + STEP_US * np.arange(packets, packets + len(frames))
            head = np.empty((len(frames), 4), "<u4")
            head[:, 0], head[:, 1] = at // 1_000_000, at % 1_000_000
            head[:, 2:] = frames.shape[1]
            records[:, :16] = head.view(np.uint8)
            records[:, 16:] = frames
            file.write(records.tobytes())
            packets += len(frames)
    return packets


def main() -> None:
    """Write every case to a folder."""
    parser = argparse.ArgumentParser(prog="python -m bench.crowd", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("scale", type=float, nargs="?", default=1.0)
    asked = parser.parse_args()
    print(json.dumps({c: write(c, asked.folder / f"{c}.pcap", asked.scale) for c in CASES}))


if __name__ == "__main__":
    main()
