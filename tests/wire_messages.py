"""Honest messages for the datagram parsers' tests, put together by the RFCs' own figures."""

from __future__ import annotations

import struct


def u16(value: int) -> bytes:
    return struct.pack("!H", value)


def u32(value: int) -> bytes:
    return struct.pack("!I", value)


# --- DHCP (RFC 2131 figure 1) ---------------------------------------------------------------------

COOKIE = b"\x63\x82\x53\x63"
CLIENT = bytes.fromhex("001a01000042")


def option(code: int, data: bytes) -> bytes:
    return bytes([code, len(data)]) + data


def dhcp(
    options: bytes,
    *,
    op: int = 1,
    xid: int = 0x01020304,
    yiaddr: bytes = bytes(4),
    giaddr: bytes = bytes(4),
    ciaddr: bytes = bytes(4),
    chaddr: bytes = CLIENT,
    sname: bytes = b"",
    file: bytes = b"",
    cookie: bytes = COOKIE,
) -> bytes:
    """A message with the given octets in its options field."""
    return (
        bytes([op, 1, len(chaddr), 0])
        + u32(xid)
        + bytes(4)
        + ciaddr
        + yiaddr
        + bytes(4)
        + giaddr
        + chaddr.ljust(16, b"\0")
        + sname.ljust(64, b"\0")
        + file.ljust(128, b"\0")
        + cookie
        + options
    )


END = b"\xff"
DISCOVER = dhcp(option(53, b"\x01") + option(55, b"\x01\x03\x06") + option(12, b"ward-7") + END)
OFFER = dhcp(
    option(53, b"\x02")
    + option(54, bytes([10, 0, 0, 1]))
    + option(51, u32(3600))
    + option(58, u32(1800))
    + option(1, bytes([255, 255, 255, 0]))
    + option(3, bytes([10, 0, 0, 1, 10, 0, 0, 2]))
    + option(6, bytes([10, 0, 0, 5]))
    + option(15, b"ward.example")
    + END,
    op=2,
    yiaddr=bytes([10, 0, 0, 77]),
)
MQX_DISCOVER = dhcp(
    option(53, b"\x01")
    + option(61, b"\x01" + CLIENT)
    + bytes(13)
    + option(55, b"\x01\x03")
    + b"\0"
    + option(50, bytes([10, 0, 0, 77]))
    + END
)
MQX_REQUEST = dhcp(
    option(53, b"\x03")
    + option(61, b"\x01" + CLIENT)
    + option(54, bytes([10, 0, 0, 1]))
    + option(50, bytes([10, 0, 0, 77]))
    + b"\0"
    + option(55, b"\x01\x03")
    + END
)
OVERLOADED = dhcp(
    option(53, b"\x02") + option(52, b"\x03") + END,
    op=2,
    file=option(67, b"f" * 60) + option(67, b"g" * 60) + END,
    sname=option(66, b"s" * 40) + END,
)
RELAYED = dhcp(
    option(53, b"\x02")
    + option(54, bytes([10, 0, 0, 1]))
    + option(82, option(1, b"ge-0/0/1") + option(2, b"\x00\x06\x01\x02") + option(11, bytes(4)))
    + option(121, bytes([24, 10, 1, 2, 10, 0, 0, 1, 0, 10, 0, 0, 2]))
    + option(33, bytes([10, 9, 0, 0, 10, 0, 0, 1]))
    + option(81, b"\x04\0\0\x04pump\x04ward\x00")
    + END,
    op=2,
    giaddr=bytes([10, 0, 7, 1]),
)
DHCP = [DISCOVER, OFFER, MQX_DISCOVER, MQX_REQUEST, OVERLOADED, RELAYED]


# --- DNS (RFC 1035 §4) ----------------------------------------------------------------------------


def name(text: str) -> bytes:
    labels = [part.encode() for part in text.split(".") if part]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def question(qname: bytes, qtype: int = 1, qclass: int = 1) -> bytes:
    return qname + u16(qtype) + u16(qclass)


