"""Routers: who offers itself, who is forged away, and whom nobody confirmed (RFC 4861, RFC 6104).

A zero lifetime is what a router sends when it stops: same MAC, then silence. From another MAC, or
while that router goes on advertising, somebody else sent it.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from wardwatch.model.values import NS, is_group
from wardwatch.signs.dhcp import VIRTUAL, friends
from wardwatch.signs.policy import in_subnets, is_virtual, macs_of, permitted, zone_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wardwatch.inventory.scene import Scene

TABLES = ("router_adverts", "dhcpv6", "redundancy", "dhcp", "dns")
"""Evidence that the signs of routers rest on."""

ADVERT_S = 1800
"""MaxRtrAdvInterval is at most 1800 s (RFC 4861 §6.2.1): a router still there speaks within it."""

_ADVERT = """
    -- RFC 4861 §6.1.2: hosts drop an advertisement whose hop limit is not 255
    SELECT capture, packet, ts, segment, src_mac, src, dst_mac, dst,
        CASE WHEN hop_limit = 255 THEN 0 ELSE 1 END, 2,
        'unlisted',
        'offered itself as IPv6 router'
            || CASE WHEN lifetime_s = 0 THEN ' (lifetime zero, but with '
                || 'prefixes, routes or resolvers)' ELSE '' END
    FROM adverts
    WHERE kind = 'ra' AND NOT known AND segment IN (SELECT segment FROM judged)
        AND (lifetime_s > 0 OR len(prefixes) + len(rdnss) + len(routes) > 0)
        AND NOT (lifetime_s = 0 AND (segment, src) IN (SELECT (segment, src) FROM speakers))
"""
_REDIRECT = """
    SELECT capture, packet, ts, segment, src_mac, src, dst_mac, dst, 0, 1,
        'redirect', 'redirected ' || destination || ' to ' || target
    FROM adverts
    WHERE kind <> 'ra' AND NOT known AND segment IN (SELECT segment FROM judged)
        AND (kind = 'redirect' OR segment IN (SELECT segment FROM legacy))
"""
_FORGED = f"""
    SELECT capture, packet, ts, segment, src_mac, src, dst_mac, dst, 0, 3,
        'forged away', 'sent a router lifetime of zero for ' || src ||
        CASE WHEN foreign_mac THEN ' from a MAC that is not that router''s'
            ELSE ' while that router went on advertising' END
    FROM (
        SELECT *, src_mac <> ''
                AND (segment, src) IN (SELECT (segment, src) FROM speakers WHERE src_mac <> '')
                AND (segment, src, src_mac) NOT IN (SELECT (segment, src, src_mac) FROM speakers)
                AS foreign_mac,
            coalesce(following - ts::HUGEINT <= {ADVERT_S * NS}, false) AS goes_on
        FROM (
            -- the next one after it: a flood of both has a pair for each two of them
            SELECT r.*, a.ts AS following FROM (
                FROM router_adverts WHERE kind = 'ra' AND lifetime_s = 0 AND hop_limit = 255) r
            ASOF LEFT JOIN alive a ON a.segment = r.segment AND a.src = r.src AND a.ts > r.ts) z)
    WHERE foreign_mac OR goes_on
"""
_DHCPV6 = """
    SELECT capture, packet, ts, segment, src_mac, src, dst_mac, dst, 0, 1,
        'dhcpv6', 'answered as DHCPv6 server'
    FROM dhcpv6
    WHERE msg_type IN (2, 7) AND NOT relayed AND segment IN (SELECT segment FROM judged)
        AND (segment, src) NOT IN (SELECT (segment, ip) FROM listed)
        AND src_mac NOT IN (SELECT mac FROM friends)
"""
_DHCP_OPTION = """
    SELECT capture, packet, ts, segment, CASE WHEN relayed THEN '' ELSE src_mac END, id,
        chaddr, yiaddr, 0, 1, 'dhcp option', 'named ' || router || ' as a router by DHCP'
    FROM (
        SELECT *, giaddr NOT IN ('', '0.0.0.0') AS relayed,
            CASE WHEN server_id <> '' THEN server_id ELSE src END AS id,
            split_part(' via ' || entry, ' via ', -1) AS router
        FROM (SELECT *, unnest(list_concat(routers, static_routes)) AS entry FROM dhcp
            WHERE op = 2 AND msg_type IN ('OFFER', 'ACK')
                AND segment IN (SELECT segment FROM legacy)))
    WHERE router NOT IN ('', '0.0.0.0')
        AND (segment, router) NOT IN (SELECT (segment, ip) FROM listed)
"""
_REDUNDANCY = """
    SELECT capture, first_packet, first_ts, segment, src_mac, src, '', '',
        -- for a listed address: the group's other router, or one that wants to be it
        CASE WHEN len(list_intersect(virtual_ips, (
            SELECT list(ip) FROM listed l WHERE l.segment = r.segment))) > 0
            THEN 1 ELSE 0 END,
        1, 'redundancy', 'speaks ' || upper(protocol) || ' for '
            || array_to_string(virtual_ips, ', ')
    FROM redundancy r
    WHERE segment IN (SELECT segment FROM judged)
        AND (segment, src) NOT IN (SELECT (segment, ip) FROM listed)
        AND src_mac NOT IN (SELECT mac FROM friends)
"""
_OFF_LINK = """
    SELECT d.capture, d.packet, d.ts, segment, dst_mac, '', src_mac, d.src, 0, 1,
        'off link', 'was sent frames for ' || dst || ', which lies behind the router'
    FROM dns d JOIN strays USING (segment, src_mac, dst_mac, dst)
    WHERE NOT d.is_response
