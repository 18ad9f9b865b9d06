"""What hospital hosts say to each other: application bytes whose lengths are all true."""

from __future__ import annotations

import random
import struct
from datetime import UTC, datetime, timedelta

Line = tuple[str, bytes]
"""(who: ``c`` client or ``s`` server; the bytes of one message)."""

_POOL_SIZE = 1 << 20


def u8(raw: bytes) -> bytes:
    """A vector with a length of one byte (TLS presentation language)."""
    return struct.pack("!B", len(raw)) + raw


def u16(raw: bytes) -> bytes:
    """A vector with a length of two bytes."""
    return struct.pack("!H", len(raw)) + raw


def u24(raw: bytes) -> bytes:
    """A vector with a length of three bytes."""
    return struct.pack("!I", len(raw))[1:] + raw


class Sayings:
    """Makes the words of conversations from one seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self._pool = self.chance.randbytes(_POOL_SIZE)
        self.servers = [f"app{n:02d}.hospital.example" for n in range(24)]
        self._chains = [self._chain(n, name) for n, name in enumerate(self.servers)]

    def noise(self, size: int) -> bytes:
        """``size`` bytes that look encrypted (a stretch of one pool, at most 1 MiB)."""
        at = self.chance.randrange(_POOL_SIZE - min(size, _POOL_SIZE) + 1)
        return self._pool[at : at + size]

    # TLS

    def tls(self, exchanges: list[tuple[int, int]], version: int = 0x0303) -> list[Line]:
        """A whole session: hellos, certificates up to TLS 1.2, true records, a closing alert.

        ``exchanges`` holds the (request, response) plaintext bytes of each round.
        """
        n = self.chance.randrange(len(self.servers))
        modern = version == 0x0304
        lines: list[Line] = [
            ("c", _record(22, self._client_hello(self.servers[n], modern), 0x0301))
        ]
        change = _record(20, b"\x01")
        if modern:
            hidden = _record(22, self._server_hello(modern)) + change
            hidden += b"".join(_record(23, self.noise(s)) for s in (38, 1_254, 281, 53))
            lines += [("s", hidden), ("c", change + _record(23, self.noise(53)))]
        else:
            curve = b"\x03\x00\x17" + u8(b"\x04" + self.noise(64))
            flight = self._server_hello(modern) + _handshake(11, u24(self._chains[n]))
            flight += _handshake(12, curve + b"\x04\x03" + u16(_signature(self.chance)))
            flight += _handshake(14, b"")
            lines.append(("s", _records(22, flight)))
            key = _record(22, _handshake(16, u8(b"\x04" + self.noise(64))))
            lines.append(("c", key + change + _record(22, self.noise(40))))
            lines.append(("s", change + _record(22, self.noise(40))))
        overhead = 17 if modern else 24
        for request, response in exchanges:
            lines.append(("c", _records(23, self.noise(request + overhead))))
            lines.append(("s", _records(23, self.noise(response + overhead))))
        lines.append(("c", _record(23 if modern else 21, self.noise(2 + overhead))))
        return lines

    def _client_hello(self, name: str, modern: bool) -> bytes:
        suites = [0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0x009C, 0x009D, 0x002F, 0x0035]
        del suites[self.chance.randrange(4, 10) :]
        extensions = [
            (0, u16(b"\x00" + u16(name.encode()))),
            (10, u16(struct.pack("!HHH", 29, 23, 24))),
            (11, u8(b"\x00")),
            (13, u16(bytes.fromhex("0403080404010503080505010806060102010203"))),
            (23, b""),
            (65281, u8(b"")),
        ]
        if modern:
            suites[:0] = [0x1301, 0x1302, 0x1303]
            extensions.append((43, u8(struct.pack("!HH", 0x0304, 0x0303))))
            extensions.append((51, u16(struct.pack("!H", 29) + u16(self.noise(32)))))
            extensions.append((45, u8(b"\x01")))
        coded = b"".join(struct.pack("!H", kind) + u16(value) for kind, value in extensions)
        body = b"\x03\x03" + self.noise(32) + u8(self.noise(32) if modern else b"")
        body += u16(struct.pack(f"!{len(suites)}H", *suites)) + u8(b"\x00") + u16(coded)
        return _handshake(1, body)

    def _server_hello(self, modern: bool) -> bytes:
        if modern:
            extensions = struct.pack("!HHH", 43, 2, 0x0304)
            extensions += struct.pack("!H", 51) + u16(struct.pack("!H", 29) + u16(self.noise(32)))
            suite = 0x1301
        else:
            extensions, suite = struct.pack("!HHB", 65281, 1, 0), 0xC02B
        body = b"\x03\x03" + self.noise(32) + u8(self.noise(32))
        return _handshake(2, body + struct.pack("!HB", suite, 0) + u16(extensions))

    def _chain(self, n: int, name: str) -> bytes:
        """The certificate list of one server: its own and that of the hospital's authority."""
        from cryptography import x509
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519
        from cryptography.x509.oid import NameOID

        authority = ed25519.Ed25519PrivateKey.from_private_bytes(
            b"bench of wardwatch, not a secret"
        )
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Hospital Example CA")])
        begin = datetime(2025, 1, 1, tzinfo=UTC)

        def signed(subject: str, key: object, serial: int, ca: bool) -> bytes:
            builder = (
                x509.CertificateBuilder()
                .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
                .issuer_name(issuer)
                .public_key(key)  # type: ignore[arg-type]
                .serial_number(serial)
                .not_valid_before(begin)
                .not_valid_after(begin + timedelta(days=1_095))
                .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            )
            if not ca:
                names = x509.SubjectAlternativeName([x509.DNSName(subject)])
                builder = builder.add_extension(names, critical=False)
            made = builder.sign(authority, None)  # Ed25519: the same bytes every time
            return made.public_bytes(serialization.Encoding.DER)

        own = ec.derive_private_key(1_000_003 + n, ec.SECP256R1()).public_key()
        chain = signed(name, own, 1_000 + n, ca=False)
        return u24(chain) + u24(signed("Hospital Example CA", authority.public_key(), 1, ca=True))

    # Clear text

    def http(self, sizes: list[int]) -> list[Line]:
        """Requests kept alive on one connection; every Content-Length is true."""
        host = self.chance.choice(self.servers)
        lines: list[Line] = []
        for n, size in enumerate(sizes):
            path = f"/wards/{self.chance.randrange(60)}/item/{n}"
            request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: ehr-client/4.2\r\n"
            request += "Accept: application/json\r\nConnection: keep-alive\r\n\r\n"
            head = "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: application/octet-stream\r\n"
            head += f"Content-Length: {size}\r\nConnection: keep-alive\r\n\r\n"
            lines += [("c", request.encode()), ("s", head.encode() + self.noise(size))]
        return lines

    def records(self, rounds: int) -> list[Line]:
        """Somebody's own protocol: records with a length of four bytes before them, both ways."""
        sizes = [(who, self.chance.randrange(24, 500)) for _ in range(rounds) for who in "cs"]
        return [(who, struct.pack("!I", size) + self.noise(size)) for who, size in sizes]

    def hl7(self, messages: int) -> list[Line]:
        """Results over MLLP, each acknowledged (HL7 v2.5 §2; invented people only)."""
        lines: list[Line] = []
        for n in range(messages):
            control = f"{self.chance.randrange(10**8):08d}"
            head = (
                f"MSH|^~\\&|MON{n % 40:02d}|ICU|HIS|HOSP|20261101120000||ORU^R01|{control}|P|2.5\r"
            )
            rows = "".join(
                f"OBX|{k}|NM|{8_000 + k}^VALUE||{self.chance.randrange(40, 180)}|unit|||||F\r"
                for k in range(self.chance.randrange(2, 9))
            )
            body = head + "PID|1||000000||EXAMPLE^PATIENT\rOBR|1|||VITALS\r" + rows
            reply = f"MSH|^~\\&|HIS|HOSP|MON|ICU|20261101120000||ACK^R01|{control}|P|2.5\r"
            reply += f"MSA|AA|{control}\r"
            lines.append(("c", b"\x0b" + body.encode() + b"\x1c\r"))
            lines.append(("s", b"\x0b" + reply.encode() + b"\x1c\r"))
        return lines

    def ftp(self, server: str, port: int, size: int) -> list[Line]:
        """A login and one passive transfer of ``size`` bytes from ``server``:``port``."""
        passive = ",".join([*server.split("."), str(port >> 8), str(port & 255)])
        talk = [
            ("s", "220 imaging archive ready"),
            ("c", "USER modality"),
            ("s", "331 Password required"),
            ("c", f"PASS bench-{self.chance.randrange(10**6)}"),
            ("s", "230 Logged in"),
            ("c", "TYPE I"),
            ("s", "200 Type set to I"),
            ("c", "PASV"),
            ("s", f"227 Entering Passive Mode ({passive})"),
            ("c", "RETR study.img"),
            ("s", f"150 Opening BINARY mode data connection ({size} bytes)"),
            ("s", "226 Transfer complete"),
            ("c", "QUIT"),
            ("s", "221 Goodbye"),
        ]
        return [(who, text.encode() + b"\r\n") for who, text in talk]

    def telnet(self, keys: int) -> list[Line]:
        """Negotiation, a login echoed letter by letter, some commands (RFC 854, 857, 858)."""
        lines: list[Line] = [
            ("s", b"\xff\xfd\x18\xff\xfb\x01\xff\xfb\x03"),
            ("c", b"\xff\xfb\x18\xff\xfd\x01\xff\xfd\x03"),
            ("s", b"\r\nswitch login: "),
        ]
        for letter in "operator":
            lines += [("c", letter.encode()), ("s", letter.encode())]
        lines += [("c", b"\r\n"), ("s", b"\r\nPassword: ")]
        lines += [("c", letter.encode()) for letter in f"bench{self.chance.randrange(1000)}"]
        lines += [("c", b"\r\n"), ("s", b"\r\n\r\nswitch> ")]
        for n in range(keys):
            letter = b"show mac address\n"[n % 17 : n % 17 + 1]
            if letter == b"\n":
                answer = b"\r\n" + b"120  001a.0100.0001  dynamic  Gi1/0/7\r\n" * 5 + b"switch> "
                lines += [("c", b"\r\n"), ("s", answer)]
            else:
                lines += [("c", letter), ("s", letter)]
        return lines


