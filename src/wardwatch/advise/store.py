"""The shelf on disk: imported documents, their bytes unchanged, checked on the way in.

A document is taken with its hash. Beside it may lie a ``.sha512`` and a detached OpenPGP signature;
both are checked, the signature against the one key that the hospital has pinned. A revision number
is not trusted: a document whose bytes differ replaces the one on the shelf, and the change is told.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from wardwatch.advise.archives import ASIDE, Found, gather
from wardwatch.advise.csaf import Document, read_document
from wardwatch.errors import AdvisoryError, OutputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Refused = tuple[str, str]
"""A file's name and why it was not taken."""


class Shelved(msgspec.Struct, frozen=True):
    """One document of an import and what became of it."""

    id: str
    source: str
    sha512: str
    revision: str
    change: str
    """``new``, ``same``, ``replaced`` (by other bytes), ``kept`` (an older one was offered)."""
    hash_checked: bool
    signed_by: str
    """Fingerprint of the pinned key that signed it; "" where none was checked."""
    remark: str = ""


class Imported(msgspec.Struct, frozen=True):
    """What an import did."""

    shelved: tuple[Shelved, ...]
    refused: tuple[Refused, ...]
    remarks: tuple[str, ...] = ()


class Card(msgspec.Struct, frozen=True):
    """What the index of a shelf says of one document."""

    id: str
    file: str
    sha512: str
    revision: str
    current: str
    source: str
    signed_by: str


class _Taken(msgspec.Struct, frozen=True):
    document: Document
    raw: bytes
    hash_checked: bool
    signed_by: str


def read_paths(paths: Iterable[str | Path]) -> tuple[tuple[Document, ...], tuple[Refused, ...]]:
    """Documents straight from files, folders and archives, hashes checked, nothing written."""
    taken, refused = _take(gather(paths), None)
    return tuple(item.document for item in taken), tuple(refused)


def import_paths(
    folder: Path, paths: Iterable[str | Path], key: Path | None = None, fingerprint: str = ""
) -> Imported:
    """Take documents onto the shelf in a folder.

    With ``key`` (an OpenPGP certificate) every document needs a valid signature by it.
    Raises :class:`~wardwatch.errors.OutputError` where the folder cannot be written.
    """
    return import_found(folder, gather(paths), key, fingerprint)


def import_found(
    folder: Path, found: Iterable[Found], key: Path | None = None, fingerprint: str = ""
) -> Imported:
    """The same for files already read, whatever they came from."""
    from wardwatch.advise.signatures import verifier

    check = verifier(key, fingerprint) if key is not None else None
    taken, refused = _take(found, check)
    kept = cards(folder)
    shelved: list[Shelved] = []
    try:
        (folder / "documents").mkdir(parents=True, exist_ok=True)
        shelved.extend(_shelve(folder, kept, item) for item in taken)
        write_whole(folder / "index.json", msgspec.json.format(msgspec.json.encode(sorted(kept.values(), key=lambda c: c.id))))  # fmt: skip
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written ({error.strerror}); name a folder of your own"
        ) from error
    from wardwatch.advise.names import refresh

    refresh(folder, [item.document for item in taken])
    return Imported(tuple(shelved), tuple(refused), _remarks(key))


def shelved_documents(folder: Path) -> tuple[tuple[Document, ...], tuple[Refused, ...]]:
    """The documents of a shelf; one whose bytes have changed since the import is refused."""
    documents: list[Document] = []
    refused: list[Refused] = []
    for card in sorted(cards(folder).values(), key=lambda c: c.id):
        try:
            documents.append(shelved_document(folder, card))
        except AdvisoryError as error:
            refused.append((card.file, error.why))
    return tuple(documents), tuple(refused)


def shelved_document(folder: Path, card: Card) -> Document:
    """One document of a shelf.

    Raises :class:`~wardwatch.errors.AdvisoryError` where it is gone, or its bytes are not those
    that were imported.
    """
    try:
        raw = (folder / "documents" / card.file).read_bytes()
    except OSError as error:
        raise AdvisoryError(card.file, f"cannot be read ({error.strerror})", "import it anew") from error  # fmt: skip
    if hashlib.sha512(raw).hexdigest() != card.sha512:
        raise AdvisoryError(card.file, "has changed since it was imported", "import it anew")
    return read_document(raw, card.source)


def shelved_hashes(folder: Path) -> frozenset[str]:
    """SHA-512 of every document of a shelf that is whole, of its bytes as they are now."""
    return frozenset(c.sha512 for c in cards(folder).values() if _whole(folder, c))


def write_whole(path: Path, raw: bytes) -> None:
    """Write a file whole or not at all."""
    aside = path.with_name(f".{path.name}.part")
    aside.write_bytes(raw)
    os.replace(aside, path)  # noqa: PTH105 -- the atomic one


