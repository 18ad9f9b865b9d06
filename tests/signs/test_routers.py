"""Routers: what is asked where no list, or only IPv6 routers, are confirmed."""

from tests.verify.ward import ROGUE, ROGUE_IP, ROUTER, ROUTER_IP, Ward, rows_of

from wardwatch.signs.routers import wrong


def variants(ward: Ward) -> list[str]:
    scene = ward.scene()
    sql, parameters = wrong(scene)
    return sorted(row.variant for row in rows_of(scene, sql, parameters))


def test_without_a_list_only_forged_stops_are_signs() -> None:
    ward = Ward().advert().advert(ROGUE, "fe80::66").advert(ROGUE, lifetime_s=0)
    ward.add("dhcpv6", 9, msg_type=2, src="fe80::66", src_mac=ROGUE).reply(routers=[ROGUE_IP])
    assert variants(ward) == ["forged away"]


def test_a_list_of_ipv6_routers_says_nothing_of_dhcps_option_3() -> None:
    ward = Ward().server("router", "fe80::1", macs=(ROUTER,)).reply(routers=[ROGUE_IP])
    assert variants(ward) == []
    assert variants(ward.server("router", ROUTER_IP, macs=(ROUTER,))) == ["dhcp option"]


def test_off_link_frames_are_judged_where_every_router_is_named_by_mac() -> None:
    def sent(**line) -> list[str]:
        ward = Ward().pump().zone().server("router", ROUTER_IP, **line)
        return variants(ward.ask("10.30.0.6", dst_mac=ROGUE))

    assert sent(macs=(ROUTER,)) == ["off link"]
    assert sent() == []
    assert sent(macs=(ROGUE,)) == []


def test_a_routers_mac_learned_by_arp_may_advertise() -> None:
    ward = Ward().server("router", ROUTER_IP).bound(ROUTER, ROUTER_IP).advert()
    assert variants(ward) == []


def test_a_listed_address_from_another_mac_than_its_line_names_is_not_the_router() -> None:
    def said(**line) -> list[str]:
        ward = Ward().server("router", "fe80::1", **line).advert()
        ward.advert(
            ROGUE, "fe80::1", at=250, kind="redirect", destination="fd00::2", target="fe80::66"
        )
        return variants(ward)

    assert said(macs=(ROUTER,)) == ["redirect"]
    assert said(macs=(ROUTER, ROGUE)) == []
    assert said() == []
