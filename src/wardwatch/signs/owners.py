"""Owners: which device an address belongs to, as a relation that questions can join."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wardwatch.inventory.scene import Scene
    from wardwatch.model.device import Device

OWNERS = "owners AS (SELECT unnest(?::VARCHAR[]) AS address, unnest(?::VARCHAR[]) AS device)"
"""SQL for a WITH clause; takes the two lists of :func:`owners`."""


def owners(devices: Iterable[Device]) -> list[list[str]]:
    """Every MAC and IP address of some devices beside its device; an address has one owner."""
    found: dict[str, str] = {}
    for device in devices:
        for address in (*device.macs, *device.ips):
            found.setdefault(address, device.id)
    return [list(found), list(found.values())]


def homes(scene: Scene, devices: Iterable[Device]) -> dict[str, list[str]]:
    """Segments in which a device's own MAC transmits: its side of every router, the busiest first.

    The same packets seen behind a router bear the router's MAC and do not count.
    """
    rows = scene.tables.ask(
        f"""WITH {OWNERS}
        SELECT device, segment, sum(packets) AS n FROM presence JOIN owners ON mac = address
        GROUP BY ALL ORDER BY device, n DESC, segment""",
        owners(devices),
    )
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row.device, []).append(row.segment)
    return found
