"""wardwatch.observe.part"""

import numpy as np

from wardwatch.decode.kernels.conversations import WIDTH
from wardwatch.observe import part
from wardwatch.observe.part import Stored


def test_rows_come_back_from_their_file(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(part, "WRITE_ROWS", 7)
    rows = np.arange(50 * WIDTH).reshape(50, WIDTH)
    chosen = rows[:, 0] % (3 * WIDTH) != 0
    stored = Stored.of(tmp_path / "all", rows, None)
    assert len(stored) == 50
    assert (np.concatenate(list(stored.pieces())) == rows).all()
    assert (stored.rows(11, 29) == rows[11:29]).all()
    some = Stored.of(tmp_path / "some", rows, chosen)
    assert (some.columns(0, 5) == rows[chosen][:, [0, 5]]).all()
    assert Stored.of(tmp_path / "none", rows[:0], None).columns(1).shape == (0, 1)
