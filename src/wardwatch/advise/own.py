"""Our own records of the infusion pumps' advisories: a shelf before anything is imported.

Facts restated, scores from the text where the file was found wrong. An imported document of the
same id takes a record's place.
"""

# Annotations are not deferred: msgspec would compile the text of each when it first decodes one.

from functools import cache
from pathlib import Path

import msgspec

from wardwatch.advise.csaf import Document, Flaw, Leaf, Score


class _Flaw(msgspec.Struct, frozen=True):
    cve: str
    cwe: str
    vector: str
    score: float
    products: tuple[int, ...] = ()
    """Places of the products it marks; none means all."""
    scope: str = ""


class _Record(msgspec.Struct, frozen=True):
    id: str
    title: str
    vendor: str
    initial: str
    current: str
    revision: str
    products: tuple[tuple[str, str, str], ...]
    """Product id, product, versions."""
    flaws: tuple[_Flaw, ...]


class _Id(msgspec.Struct, frozen=True):
    id: str


SOURCE = "wardwatch's own record"
FILE = Path(__file__).parent / "records" / "pumps.json"


@cache
def own_records() -> tuple[Document, ...]:
    """The records that ship with wardwatch, as documents, by id."""
    rows = msgspec.json.decode(FILE.read_bytes(), type=tuple[_Record, ...])
    return tuple(_document(row) for row in rows)


@cache
def own_ids() -> frozenset[str]:
    """Their ids alone, which is all that most audits need of them."""
    return frozenset(row.id for row in msgspec.json.decode(FILE.read_bytes(), type=tuple[_Id, ...]))


def _document(row: _Record) -> Document:
    ids = tuple(product_id for product_id, _, _ in row.products)
    return Document(
        id=row.id,
        title=row.title,
        publisher="restated by wardwatch from CISA's advisory",
        category="csaf_security_advisory",
        tlp="WHITE",
        initial=row.initial,
        current=row.current,
        revision=row.revision,
        sha512="",
        source=SOURCE,
        leaves=tuple(
            Leaf(product_id, row.vendor, product, versions, "product_version", product)
            for product_id, product, versions in row.products
        ),
        flaws=tuple(
            Flaw(
                cve=flaw.cve,
                title="",
                cwe=flaw.cwe,
                notes=(flaw.scope,) if flaw.scope else (),
                affected=tuple(ids[i] for i in flaw.products) or ids,
                fixed=(),
                not_affected=(),
                scores=(Score(flaw.vector, flaw.score, ids),) if flaw.vector else (),
                remedies=(),
            )
            for flaw in row.flaws
        ),
    )
