"""CSAF documents made by hand, as small as the reader allows and the schema accepts."""

import json

VECTOR = "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"


def paper(
    products=(("Acme", "Pump 4000", "<= 2.0", "Pump 4000: Versions 2.0 and prior"),),
    cves=("CVE-2020-0001",),
    advisory="TEST-20-001-01",
    notes=None,
    scores=None,
    marks=None,
    remedies=("Update.",),
    revision="1",
    current="2020-02-02",
    title="A test advisory",
):
    """A document as a dictionary; ``marks`` gives the products (from 1) of each CVE."""
    ids = [f"CSAFPID-{i:04d}" for i in range(1, len(products) + 1)]
    branches = [
        {
            "category": "vendor",
            "name": vendor,
            "branches": [
                {
                    "category": "product_name",
                    "name": product,
                    "branches": [
                        {
                            "category": "product_version_range",
                            "name": version,
                            "product": {"name": name, "product_id": product_id},
                        }
                    ],
                }
            ],
        }
        for product_id, (vendor, product, version, name) in zip(ids, products, strict=True)
    ]
    flaws = []
    for i, cve in enumerate(cves):
        own = [ids[n - 1] for n in marks[cve]] if marks else ids
        vector, score = (scores or {}).get(cve, (VECTOR, 9.8))
        flaws.append(
            {
                "cve": cve,
                "notes": [{"category": "summary", "text": (notes or {}).get(cve, f"Text {i}.")}],
                "product_status": {"known_affected": own},
                "remediations": [
                    {"category": "vendor_fix", "details": text, "product_ids": own}
                    for text in remedies
                ],
                "scores": [
                    {
                        "cvss_v3": {
                            "version": vector[5:8],
                            "vectorString": vector,
                            "baseScore": score,
                            "baseSeverity": "CRITICAL" if score >= 9 else "LOW",
                        },
                        "products": own,
                    }
                ],
            }
        )
    return {
        "document": {
            "category": "csaf_security_advisory",
            "csaf_version": "2.0",
            "distribution": {"tlp": {"label": "WHITE"}},
            "publisher": {
                "category": "other",
                "name": "Test",
                "namespace": "https://example.org",
            },
            "title": title,
            "tracking": {
                "current_release_date": f"{current}T00:00:00Z",
                "id": advisory,
                "initial_release_date": "2020-01-01T00:00:00Z",
                "revision_history": [
                    {"date": "2020-01-01T00:00:00Z", "number": revision, "summary": "first"}
                ],
                "status": "final",
                "version": revision,
            },
        },
        "product_tree": {"branches": branches},
        "vulnerabilities": flaws,
    }


def raw(**said) -> bytes:
    return json.dumps(paper(**said)).encode()


def document(**said):
    from wardwatch.advise.csaf import read_document

    return read_document(raw(**said), "test.json")
