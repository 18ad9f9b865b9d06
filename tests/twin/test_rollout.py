"""A library reaches a fleet in stages; progress is known per pump, and there is a way back."""

import pytest

from wardwatch.twin.rollout import PATIENCE_NS, TRIES, Progress, Release, Rollout, UnsignedError

ONE, TWO = Release(1, b"one", b"1"), Release(2, b"two", b"2")


class Pumps:
    """A fleet that reports in turn; who is offered a version has it pending when it likes."""

    def __init__(self, count: int, rollout: Rollout) -> None:
        self.rollout = rollout
        self.active = dict.fromkeys((f"M{n}" for n in range(count)), 1)
        self.pending = dict.fromkeys(self.active, 0)
        self.now = 0

    def report(self, serial: str) -> Release | None:
        return self.rollout.heard(
            serial, self.active[serial], self.pending[serial], len(self.active), self.now
        )

    def around(self) -> list[str]:
        """Everybody reports once ⇒ those who were offered something."""
        return [serial for serial in self.active if self.report(serial)]


@pytest.mark.parametrize(("count", "most"), [(1, 1), (19, 1), (40, 2), (1000, 50)])
def test_c17_at_most_a_twentieth_is_asked_at_once(count: int, most: int) -> None:
    rollout = Rollout()
    pumps = Pumps(count, rollout)
    rollout.publish(TWO)
    rounds = 0
    while set(pumps.pending.values()) != {2}:
        asked = pumps.around()
        assert 0 < len(asked) <= most
        for serial in asked:
            rollout.fetched(serial)
            pumps.pending[serial] = 2
        rounds += 1
    pumps.around()
    assert rollout.most_at_once == most <= max(1, count * 0.05)
    assert rounds == -(-count // most)
    assert set(rollout.progress.values()) == {Progress.PENDING}
    assert rollout.asked == 0


def test_c17_progress_is_known_for_each_pump() -> None:
    rollout = Rollout()
    pumps = Pumps(3, rollout)
    pumps.around()
    assert rollout.progress == {}
    rollout.publish(TWO)
    pumps.around()
    assert rollout.progress == {
        "M0": Progress.OFFERED, "M1": Progress.WAITING, "M2": Progress.WAITING,
    }  # fmt: skip
    rollout.fetched("M0")
    rollout.fetched("M1")
    assert (rollout.progress["M0"], rollout.progress["M1"]) == (Progress.FETCHED, Progress.WAITING)
    pumps.pending["M0"] = 2
    pumps.around()
    assert (rollout.progress["M0"], rollout.progress["M1"]) == (Progress.PENDING, Progress.OFFERED)
    pumps.active["M0"], pumps.pending["M0"] = 2, 0
    pumps.around()
    assert rollout.progress["M0"] is Progress.ACTIVE


def test_c17_roll_back_brings_the_version_before_to_those_that_have_the_new_one() -> None:
    rollout = Rollout()
    pumps = Pumps(3, rollout)
    rollout.publish(ONE)
    assert pumps.around() == []
    assert rollout.roll_back() is None
    rollout.publish(TWO)
    pumps.active["M0"], pumps.pending["M1"] = 2, 2
    pumps.around()
    assert rollout.roll_back() == ONE
    asked = pumps.around()
    assert asked == ["M0"]
    assert rollout.progress["M2"] is Progress.ACTIVE
    pumps.pending["M0"] = 1
    assert pumps.around() == ["M1"]
    assert rollout.progress["M0"] is Progress.PENDING


def test_c17_a_pump_that_keeps_silent_gives_its_place_away_and_fails_in_the_end() -> None:
    rollout = Rollout()
    pumps = Pumps(2, rollout)
    rollout.publish(TWO)
    for _ in range(TRIES):
        assert pumps.report("M0") == TWO
        assert pumps.report("M1") is None
        pumps.now += PATIENCE_NS + 1
    assert pumps.report("M0") is None
    assert rollout.progress["M0"] is Progress.FAILED
    assert pumps.report("M1") == TWO
    assert pumps.report("M0") is None


def test_c17_a_hardened_server_takes_no_library_without_a_mark() -> None:
    unsigned = Release(3, b"three", b"3", signed=False)
    with pytest.raises(UnsignedError) as caught:
        Rollout(hardened=True).publish(unsigned)
    assert caught.value.version == 3
    open_ = Rollout()
    open_.publish(unsigned)
    assert open_.wanted == unsigned
