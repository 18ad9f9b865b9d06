"""Telnet exposed, or logged in to (CVE-2017-12726).

A banner says exposed; the prompt after a password says login; "hard-coded" only where the secret
equals one the operator supplied. Echo and negotiation are not logins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wardwatch.detect.finding import finding, some
from wardwatch.detect.ftp_login import LOGINS, supplied
from wardwatch.model.values import NS
from wardwatch.signs.episodes import episodes
from wardwatch.signs.who import Who

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wardwatch.detect.thresholds import Thresholds
    from wardwatch.inventory.scene import Scene
    from wardwatch.model.judgement import Finding

TECHNIQUE = "telnet"
SAID = {
    "exposed": "{target} answered {actor} with a telnet banner",
    "attempt": "{actor} tried to log in to {target} by telnet in clear",
    "success": "{actor} logged in to {target} by telnet in clear",
    "default": "{actor} logged in to {target} by telnet with a published default",
    "hard-coded": "{actor} logged in to {target} by telnet with a secret the operator knows as built in",
}
FOUND = f"""
    SELECT b.capture, b.packet, b.ts, b.segment,
        coalesce(CASE WHEN c.resp_h = b.server THEN c.orig_l2_addr ELSE c.resp_l2_addr END, '')
            AS actor_mac,
        coalesce(CASE WHEN c.resp_h = b.server THEN c.orig_h ELSE c.resp_h END, '') AS actor_ip,
        b.server_mac AS target_mac, b.server AS target_ip, 0 AS strength, 0 AS weight,
        'exposed' AS variant, '' AS detail
    FROM banners b LEFT JOIN conversations c USING (conversation)
    WHERE b.protocol = 'telnet'
    UNION ALL {LOGINS}
"""


def detect(scene: Scene, thresholds: Thresholds) -> Iterator[Finding]:
    """One finding for each client and segment; the most that was reached decides its words."""
    who = Who.of(scene)
    for episode in episodes(
        scene,
        FOUND,
        [*[supplied(scene)] * 2, "telnet", who.pump_macs, who.pump_ips],
        of=("banners", "logins"),
        hazard=True,
        silence_ns=int(thresholds.silence_s * NS),
    ):
        what = SAID[episode.variant].format(
            actor=episode.actor or "somebody", target=some(episode.targets)
        )
        yield finding(
            scene,
            TECHNIQUE,
            episode,
            what + (" (CVE-2017-12726)." if episode.pump else "."),
            do_next="Biomed: switch external communication off; confirm whether this was service work."
            if episode.pump
            else "Move the service to an encrypted protocol; change the secret that crossed.",
        )
