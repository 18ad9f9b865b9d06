"""An ordinary hour of the drill, played once for all tests."""

from functools import cache

from wardwatch.twin.drill import Played, Stand, play, stand
from wardwatch.twin.plays import BREACHES, PLAYS
from wardwatch.twin.switch import TAPS

TAP = {tap.name: tap for tap in TAPS}
PLAY = {one.name: one for one in (*PLAYS, *BREACHES)}


@cache
def place(seed: int = 3) -> Stand:
    return stand(seed)


@cache
def played(name: str, seed: int = 3) -> Played:
    return play(place(seed), PLAY[name])
