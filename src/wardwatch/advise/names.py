"""What the documents of a shelf can be met by, kept beside them: an audit reads only what may concern it.

The file ``names.msgpack`` is made from the documents and our knowledge, and made anew whenever one
of the two has changed; nothing is lost with it. That of our own records comes with wardwatch.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from wardwatch.advise import own
from wardwatch.advise.said import Statement
from wardwatch.errors import AdvisoryError
from wardwatch.packs import seal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wardwatch.advise.assets import Met
    from wardwatch.advise.csaf import Document
    from wardwatch.advise.store import Card, Refused

FILE = "names.msgpack"
OWN = own.FILE.with_name(FILE)
"""The names of our own records, as ``make packs`` ships them."""
MAX_BYTES = 256 * 1024 * 1024
"""Some 6 kB a document; a shelf of 40,000 is beyond any provider."""


class Named(msgspec.Struct, frozen=True):
    """One document by its names, with its statements as they are held against devices."""

    id: str
    sha512: str
    makers: frozenset[str]
    families: frozenset[str]
    atoms: frozenset[str]
    """Words, codes and whole names of its products."""
    said: msgspec.Raw
    """Its statements, not decoded until they are asked for."""

    @property
    def statements(self) -> tuple[Statement, ...]:
        """What it says of each product."""
        return msgspec.msgpack.decode(self.said, type=tuple[Statement, ...])

    def may_concern(self, met: Met) -> bool:
        """Whether a device may be meant: its maker, its family, or all the words of its name."""
        return bool(
            self.makers & met.makers
            or self.families & met.families
            or met.codes & self.atoms
            or met.tight in self.atoms
            or (met.core and met.core <= self.atoms)
            or (met.full and met.full <= self.atoms)
        )


class _File(msgspec.Struct, frozen=True):
    made_of: str
    documents: tuple[Named, ...]


class _Own(msgspec.Struct, frozen=True):
    seal: str
    """Over what the names were made of, and the names."""
    documents: msgspec.Raw


def named(document: Document) -> Named:
    """A document by its names."""
    from wardwatch.advise.statements import statements  # most were made before

    said = statements(document)
    return Named(
        id=document.id,
        sha512=document.sha512,
        makers=frozenset(m for s in said for m in s.makers),
        families=frozenset(f for s in said for f in s.families),
        atoms=frozenset(
            atom
            for s in said
            for name in (*s.names, *s.excluded)
            for atom in (*name.core, *name.full, *name.codes, name.tight)
        )
        | frozenset(atom for s in said for atom in s.context),
        said=msgspec.Raw(msgspec.msgpack.encode(said, order="deterministic")),
    )


@cache
def own_names() -> tuple[Named, ...]:
    """The names of our own records, by id: as they came, or made anew where those do not fit."""
    try:
        kept = msgspec.msgpack.decode(OWN.read_bytes(), type=_Own)
        if kept.seal == seal(_own_made_of(), kept.documents):
            return msgspec.msgpack.decode(kept.documents, type=tuple[Named, ...])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass  # absent or damaged
    return _own_made()


def packed_own() -> bytes:
    """The file of the names of our own records."""
    documents = msgspec.msgpack.encode(_own_made(), order="deterministic")
    kept = _Own(seal(_own_made_of(), documents), msgspec.Raw(documents))
    return msgspec.msgpack.encode(kept)


def refresh(
    folder: Path, documents: Iterable[Document] = ()
) -> tuple[tuple[Named, ...], tuple[Refused, ...]]:
    """The names of a whole shelf, those that are missing or out of date made anew, and kept.

    ``documents`` are those already at hand; others are read. One that cannot be read is refused.
    """
    from wardwatch.advise.store import cards, shelved_document, write_whole  # few have a shelf

    kept = {name.sha512: name for name in _kept(folder)}
    given = {document.sha512: document for document in documents}
    found: list[Named] = []
    refused: list[Refused] = []
    changed = False
    shelf = cards(folder)
    for card in sorted(shelf.values(), key=lambda c: c.id):
        name = kept.get(card.sha512)
        if name is None:
            changed = True
            try:
                name = named(given.get(card.sha512) or shelved_document(folder, card))
            except AdvisoryError as error:
                refused.append((card.file, error.why))
                continue
        found.append(name)
    if changed or len(kept) > len(found):
        # A shelf that may only be read is made anew in memory each time: slower, and no worse.
        with suppress(OSError):
            write_whole(folder / FILE, msgspec.msgpack.encode(_File(_made_of(), tuple(found))))
    return tuple(found), tuple(refused)


def concerning(names: Sequence[Named], met: Sequence[Met]) -> tuple[Named, ...]:
    """The documents that may concern any of the devices, and all others of the makers of those.

    The others are needed: that a product is the only one of its maker is a reason.
    """
    first = [name for name in names if any(name.may_concern(one) for one in met)]
    makers = frozenset(maker for name in first for maker in name.makers)
    return tuple(name for name in names if name.makers & makers)


def shelved(folder: Path, ids: Iterable[str]) -> tuple[dict[str, Document], tuple[Refused, ...]]:
    """The documents of some ids."""
    from wardwatch.advise.store import cards, shelved_document

    shelf: dict[str, Card] = cards(folder)
    found: dict[str, Document] = {}
    refused: list[Refused] = []
    for id_ in ids:
        if id_ in shelf:
            try:
                found[id_] = shelved_document(folder, shelf[id_])
            except AdvisoryError as error:
                refused.append((shelf[id_].file, error.why))
    return found, tuple(refused)


def _kept(folder: Path) -> tuple[Named, ...]:
    path = folder / FILE
    try:
        if path.stat().st_size > MAX_BYTES:
            return ()
        kept = msgspec.msgpack.decode(path.read_bytes(), type=_File)
    except (OSError, msgspec.DecodeError):
        return ()  # absent or damaged: made anew
    return kept.documents if kept.made_of == _made_of() else ()


@cache
def _made_of() -> str:
    """A digest of our knowledge and of the rules that read names and versions."""
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for name in ("makers", "families", "readings"):
        digest.update((folder / "knowledge" / f"{name}.toml").read_bytes())
    for name in _RULES:
        source = folder / f"{name}.py"
        digest.update(source.read_bytes() if source.is_file() else name.encode())
    return digest.hexdigest()


_RULES = (
    "csaf",
    "families",
    "knowledge/__init__",
    "makers",
    "names",
    "naming",
    "ranges",
    "repair",
    "said",
    "statements",
)


def _own_made() -> tuple[Named, ...]:
    return tuple(named(document) for document in own.own_records())


def _own_made_of() -> bytes:
    source = Path(own.__file__)
    rules = source.read_bytes() if source.is_file() else b""
    return b"\0".join((_made_of().encode(), rules, own.FILE.read_bytes()))
