"""No ARP impersonation: needs, minimums, traps."""

import pytest
from tests.verify.ward import HOUR, PUMP, PUMP_IP, ROGUE, ROGUE_IP, ROUTER, ROUTER_IP, Ward, sees

MEASURE = "no_arp_impersonation"


def day(hours=25.0, times=2, routers=True, received=5) -> Ward:
    ward = Ward().hears(hours).device(PUMP, PUMP_IP).present(PUMP, 0, 25 * HOUR, received=received)
    ward.present(ROUTER, 0, 25 * HOUR)
    if routers:
        ward.server("router", ROUTER_IP)
    ward.bound(PUMP, PUMP_IP, packets=times).bound(ROUTER, ROUTER_IP, packets=times)
    return ward.arp(PUMP, PUMP_IP).arp(ROUTER, ROUTER_IP, PUMP_IP, op=2)


def claims(ward: Ward, mac=ROGUE, ip=ROUTER_IP, at=5000.0, **more) -> Ward:
    ward.bound(mac, ip, start=at, end=at)
    return ward.arp(mac, ip, PUMP_IP, at=at, op=2, **more)


def test_a_day_of_steady_bindings_holds() -> None:
    assert sees(day().verdict(MEASURE)) == ("holds", "")


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        ({"hours": 24.0}, ("holds", "")),
        ({"hours": 23.99}, ("not observable", "TOO_SHORT")),
        ({"times": 1}, ("not observable", "NO_STIMULUS")),
        ({"received": 0}, ("not observable", "VANTAGE")),
        ({"routers": False}, ("not observable", "NO_POLICY")),
    ],
)
def test_each_minimum(made, expected) -> None:
    assert sees(day(**made).verdict(MEASURE)) == expected


def test_a_claim_while_the_holder_goes_on_breaks() -> None:
    ward = claims(day())
    assert ward.state(MEASURE) == "broken"
    (found,) = ward.findings(MEASURE.removeprefix("no_"))
    assert found.actor.startswith(ROGUE)
    assert found.certainty.value == "confirmed"


@pytest.mark.parametrize(
    ("before", "after", "broken"),
    [(60, 60, True), (61, 60, False), (60, 61, False)],
)
def test_the_holder_must_be_heard_near_the_claim_on_both_sides(before, after, broken) -> None:
    at = 5000
    ward = Ward().hears().device(PUMP, PUMP_IP).present(PUMP, 0, 25 * HOUR)
    ward.present(ROUTER, 0, at - before).present(ROUTER, at + after, 25 * HOUR)
    ward.bound(ROUTER, ROUTER_IP).arp(ROUTER, ROUTER_IP, op=2)
    assert (claims(ward, at=at).state(MEASURE) == "broken") is broken


def away(before=300, after=120, **more) -> Ward:
    """The router unheard for minutes, while another claims its address once."""
    ward = (
        Ward().hears().device(PUMP, PUMP_IP).present(PUMP, 0, 25 * HOUR).server("router", ROUTER_IP)
    )
    ward.bound(PUMP, PUMP_IP).bound(ROUTER, ROUTER_IP).arp(PUMP, PUMP_IP).arp(
        ROUTER, ROUTER_IP, op=2
    )
    ward.present(ROUTER, 0, 5000 - before).present(ROUTER, 5000 + after, 25 * HOUR)
    return claims(ward, at=5000, **more)


def test_a_claim_between_two_uses_is_suspect_and_nothing_holds() -> None:
    ward = away()
    verdict = ward.verdict(MEASURE)
    assert sees(verdict) == ("not observable", "CONTESTED")
    assert f"{ROGUE} said that {ROUTER_IP} is at {ROGUE}, which {ROUTER} used" in verdict.statement
    (found,) = ward.findings("arp_impersonation")
    assert (found.certainty.value, found.variant) == ("suspect", "back again")
    assert "moved" in found.speaks_against


def test_an_address_that_dhcp_gave_in_between_was_lent() -> None:
    ward = away().bound(ROGUE, ROUTER_IP, "dhcp", start=4990, end=4990)
    assert ward.findings("arp_impersonation") == []
    assert ward.state(MEASURE) == "holds"


