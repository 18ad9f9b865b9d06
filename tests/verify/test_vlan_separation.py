"""VLAN separation: needs, minimums, traps."""

import pytest
from tests.decode.kernels.packets import ether, ipv4, tag, tcp, udp
from tests.verify.ward import DAY_S, DESK, PUMP, ROUTER, Ward, sees

from wardwatch.capture.write import PcapWriter
from wardwatch.model.device import LEFT_OUT, Confidence, Device, Identity
from wardwatch.model.values import NS
from wardwatch.watch import audit

MEASURE = "vlan_separation"
OTHER = "00:1b:78:30:00:60"


def day(hours=25.0, zoned=True, **counts) -> Ward:
    ward = Ward().hears(hours, **counts).pump(hours=hours)
    if zoned:
        ward.zone()
    ward.device(DESK, kind="workstation").present(DESK, 0, 900)
    return ward.device(ROUTER, kind="network").present(ROUTER, 0, 900)


def with_kind(kind: str, confidence=Confidence.PROBABLE) -> Ward:
    return day().device(OTHER, kind=kind, confidence=confidence).present(OTHER, 60, 120)


def test_permitted_classes_for_a_day_hold() -> None:
    assert sees(day().verdict(MEASURE)) == ("holds", "")


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        ({"hours": 24.0}, ("holds", "")),
        ({"hours": 23.99}, ("not observable", "TOO_SHORT")),
        ({"broadcasts": 0}, ("not observable", "VANTAGE")),
        ({"zoned": False}, ("not observable", "NO_POLICY")),
    ],
)
def test_each_minimum(made, expected) -> None:
    assert sees(day(**made).verdict(MEASURE)) == expected


def test_another_class_breaks_and_is_named() -> None:
    verdict = with_kind("printer").verdict(MEASURE)
    assert verdict.state.value == "broken"
    assert "printer" in verdict.statement
    assert verdict.evidence


@pytest.mark.parametrize("kind", ["network", "gateway", "switch", "access point", "phone"])
def test_infrastructure_and_phones_may_be_anywhere(kind: str) -> None:
    assert with_kind(kind).state(MEASURE) == "holds"


def test_a_weak_hint_of_another_class_neither_breaks_nor_lets_it_hold() -> None:
    assert with_kind("printer", Confidence.POSSIBLE).state(MEASURE) == "not observable"
    assert with_kind("").state(MEASURE) == "not observable"


def test_stations_that_the_inventory_left_out_are_not_identified() -> None:
    ward = day()
    more = Device(id=LEFT_OUT, identity=Identity(), confidence=Confidence.UNKNOWN, packets=7)
    ward.devices.append(more)
    verdict = ward.verdict(MEASURE)
    assert sees(verdict) == ("not observable", "VANTAGE")
    assert "7 are not" in verdict.statement


def test_a_confirmed_server_may_stand_in_it() -> None:
    ward = with_kind("server").server("dhcp", "10.120.0.5", macs=(OTHER,))
    assert ward.state(MEASURE) == "holds"


def reached(
    by=OTHER, segment="vlan 1 vlan 120", received=0, place="vlan 120", tcp_both=0, tcp_one_way=0
):
    """What is said of the pumps' VLAN where frames with two tags are heard beside it."""
    ward = day().hears(segment=segment, tcp_both=tcp_both, tcp_one_way=tcp_one_way)
    ward.present(by, 9, 9, segment=segment, received=received)
    found = next(v for v in ward.verdicts(MEASURE) if v.subject == place)
    return found, ward.last_packet


def test_two_tags_that_reach_into_it_break_and_are_cited() -> None:
    verdict, packet = reached()
    assert sees(verdict) == ("broken", "")
    assert [e.packet for e in verdict.evidence] == [packet]
    assert "two tags" in verdict.statement


@pytest.mark.parametrize("segment", ["vlan 1 vlan 120@trunk", "vlan 4095 vlan 120"])
def test_two_tags_break_whatever_the_interface_and_the_outer_vlan(segment: str) -> None:
    assert sees(reached(segment=segment)[0]) == ("broken", "")


@pytest.mark.parametrize(
    "segment",
    [
        "s-vlan 9 vlan 120",  # a provider's tag: no switch of VLANs takes it off for the inner one
        "vlan 1 vlan 121",
        "vlan 120 vlan 120",
        "vlan 120 vlan 1",
        "vxlan 5 vlan 1 vlan 120",
    ],
)
def test_two_tags_that_do_not_reach_into_it_say_nothing(segment: str) -> None:
    assert sees(reached(segment=segment)[0]) == ("holds", "")


def test_a_switch_may_put_a_second_tag_on_and_a_phone_may_not() -> None:
    assert sees(reached(by=ROUTER)[0]) == ("holds", "")
    ward = with_kind("phone").hears(segment="vlan 1 vlan 120", tcp_both=0)
    ward.present(OTHER, 9, 9, segment="vlan 1 vlan 120", received=0)
    assert next(v for v in ward.verdicts(MEASURE) if v.subject == "vlan 120").state.value == (
        "broken"
    )


