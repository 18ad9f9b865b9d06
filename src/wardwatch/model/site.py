"""Site: what the hospital states of its own network, line by line confirmed by a person.

A line without ``confirmed_by`` and ``confirmed_on`` is a proposal: shown, and inert.
"""

from __future__ import annotations

import msgspec


class Confirmed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every line of a site file carries."""

    confirmed_by: str = ""
    """Who says so (a role or a name); "" not confirmed, so the line is inert."""
    confirmed_on: str = ""
    """ISO 8601 date of it."""
    note: str = ""
    """Free words; ``wardwatch learn`` puts its evidence here."""

    @property
    def confirmed(self) -> bool:
        """Whether a person stands behind the line, with a date."""
        return bool(self.confirmed_by.strip() and self.confirmed_on.strip())


class Zone(Confirmed, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the network: which segments and subnets, and which kinds belong in it."""

    name: str
    vlans: tuple[int, ...] = ()
    segments: tuple[str, ...] = ()
    """Segment names as the evidence gives them (``untagged``, ``vlan 120``)."""
    subnets: tuple[str, ...] = ()
    """CIDR."""
    permitted_kinds: tuple[str, ...] = ()
    """Kinds of device that may live in it; infrastructure (gateway, switch) always may."""
    pumps: bool = False
    """Whether it is a zone for pumps."""


class TrustedServer(Confirmed, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A DHCP, DNS, router, relay or pump server that the hospital runs."""

    role: str
    """``dhcp``, ``dns``, ``router``, ``relay``, ``pump_server``, ``dhcpv6``, ``ntp``."""
    ip: str = ""
    """Its address (for DHCP: its server identifier)."""
    macs: tuple[str, ...] = ()
    """Its MACs where they can be named; () any."""
    segments: tuple[str, ...] = ()
    """Where it serves; () everywhere."""


class PermittedPeer(Confirmed, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom devices of a zone may speak with."""

    zone: str
    peer: str
    """Address or CIDR."""
    ports: tuple[int, ...] = ()
    """() any."""
    proto: str = ""
    """``tcp``, ``udp`` or "" any."""


class ServiceWindow(Confirmed, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A time in which biomedical engineering works on devices."""

    start: str
    """ISO 8601 with offset."""
    end: str
    zone: str = ""
    """"" everywhere."""


class AuthorisedScanner(Confirmed, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A scanner or NAC that may probe."""

    ip: str
    mac: str = ""


JUSTIFICATIONS = ("component_not_present", "vulnerable_code_cannot_be_controlled_by_adversary")
"""Why a device may be called not affected, in CSAF 2.0's words: a named person signs for it."""


class Attestation(Confirmed, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A dated statement of a named role for what packets cannot show."""

    measure: str
    """``attested_backups``, ``attested_physical``, ``attested_passwords`` or a measure's id; or one of
    :data:`JUSTIFICATIONS` and a weakness: ``component_not_present CVE-2017-12725``."""
    statement: str
    expires_on: str
    """ISO 8601 date; behind it the attestation no longer stands."""
    zone: str = ""


class TrustedRoot(Confirmed, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A certificate (root, or a pinned leaf) that pump servers are known by."""

    sha256: str = ""
    """SHA-256 of the certificate, hex."""
    pem: str = ""
    """Or the certificate itself."""
    pinned: bool = False
    """A leaf that is known by itself (a pinned self-signed certificate)."""


class KnownSecret(Confirmed, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A secret the hospital knows to be a default, as a salted scrypt hash."""

    name: str
    scrypt: str
    """``n,r,p$salt-hex$hash-hex``."""


class Site(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole site file; every part may be absent."""

    name: str = ""
    timezone: str = "UTC"
    """IANA name, for local times on the page."""
    report_to: str = ""
    """Whom to report to, as the hospital words it."""
    marking: str = "TLP:AMBER+STRICT"
    zone: tuple[Zone, ...] = ()
    server: tuple[TrustedServer, ...] = ()
    peer: tuple[PermittedPeer, ...] = ()
    window: tuple[ServiceWindow, ...] = ()
    scanner: tuple[AuthorisedScanner, ...] = ()
    attestation: tuple[Attestation, ...] = ()
    root: tuple[TrustedRoot, ...] = ()
    secret: tuple[KnownSecret, ...] = ()

    def servers(self, role: str) -> tuple[TrustedServer, ...]:
        """The confirmed servers of a role."""
        return tuple(s for s in self.server if s.role == role and s.confirmed)
