"""VLAN separation: needs, minimums, traps."""

import pytest
from tests.verify.ward import DESK, ROUTER, Ward, sees

from wardwatch.model.device import LEFT_OUT, Confidence, Device, Identity

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


def test_two_tags_that_reach_into_it_break() -> None:
    ward = day().hears(segment="vlan 1 vlan 120").present(OTHER, 9, 9, segment="vlan 1 vlan 120")
    assert (
        next(v for v in ward.verdicts(MEASURE) if v.subject == "vlan 120").state.value == "broken"
    )


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