def record(owner: bytes, kind: int, rdata: bytes, ttl: int = 300, rclass: int = 1) -> bytes:
    return owner + u16(kind) + u16(rclass) + u32(ttl) + u16(len(rdata)) + rdata


def pointer(at: int) -> bytes:
    return u16(0xC000 | at)


def dns(
    questions: list[bytes],
    answers: list[bytes] | None = None,
    authorities: list[bytes] | None = None,
    additional: list[bytes] | None = None,
    *,
    ident: int = 0x1234,
    flags: int = 0x8180,
    counts: tuple[int, int, int, int] | None = None,
) -> bytes:
    """A message whose counts are true unless ``counts`` says otherwise."""
    sections = [questions, answers or [], authorities or [], additional or []]
    told = counts or tuple(len(section) for section in sections)
    head = u16(ident) + u16(flags) + b"".join(u16(c) for c in told)
    return head + b"".join(entry for section in sections for entry in section)


OPT = record(b"\0", 41, b"\0\x0a\0\x08" + bytes(8), ttl=0, rclass=1232)
QUERY = dns([question(name("pump.ward.example"))], flags=0x0100, additional=[OPT])
ANSWER = dns(
    [question(name("www.Ward.example"))],
    [
        record(pointer(12), 5, b"\x03srv" + pointer(16)),
        record(b"\x03srv" + pointer(16), 1, bytes([10, 0, 0, 9])),
        record(b"\x03srv" + pointer(16), 28, bytes.fromhex("20010db8000000000000000000000009")),
    ],
    [record(pointer(16), 6, name("ns.ward.example") + pointer(12) + bytes(20))],
    [OPT],
)
SERVICES = dns(
    [question(b"\x05_ldap\x04_tcp" + name("ward.example"), 33)],
    [
        record(pointer(12), 33, bytes(6) + name("dc1.ward.example")),
        record(pointer(12), 16, b"\x05hello"),
        record(pointer(12), 15, u16(10) + b"\x02mx" + pointer(12)),
    ],
)
ROOT = dns([question(b"\0", 2)], [record(b"\0", 2, name("a.root-servers.net"))])
DNS = [QUERY, ANSWER, SERVICES, ROOT]


# --- the others -----------------------------------------------------------------------------------

ARP_REQUEST = bytes.fromhex("0001080006040001001a010000420a00004d0000000000000a000001")
ARP_REPLY = bytes.fromhex("000108000604000202000000000a0a000001001a010000420a00004d")
ARP = [ARP_REQUEST, ARP_REPLY]

IPV4_SYN = (
    bytes.fromhex("4500002c00010000400600000a00004d0a000009") + u16(49152) + u16(443) + bytes(4)
)
UNREACHABLE = bytes([3, 13, 0, 0]) + bytes(4) + IPV4_SYN
IPV4_REDIRECT = bytes([5, 1, 0, 0, 10, 0, 0, 254]) + IPV4_SYN
ICMP = [UNREACHABLE, IPV4_REDIRECT]

ROUTER = bytes.fromhex("fe80000000000000025056fffecc0001")
HOST = bytes.fromhex("20010db8000000000000000000000077")
SLLA = b"\x01\x01" + bytes.fromhex("005056cc0001")
PREFIX = b"\x03\x04\x40\xc0" + u32(86400) + u32(14400) + bytes(4) + HOST[:8] + bytes(8)
RDNSS = b"\x19\x03\0\0" + u32(600) + ROUTER
DNSSL = b"\x1f\x03\0\0" + u32(600) + name("ward.example") + bytes(2)
ROUTE = b"\x18\x02\x30\0" + u32(600) + HOST[:8]
ADVERT = (
    bytes([134, 0, 0, 0, 64, 0xC0]) + u16(1800) + bytes(8) + SLLA + PREFIX + RDNSS + DNSSL + ROUTE
)
SOLICIT = bytes([135, 0, 0, 0]) + bytes(4) + HOST + SLLA
ADVERTISE = bytes([136, 0, 0, 0, 0x60, 0, 0, 0]) + HOST + b"\x02" + SLLA[1:]
REDIRECT6 = bytes([137, 0, 0, 0]) + bytes(4) + ROUTER + HOST + b"\x02" + SLLA[1:]
IPV6_UDP = b"\x60\0\0\0\0\x08\x11\x40" + HOST + ROUTER + u16(5000) + u16(53) + bytes(4)
UNREACHABLE6 = bytes([1, 1, 0, 0]) + bytes(4) + IPV6_UDP
ICMPV6 = [ADVERT, SOLICIT, ADVERTISE, REDIRECT6, UNREACHABLE6]


