"""No unneeded services: FTP, telnet and port 2200 are closed on the device; 3210 is open by design.

Misses to know: ports that are open only while biomed has switched external communication on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wardwatch.model.judgement import Reason
from wardwatch.model.values import NS
from wardwatch.signs.cited import FIRST, cited
from wardwatch.signs.owners import about, homes, owners
from wardwatch.signs.policy import said_by, zone_of
from wardwatch.signs.vantage import vantages
from wardwatch.verify.answer import Need, Subject, unseen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wardwatch.inventory.scene import Scene
    from wardwatch.model.device import Device
    from wardwatch.model.judgement import Verdict
    from wardwatch.verify.minimums import Minimums

MEASURE = "unneeded_services"
PORTS = (20, 21, 23, 2200)
RULE = (
    "Broken by a SYN-ACK or banner on 20, 21, 23 or 2200. To hold, each of them answered by RST, or"
    " SYNs without an answer while the device speaks nearby:"
)


def check(scene: Scene, minimums: Minimums) -> Iterator[Verdict]:
    """One verdict for each medical device."""
    devices = [device for device in scene.medical if device.seen]
    heard = vantages(scene, minimums.bridge_s)
    standing = homes(scene, devices)
    tries = _tries(scene, devices)
    opened = {row.device: row for row in _opened(scene, devices, tries)}
    closed = _closed(scene, minimums, devices, tries) if tries else {}
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
        if device.id in opened:
            row = opened[device.id]
            ports = ", ".join(sorted(row.ports.split(", "), key=int))
            yield subject.broken(
                f"It answered on port {ports}.",
                cited(row.packets),
                "External communication switched off on the device, and the port tried again.",
            )
            continue
        zone = zone_of(scene.site, home, device.ips)
        tried = closed.get(device.id, {})
        needs = (
            *(
                Need(f"port {port} tried and closed", port in tried, Reason.NO_STIMULUS)
                for port in PORTS
            ),
            Need("a confirmed zone that it stands in", zone is not None, Reason.NO_POLICY),
        )
        yield subject.judged(
            needs,
            "FTP, telnet and port 2200 are closed.",
            [e for found in tried.values() for e in cited(found)],
            said_by([zone] if zone else []),
        )


def _tries(scene: Scene, devices: list[Device]) -> str:
    """Conversations with one of a device's ports as a table; "" where there are none, as mostly."""
    if not devices or not scene.tables.rows("conversations"):
        return ""
    name, rows = scene.tables.settle(
        f"""WITH {owners(scene, devices)}
        SELECT device, segment, resp_p AS port, resp_l2_addr, silent_l2_addr, history, orig_pkts,
            resp_pkts,
            first_ts, last_ts, capture, first_packet
        FROM conversations JOIN owners ON resp_h = address
        WHERE proto = 'tcp' AND resp_p IN {PORTS}"""
    )
    return name if rows else ""


def _opened(scene: Scene, devices: list[Device], tries: str) -> list[Any]:
    """By device: the ports on which it answered.

    On its own side the SYN-ACK bears its MAC; behind a router a SYN proxy may have sent it, and
    only a banner counts.
    """
    answered = f"""
        SELECT t.device, port, first_ts AS ts, capture, first_packet AS packet FROM {tries} t
        JOIN owners m ON m.address = resp_l2_addr AND m.device = t.device
        WHERE contains(history, 'h')
        UNION ALL"""
    return about(
        scene,
        devices,
        f""",
        found AS ({answered if tries else ""}
            SELECT coalesce(m.device, i.device) AS device, server_port AS port, ts, capture, packet
            FROM banners
            LEFT JOIN owners m ON m.address = server_mac LEFT JOIN owners i ON i.address = server
            WHERE server_port IN {PORTS})
        SELECT device, string_agg(DISTINCT port::VARCHAR, ', ') AS ports, {FIRST} AS packets
        FROM found WHERE device IS NOT NULL GROUP BY device""",
        of=("conversations", "banners") if tries else ("banners",),
    )


def _closed(
    scene: Scene, minimums: Minimums, devices: list[Device], tries: str
) -> dict[str, dict[int, list[object]]]:
    """By device and port: refusals, or enough SYNs that nobody answered while it was alive there."""
    near = int(minimums.alive_s * NS)
    rows = about(
        scene,
        devices,
        f""",
        refused AS (
            SELECT t.device, port, first_ts AS ts, capture, first_packet AS packet
            FROM {tries} t JOIN owners m ON m.address = resp_l2_addr AND m.device = t.device
            WHERE contains(history, 'r') AND NOT contains(history, 'h')),
        silent AS (
            SELECT device, port, first_ts AS ts, capture, first_packet AS packet, orig_pkts
            FROM {tries} t
            WHERE resp_pkts = 0 AND contains(history, 'S')
                -- what bears a router's MAC may have been stopped there: a mirror without tags shows
                -- both sides of it as one segment
                AND (silent_l2_addr = '' OR (silent_l2_addr, device) IN (
                    SELECT (address, device) FROM owners))
                AND EXISTS (
                SELECT 1 FROM presence p JOIN owners o ON p.mac = o.address
                WHERE o.device = t.device AND p.segment = t.segment
                    AND p.first_ts <= t.last_ts + {near} AND p.last_ts >= t.first_ts - {near})),
        enough AS (
            SELECT device, port FROM silent GROUP BY device, port
            HAVING sum(orig_pkts) >= {minimums.unanswered_syns:d})
        SELECT device, port, {FIRST} AS packets FROM (
            SELECT * FROM refused
            UNION ALL
            SELECT device, port, ts, capture, packet FROM silent
            WHERE (device, port) IN (SELECT (device, port) FROM enough))
        GROUP BY device, port""",
    )
    found: dict[str, dict[int, list[object]]] = {}
    for row in rows:
        found.setdefault(row.device, {})[row.port] = row.packets
    return found
