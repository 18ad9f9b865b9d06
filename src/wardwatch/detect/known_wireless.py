"""The fixed wireless network: an access point offering it is bait, a station asking for it exposed.

CVE-2017-12725. Only frames with the exact SSID count; an XID frame alone is nothing (Linux access
points send one for each station), and bystanders are not kept.
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

TECHNIQUE = "known_wireless"
SSID = "kVnRlH5WCC0L7zoz7oJiyAFT1lBNofb"
"""What the pump joins when nobody has configured another network; published in 2017."""

BAIT = """
    SELECT capture, first_packet AS packet, first_ts AS ts, 'wlan' AS segment,
        transmitter AS actor_mac, '' AS actor_ip, receiver AS target_mac, '' AS target_ip,
        0 AS strength, 0 AS weight, 'bait' AS variant, '' AS detail
    FROM wifi WHERE ssid = ? AND subtype IN (5, 8)
    UNION ALL
    SELECT capture, last_packet, last_ts, 'wlan', transmitter, '', receiver, '', 0, 0, 'bait', ''
    FROM wifi WHERE ssid = ? AND subtype IN (5, 8) AND last_packet <> first_packet
"""
EXPOSED = """
    SELECT capture, first_packet AS packet, first_ts AS ts, 'wlan' AS segment, '' AS actor_mac,
        '' AS actor_ip, transmitter AS target_mac, '' AS target_ip, 0 AS strength, 0 AS weight,
        'exposed' AS variant, '' AS detail
    FROM wifi WHERE ssid = ? AND subtype IN (0, 2, 4)
    UNION ALL
    SELECT capture, last_packet, last_ts, 'wlan', '', '', transmitter, '', 0, 0, 'exposed', ''
    FROM wifi WHERE ssid = ? AND subtype IN (0, 2, 4) AND last_packet <> first_packet
"""


def detect(scene: Scene, thresholds: Thresholds) -> Iterator[Finding]:
    """One finding for each access point that offers it, one for the stations that ask for it."""
    silence = int(thresholds.silence_s * NS)
    for episode in episodes(scene, BAIT, [SSID, SSID], of=("wifi",), silence_ns=silence):
        yield finding(
            scene,
            TECHNIQUE,
            episode,
            f"{episode.actor} offered the wireless network that an unconfigured pump joins by itself"
            " (CVE-2017-12725). No hospital needs that name.",
            do_next="Find the access point by its signal and take it off the air.",
        )
    for episode in episodes(scene, EXPOSED, [SSID, SSID], of=("wifi",), silence_ns=silence):
        yield finding(
            scene,
            TECHNIQUE,
            episode,
            f"{some(episode.targets)} asked for the fixed network of an unconfigured pump"
            " (CVE-2017-12725): whoever offers it gets a connection.",
            do_next="Biomed: configure the hospital's own network on the pump, or switch its radio off.",
        )
