"""The head: total, exact, deaf to the link while it delivers; each requirement by its number."""

import itertools
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wardwatch.twin import plant as mech
from wardwatch.twin import therapy as h
from wardwatch.twin.link import TO_THERAPY, Frame, Kind
from wardwatch.twin.therapy import Alarm, Phase, Priority

S = 1_000_000_000
MIN, HOUR = 60 * S, 3600 * S
ML = 1_000_000
KEY = b"made for this test only"


class Pump:
    """A pump played in sentences; every step is kept."""

    def __init__(self, rules: h.Rules | None = None) -> None:
        self.state = h.State(rules=rules or h.Rules(key=KEY))
        self.t = 0
        self.actions: list[h.Action] = []

    def __call__(self, event: h.Event, at: int = -1) -> "Pump":
        self.t = max(self.t, at)
        self.state, actions, _ = h.step(self.state, event, self.t)
        self.actions += actions
        return self

    def wait(self, ns: int) -> "Pump":
        return self(h.Wait(), self.t + ns)

    def ready(
        self, order: h.Order, syringe: str = "bd-60", volume: int = 50 * ML, by: str = ""
    ) -> "Pump":
        return self(h.PowerOn())(h.Load(syringe, volume))(h.Programme(order))(h.Confirm(by))

    def runs(self, order: h.Order, syringe: str = "bd-60", volume: int = 50 * ML) -> "Pump":
        return self.ready(order, syringe, volume)(h.Start())

    @property
    def phase(self) -> Phase:
        return self.state.core.phase

    @property
    def alarms(self) -> set[Alarm]:
        return {alarm for alarm, _ in self.state.core.alarms}

    def sounded(self, alarm: Alarm) -> list[int]:
        return [a.at for a in self.actions if isinstance(a, h.Sound) and a.alarm is alarm and a.on]

    def log(self) -> list[h.Record]:
        return [a for a in self.actions if isinstance(a, h.Record)]

    def said(self, text: str) -> bool:
        return any(text in record.text for record in self.log())

    def given(self) -> int:
        return h.given_nl(self.state, self.t)


# Delivery --------------------------------------------------------------------------------------


@pytest.mark.parametrize("syringe", sorted(mech.syringes()))
@pytest.mark.parametrize("vein", [-100.0, 0.0, 300.0])
def test_t1_an_hour_of_steady_flow_is_right_within_2_percent(syringe: str, vein: float) -> None:
    m = mech.mechanics(syringe)
    rate = m.capacity_nl // 20
    pump = Pump().ready(h.Order(rate, limit_mmhg=700), syringe, m.capacity_nl)
    pump(h.Vein(vein))(h.Start()).wait(8 * HOUR)
    before = h.delivered_ul(pump.state, pump.t)
    pump.wait(HOUR)
    assert pump.phase is Phase.RUNNING
    got = h.delivered_ul(pump.state, pump.t) - before
    assert abs(got / (rate / 1000) - 1) <= 0.02


def test_t8_back_off_leaves_less_than_0_3_ml_and_high_is_flagged() -> None:
    for limit, flagged in ((310.0, False), (517.0, False), (800.0, True)):
        pump = Pump().runs(h.Order(5 * ML, limit_mmhg=limit)).wait(HOUR)
        pump(h.Clamp(occluded=True)).wait(2 * HOUR)
        assert pump.phase is Phase.STOPPED
        before = h.delivered_ul(pump.state, pump.t)
        pump(h.Clamp(occluded=False)).wait(MIN)
        bolus = h.delivered_ul(pump.state, pump.t) - before
        assert (bolus > 300) is flagged is pump.said("above 0.3 mL")
        assert 0 < bolus <= 500


def test_t10_asking_often_changes_no_digit_of_the_core() -> None:
    order = h.Order(5 * ML, vtbi_nl=4 * ML, kvo=ML)
    often, once = Pump().runs(order), Pump().runs(order)
    for _ in range(1440):
        often.wait(MIN)
    once.wait(1440 * MIN)
    assert often.state.core == once.state.core
    assert often.state.digest == once.state.digest
    assert h.delivered_pl(often.state, often.t) == h.delivered_pl(once.state, once.t)


