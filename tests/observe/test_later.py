"""wardwatch.observe.later: cut anywhere, the two halves give the rows that one process gives."""

import contextlib
import gc
import gzip
import itertools
import os
import random
import signal
import threading
import time

import pytest
from bench.__main__ import _parts
from bench.mix import write as write_mix
from tests.conversations import many
from tests.observe import frames as f
from tests.observe.parts import bags_of, differing, ends_of, is_pcap
from tests.observe.test_young import write
from tests.shared import CAPTURES, needs_shared

from wardwatch.capture import reader
from wardwatch.capture.write import PcapWriter
from wardwatch.decode.kernels import headers
from wardwatch.errors import CaptureError
from wardwatch.model.columns import TABLES
from wardwatch.observe import digests, engine, later, observer, side, tables
from wardwatch.observe.engine import observe
from wardwatch.observe.sides import Sides


def rows(paths, key, **more):
    """Every table as a bag of rows, and what else was told."""
    seen = observe(paths, key_file=key, **more)
    told = (seen.packets, seen.decoded, seen.skipped, seen.malformed, seen.damaged, seen.key_note)
    bags = bags_of(seen.tables)
    for name, bag in bags.items():
        assert bag.total() == seen.tables.rows(name)
    return bags, (*told, [str(error) for error in seen.refused])


class Cuts:
    """Cuts where a test says, and knows what was refused."""

    def __init__(self, monkeypatch):
        self.at = None
        self.by_turns = False
        """Whether every second part is read by us, and the others by one process."""
        self.told = False
        """Whether readers are told that records begin at the cuts, where they can make use of it."""
        self.refused = []
        self.alone = {}
        """What one process finds of captures, which a test changes none of."""
        self.block_rows = lambda count: monkeypatch.setattr(reader, "BLOCK_ROWS", count)
        monkeypatch.setattr(later, "shares_of", self._shares)
        close = later.Other.close

        def closed(other):
            self.refused += [one.refused for one in other.laters]
            close(other)

        monkeypatch.setattr(later.Other, "close", closed)

    def _shares(self, files, *_):
        cuts = self.at if isinstance(self.at, list) else [self.at]
        if self.told:
            cuts = [
                cut._replace(told=is_pcap(dict(files).get(cut.capture, os.devnull))) for cut in cuts
            ]
        parts = [*itertools.pairwise((*cuts, None))]
        return [parts[::2]] if self.by_turns else [[part] for part in parts]


@pytest.fixture
def cuts(monkeypatch):
    yield Cuts(monkeypatch)
    gc.collect()  # tables by the hundred, each of some MB, that only the collector finds


class Ended(BaseException):
    """The copy's end, where there is no copy."""


class Told:
    """A pipe both ends of which are here."""

    def __init__(self):
        self._said = []
        self.send, self.close = self._said.append, bool

    def recv(self):
        if not self._said:
            raise EOFError
        return self._said.pop(0)


class Hashed(digests.Digests):
    """Digests by this process, before it reads."""

    def __init__(self, paths):
        self._number = {path: number for number, path in enumerate(paths)}
        self._waits = False
        self._known = [digests.digest_of(path) for path in paths]

    def _tell(self, word):
        """There is nobody to tell."""

    def close(self):
        """There is no process to end."""


@pytest.fixture
def here(monkeypatch):
    """The second half is read by this process too, before the first: the same, but for the fork.

    To copy a process and its pages takes longer than to read a small capture twice.
    """
    work = later._work
    gc.collect()
    gc.freeze()  # who forked has undone it, and each part ends with a look for garbage

    def worked(*given):
        with monkeypatch.context() as patch, contextlib.suppress(Ended):
            patch.setattr(later.os, "_exit", ended)
            patch.setattr(later.signal, "signal", lambda *_: None)
            work(*given)

    def ended(status):
        raise Ended(status)

    monkeypatch.setattr(later, "Pipe", lambda duplex: (Told(),) * 2)
    monkeypatch.setattr(later, "forked", lambda: 0)
    monkeypatch.setattr(later, "_work", worked)
    monkeypatch.setattr(digests, "Digests", Hashed)


