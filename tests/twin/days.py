"""Days played once for all tests of the twin."""

from functools import cache

from wardwatch.twin.scenario import Day, play


@cache
def day(attacked: bool, seed: int = 7) -> Day:
    return play(seed, attacked=attacked)
