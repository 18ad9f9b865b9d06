"""Our own pump records: whole, sound, and in step with the readings over them."""

from tests.shared import SHARED, needs_shared

from wardwatch.advise.knowledge import readings
from wardwatch.advise.own import own_records
from wardwatch.advise.statements import statements
from wardwatch.advise.store import read_paths


def test_every_record_is_whole_and_has_statements():
    records = own_records()
    assert len(records) == 27
    assert sum(len(record.flaws) for record in records) == 108
    for record in records:
        assert record.source == "wardwatch's own record"
        assert statements(record), record.id


def test_a_record_bears_the_score_of_the_text():
    medfusion = next(r for r in own_records() if r.id == "ICSMA-17-250-02A")
    assert [f.scores[0].base_score for f in medfusion.flaws] == [8.1, 5.3, 9.8, 8.1, 8.1, 5.6, 7.5, 3.7]  # fmt: skip


def test_every_score_follows_from_its_vector():
    from cvss import CVSS3

    for record in own_records():
        for flaw in record.flaws:
            for score in flaw.scores:
                assert float(CVSS3(score.vector).base_score) == score.base_score, flaw.cve


def test_readings_of_pumps_restate_products_that_the_records_have():
    for record in own_records():
        known = {leaf.product_id for leaf in record.leaves} | {"*"}
        for entry in readings()[record.id].entry if record.id in readings() else ():
            assert set(entry.restates) <= known, record.id


@needs_shared
def test_readings_restate_products_that_their_documents_have():
    documents, _ = read_paths([SHARED / "data" / "advisories" / "icsma.tar.xz"])
    by_id = {document.id: document for document in documents}
    for reading in readings().values():
        document = by_id[reading.advisory]
        known = {leaf.product_id for leaf in document.leaves} | {"*"}
        cves = {flaw.cve for flaw in document.flaws}
        for entry in reading.entry:
            assert set(entry.restates) <= known, reading.advisory
            named = {*(entry.cves or ()), *(c for s in entry.scopes for c in s.cves), *(c for m in entry.maybe for c in m.cves), *(c for k in entry.cases for c in k.cves)}  # fmt: skip
            assert named <= cves, reading.advisory
