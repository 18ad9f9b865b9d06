"""Messages: what pumps, servers and workstations say, as bytes; and what an attacker plants.

Facts are those of domain/pump.md and domain/devices.md; what no source gives is an assumption,
marked [A] here and listed in the profiles. Oversize options hold one constant byte, and every
planted length is a length only: nothing here resembles exploit code.
"""

from __future__ import annotations

from struct import pack

COOKIE = b"\x63\x82\x53\x63"
DISCOVER, OFFER, REQUEST, ACKNOWLEDGE, INFORM = 1, 2, 3, 5, 8
FILLER = b"A"
"""The one byte that oversize options are filled with (domain/pump.md S-14)."""
FIXED_SSID = b"kVnRlH5WCC0L7zoz7oJiyAFT1lBNofb"
"""The network an unconfigured pump joins (CVE-2017-12725); published, 31 characters."""

Option = tuple[int, bytes]


def option(code: int, value: bytes) -> bytes:
    """One DHCP option (RFC 2132 §2); 0 is a pad without a length."""
    return b"\0" if code == 0 else bytes([code, len(value)]) + value


def dhcp(
    op: int,
    kind: int,
    xid: int,
    chaddr: bytes,
    options: list[Option],
    *,
    yiaddr: bytes = bytes(4),
    ciaddr: bytes = bytes(4),
    giaddr: bytes = bytes(4),
    siaddr: bytes = bytes(4),
    broadcast: bool = False,
    hops: int = 0,
    sname: bytes = b"",
    file: bytes = b"",
    tail: bytes | None = None,
) -> bytes:
    """A DHCP message: option 53 first, filled with zeros to the 300 octets of BOOTP (RFC 1542 §2.1).

    ``sname`` and ``file`` fill those fields, which option 52 may declare to hold options too;
    ``tail`` stands in the place of the end option and of what fills the message up.
    """
    head = pack(">BBBBIHH", op, 1, 6, hops, xid, 0, 0x8000 if broadcast else 0)
    head += ciaddr + yiaddr + siaddr + giaddr + chaddr + bytes(10)
    head += sname.ljust(64, b"\0") + file.ljust(128, b"\0") + COOKIE
    body = option(53, bytes([kind])) + b"".join(option(*one) for one in options)
    if tail is not None:
        return head + body + tail
    body += b"\xff"
    return head + body + bytes(max(300 - len(head) - len(body), 0))


PAD: Option = (0, b"")


def rtcs_discover(xid: int, mac: bytes, wanted: bytes) -> bytes:
    """DISCOVER of the MQX RTCS client: 13 pads kept free in the middle, one before the end."""
    options = [(61, b"\x01" + mac), *[PAD] * 13, (55, wanted), PAD]
    return dhcp(1, DISCOVER, xid, mac, options, broadcast=True)


def rtcs_request(xid: int, mac: bytes, wanted: bytes, server: bytes, address: bytes) -> bytes:
    """REQUEST of the MQX RTCS client: the 13 octets now hold 54, 50 and one pad."""
    options = [(61, b"\x01" + mac), (54, server), (50, address), PAD, (55, wanted)]
    return dhcp(1, REQUEST, xid, mac, options, broadcast=True)


WINDOWS_LIST = bytes([1, 3, 6, 15, 31, 33, 43, 44, 46, 47, 119, 121, 249, 252])


def windows_discover(xid: int, mac: bytes, name: str) -> bytes:
    """DISCOVER as Windows workstations send it."""
    options = [(61, b"\x01" + mac), (12, name.encode()), (60, b"MSFT 5.0"), (55, WINDOWS_LIST)]
    return dhcp(1, DISCOVER, xid, mac, options, broadcast=True)


def windows_request(xid: int, mac: bytes, name: str, server: bytes, address: bytes) -> bytes:
    """REQUEST as Windows workstations send it."""
    fqdn = b"\0\0\0" + name.encode()
    options = [
        (61, b"\x01" + mac), (50, address), (54, server), (12, name.encode()), (81, fqdn),
        (60, b"MSFT 5.0"), (55, WINDOWS_LIST),
    ]  # fmt: skip
    return dhcp(1, REQUEST, xid, mac, options, broadcast=True)


BUSYBOX_LIST = bytes([1, 3, 6, 12, 15, 28, 42])


def busybox_discover(xid: int, mac: bytes, name: str) -> bytes:
    """DISCOVER of busybox udhcpc (domain/devices.md §3): 53, 57, 55, 12, 60, 61."""
    return dhcp(1, DISCOVER, xid, mac, _busybox(mac, name))


