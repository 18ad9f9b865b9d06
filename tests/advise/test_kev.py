"""wardwatch.advise.kev"""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wardwatch.advise import kev
from wardwatch.advise.kev import read_kev
from wardwatch.errors import AdvisoryError

ENTRY = {
    "cveID": "CVE-2017-0144", "vendorProject": "Microsoft", "product": "SMBv1",
    "vulnerabilityName": "…", "dateAdded": "2022-02-10", "shortDescription": "…",
    "requiredAction": "…", "dueDate": "2022-08-10", "knownRansomwareCampaignUse": "Known",
    "notes": "", "cwes": ["CWE-20"],
}  # fmt: skip


def catalogue(*entries, **changes):
    entries = entries or (ENTRY,)
    return {
        "title": "CISA Catalog of Known Exploited Vulnerabilities",
        "catalogVersion": "2025.08.25",
        "dateReleased": "2025-08-25T18:00:40.0155Z",
        "count": len(entries),
        "vulnerabilities": list(entries),
    } | changes


def read(tmp_path, said):
    path = tmp_path / "kev.json"
    path.write_bytes(said if isinstance(said, bytes) else json.dumps(said).encode())
    return read_kev(path)


def test_a_catalogue_says_since_when_and_of_what_day_it_is(tmp_path):
    found = read(tmp_path, catalogue())
    assert found.says("CVE-2017-0144") == (
        "in CISA's KEV since 2022-02-10, used by ransomware (catalogue 2025.08.25)"
    )
    assert found.says("CVE-2017-12718") == ""
    assert found.released == "2025-08-25"
    quiet = read(tmp_path, catalogue(ENTRY | {"knownRansomwareCampaignUse": "Unknown"}))
    assert "ransomware" not in quiet.says("CVE-2017-0144")


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (b"", "no KEV catalogue"),
        (b"\xff\xfe", "no KEV catalogue"),
        (b"[" * 100_000, "no KEV catalogue"),
        (b"[]", "no KEV catalogue"),
        (catalogue(count=2), "announces 2 entries and holds 1"),
        (catalogue(ENTRY, ENTRY), "names a weakness twice"),
        (catalogue(ENTRY | {"cveID": "CVE-1"}), "'CVE-1' is no CVE number"),
        (catalogue(ENTRY | {"cveID": 7}), "no KEV catalogue"),
        (catalogue(ENTRY | {"cveID": "CVE-2017-0144\n"}), "is no CVE number"),
        (catalogue(ENTRY | {"dateAdded": "soon"}), "'soon' is no date"),
        (catalogue(dateReleased="2025-13-01T00:00:00Z"), "is no date"),
        (catalogue(vulnerabilities=None), "no KEV catalogue"),
    ],
)
def test_a_damaged_catalogue_is_refused_with_the_reason(tmp_path, said, problem):
    with pytest.raises(AdvisoryError) as told:
        read(tmp_path, said)
    assert problem in str(told.value)
    assert "fetch" in str(told.value)


def test_a_catalogue_beyond_the_bounds_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(kev, "MAX_ENTRIES", 0)
    with pytest.raises(AdvisoryError, match="more than 0 entries"):
        read(tmp_path, catalogue())
    monkeypatch.setattr(kev, "MAX_BYTES", 10)
    with pytest.raises(AdvisoryError, match="larger than"):
        read(tmp_path, catalogue())


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(AdvisoryError, match="cannot be read"):
        read_kev(tmp_path / "none.json")


@given(st.binary(max_size=200))
def test_nothing_but_a_refusal_comes_out_of_bytes(tmp_path_factory, raw):
    with pytest.raises(AdvisoryError):
        read(tmp_path_factory.mktemp("kev"), raw)
