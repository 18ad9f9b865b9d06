"""Segmentation in use: needs, minimums, traps."""

import pytest
from msgspec import structs
from tests.verify.ward import LAN, MDS_IP, PUMP, PUMP_IP, ROUTER, ROUTER_IP, Ward, sees

from wardwatch.model.device import Trait

MEASURE = "segmentation_in_use"
WEEK = 7 * 24.0


def week(hours=WEEK, policy=True, **counts) -> Ward:
    ward = Ward().hears(hours, **counts).pump(hours=hours)
    if policy:
        ward.zone().peer()
    return ward.tcp(PUMP_IP, MDS_IP, 1588, orig_mac=PUMP, resp_mac=ROUTER)


def test_a_week_of_permitted_peers_holds() -> None:
    verdict = week().verdict(MEASURE)
    assert sees(verdict) == ("holds", "")
    assert verdict.confirmed_by


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        ({"hours": WEEK - 0.01}, ("not observable", "TOO_SHORT")),
        ({"policy": False}, ("not observable", "NO_POLICY")),
        ({"tcp_both": 0}, ("not observable", "VANTAGE")),
        ({"tcp_both": 100, "tcp_one_way": 5}, ("holds", "")),
        ({"tcp_both": 100, "tcp_one_way": 6}, ("not observable", "VANTAGE")),
    ],
)
def test_each_minimum(made, expected) -> None:
    assert sees(week(**made).verdict(MEASURE)) == expected


def test_one_forbidden_syn_breaks() -> None:
    ward = week().tcp(
        "10.30.0.24", PUMP_IP, 80, resp_mac="", history="S", conn_state="S0", resp_pkts=0
    )
    assert ward.state(MEASURE) == "broken"


def syn_to_unknown_address(mac, address="fd00::41", **more) -> Ward:
    words = {"resp_mac": "", "silent_l2_addr": mac, "history": "S", "resp_pkts": 0} | more
    return week().tcp("fd00::66", address, 80, orig_mac="b8:27:eb:00:00:66", **words)


def test_a_syn_to_the_devices_own_mac_breaks_whatever_address_it_is_for() -> None:
    assert syn_to_unknown_address(PUMP).state(MEASURE) == "broken"
    answer = {"orig_mac": "", "history": "^h", "orig_pkts": 0, "silent_l2_addr": PUMP}
    assert week().tcp("fd00::41", "fd00::66", 80, **answer).state(MEASURE) == "broken"


def test_what_was_for_a_router_is_not_taken_for_the_devices() -> None:
    assert syn_to_unknown_address(ROUTER).state(MEASURE) == "holds"
    assert syn_to_unknown_address("").state(MEASURE) == "holds"
    ward = syn_to_unknown_address(PUMP)
    forwards = Trait("router-forwards", "it forwards", 0.1, "", ())
    ward.devices[0] = structs.replace(ward.devices[0], traits=(forwards,))
    assert ward.state(MEASURE) == "holds"


def test_a_groups_frame_handed_to_one_mac_is_no_contact() -> None:
    assert syn_to_unknown_address(PUMP, "224.0.0.251", proto="udp").state(MEASURE) == "holds"


def test_a_permitted_peer_on_another_port_is_forbidden() -> None:
    assert week().tcp(PUMP_IP, MDS_IP, 445, orig_mac=PUMP).state(MEASURE) == "broken"


def test_a_peer_on_the_internet_breaks_even_without_a_list() -> None:
    ward = week(policy=False).tcp(PUMP_IP, "8.8.8.8", 443, orig_mac=PUMP)
    assert ward.state(MEASURE) == "broken"


@pytest.mark.parametrize(
    "harmless",
    [
        lambda w: w.tcp(PUMP_IP, "224.0.0.251", 5353, proto="udp"),
        lambda w: w.tcp(PUMP_IP, "10.120.0.255", 137, proto="udp"),
        lambda w: w.scanner("10.30.0.77").tcp("10.30.0.77", PUMP_IP, 23),
        lambda w: w.server("dns", "10.30.0.6").tcp(PUMP_IP, "10.30.0.6", 53, proto="udp"),
        lambda w: w.server("router", ROUTER_IP).tcp(ROUTER_IP, PUMP_IP, 13, proto="icmp"),
        # seen outside only: it did not reach the device's side
        lambda w: w.tcp("10.30.0.24", PUMP_IP, 80, segment=LAN, resp_mac=ROUTER),
        # both sides in one segment, of a mirror without tags: it bears the router's MAC
        lambda w: w.tcp("10.30.0.24", PUMP_IP, 80, resp_mac=ROUTER),
        lambda w: w.tcp("10.120.0.66", PUMP_IP, 68, proto="udp"),
    ],
)
def test_what_is_no_forbidden_peer(harmless) -> None:
    assert harmless(week()).state(MEASURE) == "holds"


def test_an_unconfirmed_scanner_is_a_stranger() -> None:
    ward = week().scanner("10.30.0.77", confirmed_on="").tcp("10.30.0.77", PUMP_IP, 23)
    assert ward.state(MEASURE) == "broken"
