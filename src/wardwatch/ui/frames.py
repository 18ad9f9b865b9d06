"""Frames: room for those of Python's calls in one piece.

CPython keeps the frames of a thread in pieces of 16 KB that it has from the system, and gives a
piece back as soon as nothing stands in it. A loop whose calls begin just behind the end of a piece
has one mapped, cleared and taken away for every call: some 4 µs each, wherever a change of ours, or
of a library, moves that end to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., object]")

SLOTS = 40_000
"""Values a frame says it may hold at once. It touches none of them: 320 KB of addresses, for which
CPython takes a piece of 512 KB; the rest of it is for the calls below, some hundred deep."""


def roomy(function: F) -> F:
    """A function whose calls, and theirs, have their frames in one piece."""
    function.__code__ = function.__code__.replace(co_stacksize=SLOTS)
    return function
