"""TLS 1.0 to 1.3 and SSL 2/3 in clear: records, hellos, certificate lists, alerts, fingerprints.

JA3 and JA4 (the client fingerprint of the JA4 family, the one under a BSD licence) are computed
from their published definitions.
"""

from __future__ import annotations

import hashlib
from typing import TypedDict

import msgspec

from wardwatch.decode.wire.reader import text, u16, u24
from wardwatch.model.evidence import Anomaly, ByteSpan, Fault

RECORD = Fault("tls_record", "RFC 8446 §5.1, RFC 5246 §6.2.1: no record of a known type and length")
HELLO_SHORT = Fault("tls_hello_short", "RFC 5246 §7.4.1: hello shorter than its fields claim")
CIPHERS_LENGTH = Fault(
    "tls_cipher_suites_length", "RFC 5246 §7.4.1.2: suites are 2 to 2^16-2 octets, an even number"
)
EXTENSIONS_LENGTH = Fault(
    "tls_extensions_length", "RFC 5246 §7.4.1.4: extensions do not fill the rest of the hello"
)
EXTENSION_OVERRUN = Fault(
    "tls_extension_overrun", "RFC 5246 §7.4.1.4: extension runs past the end of the extensions"
)
EXTENSION_BODY = Fault(
    "tls_extension_body", "RFC 6066 §3, RFC 8446 §4.2: lengths inside an extension disagree"
)
EXTENSION_REPEATED = Fault(
    "tls_extension_repeated", "RFC 8446 §4.2: more than one extension of the same type"
)
CERTIFICATES_LENGTH = Fault(
    "tls_certificates_length", "RFC 5246 §7.4.2: lengths in the certificate list disagree"
)
HANDSHAKE_TOO_LONG = Fault(
    "tls_handshake_too_long", "RFC 5246 §7.4: a handshake message longer than any honest one"
)
SSL2_HELLO = Fault("ssl2_hello_lengths", "RFC 5246 appendix E.2: lengths in the hello disagree")
FAULTS: tuple[Fault, ...] = (
    RECORD,
    HELLO_SHORT,
    CIPHERS_LENGTH,
    EXTENSIONS_LENGTH,
    EXTENSION_OVERRUN,
    EXTENSION_BODY,
    EXTENSION_REPEATED,
    CERTIFICATES_LENGTH,
    HANDSHAKE_TOO_LONG,
    SSL2_HELLO,
)

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA, HEARTBEAT = 20, 21, 22, 23, 24
CLIENT_HELLO, SERVER_HELLO, CERTIFICATE = 1, 2, 11
SSL2 = 0x0002
LONGEST_RECORD = 16384 + 2048
"""RFC 5246 §6.2.3: a ciphertext fragment at most."""
LONGEST_HANDSHAKE = 128 * 1024
"""Octets of a handshake message that are collected: long chains have some 20,000."""
MAX_CERTIFICATES = 32
"""Certificates of one chain that are read; OpenSSL verifies 100 deep, honest chains are 2 to 5."""

SERVER_NAME, GROUPS, POINT_FORMATS, SIGNATURE_ALGORITHMS, ALPN = 0, 10, 11, 13, 16
PRE_SHARED_KEY, SUPPORTED_VERSIONS = 41, 43