def test_t12_rates_outside_the_syringe_are_refused_and_slow_ones_noticed() -> None:
    fastest = mech.mechanics("bd-10").fastest_nl_h
    for rate, taken in ((0, False), (-1, False), (1, True), (fastest, True), (fastest + 1, False)):
        pump = Pump().ready(h.Order(rate), "bd-10", 10 * ML)
        assert (pump.phase is Phase.READY) is taken
        assert pump.said("refused: rate") is not taken
    slow, fine = (Pump().runs(h.Order(rate), "bd-10", 10 * ML) for rate in (99_999, 100_000))
    assert (slow.phase, slow.alarms) == (Phase.RUNNING, {Alarm.RATE_LOW})
    assert (fine.phase, fine.alarms) == (Phase.RUNNING, set())


@given(st.integers(1, 3 * ML), st.floats(0.01, 0.99), st.integers(1, 5 * ML))
@settings(max_examples=40, deadline=None)
def test_t14_an_interrupted_bolus_gives_exactly_the_rest_after_priming(
    volume: int, share: float, primed: int
) -> None:
    pump = Pump().runs(h.Order(ML)).wait(MIN)
    base = pump.given()
    pump(h.Bolus(volume, 100 * ML))
    pump(h.Stop(), pump.t + int(share * volume * HOUR / (100 * ML)))
    pump.wait(MIN)(h.Prime(primed))(h.Start())
    assert pump.phase is Phase.BOLUS
    pump(h.Wait(), h.deadline(pump.state))
    while pump.phase is Phase.BOLUS:
        pump(h.Wait(), h.deadline(pump.state))
    assert pump.said("bolus complete")
    assert abs(pump.given() - base - volume) <= 1


