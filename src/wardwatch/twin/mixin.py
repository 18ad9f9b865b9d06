"""Mix-in: a real capture as the background of a ward, on the ward's time and under other addresses.

Stations of the background get addresses of their own, one to one: MACs keep the maker's prefix, VIDs
that the ward has give way, IPv4 goes to 100.64.0.0/10 (RFC 6598), IPv6 to fd64::/16; groups, broadcast, loopback and
"no address" stay. Ethernet, 802.1Q, ARP, IP and the fixed fields of DHCP are rewritten and their
checksums follow; addresses inside other messages stay as they were. Only frames of Ethernet mix in.
"""

from __future__ import annotations

import heapq
from struct import pack_into, unpack_from
from typing import TYPE_CHECKING

import msgspec

from wardwatch.capture import open_capture
from wardwatch.capture.write import PcapngWriter
from wardwatch.errors import UsageError
from wardwatch.model.values import UNKNOWN_TIME
from wardwatch.twin import emit
from wardwatch.twin.scenario import INTERFACES
from wardwatch.twin.ward import TRUNK

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from wardwatch.twin.ward import Frame

KEPT_TAG = (0, 4095)
"""VIDs that name no VLAN (IEEE 802.1Q §9.6)."""
MOST = 1 << 22
"""Addresses that 100.64.0.0/10 holds; a capture with more is not rewritten."""
ETHERNET = 1


class Mixed(msgspec.Struct, frozen=True):
    """What was written."""

    packets: int
    own: tuple[int, ...]
    """Packet numbers of the ward's frames, in their order; all others are background."""


class Addresses:
    """Another address for each of a background's, the same for the same."""

    def __init__(self, taken: Iterable[bytes] = (), vlans: Iterable[int] = ()) -> None:
        """``taken`` are the MACs of the ward, ``vlans`` its VIDs: nothing of the background bears them."""
        self._taken = set(taken)
        self._vids = dict.fromkeys(KEPT_TAG, 0) | {4095: 4095}
        self._used_vids = {*vlans, *KEPT_TAG}
        self._macs: dict[bytes, bytes] = {}
        self._used: set[bytes] = set()
        self._ips: dict[bytes, tuple[bytes, int]] = {}
        self._counts = {4: 0, 16: 0}

    def mac(self, old: bytes) -> bytes:
        """A MAC's own; groups and nobody stay."""
        found = self._macs.get(old)
        if found is None:
            found = old
            if not old[0] & 1 and any(old):
                low = int.from_bytes(old[3:], "big") ^ 0x5A5A5A
                found = old[:3] + low.to_bytes(3, "big")
                while found in self._taken or found in self._used:
                    low = low + 1 & 0xFFFFFF
                    found = old[:3] + low.to_bytes(3, "big")
                self._used.add(found)
            self._macs[old] = found
        return found

    def vid(self, old: int) -> int:
        """A VID's own: the same where the ward has none such, else the highest that is free."""
        found = self._vids.get(old)
        if found is None:
            found = old
            if found in self._used_vids:
                found = max(set(range(1, 4095)) - self._used_vids, default=old)
            self._used_vids.add(found)
            self._vids[old] = found
        return found

    def ip(self, old: bytes) -> tuple[bytes, int]:
        """An IP address's own, and by how much that changes a sum of 16-bit words."""
        found = self._ips.get(old)
        if found is None:
            new = old if _stays(old) else self._fresh(len(old))
            found = (new, (_words(new) - _words(old)) % 0xFFFF)
            self._ips[old] = found
        return found

    def _fresh(self, size: int) -> bytes:
        self._counts[size] += 1
        number = self._counts[size]
        if number >= MOST:
            raise UsageError(
                f"the background names more than {MOST - 1} addresses; give a shorter one"
            )
        if size == 4:
            return (0x64400000 + number).to_bytes(4, "big")
        return b"\xfd\x64" + bytes(6) + number.to_bytes(8, "big")

    def frame(self, raw: bytes) -> bytes:
        """A frame under its new addresses; what is cut off is not missed."""
        out = bytearray(raw)
        if len(out) < 14:
            return raw
        out[0:6], out[6:12] = self.mac(raw[0:6]), self.mac(raw[6:12])
        at = 12
        kind = out[at] << 8 | out[at + 1]
        while kind in (0x8100, 0x88A8) and len(out) >= at + 6:
            tag = out[at + 2] << 8 | out[at + 3]
            pack_into(">H", out, at + 2, tag & 0xF000 | self.vid(tag & 0xFFF))
            at += 4
            kind = out[at] << 8 | out[at + 1]
        at += 2
        if kind == emit.IPV4 and len(out) >= at + 20 and out[at] >> 4 == 4:
            self._ipv4(out, at)
        elif kind == emit.IPV6 and len(out) >= at + 40:
            self._ipv6(out, at)
        elif kind == emit.ARP and len(out) >= at + 28 and out[at + 4] == 6 and out[at + 5] == 4:
            for mac_at, ip_at in ((at + 8, at + 14), (at + 18, at + 24)):
                out[mac_at : mac_at + 6] = self.mac(bytes(out[mac_at : mac_at + 6]))
                out[ip_at : ip_at + 4] = self.ip(bytes(out[ip_at : ip_at + 4]))[0]
        return bytes(out)

    def _ipv4(self, out: bytearray, at: int) -> None:
        src, one = self.ip(bytes(out[at + 12 : at + 16]))
        dst, two = self.ip(bytes(out[at + 16 : at + 20]))
        out[at + 12 : at + 20] = src + dst
        _follow(out, at + 10, one + two)
        if (out[at + 6] << 8 | out[at + 7]) & 0x1FFF == 0:
            self._transport(out, at + (out[at] & 15) * 4, out[at + 9], one + two)

    def _ipv6(self, out: bytearray, at: int) -> None:
        src, one = self.ip(bytes(out[at + 8 : at + 24]))
        dst, two = self.ip(bytes(out[at + 24 : at + 40]))
        out[at + 8 : at + 40] = src + dst
        self._transport(out, at + 40, out[at + 6], one + two)

    def _transport(self, out: bytearray, at: int, proto: int, step: int) -> None:
        if proto == emit.TCP and len(out) >= at + 18:
            _follow(out, at + 16, step)
        elif proto == emit.ICMP6 and len(out) >= at + 4:
            _follow(out, at + 2, step)
        elif proto == emit.UDP and len(out) >= at + 8:
            if (out[at] << 8 | out[at + 1]) in (67, 68) and len(out) >= at + 8 + 44:
                step += self._dhcp(out, at + 8)
            if out[at + 6] or out[at + 7]:
                _follow(out, at + 6, step, udp=True)

    def _dhcp(self, out: bytearray, at: int) -> int:
        """The four addresses and chaddr of BOOTP ⇒ by how much they change the datagram's sum."""
        step = 0
        for place in range(at + 12, at + 28, 4):
            new, change = self.ip(bytes(out[place : place + 4]))
            out[place : place + 4] = new
            step += change
        old = bytes(out[at + 28 : at + 34])
        new = self.mac(old)
        out[at + 28 : at + 34] = new
        return step + _words(new) - _words(old)


