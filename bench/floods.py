"""Floods that are judged: of messages that Python reads, and rules compare with one another.

``python -m bench.floods FOLDER PACKETS``. A message of each of these may be a sign, so whoever sends
many makes rules hold many against many. Their cost must grow as their number does. Each is written
with so many packets and with a quarter of them.
"""

from __future__ import annotations

import argparse
import itertools
import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from bench.mix import ACK, PSH, checksum
from bench.scripts import dhcp, dns
from bench.worst import SERVER, client, ethernet, put, tcp, udp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PUMP = bytes.fromhex("001a01000041")
PUMP_IP = bytes([10, 0, 0, 41])
ROUTER = bytes.fromhex("00000c000001")
EVERYBODY = b"\xff" * 6
PART = 4
"""The shorter one of each has a part of the packets, this one."""


def other(number: int) -> bytes:
    """The MAC of a machine that nobody knows."""
    return b"\x02\x00" + number.to_bytes(4, "big")


def asked_and_answered(count: int) -> Iterator[bytes]:
    """One question of a pump and one answer, again and again."""
    name = "mds.ward.hospital.example"
    for n in range(count):
        if n % 2:
            answer = dns(7, name, 1, (client(n % 2_000),))
            yield ethernet(udp(SERVER, PUMP_IP, 53, 40_000, answer, n), PUMP + ROUTER)
        else:
            yield ethernet(udp(PUMP_IP, SERVER, 40_000, 53, dns(7, name, 1), n), ROUTER + PUMP)


def overreads(count: int) -> Iterator[bytes]:
    """The same, and every answer claims more records than it holds (CVE-2017-12722)."""
    question = dns(7, "mds.ward.hospital.example", 1)
    answer = struct.pack("!6H", 7, 0x8180, 1, 0xFFFF, 0, 0) + question[12:]
    for n in range(count):
        if n % 2:
            yield ethernet(udp(SERVER, PUMP_IP, 53, 40_000, answer, n), PUMP + ROUTER)
        else:
            yield ethernet(udp(PUMP_IP, SERVER, 40_000, 53, question, n), ROUTER + PUMP)


def offers(count: int) -> Iterator[bytes]:
    """DHCP offers to one pump, each of another server (CVE-2017-12718 is not in them)."""
    for n in range(count):
        who = client(n)
        body = dhcp(2, n, PUMP, PUMP_IP, who, who, "")
        yield ethernet(udp(who, b"\xff" * 4, 67, 68, body, n), EVERYBODY + other(n))


def claims(count: int) -> Iterator[bytes]:
    """ARP: another machine each time says that a pump's address is its own; now and then the pump speaks."""
    for n in range(count):
        mac = PUMP if n % 100 == 0 else other(n)
        said = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + mac + PUMP_IP + bytes(6) + SERVER
        yield (EVERYBODY + mac + b"\x08\x06" + said).ljust(60, b"\0")


def last_words(count: int) -> Iterator[bytes]:
    """Router advertisements of one router, every other with a lifetime of zero, from two machines."""
    source = bytes.fromhex("fe80000000000000000000fffe000001")
    group = bytes.fromhex("ff020000000000000000000000000001")
    for n in range(count):
        lifetime = 0 if n % 2 else 1_800
        body = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, lifetime, 0, 0)
        total = checksum(source + group + struct.pack("!II", len(body), 58) + body)
        body = body[:2] + struct.pack("!H", total) + body[4:]
        head = struct.pack("!IHBB", 6 << 28, len(body), 58, 255) + source + group
        yield b"\x33\x33\0\0\0\1" + other(n % 2) + b"\x86\xdd" + head + body


def logins(count: int) -> Iterator[bytes]:
    """Passwords by FTP to one pump, each from another host, of connections picked up in the middle."""
    for n in range(count):
        said = b"USER biomed\r\nPASS filler%d\r\n" % (n % 7)
        ports = (1_024 + n % 60_000, 21)
        yield ethernet(tcp(client(n), PUMP_IP, ports, (1, 1), PSH | ACK, said, n), PUMP + ROUTER)


def pumps(count: int) -> Iterator[bytes]:
    """Machines that never were: each has a MAC of the pump's maker, and asks for an address."""
    for n in range(count):
        mac = b"\x00\x1a\x01" + n.to_bytes(3, "big")
        body = dhcp(1, n, mac, bytes(4), SERVER, SERVER, f"pump-{n}")
        yield ethernet(udp(bytes(4), b"\xff" * 4, 68, 67, body, n), EVERYBODY + mac)


FLOODS: dict[str, Callable[[int], Iterator[bytes]]] = {
    "DNS of one pump, the same again": asked_and_answered,
    "DNS answers that overread": overreads,
    "offers, each of another DHCP server": offers,
    "claims of one address by ARP": claims,
    "last words of one router": last_words,
    "passwords by FTP to one pump": logins,
    "pumps that never were": pumps,
}


def write(flood: str, target: Path, count: int) -> int:
    """Write ``count`` packets of a flood ⇒ how many."""
    return put(target, itertools.islice(FLOODS[flood](count), count))


def main() -> None:
    """Write every flood to a folder, the longer and the shorter."""
    parser = argparse.ArgumentParser(prog="python -m bench.floods", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("packets", type=int)
    asked = parser.parse_args()
    made = {
        name: [
            write(name, asked.folder / f"{name}, {part}.pcap", asked.packets // part)
            for part in (1, PART)
        ]
        for name in FLOODS
    }
    print(json.dumps(made))


if __name__ == "__main__":
    main()
