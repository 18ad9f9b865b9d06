import csv

import msgspec
import pytest
from tests.advise.papers import raw
from tests.shared import SHARED, needs_shared

from wardwatch.advise import advise, names
from wardwatch.advise.match import assets_of
from wardwatch.advise.store import import_paths
from wardwatch.inventory.register import join
from wardwatch.model.advisory import Exposure
from wardwatch.model.device import Confidence, Device, Identity, Listed


def pump(version="", source="", **changes):
    identity = {
        "manufacturer": "Smiths Medical", "model": "Medfusion 4000", "kind": "infusion pump",
        "family": "medfusion-4000", "version": version, "version_source": source,
    } | changes.pop("identity", {})  # fmt: skip
    said = {"id": "dev-1", "confidence": Confidence.CERTAIN, "packets": 1} | changes
    return Device(identity=Identity(**identity), **said)


def match(device):
    advised = advise([device])
    assert [a.id for a in advised.advisories] == ["ICSMA-17-250-02A"] * len(advised.matches)
    return advised.matches[0] if advised.matches else None


def test_a_version_seen_on_the_wire_is_affected_and_says_so():
    found = match(pump("1.6.0", "wire"))
    assert found.exposure is Exposure.AFFECTED
    assert found.reason == "Version 1.6.0 (seen on the wire) is among the affected: 1.6."
    assert len(found.cves) == 8


def test_a_version_of_the_list_is_named_as_such():
    found = match(pump("1.5", "list"))
    assert found.exposure is Exposure.AFFECTED
    assert "by the hospital's list" in found.reason


def test_a_version_that_is_neither_seen_nor_listed_is_unknown_and_all_may_apply():
    found = match(pump())
    assert found.exposure is Exposure.UNKNOWN
    assert "assume affected until then" in found.reason
    assert len(found.cves) == 8


@pytest.mark.parametrize("version", ["1.6.1", "1.6.5", "1.7.0"])
def test_a_fixed_version_is_never_called_safe(version):
    found = match(pump(version, "wire"))
    assert found.exposure is Exposure.NOT_AFFECTED
    assert found.cves == ()
    assert "not safe by itself" in found.reason
    assert found.notices


def test_notices_are_those_of_the_version():
    assert any("lower limit" in title for title in match(pump("1.6.1", "wire")).notices)
    assert not any("lower limit" in title for title in match(pump("1.6.4", "wire")).notices)
    assert any("1.7.0" in title for title in match(pump("1.7.0", "wire")).notices)
    assert len(match(pump()).notices) == 6  # any may fit, but the server's


def test_wire_and_list_that_disagree_across_the_fix_are_unknown():
    listed = Listed(row=2, version="1.5")
    found = match(pump("1.6.1", "wire", listed=listed))
    assert found.exposure is Exposure.UNKNOWN
    assert "1.6.1" in found.reason and "1.5" in found.reason
    same_side = match(pump("1.6.0", "wire", listed=listed))
    assert same_side.exposure is Exposure.AFFECTED


def test_a_device_that_only_may_be_one_is_unknown():
    found = match(pump("1.5", "list", confidence=Confidence.POSSIBLE))
    assert found.exposure is Exposure.UNKNOWN
    assert "not sure" in found.reason


def test_a_pump_of_the_maker_without_a_model_may_be_one():
    found = match(pump(identity={"model": "", "family": ""}))
    assert found.exposure is Exposure.UNKNOWN
    assert "which model it is, nothing says" in found.reason


@pytest.mark.parametrize(
    "identity",
    [
        {"family": "cadd", "model": "CADD"},
        {"family": "", "model": "CADD-Solis"},
        {"family": "", "model": "", "manufacturer": ""},
        {"family": "", "model": "", "kind": "printer"},
    ],
)
def test_other_devices_have_no_match(identity):
    assert match(pump(identity=identity)) is None


def test_a_listed_and_unseen_pump_is_matched_by_its_listed_version():
    row = Listed(
        row=4, serial="M4-1", manufacturer="Smiths Medical", model="Medfusion 4000", version="1.1"
    )
    (device,) = join((), [row])
    found = match(device)
    assert (found.device, found.exposure) == ("list-4", Exposure.AFFECTED)


ALARIS = {"manufacturer": "BD", "model": "Alaris PC unit", "family": "alaris-pcu"}
SPACE = {"manufacturer": "B. Braun", "model": "Space", "family": "space"}


def matches(device, shelf=None):
    return {m.advisory: m for m in advise([device], shelf).matches}


def test_a_version_of_the_wire_reaches_every_advisory_of_our_own():
    row = Listed(row=2, manufacturer="CareFusion", model="Alaris PCU Model 8015")
    found = matches(pump("9.33", "wire", identity=ALARIS, listed=row))
    assert {a for a, m in found.items() if m.exposure is Exposure.AFFECTED} == {
        "ICSMA-17-017-02", "ICSMA-20-170-06", "ICSMA-20-317-01", "ICSMA-23-194-01",
    }  # fmt: skip
    one = found["ICSMA-23-194-01"]
    assert (one.version, one.version_source) == ("9.33", "wire")
    assert "seen on the wire" in one.reason
    assert one.text and one.origin and one.basis == "product family"


