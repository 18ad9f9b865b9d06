"""Frames: no depth of calls at which each of them has memory mapped."""

from __future__ import annotations

import resource
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from wardwatch.ui.frames import roomy

if TYPE_CHECKING:
    from collections.abc import Callable

CALLS = 200


def _faults_at_each_depth(depth: int) -> list[int]:
    """Faults of ``CALLS`` calls made at each depth from ``depth`` down to 1."""

    def callee() -> None:
        pass

    def here() -> int:
        before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
        for _ in range(CALLS):
            callee()
        return resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before

    def deeper(left: int) -> list[int]:
        return [here(), *deeper(left - 1)] if left else []

    return deeper(depth)


@roomy
def _with_room(found: list[int]) -> None:
    found += _faults_at_each_depth(250)


def _without(found: list[int]) -> None:
    found += _faults_at_each_depth(250)


def _most(function: Callable[[list[int]], None]) -> int:
    """The most faults of one depth, in a thread of its own: its frames begin anew."""
    found: list[int] = []
    thread = threading.Thread(target=function, args=(found,))
    thread.start()
    thread.join()
    assert len(found) == 250
    return max(found)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="faults of a thread are Linux's")
def test_calls_below_have_their_frames_in_one_piece() -> None:
    assert _most(_with_room) < CALLS // 2


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or sys.version_info[:2] != (3, 11),
    reason="seen of CPython 3.11 on Linux",
)
def test_without_it_some_depth_has_a_piece_mapped_for_every_call() -> None:
    assert _most(_without) >= CALLS
