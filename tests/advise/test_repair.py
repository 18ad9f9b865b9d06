"""Contradictions of a document: both sides told, and the text taken only where the fault is known."""

import pytest
from tests.advise.papers import VECTOR, document
from tests.shared import SHARED, needs_shared

from wardwatch.advise.repair import disagreement, impacted_by, repairs, scores
from wardwatch.advise.store import read_paths

CORPUS = SHARED / "data" / "advisories" / "icsma.tar.xz"
LOW = ("CVSS:3.0/AV:N/AC:H/PR:N/UI:N/S:U/C:L/I:N/A:N", 3.7)
CVES = ("CVE-2020-0001", "CVE-2020-0002", "CVE-2020-0003")
TRUE = (
    (9.8, "AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"),
    (8.1, "AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:H/A:H"),
    (5.3, "AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:L"),
)


def said(cve, score, vector):
    return (
        f"A flaw of the pump lets someone in. {cve} has been assigned to this vulnerability. A CVSS v3 "
        f"base score of {score} has been calculated; the CVSS vector string is ({vector})."
    )


def own_notes(true=TRUE):
    return {cve: said(cve, *one) for cve, one in zip(CVES, true, strict=True)}


def by_kind(found, kind):
    return [one for one in found if one.kind == kind]


def test_cumulative_notes_give_each_cve_its_own_statement():
    texts = list(own_notes().values())
    notes = {cve: " ".join(texts[: i + 1]) for i, cve in enumerate(CVES)}
    vectors = (LOW, (VECTOR, 9.8), LOW)
    found = document(cves=CVES, notes=notes, scores=dict(zip(CVES, vectors, strict=True)))
    assert [(s.base_score, s.file_score) for s in scores(found)] == [(9.8, 3.7), (8.1, 9.8), (5.3, 3.7)]  # fmt: skip
    assert [(r.taken, r.certainty) for r in by_kind(repairs(found), "score")] == [("text", "sure")] * 3  # fmt: skip
    assert by_kind(repairs(found), "score")[0].file_says.startswith("3.7 CVSS:3.0/AV:N/AC:H")


def test_one_vector_for_three_cves_gives_way_to_the_text():
    found = document(cves=CVES, notes=own_notes(), scores=dict.fromkeys(CVES, LOW))
    assert [s.base_score for s in scores(found)] == [9.8, 8.1, 5.3]


def test_a_lone_difference_keeps_the_file_and_shows_both():
    found = document(cves=CVES[:1], notes={CVES[0]: own_notes()[CVES[0]]}, scores={CVES[0]: LOW})
    (one,) = scores(found)
    assert (one.base_score, one.replaced) == (3.7, False)
    (told,) = by_kind(repairs(found), "score")
    assert (told.taken, told.certainty) == ("file", "open")
    assert "9.8" in told.text_says


def test_a_text_whose_score_does_not_follow_from_its_vector_is_not_taken():
    wrong = ((7.7, TRUE[0][1]), *TRUE[1:])
    found = document(cves=CVES, notes=own_notes(wrong), scores=dict.fromkeys(CVES, LOW))
    assert [s.base_score for s in scores(found)] == [3.7, 8.1, 5.3]
    assert "does not follow" in by_kind(repairs(found), "score")[0].why


def test_no_score_is_taken_from_a_note_of_other_cves():
    notes = {CVES[0]: said("CVE-2019-9999", *TRUE[0])}
    found = document(cves=CVES[:1], notes=notes, scores={CVES[0]: LOW})
    assert scores(found)[0].base_score == 3.7
    assert "another" in by_kind(repairs(found), "score")[0].why


@pytest.mark.parametrize(
    ("branch", "name", "differs"),
    [
        ("<= 2.0", "P: Versions 2.0 and prior", False),
        ("<2.0", "P: all versions prior to 2.0", False),
        (">= 2.0", "P: All Versions 2.0 and later", False),
        ("1.1 | 1.2", "P: Versions 1.1 and 1.2", False),
        ("<= 6.5", "P: end-of-life versions back to 6.5", True),
        (">= 1.8.0", "P: 1.8.0 and older", True),
        ("<7.6.2", "P: all versions up to 7.6.2", True),
        ("<= 3.01.1744", "P: 3.02.1744 and prior", True),
        ("2.2", "P: 2.20", True),
        ("vers:all/*", "P: all versions", False),
    ],
)
def test_leaf_name_and_branch_are_compared(branch, name, differs):
    (leaf,) = document(products=(("Acme", "P", branch, name),)).leaves
    assert bool(disagreement(leaf)[1]) is differs


def test_an_inverted_sign_gives_the_range_of_the_name():
    (leaf,) = document(products=(("Acme", "P", ">= 1.8.0", "P: 1.8.0 and older"),)).leaves
    other, both = disagreement(leaf)
    assert other is not None
    assert other.alternatives[0][0].sign == "<="
    assert ">= 1.8.0" in both
    assert "1.8.0 and older" in both


def test_a_leaf_name_narrows_its_cves():
    name = "P: 1.X (Impacted by CVE-2020- 0001 and CVE-2020-0003)"
    found = document(products=(("Acme", "P", "1.X", name),), cves=CVES)
    assert impacted_by(found.leaves[0]) == ("CVE-2020-0001", "CVE-2020-0003")
    assert len(by_kind(repairs(found), "products")) == 1


def test_a_lost_list_is_told():
    found = document(remedies=("Update.", "Apply the following measures:"))
    (told,) = by_kind(repairs(found), "list")
    assert told.certainty == "sure"


def test_a_sound_document_has_nothing_to_repair():
    assert repairs(document()) == ()


@needs_shared
def test_medfusion_gets_its_eight_scores_and_the_corpus_its_known_faults():
    documents, _ = read_paths([CORPUS])
    medfusion = next(d for d in documents if d.id == "ICSMA-17-250-02A")
    order = ("12718", "12722", "12725", "12720", "12724", "12726", "12721", "12723")
    found = scores(medfusion)
    assert [s.cve for s in found] == [f"CVE-2017-{number}" for number in order]
    assert [s.base_score for s in found] == [8.1, 5.3, 9.8, 8.1, 8.1, 5.6, 7.5, 3.7]
    assert [s.file_score for s in found] == [3.7] * 8
    every = [r for d in documents for r in repairs(d)]
    # Counted by hand over the corpus: 9 scores in 2 documents, 35 notes of other CVEs, 139 lost lists.
    assert len([r for r in every if r.kind == "score"]) == 9
    assert len([r for r in every if r.kind == "list"]) == 139
    assert len([r for r in every if r.kind == "notes" and r.subject]) == 35
