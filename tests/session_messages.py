"""Honest messages of TCP protocols, built by hand from their standards with constant filler."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from functools import cache


def vector(body: bytes, width: int) -> bytes:
    """A TLS vector: its length in ``width`` octets, then itself."""
    return len(body).to_bytes(width, "big") + body


def u16s(*values: int) -> bytes:
    return b"".join(v.to_bytes(2, "big") for v in values)


def extension(kind: int, body: bytes) -> bytes:
    return u16s(kind) + vector(body, 2)


def sni(name: bytes) -> bytes:
    return extension(0, vector(b"\0" + vector(name, 2), 2))


def alpn(*names: bytes) -> bytes:
    return extension(16, vector(b"".join(vector(n, 1) for n in names), 2))


def groups(*values: int) -> bytes:
    return extension(10, vector(u16s(*values), 2))


def signature_algorithms(*values: int) -> bytes:
    return extension(13, vector(u16s(*values), 2))


def point_formats(*values: int) -> bytes:
    return extension(11, vector(bytes(values), 1))


def supported_versions(*values: int) -> bytes:
    return extension(43, vector(u16s(*values), 1))


def client_hello(
    ciphers: tuple[int, ...] = (0xC02F, 0x0035),
    extensions: bytes | None = b"",
    version: int = 0x0303,
    session_id: bytes = b"",
    methods: bytes = b"\0",
) -> bytes:
    """The body of a ClientHello; ``extensions`` None: not even their length."""
    body = u16s(version) + b"R" * 32 + vector(session_id, 1)
    body += vector(u16s(*ciphers), 2) + vector(methods, 1)
    return body if extensions is None else body + vector(extensions, 2)


PUMP_SUITES = (
    *(0x0039, 0x0038, 0x0035, 0x0016, 0x0013, 0x000A, 0x0033, 0x0032, 0x002F, 0x0066, 0x0005),
    *(0x0004, 0x0063, 0x0062, 0x0061, 0x0015, 0x0012, 0x0009, 0x0065, 0x0064, 0x0060),
    *(0x0014, 0x0011, 0x0008, 0x0006, 0x0003, 0x00FF),
)


def server_hello(
    cipher: int = 0xC02F, version: int = 0x0303, extensions: bytes = b"", session_id: bytes = b""
) -> bytes:
    body = u16s(version) + b"S" * 32 + vector(session_id, 1) + u16s(cipher) + b"\0"
    return body + vector(extensions, 2) if extensions else body


def handshake(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + vector(body, 3)


def record(kind: int, body: bytes, version: int = 0x0303) -> bytes:
    return bytes([kind]) + u16s(version) + vector(body, 2)


def certificates(*ders: bytes) -> bytes:
    return vector(b"".join(vector(der, 3) for der in ders), 3)


def ssl2_client_hello(
    specs: tuple[int, ...] = (0x010080, 0x020080, 0x000039), version: int = 2
) -> bytes:
    raw = b"".join(s.to_bytes(3, "big") for s in specs)
    body = b"\x01" + u16s(version, len(raw), 0, 16) + raw + b"C" * 16
    return (0x8000 | len(body)).to_bytes(2, "big") + body


def ssl2_server_hello(der: bytes, specs: tuple[int, ...] = (0x010080,)) -> bytes:
    raw = b"".join(s.to_bytes(3, "big") for s in specs)
    body = b"\x04\0\x01" + u16s(2, len(der), len(raw), 16) + der + raw + b"I" * 16
    return (0x8000 | len(body)).to_bytes(2, "big") + body


@cache
def chain() -> tuple[bytes, bytes]:
    """A leaf and the root that signed it, made here; keys are fresh each time."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    root_key, leaf_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))

    def make(subject: str, key: ec.EllipticCurvePrivateKey, names: list[str]) -> bytes:
        builder = (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name("Ward Root"))
            .public_key(key.public_key())
            .serial_number(0xABCD)
            .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
            .not_valid_after(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
        )
        if names:
            entries = [x509.DNSName(n) for n in names]
            builder = builder.add_extension(x509.SubjectAlternativeName(entries), critical=False)
        return builder.sign(root_key, hashes.SHA256()).public_bytes(Encoding.DER)

    return make("pump-server", leaf_key, ["pump-server.ward"]), make("Ward Root", root_key, [])


HTTP_REQUEST = (
    b"POST /patients/jane-doe?mrn=1 HTTP/1.1\r\nHost: gateway\r\nUser-Agent: Pump/1.0\r\n"
    b"Cookie: session=secret\r\nAuthorization: Basic dXNlcjpwYTpzcw==\r\nContent-Length: 4\r\n\r\n"
)
HTTP_RESPONSE = (
    b"HTTP/1.1 200 OK\r\nServer: goahead\r\nContent-Type: text/html; charset=utf-8\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
HL7_MESSAGE = (
    b"MSH|^~\\&|PUMP_GW^0003B1FFFE000001^EUI-64|WARD|EMR|HOSP|20260101000000||ORU^R01^ORU_R01|1|P|2.6"
    b"|||NE|AL|||||IHE_PCD_001^IHE PCD^1.3.6^ISO\r"
    b"PID|||MRN77^^^HOSP||Doe^Jane\r"
    b"OBX|1||69985^MDC_DEV_PUMP_INFUS_MDS^MDC|1.0.0.0|||||||X|||||||001A01FFFE000031^^001A01FFFE000031^EUI-64\r"
    b"OBX|2|NM|157784^MDC_FLOW_FLUID_PUMP^MDC|1.1.1.101|5|265266\r"
)
STATUS_LINE = b"{******,????,invalid,-1,1618}\r\n"
CONFIGURATION = (
    b'<?xml version="1.0"?>\r\n<Medfusion3600Configuration><SerialNumber>M000001</SerialNumber>'
    b"<WirelessNetwork><Key>filler</Key></WirelessNetwork>"
    b"<TelnetInterface><Port>23</Port><Password>filler</Password></TelnetInterface>"
    b"</Medfusion3600Configuration>\r\n"
)
SOAP = (
    b'<env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/"><env:Body>'
    b"<Medfusion4000_Maintenance><SerialNumber>M000001</SerialNumber><TravelLow>1</TravelLow>"
    b"</Medfusion4000_Maintenance></env:Body></env:Envelope>"
)


def pdu(kind: int, body: bytes) -> bytes:
    return struct.pack(">BxI", kind, len(body)) + body


def item(kind: int, body: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(body)) + body


def associate(kind: int = 1, calling: bytes = b"CT_ROOM1", called: bytes = b"PACS") -> bytes:
    user = item(0x51, bytes(4)) + item(0x52, b"1.2.3.4") + item(0x55, b"FILLER_1")
    items = item(0x10, b"1.2.840.10008.3.1.1.1") + item(0x50, user)
    fixed = struct.pack(">HH", 1, 0) + called.ljust(16) + calling.ljust(16) + bytes(32)
    return pdu(kind, fixed + items)
