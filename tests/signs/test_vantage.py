"""Vantage: several captures of a segment are one place."""

from tests.verify.ward import HOUR, Ward

from wardwatch.model.values import NS, Span
from wardwatch.signs.vantage import device_segments, merged, vantages


def test_spans_bridge_what_is_near_and_keep_what_is_far() -> None:
    assert merged([[10, 20], [0, 5], [15, 30]], 0) == (Span(0, 5), Span(10, 30))
    assert merged([[0, 1 * NS], [3 * NS, 4 * NS]], 2.0) == (Span(0, 4 * NS),)
    assert merged([[0, 1 * NS], [3 * NS + 1, 4 * NS]], 2.0) == (
        Span(0, NS),
        Span(3 * NS + 1, 4 * NS),
    )


def test_counts_add_up_and_spans_are_told_apart() -> None:
    ward = Ward().hears(2).hears(5, start=10 * HOUR, cut_packets=3)
    place = vantages(ward.scene(), 60.0)["vlan 120"]
    assert place.broadcasts == 100
    assert place.cut_packets == 3
    assert place.longest.seconds == 5 * HOUR
    assert place.listened_s == 7 * HOUR
    assert place.whole.seconds == 15 * HOUR


def test_what_was_not_counted_counts_as_none() -> None:
    place = vantages(Ward().hears(broadcasts=-1).scene(), 60.0)["vlan 120"]
    assert place.broadcasts == 0


def test_segments_of_medical_devices_or_all() -> None:
    ward = Ward().hears().hears(segment="vlan 30").device("aa", kind="workstation")
    scene = ward.scene()
    assert device_segments(scene, vantages(scene, 0)) == ["vlan 120", "vlan 30"]
    scene = ward.pump().scene()
    assert device_segments(scene, vantages(scene, 0)) == ["vlan 120"]
