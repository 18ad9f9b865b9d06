"""TLS: an authority made for one run, and the two ways a pump of the class treats a certificate.

What verifies does so by chain, name and date, over TLS 1.2 or later (S-15). What does not (profiles
before 1.6.1) goes on with anybody, and where the library of this machine still can it opens as the
published product does: TLS 1.0, without one extension. Whether the chain would have stood is still
found out, for the label of CVE-2017-12721. Only ``hardened`` knows TLS 1.3, which hides the chain
from a capture. Keys are made anew.
"""

from __future__ import annotations

import ssl
import warnings
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

DAYS = 30


class Pair(msgspec.Struct, frozen=True):
    """A certificate and its key, PEM."""

    certificate: bytes
    key: bytes

    def stored(self, folder: Path, name: str) -> Path:
        """One file with both, for a server's context; only its owner may read it."""
        path = folder / f"{name}.pem"
        path.touch(mode=0o600)
        path.write_bytes(self.certificate + self.key)
        return path


class Authority:
    """Somebody who signs: the ward's own, or an impostor who calls himself the same."""

    def __init__(self, name: str = "Ward Private Root") -> None:
        from cryptography.hazmat.primitives.asymmetric import ec

        self.name = name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.root = _signed(name, name, self._key, self._key, _span(), ca=True)

    def issue(self, host: str, *, expired: bool = False, rsa: bool = False) -> Pair:
        """A certificate for a host name, good for a month, or good until a month ago.

        ``rsa``: with an RSA key, which is what suites of TLS 1.0 ask for.
        """
        from cryptography.hazmat.primitives import serialization as form
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.asymmetric import rsa as by_rsa

        key = (
            by_rsa.generate_private_key(65537, 2048)
            if rsa
            else ec.generate_private_key(ec.SECP256R1())
        )
        span = _span(-2 * DAYS) if expired else _span()
        text = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
        return Pair(_signed(host, self.name, key, self._key, span), text)


OLDEST = (
    "DHE-RSA-AES256-SHA:DHE-DSS-AES256-SHA:AES256-SHA:DHE-RSA-AES128-SHA:DHE-DSS-AES128-SHA:"
    "AES128-SHA:@SECLEVEL=0"
)
"""Of the product's 27 suites (``messages.PUMP_SUITES``) those that today's libraries know, in its order."""
_UNSAID = ssl.OP_NO_TICKET | 1 << 0 | 1 << 19
"""What OpenSSL would say in an extension, and the product does not: tickets, the extended master
secret (SSL_OP_NO_EXTENDED_MASTER_SECRET) and encrypt-then-MAC (SSL_OP_NO_ENCRYPT_THEN_MAC)."""


def _oldest(context: ssl.SSLContext, *, alone: bool) -> None:
    """Let a context know TLS 1.0, or nothing else; that it is deprecated is the point of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        if alone:
            context.maximum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers(OLDEST)
    context.options |= _UNSAID


@cache
def speaks_oldest() -> bool:
    """Whether TLS 1.0 can be spoken here: tried, since a policy of the system may forbid it."""
    try:
        context = client_context(Path(), verifies=False, oldest=True)
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO()).do_handshake()
    except ssl.SSLWantReadError:
        return True
    except (ssl.SSLError, ValueError):
        return False
    return False


def server_context(pair: Path, *, oldest: bool = False) -> ssl.SSLContext:
    """What a pump server listens with; ``oldest``: TLS 1.0 as well."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if oldest:
        _oldest(context, alone=False)
    context.load_cert_chain(pair)
    return context


def client_context(
    roots: Path, *, verifies: bool, newest: bool = True, oldest: bool = False
) -> ssl.SSLContext:
    """What a pump connects with; the product's own versions know nothing newer than TLS 1.2.

    ``oldest``: TLS 1.0 alone, and a hello without extensions, so without a server's name as well.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if oldest:
        _oldest(context, alone=True)
    elif not newest:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    if verifies:
        context.load_verify_locations(roots)
        return context
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def proven(der: bytes, roots: Path, host: str) -> bool:
    """Whether a certificate stands for a host: by chain, name and date."""
    from cryptography import x509
    from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

    store = Store(x509.load_pem_x509_certificates(roots.read_bytes()))
    try:
        leaf = x509.load_der_x509_certificate(der)
        PolicyBuilder().store(store).build_server_verifier(x509.DNSName(host)).verify(leaf, [])
    except (VerificationError, ValueError):
        return False
    return True


def _span(shift_days: int = 0) -> tuple[datetime, datetime]:
    begin = datetime.now(UTC) - timedelta(days=1) + timedelta(days=shift_days)
    return begin, begin + timedelta(days=DAYS)


def _signed(
    subject: str,
    issuer: str,
    key: EllipticCurvePrivateKey | RSAPrivateKey,
    signer: EllipticCurvePrivateKey,
    span: tuple[datetime, datetime],
    *,
    ca: bool = False,
) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    use = x509.KeyUsage(
        digital_signature=not ca, key_cert_sign=ca, crl_sign=ca, content_commitment=False,
        key_encipherment=not ca, data_encipherment=False, key_agreement=False, encipher_only=False,
        decipher_only=False,
    )  # fmt: skip
    builder = (
        x509.CertificateBuilder()
        .subject_name(named(subject))
        .issuer_name(named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(span[0])
        .not_valid_after(span[1])
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(use, critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if not ca:
        names = x509.SubjectAlternativeName([x509.DNSName(subject)])
        builder = builder.add_extension(names, critical=False).add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
    return builder.sign(signer, SHA256()).public_bytes(Encoding.PEM)
