"""Policy: confirmed lines speak, others are inert; odd text matches nothing."""

import pytest
from tests.verify.ward import Ward

from wardwatch.model.values import NS
from wardwatch.signs.policy import (
    in_subnets,
    instant,
    is_scanner,
    is_virtual,
    names_of,
    outer_vlan,
    permitted,
    said_by,
    vlan_of,
    zone_of,
)


@pytest.mark.parametrize(
    ("segment", "vlan"),
    [
        ("vlan 120", 120), ("vlan 120@trunk", 120), ("vlan 1 vlan 120", 120), ("untagged", -1),
        ("s-vlan 9 vlan 120", 120), ("vxlan 5 vlan 9", 9), ("vxlan 5", -1), ("wlan@air vlan 7", -1),
    ],
)  # fmt: skip
def test_the_innermost_vid(segment: str, vlan: int) -> None:
    assert vlan_of(segment) == vlan


@pytest.mark.parametrize(
    ("segment", "outer", "name"),
    [
        ("vlan 120@trunk", -1, "vlan 120"),
        ("vlan 1 vlan 120", 1, "vlan 120"),
        ("vlan 1 vlan 120@trunk", 1, "vlan 120"),
        ("s-vlan 9 vlan 120@trunk", -1, "vlan 120"),
        ("vxlan 5 vlan 9", -1, "vxlan 5 vlan 9"),
        ("vxlan 5 vlan 1 vlan 9", 1, "vxlan 5 vlan 9"),
        ("gre s-vlan 1 vlan 9", -1, "gre vlan 9"),
        ("untagged@vlan 1 vlan 2", -1, "untagged"),
    ],
)
def test_of_two_tags_the_inner_one_bears_the_number_that_a_person_knows(
    segment: str, outer: int, name: str
) -> None:
    assert outer_vlan(segment) == outer
    assert names_of(segment)[0] == segment
    assert names_of(segment)[2] == name


def test_a_zone_is_found_by_vlan_name_or_subnet() -> None:
    site = Ward().zone(segments=("untagged",)).scene().site
    for segment, ips in (("vlan 120@x", ()), ("untagged@x", ()), ("wlan", ("10.120.0.9",))):
        assert zone_of(site, segment, ips) is not None
    named = Ward().zone(vlans=(), segments=("gre vlan 120",)).scene().site
    assert zone_of(named, "gre s-vlan 9 vlan 120@x") is not None
    assert zone_of(named, "gre s-vlan 9 vlan 121") is None
    assert zone_of(site, "vlan 30", ("10.30.0.1", "", "junk")) is None
    assert zone_of(Ward().zone(confirmed_on="").scene().site, "vlan 120") is None


def test_servers_serve_where_they_say() -> None:
    site = (
        Ward()
        .server("dhcp", "1.1.1.1", segments=("vlan 30",))
        .server("dhcp", "2.2.2.2")
        .scene()
        .site
    )
    assert [s.ip for s in permitted(site, "dhcp", "vlan 30@x")] == ["1.1.1.1", "2.2.2.2"]
    assert [s.ip for s in permitted(site, "dhcp", "s-vlan 9 vlan 30")] == ["1.1.1.1", "2.2.2.2"]
    assert [s.ip for s in permitted(site, "dhcp", "vlan 120")] == ["2.2.2.2"]
    assert permitted(site, "dns", "vlan 30") == ()


@pytest.mark.parametrize(
    ("ip", "subnets", "inside"),
    [
        ("10.0.0.9", ["10.0.0.0/24"], True),
        ("10.0.0.9", ["10.0.0.9"], True),
        ("10.0.1.9", ["10.0.0.0/24", "junk"], False),
        ("fd00::1", ["10.0.0.0/8", "fd00::/8"], True),
        ("junk", ["0.0.0.0/0"], False),
    ],
)
def test_subnets(ip, subnets, inside) -> None:
    assert in_subnets(ip, subnets) is inside


def test_instants() -> None:
    assert instant("1970-01-02") == 86_400 * NS
    assert instant("1970-01-01", end_of_day=True) == 86_399_999_999 * 1000
    assert instant("1970-01-01T01:00:00+01:00") == 0
    assert instant("soon") is None


def test_virtual_macs_scanners_and_sources() -> None:
    assert is_virtual("00:00:5e:00:01:07")
    assert is_virtual("00:00:0c:9f:f0:01")
    assert not is_virtual("00:00:5e:00:53:07")
    assert is_scanner("1.1.1.1", "", "aa", "1.1.1.1")
    assert not is_scanner("1.1.1.1", "bb", "aa", "1.1.1.1")
    assert not is_scanner("", "", "aa", "")
    site = Ward().server("dns", "1.1.1.1").server("dns", "2.2.2.2").scene().site
    assert said_by(site.server) == "IT, named role, 2026-11-01"
