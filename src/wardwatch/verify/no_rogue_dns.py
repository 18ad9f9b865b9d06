"""No rogue DNS server: only permitted resolvers answer a device.

Misses to know: a rogue on a permitted address (compare MAC and TTL); answers over encrypted DNS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wardwatch.model.judgement import Reason
from wardwatch.signs.cited import FIRST, cited
from wardwatch.signs.dns import ANSWER_S, unlisted
from wardwatch.signs.episodes import settled
from wardwatch.signs.owners import about, homes
from wardwatch.signs.policy import permitted, said_by
from wardwatch.signs.vantage import vantages
from wardwatch.verify.answer import (
    Need,
    Subject,
    count_need,
    loss_need,
    span_need,
    standing_need,
    unseen,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wardwatch.inventory.scene import Scene
    from wardwatch.model.judgement import Verdict
    from wardwatch.verify.minimums import Minimums

MEASURE = "no_rogue_dns"
RULE = (
    "Broken when an unlisted resolver answers it, or a source that it did not ask (RFC 5452 §9);"
    " answers that merely differ do not count. To hold:"
)


def check(scene: Scene, minimums: Minimums) -> Iterator[Verdict]:
    """One verdict for each medical device."""
    devices = [device for device in scene.medical if device.seen]
    heard = vantages(scene, minimums.bridge_s)
    standing = homes(scene, devices)
    signs, found = settled(scene, *unlisted(scene), of=("dns",))
    wrong = {
        row.device: row
        for row in about(
            scene,
            devices if found else (),
            f""",
            signs AS (SELECT f.*, coalesce(m.device, i.device) AS device FROM {signs} f
                LEFT JOIN owners m ON m.address = f.target_mac
                LEFT JOIN owners i ON i.address = f.target_ip
                WHERE strength = 0)
            SELECT device, string_agg(DISTINCT actor_ip, ', ' ORDER BY actor_ip) AS servers,
                {FIRST} AS packets
            FROM signs WHERE device IS NOT NULL GROUP BY device""",
        )
    }
    talk = {
        row.device: row
        for row in about(
            scene,
            devices,
            f""",
            said AS (
                SELECT d.*, device FROM dns d
                JOIN owners ON address = CASE WHEN is_response THEN dst ELSE src END
                WHERE kind = 'dns'),
            paired AS (
                -- each answer with the last question before it: a flood of both has too many pairs
                SELECT a.device, count(DISTINCT (q.capture, q.packet)) AS pairs,
                    min((a.ts, a.capture, a.packet), 20) AS packets
                FROM (FROM said WHERE is_response) a
                ASOF JOIN (FROM said WHERE NOT is_response) q
                ON q.device = a.device AND q.src = a.dst AND q.dst = a.src
                    AND q.src_port = a.dst_port AND q.trans_id = a.trans_id AND q.ts <= a.ts
                WHERE a.ts::HUGEINT - q.ts <= {ANSWER_S}000000000 GROUP BY a.device),
            counted AS (
                SELECT device, count(*) FILTER (NOT is_response) AS questions,
                    count(*) FILTER (is_response) AS answers, count(*) FILTER (NOT whole) AS cut
                FROM said GROUP BY device)
            SELECT counted.*, coalesce(pairs, 0) AS pairs, packets
            FROM counted LEFT JOIN paired USING (device)""",
            of=("dns",),
        )
    }
    for device in scene.medical:
        if not device.seen:
            yield unseen(MEASURE, device, RULE)
            continue
        places = standing.get(device.id) or [s for s in device.segments if s in heard]
        home = places[0] if places else ""
        place = heard.get(home)
        subject = Subject(
            MEASURE, device.id, "device", RULE, home, place.longest if place else None
        )
        if device.id in wrong:
            row = wrong[device.id]
            yield subject.broken(
                f"{row.servers} answered its DNS questions; no confirmed line names it.",
                cited(row.packets),
                "The server found and its port closed, then a day without its answers.",
            )
            continue
        row = talk.get(device.id)
        questions, answers = (row.questions, row.answers) if row else (0, 0)
        servers = permitted(scene.site, "dns", home)
        needs = (
            standing_need(device.id in standing),
            loss_need(place, minimums.lost_share),
            count_need("questions of its own", questions, minimums.dns_pairs, Reason.NO_STIMULUS),
            Need("both directions are heard", answers > 0, Reason.VANTAGE, f"{answers} answers"),
            Need("every DNS message of it is whole", not (row and row.cut), Reason.DAMAGED),
            count_need(
                "questions paired with their answer",
                row.pairs if row else 0,
                minimums.dns_pairs,
                Reason.VANTAGE,
            ),
            Need("a confirmed list of resolvers", bool(servers), Reason.NO_POLICY),
            span_need("a span", place.longest.seconds if place else 0.0, minimums.dns_span_s),
        )
        yield subject.judged(
            needs,
            "Only permitted resolvers answered it.",
            cited(row.packets if row else ()),
            said_by(servers),
        )