def test_t14_the_recalled_version_shows_the_fault_as_a_label() -> None:
    pump = Pump(h.Rules(forgets_bolus=True)).runs(h.Order(ML)).wait(MIN)
    pump(h.Bolus(2 * ML, 100 * ML)).wait(36 * S)(h.Stop())(h.Prime(ML // 2))(h.Start())
    assert pump.state.core.labels == ("bolus_after_prime",)
    assert pump.state.core.bolus == ML // 2 * HOUR


@given(st.integers(1000, 200 * ML), st.integers(1, 20 * ML), st.integers(0, 3 * ML))
@settings(max_examples=60, deadline=None)
def test_t15_the_volume_limit_is_met_to_the_nanolitre_then_kvo(
    rate: int, vtbi: int, kvo: int
) -> None:
    pump = Pump().runs(h.Order(rate, vtbi_nl=vtbi, kvo=kvo, limit_mmhg=1000))
    pump(h.Wait(), vtbi * HOUR // rate + 1)
    assert 0 <= pump.given() - vtbi <= 1
    assert h.MOTOR_STEP_NL > 1
    assert pump.sounded(Alarm.COMPLETE) == [-(-vtbi * HOUR // rate)]
    assert pump.state.core.rate == min(rate, kvo)
    assert pump.phase is (Phase.KVO if kvo else Phase.PAUSED)


@given(st.sampled_from(sorted(mech.syringes())), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_t9_pressure_is_never_above_20_psi(syringe: str, seed: int) -> None:
    draws = random.Random(seed)
    m = mech.mechanics(syringe)
    order = h.Order(draws.randrange(1, m.fastest_nl_h), limit_mmhg=draws.uniform(104, 1034))
    pump = Pump().ready(order, syringe, m.capacity_nl)
    pump(h.Vein(draws.uniform(-100, 300)))(h.Start())
    for _ in range(12):
        pump(random_event(draws))
        for _ in range(6):
            at = min(h.deadline(pump.state), pump.t + draws.randrange(1, 200) * S)
            pump(h.Wait(), at)
            plant = pump.state.core.plant
            if plant is not None:
                assert h._plant_at(pump.state.core, pump.t).pressure <= 1034.3


def test_t9_a_motor_that_fails_just_below_the_limit_pushes_no_further() -> None:
    pump = Pump().runs(h.Order(1000 * ML, limit_mmhg=1034))(h.Clamp(occluded=True))
    while pump.state.core.cause != "limit":
        pump(h.Wait(), h.deadline(pump.state))
    pump(h.Wait(), h.deadline(pump.state) - S // 100)(h.MotorFault())
    before = h._plant_at(pump.state.core, pump.t).pressure
    assert before > 1000
    assert h._plant_at(pump.wait(HOUR).state.core, pump.t).pressure == pytest.approx(before)
    assert pump.alarms >= {Alarm.MOTOR_NOT_RUNNING}
    assert pump.state.core.back_ul > 0


def test_t9_the_limit_is_set_between_2_and_20_psi() -> None:
    for limit, taken in ((103, False), (103.5, True), (1034, True), (1035, False)):
        assert (Pump().ready(h.Order(ML, limit_mmhg=limit)).phase is Phase.READY) is taken


# Alarms ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("minutes", [1, 5, 240])
def test_t16_near_empty_sounds_once_at_its_minute_and_stops_nothing(minutes: int) -> None:
    pump = Pump().runs(h.Order(5 * ML, near_empty_min=minutes), volume=25 * ML)
    pump.wait(5 * HOUR - minutes * MIN - 1)
    assert pump.sounded(Alarm.NEAR_EMPTY) == []
    pump.wait(1)(h.Clear()).wait(S)
    assert pump.sounded(Alarm.NEAR_EMPTY) == [5 * HOUR - minutes * MIN]
    assert pump.phase is Phase.RUNNING
    pump(h.Wait(), 5 * HOUR)
    assert pump.sounded(Alarm.EMPTY) == [5 * HOUR]
    assert (pump.phase, pump.given()) == (Phase.STOPPED, 25 * ML)
    assert len(pump.sounded(Alarm.NEAR_EMPTY)) == 1


def test_t16_near_empty_sounds_at_start_if_already_inside() -> None:
    pump = Pump().runs(
        h.Order(5 * ML, near_empty_min=30, near_empty=Priority.MEDIUM), volume=2 * ML
    )
    pump(h.Wait())
    assert pump.sounded(Alarm.NEAR_EMPTY) == [0]
    assert (Alarm.NEAR_EMPTY, Priority.MEDIUM) in pump.state.core.alarms
    assert pump.phase is Phase.RUNNING


def test_t17_user_callback_after_30_seconds_without_a_key() -> None:
    pump = Pump()(h.PowerOn())(h.Load("bd-60", 50 * ML)).wait(20 * S)(h.Key()).wait(30 * S - 1)
    assert pump.sounded(Alarm.CALLBACK) == []
    pump.wait(1)
    assert pump.sounded(Alarm.CALLBACK) == [50 * S]
    pump.wait(HOUR)(h.Key())
    assert pump.alarms == set()
    assert len(pump.sounded(Alarm.CALLBACK)) == 1


def test_t18_priorities_are_the_table_and_the_highest_is_shown() -> None:
    low = {Alarm.BATTERY_LOW, Alarm.NEAR_EMPTY, Alarm.RATE_LOW, Alarm.LINK_LOST}
    medium = {Alarm.VOLUME_NEAR_EMPTY, Alarm.COMPLETE, Alarm.CALLBACK}
    for alarm in Alarm:
        wanted = (
            Priority.LOW if alarm in low else Priority.MEDIUM if alarm in medium else Priority.HIGH
        )
        assert h.PRIORITIES[alarm] is wanted
    pump = Pump().runs(h.Order(ML // 2))
    assert h.shown(pump.state) == (Alarm.RATE_LOW, Priority.LOW)
    pump(h.MotorFault())
    assert h.shown(pump.state) == (Alarm.MOTOR_NOT_RUNNING, Priority.HIGH)
    assert pump.alarms == {Alarm.RATE_LOW, Alarm.MOTOR_NOT_RUNNING}
    assert h.shown(Pump().state) is None


def test_t20_a_pause_of_the_sound_ends_by_itself_within_10_minutes() -> None:
    pump = Pump().runs(h.Order(ML // 2))(h.Silence(11))(h.Silence(0))
    assert pump.state.paused_until == 0
    pump(h.Silence(10)).wait(10 * MIN - 1)
    assert [a for a in pump.actions if isinstance(a, h.Audio)] == [h.Audio(0, paused=True)]
    pump.wait(HOUR)
    assert pump.actions.count(h.Audio(10 * MIN, paused=False)) == 1
    assert Alarm.RATE_LOW in pump.alarms


def test_t20_a_lost_link_and_a_high_alarm_are_heard_at_once() -> None:
    pump = Pump().runs(h.Order(5 * ML))(h.Received(Frame(Kind.ACK, 0, b"")))(h.Silence(5))
    pump.wait(MIN)
    assert h.Audio(5 * S, paused=False) in pump.actions
    assert pump.state.core == Pump().runs(h.Order(5 * ML)).wait(MIN).state.core
    pump(h.Silence(5))(h.MotorFault())
    assert pump.actions.count(h.Audio(MIN, paused=False)) == 1
    assert pump.state.paused_until == 0


def test_t22_the_third_stop_by_one_alarm_in_10_minutes_needs_a_new_confirmation() -> None:
    for pause, repeated in ((MIN, True), (6 * MIN, False)):
        pump = Pump().runs(h.Order(5 * ML))
        for _ in range(3):
            pump.wait(pause)(h.MotorFault())
            assert pump.phase is Phase.STOPPED
            if Alarm.REPEATED not in pump.alarms:
                pump(h.Clear())(h.Start())
        assert bool(pump.sounded(Alarm.REPEATED)) is repeated
        pump(h.Clear())(h.Start())
        assert (pump.phase in h.DELIVERS) is not repeated
    pump = Pump().runs(h.Order(5 * ML))
    for fault in (h.MotorFault(), h.MotorFault(), h.MotorFault(rate=True)):
        pump.wait(MIN)(fault)(h.Clear())(h.Start())
    assert pump.phase is Phase.RUNNING


@pytest.mark.parametrize(
    ("event", "alarm"),
    [
        (h.MotorFault(), Alarm.MOTOR_NOT_RUNNING),
        (h.MotorFault(rate=True), Alarm.MOTOR_RATE),
        (h.Unload(), Alarm.DISLODGED),
        (h.Battery(0), Alarm.BATTERY_DEPLETED),
    ],
)
def test_t18_every_high_alarm_stops_and_start_needs_it_cleared(
    event: h.Event, alarm: Alarm
) -> None:
    pump = Pump().runs(h.Order(5 * ML)).wait(MIN)(event)
    given = pump.given()
    assert (pump.phase, pump.sounded(alarm)) == (Phase.STOPPED, [MIN])
    pump(h.Start()).wait(HOUR)
    assert (pump.phase, pump.given()) == (Phase.STOPPED, given)


def test_t21_an_occlusion_is_announced_at_its_crossing_and_not_later() -> None:
    late, exact = (
        Pump().runs(h.Order(5 * ML)).wait(HOUR)(h.Clamp(occluded=True)) for _ in range(2)
    )
    late.wait(5 * HOUR)
    while not exact.sounded(Alarm.OCCLUSION):
        exact(h.Wait(), h.deadline(exact.state))
    assert late.sounded(Alarm.OCCLUSION) == exact.sounded(Alarm.OCCLUSION) == [exact.t]
    minutes = (exact.t - HOUR) / MIN
    assert 7.9 <= minutes <= 22.1
    assert late.state.core == exact.state.core


def test_t23_no_delivery_without_a_passed_self_test() -> None:
    pump = Pump()(h.PowerOn(("memory",)))
    pump(h.Load("bd-60", 50 * ML))(h.Programme(h.Order(ML)))(h.Confirm())(h.Start())
    assert (pump.phase, pump.alarms) == (Phase.FAILED, {Alarm.FAILURE})
    assert pump.wait(HOUR).given() == 0


def test_t25_the_battery_is_low_before_it_is_depleted_and_nothing_is_silent() -> None:
    pump = Pump().runs(h.Order(5 * ML))(h.Battery(31))
    assert pump.alarms == set()
    pump(h.Battery(30))
    assert (pump.phase, pump.alarms) == (Phase.RUNNING, {Alarm.BATTERY_LOW})
    pump(h.Battery(0))(h.Clear())(h.Start())
    assert Alarm.BATTERY_DEPLETED in pump.alarms
    assert pump.phase not in h.DELIVERS


# The drug library ------------------------------------------------------------------------------

ENTRY = h.Entry("morphine", ML, 2 * ML, 3 * ML, 4 * ML, 5 * ML)
LIBRARY = h.Library(7, (ENTRY,))


def with_library(library: h.Library = LIBRARY) -> Pump:
    pump = Pump()
    pump.state = msgspec.structs.replace(
        pump.state, core=msgspec.structs.replace(pump.state.core, library=library)
    )
    return pump


@given(st.permutations(range(5)))
@settings(max_examples=60)
def test_t26_limits_out_of_order_refuse_the_whole_library(order: list[int]) -> None:
    entry = h.Entry("x", *order)
    assert h.Library(1, (ENTRY, entry)).sound is (order == sorted(order))
    assert not h.Library(1, (ENTRY, ENTRY)).sound


@given(st.integers(1, 6 * ML), st.sampled_from(["", "nurse 4711"]))
@settings(max_examples=80)
def test_t26_soft_limits_need_a_name_and_hard_ones_hold(rate: int, by: str) -> None:
    pump = with_library().ready(h.Order(rate, drug="morphine"), by=by)
    within = 2 * ML <= rate <= 4 * ML
    soft = ML <= rate <= 5 * ML and not within
    assert (pump.phase is Phase.READY) is (within or (soft and bool(by)))
    assert pump.said(f"override by {by}: morphine at {rate}") is (soft and bool(by))


def test_t26_a_running_rate_is_held_to_the_limits_as_well() -> None:
    pump = with_library().runs(h.Order(3 * ML, drug="morphine"))(h.Rate(6 * ML))
    assert pump.state.core.rate == 3 * ML
    assert pump(h.Rate(4 * ML)).state.core.rate == 4 * ML
    assert with_library().ready(h.Order(ML, drug="nothing we know")).phase is Phase.IDLE


def frames_of(library: h.Library, rules: h.Rules) -> list[h.Event]:
    package = msgspec.json.encode(library)
    parts = [package[n : n + 50] for n in range(0, len(package), 50)]
    bodies = [(Kind.LIBRARY_CHUNK, n.to_bytes(2, "big") + part) for n, part in enumerate(parts)]
    commit = h.offer(rules, Kind.LIBRARY_COMMIT, library.version, package)
    bodies.append((Kind.LIBRARY_COMMIT, commit))
    return [h.Received(Frame(kind, n, body)) for n, (kind, body) in enumerate(bodies)]


def test_t27_a_library_waits_until_the_next_patient() -> None:
    pump = Pump().runs(h.Order(5 * ML)).wait(MIN)
    core = pump.state.core
    for event in frames_of(LIBRARY, pump.state.rules):
        pump(event)
    assert pump.state.core is core
    assert pump.state.comms.pending == LIBRARY
    pump(h.Stop())
    assert pump.state.core.library.version == 0
    assert pump(h.NewPatient()).state.core.library == LIBRARY


def test_t27_an_unsigned_library_is_refused_or_a_labelled_violation() -> None:
    stranger = h.Rules(key=b"another key")
    for verifies in (True, False):
        pump = Pump(h.Rules(verifies=verifies, key=KEY)).runs(h.Order(5 * ML))
        core = pump.state.core
        for event in frames_of(LIBRARY, stranger):
            pump(event)
        assert pump.state.core is core
        assert (pump.state.comms.pending is None) is verifies
        assert pump.state.comms.violations == (not verifies)
        assert pump.said("i2_violation") is not verifies


def test_t27_a_library_of_another_version_than_it_was_offered_as_is_refused() -> None:
    pump = Pump().runs(h.Order(5 * ML))
    package = msgspec.json.encode(LIBRARY)
    for event in frames_of(LIBRARY, pump.state.rules)[:-1]:
        pump(event)
    body = h.offer(pump.state.rules, Kind.LIBRARY_COMMIT, 8, package)
    pump(h.Received(Frame(Kind.LIBRARY_COMMIT, 0, body)))
    assert (pump.state.comms.pending, pump.state.comms.refused) == (None, 1)


def test_t27_an_unsound_library_is_refused_though_signed() -> None:
    pump = Pump().runs(h.Order(5 * ML))
    for event in frames_of(h.Library(7, (ENTRY, ENTRY)), pump.state.rules):
        pump(event)
    assert (pump.state.comms.pending, pump.state.comms.refused) == (None, 1)


# The link --------------------------------------------------------------------------------------


def test_c13_silence_is_noticed_after_5_seconds_and_changes_no_delivery() -> None:
    deaf, heard = Pump().runs(h.Order(5 * ML)), Pump().runs(h.Order(5 * ML))
    heard(h.Received(Frame(Kind.ACK, 0, b"")), S).wait(5 * S - 1)
    assert not heard.state.comms.lost
    heard.wait(1)
    assert heard.sounded(Alarm.LINK_LOST) == [6 * S]
    assert h.shown(heard.state) == (Alarm.LINK_LOST, Priority.LOW)
    deaf(h.Wait(), heard.t)
    assert deaf.state.core == heard.state.core
    heard(h.Received(Frame(Kind.ACK, 1, b"")))
    assert h.shown(heard.state) is None


def test_c16_a_time_offer_moves_the_display_only_and_is_heard_once_a_minute() -> None:
    pump = Pump().runs(h.Order(5 * ML))
    core = pump.state.core
    for n in range(100):
        pump(h.Received(Frame(Kind.TIME_OFFER, n, (n * HOUR).to_bytes(8, "big"))))
    assert pump.state.core is core
    assert pump.state.comms.clock_ns == 0
    assert sum("displayed clock" in r.text for r in pump.log()) == 1
    pump.wait(HOUR)(h.Received(Frame(Kind.TIME_OFFER, 100, (7 * HOUR).to_bytes(8, "big"))))
    assert pump.state.comms.clock_ns == 6 * HOUR


def test_s11_an_unsigned_firmware_offer_is_refused_or_a_labelled_violation() -> None:
    body = h.offer(h.Rules(key=b"another key"), Kind.FIRMWARE_OFFER, 9, b"firmware")
    for verifies in (True, False):
        pump = Pump(h.Rules(verifies=verifies, key=KEY)).runs(h.Order(5 * ML))
        core = pump.state.core
        pump(h.Received(Frame(Kind.FIRMWARE_OFFER, 0, body)))
        assert pump.state.core is core
        assert pump.state.comms.violations == (not verifies)
        pump(h.PowerOff())(h.PowerOn())
        assert pump.state.core.firmware == (1 if verifies else 9)
    pump = Pump(h.Rules(verifies=False)).runs(h.Order(5 * ML))
    for version in range(1, 50):
        body = h.offer(h.Rules(), Kind.FIRMWARE_OFFER, version, b"firmware")
        pump(h.Received(Frame(Kind.FIRMWARE_OFFER, version, body)))
    assert pump.state.comms.violations == 49
    assert sum("i2_violation" in record.text for record in pump.log()) == 1
    signed = h.offer(h.Rules(key=KEY), Kind.FIRMWARE_OFFER, 2, b"firmware")
    pump = Pump().runs(h.Order(5 * ML))(h.Received(Frame(Kind.FIRMWARE_OFFER, 0, signed)))
    assert (pump.state.comms.violations, pump.state.comms.firmware) == (0, 2)


@given(
    st.lists(st.tuples(st.sampled_from(sorted(TO_THERAPY)), st.binary(max_size=52)), max_size=30)
)
@settings(max_examples=100)
def test_s10_no_body_of_any_frame_touches_the_core(frames: list[tuple[Kind, bytes]]) -> None:
    pump = Pump().runs(h.Order(5 * ML)).wait(MIN)
    core = pump.state.core
    for n, (kind, body) in enumerate(frames):
        pump(h.Received(Frame(kind, n, body)))
    assert pump.state.core is core
    assert pump.state.comms.violations == 0


def test_hostile_library_packages_are_refused() -> None:
    for package in (b"[" * 50_000, b"\xff\xfe", b"{}", b'{"version": 1e999}', b"null"):
        pump = Pump(h.Rules(verifies=False)).runs(h.Order(5 * ML))
        parts = [package[n : n + 50] for n in range(0, len(package), 50)]
        for n, part in enumerate(parts):
            pump(h.Received(Frame(Kind.LIBRARY_CHUNK, n, n.to_bytes(2, "big") + part)))
        commit = h.offer(pump.state.rules, Kind.LIBRARY_COMMIT, 1, package)
        pump(h.Received(Frame(Kind.LIBRARY_COMMIT, 0, commit)))
        assert (pump.state.comms.pending, pump.state.comms.refused) == (None, 1)


def test_a_library_without_end_is_dropped_at_its_bound() -> None:
    pump = Pump().runs(h.Order(5 * ML))
    for n in range(1500):
        pump(h.Received(Frame(Kind.LIBRARY_CHUNK, n, n.to_bytes(2, "big") + bytes(50))))
    assert len(pump.state.comms.package) <= h.LIBRARY_MAX
    assert pump.state.comms.refused > 100


# Log, totality, replay -------------------------------------------------------------------------


def test_t28_the_log_is_chained_and_every_change_of_it_shows() -> None:
    pump = Pump().runs(h.Order(5 * ML)).wait(MIN)(h.Stop())(h.Start()).wait(MIN)(h.PowerOff())
    log = pump.log()
    assert len(log) > 6
    assert h.chained(log)
    assert h.chained(log[:-1])
    assert log[-1].digest == pump.state.digest
    changed = msgspec.structs.replace(log[3], text="never happened")
    assert not h.chained([*log[:3], changed, *log[4:]])
    assert not h.chained([*log[:3], *log[4:]])
    assert not h.chained([*log[:3], log[4], log[3], *log[5:]])
    assert not h.chained([msgspec.structs.replace(log[0], at=1), *log[1:]])
    assert not h.chained([msgspec.structs.replace(log[0], number=1), *log[1:]])


def test_t28_30_days_are_kept_in_the_chain() -> None:
    pump = Pump()(h.PowerOn())
    for day in range(31):
        pump(h.Key(), day * 24 * HOUR).wait(MIN)
    log = pump.log()
    assert h.chained(log)
    assert log[-1].at - log[0].at >= 30 * 24 * HOUR


def random_event(draws: random.Random) -> h.Event:
    """Any event; orders that make sense and orders that do not."""
    rate = draws.choice([0, 1, ML // 10, ML, 50 * ML, draws.randrange(1200 * ML)])
    return draws.choice(
        [
            lambda: h.PowerOn(("fault",) if draws.random() < 0.1 else ()),
            lambda: h.PowerOff() if draws.random() < 0.2 else h.Key(),
            lambda: h.Load(draws.choice(["bd-60", "bd-10", "bd-1", "none"]), draws.randrange(50 * ML)),
            lambda: h.Unload() if draws.random() < 0.3 else h.Wait(),
            lambda: h.Programme(
                h.Order(
                    rate, draws.choice([0, ML, 5 * ML]), draws.choice([0, ML]),
                    draws.choice([100.0, 310.0, 517.0, 1000.0]), draws.choice([0, 1, 30]),
                    loading_nl=draws.choice([0, 0, ML]), loading_rate=50 * ML,
                )
            ),
            h.Confirm, h.Start, h.Start, h.Start, h.Stop, h.Key, h.Clear, h.Clear, h.NewPatient, h.Wait,
            lambda: h.Rate(rate),
            lambda: h.Bolus(draws.randrange(-1, 3 * ML), rate),
            lambda: h.Prime(draws.randrange(3 * ML)),
            lambda: h.Silence(draws.randrange(-1, 13)),
            lambda: h.MotorFault(draws.random() < 0.5),
            h.Stalled,
            lambda: h.Battery(draws.choice([0, 20, 300, 300, 300])),
            lambda: h.Clamp(draws.random() < 0.5),
            lambda: h.Vein(draws.choice([-1e9, -50.0, 0.0, 95.0, 1e9, float("nan")])),
            lambda: h.Received(
                Frame(draws.choice(sorted(TO_THERAPY)), 0, draws.randbytes(draws.randrange(53)))
            ),
        ]
    )()  # fmt: skip


def any_day(draws: random.Random, count: int) -> list[h.Event]:
    """Random events, and now and then the order in which a nurse does them."""
    found: list[h.Event] = []
    while len(found) < count:
        if draws.random() < 0.05:
            order = h.Order(50 * ML, draws.choice([0, ML // 2]), draws.choice([0, ML]))
            faults = ("memory",) if draws.random() < 0.2 else ()
            found += [h.PowerOff(), h.PowerOn(faults), h.Load("bd-60", 20 * ML), h.Programme(order)]
            found += [h.Confirm(), h.Start()]
        else:
            found.append(random_event(draws))
    return found[:count]


def replayed(seed: int, events: int) -> tuple[bytes, h.State, list[Phase]]:
    draws = random.Random(seed)
    state, t, phases = h.State(rules=h.Rules(key=KEY)), 0, []
    told = b""
    for event in any_day(draws, events):
        t += draws.choice([0, 1, S, 29 * S, MIN])
        state, actions, due = h.step(state, event, t)
        told = h.hashlib.sha256(told + repr((actions, due)).encode()).digest()
        phases.append(state.core.phase)
    return told, state, phases


def test_t30_the_same_events_give_the_same_bytes_on_replay() -> None:
    one, two = replayed(5, 4000), replayed(5, 4000)
    assert one == two
    assert set(one[2]) == set(Phase)


@pytest.mark.parametrize("seed", range(6))
def test_t29_nothing_delivers_without_syringe_programme_and_self_test(seed: int) -> None:
    draws = random.Random(seed)
    state, t = h.State(), 0
    ran = 0
    for event in any_day(draws, 1500):
        t += draws.choice([0, S, 29 * S, MIN])
        state, _, due = h.step(state, event, t)
        core = state.core
        assert due >= t
        if core.phase in h.DELIVERS:
            ran += 1
            assert core.plant is not None
            assert core.order is not None
            assert core.confirmed
            assert core.rate > 0
            assert not any(priority is Priority.HIGH for _, priority in core.alarms)
        else:
            assert core.rate == 0
    assert ran


def test_t29_every_event_is_defined_in_every_phase() -> None:
    assert set(h.table()) == set(h.Event.__args__)
    for (event, acts), phase in itertools.product(h.table().items(), Phase):
        if phase in acts or event is h.Wait:
            continue
        state = h.State(core=h.Core(phase=phase))
        one = SAMPLES[event]
        after, actions, _ = h.step(state, one, 0)
        assert after.core == state.core
        assert [type(action) for action in actions] == [h.Record]


SAMPLES = {type(e): e for e in (random_event(random.Random(n)) for n in range(2000))}


def test_time_ends_where_it_can_no_longer_be_written() -> None:
    pump = Pump().runs(h.Order(1, vtbi_nl=20 * ML))
    state, _, due = h.step(pump.state, h.Wait(), 1 << 80)
    assert state.now < h.NEVER <= due
    assert state.core.phase is Phase.RUNNING
    assert h.step(state, h.Stop(), 1 << 90)[0].core.phase is Phase.PAUSED


def test_time_never_goes_back() -> None:
    pump = Pump().runs(h.Order(5 * ML)).wait(HOUR)
    given = pump.given()
    state, _, _ = h.step(pump.state, h.Wait(), 0)
    assert state.now == HOUR
    assert h.given_nl(state, HOUR) == given
