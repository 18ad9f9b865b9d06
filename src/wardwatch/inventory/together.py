"""Together: questions about one scene shared between two cores; the answers are as if asked in turn."""

from __future__ import annotations

import sys
import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from wardwatch.model.columns import TABLES
from wardwatch.observe.forks import cores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from wardwatch.inventory.scene import Scene

WORTH_ROWS = 20_000
"""Rows of all tables from which on it pays: a connection more costs some milliseconds."""
MOST_ROWS = 2_000_000
"""Rows up to which two questions at once stay below the memory that reading took: of 10 GB of the
mix (1.7 million rows) 400 MB, where reading took 480."""

SWITCH_S = 0.0005
"""Whoever comes back from DuckDB waits as long for a thread that is in Python; Python's own 5 ms
are longer than most questions take."""


def together(scene: Scene, tasks: Sequence[Callable[[Scene], Any]], threads: int = 0) -> list[Any]:
    """What each task says of the scene, in the order of the tasks.

    ``threads``: 1 asks one after the other, 2 shares them with another thread, 0 does where that
    saves time. What a task raises is raised, and then nothing more is begun; of two, the earlier.
    """
    if threads == 1 or (threads == 0 and not is_worth_it(scene)):
        return [task(scene) for task in tasks]
    answers: list[Any] = [None] * len(tasks)
    failures: dict[int, BaseException] = {}
    left = deque(enumerate(tasks))

    def work(mine: Scene) -> None:
        while not failures:
            try:
                number, task = left.popleft()
            except IndexError:
                return
            try:
                answers[number] = task(mine)
            except BaseException as failure:  # raised again by whoever waits
                failures[number] = failure

    other = threading.Thread(target=work, args=(scene.beside(),), name="judging")
    with _switching_often():
        other.start()
        try:
            work(scene)
        finally:
            other.join()
    if failures:
        raise failures[min(failures)]
    return answers


def is_worth_it(scene: Scene) -> bool:
    """Whether a second core is there and there is enough, and not too much, to ask about."""
    if cores() < 2:
        return False
    rows = sum(scene.tables.rows(table.name) for table in TABLES)
    return WORTH_ROWS <= rows <= MOST_ROWS


@contextmanager
def _switching_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
