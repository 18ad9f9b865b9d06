"""Days played once for all tests of the twin."""

from functools import cache

from wardwatch.twin.scenario import Day, both


@cache
def days(seed: int = 7) -> tuple[Day, Day]:
    """The attacked day and its clean twin."""
    return both(seed)


def day(attacked: bool, seed: int = 7) -> Day:
    return days(seed)[0 if attacked else 1]