def _record(kind: int, raw: bytes, version: int = 0x0303) -> bytes:
    """One TLS record (RFC 5246 §6.2.1)."""
    return struct.pack("!BH", kind, version) + u16(raw)


def _records(kind: int, raw: bytes) -> bytes:
    """As many records as it takes: 2^14 bytes each at most."""
    return b"".join(_record(kind, raw[at : at + 16_384]) for at in range(0, len(raw), 16_384))


def _handshake(kind: int, body: bytes) -> bytes:
    """One handshake message (RFC 5246 §7.4)."""
    return bytes([kind]) + u24(body)


def _signature(chance: random.Random) -> bytes:
    """An ECDSA signature's shape: SEQUENCE of two 32-byte INTEGERs (nobody checks its value)."""
    r, s = (b"\x02\x20" + bytes([chance.randrange(1, 128)]) + chance.randbytes(31) for _ in "rs")
    return b"\x30" + u8(r + s)


def dns(
    ident: int, name: str, kind: int, answers: tuple[bytes, ...] | None = None, ttl: int = 300
) -> bytes:
    """A query (``answers`` is None) or its response (RFC 1035 §4), names compressed."""
    labels = b"".join(u8(label.encode()) for label in name.split(".")) + b"\0"
    count = 0 if answers is None else len(answers)
    flags = 0x0100 if answers is None else 0x8180
    head = struct.pack("!6H", ident, flags, 1, count, 0, 0)
    rows = b"".join(struct.pack("!HHHI", 0xC00C, kind, 1, ttl) + u16(a) for a in answers or ())
    return head + labels + struct.pack("!HH", kind, 1) + rows


