"""Write our own pump records anew: ``python -m tools.pump_records RECORDS.json CORPUS.tar.xz``.

``RECORDS.json`` restates the advisories in our words; product ids and versions are facts taken from
the documents, scores from :mod:`wardwatch.advise.repair`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from wardwatch.advise.repair import scores
from wardwatch.advise.store import read_paths

OUT = Path(__file__).parents[1] / "src" / "wardwatch" / "advise" / "records" / "pumps.json"


def main() -> None:
    """One line a record, so that a change shows where it is."""
    own = {row["id"]: row for row in json.loads(Path(sys.argv[1]).read_text())["advisories"]}
    documents, refused = read_paths([sys.argv[2]])
    assert not refused, refused
    rows = []
    for document in documents:
        if document.id not in own:
            continue
        record = own[document.id]
        scope = {c["cve"]: c["scope_by_text"] or "" for c in record["cves"]}
        scored = {one.cve: one for one in scores(document)}
        ids = [leaf.product_id for leaf in document.leaves]
        flaws = []
        for flaw in document.flaws:
            one = scored.get(flaw.cve)
            entry = {
                "cve": flaw.cve,
                "cwe": flaw.cwe,
                "vector": one.vector if one else "",
                "score": one.base_score if one else -1.0,
            }
            places = [i for i, product_id in enumerate(ids) if product_id in flaw.affected]
            if len(places) < len(ids):
                entry["products"] = places
            if scope.get(flaw.cve):
                entry["scope"] = scope[flaw.cve]
            flaws.append(entry)
        rows.append(
            {
                "id": document.id,
                "title": f"{record['vendor']}: {', '.join(p['name'] for p in record['products'])}",
                "vendor": document.leaves[0].vendor,
                "initial": document.initial,
                "current": document.current,
                "revision": document.revision,
                "products": [[x.product_id, x.product, x.version] for x in document.leaves],
                "flaws": flaws,
            }
        )
    lines = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
    OUT.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