def _whole(folder: Path, card: Card) -> bool:
    try:
        raw = (folder / "documents" / card.file).read_bytes()
    except OSError:
        return False
    return hashlib.sha512(raw).hexdigest() == card.sha512


def _take(
    found: Iterable[Found], check: Callable[[bytes, bytes], str] | None
) -> tuple[list[_Taken], list[Refused]]:
    documents: dict[str, bytes] = {}
    beside: dict[str, bytes] = {}
    refused: list[Refused] = []
    for file in found:
        if file.refused:
            refused.append((file.name, file.refused))
        elif file.name.casefold().endswith((".sha512", ".asc", ".sha256")):
            beside[file.name] = file.raw
        elif not file.name.casefold().endswith(ASIDE):
            documents[file.name] = file.raw
    taken: list[_Taken] = []
    for name, raw in documents.items():
        try:
            taken.append(_checked(name, raw, beside, check))
        except AdvisoryError as error:
            refused.append((name, error.why))
    return taken, refused


def _checked(
    name: str, raw: bytes, beside: dict[str, bytes], check: Callable[[bytes, bytes], str] | None
) -> _Taken:
    stated = beside.get(f"{name}.sha512")
    if stated is not None:
        words = stated.decode("ascii", "replace").split()
        if not words or words[0].casefold() != hashlib.sha512(raw).hexdigest():
            raise AdvisoryError(name, "does not match its .sha512", "fetch both anew")
    signed_by = ""
    if check is not None:
        signature = beside.get(f"{name}.asc")
        if signature is None:
            raise AdvisoryError(name, "has no signature (.asc) beside it", "fetch it with the document")  # fmt: skip
        try:
            signed_by = check(raw, signature)
        except ValueError as error:
            raise AdvisoryError(name, f"is not signed by the pinned key ({error})", "fetch it anew, and do not use this copy") from error  # fmt: skip
    document = read_document(raw, name)
    if problem := _schema_problem(raw):
        raise AdvisoryError(name, f"breaks the CSAF schema: {problem}", "tell its publisher, or leave it out")  # fmt: skip
    return _Taken(document, raw, stated is not None, signed_by)


def _schema_problem(raw: bytes) -> str:
    from wardwatch.advise.schema import problem

    return problem(raw)


def cards(folder: Path) -> dict[str, Card]:
    """The index of a shelf, by id; empty where there is no shelf.

    Raises :class:`~wardwatch.errors.AdvisoryError` where it is damaged.
    """
    path = folder / "index.json"
    if not path.exists():
        return {}
    try:
        cards = msgspec.json.decode(path.read_bytes(), type=tuple[Card, ...])
    except (OSError, msgspec.DecodeError) as error:
        raise AdvisoryError(str(path), f"is no index of a shelf ({error})", "remove it, and import again") from error  # fmt: skip
    for card in cards:
        if Path(card.file).name != card.file:
            raise AdvisoryError(str(path), f"names a file outside of the shelf: {card.file!r}", "remove it, and import again")  # fmt: skip
    return {card.id: card for card in cards}


def _shelve(folder: Path, kept: dict[str, Card], item: _Taken) -> Shelved:
    document = item.document
    old = kept.get(document.id)
    change, remark = "new", ""
    if old is not None:
        change = "same" if old.sha512 == document.sha512 else "replaced"
        if change == "replaced" and old.revision == document.revision:
            remark = f"other bytes under the same revision {document.revision}"
        elif change == "replaced" and document.current < old.current:
            change, remark = "kept", f"older ({document.current}) than the one on the shelf ({old.current})"  # fmt: skip
        elif change == "same" and not _whole(folder, old):
            change, remark = "replaced", "its copy on the shelf was damaged"
    if change in ("new", "replaced"):
        # The name is made of the id's safe characters and the hash: a hostile id chooses no path.
        safe = re.sub(r"[^a-z0-9-]+", "-", document.id.casefold())[:80].strip("-")
        file = f"{safe}-{document.sha512[:12]}.json"
        write_whole(folder / "documents" / file, item.raw)
        kept[document.id] = Card(document.id, file, document.sha512, document.revision, document.current, document.source, item.signed_by)  # fmt: skip
    return Shelved(document.id, document.source, document.sha512, document.revision, change, item.hash_checked, item.signed_by, remark)  # fmt: skip


def _remarks(key: Path | None) -> tuple[str, ...]:
    from wardwatch.advise.schema import available

    remarks = []
    if key is None:
        remarks.append("signatures were not checked: pin the publisher's key with --key")
    if not available():
        remarks.append("the CSAF schema was not checked, structure was (the packages csaf and jsonschema-rs are not here: pip install csaf jsonschema-rs)")  # fmt: skip
    return tuple(remarks)
