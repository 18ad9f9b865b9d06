"""Rates, shares and laws of what happens to a fleet are those that were published."""

import math
from statistics import NormalDist

import numpy as np
import pytest

from wardwatch.twin.fleet import life as m
from wardwatch.twin.fleet.hospital import FleetPlan, fleet, hospital


def made(**asked):
    return m.life(fleet(FleetPlan(**asked)))


@pytest.fixture(scope="module")
def week():
    return made(pumps=4_000, hours=7 * 24)


def test_f3_infusions_and_alarms_come_at_the_published_rates(week):
    pump_days = 4_000 * 7
    starts = week.infusions.start
    begun = np.count_nonzero((starts >= 0) & (starts < week.span))
    assert begun / pump_days == pytest.approx(0.83, rel=0.1)
    assert len(week.alarms.pump) / pump_days == pytest.approx(1.44, rel=0.1)


def test_f3_alarms_are_mixed_and_last_as_published(week):
    causes = np.bincount(week.alarms.cause) / len(week.alarms.cause)
    assert m.alarm_causes(week.fleet.plan)[:3] == ("kvo", "hold expired", "downstream occlusion")
    assert causes[:3] == pytest.approx([0.338, 0.272, 0.229], rel=0.05)
    lasts = (week.alarms.end - week.alarms.start) / 1e9
    assert lasts.mean() == pytest.approx(158, rel=0.1)
    assert np.mean(lasts <= 68) == pytest.approx(0.60, abs=0.02)


@pytest.mark.parametrize("seed", range(10))
def test_f3_every_day_of_a_large_hospital_is_within_a_tenth(seed):
    day = made(pumps=4_000, hours=24, seed=seed)
    begun = np.count_nonzero((day.infusions.start >= 0) & (day.infusions.start < day.span))
    assert begun / 4_000 == pytest.approx(0.83, rel=0.1)
    assert len(day.alarms.pump) / 4_000 == pytest.approx(1.44, rel=0.1)
    lasts = (day.alarms.end - day.alarms.start) / 1e9
    assert lasts.mean() == pytest.approx(158, rel=0.1)
    assert np.mean(lasts <= 68) == pytest.approx(0.60, abs=0.005)


def test_f3_the_law_of_durations_meets_both_figures_exactly():
    mu, sigma = m.alarm_law()
    assert math.exp(mu + sigma**2 / 2) == pytest.approx(158)
    assert NormalDist(mu, sigma).cdf(math.log(68)) == pytest.approx(0.60)


def test_f3_a_neonatal_unit_has_4_7_alarms_a_patient_day():
    unit = made(pumps=1_200, hours=10 * 24, variant="nicu")
    patients = len(np.unique(unit.fleet.patient))
    assert len(unit.alarms.pump) / (patients * 10) == pytest.approx(4.7, rel=0.1)
    causes = np.bincount(unit.alarms.cause) / len(unit.alarms.cause)
    assert causes == pytest.approx([0.324, 0.384, 0.261, 0.031], abs=0.02)


def test_a_pump_gives_one_infusion_at_a_time_and_ends_it_at_its_volume(week):
    infusions = week.infusions
    same = infusions.pump[1:] == infusions.pump[:-1]
    assert (infusions.start[1:] > infusions.end[:-1])[same].all()
    for n in (0, 17, len(infusions.pump) - 1):
        passed = int(infusions.end[n] - infusions.start[n])
        volume = int(infusions.vtbi[n]) * 3600 * 10**9
        assert (passed - 1) * int(infusions.rate[n]) < volume <= passed * int(infusions.rate[n])
    assert infusions.vtbi.max() <= 60_000_000


def test_alarms_lie_within_an_infusion_or_at_its_end(week):
    infusions, alarms = week.infusions, week.alarms
    row = np.searchsorted(m.keyed(infusions.pump, infusions.start),
                          m.keyed(alarms.pump, alarms.start), "right") - 1  # fmt: skip
    assert (infusions.pump[row] == alarms.pump).all()
    ended = alarms.cause == 0
    assert (infusions.end[row] == alarms.start)[ended].all()
    assert (infusions.end[row] >= alarms.start).all()