HELLO_RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""RFC 8446 §4.1.3: the random of a ServerHello that is a HelloRetryRequest."""

EXPORT_SUITES = frozenset(
    [
        *(0x03, 0x06, 0x08, 0x0B, 0x0E, 0x11, 0x14, 0x17, 0x19),  # RFC 2246 appendix A.5
        *range(0x26, 0x2C),  # RFC 2712: Kerberos
        *range(0x60, 0x66),  # draft-ietf-tls-56-bit-ciphersuites
        *(0x020080, 0x040080),  # SSL 2 kinds
    ]
)


class ClientHello(msgspec.Struct, frozen=True, gc=False):
    """RFC 5246 §7.4.1.2, RFC 8446 §4.1.2, or an SSL 2 CLIENT-HELLO (three octet suites)."""

    version: int
    session_id_length: int
    ciphers: tuple[int, ...]
    extensions: tuple[int, ...]
    length: int
    """Octets of the handshake body."""
    server_name: str = ""
    groups: tuple[int, ...] = ()
    point_formats: tuple[int, ...] = ()
    signature_algorithms: tuple[int, ...] = ()
    versions: tuple[int, ...] = ()
    """supported_versions; () the extension is not there."""
    alpn: bytes = b""
    """First protocol offered."""
    ssl2: bool = False

    @property
    def highest(self) -> int:
        """Highest version the client offers."""
        offered = [v for v in self.versions if not is_grease(v)]
        return max(offered, default=self.version)

    @property
    def export_offered(self) -> bool:
        """Whether an EXPORT suite is offered."""
        return not EXPORT_SUITES.isdisjoint(self.ciphers)


class ServerHello(msgspec.Struct, frozen=True, gc=False):
    """What the server chose."""

    version: int
    """Of supported_versions where that stands there."""
    cipher: int
    extensions: tuple[int, ...]
    retry: bool = False
    """A HelloRetryRequest: another ClientHello follows."""
    certificate: bytes = b""
    """SSL 2 sends it here."""

    @property
    def resumes(self) -> bool:
        """TLS 1.3: the server accepted a pre-shared key."""
        return PRE_SHARED_KEY in self.extensions


class _Fields(TypedDict, total=False):
    """Fields of a ClientHello that stand in its extensions."""

    server_name: str
    groups: tuple[int, ...]
    point_formats: tuple[int, ...]
    signature_algorithms: tuple[int, ...]
    versions: tuple[int, ...]
    alpn: bytes


Found = tuple[Anomaly, ...]


def is_grease(value: int) -> bool:
    """RFC 8701: 0x0a0a, 0x1a1a … 0xfafa."""
    return value & 0x0F0F == 0x0A0A and value >> 8 == value & 0xFF


def looks_like(head: bytes) -> bool:
    """Whether bytes begin with a TLS or SSL record: of a hello, an alert, or anything later."""
    if len(head) < 3:
        return False
    if CHANGE_CIPHER_SPEC <= head[0] <= APPLICATION_DATA and head[1] == 3 and head[2] <= 4:
        if len(head) < 6:
            return False
        size = u16(head, 3)
        if head[0] == ALERT:
            return size == 2 or 16 <= size <= 96
        if head[0] == CHANGE_CIPHER_SPEC:
            return size == 1
        return 0 < size <= LONGEST_RECORD
    return is_ssl2(head)


def is_ssl2(head: bytes) -> bool:
    """Whether bytes begin with an SSL 2 CLIENT-HELLO or SERVER-HELLO in a two octet record."""
    if len(head) < 11 or not head[0] & 0x80:
        return False
    size = u16(head, 0) & 0x7FFF
    if head[2] == 1:
        lengths = u16(head, 5) + u16(head, 7) + u16(head, 9)
        version = u16(head, 3)
        return version in (2, 0x300, 0x301, 0x302, 0x303) and lengths + 9 == size
    return head[2] == 4 and head[3] <= 1 and u16(head, 5) == SSL2


def parse_client_hello(body: bytes) -> tuple[ClientHello | None, Found]:
    """Read the body of a ClientHello (without type and length of the handshake message)."""
    end = len(body)
    if end < 35:
        return None, (Anomaly(HELLO_SHORT, ByteSpan(0, end), 38, end),)
    anomalies: list[Anomaly] = []
    session_id = body[34]
    at = 35 + session_id
    claimed = u16(body, at)
    at += 2
    if at > end:
        return None, (Anomaly(HELLO_SHORT, ByteSpan(34, end), session_id, end - 35),)
    stop = at + claimed
    if claimed < 2 or claimed % 2 or stop > end:
        span = ByteSpan(at - 2, min(stop, end))
        anomalies.append(Anomaly(CIPHERS_LENGTH, span, claimed, min(claimed, end - at)))
    # A list that runs past the end has no boundary: nothing in it is known to be a suite.
    ciphers = _u16s(body[at:stop]) if stop <= end else ()
    at = stop
    if at < end:
        methods = body[at]
        if at + 1 + methods > end:
            anomalies.append(Anomaly(HELLO_SHORT, ByteSpan(at, end), methods, end - at - 1))
        at += 1 + methods
    elif stop == end:
        anomalies.append(Anomaly(HELLO_SHORT, ByteSpan(end, end), 1, 0))
    found = _extensions(body, at, anomalies)
    fields = _client_fields(body, found, anomalies)
    hello = ClientHello(
        version=u16(body, 0),
        session_id_length=session_id,
        ciphers=ciphers,
        extensions=tuple(kind for kind, _, _ in found),
        length=end,
        **fields,
    )
    return hello, tuple(anomalies)


def parse_server_hello(body: bytes) -> tuple[ServerHello | None, Found]:
    """Read the body of a ServerHello."""
    end = len(body)
    if end < 38 or end < 38 + body[34]:
        return None, (Anomaly(HELLO_SHORT, ByteSpan(0, end), 38, end),)
    at = 35 + body[34]
    anomalies: list[Anomaly] = []
    found = _extensions(body, at + 3, anomalies)
    version = u16(body, 0)
    for kind, start, stop in found:
        if kind == SUPPORTED_VERSIONS and stop - start == 2:
            version = u16(body, start)
    kinds = tuple(kind for kind, _, _ in found)
    hello = ServerHello(version, u16(body, at), kinds, body[2:34] == HELLO_RETRY)
    return hello, tuple(anomalies)


def parse_certificates(body: bytes) -> tuple[tuple[bytes, ...] | None, Found]:
    """Read the body of a Certificate message (RFC 5246 §7.4.2): DER of each, leaf first."""
    end = len(body)
    claimed = u24(body, 0)
    if end < 3:
        return None, (Anomaly(CERTIFICATES_LENGTH, ByteSpan(0, end), 3, end),)
    anomalies = []
    if claimed != end - 3:
        anomalies.append(Anomaly(CERTIFICATES_LENGTH, ByteSpan(0, 3), claimed, end - 3))
    found: list[bytes] = []
    at, end = 3, min(3 + claimed, end)
    while at < end and len(found) < MAX_CERTIFICATES:
        size = u24(body, at)
        if at + 3 + size > end:
            span = ByteSpan(at, end)
            anomalies.append(Anomaly(CERTIFICATES_LENGTH, span, size, max(end - at - 3, 0)))
            break
        found.append(body[at + 3 : at + 3 + size])
        at += 3 + size
    return tuple(found), tuple(anomalies)


def parse_ssl2_client_hello(record: bytes) -> tuple[ClientHello | None, Found]:
    """Read an SSL 2 CLIENT-HELLO, its two octet record header included (RFC 5246 appendix E.2)."""
    size = u16(record, 0) & 0x7FFF
    specs, session_id, challenge = u16(record, 5), u16(record, 7), u16(record, 9)
    present = len(record) - 11
    if present < 0:
        span = ByteSpan(0, len(record))
        return None, (Anomaly(SSL2_HELLO, span, 9, max(len(record) - 2, 0)),)
    anomalies: Found = ()
    if specs % 3 or specs + session_id + challenge != size - 9 or specs > present:
        span = ByteSpan(5, 11)
        anomalies = (Anomaly(SSL2_HELLO, span, specs + session_id + challenge, present),)
    raw = record[11 : 11 + specs]
    ciphers = tuple(u24(raw, k) for k in range(0, len(raw) - 2, 3))
    hello = ClientHello(u16(record, 3), session_id, ciphers, (), size, ssl2=True)
    return hello, anomalies


def parse_ssl2_server_hello(record: bytes) -> tuple[ServerHello | None, Found]:
    """Read an SSL 2 SERVER-HELLO, its two octet record header included."""
    present = len(record) - 13
    if present < 0:
        span = ByteSpan(0, len(record))
        return None, (Anomaly(SSL2_HELLO, span, 11, max(len(record) - 2, 0)),)
    certificate, specs = u16(record, 7), u16(record, 9)
    anomalies: Found = ()
    if certificate > present:
        span = ByteSpan(7, 9)
        anomalies = (Anomaly(SSL2_HELLO, span, certificate, present),)
    raw = record[13 + certificate : 13 + certificate + specs]
    der = record[13 : 13 + certificate]
    # several kinds offered: the client chooses, in clear, in a message nobody needs
    return ServerHello(
        u16(record, 5), u24(raw, 0) if len(raw) == 3 else -1, (), False, der
    ), anomalies


def parse(payload: bytes) -> tuple[ClientHello | None, Found]:
    """Read a ClientHello that stands whole in the first record of a payload."""
    if is_ssl2(payload):
        return parse_ssl2_client_hello(payload[: 2 + (u16(payload, 0) & 0x7FFF)])
    size, inner = u16(payload, 3), u24(payload, 6)
    whole = len(payload) >= 9 and payload[0] == HANDSHAKE and payload[1] == 3
    if not whole or payload[5] != CLIENT_HELLO or inner + 4 > size or size + 5 > len(payload):
        return None, (Anomaly(RECORD, ByteSpan(0, min(len(payload), 9)), size, len(payload) - 5),)
    return parse_client_hello(payload[9 : 9 + inner])


def alpn_text(hello: ClientHello) -> str:
    """The first protocol offered, as text."""
    return text(hello.alpn, 255)


def ja3_text(hello: ClientHello) -> str:
    """Version, suites, extensions, groups and point formats, GREASE left out."""
    lists = (hello.ciphers, hello.extensions, hello.groups)
    parts = ["-".join(str(v) for v in values if not is_grease(v)) for values in lists]
    formats = "-".join(map(str, hello.point_formats))
    return ",".join((str(hello.version), *parts, formats))


def ja3(hello: ClientHello) -> str:
    """MD5 of the JA3 text; "" for an SSL 2 hello, which JA3 does not define."""
    if hello.ssl2:
        return ""
    return hashlib.md5(ja3_text(hello).encode(), usedforsecurity=False).hexdigest()


def ja4(hello: ClientHello) -> str:
    """The JA4 client fingerprint over TCP; "" for an SSL 2 hello."""
    if hello.ssl2:
        return ""
    ciphers = [c for c in hello.ciphers if not is_grease(c)]
    kinds = [e for e in hello.extensions if not is_grease(e)]
    sorted_ciphers = ",".join(f"{c:04x}" for c in sorted(ciphers))
    others = sorted(e for e in kinds if e not in (SERVER_NAME, ALPN))
    listed = ",".join(f"{e:04x}" for e in others)
    if hello.signature_algorithms:
        listed += "_" + ",".join(f"{s:04x}" for s in hello.signature_algorithms if not is_grease(s))
    return (
        f"t{_JA4_VERSIONS.get(hello.highest, '00')}{'d' if SERVER_NAME in kinds else 'i'}"
        f"{min(len(ciphers), 99):02d}{min(len(kinds), 99):02d}{_ja4_alpn(hello.alpn)}"
        f"_{_sha12(sorted_ciphers)}_{_sha12(listed) if kinds else _NOTHING}"
    )


_JA4_VERSIONS = {
    0x0304: "13",
    0x0303: "12",
    0x0302: "11",
    0x0301: "10",
    0x0300: "s3",
    0x0002: "s2",
}
_NOTHING = "000000000000"


def _sha12(listed: str) -> str:
    return hashlib.sha256(listed.encode()).hexdigest()[:12] if listed else _NOTHING


def _ja4_alpn(alpn: bytes) -> str:
    """First and last character; the hex digits' first and last where one is not alphanumeric."""
    if not alpn:
        return "00"
    ends = alpn[:1] + alpn[-1:]
    if ends.isalnum():
        return ends.decode("ascii")
    digits = alpn.hex()
    return digits[0] + digits[-1]


