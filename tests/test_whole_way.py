"""Captures cut at and around their records, and at 32 seeded places, through the whole way."""

import struct

import pytest
from tests.shared import CAPTURES, needs_shared
from tests.whole_way import boundaries, cuts, whole_way

PARTS = 16


@needs_shared
@pytest.mark.parametrize("part", range(PARTS))
def test_cut_captures_end_and_account_for_every_packet(part):
    files = sorted(path for path in CAPTURES.iterdir() if path.is_file() and "__" in path.name)
    assert len(files) > 100
    assert whole_way(files[part::PARTS], seed=7, most=100, wounds=2) > 400


def test_cuts_are_at_and_around_every_record():
    raw = b"\xd4\xc3\xb2\xa1" + bytes(20) + struct.pack("<IIII", 0, 0, 4, 4) + b"data"
    assert boundaries(raw) == [24, 44]
    assert {23, 24, 25, 43, 44} <= set(cuts(raw, 1))
    assert max(cuts(raw, 1)) == 44


def test_of_many_records_some_are_cut_anywhere_in_the_file():
    record = struct.pack("<IIII", 0, 0, 4, 4) + b"data"
    raw = b"\xd4\xc3\xb2\xa1" + bytes(20) + 500 * record
    ends = {end for end in boundaries(raw) if {end - 1, end, end + 1} <= set(cuts(raw, 1, 50))}
    assert 45 < len(ends) < 60
    assert min(ends) < len(raw) / 5
    assert max(ends) > len(raw) * 4 / 5
