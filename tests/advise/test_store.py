"""The shelf on disk: bytes unchanged, hashes checked, one bad document harming no other."""

import hashlib
import json

import pytest
from tests.advise.papers import paper, raw

from wardwatch.advise.store import import_paths, read_paths, shelved_documents
from wardwatch.errors import AdvisoryError, OutputError


def put(folder, name="a.json", **said):
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(raw(**said))
    return path


def test_a_document_keeps_its_bytes_and_comes_back(tmp_path):
    path = put(tmp_path / "in")
    done = import_paths(tmp_path / "shelf", [path])
    assert [(s.id, s.change) for s in done.shelved] == [("TEST-20-001-01", "new")]
    (kept,) = (tmp_path / "shelf" / "documents").iterdir()
    assert kept.read_bytes() == path.read_bytes()
    documents, refused = shelved_documents(tmp_path / "shelf")
    assert [d.id for d in documents] == ["TEST-20-001-01"]
    assert refused == ()
    assert import_paths(tmp_path / "shelf", [path]).shelved[0].change == "same"


def test_other_bytes_under_one_revision_replace_and_are_told(tmp_path):
    shelf = tmp_path / "shelf"
    import_paths(shelf, [put(tmp_path / "in")])
    (done,) = import_paths(shelf, [put(tmp_path / "in", cves=("CVE-2020-0009",))]).shelved
    assert done.change == "replaced"
    assert "same revision 1" in done.remark
    assert shelved_documents(shelf)[0][0].flaws[0].cve == "CVE-2020-0009"


def test_an_older_document_does_not_displace_a_newer_one(tmp_path):
    shelf = tmp_path / "shelf"
    import_paths(shelf, [put(tmp_path / "in", revision="2", current="2021-01-01")])
    (done,) = import_paths(shelf, [put(tmp_path / "in", revision="1")]).shelved
    assert done.change == "kept"
    assert shelved_documents(shelf)[0][0].revision == "2"


def test_a_hash_beside_a_document_is_checked(tmp_path):
    path = put(tmp_path / "in")
    good = hashlib.sha512(path.read_bytes()).hexdigest()
    beside = path.with_name("a.json.sha512")
    beside.write_text(f"{good}  a.json\n")
    assert import_paths(tmp_path / "shelf", [tmp_path / "in"]).shelved[0].hash_checked
    beside.write_text(f"{good[:-1]}0  a.json\n" if good[-1] != "0" else f"{good[:-1]}1\n")
    documents, refused = read_paths([tmp_path / "in"])
    assert documents == ()
    assert "does not match" in refused[0][1]


def test_one_bad_document_is_refused_and_harms_no_other(tmp_path):
    put(tmp_path / "in", "good.json")
    (tmp_path / "in" / "bad.json").write_bytes(b"[" * 5000)
    broken = paper(advisory="TEST-20-001-02")
    broken["document"]["publisher"]["category"] = "nobody"
    (tmp_path / "in" / "schema.json").write_text(json.dumps(broken))
    done = import_paths(tmp_path / "shelf", [tmp_path / "in"])
    assert [s.id for s in done.shelved] == ["TEST-20-001-01"]
    assert [name for name, _ in done.refused] == ["bad.json", "schema.json"]
    assert "schema" in done.refused[1][1]


def test_a_hostile_id_chooses_no_path(tmp_path):
    import_paths(tmp_path / "shelf", [put(tmp_path / "in", advisory="../../evil")])
    (kept,) = (tmp_path / "shelf" / "documents").iterdir()
    assert kept.name.startswith("evil-")


def test_a_document_changed_on_the_shelf_is_refused(tmp_path):
    shelf = tmp_path / "shelf"
    import_paths(shelf, [put(tmp_path / "in")])
    (kept,) = (shelf / "documents").iterdir()
    kept.write_bytes(raw(cves=("CVE-2020-0009",)))
    documents, refused = shelved_documents(shelf)
    assert documents == ()
    assert "has changed" in refused[0][1]
    (done,) = import_paths(shelf, [tmp_path / "in"]).shelved
    assert "was damaged" in done.remark
    assert shelved_documents(shelf)[1] == ()


def test_an_index_that_leads_out_or_is_none_is_refused(tmp_path):
    shelf = tmp_path / "shelf"
    import_paths(shelf, [put(tmp_path / "in")])
    index = shelf / "index.json"
    index.write_text(index.read_text().replace('"file": "', '"file": "../'))
    with pytest.raises(AdvisoryError, match="outside of the shelf"):
        shelved_documents(shelf)
    index.write_text("{")
    with pytest.raises(AdvisoryError, match="no index"):
        shelved_documents(shelf)


def test_a_shelf_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "shelf").write_text("a file")
    with pytest.raises(OutputError, match=r"x: cannot be written \(Not a directory\); name"):
        import_paths(tmp_path / "shelf" / "x", [put(tmp_path / "in")])
