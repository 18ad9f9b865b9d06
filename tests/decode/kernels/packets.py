"""A small language of headers: each function puts one in front of what it carries."""

import struct

MAC_A, MAC_B = bytes.fromhex("001a01000001"), bytes.fromhex("0003b1000002")


def ether(kind, body, dst=MAC_B, src=MAC_A):
    return dst + src + struct.pack(">H", kind) + body


def dot3(body, dst=MAC_B, src=MAC_A):
    return dst + src + struct.pack(">H", len(body)) + body


def tag(vid, kind, body):
    return struct.pack(">HH", vid, kind) + body


def snap(oui, pid, body):
    return b"\xaa\xaa\x03" + oui.to_bytes(3, "big") + struct.pack(">H", pid) + body


def ipv4(
    proto, body, *, options=b"", fragment=0, ident=7, src=0x0A000001, dst=0x0A000002, total=None
):
    words = 5 + len(options) // 4
    total = words * 4 + len(body) if total is None else total
    head = struct.pack(
        ">BBHHHBBHII", 0x40 | words, 0, total & 0xFFFF, ident, fragment, 64, proto, 0, src, dst
    )
    return head + options + body


def ipv6(proto, body, *, src=(0xFE80 << 112) + 1, dst=(0xFE80 << 112) + 2, hops=255):
    size = len(body) if len(body) <= 0xFFFF else 0
    return (
        struct.pack(">IHBB", 0x60000000, size, proto, hops)
        + src.to_bytes(16, "big")
        + dst.to_bytes(16, "big")
        + body
    )


def extension(proto, body, units=0):
    """Hop-by-hop, routing or destination options, padded."""
    return bytes((proto, units)) + bytes(6 + 8 * units) + body


def fragment6(proto, body, offset=0, more=0, ident=9):
    return struct.pack(">BBHI", proto, 0, offset | more, ident) + body


def authentication(proto, body, words=1):
    return bytes((proto, words)) + bytes(2 + words * 4 + 4) + body


def udp(src, dst, body, claimed=None):
    return struct.pack(">HHHH", src, dst, len(body) + 8 if claimed is None else claimed, 0) + body


def tcp(src, dst, body=b"", *, flags=0x18, seq=1, ack=1, window=512, options=b""):
    words = 5 + len(options) // 4
    return (
        struct.pack(">HHIIHHHH", src, dst, seq, ack, words << 12 | flags, window, 0, 0)
        + options
        + body
    )


def mpls(labels, body):
    last = len(labels) - 1
    return (
        b"".join(struct.pack(">I", v << 12 | (k == last) << 8 | 64) for k, v in enumerate(labels))
        + body
    )


def gre(kind, body, *, key=None, sequence=None, checksum=False):
    flags = checksum << 15 | (key is not None) << 13 | (sequence is not None) << 12
    head = struct.pack(">HH", flags, kind) + (bytes(4) if checksum else b"")
    for field in (key, sequence):
        head += b"" if field is None else struct.pack(">I", field)
    return head + body


def pptp(call, body, *, sequence=1, acknowledge=None):
    flags = 0x2001 | (sequence is not None) << 12 | (acknowledge is not None) << 7
    head = struct.pack(">HHHH", flags, 0x880B, len(body), call)
    for field in (sequence, acknowledge):
        head += b"" if field is None else struct.pack(">I", field)
    return head + body


def erspan2(session, body):
    return struct.pack(">HHI", 0x1000, session, 0) + body


def erspan3(session, body, *, platform=False, kind=0):
    head = struct.pack(">HHIHH", 0x2000, session, 0, 0, kind << 10 | platform)
    return head + (bytes(8) if platform else b"") + body


def vxlan(vni, body):
    return struct.pack(">II", 0x08000000, vni << 8) + body


def geneve(vni, kind, body, words=0):
    return struct.pack(">BBHI", words, 0, kind, vni << 8) + bytes(4 * words) + body


def capwap(body, *, native=False, radio=1, fragment=False, keepalive=False, dtls=False, words=2):
    if dtls:
        return b"\x01\0\0\0" + body
    word = words << 19 | radio << 14 | 1 << 9 | native << 8 | fragment << 7 | keepalive << 3
    return struct.pack(">I", word) + bytes(words * 4 - 4) + body


def pppoe(session, body, code=0):
    return struct.pack(">BBHH", 0x11, code, session, len(body)) + body


def ppp(protocol, body, *, control=False, short=False):
    head = bytes((protocol,)) if short else struct.pack(">H", protocol)
    return (b"\xff\x03" if control else b"") + head + body


def trustsec(group, kind, body):
    return struct.pack(">BBHHH", 1, 1, 1, group, kind) + body


def macsec(kind, body, *, encrypted=False, sci=False):
    control = (0x0C if encrypted else 0) | (0x20 if sci else 0)
    return (
        bytes((control, 0, 0, 0, 0, 1))
        + bytes(8 if sci else 0)
        + struct.pack(">H", kind)
        + body
        + bytes(16)
    )


def wlan(kind, subtype, body=b"", *, flags=0, fragment=0, qos=None):
    """An 802.11 frame; address 4, QoS control and HT control as the flags ask for."""
    head = bytes((subtype << 4 | kind << 2, flags)) + bytes(2)
    head += bytes.fromhex("0a0000000001 0a0000000002 0a0000000003") + struct.pack("<H", fragment)
    if flags & 3 == 3:
        head += bytes.fromhex("0a0000000004")
    if kind == 2 and subtype & 8:
        head += struct.pack("<H", qos or 0) + (bytes(4) if flags & 0x80 else b"")
    return head + body


def turned(frame):
    """An 802.11 frame as Cisco's access points put it into CAPWAP: two fields the other way."""
    return frame[1::-1] + frame[2:22] + frame[23:21:-1] + frame[24:]


def radiotap(body, *, fcs=False, tsft=True, freq=2437, words=0):
    present = (1 if tsft else 0) | 2 | 4 | 8 | (0x80000000 if words else 0)
    head = struct.pack("<I", present)
    head += b"".join(struct.pack("<I", 0x80000000 if k < words - 1 else 0) for k in range(words))
    while tsft and (len(head) + 4) % 8:
        head += b"\0"
    head += (bytes(8) if tsft else b"") + bytes((0x10 if fcs else 0, 2))
    while (len(head) + 4) % 2:
        head += b"\0"
    head += struct.pack("<HH", freq, 0)
    return struct.pack("<BBH", 0, 0, len(head) + 4) + head + body + (bytes(4) if fcs else b"")


def ppi(body, link=105, *, fcs=False, freq=5180):
    field = struct.pack("<HHQHHHHBBbb", 2, 20, 0, int(fcs), 0, freq, 0, 0, 0, 0, 0)
    return (
        struct.pack("<BBHI", 0, 0, 8 + len(field), link) + field + body + (bytes(4) if fcs else b"")
    )


def prism(body):
    return struct.pack("<II", 0x44, 144) + bytes(136) + body


def avs(body):
    return struct.pack(">II", 0x80211001, 64) + bytes(56) + body


def cooked(kind, body, hardware=1):
    return struct.pack(">HHH", 0, hardware, 6) + MAC_A + b"\0\0" + struct.pack(">H", kind) + body


def cooked2(kind, body, hardware=1):
    return struct.pack(">HHIHBB", kind, 0, 1, hardware, 0, 6) + MAC_A + b"\0\0" + body


def arp():
    return bytes.fromhex("0001080006040001") + MAC_A + b"\x0a\0\0\1" + bytes(6) + b"\x0a\0\0\2"
