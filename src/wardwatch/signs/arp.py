"""ARP claims: one station says another's address is its own while that one still uses it.

Left out because they are ordinary: virtual MACs of router groups, probes (sender 0.0.0.0,
RFC 5227), announcements of one's own address, confirmed routers that answer for others (proxy
ARP), one device with two interfaces (wired and radio), and a lease that moved on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wardwatch.model.values import NS
from wardwatch.signs.dhcp import VIRTUAL, friends
from wardwatch.signs.owners import owners

if TYPE_CHECKING:
    from wardwatch.inventory.scene import Scene


_CLAIM = f"""sender_ip NOT IN ('', '0.0.0.0')
    AND sender_mac NOT IN ('', '00:00:00:00:00:00', 'ff:ff:ff:ff:ff:ff')
    AND NOT regexp_matches(sender_mac, '{VIRTUAL}')"""
FEW = 200_000
"""Claims and bindings of which it is asked first whether any address was shared at all: mostly none
was, in half the time. Of a flood some were."""
MOST_HOLDERS, OF_A_FLOOD = 64, 4
"""Holders of one address that claims of it are held against, and where it had more, how many of these: those
confirmed, then those with a lease, then those who used it longest. Each claim of a flood is one against any."""
_SHARED = """
    SELECT 1 FROM (
        SELECT segment, sender_ip AS ip, sender_mac AS mac, true AS said, false AS passed,
            0 AS first_ts, 0 AS last_ts FROM arp
        UNION ALL
        SELECT segment, ip, mac, false, source = 'ip', first_ts, last_ts FROM bindings)
    GROUP BY segment, ip
    HAVING min(mac) <> max(mac) AND (
        bool_or(said) OR min(last_ts) FILTER (passed) < max(first_ts) FILTER (passed))
    LIMIT 1"""
_STILL_THERE = """
    SELECT capture, packet, ts, segment, actor AS actor_mac, '' AS actor_ip,
        holder AS target_mac, ip AS target_ip,
        CASE WHEN neighbours OR NOT near THEN 1 ELSE 0 END AS strength, 0 AS weight,
        CASE WHEN neighbours THEN 'neighbouring MACs' WHEN near THEN 'still there'
            ELSE 'back again' END AS variant,
        'said that ' || ip || ' is at ' || mac || CASE WHEN near THEN ', while ' || holder
            || ' went on using it' ELSE ', which ' || holder || ' used before and after' END AS detail
    FROM (
        -- the holder's last spell before the claim and the next one: of a flood of claims each
        -- would be held against every spell
        SELECT s.*, p.holder, p.neighbours, p.leased, p.first_ts,
            coalesce(l.until > s.ts OR (l.until::HUGEINT >= s.ts::HUGEINT - {still}
                AND n.first_ts::HUGEINT - s.ts <= {still}), false) AS near
        FROM said s JOIN pairs p ON p.segment = s.segment AND p.ip = s.ip AND p.claimer = s.mac
        ASOF LEFT JOIN (
            SELECT segment, mac, first_ts, max(last_ts) OVER (
                PARTITION BY segment, mac ORDER BY first_ts) AS until FROM presence) l
            ON l.segment = s.segment AND l.mac = p.holder AND l.first_ts <= s.ts
        ASOF LEFT JOIN presence n
            ON n.segment = s.segment AND n.mac = p.holder AND n.first_ts > s.ts
        WHERE NOT p.one_device AND p.last_ts > s.ts)
    WHERE near OR (first_ts < ts AND NOT leased AND NOT neighbours)
"""
_MOVED = """
    -- the traffic moves: what another MAC carried before the claim, this one carries after it
    SELECT DISTINCT s.capture, s.packet, s.ts, s.segment, s.actor AS actor_mac, '' AS actor_ip,
        v.before AS target_mac, s.ip AS target_ip,
        CASE WHEN (s.segment, s.ip, v.before) IN (
                SELECT (segment, ip, mac) FROM holders)
            OR (s.ip, v.before) IN (SELECT (ip, mac) FROM named) THEN 0 ELSE 1 END
            AS strength,
        1 AS weight, 'traffic moved' AS variant,
        'said that ' || s.ip || ' is at ' || s.mac || ', and then carried traffic that '
            || v.before || ' had carried before' AS detail
    FROM said s
    JOIN moved v ON v.segment = s.segment AND v.mac = s.mac
        AND v.first_ts BETWEEN s.ts AND s.ts + {still}
    LEFT JOIN carriers c ON c.segment = s.segment AND c.mac = s.mac
    WHERE s.mac NOT IN (SELECT mac FROM friends)
        AND (s.segment, s.mac) NOT IN (SELECT (segment, src_mac) FROM redundancy)
        -- it carried nothing for others before it spoke
        AND coalesce(c.since >= s.ts, true)
