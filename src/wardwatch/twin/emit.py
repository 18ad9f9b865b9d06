"""Emit: bytes of frames and packets, written by hand so that they check the parsers.

Nothing here reads a packet: the twin shares no parser with the product. Checksums are true,
lengths are honest; whatever is planted wrong is planted in the message, by its builder.
"""

from __future__ import annotations

from struct import pack

BROADCAST = b"\xff" * 6
IPV4, ARP, IPV6, VLAN = 0x0800, 0x0806, 0x86DD, 0x8100
ICMP, TCP, UDP, ICMP6 = 1, 6, 17, 58
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
MSS = 1460
"""Bytes of TCP payload in a segment at most: 1500 less two headers of 20 (RFC 9293 §3.7.1)."""
MINIMUM = 60
"""Octets of an Ethernet frame at least, without its FCS (IEEE 802.3 §4A.4.2); zeros fill it."""


def mac(text: str) -> bytes:
    """Six octets from ``00:1a:01:00:01:01``."""
    return bytes.fromhex(text.replace(":", ""))


def ip4(text: str) -> bytes:
    """Four octets from dotted decimals."""
    return bytes(int(part) for part in text.split("."))


def ip6(text: str) -> bytes:
    """Sixteen octets from an IPv6 text without an embedded IPv4 address."""
    head, _, tail = text.partition("::")
    left = [int(group, 16) for group in head.split(":") if group]
    right = [int(group, 16) for group in tail.split(":") if group]
    fill = [0] * (8 - len(left) - len(right))
    return pack(">8H", *left, *fill, *right)


def link_local(mac48: bytes) -> bytes:
    """fe80::/64 with the modified EUI-64 of a MAC (RFC 4291 appendix A)."""
    eui = bytes([mac48[0] ^ 2]) + mac48[1:3] + b"\xff\xfe" + mac48[3:]
    return b"\xfe\x80" + bytes(6) + eui


def checksum(raw: bytes) -> int:
    """The Internet checksum (RFC 1071): the one's complement of the one's complement sum."""
    if len(raw) & 1:
        raw += b"\0"
    # The sum with end-around carry is the number modulo 65535, with 65535 standing for 0.
    return 0xFFFF - (int.from_bytes(raw, "big") % 0xFFFF or 0xFFFF)


def ethernet(
    dst: bytes, src: bytes, ethertype: int, body: bytes, vlans: tuple[int, ...] = ()
) -> bytes:
    """An Ethernet II frame with 802.1Q tags, outermost first, padded to the minimum."""
    tags = b"".join([pack(">HH", VLAN, vid) for vid in vlans])
    frame = dst + src + tags + pack(">H", ethertype) + body
    return frame.ljust(MINIMUM + 4 * len(vlans), b"\0")


def llc(dst: bytes, src: bytes, body: bytes, vlans: tuple[int, ...] = ()) -> bytes:
    """An 802.3 frame with a length instead of an Ethertype; ``body`` begins with its LLC."""
    return ethernet(dst, src, len(body), body, vlans)


def arp(op: int, sender: tuple[bytes, bytes], target: tuple[bytes, bytes]) -> bytes:
    """An ARP message for Ethernet and IPv4 (RFC 826); ends are (MAC, address)."""
    return pack(">HHBBH", 1, IPV4, 6, 4, op) + sender[0] + sender[1] + target[0] + target[1]


def ipv4(src: bytes, dst: bytes, proto: int, body: bytes, ident: int, ttl: int = 64) -> bytes:
    """An IPv4 packet with DF set (RFC 791)."""
    head = pack(">BBHHHBB", 0x45, 0, 20 + len(body), ident, 0x4000, ttl, proto)
    return head + pack(">H", checksum(head + b"\0\0" + src + dst)) + src + dst + body


def ipv6(src: bytes, dst: bytes, proto: int, body: bytes, hops: int = 255) -> bytes:
    """An IPv6 packet without extension headers (RFC 8200)."""
    return pack(">IHBB", 6 << 28, len(body), proto, hops) + src + dst + body


