"""Who: devices by their addresses, asked often, so indexed once, and not before."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from wardwatch.model.device import Confidence

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wardwatch.inventory.scene import Scene
    from wardwatch.model.device import Device


class Who:
    """The devices of a scene by MAC and by IP address."""

    def __init__(self, scene: Scene) -> None:
        """Of every device; where an address was reused the first device keeps it."""
        self._devices, self._pumps = scene.devices, scene.pumps

    @classmethod
    def of(cls, scene: Scene) -> Who:
        """The devices of a scene, indexed once."""
        return scene.once("who", lambda: cls(scene))

    @property
    def pump_macs(self) -> list[str]:
        """The MACs of infusion pumps."""
        return self._of_pumps[0]

    @property
    def pump_ips(self) -> list[str]:
        """The IP addresses of infusion pumps."""
        return self._of_pumps[1]

    @property
    def known_macs(self) -> list[str]:
        """The MACs of devices that something is known of."""
        return self._of_known[0]

    @property
    def known_ips(self) -> list[str]:
        """The IP addresses of devices that something is known of."""
        return self._of_known[1]

    def device(self, mac: str = "", ip: str = "") -> Device | None:
        """The device behind a MAC or, failing that, an IP address."""
        return self._macs.get(mac) or self._ips.get(ip)

    def named(self, address: str) -> str:
        """A known device's id, or the address as it stands."""
        device = self._macs.get(address) or self._ips.get(address)
        return device.id if device is not None and is_known(device) else address

    # Where nothing is found, as mostly, nobody is looked for.
    @cached_property
    def _of_pumps(self) -> tuple[list[str], list[str]]:
        return addresses(self._pumps)

    @cached_property
    def _of_known(self) -> tuple[list[str], list[str]]:
        return addresses(d for d in self._devices if is_known(d))

    @cached_property
    def _macs(self) -> dict[str, Device]:
        return {mac: device for device in reversed(self._devices) for mac in device.macs}

    @cached_property
    def _ips(self) -> dict[str, Device]:
        return {ip: device for device in reversed(self._devices) for ip in device.ips}


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
        FROM bindings WHERE mac IN (SELECT unnest(?::VARCHAR[])) AND (segment, ip) NOT IN (
            SELECT (segment, ip) FROM bindings GROUP BY segment, ip HAVING min(mac) <> max(mac))
        GROUP BY mac""",
        [asked],
        of=("bindings",),
    )
    return {row.mac: row.ip for row in rows}
