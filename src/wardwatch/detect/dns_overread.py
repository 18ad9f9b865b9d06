"""DNS answer whose counts or lengths cannot fit: it could crash the communications module.

CVE-2017-12722, RFC 9267. A cut packet and a truncated answer (TC) show nothing, and many answers
that fit are normal. The client checks the transaction id only, so a matching id and port make the
statement surer. For a target that is no pump it is a hazard notice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wardwatch.detect.finding import finding, some
from wardwatch.model.values import NS
from wardwatch.signs.episodes import CONFIRMED, episodes
from wardwatch.signs.triggers import overread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wardwatch.detect.thresholds import Thresholds
    from wardwatch.inventory.scene import Scene
    from wardwatch.model.judgement import Finding

TECHNIQUE = "dns_overread"


def detect(scene: Scene, thresholds: Thresholds) -> Iterator[Finding]:
    """One finding for each sender and segment."""
    for episode in episodes(
        scene,
        overread(scene),
        of=("dns",),
        hazard=True,
        silence_ns=int(thresholds.silence_s * NS),
    ):
        if episode.pump:
            what = "a message that could trigger CVE-2017-12722 in the pump's DNS client"
        else:
            what = "a hazard to a pump that took it (CVE-2017-12722)"
        asked = (
            " It bears the id and port of a question."
            if episode.variant == "matched"
            else " No question with its id and port was seen."
        )
        yield finding(
            scene,
            TECHNIQUE,
            episode,
            f"A DNS answer to {some(episode.targets)} {episode.detail}: {what}.{asked}",
            do_next="Find the sender; see whether the target fell silent and started up again.",
            speaks_against=""
            if episode.rank == CONFIRMED
            else "A broken server sends such answers without intent.",
        )
