"""wardwatch.observe.sides: parts put together in any order give the rows of one reader."""

import random

import pytest
from tests.conversations import many
from tests.observe import frames as f
from tests.observe.parts import (
    Given,
    bags_of,
    differing,
    ends_of,
    is_pcap,
    joined,
    part_of,
    parts_of,
    put_together,
)
from tests.observe.test_young import write
from tests.shared import CAPTURES, needs_shared

from wardwatch.capture import reader
from wardwatch.observe import later, sides
from wardwatch.observe.engine import observe
from wardwatch.observe.forks import Lost
from wardwatch.observe.part import Refused


@pytest.fixture(autouse=True)
def rows_of_a_block(monkeypatch):
    def tell(count):
        monkeypatch.setattr(reader, "BLOCK_ROWS", count)

    tell(1)
    return tell


def whole_of(path, key):
    return bags_of(observe([path], key_file=key, processes=1).tables)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("block", [1, 7])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("told", [False, True])
def test_any_parts_of_disturbed_conversations_in_any_bracketing(
    told, seed, block, tmp_path, rows_of_a_block
) -> None:
    """However often it is cut and whichever halves are put together first."""
    rows_of_a_block(block)
    path = write(tmp_path / "a.pcap", many(seed, 12, disturbed=0.5, largest=(1460, 400, 60)))
    whole = whole_of(path, tmp_path / "key")
    dice, places, refused = random.Random(seed), ends_of(path), 0
    for turn in range(12):
        chosen = sorted(dice.sample(places[:-1], 4))
        at = [later.Cut(1, end, told) for end in chosen]
        folder = tmp_path / str(turn)
        try:
            part = joined(parts_of(path, at, folder), at, folder, dice)
        except Refused:
            refused += 1
            continue
        one = Given(at[0], part)
        found = put_together(path, tmp_path / "key", [one])
        assert differing(whole, found) == {}, chosen
        refused += bool(one.refused)
    assert refused < 6


@needs_shared
@pytest.mark.parametrize("told", [False, True])
def test_any_parts_of_shared_captures(told, tmp_path) -> None:
    known = (".pcap", ".pcapng", ".cap")
    paths = sorted(p for p in CAPTURES.rglob("*") if p.suffix in known and p.is_file())
    dice, refused, done = random.Random(3), 0, 0
    for turn, path in enumerate(dice.sample(paths, 40)):
        places = ends_of(path)
        if not 4 < len(places) < 1_500:
            continue
        whole = whole_of(path, tmp_path / "key")
        ends = sorted(dice.sample(places[:-1], 3))
        at = [later.Cut(1, end, told and is_pcap(path)) for end in ends]
        folder = tmp_path / str(turn)
        done += 1
        try:
            one = Given(at[0], joined(parts_of(path, at, folder), at, folder, dice))
            found = put_together(path, tmp_path / "key", [one])
        except (Refused, Lost):
            refused += 1
            continue
        assert differing(whole, found) == {}, (path.name, at)
        refused += bool(one.refused)
    assert done > 20
    assert refused < done * 0.3


def test_where_a_part_is_refused_we_read_on_and_take_the_next(tmp_path) -> None:
    packet = f.udp("10.0.0.5", 1024, "10.0.0.2", 53, b"\1\1" + bytes(10) + b"q" * 90)
    pieces = [f.ether(f.NURSE, f.SERVER, piece) for piece in f.fragments(packet, 48)]
    assert len(pieces) == 3
    other = f.ether(f.NURSE, f.SERVER, f.udp("10.0.0.6", 1024, "10.0.0.2", 53, bytes(12)))
    frames = [other, pieces[0], other, pieces[1], pieces[2], other]
    path = f.pcap(tmp_path / "a.pcap", list(enumerate(frames, 1)))
    whole = whole_of(path, tmp_path / "key")
    ends = ends_of(path)
    at = [later.Cut(1, ends[n]) for n in (0, 2, 4)]
    laters = [
        Given(cut, part)
        for cut, part in zip(at, parts_of(path, at, tmp_path / "parts"), strict=True)
    ]
    found = put_together(path, tmp_path / "key", laters)
    assert differing(whole, found) == {}
    across = "a datagram came in fragments before the cut and behind it"
    assert [one.refused for one in laters] == ["", across, ""]


def test_a_part_that_saw_another_file_is_no_part_of_ours(tmp_path) -> None:
    path = write(tmp_path / "a.pcap", many(1, 6))
    (tmp_path / "key").write_bytes(bytes(32))
    ends = ends_of(path)
    part = part_of(path, later.Cut(1, ends[30]), None, tmp_path / "part")
    shorter = tmp_path / "b.pcap"
    shorter.write_bytes(path.read_bytes()[: ends[60]])
    with pytest.raises(Lost):
        put_together(shorter, tmp_path / "key", [Given(later.Cut(1, ends[30]), part)])
    with pytest.raises(Lost):
        put_together(path, tmp_path / "key", [Given(later.Cut(1, ends[29]), part)])


def test_secrets_beyond_the_bound_are_refused(tmp_path, monkeypatch) -> None:
    path = write(tmp_path / "a.pcap", many(1, 6))
    (tmp_path / "key").write_bytes(bytes(32))
    cut = later.Cut(1, ends_of(path)[30])
    part = part_of(path, cut, None, tmp_path / "part")
    monkeypatch.setattr(sides, "MAX_CHECKED", -1)
    one = Given(cut, part)
    put_together(path, tmp_path / "key", [one])
    assert one.refused == "there are more secrets than are compared with hashed defaults"
