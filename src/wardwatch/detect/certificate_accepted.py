"""TLS goes on after a bad certificate: the pump does not check who it talks to (CVE-2017-12721).

The certificate row's "broken", and the client is a pump. A self-signed certificate that nobody has
confirmed is a suspect: ask whether it is pinned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wardwatch.detect.finding import finding, some
from wardwatch.model.values import NS
from wardwatch.signs.certificates import accepted
from wardwatch.signs.episodes import CONFIRMED, episodes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wardwatch.detect.thresholds import Thresholds
    from wardwatch.inventory.scene import Scene
    from wardwatch.model.judgement import Finding

TECHNIQUE = "certificate_accepted"


def detect(scene: Scene, thresholds: Thresholds) -> Iterator[Finding]:
    """One finding for each server and segment."""
    sql, parameters = accepted(scene, [pump for pump in scene.pumps if pump.seen])
    for episode in episodes(
        scene, sql, parameters, of=("tls",), silence_ns=int(thresholds.silence_s * NS)
    ):
        yield finding(
            scene,
            TECHNIQUE,
            episode,
            f"{some(episode.targets)} sent data to {episode.actor} after its certificate:"
            f" {episode.detail} (CVE-2017-12721).",
            do_next="Find the server; compare its certificate with the pump server's own.",
            speaks_against=""
            if episode.rank == CONFIRMED
            else "The pump may know this certificate by itself (pinned); ask the vendor or biomed.",
        )
