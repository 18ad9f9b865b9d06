"""A small walker for tests: UDP and ARP payloads of a capture, read with dpkt and no code of ours."""

from __future__ import annotations

import gzip
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dpkt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Seen:
    """One packet's innermost datagram."""

    packet: int
    kind: str  # arp, udp, icmp, icmp6, link (LLC and slow protocols), wifi
    payload: bytes
    src_mac: bytes = b""
    dst_mac: bytes = b""
    src: bytes = b""
    dst: bytes = b""
    src_port: int = -1
    dst_port: int = -1
    claimed: int = -1
    ttl: int = -1


def walk(path: Path) -> Iterator[Seen]:
    """Datagrams of one capture; packets the walker cannot read are passed over."""
    raw = path.read_bytes()
    if raw[:2] == b"\x1f\x8b":
        raw = gzip.decompress(raw)
    for number, (link, frame) in enumerate(_records(raw), 1):
        seen = _link(number, link, frame)
        if seen is not None:
            yield seen


def _records(raw: bytes) -> Iterator[tuple[int, bytes]]:
    magic = raw[:4]
    if magic == b"\x0a\x0d\x0d\x0a":
        yield from _pcapng(raw)
        return
    order = "<" if magic in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    link = struct.unpack(order + "I", raw[20:24])[0] & 0xFFFF
    at = 24
    while at + 16 <= len(raw):
        size = struct.unpack(order + "I", raw[at + 8 : at + 12])[0]
        yield link, raw[at + 16 : at + 16 + size]
        at += 16 + size


def _pcapng(raw: bytes) -> Iterator[tuple[int, bytes]]:
    order, links, at = "<", [], 0
    while at + 12 <= len(raw):
        if raw[at : at + 4] == b"\x0a\x0d\x0d\x0a":
            order = "<" if raw[at + 8 : at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            links = []
        kind, size = struct.unpack(order + "II", raw[at : at + 8])
        body = raw[at + 8 : at + size - 4]
        if kind == 1:
            links.append(struct.unpack(order + "H", body[:2])[0])
        elif kind == 6:
            interface, _, _, kept, _ = struct.unpack(order + "IIIII", body[:20])
            yield links[interface], body[20 : 20 + kept]
        elif kind == 3:
            yield links[0], body[4:]
        if size < 12:
            return
        at += size


def _link(number: int, link: int, frame: bytes) -> Seen | None:
    if link == 1:
        return _ethernet(number, frame)
    if link == 101:
        return _ip(number, frame, b"", b"")
    if link == 228:
        return _ip(number, frame, b"", b"")
    if link == 113 and len(frame) >= 16:
        kind = int.from_bytes(frame[14:16], "big")
        mac = frame[6:12]
        if kind == 0x0806:
            return Seen(number, "arp", frame[16:], mac)
        return _ip(number, frame[16:], mac, b"")
    if link == 105:
        return Seen(number, "wifi", frame)
    if link == 127 and len(frame) >= 4:
        return Seen(number, "wifi", frame[int.from_bytes(frame[2:4], "little") :])
    return None


def _ethernet(number: int, frame: bytes) -> Seen | None:
    at, dst, src = 14, frame[:6], frame[6:12]
    kind = int.from_bytes(frame[12:14], "big")
    while kind in (0x8100, 0x88A8, 0x9100) and at + 4 <= len(frame):
        kind = int.from_bytes(frame[at + 2 : at + 4], "big")
        at += 4
    if kind == 0x8864 and len(frame) >= at + 8:
        ppp = int.from_bytes(frame[at + 6 : at + 8], "big")
        kind = {0x21: 0x0800, 0x57: 0x86DD}.get(ppp, 0)
        at += 8
    if kind == 0x0806:
        return Seen(number, "arp", frame[at:], src, dst)
    if kind in (0x0800, 0x86DD):
        return _ip(number, frame[at:], src, dst)
    return Seen(number, "link", frame[12:], src, dst)


def _ip(number: int, packet: bytes, src_mac: bytes, dst_mac: bytes) -> Seen | None:
    if not packet:
        return None
    if packet[0] >> 4 == 4 and len(packet) >= 20:
        head = (packet[0] & 15) * 4
        if int.from_bytes(packet[6:8], "big") & 0x3FFF:
            return None
        total = int.from_bytes(packet[2:4], "big")
        proto, src, dst, ttl = packet[9], packet[12:16], packet[16:20], packet[8]
        body = packet[head : total or len(packet)]
        size = (total or len(packet)) - head
    elif packet[0] >> 4 == 6 and len(packet) >= 40:
        proto, src, dst, ttl = packet[6], packet[8:24], packet[24:40], packet[7]
        size = int.from_bytes(packet[4:6], "big")
        body = packet[40 : 40 + size]
        while proto in (0, 43, 60) and len(body) >= 8:
            proto, skip = body[0], 8 + body[1] * 8
            body, size = body[skip:], size - skip
        if proto == 44:
            return None
    else:
        return None
    common = {"src_mac": src_mac, "dst_mac": dst_mac, "src": src, "dst": dst, "ttl": ttl}
    if proto == 17 and len(body) >= 8:
        try:
            udp = dpkt.udp.UDP(body[:8])
        except dpkt.UnpackError:
            return None
        claimed = min(max(udp.ulen, 8), size) - 8 if udp.ulen else size - 8
        payload = body[8 : 8 + claimed]
        return Seen(
            number,
            "udp",
            payload,
            **common,
            src_port=udp.sport,
            dst_port=udp.dport,
            claimed=claimed,
        )
    if proto in (1, 58):
        kind = "icmp" if proto == 1 else "icmp6"
        return Seen(number, kind, body, **common, claimed=size)
    if proto == 112:
        return Seen(number, "vrrp", body, **common, claimed=size)
    return None
