"""DNS answers from a server nobody confirmed or asked.

With a confirmed list an unlisted server is named. Without one, an answer from a source that was
not asked is a suspect (a multihomed server does that too), and so is a second, different answer
from another machine; disagreement alone is nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wardwatch.detect.finding import finding, some
from wardwatch.model.values import NS
from wardwatch.signs.dns import unlisted
from wardwatch.signs.episodes import CONFIRMED, episodes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wardwatch.detect.thresholds import Thresholds
    from wardwatch.inventory.scene import Scene
    from wardwatch.model.judgement import Finding

TECHNIQUE = "rogue_dns"
SAID = {
    "unlisted": "no confirmed line names it as a resolver",
    "not asked": "the question had gone to another server (RFC 5452 §9)",
    "second answer": "another machine had answered the same question differently",
}


def detect(scene: Scene, thresholds: Thresholds) -> Iterator[Finding]:
    """One finding for each source and segment."""
    sql, parameters = unlisted(scene)
    for episode in episodes(
        scene, sql, parameters, of=("dns",), silence_ns=int(thresholds.silence_s * NS)
    ):
        yield finding(
            scene,
            TECHNIQUE,
            episode,
            f"{episode.actor} answered DNS questions of {some(episode.targets)} {episode.detail}".rstrip()
            + f"; {SAID[episode.variant]}.",
            do_next="Find the machine behind this MAC; compare its answers with your own resolver's.",
            speaks_against=""
            if episode.rank == CONFIRMED
            else "A multihomed or anycast server can answer like this; nobody has confirmed a list.",
        )
