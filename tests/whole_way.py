"""Cut captures through the whole way: no crash, no hang, and every packet accounted for.

Cuts are every record boundary ±1 and 32 seeded offsets of each capture. Of captures with more than
a hundred records, floods and brute force for the most part, the suite takes a hundred of them, from
anywhere in the file: each cut reads all that stands before it, and five captures took two thirds of
the time. ``make fuzz`` takes all.

Every cut is read. Where two cuts of a capture tell an observer the same, as those around the end of
a record do, what becomes of it is known of the second, and was seen to account for every packet.
"""

from __future__ import annotations

import gzip
import hashlib
import random
import re
import struct
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from wardwatch.capture import open_capture
from wardwatch.errors import CaptureError
from wardwatch.model.columns import BY_NAME
from wardwatch.observe.observer import Observer
from wardwatch.observe.secrets import Secrets
from wardwatch.observe.tables import Spool, arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa

SEEDED = 32
PYTHON = {"str": str, "bool": (bool, int), "f64": (float, int)}


class Dry(Spool):
    """A spool that keeps nothing, and answers questions about it."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(BY_NAME, 0)
        self.accounted = 0

    def add(self, table: str, row: Any) -> None:
        columns = {column.name: column.type for column in BY_NAME[table].columns}
        for name, value in row.items():
            kind = PYTHON.get(columns[name])
            if kind is not None:
                assert isinstance(value, kind), (table, name, value)
            if isinstance(value, str):
                value.encode("utf-8")  # a lone surrogate would not enter a table
        self.counts[table] += 1
        if table == "accounting":
            self.accounted += row["packets"]

    def put(self, table: str, row: Any) -> None:
        self.add(table, dict(zip(BY_NAME[table].names, row, strict=True)))

    def extend(self, table: str, columns: Any) -> None:
        known = set(BY_NAME[table].names)
        sizes = {len(values) for values in columns.values()}
        assert columns.keys() <= known
        assert len(sizes) == 1, (table, sizes)
        self.counts[table] += sizes.pop()

    def answer(self, source: str, question: str) -> pa.Table:
        return arrow_schema(BY_NAME["bindings"]).empty_table()

    def beside(self) -> Dry:
        return Dry()

    def join(self, other: Spool) -> None:
        for table, count in other.counts.items():
            self.counts[table] += count

    def question(self, source: str, question: str) -> list[dict[str, Any]]:
        return []


def boundaries(raw: bytes) -> list[int]:
    """Where records end, by the lengths in their headers and nothing else."""
    found = [24]
    if raw[:4] == b"\x0a\x0d\x0d\x0a":
        found, at, order = [], 0, "<"
        while at + 12 <= len(raw):
            if raw[at : at + 4] == b"\x0a\x0d\x0d\x0a":
                order = "<" if raw[at + 8 : at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            size = struct.unpack(order + "I", raw[at + 4 : at + 8])[0]
            if size < 12:
                break
            at += size
            found.append(at)
        return found
    order = (
        "<" if raw[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1", b"\x34\xcd\xb2\xa1") else ">"
    )
    header = 24 if raw[:4] in (b"\x34\xcd\xb2\xa1", b"\xa1\xb2\xcd\x34") else 16
    at = 24
    while at + header <= len(raw):
        at += header + struct.unpack(order + "I", raw[at + 8 : at + 12])[0]
        found.append(at)
    return found


def cuts(raw: bytes, seed: int, most: int = sys.maxsize) -> list[int]:
    """Lengths to cut a file to, around ``most`` of its records."""
    plain = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    dice = random.Random(seed)
    ends = boundaries(plain)
    ends = dice.sample(ends, min(most, len(ends)))
    near = {end + step for end in ends for step in (-1, 0, 1)}
    far = {dice.randrange(len(raw) + 1) for _ in range(SEEDED)}
    return sorted(cut for cut in near | far if 0 <= cut <= len(raw))


def wounded(raw: bytes, dice: random.Random) -> bytes:
    """A file with a few bytes changed, anywhere behind its first header."""
    hurt = bytearray(raw)
    for _ in range(dice.randint(1, 12)):
        if len(hurt) > 24:
            hurt[dice.randrange(24, len(hurt))] = dice.choice(
                (0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256))
            )
    return bytes(hurt)


class Told(NamedTuple):
    """What a reader tells an observer of a capture, but for places in the file."""

    packets: int
    digest: bytes
    """Of every packet and all that is said of it, how blocks come, and what is said of the file."""
    problems: frozenset[str]
    """Its damages, without their numbers."""

    @classmethod
    def by(cls, path: Path) -> Told:
        """Read a capture to its end."""
        digest = hashlib.sha256()
        with open_capture(path, 1) as reader:
            reader.hash_not()
            for block in reader:
                n = block.n
                digest.update(repr((block.first, n, reader.interfaces)).encode())
                if n:
                    begin, end = block.offset[:n], block.offset[:n] + block.length[:n]
                    start = begin.min()
                    digest.update(block.arena[start : end.max()])
                    digest.update(begin - start)
                    for column in (block.length, block.wire, block.time, block.link):
                        digest.update(column[:n])
                    digest.update(block.interface[:n])
        file = reader.result
        said = (
            (file.format, file.compression, file.byte_order, file.interfaces, file.comments),
            (file.packets, file.captured_bytes, file.wire_bytes),
        )
        digest.update(repr(said).encode())
        problems = frozenset(re.sub(r"\d+", "", one.problem) for one in file.damage)
        return cls(file.packets, digest.digest(), problems)


def account(path: Path, secrets: Secrets) -> int:
    """Observe a capture ⇒ its packets, all of which were accounted for."""
    spool = Dry()
    observer = Observer(spool, secrets)
    observer.read(1, str(path), lambda count: None)
    observer.finish()
    observer.captures.write()
    assert spool.accounted == observer.packets, path.name
    return observer.packets


def whole_way(captures: list[Path], seed: int = 0, most: int = sys.maxsize, wounds: int = 0) -> int:
    """Send cut captures through observing ⇒ how many were sent.

    Cut around ``most`` records of each, seeded; and of each ``wounds`` copies with bytes changed.
    """
    dice = random.Random(seed)
    sent = 0
    with tempfile.TemporaryDirectory() as scratch:
        secrets = Secrets(Path(scratch) / "key")
        for capture in captures:
            raw = capture.read_bytes()
            accounted: dict[bytes, int] = {}
            problems: set[str] = set()
            for hurt in (
                *(raw[:cut] for cut in cuts(raw, seed, most)),
                *(wounded(raw, dice) for _ in range(wounds)),
            ):
                path = Path(scratch) / f"{sent} {capture.name}"
                path.write_bytes(hurt)  # anew: ext4 flushes a file that is written over
                sent += 1
                try:
                    told = Told.by(path)
                    if told.digest not in accounted or not told.problems <= problems:
                        accounted[told.digest] = account(path, secrets)
                        problems |= told.problems
                    assert accounted[told.digest] == told.packets, capture.name
                except CaptureError:
                    continue
                finally:
                    path.unlink()
    return sent
