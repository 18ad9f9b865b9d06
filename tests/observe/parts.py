"""Parts of a capture, read by readers that know nothing of each other, and put together."""

from __future__ import annotations

import itertools
import pickle
import struct
from collections import Counter
from pathlib import Path

from wardwatch.capture import open_capture
from wardwatch.capture.pcap import MAGICS
from wardwatch.model.columns import TABLES
from wardwatch.observe import later, observer, tables
from wardwatch.observe.secrets import Secrets


def ends_of(path):
    """Where each packet's record ends."""
    with open_capture(path, 1) as opened:
        return [opened.offset for _ in opened]


def is_pcap(path):
    """Whether a file is a pcap as it is stored, the lengths of whose records stand in their order."""
    head = Path(path).read_bytes()[:8]
    magic, order = MAGICS.get(head[:4], (0, "<"))
    return bool(magic) and struct.unpack(f"{order}HH", head[4:]) == (2, 4)


def differing(one, other):
    """By table, some rows that only one of two has."""
    return {
        name: ([*(one[name] - other[name])][:3], [*(other[name] - one[name])][:3])
        for name in one
        if one[name] != other[name]
    }


def bags_of(found):
    """Every table as a bag of rows."""
    return {
        table.name: Counter(
            repr(sorted(row.items())) for row in found.arrow(table.name).to_pylist()
        )
        for table in TABLES
    }


def parts_of(path, cuts, folder):
    """The parts between cuts, each by a reader that knows nothing of the others."""
    for number, (cut, until) in enumerate(itertools.pairwise((*cuts, None))):
        yield part_of(path, cut, until, folder / str(number))


def reader_of(cut, until, folder):
    """A reader that has read nothing yet; the key lies above all folders."""
    spools = [tables.Spool(folder / name, passed_on=True) for name in ("others", "tcp")]
    key = next(above / "key" for above in folder.parents if (above / "key").exists())
    return later.Reader(cut, spools, Secrets(key), until)


def part_of(path, cut, until, folder):
    reader = reader_of(cut, until, folder)
    reader.read(1, str(path))
    return sent(reader.part())


def sent(part):
    """As it arrives in another process."""
    return pickle.loads(pickle.dumps(part, protocol=5))


def joined(parts, cuts, folder, dice):
    """Parts put together in any bracketing: always two neighbours, until one is left."""
    parts, cuts = list(parts), [*cuts, None]
    while len(parts) > 1:
        at = dice.randrange(len(parts) - 1)
        folder /= "further"
        reader = reader_of(cuts[at], cuts[at + 1], folder)
        reader.begin(parts[at])
        reader.absorb(parts[at + 1])
        parts[at : at + 2] = [sent(reader.part())]
        del cuts[at + 1]
    return parts[0]


class Given:
    """Stands for a process: the part is there."""

    def __init__(self, cut, part, until=None):
        self.cut, self.until, self.part, self.refused = cut, until, part, ""

    def join(self):
        return self.part

    def forget(self):
        """There are no files to go."""


def put_together(path, key, laters):
    """What an observer finds that is given parts."""
    spool = tables.Spool()
    seen = observer.Observer(spool, Secrets(key), laters=laters)
    seen.read(1, str(path), lambda _: None)
    seen.finish()
    seen.captures.write()
    found = spool.close()
    return {
        table.name: Counter(
            repr(sorted(row.items())) for row in found.arrow(table.name).to_pylist()
        )
        for table in TABLES
    }
