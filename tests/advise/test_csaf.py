"""CSAF documents read: what the file says, and hostile ones refused by name."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.advise.papers import VECTOR, document, paper, raw

from wardwatch.advise.csaf import MAX_BYTES, MAX_DEPTH, read_document
from wardwatch.errors import AdvisoryError


def test_a_document_is_read_as_it_stands():
    found = document(remedies=("Update.",))
    assert (found.id, found.title, found.tlp) == ("TEST-20-001-01", "A test advisory", "WHITE")
    (leaf,) = found.leaves
    assert (leaf.vendor, leaf.product, leaf.version) == ("Acme", "Pump 4000", "<= 2.0")
    assert leaf.name == "Pump 4000: Versions 2.0 and prior"
    (flaw,) = found.flaws
    assert flaw.affected == (leaf.product_id,)
    assert (flaw.scores[0].vector, flaw.scores[0].base_score) == (VECTOR, 9.8)
    assert flaw.remedies[0].details == "Update."
    assert len(found.sha512) == 128


@pytest.mark.parametrize(
    ("bytes_", "why"),
    [
        (b"%PDF-1.7", "no JSON"),
        (b"[]", "no CSAF document"),
        (b'{"document": []}', "no CSAF document"),
        (b'{"document": {"csaf_version": "1.2"}}', "not 2.0"),
        (b'{"document": {"csaf_version": "2.0"}}', "tracking.id"),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "deep"),
        (b'{"a":' * 100_000, "deep"),
        (b" " * (MAX_BYTES + 1), "larger"),
        (b"\xff\xfe{}", "no JSON"),
    ],
)
def test_a_damaged_or_hostile_document_is_refused_by_name(bytes_, why):
    with pytest.raises(AdvisoryError, match=why) as told:
        read_document(bytes_, "odd.json")
    assert "odd.json" in str(told.value)


def test_brackets_within_a_text_nest_nothing():
    assert document(notes={"CVE-2020-0001": "[{" * 500}).flaws[0].notes[0].startswith("[{")


def _places(value, path=()):
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from _places(value[key], (*path, key))
    elif isinstance(value, list):
        for i in range(len(value)):
            yield from _places(value[i], (*path, i))


PLACES = [path for path in _places(paper()) if path]


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(PLACES), st.sampled_from([None, 7, "x", [], {}, [7], True, 1e400]))
def test_a_wrong_type_anywhere_is_read_over_or_refused(path, wrong):
    said = paper()
    inner = said
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = wrong
    try:
        read_document(json.dumps(said).replace("Infinity", "1").encode(), "odd.json")
    except AdvisoryError as error:
        assert "odd.json" in str(error)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 3000), st.binary(min_size=1, max_size=4))
def test_flipped_bytes_never_escape(at, noise):
    bytes_ = bytearray(raw())
    at %= len(bytes_)
    bytes_[at : at + len(noise)] = noise
    try:
        read_document(bytes(bytes_), "odd.json")
    except AdvisoryError as error:
        assert "odd.json" in str(error)