"""
_NEIGHBOUR = """
    -- neighbour discovery (RFC 4861 §7.2.5): an address whose MAC a person confirmed, from another
    SELECT n.capture, n.first_packet AS packet, n.first_ts AS ts, n.segment, n.mac AS actor_mac,
        '' AS actor_ip, h.mac AS target_mac, n.ip AS target_ip, 0 AS strength, 0 AS weight,
        'still there' AS variant,
        'said that ' || n.ip || ' is at ' || n.mac || ', while ' || h.mac || ' went on using it'
            AS detail
    FROM bindings n JOIN named h ON h.ip = n.ip
    WHERE n.source = 'nd' AND n.mac NOT IN (SELECT mac FROM friends)
        AND (n.ip, n.mac) NOT IN (SELECT (ip, mac) FROM named)
        AND NOT regexp_matches(n.mac, '{virtual}')
        AND EXISTS (
            SELECT 1 FROM presence t WHERE t.segment = n.segment AND t.mac = h.mac
                AND t.first_ts <= n.first_ts AND t.last_ts >= n.first_ts - {still})
        AND EXISTS (
            SELECT 1 FROM presence t WHERE t.segment = n.segment AND t.mac = h.mac
                AND t.first_ts <= n.first_ts + {still} AND t.last_ts > n.first_ts)
