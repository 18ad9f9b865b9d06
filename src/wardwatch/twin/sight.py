"""Sight: what of an event reached a place of listening, and whether that is enough to tell it.

A second reading of domain/measures.md over marks: which packets a technique or a broken measure must
be told from. It knows nothing of detectors, and reads no byte of a message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from wardwatch.model.values import NS

if TYPE_CHECKING:
    from wardwatch.twin.ward import Frame, Mark, Station

STILL_NS = 60 * NS
"""The holder of an address speaks within a minute before a claim and behind it: it is still there."""


class Sight:
    """An event as it was played, and the part of it that a tap caught."""

    def __init__(
        self, played: Iterable[Frame], caught: Iterable[Frame], actor: Station, target: Station
    ) -> None:
        self.actor, self.target = actor, target
        self.caught = tuple(caught)
        self._played = _units(frame.mark for frame in played)
        self._here = _units(frame.mark for frame in self.caught)

    def any(self, *kinds: str, role: str = "") -> bool:
        """Whether one message of these kinds is here whole: every fragment of it."""
        return any(
            parts <= self._here.get(key, frozenset())
            for key, parts in self._played.items()
            if key[0] in kinds and role in ("", key[1])
        )

    def all(self, *kinds: str, role: str = "") -> bool:
        """Whether all of them are, and there is one."""
        wanted = [
            (key, parts) for key, parts in self._played.items()
            if key[0] in kinds and role in ("", key[1])
        ]  # fmt: skip
        return bool(wanted) and all(
            parts <= self._here.get(key, frozenset()) for key, parts in wanted
        )

    @property
    def known(self) -> bool:
        """Whether a frame bears a MAC or IPv4 address by which the hospital lists the target."""
        for frame in self.caught:
            if frame.mark.role and self.target.name in (frame.mark.who, frame.mark.peer):
                told = frame.data.find(self.target.mac, 0, 64) >= 0
                if told or (len(self.target.ip) == 4 and self.target.ip in frame.data):
                    return True
        return False

    @property
    def tagged(self) -> bool:
        """Whether the frames bear their tags here."""
        return any(frame.data[12:14] == b"\x81\x00" for frame in self.caught)

    @property
    def two_tags(self) -> bool:
        """Whether a frame of the attack bears two tags here."""
        return any(
            frame.mark.role == "attack" and frame.data[12:14] + frame.data[16:18] == b"\x81\0" * 2
            for frame in self.caught
        )

    @property
    def inside(self) -> bool:
        """Whether a packet of the attack is here in the target's own VLAN."""
        return any(
            frame.mark.role == "attack" and frame.mark.vlan == self.target.vlan
            for frame in self.caught
        )

    @property
    def contested(self) -> bool:
        """Whether a claim is here, and its holder's own frames within a minute on both sides."""
        holders: dict[str, list[int]] = {}
        for frame in self.caught:
            mark = frame.mark
            if mark.kind not in CLAIMS:
                name = f"gateway-{mark.vlan}" if mark.routed else mark.who
                holders.setdefault(name, []).append(frame.ts)
        claims = [frame for frame in self.caught if frame.mark.kind in CLAIMS]
        door = f"gateway-{self.target.vlan}"
        spoke = holders.get(door, [])
        return any(
            any(0 <= claim.ts - ts <= STILL_NS for ts in spoke)
            and any(0 < ts - claim.ts <= STILL_NS for ts in spoke)
            for claim in claims
        )


CLAIMS = ("arp claim", "na claim")

Need = Callable[[Sight], bool]


def _units(marks: Iterable[Mark]) -> dict[tuple[str, str, str], frozenset[str]]:
    """(kind, role, unit) of each message of an event → its parts."""
    found: dict[tuple[str, str, str], set[str]] = {}
    for mark in marks:
        if mark.event:
            unit, _, part = mark.unit.partition("#")
            found.setdefault((mark.kind, mark.role, unit), set()).add(part)
    return {key: frozenset(parts) for key, parts in found.items()}
