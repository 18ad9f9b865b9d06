"""The drill's verdict on the audit: seen, missed, or not observable there; nothing else counts."""

import hashlib

import msgspec
import pytest
from tests.shared import CAPTURES
from tests.twin.stands import PLAY, TAP, place, played
from typer.testing import CliRunner

from wardwatch.capture.write import PcapWriter
from wardwatch.model.judgement import State
from wardwatch.model.site import Site
from wardwatch.twin import emit
from wardwatch.twin.plays import PLAYS
from wardwatch.twin.switch import TAPS
from wardwatch.ui import drill as d
from wardwatch.ui.cli import app
from wardwatch.ui.drill import (
    MISSED,
    NOT_OBSERVABLE,
    SEEN,
    Auditor,
    clean,
    drill,
    hear,
    lent,
    seeds_of,
    time_to,
)

assert CAPTURES


@pytest.fixture(scope="module", autouse=True)
def _what_was_audited_is_known():
    """The same octets, asked with the same site and list, are audited once for all tests."""
    real, said = d.audit, {}

    def audit(captures, *, site, inventory):
        octets = [hashlib.sha256(path.read_bytes()).digest() for path in (*captures, inventory)]
        key = (*octets, msgspec.json.encode(site))
        if key not in said:
            said[key] = real(captures, site=site, inventory=inventory)
        return said[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(d, "audit", audit)
        yield


@pytest.fixture
def auditor(tmp_path):
    return Auditor(place(), tmp_path)


def outcome(heard, question):
    (cell,) = [cell for cell in heard.cells if cell.question == question]
    return cell.outcome


def test_what_passes_at_a_place_is_seen_there(auditor):
    heard = hear(played("dhcp_overflow/option 66, loses"), TAP["vlan"], auditor)
    assert {cell.outcome for cell in heard.cells} == {SEEN}
    assert heard.false == ()
    assert heard.true >= 4


@pytest.mark.parametrize(
    ("name", "tap", "question"),
    [
        ("dns_overread/through the router", "relay", "no_rogue_dns"),
        ("rogue_dns/through the router", "relay", "no_rogue_dns"),
        ("segmentation_in_use/over IPv6", "to", "segmentation_in_use"),
    ],
)
def test_a_measure_is_broken_where_the_pump_shows_by_one_address_alone(
    auditor, name, tap, question
):
    heard = hear(played(name), TAP[tap], auditor)
    assert outcome(heard, question) == SEEN
    assert heard.false == ()


def test_what_does_not_pass_is_not_observable_and_is_not_asked(auditor):
    heard = hear(played("telnet/let in"), TAP["routed"], auditor)
    assert outcome(heard, "telnet") == NOT_OBSERVABLE
    assert auditor.audits == 0
    heard = hear(played("telnet/let in"), TAP["port"], auditor)
    assert outcome(heard, "telnet") == NOT_OBSERVABLE
    assert auditor.audits == 1


def test_a_detector_that_says_nothing_has_missed_what_passed(auditor, monkeypatch):
    real = d.audit
    monkeypatch.setattr(
        d, "audit", lambda *a, **k: msgspec.structs.replace(real(*a, **k), findings=())
    )
    heard = hear(played("telnet/let in"), TAP["vlan"], auditor)
    assert outcome(heard, "telnet") == MISSED


def test_a_finding_about_somebody_else_is_a_false_alarm_and_no_detection(auditor):
    found = played("telnet/let in")
    away = msgspec.structs.replace(
        found, actor=place().ward.stations["dns"], target=place().ward.stations["icu-1"]
    )
    heard = hear(away, TAP["vlan"], auditor)
    assert outcome(heard, "telnet") == MISSED
    assert any("telnet" in line for line in heard.false)


def test_the_time_to_detection_ends_with_the_packet_that_tells(auditor):
    found = played("telnet/let in")
    timed = time_to(found, TAP["vlan"], auditor)
    banner = min(f.ts for f in found.event if f.mark.kind == "telnet banner")
    assert timed.seconds == pytest.approx((banner - found.begins) / 1e9)
    assert time_to(found, TAP["air"], auditor).seconds == -1


def test_the_clean_hour_holds_nothing_against_anybody_at_any_place(auditor, monkeypatch):
    real, found = d.audit, []
    monkeypatch.setattr(d, "audit", lambda *a, **k: found.append(real(*a, **k)) or found[-1])
    assert clean(place(), TAPS, auditor) == []
    assert auditor.audits == len(TAPS)
    monkeypatch.setattr(d, "audit", real)
    assert drill([], taps=TAPS[:3], clean_seeds=[3]).clean_audits == 3
    again = iter(found)  # the same hour at the same places, whose audits say something else
    monkeypatch.setattr(d, "audit", lambda *a, **k: broken_everywhere(next(again)))
    assert any("seed 3 at air" in line for line in clean(place(), TAPS, auditor))


def broken_everywhere(result):
    wrong = msgspec.structs.replace(result.verdicts[0], state=State.BROKEN)
    return msgspec.structs.replace(result, verdicts=(wrong,))


def test_what_is_attested_stands_on_the_clean_hour_and_is_contradicted_by_one_secret_at_two_pumps(
    auditor,
):
    def said(frames):
        result = auditor.of(frames)
        return {v.measure: v.state for v in result.verdicts if v.measure.startswith("attested")}

    clean_hour = said(place().tapped(place().base, TAP["vlan"]))
    assert set(clean_hour.values()) == {State.ATTESTED}
    struck = said(played("attested_passwords/one secret at two pumps, FTP").caught(TAP["vlan"]))
    assert struck == {**clean_hour, "attested_passwords": State.BROKEN}


def test_dtp_is_told_where_its_frames_keep_their_tag_and_pass(auditor):
    found = played("vlan_separation/DTP at an edge port")
    heard = {tap.name: hear(found, tap, auditor) for tap in TAPS}
    told = {name for name, one in heard.items() if outcome(one, "vlan_separation") == SEEN}
    assert told == {"vlan", "trunk", "to", "edge"}
    assert not [line for one in heard.values() for line in one.false]
    assert outcome(heard["port"], "vlan_separation") == NOT_OBSERVABLE


@pytest.mark.parametrize("variant", ["two tags", "two tags, to everybody"])
def test_two_tags_are_told_at_the_edge_and_behind_it_they_are_no_longer_two(auditor, variant):
    found = played(f"vlan_separation/{variant}")
    heard = {tap.name: hear(found, tap, auditor) for tap in TAPS}
    outcomes = {name: outcome(one, "vlan_separation") for name, one in heard.items()}
    assert outcomes.pop("edge") == SEEN
    assert set(outcomes.values()) == {NOT_OBSERVABLE}
    assert not [line for one in heard.values() for line in one.false]


def test_the_time_is_taken_at_the_first_place_from_which_it_can_be_told():
    assert d.first_able(played("telnet/let in"), TAPS) == TAP["vlan"]
    assert d.first_able(played("known_wireless/beacon"), TAPS) == TAP["air"]
    assert d.first_able(played("certificate_accepted/TLS 1.3"), TAPS) is None
    result = drill([3], plays=[PLAY["known_wireless/slow"]], taps=TAPS, times=True)
    assert [(one.tap, one.seconds >= 0) for one in result.timed] == [("air", True)]


def test_seeds_are_dealt_in_turn_and_half_come_from_the_commit():
    assert seeds_of("a", 3) == seeds_of("a", 4)[:3] != seeds_of("b", 3)
    plays = [PLAY["known_wireless/beacon"], PLAY["known_wireless/slow"]]
    result = drill([1, 2], plays=plays, taps=[TAP["air"]])
    assert [cell.seed for cell in result.cells] == [1, 2]
    assert result.recall == 1.0
    assert result.precision == 1.0
    assert [one.i1 for one in result.infused] == [True, True]
    assert result.passed


def test_a_hospitals_site_gets_the_twins_root_and_nothing_else_is_said_for_it(auditor):
    twin = auditor._site
    given = lent(Site(name="ours"), twin)
    assert given.root == twin.root
    assert given.server == ()
    assert given.zone == ()


def test_every_technique_is_found_once_more_among_a_background(tmp_path):
    path = tmp_path / "house.pcap"
    ends = [emit.mac("00:1b:21:00:00:01"), emit.mac("00:1b:21:00:00:02")]
    with PcapWriter(path) as file:
        for n in range(2000):
            segment = emit.udp(bytes([10, 9, 0, 1]), bytes([10, 9, 0, 2]), 5004, 5004, b"A" * 200)
            packet = emit.ipv4(bytes([10, 9, 0, 1]), bytes([10, 9, 0, 2]), emit.UDP, segment, n)
            file.packet(n * 10**9, emit.ethernet(ends[1], ends[0], emit.IPV4, packet, (120,)))
    result = drill([3], plays=[PLAYS[0]], taps=[TAP["air"]], behind=[path])
    assert {cell.question for cell in result.among} == {play.technique for play in PLAYS}
    assert {cell.outcome for cell in result.among} == {SEEN}


def test_the_command_tells_in_80_columns_and_writes_its_documents(tmp_path):
    run = CliRunner().invoke(
        app,
        [
            "drill",
            "--technique",
            "known_wireless",
            "--clean",
            "0",
            "--out",
            str(tmp_path / "o"),
            "--keep",
        ],
    )
    assert run.exit_code == 0, run.output
    assert "recall 1.0000" in run.output
    assert all(len(line) <= 80 for line in run.output.splitlines() if line.startswith("  "))
    names = {p.name for p in (tmp_path / "o").iterdir()}
    assert names == {"drill.json", "drill.md", "drill.html", "captures"}
    assert any(p.suffix == ".parquet" for p in (tmp_path / "o" / "captures").iterdir())


def test_a_technique_nobody_plays_is_refused_by_name():
    run = CliRunner().invoke(app, ["drill", "--technique", "nonsense"])
    assert run.exit_code != 0


def test_parts_in_processes_of_their_own_come_to_the_same(tmp_path):
    one, two = (d.drilled(["known_wireless"], 2, 0, jobs=jobs) for jobs in (1, 2))
    assert one.cells == two.cells
    assert {cell.seed for cell in one.cells} == {*one.seeds}
    assert len(one.of_commit) == 1
    assert (one.recall, one.precision) == (two.recall, two.precision) == (1.0, 1.0)