def busybox_request(xid: int, mac: bytes, name: str, server: bytes, address: bytes) -> bytes:
    """REQUEST of busybox udhcpc."""
    return dhcp(1, REQUEST, xid, mac, [(50, address), (54, server), *_busybox(mac, name)])


def _busybox(mac: bytes, name: str) -> list[Option]:
    return [
        (57, b"\x02\x40"), (55, BUSYBOX_LIST), (12, name.encode()), (60, b"udhcp 1.35.0"),
        (61, b"\x01" + mac),
    ]  # fmt: skip


def inform(xid: int, mac: bytes, address: bytes, name: str) -> bytes:
    """INFORM: a station with an address of its own asks for the rest (RFC 2131 §3.4)."""
    options = [(61, b"\x01" + mac), (12, name.encode()), (55, b"\x06\x0f")]
    return dhcp(1, INFORM, xid, mac, options, ciaddr=address)


PRINTER_LIST = bytes([1, 3, 44, 6, 7, 12, 15, 54, 58, 59, 69, 119, 81])


def printer_discover(xid: int, mac: bytes, name: str) -> bytes:
    """DISCOVER of a network printer (domain/devices.md §3, HP JetDirect)."""
    options = [(55, PRINTER_LIST), (60, b"Hewlett-Packard JetDirect"), (12, name.encode())]
    return dhcp(1, DISCOVER, xid, mac, options)


def printer_request(xid: int, mac: bytes, name: str, server: bytes, address: bytes) -> bytes:
    """REQUEST of a network printer."""
    options = [
        (54, server), (50, address), (55, PRINTER_LIST), (60, b"Hewlett-Packard JetDirect"),
        (12, name.encode()),
    ]  # fmt: skip
    return dhcp(1, REQUEST, xid, mac, options)


