"""No rogue DHCP server: only permitted servers answer the clients of a segment.

Misses to know: unicast OFFERs that a mirror of other ports does not carry; a rogue that clones a
permitted identifier and MAC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wardwatch.model.judgement import Reason
from wardwatch.signs.cited import cited
from wardwatch.signs.dhcp import Told, contests, segments, told, unlisted
from wardwatch.signs.episodes import CONFIRMED, episodes
from wardwatch.signs.owners import standing_segments
from wardwatch.signs.policy import permitted, said_by
from wardwatch.signs.vantage import device_segments, vantages
from wardwatch.verify.answer import (
    Need,
    Subject,
    count_need,
    loss_need,
    span_need,
    standing_need,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wardwatch.inventory.scene import Scene
    from wardwatch.model.evidence import Evidence
    from wardwatch.model.judgement import Verdict
    from wardwatch.verify.minimums import Minimums

MEASURE = "no_rogue_dhcp"
RULE = (
    "Broken by an OFFER, ACK or NAK with an unlisted option 54, or with a listed one and giaddr 0"
    " from an unknown MAC. To hold:"
)


def check(scene: Scene, minimums: Minimums) -> Iterator[Verdict]:
    """One verdict for each segment that holds devices."""
    heard = vantages(scene, minimums.bridge_s)
    sql, parameters = unlisted(scene)
    rogues = [e for e in episodes(scene, sql, parameters, of=("dhcp",)) if e.rank == CONFIRMED]
    rivals = {contest.segment: contest for contest in contests(scene)}
    messages = {place.segment: place for place in told(scene)}
    replies = _permitted_replies(scene)
    stand = standing_segments(scene)
    for name in device_segments(scene, heard):
        place = heard[name]
        subject = Subject(MEASURE, name, "segment", RULE, name, place.longest)
        mine = [rogue for rogue in rogues if rogue.segment == name]
        if mine:
            yield subject.broken(
                "; ".join(f"{r.actor} answered DHCP clients ({r.detail})" for r in mine[:5]) + ".",
                [e for r in mine for e in r.evidence],
                "The server found and its port closed, then a day without its replies.",
            )
            continue
        servers = permitted(scene.site, "dhcp", name)
        if not servers and name in rivals:
            rival = rivals[name]
            yield subject.not_observable(
                Reason.NO_POLICY,
                "Suspect: "
                + " and ".join(s.text for s in rival.servers[:5])
                + " both answered DHCP clients, and nobody has confirmed which is permitted."
                + f" What speaks against it: {rival.speaks_against}.",
                evidence=tuple(sorted({e for s in rival.servers for e in s.evidence}))[:20],
            )
            continue
        seen = messages.get(name, Told(name))
        shown = replies.get(name, ())
        inside = place.dhcp_client_messages > 0 and place.broadcasts > 0
        needs = (
            standing_need(name in stand),
            loss_need(place, minimums.lost_share),
            Need(
                "client broadcasts are heard, not only a relay's uplink",
                inside or not place.dhcp_relayed,
                Reason.VANTAGE,
            ),
            Need("every DHCP message is whole", not seen.cut, Reason.DAMAGED, f"{seen.cut} cut"),
            count_need("DISCOVERs", seen.discovers, minimums.dhcp_discovers, Reason.NO_STIMULUS),
            count_need("clients", seen.clients, minimums.dhcp_clients, Reason.NO_STIMULUS),
            Need("a confirmed list of DHCP servers", bool(servers), Reason.NO_POLICY),
            Need("replies of a permitted server", bool(shown), Reason.VANTAGE),
            span_need("a span", place.longest.seconds, minimums.dhcp_span_s),
        )
        yield subject.judged(
            needs,
            "Only permitted servers answered.",
            shown,
            said_by(servers),
        )


def _permitted_replies(scene: Scene) -> dict[str, tuple[Evidence, ...]]:
    """By segment: the first replies of servers that are confirmed for it."""
    listed = [
        (segment, server.ip)
        for segment in segments(scene)
        for server in permitted(scene.site, "dhcp", segment)
    ]
    if not listed:
        return {}
    rows = scene.tables.ask(
        """WITH listed AS (SELECT unnest(?::VARCHAR[]) AS segment, unnest(?::VARCHAR[]) AS ip)
        SELECT segment, min((ts, capture, packet), 10) AS packets FROM dhcp
        WHERE op = 2 AND (segment, server_id) IN (SELECT (segment, ip) FROM listed)
        GROUP BY segment""",
        [list(column) for column in zip(*listed, strict=True)],
    )
    return {row.segment: cited(row.packets) for row in rows}
