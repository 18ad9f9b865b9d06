"""CSAF 2.0 documents read into rows: what the file says, unchanged, and nothing it does not say.

A document comes from outside. Size, nesting, counts and types are checked before anything is
believed, and one that breaks them is refused by name, with the reason.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from wardwatch.errors import AdvisoryError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 8 * 1024 * 1024
"""The largest document of the OT corpus is below 1 MB."""
MAX_DEPTH = 64
"""Branches nest three to five deep; the schema does not bound them."""
MAX_ITEMS = 200_000
"""Values in one document; the largest honest one has some 20,000."""
MAX_TEXT = 20_000
"""Characters kept of a note or a remediation."""


class Leaf(msgspec.Struct, frozen=True):
    """One product of the ``product_tree``."""

    product_id: str
    vendor: str
    product: str
    version: str
    """The branch's words: a version, a range, sometimes a model."""
    category: str
    """``product_version``, ``product_version_range``, or whatever ends the path."""
    name: str
    """``product.name``: often more faithful than the branch."""
    hosts: tuple[str, ...] = ()
    """Product ids this one is installed in, by ``relationships``."""


class Score(msgspec.Struct, frozen=True):
    """One entry of ``scores``."""

    vector: str
    base_score: float
    product_ids: tuple[str, ...]


class Remedy(msgspec.Struct, frozen=True):
    """One entry of ``remediations``."""

    category: str
    details: str
    product_ids: tuple[str, ...]


class Flaw(msgspec.Struct, frozen=True):
    """One entry of ``vulnerabilities``."""

    cve: str
    title: str
    cwe: str
    notes: tuple[str, ...]
    affected: tuple[str, ...]
    """Product ids of ``known_affected``, ``first_affected`` and ``last_affected``."""
    fixed: tuple[str, ...]
    not_affected: tuple[str, ...]
    scores: tuple[Score, ...]
    remedies: tuple[Remedy, ...]


class Document(msgspec.Struct, frozen=True):
    """One advisory as its file says it."""

    id: str
    title: str
    publisher: str
    category: str
    tlp: str
    initial: str
    current: str
    revision: str
    sha512: str
    """Of the bytes read: a revision number alone is not trusted."""
    source: str
    """Name of the file, within its archive where there is one."""
    leaves: tuple[Leaf, ...]
    flaws: tuple[Flaw, ...]
    url: str = ""
    """Where its publisher shows it, by the ``self`` references; "" not said."""


def read_document(raw: bytes, source: str) -> Document:
    """A document from its bytes.

    Raises :class:`~wardwatch.errors.AdvisoryError`: what is wrong with it, and where.
    """
    import orjson

    if len(raw) > MAX_BYTES:
        raise _refused(source, f"is larger than {MAX_BYTES // 1024 // 1024} MB")
    if _nesting(raw) > MAX_DEPTH:
        raise _refused(source, f"nests more than {MAX_DEPTH} deep")
    try:
        data = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise _refused(source, f"is no JSON ({error})") from error
    if raw.count(b",") + raw.count(b":") > MAX_ITEMS:
        raise _refused(source, f"holds more than {MAX_ITEMS} values")
    if not isinstance(data, dict) or not isinstance(data.get("document"), dict):
        raise _refused(source, "is no CSAF document: it has no object 'document'")
    reader = _Reader(source)
    head = data["document"]
    if reader.text(head, "csaf_version") != "2.0":
        raise _refused(source, f"is of CSAF version {head.get('csaf_version')!r}, not 2.0")
    tracking = reader.table(head, "tracking")
    identity = reader.text(tracking, "id").strip()
    if not identity:
        raise _refused(source, "has no document.tracking.id")
    tree = reader.table(data, "product_tree")
    distribution = reader.table(reader.table(head, "distribution"), "tlp")
    return Document(
        id=identity[:200],
        title=reader.text(head, "title").strip()[:500],
        publisher=reader.text(reader.table(head, "publisher"), "name")[:200],
        category=reader.text(head, "category")[:100],
        tlp=reader.text(distribution, "label")[:20],
        initial=reader.text(tracking, "initial_release_date")[:10],
        current=reader.text(tracking, "current_release_date")[:10],
        revision=reader.text(tracking, "version")[:40],
        sha512=hashlib.sha512(raw).hexdigest(),
        source=source,
        leaves=tuple(reader.leaves(tree)),
        flaws=tuple(reader.flaw(v) for v in reader.tables(data, "vulnerabilities")),
        url=reader.url(head),
    )


def _refused(source: str, problem: str) -> AdvisoryError:
    return AdvisoryError(source, problem, "fetch it anew from its publisher, or leave it out")