def lease(server: bytes, router: bytes, resolver: bytes, seconds: int) -> list[Option]:
    """What a server hands out: identifier, mask, router, resolver, lease, T1 and T2 (RFC 2131 §4.4.5)."""
    return [
        (54, server), (51, pack(">I", seconds)), (58, pack(">I", seconds // 2)),
        (59, pack(">I", seconds * 7 // 8)), (1, b"\xff\xff\xff\0"), (3, router), (6, resolver),
    ]  # fmt: skip


# DNS ------------------------------------------------------------------------------------------


def name(text: str) -> bytes:
    """A domain name as labels (RFC 1035 §3.1)."""
    return b"".join(bytes([len(part)]) + part.encode() for part in text.split(".")) + b"\0"


def dns_query(ident: int, host: str) -> bytes:
    """A question for the A records of a host, recursion desired."""
    return pack(">HHHHHH", ident, 0x0100, 1, 0, 0, 0) + name(host) + pack(">HH", 1, 1)


def dns_answer(ident: int, host: str, address: bytes, ttl: int = 300, claimed: int = 1) -> bytes:
    """The answer with one A record; ``claimed`` other than 1 is the over-read of CVE-2017-12722."""
    body = pack(">HHHHHH", ident, 0x8180, 1, claimed, 0, 0) + name(host) + pack(">HH", 1, 1)
    return body + pack(">HHHIH", 0xC00C, 1, 1, ttl, 4) + address


def asked(raw: bytes) -> str:
    """The name that a datagram asks for; "" if it asks for none. Reads any octets."""
    if len(raw) < 17 or raw[2] & 0x80 or raw[4:6] != b"\0\1":
        return ""
    labels, at = [], 12
    while at < len(raw) and 0 < (length := raw[at]) < 64:
        labels.append(raw[at + 1 : at + 1 + length])
        at += 1 + length
    ends = at + 5 <= len(raw) and raw[at] == 0
    told = b".".join(labels)
    return told.decode("ascii") if ends and told.isascii() and len(told) <= 253 else ""


def dns_odd(ident: int, host: str, odd: str) -> bytes:
    """An answer of RFC 9267's shapes: a length, a name or a pointer that leads out of it."""
    head = pack(">HHHHHH", ident, 0x8180, 1, 1, 0, 0)
    question = name(host) + pack(">HH", 1, 1)
    record_ = {
        "length": pack(">HHHIH", 0xC00C, 1, 1, 300, 4000) + FILLER * 4,
        "name": pack(">B", 63) + FILLER * 11,
        "loop": pack(">H", 0xC000 | 12 + len(question)) + pack(">HHIH", 1, 1, 300, 4) + FILLER * 4,
    }[odd]
    return head + question + record_


# The Medfusion class --------------------------------------------------------------------------


def status_line(serial: str) -> bytes:
    """What 3210/tcp answers to any line."""
    return f"{{{serial},????,invalid,-1,1618}}\r\n".encode()


def maintenance(sequence: int) -> bytes:
    """A SOAP 1.1 envelope with the maintenance element; the values are arbitrary [A]."""
    rows = "".join(
        f"<{tag}>{value}</{tag}>"
        for tag, value in (
            ("TravelLow", 112), ("TravelHigh", 3890), ("ForceAmpOffset", 14), ("ForceLow", 201),
            ("ForceHigh", 1703), ("SyringeDiameterLow", 96), ("SyringeDiameterHigh", 3120),
            ("Sequence", sequence),
        )
    )  # fmt: skip
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/"><env:Body>'
        f"<Medfusion4000_Maintenance>{rows}</Medfusion4000_Maintenance>"
        "</env:Body></env:Envelope>\r\n"
    ).encode()


def receipt(sequence: int) -> bytes:
    """The server's answer to a message [A]."""
    return (
        '<env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/"><env:Body>'
        f"<Receipt><Sequence>{sequence}</Sequence></Receipt></env:Body></env:Envelope>\r\n"
    ).encode()


CONFIGURATION_SIZE = 1764
"""Bytes of CONFIG.XML as published."""


def configuration(password: str, key: str) -> bytes:
    """CONFIG.XML with generated secrets, filled with spaces to its published size."""
    text = (
        '<?xml version="1.0"?>\r\n<Medfusion3600Configuration>\r\n'
        f"<WirelessNetwork><SSID>ward-clinical</SSID><Key>{key}</Key></WirelessNetwork>\r\n"
        f"<TelnetInterface><Port>23</Port><Password>{password}</Password></TelnetInterface>\r\n"
        "</Medfusion3600Configuration>"
    ).encode()
    return text + b" " * (CONFIGURATION_SIZE - len(text) - 2) + b"\r\n"


def pcd01(sender: str, eui64: str, stamp: str, control: str) -> bytes:
    """An IHE PCD-01 report in MLLP (TF-2): MDS, flow rate and volume; no patient in it."""
    device = f"{eui64}^^{eui64}^EUI-64"
    rows = [
        f"MSH|^~\\&|{sender}^{eui64}^EUI-64|WARD|GATEWAY|WARD|{stamp}||ORU^R01^ORU_R01|{control}|P|2.6"
        "|||NE|AL|||||IHE_PCD_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.1^ISO",
        "PID|||UNKNOWN||UNKNOWN",
        f"OBR|1|{control}^{sender}^{eui64}^EUI-64|{control}^{sender}^{eui64}^EUI-64"
        f"|70053^MDC_DEV_PUMP_INFUS_SYRINGE_MDS^MDC|||{stamp}",
        f"OBX|1||70053^MDC_DEV_PUMP_INFUS_SYRINGE_MDS^MDC|1.0.0.0|||||||X|||{stamp}||||{device}",
        f"OBX|2|NM|158014^MDC_FLOW_FLUID_PUMP_CURRENT^MDC|1.1.2.1|5.0|265266^MDC_DIM_MILLI_L_PER_HR^MDC"
        f"|||||R|||{stamp}||||{device}",
        f"OBX|3|NM|157993^MDC_VOL_FLUID_DELIV_TOTAL^MDC|1.1.2.2|12.5|263762^MDC_DIM_MILLI_L^MDC"
        f"|||||R|||{stamp}||||{device}",
    ]
    return b"\x0b" + ("\r".join(rows) + "\r").encode() + b"\x1c\r"


def hl7_ack(control: str, stamp: str) -> bytes:
    """The receiver's AA."""
    text = f"MSH|^~\\&|GATEWAY|WARD|||{stamp}||ACK^R01^ACK|A{control}|P|2.6\rMSA|AA|{control}\r"
    return b"\x0b" + text.encode() + b"\x1c\r"


# TLS ------------------------------------------------------------------------------------------

PUMP_SUITES = (
    0x0039, 0x0038, 0x0035, 0x0016, 0x0013, 0x000A, 0x0033, 0x0032, 0x002F, 0x0007, 0x0066, 0x0005,
    0x0004, 0x0063, 0x0062, 0x0061, 0x0015, 0x0012, 0x0009, 0x0065, 0x0064, 0x0060, 0x0014, 0x0011,
    0x0008, 0x0006, 0x0003,
)  # fmt: skip
"""27 suites; the first four and the last five are published, the others an old OpenSSL's [A]."""

HANDSHAKE, CHANGE, ALERT, APPLICATION = 22, 20, 21, 23
BAD_CERTIFICATE, CERTIFICATE_EXPIRED = 42, 45


def record(kind: int, body: bytes, version: int = 0x0301) -> bytes:
    """One TLS record (RFC 2246 §6.2.1)."""
    return pack(">BHH", kind, version, len(body)) + body


def handshake(kind: int, body: bytes) -> bytes:
    """One handshake message (RFC 2246 §7.4)."""
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def pump_hello(random: bytes) -> bytes:
    """The pump's ClientHello record: TLS 1.0, 93 bytes, no extensions."""
    suites = pack(f">{len(PUMP_SUITES)}H", *PUMP_SUITES)
    body = b"\x03\x01" + random + b"\0" + pack(">H", len(suites)) + suites + b"\x01\0"
    return record(HANDSHAKE, handshake(1, body))


def workstation_hello(random: bytes, host: str) -> bytes:
    """A browser-like TLS 1.2 ClientHello with SNI and ALPN."""
    return _hello(random, b"", (0xC02F, 0xC030, 0xC013, 0xC014, 0x002F, 0x0035), _usual(host))


def modern_hello(random: bytes, share: bytes, host: str) -> bytes:
    """The same in TLS 1.3, with one X25519 key share (RFC 8446 §4.1.2)."""
    key = pack(">HHH", 36, 0x001D, 32) + share
    more = [(43, b"\x04\x03\x04\x03\x03"), (45, b"\x01\x01"), (51, key)]
    suites = (0x1301, 0x1302, 0x1303, 0xC02F, 0xC030)
    return _hello(random, random, suites, [*_usual(host), *more])


def modern_flight(random: bytes, share: bytes) -> bytes:
    """ServerHello of TLS 1.3 and the ChangeCipherSpec of its middlebox mode; the rest is encrypted."""
    chosen = ((43, b"\x03\x04"), (51, pack(">HH", 0x001D, 32) + share))
    body = b"\x03\x03" + random + b"\0" + pack(">HB", 0x1301, 0) + _extensions(chosen)
    return record(HANDSHAKE, handshake(2, body), 0x0303) + record(CHANGE, b"\x01", 0x0303)


def _usual(host: str) -> list[Option]:
    """SNI, groups, point formats, signature algorithms, ALPN and extended master secret."""
    text = host.encode()
    return [
        (0, pack(">HBH", len(text) + 3, 0, len(text)) + text), (10, b"\0\x04\0\x1d\0\x17"),
        (11, b"\x01\0"), (13, b"\0\x06\x04\x03\x08\x04\x04\x01"), (16, b"\0\x09\x08http/1.1"),
        (23, b""),
    ]  # fmt: skip


def _hello(random: bytes, session: bytes, suites: tuple[int, ...], more: list[Option]) -> bytes:
    words = pack(f">H{len(suites)}H", 2 * len(suites), *suites)
    body = b"\x03\x03" + random + bytes([len(session)]) + session + words + b"\x01\0"
    return record(HANDSHAKE, handshake(1, body + _extensions(more)))


def _extensions(found: list[Option] | tuple[Option, ...]) -> bytes:
    coded = b"".join(pack(">HH", code, len(value)) + value for code, value in found)
    return pack(">H", len(coded)) + coded


def server_flight(
    random: bytes, chain: list[bytes], suite: int = 0x0035, version: int = 0x0301
) -> bytes:
    """ServerHello, Certificate and ServerHelloDone (RSA key exchange: no ServerKeyExchange)."""
    hello = pack(">H", version) + random + b"\0" + pack(">HB", suite, 0)
    certificates = b"".join(len(der).to_bytes(3, "big") + der for der in chain)
    certificate = len(certificates).to_bytes(3, "big") + certificates
    return b"".join(
        record(HANDSHAKE, handshake(kind, body), version)
        for kind, body in ((2, hello), (11, certificate), (14, b""))
    )


def client_finish(secret: bytes, finished: bytes, version: int = 0x0301) -> bytes:
    """ClientKeyExchange, ChangeCipherSpec and an encrypted Finished."""
    exchange = handshake(16, pack(">H", len(secret)) + secret)
    return (
        record(HANDSHAKE, exchange, version)
        + record(CHANGE, b"\x01", version)
        + record(HANDSHAKE, finished, version)
    )


def server_finish(finished: bytes, version: int = 0x0301) -> bytes:
    """ChangeCipherSpec and an encrypted Finished."""
    return record(CHANGE, b"\x01", version) + record(HANDSHAKE, finished, version)


def alert(level: int, description: int, version: int = 0x0301) -> bytes:
    """An alert in clear (RFC 2246 §7.2)."""
    return record(ALERT, bytes([level, description]), version)
