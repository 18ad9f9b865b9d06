"""A hospital's own list of devices for matching: exports of a CMMS as they are.

Unlike the list that is joined to a capture (:mod:`wardwatch.inventory.register`), a row here needs
no address: a maker and a model are enough. Titles above the header, columns by any usual name,
several encodings, repeated rows and typing of all kinds are normal.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from wardwatch.advise.assets import Asset
from wardwatch.advise.families import families_of
from wardwatch.advise.naming import plain
from wardwatch.errors import InventoryError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_BYTES = 256 * 1024 * 1024
"""A list of 100,000 devices is some 10 to 60 MB, by how many columns it drags along."""
MAX_ROWS = 2_000_000
"""The largest hospital groups own some hundred thousand devices."""
MAX_FIELD = 256
"""Characters kept of a field."""
PREAMBLE = 20
"""Lines above the header that are looked through for it."""

COLUMNS: dict[str, tuple[str, ...]] = {
    "manufacturer": ("manufacturer", "manufacturer name", "mfr", "mfg", "mfg name", "maker", "vendor", "vendor name",
                     "make", "oem", "brand", "supplier", "hersteller", "fabricant", "fabricante", "produttore",
                     "fabrikant", "leverandor", "tillverkare"),
    "model": ("model", "model name", "model description", "product", "product name", "device model", "device",
              "device name", "asset name", "equipment", "equipment name", "modell", "gerat", "gerate", "geratetyp",
              "bezeichnung", "modele", "modelo", "modello", "typ", "type"),
    "number": ("model number", "model no", "model nr", "model num", "catalog number", "catalogue number", "catalog no",
               "part number", "part no", "ref", "reference", "artikelnummer", "typennummer"),
    "description": ("description", "device description", "asset description", "equipment description", "device type",
                    "device category", "category", "class", "umdns", "gmdn", "nomenclature", "beschreibung"),
    "version": ("version", "software version", "sw version", "firmware version", "fw version", "firmware", "software",
                "software revision", "software rev", "sw rev", "os version", "revision", "rev", "softwarestand",
                "version logicielle", "version software", "versione"),
    "component": ("component", "component note", "components", "module", "modules", "accessory", "accessories",
                  "option", "options"),
    "asset": ("asset", "asset id", "asset number", "asset no", "asset tag", "tag", "tag number", "equipment id",
              "control number", "cmms id", "inventory number", "inventory no", "id", "serial", "serial number",
              "serial no", "sn", "inventarnummer", "inventar nr", "row"),
}  # fmt: skip
"""What people call the columns, as :func:`wardwatch.advise.naming.plain` leaves it; the first that fits counts."""


class Listed(msgspec.Struct, frozen=True):
    """Devices of a list that are written alike, and where they stand in it."""

    asset: Asset
    rows: tuple[int, ...]
    """Line numbers, 1 the first line; 0 where it was typed."""
    ids: tuple[str, ...]
    """What the list calls them; "" where it has no such column."""


def read_assets(path: str | Path) -> tuple[tuple[Listed, ...], tuple[str, ...]]:
    """The devices of a list, alike ones together, and what could not be used of it.

    Raises :class:`~wardwatch.errors.InventoryError` where nothing can be read at all.
    """
    name, text = _text(Path(path))
    rows = _rows(name, text)
    columns, seen = _header(name, rows)
    groups: dict[tuple[str, ...], tuple[list[int], list[str]]] = {}
    empty = repeated = 0
    met: set[tuple[str, ...]] = set()
    for number, cells in rows:
        said = {
            field: " ".join(cells[at].split())[:MAX_FIELD]
            for field, at in columns.items()
            if at < len(cells)
        }
        if not said.get("model") and not said.get("number") and not said.get("description"):
            empty += 1
            continue
        key = tuple(said.get(field, "") for field in COLUMNS if field != "asset")
        mark = said.get("asset", "")
        # One asset number with the same words again is the same device, exported twice.
        if mark and (*key, mark) in met:
            repeated += 1
            continue
        met.add((*key, mark))
        numbers, ids = groups.setdefault(key, ([], []))
        numbers.append(number)
        ids.append(mark)
    warnings = [f"{name}: {empty} rows without model or description are left out"] if empty else []
    if repeated:
        warnings.append(f"{name}: {repeated} rows repeat a device of the same number; counted once")
    missing = [field for field in ("manufacturer", "version") if field not in columns]
    warnings += [
        f"{name}: no column for {field} among {', '.join(seen[:12])}; most answers will be unknown"
        for field in missing
    ]
    fields = [field for field in COLUMNS if field != "asset"]
    found = tuple(
        Listed(_asset(dict(zip(fields, key, strict=True))), tuple(numbers), tuple(ids))
        for key, (numbers, ids) in groups.items()
    )
    return found, tuple(warnings)


def typed(words: str) -> Listed:
    """One device as a person types it: ``Smiths Medical; Medfusion 4000; 1.5``, or with a component.

    Raises :class:`~wardwatch.errors.UsageError` where no model is in it.
    """
    parts = [" ".join(part.split())[:MAX_FIELD] for part in words.split(";")]
    if not 2 <= len(parts) <= 4 or not parts[1]:
        raise UsageError(f"{words[:80]!r} names no device; write it as 'maker; model; version'")
    maker, model, version, component = (*parts, "", "")[:4]
    return Listed(Asset(maker, model, version, component, "typed"), (0,), ("",))


def _asset(said: dict[str, str]) -> Asset:
    """A row's words as a device; the description speaks only where the model says too little."""
    model, number = said["model"], said["number"]
    if number and plain(number) not in plain(model):
        model = f"{model} {number}".strip()
    if not model or (not any(c.isalpha() for c in model) and not families_of(model)):
        model = f"{said['description']} {model}".strip()
    return Asset(said["manufacturer"], model, said["version"], said["component"])