def background(
    paths: Sequence[str | Path], begin: int, addresses: Addresses
) -> Iterator[tuple[int, bytes]]:
    """Frames of captures under new addresses, their first one at ``begin`` (ns).

    Raises :class:`~wardwatch.errors.CaptureError` for a file that is no capture, and
    :class:`~wardwatch.errors.UsageError` for one without an Ethernet frame.
    """
    shift: int | None = None
    for number, path in enumerate(paths, 1):
        with open_capture(path, number) as reader:
            for block in reader:
                arena = block.arena
                rows = zip(
                    block.time[: block.n].tolist(), block.offset[: block.n].tolist(),
                    block.length[: block.n].tolist(), block.link[: block.n].tolist(), strict=True,
                )  # fmt: skip
                for ts, offset, length, link in rows:
                    if link != ETHERNET or ts == UNKNOWN_TIME:
                        continue
                    if shift is None:
                        shift = begin - ts
                    yield ts + shift, addresses.frame(arena[offset : offset + length].tobytes())
    if shift is None:
        raise UsageError(
            f"{paths[0]}: holds no Ethernet frame with a time; give another background"
        )


def mix(
    frames: Sequence[Frame], behind: Iterable[tuple[int, bytes]], out: Path, comment: str = ""
) -> Mixed:
    """Write a ward's frames and a background as one capture, in the order of time."""
    own: list[int] = []
    ward = ((frame.ts, 0, frame.interface, frame.data) for frame in frames)
    rest = ((ts, 1, TRUNK, data) for ts, data in behind)
    with PcapngWriter(out, INTERFACES, comment) as file:
        for ts, whose, interface, data in heapq.merge(ward, rest, key=lambda one: one[0]):
            number = file.packet(interface, ts, data)
            if whose == 0:
                own.append(number)
        return Mixed(file.packets, tuple(own))


def _stays(address: bytes) -> bool:
    """Addresses that name no station: nobody, everybody, groups, loopback."""
    if len(address) == 4:
        return address[0] in (0, 127) or address[0] >= 224
    return address[0] == 0xFF or not any(address[:15])


def _words(raw: bytes) -> int:
    return sum(unpack_from(f">{len(raw) // 2}H", raw))


def _follow(out: bytearray, at: int, step: int, *, udp: bool = False) -> None:
    """Let a checksum follow a change of what it sums (RFC 1624, eqn. 3)."""
    old = out[at] << 8 | out[at + 1]
    new = 0xFFFF - ((0xFFFF - old + step) % 0xFFFF or 0xFFFF)
    if udp and new == 0:
        new = 0xFFFF
    pack_into(">H", out, at, new)
