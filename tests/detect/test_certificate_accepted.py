"""TLS that goes on: only where the certificate row is broken and the client is a pump."""

from tests.verify.test_certificate_validation import good, rooted, session, strange
from tests.verify.ward import MDS_IP, PUMP, PUMP_IP, ROUTER, Ward

TECHNIQUE = "certificate_accepted"


def test_data_after_a_bad_chain_names_the_server() -> None:
    (found,) = session(rooted(), strange()).findings(TECHNIQUE)
    assert found.actor == f"{ROUTER} {MDS_IP}"
    assert found.targets == ("dev-001a01000041",)
    assert "fails the confirmed roots" in found.statement


def test_many_sessions_with_one_server_are_one_finding() -> None:
    ward = rooted()
    for n in range(5):
        session(ward, strange(), at=100.0 * n)
    (found,) = ward.findings(TECHNIQUE)
    assert found.packets == 5


def test_a_refusal_and_a_good_chain_are_none() -> None:
    assert session(rooted(), strange(), data=False, closed=True).findings(TECHNIQUE) == []
    assert session(rooted(), good()).findings(TECHNIQUE) == []


def test_a_monitor_is_no_pump() -> None:
    ward = Ward().hears().device(PUMP, PUMP_IP, kind="patient monitor")
    ward.site = dict(rooted().site)
    assert session(ward, strange()).findings(TECHNIQUE) == []
