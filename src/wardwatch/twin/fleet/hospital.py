"""Hospital: the figures a fleet is made from, and its pumps as columns."""

from __future__ import annotations

import tomllib
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from wardwatch.errors import UsageError
from wardwatch.model.values import mac_text
from wardwatch.twin.ward import Profile, profiles

PUMPS_MAX = 20_000
DAYS_MAX = 31
FIRST_VLAN = 120
VLAN_PUMPS = 2_000
"""Pumps of one VLAN at most: half of a /20, so that everyone keeps an address when moved [A]."""
HOST = 16
"""First host number of a pump; the router is 1."""


class Figure(msgspec.Struct, frozen=True, rename={"value": "is"}):
    """One number with where it is from."""

    value: float
    mark: str
    """P published, D derived from it; K and A are declared, not verified."""
    source: str


class Class(msgspec.Struct, frozen=True):
    """Pumps of one make and version."""

    name: str
    profile: str
    version: str
    prefixes: tuple[str, ...]
    share: float
    """Of the fleet."""
    connects: Literal["once", "each"] = "once"
    """One connection for all reports, or one for each."""

    @property
    def told(self) -> Profile:
        """The profile that says how it speaks."""
        return profiles()[self.profile]


class Day(msgspec.Struct, frozen=True):
    """How a day goes."""

    hours: tuple[float, ...]


class Hospital(msgspec.Struct, frozen=True):
    """The profile file."""

    figure: dict[str, Figure]
    mix: dict[str, dict[str, Figure]]
    """Causes of alarms and their shares, by variant; the first of each ends an infusion."""
    day: Day
    classes: tuple[Class, ...] = msgspec.field(name="class")

    def __getitem__(self, name: str) -> float:
        """The value of a figure."""
        return self.figure[name].value


@cache
def hospital() -> Hospital:
    """The hospital that is shipped."""
    path = Path(__file__).parent / "hospital.toml"
    return msgspec.convert(tomllib.loads(path.read_text("utf-8")), Hospital)


class FleetPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a fleet is asked to be; the same plan gives the same events and bytes."""

    pumps: int = 500
    seed: int = 1
    hours: float = 1.0
    start: str = "2026-11-16T06:00:00+00:00"
    variant: Literal["hospital", "nicu"] = "hospital"
    report_s: float = 0.0
    """Seconds between reports, 5 to 86,400; 0 the hospital's figure."""
    dhcp_share: float = -1.0
    """Pumps that ask for an address, 0 to 1; below 0 the hospital's figure."""
    cut_at_h: float = -1.0
    """When the power fails; below 0 never."""
    cut_pumps: int = 500
    library_at_h: float = -72.0
    """When a second version of the drug library begins to be published."""

    def __post_init__(self) -> None:
        """Raise :class:`UsageError` for what cannot be played."""
        asked: tuple[tuple[str, bool, str], ...] = (
            ("pumps", 1 <= self.pumps <= PUMPS_MAX, f"1 to {PUMPS_MAX:,}"),
            ("seed", 0 <= self.seed < 1 << 31, "0 to 2,147,483,647"),
            ("hours", 0 < self.hours <= DAYS_MAX * 24, f"above 0, to {DAYS_MAX * 24}"),
            ("report_s", not self.report_s or 5 <= self.report_s <= 86400, "5 to 86,400 (or 0)"),
            ("dhcp_share", self.dhcp_share <= 1, "0 to 1"),
            ("cut_pumps", self.cut_pumps >= 1, "1 or more"),
            ("cut_at_h", self.cut_at_h < self.hours, "before the end"),
            ("library_at_h", abs(self.library_at_h) <= 2 * DAYS_MAX * 24, "within two months"),
        )
        for name, fine, allowed in asked:
            if not fine:
                raise UsageError(f"{name} {getattr(self, name):g} of a fleet: it is {allowed}")
        try:
            told = datetime.fromisoformat(self.start)
        except ValueError as error:
            raise UsageError(
                f"start {self.start!r} of a fleet: it is an instant in ISO 8601"
            ) from error
        if told.tzinfo is None or not 1971 <= told.year <= 2100:
            raise UsageError(
                f"start {self.start!r} of a fleet: it has an offset from UTC, as in +00:00"
            )

    @property
    def interval_s(self) -> float:
        """Seconds between reports."""
        return self.report_s or hospital()["report_s"]

    def draws(self, label: str) -> np.random.Generator:
        """Random numbers of one process: another process shifts none of them."""
        return np.random.default_rng([self.seed, *label.encode()])


