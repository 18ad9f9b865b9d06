"""A nurse keeps a pump busy: infusions complete, alarms are answered, a library gets its chance."""

from collections import Counter

from wardwatch.model.values import NS
from wardwatch.twin import therapy
from wardwatch.twin.bedside import Nurse
from wardwatch.twin.therapy import Alarm, Phase, Record, Sound, State


def watched(seed: int, minutes: int, occlude_s: tuple[float, ...] = ()):
    """A bedside in virtual time ⇒ phases by seconds, alarms, log."""
    state, nurse = State(), Nurse(seed, occlude_s)
    phases: Counter[Phase] = Counter()
    alarms: Counter[Alarm] = Counter()
    log: list[str] = []
    for second in range(minutes * 60):
        for ask in (lambda *_: therapy.Wait(), nurse.acts):
            event = ask(state, second * NS)
            if event is None:
                continue
            state, actions, _ = therapy.step(state, event, second * NS)
            alarms.update(a.alarm for a in actions if isinstance(a, Sound) and a.on)
            log += [a.text for a in actions if isinstance(a, Record)]
        phases[state.core.phase] += 1
    return phases, alarms, log


def test_infusions_begin_complete_and_begin_anew() -> None:
    phases, alarms, log = watched(1, 60)
    assert phases[Phase.RUNNING] > 60 * 60 / 2
    assert alarms[Alarm.COMPLETE] >= 10
    assert sum(text.startswith("new patient") for text in log) >= 10
    assert sum(text.startswith("rate ") for text in log) >= 10
    assert not [text for text in log if text.startswith("refused")]


def test_an_empty_syringe_is_changed() -> None:
    _, alarms, log = watched(2, 60)
    assert alarms[Alarm.EMPTY] >= 1
    assert sum(text.startswith("syringe bd-10") for text in log) == alarms[Alarm.EMPTY] + 1


def test_an_occluded_line_is_announced_freed_and_the_infusion_goes_on() -> None:
    phases, alarms, log = watched(1, 5, (20.0,))
    assert alarms[Alarm.OCCLUSION] == 1
    assert phases[Phase.STOPPED] >= 6
    after = log[log.index("alarm: occlusion") :]
    assert "alarms cleared" in after
    assert any(text == "start" for text in after)


def test_a_seed_gives_the_same_day() -> None:
    assert watched(3, 20) == watched(3, 20)
    assert watched(3, 20) != watched(4, 20)
