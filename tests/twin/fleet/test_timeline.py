"""Events in order of time: the same for a seed, none lost, and late ones with their own stamps."""

import msgspec
import numpy as np
import pytest

from wardwatch.model.values import NS
from wardwatch.twin.fleet.hospital import FleetPlan, fleet
from wardwatch.twin.fleet.life import DAY, HOUR, KEPT_S, Outages, life
from wardwatch.twin.fleet.timeline import BACKLOG, LIVE, Events, What, whole, windows


def made(**asked):
    return life(fleet(FleetPlan(**asked)))


@pytest.fixture(scope="module")
def day():
    of = made(pumps=40, hours=24, seed=3)
    return of, whole(of)


def messages(events):
    return events.rows((events.what >= What.REPORT) & (events.what <= What.ALARM_END))


@pytest.mark.parametrize("pumps", [1, 50, 500])
def test_f1_the_same_seed_gives_the_same_events_and_another_does_not(pumps):
    one, same, other = (whole(made(pumps=pumps, hours=6, seed=seed)) for seed in (1, 1, 2))
    assert all((a == b).all() for a, b in zip(one, same, strict=True))
    assert not np.array_equal(one.at, other.at)
    assert np.bincount(one.what)[What.REPORT] == pytest.approx(pumps * 360, rel=0.1)


def test_f1_a_day_of_4000_pumps_is_5_8_million_events_in_order():
    # The whole day is in the bench; an hour of it here.
    total, last = 0, 0
    for end, events in windows(made(pumps=4_000, hours=1)):
        assert (np.diff(events.at) >= 0).all()
        assert last <= events.at[0]
        assert events.at[-1] < end
        last = end
        total += len(events.at)
    assert total * 24 == pytest.approx(5_800_000, rel=0.05)


@pytest.mark.parametrize("width_s", [60, 977, 86_400])
def test_f1_the_length_of_a_window_changes_no_event(day, width_s):
    of, events = day
    other = whole(of, width_s * NS)
    for name, one, two in zip(Events._fields, events, other, strict=True):
        assert np.array_equal(one, two), name


def test_f5_reports_are_made_a_minute_apart_within_a_tenth(day):
    _, events = day
    # Behind an outage there is one report more: what is live.
    reports = events.rows((events.what == What.REPORT) & (events.sent != LIVE))
    made_by = [np.sort(reports.made[reports.pump == pump]) for pump in range(40)]
    gaps = np.concatenate([np.diff(instants) / NS for instants in made_by])
    assert 54 <= gaps.min() < 54.1
    assert 65.9 < gaps.max() <= 66
    assert gaps.mean() == pytest.approx(60, rel=0.005)
    assert gaps.std() == pytest.approx(12 / np.sqrt(12), rel=0.02)


@pytest.mark.parametrize(
    ("report_s", "hours", "least", "most"), [(5, 0.5, 320, 420), (86_400, 72, 2, 4)]
)
def test_f5_the_interval_can_be_set_from_5_seconds_to_a_day(report_s, hours, least, most):
    events = whole(made(pumps=5, hours=hours, report_s=report_s))
    ordinary = (events.what == What.REPORT) & (events.sent != LIVE)
    counts = np.bincount(events.pump[ordinary], minlength=5)
    assert ((counts >= least) & (counts <= most)).all()


def test_f5_messages_of_a_pump_are_numbered_in_the_order_they_were_made(day):
    _, events = day
    told = messages(events)
    for pump in range(40):
        mine = told.rows(told.pump == pump)
        order = np.argsort(mine.number)
        # Number by number, and none is missing but what still waits at the end.
        assert list(mine.number[order]) == list(range(1, len(order) + 1))
        assert (np.diff(mine.made[order]) >= 0).all()
        assert (mine.at >= mine.made).all()


def test_f5_what_was_made_in_an_outage_is_sent_afterwards_in_order_and_behind_what_is_live(day):
    of, events = day
    told = messages(events)
    late = told.rows(told.sent == BACKLOG)
    held = of.outages.holding(late.pump, late.made)
    assert len(late.at) > 20
    assert (held >= 0).all()
    assert (late.at > of.outages.end[held]).all()
    for outage in np.unique(held):
        mine = late.rows(held == outage)
        assert (np.diff(mine.number) == 1).all()
        if of.outages.joins()[outage] and of.outages.start[outage] >= 0:
            assert of.outages.end[outage] - of.outages.start[outage] >= KEPT_S * NS or (
                of.outages.cause[outage] != 0
            )
            pump, end = of.outages.pump[outage], of.outages.end[outage]
            after = told.rows((told.pump == pump) & (told.at >= end))
            assert after.sent[0] != BACKLOG
            assert (after.made[0] >= end).all()


