"""Verify: which recommended measures hold, subject by subject; the tuple CHECKS is the whole list."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from wardwatch.inventory.scene import Scene
from wardwatch.model.judgement import MEASURES, Measure, Verdict
from wardwatch.verify import no_rogue_dhcp, static_address
from wardwatch.verify.minimums import Minimums

__all__ = ["CHECKS", "Check", "Minimums", "verify"]


class Check(msgspec.Struct, frozen=True):
    """One measure and the question that judges it."""

    measure: Measure
    function: Callable[[Scene, Minimums], Iterable[Verdict]]


_BY_ID = {measure.id: measure for measure in MEASURES}

CHECKS: tuple[Check, ...] = (
    Check(_BY_ID["static_address"], static_address.check),
    Check(_BY_ID["no_rogue_dhcp"], no_rogue_dhcp.check),
)
"""Every check, in reading order."""


def verify(scene: Scene, minimums: Minimums = Minimums()) -> tuple[Verdict, ...]:  # noqa: B008
    """A verdict for every subject of every measure."""
    return tuple(verdict for check in CHECKS for verdict in check.function(scene, minimums))
