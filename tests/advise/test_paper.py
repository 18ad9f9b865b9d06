"""A document as the audit shows it: repaired beside what the file said, our record over it."""

import msgspec
from tests.advise.papers import paper, raw
from tests.shared import SHARED, needs_shared

from wardwatch.advise.csaf import read_document
from wardwatch.advise.library import shelf
from wardwatch.advise.own import own_records
from wardwatch.advise.paper import advisory_of
from wardwatch.advise.statements import statements
from wardwatch.advise.store import read_paths

RECORD = next(a for a in shelf() if a.id == "ICSMA-17-250-02A")
SCORES = [8.1, 5.3, 9.8, 8.1, 8.1, 5.6, 7.5, 3.7]


def test_a_document_is_told_in_its_own_words():
    document = read_document(raw(remedies=("Update to 2.1.", "Update to 2.1.", " ")), "a.json")
    told = advisory_of(document)
    assert (told.id, told.document, told.revision) == ("TEST-20-001-01", "a.json", "1")
    assert told.product == "Pump 4000"
    assert told.affected_versions == ("<= 2.0",)
    assert [r.details for r in told.remediations] == ["Update to 2.1."]
    assert (told.vulnerabilities[0].base_score, told.vulnerabilities[0].published_score) == (
        9.8,
        9.8,
    )
    assert told.sha512 == document.sha512
    assert told.source == ""


def test_a_reference_to_itself_is_its_source():
    data = paper()
    data["document"]["references"] = [
        {"category": "self", "summary": "JSON", "url": "https://a.example/x.json"},
        {"category": "self", "summary": "page", "url": "https://a.example/x"},
        {"category": "external", "summary": "other", "url": "https://b.example"},
    ]
    told = advisory_of(read_document(msgspec.json.encode(data), "a.json"))
    assert told.source == "https://a.example/x"


def test_our_record_stands_over_the_document_of_its_id():
    document = next(d for d in own_records() if d.id == RECORD.id)
    told = advisory_of(document, RECORD)
    assert told.vulnerabilities == RECORD.vulnerabilities
    assert told.remediations == RECORD.remediations
    assert told.document == "wardwatch's own record"


@needs_shared
def test_the_eight_scores_come_from_the_repaired_document_with_the_raw_ones_beside_them():
    documents, _ = read_paths([SHARED / "data" / "advisories" / "icsma.tar.xz"])
    document = next(d for d in documents if d.id == RECORD.id)
    for told in (advisory_of(document), advisory_of(document, RECORD)):
        by_cve = {v.cve[-5:]: v for v in told.vulnerabilities}
        order = ("12718", "12722", "12725", "12720", "12724", "12726", "12721", "12723")
        assert [by_cve[n].base_score for n in order] == SCORES
        assert [by_cve[n].published_score for n in order] == [3.7] * 8
        assert [bool(by_cve[n].correction) for n in order] == [True] * 7 + [False]


def test_a_later_file_that_was_mended_is_not_called_wrong():
    document = next(d for d in own_records() if d.id == RECORD.id)
    mended = msgspec.structs.replace(document, source="imported.json")
    told = advisory_of(mended, RECORD)
    assert [v.published_score for v in told.vulnerabilities] == [
        v.base_score for v in told.vulnerabilities
    ]
    assert {v.correction for v in told.vulnerabilities} == {""}


def test_statements_that_are_at_hand_are_not_read_again():
    document = next(d for d in own_records() if d.id == "ICSMA-20-317-01")
    told = advisory_of(document)
    assert told.vulnerabilities[0].base_score == document.flaws[0].scores[0].base_score
    assert advisory_of(document, said=statements(document)) == told
    assert told.fixed_version != advisory_of(document, said=()).fixed_version


def test_a_weakness_without_a_number_goes_by_its_title():
    document = next(d for d in own_records() if d.id == RECORD.id)
    named = msgspec.structs.replace(document.flaws[0], cve="", title=document.flaws[1].cve)
    other = msgspec.structs.replace(named, title="")
    told = advisory_of(msgspec.structs.replace(document, flaws=(named, other)), RECORD)
    assert [v.cve for v in told.vulnerabilities[8:]] == ["(no CVE)"]


def test_a_weakness_that_our_record_lacks_is_not_lost():
    document = next(d for d in own_records() if d.id == RECORD.id)
    extra = msgspec.structs.replace(document.flaws[0], cve="CVE-2099-0001")
    told = advisory_of(msgspec.structs.replace(document, flaws=(*document.flaws, extra)), RECORD)
    assert told.vulnerabilities[-1].cve == "CVE-2099-0001"
    assert len(told.vulnerabilities) == 9


def test_what_is_known_at_the_bedside_stands_beside_a_weakness():
    cves = ("CVE-2020-25165", "CVE-2020-0001")
    document = read_document(raw(advisory="ICSMA-20-317-01", cves=cves), "a.json")
    known, other = advisory_of(document).vulnerabilities
    assert known.clinical.startswith("The PC unit goes on as programmed")
    assert other.clinical == ""


def test_what_one_device_means_by_a_weakness_is_not_said_of_another():
    document = read_document(raw(advisory="ICSMA-99-001-01", cves=("CVE-2020-25165",)), "a.json")
    assert [flaw.clinical for flaw in advisory_of(document).vulnerabilities] == [""]
