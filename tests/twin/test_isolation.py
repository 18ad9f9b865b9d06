"""Isolation: what the link does, and when therapy is asked, changes no digit of what it delivers."""

import random
import sys

import msgspec
import pytest

from wardwatch.twin import isolation, link, therapy
from wardwatch.twin.isolation import PROFILES, SPAN_NS, undisturbed
from wardwatch.twin.link import Frame, Kind
from wardwatch.twin.therapy import Phase

HARDENED = PROFILES["hardened"]


def test_s9_i1_fuzzed_schedules_leave_volume_alarms_and_core_as_they_were() -> None:
    tally = isolation.i1(400, seed=20, rules=HARDENED)
    assert (tally.volume_differs, tally.alarms_differ, tally.core_differs) == (0, 0, 0)
    assert tally.schedules == 400
    # The schedules were no quiet ones, and the infusions no idle ones.
    assert set(tally.faults) == set(isolation.FAULTS)
    assert min(tally.dropped, tally.overflow, tally.lost, tally.occlusions) > 0
    assert tally.frames > 100 * tally.schedules / 2


def test_s9_i1_holds_for_the_historic_profiles_whose_violations_are_counted() -> None:
    tally = isolation.i1(150, seed=21, rules=PROFILES["1.1.2"])
    assert (tally.volume_differs, tally.alarms_differ, tally.core_differs) == (0, 0, 0)
    assert tally.violations > 0


def test_the_undisturbed_infusions_deliver_alarm_and_end_in_many_ways() -> None:
    runs = [undisturbed(n) for n in range(isolation.SCRIPTS)]
    assert sum(run.delivered_pl > 0 for run in runs) > 50
    assert {run.core.phase for run in runs} >= {Phase.RUNNING, Phase.PAUSED, Phase.STOPPED}
    assert {sound.alarm for run in runs for sound in run.sounds} >= {
        therapy.Alarm.OCCLUSION, therapy.Alarm.COMPLETE, therapy.Alarm.MOTOR_NOT_RUNNING
    }  # fmt: skip


@pytest.mark.parametrize("leak", ["rate", "alarm"])
def test_a_head_that_listened_would_be_caught(leak: str, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = therapy._EVENTS[therapy.Received]

    def listens(out: therapy._Out, event: therapy.Received, t: int) -> None:
        honest[1](out, event, t)
        if event.frame.kind is not Kind.ACK and out.state.core.phase is Phase.RUNNING:
            if leak == "rate":
                out.drive(t, Phase.RUNNING, out.state.core.rate + 1)
            else:
                out.alarm(t, therapy.Alarm.BATTERY_LOW)

    monkeypatch.setitem(therapy._EVENTS, therapy.Received, (honest[0], listens))
    tally = isolation.i1(60, seed=20)
    assert tally.core_differs > 0
    assert (tally.volume_differs if leak == "rate" else tally.alarms_differ) > 0
    assert isolation.i2(400, 1, HARDENED).core_differs > 0


def test_c11_a_flood_costs_four_frames_a_tick_and_the_socket_drops_the_rest() -> None:
    raw = link.pack(Frame(Kind.ACK, 0, b""))
    run = isolation.play(HARDENED, isolation.script(0), [(0, raw)] * 2000, [])
    assert run.overflow == 2000 - link.QUEUE
    assert run.counts.good == link.QUEUE
    assert run.core == undisturbed(0).core


def test_c13_silence_is_the_one_alarm_that_differs_and_is_kept_apart() -> None:
    raw = link.pack(Frame(Kind.ACK, 0, b""))
    run = isolation.play(HARDENED, isolation.script(0), [(5, raw)], [])
    assert run.lost == 1
    assert run.sounds == undisturbed(0).sounds


def test_s10_i2_forged_frames_leave_a_hardened_infusion_alone() -> None:
    result = isolation.i2(20_000, 3, HARDENED)
    assert (result.core_differs, result.violations, result.firmware) == (0, 0, 0)
    assert result.read > 10_000
    assert result.refused > 5_000


@pytest.mark.parametrize("name", [name for name in PROFILES if name != "hardened"])
def test_s11_historic_profiles_take_unsigned_offers_and_say_so(name: str) -> None:
    result = isolation.i2(2_000, 3, PROFILES[name])
    assert result.core_differs == 0
    assert result.violations > 0
    assert result.firmware > 0


def test_forged_frames_are_sealed_and_of_every_kind_that_may_travel() -> None:
    draws = random.Random(4)
    found = [link.unpack(isolation.forged(draws), link.TO_THERAPY) for _ in range(400)]
    assert {one.kind for one in found if isinstance(one, Frame)} == set(link.TO_THERAPY)
    assert {one for one in found if isinstance(one, str)} <= {"version", "unknown"}


def test_a_schedule_is_the_same_for_the_same_seed() -> None:
    one, two = (isolation.schedule(random.Random("x")) for _ in range(2))
    assert one == two
    assert all(at >= 0 for at, _ in one[0])
    assert all(at < SPAN_NS for at in one[1])


def test_the_command_reports_both_claims(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["isolation", "--schedules", "20", "--frames", "400"])
    assert isolation.main() == 0
    report = msgspec.json.decode(capsys.readouterr().out)
    assert report["i1"]["schedules"] == 20
    assert set(report["i2"]) == set(PROFILES)
