"""Who: devices by their addresses, asked often, so indexed once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wardwatch.model.device import Confidence

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wardwatch.inventory.scene import Scene
    from wardwatch.model.device import Device


class Who:
    """The devices of a scene by MAC and by IP address."""

    def __init__(self, scene: Scene) -> None:
        """Index every device; where an address was reused the first device keeps it."""
        self._macs: dict[str, Device] = {}
        self._ips: dict[str, Device] = {}
        for device in scene.devices:
            for mac in device.macs:
                self._macs.setdefault(mac, device)
            for ip in device.ips:
                self._ips.setdefault(ip, device)
        self.pump_macs, self.pump_ips = addresses(scene.pumps)
        self.known_macs, self.known_ips = addresses(d for d in scene.devices if is_known(d))

    @classmethod
    def of(cls, scene: Scene) -> Who:
        """The devices of a scene, indexed once."""
        return scene.once("who", lambda: cls(scene))

    def device(self, mac: str = "", ip: str = "") -> Device | None:
        """The device behind a MAC or, failing that, an IP address."""
        return self._macs.get(mac) or self._ips.get(ip)

    def named(self, address: str) -> str:
        """A known device's id, or the address as it stands."""
        device = self._macs.get(address) or self._ips.get(address)
        return device.id if device is not None and is_known(device) else address


def is_known(device: Device) -> bool:
    """Whether anything says what the device is; a bare address is no known device."""
    return device.listed is not None or device.confidence > Confidence.UNKNOWN


def addresses(devices: Iterable[Device]) -> tuple[list[str], list[str]]:
    """All MACs and all IP addresses of some devices."""
    macs: dict[str, None] = {}
    ips: dict[str, None] = {}
    for device in devices:
        macs.update(dict.fromkeys(device.macs))
        ips.update(dict.fromkeys(device.ips))
    return list(macs), list(ips)


def actor_text(mac: str, ip: str) -> str:
    """``<mac> <ip>``, or whichever of them is known."""
    return f"{mac} {ip}".strip()


def own_ips(scene: Scene, macs: Iterable[str]) -> dict[str, str]:
    """By MAC the address it uses that no other MAC claims, IPv4 first, where one is known.

    A station that forges others' addresses has one of its own.
    """
    asked = sorted(set(macs))
    if not asked:
        return {}
    rows = scene.tables.ask(
        """SELECT mac, arg_min(ip, (contains(ip, ':'), source <> 'arp', first_ts)) AS ip
        FROM bindings b WHERE mac IN (SELECT unnest(?::VARCHAR[])) AND NOT EXISTS (
            SELECT 1 FROM bindings o WHERE o.ip = b.ip AND o.segment = b.segment AND o.mac <> b.mac)
        GROUP BY mac""",
        [asked],
        of=("bindings",),
    )
    return {row.mac: row.ip for row in rows}
