"""Static address: does the pump keep an address without asking DHCP for it?

Misses to know: unicast renewals that never reach this place; a reservation looks like any lease
(it is not static); a second interface of the pump in another network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wardwatch.model.evidence import Evidence
from wardwatch.model.judgement import Reason
from wardwatch.model.values import NS, Span, duration_text
from wardwatch.signs.policy import said_by, zone_of
from wardwatch.signs.vantage import merged, vantages
from wardwatch.verify.answer import Need, Subject, unseen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wardwatch.inventory.scene import Scene
    from wardwatch.model.device import Device
    from wardwatch.model.judgement import Verdict
    from wardwatch.verify.minimums import Minimums

MEASURE = "static_address"
RULE = (
    "Broken by a DISCOVER or REQUEST with its chaddr, or 169.254/16 in use. INFORM is static"
    " (RFC 2131 §3.4). To hold:"
)
LINK_LOCAL = "169.254."


def check(scene: Scene, minimums: Minimums) -> Iterator[Verdict]:
    """One verdict for each medical device."""
    heard = vantages(scene, minimums.bridge_s)
    lease = scene.tables.ask(
        """SELECT max(CASE WHEN renewal_time > 0 THEN renewal_time ELSE lease_time // 2 END) AS t1
        FROM dhcp WHERE op = 2 AND msg_type = 'ACK' AND lease_time > 0"""
    )[0].t1
    # RFC 2131 §4.4.5: T1 is half the lease where the server states none.
    needed_s = float(lease) if lease else minimums.lease_span_s
    for device in scene.medical:
        if not device.seen:
            yield unseen(MEASURE, device, RULE)
            continue
        yield _judge(scene, minimums, device, heard, needed_s)


def _judge(
    scene: Scene, minimums: Minimums, device: Device, heard: dict, needed_s: float
) -> Verdict:
    macs = list(device.macs)
    spans = merged(
        [
            [row.first_ts, row.last_ts]
            for row in scene.tables.ask(
                """SELECT first_ts, last_ts FROM presence
                WHERE mac IN (SELECT unnest(?::VARCHAR[])) ORDER BY first_ts LIMIT 100000""",
                [macs],
            )
        ],
        minimums.unbroken_gap_s,
    ) or (Span(device.first_ts, device.last_ts),)
    longest = max(spans, key=lambda span: span.last - span.first)
    segment = device.segments[0] if device.segments else ""
    subject = Subject(
        MEASURE, device.id, "device", RULE, segment, Span(spans[0].first, spans[-1].last)
    )

    asked = scene.tables.ask(
        """SELECT capture, packet, ts, msg_type FROM dhcp
        WHERE op = 1 AND msg_type IN ('DISCOVER', 'REQUEST')
            AND chaddr IN (SELECT unnest(?::VARCHAR[])) ORDER BY ts, capture, packet LIMIT 20""",
        [macs],
    )
    if asked:
        kinds = " and ".join(sorted({row.msg_type for row in asked}))
        return subject.broken(
            f"It asked for an address by DHCP ({kinds}).",
            [Evidence(row.capture, row.packet) for row in asked],
            "A static address set on the device, then a start-up without DHCP.",
        )
    fallback = scene.tables.ask(
        """SELECT capture, first_packet, ip FROM bindings
        WHERE mac IN (SELECT unnest(?::VARCHAR[])) AND starts_with(ip, ?)
        ORDER BY first_ts, capture, first_packet LIMIT 20""",
        [macs, LINK_LOCAL],
    )
    if fallback:
        return subject.broken(
            f"It used {fallback[0].ip}, an address a machine gives itself when DHCP fails"
            " (RFC 3927).",
            [Evidence(row.capture, row.first_packet) for row in fallback],
        )

    unread = scene.tables.ask(
        """SELECT count(*) AS n FROM dhcp WHERE op = 1 AND msg_type = ''
            AND chaddr IN (SELECT unnest(?::VARCHAR[]))""",
        [macs],
    )[0].n
    places = [heard[name] for name in device.segments if name in heard]
    relay_only = any(
        p.dhcp_relayed and not p.dhcp_client_messages and not p.broadcasts for p in places
    )
    startups = _startups(scene, minimums, macs)
    zone = next(filter(None, (zone_of(scene.site, s, device.ips) for s in device.segments)), None)
    needs = (
        Need(
            "client broadcasts of its segment reach this place",
            any(p.broadcasts > 0 for p in places) and not relay_only,
            Reason.VANTAGE,
        ),
        Need("every DHCP message of its chaddr can be read", not unread, Reason.DAMAGED),
        Need(
            f"a start-up or rejoin seen, or {duration_text(needed_s)} unbroken",
            bool(startups) or longest.seconds >= needed_s,
            Reason.TOO_SHORT,
            f"{len(startups)} start-ups, {duration_text(longest.seconds)}",
        ),
        Need("a confirmed zone that it stands in", zone is not None, Reason.NO_POLICY),
    )
    return subject.judged(
        needs,
        "It started up without DHCP."
        if startups
        else "It used no DHCP for as long as a lease runs.",
        startups,
        said_by([zone] if zone else []),
    )


def _startups(scene: Scene, minimums: Minimums, macs: list[str]) -> list[Evidence]:
    """Announcements or associations after a silence: a start-up or rejoin that DHCP would belong to.

    A bare ARP request is none: an idle device whose ARP cache ran out sends one too.
    """
    rows = scene.tables.ask(
        """WITH mine AS (
            SELECT segment, first_ts, lag(last_ts) OVER (PARTITION BY mac ORDER BY first_ts) AS before
            FROM presence WHERE mac IN (SELECT unnest(?::VARCHAR[]))),
        listening AS (SELECT segment, min(first_ts) AS since FROM segments GROUP BY segment),
        fresh AS (
            SELECT segment, first_ts FROM mine JOIN listening USING (segment)
            WHERE first_ts - greatest(coalesce(before, since), since) >= ?),
        words AS (
            SELECT capture, packet, ts, segment FROM arp
            WHERE sender_mac IN (SELECT unnest(?::VARCHAR[])) AND target_ip <> ''
                AND (sender_ip = target_ip OR sender_ip IN ('', '0.0.0.0')))
        SELECT DISTINCT w.capture, w.packet FROM fresh f JOIN words w ON w.segment = f.segment
            AND w.ts BETWEEN f.first_ts AND f.first_ts + ?
        UNION
        SELECT capture, first_packet FROM wifi
        WHERE subtype IN (0, 2) AND transmitter IN (SELECT unnest(?::VARCHAR[]))
        ORDER BY 1, 2 LIMIT 20""",
        [
            macs,
            int(minimums.startup_silence_s * NS),
            macs,
            int(minimums.startup_window_s * NS),
            macs,
        ],
    )
    return [Evidence(row.capture, row.packet) for row in rows]
