"""Random captures, read in every way there is: whoever reads them, the tables are the same.

Conversations that a script wrote, or packets of the shared captures mixed, damaged, doubled and out of
their order; in one file or several, with a clock that goes back at times. They are read in blocks
and with seats of any size, in threads, with idle times, in parts cut anywhere, and by processes.
"""

import itertools
import random
import shutil
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest
from tests import test_blocks
from tests.observe import parts
from tests.observe.parts import bags_of, differing, ends_of, part_of, put_together
from tests.observe.test_young import observed
from tests.shared import CAPTURES

from wardwatch.capture import open_capture, reader
from wardwatch.capture.write import PcapWriter
from wardwatch.decode.kernels import young
from wardwatch.errors import CaptureError
from wardwatch.observe import later
from wardwatch.observe.engine import observe
from wardwatch.observe.forks import Lost
from wardwatch.observe.part import Refused

KINDS = (*test_blocks.KINDS, test_blocks.in_fragments)
BLOCKS = (2, 3, 7, 29, 64, 500, 2_048)
SEATS = (0, 1, 3, 16, young.SEATS)
ETHERNET = 1
STEPS_NS = (1_000, 100_000, 1_000_000, 50_000_000)
JUMPS_NS = (-2_000_000_000, -2_000_000, -100_000, 70_000_000_000)


@cache
def shared_frames():
    """The frames of each shared capture of one link, as (octets, length on the wire), by LINKTYPE_."""
    found = defaultdict(list)
    files = sorted(CAPTURES.iterdir()) if CAPTURES.is_dir() else []
    for path in (file for file in files if file.is_file() and "__" in file.name):
        frames = []
        try:
            with open_capture(str(path), 1) as opened:
                for block in opened:
                    octets = block.arena.data
                    where = zip(block.offset[: block.n], block.length[: block.n], strict=True)
                    pieces = [octets[at : at + size].tobytes() for at, size in where]
                    frames += zip(pieces, block.wire[: block.n].tolist(), strict=True)
                links = {one.link for one in opened.interfaces}
        except CaptureError:
            continue
        if frames and len(links) == 1:
            found[links.pop()].append(frames[:2_000])
    return found


def scripted(dice):
    """Some packets in a row of conversations that a script wrote."""
    frames = dice.choice(KINDS)(dice.getrandbits(32))
    size = dice.choice((300, 1_500))
    at = dice.randrange(max(1, len(frames) - size))
    return frames[at : at + size]


def mixed(dice, link):
    """Packets of several shared captures side by side, some of them wounded, twice, late or missing."""
    lists = []
    for _ in range(dice.choice((2, 3, 6, 12))):
        frames = dice.choice(shared_frames()[link])
        at = dice.randrange(max(1, len(frames) - 300))
        lists.append(frames[at : at + dice.choice((50, 300))])
    wounds, disorder = dice.random() < 0.6, dice.random() < 0.7
    out = []
    while lists:
        at, size = dice.randrange(len(lists)), dice.choice((1, 1, 3, 20))
        for raw, wire in lists[at][:size]:
            chance = dice.random()
            if wounds and raw and chance < 0.04:
                wounded = bytearray(raw)
                for _ in range(dice.choice((1, 1, 2, 8))):
                    wounded[dice.randrange(len(raw))] = dice.randrange(256)
                raw = bytes(wounded)
            elif wounds and raw and chance < 0.06:
                raw = raw[: dice.randrange(len(raw))]
            out += [(raw, wire)] * (0 if 0.97 < chance < 0.98 else 2 if chance > 0.98 else 1)
            if disorder and chance > 0.95 and len(out) > 5:
                out.insert(len(out) - dice.randrange(5), out.pop())
        lists[at] = lists[at][size:]
        if not lists[at]:
            lists.pop(at)
    return out


