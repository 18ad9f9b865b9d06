"""Clear-text FTP login: USER and PASS are an attempt, 230 a success (CVE-2017-12724).

"Hard-coded" is said only where the secret equals one the operator supplied. Anonymous logins do not
count, nor does a pump that logs in to a server of the hospital; the published exchange 331 then 221
is a refusal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wardwatch.detect.finding import finding, some
from wardwatch.model.values import NS
from wardwatch.signs.episodes import episodes
from wardwatch.signs.who import Who

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wardwatch.detect.thresholds import Thresholds
    from wardwatch.inventory.scene import Scene
    from wardwatch.model.judgement import Finding

TECHNIQUE = "ftp_login"
SAID = {
    "attempt": "tried to log in to {target} by FTP in clear",
    "success": "logged in to {target} by FTP in clear",
    "default": "logged in to {target} by FTP in clear with a published default",
    "hard-coded": "logged in to {target} by FTP in clear with a secret the operator knows as built in",
}
LOGINS = """
    SELECT capture, CASE WHEN outcome_packet >= 0 THEN outcome_packet
            WHEN secret_packet >= 0 THEN secret_packet ELSE packet END AS packet,
        ts, segment, client_mac AS actor_mac, client AS actor_ip,
        server_mac AS target_mac, server AS target_ip, 0 AS strength,
        CASE WHEN outcome = 'success' AND list_contains(?::VARCHAR[], known_default) THEN 4
            WHEN outcome = 'success' AND known_default <> '' THEN 3
            WHEN outcome = 'success' THEN 2 ELSE 1 END AS weight,
        CASE WHEN outcome = 'success' AND list_contains(?::VARCHAR[], known_default)
                THEN 'hard-coded'
            WHEN outcome = 'success' AND known_default <> '' THEN 'default'
            WHEN outcome = 'success' THEN 'success' ELSE 'attempt' END AS variant,
        CASE WHEN known_default <> '' THEN known_default ELSE '' END AS detail
    FROM logins
    WHERE protocol = ? AND NOT anonymous
        AND client_mac NOT IN (SELECT unnest(?::VARCHAR[]))
        AND client NOT IN (SELECT unnest(?::VARCHAR[]))
"""


def supplied(scene: Scene) -> list[str]:
    """Names of the secrets that the operator supplied; none bears the empty name."""
    return [secret.name for secret in scene.site.secret if secret.confirmed and secret.name]


def detect(scene: Scene, thresholds: Thresholds) -> Iterator[Finding]:
    """One finding for each client and segment; the most that was reached decides its words."""
    who = Who.of(scene)
    for episode in episodes(
        scene,
        LOGINS,
        [*[supplied(scene)] * 2, "ftp", who.pump_macs, who.pump_ips],
        of=("logins",),
        hazard=True,
        silence_ns=int(thresholds.silence_s * NS),
    ):
        what = SAID[episode.variant].format(target=some(episode.targets))
        yield finding(
            scene,
            TECHNIQUE,
            episode,
            f"{episode.actor} {what}" + (" (CVE-2017-12724)." if episode.pump else "."),
            do_next="Biomed: confirm whether this was service work; if not, treat the pump as touched."
            if episode.pump
            else "Move the service to an encrypted protocol; change the secret that crossed.",
        )
