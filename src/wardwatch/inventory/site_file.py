"""Reading ``site.toml``: what the hospital states, checked line by line before anything trusts it."""

from __future__ import annotations

import ipaddress
import re
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from wardwatch.errors import SiteError
from wardwatch.inventory.register import mac_of
from wardwatch.model.judgement import MEASURES
from wardwatch.model.site import (
    JUSTIFICATIONS,
    Attestation,
    AuthorisedScanner,
    Confirmed,
    KnownSecret,
    PermittedPeer,
    ServiceWindow,
    Site,
    TrustedRoot,
    TrustedServer,
    Zone,
)

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_BYTES = 4 * 1024 * 1024
"""A site file is written by people; 4 MB hold 20,000 lines."""
ROLES = ("dhcp", "dns", "router", "relay", "pump_server", "dhcpv6", "ntp")
"""What a trusted server may be."""
MAX_SCRYPT = 1 << 20
"""Largest scrypt cost taken (n·r·p): every secret on the wire is tried with it."""

SECTIONS: dict[str, type[Confirmed]] = {
    "zone": Zone,
    "server": TrustedServer,
    "peer": PermittedPeer,
    "window": ServiceWindow,
    "scanner": AuthorisedScanner,
    "attestation": Attestation,
    "root": TrustedRoot,
    "secret": KnownSecret,
}
"""The tables of a site file, ``[[zone]]`` and so on."""


class _Wrong(Exception):
    """A value that cannot stand: what is wrong, and the remedy."""

    def __init__(self, problem: str, remedy: str) -> None:
        self.problem, self.remedy = problem, remedy
        super().__init__(problem)


