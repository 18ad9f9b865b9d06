"""Static address: the pump keeps an address without asking DHCP for it.

Misses to know: unicast renewals that never reach this place; a reservation looks like any lease
(it is not static); a second interface of the pump in another network.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from wardwatch.model.judgement import Reason
from wardwatch.model.values import NS, Span, duration_text
from wardwatch.signs.cited import FIRST, cited, values
from wardwatch.signs.dhcp import told
from wardwatch.signs.owners import about, homes
from wardwatch.signs.policy import said_by, zone_of
from wardwatch.signs.vantage import merged, vantages
from wardwatch.verify.answer import Need, Subject, loss_need, standing_need, unseen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from wardwatch.inventory.scene import Scene
    from wardwatch.model.device import Device
    from wardwatch.model.judgement import Verdict
    from wardwatch.verify.minimums import Minimums

MEASURE = "static_address"
RULE = (
    "Broken by a DISCOVER or REQUEST with its chaddr, or 169.254/16 in use. INFORM is static"
    " (RFC 2131 §3.4). To hold:"
)


def check(scene: Scene, minimums: Minimums) -> Iterator[Verdict]:
    """One verdict for each medical device."""
    devices = [device for device in scene.medical if device.seen]
    heard = vantages(scene, minimums.bridge_s)
    standing = homes(scene, devices)
    messages = told(scene)
    longest_s = max((float(place.t1_s) for place in messages), default=0.0)
    needed_s = longest_s if longest_s > 0 else minimums.lease_span_s
    # By chaddr, not by the frame's MAC: a bridge puts its own MAC on its clients' messages.
    asked: dict[str, dict[str, list[object]]] = {}
    for row in about(
        scene,
        devices,
        f"""
        SELECT device, msg_type, {FIRST} AS packets FROM dhcp JOIN owners ON chaddr = address
        WHERE op = 1 AND msg_type IN ('DISCOVER', 'REQUEST', '')
        GROUP BY device, msg_type ORDER BY device, msg_type""",
        of=("dhcp",),
    ):
        asked.setdefault(row.device, {})[row.msg_type] = row.packets
    fallback = _fallback(scene, devices)
    nameless = {place.segment for place in messages if place.nameless}
    startups = _startups(scene, minimums, devices)
    spells = _spells(scene, minimums, devices)
    for device in scene.medical:
        if not device.seen:
            yield unseen(MEASURE, device, RULE)
            continue
        spans = spells.get(device.id) or (Span(device.first_ts, device.last_ts),)
        longest = max(spans, key=lambda span: span.last - span.first)
        places = standing.get(device.id) or list(device.segments)
        subject = Subject(
            MEASURE,
            device.id,
            "device",
            RULE,
            places[0] if places else "",
            Span(spans[0].first, spans[-1].last),
        )
        words = asked.get(device.id, {})
        kinds = [kind for kind in words if kind]
        if kinds:
            yield subject.broken(
                f"It asked for an address by DHCP ({' and '.join(kinds)}).",
                cited(sorted(chain(*(words[kind] for kind in kinds)), key=values)[:20]),
                "A static address set on the device, then a start-up without DHCP.",
            )
            continue
        if device.id in fallback:
            row = fallback[device.id]
            yield subject.broken(
                f"It used {row.ip}, an address a machine gives itself when DHCP fails (RFC 3927).",
                cited(row.packets),
            )
            continue
        zone = next(filter(None, (zone_of(scene.site, s, device.ips) for s in places)), None)
        started = startups.get(device.id, ())
        needs = (
            standing_need(device.id in standing),
            loss_need(heard.get(places[0]) if places else None, minimums.lost_share),
            Need(
                "client broadcasts of its segment reach this place",
                any(heard[s].broadcasts > 0 for s in places if s in heard),
                Reason.VANTAGE,
            ),
            Need(
                "every DHCP message of its chaddr can be read",
                "" not in words and nameless.isdisjoint(places),
                Reason.DAMAGED,
            ),
            Need(
                f"a start-up or rejoin seen, or {duration_text(needed_s)} unbroken",
                bool(started) or longest.seconds >= needed_s,
                Reason.TOO_SHORT,
                f"{len(started)} start-ups, {duration_text(longest.seconds)}",
            ),
            Need("a confirmed zone that it stands in", zone is not None, Reason.NO_POLICY),
        )
        yield subject.judged(
            needs,
            "It started up without DHCP."
            if started
            else "It used no DHCP for as long as a lease runs.",
            started,
            said_by([zone] if zone else []),
        )


def _fallback(scene: Scene, devices: list[Device]) -> dict[str, Any]:
    """By device: the address that it gave itself, and the first packets with one."""
    # Mostly nobody used one.
    if not scene.tables.ask(
        "SELECT 1 FROM bindings WHERE starts_with(ip, '169.254.') LIMIT 1", of=("bindings",)
    ):
        return {}
    rows = about(
        scene,
        devices,
        """
        SELECT device, min(ip) AS ip, min((first_ts, capture, first_packet), 20) AS packets
        FROM bindings JOIN owners ON mac = address
        WHERE starts_with(ip, '169.254.') GROUP BY device""",
    )
    return {row.device: row for row in rows}


def _spells(scene: Scene, minimums: Minimums, devices: list[Device]) -> dict[str, tuple[Span, ...]]:
    """When each device spoke; a silence beyond the minimum breaks its span."""
    # What begins within one minimum is one span anyway. Half of it, for the division's slot around
    # nought is twice as long.
    slot = int(minimums.unbroken_gap_s * NS) // 2 + 1
    rows = about(
        scene,
        devices,
        f"""
        SELECT device, min(first_ts) AS first_ts, max(last_ts) AS last_ts
        FROM presence JOIN owners ON mac = address GROUP BY device, first_ts // {slot}""",
        of=("presence",),
    )
    found: dict[str, list[list[int]]] = {}
    for device, first_ts, last_ts in rows:
        found.setdefault(device, []).append([first_ts, last_ts])
    return {device: merged(pairs, minimums.unbroken_gap_s) for device, pairs in found.items()}


