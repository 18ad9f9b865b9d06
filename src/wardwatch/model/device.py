"""Devices: what something on the network is, how sure we are, and why."""

from __future__ import annotations

from enum import IntEnum

import msgspec

from wardwatch.model.evidence import Evidence


class Confidence(IntEnum):
    """How sure an identity is. Reasons decide, never a sum of weak hints alone."""

    UNKNOWN = 0
    """Nothing says what it is."""
    POSSIBLE = 1
    """One weak hint: a port, a name, a maker's address prefix of a shared module."""
    PROBABLE = 2
    """One strong trait, or several weak ones that agree."""
    CERTAIN = 3
    """It says so itself in its protocol, or two independent strong traits agree."""
    LISTED = 4
    """The hospital's own list names it, and nothing on the wire disagrees."""


class Trait(msgspec.Struct, frozen=True, gc=False):
    """One reason for an identity: the rule that spoke, its weight, and its packets."""

    rule: str
    """Id of the rule (``inventory/rules/*.toml``)."""
    says: str
    """What it says, for a person."""
    weight: float
    """0 … 1 as the rule states."""
    source: str
    """Where the rule's knowledge comes from."""
    evidence: tuple[Evidence, ...] = ()
    """At most 5 packets."""


class Identity(msgspec.Struct, frozen=True, gc=False):
    """Manufacturer, model, module, version: each "" where unknown."""

    manufacturer: str = ""
    model: str = ""
    module: str = ""
    """Communications or radio module, where told apart from the device."""
    version: str = ""
    version_source: str = ""
    """``wire``, ``list`` or "" (unknown: not "affected")."""
    kind: str = ""
    """``infusion pump``, ``pump server``, ``patient monitor``, ``imaging``, ``workstation``, ``printer``,
    ``server``, ``network`` … or ""."""
    family: str = ""
    """Key of the advisory shelf: ``medfusion-4000``, ``alaris-pcu`` …; "" none."""


class Listed(msgspec.Struct, frozen=True):
    """One row of the hospital's own list."""

    row: int
    mac: str = ""
    serial: str = ""
    manufacturer: str = ""
    model: str = ""
    version: str = ""
    ward: str = ""
    ip: str = ""
    asset: str = ""
    component: str = ""
    """A component and its version as the list has it: "WBM 20D31"."""


class Device(msgspec.Struct, frozen=True, gc=False):
    """One physical thing: it may have several addresses."""

    id: str
    """``dev-`` and its first MAC without colons (``dev-001a01000041``), or ``list-`` and the row."""
    identity: Identity
    confidence: Confidence
    traits: tuple[Trait, ...] = ()
    macs: tuple[str, ...] = ()
    ips: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    """Host names it gave itself (text from outside)."""
    serial: str = ""
    first_ts: int = 0
    last_ts: int = 0
    packets: int = 0
    listed: Listed | None = None
    disagreements: tuple[str, ...] = ()
    """Where the list and the wire differ; neither is overwritten."""
    notes: tuple[str, ...] = ()
    """Address reuse, locally administered MAC, several addresses …"""

    @property
    def seen(self) -> bool:
        """Whether a packet of it was seen."""
        return self.packets > 0

    @property
    def is_medical(self) -> bool:
        """Whether it is a medical device, or may be one (confidence says how sure)."""
        return self.identity.kind in MEDICAL_KINDS

    @property
    def is_pump(self) -> bool:
        """Whether it is an infusion pump, or may be one (confidence says how sure)."""
        return self.identity.kind == "infusion pump"


LEFT_OUT = "dev-more"
"""Id of the row that stands for stations beyond the inventory's bound; its packets are their number."""

MEDICAL_KINDS = (
    "infusion pump",
    "patient monitor",
    "imaging",
    "ventilator",
    "dialysis",
    "laboratory",
    "medical device",
)
"""Kinds that measures judge segments for."""