def _text(path: Path) -> tuple[str, str]:
    name = path.name
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InventoryError(str(path), f"cannot be read ({error.strerror})", "name a CSV file with --inventory") from error  # fmt: skip
    if len(raw) > MAX_BYTES:
        raise InventoryError(name, f"is larger than {MAX_BYTES // 1024 // 1024} MB", "split the list")  # fmt: skip
    if raw.startswith(b"PK\x03\x04"):
        raise InventoryError(name, "is a workbook or an archive, no text", "export the sheet as CSV (UTF-8)")  # fmt: skip
    wide = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
    # A missing byte order mark shows in the zeros between ASCII letters.
    if not wide and raw[:200].count(0) > 40:
        raw, wide = b"\xff\xfe" + raw, True
    for encoding in ("utf-16",) if wide else ("utf-8-sig", "cp1252", "latin-1"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return name, text
    raise InventoryError(name, "is no text file", "export the list as CSV (UTF-8)")


def _rows(name: str, text: str) -> Iterator[tuple[int, list[str]]]:
    """Rows that hold anything, each with its line number."""
    head = [line for line in text[:65536].splitlines() if line.strip()][: PREAMBLE + 1]
    if not head:
        raise InventoryError(name, "is empty", "give a CSV file with one row a device")
    delimiter = max(";\t,|", key=lambda sign: max(line.count(sign) for line in head))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    count = 0
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise InventoryError(name, f"row {reader.line_num}: {error}", "mend that row, or export the list again") from error  # fmt: skip
        if any(cell.strip() for cell in cells):
            count += 1
            if count > MAX_ROWS:
                raise InventoryError(name, f"has more than {MAX_ROWS} rows", "split the list")
            yield reader.line_num, cells


def _header(name: str, rows: Iterator[tuple[int, list[str]]]) -> tuple[dict[str, int], list[str]]:
    """The header among the first rows: the one that names most of our columns."""
    first: list[str] = []
    for _, (_, cells) in zip(range(PREAMBLE), rows, strict=False):
        found = _columns(cells)
        first = first or cells
        if found.keys() & {"model", "number", "description"} and len(found) > 1:
            return found, cells
    raise InventoryError(
        name,
        f"names no columns for maker and model (it begins with: {', '.join(first)[:120]})",
        "name the columns in one row: manufacturer, model, version",
    )


def _columns(header: Sequence[str]) -> dict[str, int]:
    places: dict[str, int] = {}
    for at, cell in reversed(list(enumerate(header))):
        places[plain(cell.replace("_", " "))] = at
        places[plain(cell).replace(" ", "")] = at
    found: dict[str, int] = {}
    for field, names in COLUMNS.items():
        spellings = (*names, *(name.replace(" ", "") for name in names))
        place = next((places[name] for name in spellings if name in places), None)
        if place is not None and place not in found.values():
            found[field] = place
    return found
