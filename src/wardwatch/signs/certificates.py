"""Certificates offered to devices: which were bad, and whether the device went on or refused.

Bad means: the chain fails the confirmed roots, it is out of date at the time of the packet, it is
for another name than asked for or known, or key and issuer both changed for one server. A key that
changes under the same issuer is a renewal; a self-signed certificate alone may be pinned.
"""

from __future__ import annotations

import base64
import binascii
import warnings
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import msgspec

from wardwatch.model.evidence import Evidence
from wardwatch.model.values import HOUR_NS
from wardwatch.signs.cited import cited
from wardwatch.signs.owners import about, owners

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cryptography import x509

    from wardwatch.inventory.scene import Scene
    from wardwatch.model.device import Device
    from wardwatch.model.site import TrustedRoot

REFUSALS = (42, 43, 44, 45, 46, 48)
"""bad, unsupported, revoked, expired, unknown certificate, unknown CA (RFC 5246 §7.2.2)."""

CLOCK_NS = HOUR_NS
"""Clocks of sensors and servers differ by minutes; an hour beyond its dates is out of date for all."""

MAX_CHAIN = 10
"""Certificates of one chain looked at; real chains have two to four."""

MAX_OFFERS = 20_000
"""Different (device, server, certificate) looked at: bounds a server that makes up one each time."""

SESSIONS = f"""
    sessions AS (
        SELECT coalesce(m.device, i.device) AS device, t.segment, t.server, t.server_port,
            t.server_mac, lower(t.server_name) AS server_name, t.capture, t.packet, t.ts,
            t.client_mac, t.client,
            t.version, t.resumed, t.certificates, t.conversation, t.certificate_packet,
            coalesce(c.sha256, '') AS leaf,
            coalesce(t.ts <> {-(2**63)} AND (t.ts > c.not_after_ts::HUGEINT + {CLOCK_NS}
                OR t.ts < c.not_before_ts::HUGEINT - {CLOCK_NS}), false) AS out_of_date,
            t.client_data_packet >= 0 AS went_on,
            t.client_data_packet < 0 AND (t.client_closed OR list_has_any(
                [alert % 256 for alert in t.client_alerts], {list(REFUSALS)})) AS refused,
            CASE WHEN t.client_data_packet >= 0 THEN t.client_data_packet
                WHEN t.client_alert_packet >= 0 THEN t.client_alert_packet
                WHEN t.certificate_packet >= 0 THEN t.certificate_packet ELSE t.packet END AS shown
        FROM tls t
        LEFT JOIN owners m ON m.address = t.client_mac LEFT JOIN owners i ON i.address = t.client
        LEFT JOIN certificates c ON c.conversation = t.conversation AND c.position = 0
            AND NOT c.client_cert AND t.certificates > 0
        WHERE coalesce(m.device, i.device) IS NOT NULL)"""
"""SQL behind :func:`~wardwatch.signs.owners.owners`: handshakes of devices as clients, with the leaf they were shown."""


class Certificate(msgspec.Struct, frozen=True):
    """What is asked of a row of table ``certificates``."""

    sha256: str
    key_sha256: str
    issuer: str
    names: tuple[str, ...]
    common_name: str
    self_signed: bool
    self_issued: bool
    chained: bool
    der: str


class Offer(msgspec.Struct, frozen=True):
    """One certificate that a server offered a device, over all their sessions."""

    device: str
    segment: str
    server: str
    server_port: int
    server_name: str
    leaf: str
    out_of_date: bool
    bad: str
    """Why it is bad; "" where it is good or cannot be told."""
    good: bool
    """Its chain leads to a confirmed root, or it is pinned."""
    self_signed: bool
    tls13: bool
    resumed: bool
    went_on: int
    refused: int
    evidence: tuple[Evidence, ...]
    first_ts: int
    last_ts: int


def offers(scene: Scene, devices: Sequence[Device]) -> list[Offer]:
    """Everything offered to these devices, judged."""
    return scene.once(
        ("offers", *(device.id for device in devices)), lambda: _offers(scene, devices)
    )