def same(paths, key, cuts, at, **more):
    """What one process finds, having seen that two find the same, cut there."""
    alone = (*paths, *more.items())
    if alone not in cuts.alone:
        cuts.alone[alone] = rows(paths, key, processes=1, **more)
    whole, told = cuts.alone[alone]
    for cuts.at in at:
        found, again = rows(paths, key, processes=2, **more)
        assert (differing(whole, found), again) == ({}, told), cuts.at
    return whole, told


@pytest.mark.usefixtures("at_once", "here")
@pytest.mark.parametrize("block", [1, 7])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("told", [False, True])
def test_any_cut_of_disturbed_conversations(seed, block, tmp_path, cuts, told) -> None:
    cuts.told = told
    cuts.block_rows(block)
    path = write(tmp_path / "a.pcap", many(seed, 12, disturbed=0.5, largest=(1460, 400, 60)))
    places = [later.Cut(1, end) for end in ends_of(path)]
    same([path], tmp_path / "key", cuts, random.Random(seed).sample(places, min(40, len(places))))
    assert sum(not why for why in cuts.refused) > len(cuts.refused) * 0.8


@pytest.mark.usefixtures("at_once", "here")
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("told", [False, True])
def test_several_processes_at_once(seed, tmp_path, cuts, told) -> None:
    cuts.told = told
    cuts.block_rows(5)
    path = write(tmp_path / "a.pcap", many(seed, 40, disturbed=0.4, largest=(1460, 400, 60)))
    dice, places = random.Random(seed), ends_of(path)
    for count in (2, 3, 5):
        at = [later.Cut(1, end) for end in sorted(dice.sample(places[:-1], count))]
        same([path], tmp_path / "key", cuts, [at])
    assert sum(not why for why in cuts.refused) > len(cuts.refused) * 0.6


@pytest.mark.usefixtures("at_once", "here")
@pytest.mark.parametrize("block", [1, 5])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("told", [False, True])
def test_any_turns_of_two_processes(seed, block, tmp_path, cuts, told) -> None:
    """A part of ours, one of the other's, one of ours …, of any lengths, with refused ones between."""
    cuts.told = told
    cuts.block_rows(block)
    cuts.by_turns = True
    path = write(tmp_path / "a.pcap", many(seed, 40, disturbed=0.4, largest=(1460, 400, 60)))
    dice, places = random.Random(seed), ends_of(path)
    for count in (2, 3, 6, 11, 20):
        at = [later.Cut(1, end) for end in sorted(dice.sample(places[:-1], count))]
        same([path], tmp_path / "key", cuts, [at])
    assert sum(not why for why in cuts.refused) > len(cuts.refused) * 0.6


