"""The pump's configuration crosses the wire in clear (CVE-2017-12723).

A completed RETR of CONFIG.XML, or the configuration's root element with a secret in it at the start
of a stream. A page, mail or share that merely quotes one does not start with it. Its bytes are not
kept.
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

TECHNIQUE = "configuration_in_clear"
READ = """
    SELECT capture, CASE WHEN end_packet >= 0 THEN end_packet ELSE packet END AS packet, ts, segment,
        client_mac AS actor_mac, client AS actor_ip, server_mac AS target_mac, server AS target_ip,
        0 AS strength, 0 AS weight, 'file' AS variant,
        'its configuration file was read' AS detail
    FROM transfers
    WHERE protocol = 'ftp' AND command = 'RETR' AND end_code IN (226, 250)
        AND regexp_matches(upper(path), '(^|[/\\\\])CONFIG[.]XML$')
"""
SENT = """
    SELECT d.capture, d.packet, d.ts, d.segment,
        coalesce(CASE WHEN c.orig_h = d.src THEN c.resp_l2_addr ELSE c.orig_l2_addr END, '')
            AS actor_mac,
        d.dst AS actor_ip, d.src_mac AS target_mac, d.src AS target_ip, 0 AS strength, 1 AS weight,
        'secret' AS variant, 'its configuration, with a secret in it, was sent in clear' AS detail
    FROM device_messages d LEFT JOIN conversations c USING (conversation)
    WHERE d.kind = 'configuration' AND d.has_secret AND d.at_stream_start
"""


def detect(scene: Scene, thresholds: Thresholds) -> Iterator[Finding]:
    """One finding for each reader and segment."""
    asked = [
        question
        for table, question in (("transfers", READ), ("device_messages", SENT))
        if scene.tables.rows(table)
    ]
    for episode in episodes(
        scene, " UNION ALL ".join(asked), hazard=True, silence_ns=int(thresholds.silence_s * NS)
    ):
        yield finding(
            scene,
            TECHNIQUE,
            episode,
            f"{some(episode.targets)}: {episode.detail}, to {episode.actor}"
            + (" (CVE-2017-12723)." if episode.pump else "."),
            do_next="Change every secret of that configuration: the wireless key and the passwords.",
        )