def _offers(scene: Scene, devices: Sequence[Device]) -> list[Offer]:
    rows = about(
        scene,
        devices,
        f""", {SESSIONS}
        SELECT device, any_value(segment) AS segment, server, server_port, server_name, leaf,
            out_of_date, max(version) AS version, bool_and(resumed) AS resumed,
            min(conversation) FILTER (certificates > 0) AS conversation,
            count(*) FILTER (went_on) AS went_on, count(*) FILTER (refused) AS refused,
            min((ts, capture, shown), 10) AS shown,
            min((ts, capture, certificate_packet), 10) FILTER (certificate_packet >= 0) AS chains,
            min(ts) AS first_ts, max(ts) AS last_ts
        FROM sessions GROUP BY device, server, server_port, server_name, leaf, out_of_date
        ORDER BY first_ts, device, leaf LIMIT {MAX_OFFERS}""",
        of=("tls",),
    )
    if not rows:
        return []
    lines = [root for root in scene.site.root if root.confirmed]
    roots = Roots(lines)
    chains = _chains(
        scene,
        [r.conversation for r in rows if r.conversation is not None],
        signed=any(line.pem for line in lines),
    )
    # A client that names its server has said what it knows it by.
    nameless = any(not row.server_name and row.conversation in chains for row in rows)
    names = _resolved(scene, devices) if nameless else {}
    pumps = {device.id for device in devices if device.is_pump}
    first: dict[tuple[str, str, int, str], Certificate] = {}
    found = []
    for row in rows:
        chain = chains.get(row.conversation, []) if row.conversation is not None else []
        bad, good = "", False
        if chain:
            leaf = chain[0]
            # The confirmed roots are those pump servers are known by; they say nothing of others.
            trust = roots.judge(chain) if row.device in pumps else None
            asked = (
                [row.server_name] if row.server_name else names.get((row.device, row.server), [])
            )
            before = first.setdefault(
                (row.device, row.server, row.server_port, row.server_name), leaf
            )
            pinned = roots.pins(leaf)
            good = trust is True
            if pinned:
                good = True
            elif trust is False:
                bad = "its chain fails the confirmed roots"
            elif row.out_of_date:
                bad = "it was out of date at the time"
            elif asked and not any(matches(name, leaf, row.server) for name in asked):
                bad = f'it is for another name than "{asked[0]}"'
            elif not good and before.key_sha256 != leaf.key_sha256 and before.issuer != leaf.issuer:
                bad = "key and issuer are others than before"
        found.append(
            Offer(
                device=row.device,
                segment=row.segment,
                server=row.server,
                server_port=row.server_port,
                server_name=row.server_name,
                leaf=row.leaf,
                out_of_date=row.out_of_date,
                bad=bad,
                good=good and not bad,
                self_signed=bool(chain) and chain[0].self_signed,
                tls13=not chain and row.version == 0x0304,
                resumed=not chain and row.resumed,
                went_on=row.went_on,
                refused=row.refused,
                evidence=tuple(sorted({*cited(row.shown), *cited(row.chains)}))[:20],
                first_ts=row.first_ts,
                last_ts=row.last_ts,
            )
        )
    return found


def accepted(scene: Scene, devices: Sequence[Device]) -> tuple[str, list[Any]]:
    """The question for sessions that went on after a bad certificate; for ``episodes``.

    A self-signed one that no confirmed root speaks for or against is a suspect: ask if it is pinned.
    "" where no session did.
    """
    keys: list[tuple[str, str, int, str, str, bool, int, str]] = []
    judged = [device for device in scene.medical if device.seen]
    mine = {device.id for device in devices}
    for offer in offers(scene, judged):
        if not offer.went_on or offer.device not in mine:
            continue
        if offer.bad or (offer.self_signed and not offer.good):
            keys.append(
                (
                    offer.device, offer.server, offer.server_port, offer.server_name, offer.leaf,
                    offer.out_of_date, 0 if offer.bad else 1,
                    offer.bad or "it is self-signed, and nobody has confirmed that it is pinned",
                )
            )  # fmt: skip
    if not keys:
        return "", []
    columns = [list(column) for column in zip(*keys, strict=True)]
    sql = f"""
        WITH {owners(scene, judged)}, {SESSIONS},
        bad AS (SELECT unnest(?::VARCHAR[]) AS device, unnest(?::VARCHAR[]) AS server,
            unnest(?::INTEGER[]) AS server_port, unnest(?::VARCHAR[]) AS server_name,
            unnest(?::VARCHAR[]) AS leaf, unnest(?::BOOLEAN[]) AS out_of_date,
            unnest(?::INTEGER[]) AS strength, unnest(?::VARCHAR[]) AS why)
        SELECT capture, shown AS packet, ts, segment, server_mac AS actor_mac, server AS actor_ip,
            client_mac AS target_mac, client AS target_ip, strength, 0 AS weight,
            CASE WHEN strength = 0 THEN 'accepted' ELSE 'self-signed' END AS variant, why AS detail
        FROM sessions
        JOIN bad USING (device, server, server_port, server_name, leaf, out_of_date)
        WHERE went_on
    """
    return sql, columns


def matches(name: str, leaf: Certificate, server: str) -> bool:
    """Whether a certificate is for a name (RFC 6125: one wildcard, leftmost label) or the address."""
    wanted = name.lower().rstrip(".")
    offered = [text.lower().rstrip(".") for text in leaf.names] or [leaf.common_name.lower()]
    for text in offered:
        if text in (wanted, server.lower()):
            return True
        if text.startswith("*.") and "." in wanted and wanted.partition(".")[2] == text[2:]:
            return True
    return False


