"""Certificates of a run: proven by chain, name and date, and a context for each way to treat them."""

import ssl
from pathlib import Path

import pytest

from wardwatch.twin import messages, tls
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


@pytest.mark.skipif(not tls.speaks_oldest(), reason="no TLS 1.0 in this system's library")
def test_c5_a_live_pump_of_the_product_s_versions_opens_as_published_with_the_suites_that_are_left(
    ward: tuple[Authority, Path], tmp_path: Path
) -> None:
    client = tls.client_context(ward[1], verifies=False, oldest=True)
    pair = ward[0].issue(HOST, rsa=True).stored(tmp_path, "server")
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = client.wrap_bio(down, up)
    with pytest.raises(ssl.SSLWantReadError):
        one.do_handshake()
    hello = up.read()
    # Record and handshake say TLS 1.0, no session is resumed, and nothing follows the null compression.
    assert hello[:3] == b"\x16\x03\x01"
    assert int.from_bytes(hello[3:5], "big") == len(hello) - 5
    assert (hello[5], int.from_bytes(hello[6:9], "big")) == (1, len(hello) - 9)
    assert (hello[9:11], hello[43]) == (b"\x03\x01", 0)
    octets = int.from_bytes(hello[44:46], "big")
    assert hello[46 + octets :] == b"\x01\x00"
    said = [int.from_bytes(hello[n : n + 2], "big") for n in range(46, 46 + octets, 2)]
    # RFC 5746 §3.3: where there is no extension, a suite says that renegotiation is safe.
    assert said.pop() == 0x00FF
    assert len(said) == 6
    order = [messages.PUMP_SUITES.index(suite) for suite in said]
    assert order[:2] == [0, 1]
    assert sorted(said) == sorted({0x0039, 0x0038, 0x0035, 0x0033, 0x0032, 0x002F})

    up.write(hello)
    two = tls.server_context(pair, oldest=True).wrap_bio(up, down, server_side=True)
    for side in (two, one, two, one):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    assert (one.version(), two.version()) == ("TLSv1", "TLSv1")
    assert tls.proven(one.getpeercert(binary_form=True) or b"", ward[1], HOST)


@pytest.mark.skipif(not tls.speaks_oldest(), reason="no TLS 1.0 in this system's library")
def test_a_server_that_is_not_asked_to_knows_no_tls_1_0(
    ward: tuple[Authority, Path], tmp_path: Path
) -> None:
    pair = ward[0].issue(HOST, rsa=True).stored(tmp_path, "server")
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = tls.client_context(ward[1], verifies=False, oldest=True).wrap_bio(down, up)
    two = tls.server_context(pair).wrap_bio(up, down, server_side=True)
    with pytest.raises(ssl.SSLWantReadError):
        one.do_handshake()
    with pytest.raises(ssl.SSLError, match=r"(?i)version|protocol"):
        two.do_handshake()
