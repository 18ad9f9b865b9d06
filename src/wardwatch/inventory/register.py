"""The hospital's own list of devices: read from CSV, joined to what was seen, never overwriting."""

from __future__ import annotations

import csv
import io
import ipaddress
import re
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from wardwatch.errors import InventoryError
from wardwatch.inventory.rulebook import Rulebook, rulebook
from wardwatch.model.device import MEDICAL_KINDS, Confidence, Device, Identity, Listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_BYTES = 64 * 1024 * 1024
"""A list of 100,000 devices is some 10 MB; more is a wrong file."""
MAX_FIELD = 256
"""Characters kept of a field."""
MAX_WARNINGS = 50
"""Warnings told one by one; the rest is counted."""

HEADERS: dict[str, tuple[str, ...]] = {
    "mac": ("mac", "macaddress", "macaddr", "macadresse", "adressemac", "direccionmac", "indirizzomac",
            "ethernetaddress", "hardwareaddress", "hwaddress", "physicaladdress", "wlanmac", "wifimac", "lanmac"),
    "serial": ("serial", "serialnumber", "serialno", "serialnr", "sn", "seriennummer", "seriennr", "serienr",
               "numerodeserie", "noserie", "nserie", "numerodiserie", "matricola"),
    "manufacturer": ("manufacturer", "maker", "vendor", "make", "oem", "hersteller", "fabricant", "fabricante",
                     "produttore", "fabrikant", "manufacturername"),
    "model": ("model", "modelname", "modelnumber", "product", "device", "devicename", "description", "devicetype",
              "modell", "gerat", "geraet", "geratetyp", "geraetetyp", "typ", "type", "modele", "modelo", "modello",  # codespell:ignore modell,gerat
              "equipment", "bezeichnung"),
    "version": ("version", "firmware", "firmwareversion", "software", "softwareversion", "swversion", "fwversion",
                "softwarerevision", "swrev", "versionlogicielle", "versionsoftware", "softwarestand"),
    "ward": ("ward", "unit", "location", "department", "carearea", "area", "room", "station", "abteilung", "standort",
             "ort", "service", "unite", "emplacement", "servicio", "unidad", "ubicacion", "reparto", "site"),
    "ip": ("ip", "ipaddress", "ipaddr", "ipv4", "ipv4address", "ipadresse", "adresseip", "direccionip", "indirizzoip"),
    "asset": ("asset", "assetnumber", "assettag", "assetid", "assetno", "tag", "inventorynumber", "inventarnummer",
              "inventarnr", "inventaire", "inventario", "equipmentid", "controlnumber", "cmmsid", "id"),
    "component": ("component", "components", "componentnote", "module", "modules", "accessory", "accessories",
                  "option", "options"),
}  # fmt: skip
"""What people call the columns, without case, accents, blanks and signs; the first that fits counts."""

DISAGREES = "evidence disagrees"
"""How the note begins that tells of strong traits which contradict each other."""

NOTHING = frozenset({"", "-", "--", "n/a", "na", "n.a.", "none", "null", "unknown", "unbekannt", "inconnu",
                     "desconocido", "?", "tbd", "k.a.", "x"})  # fmt: skip
"""What people write where they know nothing."""


def read_list(path: str | Path) -> tuple[tuple[Listed, ...], tuple[str, ...]]:
    """The rows of a CSV list, and what could not be used of it, a sentence each.

    A row needs a MAC, a serial number or an IP address. Raises
    :class:`~wardwatch.errors.InventoryError` where nothing can be read at all.
    """
    name, text = _text(Path(path))
    rows = _rows(name, text)
    number, header = next(rows, (0, []))
    columns = _columns(header)
    if not columns.keys() & {"mac", "serial", "ip"}:
        raise InventoryError(
            name,
            f"row {number or 1}: the first row names no column for MAC, serial number or IP address",
            "name the columns in the first row: MAC, serial, manufacturer, model, version, ward",
        )
    listed: list[Listed] = []
    warnings: list[str] = []
    known: dict[tuple[str, str], int] = {}
    for number, cells in rows:
        row, complaint = _listed(number, cells, columns)
        if complaint:
            warnings.append(f"{name}, row {number}: {complaint}")
        if row is None:
            continue
        for what in ("mac", "serial", "ip"):
            value = getattr(row, what)
            earlier = known.setdefault((what, value), number) if value else number
            if earlier != number:
                warnings.append(
                    f"{name}, row {number}: the same {what} as in row {earlier}; both are kept"
                )
        listed.append(row)
    if len(warnings) > MAX_WARNINGS:
        more = len(warnings) - MAX_WARNINGS
        warnings[MAX_WARNINGS:] = [f"{name}: {more} more complaints of this kind"]
    return tuple(listed), tuple(warnings)


