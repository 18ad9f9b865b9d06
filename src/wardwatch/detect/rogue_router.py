"""Router nobody confirmed, or one forged away.

A router's clean stop (zero lifetime from its own MAC, then silence) is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wardwatch.detect.finding import finding
from wardwatch.model.values import NS
from wardwatch.signs.episodes import CONFIRMED, episodes
from wardwatch.signs.routers import TABLES, wrong
from wardwatch.signs.who import own_ips

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wardwatch.detect.thresholds import Thresholds
    from wardwatch.inventory.scene import Scene
    from wardwatch.model.judgement import Finding

TECHNIQUE = "rogue_router"


def detect(scene: Scene, thresholds: Thresholds) -> Iterator[Finding]:
    """One finding for each sender and segment."""
    sql, parameters = wrong(scene)
    found = episodes(scene, sql, parameters, of=TABLES, silence_ns=int(thresholds.silence_s * NS))
    own = own_ips(scene, (episode.mac for episode in found if not episode.ip))
    for episode in found:
        actor = episode.named(own.get(episode.mac, ""))
        weak = {
            "redundancy": "It speaks for a listed address: it may be the group's other router.",
            "unlisted": "Its hop limit is not 255, so hosts drop it (RFC 4861 §6.1.2).",
        }
        yield finding(
            scene,
            TECHNIQUE,
            episode,
            f"{actor} {episode.detail}; nothing confirmed stands behind that.",
            actor=actor,
            do_next="Find the machine behind this MAC; switch on RA guard at the access ports.",
            speaks_against="" if episode.rank == CONFIRMED else weak.get(episode.variant, ""),
        )
