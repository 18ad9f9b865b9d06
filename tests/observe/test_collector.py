"""wardwatch.observe.collector"""

import gc
import weakref

import pytest

from wardwatch.observe.collector import YOUNG, at_rest
from wardwatch.observe.engine import observe


class Ring:
    """A cycle by itself."""

    def __init__(self) -> None:
        self.own = self


@pytest.fixture(autouse=True)
def as_before():
    before = gc.get_threshold()
    gc.unfreeze()  # whoever compiled a kernel here before froze what there was
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def test_it_looks_seldom_and_all_is_as_before_behind_it() -> None:
    gc.set_threshold(700, 11, 12)
    with pytest.raises(KeyError), at_rest():
        assert gc.get_threshold() == (YOUNG, 11, 12)
        assert gc.get_freeze_count() > 0
        raise KeyError
    assert gc.get_threshold() == (700, 11, 12)
    assert gc.get_freeze_count() == 0


def test_garbage_in_cycles_is_found_all_the_same() -> None:
    with at_rest():
        rings = [weakref.ref(Ring()) for _ in range(2 * YOUNG)]
        assert sum(ring() is None for ring in rings) >= YOUNG - 1


def test_what_the_caller_froze_or_switched_off_stays_so() -> None:
    for told, meanwhile in ((0, 0), (700, YOUNG)):
        gc.set_threshold(told, 11, 12)
        gc.freeze()
        with at_rest():
            assert gc.get_threshold()[0] == meanwhile
        assert gc.get_threshold()[0] == told
        assert gc.get_freeze_count() > 0


def test_who_made_it_look_as_seldom_is_left_alone(monkeypatch) -> None:
    monkeypatch.setattr(gc, "get_freeze_count", None)
    gc.set_threshold(YOUNG, 11, 12)
    with at_rest():
        assert gc.get_threshold() == (YOUNG, 11, 12)


def test_reading_leaves_it_as_it_was(tmp_path) -> None:
    before = gc.get_threshold()
    (tmp_path / "a.pcap").write_bytes(
        bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000")
    )
    assert observe([tmp_path / "a.pcap"]).packets == 0
    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, 0)
