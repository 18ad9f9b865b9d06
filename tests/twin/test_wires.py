"""Exchanges on the clock: they interleave, wait for what they answer, and share lines one frame at a time."""

from itertools import pairwise

import pytest
from tests.twin.days import day
from tests.twin.stands import PLAY, place, played

from wardwatch.model.values import NS
from wardwatch.twin import emit, wires
from wardwatch.twin.emit import ip4, mac
from wardwatch.twin.ward import MS, ORDINARY, ROUTE_NS, Mark, Part, Station, Talk, Ward

LATER = 10 * NS


def ward(clients=1, mirrored=(20, 120)):
    doors = [
        Station(f"door-{vlan}", "gateway", mac("00:00:0c:00:00:01"), ip4(f"10.{vlan}.0.1"), vlan)
        for vlan in (20, 120)
    ]
    server = Station("server", "server", mac("00:50:56:00:00:01"), ip4("10.20.0.9"), 20)
    pumps = [
        Station(f"pump-{n}", "infusion pump", mac(f"00:1a:01:00:01:{n:02x}"), ip4(f"10.120.0.{n + 9}"), 120)
        for n in range(clients)
    ]  # fmt: skip
    return Ward(1, (*doors, server, *pumps), mirrored)


def talk(place, n, ts=0, part=ORDINARY):
    ends = place.stations[f"pump-{n}"], place.stations["server"]
    with place.exchange("talk", n):
        said = Talk(place, ts, *ends, 80, "x", sport=50000, part=part).open()
        said.ask(b"q" * 1400).tell(b"a" * 1400).close()


def near(frames, name):
    return [f for f in frames if name in (f.mark.who, f.mark.peer) and f.mark.vlan == 120]


def test_conversations_interleave_as_they_pass():
    """Of the pumps' sessions of one slot, each is in the midst of others."""
    stand = place()
    until = stand.start + 600 * NS
    frames = [f for f in stand.base if f.mark.port == 1588 and f.mark.vlan > 100 and f.ts < until]
    said: dict[str, list[int]] = {}
    for frame in frames:
        pump = frame.mark.peer if frame.mark.who.startswith("mds") else frame.mark.who
        said.setdefault(pump, []).append(frame.ts)
    assert len(said) >= 7
    for pump, times in said.items():
        meanwhile = [
            other for other, its in said.items() if other != pump
            and any(times[0] < ts < times[-1] for ts in its)
        ]  # fmt: skip
        assert len(meanwhile) == len(said) - 1, pump


@pytest.mark.parametrize("attacked", [True, False])
def test_the_frames_of_a_day_come_in_order_and_no_two_at_once(attacked):
    frames = day(attacked).frames
    assert wires.overlaps(frames) == 0
    assert all(a.ts <= b.ts for a, b in pairwise(frames))


@pytest.mark.parametrize("name", PLAY)
def test_no_play_of_the_drill_is_on_a_line_that_is_taken(name):
    assert wires.overlaps(played(name).frames) == 0


def test_who_speaks_at_once_waits_for_the_line_and_what_follows_is_later_by_as_much():
    place = ward(100)
    for n in range(100):
        talk(place, n)
    assert wires.overlaps(sorted(place.frames)) > 100
    frames = wires.played(place, LATER)
    assert wires.overlaps(frames) == 0
    alone = ward(100)
    talk(alone, 7)
    alone = near(wires.played(alone, LATER), "pump-7")
    crowded = near(frames, "pump-7")
    assert [f.data for f in crowded] == [f.data for f in alone]
    late = [a.ts - b.ts for a, b in zip(crowded, alone, strict=True)]
    assert min(late) >= 0
    assert max(late) > 0


def test_an_answer_leaves_behind_its_question_however_crowded_the_line():
    place = ward(200)
    for n in range(200):
        # Everybody means to be answered in no time at all.
        client, server = place.stations[f"pump-{n}"], place.stations["server"]
        with place.exchange("ask", n):
            for ts, src, dst in ((0, client, server), (1, server, client)):
                mark = Mark("x", src.name, dst.name, src.vlan)
                place.datagram(ts, src, dst, (1, 2), b"x" * 1400, mark, 1)
    frames = wires.played(place, LATER)
    least = wires.took(1446, wires.ACCESS) + ROUTE_NS + wires.REACT_NS
    for n in range(200):
        at = {(f.mark.who, f.mark.vlan): f.ts for f in frames if f"pump-{n}" in f.mark[1:3]}
        asked, heard = at[f"pump-{n}", 120], at[f"pump-{n}", 20]
        answered, told = at["server", 20], at["server", 120]
        assert asked < heard < answered < told
        assert told - asked > least
    answers = [f.ts for f in frames if f.mark.who == "server" and f.mark.vlan == 20]
    assert all(b - a >= wires.took(1446, wires.BACKBONE) for a, b in pairwise(answers))


