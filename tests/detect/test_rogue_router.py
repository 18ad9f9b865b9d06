"""Rogue router: one finding a sender, and a clean stop is none."""

from tests.verify.ward import ROGUE, ROGUE_IP, ROUTER, ROUTER_IP, Ward

TECHNIQUE = "rogue_router"


def test_offer_and_forged_stop_of_one_sender_are_one_finding() -> None:
    ward = Ward().server("router", "fe80::1", macs=(ROUTER,)).advert()
    ward.advert(ROGUE, "fe80::66").advert(ROGUE, "fe80::1", at=201, lifetime_s=0)
    (found,) = ward.bound(ROGUE, ROGUE_IP).findings(TECHNIQUE)
    assert (found.variant, found.packets) == ("forged away", 2)
    assert found.actor == f"{ROGUE} {ROGUE_IP}"


def test_a_forged_stop_needs_no_list_and_no_order() -> None:
    ward = Ward().advert(ROGUE, at=100, lifetime_s=0).advert(at=101, lifetime_s=30)
    (found,) = ward.findings(TECHNIQUE)
    assert found.certainty.value == "confirmed"


def test_a_clean_stop_and_unjudged_adverts_are_none() -> None:
    assert Ward().advert().advert(at=900, lifetime_s=0).findings(TECHNIQUE) == []
    assert Ward().advert(lifetime_s=0).findings(TECHNIQUE) == []
    assert Ward().advert().advert(ROGUE, "fe80::66").findings(TECHNIQUE) == []


def test_a_stop_whose_hop_limit_came_from_afar_is_dropped_by_hosts() -> None:
    ward = Ward().advert().advert(ROGUE, at=300, lifetime_s=0, hop_limit=64)
    assert ward.findings(TECHNIQUE) == []


def test_doubt_is_said() -> None:
    ward = Ward().server("router", ROUTER_IP, macs=(ROUTER,))
    ward.add("redundancy", 9, protocol="hsrp", src_mac=ROGUE, src=ROGUE_IP, virtual_ips=[ROUTER_IP])
    (found,) = ward.findings(TECHNIQUE)
    assert found.certainty.value == "suspect"
    assert "other router" in found.speaks_against
