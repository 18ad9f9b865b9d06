"""wardwatch.advise.environment"""

import pytest
from tests.advise.small import audited, pump, verdict

from wardwatch.advise.environment import (
    Environment,
    Rubric,
    Standing,
    answers_for,
    gravest,
    rubric,
    scored,
    surroundings,
)
from wardwatch.advise.knowledge import families
from wardwatch.advise.names import named
from wardwatch.advise.own import own_records
from wardwatch.model.judgement import State

OVERFLOW = "CVSS:3.0/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:H/A:H"


def test_base_and_environmental_stand_side_by_side():
    here = scored(OVERFLOW, Environment(mav="A", cr="L", ir="H", ar="H", e="P", rl="O"))
    assert (here.base, here.environmental) == (8.1, 6.7)
    assert (here.base_severity, here.environmental_severity) == ("High", "Medium")
    assert here.vector == f"{OVERFLOW}/E:P/RL:O/CR:L/IR:H/AR:H/MAV:A"


def test_without_surroundings_both_scores_are_the_published_one():
    assert scored(OVERFLOW, Environment()).environmental == 8.1


@pytest.mark.parametrize("reach", ["A", "L", "P"])
def test_the_attack_vector_is_never_widened(reach):
    vector = OVERFLOW.replace("AV:N", f"AV:{reach}")
    assert "MAV" not in scored(vector, Environment(mav="A")).vector


@pytest.mark.parametrize("vector", ["", "AV:N", "CVSS:3.0/AV:Q", "CVSS:2.0/AV:N/AC:L"])
def test_what_is_no_vector_has_no_score(vector):
    assert scored(vector, Environment()) is None


@pytest.mark.parametrize(
    ("verdicts", "holds", "named"),
    [
        ([("static_address", State.HOLDS, "dev-1", "device")], True, True),
        ([("static_address", State.HOLDS, "dev-2", "device")], False, False),
        ([("static_address", State.ATTESTED, "dev-1", "device")], False, True),
        ([("static_address", State.NOT_OBSERVABLE, "dev-1", "device")], False, False),
        ([("static_address", State.NOT_APPLICABLE, "dev-1", "device")], False, False),
        ([("static_address", State.HOLDS, "dev-1", "device"),
          ("static_address", State.NOT_APPLICABLE, "dev-1", "device")], True, True),
        ([("static_address", State.HOLDS, "dev-1", "device"),
          ("static_address", State.NOT_OBSERVABLE, "dev-1", "device")], False, False),
        ([("static_address", State.HOLDS, "dev-1", "device"),
          ("static_address", State.BROKEN, "dev-1", "device")], False, False),
        ([("vlan_separation", State.HOLDS, "vlan 120", "segment"),
          ("vlan_separation", State.HOLDS, "vlan 121", "segment")], True, True),
        ([("vlan_separation", State.HOLDS, "vlan 120", "segment")], False, False),
        ([("vlan_separation", State.HOLDS, "vlan 120", "segment"),
          ("vlan_separation", State.BROKEN, "vlan 121", "segment")], False, False),
        ([("attested_backups", State.ATTESTED, "site", "site")], False, True),
        ([("static_address", State.HOLDS, "dev-1", "device"),
          ("static_address", State.BROKEN, "vlan 120", "segment")], False, False),
    ],
)  # fmt: skip
def test_a_measure_stands_for_a_device_wholly_or_not(verdicts, holds, named):
    standing = Standing(verdict(m, s, subject, kind) for m, s, subject, kind in verdicts)
    device = pump(segments=("vlan 120", "vlan 121"))
    measure = verdicts[0][0]
    assert standing.holds(measure, device) is holds
    assert (measure in {v.measure for v in standing.holding(device)}) is named


def test_a_device_that_was_never_seen_inherits_no_segment():
    standing = Standing([verdict("vlan_separation", State.HOLDS, "vlan 120", "segment")])
    assert standing.holding(pump(segments=())) == ()


