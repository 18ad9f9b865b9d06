"""Cuts: what is taken away is never called a thing that holds."""

from functools import cache

import dpkt
import pytest
from tests.twin.days import day

from wardwatch.twin.cuts import CUTS, SNAP
from wardwatch.twin.truth import BROKEN, HOLDS, NOT_OBSERVABLE, truth

BY_NAME = {cut.name: cut for cut in CUTS}


@cache
def left(name, attacked=False):
    return BY_NAME[name].truth(day(attacked))


@cache
def whole(attacked):
    played = day(attacked)
    return states(truth(played.frames, played, lapsed=attacked))


def states(table):
    return {(r.measure, r.subject): r.states for r in table.verdicts}


@pytest.mark.parametrize("attacked", [True, False])
@pytest.mark.parametrize("cut", CUTS, ids=lambda cut: cut.name)
def test_a_cut_makes_nothing_hold_that_did_not(cut, attacked):
    now_said = states(left(cut.name, attacked))
    changed = 0
    for key, now in now_said.items():
        if HOLDS in now:
            assert HOLDS in whole(attacked)[key], key
        changed += now != whole(attacked).get(key)
    assert changed or len(now_said) < len(whole(attacked))


@pytest.mark.parametrize(
    ("name", "gone"),
    [
        ("no-server-vlan", {"segmentation_enforced"}),
        (
            "one-direction",
            {"static_address", "no_rogue_dhcp", "no_rogue_dns", "no_rogue_router",
             "no_arp_impersonation", "segmentation_enforced", "certificate_validation",
             "unneeded_services"},
        ),
        (
            "no-broadcasts",
            {"static_address", "no_rogue_dhcp", "no_arp_impersonation", "vlan_separation"},
        ),
        ("early-end", {"no_rogue_dhcp", "no_rogue_dns", "no_arp_impersonation", "vlan_separation"}),
        ("snap-96", {"static_address", "no_rogue_dhcp", "vlan_separation", "certificate_validation"}),
    ],
)  # fmt: skip
def test_what_was_cut_away_is_not_observable(name, gone):
    before = whole(attacked=False)
    after = states(left(name))
    lost = {
        key[0]
        for key, was in before.items()
        if was == (HOLDS,) and after.get(key) == (NOT_OBSERVABLE,)
    }
    assert lost == gone


def test_a_ward_that_is_not_mirrored_shows_by_its_addresses_behind_the_router_only():
    said = states(left("no-client-vlan"))
    pump = day(False).ward.stations["nicu-1"]
    assert said["static_address", f"dev-ip-{pump.address}"] == (NOT_OBSERVABLE,)
    assert not [key for key in said if key[1] == pump.device]
    # the one that is in the store speaks nowhere
    assert said["static_address", "list-15"] == (NOT_OBSERVABLE,)
    assert not [key for key in said if key[1] == "vlan 121"]


def test_a_cut_breaks_nothing():
    for cut in CUTS:
        assert not [r for r in left(cut.name).verdicts if BROKEN in r.states]
        assert not left(cut.name).findings


def test_a_short_snap_length_keeps_the_length_on_the_wire(tmp_path):
    played = day(False)
    path = tmp_path / "cut.pcapng"
    BY_NAME["snap-96"].write(played, path)
    with path.open("rb") as file:
        kept = [len(raw) for _, raw in dpkt.pcapng.Reader(file)]
    assert kept == [min(len(f.data), SNAP) for f in played.frames]
    raw = path.read_bytes()
    longest = max(len(f.data) for f in played.frames)
    assert SNAP.to_bytes(4, "little") + longest.to_bytes(4, "little") in raw
