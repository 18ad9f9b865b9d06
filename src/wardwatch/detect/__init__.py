"""Detect: which attacks and exposures the evidence shows; the tuple TECHNIQUES is the whole list."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from wardwatch.detect import dhcp_overflow, rogue_dhcp
from wardwatch.detect.thresholds import Thresholds
from wardwatch.inventory.scene import Scene
from wardwatch.model import judgement
from wardwatch.model.judgement import Finding, Technique

__all__ = ["TECHNIQUES", "Detector", "Thresholds", "detect"]


class Detector(msgspec.Struct, frozen=True):
    """One technique and the question that looks for it."""

    technique: Technique
    function: Callable[[Scene, Thresholds], Iterable[Finding]]


_BY_ID = {technique.id: technique for technique in judgement.TECHNIQUES}

TECHNIQUES: tuple[Detector, ...] = (
    Detector(_BY_ID["dhcp_overflow"], dhcp_overflow.detect),
    Detector(_BY_ID["rogue_dhcp"], rogue_dhcp.detect),
)
"""Every detector, in the order of :data:`wardwatch.model.judgement.TECHNIQUES`."""


def detect(scene: Scene, thresholds: Thresholds = Thresholds()) -> tuple[Finding, ...]:  # noqa: B008
    """Every finding, technique by technique."""
    return tuple(f for d in TECHNIQUES for f in d.function(scene, thresholds))