@pytest.mark.usefixtures("at_once")
def test_turns_leave_no_row_out_on_disk_and_in_memory(tmp_path, cuts, monkeypatch) -> None:
    cuts.block_rows(50)
    cuts.by_turns = True
    path = tmp_path / "mix.pcap"
    write_mix(path, 1, seed=5)
    size = path.stat().st_size
    at = [later.Cut(1, size * turn // 12) for turn in range(1, 12)]
    found, _ = same([path], tmp_path / "key", cuts, [at])
    assert all(found[name] for name in ("conversations", "tls", "dns", "arp"))
    monkeypatch.setattr(tables, "FLUSH_ROWS", 20)
    monkeypatch.setattr(tables, "GATHER_ROWS", 5)
    cuts.alone.clear()
    assert same([path], tmp_path / "key", cuts, [at])[0] == found
    assert cuts.refused == [""] * 12


@pytest.mark.usefixtures("at_once", "here")
def test_what_another_has_read_is_not_read_again(tmp_path, cuts, monkeypatch) -> None:
    cuts.block_rows(20)
    cuts.by_turns = True
    path = write(tmp_path / "a.pcap", many(1, 60, largest=(1460,)))
    places = ends_of(path)
    cuts.at = [later.Cut(1, places[len(places) * turn // 6]) for turn in range(1, 6)]
    taken, decoded = [], observer.decoded

    def spied(reader, *given, **more):
        for one in decoded(reader, *given, **more):
            taken.append((one.passed, one.block.n))
            yield one

    monkeypatch.setattr(observer, "decoded", spied)
    _, told = rows([path], tmp_path / "key", processes=2)
    assert not any(passed for passed, _ in taken)
    assert 0 < sum(n for _, n in taken) < told[0] * 0.7


@pytest.mark.usefixtures("at_once", "here")
@needs_shared
def test_turns_through_shared_captures(tmp_path, cuts) -> None:
    cuts.block_rows(1)
    cuts.by_turns = True
    known = (".pcap", ".pcapng", ".cap")
    paths = sorted(p for p in CAPTURES.rglob("*") if p.suffix in known and p.is_file())
    dice = random.Random(4)
    for path in dice.sample(paths, 40):
        places = [later.Cut(1, end) for end in ends_of(path)]
        if 8 < len(places) < 2_000:
            same([path], tmp_path / "key", cuts, [sorted(dice.sample(places[:-1], 7))])
    assert sum(not why for why in cuts.refused) > 0.8 * len(cuts.refused) > 50


@pytest.mark.usefixtures("at_once", "here")
def test_turns_through_several_captures(tmp_path, cuts) -> None:
    frames = many(5, 120, disturbed=0.6, largest=(1460, 400, 60))
    third = len(frames) // 3
    paths = [write(tmp_path / f"{n}.pcap", frames[n * third : (n + 1) * third]) for n in range(3)]
    none = tmp_path / "none.pcap"
    none.write_bytes(b"%PDF-1.7 no capture")
    paths.insert(1, none)
    cuts.block_rows(10)
    cuts.by_turns = True
    places = [
        later.Cut(number, end)
        for number, path in enumerate(paths, 1)
        for end in (ends_of(path)[:-1:9] if path != none else [5, 9, 12])
    ]
    dice = random.Random(1)
    for count in (2, 3, 6, 11):
        for _ in range(4):
            same(paths, tmp_path / "key", cuts, [sorted(dice.sample(places, count))])
    assert sum(not why for why in cuts.refused) > len(cuts.refused) * 0.5


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("told", [False, True])
def test_any_cut_of_a_mix(tmp_path, cuts, told) -> None:
    cuts.told = told
    cuts.block_rows(50)
    path = tmp_path / "mix.pcap"
    write_mix(path, 1, seed=5)
    places = [later.Cut(1, end) for end in ends_of(path)]
    found, _ = same([path], tmp_path / "key", cuts, random.Random(1).sample(places, 12))
    assert all(found[name] for name in ("conversations", "tls", "dns", "arp"))
    assert cuts.refused == [""] * 12


@pytest.mark.usefixtures("at_once", "here")
@needs_shared
@pytest.mark.parametrize("told", [False, True])
def test_any_cut_of_shared_captures(tmp_path, cuts, told) -> None:
    cuts.told = told
    cuts.block_rows(1)
    known = (".pcap", ".pcapng", ".cap")
    paths = sorted(p for p in CAPTURES.rglob("*") if p.suffix in known and p.is_file())
    assert len(paths) > 100
    dice = random.Random(12)
    for path in dice.sample(paths, 40):
        places = [later.Cut(1, end) for end in ends_of(path)]
        if 3 < len(places) < 3_000:
            several = sorted(dice.sample(places[:-1], 3))
            same([path], tmp_path / "key", cuts, [*dice.sample(places, 2), several])
    assert sum(not why for why in cuts.refused) > 0.9 * len(cuts.refused) > 50


@pytest.mark.usefixtures("at_once", "here")
def test_a_cut_inside_of_a_packet_is_found_to_be(tmp_path, cuts, monkeypatch) -> None:
    cuts.block_rows(7)
    path = write(tmp_path / "a.pcap", many(2, 40, disturbed=0.4, largest=(1460, 400, 60)))
    ends = ends_of(path)
    monkeypatch.setattr(reader, "BLOCK_ROWS", 7)
    at = [later.Cut(1, end + more, told=True) for end in ends[5:60:9] for more in (1, 4, 95, 211)]
    taken, absorb = [], Sides.absorb
    monkeypatch.setattr(Sides, "absorb", lambda self, part: taken.append(absorb(self, part)))
    same([path], tmp_path / "key", cuts, at)
    assert cuts.refused == [""] * len(at)  # what stands before it was passed over
    assert len(taken) == len(at)
    # Who looks before it may have been led astray too; who comes from the beginning was not.
    monkeypatch.setattr(later.Reader, "_looked", lambda *_: True)
    cuts.refused.clear()
    same([path], tmp_path / "key", cuts, at)
    assert cuts.refused == ["the cut was inside of a packet"] * len(at)
    assert len(taken) == len(at)


@pytest.mark.usefixtures("at_once", "here")
@pytest.mark.parametrize("seed", range(3))
def test_rows_that_cite_packets_of_two_captures(seed, tmp_path, cuts) -> None:
    """Two sensors side by side: a row of the cut capture tells a packet of the other one, too."""
    cuts.told = True
    frames = many(seed, 60, largest=(1460, 400))
    paths = [tmp_path / f"{n}.pcap" for n in range(2)]
    for n, path in enumerate(paths):
        with PcapWriter(path) as file:
            for at, (raw, wire) in enumerate(frames):
                if at % 5 // 3 == n:
                    file.packet(1_700_000_000_000_000_000 + at * 1_000_000, raw, wire)
    cuts.block_rows(9)
    places = [later.Cut(1, end) for end in ends_of(paths[0])]
    found, _ = same(paths, tmp_path / "key", cuts, places[:-1:3])
    cuts.told = False
    same(paths, tmp_path / "key", cuts, places[1:-1:12])
    assert found["tls"]
    assert cuts.refused.count("") > 1


@pytest.mark.usefixtures("at_once", "here")
def test_damage_behind_a_cut_that_was_told(tmp_path, cuts) -> None:
    cuts.told = True
    cuts.block_rows(1)
    path = write(tmp_path / "a.pcap", many(4, 30, largest=(1460, 60)))
    ends = ends_of(path)
    whole = path.read_bytes()
    for name, raw in (
        ("cut", whole[:-11]),
        ("absurd", whole + b"\xff" * 40),
        ("odd", whole[: ends[70] + 4] + b"\xff" * 4 + whole[ends[70] + 8 :]),
    ):
        path = tmp_path / name
        path.write_bytes(raw)
        _, told = same([path], tmp_path / "key", cuts, [later.Cut(1, ends[40])])
        assert told[4], name  # damaged
    assert cuts.refused == [""] * 3


def test_who_reads_behind_a_cut_passes_nothing_over(tmp_path, monkeypatch) -> None:
    """A capture long enough for a cut to be told; the frames before it are looked at."""
    path = tmp_path / "mix.pcap"
    write_mix(path, 12, seed=2)
    monkeypatch.setattr(later, "WARM_BYTES", 3 << 20)
    monkeypatch.setattr(later, "RECENT_ROWS", 1_000)
    files = [(1, str(path))]
    (((cut, until),),) = later.shares_of(files)
    assert (cut.told, until) == (True, None)
    with monkeypatch.context() as patch:
        patch.setattr(reader, "BLOCK_ROWS", 1)
        assert cut.offset in ends_of(path)
    given, before = [], later.Part.behind
    monkeypatch.setattr(
        later.Part, "behind", lambda self, *a: given.append(self.before) or before(self, *a)
    )
    alone, told = rows([path], tmp_path / "key", processes=1)
    found, again = rows([path], tmp_path / "key", processes=2)
    assert (differing(alone, found), again) == ({}, told)
    assert given == [later.UNCOUNTED]
    first, last = later.shares_of(files, 3)
    assert (first[0][0].told, first[0][1], last[0][0].told) == (False, last[0][0], True)
    found, again = rows([path], tmp_path / "key", processes=3)
    assert (differing(alone, found), again) == ({}, told)
    assert given == [later.UNCOUNTED] * 2
    # The first look sees too few of the frames before it, and the second enough.
    monkeypatch.setattr(later, "RECENT_ROWS", 5_000)
    found, again = rows([path], tmp_path / "key", processes=2)
    assert (differing(alone, found), again) == ({}, told)
    assert given == [later.UNCOUNTED] * 3
    # No look sees enough: all are passed over.
    monkeypatch.setattr(later, "WARM_BYTES", 1 << 20)
    monkeypatch.setattr(later, "RECENT_ROWS", 12_000)
    found, again = rows([path], tmp_path / "key", processes=2)
    assert (differing(alone, found), again) == ({}, told)
    assert given == [later.UNCOUNTED] * 3


@pytest.fixture(scope="module")
def mix(tmp_path_factory):
    path = tmp_path_factory.mktemp("later") / "mix.pcap"
    write_mix(path, 4, seed=8)
    return path


@pytest.fixture
def half(mix, cuts):
    """The mix is cut in the middle."""
    cuts.at = later.Cut(1, mix.stat().st_size // 2)
    return cuts


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("number", range(1, 6))
@pytest.mark.parametrize("told", [False, True])
def test_of_several_captures_any_is_cut(number, tmp_path, cuts, told) -> None:
    cuts.told = told
    frames = many(3, 120, disturbed=0.6, largest=(1460, 400, 60))
    third = len(frames) // 3
    plain = [write(tmp_path / f"{n}.pcap", frames[n * third : (n + 1) * third]) for n in range(3)]
    packed = tmp_path / "packed.pcap.gz"
    packed.write_bytes(gzip.compress(plain[0].read_bytes()))
    broken = tmp_path / "broken.pcap"
    broken.write_bytes(plain[1].read_bytes()[:-7])
    none = tmp_path / "none.pcap"
    none.write_bytes(b"%PDF-1.7 no capture")
    paths = [*plain, none, packed, broken]
    middle = plain[0].stat().st_size // 2
    _, told = same(paths, tmp_path / "key", cuts, [later.Cut(number, middle)])
    assert told[4]  # damaged
    assert len(told[-1]) == 1


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("told", [False, True])
def test_captures_need_not_be_given_in_their_order(number, mix, tmp_path, cuts, told) -> None:
    cuts.told = told
    parts = _parts(mix, 3, tmp_path)
    paths = [parts[1], parts[2], parts[0]]
    cuts.block_rows(200)
    places = [later.Cut(number, end) for end in ends_of(paths[number - 1])[::6]]
    found, _ = same(paths, tmp_path / "key", cuts, places)
    assert len({row.split("('capture', ")[1][0] for row in found["conversations"]}) == 3
    assert cuts.refused.count("") > len(cuts.refused) * 0.8 > 1


def test_who_ends_conversations_by_silence_reads_on(mix, half, tmp_path) -> None:
    same([mix], tmp_path / "key", half, [half.at], idle_s=0.05)
    assert half.refused == ["conversations end by silence"]


def test_tables_that_went_to_disk_are_taken_in(mix, half, tmp_path, monkeypatch) -> None:
    in_memory, _ = rows([mix], tmp_path / "key", processes=1)
    monkeypatch.setattr(tables, "FLUSH_ROWS", 20)
    monkeypatch.setattr(tables, "GATHER_ROWS", 5)
    found, _ = rows([mix], tmp_path / "key", processes=2)
    assert (differing(in_memory, found), half.refused) == ({}, [""])
    observe([mix], out=tmp_path / "out", key_file=tmp_path / "key", processes=2)
    assert sorted(path.stem for path in (tmp_path / "out").iterdir()) == sorted(
        t.name for t in TABLES
    )
    written = tables.Tables(tmp_path / "out")
    for name, bag in in_memory.items():
        assert written.rows(name) == bag.total()


def test_more_tags_than_are_counted_are_not_taken_over(mix, half, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(headers, "EVENT_BOUND", 0)
    same([mix], tmp_path / "key", half, [half.at])
    assert half.refused == ["more than 0 different tags"]


def test_where_a_bound_is_reached_we_read_on(tmp_path, cuts, monkeypatch) -> None:
    monkeypatch.setattr(side, "MOST_CONVERSATIONS", 64)
    crowd = [
        (n, f.ether(f.NURSE, f.PUMP, f.tcp("10.0.0.5", 1000 + n, "10.0.0.41", 21, flags="S")))
        for n in range(200)
    ]
    paths = [f.pcap(tmp_path / "a.pcap", crowd), f.pcap(tmp_path / "b.pcap", crowd[-1:])]
    cuts.block_rows(10)
    found, _ = same(paths, tmp_path / "key", cuts, [later.Cut(1, 24 + 20 * 100)])
    assert "'evicted', 0" in repr(found["captures"])
    assert cuts.refused != [""]


def test_who_is_lost_is_done_without(mix, half, tmp_path, monkeypatch) -> None:
    expected = rows([mix], tmp_path / "key", processes=1)
    monkeypatch.setattr(later.Reader, "part", lambda _: signal.pause())  # it has not told yet
    inner, ended = later.Later.join, []

    def end_it(self):
        child = self._other._child
        os.kill(child, signal.SIGKILL)
        ended.append(child)
        return inner(self)

    monkeypatch.setattr(later.Later, "join", end_it)
    assert rows([mix], tmp_path / "key", processes=2) == expected
    assert half.refused == ["it was ended from outside"]
    with pytest.raises(ChildProcessError):
        os.waitpid(ended[0], os.WNOHANG)


def test_who_is_lost_between_two_turns_is_done_without(mix, cuts, tmp_path, monkeypatch) -> None:
    expected = rows([mix], tmp_path / "key", processes=1)
    size = mix.stat().st_size
    cuts.by_turns = True
    cuts.at = [later.Cut(1, size * turn // 6) for turn in range(1, 6)]
    inner, part = later.Later.join, later.Reader.part
    read = []

    def pause(one):
        read.append(one)
        return part(one) if len(read) == 1 else signal.pause()

    def end_it(self):
        if self is not self._other.laters[0]:
            os.kill(self._other._child, signal.SIGKILL)
        return inner(self)

    monkeypatch.setattr(later.Reader, "part", pause)
    monkeypatch.setattr(later.Later, "join", end_it)
    assert rows([mix], tmp_path / "key", processes=2) == expected
    assert cuts.refused == ["", *["it was ended from outside"] * 2]


def test_what_goes_wrong_there_is_met_here(mix, half, tmp_path, monkeypatch) -> None:
    def broken(*given):
        raise MemoryError("no room")

    expected = rows([mix], tmp_path / "key", processes=1)
    monkeypatch.setattr(later.Reader, "part", broken)
    assert rows([mix], tmp_path / "key", processes=2) == expected


def test_a_file_that_grows_meanwhile_is_read_by_one(tmp_path, cuts, monkeypatch) -> None:
    path = write(tmp_path / "a.pcap", many(4, 60))
    whole = path.read_bytes()
    expected = rows([path], tmp_path / "key", processes=1)
    path.write_bytes(whole[: len(whole) // 2])
    cuts.at = later.Cut(1, len(whole) // 4)
    inner, grown = engine.closing, []

    def grow(other):
        if isinstance(other, later.Other):
            assert other._pipe.poll(60)  # it has read what there is
            path.write_bytes(whole)
            grown.append(other)
        return inner(other)

    monkeypatch.setattr(engine, "closing", grow)
    assert rows([path], tmp_path / "key", processes=2) == expected
    out = tmp_path / "out"
    path.write_bytes(whole[: len(whole) // 2])
    monkeypatch.setattr(tables, "FLUSH_ROWS", 20)  # what was on disk already is written over
    seen = observe([path], out=out, key_file=tmp_path / "key", processes=2)
    gc.collect()
    assert {t.name: seen.tables.rows(t.name) for t in TABLES} == {
        name: bag.total() for name, bag in expected[0].items()
    }
    assert len(grown) == 2


def test_a_file_that_grows_between_two_turns_is_read_by_one(tmp_path, cuts, monkeypatch) -> None:
    path = write(tmp_path / "a.pcap", many(4, 60))
    whole = path.read_bytes()
    expected = rows([path], tmp_path / "key", processes=1)
    path.write_bytes(whole[: len(whole) // 2])
    cuts.by_turns = True
    cuts.block_rows(50)
    cuts.at = [later.Cut(1, len(whole) * twelfth // 12) for twelfth in range(1, 6)]
    take, took = observer.Observer._take_over, []

    def growing(self, *given):
        found = take(self, *given)
        took.append(found)
        if len(took) == 1:
            path.write_bytes(whole)
        return found

    monkeypatch.setattr(observer.Observer, "_take_over", growing)
    assert rows([path], tmp_path / "key", processes=2) == expected
    assert took[0] is not None


def test_no_file_can_be_read(tmp_path) -> None:
    none = tmp_path / "none.pcap"
    none.write_bytes(b"%PDF-1.7 no capture")
    with pytest.raises(CaptureError, match="PDF"):
        observe([none], key_file=tmp_path / "key", processes=2)


def test_the_cut_leaves_room_before_it(mix, tmp_path, monkeypatch) -> None:
    size = mix.stat().st_size
    assert later.cuts_of([(1, str(mix))]) == [
        later.Cut(1, size)
    ]  # shorter than what must stand before it
    monkeypatch.setattr(later, "WARM_BYTES", size // 20)
    middle = later.BEHIND / (1 - later.PASSING + later.BEHIND)  # x = PASSING x + BEHIND (1 - x)
    assert later.cuts_of([(1, str(mix))]) == [later.Cut(1, int(size * middle))]
    monkeypatch.setattr(later, "WARM_BYTES", size // 5)
    assert later.cuts_of([(3, str(mix)), (1, str(mix)), (2, str(tmp_path / "no"))]) == [
        later.Cut(1, size // 5),
    ]
    assert later.cuts_of([(n, str(mix)) for n in (1, 2, 3)])[0][0] == 2


@pytest.mark.parametrize("processes", [2, 3])
def test_long_captures_are_read_by_turns(processes, mix, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(later, "WARM_BYTES", 0)
    size = mix.stat().st_size
    files = [(1, str(mix)), (2, str(mix))]
    assert [len(parts) for parts in later.shares_of(files, processes)] == [1] * (processes - 1)
    monkeypatch.setattr(later, "AT_ONCE_BYTES", 2 * size - 1)
    monkeypatch.setattr(later, "TURN_BYTES", size // 2 + 1)
    shares = later.shares_of(files, processes)
    assert [len(parts) for parts in shares] == [4] * (processes - 1)
    parts = sorted(part for share in shares for part in share)
    assert len(set(parts)) == len(parts)
    # Between the last of a turn and the first of the next one stands a part of ours.
    ours = [(at, n) for (_, at), (n, _) in itertools.pairwise(parts) if at != n]
    assert len(ours) == 3
    lengths = [
        (n.capture - at.capture) * size + n.offset - at.offset
        for at, n in [(later.Cut(1, 0), parts[0][0]), *ours, *parts[:-1]]
    ]
    assert max(lengths) - min(lengths) <= 1
    assert parts[-1][1] is None


@pytest.mark.parametrize("processes", [3, 4, 9])
def test_every_part_takes_as_long(processes, mix, monkeypatch) -> None:
    monkeypatch.setattr(later, "WARM_BYTES", 0)
    size = mix.stat().st_size
    ends = [0, *(cut.offset for cut in later.cuts_of([(1, str(mix))], processes)), size]
    costs = [
        (later.BEHIND if here else 1) * (there - here) + later.PASSING * here
        for here, there in itertools.pairwise(ends)
    ]
    assert len(costs) == processes
    assert max(costs) - min(costs) <= 3  # a cut is a whole octet, and each stands between two


def test_what_is_passed_over_stands_in_the_same_file(mix, monkeypatch) -> None:
    monkeypatch.setattr(later, "WARM_BYTES", 0)
    size = mix.stat().st_size
    ((capture, offset, _),) = later.cuts_of([(n, str(mix)) for n in (1, 2, 3, 4)])
    assert capture == 3
    ours, theirs = 2 * size + offset, 2 * size - offset
    assert abs(ours - later.PASSING * offset - later.BEHIND * theirs) <= 2
    assert offset < size * (4 * later.BEHIND / (1 - later.PASSING + later.BEHIND) - 2)


def test_nothing_stays_behind(mix, half, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(tables.tempfile, "tempdir", str(tmp_path / "t"))
    monkeypatch.setattr(tables, "_ready", {})
    (tmp_path / "t").mkdir()
    seen = observe([mix], key_file=tmp_path / "key", processes=2)
    assert seen.tables.rows("conversations")
    del seen
    tables._ready.clear()  # connections that wait for others have folders of their own
    gc.collect()
    assert list((tmp_path / "t").iterdir()) == []
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_what_is_to_be_done_meanwhile_is_left_where_there_is_no_thread(
    mix, half, tmp_path, monkeypatch
) -> None:
    before = rows([mix], tmp_path / "key", processes=2)
    tried, done = [], []

    def refused(thread: threading.Thread) -> None:
        tried.append(thread)
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    assert rows([mix], tmp_path / "key", processes=2, meanwhile=lambda: done.append(None)) == before
    assert half.refused == ["", ""]
    assert [thread.name for thread in tried if thread.name == "meanwhile"] == ["meanwhile"]
    assert done == []


def test_what_is_to_be_done_meanwhile_is_done_by_the_end(mix, half, tmp_path) -> None:
    before = rows([mix], tmp_path / "key", processes=2)
    done = []

    def load() -> None:
        time.sleep(0.3)
        done.append(threading.current_thread())

    assert rows([mix], tmp_path / "key", processes=2, meanwhile=load) == before
    assert half.refused == ["", ""]
    assert len(done) == 1
    assert done[0] is not threading.current_thread()
    assert not done[0].is_alive()
    assert rows([mix], tmp_path / "key", processes=1, meanwhile=load) == before
    assert len(done) == 1


def ftp(number, says):
    """Frames of an FTP session (21) or of its data (4000), by number of the packet."""
    client, server = ("10.0.0.5", 1024 + number), ("10.0.0.41", 21)
    if number == 1:
        client, server = ("10.0.0.41", 20), ("10.0.0.5", 4000)
    frames, seq = [], [100, 500]
    for packet, (mine, flags, text) in says.items():
        source, target = (client, server) if mine else (server, client)
        macs = (f.NURSE, f.PUMP) if mine != (number == 1) else (f.PUMP, f.NURSE)
        body = f.tcp(*source, *target, text, flags=flags, seq=seq[not mine], ack=seq[mine])
        frames.append((packet, f.ether(*macs, body)))
        seq[not mine] += len(text) + ("S" in flags)
    return frames


def test_data_that_ftp_agreed_upon_across_the_cut(tmp_path, cuts) -> None:
    control = ftp(
        0,
        {
            0: (True, "S", b""),
            1: (False, "SA", b""),
            2: (True, "A", b""),
            3: (False, "PA", b"220 ready\r\n"),
            4: (True, "PA", b"USER a\r\n"),
            5: (False, "PA", b"230 in\r\n"),
            6: (True, "PA", b"PORT 10,0,0,5,15,160\r\n"),
            7: (False, "PA", b"200 ok\r\n"),
        },
    )
    config = b"<configuration><wep>x</wep></configuration>"
    data = ftp(
        1,
        {
            8: (True, "S", b""),
            9: (False, "SA", b""),
            10: (True, "A", b""),
            11: (True, "PA", config),
            12: (True, "FA", b""),
            13: (False, "FA", b""),
        },
    )
    path = f.pcap(tmp_path / "a.pcap", [*control, *data])
    cuts.block_rows(1)
    same([path], tmp_path / "key", cuts, [later.Cut(1, end) for end in ends_of(path)])
    assert "FTP data was agreed upon before the cut" in cuts.refused
    assert cuts.refused.count("") >= 8
