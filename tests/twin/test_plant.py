"""The closed form is the equation: against small steps, across any division of time, in balance."""

import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wardwatch.twin import plant as p
from wardwatch.twin.plant import Mode, Plant

BIG, SMALL = p.mechanics("bd-60"), p.mechanics("bd-10")


def plainly(one: Plant, m: p.Mechanics, seconds: float, steps: int) -> Plant:
    """The equations of the module's caption in small steps, the slow and plain way."""
    dt = seconds / steps
    gap, f, pressure, plunger, out = one.gap, one.force, one.pressure, one.plunger, one.delivered
    for _ in range(steps):
        gap -= m.area * one.speed * dt
        speed = max(0.0, (f - m.fc - m.a * pressure) / one.damping) if gap <= 0 else 0.0
        leak = 0.0 if one.occluded else (pressure - one.vein) / m.r
        f += m.k * (one.speed - speed) * dt if gap <= 0 else 0.0
        pressure += (m.area * speed - leak) / m.c * dt
        plunger += m.area * speed * dt
        out += leak * dt
    return msgspec.structs.replace(
        one, gap=max(gap, 0.0), force=f, pressure=pressure, plunger=plunger, delivered=out
    )


@pytest.mark.parametrize("occluded", [False, True])
@pytest.mark.parametrize(("m", "rate", "missing"), [(SMALL, 20.0, 30.0), (BIG, 100.0, 300.0)])
def test_the_closed_form_agrees_with_small_steps(
    m: p.Mechanics, rate: float, missing: float, occluded: bool
) -> None:
    start = msgspec.structs.replace(p.driven(p.loaded(m, missing=missing), m, rate), vein=20.0)
    start = msgspec.structs.replace(start, occluded=occluded)
    exact, slow = p.run(start, m, 40), plainly(start, m, 40, 80_000)
    for name in ("gap", "force", "pressure", "plunger", "delivered"):
        assert math.isclose(
            getattr(exact, name), getattr(slow, name), rel_tol=2e-3, abs_tol=2e-2
        ), name


def test_t10_a_day_in_one_step_is_a_day_in_minutes() -> None:
    start = p.driven(p.loaded(BIG, missing=BIG.slack), BIG, 5)
    parts = start
    for _ in range(1440):
        parts = p.run(parts, BIG, 60)
    assert abs(parts.delivered - p.run(start, BIG, 86_400).delivered) <= 1e-3


names = st.sampled_from(sorted(p.syringes()))
acts = st.lists(
    st.tuples(
        st.sampled_from(["rate", "vein", "occlude"]),
        st.floats(0, 1),
        st.floats(0.001, 4000),
    ),
    max_size=8,
)


def played(m: p.Mechanics, acts: list[tuple[str, float, float]]) -> tuple[Plant, float]:
    """A history of rates, heights and clamps, and how far the motor went, in µL."""
    one, motor = p.loaded(m, missing=m.slack), 0.0
    for what, share, seconds in acts:
        if what == "rate":
            rate = share * 20 if share > 0.3 else 0.0
            one = p.driven(one, m, rate)
        elif what == "vein":
            one = msgspec.structs.replace(one, vein=share * 400 - 100)
        else:
            one = msgspec.structs.replace(one, occluded=share > 0.5)
        motor += one.speed * m.area * seconds
        one = p.run(one, m, seconds)
    return one, motor


@given(names, acts)
@settings(max_examples=150, deadline=None)
def test_t11_motor_plunger_and_line_balance(name: str, acts: list) -> None:
    m = p.mechanics(name)
    start = p.loaded(m, missing=m.slack)
    one, motor = played(m, acts)
    spring = (one.force - start.force) * m.area / m.k
    scale = max(1.0, motor)
    assert abs(motor - (start.gap - one.gap) - spring - one.plunger) <= 1e-6 * scale
    line = one.plunger - one.delivered - m.c * (one.pressure - start.pressure)
    assert abs(line) <= 1e-6 * scale


@given(names, acts, st.floats(0.01, 0.99))
@settings(max_examples=100, deadline=None)
def test_t10_any_division_of_time_gives_the_same(name: str, acts: list, share: float) -> None:
    m = p.mechanics(name)
    split = [
        part
        for what, value, seconds in acts
        for part in ((what, value, seconds * share), (what, value, seconds * (1 - share)))
    ]
    one, two = played(m, acts)[0], played(m, split)[0]
    assert abs(one.delivered - two.delivered) <= 1e-3
    assert abs(one.pressure - two.pressure) <= 1e-3


