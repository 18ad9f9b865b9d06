"""Chains: certificates and hello shapes, each worked out once however often it is sent."""

from __future__ import annotations

import base64
import hashlib
from collections import OrderedDict
from typing import Any

import msgspec

from wardwatch.decode.wire import tls, x509
from wardwatch.model.evidence import Anomaly

MAX_KEPT = 4096
"""Different certificates (and pairs of them) remembered, some 4 KiB each."""
MAX_LISTS = 512
"""Certificate messages remembered whole, at most 128 KiB each and some 4 KiB as a rule."""
MAX_DER = 16 * 1024
"""Octets of a certificate that is kept as it is; honest ones have 500 to 3,000."""


class Known(msgspec.Struct, frozen=True):
    """A certificate as every row about it has it."""

    sha256: str
    der: bytes
    fields: dict[str, Any]
    anomalies: tuple[Anomaly, ...]


class Lists:
    """Certificate messages by the digest of their bytes, and what stood in them."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, tuple[bytes, ...]] = OrderedDict()

    def get(self, body: bytes) -> tuple[bytes, ...] | None:
        """The certificates of a message seen before."""
        return self._kept.get(hashlib.sha256(body).digest())

    def put(self, body: bytes, found: tuple[bytes, ...]) -> None:
        """Remember them."""
        self._kept[hashlib.sha256(body).digest()] = found
        if len(self._kept) > MAX_LISTS:
            self._kept.popitem(last=False)


class Chains:
    """The certificates of a run by their SHA-256, the least recently seen forgotten first."""

    def __init__(self) -> None:
        self.calls = 0
        """Certificates that had to be read, and signatures that had to be checked."""
        self.lists = Lists()
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._pairs: OrderedDict[tuple[str, str], bool] = OrderedDict()

    def read(self, der: bytes) -> Known:
        """The certificate; read at its first sight only."""
        sha256 = hashlib.sha256(der).hexdigest()
        known = self._known.get(sha256)
        if known is not None:
            self._known.move_to_end(sha256)
            return known
        self.calls += 1
        found, anomalies = x509.parse(der)
        fields: dict[str, Any] = {"sha256": sha256}
        if len(der) <= MAX_DER:
            fields["der"] = base64.b64encode(der).decode("ascii")
        if found is not None:
            fields |= {
                "key_sha256": found.key_sha256,
                "subject": found.subject,
                "issuer": found.issuer,
                "serial": found.serial,
                "not_before_ts": found.not_before,
                "not_after_ts": found.not_after,
                "names": list(found.names),
                "common_name": found.common_name,
                "key_type": found.key_type,
                "key_bits": found.key_bits,
                "signature_algorithm": found.signature_algorithm,
                "self_issued": found.self_issued,
                "self_signed": found.self_signed,
            }
        known = self._known[sha256] = Known(sha256, der, fields, anomalies)
        if len(self._known) > MAX_KEPT:
            self._known.popitem(last=False)
        return known

    def chained(self, one: Known, issuer: Known) -> bool:
        """Whether the key of ``issuer`` verifies ``one``."""
        pair = one.sha256, issuer.sha256
        answer = self._pairs.get(pair)
        if answer is None:
            self.calls += 1
            answer = self._pairs[pair] = x509.verifies(one.der, issuer.der)
            if len(self._pairs) > MAX_KEPT:
                self._pairs.popitem(last=False)
        return answer


class Fingerprints:
    """JA3 and JA4 by the shape of the hello, computed once for each."""

    MAX_SHAPES = 4096
    """Different hellos remembered; GREASE makes some twenty of every browser."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], tuple[str, str]] = {}

    def of(self, hello: tls.ClientHello) -> tuple[str, str]:
        """JA3 and JA4 of a hello."""
        shape = (
            hello.ssl2,
            hello.version,
            hello.ciphers,
            hello.extensions,
            hello.groups,
            hello.point_formats,
            hello.signature_algorithms,
            hello.versions,
            hello.alpn,
        )
        found = self._known.get(shape)
        if found is None:
            if len(self._known) >= self.MAX_SHAPES:
                self._known.clear()
            found = self._known[shape] = tls.ja3(hello), tls.ja4(hello)
        return found
