"""Communications module silent, then starting up, after a message that could trigger it.

The trigger is one of CVE-2017-12718's or CVE-2017-12722's messages. Silence alone is roaming, and a
start-up alone is a battery change: all three together count, in this order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wardwatch.detect.finding import finding, some
from wardwatch.model.values import NS
from wardwatch.signs.episodes import episodes, settled
from wardwatch.signs.triggers import overflow, overread
from wardwatch.signs.who import Who

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wardwatch.detect.thresholds import Thresholds
    from wardwatch.inventory.scene import Scene
    from wardwatch.model.judgement import Finding
    from wardwatch.signs.episodes import Episode

TECHNIQUE = "comms_loss"


def detect(scene: Scene, thresholds: Thresholds) -> Iterator[Finding]:
    """One finding for each sender of triggers and segment."""
    who = Who.of(scene)
    sql, parameters = overflow(
        scene, thresholds.sname_bytes, thresholds.file_bytes, thresholds.same_attempt_s
    )
    signs = (
        settled(scene, sql, parameters, of=("dhcp",)),
        settled(scene, overread(scene), of=("dns",)),
    )
    fired = " UNION ALL ".join(f"FROM {name}" for name, rows in signs if rows)
    if not fired:
        return
    stations = sorted({*who.known_macs, *who.pump_macs})
    # where an address was reused the first device keeps it
    addresses = {ip: mac for d in reversed(scene.devices) for ip in d.ips for mac in d.macs[:1]}
    grace = int(thresholds.grace_s * NS)
    quiet, late = int(thresholds.quiet_s * NS), int(thresholds.restart_s * NS)
    found = f"""
        WITH stations AS (SELECT unnest(?::VARCHAR[]) AS mac),
        addresses AS (SELECT unnest(?::VARCHAR[]) AS ip, unnest(?::VARCHAR[]) AS mac),
        fired AS ({fired}),
        triggers AS (
            SELECT f.*, CASE WHEN target_mac IN (SELECT mac FROM stations) THEN target_mac
                ELSE coalesce(a.mac, '') END AS station
            FROM fired f LEFT JOIN addresses a ON a.ip = f.target_ip),
        hit AS (SELECT * FROM triggers WHERE station <> ''),
        -- every message of a struck station that tells its time; "up" is worth more than the rest
        words AS (
            SELECT sender_mac AS mac, ts, capture, packet,
                sender_ip = target_ip OR sender_ip IN ('', '0.0.0.0') AS up, 'arp' AS kind
            FROM arp WHERE sender_mac IN (SELECT station FROM hit) AND src_mac = sender_mac
            UNION ALL
            SELECT chaddr, ts, capture, packet, msg_type = 'DISCOVER', 'dhcp'
            FROM dhcp WHERE op = 1 AND src_mac = chaddr AND chaddr IN (SELECT station FROM hit)
            UNION ALL
            SELECT src_mac, ts, capture, packet, false, 'dns'
            FROM dns WHERE NOT is_response AND src_mac IN (SELECT station FROM hit)
            UNION ALL
            SELECT orig_l2_addr, first_ts, capture, first_packet, false, 'syn'
            FROM conversations WHERE proto = 'tcp' AND orig_l2_addr IN (SELECT station FROM hit)),
        lived AS (
            SELECT orig_l2_addr AS mac, first_ts, last_ts FROM conversations
            WHERE proto = 'tcp' AND contains(history, 'F') AND contains(history, 'f')
            UNION ALL
            SELECT resp_l2_addr, first_ts, last_ts FROM conversations
            WHERE proto = 'tcp' AND contains(history, 'F') AND contains(history, 'f')),
        -- what a sign is held against is the next or the last one alone: a flood of signs and of
        -- words has a pair for each two of them
        spoken AS (
            SELECT mac AS said_by, ts AS said, min((ts, capture, packet)) AS word FROM words
            GROUP BY mac, ts),
        -- what came at once may have been on its way already
        aimed AS (SELECT *, ts::HUGEINT + {grace} AS after FROM hit),
        answered AS (
            SELECT h.*, word[1] AS back, word FROM aimed h
            ASOF JOIN spoken ON said_by = station AND said > after),
        -- its own frames went on through the quiet time, so it was not silent
        seen AS (SELECT mac AS seen_mac, first_ts AS seen_ts FROM presence),
        -- a restart forgets its connections: one that lived on and closed in order shows that
        -- there was none
        lasted AS (
            SELECT mac AS lasting, first_ts AS began, max(last_ts) OVER (
                PARTITION BY mac ORDER BY first_ts) AS ended
            FROM lived WHERE mac IN (SELECT station FROM hit)),
        silent AS (
            SELECT n.* FROM answered n
            ASOF LEFT JOIN seen ON seen_mac = n.station AND seen_ts > n.after
            ASOF LEFT JOIN lasted ON lasting = n.station AND began < n.ts
            WHERE n.back BETWEEN n.ts::HUGEINT + {quiet} AND n.ts::HUGEINT + {late}
                AND NOT coalesce(seen_ts < n.back, false) AND NOT coalesce(ended > n.back, false)),
        weighed AS (
            SELECT station, back, count(DISTINCT w.kind) + 2 * count(*) FILTER (w.up) AS signs
            FROM (SELECT DISTINCT station, back FROM silent) s
            JOIN words w ON w.mac = s.station AND w.ts BETWEEN s.back AND s.back + {10 * NS}
            GROUP BY station, back),
        started AS (SELECT * FROM silent JOIN weighed USING (station, back))
        SELECT capture, packet, ts, segment, actor_mac, actor_ip, station AS target_mac, target_ip,
            strength, 0 AS weight, 'restart' AS variant,
            'silent for ' || round((back - ts) / {NS}, 0)::INTEGER
                || ' s after a message (' || detail || '), then started up' AS detail
        FROM started WHERE signs >= 2
        UNION ALL
        SELECT word[2], word[3], back, segment, actor_mac, actor_ip, station, target_ip,
            strength, -1, 'restart', 'started up'
        FROM started WHERE signs >= 2
    """
    for episode in episodes(
        scene,
        found,
        [stations, [*addresses], [*addresses.values()]],
        hazard=True,
        silence_ns=int(thresholds.silence_s * NS),
    ):
        yield finding(
            scene,
            TECHNIQUE,
            episode,
            f"{_said(episode)} The message came from {episode.actor}.",
            do_next="Biomed: look at the pump's communications module; the infusion should have gone on.",
            speaks_against="A restart by hand at that moment looks the same.",
        )


def _said(episode: Episode) -> str:
    """What happened; the detail is one device's, so it is not told of several."""
    if len(episode.targets) < 2:
        return f"{some(episode.targets)} was {episode.detail}."
    return (
        f"{some(episode.targets)} fell silent after such a message, then started up; "
        f"one was {episode.detail}."
    )