def read_site(path: str | Path) -> Site:
    """The site file, every address and date in canonical form.

    Lines without ``confirmed_by`` and ``confirmed_on`` are read and stay inert. Raises
    :class:`~wardwatch.errors.SiteError` naming the file, the line where it can be told, and
    the remedy.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SiteError(
            str(path), f"cannot be read ({error.strerror})", "name a site file with --site"
        ) from error
    if len(raw) > MAX_BYTES:
        raise SiteError(path.name, "is larger than 4 MB", "give a site file as `learn` writes it")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SiteError(
            path.name, "is no UTF-8 text", "save it as UTF-8", offset=error.start
        ) from error
    return parse_site(text, path.name)


def parse_site(text: str, name: str = "site.toml") -> Site:
    """The same from text."""
    import tomllib  # most audits have no site file

    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SiteError(name, f"is no TOML: {error}", "mend that line") from error
    except RecursionError as error:
        raise SiteError(name, "nests too deep", "give a site file as `learn` writes it") from error
    for section in SECTIONS:
        if isinstance(said.get(section), dict):
            line = _line(text, rf"^\s*\[\s*{section}\s*\]")
            raise SiteError(
                name, f"{line}[{section}] is a single table", f"write [[{section}]], once an entry"
            )
    try:
        site = msgspec.convert(_dates_as_text(said), Site)
    except msgspec.ValidationError as error:
        raise _translated(error, text, name) from error
    return _checked(site, text, name)


def _dates_as_text(value: Any) -> Any:  # noqa: ANN401 - what TOML holds
    """TOML's own dates as ISO 8601 text: people leave the quotes out."""
    if isinstance(value, dict):
        return {key: _dates_as_text(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_dates_as_text(inner) for inner in value]
    return value.isoformat() if isinstance(value, date | datetime | time) else value


def _translated(error: msgspec.ValidationError, text: str, name: str) -> SiteError:
    """A conversion error with its line and in our words."""
    problem, _, where = str(error).partition(" - at ")
    found = re.match(r"`\$(?:\.(\w+))?(?:\[(\d+)\])?(.*)`", where)
    section, place, rest = found.groups() if found else (None, None, "")
    at = _entry(text, section or "", int(place or 0)) if section in SECTIONS else ""
    field = (rest or "").lstrip(".")
    unknown = re.search(r"unknown field `(.*)`", problem)
    if unknown:
        owner: dict[str, type[msgspec.Struct]] = {**SECTIONS}
        known = ", ".join(sorted(owner.get(section or "", Site).__struct_fields__))
        at = at or _line(text, rf"""\s*\[*\s*["']?{re.escape(unknown[1])}\b""")
        return SiteError(name, f"{at}unknown key {unknown[1]!r}", f"known here are: {known}")
    what = f"{field}: " if field else f"{section}: " if section and not at else ""
    at = at or (_line(text, rf"\s*{section}\b") if section else "")
    return SiteError(name, f"{at}{what}{problem[:1].lower()}{problem[1:]}", "mend that entry")


def _checked(site: Site, text: str, name: str) -> Site:
    """Every entry in canonical form, or the first that cannot stand."""
    zones = {zone.name for zone in site.zone}
    changes: dict[str, tuple[Confirmed, ...]] = {}
    for section in SECTIONS:
        entries = []
        for place, entry in enumerate(getattr(site, section)):
            try:
                _confirmation(entry)
                if (zone := getattr(entry, "zone", "")) and zone not in zones:
                    raise _Wrong(f"no zone is called {zone!r}", "name one of the [[zone]] entries")
                entries.append(_CHECKS[section](entry))
            except _Wrong as wrong:
                raise SiteError(
                    name, f"{_entry(text, section, place)}{wrong.problem}", wrong.remedy
                ) from wrong
        changes[section] = tuple(entries)
    try:
        _time_zone(site.timezone)
    except _Wrong as wrong:
        at = _line(text, r"\s*timezone\b")
        raise SiteError(name, f"{at}{wrong.problem}", wrong.remedy) from wrong
    try:
        _unique([zone.name for zone in site.zone])
    except _Wrong as wrong:
        raise SiteError(name, wrong.problem, wrong.remedy) from wrong
    return msgspec.structs.replace(site, **changes)


def _entry(text: str, section: str, place: int) -> str:
    """``line 12, [[zone]] 2: `` for the ``place``-th entry (0-based) of a section."""
    heads = [
        number
        for number, line in enumerate(text.splitlines(), 1)
        if re.match(rf"\s*\[\[\s*{section}\s*\]\]", line)
    ]
    at = f"line {heads[place]}, " if place < len(heads) else ""
    return f"{at}[[{section}]] {place + 1}: "


def _line(text: str, pattern: str) -> str:
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(pattern, line):
            return f"line {number}, "
    return ""


def _confirmation(entry: Confirmed) -> None:
    if entry.confirmed_on.strip():
        _instant(entry.confirmed_on, "confirmed_on")


def _zone(zone: Zone) -> Zone:
    if not zone.name.strip():
        raise _Wrong("name is empty", "give the zone a name")
    for vlan in zone.vlans:
        if not 0 <= vlan <= 4095:
            raise _Wrong(f"vlans: {vlan} is no VLAN id", "use 0 to 4095")
    if not (zone.vlans or zone.segments or zone.subnets):
        raise _Wrong("names no vlans, segments or subnets", "say which part of the network it is")
    return msgspec.structs.replace(
        zone, subnets=tuple(_network(s, "subnets") for s in zone.subnets)
    )


def _server(server: TrustedServer) -> TrustedServer:
    if server.role not in ROLES:
        raise _Wrong(f"role {server.role!r} is none we know", f"use one of {', '.join(ROLES)}")
    if not (server.ip or server.macs):
        raise _Wrong("names neither ip nor macs", "name the server's address")
    return msgspec.structs.replace(
        server,
        ip=_address(server.ip, "ip") if server.ip else "",
        macs=tuple(_mac(mac, "macs") for mac in server.macs),
    )


def _peer(peer: PermittedPeer) -> PermittedPeer:
    if peer.proto not in ("", "tcp", "udp"):
        raise _Wrong(f"proto {peer.proto!r} is none we know", 'use "tcp", "udp" or leave it out')
    for port in peer.ports:
        if not 1 <= port <= 65535:
            raise _Wrong(f"ports: {port} is no port", "use 1 to 65535, or leave ports out for any")
    where = _network(peer.peer, "peer") if "/" in peer.peer else _address(peer.peer, "peer")
    return msgspec.structs.replace(peer, peer=where)


def _window(window: ServiceWindow) -> ServiceWindow:
    start = _instant(window.start, "start")
    end = _instant(window.end, "end")
    for what, stamp in (("start", start), ("end", end)):
        if stamp.tzinfo is None:
            raise _Wrong(f"{what} says no offset from UTC", "write it as 2026-11-23T08:00:00+01:00")
    if end < start:
        raise _Wrong("ends before it starts", "mend start or end")
    return window


def _scanner(scanner: AuthorisedScanner) -> AuthorisedScanner:
    return msgspec.structs.replace(
        scanner,
        ip=_address(scanner.ip, "ip"),
        mac=_mac(scanner.mac, "mac") if scanner.mac else "",
    )


def _attestation(attestation: Attestation) -> Attestation:
    measures = [measure.id for measure in MEASURES]
    signed = re.fullmatch(
        rf"(?:{'|'.join(JUSTIFICATIONS)}) CVE-\d{{4}}-\d{{4,7}}", attestation.measure
    )
    if attestation.measure not in measures and not signed:
        raise _Wrong(
            f"no measure is called {attestation.measure!r}",
            f"use one of {', '.join(measures)}; or {' or '.join(JUSTIFICATIONS)} and a CVE number",
        )
    if not attestation.statement.strip():
        raise _Wrong("statement is empty", "say what is attested")
    _instant(attestation.expires_on, "expires_on")
    return attestation


def _root(root: TrustedRoot) -> TrustedRoot:
    digest = re.sub(r"[\s:]", "", root.sha256).lower()
    if digest and not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise _Wrong(
            "sha256 is no SHA-256 in hex", "give 64 hex digits of the certificate's digest"
        )
    if root.pem and "-----BEGIN CERTIFICATE-----" not in root.pem:
        raise _Wrong("pem holds no certificate", "paste it with its BEGIN and END lines")
    if not (digest or root.pem):
        raise _Wrong("names neither sha256 nor pem", "give the certificate or its digest")
    return msgspec.structs.replace(root, sha256=digest)


def _secret(secret: KnownSecret) -> KnownSecret:
    found = re.fullmatch(
        r"(\d{1,7}),(\d{1,3}),(\d{1,3})\$((?:[0-9a-f]{2}){8,64})\$((?:[0-9a-f]{2}){16,64})",
        secret.scrypt.strip().lower(),
    )
    if found is None:
        raise _Wrong("scrypt is not n,r,p$salt-hex$hash-hex", "make it with scrypt, n a power of 2")
    n, r, p = (int(part) for part in found.groups()[:3])
    if n < 2 or n & (n - 1) or not r or not p or n * r * p > MAX_SCRYPT:
        raise _Wrong(
            "scrypt: n must be a power of 2 and n·r·p at most 1048576", "use 16384,8,1 or less"
        )
    return msgspec.structs.replace(secret, scrypt=secret.scrypt.strip().lower())


_CHECKS: dict[str, Callable[[Any], Confirmed]] = {
    "zone": _zone,
    "server": _server,
    "peer": _peer,
    "window": _window,
    "scanner": _scanner,
    "attestation": _attestation,
    "root": _root,
    "secret": _secret,
}


def _instant(text: str, field: str) -> datetime:
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise _Wrong(f"{field} {text!r} is no date", "write it as 2026-11-23") from error


def _address(text: str, field: str) -> str:
    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError as error:
        raise _Wrong(f"{field} {text!r} is no IP address", "write it as 10.1.2.3") from error


def _network(text: str, field: str) -> str:
    try:
        return str(ipaddress.ip_network(text.strip(), strict=False))
    except ValueError as error:
        raise _Wrong(f"{field} {text!r} is no subnet", "write it as 10.1.2.0/24") from error


def _mac(text: str, field: str) -> str:
    mac = mac_of(text)
    if not mac:
        raise _Wrong(f"{field} {text!r} is no MAC address", "write it as 00:1a:01:00:00:41")
    return mac


def _time_zone(name: str) -> None:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        # A machine without any time zone data (Windows without tzdata) cannot tell.
        if available_timezones():
            raise _Wrong(
                f"timezone {name!r} is no time zone", "use an IANA name, as Europe/Berlin"
            ) from error


def _unique(names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise _Wrong(f"two zones are called {name!r}", "give each zone a name of its own")
