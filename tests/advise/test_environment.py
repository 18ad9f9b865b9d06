"""wardwatch.advise.environment"""

import pytest
from tests.advise.small import audited, pump, verdict

from wardwatch.advise.environment import Environment, Standing, rubric, scored, surroundings
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
    stranger = surroundings(pump(family="x"), advisory, Standing([]), active=False)
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
