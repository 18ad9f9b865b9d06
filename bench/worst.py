"""Worst cases: captures in which every packet is of the dearest kind, honest like the mix.

``python -m bench.worst FOLDER PACKETS``. Who can send into the monitored network
can send these; none may slow an audit below a tenth of the mix's rate, or make its memory grow.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from bench.mix import ACK, PSH, START_NS, SYN, checksum
from bench.scripts import dhcp, dns
from wardwatch.capture.write import PcapWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

STEP_NS = 20_000
SERVER = bytes([10, 0, 0, 53])
_MACS = bytes.fromhex("001b21000001001b21000002")
_MSS = 1_400
_DEPTH = 6
_CONNECTIONS = 500


def ethernet(packet: bytes, macs: bytes = _MACS) -> bytes:
    """An IPv4 packet in a frame of 60 bytes or more (64 with the check sequence)."""
    return (macs + b"\x08\x00" + packet).ljust(60, b"\0")


def ipv4(
    source: bytes, target: bytes, proto: int, body: bytes, ident: int = 1, fragment: int = 0
) -> bytes:
    """An IPv4 packet with a true header checksum; ``fragment`` is the word of flags and offset."""
    head = struct.pack("!BBHHHBB", 0x45, 0, 20 + len(body), ident & 0xFFFF, fragment, 64, proto)
    return head + struct.pack("!H", checksum(head + source + target)) + source + target + body


def udp(source: bytes, target: bytes, sport: int, dport: int, body: bytes, ident: int) -> bytes:
    """A datagram with a true checksum, in IPv4."""
    size = 8 + len(body)
    head = struct.pack("!HHH", sport, dport, size)
    total = checksum(source + target + struct.pack("!HH", 17, size) + head + body) or 0xFFFF
    return ipv4(source, target, 17, head + struct.pack("!H", total) + body, ident)


def tcp(
    source: bytes,
    target: bytes,
    ports: tuple[int, int],
    numbers: tuple[int, int],
    flags: int,
    body: bytes = b"",
    ident: int = 1,
) -> bytes:
    """A segment with a true checksum, in IPv4."""
    fields = (*ports, numbers[0] & 0xFFFFFFFF, numbers[1] & 0xFFFFFFFF, 0x50, flags, 64_240)
    head = struct.pack("!HHIIBBH", *fields)
    pseudo = source + target + struct.pack("!HH", 6, 20 + len(body))
    total = checksum(pseudo + head + bytes(4) + body)
    return ipv4(source, target, 6, head + struct.pack("!HH", total, 0) + body, ident)


def client(number: int) -> bytes:
    """The address of a host."""
    return bytes([10, 1 + number // 62_500 % 250, number // 250 % 250, 1 + number % 250])


def all_dhcp(count: int, chance: random.Random) -> Iterator[bytes]:
    """Leases of 10,000 clients, message after message."""
    router = bytes([10, 0, 0, 1])
    for n in range(count):
        number, kind = n // 4 % 10_000, (1, 2, 3, 5)[n % 4]
        mac = b"\x00\x1b\x21" + number.to_bytes(3, "big")
        body = dhcp(kind, n // 4, mac, client(number), SERVER, router, f"host-{number}")
        asks = kind in (1, 3)
        source, ports = (bytes(4), (68, 67)) if asks else (SERVER, (67, 68))
        packet = udp(source, b"\xff" * 4, *ports, body, n)
        yield ethernet(packet, b"\xff" * 6 + (mac if asks else _MACS[:6]))


def all_dns(count: int, chance: random.Random) -> Iterator[bytes]:
    """Questions and answers about names that never come again."""
    for n in range(count):
        ident, who = n // 2 & 0xFFFF, client(n // 2 % 3_000)
        name, port = f"h{n // 2}.ward.hospital.example", 1_024 + n // 2 % 60_000
        if n % 2:
            answer = dns(ident, name, 1, (client(n // 2),))
            yield ethernet(udp(SERVER, who, 53, port, answer, n))
        else:
            yield ethernet(udp(who, SERVER, port, 53, dns(ident, name, 1), n))


def syn_flood(count: int, chance: random.Random) -> Iterator[bytes]:
    """SYNs of 64 bytes, each a new conversation from an address of its own."""
    for n in range(count):
        source = chance.randbytes(4)
        ports = (chance.randrange(1_024, 65_536), 443)
        yield ethernet(tcp(source, SERVER, ports, (chance.getrandbits(32), 0), SYN, ident=n))


def endless(count: int, chance: random.Random) -> Iterator[bytes]:
    """One telnet session that prints for ever."""
    here, ports = client(1), (40_000, 23)
    yield ethernet(tcp(here, SERVER, ports, (0, 0), SYN))
    yield ethernet(tcp(SERVER, here, ports[::-1], (0, 1), SYN | ACK))
    yield ethernet(tcp(here, SERVER, ports, (1, 1), ACK))
    line = b"The quick brown fox jumps over the lazy dog.\r\n"
    text = line * (2 * _MSS // len(line))
    at = 1
    for n in range(count - 3):
        body = text[n % len(line) :][:_MSS]
        yield ethernet(tcp(SERVER, here, ports[::-1], (at, 1), PSH | ACK, body, n))
        at += len(body)


def deep_tunnels(count: int, chance: random.Random) -> Iterator[bytes]:
    """DNS within IP in IP, several deep (RFC 2003)."""
    for n in range(count):
        name = f"h{n % 1_000}.hospital.example"
        packet = udp(client(n % 3_000), SERVER, 40_000, 53, dns(n & 0xFFFF, name, 1), n)
        for level in range(_DEPTH):
            packet = ipv4(bytes([172, 16, level, 1]), bytes([172, 16, level, 2]), 4, packet, n)
        yield ethernet(packet)


def _octets(count: int, port: int, said: bytes, answered: bytes, step: int = 1) -> Iterator[bytes]:
    """Sessions typed one byte a segment, by both sides in turn, ``step`` places apart."""
    made = 0
    ends = [(client(n), (30_000 + n, port)) for n in range(_CONNECTIONS)]
    for here, ports in ends:
        yield ethernet(tcp(here, SERVER, ports, (0, 0), SYN))
        yield ethernet(tcp(SERVER, here, ports[::-1], (0, 1), SYN | ACK))
        made += 2
    for turn in itertools.count():
        asks, answers = (words[turn % len(words) :][:1] for words in (said, answered))
        # With holes nothing behind the first of them is acknowledged, nor sent again.
        place = step * (turn + 1) - (step == 1)
        numbers = [(1 + place, 1 + place), (1 + place, 2 + place)]
        if step > 1:
            numbers = [(1 + place, 1), (1 + place, 1)]
        for here, ports in ends:
            yield ethernet(tcp(here, SERVER, ports, numbers[0], PSH | ACK, asks, turn))
            yield ethernet(tcp(SERVER, here, ports[::-1], numbers[1], PSH | ACK, answers, turn))
            made += 2
        if made >= count:
            return


_TELNET = b"login: biomed\r\nPassword: letmein\r\n$ show configuration all of it\r\n"


def single_bytes(count: int, chance: random.Random) -> Iterator[bytes]:
    """Telnet sessions typed one byte a segment, by both sides in turn."""
    return _octets(count, 23, _TELNET, _TELNET)


def single_bytes_of_ftp(count: int, chance: random.Random) -> Iterator[bytes]:
    """FTP control connections typed one byte a segment, by both sides in turn."""
    said = b"USER biomed\r\nPASS letmein\r\nSYST\r\nNOOP\r\n"
    answered = b"220 FTP\r\n331 Password, please\r\n230 In\r\n215 UNIX\r\n200 Okay\r\n"
    return _octets(count, 21, said, answered)


def single_bytes_apart(count: int, chance: random.Random) -> Iterator[bytes]:
    """Single bytes with a hole before each that nobody fills: all of them wait."""
    return _octets(count, 23, _TELNET, _TELNET, step=2)


_MORE = 0x2000
"""More fragments follow (RFC 791 §3.1)."""


def fragments(count: int, chance: random.Random) -> Iterator[bytes]:
    """Datagrams of no protocol in two fragments, each of another host."""
    for n in range(count // 2):
        source = client(n % 60_000)
        body = udp(source, SERVER, 40_000, 40_001, b"reading 0042".ljust(64, b"."), n)[20:]
        yield ethernet(ipv4(source, SERVER, 17, body[:48], n, _MORE))
        yield ethernet(ipv4(source, SERVER, 17, body[48:], n, 48 // 8))


def first_fragments(count: int, chance: random.Random) -> Iterator[bytes]:
    """First fragments of datagrams whose others never come."""
    for n in range(count):
        source = client(n % 60_000)
        body = udp(source, SERVER, 40_000, 40_001, bytes(64), n)[20:68]
        yield ethernet(ipv4(source, SERVER, 17, body, n, _MORE))


CASES: dict[str, Callable[[int, random.Random], Iterator[bytes]]] = {
    "all DHCP": all_dhcp,
    "all DNS": all_dns,
    "SYN flood, 64 bytes": syn_flood,
    "one endless stream": endless,
    "deep tunnels": deep_tunnels,
    "one-byte segments": single_bytes,
    "one-byte segments of FTP": single_bytes_of_ftp,
    "one-byte segments, holes between": single_bytes_apart,
    "datagrams in two fragments": fragments,
    "first fragments alone": first_fragments,
}


def write(case: str, target: Path, count: int, seed: int = 1) -> int:
    """Write ``count`` packets of a case ⇒ how many."""
    return put(target, itertools.islice(CASES[case](count, random.Random(seed)), count))


def put(target: Path, frames: Iterable[bytes]) -> int:
    """Write frames, one step of time after the other ⇒ how many."""
    with PcapWriter(target, nanosecond=False) as writer:
        for n, frame in enumerate(frames):
            writer.packet(START_NS + n * STEP_NS, frame)
        return writer.packets


def main() -> None:
    """Write every case to a folder."""
    parser = argparse.ArgumentParser(prog="python -m bench.worst", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("packets", type=int)
    asked = parser.parse_args()
    made = {name: write(name, asked.folder / f"{name}.pcap", asked.packets) for name in CASES}
    print(json.dumps(made))


if __name__ == "__main__":
    main()
