"""The head over columns is the head: programme by programme, against the scalar one."""

import numpy as np
import pytest

from wardwatch.model.values import NS
from wardwatch.twin import plant as mech
from wardwatch.twin import therapy as head
from wardwatch.twin.fleet import head as many

HOUR = 3600 * NS
PHASES = {
    head.Phase.RUNNING: many.RUNNING,
    head.Phase.BOLUS: many.BOLUS,
    head.Phase.KVO: many.KVO,
    head.Phase.PAUSED: many.PAUSED,
    head.Phase.STOPPED: many.STOPPED,
}


def programmes(count: int, seed: int) -> tuple[many.Programmes, np.ndarray]:
    """Random programmes of every syringe, and the instants they are asked for."""
    draws = np.random.default_rng(seed)
    each = [mech.mechanics(name) for name in many.names()]
    syringe = draws.integers(len(each), size=count)
    capacity = np.array([m.capacity_nl for m in each])[syringe]
    fastest = np.array([m.fastest_nl_h for m in each])[syringe]
    slowest = np.array([m.lowest_nl_h for m in each])[syringe]

    def rates():
        return np.exp(draws.uniform(np.log(slowest), np.log(fastest))).astype(np.int64)

    volume = (capacity * draws.uniform(0.05, 1, count)).astype(np.int64)
    rate = rates()
    vtbi = (volume * draws.uniform(0.01, 1.2, count)).astype(np.int64)
    whole = vtbi / rate * HOUR
    return many.Programmes(
        syringe=syringe,
        volume_nl=volume,
        rate=rate,
        vtbi_nl=np.where(draws.random(count) < 0.8, vtbi, 0),
        kvo=np.where(draws.random(count) < 0.5, rates(), 0),
        loading_nl=np.where(draws.random(count) < 0.3, volume // 20 + 1, 0),
        loading_rate=rates(),
        vein=np.where(draws.random(count) < 0.5, draws.uniform(-50, 60, count), 0.0),
        limit_mmhg=draws.uniform(*head.LIMIT_MMHG, count),
        clamped=np.where(
            draws.random(count) < 0.4, draws.uniform(0, whole).astype(np.int64), many.LATER
        ),
        lifted=np.where(
            draws.random(count) < 0.4, draws.uniform(0, whole).astype(np.int64), many.LATER
        ),
        vein_then=draws.uniform(-200, 200, count),
    ), draws.uniform(0, 2 * whole).astype(np.int64) + 1


def scalar(asked: many.Programmes, at: np.ndarray, n: int) -> tuple[float, int, int, int, float]:
    """One of them, event by event: delivered µL, displayed nL, phase, occlusion alarm, pressure."""
    order = head.Order(
        rate=int(asked.rate[n]), vtbi_nl=int(asked.vtbi_nl[n]), kvo=int(asked.kvo[n]),
        limit_mmhg=float(asked.limit_mmhg[n]), loading_nl=int(asked.loading_nl[n]),
        loading_rate=int(asked.loading_rate[n]),
    )  # fmt: skip
    events = [
        (0, head.PowerOn()),
        (0, head.Load(many.names()[asked.syringe[n]], int(asked.volume_nl[n]))),
        (0, head.Vein(float(asked.vein[n]))),
        (0, head.Programme(order)),
        (0, head.Confirm()),
        (0, head.Start()),
    ]
    world = (
        (int(asked.clamped[n]), head.Clamp(occluded=True)),
        (int(asked.lifted[n]), head.Vein(float(asked.vein_then[n]))),
    )
    events += sorted((one for one in world if one[0] <= at[n]), key=lambda one: one[0])
    state, occluded = head.State(), many.LATER
    for t, event in (*events, (int(at[n]), head.Wait())):
        state, actions, _ = head.step(state, event, t)
        for action in actions:
            if isinstance(action, head.Sound) and action.alarm is head.Alarm.OCCLUSION:
                occluded = action.at
    now = int(at[n])
    return (
        head.delivered_ul(state, now),
        head.given_nl(state, now),
        PHASES[state.core.phase],
        occluded,
        head._plant_at(state.core, now).pressure,
    )


def worst(count: int, seed: int) -> float:
    """Greatest difference of what was delivered, in mL; the rest has to be equal."""
    asked, at = programmes(count, seed)
    found = many.outcome(asked, at)
    most = 0.0
    for n in range(count):
        delivered, given, phase, occluded, pressure = scalar(asked, at, n)
        most = max(most, abs(delivered - found.delivered_ul[n]) / 1000)
        assert found.phase[n] == phase, n
        assert abs(found.pressure_mmhg[n] - pressure) < 1e-6, n
        # An instant is rounded up to ns from where the head last looked.
        assert abs(found.given_nl[n] - given) <= 1, n
        assert abs(int(found.occlusion[n]) - occluded) <= 4, n
    return most


@pytest.mark.parametrize("seed", range(4))
def test_f12_columns_deliver_what_the_scalar_head_delivers_in_10000_programmes(seed):
    assert worst(2_500, seed) <= 1e-9


def test_f12_random_programmes_pass_every_phase_and_alarm():
    asked, at = programmes(500, 1)
    found = many.outcome(asked, at)
    assert set(found.phase) == set(PHASES.values())
    assert 20 < np.count_nonzero(found.occlusion < many.LATER) < 250


def test_f12_volumes_are_exact_where_a_product_would_leave_63_bits():
    rate, volume = np.array([1_130_000_000, 7]), np.array([60_000_000, 13])
    passed = many.ends(volume, rate)
    for n in range(2):
        assert passed[n] == -(-int(volume[n]) * HOUR // int(rate[n]))
    assert list(many.displayed(rate, passed)) == list(volume)
    assert list(many.displayed(rate, passed - 1)) == list(volume - 1)
