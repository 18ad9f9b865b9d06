import pytest

from wardwatch.inventory.rulebook import Rule
from wardwatch.inventory.weigh import weigh
from wardwatch.model.device import Confidence


def rule(name, weight, sign="a.x", **claims):
    return Rule(id=name, sign=sign, weight=weight, says=name, source="test", match="", **claims)


PUMP = {"manufacturer": "S", "model": "M", "kind": "infusion pump", "family": "m"}


def test_nothing_said_is_unknown():
    assert weigh([]).confidence is Confidence.UNKNOWN


def test_one_hint_makes_possible():
    found = weigh([rule("port", 0.2, kind="infusion pump")])
    assert (found.confidence, found.identity.kind) == (Confidence.POSSIBLE, "infusion pump")


def test_a_trait_below_a_hint_is_told_and_not_weighed():
    found = weigh([rule("dust", 0.19, kind="printer")])
    assert (found.identity.kind, found.confidence) == ("", Confidence.UNKNOWN)


def test_two_hints_of_different_basis_make_probable():
    hints = [rule("port", 0.2, "port.tcp", **PUMP), rule("name", 0.3, "name.host", **PUMP)]
    assert weigh(hints).confidence is Confidence.PROBABLE


def test_many_hints_of_one_basis_are_one_hint():
    hints = [rule(f"port{i}", 0.5, "port.tcp", **PUMP) for i in range(9)]
    assert weigh(hints).confidence is Confidence.POSSIBLE


def test_many_hints_never_make_certain():
    hints = [rule(f"h{i}", 0.59, f"basis{i}.x", **PUMP) for i in range(9)]
    assert weigh(hints).confidence is Confidence.PROBABLE


@pytest.mark.parametrize(
    ("weight", "sure"), [(0.6, Confidence.PROBABLE), (0.9, Confidence.CERTAIN)]
)
def test_one_strong_trait_is_probable_and_its_own_word_certain(weight, sure):
    assert weigh([rule("one", weight, **PUMP)]).confidence is sure


def test_two_strong_traits_are_certain_only_when_independent():
    assert weigh([rule("a", 0.7, "tls.x", **PUMP), rule("b", 0.7, "oui", **PUMP)]).confidence is (
        Confidence.CERTAIN
    )
    assert weigh([rule("a", 0.7, "tls.x", **PUMP), rule("b", 0.7, "tls.y", **PUMP)]).confidence is (
        Confidence.PROBABLE
    )


def test_what_one_leaves_open_the_other_fills():
    found = weigh(
        [
            rule("oui", 0.7, "oui", manufacturer="S", kind="infusion pump"),
            rule("pads", 0.5, "dhcp.pads", **PUMP),
        ]
    )
    assert (found.identity.model, found.identity.family) == ("M", "m")
    assert found.confidence is Confidence.PROBABLE


def test_a_strong_contradiction_takes_certainty_away_and_is_told():
    found = weigh(
        [
            rule("soap", 0.95, "device.soap", **PUMP),
            rule("oui", 0.7, "oui", manufacturer="B", kind="dialysis"),
        ]
    )
    assert found.identity.family == "m"
    assert found.confidence is Confidence.PROBABLE
    assert [r.id for r in found.against] == ["oui"]


def test_a_weak_contradiction_changes_nothing():
    found = weigh([rule("soap", 0.95, "device.soap", **PUMP), rule("name", 0.3, kind="printer")])
    assert (found.confidence, found.against) == (Confidence.CERTAIN, ())


def test_a_module_is_not_the_device():
    found = weigh([rule("radio", 0.7, "oui", module="Laird module")])
    assert found.identity.module == "Laird module"
    assert (found.identity.manufacturer, found.confidence) == ("", Confidence.UNKNOWN)


def test_medical_device_is_a_wider_word_and_no_contradiction():
    found = weigh(
        [
            rule("oui", 0.7, "oui", manufacturer="B", kind="medical device"),
            rule("hl7", 0.9, "hl7.x", kind="infusion pump"),
        ]
    )
    assert (found.identity.kind, found.identity.manufacturer) == ("infusion pump", "B")
    assert found.against == ()


def test_windows_beneath_a_modality_is_no_reason_to_hide_it():
    found = weigh(
        [
            rule("dicom", 0.6, "dicom.x", kind="imaging"),
            rule("dhcp", 0.6, "dhcp.x", kind="workstation"),
        ]
    )
    assert found.identity.kind == "imaging"


def test_the_order_of_reasons_does_not_matter():
    rules = [
        rule("a", 0.7, "oui", manufacturer="S", kind="infusion pump"),
        rule("b", 0.5, "dhcp.x", **PUMP),
        rule("c", 0.6, "role.x", kind="server"),
    ]
    assert weigh(rules).identity == weigh(rules[::-1]).identity
