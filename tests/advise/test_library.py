import json
import tarfile

import msgspec
import pytest
from cvss import CVSS3
from tests.shared import SHARED, needs_shared

from wardwatch.advise.library import check, read_advisory, shelf
from wardwatch.errors import AdvisoryError
from wardwatch.model.judgement import MEASURES

MEDFUSION = next(a for a in shelf() if a.id == "ICSMA-17-250-02A")

SCORES = {
    "CVE-2017-12718": 8.1,
    "CVE-2017-12722": 5.3,
    "CVE-2017-12725": 9.8,
    "CVE-2017-12720": 8.1,
    "CVE-2017-12724": 8.1,
    "CVE-2017-12726": 5.6,
    "CVE-2017-12721": 7.5,
    "CVE-2017-12723": 3.7,
}


def test_every_cve_bears_the_score_of_the_text_that_names_it():
    assert {v.cve: v.base_score for v in MEDFUSION.vulnerabilities} == SCORES
    assert list(SCORES) == [v.cve for v in MEDFUSION.vulnerabilities]


def test_every_score_is_the_arithmetic_of_its_vector():
    for flaw in MEDFUSION.vulnerabilities:
        assert float(CVSS3(flaw.vector).base_score) == flaw.base_score, flaw.cve


def test_what_was_published_stands_beside_it_with_the_correction():
    for flaw in MEDFUSION.vulnerabilities:
        assert flaw.published_score == 3.7
        assert bool(flaw.correction) is (flaw.cve != "CVE-2017-12723")
        assert flaw.clinical


def test_versions_and_fix_are_those_of_the_text():
    assert MEDFUSION.affected_versions == ("1.1", "1.5", "1.6")
    assert MEDFUSION.fixed_version == "1.6.1"


def test_the_recommended_measures_are_those_we_check():
    named = {r.measure for r in MEDFUSION.remediations if r.measure}
    assert {
        "static_address", "no_rogue_dhcp", "no_rogue_dns", "segmentation_in_use", "segmentation_enforced",
        "vlan_separation", "password_hygiene", "attested_backups", "attested_passwords",
    } <= named <= {m.id for m in MEASURES}  # fmt: skip


def test_later_recalls_concern_the_fixed_version():
    assert sum("1.6.1" in notice.versions for notice in MEDFUSION.notices) >= 3


def test_the_shelf_agrees_with_itself():
    for advisory in shelf():
        check(advisory, advisory.id)
    assert len({a.id for a in shelf()}) == len(shelf())


@needs_shared
def test_the_record_agrees_with_the_published_notes_and_not_with_the_published_scores():
    with tarfile.open(SHARED / "data" / "advisories" / "icsma.tar.xz") as archive:
        published = json.load(archive.extractfile("icsma/icsma-17-250-02a.json"))
    own = {v.cve: v for v in MEDFUSION.vulnerabilities}
    assert [v["cve"] for v in published["vulnerabilities"]] == list(own)
    for flaw in published["vulnerabilities"]:
        mine = own[flaw["cve"]]
        # The notes are cumulative: the last statement is this CVE's own.
        score, vector = flaw["notes"][0]["text"].rsplit("base score of ", 1)[1].split(" ", 1)
        assert float(score) == mine.base_score
        assert mine.vector.removeprefix("CVSS:3.0/") in vector
        assert flaw["scores"][0]["cvss_v3"]["baseScore"] == mine.published_score
        assert flaw["cwe"]["id"] == mine.cwe


# --- records that cannot be used


def written(tmp_path, **changes):
    raw = msgspec.to_builtins(MEDFUSION) | changes
    path = tmp_path / "record.json"
    path.write_text(json.dumps(raw), encoding="utf-8")
    return path


def test_a_record_reads_back(tmp_path):
    assert read_advisory(written(tmp_path)) == MEDFUSION


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"id": ""}, "id, family or product is empty"),
        ({"affected_versions": "1.1"}, "is no advisory record"),
        ({"affected_versions": ["all"]}, "'all' is no version number"),
        ({"fixed_version": "soon"}, "'soon' is no version number"),
        ({"remediations": [{"category": "advice", "details": "x"}]}, "'advice' is none of CSAF's"),
        ({"remediations": [{"category": "mitigation", "details": "x", "measure": "hope"}]}, "no measure is called 'hope'"),
    ],
)  # fmt: skip
def test_damaged_records_are_named(tmp_path, changes, problem):
    with pytest.raises(AdvisoryError) as caught:
        read_advisory(written(tmp_path, **changes))
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("flaw", "problem"),
    [
        ({"cve": "CVE-17-1"}, "'CVE-17-1' is no CVE number"),
        ({"base_score": 3.7}, "its vector gives 8.1, the record says 3.7"),
        ({"vector": "AV:N"}, "is no CVSS v3 vector"),
        ({"correction": ""}, "needs a correction"),
    ],
)
def test_scores_that_cannot_be_right_are_refused(tmp_path, flaw, problem):
    first = msgspec.to_builtins(MEDFUSION.vulnerabilities[0]) | flaw
    with pytest.raises(AdvisoryError) as caught:
        read_advisory(written(tmp_path, vulnerabilities=[first]))
    assert problem in str(caught.value)


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b"[]", b"null", b'{"id": "x"}'])
def test_files_that_are_no_record(tmp_path, raw):
    path = tmp_path / "record.json"
    path.write_bytes(raw)
    with pytest.raises(AdvisoryError, match="is no advisory record"):
        read_advisory(path)


def test_a_record_that_is_not_there(tmp_path):
    with pytest.raises(AdvisoryError, match="cannot be read"):
        read_advisory(tmp_path / "none.json")
