"""DHCP servers: who answers clients, and which of them nobody confirmed (RFC 2131, RFC 5107).

Every OFFER, ACK and NAK counts, also of a server that lost the race.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from wardwatch.model.evidence import Evidence
from wardwatch.model.values import DAY_NS
from wardwatch.signs.cited import FIRST, cited
from wardwatch.signs.policy import is_virtual, permitted

if TYPE_CHECKING:
    from wardwatch.inventory.scene import Scene

NOT_AN_ID = ("", "0.0.0.0", "255.255.255.255")  # noqa: S104
"""Server identifiers that name nobody: broken servers send them, no rogue gains by it."""

MAX_SERVERS = 100
"""Competing servers looked at in one segment: a flood of invented ids stays one finding."""


_ID = "CASE WHEN server_id <> '' THEN server_id ELSE src END"
_REPLY = "op = 2 AND msg_type IN ('OFFER', 'ACK', 'NAK') AND (whole OR server_id <> '')"
_DIRECT = f"{_ID} NOT IN {NOT_AN_ID} AND (giaddr IN ('', '0.0.0.0') OR dst_port = 68)"
"""SQL: replies of a server that names itself, as clients hear them."""


class Told(msgspec.Struct, frozen=True):
    """What table ``dhcp`` tells of one segment as a whole; -1 where nothing does."""

    segment: str
    discovers: int = 0
    clients: int = 0
    """``chaddr`` of DISCOVERs."""
    cut: int = 0
    """Messages that are not whole."""
    nameless: bool = False
    """A client's message was cut before it said whose it is."""
    t1_s: int = -1
    """T1 of the longest lease; half the lease where the server states none (RFC 2131 §4.4.5)."""
    several: bool = False
    """More than one server identifier answered."""
    opt66_len: int = -1
    """Octets, the most of any reply; so are the next three."""
    opt67_len: int = -1
    opt66_sum: int = -1
    opt67_sum: int = -1
    overrun: bool = False
    """An option of a whole reply claims more than was left."""


def told(scene: Scene) -> list[Told]:
    """Every segment in which DHCP was heard, in order."""
    return scene.once("dhcp told", lambda: _told(scene))


def _told(scene: Scene) -> list[Told]:
    longest = ", ".join(
        f"coalesce(max({name}) FILTER (op = 2), -1)"
        for name in ("opt66_len", "opt67_len", "opt66_sum", "opt67_sum")
    )
    rows = scene.tables.ask(
        f"""SELECT segment, count(*) FILTER (msg_type = 'DISCOVER'),
            count(DISTINCT chaddr) FILTER (msg_type = 'DISCOVER'), count(*) FILTER (NOT whole),
            bool_or(op <> 2 AND NOT whole AND chaddr = ''),
            coalesce(max(CASE WHEN renewal_time > 0 THEN renewal_time ELSE lease_time // 2 END)
                FILTER (op = 2 AND msg_type = 'ACK' AND lease_time > 0), -1),
            coalesce(min(server) <> max(server), false),
            {longest}, bool_or(op = 2 AND overrun_option >= 0 AND whole)
        FROM (SELECT *, CASE WHEN {_REPLY} AND {_DIRECT} THEN {_ID} END AS server FROM dhcp)
        GROUP BY segment ORDER BY segment""",
        of=("dhcp",),
    )
    return [Told(*row) for row in rows]


def segments(scene: Scene) -> list[str]:
    """Segments in which DHCP was heard."""
    return [place.segment for place in told(scene)]