"""


def wrong(scene: Scene) -> tuple[str, list[Any]]:
    """The question for routers that are not what they should be; for ``episodes``.

    Its actor is a MAC: addresses in forged advertisements are somebody else's. "" where nothing
    that was seen could be one.
    """
    filled = [table for table in TABLES if scene.tables.rows(table)]
    if not filled:
        return "", []
    # A segment matters by the servers that are confirmed for it.
    segments: list[str] = []
    if scene.site.servers("router") or scene.site.servers("dhcpv6"):
        segments = scene.once("routers.segments", lambda: _segments(scene, filled))
    listed: list[tuple[str, str]] = []
    legacy: list[str] = []
    named = sorted(
        {s.ip for role in ("router", "dhcpv6") for s in scene.site.servers(role) if s.macs}
    )
    for segment in segments:
        servers = permitted(scene.site, "router", segment)
        listed += [(segment, s.ip) for s in servers + permitted(scene.site, "dhcpv6", segment)]
        if any("." in s.ip for s in servers):
            legacy.append(segment)
    strays = scene.once("routers.strays", lambda: _strays(scene))
    adverts = "router_adverts" in filled
    questions = (
        (_ADVERT, adverts and listed),
        (_REDIRECT, adverts and listed),
        (_FORGED, adverts),
        (_DHCPV6, "dhcpv6" in filled and listed),
        (_DHCP_OPTION, "dhcp" in filled and legacy),
        (_REDUNDANCY, "redundancy" in filled and listed),
        (_OFF_LINK, strays),
    )
    asked = [question for question, may_answer in questions if may_answer]
    if not asked:
        return "", []
    columns = [list(column) for column in zip(*listed, strict=True)] or [[], []]
    off = [list(column) for column in zip(*strays, strict=True)] or [[], [], [], []]
    sql = f"""
        WITH listed AS (SELECT unnest(?::VARCHAR[]) AS segment, unnest(?::VARCHAR[]) AS ip),
        friends AS (SELECT unnest(?::VARCHAR[]) AS mac),
        legacy AS (SELECT unnest(?::VARCHAR[]) AS segment),
        named AS (SELECT unnest(?::VARCHAR[]) AS ip),
        strays AS (SELECT unnest(?::VARCHAR[]) AS segment, unnest(?::VARCHAR[]) AS src_mac,
            unnest(?::VARCHAR[]) AS dst_mac, unnest(?::VARCHAR[]) AS dst),
        judged AS (SELECT DISTINCT segment FROM listed),
        alive AS (SELECT segment, src, src_mac, ts FROM router_adverts
            WHERE kind = 'ra' AND lifetime_s > 0 AND hop_limit = 255),
        speakers AS (SELECT DISTINCT segment, src, src_mac FROM alive),
        adverts AS (
            -- a listed address stands for itself unless its line names MACs and this is none of them:
            -- whoever writes another's address must send from a MAC of his own
            SELECT *, ((segment, src) IN (SELECT (segment, ip) FROM listed)
                        AND (src_mac = '' OR src NOT IN (SELECT ip FROM named)))
                    OR src_mac IN (SELECT mac FROM friends)
                    OR regexp_matches(src_mac, '{VIRTUAL}') AS known
            FROM router_adverts),
        found (capture, packet, ts, segment, src_mac, src, dst_mac, dst, strength, weight,
            variant, detail) AS ({" UNION ALL ".join(asked)})
        SELECT capture, packet, ts, segment, src_mac AS actor_mac,
            CASE WHEN src_mac = '' THEN src ELSE '' END AS actor_ip,
            dst_mac AS target_mac, dst AS target_ip, strength, weight, variant, detail
        FROM found
    """
    return sql, [*columns, friends(scene), legacy, named, *off]


def _segments(scene: Scene, filled: Sequence[str]) -> list[str]:
    """Where one of the tables has a row."""
    one = " UNION ".join(f"SELECT DISTINCT segment FROM {table}" for table in filled)
    return [row.segment for row in scene.tables.ask(f"{one} ORDER BY segment")]


def _strays(scene: Scene) -> list[tuple[str, str, str, str]]:
    """Questions that a device sent off its link to a MAC that is no confirmed router's.

    Judged where a confirmed zone says which subnets are on the link and every router of the
    segment is named with its MAC.
    """
    if not scene.site.servers("router") or not any(zone.confirmed for zone in scene.site.zone):
        return []
    rows = scene.tables.ask(
        """SELECT DISTINCT segment, src_mac, dst_mac, src, dst FROM dns
        WHERE NOT is_response AND kind = 'dns' AND src_mac IN (SELECT unnest(?::VARCHAR[]))
            AND dst_mac NOT IN ('', 'ff:ff:ff:ff:ff:ff') LIMIT 100000""",
        [[mac for device in scene.medical for mac in device.macs]],
        of=("dns",),
    )
    if not rows:
        return []
    spoken: defaultdict[str, set[str]] = defaultdict(set)
    for row in scene.tables.ask(
        "SELECT DISTINCT segment, src_mac FROM redundancy", of=("redundancy",)
    ):
        spoken[row.segment].add(row.src_mac)
    found = []
    by_source = sorted(rows, key=attrgetter("segment", "src"))
    for (segment, src), questions in groupby(by_source, attrgetter("segment", "src")):
        routers = permitted(scene.site, "router", segment)
        zone = zone_of(scene.site, segment, [src])
        if not routers or not all(router.macs for router in routers):
            continue
        if zone is None or not in_subnets(src, zone.subnets):
            continue
        known = macs_of(routers) | spoken[segment]
        found += [
            (segment, row.src_mac, row.dst_mac, row.dst)
            for row in questions
            if not (row.dst_mac in known or is_virtual(row.dst_mac) or is_group(row.dst_mac))
            and not in_subnets(row.dst, zone.subnets)
        ]
    return found
