"""The truth table: complete, and strict both ways."""

from functools import cache

import msgspec
import pytest
from tests.twin.days import day

from wardwatch.model.judgement import MEASURES, TECHNIQUES
from wardwatch.twin.scenario import load, play
from wardwatch.twin.truth import (
    BROKEN,
    HOLDS,
    NOT_OBSERVABLE,
    ExpectedFinding,
    ExpectedVerdict,
    Truth,
    differences,
    score,
    truth,
    without_site,
)

TABLE = Truth(
    (
        ExpectedVerdict("static_address", "dev-1", (HOLDS,), "because"),
        ExpectedVerdict("no_rogue_dhcp", "vlan 120", (BROKEN,), "because"),
    ),
    (ExpectedFinding("telnet", ("00:01",), "vlan 120", ("login",), "", "because", "x"),),
)
SAID = [("static_address", "dev-1", HOLDS), ("no_rogue_dhcp", "vlan 120@trunk", BROKEN)]
FOUND = [("telnet", "00:01 10.0.0.1", "vlan 120", "login")]


def test_a_report_that_says_the_truth_has_no_difference():
    assert differences(TABLE, SAID, FOUND) == []


@pytest.mark.parametrize(
    ("said", "found", "word"),
    [
        (SAID[1:], FOUND, "no answer"),
        ([("static_address", "dev-1", NOT_OBSERVABLE), SAID[1]], FOUND, "got not observable"),
        ([*SAID, ("static_address", "dev-2", BROKEN)], FOUND, "does not know"),
        ([*SAID, ("static_address", "dev-2", HOLDS)], FOUND, "does not know"),
        (SAID, [], "not found"),
        (SAID, FOUND * 2, "nobody did that"),
        (SAID, [("telnet", "00:02", "vlan 120", "login")], "not found"),
        (SAID, [("telnet", "00:01", "vlan 121", "login")], "not found"),
        (SAID, [("telnet", "00:01", "vlan 120", "exposed")], "not found"),
    ],
)
def test_every_departure_is_told(said, found, word):
    assert any(word in line for line in differences(TABLE, said, found))


def test_an_unknown_not_observable_is_no_departure():
    assert differences(TABLE, [*SAID, ("static_address", "x", NOT_OBSERVABLE)], FOUND) == []


def test_an_optional_finding_may_be_there_or_not():
    may = msgspec.structs.replace(TABLE.findings[0], optional=True)
    table = Truth((), (may,))
    assert differences(table, [], FOUND) == []
    assert differences(table, [], []) == []


def test_a_report_as_json_is_scored_the_same_way():
    report = {
        "verdicts": [
            {"measure": m, "subject": s, "state": state, "more": 1} for m, s, state in SAID
        ],
        "findings": [
            {"technique": t, "actor": a, "segment": s, "variant": v} for t, a, s, v in FOUND
        ],
    }
    assert score(TABLE, report) == []


@cache
def of(attacked):
    played = day(attacked)
    return truth(played.frames, played, lapsed=attacked)


def test_every_measure_is_judged_and_broken_once_in_the_attacked_day():
    rows = of(True).verdicts
    assert {row.measure for row in rows} == {m.id for m in MEASURES}
    assert {row.measure for row in rows if row.states == (BROKEN,)} == {m.id for m in MEASURES}


def test_every_technique_is_used_and_every_cve_found():
    found = of(True).findings
    assert {f.technique for f in found} == {t.id for t in TECHNIQUES}
    assert {f.cve for f in found if f.cve} == {t.cve for t in TECHNIQUES if t.cve}
    assert len({t.cve for t in TECHNIQUES if t.cve}) == 8


def test_the_clean_day_breaks_nothing_and_holds_what_a_day_can_show():
    table = of(False)
    assert not table.findings
    assert not [row for row in table.verdicts if BROKEN in row.states]
    held = {row.measure for row in table.verdicts if row.states == (HOLDS,)}
    assert {m.id for m in MEASURES} - held == {
        "segmentation_in_use",  # seven days
        "password_hygiene",  # never from packets
        "attested_backups",
        "attested_physical",
        "attested_passwords",
    }


def test_every_row_says_why():
    for attacked in (True, False):
        assert all(row.why for row in of(attacked).verdicts)
        assert all(row.why and row.event for row in of(attacked).findings)


def test_without_a_site_nothing_holds_and_competing_servers_are_one_finding():
    bare = without_site(of(True))
    assert not [row for row in bare.verdicts if {HOLDS, "attested"} & set(row.states)]
    broken = {row.measure for row in bare.verdicts if BROKEN in row.states}
    assert broken == {
        "static_address",
        "no_rogue_router",
        "no_arp_impersonation",
        "password_hygiene",
        "unneeded_services",
    }
    techniques = [f.technique for f in bare.findings]
    assert techniques.count("rogue_dhcp") == 1
    assert "certificate_accepted" not in techniques
    assert not without_site(of(False)).findings


def test_a_packet_less_than_a_minimum_is_not_observable():
    played = day(False)
    asked = [f for f in played.frames if f.mark.kind == "dhcp discover" and f.mark.vlan == 121]
    for drop, state in ((len(asked) - 10, HOLDS), (len(asked) - 9, NOT_OBSERVABLE)):
        dropped = set(asked[:drop])
        left = [f for f in played.frames if f not in dropped]
        (row,) = [
            r for r in truth(left, played).verdicts
            if (r.measure, r.subject) == ("no_rogue_dhcp", "vlan 121")
        ]  # fmt: skip
        assert row.states == (state,)


def test_a_quiet_week_shows_what_a_day_is_too_short_for():
    week = play(7, attacked=False, plan=load("quiet_week"))
    assert len(week.frames) < 100_000
    rows = truth(week.frames, week).verdicts
    held = {row.measure for row in rows if row.states == (HOLDS,)}
    assert "segmentation_in_use" in held
    assert not [row for row in rows if BROKEN in row.states]
