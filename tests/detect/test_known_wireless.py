"""The fixed wireless network: bait and exposed, and bystanders."""

import pytest
from tests.verify.ward import ALL, PUMP, ROGUE, Ward

from wardwatch.detect.known_wireless import SSID

TECHNIQUE = "known_wireless"


def air(subtype: int, who: str, ssid: str = SSID, **more) -> Ward:
    return (
        Ward()
        .pump()
        .add("wifi", 5, subtype=subtype, transmitter=who, receiver=ALL, ssid=ssid, **more)
    )


@pytest.mark.parametrize("subtype", [5, 8])
def test_an_access_point_that_offers_it_is_bait(subtype: int) -> None:
    (found,) = air(subtype, ROGUE).findings(TECHNIQUE)
    assert (found.variant, found.actor, found.segment) == ("bait", ROGUE, "wlan")


@pytest.mark.parametrize("subtype", [0, 2, 4])
def test_a_station_that_asks_for_it_is_exposed(subtype: int) -> None:
    (found,) = air(subtype, PUMP).findings(TECHNIQUE)
    assert (found.variant, found.actor) == ("exposed", "")
    assert found.targets == ("dev-001a01000041",)


def test_both_are_two_findings() -> None:
    ward = air(8, ROGUE).add("wifi", 6, subtype=4, transmitter=PUMP, ssid=SSID)
    assert {f.variant for f in ward.findings(TECHNIQUE)} == {"bait", "exposed"}


@pytest.mark.parametrize("ssid", ["", SSID[:-1], SSID.lower(), SSID + "x", "clinic"])
def test_any_other_name_is_a_bystander(ssid: str) -> None:
    assert air(8, ROGUE, ssid).findings(TECHNIQUE) == []
    assert air(4, PUMP, ssid).findings(TECHNIQUE) == []


def test_an_xid_frame_alone_is_nothing() -> None:
    assert air(32, ROGUE, "", xid_broadcast=True).findings(TECHNIQUE) == []