def written(dice, folder):
    """Captures of random packets: their paths."""
    link, others = ETHERNET, sorted(shared_frames().keys() - {ETHERNET})
    if others and dice.random() < 0.5:
        link = dice.choice((ETHERNET, ETHERNET, dice.choice(others)))
        frames = mixed(dice, link)
    else:
        frames = scripted(dice)
    stamps, now = [], 1_700_000_000_000_000_000
    for _ in frames:
        now += dice.choice(STEPS_NS) if dice.random() < 0.95 else dice.choice(JUMPS_NS)
        stamps.append(now)
    count, side_by_side = dice.choice((1, 1, 2, 3)), dice.random() < 0.3
    paths = []
    for number in range(count):
        at = [len(frames) * n // count for n in (number, number + 1)]
        mine = range(number, len(frames), count) if side_by_side else range(*at)
        paths.append(folder / f"{number}.pcap")
        with PcapWriter(paths[-1], link) as file:
            for i in mine:
                file.packet(stamps[i], *frames[i])
    return paths


def borders(path):
    """Where the records of a pcap begin, and where the last one ends."""
    raw, found = path.read_bytes(), [24]
    while found[-1] < len(raw):
        found.append(found[-1] + 16 + int.from_bytes(raw[found[-1] + 8 : found[-1] + 12], "little"))
    return found


def differences(seed, folder):
    """A sentence of each way in which the captures of a seed are read otherwise than in one go."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    dice, key = random.Random(seed), folder / "key"
    paths = written(dice, folder)
    idle = dice.choice((0.0, 0.0, 0.001, 1.0, 30.0))
    found = []

    def read(**how):
        return bags_of(observe(paths, key_file=key, **how).tables)

    def cuts(files, processes=2, **_):
        at = sorted(dice.sample(range(len(files)), min(processes - 1, len(files))))
        sizes = [later.size_of(files[n][1]) for n in at]
        return [
            later.Cut(files[n][0], dice.randrange(24, s + 1))
            for n, s in zip(at, sizes, strict=True)
        ]

    def told(cut, files):
        """A record that begins there or behind, as far as whoever reads behind it is told."""
        if dice.random() < 0.3:
            return None
        begins = borders(Path(dict(files)[cut.capture]))
        right = dice.random() < 0.8
        offset = next(at for at in begins if at >= cut.offset) if right else cut.offset
        return cut._replace(offset=offset, told=True)

    with pytest.MonkeyPatch.context() as patch:

        def blocks(count):
            patch.setattr(reader, "BLOCK_ROWS", count)
            return count

        blocks(16_384)
        whole = read(processes=1, idle_s=idle)
        for _ in range(2):
            rows, threads = blocks(dice.choice(BLOCKS)), dice.choice((0, 1, 2, 3))
            if other := changed(whole, read(processes=1, idle_s=idle, threads=threads)):
                found.append(
                    f"seed {seed}: blocks of {rows}, {threads} threads, idle {idle}: {other}"
                )
        if idle:
            return found
        patch.setattr(later, "cuts_of", cuts)
        patch.setattr(later, "_told", told)
        for processes in (2, 3):
            rows = blocks(dice.choice(BLOCKS))
            if other := changed(whole, read(processes=processes)):
                found.append(f"seed {seed}: blocks of {rows}, {processes} processes: {other}")
        found += [f"seed {seed}: {why}" for why in of_one(dice, paths[0], key, folder, blocks)]
    return found


def of_one(dice, path, key, folder, blocks):
    """The same of one capture: seats of any size, and parts cut anywhere."""
    blocks(16_384)
    whole = observed(path, key)[0]
    rows, seats = blocks(dice.choice(BLOCKS)), dice.choice(SEATS)
    if other := changed(whole, observed(path, key, seats)[0]):
        yield f"blocks of {rows}, {seats} seats: {other}"
    whole = bags_of(observe([path], key_file=key, processes=1).tables)
    blocks(1)
    ends = ends_of(path)[:-1]
    for turn in range(2):
        rows = blocks(dice.choice(BLOCKS))
        at = sorted(dice.sample(ends, min(len(ends), dice.choice((1, 1, 2, 3)))))
        places = [later.Cut(1, end) for end in at]
        try:
            given = [
                parts.Given(cut, part_of(path, cut, until, folder / f"{turn}-{n}"))
                for n, (cut, until) in enumerate(itertools.pairwise((*places, None)))
            ]
            found = put_together(path, key, given)
        except (Refused, Lost):
            continue  # told, and all is read by one
        if other := changed(whole, found):
            yield f"blocks of {rows}, cuts {at}: {other}"


def changed(one, other):
    """What differs, shortly; "" nothing."""
    if isinstance(next(iter(one.values()), None), list):
        return ", ".join(name for name in one if one[name] != other[name])
    return str(differing(one, other))[:800] if differing(one, other) else ""
