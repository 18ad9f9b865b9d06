"""No rogue router: needs, minimums, traps."""

import pytest
from tests.verify.ward import DESK, PUMP, PUMP_IP, ROGUE, ROGUE_IP, ROUTER, ROUTER_IP, Ward, sees

MEASURE = "no_rogue_router"


def hour(hours=1.0, listed=True, **counts) -> Ward:
    ward = Ward().hears(hours, **counts).pump(hours=hours)
    if listed:
        ward.server("router", ROUTER_IP, macs=(ROUTER,)).server("router", "fe80::1", macs=(ROUTER,))
    return ward.advert()


def test_known_adverts_hold() -> None:
    assert sees(hour().verdict(MEASURE)) == ("holds", "")


@pytest.mark.parametrize(("hours", "state"), [(0.4999, "not observable"), (0.5, "holds")])
def test_half_an_hour_is_the_longest_interval_of_adverts(hours: float, state: str) -> None:
    assert hour(hours).state(MEASURE) == state


@pytest.mark.parametrize(
    "rogue",
    [
        lambda w: w.advert(ROGUE, "fe80::66"),
        lambda w: w.advert(ROGUE, "fe80::66", lifetime_s=0, rdnss=["fe80::66"]),
        lambda w: w.advert(
            ROGUE, "fe80::66", kind="redirect", destination="::1", target="fe80::66"
        ),
        lambda w: w.advert(ROGUE, ROGUE_IP, kind="icmp_redirect", lifetime_s=-1),
        lambda w: w.add("dhcpv6", 9, msg_type=2, src="fe80::66", src_mac=ROGUE),
        lambda w: w.reply(ROGUE_IP, ROGUE, routers=[ROGUE_IP]),
        lambda w: w.reply(ROGUE_IP, ROGUE, static_routes=["10.0.0.0/8 via 10.120.0.66"]),
        lambda w: w.add(
            "redundancy", 9, protocol="hsrp", src=ROGUE_IP, src_mac=ROGUE, virtual_ips=["10.9.9.9"]
        ),
        lambda w: w.zone().ask("10.30.0.6", dst_mac=ROGUE),
    ],
)
def test_one_sign_breaks(rogue) -> None:
    assert rogue(hour()).state(MEASURE) == "broken"


def test_a_zero_lifetime_from_another_mac_breaks_without_any_list() -> None:
    ward = hour(listed=False).advert(ROGUE, at=100, lifetime_s=0)
    assert ward.state(MEASURE) == "broken"


@pytest.mark.parametrize(("later", "broken"), [(1800, True), (1801, False)])
def test_a_zero_lifetime_while_the_router_goes_on_advertising(later: int, broken: bool) -> None:
    ward = hour().advert(at=300, lifetime_s=0).advert(at=300 + later)
    assert (ward.state(MEASURE) == "broken") is broken


@pytest.mark.parametrize(
    "harmless",
    [
        lambda w: w.advert(at=400, lifetime_s=0, prefixes=["fd20::"]),  # a clean stop
        lambda w: w.advert(ROGUE, "fe80::66", hop_limit=64),  # hosts drop it
        lambda w: w.advert("00:00:5e:00:02:01", "fe80::9"),
        lambda w: w.add("dhcpv6", 9, msg_type=1, src="fe80::66", src_mac=ROGUE),
        lambda w: w.add("dhcpv6", 9, msg_type=7, src="fe80::66", src_mac=ROGUE, relayed=True),
        lambda w: w.reply(routers=[ROUTER_IP], static_routes=["10.0.0.0/8 via 10.120.0.1"]),
        lambda w: w.zone().ask("10.120.0.7", dst_mac=DESK),  # on the link
        lambda w: w.zone().ask("10.30.0.6", dst_mac="00:00:0c:07:ac:01"),
        lambda w: w.add(
            "redundancy", 9, protocol="vrrp2", src="10.120.0.3", src_mac=ROGUE,
            virtual_ips=[ROUTER_IP],
        ),
    ],
)  # fmt: skip
def test_what_is_no_rogue(harmless) -> None:
    assert harmless(hour()).state(MEASURE) == "holds"


def test_why_it_is_not_observable() -> None:
    assert sees(hour(multicasts=0).verdict(MEASURE)) == ("not observable", "VANTAGE")
    assert sees(hour(listed=False).verdict(MEASURE)) == ("not observable", "NO_POLICY")
    assert sees(hour(cut_packets=3).verdict(MEASURE)) == ("not observable", "DAMAGED")
    unheard = Ward().hears().pump().server("router", ROUTER_IP, macs=(ROUTER,))
    assert sees(unheard.verdict(MEASURE)) == ("not observable", "VANTAGE")
    assert unheard.bound(ROUTER, ROUTER_IP).state(MEASURE) == "holds"


def test_who_sends_frames_is_named_with_its_own_address() -> None:
    ward = hour().advert(ROGUE, "fe80::66").bound(ROGUE, ROGUE_IP, "ip")
    (found,) = ward.findings("rogue_router")
    assert found.actor == f"{ROGUE} {ROGUE_IP}"
    assert PUMP not in found.actor
    assert PUMP_IP not in found.actor


def test_without_a_device_two_stations_show_that_more_than_the_router_is_heard() -> None:
    ward = Ward().hears().server("router", ROUTER_IP).bound(ROUTER, ROUTER_IP)
    ward.present(ROUTER, 0, 3600)
    assert sees(ward.verdict(MEASURE)) == ("not observable", "VANTAGE")
    assert ward.present("00:50:56:30:00:77", 0, 3600).state(MEASURE) == "holds"
