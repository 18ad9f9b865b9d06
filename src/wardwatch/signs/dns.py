"""DNS answers: those of resolvers nobody confirmed, or of a source nobody asked (RFC 5452 §9).

Answers that merely differ prove nothing: round robin, split horizon, DNS64 and anycast differ
too. mDNS and LLMNR answer by design from everybody and are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from wardwatch.model.values import NS
from wardwatch.signs.policy import permitted

if TYPE_CHECKING:
    from wardwatch.inventory.scene import Scene

ANSWER_S = 60
"""A resolver's client has long given up after this time (RFC 1035 §7.2 suggests 2 to 5 s a try)."""

TTL_STEP = 3
"""Paths to one server differ by a hop or two; a forger sits elsewhere."""


OVERREADS = "kind = 'dns' AND is_response AND whole AND NOT TC AND (impossible_counts OR overrun OR pointer_loop)"
"""SQL: whether a message is an answer of CVE-2017-12722's shape."""


class Told(msgspec.Struct, frozen=True):
    """What table ``dns`` tells of one segment as a whole."""

    segment: str
    heard: bool
    """DNS itself, not only mDNS or LLMNR."""
    overreads: bool
    """An answer of :data:`OVERREADS`."""


def told(scene: Scene) -> list[Told]:
    """Every segment of table ``dns``, in order."""
    return scene.once(
        "dns told",
        lambda: [
            Told(*row)
            for row in scene.tables.ask(
                f"""SELECT segment, bool_or(kind = 'dns') AS heard, bool_or({OVERREADS}) AS overreads
                FROM dns GROUP BY segment ORDER BY segment""",
                of=("dns",),
            )
        ],
    )


def segments(scene: Scene) -> list[str]:
    """Segments in which DNS was heard."""
    return [place.segment for place in told(scene) if place.heard]


_WORDS = """CASE WHEN query <> '' THEN 'for "' || query || '"' ELSE '' END AS detail"""
_UNLISTED = f"""
    SELECT capture, packet, ts, segment, src_mac AS actor_mac, src AS actor_ip,
        dst_mac AS target_mac, dst AS target_ip, 0 AS strength, 1 AS weight,
        'unlisted' AS variant, {_WORDS}
    FROM answers WHERE segment IN (SELECT segment FROM listed)
        AND (segment, src) NOT IN (SELECT (segment, ip) FROM listed)
"""
_NOT_ASKED = f"""
    SELECT capture, packet, ts, segment, src_mac AS actor_mac, src AS actor_ip,
        dst_mac AS target_mac, dst AS target_ip, 1 AS strength, 1 AS weight,
        'not asked' AS variant, {_WORDS}
    FROM (
        SELECT * FROM answers a WHERE segment NOT IN (SELECT segment FROM listed)
            AND NOT EXISTS (
                SELECT 1 FROM dns q WHERE NOT q.is_response AND q.kind = 'dns'
                    AND q.src = a.dst AND q.dst = a.src AND q.src_port = a.dst_port)) a
    -- whatever was asked went to another, so the last question before it tells
    ASOF JOIN (SELECT src AS client, src_port AS port, trans_id AS id, ts AS asked FROM dns
        WHERE NOT is_response AND kind = 'dns')
    ON client = dst AND port = dst_port AND id = trans_id AND asked <= ts
    WHERE ts::HUGEINT - asked <= {ANSWER_S * NS}
"""
MOST_OF_ONE = 64
"""Answers to one question that others are held against."""
_SECOND = f"""
    SELECT DISTINCT b.capture, b.packet, b.ts, segment, b.src_mac AS actor_mac, src AS actor_ip,
        b.dst_mac AS target_mac, dst AS target_ip, 1 AS strength, 0 AS weight,
        'second answer' AS variant, 'for "' || query || '"' AS detail
    FROM (
        -- the first only of a flood of answers to one question, each of which any later one contradicts
        SELECT * FROM answers
        QUALIFY row_number() OVER (
            PARTITION BY segment, dst, dst_port, src, trans_id, query, qtype
            ORDER BY ts, capture, packet) <= {MOST_OF_ONE}) a
    JOIN answers b USING (segment, dst, dst_port, src, trans_id, query, qtype)
    WHERE b.ts BETWEEN a.ts AND a.ts + {ANSWER_S * NS}
        AND (a.capture, a.packet) <> (b.capture, b.packet)
        AND len(a.answers) > 0 AND len(b.answers) > 0
        AND list_sort(a.answers) <> list_sort(b.answers)
        AND ((a.src_mac <> '' AND b.src_mac <> '' AND a.src_mac <> b.src_mac)
            OR (a.ip_ttl >= 0 AND b.ip_ttl >= 0 AND abs(a.ip_ttl - b.ip_ttl) >= {TTL_STEP}))
"""


def unlisted(scene: Scene) -> tuple[str, list[Any]]:
    """The question for answers from a wrong source; for ``episodes``.

    With a confirmed list: every answer of a server not on it, to anybody but a listed server
    (whose own questions go out into the world). Without one: only answers from a source that was
    not asked, while another was; and a second, different answer from another machine. Both suspect.
    "" where nothing that was seen could be one: the plain case, and asked first.
    """
    listed: list[tuple[str, str]] = []
    for segment in segments(scene):
        listed += [(segment, server.ip) for server in permitted(scene.site, "dns", segment)]
    # A resolver's own forwarders answer it, wherever it stands.
    resolvers = sorted({server.ip for server in scene.site.servers("dns")})
    not_asked, second = scene.once("dns possible", lambda: _possible(scene))
    asked = [
        question
        for question, possible in ((_UNLISTED, listed), (_NOT_ASKED, not_asked), (_SECOND, second))
        if possible
    ]
    if not asked:
        return "", []
    columns = [list(column) for column in zip(*listed, strict=True)] or [[], []]
    sql = f"""
        WITH listed AS (SELECT unnest(?::VARCHAR[]) AS segment, unnest(?::VARCHAR[]) AS ip),
        resolvers AS (SELECT unnest(?::VARCHAR[]) AS ip),
        answers AS (
            SELECT * FROM dns
            WHERE kind = 'dns' AND is_response AND dst NOT IN (SELECT ip FROM resolvers))
        {" UNION ALL ".join(asked)}
    """
    return sql, [*columns, resolvers]


def _possible(scene: Scene) -> tuple[bool, bool]:
    """Whether any question was answered by another than asked, and whether by two machines.

    Both are necessary for signs, no more: a short question, where planning the long one costs most.
    """
    rows = scene.tables.ask(
        f"""SELECT coalesce(bool_or(other), false) AS not_asked, coalesce(bool_or(again), false) AS second
        FROM (
            SELECT min(server) <> max(server) AS other,
                min(mac) <> max(mac) OR max(ip_ttl) - min(ip_ttl) >= {TTL_STEP} AS again
            FROM (
                SELECT CASE WHEN is_response THEN dst ELSE src END AS client,
                    CASE WHEN is_response THEN dst_port ELSE src_port END AS port, trans_id,
                    CASE WHEN is_response THEN src ELSE dst END AS server,
                    CASE WHEN is_response AND src_mac <> '' THEN src_mac END AS mac,
                    CASE WHEN is_response AND ip_ttl >= 0 THEN ip_ttl END AS ip_ttl
                FROM dns WHERE kind = 'dns')
            GROUP BY client, port, trans_id)""",
        of=("dns",),
    )
    return (rows[0].not_asked, rows[0].second) if rows else (False, False)
