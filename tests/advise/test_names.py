"""The names of a shelf: an audit that reads only what may concern it answers as if it had read all."""

import msgspec
import pytest
from tests.advise.papers import raw
from tests.shared import SHARED, needs_shared

from wardwatch.advise import names, own
from wardwatch.advise.assets import Asset, Library, met_by
from wardwatch.advise.names import FILE, OWN, concerning, named, own_names, refresh, shelved
from wardwatch.advise.statements import statements
from wardwatch.advise.store import import_paths, read_paths

PUMP = ("Acme", "Flow Pump 4000", "<= 2.0", "Flow Pump 4000: Versions 2.0 and prior")
OTHER = ("Zeta", "Beam Imager 9", "vers:all/*", "Beam Imager 9: all versions")


@pytest.fixture
def shelf(tmp_path):
    (tmp_path / "a.json").write_bytes(raw(products=(PUMP,)))
    (tmp_path / "b.json").write_bytes(raw(products=(OTHER,), advisory="TEST-20-002-01"))
    import_paths(tmp_path / "shelf", [tmp_path / "a.json", tmp_path / "b.json"])
    return tmp_path / "shelf"


def test_the_statements_come_back_as_they_were(shelf):
    found, refused = refresh(shelf)
    assert refused == ()
    documents, _ = shelved(shelf, ["TEST-20-001-01"])
    (name,) = (n for n in found if n.id == "TEST-20-001-01")
    assert name.statements == statements(documents["TEST-20-001-01"])


def test_only_what_may_concern_a_device_is_near_it(shelf):
    found, _ = refresh(shelf)
    near = concerning(found, [met_by(Asset("Acme", "Flow Pump 4000", "1.0"))])
    assert [name.id for name in near] == ["TEST-20-001-01"]
    assert concerning(found, [met_by(Asset("Nobody", "Kettle", "1"))]) == ()


def test_names_are_kept_with_the_import_and_read_again(shelf, monkeypatch):
    assert (shelf / FILE).exists()
    monkeypatch.setattr(names, "named", lambda document: pytest.fail("made anew"))
    assert len(refresh(shelf)[0]) == 2


@pytest.mark.parametrize("damage", [b"", b"\xff\x00", b"\x93\x01\x02\x03"])
def test_names_that_are_damaged_are_made_anew(shelf, damage):
    (shelf / FILE).write_bytes(damage)
    assert {n.id for n in refresh(shelf)[0]} == {"TEST-20-001-01", "TEST-20-002-01"}
    assert len((shelf / FILE).read_bytes()) > 100


def test_names_of_other_knowledge_are_made_anew(shelf, monkeypatch):
    monkeypatch.setattr(names, "_made_of", lambda: "another")
    assert len(refresh(shelf)[0]) == 2
    monkeypatch.undo()
    made = []
    real = names.named
    monkeypatch.setattr(names, "named", lambda d: made.append(d.id) or real(d))
    refresh(shelf)
    assert len(made) == 2


def test_a_document_that_was_changed_on_the_shelf_is_refused_by_name(shelf):
    (shelf / FILE).unlink()
    path = next((shelf / "documents").glob("test-20-002*"))
    path.write_bytes(path.read_bytes() + b" ")
    found, refused = refresh(shelf)
    assert [n.id for n in found] == ["TEST-20-001-01"]
    assert "test-20-002-01" in refused[0][0]
    assert "has changed since it was imported" in shelved(shelf, ["TEST-20-002-01"])[1][0][1]


@pytest.fixture
def anew():
    """Our own records and their names are read again, and once more after the test."""
    caches = (own_names, own.own_records, own.own_ids)
    for cached in caches:
        cached.cache_clear()
    yield
    for cached in caches:
        cached.cache_clear()


def test_the_names_of_our_own_records_came_as_they_would_be_made():
    """Where this fails records, knowledge or what reads them were edited: ``make packs``."""
    assert OWN.read_bytes() == names.packed_own()


def test_the_names_of_our_own_records_are_not_made_again(anew, monkeypatch):
    made = names._own_made()
    monkeypatch.setattr(names, "named", lambda document: pytest.fail("made anew"))
    assert own_names() == made
    assert [n.statements for n in own_names()] == [statements(d) for d in own.own_records()]
    assert {n.id for n in own_names()} == own.own_ids()


def test_names_of_our_own_records_that_are_gone_are_made_anew(anew, monkeypatch, tmp_path):
    monkeypatch.setattr(names, "OWN", tmp_path / "none")
    assert own_names() == names._own_made()


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"\xff\x00",
        b"\x82\xa4seal\xa0\xa9documents" + b"\x91" * 100_000,
        b"\x82\xa4seal\xa1\xff\xa9documents\xc0",
        msgspec.msgpack.encode({"seal": "", "documents": []}),
        OWN.read_bytes()[:-1],
        OWN.read_bytes()[:5000],
    ],
    ids=["empty", "no names", "too deep", "no UTF-8", "no seal", "cut", "half"],
)
def test_names_of_our_own_records_that_are_damaged_are_made_anew(
    damage, anew, monkeypatch, tmp_path
):
    made = names._own_made()
    monkeypatch.setattr(names, "OWN", tmp_path / FILE)
    names.OWN.write_bytes(damage)
    assert own_names() == made


def test_an_octet_that_was_changed_changes_no_name_of_our_own_records(anew, monkeypatch, tmp_path):
    sound, made = OWN.read_bytes(), names._own_made()
    monkeypatch.setattr(names, "OWN", tmp_path / FILE)
    for at in range(0, len(sound), 1009):
        hurt = bytearray(sound)
        hurt[at] ^= 1
        names.OWN.write_bytes(hurt)
        own_names.cache_clear()
        assert own_names() == made, at


def test_names_of_other_records_are_made_anew(anew, monkeypatch, tmp_path):
    edited = own.FILE.read_text("utf-8").replace("Medfusion 4000", "Medfusion 4001")
    monkeypatch.setattr(own, "FILE", tmp_path / "pumps.json")
    own.FILE.write_text(edited, "utf-8")
    said = next(n for n in own_names() if n.id == "ICSMA-17-250-02A").statements
    assert "Medfusion 4001" in said[0].text


def test_names_of_our_own_records_under_other_knowledge_are_made_anew(anew, monkeypatch):
    monkeypatch.setattr(names, "_made_of", lambda: "another")
    made = []
    real = names.named
    monkeypatch.setattr(names, "named", lambda d: made.append(d.id) or real(d))
    assert len(own_names()) == len(made) == 27


@needs_shared
def test_what_is_left_out_would_not_have_answered():
    """The gold rows against the near documents only, and against all."""
    import csv

    documents, _ = read_paths([SHARED / "data" / "advisories" / "icsma.tar.xz"])
    every = [named(document) for document in documents]
    library = Library(s for name in every for s in name.statements)
    skipped = 0
    with (SHARED / "data" / "advisories" / "gold_dev.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            asset = Asset(row["manufacturer"], row["model"], row["version"], row["component_note"])
            near = concerning(every, [met_by(asset)])
            skipped += len(every) - len(near)
            few = Library(s for name in near for s in name.statements)
            assert few.match(asset) == library.match(asset), row["row"]
    assert skipped > 142 * 72  # else this test shows nothing
