"""Certificates of a run: proven by chain, name and date, and a context for each way to treat them."""

import ssl
from pathlib import Path

import pytest

from wardwatch.twin import tls
from wardwatch.twin.tls import Authority

HOST = "mds.ward.example"


def der(pair: tls.Pair) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pair.certificate.decode())


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> tuple[Authority, Path]:
    authority = Authority()
    roots = tmp_path_factory.mktemp("tls") / "roots.pem"
    roots.write_bytes(authority.root)
    return authority, roots


def test_s15_a_certificate_is_proven_by_chain_name_and_date(ward: tuple[Authority, Path]) -> None:
    authority, roots = ward
    good = authority.issue(HOST)
    assert tls.proven(der(good), roots, HOST)
    assert not tls.proven(der(good), roots, "other.ward.example")
    assert not tls.proven(der(authority.issue(HOST, expired=True)), roots, HOST)
    assert not tls.proven(der(Authority().issue(HOST)), roots, HOST)
    for raw in (b"", b"x", der(good)[:-1]):
        assert not tls.proven(raw, roots, HOST)


def test_s15_what_verifies_asks_for_a_name_a_chain_and_tls_1_2(
    ward: tuple[Authority, Path],
) -> None:
    context = tls.client_context(ward[1], verifies=True)
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert len(context.get_ca_certs()) == 1
    assert context.maximum_version == ssl.TLSVersion.MAXIMUM_SUPPORTED
    older = tls.client_context(ward[1], verifies=True, newest=False)
    assert older.maximum_version == ssl.TLSVersion.TLSv1_2


def test_a_profile_that_verifies_nothing_takes_anybody(ward: tuple[Authority, Path]) -> None:
    context = tls.client_context(ward[1], verifies=False)
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_NONE, False)


def test_keys_are_made_anew_and_lie_where_only_their_owner_reads(
    ward: tuple[Authority, Path], tmp_path: Path
) -> None:
    one, two = (ward[0].issue(HOST) for _ in range(2))
    assert one.key != two.key
    path = one.stored(tmp_path, "server")
    assert path.stat().st_mode & 0o077 == 0
    assert tls.server_context(path).minimum_version == ssl.TLSVersion.TLSv1_2
