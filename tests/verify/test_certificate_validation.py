"""Certificate validation: refusing a bad one, and every way a certificate is bad."""

import base64
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.verify.ward import DAY_S, DNS_IP, MDS_IP, PUMP, PUMP_IP, ROUTER, Ward, sees

MEASURE = "certificate_validation"
NAME = "mds.example"
NOON = datetime.fromtimestamp(DAY_S, UTC)


@cache
def authority(name: str) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    return _sign(name, key.public_key(), name, key, ca=True), key


@cache
def leaf(issuer: str, name: str = NAME, n: int = 0) -> x509.Certificate:
    _, key = authority(issuer)
    return _sign(name, ec.generate_private_key(ec.SECP256R1()).public_key(), issuer, key, ca=False)


def _sign(name, public, issuer, key, *, ca):
    words = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)])
    return (
        x509.CertificateBuilder()
        .subject_name(words)
        .issuer_name(signer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOON - timedelta(days=400))
        .not_valid_after(NOON + timedelta(days=400))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def sha(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex()


def session(
    ward: Ward,
    chain=(),
    data=True,
    alerts=(),
    closed=False,
    at=1000.0,
    server=MDS_IP,
    sni="",
    after=400,
    before=-400,
    **more,
) -> Ward:
    """One handshake; ``after`` and ``before`` are the leaf's dates in days from midnight."""
    talk = ward.last_packet + 1
    row = {"client": PUMP_IP, "client_mac": PUMP, "server": server, "server_port": 1588}
    row |= {"server_mac": ROUTER, "version": 0x0301, "certificates": len(chain)}
    row |= {"certificate_packet": talk if chain else -1, "conversation": talk}
    row |= {"client_data_packet": talk if data else -1, "client_alerts": list(alerts)}
    row |= {"client_alert_packet": talk if alerts else -1, "client_closed": closed}
    ward.add("tls", at, **(row | {"server_name": sni} | more))
    for position, certificate in enumerate(chain):
        own = certificate.issuer == certificate.subject
        ward.add(
            "certificates",
            at,
            conversation=talk,
            position=position,
            server=server,
            sha256=sha(certificate),
            key_sha256=certificate.public_key()
            .public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            .hex(),
            issuer=certificate.issuer.rfc4514_string(),
            common_name=certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value,
            not_before_ts=ward.ts(before * 86400),
            not_after_ts=ward.ts(after * 86400),
            self_issued=own,
            self_signed=own,
            chained=position + 1 < len(chain),
            der=base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode(),
        )
    return ward


def rooted() -> Ward:
    return Ward().hears().pump().root(pem=pem(authority("ward root")[0]))


def good():
    return [leaf("ward root"), authority("ward root")[0]]


def strange():
    return [leaf("strange root"), authority("strange root")[0]]


@pytest.mark.parametrize(
    "refusal",
    [*({"alerts": [2 * 256 + n]} for n in (42, 43, 44, 45, 46, 48)), {"closed": True}],
)
def test_refusing_a_bad_one_holds(refusal) -> None:
    verdict = session(rooted(), strange(), data=False, **refusal).verdict(MEASURE)
    assert sees(verdict) == ("holds", "")
    assert verdict.evidence


@pytest.mark.parametrize("alert", [0, 40, 47, 49, 51])
def test_other_alerts_are_no_refusal_of_a_certificate(alert: int) -> None:
    ward = session(rooted(), strange(), data=False, alerts=[2 * 256 + alert])
    assert ward.state(MEASURE) == "not observable"


def test_data_after_a_chain_that_fails_the_roots_breaks() -> None:
    ward = session(rooted(), strange())
    verdict = ward.verdict(MEASURE)
    assert verdict.state.value == "broken"
    assert verdict.cves == ("CVE-2017-12721",)
    (found,) = ward.findings("certificate_accepted")
    assert found.certainty.value == "confirmed"


def test_accepting_a_valid_one_proves_nothing() -> None:
    assert sees(session(rooted(), good()).verdict(MEASURE)) == ("not observable", "NO_STIMULUS")
    assert session(rooted(), good()).findings("certificate_accepted") == []


def test_the_root_itself_need_not_be_sent() -> None:
    assert session(rooted(), good()[:1]).state(MEASURE) == "not observable"
    assert session(rooted(), strange()[:1]).state(MEASURE) == "broken"


def test_a_forged_issuer_name_does_not_pass() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    forged = _sign(NAME, key.public_key(), "ward root", key, ca=False)
    assert session(rooted(), [forged]).state(MEASURE) == "broken"


@pytest.mark.parametrize(("hours", "state"), [(1.0, "not observable"), (1.01, "broken")])
def test_it_is_out_of_date_against_the_packets_time(hours: float, state: str) -> None:
    at = 10 * 3600
    ended = session(rooted(), good(), at=at, after=(at - hours * 3600) / 86400)
    assert ended.state(MEASURE) == state
    early = session(rooted(), good(), at=at, before=(at + hours * 3600) / 86400)
    assert early.state(MEASURE) == state


def test_another_name_than_asked_for_breaks() -> None:
    assert session(rooted(), good(), sni="other.example").state(MEASURE) == "broken"
    assert session(rooted(), good(), sni=NAME).state(MEASURE) == "not observable"


def test_another_name_than_the_device_was_told_breaks() -> None:
    told = rooted().ask(DNS_IP).answer(DNS_IP, query="library.example")
    assert session(told, good()).state(MEASURE) == "broken"
    told = rooted().ask(DNS_IP).answer(DNS_IP, query=NAME)
    assert session(told, good()).state(MEASURE) == "not observable"


def test_key_and_issuer_that_change_break_and_a_renewal_does_not() -> None:
    ward = Ward().hears().pump()
    session(session(ward, [leaf("a root")]), [leaf("b root")], at=2000)
    assert ward.state(MEASURE) == "broken"
    ward = Ward().hears().pump()
    session(session(ward, [leaf("a root")]), [leaf("a root", NAME, 1)], at=2000)
    assert sees(ward.verdict(MEASURE)) == ("not observable", "NO_POLICY")


def test_a_self_signed_one_alone_is_suspect_and_a_pinned_one_is_known() -> None:
    own = authority(NAME)[0]
    ward = session(Ward().hears().pump(), [own])
    assert sees(ward.verdict(MEASURE)) == ("not observable", "NO_POLICY")
    (found,) = ward.findings("certificate_accepted")
    assert found.certainty.value == "suspect"
    assert "pinned" in found.speaks_against
    pinned = session(Ward().hears().pump().root(sha256=sha(own), pinned=True), [own])
    assert sees(pinned.verdict(MEASURE)) == ("not observable", "NO_STIMULUS")
    assert pinned.findings("certificate_accepted") == []


def test_a_root_known_by_its_digest_alone_cannot_check_a_signature() -> None:
    ward = Ward().hears().pump().root(sha256=sha(authority("ward root")[0]))
    assert session(ward, good()[:1]).state(MEASURE) == "not observable"
    ward = Ward().hears().pump().root(sha256=sha(authority("ward root")[0]))
    assert session(ward, strange()).state(MEASURE) == "broken"


def test_why_it_is_not_observable() -> None:
    assert sees(rooted().verdict(MEASURE)) == ("not observable", "NO_STIMULUS")
    hidden = session(rooted(), version=0x0304)
    assert sees(hidden.verdict(MEASURE)) == ("not observable", "ENCRYPTED")
    resumed = session(rooted(), resumed=True)
    assert sees(resumed.verdict(MEASURE)) == ("not observable", "NO_STIMULUS")
    unstated = session(Ward().hears().pump(), good())
    assert sees(unstated.verdict(MEASURE)) == ("not observable", "NO_POLICY")


@pytest.mark.parametrize(("needed", "state"), [(1, "holds"), (2, "not observable")])
def test_the_minimum_of_refusals(needed: int, state: str) -> None:
    ward = session(rooted(), strange(), data=False, closed=True)
    assert ward.state(MEASURE, refusals=needed) == state


def test_one_refusal_does_not_excuse_one_acceptance() -> None:
    ward = session(rooted(), strange(), data=False, closed=True)
    assert session(ward, [leaf("third root")], at=3000).state(MEASURE) == "broken"


def test_another_clients_bad_habits_are_not_the_pumps() -> None:
    ward = session(rooted(), strange(), client="10.120.0.21", client_mac="f8:b1:56:00:00:21")
    assert ward.state(MEASURE) == "not observable"
    assert ward.findings("certificate_accepted") == []