def test_each_cve_has_its_own_answer_and_a_condition_is_named():
    row = Listed(row=2, manufacturer="Baxter", model="Sigma Spectrum 35700BAX2", version="8.00.01")
    said = {"manufacturer": "Baxter", "model": "Spectrum", "family": "spectrum"}
    found = matches(pump("8.00.01", "list", identity=said, listed=row))["ICSMA-20-170-04"]
    assert found.exposure is Exposure.AFFECTED
    by_cve = {a.cve: a for a in found.answers}
    assert by_cve["CVE-2020-12039"].exposure is Exposure.AFFECTED
    assert by_cve["CVE-2020-12047"].exposure is Exposure.CONDITIONAL
    assert "Wireless Battery Module" in by_cve["CVE-2020-12047"].condition
    with_part = msgspec.structs.replace(row, component="WBM v16")
    told = matches(pump("8.00.01", "list", identity=said, listed=with_part))["ICSMA-20-170-04"]
    assert {a.cve: a.exposure for a in told.answers}["CVE-2020-12047"] is Exposure.NOT_AFFECTED
    assert "CVE-2020-12047" not in told.cves


def test_names_made_anew_answer_as_those_that_came(monkeypatch, tmp_path):
    devices = [
        pump("1.6.0", "wire"),
        pump("12.1", "list", id="dev-2", identity={"manufacturer": "BD", "model": "Alaris PCU 8015"}),
        pump(id="dev-3", identity={"manufacturer": "Baxter", "model": "", "family": ""}),
    ]  # fmt: skip
    names.own_names.cache_clear()
    came = advise(devices)
    monkeypatch.setattr(names, "OWN", tmp_path / "none")
    names.own_names.cache_clear()
    assert advise(devices) == came
    names.own_names.cache_clear()
    assert {m.device for m in came.matches} == {"dev-1", "dev-2", "dev-3"}
    assert len(came.advisories) > 3


def test_an_imported_document_takes_the_place_of_our_record_and_adds_to_the_shelf(tmp_path):
    made = raw(
        products=(("Smiths Medical", "Medfusion 4000", "<= 1.6.5", "Medfusion 4000: 1.6.5 and prior"),),
        cves=("CVE-2099-0001",),
        advisory="ICSMA-99-001-01",
    )  # fmt: skip
    (tmp_path / "a.json").write_bytes(made)
    import_paths(tmp_path / "shelf", [tmp_path / "a.json"])
    advised = advise([pump("1.6.1", "wire")], tmp_path / "shelf")
    assert advised.documents == 28
    assert {m.advisory: m.exposure for m in advised.matches} == {
        "ICSMA-17-250-02A": Exposure.NOT_AFFECTED,
        "ICSMA-99-001-01": Exposure.AFFECTED,
    }
    assert [a.sha512 != "" for a in advised.advisories] == [False, True]
    assert advise([pump("1.6.1", "wire")], tmp_path / "none").documents == 27


def test_a_document_changed_on_the_shelf_is_told_and_does_not_speak(tmp_path):
    made = raw(products=(("Smiths Medical", "Medfusion 4000", "vers:all/*", "Medfusion 4000"),))
    (tmp_path / "a.json").write_bytes(made)
    import_paths(tmp_path / "shelf", [tmp_path / "a.json"])
    (kept,) = (tmp_path / "shelf" / "documents").iterdir()
    kept.write_bytes(b"{}")
    advised = advise([pump("1.6.1", "wire")], tmp_path / "shelf")
    assert [m.advisory for m in advised.matches] == ["ICSMA-17-250-02A"]
    assert "has changed since it was imported" in advised.remarks[0]


def test_a_version_the_finder_analysed_is_affected_and_a_finer_one_unknown():
    assert match(pump("1.1.2", "wire")).exposure is Exposure.AFFECTED
    assert "sgayou" in match(pump("1.1.2", "wire")).origin
    assert match(pump("1.1.3", "wire")).exposure is Exposure.UNKNOWN


def test_the_lists_words_say_more_than_our_word_for_a_family():
    row = Listed(row=3, manufacturer="B. Braun", model="SpaceStation with SpaceCom 2")
    found = matches(pump("012U000061", "wire", identity=SPACE, listed=row))
    assert found["ICSMA-20-296-02"].exposure is Exposure.AFFECTED


def test_a_list_that_means_another_thing_does_not_speak_for_what_was_seen():
    row = Listed(row=3, manufacturer="HP", model="LaserJet 4000")
    assert assets_of(pump("1.5", "wire", listed=row))[0].model == "Medfusion 4000"


def test_no_device_no_advisory():
    advised = advise([])
    assert (advised.advisories, advised.matches, advised.remarks) == ((), (), ())


@needs_shared
def test_hand_made_inventory_rows_of_the_family_get_their_expected_status():
    path = SHARED / "data" / "advisories" / "gold_dev.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = [
            r
            for r in csv.DictReader(file)
            if "medfusion 4000" in r["model"].lower() or "MF4000" in r["model"]
        ]
    assert len(rows) >= 8
    for place, row in enumerate(rows, 2):
        version = "" if row["version"] == "N/A" else row["version"]
        listed = Listed(
            row=place,
            serial=f"S{place}",
            manufacturer=row["manufacturer"],
            model=row["model"],
            version=version,
        )
        found = match(join((), [listed])[0])
        assert found.exposure.value.replace(" ", "_") == row["expected_overall"], row["row"]
        assert sorted(found.cves if found.exposure is Exposure.AFFECTED else ()) == sorted(
            row["expected_cves_by_text"].split()
        ), row["row"]
