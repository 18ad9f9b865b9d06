"""Owners: which device an address belongs to, as a relation that questions can join."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from wardwatch.inventory.stations import is_crowded, stations_heard

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

    def count() -> dict[str, list[str]]:
        owner = owned(devices)
        if not owner:
            return {}
        packets: dict[str, Counter[str]] = {}
        for segment, stations in spoke(scene).items():
            for station in stations:
                if station[1] in owner:
                    packets.setdefault(owner[station[1]], Counter())[segment] += station[2]
        return {
            device: sorted(counts, key=lambda segment: (-counts[segment], segment))
            for device, counts in packets.items()
        }

    return scene.once(("homes", *(device.id for device in devices)), count)


def standing_segments(scene: Scene) -> set[str]:
    """Segments in which a medical device's own MAC transmits.

    Where none is seen, those in which more than one station does: a tap of one direction of a
    router's cable hears the router alone.
    """
    devices = [device for device in scene.medical if device.seen]
    if not devices:
        return {segment for segment, stations in spoke(scene).items() if len(stations) > 1}
    return {segment for places in homes(scene, devices).values() for segment in places}


def spoke(scene: Scene) -> dict[str, list[tuple[str, str, int, bool, int, int]]]:
    """Stations by segment: segment, MAC, packets, whether unicast to it was heard, its first packet.

    The first packet is a stamp and a number as :func:`wardwatch.inventory.stations.evidence` reads
    it. Of a flood those that are devices or were sent something.
    """

    def ask() -> dict[str, list[tuple[str, str, int, bool, int, int]]]:
        question = f"""
            SELECT segment, mac, packets, received > 0, struct_extract(first, 1),
                struct_extract(first, 2)
            FROM {stations_heard(scene.tables)}"""
        if is_crowded(scene.tables):
            some = "received > 0 OR mac IN (SELECT address FROM owners)"
            rows = about(scene, scene.devices, f"{question} WHERE {some}")
        else:
            rows = scene.tables.ask(question, of=("presence",))
        found: dict[str, list[tuple[str, str, int, bool, int, int]]] = {}
        for station in rows:
            found.setdefault(station[0], []).append(station)
        return found

    return scene.once("stations heard", ask)
