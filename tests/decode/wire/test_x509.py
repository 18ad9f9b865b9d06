"""wardwatch.decode.wire.x509"""

import hashlib

import pytest
from tests import hostile, hostile_sessions
from tests import session_messages as said

from wardwatch.decode.wire import x509


def test_a_leaf_and_the_root_that_signed_it() -> None:
    leaf, root = said.chain()
    found, anomalies = x509.parse(leaf)
    assert anomalies == () and found is not None
    assert (found.subject, found.issuer, found.common_name) == (
        "CN=pump-server",
        "CN=Ward Root",
        "pump-server",
    )
    assert (found.serial, found.names) == ("abcd", ("pump-server.ward",))
    assert (found.key_type, found.key_bits) == ("ec", 256)
    assert found.signature_algorithm == "ecdsa-with-SHA256"
    assert not found.self_issued and not found.self_signed
    assert found.not_before == 1_577_836_800 * 10**9
    assert x509.verifies(leaf, root) and not x509.verifies(root, leaf)


def test_a_root_signs_itself() -> None:
    found, _ = x509.parse(said.chain()[1])
    assert found is not None and found.self_issued and found.self_signed


def test_a_time_beyond_64_bits_is_clamped() -> None:
    found, _ = x509.parse(said.chain()[0])
    assert found is not None and found.not_after == 2**63 - 1


def test_the_right_key_under_another_name_is_not_the_issuer() -> None:
    leaf, root = said.chain()
    assert not x509.verifies(leaf, root.replace(b"Ward Root", b"Ward Roof"))


def test_another_signature_over_the_same_names_does_not_verify() -> None:
    leaf, root = said.chain()
    forged = bytearray(leaf)
    forged[-1] ^= 1
    assert not x509.verifies(bytes(forged), root)


def test_old_hashes_are_verified_too() -> None:
    """Old devices sign SHA-1: that is their weakness, and no reason to call a chain broken."""
    certificate = signed_with_sha1()
    found, anomalies = x509.parse(certificate)
    assert found is not None and anomalies == ()
    assert (found.signature_algorithm, found.self_signed) == ("sha1WithRSAEncryption", True)
    assert not x509.parse(certificate[:-1] + bytes([certificate[-1] ^ 1]))[0].self_signed


def signed_with_sha1() -> bytes:
    """The library no longer makes these: its SHA-256 one, renamed and signed again."""
    from datetime import UTC, datetime

    from cryptography import x509 as library
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.hazmat.primitives.serialization import Encoding

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = library.Name([library.NameAttribute(library.NameOID.COMMON_NAME, "old")])
    made = (
        library.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2010, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2030, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    sha256, sha1 = (bytes.fromhex("2a864886f70d0101") + bytes([k]) for k in (11, 5))
    signed = made.tbs_certificate_bytes.replace(sha256, sha1)
    signature = key.sign(signed, padding.PKCS1v15(), hashes.SHA1())
    whole = made.public_bytes(Encoding.DER).replace(sha256, sha1)
    return whole[: -len(signature)] + signature


def test_hostile_bytes_are_data() -> None:
    hostile.run(*hostile_sessions.PARSERS["x509"], seed=9, count=600)


@pytest.mark.parametrize("der", [b"", b"0\x82", b"not a certificate", b"0" * (x509.LONGEST + 1)])
def test_what_is_no_certificate_is_unreadable(der: bytes) -> None:
    found, anomalies = x509.parse(der)
    assert found is None
    assert [a.fault for a in anomalies] == [x509.UNREADABLE]


def test_a_damaged_field_is_named_and_the_others_kept() -> None:
    leaf, _ = said.chain()
    at = leaf.index(b"pump-server.ward")
    damaged = leaf[: at - 1] + bytes([99]) + leaf[at:]  # the name's length lies
    found, anomalies = x509.parse(damaged)
    assert found is not None and found.names == () and found.common_name == "pump-server"
    assert [a.fault for a in anomalies] == [x509.FIELD]


def test_the_digest_of_the_key_is_that_of_its_info() -> None:
    from cryptography import x509 as library
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    leaf = said.chain()[0]
    info = library.load_der_x509_certificate(leaf).public_key()
    der = info.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    found, _ = x509.parse(leaf)
    assert found is not None and found.key_sha256 == hashlib.sha256(der).hexdigest()
