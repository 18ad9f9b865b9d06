"""The gold set: rows read by a person, and the targets the matcher must keep."""

import pytest
from tests.gold import CORPUS, DOCS, ratio, render, table, written
from tests.shared import SHARED, needs_shared

GOLD = SHARED / "data" / "advisories" / "gold_dev.csv"


@pytest.fixture(scope="module")
def found():
    return table(GOLD)


@needs_shared
def test_no_affected_device_is_called_unaffected(found):
    assert found.dangerous == []


@needs_shared
def test_agreement_and_cves_reach_their_targets(found):
    assert found.rows == 142
    assert found.agreement >= 0.95, render(found)
    assert min(ratio(found.cves)) >= 0.95, render(found)
    assert min(ratio(found.affected)) >= 0.95, render(found)


@needs_shared
def test_advisory_by_advisory_most_answers_agree(found):
    right, all_ = found.advisories
    assert right / all_ >= 0.95, found.details


@needs_shared
def test_the_documented_table_is_the_measured_one(found):
    text = DOCS.read_text(encoding="utf-8")
    assert text == written(text, found), "run `python -m tests.gold --docs FILE.csv`"


@needs_shared
def test_without_readings_no_affected_device_is_called_unaffected_either(monkeypatch, tmp_path):
    """The plain rules alone know less, and must not be dangerous for it."""
    from wardwatch.advise import statements

    monkeypatch.setattr(statements, "readings", dict)
    bare = table(GOLD, CORPUS)
    assert bare.agreement < 0.95  # else this test measures nothing
    assert bare.dangerous == []


def test_the_table_is_printed_from_any_file_of_these_columns(tmp_path):
    if not CORPUS.exists():
        pytest.skip("needs the shared corpus beside the clone")
    header = "row,manufacturer,model,version,component_note,expected_overall,expected_advisories,expected_cves_by_text,expected_cves_conditional"
    path = tmp_path / "other.csv"
    path.write_text(
        f"{header}\nH1,OFFIS,DCMTK,3.6.5,,affected,ICSMA-22-174-01=affected,CVE-2022-2119,\n"
        "H2,OFFIS,DCMTK,3.6.7,,affected,,,\n"
    )
    other = table(path)
    assert (other.rows, other.agreed, other.dangerous) == (2, 1, ["H2"])
    assert ratio(other.cves) == (1 / 3, 1.0)
    assert "H2: expected affected, said not_affected" in render(other)


@needs_shared
def test_rows_read_by_hand_after_the_rules_agree_and_none_is_dangerous():
    """Other devices than the gold set's, misses kept: where the rules fail is worth knowing."""
    from tests.gold import HAND, by_hand

    rows, agreed, dangerous = by_hand(HAND)
    assert rows > 500
    assert dangerous == []
    assert agreed / rows >= 0.96
