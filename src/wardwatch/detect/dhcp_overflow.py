"""Oversize DHCP option 66 or 67: a reply that could overrun the pump's DHCP client (CVE-2017-12718).

RFC 2132 sets no such bound: phones take URLs in option 66 and UEFI boot addresses sit in 67, so
for a client that is no pump it is a hazard notice. The bound of 67 is assumed from BOOTP's file
field. A cut packet shows no overrun: the rest may have been there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wardwatch.detect.finding import finding, some
from wardwatch.model.values import NS
from wardwatch.signs.episodes import episodes
from wardwatch.signs.triggers import overflow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wardwatch.detect.thresholds import Thresholds
    from wardwatch.inventory.scene import Scene
    from wardwatch.model.judgement import Finding

TECHNIQUE = "dhcp_overflow"


def detect(scene: Scene, thresholds: Thresholds) -> Iterator[Finding]:
    """One finding for each sender and segment."""
    found, parameters = overflow(
        scene, thresholds.sname_bytes, thresholds.file_bytes, thresholds.same_attempt_s
    )
    for episode in episodes(
        scene,
        found,
        parameters,
        of=("dhcp",),
        hazard=True,
        silence_ns=int(thresholds.silence_s * NS),
    ):
        if episode.pump:
            what = "a message that could trigger CVE-2017-12718 in the pump's DHCP client"
        else:
            what = (
                "harmless to a client that allows it (RFC 2132 sets no bound), but a pump that took"
                " the same answer could be overrun (CVE-2017-12718)"
            )
        if episode.variant == "misconfiguration":
            what += "; it comes from a permitted server: a misconfiguration, as dangerous"
        assumed = (
            f" That {thresholds.file_bytes} bytes are the pump's limit is assumed from BOOTP's file field."
            if "option 67" in episode.detail
            else ""
        )
        yield finding(
            scene,
            TECHNIQUE,
            episode,
            f"A DHCP reply to {some(episode.targets)} carried {episode.detail}: {what}.{assumed}",
            do_next="Find the server that sent it; take options 66 and 67 out of the pumps' scope.",
            speaks_against=""
            if episode.pump
            else "The client is not known to be a pump; network boot and phones use long values.",
        )