def unlisted(scene: Scene) -> tuple[str, list[Any]]:
    """The question for replies of servers that a confirmed list does not name; for ``episodes``.

    Only segments for which a person confirmed a DHCP server are asked about; "" where there is none.
    """
    listed: list[tuple[str, str]] = []
    relays: list[tuple[str, str]] = []
    named: list[tuple[str, str, str]] = []
    for segment in segments(scene):
        for server in permitted(scene.site, "dhcp", segment):
            listed.append((segment, server.ip))
            named += [(segment, server.ip, mac.lower()) for mac in server.macs]
        relays += [(segment, relay.ip) for relay in permitted(scene.site, "relay", segment)]
    if not listed:
        return "", []
    columns = [list(column) for column in zip(*listed, strict=True)] or [[], []]
    columns += [list(column) for column in zip(*relays, strict=True)] or [[], []]
    columns += [list(column) for column in zip(*named, strict=True)] or [[], [], []]
    sql = f"""
        WITH listed AS (SELECT unnest(?::VARCHAR[]) AS segment, unnest(?::VARCHAR[]) AS ip),
        relays AS (SELECT unnest(?::VARCHAR[]) AS segment, unnest(?::VARCHAR[]) AS ip),
        named AS (SELECT unnest(?::VARCHAR[]) AS segment, unnest(?::VARCHAR[]) AS ip,
            unnest(?::VARCHAR[]) AS mac),
        friends AS (SELECT unnest(?::VARCHAR[]) AS mac),
        replies AS (
            SELECT *, giaddr NOT IN ('', '0.0.0.0') AS relayed,
                CASE WHEN server_id NOT IN {NOT_AN_ID} THEN server_id ELSE src END AS id
            FROM dhcp
            WHERE op = 2 AND msg_type IN ('OFFER', 'ACK', 'NAK')
                AND server_id <> '255.255.255.255'
                AND segment IN (SELECT segment FROM listed)),
        weighed AS (
            SELECT *,
                (segment, id) IN (SELECT (segment, ip) FROM listed)
                    OR (segment, '', src_mac) IN (SELECT (segment, ip, mac) FROM named) AS known,
                (segment, id) IN (SELECT (segment, ip) FROM relays)
                    OR (server_override AND (segment, giaddr) IN (SELECT (segment, ip) FROM relays))
                    AS by_relay
            FROM replies WHERE id NOT IN {NOT_AN_ID} AND (whole OR server_id <> ''))
        SELECT capture, packet, ts, segment,
            CASE WHEN relayed THEN '' ELSE src_mac END AS actor_mac,
            CASE WHEN relayed OR src IN {NOT_AN_ID} THEN id ELSE src END AS actor_ip,
            chaddr AS target_mac, yiaddr AS target_ip,
            CASE WHEN server_id IN {NOT_AN_ID} OR server_override THEN 1 ELSE 0 END AS strength,
            0 AS weight,
            CASE WHEN known THEN 'listed id, unknown MAC' ELSE 'unlisted' END AS variant,
            msg_type || ' with server identifier ' || id AS detail
        FROM weighed
        WHERE (NOT known AND NOT by_relay)
            OR (known AND NOT relayed
                AND (segment, id) IN (SELECT (segment, ip) FROM named)
                AND src_mac <> ''
                AND (segment, id, src_mac) NOT IN (SELECT (segment, ip, mac) FROM named)
                AND src_mac NOT IN (SELECT mac FROM friends)
                AND NOT regexp_matches(src_mac, '{VIRTUAL}')
                -- a renewal's ACK is unicast and may come through a router, whose MAC it then bears
                AND NOT (ciaddr NOT IN ('', '0.0.0.0') AND dst_mac <> 'ff:ff:ff:ff:ff:ff'))
    """
    return sql, [*columns, friends(scene)]


VIRTUAL = "^(00:00:5e:00:0[12]:|00:00:0c:07:ac:|00:00:0c:9f:f|00:07:b4:)"


def friends(scene: Scene) -> list[str]:
    """MACs of confirmed servers, relays and routers; where a line names none, by their ARP."""
    return scene.once("friends", lambda: _friends(scene))


def _friends(scene: Scene) -> list[str]:
    lines = [line for line in scene.site.server if line.confirmed]
    macs = {mac.lower() for line in lines for mac in line.macs}
    bare = [line.ip for line in lines if line.role in ("relay", "router") and not line.macs]
    if not bare:
        return sorted(macs)
    rows = scene.tables.ask(
        # The first holder heard: whoever claims the address later must not become a friend by it.
        """SELECT arg_min(mac, (first_ts, capture, first_packet)) AS mac FROM bindings
        WHERE source = 'arp' AND ip IN (SELECT unnest(?::VARCHAR[])) GROUP BY segment, ip""",
        [bare],
    )
    return sorted(macs | {row.mac for row in rows})


