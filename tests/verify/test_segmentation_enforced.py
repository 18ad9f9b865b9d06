"""Segmentation enforced: nobody tried is still silence."""

import pytest
from tests.verify.ward import LAN, MDS_IP, PUMP, PUMP_IP, ROUTER, Ward, sees

MEASURE = "segmentation_enforced"
INTRUDER = "10.30.0.24"


def day(policy=True) -> Ward:
    ward = Ward().hears().hears(segment=LAN).pump()
    if policy:
        ward.zone().peer()
    return ward.tcp(PUMP_IP, MDS_IP, 1588, orig_mac=PUMP, resp_mac=ROUTER)


def tries(ward: Ward, segment=LAN) -> Ward:
    return ward.tcp(INTRUDER, PUMP_IP, 80, segment=segment, resp_mac="", history="S", resp_pkts=0)


def refuses(ward: Ward, code=13, **more) -> Ward:
    row = {"src": "10.30.0.1", "dst": INTRUDER, "code": code, "quoted_src": INTRUDER}
    row |= {"quoted_dst": PUMP_IP, "quoted_dst_port": 443, "quoted_proto": "tcp"}
    return ward.add("unreachables", 500, segment=LAN, **(row | more))


def test_nobody_tried() -> None:
    assert sees(day().verdict(MEASURE)) == ("not observable", "NO_STIMULUS")


def test_an_attempt_outside_and_absent_inside_holds() -> None:
    verdict = tries(day()).verdict(MEASURE)
    assert sees(verdict) == ("holds", "")
    assert verdict.evidence


@pytest.mark.parametrize(
    ("code", "state"),
    [(9, "holds"), (10, "holds"), (13, "holds"), (1, "not observable"), (3, "not observable")],
)
def test_prohibitions_hold_and_other_unreachables_do_not(code: int, state: str) -> None:
    assert refuses(day(), code).state(MEASURE) == state


def test_a_refusal_of_a_permitted_peer_proves_nothing() -> None:
    ward = refuses(day(), quoted_src=MDS_IP, quoted_dst_port=1588)
    assert ward.state(MEASURE) == "not observable"


@pytest.mark.parametrize(("needed", "state"), [(1, "holds"), (2, "not observable")])
def test_the_minimum_of_attempts(needed: int, state: str) -> None:
    assert tries(day()).state(MEASURE, attempts=needed) == state


def test_an_attempt_that_arrives_breaks() -> None:
    assert tries(tries(day()), "vlan 120").state(MEASURE) == "broken"


def test_what_bears_the_devices_mac_arrived_whichever_port_of_a_tap_heard_it() -> None:
    # of a tap with a port for each direction: what is sent to the device is another interface's
    ward = day()
    row = {"resp_mac": "", "history": "S", "resp_pkts": 0, "segment": "vlan 120@1"}
    assert ward.tcp(INTRUDER, PUMP_IP, 80, silent_l2_addr=PUMP, **row).state(MEASURE) == "broken"
    ward = day().tcp(INTRUDER, PUMP_IP, 80, segment="vlan 120@1", resp_mac=PUMP)
    assert ward.state(MEASURE) == "broken"


def test_what_bears_the_routers_mac_did_not_arrive_though_a_mirror_without_tags_shows_it_there() -> (
    None
):
    row = {"segment": "vlan 120", "resp_mac": "", "history": "S", "resp_pkts": 0}
    ward = day().tcp(INTRUDER, PUMP_IP, 80, silent_l2_addr=ROUTER, **row)
    assert sees(ward.verdict(MEASURE)) == ("not observable", "VANTAGE")
    assert ward.tcp(INTRUDER, PUMP_IP, 81, silent_l2_addr=PUMP, **row).state(MEASURE) == "broken"


@pytest.mark.parametrize("segment", ["vlan 120@1", "vxlan 5 vlan 120"])
def test_with_one_tag_on_both_sides_it_cannot_be_told_whether_an_attempt_arrived(
    segment: str,
) -> None:
    ward = tries(day(), segment)
    verdict = ward.verdict(MEASURE)
    assert sees(verdict) == ("not observable", "VANTAGE")
    assert "got 1 with the same" in verdict.statement
    assert refuses(ward).state(MEASURE) == "holds"
    assert tries(tries(day(), segment), LAN).state(MEASURE) == "holds"


def test_a_forbidden_way_out_breaks_only_where_it_was_answered() -> None:
    out = day().tcp(PUMP_IP, "10.99.0.1", 80, orig_mac=PUMP, resp_pkts=0, history="S")
    assert out.state(MEASURE) == "not observable"
    out = day().tcp(PUMP_IP, "10.99.0.1", 80, orig_mac=PUMP)
    assert out.state(MEASURE) == "broken"


def test_without_a_policy_nothing_is_forbidden() -> None:
    assert sees(tries(day(policy=False)).verdict(MEASURE)) == ("not observable", "NO_POLICY")


def test_one_direction_cannot_show_what_is_absent() -> None:
    ward = Ward().hears().hears(segment=LAN).pump().zone().peer()
    ward.tcp(PUMP_IP, MDS_IP, 1588, orig_mac=PUMP, resp_mac="", resp_pkts=0)
    assert sees(tries(ward).verdict(MEASURE)) == ("not observable", "VANTAGE")
