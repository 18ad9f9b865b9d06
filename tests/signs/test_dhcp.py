"""DHCP servers: which replies are asked about, and who counts as a friend."""

import pytest
from tests.verify.ward import DHCP_IP, ROGUE, ROGUE_IP, ROUTER, ROUTER_IP, Ward, rows_of

from wardwatch.signs.dhcp import Told, contests, friends, told, unlisted


def signs(ward: Ward) -> list:
    scene = ward.scene()
    sql, parameters = unlisted(scene)
    return rows_of(scene, sql, parameters)


def test_segments_without_a_confirmed_server_are_not_asked_about() -> None:
    assert signs(Ward().reply(ROGUE_IP, ROGUE)) == []
    ward = Ward().server("dhcp", DHCP_IP, segments=("vlan 30",)).reply(ROGUE_IP, ROGUE)
    assert signs(ward) == []
    assert len(signs(ward.reply(ROGUE_IP, ROGUE, segment="vlan 30"))) == 1


def test_a_reply_that_names_nobody_is_judged_by_its_source_and_less_sure() -> None:
    ward = Ward().server("dhcp", DHCP_IP).reply(ROGUE_IP, ROGUE, server_id="")
    assert [row.strength for row in signs(ward)] == [1]
    assert signs(Ward().server("dhcp", DHCP_IP).reply(server_id="")) == []


def test_an_override_by_an_unknown_relay_is_less_sure() -> None:
    ward = Ward().server("dhcp", DHCP_IP)
    ward.reply(ROUTER_IP, ROUTER, server_override=True, giaddr=ROUTER_IP)
    assert [row.strength for row in signs(ward)] == [1]


def test_a_relayed_rogue_is_named_by_its_identifier() -> None:
    ward = Ward().server("dhcp", DHCP_IP)
    (row,) = signs(ward.reply(ROGUE_IP, ROUTER, src=ROUTER_IP, giaddr=ROUTER_IP))
    assert (row.actor_mac, row.actor_ip) == ("", ROGUE_IP)


def test_a_later_claimant_of_a_routers_address_is_no_friend() -> None:
    ward = Ward().server("router", ROUTER_IP).bound(ROUTER, ROUTER_IP, start=1)
    ward.bound(ROGUE, ROUTER_IP, start=2)
    assert friends(ward.scene()) == [ROUTER]
    assert friends(Ward().server("dns", "1.1.1.1", macs=("AA:BB:CC:00:00:01",)).scene()) == [
        "aa:bb:cc:00:00:01"
    ]


@pytest.mark.parametrize(
    ("first", "second", "number"),
    [
        ({}, {"server": ROGUE_IP, "mac": ROGUE}, 1),
        ({}, {"server": "255.255.255.255", "mac": ROGUE}, 0),
        ({}, {"server": ROGUE_IP, "mac": ROGUE, "segment": "vlan 9"}, 0),
        ({}, {"server": "10.30.0.7", "giaddr": ROUTER_IP, "mac": ROUTER}, 1),
        ({}, {"server": "10.30.0.7", "giaddr": ROUTER_IP, "dst_port": 67}, 0),
        ({}, {"server": ROGUE_IP, "mac": ROGUE, "msg_type": ""}, 0),
    ],
)
def test_who_competes(first, second, number: int) -> None:
    assert len(contests(Ward().reply(**first).reply(**second).scene())) == number


def test_segments_are_told_as_a_whole() -> None:
    ward = Ward().discover().discover(at=61.0).reply(msg_type="ACK", lease_time=7201)
    ward.reply(opt66_len=65, opt67_sum=130, renewal_time=30, lease_time=3600)
    ward.discover(segment="vlan 31", whole=False, chaddr="").reply(segment="vlan 31")
    ward.reply(ROGUE_IP, ROGUE, segment="vlan 31", overrun_option=66, opt67_len=129)
    first, second = told(ward.scene())
    assert first == Told("vlan 120", discovers=2, clients=1, t1_s=3600, opt66_len=65, opt67_sum=130)
    assert second == Told(
        "vlan 31", discovers=1, clients=1, cut=1, nameless=True, several=True, opt67_len=129,
        overrun=True,
    )  # fmt: skip
