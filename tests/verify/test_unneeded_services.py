"""No unneeded services: needs per port, minimums, traps."""

import pytest
from tests.verify.ward import LAN, PUMP, PUMP_IP, ROUTER, Ward, sees

MEASURE = "unneeded_services"
PORTS = (20, 21, 23, 2200)
SCANNER = "10.30.0.77"


def tried(ports=PORTS, history="Sr", zoned=True, **more) -> Ward:
    ward = Ward().hears().pump()
    if zoned:
        ward.zone()
    for port in ports:
        ward.tcp(SCANNER, PUMP_IP, port, history=history, **more)
    return ward


def test_a_refusal_on_every_port_holds() -> None:
    verdict = tried().verdict(MEASURE)
    assert sees(verdict) == ("holds", "")
    assert len(verdict.evidence) == 4


@pytest.mark.parametrize("port", PORTS)
def test_a_port_nobody_tried_is_not_observable(port: int) -> None:
    verdict = tried(tuple(p for p in PORTS if p != port)).verdict(MEASURE)
    assert sees(verdict) == ("not observable", "NO_STIMULUS")
    assert f"port {port} " in verdict.statement


@pytest.mark.parametrize("port", PORTS)
def test_a_syn_ack_breaks(port: int) -> None:
    assert tried().tcp(SCANNER, PUMP_IP, port, history="ShR").state(MEASURE) == "broken"


def test_a_banner_breaks_also_from_behind_a_router() -> None:
    row = {"server": PUMP_IP, "server_port": 21, "server_mac": ROUTER, "protocol": "ftp"}
    assert tried().add("banners", 5, **row).state(MEASURE) == "broken"


def test_port_3210_is_open_by_design() -> None:
    assert tried().tcp(SCANNER, PUMP_IP, 3210).state(MEASURE) == "holds"


def test_a_syn_proxy_in_front_of_the_device_is_not_the_device() -> None:
    ward = tried().tcp(SCANNER, PUMP_IP, 21, segment=LAN, resp_mac=ROUTER, history="ShA")
    assert ward.state(MEASURE) == "holds"


@pytest.mark.parametrize(("syns", "state"), [(2, "not observable"), (3, "holds")])
def test_silence_needs_three_syns(syns: int, state: str) -> None:
    ward = tried(history="S", resp_pkts=0, orig_pkts=syns, resp_mac="")
    assert ward.state(MEASURE) == state


@pytest.mark.parametrize(("mac", "state"), [(PUMP, "holds"), (ROUTER, "not observable")])
def test_what_bears_a_routers_mac_may_have_been_stopped_there(mac: str, state: str) -> None:
    silent = {"history": "S", "resp_pkts": 0, "orig_pkts": 3, "resp_mac": ""}
    assert tried(**silent, silent_l2_addr=mac).state(MEASURE) == state


@pytest.mark.parametrize(("away", "state"), [(60, "holds"), (61, "not observable")])
def test_silence_needs_the_device_alive_nearby(away: int, state: str) -> None:
    ward = Ward().hears().zone().device(PUMP, PUMP_IP).present(PUMP, 0, 300 - away)
    for port in PORTS:
        ward.tcp(SCANNER, PUMP_IP, port, at=300, history="S", resp_pkts=0, orig_pkts=3, resp_mac="")
    assert ward.state(MEASURE) == state


def test_silence_outside_proves_nothing_of_the_inside() -> None:
    ward = tried(history="S", resp_pkts=0, orig_pkts=3, resp_mac="", segment=LAN)
    assert ward.state(MEASURE) == "not observable"


def test_it_holds_in_a_confirmed_zone_only() -> None:
    assert sees(tried(zoned=False).verdict(MEASURE)) == ("not observable", "NO_POLICY")


def test_a_reused_address_is_another_device() -> None:
    ward = tried().tcp(SCANNER, PUMP_IP, 21, resp_mac="00:50:56:00:00:09")
    assert PUMP not in "00:50:56:00:00:09"
    assert ward.state(MEASURE) == "holds"