def dhcp(
    kind: int, xid: int, mac: bytes, yiaddr: bytes, server: bytes, router: bytes, host: str
) -> bytes:
    """One DHCP message (RFC 2131 §2) of type ``kind``; servers give options of their own."""
    reply = kind in (2, 5)
    fixed = struct.pack("!BBBBIHH", 2 if reply else 1, 1, 6, 0, xid, 0, 0x8000)
    fixed += bytes(4) + (yiaddr if reply else bytes(4)) + (server if reply else bytes(4)) + bytes(4)
    fixed += mac + bytes(10 + 64 + 128) + b"\x63\x82\x53\x63"
    options = [(53, bytes([kind]))]
    if reply:
        options += [(54, server), (51, struct.pack("!I", 86_400)), (1, b"\xff\xff\x00\x00")]
        options += [(3, router), (6, server), (15, b"hospital.example")]
    else:
        options += [(61, b"\x01" + mac), (12, host.encode())]
        if kind == 3:
            options += [(50, yiaddr), (54, server)]
        options.append((55, bytes([1, 3, 6, 15, 31, 33, 43, 44, 46, 47, 119, 121])))
    raw = fixed + b"".join(bytes([code]) + u8(value) for code, value in options) + b"\xff"
    return raw.ljust(300, b"\0")
