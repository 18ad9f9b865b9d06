"""No rogue router: only known routers offer themselves in a segment.

Redirects, DHCP options 3, 33, 121 and 249, HSRP, VRRP and DHCPv6 are watched too. Misses to know:
a zero lifetime that carries resolvers, prefixes or routes from a confirmed router's address; an
advertisement behind extension headers that this place could not read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wardwatch.model.judgement import Reason
from wardwatch.signs.cited import FIRST, cited
from wardwatch.signs.dhcp import friends
from wardwatch.signs.episodes import CONFIRMED, episodes
from wardwatch.signs.owners import standing_segments
from wardwatch.signs.policy import permitted, said_by
from wardwatch.signs.routers import TABLES, wrong
from wardwatch.signs.vantage import device_segments, vantages
from wardwatch.verify.answer import (
    Need,
    Subject,
    loss_need,
    span_need,
    standing_need,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wardwatch.inventory.scene import Scene
    from wardwatch.model.evidence import Evidence
    from wardwatch.model.judgement import Verdict
    from wardwatch.verify.minimums import Minimums

MEASURE = "no_rogue_router"
RULE = (
    "Broken by an unlisted router advertisement, DHCPv6 server, redirect, HSRP or VRRP speaker or"
    " DHCP router option, off-link frames to an unlisted MAC, or a zero lifetime from another MAC"
    " than the router's or while that router goes on advertising. To hold:"
)


def check(scene: Scene, minimums: Minimums) -> Iterator[Verdict]:
    """One verdict for each segment that holds devices."""
    heard = vantages(scene, minimums.bridge_s)
    sql, parameters = wrong(scene)
    rogues = [e for e in episodes(scene, sql, parameters, of=TABLES) if e.rank == CONFIRMED]
    seen = _seen(scene, list(heard))
    stand = standing_segments(scene)
    for name in device_segments(scene, heard):
        place = heard[name]
        subject = Subject(MEASURE, name, "segment", RULE, name, place.longest)
        mine = [rogue for rogue in rogues if rogue.segment == name]
        if mine:
            yield subject.broken(
                "; ".join(f"{r.actor} {r.detail}" for r in mine[:5]) + ".",
                [e for r in mine for e in r.evidence],
                "The sender found and its port closed, then a day without its messages.",
            )
            continue
        routers = permitted(scene.site, "router", name)
        shown = seen.get(name, ())
        needs = (
            standing_need(name in stand),
            loss_need(place, minimums.lost_share),
            Need(
                "multicast of the segment reaches this place",
                place.multicasts > 0,
                Reason.VANTAGE,
                f"{place.multicasts} frames",
            ),
            Need(
                "a confirmed router seen in it",
                bool(routers) and bool(shown),
                Reason.VANTAGE if routers else Reason.NO_POLICY,
            ),
            Need("no packet cut by a snap length", not place.cut_packets, Reason.DAMAGED),
            Need("a confirmed list of routers", bool(routers), Reason.NO_POLICY),
            span_need("a span", place.longest.seconds, minimums.router_span_s),
        )
        short = "" if place.longest.seconds >= 24 * 3600 else " A day would say more."
        yield subject.judged(
            needs,
            f"Only confirmed routers offered themselves.{short}",
            shown,
            said_by(routers),
        )


def _seen(scene: Scene, segments: Sequence[str]) -> dict[str, tuple[Evidence, ...]]:
    """By segment: the first packets that show a router which is confirmed for it."""
    listed = [(name, r.ip) for name in segments for r in permitted(scene.site, "router", name)]
    known_macs = friends(scene)
    if not listed and not known_macs:
        return {}
    rows = scene.tables.ask(
        f"""WITH listed AS (SELECT unnest(?::VARCHAR[]) AS segment, unnest(?::VARCHAR[]) AS ip),
        friends AS (SELECT unnest(?::VARCHAR[]) AS mac)
        SELECT segment, {FIRST} AS packets FROM (
            SELECT segment, ts, capture, packet FROM router_adverts WHERE kind = 'ra'
                AND ((segment, src) IN (SELECT (segment, ip) FROM listed)
                    OR src_mac IN (SELECT mac FROM friends))
            UNION ALL
            SELECT segment, first_ts, capture, first_packet FROM bindings
            WHERE (segment, ip) IN (SELECT (segment, ip) FROM listed)
                OR mac IN (SELECT mac FROM friends))
        GROUP BY segment""",
        [[name for name, _ in listed], [ip for _, ip in listed], known_macs],
        of=("router_adverts", "bindings"),
    )
    return {row.segment: cited(row.packets) for row in rows}