class Server(msgspec.Struct, frozen=True):
    """One server heard answering clients in a segment."""

    id: str
    mac: str
    relayed: bool
    override: bool
    first_ts: int
    last_ts: int
    packets: int
    evidence: tuple[Evidence, ...]
    clients: tuple[str, ...]
    gives: str
    """Router and resolvers it hands out."""

    @property
    def text(self) -> str:
        """Its id and, where the frame was its own, its MAC."""
        return self.id if self.relayed or not self.mac else f"{self.id} ({self.mac})"


class Contest(msgspec.Struct, frozen=True):
    """Servers that answered clients of one segment at the same time, with no list to tell them apart."""

    segment: str
    servers: tuple[Server, ...]

    @property
    def speaks_against(self) -> str:
        """What could make it harmless, server by server."""
        said = []
        for server in self.servers:
            if server.relayed:
                said.append(
                    f"{server.id} answered through a relay, which asks configured servers only"
                )
            if server.override:
                said.append(
                    f"{server.id} may be a relay's address (RFC 5107 server identifier override)"
                )
            if is_virtual(server.mac):
                said.append(f"{server.mac} is the shared MAC of a router group")
        if len({server.gives for server in self.servers}) == 1 and self.servers[0].gives:
            said.append("they hand out the same router and resolvers, as a failover pair does")
        return "; ".join(said) or "nothing that was seen"


def contests(scene: Scene) -> list[Contest]:
    """Competing servers in segments without a confirmed list.

    A relay asks only the servers it was given, so servers heard through relays alone do not
    compete; one id is one server, and so are several ids from one MAC.
    """
    return scene.once("contests", lambda: _contests(scene))


def _contests(scene: Scene) -> list[Contest]:
    if not any(
        place.several and not permitted(scene.site, "dhcp", place.segment) for place in told(scene)
    ):
        return []
    rows = scene.tables.ask(
        f"""WITH replies AS (
            SELECT *, giaddr NOT IN ('', '0.0.0.0') AS relayed,
                {_ID} AS id, CASE WHEN relayed THEN '' ELSE src_mac END AS mac
            FROM dhcp WHERE {_REPLY} AND {_DIRECT}),
        busiest AS (
            -- whose replies are looked at is asked first: of a flood each has a server of its own
            SELECT segment, id, mac, relayed FROM replies GROUP BY segment, id, mac, relayed
            QUALIFY row_number() OVER (PARTITION BY segment ORDER BY count(*) DESC, id)
                <= {MAX_SERVERS})
        SELECT segment, id, mac, relayed,
            bool_or(server_override) AS override, min(ts) AS first_ts, max(ts) AS last_ts,
            count(*) AS packets, {FIRST} AS evidence,
            min(chaddr, 100) AS clients,
            max(CASE WHEN len(routers) + len(dns_servers) > 0
                THEN 'router ' || array_to_string(routers, ', ')
                    || ' resolvers ' || array_to_string(dns_servers, ', ') ELSE '' END) AS gives
        FROM replies SEMI JOIN busiest USING (segment, id, mac, relayed)
        GROUP BY segment, id, mac, relayed
        ORDER BY segment, first_ts, id"""
    )
    by_segment: dict[str, list[Server]] = {}
    for row in rows:
        if permitted(scene.site, "dhcp", row.segment):
            continue
        by_segment.setdefault(row.segment, []).append(
            Server(
                id=row.id,
                mac=row.mac,
                relayed=row.relayed,
                override=row.override,
                first_ts=row.first_ts,
                last_ts=row.last_ts,
                packets=row.packets,
                evidence=cited(row.evidence),
                clients=tuple(sorted(set(row.clients))),
                gives=row.gives,
            )
        )
    found = []
    for segment, servers in by_segment.items():
        for together in _at_one_time(servers):
            machines = {s.id if s.relayed else s.mac or s.id for s in together}
            direct = any(not s.relayed for s in together)
            if direct and len({s.id for s in together}) > 1 and len(machines) > 1:
                found.append(Contest(segment, tuple(together)))
    return found


def _at_one_time(servers: list[Server]) -> list[list[Server]]:
    """Servers by time: a day in which none of them spoke parts them."""
    groups: list[list[Server]] = []
    last = 0
    for server in servers:
        if groups and server.first_ts - last <= DAY_NS:
            groups[-1].append(server)
            last = max(last, server.last_ts)
        else:
            groups.append([server])
            last = server.last_ts
    return groups
