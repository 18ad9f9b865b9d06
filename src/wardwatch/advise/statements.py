"""What a document says of each product, as statements that a device can be held against.

A leaf of the product tree becomes a statement; where our reading of the document's own text says
more (:mod:`wardwatch.advise.knowledge`), that lies over it. Both keep the words they rest on.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wardwatch.advise.families import families_of
from wardwatch.advise.knowledge import Maybe, families, readings
from wardwatch.advise.makers import makers_of
from wardwatch.advise.naming import Name, name_of
from wardwatch.advise.ranges import parse_range, parse_version
from wardwatch.advise.repair import cves_in, disagreement, impacted_by
from wardwatch.advise.said import Statement

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wardwatch.advise.csaf import Document, Leaf, Remedy
    from wardwatch.advise.knowledge import Entry
    from wardwatch.advise.ranges import Range, Version


_CONDITION = re.compile(
    r"(?i)^\*|\bwith\b|\bdistributed\b|\bmanufactured\b|\brunning\b|\bintegrated\b|\brelease\b|\bwindows\b|[<>]"
)
"""Words of a version statement that set a condition, rather than name a product."""
_RESIDUAL = re.compile(
    r"(?i)\bexcept(?:ing|ion of)?\b|\bstill (?:present|affected|vulnerable)\b|\bpartial(?:ly)?\b|\bremains?\b"
    r"|\bnot (?:yet )?(?:be )?(?:fixed|addressed|remediated|mitigated|resolved)\b"
)
"""Words by which a fix is not the whole fix."""
_CURE = re.compile(
    r"(?i)\b(?:updat|upgrad|releas|fix|address|remediat|mitigat|correct|resolv|patch|produc)\w*"
)
_ELSEWHERE = re.compile(
    r"(?i)\b(?:windows|android|ios|tls|ssl|kb\d|prior to|and (?:prior|earlier))\b"
)
"""Sentences whose versions are another product's, or the affected ones again."""
_RELEASE = re.compile(
    r"(?i)\b(?:versions?|release|to|v|r)\s*\.?\s*(\d+(?:\.\d+){1,4}[a-z]?)\b(?!\.\d)"
)
_EXCEPT = re.compile(
    r"(?i)^(.*?),?\s*\(?\b(?:not including|excluding|except(?:\s+for)?)\b\s*(.*?)\)?$"
)
_EITHER = re.compile(r"(?<![\w/])\d{3,5}[A-Za-z]{0,3}(?:/\d{3,5}[A-Za-z]{0,3})+(?![\w/])")
"""Model numbers side by side, between blanks."""
_SERIES = re.compile(r"(?<!\w)\dx\d(?!\w)")
"""Model numbers of a series, one digit left open."""
_SHORT = re.compile(r"\(([A-Z][A-Za-z0-9 -]{1,9}[A-Za-z0-9])\)")


def statements(document: Document) -> tuple[Statement, ...]:
    """All that a document says of products, our reading over its data."""
    reading = readings().get(document.id)
    every = tuple(leaf.product_id for leaf in document.leaves)
    marked: dict[str, list[str]] = {}
    for flaw in document.flaws:
        for product_id in every if reading and reading.every_product else flaw.affected:
            marked.setdefault(product_id, []).append(flaw.cve)
    found: list[Statement] = []
    restated: set[str] = set()
    for entry in reading.entry if reading else ():
        own = every if "*" in entry.restates else entry.restates
        restated.update(own)
        if not entry.drop:
            found.append(_read(document, entry, own, marked))
    rest = [leaf for leaf in document.leaves if leaf.product_id not in restated]
    found += _plain(document, rest, marked)
    return tuple(found)


