"""The knowledge pack holds together: every id is known, every version readable, every why given."""

from wardwatch.advise.knowledge import families, makers, readings
from wardwatch.advise.ranges import parse_range, parse_version


def test_families_name_known_makers_and_parts():
    known = {maker.id for maker in makers()}
    for family in families().values():
        assert set(family.makers) <= known, family.id
        assert set(family.parts) <= families().keys(), family.id
        assert family.source


def test_readings_name_known_families_and_readable_versions():
    used = set()
    for reading in readings().values():
        assert reading.entry or reading.why, reading.advisory
        for entry in reading.entry:
            used |= {entry.family, *entry.families} - {""}
            assert entry.source, reading.advisory
            assert entry.drop or entry.affected or entry.models, reading.advisory
            statements = [entry.affected, *(s.affected for s in entry.scopes)]
            statements += [case.versions for case in entry.cases]
            assert all(parse_range(text) for text in statements if text), reading.advisory
            assert all(parse_version(text) for text in entry.fixed), reading.advisory
            assert all(case.status in ("affected", "unknown") for case in entry.cases)
    assert used <= families().keys()


def test_our_readings_never_call_a_version_unaffected():
    """What is outside follows from the versions; no case may say so by itself."""
    cases = [case for r in readings().values() for e in r.entry for case in e.cases]
    assert cases
    assert all(case.why for case in cases)
