"""A flood at communications leaves therapy as it was, and they come back."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from wardwatch.twin import flood, ground, pump, spaces, therapy

WHY_NOT = spaces.possible() if hasattr(os, "fork") else "no fork on this system"
HERE = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}


@pytest.mark.skipif(bool(WHY_NOT) or not spaces.tool("tc"), reason=WHY_NOT or "needs iproute2's tc")
def test_s17_a_flood_of_ten_times_the_line_leaves_therapy_alone_and_ends_in_recovery() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "wardwatch.twin.flood", "--seconds", "2"],
        env=HERE, capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found = json.loads(ran.stdout)
    assert found["core_equal"]
    assert found["steps_off"] <= 1
    assert 0 <= found["recovery_s"] <= flood.RECOVERY_S
    assert found["sent_mbit_s"] > flood.LINE_MBIT, "more than the line carries"
    assert found["given_nl"] > 0


def test_where_no_namespace_is_permitted_there_is_no_flood(monkeypatch) -> None:
    monkeypatch.setattr(spaces, "possible", lambda: "not here")
    with pytest.raises(spaces.SpaceError, match="not here"):
        flood.flood(1.0)


def test_s12_a_flood_is_for_an_address_of_ours_only() -> None:
    with pytest.raises(ground.OutsideError):
        flood._send("192.0.2.1", 1.0)


def test_what_was_done_to_a_pump_is_played_again_to_the_same_core() -> None:
    acts = [
        (0, therapy.PowerOn()), (10, therapy.Load("bd-10", 10**7)),
        (20, therapy.Programme(therapy.Order(60 * 10**6, vtbi_nl=10**6, kvo=10**6))),
        (30, therapy.Confirm()), (40, therapy.Start()), (70 * 10**9, therapy.Stop()),
        (71 * 10**9, therapy.Clear()), (72 * 10**9, therapy.NewPatient()),
    ]  # fmt: skip
    lines = b"".join(pump.written(at, event) for at, event in acts)
    state = therapy.State()
    for at, event in acts:
        state, _, _ = therapy.step(state, event, at)
    state, _, _ = therapy.step(state, therapy.Wait(), 80 * 10**9)
    found = pump.replayed(lines, 80 * 10**9, therapy.Rules())
    assert pump.digest(found.state.core) == pump.digest(state.core)
    assert found.state.core == state.core
    # A millilitre in 60 s, then KVO until it was stopped.
    assert found.steps == (10**6 + 10**6 * 10 // 3600) // 100
    # Half of it, less the 40 ns before the start.
    assert pump.replayed(lines, 30 * 10**9, therapy.Rules()).steps == 4999
    assert pump.digest(found.state.core) != pump.digest(therapy.Core())