def _u16s(raw: bytes) -> tuple[int, ...]:
    return tuple(raw[k] << 8 | raw[k + 1] for k in range(0, len(raw) - 1, 2))


def _extensions(body: bytes, at: int, anomalies: list[Anomaly]) -> list[tuple[int, int, int]]:
    """Type, start and stop of each extension; none at all is how hellos began (RFC 2246)."""
    end = len(body)
    if at >= end:
        return []
    claimed = u16(body, at)
    if at + 2 + claimed != end:
        span = ByteSpan(at, min(at + 2, end))
        anomalies.append(Anomaly(EXTENSIONS_LENGTH, span, claimed, max(end - at - 2, 0)))
    end = min(end, at + 2 + claimed)
    at += 2
    found: list[tuple[int, int, int]] = []
    seen: set[int] = set()
    while at < end:
        kind, size = u16(body, at), u16(body, at + 2)
        start = min(at + 4, end)
        stop = min(start + size, end)
        if at + 4 + size > end:
            present = max(end - at - 4, 0)
            anomalies.append(Anomaly(EXTENSION_OVERRUN, ByteSpan(at, end), size, present))
            if at + 4 > end:
                break
        if kind in seen:
            anomalies.append(Anomaly(EXTENSION_REPEATED, ByteSpan(at, stop), kind))
        seen.add(kind)
        found.append((kind, start, stop))
        at = stop
    return found