def test_an_address_that_is_not_used_again_has_moved() -> None:
    ward = day()
    ward.bound("02:00:00:00:00:09", "10.120.0.9", start=50, end=60).present(
        "02:00:00:00:00:09", 50, 60
    )
    ward.arp("02:00:00:00:00:09", "10.120.0.9")
    claims(ward, ip="10.120.0.9")
    assert ward.findings("arp_impersonation") == []
    assert ward.state(MEASURE) == "holds"


@pytest.mark.parametrize("mac", ["00:00:5e:00:01:07", "00:00:0c:07:ac:01", "00:07:b4:00:01:01"])
def test_virtual_macs_of_router_groups_are_ordinary(mac: str) -> None:
    assert claims(day(), mac).state(MEASURE) == "holds"


def test_a_probe_claims_nothing() -> None:
    ward = day().arp(ROGUE, "0.0.0.0", ROUTER_IP, at=5000)
    assert ward.state(MEASURE) == "holds"


def test_an_announcement_of_its_own_address_is_ordinary() -> None:
    assert day().arp(PUMP, PUMP_IP, PUMP_IP, at=5000).state(MEASURE) == "holds"


def test_a_confirmed_router_that_answers_for_others_is_proxy_arp() -> None:
    ward = day().server("router", "10.120.0.2", macs=(ROGUE,))
    assert claims(ward, ip=PUMP_IP).state(MEASURE) != "broken"


def test_one_device_between_wire_and_radio_is_a_move() -> None:
    ward = day()
    ward.device(ROUTER, ROUTER_IP, kind="network")
    ward.devices[-1] = type(ward.devices[-1])(
        id="dev-x", identity=ward.devices[-1].identity, confidence=ward.devices[-1].confidence,
        macs=(ROUTER, ROGUE), ips=(ROUTER_IP,), packets=9,
    )  # fmt: skip
    assert claims(ward).state(MEASURE) == "holds"


def test_a_lease_that_moved_on_is_ordinary() -> None:
    ward = day()
    ward.bound(ROGUE, PUMP_IP, "dhcp", start=4000, end=4000)
    assert claims(ward, ip=PUMP_IP).state(MEASURE) != "broken"


def test_neighbouring_macs_may_be_bonded_ports_so_suspect() -> None:
    ward = claims(day(), mac=ROUTER[:-2] + "02")
    assert ward.state(MEASURE) == "holds"
    (found,) = ward.findings("arp_impersonation")
    assert found.certainty.value == "suspect"
    assert "bonded" in found.speaks_against


def test_nac_that_quarantines_is_labelled_and_does_not_break() -> None:
    ward = claims(day().scanner(ROGUE_IP, mac=ROGUE))
    assert ward.state(MEASURE) == "holds"
    assert len(ward.findings("arp_impersonation")) == 1


def test_routed_copies_with_the_routers_mac_are_no_claims() -> None:
    ward = day()
    for n in range(5):
        ward.bound(ROUTER, f"10.99.0.{n}", "ip")
    ward.bound(ROUTER, PUMP_IP, "ip")
    assert ward.state(MEASURE) == "holds"


def test_traffic_that_moves_to_the_claimer() -> None:
    def moved(known: bool) -> Ward:
        ward = Ward().hears().device(PUMP, PUMP_IP).present(PUMP, 0, 9000)
        ward.bound(ROUTER, "8.8.8.8", "ip", start=10, end=4000)
        if known:
            ward.bound(ROUTER, ROUTER_IP, start=10, end=20).arp(ROUTER, ROUTER_IP, at=10)
        claims(ward, at=5000)
        return ward.bound(ROGUE, "8.8.8.8", "ip", start=5030, end=9000)

    assert moved(known=True).state(MEASURE) == "broken"
    assert moved(known=False).state(MEASURE) == "not observable"
    (found,) = moved(known=False).findings("arp_impersonation")
    assert found.certainty.value == "suspect"
