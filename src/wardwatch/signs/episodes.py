"""Episodes: single signs gathered by who sent them and where; a day of silence ends one.

A flood is counted where its rows lie, and comes back as one row; a few signs are gathered here.
"""

from __future__ import annotations

from collections import defaultdict
from heapq import nsmallest
from itertools import pairwise
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec

from wardwatch.model.evidence import Evidence
from wardwatch.model.values import DAY_NS, UNKNOWN_TIME
from wardwatch.signs.cited import values
from wardwatch.signs.who import Who, actor_text, is_known

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wardwatch.inventory.scene import Scene
    from wardwatch.model.device import Device

CONFIRMED, SUSPECT, NOTICE = 0, 1, 2
"""Ranks as the questions spell them: the smaller is the surer."""

FEW = 1_000
"""Signs that are gathered here: DuckDB takes as long as for a hundred to plan the question alone."""

MAX_EVIDENCE = 20
MAX_TARGETS = 100
"""What a finding lists at most: enough for a person, bounded against a flood."""
MOST_ACTORS = 2_000
"""Senders of one kind of sign that are told apart: the surest, and of these those with most signs. A
flood invents a sender for each packet; of each segment all others are one, and their number is told."""


class Episode(msgspec.Struct, frozen=True):
    """Signs of one actor in one segment without a long silence between them."""

    mac: str
    ip: str
    segment: str
    rank: int
    variant: str
    detail: str
    first_ts: int
    last_ts: int
    packets: int
    evidence: tuple[Evidence, ...]
    targets: tuple[str, ...]
    pump: bool
    known: bool
    senders: int = 1
    """More than one where a flood has more senders than :data:`MOST_ACTORS`, for those beyond."""

    @property
    def actor(self) -> str:
        """Who it was, as findings name it."""
        return self.named()

    def named(self, ip: str = "") -> str:
        """Who it was, with an address that is known from elsewhere."""
        if self.senders > 1:
            # the words that follow are the surest one's
            return f"{self.senders:,} other senders (told of one)"
        return actor_text(self.mac, self.ip or ip)


def settled(
    scene: Scene, found: str, parameters: Sequence[Any] = (), *, of: Sequence[str] = ()
) -> tuple[str, int]:
    """Signs that the question ``found`` selects, as a table that several may ask: name and rows.

    ``of`` names the tables they come from; where those are empty there is none, and no name, nor
    is there for the question "", which nothing can answer.
    """
    if not found or (of and not any(scene.tables.rows(table) for table in of)):
        return "", 0
    return scene.once(
        ("signs", found, repr(parameters)), lambda: scene.tables.settle(found, parameters)
    )


def episodes(
    scene: Scene,
    found: str,
    parameters: Sequence[Any] = (),
    *,
    of: Sequence[str] = (),
    hazard: bool = False,
    silence_ns: int = DAY_NS,
) -> list[Episode]:
    """Signs that the question ``found`` selects, gathered; the surest of each decides its words.

    ``found`` yields ``capture, packet, ts, segment, actor_mac, actor_ip, target_mac, target_ip,
    strength`` (a rank), ``weight`` (the greater tells more among equals), ``variant``, ``detail``;
    ``of`` names the tables it rests on. With ``hazard`` a sign whose target is no pump is a notice.
    """
    name, rows = settled(scene, found, parameters, of=of)
    if not rows:
        return []
    gathered = _few if rows <= FEW else _many
    return scene.once(
        ("episodes", name, hazard, silence_ns), lambda: gathered(scene, name, hazard, silence_ns)
    )