"""


def claims(scene: Scene, still_s: float) -> tuple[str, list[Any]]:
    """The question for contested claims; for ``episodes``. Its actor is the sender's MAC.

    Of two MACs with one address the holder is the confirmed one, else the one DHCP gave it to,
    else the one that claims fewer contested addresses, else the earlier. It must be heard both up
    to ``still_s`` before a claim and after it: then it did not move. One that used the address
    longer before and again later may have moved away and back, so that is suspect, and nothing
    where DHCP gave the address to the claimer.
    "" where nothing that was seen could be one: the plain case, and asked first.
    """
    still = int(still_s * NS)
    named = [
        (server.ip, mac.lower())
        for server in scene.site.server
        if server.confirmed
        for mac in server.macs
    ]
    contested, moved = possible(scene)
    asked = [
        question
        for question, possible in ((_STILL_THERE, contested), (_MOVED, moved), (_NEIGHBOUR, named))
        if possible
    ]
    if not asked or not (contested or scene.once("arp disputed", lambda: _disputed(scene))):
        return "", []
    columns = [list(column) for column in zip(*named, strict=True)] or [[], []]
    union = " UNION ALL ".join(asked).format(still=still, virtual=VIRTUAL)
    sql = f"""
        WITH {owners(scene, scene.devices)},
        friends AS (SELECT unnest(?::VARCHAR[]) AS mac),
        named AS (SELECT unnest(?::VARCHAR[]) AS ip, unnest(?::VARCHAR[]) AS mac),
        said AS (
            SELECT capture, packet, ts, segment, sender_ip AS ip, sender_mac AS mac,
                CASE WHEN src_mac <> '' THEN src_mac ELSE sender_mac END AS actor,
                target_mac, target_ip, dst_mac
            FROM arp
            WHERE {_CLAIM}),
        ends AS (
            -- a MAC that sends packets of several addresses passes them on: a router, or a forger
            SELECT segment, mac FROM bindings WHERE source = 'ip' AND contains(ip, '.')
            GROUP BY segment, mac HAVING count(DISTINCT ip) = 1),
        holders AS (
            SELECT segment, ip, mac, min(first_ts) AS first_ts, max(last_ts) AS last_ts,
                bool_or(source = 'dhcp') AS leased
            FROM bindings WHERE ip NOT IN ('', '0.0.0.0')
                AND NOT regexp_matches(mac, '{VIRTUAL}')
                AND (source <> 'ip' OR (segment, mac) IN (SELECT (segment, mac) FROM ends))
            GROUP BY segment, ip, mac),
        spoken AS (
            SELECT segment, ip, mac, min(ts) AS first_ts FROM said WHERE actor = mac
            GROUP BY segment, ip, mac),
        contested AS (
            SELECT segment, ip, count(DISTINCT mac) AS macs FROM (
                SELECT segment, ip, mac FROM said UNION SELECT segment, ip, mac FROM holders)
            GROUP BY segment, ip HAVING macs > 1),
        kept AS (
            SELECT h.*, c.macs FROM holders h JOIN contested c USING (segment, ip)
            QUALIFY row_number() OVER (PARTITION BY segment, ip ORDER BY
                (h.ip, h.mac) IN (SELECT (ip, mac) FROM named) DESC, h.leased DESC,
                h.last_ts::HUGEINT - h.first_ts DESC, h.first_ts, h.mac)
                <= CASE WHEN macs > {MOST_HOLDERS} THEN {OF_A_FLOOD} ELSE {MOST_HOLDERS} END),
        greed AS (
            SELECT segment, mac, count(DISTINCT ip) AS wants FROM said JOIN contested USING (segment, ip)
            GROUP BY segment, mac),
        pairs AS (
            SELECT h.segment, h.ip, h.mac AS holder, s.mac AS claimer, h.first_ts, h.last_ts,
                coalesce(k.leased, false) AS leased,
                coalesce(m.device, '') = coalesce(n.device, '-') AS one_device,
                h.mac[:14] = s.mac[:14] AS neighbours
            FROM contested c
            JOIN kept h USING (segment, ip)
            JOIN spoken s ON s.segment = h.segment AND s.ip = h.ip AND s.mac <> h.mac
            LEFT JOIN greed a ON a.segment = h.segment AND a.mac = h.mac
            LEFT JOIN greed b ON b.segment = h.segment AND b.mac = s.mac
            LEFT JOIN holders k ON k.segment = h.segment AND k.ip = h.ip AND k.mac = s.mac
            LEFT JOIN owners m ON m.address = h.mac
            LEFT JOIN owners n ON n.address = s.mac
            WHERE s.mac NOT IN (SELECT mac FROM friends)
                AND (s.ip, s.mac) NOT IN (SELECT (ip, mac) FROM named)
                AND NOT coalesce(k.leased AND NOT h.leased, false)
                AND (
                    (h.ip, h.mac) IN (SELECT (ip, mac) FROM named)
                    OR (h.leased AND NOT coalesce(k.leased, false))
                    OR coalesce(a.wants, 0) < coalesce(b.wants, 0)
                    OR (coalesce(a.wants, 0) = coalesce(b.wants, 0) AND h.first_ts < s.first_ts))),
        passing AS (
            -- whose packets went by, without those that claim their address themselves: an end
            -- station's own address that moved is a move, not a path
            SELECT segment, ip, mac, first_ts, last_ts FROM bindings
            WHERE source = 'ip' AND (segment, ip) NOT IN (SELECT (segment, ip) FROM said)),
        before AS (
            SELECT * FROM passing
            QUALIFY row_number() OVER (PARTITION BY segment, ip ORDER BY
                last_ts::HUGEINT - first_ts DESC, first_ts, mac) <= {MOST_HOLDERS}),
        carriers AS (
            SELECT segment, mac, min(first_ts) AS since FROM passing GROUP BY segment, mac),
        moved AS (
            SELECT DISTINCT b.segment, b.mac, b.first_ts, a.mac AS before
            FROM passing b JOIN before a ON a.segment = b.segment AND a.ip = b.ip
                AND a.mac <> b.mac AND a.last_ts < b.first_ts
            WHERE NOT regexp_matches(a.mac, '{VIRTUAL}')
                AND (a.mac, b.mac) NOT IN (
                    SELECT (m.address, n.address) FROM owners m JOIN owners n USING (device)))
        {union}
    """
    return sql, [friends(scene), *columns]


def possible(scene: Scene) -> tuple[bool, bool]:
    """Whether anybody claimed an address that another used, and whether one passed to another MAC.

    Both are necessary for signs, no more: a short question, where planning the long one costs most.
    """
    return scene.once("arp possible", lambda: _possible(scene))


def _possible(scene: Scene) -> tuple[bool, bool]:
    rows = scene.tables.rows("arp") + scene.tables.rows("bindings")
    if rows <= FEW and not scene.tables.ask(_SHARED):
        return False, False
    (row,) = scene.tables.ask(
        f"""
        SELECT coalesce(bool_or(contested), false) AS contested,
            coalesce(bool_or(moved), false) AS moved
        FROM (
            SELECT min(mac) FILTER (NOT virtual) <> max(mac) FILTER (NOT virtual)
                    AND bool_or(said) AND bool_or(NOT said AND NOT virtual) AS contested,
                min(last_ts) FILTER (passed AND NOT virtual) < max(first_ts) FILTER (passed)
                    AND min(mac) FILTER (passed) <> max(mac) FILTER (passed) AS moved
            FROM (
                SELECT segment, sender_ip AS ip, sender_mac AS mac, 0 AS first_ts,
                    0 AS last_ts, false AS passed, true AS said, false AS virtual
                FROM arp WHERE {_CLAIM}
                UNION ALL
                SELECT segment, ip, mac, first_ts, last_ts, source = 'ip', false,
                    regexp_matches(mac, '{VIRTUAL}')
                FROM bindings)
            GROUP BY segment, ip)"""
    )
    return row.contested, row.moved


def _disputed(scene: Scene) -> bool:
    """Whether any address of a segment was claimed or used by two MACs."""
    return bool(
        scene.tables.ask(
            """SELECT segment, ip FROM (
                SELECT segment, sender_ip AS ip, sender_mac AS mac FROM arp
                UNION ALL
                SELECT segment, ip, mac FROM bindings)
            WHERE ip NOT IN ('', '0.0.0.0')
            GROUP BY segment, ip HAVING min(mac) <> max(mac) LIMIT 1""",
            of=("arp", "bindings"),
        )
    )