@given(names, acts)
@settings(max_examples=100, deadline=None)
def test_a_plunger_at_rest_is_not_pushed_and_one_that_slides_is(name: str, acts: list) -> None:
    m = p.mechanics(name)
    one, _ = played(m, acts)
    push = one.force - m.fc - m.a * one.pressure
    if one.mode is Mode.SLIDING:
        assert push >= -1e-6
    elif one.mode is Mode.STUCK:
        assert push <= 1e-6
    assert (one.gap > 0) <= (one.mode is Mode.GAP)


@given(names, acts, st.floats(100, 1034))
@settings(max_examples=100, deadline=None)
def test_a_crossing_of_the_limit_is_where_it_is_said_to_be(
    name: str, acts: list, limit: float
) -> None:
    m = p.mechanics(name)
    one, _ = played(m, acts)
    seconds = p.reaches(one, m, limit)
    end = min(p.until(one, m), 1e6)
    if 0 < seconds < end:
        assert p.after(one, m, seconds).pressure == pytest.approx(limit, abs=1e-6)
        assert p.after(one, m, seconds * 0.999).pressure < limit
    elif seconds > end and one.pressure < limit:
        assert all(p.after(one, m, end * part / 50).pressure < limit + 1e-6 for part in range(51))


@given(names, acts)
@settings(max_examples=100, deadline=None)
def test_a_mode_ends_where_it_is_said_to_end(name: str, acts: list) -> None:
    m = p.mechanics(name)
    one, _ = played(m, acts)
    seconds = p.until(one, m)
    if 0 < seconds < 1e7 and one.mode is not Mode.GAP:
        end = p.after(one, m, seconds)
        assert end.force == pytest.approx(m.fc + m.a * end.pressure, abs=1e-6)


@pytest.mark.parametrize("occluded", [False, True])
@pytest.mark.parametrize("vein", [0.0, 60.0])
def test_a_plunger_starts_to_slide_when_the_drive_has_wound_up(occluded: bool, vein: float) -> None:
    one = p.driven(p.loaded(BIG, missing=BIG.slack), BIG, 5)
    one = msgspec.structs.replace(one, occluded=occluded, vein=vein)
    seconds = p.until(one, BIG)
    lack = BIG.slack * BIG.k / BIG.area + (0.0 if occluded else BIG.a * vein)
    assert seconds == pytest.approx(lack / (BIG.k * BIG.speed(5)), rel=1e-6)
    assert p.run(one, BIG, seconds * 0.999).mode is Mode.STUCK
    assert p.run(one, BIG, seconds * 1.001).mode is Mode.SLIDING


def test_a_pump_lowered_far_halts_its_plunger_until_the_drive_has_caught_up() -> None:
    one = p.run(p.driven(p.loaded(BIG, missing=0.0), BIG, 5), BIG, 7200)
    one = msgspec.structs.replace(one, vein=100.0)
    seconds = p.until(one, BIG)
    assert 0 < seconds < 5
    assert p.run(one, BIG, seconds + 1).mode is Mode.STUCK
    assert p.run(one, BIG, 3600).mode is Mode.SLIDING


def test_friction_doubles_when_the_rate_is_32_fold() -> None:
    one, many = (BIG.damping(rate) * BIG.speed(rate) for rate in (1, 32))
    assert (one, many) == (pytest.approx(2.0), pytest.approx(4.0))


def test_back_off_leaves_what_it_is_told_and_balances() -> None:
    one = msgspec.structs.replace(
        p.run(p.driven(p.loaded(BIG, missing=0.0), BIG, 5), BIG, 7200), occluded=True
    )
    full = p.after(one, BIG, p.reaches(one, BIG, 517))
    assert p.stored(full, BIG) > 1300
    back, drive = p.withdrawn(full, BIG, 200.0)
    assert p.stored(back, BIG) == pytest.approx(200.0)
    assert drive == pytest.approx(
        full.plunger - back.plunger + (full.force - back.force) * BIG.area / BIG.k
    )
    opened = p.run(msgspec.structs.replace(back, occluded=False), BIG, 600)
    assert opened.delivered - back.delivered == pytest.approx(200.0, abs=1e-6)


def test_t12_the_greatest_rate_is_one_speed_for_every_syringe() -> None:
    found = {name: round(p.mechanics(name).fastest_nl_h / 1e6) for name in p.syringes()}
    assert found == {
        "bd-1": 35, "bd-3": 118, "bd-5": 230, "bd-10": 336, "bd-20": 580, "bd-30": 745,
        "bd-60": 1130,
    }  # fmt: skip


def test_every_value_of_a_syringe_bears_its_mark() -> None:
    for syringe in p.syringes().values():
        for field in syringe.__struct_fields__[1:]:
            value = getattr(syringe, field)
            assert value.mark in ("P", "D", "K", "A")
            assert value.value > 0