class Fleet(msgspec.Struct, frozen=True):
    """The pumps as columns, one row a pump."""

    plan: FleetPlan
    kind: NDArray[np.int64]
    """Index of its class."""
    mac: NDArray[np.uint8]
    """(pumps, 6)."""
    ip: NDArray[np.uint8]
    """(pumps, 4)."""
    vlan: NDArray[np.int64]
    area: NDArray[np.int64]
    """Care area at the start."""
    dhcp: NDArray[np.bool_]
    patient: NDArray[np.int64]
    """Whose pump it is, in the variant that counts patients."""

    @property
    def pumps(self) -> int:
        """How many."""
        return len(self.kind)

    @property
    def vlans(self) -> range:
        """VIDs of the pumps."""
        return range(FIRST_VLAN, int(self.vlan.max()) + 1)

    def device(self, pump: int) -> str:
        """Its id in labels and audits."""
        return f"dev-{self.mac[pump].tobytes().hex()}"

    def mac_text(self, pump: int) -> str:
        """Its MAC as text."""
        return mac_text(self.mac[pump].tobytes())

    def address(self, pump: int) -> str:
        """Its IPv4 address as text."""
        return ".".join(map(str, self.ip[pump]))


def fleet(plan: FleetPlan) -> Fleet:
    """The pumps of a plan: classes by share, exactly; the rest by lot."""
    home, n = hospital(), plan.pumps
    draws = plan.draws("pumps")
    kind = np.repeat(np.arange(len(home.classes)), shares([c.share for c in home.classes], n))
    draws.shuffle(kind)
    order = np.arange(n)
    number = (order * 7919 + int(draws.integers(1 << 20))) % (1 << 20)  # odd factor: all differ
    mac = np.zeros((n, 6), np.uint8)
    for index, one in enumerate(home.classes):
        own = np.flatnonzero(kind == index)
        for turn, prefix in enumerate(one.prefixes):
            some = own[turn :: len(one.prefixes)]
            digits = prefix.replace(":", "")
            head = int(digits, 16) << 4 * (12 - len(digits))
            whole = head + number[some]
            for octet in range(6):
                mac[some, octet] = whole >> 8 * (5 - octet) & 0xFF
    vlan = order // VLAN_PUMPS
    host = order % VLAN_PUMPS + HOST
    ip = np.stack([np.full(n, 10), FIRST_VLAN + vlan, host >> 8, host & 0xFF], axis=1)
    share = home["dhcp_share"] if plan.dhcp_share < 0 else plan.dhcp_share
    dhcp = np.repeat(np.array([True, False]), shares([share, 1 - share], n))
    draws.shuffle(dhcp)
    return Fleet(
        plan=plan, kind=kind, mac=mac, ip=ip.astype(np.uint8), vlan=FIRST_VLAN + vlan,
        area=draws.integers(int(home["care_areas"]), size=n), dhcp=dhcp,
        patient=order // int(home["nicu_pumps_patient"]),
    )  # fmt: skip


def shares(parts: list[float], whole: int) -> NDArray[np.int64]:
    """``whole`` divided by shares, by the largest remainder."""
    exact = np.array(parts) / sum(parts) * whole
    counts = np.floor(exact).astype(np.int64)
    rest = whole - int(counts.sum())
    counts[np.argsort(counts - exact, kind="stable")[:rest]] += 1
    return counts
