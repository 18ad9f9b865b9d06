"""Static address: needs, minimums, traps."""

import random

import pytest
from tests.verify.ward import ALL, DAY_S, DESK, HOUR, PUMP, PUMP_IP, Ward, sees

from wardwatch.signs.vantage import merged
from wardwatch.verify.minimums import Minimums
from wardwatch.verify.static_address import _spells

MEASURE = "static_address"


def started() -> Ward:
    """A pump that starts up ten minutes into the capture, in a confirmed zone, without DHCP."""
    ward = Ward().hears().zone().device(PUMP, PUMP_IP).present(PUMP, 600, 25 * HOUR)
    return ward.arp(PUMP, PUMP_IP, target_ip=PUMP_IP, at=600)


def quiet(hours: float) -> Ward:
    """A pump that was there all the time and never started up."""
    return Ward().hears(hours + 1).zone().pump(hours=hours)


def test_a_start_up_without_dhcp_holds_and_cites_it() -> None:
    verdict = started().verdict(MEASURE)
    assert sees(verdict) == ("holds", "")
    assert verdict.evidence
    assert verdict.confirmed_by == "IT, named role, 2026-11-01"
    assert "start-up" in verdict.rule


@pytest.mark.parametrize("kind", ["DISCOVER", "REQUEST"])
def test_asking_by_its_chaddr_breaks(kind: str) -> None:
    assert started().discover(PUMP, kind=kind).state(MEASURE) == "broken"


def test_an_address_of_failed_dhcp_breaks() -> None:
    assert started().bound(PUMP, "169.254.7.7", "ip").state(MEASURE) == "broken"


def test_inform_is_static() -> None:
    assert started().discover(PUMP, kind="INFORM").state(MEASURE) == "holds"


def test_a_bridge_that_passes_on_a_clients_request_is_not_the_client() -> None:
    assert started().discover(DESK, src_mac=PUMP).state(MEASURE) == "holds"


@pytest.mark.parametrize(("hours", "state"), [(95.9, "not observable"), (96.0, "holds")])
def test_without_a_lease_seen_the_span_must_reach_96_hours(hours: float, state: str) -> None:
    assert quiet(hours).state(MEASURE) == state


@pytest.mark.parametrize(("hours", "state"), [(11.9, "not observable"), (12.0, "holds")])
def test_the_span_must_reach_t1_of_the_longest_lease(hours: float, state: str) -> None:
    ward = quiet(hours).reply(msg_type="ACK", lease_time=3600)
    ward.reply(msg_type="ACK", lease_time=24 * HOUR, at=90)
    assert ward.state(MEASURE) == state


@pytest.mark.parametrize(("gap", "state"), [(3600, "holds"), (3601, "not observable")])
def test_a_silence_beyond_the_minimum_breaks_the_span(gap: int, state: str) -> None:
    ward = Ward().hears(101).zone().device(PUMP, PUMP_IP)
    ward.present(PUMP, 0, 50 * HOUR).present(PUMP, 50 * HOUR + gap, 100 * HOUR)
    assert ward.state(MEASURE) == state


@pytest.mark.parametrize(("silence", "state"), [(59, "not observable"), (60, "holds")])
def test_a_start_up_follows_a_silence(silence: int, state: str) -> None:
    ward = Ward().hears().zone().device(PUMP, PUMP_IP).present(PUMP, silence, 25 * HOUR)
    ward.arp(PUMP, PUMP_IP, target_ip=PUMP_IP, at=silence)
    assert ward.state(MEASURE) == state


@pytest.mark.parametrize(("late", "state"), [(60, "holds"), (61, "not observable")])
def test_the_announcement_comes_with_the_start(late: int, state: str) -> None:
    ward = Ward().hears().zone().device(PUMP, PUMP_IP).present(PUMP, 600, 25 * HOUR)
    ward.arp(PUMP, PUMP_IP, target_ip=PUMP_IP, at=600 + late)
    assert ward.state(MEASURE) == state


def test_an_arp_request_after_a_silence_is_no_start_up() -> None:
    ward = Ward().hears().zone().device(PUMP, PUMP_IP).present(PUMP, 600, 25 * HOUR)
    assert ward.arp(PUMP, PUMP_IP, at=600).state(MEASURE) == "not observable"


def test_a_probe_and_an_association_are_start_ups() -> None:
    ward = Ward().hears().zone().device(PUMP, PUMP_IP).present(PUMP, 600, 25 * HOUR)
    ward.arp(PUMP, "0.0.0.0", target_ip=PUMP_IP, at=600)
    assert ward.state(MEASURE) == "holds"
    ward = Ward().hears().zone().pump()
    assert ward.add("wifi", 700, subtype=0, transmitter=PUMP).state(MEASURE) == "holds"


def test_what_is_missing_is_named() -> None:
    nobody = Ward().hears().device(PUMP, PUMP_IP).present(PUMP, 600, 25 * HOUR)
    nobody.arp(PUMP, PUMP_IP, target_ip=PUMP_IP, at=600)
    assert sees(nobody.verdict(MEASURE)) == ("not observable", "NO_POLICY")
    assert sees(started_in(broadcasts=0).verdict(MEASURE)) == ("not observable", "VANTAGE")
    assert sees(quiet(5).verdict(MEASURE)) == ("not observable", "TOO_SHORT")
    cut = started().discover("", whole=False, msg_type="", dst_mac=ALL)
    assert sees(cut.verdict(MEASURE)) == ("not observable", "DAMAGED")
    assert sees(Ward().hears().listed_only().verdict(MEASURE)) == ("not observable", "UNSEEN")


def started_in(**counts: int) -> Ward:
    ward = Ward().hears(**counts).zone().device(PUMP, PUMP_IP).present(PUMP, 600, 25 * HOUR)
    return ward.arp(PUMP, PUMP_IP, target_ip=PUMP_IP, at=600)


def test_an_unconfirmed_zone_is_inert() -> None:
    ward = Ward().hears().zone(confirmed_by="").device(PUMP, PUMP_IP)
    ward.present(PUMP, 600, 25 * HOUR).arp(PUMP, PUMP_IP, target_ip=PUMP_IP, at=600)
    assert sees(ward.verdict(MEASURE)) == ("not observable", "NO_POLICY")


def test_all_kinds_of_asking_are_named_and_the_first_twenty_packets_shown() -> None:
    ward = started()
    for at in range(700, 715):
        ward.discover(PUMP, at=at, kind="REQUEST").discover(PUMP, at=at + 0.5)
    first = ward.last_packet - 29
    verdict = ward.discover(PUMP, at=720, kind="").verdict(MEASURE)
    assert "(DISCOVER and REQUEST)" in verdict.statement
    assert [e.packet for e in verdict.evidence] == list(range(first, first + 20))


def test_spells_are_joined_as_if_each_was_looked_at() -> None:
    """Slots of presence, from before 1970 on, against every spell by itself."""
    parted = 0
    for seed in range(40):
        chance = random.Random(seed)
        gap = chance.choice((0, 1, 7, 10))
        ward, spells = Ward().device(PUMP), []
        for _ in range(chance.randint(1, 9)):
            start = chance.randint(-30, 40) - chance.choice((0, DAY_S))
            end = start + chance.randint(0, 3)
            spells.append([Ward.ts(start), Ward.ts(end)])
            ward.present(PUMP, start, end)
        scene = ward.scene()
        found = _spells(scene, Minimums(unbroken_gap_s=gap), list(scene.devices))
        assert found == {scene.devices[0].id: merged(spells, gap)}
        parted += len(found[scene.devices[0].id]) > 2
    assert parted > 10
