"""Oversize DHCP option 66 or 67: a reply that could overrun the pump's DHCP client (CVE-2017-12718).

RFC 2132 sets no such bound: phones take URLs in option 66 and UEFI boot addresses sit in 67, so
for a client that is no pump it is a hazard notice. The bound of 67 is assumed from BOOTP's file
field. A cut packet shows no overrun: the rest may have been there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wardwatch.detect.finding import finding, some
from wardwatch.model.values import NS
from wardwatch.signs.dhcp import NOT_AN_ID
from wardwatch.signs.episodes import CONFIRMED, SUSPECT, episodes
from wardwatch.signs.policy import permitted
from wardwatch.signs.who import Who

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wardwatch.detect.thresholds import Thresholds
    from wardwatch.inventory.scene import Scene
    from wardwatch.model.judgement import Finding

TECHNIQUE = "dhcp_overflow"


def detect(scene: Scene, thresholds: Thresholds) -> Iterator[Finding]:
    """One finding for each sender and segment."""
    servers = [
        (segment, server.ip)
        for (segment,) in scene.tables.ask("SELECT DISTINCT segment FROM dhcp ORDER BY segment")
        for server in permitted(scene.site, "dhcp", segment)
    ]
    bounds = (
        f"""(opt66_len > {thresholds.sname_bytes:d} OR opt67_len > {thresholds.file_bytes:d})"""
    )
    sums = f"""(opt66_sum > {thresholds.sname_bytes:d} OR opt67_sum > {thresholds.file_bytes:d})"""
    overrun = "(overrun_option >= 0 AND whole)"
    found = f"""
        WITH listed AS (SELECT unnest(?::VARCHAR[]) AS segment, unnest(?::VARCHAR[]) AS ip),
        bad AS (
            SELECT *, giaddr NOT IN ('', '0.0.0.0') AS relayed,
                CASE WHEN server_id NOT IN {NOT_AN_ID} THEN server_id ELSE src END AS id
            FROM dhcp WHERE op = 2 AND ({bounds} OR {sums} OR {overrun})),
        delivered AS (SELECT xid, chaddr, ts FROM bad WHERE relayed AND dst_port = 68)
        SELECT capture, packet, ts, segment,
            CASE WHEN relayed THEN '' ELSE src_mac END AS actor_mac,
            CASE WHEN relayed OR src IN {NOT_AN_ID} THEN id ELSE src END AS actor_ip,
            chaddr AS target_mac, yiaddr AS target_ip,
            CASE WHEN {overrun} OR ({bounds} AND whole) THEN {CONFIRMED} ELSE {SUSPECT} END AS strength,
            CASE WHEN (segment, id) IN (SELECT (segment, ip) FROM listed)
                THEN 'misconfiguration' ELSE 'trigger' END AS variant,
            CASE WHEN opt66_len > {thresholds.sname_bytes:d}
                    THEN 'option 66 of ' || opt66_len || ' bytes, more than {thresholds.sname_bytes:d}'
                WHEN opt67_len > {thresholds.file_bytes:d}
                    THEN 'option 67 of ' || opt67_len || ' bytes, more than {thresholds.file_bytes:d}'
                WHEN {overrun} THEN 'option ' || overrun_option || ' that claims ' || overrun_claimed
                    || ' bytes where ' || overrun_present || ' were left'
                WHEN opt66_sum > {thresholds.sname_bytes:d}
                    THEN 'option 66 in pieces of ' || opt66_sum || ' bytes together (RFC 3396)'
                ELSE 'option 67 in pieces of ' || opt67_sum || ' bytes together (RFC 3396)'
            END AS detail
        FROM bad b
        -- the leg from server to relay is the same reply: the client's copy is the one that counts
        WHERE NOT (relayed AND dst_port <> 68 AND EXISTS (
            FROM delivered d WHERE d.xid = b.xid AND d.chaddr = b.chaddr
                AND abs(d.ts::HUGEINT - b.ts) <= {int(thresholds.same_attempt_s * NS)}))
    """
    columns = [list(column) for column in zip(*servers, strict=True)] or [[], []]
    for episode in episodes(
        scene.tables,
        Who(scene),
        found,
        columns,
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
