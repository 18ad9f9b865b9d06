"""Certificates: names, roots and hostile bytes."""

import pytest
from tests.verify.test_certificate_validation import (
    authority,
    good,
    leaf,
    pem,
    rooted,
    session,
    sha,
)

from wardwatch.model.site import TrustedRoot
from wardwatch.signs.certificates import Certificate, Roots, accepted, matches, offers


def named(*names: str, common_name: str = "") -> Certificate:
    return Certificate("aa", "bb", "CN=x", names, common_name, False, False, False, "")


@pytest.mark.parametrize(
    ("wanted", "certificate", "same"),
    [
        ("mds.example", named("mds.example"), True),
        ("MDS.example.", named("mds.EXAMPLE"), True),
        ("a.mds.example", named("*.mds.example"), True),
        ("b.a.mds.example", named("*.mds.example"), False),
        ("mds.example", named("*.mds.example"), False),
        ("mds.example", named(common_name="mds.example"), True),
        # RFC 6125 §6.4.4: the common name counts only where there are no other names
        ("mds.example", named("other.example", common_name="mds.example"), False),
        ("mds.example", named("10.0.0.9"), True),
    ],
)
def test_names(wanted: str, certificate: Certificate, same: bool) -> None:
    assert matches(wanted, certificate, "10.0.0.9") is same


def test_without_roots_nothing_can_be_told() -> None:
    assert Roots([]).judge([named("a")]) is None


@pytest.mark.parametrize("der", ["", "not base64!", "AAAA", "MIIB"])
def test_hostile_certificates_are_not_told_and_raise_nothing(der: str) -> None:
    root = TrustedRoot(pem=pem(authority("ward root")[0]))
    certificate = Certificate("aa", "bb", "CN=x", (), "", False, False, False, der)
    assert Roots([root]).judge([certificate]) is None


def test_a_pem_that_cannot_be_read_counts_by_its_digest() -> None:
    root = authority("ward root")[0]
    roots = Roots([TrustedRoot(pem="junk", sha256=sha(root).upper())])
    certificate = Certificate(sha(root), "k", "CN=x", (), "", True, True, False, "")
    assert roots.judge([certificate]) is True


def test_an_offer_counts_every_session_and_judges_once() -> None:
    ward = rooted()
    session(session(ward, good()), good(), at=2000, data=False, closed=True)
    scene = ward.scene()
    (offer,) = offers(scene, scene.pumps)
    assert (offer.went_on, offer.refused, offer.good, offer.bad) == (1, 1, True, "")
    assert accepted(scene, scene.pumps) == ("", [])


def test_what_a_client_shows_of_itself_is_not_its_servers() -> None:
    ward = rooted()
    session(ward, good())
    before = offers(ward.scene(), ward.scene().pumps)
    strange = [leaf("strange root"), authority("strange root")[0]]
    session(ward, strange, at=2000)
    talk = ward.rows["tls"][0]["conversation"]
    own = [row for row in ward.rows["certificates"] if row["conversation"] != talk]
    ward.rows["tls"].pop()
    for row in own:
        row |= {"conversation": talk, "client_cert": True}
    ward.rows["certificates"] = [*own, *ward.rows["certificates"][: -len(own)]]
    assert own and offers(ward.scene(), ward.scene().pumps) == before


def test_a_broken_chain_does_not_lead_to_its_root() -> None:
    ward = rooted()
    session(ward, [leaf("strange root"), authority("ward root")[0]])
    for row in ward.rows["certificates"]:
        row["chained"] = False
    scene = ward.scene()
    assert offers(scene, scene.pumps)[0].bad == "its chain fails the confirmed roots"
