"""Cuts: the same day as a poorer place of listening would have caught it.

The truth of a cut comes from the frames that are left: what was cut away turns to
``not observable``, never to ``holds``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from wardwatch.capture.write import PcapngWriter
from wardwatch.model.values import HOUR_NS
from wardwatch.twin.cast import LAN, NICU
from wardwatch.twin.scenario import INTERFACES, Day
from wardwatch.twin.truth import truth
from wardwatch.twin.ward import Frame

if TYPE_CHECKING:
    from pathlib import Path

    from wardwatch.twin.truth import Truth

LATE_NS = 6 * HOUR_NS
"""The last hours that are cut: what is left is shorter than the 24 h that several measures need."""
SNAP = 96
"""Bytes of a frame that a short snap length leaves: headers, and the first words of a message."""
WHOLE = 1 << 30
INFRASTRUCTURE = ("gateway", "server")
"""Kinds of station behind the switch's uplink."""


class Cut(msgspec.Struct, frozen=True):
    """One way to lose a part of a capture."""

    name: str
    says: str
    keeps: Callable[[Frame, Day], bool]
    snap: int = WHOLE
    """Bytes of each frame that are kept."""

    def frames(self, day: Day) -> tuple[Frame, ...]:
        """The frames that are left."""
        return tuple(frame for frame in day.frames if self.keeps(frame, day))

    def truth(self, day: Day) -> Truth:
        """What an audit of them must say."""
        return truth(self.frames(day), day, lapsed=day.attacked, snap=self.snap)

    def write(self, day: Day, path: Path) -> None:
        """Write them, cut to the snap length."""
        with PcapngWriter(path, INTERFACES, f"wardwatch twin, cut: {self.says}") as file:
            for frame in self.frames(day):
                kept = frame.data[: self.snap]
                file.packet(frame.interface, frame.ts, kept, wire_len=len(frame.data))


def _outward(frame: Frame, day: Day) -> bool:
    """Sent by a station at an access port, not handed on by the router."""
    kind = day.ward.stations[frame.mark.who].kind
    return kind not in INFRASTRUCTURE and not frame.mark.routed


CUTS: tuple[Cut, ...] = (
    Cut(
        "no-client-vlan",
        "the NICU's VLAN is not mirrored",
        lambda frame, _: frame.mark.vlan != NICU,
    ),
    Cut(
        "no-server-vlan",
        "the VLAN of the DHCP and DNS servers is not mirrored",
        lambda frame, _: frame.mark.vlan != LAN,
    ),
    Cut(
        "one-direction", "only what access ports send is mirrored, not what they receive", _outward
    ),
    Cut(
        "no-broadcasts",
        "broadcasts do not reach the mirror port",
        lambda frame, _: frame.mark.cast != "broadcast",
    ),
    Cut(
        "early-end",
        f"the last {LATE_NS // HOUR_NS} hours are missing",
        lambda frame, day: frame.ts < day.end - LATE_NS,
    ),
    Cut("snap-96", f"frames are kept up to {SNAP} bytes", lambda frame, day: True, SNAP),
)
"""Every cut of the demo's acceptance."""