def _few(scene: Scene, name: str, hazard: bool, silence_ns: int) -> list[Episode]:
    """What :func:`_many` says, of rows that are fetched one by one."""
    rows = scene.tables.ask(
        f"""SELECT actor_mac, actor_ip, segment, ts, capture, packet, target_mac, target_ip,
            strength, weight, variant, detail FROM {name} ORDER BY ts, capture, packet"""
    )
    meant = {address for row in rows for address in (row.target_mac, row.target_ip)}
    near = [
        device
        for device in scene.devices
        if not (meant.isdisjoint(device.macs) and meant.isdisjoint(device.ips))
    ]
    pumps = _addresses(device for device in near if device.is_pump)
    known = _addresses(device for device in near if is_known(device))
    by_actor: defaultdict[tuple[str, str, str], list[Any]] = defaultdict(list)
    for row in rows:
        by_actor[row[:3]].append(row[3:])
    gathered = []
    for (mac, ip, segment), signs in by_actor.items():
        for told in _parts(signs, silence_ns):
            best = []
            targets: defaultdict[str, set[tuple[int, int]]] = defaultdict(set)
            met: set[str] = set()
            for ts, capture, packet, target_mac, target_ip, strength, *words in told:
                met |= {target_mac, target_ip}
                target = target_ip if target_mac in ("", "ff:ff:ff:ff:ff:ff") else target_mac
                targets[target].add((capture, packet))
                notice = hazard and target_mac not in pumps and target_ip not in pumps
                weight, variant, detail = words
                rank = NOTICE if notice else strength
                best.append((rank, -weight, ts, capture, packet, variant, detail))
            gathered.append(
                _episode(
                    Who.of(scene),
                    (mac, ip, segment),
                    (sum(map(len, targets.values())), told[0][0], told[-1][0]),
                    nsmallest(MAX_EVIDENCE, best),
                    nsmallest(MAX_TARGETS, targets),
                    (not met.isdisjoint(pumps), not met.isdisjoint(known)),
                )
            )
    return sorted(gathered, key=attrgetter("first_ts", "segment", "mac", "ip"))


def _parts(signs: list[Any], silence_ns: int) -> list[list[Any]]:
    """Signs of one actor, in order, cut where it was silent for longer; the stamp comes first."""
    parts = [signs[:1]]
    for before, sign in pairwise(signs):
        if before[0] != UNKNOWN_TIME and sign[0] - before[0] > silence_ns:
            parts.append([])
        parts[-1].append(sign)
    return parts


_CROWD = f"""actors AS (
            SELECT actor_mac, actor_ip, segment, row_number() OVER (
                ORDER BY min(rank), count(*) DESC, min(ts), actor_mac, actor_ip, segment) AS place
            FROM ranked GROUP BY actor_mac, actor_ip, segment),
        others AS (
            SELECT segment, count(*) AS senders FROM actors WHERE place > {MOST_ACTORS}
            GROUP BY segment),
        named AS (
            SELECT r.* REPLACE (
                    CASE WHEN place IS NULL THEN '' ELSE r.actor_mac END AS actor_mac,
                    CASE WHEN place IS NULL THEN '' ELSE r.actor_ip END AS actor_ip),
                CASE WHEN place IS NULL THEN senders ELSE 1 END AS senders
            FROM ranked r LEFT JOIN (FROM actors WHERE place <= {MOST_ACTORS}) a
                USING (actor_mac, actor_ip, segment)
            LEFT JOIN others USING (segment))"""
"""SQL for a WITH clause: ``named``, which are ranked signs whose sender is nobody beyond the bound."""


