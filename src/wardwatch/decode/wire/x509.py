"""X.509 certificates (RFC 5280) as far as a listener needs them: names, times, keys, signatures.

The DER is read by ``cryptography``, imported when the first certificate comes. What it will not
read is an anomaly; the fields it can read of an odd certificate are kept.
"""

from __future__ import annotations

import hashlib
import warnings
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, TypeVar

import msgspec

from wardwatch.decode.wire.reader import text
from wardwatch.model.evidence import Anomaly, ByteSpan, Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes as Key
    from cryptography.x509 import Certificate as Loaded

UNREADABLE = Fault("x509_unreadable", "RFC 5280 §4.1: not the DER of a Certificate")
FIELD = Fault("x509_field", "RFC 5280 §4.1.2, §4.2: a field or extension cannot be read")
FAULTS: tuple[Fault, ...] = (UNREADABLE, FIELD)

MAX_NAMES = 256
"""subjectAltName entries kept: shared hosting certificates hold up to a hundred."""
LONGEST = 64 * 1024
"""Octets of a certificate that is read: honest ones have 500 to 3,000."""
_NEVER = 2**63 - 1
"""RFC 5280 §4.1.2.5: 99991231235959Z, no expiration, lies beyond what ns in 64 bits can say."""

T = TypeVar("T")


class Certificate(msgspec.Struct, frozen=True, gc=False):
    """What is kept of a certificate; times in ns since 1970 UTC, clamped to 64 bits."""

    subject: str
    issuer: str
    serial: str
    not_before: int
    not_after: int
    names: tuple[str, ...]
    common_name: str
    key_type: str
    key_bits: int
    key_sha256: str
    signature_algorithm: str
    self_issued: bool
    self_signed: bool


def parse(der: bytes) -> tuple[Certificate | None, tuple[Anomaly, ...]]:
    """Read one certificate."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of encodings that will be refused one day
        return _parse(der)


def verifies(der: bytes, issuer: bytes) -> bool:
    """Whether the key of ``issuer`` made the signature of ``der`` (and the names agree)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        one, other = _load(der), _load(issuer)
        return one is not None and other is not None and _verifies(one, other)


def _parse(der: bytes) -> tuple[Certificate | None, tuple[Anomaly, ...]]:
    whole = ByteSpan(0, len(der))
    loaded = _load(der)
    if loaded is None:
        return None, (Anomaly(UNREADABLE, whole, LONGEST, len(der)),)
    odd: list[str] = []
    key = _field(odd, loaded.public_key, None)
    kind, bits = _key(key)
    subject = _field(odd, lambda: loaded.subject.rfc4514_string(), "")
    issuer = _field(odd, lambda: loaded.issuer.rfc4514_string(), "")
    found = Certificate(
        subject=text(subject.encode()),
        issuer=text(issuer.encode()),
        serial=_field(odd, lambda: f"{loaded.serial_number:x}", ""),
        not_before=_field(odd, lambda: _ns(loaded.not_valid_before_utc), -1),
        not_after=_field(odd, lambda: _ns(loaded.not_valid_after_utc), -1),
        names=_field(odd, lambda: _names(loaded), ()),
        common_name=_field(odd, lambda: _common_name(loaded), ""),
        key_type=kind,
        key_bits=bits,
        key_sha256=_field(odd, lambda: hashlib.sha256(_spki(key)).hexdigest() if key else "", ""),
        signature_algorithm=_field(odd, lambda: str(loaded.signature_algorithm_oid._name), ""),
        self_issued=_field(odd, lambda: bool(loaded.subject == loaded.issuer), False),
        self_signed=_verifies(loaded, loaded),
    )
    return found, (Anomaly(FIELD, whole, 0, len(odd)),) if odd else ()


@cache
def _refusals() -> tuple[type[Exception], ...]:
    """What ``cryptography`` raises for certificates that are not as they should be."""
    from cryptography import exceptions, x509

    return (
        ValueError,
        TypeError,
        KeyError,
        OverflowError,
        exceptions.UnsupportedAlgorithm,
        exceptions.InvalidSignature,
        x509.InvalidVersion,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
    )


def _load(der: bytes) -> Loaded | None:
    from cryptography import x509

    if not 0 < len(der) <= LONGEST:
        return None
    try:
        return x509.load_der_x509_certificate(der)
    except _refusals():
        return None


def _field(odd: list[str], read: Callable[[], T], none: T) -> T:
    try:
        return read()
    except _refusals() as refusal:
        odd.append(str(refusal))
        return none


def _verifies(certificate: Loaded, issuer: Loaded) -> bool:
    """Names agree and the signature is right, whatever its hash: old devices still sign SHA-1."""
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa

    try:
        if certificate.issuer != issuer.subject:
            return False
        key = issuer.public_key()
        signature, signed = certificate.signature, certificate.tbs_certificate_bytes
        if isinstance(key, (ed25519.Ed25519PublicKey, ed448.Ed448PublicKey)):
            key.verify(signature, signed)
            return True
        digest = certificate.signature_hash_algorithm
        if digest is None:
            return False
        if isinstance(key, rsa.RSAPublicKey):
            scheme = certificate.signature_algorithm_parameters
            pss = scheme if isinstance(scheme, padding.PSS) else padding.PKCS1v15()
            key.verify(signature, signed, pss, digest)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, signed, ec.ECDSA(digest))
        elif isinstance(key, dsa.DSAPublicKey):
            key.verify(signature, signed, digest)
        else:
            return False
    except _refusals():
        return False
    return True


def _key(key: Key | None) -> tuple[str, int]:
    """``rsa``, ``ec`` …, and the size in bits (-1 where the algorithm fixes it)."""
    if key is None:
        return "", -1
    kind = type(key).__name__.removesuffix("PublicKey").lower().strip("_")
    kind = {"ellipticcurve": "ec"}.get(kind, kind)
    return kind, int(getattr(key, "key_size", -1))


def _spki(key: Key) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return bytes(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def _ns(when: datetime) -> int:
    delta = when - datetime(1970, 1, 1, tzinfo=UTC)
    whole = (delta.days * 86400 + delta.seconds) * 1_000_000_000
    return max(-_NEVER, min(_NEVER, whole))


def _common_name(loaded: Loaded) -> str:
    from cryptography import x509

    found = loaded.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return text(str(found[-1].value).encode("utf-8", "backslashreplace")) if found else ""


def _names(loaded: Loaded) -> tuple[str, ...]:
    from cryptography import x509

    try:
        extension = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return tuple(
        text(str(name.value).encode("utf-8", "backslashreplace"))
        for name in list(extension.value)[:MAX_NAMES]
        if isinstance(name, (x509.DNSName, x509.IPAddress))
    )
