"""Frames by the piece: a small ward for the tests of observing.

Octet for octet what dpkt writes (test_streams holds them together), in a sixth of its time.
"""

import socket
import struct
from functools import cache

from wardwatch.capture.write import PcapngWriter, PcapWriter
from wardwatch.model.values import NS

PUMP, NURSE, SERVER, ROUTER = (
    "00:1a:01:00:00:41",
    "02:00:00:00:00:05",
    "00:50:56:00:00:02",
    "00:00:5e:00:01:01",
)
EVERYONE = "ff:ff:ff:ff:ff:ff"


@cache
def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def ether(src, dst, payload, kind=0x0800, vlan=None):
    tag = b"" if vlan is None else b"\x81\x00" + vlan.to_bytes(2, "big")
    return mac(dst) + mac(src) + tag + kind.to_bytes(2, "big") + payload


def ip4(src, dst, payload, proto, ttl=64, ident=1):
    ends = address(src) + address(dst)
    begin = struct.pack(">BBHHHBB", 0x45, 0, 20 + len(payload), ident, 0, ttl, proto)
    return begin + checksum(begin + ends) + ends + payload


def udp(src, sport, dst, dport, data=b"", **more):
    head = struct.pack(">HHH", sport, dport, 8 + len(data))
    pseudo = address(src) + address(dst) + struct.pack(">HH", 17, 8 + len(data))
    total = checksum(pseudo + head + data)
    # RFC 768: a checksum of zero is sent as all ones
    return ip4(src, dst, head + (b"\xff\xff" if total == bytes(2) else total) + data, 17, **more)


def tcp(src, sport, dst, dport, data=b"", flags="A", seq=0, ack=0, **more):
    bits = sum({"F": 1, "S": 2, "R": 4, "P": 8, "A": 16}[f] for f in flags)
    head = struct.pack(">HHIIBBH", sport, dport, seq, ack, 0x50, bits, 8192)
    pseudo = address(src) + address(dst) + struct.pack(">HH", 6, 20 + len(data))
    total = checksum(pseudo + head + data)
    return ip4(src, dst, head + total + bytes(2) + data, 6, **more)


@cache
def address(text):
    return socket.inet_aton(text)


def checksum(octets):
    """RFC 1071: the sum of all words, carries added to it, and turned over."""
    octets += bytes(len(octets) % 2)
    # a word's place in a long number is worth 65,536, which is one more than what is left out
    total = int.from_bytes(octets, "big") % 65_535
    return (0 if not total and any(octets) else 65_535 - total).to_bytes(2, "big")


def arp(op, sender_mac, sender_ip, target_ip, target_mac="00:00:00:00:00:00"):
    body = b"\x00\x01\x08\x00\x06\x04" + op.to_bytes(2, "big")
    body += mac(sender_mac) + socket.inet_aton(sender_ip)
    body += mac(target_mac) + socket.inet_aton(target_ip)
    return ether(sender_mac, EVERYONE if op == 1 else target_mac, body, 0x0806)


def fragments(packet, size):
    """An IPv4 packet in pieces of ``size`` bytes of payload (a multiple of 8)."""
    header, payload = bytearray(packet[:20]), packet[20:]
    pieces = []
    for at in range(0, len(payload), size):
        piece = payload[at : at + size]
        more = at + size < len(payload)
        header[2:4] = (20 + len(piece)).to_bytes(2, "big")
        header[6:8] = ((at // 8) | (0x2000 if more else 0)).to_bytes(2, "big")
        header[10:12] = b"\0\0"
        pieces.append(bytes(header) + piece)
    return pieces


def dhcp(op, kind, chaddr, options=b"", yiaddr="0.0.0.0", giaddr="0.0.0.0"):
    fixed = bytes([op, 1, 6, 0]) + b"\0\0\0\x07" + bytes(4) + bytes(4) + socket.inet_aton(yiaddr)
    fixed += bytes(4) + socket.inet_aton(giaddr) + mac(chaddr) + bytes(10) + bytes(192)
    return fixed + b"\x63\x82\x53\x63" + bytes([53, 1, kind]) + options + b"\xff"


def pcap(path, frames, link=1):
    """Write ``(seconds, frame)`` or ``(seconds, frame, wire length)``."""
    with PcapWriter(path, link) as writer:
        for seconds, frame, *wire in frames:
            writer.packet(round(seconds * NS), frame, *wire)
    return path


def pcapng(path, interfaces, frames):
    """Write ``(interface, seconds, frame)`` of interfaces ``(link, name)``."""
    with PcapngWriter(path, [(link, name, 0) for link, name in interfaces]) as writer:
        for interface, seconds, frame in frames:
            writer.packet(interface, round(seconds * NS), frame)
    return path