def _nesting(raw: bytes) -> int:
    """How deep brackets nest outside of strings, without parsing: a bomb must not reach a parser."""
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return 0
    import re

    depth = deepest = 0
    for found in re.finditer(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', raw, re.DOTALL):
        sign = found[0]
        if sign in (b"[", b"{"):
            depth += 1
            if depth > deepest:
                deepest = depth
                if deepest > MAX_DEPTH:
                    break
        elif sign in (b"]", b"}"):
            depth -= 1
    return deepest


class _Reader:
    """Typed access to parsed JSON: a wrong type is named and refused."""

    def __init__(self, source: str) -> None:
        self.source = source

    def text(self, of: dict[str, Any], key: str) -> str:
        value = of.get(key, "")
        if not isinstance(value, str):
            raise _refused(self.source, f"has a {type(value).__name__} where {key!r} is a text")
        return value

    def table(self, of: dict[str, Any], key: str) -> dict[str, Any]:
        value = of.get(key, {})
        if not isinstance(value, dict):
            raise _refused(self.source, f"has a {type(value).__name__} where {key!r} is an object")
        return value

    def tables(self, of: dict[str, Any], key: str) -> list[dict[str, Any]]:
        value = of.get(key, [])
        if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
            raise _refused(self.source, f"has {key!r} that is no list of objects")
        return value

    def texts(self, of: dict[str, Any], key: str) -> tuple[str, ...]:
        value = of.get(key, [])
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise _refused(self.source, f"has {key!r} that is no list of texts")
        return tuple(value)

    def url(self, head: dict[str, Any]) -> str:
        """The page of the document, else its file; only what a page may link to."""
        own = [
            self.text(r, "url")[:500]
            for r in self.tables(head, "references")
            if self.text(r, "category") == "self"
        ]
        own = [url for url in own if url.startswith(("https://", "http://")) and " " not in url]
        return next((url for url in own if not url.endswith(".json")), own[0] if own else "")

    def leaves(self, tree: dict[str, Any]) -> Iterator[Leaf]:
        hosts: dict[str, list[str]] = {}
        combined: list[tuple[str, str, str]] = []
        for relation in self.tables(tree, "relationships"):
            part = self.text(relation, "product_reference")
            host = self.text(relation, "relates_to_product_reference")
            hosts.setdefault(part, []).append(host)
            full = self.table(relation, "full_product_name")
            combined.append((self.text(full, "product_id"), self.text(full, "name"), part))
        known: dict[str, Leaf] = {}
        for leaf in self._branch(tree, ()):
            known[leaf.product_id] = leaf
            yield msgspec.structs.replace(leaf, hosts=tuple(hosts.get(leaf.product_id, ())))
        for bare in self.tables(tree, "full_product_names"):
            yield Leaf(self.text(bare, "product_id"), "", self.text(bare, "name")[:500], "", "full_product_name",
                       self.text(bare, "name")[:500])  # fmt: skip
        for product_id, name, part in combined:
            if (of := known.get(part)) and product_id:
                yield msgspec.structs.replace(of, product_id=product_id, name=name[:500])

    def _branch(self, of: dict[str, Any], path: tuple[tuple[str, str], ...]) -> Iterator[Leaf]:
        for branch in self.tables(of, "branches"):
            own = (*path, (self.text(branch, "category"), self.text(branch, "name")[:500]))
            if "product" in branch:
                product = self.table(branch, "product")
                words = dict(own)
                last = own[-1]
                yield Leaf(
                    product_id=self.text(product, "product_id"),
                    vendor=words.get("vendor", "").strip(),
                    product=(words.get("product_name") or words.get("product_family", "")).strip(),
                    version=words.get("product_version") or words.get("product_version_range", ""),
                    category=last[0],
                    name=self.text(product, "name")[:1000],
                )
            yield from self._branch(branch, own)

    def flaw(self, of: dict[str, Any]) -> Flaw:
        status = self.table(of, "product_status")
        remedies = tuple(
            Remedy(self.text(r, "category"), self.text(r, "details")[:MAX_TEXT], self.texts(r, "product_ids"))
            for r in self.tables(of, "remediations")
        )  # fmt: skip
        scores = []
        for entry in self.tables(of, "scores"):
            cvss = self.table(entry, "cvss_v3") or self.table(entry, "cvss_v2")
            base = cvss.get("baseScore", -1.0)
            if isinstance(base, bool) or not isinstance(base, int | float):
                raise _refused(self.source, "has a baseScore that is no number")
            scores.append(
                Score(self.text(cvss, "vectorString"), float(base), self.texts(entry, "products"))
            )
        affected = [
            p for kind in ("known_affected", "first_affected", "last_affected")
            for p in self.texts(status, kind)
        ]  # fmt: skip
        fixed = (*self.texts(status, "fixed"), *self.texts(status, "first_fixed"))
        return Flaw(
            cve=self.text(of, "cve").strip()[:40],
            title=self.text(of, "title")[:500],
            cwe=self.text(self.table(of, "cwe"), "id"),
            notes=tuple(self.text(n, "text")[:MAX_TEXT] for n in self.tables(of, "notes")),
            affected=tuple(dict.fromkeys(affected)),
            fixed=fixed,
            not_affected=self.texts(status, "known_not_affected"),
            scores=tuple(scores),
            remedies=remedies,
        )
