"""The ward's certificates, looked at by cryptography."""

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from wardwatch.twin import certs

START = 1_794_805_200 * 10**9


@pytest.fixture(scope="module")
def pki():
    return certs.pki(START, "mds.example", "second.example", "intranet.example")


def read(der):
    return x509.load_der_x509_certificate(der)


@pytest.mark.parametrize("name", ["server", "expired", "renewed", "intranet"])
def test_servers_chain_to_the_root(pki, name):
    read(getattr(pki, name)).verify_directly_issued_by(read(pki.root))


def test_the_impostor_bears_the_names_of_server_and_root_and_other_keys(pki):
    impostor, server = read(pki.impostor), read(pki.server)
    assert impostor.subject == server.subject
    assert impostor.public_key() != server.public_key()
    assert impostor.issuer == read(pki.root).subject
    impostor.verify_directly_issued_by(read(pki.impostor_root))
    with pytest.raises(InvalidSignature):
        impostor.verify_directly_issued_by(read(pki.root))


def test_the_expired_one_is_renewed_with_the_same_key(pki):
    old, new = read(pki.expired), read(pki.renewed)
    assert old.not_valid_after_utc.timestamp() * 1e9 < START
    assert new.not_valid_before_utc.timestamp() * 1e9 < START
    assert old.public_key() == new.public_key()


def test_the_same_start_gives_the_same_bytes(pki):
    assert certs.pki(START, "mds.example", "second.example", "intranet.example") == pki


@pytest.mark.parametrize("label", certs.FOUND)
def test_primes_stand_where_a_search_finds_them(label):
    assert certs.primes(label, certs.FOUND[label]) == certs.primes(label)


def test_a_place_where_no_prime_can_stand_is_refused():
    first, second = certs.FOUND["root"]
    with pytest.raises(AssertionError, match="no prime stands"):
        certs.primes("root", (first - 1, second))
