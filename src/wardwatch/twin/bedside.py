"""Bedside: a nurse and a patient, so that a pump has something to do while it is watched.

Both are functions of what the pump shows and of a seed: the nurse programmes, starts, titrates and
answers alarms; the patient lies on the line at given times. Rates and times are arbitrary [A].
"""

from __future__ import annotations

from random import Random

from wardwatch.model.values import NS
from wardwatch.twin import therapy
from wardwatch.twin.therapy import Alarm, Phase, State

ML = 1_000_000
SYRINGE, VOLUME_NL = "bd-10", 10 * ML
LIMIT_MMHG = 300.0
"""The occlusion limit of small patients (domain/pump.md §5): an occlusion shows within a minute."""
OCCLUDED_S = 20
PATIENCE_S = 6
"""How long an alarm sounds before the nurse is there."""


class Nurse:
    """Acts at most once a second."""

    def __init__(self, seed: int, occlude_s: tuple[float, ...] = ()) -> None:
        """``occlude_s``: seconds at which the patient lies on the line."""
        self._draws = Random(f"{seed}/nurse")  # noqa: S311 — a twin, no secret
        self._occlude = [int(at * NS) for at in sorted(occlude_s)]
        self._freed_at = 0
        self._since = 0
        self._phase = Phase.OFF

    def acts(self, state: State, t: int) -> therapy.Event | None:
        """What is done to the pump at ``t`` (ns); None for nothing."""
        if state.core.phase is not self._phase:
            self._phase, self._since = state.core.phase, t
        if self._occlude and t >= self._occlude[0]:
            self._occlude.pop(0)
            self._freed_at = t + OCCLUDED_S * NS
            return therapy.Clamp(occluded=True)
        if self._freed_at and t >= self._freed_at:
            self._freed_at = 0
            return therapy.Clamp(occluded=False)
        return self._answer(state, t - self._since)

    def _answer(self, state: State, passed: int) -> therapy.Event | None:
        core = state.core
        patient = passed >= PATIENCE_S * NS
        alarms = {alarm for alarm, _ in core.alarms}
        if core.phase is Phase.OFF:
            return therapy.PowerOn()
        if core.phase is Phase.FAILED:
            return therapy.PowerOff() if patient else None
        if core.phase is Phase.STOPPED:
            if not patient or self._freed_at:
                return None
            return therapy.Unload() if Alarm.EMPTY in alarms and core.syringe else therapy.Clear()
        if not core.syringe:
            return therapy.Load(SYRINGE, VOLUME_NL)
        if core.phase is Phase.IDLE:
            return therapy.Programme(self._order()) if core.order is None else therapy.Confirm()
        if core.phase is Phase.READY:
            return therapy.Start()
        if core.phase is Phase.PAUSED:
            if Alarm.COMPLETE in alarms:
                return therapy.Clear() if patient else None
            done = core.order is None or core.left <= 0 or core.syringe_left <= 0
            return therapy.NewPatient() if done else therapy.Start()
        if core.phase is Phase.KVO:
            return therapy.Stop() if patient else None
        return self._titrate(core)

    def _titrate(self, core: therapy.Core) -> therapy.Event | None:
        """Now and then another rate for what runs."""
        if core.phase is Phase.RUNNING and self._draws.random() < 0.02:
            return therapy.Rate(self._draws.randrange(20, 80) * ML)
        return None

    def _order(self) -> therapy.Order:
        rate = self._draws.randrange(30, 60) * ML
        volume = rate * self._draws.randrange(60, 180) // 3600
        return therapy.Order(rate, vtbi_nl=volume, kvo=ML, limit_mmhg=LIMIT_MMHG)
