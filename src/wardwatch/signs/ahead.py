"""Ahead: what the evidence and the site file tell by themselves, asked while devices are made out.

Nothing here may look at devices: none are known yet. Whoever asks again is told at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wardwatch.signs import arp, dhcp, dns
from wardwatch.signs.episodes import settled
from wardwatch.signs.triggers import overread

if TYPE_CHECKING:
    from collections.abc import Callable

    from wardwatch.inventory.scene import Scene


def _answers(scene: Scene) -> None:
    settled(scene, *dns.unlisted(scene), of=("dns",))


def _overread(scene: Scene) -> None:
    settled(scene, overread(scene), of=("dns",))


def _replies(scene: Scene) -> None:
    settled(scene, *dhcp.unlisted(scene), of=("dhcp",))


def _contests(scene: Scene) -> None:
    if scene.tables.rows("dhcp"):
        dhcp.contests(scene)


def _claims(scene: Scene) -> None:
    arp.possible(scene)


AHEAD: tuple[Callable[[Scene], None], ...] = (_answers, _overread, _replies, _claims, _contests)
"""Questions, the dearest first."""
