"""However captures are read, their tables are the same: a few seeds of what ``make fuzz`` runs longer."""

import pytest
from tests import alike


@pytest.mark.parametrize("seed", range(8))
def test_random_captures_are_read_alike(seed, tmp_path) -> None:
    assert alike.differences(seed, tmp_path / "read") == []


def test_a_difference_is_told(tmp_path, monkeypatch) -> None:
    whole = alike.observed

    def missing(path, key, seats=alike.young.SEATS):
        rows, observer = whole(path, key, seats)
        return {**rows, "captures": []} if seats != alike.young.SEATS else rows, observer

    monkeypatch.setattr(alike, "observed", missing)
    monkeypatch.setattr(alike, "SEATS", (0,))
    told = [why for seed in range(4) for why in alike.differences(seed, tmp_path / "read")]
    assert told
    assert all(why.endswith("0 seats: captures") for why in told)