def _many(scene: Scene, name: str, hazard: bool, silence_ns: int) -> list[Episode]:
    who = Who.of(scene)
    laid = scene.once("targets laid", lambda: _laid(scene))
    (all_of,) = scene.tables.ask(
        f"""SELECT max(latest)::HUGEINT - min(earliest) AS ns, count(*) AS actors FROM (
            SELECT max(ts) FILTER (ts <> {UNKNOWN_TIME}) AS latest,
                min(ts) FILTER (ts <> {UNKNOWN_TIME}) AS earliest
            FROM {name} GROUP BY actor_mac, actor_ip, segment)"""
    )
    # Mostly the signs lie closer together than the silence is long, and none of them begins anew.
    parted = (all_of.ns or 0) > silence_ns
    crowd = all_of.actors > MOST_ACTORS
    rows = scene.tables.ask(
        f"""
        WITH judged AS (
            SELECT s.*, coalesce('pump' IN (m.pump, i.pump), false) AS pump,
                coalesce('known' IN (m.known, i.known), false) AS known,
                CASE WHEN target_mac = '' OR target_mac = 'ff:ff:ff:ff:ff:ff' THEN target_ip
                    ELSE target_mac END AS target
            FROM {name} s LEFT JOIN {laid} m ON m.address = s.target_mac
            LEFT JOIN {laid} i ON i.address = s.target_ip),
        ranked AS (
            SELECT *, CASE WHEN {hazard} AND NOT pump THEN {NOTICE} ELSE strength END AS rank
            FROM judged),
        {_CROWD if crowd else "named AS (SELECT *, 1 AS senders FROM ranked)"},
        {_parted(silence_ns) if parted else "told AS (SELECT *, 0 AS episode FROM named)"},
        best AS (
            SELECT actor_mac, actor_ip, segment, episode, max(senders) AS senders,
                min((rank, -weight, ts, capture, packet, variant, detail), {MAX_EVIDENCE}) AS best
            FROM told GROUP BY actor_mac, actor_ip, segment, episode),
        by_target AS (
            SELECT actor_mac, actor_ip, segment, episode, target, count(*) AS packets,
                min(first_ts) AS first_ts, max(last_ts) AS last_ts,
                bool_or(pump) AS pump, bool_or(known) AS known
            FROM (
                -- a set that is counted stays in memory, a group need not
                SELECT actor_mac, actor_ip, segment, episode, target, capture, packet,
                    min(ts) AS first_ts, max(ts) AS last_ts,
                    bool_or(pump) AS pump, bool_or(known) AS known
                FROM told GROUP BY actor_mac, actor_ip, segment, episode, target, capture, packet)
            GROUP BY actor_mac, actor_ip, segment, episode, target),
        by_actor AS (
            SELECT actor_mac, actor_ip, segment, episode, sum(packets) AS packets,
                min(first_ts) AS first_ts, max(last_ts) AS last_ts,
                min(target, {MAX_TARGETS}) AS targets, bool_or(pump) AS pump, bool_or(known) AS known
            FROM by_target GROUP BY actor_mac, actor_ip, segment, episode)
        FROM by_actor JOIN best USING (actor_mac, actor_ip, segment, episode)
        ORDER BY first_ts, segment, actor_mac, actor_ip
        """
    )
    return [
        _episode(
            who,
            (row.actor_mac, row.actor_ip, row.segment),
            (int(row.packets), row.first_ts, row.last_ts),
            [values(cell) for cell in row.best],
            row.targets,
            (bool(row.pump), bool(row.known)),
            row.senders,
        )
        for row in rows
    ]


def _episode(
    who: Who,
    actor: tuple[str, str, str],
    extent: tuple[int, int, int],
    best: Sequence[tuple[Any, ...]],
    targets: Iterable[str],
    met: tuple[bool, bool],
    senders: int = 1,
) -> Episode:
    """One episode: MAC, IP and segment; packets, first and last stamp; what the best signs say."""
    rank, _, _, _, _, variant, detail = best[0]
    return Episode(
        *actor,
        rank=rank,
        variant=variant,
        detail=detail,
        first_ts=extent[1],
        last_ts=extent[2],
        packets=extent[0],
        evidence=tuple(sorted({Evidence(sign[3], sign[4]) for sign in best})),
        targets=tuple(sorted({who.named(target) for target in targets if target})),
        pump=met[0],
        known=met[1],
        senders=senders,
    )


def _parted(silence_ns: int) -> str:
    """SQL for a WITH clause: ``told``, which are signs with the number of the actor's episode."""
    return f"""marked AS (
            SELECT *, coalesce(ts::HUGEINT - lag(ts) OVER following > {silence_ns:d}
                AND lag(ts) OVER following <> {UNKNOWN_TIME}, false)::INTEGER AS fresh
            FROM named WINDOW following AS (
                PARTITION BY actor_mac, actor_ip, segment ORDER BY ts, capture, packet)),
        told AS (
            SELECT *, sum(fresh) OVER (
                PARTITION BY actor_mac, actor_ip, segment ORDER BY ts, capture, packet
                ROWS UNBOUNDED PRECEDING) AS episode FROM marked)"""


def _laid(scene: Scene) -> str:
    """The addresses of pumps and of known devices as a table, each with the words that fit it."""
    pumps = _addresses(scene.pumps)
    known = _addresses(device for device in scene.devices if is_known(device))
    addresses = sorted(pumps | known)
    return scene.tables.lay(
        address=addresses,
        pump=["pump" if address in pumps else "" for address in addresses],
        known=["known" if address in known else "" for address in addresses],
    )


def _addresses(devices: Iterable[Device]) -> set[str]:
    return {address for device in devices for address in (*device.macs, *device.ips)}
