import csv

import pytest
from tests.shared import SHARED, needs_shared

from wardwatch.advise import advise
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
    advisories, matches = advise([device])
    assert [a.id for a in advisories] == ["ICSMA-17-250-02A"] * len(matches)
    return matches[0] if matches else None


def test_a_version_seen_on_the_wire_is_affected_and_says_so():
    found = match(pump("1.6.0", "wire"))
    assert found.exposure is Exposure.AFFECTED
    assert found.reason == "Version 1.6.0 (seen on the wire), and the advisory names 1.6."
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
        {"family": "", "model": "", "manufacturer": "Baxter"},
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


def test_no_device_no_advisory():
    assert advise([]) == ((), ())


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