def test_infusions_begin_at_the_busy_hours(week):
    starts = week.infusions.start
    hour = (6 + starts[(starts >= 0) & (starts < week.span)] // m.HOUR) % 24
    counts = np.bincount(hour, minlength=24) / 28
    assert np.corrcoef(counts, hospital().day.hours)[0, 1] > 0.95


def test_f4_pumps_move_as_often_as_published_between_93_areas():
    month = made(pumps=4_000, hours=30 * 24)
    moves = month.moves
    assert len(moves.pump) / (4_000 * 30) == pytest.approx(0.052, rel=0.1)
    assert set(moves.area) == set(range(93))
    before = np.where(
        np.concatenate([[True], moves.pump[1:] != moves.pump[:-1]]),
        month.fleet.area[moves.pump],
        np.concatenate([[0], moves.area[:-1]]),
    )
    assert (before != moves.area).all()
    assert (np.diff(moves.at)[moves.pump[1:] == moves.pump[:-1]] >= 0).all()


def test_f4_after_a_move_the_pump_joins_again():
    month = made(pumps=1_000, hours=10 * 24)
    moves, outages = month.moves, month.outages
    held = outages.holding(moves.pump, moves.at)
    assert (held >= 0).all()
    assert (outages.end[held] >= moves.back).all()
    assert outages.joins()[held].all()


def test_f6_two_versions_of_the_library_are_in_use_for_a_week_and_more():
    month = made(pumps=500, hours=21 * 24, library_at_h=24)
    used = np.sort(month.library.used)
    assert used[0] >= m.DAY
    assert used[-1] - used[0] >= 7 * m.DAY
    # At any instant of the seven days some pumps have the old one and some the new one.
    assert 0 < np.count_nonzero(used <= used[0] + 7 * m.DAY) < 500


def test_f6_no_more_than_a_twentieth_of_the_fleet_is_served_at_once():
    month = made(pumps=500, hours=21 * 24, library_at_h=24)
    step = (month.library.fetched - 24 * m.HOUR) // (12 * m.HOUR)
    counts = np.bincount(step)
    # A pump that was away fetches later: a few slip into the next step.
    assert counts.max() <= 25 + 3
    assert (month.library.used > month.library.fetched).all()


def test_outages_never_touch_and_hold_exactly_their_instants(week):
    outages = week.outages
    same = outages.pump[1:] == outages.pump[:-1]
    assert (outages.start[1:] > outages.end[:-1])[same].all()
    few = np.arange(0, len(outages.pump), 997)
    pump, start, end = outages.pump[few], outages.start[few], outages.end[few]
    assert (outages.holding(pump, start) == few).all()
    assert (outages.holding(pump, end - 1) == few).all()
    assert (outages.holding(pump, end) == -1).all()


def test_f7_what_hangs_on_one_supply_restarts_together():
    cut = made(pumps=2_000, hours=2, cut_at_h=1.0, cut_pumps=500, dhcp_share=1.0)
    assert len(cut.cut) == 500
    assert set(cut.storm.client) == set(cut.cut)
    held = cut.outages.holding(cut.cut, np.full(500, m.HOUR + 30 * 10**9))
    assert (held >= 0).all()
    assert (cut.outages.cause[held] == m.CUT).all()
    assert (cut.outages.end[held] >= cut.storm.leased[cut.storm.leased > 0]).all()
    back = cut.outages.end[held] - m.HOUR - 60 * 10**9
    assert 0 < back.min() < back.max() <= 300 * 10**9


def test_the_processes_draw_from_numbers_of_their_own():
    plain, cut = made(pumps=50, hours=24), made(pumps=50, hours=24, cut_at_h=5)
    assert (plain.infusions.start == cut.infusions.start).all()
    assert (plain.moves.at == cut.moves.at).all()
    assert len(plain.outages.pump) != len(cut.outages.pump)