def _startups(scene: Scene, minimums: Minimums, devices: list[Device]) -> dict[str, tuple]:  # type: ignore[type-arg]
    """Announcements or associations after a silence: a start-up or rejoin that DHCP would belong to.

    A bare ARP request is none: an idle device whose ARP cache ran out sends one too.
    """
    announced = "target_ip <> '' AND (sender_ip = target_ip OR sender_ip IN ('', '0.0.0.0'))"
    # Mostly no device announces itself, and when they fell silent matters to nobody.
    if not scene.tables.rows("wifi") and not about(
        scene,
        devices,
        f" SELECT device FROM arp JOIN owners ON sender_mac = address WHERE {announced} LIMIT 1",
        of=("arp",),
    ):
        return {}
    rows = about(
        scene,
        devices,
        f""",
        spells AS (
            SELECT device, mac, segment, first_ts,
                max(last_ts) OVER (PARTITION BY device ORDER BY first_ts, last_ts
                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
            FROM presence JOIN owners ON mac = address),
        listening AS (SELECT segment, min(first_ts) AS since FROM segments GROUP BY segment),
        fresh AS (
            SELECT device, mac, segment, first_ts FROM spells JOIN listening USING (segment)
            WHERE first_ts - greatest(coalesce(before, since), since) >= ?),
        words AS (
            SELECT device, w.ts, w.capture, w.packet FROM arp w JOIN fresh f
                ON w.sender_mac = f.mac AND w.segment = f.segment
                AND w.ts BETWEEN f.first_ts AND f.first_ts + ?
            WHERE {announced}
            UNION ALL
            SELECT device, first_ts, capture, first_packet
            FROM wifi JOIN owners ON transmitter = address WHERE subtype IN (0, 2))
        SELECT device, {FIRST} AS packets FROM words GROUP BY device""",
        [int(minimums.startup_silence_s * NS), int(minimums.startup_window_s * NS)],
        of=("arp", "wifi"),
    )
    return {row.device: cited(row.packets) for row in rows}
