"""``wardwatch explain``: the vocabulary on the terminal: measures, techniques, tables, columns."""

from __future__ import annotations

import json

import msgspec

from wardwatch.errors import UsageError
from wardwatch.model.columns import BY_NAME, TABLES, Table
from wardwatch.model.judgement import MEASURES, TECHNIQUES, Measure, Technique

Known = Measure | Technique | Table


def find(name: str) -> Known:
    """The measure, technique or table of that name; :class:`UsageError` lists what there is."""
    known: dict[str, Known] = {
        **{m.id: m for m in MEASURES},
        **{t.id: t for t in TECHNIQUES},
        **BY_NAME,
    }
    if name not in known:
        raise UsageError(f"nothing is called {name!r}; there are: {', '.join(known)}")
    return known[name]


def explain_text(name: str | None) -> str:
    """What it means, for people."""
    if name is None:
        lines = ["Measures"]
        lines += [f"  {m.id:<24} {m.question}" for m in MEASURES]
        lines += ["", "Techniques"]
        lines += [f"  {t.id:<24} {t.title}{f' ({t.cve})' if t.cve else ''}" for t in TECHNIQUES]
        lines += ["", "Tables"]
        lines += [f"  {t.name:<24} {t.caption}" for t in TABLES]
        return "\n".join(lines) + "\n"
    found = find(name)
    if isinstance(found, Table):
        lines = [found.caption, ""]
        for c in found.columns:
            unit = f" [{c.unit}]" if c.unit else ""
            source = f"  ({c.source})" if c.source else ""
            lines.append(f"  {c.name:<20} {c.type:<6} {c.meaning}{unit}{source}")
        return "\n".join(lines) + "\n"
    if isinstance(found, Measure):
        return f"{found.title}\n  asks    {found.question}\n  source  {found.source}\n"
    cve = f"\n  CVE     {found.cve}" if found.cve else ""
    return f"{found.title}{cve}\n  ATT&CK  {found.attack}\n  source  {found.source}\n"


def explain_json(name: str | None) -> str:
    """The same for machines."""
    if name is not None:
        return msgspec.json.format(msgspec.json.encode(find(name)), indent=1).decode() + "\n"
    listing = {
        "measures": [m.id for m in MEASURES],
        "techniques": [t.id for t in TECHNIQUES],
        "tables": [t.name for t in TABLES],
    }
    return json.dumps(listing, indent=1) + "\n"
