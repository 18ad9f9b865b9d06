"""The infusion beside an attack: I1 holds in every play, I2 is violated where a version checks nothing."""

from wardwatch.model.values import NS
from wardwatch.twin.comms import Label, Module
from wardwatch.twin.infusion import SPAN_NS, beside

AT = 1440 * NS


def ended(state: str, version: str = "1.5.0", down_s: int = 0) -> Module:
    labels = (Label("CVE-2017-12718", state),) if state else ()
    return Module(version, labels=labels, down_until=AT + down_s * NS if down_s else -1)


def test_a_restart_is_noticed_and_changes_nothing_else():
    found = beside(ended("crashed", down_s=100), AT, 0, 1)
    assert (found.i1, found.lost, found.violations) == (True, 1, 0)
    assert 4.8e9 < found.delivered_pl < 5e9


def test_a_module_in_other_hands_offers_what_a_historic_version_takes_and_therapy_goes_on():
    found = beside(ended("compromised"), AT, 0, 1)
    assert found.i1
    assert found.violations > 0
    assert beside(ended("compromised", "hardened"), AT, 0, 1).violations == 0


def test_without_an_attack_nothing_differs():
    found = beside(ended(""), AT, 0, 1)
    assert (found.i1, found.lost, found.violations) == (True, 0, 0)
    assert SPAN_NS == 3600 * NS