def fragments4(packet: bytes, size: int) -> list[bytes]:
    """An IPv4 packet in fragments of ``size`` octets of its body, a multiple of 8 (RFC 791 §3.2)."""
    body, found = packet[20:], []
    for at in range(0, len(body), size):
        part = body[at : at + size]
        more = 0x2000 if at + size < len(body) else 0
        head = packet[:2] + pack(">H", 20 + len(part)) + packet[4:6] + pack(">H", more | at // 8)
        head += packet[8:10] + b"\0\0" + packet[12:20]
        found.append(head[:10] + pack(">H", checksum(head)) + head[12:] + part)
    return found


def fragments6(packet: bytes, size: int, ident: int) -> list[bytes]:
    """An IPv6 packet in fragments, each with its header (RFC 8200 §4.5)."""
    body, found = packet[40:], []
    for at in range(0, len(body), size):
        part = body[at : at + size]
        header = pack(">BBHI", packet[6], 0, at | (at + size < len(body)), ident)
        head = packet[:4] + pack(">HB", 8 + len(part), 44) + packet[7:40]
        found.append(head + header + part)
    return found


VXLAN_PORT = 4789


def vxlan(
    outer: tuple[tuple[bytes, bytes], tuple[bytes, bytes]], vni: int, frame: bytes, ident: int
) -> bytes:
    """A frame carried between two tunnel ends, (MAC, address) each (RFC 7348 §5)."""
    (src_mac, src), (dst_mac, dst) = outer
    body = pack(">BxxxI", 0x08, vni << 8) + frame
    # RFC 7348 §5: the source port is a hash of the inner frame, so that one flow keeps one path.
    sport = 49152 + checksum(frame[:12]) % 16384
    return ethernet(
        dst_mac, src_mac, IPV4, ipv4(src, dst, UDP, udp(src, dst, sport, VXLAN_PORT, body), ident)
    )


def untagged(frame: bytes) -> bytes:
    """A frame without its outermost 802.1Q tag, as an access port hands it out."""
    return frame[:12] + frame[16:] if frame[12:14] == b"\x81\x00" else frame


def _pseudo(src: bytes, dst: bytes, proto: int, length: int) -> bytes:
    """What is summed before the transport header (RFC 9293 §3.1, RFC 8200 §8.1)."""
    return (
        src
        + dst
        + (pack(">IxxxB", length, proto) if len(src) == 16 else pack(">HH", proto, length))
    )


def udp(src: bytes, dst: bytes, sport: int, dport: int, body: bytes) -> bytes:
    """A UDP datagram; a checksum of 0 is sent as 65535 (RFC 768)."""
    length = 8 + len(body)
    head = pack(">HHH", sport, dport, length)
    sum_ = checksum(_pseudo(src, dst, UDP, length) + head + b"\0\0" + body) or 0xFFFF
    return head + pack(">H", sum_) + body


def tcp(
    ends: tuple[bytes, bytes],
    ports: tuple[int, int],
    seq: int,
    ack: int,
    flags: int,
    body: bytes = b"",
    options: bytes = b"",
    window: int = 8760,
) -> bytes:
    """A TCP segment; the acknowledgement number is 0 without ACK (RFC 9293 §3.1)."""
    offset = (20 + len(options)) // 4 << 4
    head = pack(">HHIIBBH", *ports, seq, ack if flags & ACK else 0, offset, flags, window)
    tail = b"\0\0" + options + body
    length = 18 + len(tail)
    return head + pack(">H", checksum(_pseudo(*ends, TCP, length) + head + b"\0\0" + tail)) + tail


def icmp(kind: int, code: int, body: bytes, rest: bytes = bytes(4)) -> bytes:
    """An ICMP message (RFC 792)."""
    head = pack(">BB", kind, code)
    return head + pack(">H", checksum(head + b"\0\0" + rest + body)) + rest + body


def icmp6(src: bytes, dst: bytes, kind: int, code: int, body: bytes) -> bytes:
    """An ICMPv6 message (RFC 4443)."""
    head = pack(">BB", kind, code)
    total = _pseudo(src, dst, ICMP6, 4 + len(body)) + head + b"\0\0" + body
    return head + pack(">H", checksum(total)) + body


ALL_NODES = ip6("ff02::1")
ALL_NODES_MAC = mac("33:33:00:00:00:01")


def neighbour_solicitation(src: bytes, lladdr: bytes, target: bytes) -> tuple[bytes, bytes]:
    """An NS to the solicited-node group (RFC 4861 §4.3) as an IPv6 packet, and that group's MAC."""
    group = ip6("ff02::1:ff00:0")[:13] + target[13:]
    body = bytes(4) + target + b"\x01\x01" + lladdr
    return ipv6(src, group, ICMP6, icmp6(src, group, 135, 0, body)), b"\x33\x33" + group[12:]


def neighbour_advertisement(
    target: bytes, lladdr: bytes, dst: bytes, flags: int = 0x20000000
) -> bytes:
    """An NA (RFC 4861 §4.4) as an IPv6 packet; unsolicited with the override flag unless told."""
    body = pack(">I", flags) + target + b"\x02\x01" + lladdr
    return ipv6(target, dst, ICMP6, icmp6(target, dst, 136, 0, body))


def redirect6(src: bytes, dst: bytes, target: bytes, destination: bytes, lladdr: bytes) -> bytes:
    """An ICMPv6 Redirect: a better first hop for a destination (RFC 4861 §4.5)."""
    body = bytes(4) + target + destination + b"\x02\x01" + lladdr
    return ipv6(src, dst, ICMP6, icmp6(src, dst, 137, 0, body))


def extended(packet: bytes, kind: int = 60) -> bytes:
    """An IPv6 packet with an extension header of padding in front of its body (RFC 8200 §4.6)."""
    header = bytes([packet[6], 0, 1, 4, 0, 0, 0, 0])
    length = int.from_bytes(packet[4:6], "big") + len(header)
    return packet[:4] + pack(">HB", length, kind) + packet[7:40] + header + packet[40:]


def router_advertisement(src: bytes, lladdr: bytes, lifetime: int, rdnss: bytes = b"") -> bytes:
    """An RA to all nodes (RFC 4861 §4.2) as an IPv6 packet, with MTU; RDNSS (RFC 8106) if given."""
    body = pack(">BBHII", 64, 0, lifetime, 0, 0) + b"\x01\x01" + lladdr
    body += pack(">BBHI", 5, 1, 0, 1500)
    if rdnss:
        body += pack(">BBHI", 25, 3, 0, lifetime) + rdnss
    return ipv6(src, ALL_NODES, ICMP6, icmp6(src, ALL_NODES, 134, 0, body))


# 802.11 with radiotap -------------------------------------------------------------------------

RADIOTAP = pack("<BBHIBBHH", 0, 0, 14, 0x0000_000E, 0x00, 0x0C, 2437, 0x00A0)
"""Flags (no FCS), 6 Mbit/s, channel 6: what a passive adapter says of each frame."""


def probe_response(bssid: bytes, station: bytes, ssid: bytes, seq: int, stamp: int) -> bytes:
    """A probe response of an open network (IEEE 802.11-2020 §9.3.3.10)."""
    body = pack("<QHH", stamp, 100, 0x0401) + _elements(ssid)
    return _management(0x50, station, bssid, bssid, seq, body)


def beacon(bssid: bytes, ssid: bytes, seq: int, stamp: int, *, private: bool) -> bytes:
    """A beacon of channel 6 (IEEE 802.11-2020 §9.3.3.2), with an RSN element if private."""
    body = pack("<QHH", stamp, 100, 0x0411 if private else 0x0401) + _elements(ssid)
    if private:
        body += b"\x30\x14" + pack("<H", 1) + _suite(4) + pack("<H", 1) + _suite(4)
        body += pack("<H", 1) + _suite(1) + b"\0\0"
    return _management(0x80, BROADCAST, bssid, bssid, seq, body)


def probe_request(station: bytes, ssid: bytes, seq: int) -> bytes:
    """A probe request of a station for one network (§9.3.3.9)."""
    body = b"\0" + bytes([len(ssid)]) + ssid + b"\x01\x08\x02\x04\x0b\x16\x0c\x12\x18\x24"
    return _management(0x40, BROADCAST, station, BROADCAST, seq, body)


def authentication(src: bytes, dst: bytes, bssid: bytes, seq: int, step: int) -> bytes:
    """Open System authentication, step 1 or 2 (§9.3.3.11)."""
    return _management(0xB0, dst, src, bssid, seq, pack("<HHH", 0, step, 0))


def association_request(station: bytes, bssid: bytes, ssid: bytes, seq: int) -> bytes:
    """An association request (§9.3.3.5)."""
    body = pack("<HH", 0x0401, 10) + b"\0" + bytes([len(ssid)]) + ssid
    body += b"\x01\x08\x02\x04\x0b\x16\x0c\x12\x18\x24"
    return _management(0x00, bssid, station, bssid, seq, body)


def association_response(station: bytes, bssid: bytes, seq: int) -> bytes:
    """Success, association 1 (§9.3.3.6)."""
    body = pack("<HHH", 0x0401, 0, 0xC001) + b"\x01\x08\x02\x04\x0b\x16\x0c\x12\x18\x24"
    return _management(0x10, station, bssid, bssid, seq, body)


def xid(station: bytes, bssid: bytes, seq: int) -> bytes:
    """A broadcast LLC XID to the distribution system (IEEE 802.2 §5.4.1.2.1)."""
    head = pack("<BBH", 0x08, 0x01, 0) + bssid + station + BROADCAST + pack("<H", seq << 4 & 0xFFFF)
    return RADIOTAP + head + bytes.fromhex("0000af810100")


def protected_data(station: bytes, bssid: bytes, dst: bytes, seq: int, body: bytes) -> bytes:
    """An encrypted data frame to the distribution system: only its addresses can be read."""
    head = pack("<BBH", 0x08, 0x41, 0) + bssid + station + dst + pack("<H", seq << 4 & 0xFFFF)
    return RADIOTAP + head + pack("<HBBI", seq & 0xFFFF, 0, 0x20, 0) + body


def _management(control: int, dst: bytes, src: bytes, bssid: bytes, seq: int, body: bytes) -> bytes:
    head = pack("<BBH", control, 0, 0) + dst + src + bssid + pack("<H", seq << 4 & 0xFFFF)
    return RADIOTAP + head + body


def _elements(ssid: bytes) -> bytes:
    """SSID, rates and channel 6."""
    rates = b"\x01\x08\x82\x84\x8b\x96\x0c\x12\x18\x24"
    return b"\0" + bytes([len(ssid)]) + ssid + rates + b"\x03\x01\x06"


def _suite(number: int) -> bytes:
    """A cipher or AKM suite of IEEE 802.11 (00-0F-AC)."""
    return b"\x00\x0f\xac" + bytes([number])
