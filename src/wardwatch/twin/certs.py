"""Certs: the ward's own authority, its servers' certificates, and an impostor's.

The same bytes in every run: keys grow from fixed labels (they protect nothing), signatures are
RSASSA-PKCS1-v1_5, which is deterministic, and times are arguments.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from itertools import count
from math import gcd, prod
from random import Random
from typing import TYPE_CHECKING

import msgspec

from wardwatch.model.values import NS

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

BITS = 2048
"""Size of the keys: what verifiers accept today; the pump's own server's is not published [A]."""
EXPONENT = 65537
FOUND = {
    "root": (107, 737),
    "server": (339, 48),
    "second": (147, 6),
    "intranet": (313, 1112),
    "impostor": (59, 696),
    "pretender": (409, 286),
}
"""How many odd numbers behind the drawn ones the two primes of a label's key stand.

They are the same for ever, and to search for them took more time than to play a day.
"""


class Pki(msgspec.Struct, frozen=True):
    """Certificates of one ward, DER."""

    root: bytes
    server: bytes
    """Of the ICU's pump server, good for years."""
    expired: bytes
    """Of the NICU's pump server: run out long ago, put back by mistake for a while."""
    renewed: bytes
    """The same server's, same key and issuer."""
    intranet: bytes
    impostor: bytes
    """For the pump server's name, with another key, by somebody who calls himself the root."""
    impostor_root: bytes


def pki(start_ns: int, host: str, second: str, intranet: str) -> Pki:
    """The ward's certificates for a day that begins at ``start_ns``."""
    day = 86400
    now = start_ns // NS
    years = (now - 300 * day, now + 800 * day)
    ca = "Ward Private Root"
    return Pki(
        root=_certificate(ca, ca, "root", "root", (now - 900 * day, now + 3000 * day), 1, ca=True),
        server=_certificate(host, ca, "server", "root", years, 2),
        expired=_certificate(second, ca, "second", "root", (now - 365 * day, now - 40 * day), 3),
        renewed=_certificate(second, ca, "second", "root", (now - 45 * day, now + 320 * day), 4),
        intranet=_certificate(intranet, ca, "intranet", "root", years, 5),
        impostor=_certificate(host, ca, "impostor", "pretender", years, 6),
        impostor_root=_certificate(ca, ca, "pretender", "pretender", years, 7, ca=True),
    )


def pem(der: bytes) -> str:
    """A certificate as PEM text."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM).decode()


def _certificate(
    subject: str,
    issuer: str,
    key: str,
    signer: str,
    valid_s: tuple[int, int],
    serial: int,
    *,
    ca: bool = False,
) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import NameOID

    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    public, signing = _key(key).public_key(), _key(signer)
    builder = (
        x509.CertificateBuilder()
        .subject_name(named(subject))
        .issuer_name(named(issuer))
        .public_key(public)
        .serial_number(serial)
        .not_valid_before(datetime.fromtimestamp(valid_s[0], UTC))
        .not_valid_after(datetime.fromtimestamp(valid_s[1], UTC))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )
    if not ca:
        names = x509.SubjectAlternativeName([x509.DNSName(subject)])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(signing, SHA256()).public_bytes(Encoding.DER)


@cache
def _key(label: str) -> RSAPrivateKey:
    """An RSA key grown from a label: never random, never of use outside a ward of paper."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    p, q = primes(label, FOUND.get(label))
    d = pow(EXPONENT, -1, (p - 1) * (q - 1))
    numbers = rsa.RSAPrivateNumbers(
        p, q, d,
        rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q),
        rsa.RSAPublicNumbers(EXPONENT, p * q),
    )  # fmt: skip
    # Both primes were tested when they were found.
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)


def primes(label: str, found: tuple[int, int] | None = None) -> tuple[int, int]:
    """The two primes of a label's key, searched for unless it is told where they were ``found``."""
    draws = Random(f"wardwatch twin key {label}")  # noqa: S311 — repeatable is the point
    first, second = found or (-1, -1)
    return _prime(draws, first), _prime(draws, second)


def _prime(draws: Random, found: int) -> int:
    """The first prime behind a drawn number whose top two bits and lowest bit are set.

    It stands ``found`` odd numbers behind it; -1 nobody knows, and it is searched for.
    """
    half = BITS // 2
    drawn = draws.getrandbits(half) | 3 << (half - 2) | 1
    known = drawn + 2 * found
    for candidate in count(drawn, 2) if found < 0 else range(drawn, known + 1, 2):
        if gcd(candidate, _small()) == 1 and (candidate - 1) % EXPONENT:
            # Bases are drawn also where the answer is known: the next prime is drawn behind them.
            bases = (draws.randrange(2, candidate) for _ in range(4))
            if found < 0:
                right = all(_probably_prime(candidate, base) for base in bases)
            else:
                right = all(candidate == known for _ in bases)
            if right:
                return candidate
    raise AssertionError(f"no prime stands {found} odd numbers behind the one that was drawn")


@cache
def _small() -> int:
    """The product of all odd primes below 4000: whoever shares a factor with it is none."""
    return prod(n for n in range(3, 4000, 2) if all(n % d for d in range(3, int(n**0.5) + 1, 2)))


def _probably_prime(number: int, base: int) -> bool:
    """One round of Miller and Rabin."""
    odd, twos = number - 1, 0
    while not odd & 1:
        odd, twos = odd >> 1, twos + 1
    power = pow(base, odd, number)
    if power in (1, number - 1):
        return True
    for _ in range(twos - 1):
        power = power * power % number
        if power == number - 1:
            return True
    return False