def mac_of(text: str) -> str:
    """A MAC however it is written (colons, dashes, dots, blanks, nothing), or ""."""
    digits = re.sub(r"[\s:.\-_]", "", text.strip().lower())
    if not re.fullmatch(r"[0-9a-f]{12}", digits) or digits in ("0" * 12, "f" * 12):
        return ""
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2))


def join(devices: Sequence[Device], listed: Sequence[Listed]) -> tuple[Device, ...]:
    """Devices with their rows of the list; rows that match none become devices that were not seen."""
    if not listed:
        return tuple(devices)
    by_mac = {mac: d for d in reversed(devices) for mac in d.macs}
    by_serial = {d.serial.casefold(): d for d in reversed(devices) if d.serial}
    by_ip = {ip: d for d in reversed(devices) for ip in d.ips}
    rows: dict[str, list[Listed]] = {}
    remarks: dict[str, list[str]] = {}
    unseen: list[Device] = []
    book = rulebook()
    for row in listed:
        device = by_mac.get(row.mac) if row.mac else None
        if device is None and row.serial:
            device = by_serial.get(row.serial.casefold())
        if device is None and row.ip and (other := by_ip.get(row.ip)):
            # A row that names a MAC means that MAC: another one at its address is told, not taken.
            if row.mac and other.macs:
                remarks.setdefault(other.id, []).append(
                    f"row {row.row} of the list gives {row.ip} to {row.mac}, which was not seen; "
                    f"it is used by {other.macs[0]}"
                )
            else:
                device = other
        if device is None:
            unseen.append(_unseen(row, book))
        else:
            rows.setdefault(device.id, []).append(row)
    joined = []
    for device in devices:
        own = rows.get(device.id, [])
        extra = tuple(remarks.get(device.id, ()))
        if own:
            joined.append(_merged(device, own, extra, book))
        else:
            joined.append(
                msgspec.structs.replace(
                    device, disagreements=extra, notes=(*device.notes, "not on the hospital's list")
                )
            )
    return (*joined, *unseen)


def _text(path: Path) -> tuple[str, str]:
    """Name and text of the file, in whichever of the usual encodings it is."""
    name = path.name
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InventoryError(
            str(path), f"cannot be read ({error.strerror})", "name a CSV file with --inventory"
        ) from error
    if len(raw) > MAX_BYTES:
        raise InventoryError(name, "is larger than 64 MB", "give a list with one row a device")
    encodings = ("utf-16",) if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "latin-1")
    for encoding in encodings:
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text or text.startswith("PK\x03\x04"):
            break
        return name, text
    raise InventoryError(name, "is no text file", "export the list as CSV (UTF-8)")


def _rows(name: str, text: str) -> Iterator[tuple[int, list[str]]]:
    """Rows that hold anything, each with its line number (1 the first line)."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    if not first:
        raise InventoryError(name, "is empty", "give a CSV file with one row a device")
    delimiter = max(";\t,|", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise InventoryError(
                name, f"row {reader.line_num}: {error}", "mend that row, or export the list again"
            ) from error
        if any(cell.strip() for cell in cells):
            yield reader.line_num, cells


def _columns(header: Sequence[str]) -> dict[str, int]:
    """Place of each of our fields among the columns."""
    places = {_plain(cell): place for place, cell in reversed(list(enumerate(header)))}
    found: dict[str, int] = {}
    for field, names in HEADERS.items():
        place = next((places[name] for name in names if name in places), None)
        if place is not None:
            found[field] = place
    return found


def _plain(text: str) -> str:
    """Letters and digits only, lower case, without accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in decomposed if c.isascii() and c.isalnum())


def _listed(
    number: int, cells: Sequence[str], columns: dict[str, int]
) -> tuple[Listed | None, str]:
    """One row as our list has it, and what is wrong with it."""
    said = {field: _field(cells[at]) for field, at in columns.items() if at < len(cells)}
    complaints = []
    if written := said.get("mac", ""):
        said["mac"] = mac_of(written)
        if not said["mac"]:
            complaints.append(f"{written!r} is no MAC address")
    if written := said.get("ip", ""):
        try:
            said["ip"] = str(ipaddress.ip_address(written))
        except ValueError:
            said["ip"] = ""
            complaints.append(f"{written!r} is no IP address")
    if not any(said.get(key) for key in ("mac", "serial", "ip")):
        complaints.append("no MAC, serial number or IP address to know the device by; left out")
        return None, "; ".join(complaints)
    return Listed(row=number, **said), "; ".join(complaints)


def _field(cell: str) -> str:
    text = " ".join(cell.split())[:MAX_FIELD]
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return "" if text.casefold() in NOTHING else text


def _identity_of(row: Listed, book: Rulebook) -> Identity:
    """What a row says, in our words where they are known."""
    known = book.listed_model(row.manufacturer, row.model)
    return Identity(
        manufacturer=(known.manufacturer if known else "") or row.manufacturer,
        model=(known.model if known else "") or row.model,
        version=row.version,
        version_source="list" if row.version else "",
        kind=known.kind if known else "",
        family=known.family if known else "",
    )


