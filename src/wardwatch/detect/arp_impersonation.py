"""One station claims another's address, while that one still uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wardwatch.detect.finding import finding, some
from wardwatch.model.values import NS
from wardwatch.signs.arp import claims
from wardwatch.signs.episodes import CONFIRMED, episodes
from wardwatch.signs.who import own_ips

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wardwatch.detect.thresholds import Thresholds
    from wardwatch.inventory.scene import Scene
    from wardwatch.model.judgement import Finding

TECHNIQUE = "arp_impersonation"
AGAINST = {
    "neighbouring MACs": "The MACs differ in the last byte alone: bonded ports of one machine do this.",
    "back again": "A machine that moved to another port or radio and back looks the same.",
    "traffic moved": "A standby gateway that took over looks the same.",
}


def detect(scene: Scene, thresholds: Thresholds) -> Iterator[Finding]:
    """One finding for each claimer and segment."""
    sql, parameters = claims(scene, thresholds.arp_still_s)
    found = episodes(scene, sql, parameters, of=("arp",), silence_ns=int(thresholds.silence_s * NS))
    own = own_ips(scene, (episode.mac for episode in found))
    for episode in found:
        actor = episode.named(own.get(episode.mac, ""))
        yield finding(
            scene,
            TECHNIQUE,
            episode,
            f"{actor} {episode.detail}. Its claims concern {some(episode.targets)}.",
            actor=actor,
            do_next="Find the machine behind this MAC; two machines set to one address look the same.",
            speaks_against="" if episode.rank == CONFIRMED else AGAINST[episode.variant],
        )