def _client_fields(
    body: bytes, found: list[tuple[int, int, int]], anomalies: list[Anomaly]
) -> _Fields:
    fields: _Fields = {}
    for kind, start, stop in found:
        data = body[start:stop]
        good = True
        if kind == SERVER_NAME:
            good, name = _server_name(data)
            fields["server_name"] = name
        elif kind == ALPN:
            size = data[2] if len(data) > 2 else 0
            good = u16(data, 0) == len(data) - 2 and 0 < size <= len(data) - 3
            fields["alpn"] = data[3 : 3 + size]
        elif kind == POINT_FORMATS:
            good = len(data) > 1 and data[0] == len(data) - 1
            fields["point_formats"] = tuple(data[1 : 1 + data[0]]) if data else ()
        elif kind == GROUPS:
            good, fields["groups"] = _list16(data, 2)
        elif kind == SIGNATURE_ALGORITHMS:
            good, fields["signature_algorithms"] = _list16(data, 2)
        elif kind == SUPPORTED_VERSIONS:
            good, fields["versions"] = _list16(data, 1)
        if not good:
            anomalies.append(Anomaly(EXTENSION_BODY, ByteSpan(start, stop), kind, len(data)))
    return fields


def _server_name(data: bytes) -> tuple[bool, str]:
    """RFC 6066 §3: a list of names; only host_name (0) was ever defined."""
    size = u16(data, 3)
    good = (
        len(data) > 5 and u16(data, 0) == len(data) - 2 and data[2] == 0 and size > 0
    ) and 5 + size <= len(data)
    return good, text(data[5 : 5 + size], 255)


def _list16(data: bytes, width: int) -> tuple[bool, tuple[int, ...]]:
    size = int.from_bytes(data[:width], "big")
    good = size == len(data) - width and size >= 2 and size % 2 == 0
    return good, _u16s(data[width : width + size])