@pytest.mark.parametrize("answered", [{"received": 1}, {"tcp_both": 1}, {"tcp_one_way": 1}])
def test_answers_with_the_same_two_tags_are_a_tunnel_in_which_nothing_can_be_told(answered) -> None:
    verdict, _ = reached(**answered)
    assert sees(verdict) == ("not observable", "VANTAGE")
    assert "vlan 1 vlan 120" in verdict.statement


def test_a_tunnel_of_another_outer_vlan_hides_no_frame_that_hops() -> None:
    ward = day()
    for segment, received in (("vlan 9 vlan 120", 5), ("vlan 1 vlan 120", 0)):
        ward.hears(segment=segment, tcp_both=received)
        ward.present(OTHER, 9, 9, segment=segment, received=received)
    hopped = ward.last_packet
    verdict = next(v for v in ward.verdicts(MEASURE) if v.subject == "vlan 120")
    assert sees(verdict) == ("broken", "")
    assert [e.packet for e in verdict.evidence] == [hopped]


@pytest.mark.parametrize("segment", ["s-vlan 9 vlan 120", "vlan 9 vlan 120"])
def test_pumps_in_a_tunnel_of_vlans_are_judged_by_the_rules_of_their_own(segment: str) -> None:
    ward = Ward().zone().hears(segment=segment)
    ward.device("00:1a:01:00:00:41", segments=(segment,))
    ward.present("00:1a:01:00:00:41", 0, 90, segment=segment)
    assert [(v.subject, *sees(v)) for v in ward.verdicts(MEASURE)] == [(segment, "holds", "")]
    ward.device(OTHER, kind="printer").present(OTHER, 60, 120, segment=segment)
    assert ward.state(MEASURE) == "broken"


HOPPER = bytes.fromhex("b827eb000069")
PUMP_MAC = bytes.fromhex(PUMP.replace(":", ""))
SYN = ipv4(6, tcp(40000, 21, flags=2))
ANSWER = ipv4(6, tcp(21, 40000, flags=0x12), src=0x0A000002, dst=0x0A000001)

OWN_ANSWER = ether(0x8100, tag(120, 0x0800, ANSWER), HOPPER, PUMP_MAC)
"""What the pump says to a frame that hopped stays in its own VLAN."""


def stacked(outer: int, kind: int = 0x8100, body: bytes = SYN, *, back: bool = False) -> bytes:
    """The octets of a frame to the pump with a tag around that of its VLAN, or ``back`` from it."""
    inside = tag(outer, 0x8100, tag(120, 0x0800, body))
    ends = (HOPPER, PUMP_MAC) if back else (PUMP_MAC, HOPPER)
    return ether(kind, inside, *ends)


@pytest.mark.parametrize(
    ("frames", "expected", "packets"),
    [
        ([], ("not observable", "NO_POLICY"), []),
        ([stacked(1)], ("broken", ""), [3]),
        ([stacked(1, body=ipv4(17, udp(9, 9, b"A" * 40)))], ("broken", ""), [3]),
        ([stacked(0)], ("not observable", "VANTAGE"), []),  # a station of VLAN 120, unidentified
        ([stacked(9, 0x88A8)], ("not observable", "NO_POLICY"), []),
        ([stacked(1), stacked(1, body=ANSWER, back=True)], ("not observable", "VANTAGE"), []),
        ([stacked(1), OWN_ANSWER], ("broken", ""), [3]),
        ([stacked(1, body=ipv4(6, tcp(40000, 21, b"x")))], ("not observable", "VANTAGE"), []),
        (
            [stacked(9), stacked(9, body=ANSWER, back=True), stacked(1)],
            ("broken", ""),
            [5],
        ),
    ],
)
def test_from_octets_to_the_verdict(frames, expected, packets, tmp_path) -> None:
    """Two frames of the pump with one tag, then what is played, through the whole audit."""
    path = tmp_path / "trunk.pcap"
    own = ether(0x8100, tag(120, 0x0800, ipv4(17, udp(68, 67, b""))), b"\xff" * 6, PUMP_MAC)
    with PcapWriter(path) as file:
        for n, frame in enumerate([own, own, *frames]):
            file.packet(DAY_S * NS + n * NS, frame)
    found = {v.subject: v for v in audit([path]).verdicts if v.measure == MEASURE}
    verdict = found["vlan 120"]
    assert sees(verdict) == expected
    assert [e.packet for e in verdict.evidence] == packets


def test_dtp_from_an_edge_breaks_and_from_a_switch_does_not() -> None:
    def dtp(mac: str) -> str:
        return (
            day().add("control", 9, segment="untagged", protocol="dtp", src_mac=mac).state(MEASURE)
        )

    assert dtp(DESK) == "broken"
    assert dtp(ROUTER) == "holds"
    assert dtp("00:99:99:99:99:99") == "holds"


@pytest.mark.parametrize("segment", ["untagged", "untagged@trunk", "wlan", "capwap vlan 120"])
def test_without_tags_it_cannot_be_told(segment: str) -> None:
    ward = Ward().zone(segments=(segment,)).hears(segment=segment)
    ward.device("00:1a:01:00:00:41", segments=(segment,))
    ward.device(OTHER, kind="printer", segments=(segment,)).present(OTHER, 0, 9, segment=segment)
    assert sees(ward.verdict(MEASURE)) == ("not observable", "VANTAGE")
