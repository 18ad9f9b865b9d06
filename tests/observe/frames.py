"""Frames by the piece, with dpkt: a small ward for the tests of observing."""

import socket

import dpkt

from wardwatch.capture.write import PcapngWriter, PcapWriter
from wardwatch.model.values import NS

PUMP, NURSE, SERVER, ROUTER = (
    "00:1a:01:00:00:41",
    "02:00:00:00:00:05",
    "00:50:56:00:00:02",
    "00:00:5e:00:01:01",
)
EVERYONE = "ff:ff:ff:ff:ff:ff"


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def ether(src, dst, payload, kind=0x0800, vlan=None):
    tag = b"" if vlan is None else b"\x81\x00" + vlan.to_bytes(2, "big")
    return mac(dst) + mac(src) + tag + kind.to_bytes(2, "big") + payload


def ip4(src, dst, payload, proto, ttl=64, ident=1):
    packet = dpkt.ip.IP(
        src=socket.inet_aton(src), dst=socket.inet_aton(dst), p=proto, ttl=ttl, id=ident
    )
    packet.data = payload
    packet.len = 20 + len(bytes(payload))
    return bytes(packet)


def udp(src, sport, dst, dport, data=b"", **more):
    return ip4(
        src, dst, dpkt.udp.UDP(sport=sport, dport=dport, ulen=8 + len(data), data=data), 17, **more
    )


def tcp(src, sport, dst, dport, data=b"", flags="A", seq=0, ack=0, **more):
    bits = sum({"F": 1, "S": 2, "R": 4, "P": 8, "A": 16}[f] for f in flags)
    segment = dpkt.tcp.TCP(sport=sport, dport=dport, seq=seq, ack=ack, flags=bits, win=8192)
    segment.data = data
    return ip4(src, dst, segment, 6, **more)


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