class Roots:
    """The confirmed roots and pinned leaves; judges chains, each once."""

    def __init__(self, lines: Iterable[TrustedRoot]) -> None:
        """Read the PEM of those that give it; one that cannot be read counts by its digest alone."""
        self._digests: set[str] = set()
        self._pinned: set[str] = set()
        self._certificates: list[x509.Certificate] = []
        self._bare = False
        """Whether a root is known by digest only, so that its signature cannot be checked."""
        for line in lines:
            digest = line.sha256.lower().replace(":", "")
            certificate = _load(line.pem) if line.pem else None
            if certificate is not None:
                digest = _digest(certificate)
                self._certificates.append(certificate)
            elif not line.pinned:
                self._bare = True
            (self._pinned if line.pinned else self._digests).add(digest)
        self._judged: dict[tuple[str, ...], bool | None] = {}

    def pins(self, leaf: Certificate) -> bool:
        """Whether a leaf is confirmed by itself."""
        return leaf.sha256.lower() in self._pinned

    def judge(self, chain: Sequence[Certificate]) -> bool | None:
        """True it leads to a confirmed root, False it does not, None that cannot be told."""
        if not self._digests and not self._pinned:
            return None
        key = tuple(certificate.sha256 for certificate in chain)
        if key not in self._judged:
            self._judged[key] = self._judge(chain)
        return self._judged[key]

    def _judge(self, chain: Sequence[Certificate]) -> bool | None:
        if self.pins(chain[0]):
            return True
        if not self._digests:
            # Only leaves are pinned, and this one is none of them.
            return False
        unknown = False
        for certificate in chain:
            if certificate.sha256.lower() in self._digests:
                return True
            signed = [_signed_by(certificate.der, root) for root in self._certificates]
            if True in signed:
                return True
            unknown = unknown or None in signed
            if not certificate.chained:
                break
        top = certificate
        if unknown or (self._bare and not top.self_signed and not top.self_issued):
            return None
        return False


def _chains(
    scene: Scene, conversations: list[int], *, signed: bool
) -> dict[int, list[Certificate]]:
    """Chains by conversation, leaf first; their bytes only where a signature can be checked."""
    der = "der" if signed else "'' AS der"
    rows = scene.tables.ask(
        f"""SELECT conversation, position, sha256, key_sha256, issuer, names, common_name,
            self_signed, self_issued, chained, {der}
        FROM certificates WHERE conversation IN (SELECT unnest(?::BIGINT[]))
            AND NOT client_cert AND position BETWEEN 0 AND {MAX_CHAIN - 1} ORDER BY conversation, position""",
        [conversations],
    )
    found: dict[int, list[Certificate]] = defaultdict(list)
    for row in rows:
        if row.position == len(found[row.conversation]):
            found[row.conversation].append(
                Certificate(
                    row.sha256, row.key_sha256, row.issuer, tuple(row.names), row.common_name,
                    row.self_signed, row.self_issued, row.chained, row.der,
                )
            )  # fmt: skip
    return {number: chain for number, chain in found.items() if chain}


def _resolved(scene: Scene, devices: Sequence[Device]) -> dict[tuple[str, str], list[str]]:
    """(device, address) → names that the device was told lead there: the name it knows it by."""
    rows = about(
        scene,
        devices,
        """, told AS (
            SELECT device, query, unnest(answers) AS answer FROM dns JOIN owners ON dst = address
            WHERE is_response AND kind = 'dns' AND query <> '')
        SELECT DISTINCT device, answer, query FROM told
        WHERE answer IN (SELECT server FROM tls) ORDER BY device, answer, query LIMIT 100000""",
        of=("dns",),
    )
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in rows:
        found[row.device, row.answer].append(row.query)
    return found


def _load(pem: str) -> x509.Certificate | None:
    """A certificate from PEM; None where it cannot be read."""
    from cryptography import x509

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return x509.load_pem_x509_certificate(pem.encode())
        except ValueError:
            return None


def _digest(certificate: x509.Certificate) -> str:
    from cryptography.hazmat.primitives import hashes

    return str(certificate.fingerprint(hashes.SHA256()).hex())


def _signed_by(der: str, root: x509.Certificate) -> bool | None:
    """Whether a root's key verifies a certificate; None where it cannot be computed."""
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    if not der:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            certificate = x509.load_der_x509_certificate(base64.b64decode(der, validate=True))
            if certificate.issuer != root.subject:
                return False
            certificate.verify_directly_issued_by(root)
        except (InvalidSignature, TypeError):
            return False
        except (ValueError, UnsupportedAlgorithm, binascii.Error):
            return None
    return True