def _unseen(row: Listed, book: Rulebook) -> Device:
    identity = _identity_of(row, book)
    return Device(
        id=f"list-{row.row}",
        identity=identity,
        confidence=Confidence.LISTED if row.model or identity.kind else Confidence.UNKNOWN,
        macs=(row.mac,) if row.mac else (),
        ips=(row.ip,) if row.ip else (),
        serial=row.serial,
        listed=row,
        notes=("listed by the hospital, not seen in this capture",),
    )


def _merged(device: Device, rows: Sequence[Listed], extra: Sequence[str], book: Rulebook) -> Device:
    """A device and its row: the wire's word stays, the list fills what the wire does not say."""
    row, wire = rows[0], device.identity
    said = _identity_of(row, book)
    differ = [*extra, *_differences(device, row, said, book)]
    differ += [f"row {other.row} of the list names it too" for other in rows[1:]]
    same_model = not _model_differs(device, said)
    # Windows or a network role says what it runs on, not what it is for: there the list knows better.
    kind = said.kind if wire.kind in ("", "workstation", "server", "medical device") else ""
    identity = Identity(
        manufacturer=_claimed_maker(device, book) or said.manufacturer or wire.manufacturer,
        model=wire.model or (said.model if same_model else ""),
        module=wire.module,
        version=wire.version or (said.version if same_model else ""),
        version_source=wire.version_source or (said.version_source if same_model else ""),
        kind=(kind if same_model else "") or wire.kind or said.kind,
        family=wire.family or (said.family if same_model else ""),
    )
    named = bool(row.model or said.kind)
    at_odds = bool(differ) or any(note.startswith(DISAGREES) for note in device.notes)
    return msgspec.structs.replace(
        device,
        identity=identity,
        confidence=Confidence.LISTED if named and not at_odds else device.confidence,
        serial=device.serial or row.serial,
        listed=row,
        disagreements=tuple(differ),
    )


def _model_differs(device: Device, said: Identity) -> bool:
    """Whether the list means another thing than the one that showed itself."""
    wire = device.identity
    if device.confidence < Confidence.PROBABLE:
        return False
    if wire.family and said.family:
        return wire.family != said.family
    if not (wire.kind and said.kind) or wire.kind == said.kind:
        return False
    loose = {"workstation", "server", "medical device"}
    return not (wire.kind in loose and (said.kind in MEDICAL_KINDS or said.kind == "pump server"))


def _differences(device: Device, row: Listed, said: Identity, book: Rulebook) -> list[str]:
    """Where list and wire say different things."""
    wire, found = device.identity, []
    if _model_differs(device, said):
        found.append(
            f"the list says {row.manufacturer} {row.model}".rstrip()
            + f", the wire says {wire.manufacturer} {wire.model or wire.kind}".rstrip()
        )
    elif (maker := _claimed_maker(device, book)) and not _same_maker(maker, row, book):
        found.append(f"the list says the maker is {row.manufacturer}, the wire says {maker}")
    if wire.version and row.version and _plain_version(wire.version) != _plain_version(row.version):
        found.append(f"the list says version {row.version}, the wire says {wire.version}")
    if row.mac and device.macs and row.mac not in device.macs:
        found.append(f"the list says {row.mac}, it was seen as {', '.join(device.macs[:3])}")
    if row.serial and device.serial and row.serial.casefold() != device.serial.casefold():
        found.append(f"the list says serial {row.serial}, the wire says {device.serial}")
    if row.ip and device.ips and row.ip not in device.ips:
        found.append(f"the list says {row.ip}, it was seen at {', '.join(device.ips[:3])}")
    return found


def _plain_version(text: str) -> str:
    """Without what people write around it: ``V1.6`` and ``1.6.0`` are one version."""
    bare = re.sub(r"^(version|ver|v)[\s.]*", "", text.strip().casefold())
    return re.sub(r"(\.0+)+$", "", bare)


def _claimed_maker(device: Device, book: Rulebook) -> str:
    """The maker that a rule names of a probable device; that of its network card is none."""
    maker = device.identity.manufacturer
    spoken = {trait.rule for trait in device.traits}
    named = any(rule.manufacturer == maker and rule.id in spoken for rule in book.rules)
    return maker if named and device.confidence >= Confidence.PROBABLE else ""


def _same_maker(wire: str, row: Listed, book: Rulebook) -> bool:
    """Whether a maker's names mean one house (it may have been bought since)."""
    if not row.manufacturer:
        return True
    known = book.listed_model(row.manufacturer, row.model)
    if known and known.maker and re.search(known.maker, wire):
        return True
    one, other = _plain(wire), _plain(row.manufacturer)
    return one in other or other in one or one[:5] == other[:5]