def test_adjacent_only_where_enforcement_is_shown():
    (advisory,) = audited().advisories
    use = Standing([verdict("segmentation_in_use")])
    attested = Standing([verdict("segmentation_enforced", State.ATTESTED)])
    enforced = Standing([verdict("segmentation_enforced")])
    for standing in (use, attested):
        assert surroundings(pump(), advisory, standing, active=False).mav == ""
    assert surroundings(pump(), advisory, enforced, active=False).mav == "A"
    assert surroundings(pump(), advisory, enforced, active=False, radio=True).mav == ""
    assert surroundings(pump(name="dev-2"), advisory, enforced, active=False).mav == ""


def test_the_other_metrics_have_their_evidence_or_stay_undefined():
    (advisory,) = audited().advisories
    quiet, used = (surroundings(pump(), advisory, Standing([]), active=a) for a in (False, True))
    assert (quiet.e, used.e, quiet.rl) == ("", "H", "O")
    assert (quiet.cr, quiet.ir, quiet.ar) == ("L", "H", "H")
    stranger = surroundings(
        pump(family="x", model="Plum 360"), advisory, Standing([]), active=False
    )
    assert (stranger.cr, stranger.ir, stranger.ar) == ("", "", "")


def test_every_answer_of_the_rubric_has_a_source_and_a_value_of_its_scale():
    assert rubric()
    for row in rubric().values():
        assert row.source
        assert {row.cr, row.ir, row.ar} <= {"", "L", "M", "H"}
        assert {row.phi, row.diagnosis, row.therapy, row.workflow, row.credentials} <= {
            "",
            "yes",
            "no",
        }


def test_every_answer_is_for_a_family_that_our_own_records_concern():
    concerned = {
        f for record in own_records() for s in named(record).statements for f in s.families
    }
    assert set(rubric()) <= set(families()) & concerned


def test_no_family_is_answered_for_twice():
    assert sum(len(row.families) for row in set(rubric().values())) == len(rubric())


@pytest.mark.parametrize(
    ("maker", "model", "family", "row"),
    [
        ("Smiths Medical", "", "medfusion-4000", "smiths.medfusion-4000"),  # the wire's key alone
        (
            "ICU Medical",
            "MEDFUSION 4000 syringe",
            "",
            "smiths.medfusion-4000",
        ),  # a list's words alone
        ("BD", "Alaris Point of Care Unit 8015", "alaris-pcu", "bd.alaris-pcu-8015"),
        ("BD", "Alaris", "alaris-pcu", "bd.alaris-pcu-8015"),  # model not said: any of them
        ("Baxter", "Spectrum IQ", "spectrum", "baxter.spectrum"),
        ("B. Braun", "SpaceStation with SpaceCom", "space", "bbraun.spacecom"),
        ("Insulet", "Omnipod", "", "insulet.omnipod"),
    ],
)
def test_wire_and_list_lead_to_the_same_answers_whatever_they_call_the_family(
    maker, model, family, row
):
    device = pump(manufacturer=maker, model=model, family=family, listed=None)
    assert row in answers_for(device).families


@pytest.mark.parametrize(
    ("maker", "model", "family"),
    [
        ("Mindray", "Medfusion 4000", ""),  # a model's word under another maker
        ("ICU Medical", "Plum 360", "plum"),
        ("", "", ""),
    ],
)
def test_a_family_without_answers_has_none(maker, model, family):
    assert answers_for(pump(manufacturer=maker, model=model, family=family, listed=None)) is None


def test_of_two_rows_the_graver_answer_counts():
    of_one = answers_for(pump(manufacturer="BD", model="Alaris PCU 8000", family=""))
    of_any = answers_for(pump(manufacturer="BD", model="Alaris PC unit", family="alaris-pcu"))
    assert (of_one.therapy, of_one.ir, of_one.credentials) == ("", "", "yes")
    assert (of_any.therapy, of_any.ir, of_any.credentials) == ("yes", "H", "yes")


def test_what_one_row_leaves_open_is_not_denied_by_another():
    denied = Rubric(("a",), "A", phi="no", therapy="no", cr="L", ir="H")
    silent = Rubric(("b",), "B", therapy="yes", ir="M")
    both = gravest((denied, silent))
    assert (both.phi, both.therapy, both.cr, both.ir) == ("", "yes", "", "H")
    assert (both.families, both.source) == (("a", "b"), "A; B")
    assert gravest((denied,)) == denied
