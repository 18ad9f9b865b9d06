"""The plant lies within what the bench published (T-3 to T-7); no row is allowed to be absent."""

import pytest

from wardwatch.twin import calibration
from wardwatch.twin import plant as p

ROWS = calibration.rows()


def test_t3_to_t7_every_row_lies_within_what_was_published() -> None:
    assert [row.case for row in ROWS if not row.holds] == []
    assert {row.requirement for row in ROWS} == {"T-3", "T-4", "T-5", "T-6", "T-7"}
    assert len(ROWS) == 14


def test_t5_the_alarm_time_follows_the_limit() -> None:
    times = [calibration.occlusion("bd-60", 0.5, limit)[0] for limit in (300, 385, 517)]
    assert times == sorted(times)
    assert times[0] < 107 < times[1] < 127 < times[2]


def test_t6_compliance_grows_with_the_syringe() -> None:
    found = sorted((p.mechanics(n).area, p.mechanics(n).compliance) for n in p.syringes())
    assert [c for _, c in found] == sorted(c for _, c in found)
    # The share of the drive goes with A²; the line's share, here 0.35 to 0.6, does not.
    for name in p.syringes():
        m = p.mechanics(name)
        assert m.compliance - m.c == pytest.approx(m.area**2 * p.MMHG / m.k)


def test_t7_time_without_delivery_goes_with_one_over_rate_and_raising_mirrors_it() -> None:
    slow, _ = calibration.lowered("bd-60", 0.5, 130)
    fast, _ = calibration.lowered("bd-60", 1.0, 130)
    assert abs(slow / fast - 2) < 0.05
    early, _ = calibration.lowered("bd-60", 0.5, -130)
    assert abs(early / slow - 1) < 0.1


def test_hold_out_0_1_ml_h_lowered_50_cm_is_named_and_missed() -> None:
    # Neff 2002 found 28.5 ± 5.0 min; that syringe had half of this one's compliance.
    minutes, _ = calibration.lowered("bd-60", 0.1, 50)
    assert 50 < minutes < 60
