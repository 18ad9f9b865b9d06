"""wardwatch.inventory.together"""

import sys
import threading
import time

import pytest
from tests.inventory.seen import PUMP, Evidence

from wardwatch.inventory import together as module
from wardwatch.inventory.scene import Scene
from wardwatch.inventory.together import together
from wardwatch.model.site import Site


@pytest.fixture
def scene() -> Scene:
    tables = Evidence().station(PUMP, "10.1.2.3").tables
    return Scene(tables=tables, devices=(), site=Site(), now=0)


def shared_by_two(scene: Scene, *more) -> list:
    """Two tasks that need each other's presence before ``more``, so that two threads take part."""
    meeting = threading.Barrier(2, timeout=10)
    return together(scene, [lambda scene: meeting.wait() and None] * 2 + [*more], threads=2)


def test_answers_come_in_the_order_of_the_tasks(scene: Scene) -> None:
    def answer(number: int):
        return lambda scene: (
            time.sleep(number % 3 / 500)
            or (
                number,
                scene.tables.ask("SELECT count(*) FROM presence")[0][0],
            )
        )

    expected = [(number, 1) for number in range(12)]
    assert together(scene, list(map(answer, range(12))), threads=1) == expected
    assert shared_by_two(scene, *map(answer, range(12)))[2:] == expected


def test_what_one_laid_the_other_joins_and_nothing_is_asked_twice(scene: Scene) -> None:
    laid = []

    def lay(scene: Scene) -> str:
        laid.append(threading.current_thread())
        time.sleep(0.05)
        return scene.tables.lay(mac=[PUMP])

    def ask(scene: Scene) -> int:
        name = scene.once("laid", lambda: lay(scene))
        (row,) = scene.tables.ask(f"SELECT count(*) AS n FROM presence JOIN {name} USING (mac)")
        return row.n

    assert shared_by_two(scene, ask, ask, ask, ask)[2:] == [1] * 4
    assert len(laid) == 1


def test_names_beside_the_tables_are_never_given_twice(scene: Scene) -> None:
    other = scene.beside()
    names = [
        scene.tables.lay(a=["1"]),
        other.tables.lay(a=["2"]),
        scene.tables.settle("SELECT 3")[0],
    ]
    assert len(set(names)) == 3
    assert other.tables.ask(f"SELECT a FROM {names[0]}") == [("1",)]


def test_the_earliest_failure_is_raised_and_nothing_more_begun(scene: Scene) -> None:
    begun = []
    meeting = threading.Barrier(2, timeout=10)

    def fails(error: Exception, wait_s: float):
        def task(scene: Scene) -> None:
            meeting.wait()
            time.sleep(wait_s)
            raise error

        return task

    tasks = [fails(KeyError("earlier"), 0.05), fails(ValueError("later"), 0), begun.append]
    with pytest.raises(KeyError, match="earlier"):
        together(scene, tasks, threads=2)
    assert not begun
    assert threading.active_count() == 1 or "judging" not in {
        thread.name for thread in threading.enumerate()
    }


def test_a_failure_of_once_is_everybodys(scene: Scene) -> None:
    def fail() -> None:
        raise ValueError("no answer")

    for _ in range(2):
        with pytest.raises(ValueError, match="no answer"):
            scene.once("key", fail)


def test_the_interpreter_switches_as_before(scene: Scene) -> None:
    before = sys.getswitchinterval()
    within = shared_by_two(scene, lambda scene: sys.getswitchinterval())[2]
    assert within == pytest.approx(module.SWITCH_S)
    assert sys.getswitchinterval() == before


def test_it_pays_on_two_cores_where_there_is_much_to_ask(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told() -> set[str]:
        threads = []

        def task(scene: Scene) -> None:
            threads.append(threading.current_thread().name)
            time.sleep(0.1)

        together(scene, [task] * 4)
        return set(threads)

    monkeypatch.setattr(module, "cores", lambda: 2)
    assert not module.is_worth_it(scene)
    monkeypatch.setattr(module, "WORTH_ROWS", 1)
    assert module.is_worth_it(scene)
    assert len(told()) == 2
    monkeypatch.setattr(module, "MOST_ROWS", 0)
    assert not module.is_worth_it(scene)
    monkeypatch.setattr(module, "MOST_ROWS", 9)
    monkeypatch.setattr(module, "cores", lambda: 1)
    assert not module.is_worth_it(scene)
    assert told() == {threading.current_thread().name}
