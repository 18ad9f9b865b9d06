"""KEV: CISA's catalogue of known exploited vulnerabilities, from a file the hospital fetched.

Nothing is shipped and nothing is fetched. The catalogue is about general IT: that it is silent
on a pump's weakness says nothing.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import msgspec

from wardwatch.errors import AdvisoryError

MAX_BYTES = 64 * 1024 * 1024
"""The catalogue of 2025 has 1.3 MB; this holds fifty times as much."""
MAX_ENTRIES = 100_000
"""Against 1,404 in 2025."""
REMEDY = "fetch known_exploited_vulnerabilities.json anew from CISA"


class Exploited(msgspec.Struct, frozen=True, rename="camel"):
    """One entry of the catalogue, as far as it is used."""

    cve_id: str = msgspec.field(name="cveID")
    date_added: str
    due_date: str = ""
    known_ransomware_campaign_use: str = "Unknown"


class _File(msgspec.Struct, rename="camel"):
    catalog_version: str
    date_released: str
    count: int
    vulnerabilities: list[Exploited]


class Kev(msgspec.Struct, frozen=True):
    """The catalogue of one day."""

    version: str
    released: str
    """ISO 8601 date."""
    entries: dict[str, Exploited]

    def says(self, cve: str) -> str:
        """What it says of a weakness, as a sentence's part; "" where it is silent."""
        entry = self.entries.get(cve)
        if entry is None:
            return ""
        ransom = ", used by ransomware" if entry.known_ransomware_campaign_use == "Known" else ""
        return f"in CISA's KEV since {entry.date_added}{ransom} (catalogue {self.version})"


def read_kev(path: str | Path) -> Kev:
    """The catalogue from its JSON file.

    Raises :class:`~wardwatch.errors.AdvisoryError`: what is wrong with the file.
    """
    import orjson

    path = Path(path)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise AdvisoryError(str(path), f"cannot be read ({error.strerror})", REMEDY) from error
    if len(raw) > MAX_BYTES:
        raise AdvisoryError(path.name, "is larger than 64 MB", REMEDY)
    try:
        told = msgspec.convert(orjson.loads(raw), _File)
    except (orjson.JSONDecodeError, msgspec.ValidationError) as error:
        raise AdvisoryError(path.name, f"is no KEV catalogue ({error})", REMEDY) from error
    if len(told.vulnerabilities) > MAX_ENTRIES:
        raise AdvisoryError(path.name, f"has more than {MAX_ENTRIES:,} entries", REMEDY)
    if told.count != len(told.vulnerabilities):
        raise AdvisoryError(
            path.name, f"announces {told.count} entries and holds {len(told.vulnerabilities)}", REMEDY
        )  # fmt: skip
    for entry in told.vulnerabilities:
        if not re.fullmatch(r"CVE-\d{4}-\d{4,7}", entry.cve_id):
            raise AdvisoryError(path.name, f"{entry.cve_id[:40]!r} is no CVE number", REMEDY)
        _day(entry.date_added, path.name)
    entries = {entry.cve_id: entry for entry in told.vulnerabilities}
    if len(entries) != len(told.vulnerabilities):
        raise AdvisoryError(path.name, "names a weakness twice", REMEDY)
    return Kev(told.catalog_version[:40], _day(told.date_released[:10], path.name), entries)


def _day(text: str, name: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise AdvisoryError(name, f"{text[:40]!r} is no date", REMEDY) from error
