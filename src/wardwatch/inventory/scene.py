"""Scene: everything a check or a technique may look at, in one frozen value."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, TypeVar, cast

import msgspec

from wardwatch.model.device import Device
from wardwatch.model.site import Site
from wardwatch.observe.tables import Tables

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")


class Scene(msgspec.Struct, frozen=True, dict=True):
    """The evidence, the devices found in it, and what the hospital states."""

    tables: Tables
    devices: tuple[Device, ...]
    site: Site
    now: int
    """ns UTC: the end of the evidence; attestations expire against it, never against our clock."""

    def device_by_mac(self, mac: str) -> Device | None:
        """The device that owns a MAC."""
        return next((d for d in self.devices if mac in d.macs), None)

    def device_by_ip(self, ip: str) -> Device | None:
        """The device that used an address (the first, where it was reused)."""
        return next((d for d in self.devices if ip in d.ips), None)

    @cached_property
    def pumps(self) -> tuple[Device, ...]:
        """Infusion pumps, seen or listed."""
        return tuple(d for d in self.devices if d.is_pump)

    @cached_property
    def medical(self) -> tuple[Device, ...]:
        """Medical devices, seen or listed."""
        return tuple(d for d in self.devices if d.is_medical)

    def once(self, key: Hashable, answer: Callable[[], T]) -> T:
        """What ``answer`` says, asked the first time only: checks and techniques share questions."""
        if key not in self._told:
            self._told[key] = answer()
        return cast("T", self._told[key])

    @cached_property
    def _told(self) -> dict[Hashable, object]:
        return {}
