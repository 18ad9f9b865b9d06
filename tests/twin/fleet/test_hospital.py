"""The fleet's pumps: whose they are, how many of each, and what cannot be asked."""

import numpy as np
import pytest

from wardwatch.errors import UsageError
from wardwatch.twin.fleet.hospital import FleetPlan, fleet, hospital, shares


@pytest.mark.parametrize("pumps", [1, 50, 500, 4_000, 20_000])
def test_f1_every_size_has_pumps_that_all_differ(pumps):
    made = fleet(FleetPlan(pumps=pumps))
    assert made.pumps == pumps
    assert len(np.unique(made.mac, axis=0)) == len(np.unique(made.ip, axis=0)) == pumps
    # Each in its VLAN, with a host number that is neither the router's nor a broadcast.
    assert (made.ip[:, 1] == made.vlan).all()
    host = made.ip[:, 2].astype(int) << 8 | made.ip[:, 3]
    assert host.min() >= 16
    assert host.max() < 4095


def test_f10_makers_and_versions_come_by_their_shares():
    made = fleet(FleetPlan(pumps=500))
    classes = hospital().classes
    counts = np.bincount(made.kind, minlength=len(classes))
    assert [abs(n - 500 * c.share) < 1 for n, c in zip(counts, classes, strict=True)] == [True] * 7
    makers = {classes[kind].told.manufacturer for kind in made.kind}
    assert len(makers) >= 3
    assert len({classes[kind].profile for kind in made.kind}) >= 3
    of_one = {c.version for c in classes if c.told.manufacturer == "Smiths Medical"}
    assert of_one == {"1.1.2", "1.5.0", "1.6.0", "1.6.1", "1.6.5"}
    for pump in range(500):
        prefixes = classes[made.kind[pump]].prefixes
        assert made.mac_text(pump).startswith(prefixes), pump
    assert len({made.mac[n, :3].tobytes() for n in range(500)}) == 4
    # A class with two prefixes has pumps of both; a prefix of 28 bits leaves 20 to the pump.
    of_two = next(n for n, c in enumerate(classes) if len(c.prefixes) == 2)
    heads = [made.mac_text(n)[:10] for n in np.flatnonzero(made.kind == of_two)]
    assert sum(head.startswith("cc:4f:5c:7") for head in heads) == len(heads) // 2


def test_f10_a_handful_of_pumps_is_mixed_as_well():
    made = fleet(FleetPlan(pumps=50))
    assert (np.bincount(made.kind, minlength=7) > 0).all()


def test_shares_of_a_whole_add_up_to_it():
    for whole in (0, 1, 7, 93, 20_000):
        assert shares([0.17, 0.06, 0.12, 0.15, 0.1, 0.22, 0.18], whole).sum() == whole
    assert list(shares([0.5, 0.5], 3)) == [2, 1]


def test_pumps_ask_for_addresses_by_the_share_that_is_asked():
    assert fleet(FleetPlan(pumps=200, dhcp_share=0.25)).dhcp.sum() == 50
    assert fleet(FleetPlan(pumps=200)).dhcp.sum() == 80


def test_another_seed_is_another_fleet():
    one, same, other = (fleet(FleetPlan(pumps=50, seed=seed)) for seed in (1, 1, 2))
    assert (one.mac == same.mac).all()
    assert (one.area == same.area).all()
    assert not (one.mac == other.mac).all()


def test_every_figure_says_where_it_is_from():
    home = hospital()
    figures = [*home.figure.values(), *(f for mix in home.mix.values() for f in mix.values())]
    assert {f.mark for f in figures} <= set("PDKA")
    assert all(f.source for f in figures if f.mark in "PD")
    for mix in home.mix.values():
        assert sum(f.value for f in mix.values()) == pytest.approx(1)
    assert sum(c.share for c in home.classes) == pytest.approx(1)


@pytest.mark.parametrize(
    "asked",
    [
        {"pumps": 0}, {"pumps": 20_001}, {"seed": -1}, {"hours": 0}, {"hours": 745},
        {"report_s": 4}, {"report_s": 86_401}, {"dhcp_share": 1.1}, {"cut_at_h": 2},
        {"cut_pumps": 0}, {"start": "noon"}, {"start": "2026-11-16T06:00:00"},
        {"start": "1969-01-01T00:00:00+00:00"}, {"hours": float("nan")},
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_played_is_refused_in_one_line(asked):
    with pytest.raises(UsageError, match=f"^{next(iter(asked))} .* of a fleet: it ") as told:
        FleetPlan(**asked)
    assert "\n" not in str(told.value)