def _read(
    document: Document, entry: Entry, own: Sequence[str], marked: dict[str, list[str]]
) -> Statement:
    ids = frozenset((entry.family, *entry.families)) - {""}
    vendors = sorted({leaf.vendor for leaf in document.leaves if leaf.product_id in own})
    named = frozenset(m for vendor in vendors for m in makers_of(vendor))
    named |= frozenset(entry.makers)
    pack = families()
    for family in ids:
        named |= frozenset(pack[family].makers)
    cves = entry.cves
    if cves is None:
        cves = tuple(dict.fromkeys(cve for product_id in own for cve in marked.get(product_id, ())))
        cves = cves or tuple(flaw.cve for flaw in document.flaws)
    # What stands in the text alone (a host in a leaf's name, a fix in a remediation) restates no leaf.
    words = [_wording(leaf) for leaf in document.leaves if leaf.product_id in own or not own]
    # A corpus may lack a CVE of ours; an invented one must not come of it.
    known = {flaw.cve for flaw in document.flaws}
    return Statement(
        advisory=document.id,
        product=entry.product or ", ".join(sorted(pack[family].name for family in ids)),
        makers=named,
        families=ids,
        names=tuple(name_of(entry.product, v) for v in vendors or ("",)) if entry.product else (),
        excluded=(),
        excluded_versions=(),
        context=frozenset(),
        affected=parse_range(entry.affected) if entry.affected else None,
        fixed=tuple(v for v in map(parse_version, entry.fixed) if v is not None),
        named=(),
        models=entry.models,
        cves=tuple(cve for cve in cves if cve in known),
        maybe=tuple(
            Maybe(tuple(c for c in maybe.cves if c in known), maybe.fact) for maybe in entry.maybe
        ),
        scopes=tuple(
            (scope.cves, where) for scope in entry.scopes if (where := parse_range(scope.affected))
        ),
        cases=tuple((where, case) for case in entry.cases if (where := parse_range(case.versions))),
        when=entry.when,
        proviso="",
        residual="",
        component=entry.component,
        fact=entry.fact,
        doubt="",
        other=None,
        text="; ".join(dict.fromkeys(words))[:600],
        origin=f"reading: {entry.source}",
        why=entry.why,
    )


def _plain(
    document: Document, leaves: Sequence[Leaf], marked: dict[str, list[str]]
) -> Iterator[Statement]:
    """Statements of leaves as they stand; leaves of one product are alternatives of one."""
    grouped: dict[tuple[str, str, tuple[str, ...], str], list[Leaf]] = {}
    for leaf in leaves:
        cves = tuple(marked.get(leaf.product_id, ()))
        if narrowed := impacted_by(leaf):
            cves = tuple(cve for cve in cves if cve in narrowed)
        if not cves:
            continue
        # A version that is none ("882300 Gemini 16 Slice") belongs to the product's name.
        odd = "" if parse_range(_bare(leaf.version)[0]) else leaf.version
        grouped.setdefault((leaf.vendor, leaf.product, cves, odd), []).append(leaf)
    alone = len({leaf.product for leaf in document.leaves}) == 1
    fixes = _named_fixes(document)
    products = {name_of(leaf.product).full for leaf in document.leaves}
    titled = name_of(_titled(document)).full
    for (vendor, product, cves, odd), own in grouped.items():
        left = _residual(document, own)
        title, excluded = product, ""
        if found := _EXCEPT.match(product):
            title, excluded = found[1], found[2]
        taken_out = [
            _taken_out(part, vendor) for part in re.split(r",|\band\b", excluded) if part.strip()
        ]
        text = "; ".join(dict.fromkeys(_wording(leaf) for leaf in own))[:600]
        bare = [_bare(leaf.version) for leaf in own]
        affected = parse_range(" | ".join(dict.fromkeys(version for version, _ in bare)))
        proviso = bare[0][1] if len(own) == 1 else ""
        other, doubt = _doubt(own)
        when = ""
        if affected is None and odd:
            affected = parse_range("*")
            if _CONDITION.search(odd):
                when = f"this fits it: {odd}"
                odd = ""
        ids = families_of(f"{title} {odd}".strip())
        named = makers_of(vendor)
        pack = families()
        ids = frozenset(f for f in ids if named & frozenset(pack[f].makers))
        # "IntelliVue MX40" is of the MX40, not of whatever is called IntelliVue MX.
        ids -= {f for f in ids if ids & frozenset(pack[f].models)}
        yield Statement(
            advisory=document.id,
            product=f"{title} {odd}".strip(),
            makers=named | frozenset(m for f in ids for m in pack[f].makers),
            families=ids,
            names=tuple(_names(f"{title} {odd}".strip() if odd else title, odd, vendor)),
            excluded=tuple(name for name, _ in taken_out),
            excluded_versions=tuple(versions for _, versions in taken_out),
            context=titled - {a for p in products if not name_of(title).full <= p for a in p},
            affected=affected,
            fixed=(),
            named=fixes if alone else (),
            models=(),
            cves=cves,
            maybe=(),
            scopes=(),
            cases=(),
            when=when,
            proviso=proviso,
            residual=left,
            component="",
            fact="",
            doubt=doubt,
            other=other,
            text=text,
            origin="branch and leaf name",
        )  # fmt: skip