def test_f5_nothing_is_sent_without_a_network(day):
    of, events = day
    told = events.rows(events.what != What.ROUTER)
    told = told.rows(told.what != What.MOVED)
    assert (of.outages.holding(told.pump, told.at) == -1).all()


def test_f5_a_day_without_a_network_loses_nothing():
    of = made(pumps=6, hours=30, seed=5)
    gone = of.outages
    # One pump is away for 24 hours: its outages become one.
    mine = gone.pump == 2
    keep = ~mine
    keep[np.flatnonzero(mine)[0]] = True
    rows = [column[keep].copy() for column in (gone.pump, gone.start, gone.end, gone.cause)]
    at = int(np.flatnonzero(rows[0] == 2)[0])
    rows[1][at], rows[2][at] = 2 * HOUR, 2 * HOUR + DAY
    of = msgspec.structs.replace(of, outages=Outages(*rows))
    told = messages(whole(of))
    mine = told.rows(told.pump == 2)
    assert sorted(mine.number) == list(range(1, len(mine.at) + 1))
    late = mine.rows(mine.sent == BACKLOG)
    assert len(late.at) >= 1400
    assert (np.diff(late.number) == 1).all()
    assert late.made.min() < 2 * HOUR + 70 * NS
    first = mine.rows(mine.at >= 2 * HOUR + DAY)
    assert first.sent[0] != BACKLOG


def test_f4_a_moved_pump_announces_itself_and_connects_anew():
    of = made(pumps=2_000, hours=12, report_s=3_600)
    events = whole(of)
    moved = events.rows(events.what == What.MOVED)
    assert len(moved.at) > 20
    for pump, back in zip(moved.pump, moved.at, strict=True):
        after = events.rows((events.pump == pump) & (events.at >= back))
        kinds = [What(what) for what in after.what if what in (What.ANNOUNCE, What.JOIN)]
        assert kinds[:2] == [What.ANNOUNCE, What.JOIN]


def test_f7_the_server_hears_500_pumps_within_5_minutes_of_a_power_cut():
    of = made(pumps=600, hours=0.5, cut_at_h=0.2, cut_pumps=500, dhcp_share=1.0)
    assert len(of.cut) == 500
    events = whole(of)
    power = int(0.2 * HOUR) + 60 * NS
    asked = np.bincount(events.what, minlength=17)
    assert asked[What.DISCOVER] > 500
    assert asked[What.OFFER] >= 500
    live = events.rows((events.sent == LIVE) & (events.what == What.REPORT) & (events.at > power))
    first = np.array([live.at[live.pump == pump].min() for pump in of.cut])
    assert (first - power).max() <= 300 * NS


def test_volumes_are_those_of_the_head_and_an_end_carries_all_of_it(day):
    of, events = day
    told = messages(events)
    ends = told.rows(told.what == What.STOP)
    assert len(ends.at) > 10
    for n in range(len(ends.at)):
        row = np.flatnonzero(
            (of.infusions.pump == ends.pump[n]) & (of.infusions.end == ends.made[n])
        )
        assert ends.given[n] == of.infusions.vtbi[row[0]]
    starts = told.rows(told.what == What.START)
    assert (starts.given == 0).all()
    assert (starts.rate > 0).all()
    idle = told.rows(told.rate == 0)
    assert (idle.given == 0).all()


def test_f6_both_versions_of_the_library_report_at_the_same_time():
    of = made(pumps=200, hours=2)
    events = messages(whole(of))
    assert set(events.library) == {1, 2}
    late = events.library == 2
    assert (events.made[late] >= of.library.used[events.pump[late]]).all()
    assert (events.made[~late] < of.library.used[events.pump[~late]]).all()
    for first in range(0, 2 * HOUR, HOUR // 4):
        quarter = events.rows((events.made >= first) & (events.made < first + HOUR // 4))
        assert set(quarter.library) == {1, 2}
