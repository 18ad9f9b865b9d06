"""The knowledge pack: makers, product families and readings of documents, each with its source."""

# Annotations are not deferred: msgspec would compile the text of each when it first decodes one.

from functools import cache

import msgspec

from wardwatch.packs import read


class Owns(msgspec.Struct, frozen=True):
    """One acquisition: from when on a maker answers for another's products."""

    maker: str
    since: str
    source: str


class SellsAs(msgspec.Struct, frozen=True):
    """Another maker's name under which its products are sold."""

    maker: str
    source: str


class Maker(msgspec.Struct, frozen=True):
    """A manufacturer and the names it goes by."""

    id: str
    name: str
    names: tuple[str, ...]
    owns: tuple[Owns, ...] = ()
    sells_as: tuple[SellsAs, ...] = ()


class Family(msgspec.Struct, frozen=True):
    """One product as people name it."""

    id: str
    name: str
    makers: tuple[str, ...]
    names: tuple[str, ...]
    brands: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    """Families of components that it hosts, with versions of their own."""
    models: tuple[str, ...] = ()
    """Families of which this is the name without a model."""
    source: str = "the naming of the advisories themselves"


class Scope(msgspec.Struct, frozen=True):
    """CVEs with versions of their own."""

    cves: tuple[str, ...]
    affected: str


class Maybe(msgspec.Struct, frozen=True):
    """CVEs that hang on a fact."""

    cves: tuple[str, ...]
    fact: str


class Case(msgspec.Struct, frozen=True):
    """Versions that the text treats apart."""

    versions: str
    status: str
    why: str
    cves: tuple[str, ...] = ()


class Entry(msgspec.Struct, frozen=True):
    """What a document says of one product, by our reading of its own text."""

    restates: tuple[str, ...] = ()
    family: str = ""
    families: tuple[str, ...] = ()
    product: str = ""
    makers: tuple[str, ...] = ()
    """Who makes it, where the file's vendor does not say."""
    affected: str = ""
    fixed: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    cves: tuple[str, ...] | None = None
    maybe: tuple[Maybe, ...] = ()
    scopes: tuple[Scope, ...] = ()
    cases: tuple[Case, ...] = ()
    when: str = ""
    component: str = ""
    fact: str = ""
    drop: bool = False
    why: str = ""
    source: str = ""


class Reading(msgspec.Struct, frozen=True):
    """What lies over one document."""

    advisory: str
    entry: tuple[Entry, ...] = ()
    every_product: bool = False
    """Every product of the tree is meant by every CVE, whatever the file marks."""
    why: str = ""


@cache
def makers() -> tuple[Maker, ...]:
    """Manufacturers, in the order of the pack."""
    return read("advise/knowledge/makers.toml", dict[str, tuple[Maker, ...]])["maker"]


@cache
def families() -> dict[str, Family]:
    """Product families by id."""
    rows = read("advise/knowledge/families.toml", dict[str, tuple[Family, ...]])
    return {row.id: row for row in rows["family"]}


@cache
def readings() -> dict[str, Reading]:
    """Our readings of documents, by advisory."""
    rows = read("advise/knowledge/readings.toml", dict[str, tuple[Reading, ...]])
    return {row.advisory: row for row in rows["reading"]}
