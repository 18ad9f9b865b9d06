"""ARP impersonation: the one who claims is named, whatever else it touches."""

from tests.verify.test_no_arp_impersonation import claims, day
from tests.verify.ward import PUMP, PUMP_IP, ROGUE, ROGUE_IP, ROUTER, ROUTER_IP, Ward

TECHNIQUE = "arp_impersonation"


def test_claims_of_two_addresses_are_one_finding_of_the_greedy_one() -> None:
    ward = claims(claims(day()), ip=PUMP_IP, at=5001).bound(ROGUE, ROGUE_IP, start=4000)
    (found,) = ward.findings(TECHNIQUE)
    assert found.actor == f"{ROGUE} {ROGUE_IP}"
    assert found.targets == (ROUTER, "dev-001a01000041")
    assert found.known_device


def test_the_frames_mac_is_the_actor_not_the_one_it_claims() -> None:
    forged = "00:de:ad:00:00:01"
    ward = claims(day(), mac=forged)
    assert ward.findings(TECHNIQUE)[0].actor.startswith(forged)
    ward = day().bound(forged, ROUTER_IP, start=5000, end=5000)
    ward.arp(forged, ROUTER_IP, PUMP_IP, at=5000, op=2)
    ward.arp(forged, ROUTER_IP, PUMP_IP, at=5001, op=2, src_mac=ROGUE)
    assert any(f.actor.startswith(ROGUE) for f in ward.findings(TECHNIQUE))


def test_a_confirmed_mac_is_the_holder_even_if_it_spoke_later() -> None:
    ward = Ward().hears().device(PUMP, PUMP_IP).present(PUMP, 0, 9000).present(ROUTER, 10, 9000)
    ward.server("router", ROUTER_IP, macs=(ROUTER,))
    claims(ward, at=20).bound(ROUTER, ROUTER_IP, start=3000)
    ward.arp(ROUTER, ROUTER_IP, at=3000)
    (found,) = ward.findings(TECHNIQUE)
    assert found.actor.startswith(ROGUE)


def test_steady_bindings_raise_nothing() -> None:
    assert day().findings(TECHNIQUE) == []
