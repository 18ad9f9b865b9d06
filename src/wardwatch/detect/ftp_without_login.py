"""FTP transfer without a login: a file or listing was served before any 230 (CVE-2017-12720).

Counted only where the control stream was seen from its SYN without gaps: a login may lie before a
capture's beginning. HELP is no transfer; a session behind AUTH TLS cannot be read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wardwatch.detect.finding import finding, some
from wardwatch.model.values import NS
from wardwatch.signs.episodes import episodes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wardwatch.detect.thresholds import Thresholds
    from wardwatch.inventory.scene import Scene
    from wardwatch.model.judgement import Finding

TECHNIQUE = "ftp_without_login"
FOUND = """
    SELECT capture, CASE WHEN end_packet >= 0 THEN end_packet ELSE packet END AS packet, ts, segment,
        client_mac AS actor_mac, client AS actor_ip, server_mac AS target_mac, server AS target_ip,
        0 AS strength, CASE WHEN command IN ('STOR', 'APPE', 'STOU') THEN 1 ELSE 0 END AS weight,
        CASE WHEN command IN ('STOR', 'APPE', 'STOU') THEN 'write' ELSE 'read' END AS variant,
        command || ' "' || path || '"' AS detail
    FROM transfers
    WHERE protocol = 'ftp' AND before_login AND from_start
        AND begin_code IN (125, 150) AND end_code IN (226, 250)
"""


def detect(scene: Scene, thresholds: Thresholds) -> Iterator[Finding]:
    """One finding for each client and segment."""
    for episode in episodes(
        scene, FOUND, of=("transfers",), hazard=True, silence_ns=int(thresholds.silence_s * NS)
    ):
        yield finding(
            scene,
            TECHNIQUE,
            episode,
            f"{some(episode.targets)} carried out {episode.detail} for {episode.actor} before any"
            " login was accepted" + (" (CVE-2017-12720)." if episode.pump else "."),
            do_next="Biomed: switch external communication off on the device; keep the files read for review."
            if episode.pump
            else "Ask the owner of the server whether it is meant to serve files without a login.",
        )
