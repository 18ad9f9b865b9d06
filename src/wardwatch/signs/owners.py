"""Owners: which device an address belongs to, as a relation that questions can join."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wardwatch.inventory.stations import stations_heard

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wardwatch.inventory.scene import Scene
    from wardwatch.model.device import Device


def about(
    scene: Scene,
    devices: Sequence[Device],
    question: str,
    parameters: Sequence[Any] = (),
    *,
    of: Sequence[str] = (),
) -> list[Any]:
    """Rows of a question about some devices: no device, no rows.

    ``question`` goes on behind ``WITH owners AS (…)``, whose columns are ``address`` and
    ``device``; ``of`` is as in :meth:`wardwatch.observe.tables.Tables.ask`.
    """
    if not devices or (of and not any(scene.tables.rows(table) for table in of)):
        return []
    return scene.tables.ask(f"WITH {owners(scene, devices)}{question}", parameters)


def owners(scene: Scene, devices: Sequence[Device]) -> str:
    """SQL for a WITH clause: ``owners``, the addresses of some devices, laid beside the tables."""

    def lay() -> str:
        addresses = owned(devices)
        return scene.tables.lay(address=list(addresses), device=list(addresses.values()))

    name = scene.once(("owners", *(device.id for device in devices)), lay)
    return f"owners AS (FROM {name})"


def owned(devices: Iterable[Device]) -> dict[str, str]:
    """Every MAC and IP address of some devices and its device; an address has one owner."""
    found: dict[str, str] = {}
    for device in devices:
        for address in (*device.macs, *device.ips):
            found.setdefault(address, device.id)
    return found


def homes(scene: Scene, devices: Sequence[Device]) -> dict[str, list[str]]:
    """Segments in which a device's own MAC transmits: its side of every router, the busiest first.

    The same packets seen behind a router bear the router's MAC and do not count.
    """

    def ask() -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for row in about(
            scene,
            devices,
            f"""
            SELECT device, segment, sum(packets) AS n FROM {stations_heard(scene.tables)} JOIN owners ON mac = address
            GROUP BY ALL ORDER BY device, n DESC, segment""",
            of=("presence",),
        ):
            found.setdefault(row.device, []).append(row.segment)
        return found

    return scene.once(("homes", *(device.id for device in devices)), ask)
