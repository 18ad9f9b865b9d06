"""Who stands on the ward, and what the hospital states of it."""

import csv
import tomllib
from datetime import datetime

import msgspec
import pytest
from tests.twin.days import day

from wardwatch.model.site import Site
from wardwatch.twin.cast import list_csv, site_toml, stations
from wardwatch.twin.ward import profiles


def site(lapsed=False):
    played = day(False)
    text = site_toml(played.ward, played.plan.start, played.pki, lapsed=lapsed)
    return msgspec.convert(tomllib.loads(text), Site)


def test_no_two_machines_share_a_mac_or_an_address():
    machines = [s for s in stations(7) if s.kind != "gateway"]
    assert len({s.mac for s in machines}) == len(machines)
    addresses = [s.ip for s in machines if any(s.ip)]
    assert len(set(addresses)) == len(addresses)


def test_makers_prefixes_stay_whatever_the_seed():
    for one, other in zip(stations(1), stations(2), strict=True):
        assert one.mac[:3] == other.mac[:3]
        assert one.name == other.name
    assert [s.mac for s in stations(1)] != [s.mac for s in stations(2)]


def test_pumps_have_a_profile_and_several_versions_and_makers():
    kinds = [profiles()[s.profile] for s in stations(7) if s.kind == "infusion pump"]
    assert {"1.1.2", "1.5.0", "1.6.0", "1.6.1"} <= {k.version for k in kinds}
    assert len({k.manufacturer for k in kinds}) == 3


def test_every_line_of_the_site_is_confirmed_before_the_day():
    stated = site()
    lines = [
        *stated.zone, *stated.server, *stated.peer, *stated.scanner, *stated.attestation, *stated.root
    ]  # fmt: skip
    assert len(lines) > 20
    start = datetime.fromisoformat(day(False).plan.start)
    for line in lines:
        assert line.confirmed
        assert datetime.fromisoformat(f"{line.confirmed_on}T00:00:00+00:00") < start


@pytest.mark.parametrize(("lapsed", "stands"), [(False, 3), (True, 1)])
def test_attestations_stand_or_have_lapsed(lapsed, stands):
    end = day(False).plan.start[:10]
    assert sum(a.expires_on > end for a in site(lapsed).attestation) == stands


def test_the_list_names_every_pump_once():
    rows = list(csv.DictReader(list_csv(day(False).ward).splitlines()))
    pumps = [s for s in stations(7) if s.kind == "infusion pump"]
    assert [row["mac"] for row in rows] == [pump.mac_text for pump in pumps]
    assert len({row["serial"] for row in rows}) == len(rows)
