"""What therapy tells is read back, fits a frame, and means what PCD-10 asks of it."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wardwatch.twin import link, telling, therapy
from wardwatch.twin.telling import Alarmed, Happened, Status, What
from wardwatch.twin.therapy import Alarm, Phase, Priority

S = 10**9
ML = 10**6
COUNTS = st.integers(0, 2**63 - 1)
STATUS = st.builds(
    Status, COUNTS, st.sampled_from(Phase), COUNTS, COUNTS, COUNTS, st.integers(-32768, 32767),
    st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.none() | st.sampled_from(Alarm),
)  # fmt: skip
HAPPENED = st.builds(
    Happened, st.sampled_from(What), st.sampled_from(Phase), st.booleans(), COUNTS, COUNTS, COUNTS,
    COUNTS, st.integers(0, 2**32 - 1),
)  # fmt: skip
ALARMED = st.builds(
    Alarmed, st.sampled_from(Alarm), st.sampled_from(Priority), st.booleans(), COUNTS,
    st.integers(0, 2**32 - 1),
)  # fmt: skip


@given(STATUS, HAPPENED, ALARMED)
def test_what_is_told_is_read_back_and_fits_a_frame(
    one: Status, two: Happened, three: Alarmed
) -> None:
    for told, body, read in (
        (one, telling.status_body, telling.read_status),
        (two, telling.happened_body, telling.read_happened),
        (three, telling.alarmed_body, telling.read_alarmed),
    ):
        raw = body(told)
        assert len(raw) <= link.BODY
        assert read(raw) == told
        assert read(raw[:-1]) is None


@given(st.binary(max_size=60))
def test_hostile_bodies_are_nothing_or_a_whole_value(raw: bytes) -> None:
    for read in (telling.read_status, telling.read_happened, telling.read_alarmed):
        for body in (raw, bytes(8) + raw):
            found = read(body)
            assert found is None or type(found) in (Status, Happened, Alarmed)


def played(*acts: tuple[float, therapy.Event]) -> list[Happened]:
    """The events of delivery of a script, asked at each of its deadlines as the head does."""
    state, since, found = therapy.State(), 0, []

    def ask(event: therapy.Event, t: int) -> None:
        nonlocal state, since
        before = state.core
        state, _, _ = therapy.step(state, event, t)
        events, since = telling.transition(before, state.core, therapy.given_nl(state, t), since)
        found.extend(events)

    for at, event in acts:
        t = int(at * S)
        while therapy.deadline(state) < t:
            ask(therapy.Wait(), therapy.deadline(state))
        ask(event, t)
    return found


def begun(order: therapy.Order) -> tuple[tuple[float, therapy.Event], ...]:
    return (
        (0, therapy.PowerOn()), (0, therapy.Load("bd-60", 50 * ML)), (0, therapy.Programme(order)),
        (0, therapy.Confirm()), (0, therapy.Start()),
    )  # fmt: skip


def words(found: list[Happened]) -> list[tuple[str, bool, str]]:
    return [(one.what.name, one.transitioning, one.phase.value) for one in found]


def test_c7_a_titration_is_a_stop_that_goes_on_and_a_start() -> None:
    found = played(
        *begun(therapy.Order(60 * ML)), (60, therapy.Rate(120 * ML)), (90, therapy.Stop())
    )
    assert words(found) == [
        ("START", False, "running"), ("STOP", True, "running"), ("START", False, "running"),
        ("STOP", False, "paused"),
    ]  # fmt: skip
    assert [one.segment_nl for one in found] == [0, ML, 0, ML]
    assert [one.given_nl for one in found] == [0, ML, ML, 2 * ML]
    assert [one.rate for one in found] == [60 * ML, 60 * ML, 120 * ML, 120 * ML]


def test_c7_an_infusion_that_goes_on_to_kvo_is_complete_and_starts_again() -> None:
    order = therapy.Order(60 * ML, vtbi_nl=ML, kvo=ML)
    found = played(*begun(order), (100, therapy.Stop()))
    assert words(found) == [
        ("START", False, "running"), ("COMPLETE", True, "kvo"), ("START", False, "kvo"),
        ("STOP", False, "paused"),
    ]  # fmt: skip
    assert found[1].segment_nl == ML
    assert found[3].segment_nl == ML * 40 // 3600


def test_c7_an_infusion_without_kvo_is_complete() -> None:
    found = played(*begun(therapy.Order(60 * ML, vtbi_nl=ML)), (100, therapy.Wait()))
    assert words(found) == [("START", False, "running"), ("COMPLETE", False, "paused")]
    assert found[1].segment_nl == ML


def test_c7_a_bolus_ends_what_ran_and_completes_into_it() -> None:
    found = played(
        *begun(therapy.Order(60 * ML)), (30, therapy.Bolus(ML, 600 * ML)), (60, therapy.Stop())
    )
    assert words(found) == [
        ("START", False, "running"), ("STOP", True, "bolus"), ("START", False, "bolus"),
        ("COMPLETE", True, "running"), ("START", False, "running"), ("STOP", False, "paused"),
    ]  # fmt: skip
    assert found[3].segment_nl == ML


def test_c7_an_alarm_that_stops_is_a_stop() -> None:
    found = played(*begun(therapy.Order(60 * ML)), (30, therapy.MotorFault()))
    assert words(found)[-1] == ("STOP", False, "stopped by an alarm")


@pytest.mark.parametrize("seed", range(20))
def test_c7_starts_and_ends_alternate_and_every_end_carries_its_volume(seed: int) -> None:
    draws = random.Random(seed)
    acts: list[tuple[float, therapy.Event]] = list(
        begun(therapy.Order(60 * ML, vtbi_nl=3 * ML, kvo=ML))
    )
    t = 0.0
    for _ in range(40):
        t += draws.uniform(0.5, 40)
        acts.append((t, draws.choice([
            therapy.Stop(), therapy.Start(), therapy.Rate(draws.randrange(ML, 400 * ML)),
            therapy.Bolus(draws.randrange(1, ML), 300 * ML), therapy.Clear(), therapy.MotorFault(),
            therapy.Clamp(draws.random() < 0.3), therapy.Wait(),
        ])))  # fmt: skip
    found = played(*acts)
    assert found
    running = False
    for one in found:
        assert (one.what is What.START) is not running
        running = one.what is What.START
    ends = [one for one in found if one.what is not What.START]
    starts = [one for one in found if one.what is What.START]
    for start, end in zip(starts, ends, strict=False):
        assert end.segment_nl == end.given_nl - start.given_nl >= 0
