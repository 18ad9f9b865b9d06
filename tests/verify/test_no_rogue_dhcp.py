"""No rogue DHCP server: needs, minimums, traps."""

import pytest
from tests.verify.ward import DESK, DHCP_IP, HOUR, ROGUE, ROGUE_IP, ROUTER, ROUTER_IP, Ward, sees

MEASURE = "no_rogue_dhcp"
SERVER = "00:50:56:30:00:05"


def day(discovers=10, clients=3, hours=25.0, **counts) -> Ward:
    """A day with enough DISCOVERs, and the permitted server's replies."""
    ward = Ward().hears(hours, **counts).pump().server("dhcp", DHCP_IP, macs=(SERVER,))
    for n in range(discovers):
        ward.discover(f"f8:b1:56:00:00:{n % clients:02x}", at=60.0 * n)
    return ward.reply(msg_type="ACK")


def test_a_day_of_permitted_replies_holds() -> None:
    verdict = day().verdict(MEASURE)
    assert sees(verdict) == ("holds", "")
    assert verdict.subject == "vlan 120"
    assert verdict.evidence


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        ({"discovers": 10, "clients": 3, "hours": 24.0}, ("holds", "")),
        ({"discovers": 9}, ("not observable", "NO_STIMULUS")),
        ({"clients": 2}, ("not observable", "NO_STIMULUS")),
        ({"hours": 23.99}, ("not observable", "TOO_SHORT")),
        ({"dhcp_client_messages": 0, "dhcp_relayed": 9}, ("not observable", "VANTAGE")),
        ({"discovers": 0}, ("not observable", "NO_STIMULUS")),
    ],
)
def test_each_minimum_just_met_and_just_missed(made, expected) -> None:
    assert sees(day(**made).verdict(MEASURE)) == expected


@pytest.mark.parametrize("kind", ["OFFER", "ACK", "NAK"])
def test_one_reply_with_an_unlisted_identifier_breaks_also_when_it_lost(kind: str) -> None:
    verdict = day().reply(ROGUE_IP, ROGUE, msg_type=kind).verdict(MEASURE)
    assert sees(verdict) == ("broken", "")
    assert len(verdict.evidence) == 1


def test_a_listed_identifier_from_an_unknown_mac_breaks() -> None:
    assert day().reply(DHCP_IP, ROGUE).state(MEASURE) == "broken"


def test_the_mac_is_judged_only_where_the_site_names_macs() -> None:
    ward = Ward().hears().pump().server("dhcp", DHCP_IP)
    for n in range(10):
        ward.discover(f"f8:b1:56:00:00:{n % 3:02x}", at=60.0 * n)
    assert ward.reply(DHCP_IP, ROGUE).state(MEASURE) == "holds"


@pytest.mark.parametrize(
    "harmless",
    [
        # RFC 5107: the identifier is the confirmed relay's own address
        {"server": ROUTER_IP, "mac": ROUTER, "server_override": True, "giaddr": ROUTER_IP},
        {"server": DHCP_IP, "mac": ROUTER, "giaddr": ROUTER_IP},
        {"server": DHCP_IP, "mac": "00:00:5e:00:01:07"},
        {"server": DHCP_IP, "mac": "00:00:0c:07:ac:01"},
        {"server": "255.255.255.255", "mac": ROGUE, "src": "10.120.0.5"},
        # the failover partner, confirmed too, answers under the other's identifier
        {"server": DHCP_IP, "mac": "00:50:56:30:00:07"},
        # a unicast renewal through a router bears the router's MAC
        {"server": DHCP_IP, "mac": ROGUE, "ciaddr": "10.120.0.21", "dst_mac": DESK},
    ],
)
def test_what_is_no_rogue(harmless) -> None:
    ward = day().server("relay", ROUTER_IP, macs=(ROUTER,))
    ward.server("dhcp", "10.30.0.7", macs=("00:50:56:30:00:07",))
    assert ward.reply(**harmless).state(MEASURE) == "holds"


def test_without_a_list_competing_servers_are_suspect_and_not_broken() -> None:
    ward = Ward().hears().pump().discover().reply().reply(ROGUE_IP, ROGUE)
    verdict = ward.verdict(MEASURE)
    assert sees(verdict) == ("not observable", "NO_POLICY")
    assert DHCP_IP in verdict.statement
    assert ROGUE_IP in verdict.statement
    assert "against" in verdict.statement


def test_a_cut_message_forbids_holds() -> None:
    assert sees(day().reply(whole=False).verdict(MEASURE)) == ("not observable", "DAMAGED")


def test_segments_without_a_device_are_judged_only_where_no_device_is_known() -> None:
    ward = Ward().hears().hears(segment="vlan 30").pump()
    assert [v.subject for v in ward.verdicts(MEASURE)] == ["vlan 120"]
    ward = Ward().hears().hears(segment="vlan 30")
    assert [v.subject for v in ward.verdicts(MEASURE)] == ["vlan 120", "vlan 30"]


def test_captures_that_follow_each_other_are_one_span() -> None:
    ward = day(hours=12)
    ward.hears(13, start=12 * HOUR + 60)
    assert ward.state(MEASURE) == "holds"
    ward = day(hours=12)
    assert ward.hears(13, start=12 * HOUR + 61).state(MEASURE) == "not observable"
