"""Password hygiene: no accepted secret crosses in clear, is a known default, or is shared.

Never "holds": strength and reuse cannot be seen in packets, a named role can attest them. Failed
and anonymous logins do not break it. Misses to know: LDAP, web forms, what the device itself logs
in to as a client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wardwatch.model.judgement import Reason
from wardwatch.model.values import Span
from wardwatch.signs.cited import FIRST, cited
from wardwatch.signs.owners import about, homes
from wardwatch.verify.answer import Subject, unseen
from wardwatch.verify.attested import standing_statement

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from wardwatch.inventory.scene import Scene
    from wardwatch.model.evidence import Evidence
    from wardwatch.model.judgement import Verdict
    from wardwatch.verify.minimums import Minimums

MEASURE = "password_hygiene"
RULE = (
    "Broken by a clear-text, known-default or shared secret that the device accepted; failed and"
    " anonymous logins do not count. It never holds from packets."
)


def check(scene: Scene, minimums: Minimums) -> Iterator[Verdict]:
    """One verdict for each medical device."""
    devices = [device for device in scene.medical if device.seen]
    standing = homes(scene, devices)
    accepted = accepted_secrets(scene)
    tried = _tried(scene)
    encrypted = {
        row.device
        for row in about(
            scene,
            devices,
            """
            SELECT DISTINCT device FROM tls JOIN owners ON server = address
            UNION SELECT DISTINCT device FROM banners JOIN owners ON server = address
            WHERE protocol = 'ssh'""",
            of=("tls", "banners"),
        )
    }
    for device in scene.medical:
        if not device.seen:
            yield unseen(MEASURE, device, RULE)
            continue
        places = standing.get(device.id) or list(device.segments)
        subject = Subject(
            MEASURE,
            device.id,
            "device",
            RULE,
            places[0] if places else "",
            Span(device.first_ts, device.last_ts),
        )
        mine = accepted.get(device.id)
        if mine:
            said = [f"It accepted a secret in clear ({mine.protocols})"]
            if mine.defaults:
                said.append(f"a published default ({mine.defaults})")
            if mine.elsewhere:
                said.append(
                    f"the same secret as packet {_packet(mine.elsewhere)} at another device"
                )
            yield subject.broken(
                ", ".join(said) + ".",
                cited(mine.packets),
                "The service closed or encrypted, and every secret that crossed in clear changed.",
            )
            continue
        line = standing_statement(scene, MEASURE, places, device.ips)
        if line is not None:
            yield subject.attested(
                f"Attested: {line.statement}", f"{line.confirmed_by}, {line.confirmed_on}"
            )
        elif device.id in tried:
            yield subject.not_observable(
                Reason.NEVER_FROM_PACKETS,
                f"{tried[device.id]} logins were seen, none of which it accepted with a secret.",
            )
        elif device.id in encrypted:
            yield subject.not_observable(
                Reason.ENCRYPTED, "Sessions to it were seen, and they are encrypted."
            )
        else:
            yield subject.not_observable(Reason.NO_STIMULUS, "Nobody logged in to it.")


def accepted_secrets(scene: Scene) -> dict[str, Any]:
    """By device: the secrets it accepted in clear, and whether another device took the same."""
    return scene.once("accepted secrets", lambda: _accepted(scene))


def _tried(scene: Scene) -> dict[str, int]:
    """By device: how many logins to it were seen."""

    def ask() -> dict[str, int]:
        rows = about(
            scene,
            [device for device in scene.medical if device.seen],
            """
            SELECT coalesce(m.device, i.device) AS device, count(*) AS n FROM logins
            LEFT JOIN owners m ON m.address = server_mac LEFT JOIN owners i ON i.address = server
            WHERE coalesce(m.device, i.device) IS NOT NULL GROUP BY ALL""",
            of=("logins",),
        )
        return {row.device: row.n for row in rows}

    return scene.once("logins tried", ask)


def _accepted(scene: Scene) -> dict[str, Any]:
    if not _tried(scene) and not scene.tables.rows("snmp"):
        return {}
    devices = [device for device in scene.medical if device.seen]
    rows = about(
        scene,
        devices,
        f""",
        taken AS (
            SELECT coalesce(m.device, i.device) AS device, coalesce(m.device, i.device, server) AS at,
                protocol, secret, known_default, ts, capture, secret_packet AS packet
            FROM logins
            LEFT JOIN owners m ON m.address = server_mac LEFT JOIN owners i ON i.address = server
            WHERE outcome = 'success' AND NOT anonymous AND secret <> ''
            UNION ALL
            -- an agent that answers has accepted the community; 0xa2 is its response (RFC 3416)
            SELECT device, coalesce(device, src), 'snmp', secret, known_default, first_ts, capture,
                first_packet
            FROM snmp LEFT JOIN owners ON src = address
            WHERE pdu = 162 AND version IN (0, 1) AND secret <> ''),
        -- where a secret was taken first, and where else first: thousands may share one
        two AS (
            SELECT t.secret, t.at, min((t.ts, t.capture, t.packet)) AS first
            FROM taken t GROUP BY t.secret, t.at
            QUALIFY row_number() OVER (PARTITION BY t.secret ORDER BY first, t.at) <= 2),
        shared AS (
            SELECT a.device, min(b.first) AS first
            FROM (SELECT DISTINCT t.device, t.at, t.secret FROM taken t
                WHERE t.device IS NOT NULL) a
            JOIN two b ON a.secret = b.secret AND a.at <> b.at
            GROUP BY a.device)
        SELECT device, string_agg(DISTINCT protocol, ', ' ORDER BY protocol) AS protocols,
            coalesce(string_agg(DISTINCT known_default, ', ') FILTER (known_default <> ''), '')
                AS defaults,
            {FIRST} AS packets, any_value(s.first) AS elsewhere
        FROM taken t LEFT JOIN shared s USING (device)
        WHERE device IS NOT NULL GROUP BY device""",
        of=("logins", "snmp"),
    )
    return {row.device: row for row in rows}


def contradicts_rotation(scene: Scene) -> tuple[Evidence, ...]:
    """Packets with a default or shared secret: they contradict "strong, not reused, and changed"."""
    return tuple(
        packet
        for row in accepted_secrets(scene).values()
        if row.defaults or row.elsewhere
        for packet in cited(row.packets)
    )


def _packet(first: object) -> str:
    """The packet of a (ts, capture, packet) value."""
    found = cited([first])[0]
    return f"{found.packet} of capture {found.capture}"
