"""The ward under a hospital's numbers: only confirmed lines count, and only numbers are borrowed."""

import dpkt
from tests.twin.stands import TAP

from wardwatch.model.site import Site, TrustedServer, Zone
from wardwatch.twin.drill import play, stand
from wardwatch.twin.places import places
from wardwatch.twin.plays import BREACHES, PLAYS

SAID = {"confirmed_by": "biomed", "confirmed_on": "2026-01-01"}
SITE = Site(
    zone=(Zone(name="pumps", vlans=(77,), subnets=("172.20.4.0/22",), pumps=True, **SAID),),
    server=(
        TrustedServer(role="dhcp", ip="172.21.0.5", macs=("00:50:56:aa:00:05",), **SAID),
        TrustedServer(role="router", ip="172.20.4.1", macs=("00:00:0c:aa:00:01",), **SAID),
        TrustedServer(role="dns", ip="172.21.0.6"),
    ),
)


def test_confirmed_lines_give_numbers_and_the_rest_is_said():
    found = places(SITE)
    assert found.vlans == {120: 77}
    assert found.subnet == "172.20.4.0/22"
    assert found.ips == {"dhcp": "172.21.0.5", "gateway-120": "172.20.4.1"}
    assert found.macs["gateway-30"] == "00:00:0c:aa:00:01"
    assert any("no confirmed dns" in line for line in found.said)
    assert places(Site()).vlans == {}


def test_a_subnet_that_is_too_small_or_no_ipv4_is_left():
    for subnet in ("10.1.1.0/28", "fd00::/64", "nonsense"):
        zone = Zone(name="z", subnets=(subnet,), pumps=True, **SAID)
        assert places(Site(zone=(zone,))).subnet == ""


def test_two_vlans_of_the_twin_never_become_one():
    for vid in (121, 1):
        zone = Zone(name="z", vlans=(vid,), pumps=True, **SAID)
        assert places(Site(zone=(zone,))).vlans == {120: vid, vid: 120}


def test_both_tags_of_a_frame_bear_the_hospital_s_numbers():
    what = next(p for p in BREACHES if p.variant == "two tags")
    for vid, tags in ((77, [1, 77]), (1, [120, 1])):
        zone = Zone(name="z", vlans=(vid,), pumps=True, **SAID)
        seen = play(stand(3, places=places(Site(zone=(zone,)))), what).reached(TAP["edge"])
        assert seen
        for frame in seen:
            assert [t.id for t in dpkt.ethernet.Ethernet(frame.data).vlan_tags] == tags


def test_an_hour_under_these_numbers_has_one_owner_for_each_address():
    hour = stand(3, places=places(SITE))
    people = [s for s in hour.ward.stations.values() if s.vlan]
    assert len({(s.ip, s.vlan) for s in people}) == len(people)
    assert hour.ward.stations["icu-1"].address.startswith("172.20.4.")
    what = next(p for p in PLAYS if p.name == "rogue_dhcp/loses")
    seen = play(hour, what).caught(TAP["vlan"])
    assert {dpkt.ethernet.Ethernet(f.data).vlan_tags[0].id for f in seen} == {77}
    text = b"".join(f.data for f in seen)
    assert bytes([172, 21, 0, 5]) in text
    assert bytes([10, 30, 0, 5]) not in text