def option6(code: int, data: bytes) -> bytes:
    return u16(code) + u16(len(data)) + data


DUID = bytes.fromhex("00030001001a01000042")
IA_ADDRESS = option6(5, HOST + u32(3600) + u32(7200))
SOLICIT6 = b"\x01\x01\x02\x03" + option6(1, DUID) + option6(39, b"\0" + name("pump.ward"))
REPLY6 = (
    b"\x07\x01\x02\x03"
    + option6(1, DUID)
    + option6(2, DUID[::-1])
    + option6(3, bytes(12) + IA_ADDRESS)
    + option6(23, ROUTER + HOST)
)
RELAY6 = b"\x0c\0" + ROUTER + HOST + option6(9, SOLICIT6)
DHCPV6 = [SOLICIT6, REPLY6, RELAY6]

HSRP = bytes([0, 0, 16, 3, 10, 110, 7, 0]) + b"cisco\0\0\0" + bytes([10, 0, 0, 254])
HSRP2 = (
    b"\x01\x28\x02\x00\x06\x04" + u16(300) + bytes(6) + u32(120) + u32(3000) + u32(10000)
    + bytes([10, 0, 0, 253]) + bytes(12)
)  # fmt: skip
VRRP2 = bytes([0x21, 7, 255, 2, 0, 1, 0, 0, 10, 0, 0, 254, 10, 0, 0, 253]) + bytes(8)
VRRP3 = bytes([0x31, 9, 100, 1, 0, 100, 0, 0]) + ROUTER
GLBP = bytes([1, 0]) + u16(12) + bytes(20)


def tlv(kind: int, value: bytes) -> bytes:
    return u16(kind << 9 | len(value)) + value


LLDP = (
    tlv(1, b"\x04" + bytes.fromhex("005056cc0001"))
    + tlv(2, b"\x05Gi1/0/7")
    + tlv(3, u16(120))
    + tlv(5, b"switch-ward-7")
    + tlv(6, b"Layer 3 switch")
    + tlv(8, b"\x05\x01\x0a\0\0\xfe\x02" + u32(1) + b"\0")
    + tlv(127, b"\x00\x80\xc2\x01" + u16(120))
    + tlv(0, b"")
)


def field(kind: int, value: bytes) -> bytes:
    return u16(kind) + u16(len(value) + 4) + value


CDP_ADDRESS = u32(1) + b"\x01\x01\xcc" + u16(4) + bytes([10, 0, 0, 250])
CDP = (
    b"\x02\xb4\0\0"
    + field(1, b"switch-ward-7")
    + field(2, CDP_ADDRESS)
    + field(3, b"GigabitEthernet1/0/7")
    + field(5, b"IOS")
    + field(6, b"cisco WS-C2960")
    + field(0x0A, u16(99))
    + field(0x16, CDP_ADDRESS)
)

