"""The advisories on the command line, from an empty shelf to answers."""

import json

import pytest
from tests.advise.papers import raw
from typer.testing import CliRunner

from wardwatch.ui.cli import app

LIST = (
    "Asset,Mfr,Model,SW Version\n"
    "A1,Smiths Medical,Medfusion 4000,1.5\nA2,Smiths Medical,Medfusion 4000,1.5\n"
    "A3,Smiths Medical,Medfusion 4000,1.6.1\nA4,Acme,Bed 7,3\n"
)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (tmp_path / "list.csv").write_text(LIST)
    (tmp_path / "a.json").write_bytes(raw(products=(("Acme", "Bed 7", "<= 2", "Bed 7: 3 and prior"),)))  # fmt: skip

    def go(*words):
        return CliRunner().invoke(app, ["advisories", *(w.replace("@", f"{tmp_path}/") for w in words)])  # fmt: skip

    return go


def test_a_list_is_matched_before_anything_is_imported(run):
    done = run("match", "--inventory", "@list.csv")
    assert done.exit_code == 1
    assert "4 devices in 3 kinds" in done.output
    assert "affected: Smiths Medical Medfusion 4000 1.5  (2)" in done.output
    assert "CVE-2017-12718" in done.output


def test_an_imported_document_joins_the_answers(run):
    done = run("import", "@a.json")
    assert (done.exit_code, "1 new" in done.output) == (0, True)
    assert "signatures were not checked" in done.output
    found = json.loads(run("match", "--inventory", "@list.csv", "--json").output)
    by_id = {group["ids"][0]: group for group in found["groups"]}
    assert {key: group["status"] for key, group in by_id.items()} == {"A1": "affected", "A3": "not affected", "A4": "unknown"}  # fmt: skip
    assert by_id["A1"]["rows"] == [2, 3]
    assert any(card["id"] == "TEST-20-001-01" for card in json.loads(run("list", "--json").output))
    assert "TEST-20-001-01" in run("list").output


def test_a_refused_document_is_named(run, tmp_path):
    (tmp_path / "bad.json").write_bytes(b"[" * 999)
    done = run("import", "@bad.json", "@a.json")
    assert done.exit_code == 1
    assert "refused bad.json: " in done.output
    assert "1 new" in done.output
    assert json.loads(run("import", "@bad.json", "--json").output)["refused"][0]["file"] == "bad.json"  # fmt: skip


def test_what_was_repaired_is_shown_with_both_sides(run, tmp_path):
    done = run("check", "@a.json")
    assert done.exit_code == 1
    assert "the file says  <= 2" in done.output
    assert "the text says  3 and prior" in done.output
    (tmp_path / "b.json").write_bytes(raw())
    whole = run("check", "@b.json")
    assert (whole.exit_code, "nothing found" in whole.output) == (0, True)
    assert json.loads(run("check", "@a.json", "--json").output)[0]["repairs"][0]["kind"] == "versions"  # fmt: skip


def test_a_list_may_be_held_against_files_alone_and_hostile_words_are_shown(run, tmp_path):
    (tmp_path / "list.csv").write_text("maker,model,version\nAcme,Bed 7,\x1b[2J1\n")
    done = run("match", "--inventory", "@list.csv", "--advisories", "@a.json")
    assert "against 1 advisory" in done.output
    assert "\x1b" not in done.output


def test_a_typed_device_is_answered_and_its_version_is_said_to_be_typed(run):
    done = run("match", "--device", "Smiths Medical; Medfusion 4000; 1.1.2", "--shelf", "@none")
    assert done.exit_code == 1
    assert (
        "ICSMA-17-250-02A affected: Version 1.1.2 (as typed) is among the affected" in done.output
    )
    told = json.loads(run("match", "--device", "BD; Alaris PCU 8015; 9.33", "--json").output)
    assert {a["version_source"] for a in told["groups"][0]["answers"]} == {"typed"}
    assert run("match").exception is not None