def test_a_step_is_due_when_what_it_answers_has_arrived_and_the_next_as_much_later():
    place = ward(2)
    ends = place.stations["pump-0"], place.stations["pump-1"]
    with place.exchange("talk"):
        for ts, who in ((0, 0), (1, 1), (MS, 0)):
            mark = Mark("x", ends[who].name, ends[1 - who].name, 120)
            place.datagram(ts, ends[who], ends[1 - who], (1, 2), b"x" * 1000, mark, 1)
    asked, answered, third = wires.played(place, LATER)
    long = wires.took(len(asked.data), wires.ACCESS)
    assert asked.ts == long + wires.SWITCH_NS
    begins = asked.ts + long + wires.REACT_NS
    assert answered.ts == begins + long + wires.SWITCH_NS
    assert third.ts == MS + begins - 1 + long + wires.SWITCH_NS


def test_a_packet_passes_the_router_after_it_has_arrived_there():
    for size in (10, 1400):
        place = ward()
        client, server = place.stations["pump-0"], place.stations["server"]
        mark = Mark("x", "pump-0", "server", 120)
        place.datagram(5, client, server, (1, 2), b"x" * size, mark, 1)
        first, second = wires.played(place, LATER)
        long = len(first.data)
        in_ = 5 + wires.took(long, wires.ACCESS) + wires.SWITCH_NS
        assert first.ts == in_
        out = in_ + wires.took(long, wires.BACKBONE) * 2 + ROUTE_NS + wires.SWITCH_NS
        assert second.ts == out


def test_an_event_moves_no_packet_of_the_day_and_finds_a_gap():
    clean, attacked = ward(40), ward(40)
    for n in range(40):
        talk(clean, n, n * 37_000)
        if n % 2:
            talk(attacked, n, n * 37_000)
    before = wires.played(clean, LATER)
    for n in range(0, 40, 2):
        with attacked.exchange("none"):
            talk(attacked, n, n * 37_000, Part("e", "attack"))
    meant = sorted(f for f in attacked.frames if f.mark.event)
    ordinary = [f for f in attacked.frames if not f.mark.event]
    frames = wires.played(attacked, LATER)
    assert wires.overlaps(frames) == 0
    assert len(meant) + len(ordinary) == len(frames)
    only = ward(40)
    for n in range(1, 40, 2):
        talk(only, n, n * 37_000)
    assert [f for f in frames if not f.mark.event] == list(wires.played(only, LATER))
    assert len(before) == len(frames)


def test_what_an_event_took_the_place_of_is_not_heard_and_nobody_else_notices():
    full, less = ward(60), ward(60)
    for n in range(60):
        talk(full, n)
        with less.exchange("outer"):
            talk(less, n)
    less.gone.add("talk 30")
    there, left = (wires.played(one, LATER) for one in (full, less))
    assert list(left) == [f for f in there if "pump-30" not in f.mark[1:3]]
    assert len(left) < len(there)


def test_an_hour_that_was_played_stays_where_it_is():
    frames = list(played("telnet/let in").frames)
    left = [f for f in frames if not f.mark.event]
    assert {f[:3] for f in left} <= {f[:3] for f in place().base}
    # The same event, with the day's frames all where its own would be.
    stand = place()
    stand.ward.begin()
    client, pump = stand.ward.stations["laptop"], stand.ward.stations["icu-4"]
    at = stand.base[400].ts
    stand.ward.datagram(at, client, pump, (1, 2), b"x" * 900, Mark("x", "laptop", "icu-4", 120, "e", "attack"), 3)  # fmt: skip
    free = wires.played(stand.ward, stand.end)
    crowd = [f._replace(ts=free[0].ts - 100) for f in stand.base[400:401]]
    moved = wires.played(stand.ward, stand.end, crowd)
    assert moved[0].ts == crowd[0].ts + wires.line(crowd[0])
    stand.ward.begin()


def test_the_air_is_one_line_too():
    place = ward()
    frame = emit.beacon(mac("00:0b:86:00:00:01"), b"x", 1, 2, private=True)
    for n in range(3):
        with place.exchange("beacon", n):
            place.air(MS, frame, Mark("beacon", "ap", "", 0))
    first, second, third = wires.played(place, LATER)
    assert first.ts == MS
    assert third.ts - second.ts == second.ts - first.ts == wires.took(len(frame), wires.RADIO)