STP = bytes([0, 0, 2, 2]) + bytes(31)
DTP = b"\x01\x00\x01\x00\x05\x00\x00\x02\x00\x05\x03"
VTP = b"\x01\x01\x00\x04ward" + bytes(28) + bytes(36)
PAGP = b"\x01\x05" + bytes.fromhex("005056cc0001") + bytes(20)
UDLD = b"\x21\x00\x00\x00\x00\x01\x00\x08port"
LACP = b"\x01\x01\x01\x14" + bytes(106)
EAPOL = b"\x01\x01\x00\x00"
XID = b"\x00\x01\xaf\x81\x01\x00"
CONTROL = [STP, DTP, VTP, PAGP, UDLD, LACP, EAPOL, XID]


def ber(tag: int, body: bytes) -> bytes:
    size = len(body)
    length = bytes([size]) if size < 128 else b"\x82" + u16(size)
    return bytes([tag]) + length + body


PDU = ber(0xA0, ber(2, b"\x01") + ber(2, b"\0") + ber(2, b"\0") + ber(0x30, b""))


def snmp(version: int = 1, community: bytes = b"public", pdu: bytes = PDU) -> bytes:
    return ber(0x30, ber(2, bytes([version])) + ber(4, community) + pdu)


def snmp3(user: bytes = b"ward", flags: int = 0) -> bytes:
    header = ber(
        0x30, ber(2, b"\x01") + ber(2, u16(1500)) + ber(4, bytes([flags])) + ber(2, b"\x03")
    )
    usm = ber(
        0x30, ber(4, b"engine") + ber(2, b"\x01") + ber(2, b"\x02") + ber(4, user) + 2 * ber(4, b"")
    )
    scoped = ber(0x30, ber(4, b"engine") + ber(4, b"") + PDU)
    data = ber(4, b"sealed") if flags & 2 else scoped
    return ber(0x30, ber(2, b"\x03") + header + ber(4, usm) + data)


SNMP = [snmp(0), snmp(1, b"ward" * 40), snmp3(), snmp3(flags=3)]

RRQ = b"\x00\x01CONFIG.XML\0octet\0blksize\x001428\0"
WRQ = b"\x00\x02image.bin\0NETASCII\0"
TFTP = [RRQ, WRQ, b"\x00\x03\x00\x01data", b"\x00\x04\x00\x01"]


def element(kind: int, value: bytes) -> bytes:
    return bytes([kind, len(value)]) + value


AP = bytes.fromhex("020000000001")
STATION = bytes.fromhex("001a01000042")
RSN = b"\x01\0\x00\x0f\xac\x04\x01\0\x00\x0f\xac\x04\x02\0\x00\x0f\xac\x02\x00\x0f\xac\x08\0\0"
RATES = element(1, b"\x82\x84\x8b\x96")


def wlan(subtype: int, body: bytes, *, flags: int = 0, first: bytes = b"\xff" * 6) -> bytes:
    """A management frame: subtype in the high nibble of the first octet (type 0)."""
    return bytes([subtype << 4, flags, 0, 0]) + first + AP + AP + bytes(2) + body


def beacon(ssid: bytes = b"ward", rsn: bytes = RSN, capability: int = 0x0411) -> bytes:
    fixed = bytes(8) + struct.pack("<HH", 100, capability)
    return wlan(8, fixed + element(0, ssid) + RATES + element(3, b"\x06") + element(48, rsn))


PROBE = (
    bytes([0x40, 0, 0, 0])
    + b"\xff" * 6
    + STATION
    + b"\xff" * 6
    + bytes(2)
    + element(0, b"ward")
    + RATES
)
ASSOCIATE = wlan(0, bytes(4) + element(0, b"ward") + element(48, RSN), first=AP)
AUTHENTICATE = wlan(11, bytes(6), first=AP)
XID_DATA = bytes([0x08, 0x02, 0, 0]) + b"\xff" * 6 + AP + STATION + bytes(2) + XID
RTS = bytes([0xB4, 0, 0, 0]) + AP + STATION
ACK = bytes([0xD4, 0, 0, 0]) + AP
WIFI = [beacon(), beacon(bytes(4)), PROBE, ASSOCIATE, AUTHENTICATE, XID_DATA, RTS, ACK]
