"""Triggers: messages that could crash a pump's communications module; for ``episodes``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wardwatch.model.values import NS
from wardwatch.signs import dhcp, dns
from wardwatch.signs.dhcp import NOT_AN_ID
from wardwatch.signs.dns import ANSWER_S, OVERREADS
from wardwatch.signs.policy import permitted

if TYPE_CHECKING:
    from wardwatch.inventory.scene import Scene

OVERREAD = f"""
    SELECT capture, packet, ts, segment, src_mac AS actor_mac, src AS actor_ip,
        dst_mac AS target_mac, dst AS target_ip,
        CASE WHEN matched THEN 0 ELSE 1 END AS strength, 0 AS weight,
        CASE WHEN matched THEN 'matched' ELSE 'unmatched' END AS variant,
        CASE WHEN impossible_counts THEN 'claims ' || (ancount + nscount + arcount)
                || ' records, more than its ' || payload_len || ' bytes can hold'
            WHEN pointer_loop THEN 'has a name whose pointers never end'
            ELSE 'has a name or length that runs past its end' END AS detail
    FROM (
        -- one question, the last before it: a flood of both has a pair for each two of them
        SELECT a.*, coalesce(a.ts::HUGEINT - q.ts <= {ANSWER_S * NS}, false) AS matched
        FROM (SELECT * FROM dns WHERE {OVERREADS}) a
        ASOF LEFT JOIN (SELECT src, src_port, trans_id, ts FROM dns
            WHERE NOT is_response AND kind = 'dns') q
        ON q.src = a.dst AND q.src_port = a.dst_port AND q.trans_id = a.trans_id AND q.ts <= a.ts)
"""
"""DNS answers of CVE-2017-12722's shape; "matched" to a question by address, port and id."""


def overread(scene: Scene) -> str:
    """The question :data:`OVERREAD`; "" where no answer has that shape."""
    return OVERREAD if any(place.overreads for place in dns.told(scene)) else ""


def overflow(
    scene: Scene, sname_bytes: int, file_bytes: int, same_s: float
) -> tuple[str, list[Any]]:
    """DHCP replies of CVE-2017-12718's shape: option 66 or 67 over its bound, or past the end.

    A sum over the bound (RFC 3396) or a length in a cut packet is weaker. Of the two copies that
    a relay makes of one reply, the client's counts. "" where no reply has that shape.
    """
    if not any(
        place.overrun
        or max(place.opt66_len, place.opt66_sum) > sname_bytes
        or max(place.opt67_len, place.opt67_sum) > file_bytes
        for place in dhcp.told(scene)
    ):
        return "", []
    servers = [
        (segment, server.ip)
        for segment in dhcp.segments(scene)
        for server in permitted(scene.site, "dhcp", segment)
    ]
    bounds = f"(opt66_len > {sname_bytes:d} OR opt67_len > {file_bytes:d})"
    sums = f"(opt66_sum > {sname_bytes:d} OR opt67_sum > {file_bytes:d})"
    overrun = "(overrun_option >= 0 AND whole)"
    sql = f"""
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
            CASE WHEN {overrun} OR ({bounds} AND whole) THEN 0 ELSE 1 END AS strength, 0 AS weight,
            CASE WHEN (segment, id) IN (SELECT (segment, ip) FROM listed)
                THEN 'misconfiguration' ELSE 'trigger' END AS variant,
            CASE WHEN opt66_len > {sname_bytes:d}
                    THEN 'option 66 of ' || opt66_len || ' bytes, more than {sname_bytes:d}'
                WHEN opt67_len > {file_bytes:d}
                    THEN 'option 67 of ' || opt67_len || ' bytes, more than {file_bytes:d}'
                WHEN {overrun} THEN 'option ' || overrun_option || ' that claims '
                    || overrun_claimed || ' bytes where ' || overrun_present || ' were left'
                WHEN opt66_sum > {sname_bytes:d}
                    THEN 'option 66 in pieces of ' || opt66_sum || ' bytes together (RFC 3396)'
                ELSE 'option 67 in pieces of ' || opt67_sum || ' bytes together (RFC 3396)'
            END AS detail
        FROM (
            -- the last and the next delivered: of a flood each is near many
            SELECT b.*, least(b.ts::HUGEINT - l.ts, n.ts::HUGEINT - b.ts) AS apart FROM bad b
            ASOF LEFT JOIN delivered l ON l.xid = b.xid AND l.chaddr = b.chaddr AND l.ts <= b.ts
            ASOF LEFT JOIN delivered n ON n.xid = b.xid AND n.chaddr = b.chaddr AND n.ts >= b.ts)
        WHERE NOT (relayed AND dst_port <> 68
            AND coalesce(apart <= {int(same_s * NS)}, false))
    """
    return sql, [list(column) for column in zip(*servers, strict=True)] or [[], []]