def _taken_out(part: str, vendor: str) -> tuple[Name, Range | None]:
    """A product that the words take out, and the versions of it that they mean."""
    part = re.sub(r"(?i)\bproduct (?:line|family|range)\b", " ", part)
    found = re.match(r"^(.+?)\s+R?(\d+)\s*-\s*R?(\d+)\s*$", part)
    if found is None:
        return name_of(part, vendor), None
    return name_of(found[1], vendor), parse_range(f">= {found[2]}, <= {found[3]}.x")


def _titled(document: Document) -> str:
    """The title without the document's own number and the mark of its update."""
    return re.sub(
        r"^ICSM?A-[\w-]+?_|\(Update \w+\)|(?i:\bvulnerabilit(?:y|ies)\b)", " ", document.title
    )


def _wording(leaf: Leaf) -> str:
    """A leaf's own name, with its branch's versions where the name is the product's alone."""
    return leaf.name if leaf.name != leaf.product else f"{leaf.name} {leaf.version}".strip()


def _bare(version: str) -> tuple[str, str]:
    """A version statement without the condition that follows it, and that condition."""
    found = re.match(r"^(\s*(?:<=?|>=?)?\s*[\w.]*\d[\w.]*)\s+((?:running\s+)?(?:on|with|under)\s+\S.*)$", version)  # fmt: skip
    return (found[1], found[2]) if found else (version, "")


def _residual(document: Document, leaves: Sequence[Leaf]) -> str:
    """A sentence of the remediations that leaves CVEs open in a fixed release; "" none."""
    ids = {leaf.product_id for leaf in leaves}
    for remedy in _remedies(document):
        if not remedy.product_ids or ids & set(remedy.product_ids):
            for sentence in re.split(r"(?<=[.;])\s+", remedy.details):
                if _RESIDUAL.search(sentence) and cves_in(sentence):
                    return sentence[:300]
    return ""


def _named_fixes(document: Document) -> tuple[Version, ...]:
    """Releases that the remediations name as the cure, in the order of their being named.

    They only widen what is unknown: between the last affected and these the document is silent.
    """
    found: dict[str, Version] = {}
    for remedy in _remedies(document):
        for sentence in re.split(r"(?<=[.;:])\s+", remedy.details):
            if _CURE.search(sentence) and not _ELSEWHERE.search(sentence):
                for text in _RELEASE.findall(sentence):
                    version = parse_version(text)
                    if version is not None:
                        found.setdefault(text, version)
    return tuple(found.values())


def _remedies(document: Document) -> list[Remedy]:
    return list({r.details: r for flaw in document.flaws for r in flaw.remedies}.values())


def _doubt(leaves: Sequence[Leaf]) -> tuple[Range | None, str]:
    """Where one leaf's name states other versions than its branch, both, as a doubt."""
    return disagreement(leaves[0]) if len(leaves) == 1 else (None, "")


def _names(title: str, odd: str, vendor: str) -> Iterator[Name]:
    yield name_of(re.sub(r"\([^()]*\)", " ", title), vendor)
    if "(" in title:
        yield name_of(title, vendor)
    if odd:
        yield name_of(odd, vendor)
    for short in _SHORT.findall(title):
        yield name_of(short, vendor)
    if re.fullmatch(r"[\w .+-]+(?:/[\w .+-]+)+", title) and len(title.split()) < 4:
        for part in title.split("/"):
            yield name_of(part, vendor)
    # "NextSeq 1000/2000 Control Software" is two products of one line.
    if (found := _EITHER.search(title)) and title[: found.start()].strip():
        for number in found[0].split("/"):
            yield name_of(f"{title[: found.start()]}{number}{title[found.end() :]}", vendor)
    # "Innova IGS 5x0" is a series: 500, 510 … 590.
    if (found := _SERIES.search(title)) and title[: found.start()].strip():
        for digit in range(10):
            number = found[0].replace("x", str(digit))
            yield name_of(f"{title[: found.start()]}{number}{title[found.end() :]}", vendor)
