"""However a reader cuts its blocks, and whoever reads a stream, the tables are the same."""

import json
import random
from functools import cache

import pytest
from tests.conversations import SCRIPTS, WEB, hesitant, many, web, with_holes
from tests.observe import frames as f
from tests.observe import parts
from tests.observe.parts import bags_of, differing, ends_of, part_of, put_together
from tests.observe.plain_tcp import Plain
from tests.observe.test_young import observed, write

from wardwatch.capture import reader
from wardwatch.decode.kernels import young
from wardwatch.observe import later
from wardwatch.observe.engine import observe

COUNTS = ("missed_bytes", "overlaps", "retransmissions", "reordered")
PER_PACKET_NS = 1_000_000


@pytest.fixture
def block_rows(monkeypatch):
    return lambda count: monkeypatch.setattr(reader, "BLOCK_ROWS", count)


@pytest.fixture
def found(tmp_path, block_rows):
    """Every table's rows, by packets of a block and seats of the kernel."""

    def of(path, block, seats):
        block_rows(block)
        return observed(path, tmp_path / "key", seats)[0]

    return of


def disturbed(seed):
    return many(seed, 120, disturbed=0.6, largest=(1460, 400, 60))


def disturbed_web(seed):
    scripts = (*WEB, web)
    return many(seed, 100, 0.7, (1460, 400, 61), scripts=scripts, ports=(80, 8080, 443))


def much_disturbed(seed):
    return many(seed, 60, 0.9, (1460, 60))


def hesitating(seed):
    return many(seed, 100, 0.6, (1460, 60, 3), scripts=(*[hesitant] * 20, *SCRIPTS))


KINDS = (disturbed, disturbed_web, much_disturbed, hesitating, with_holes)


def plainly(frames, key):
    plain = Plain(key)
    for at, (raw, wire) in enumerate(frames):
        plain.take(at + 1, 1_700_000_000_000_000_000 + at * PER_PACKET_NS, raw, wire)
    return plain.finish()


class Given:
    """A capture, and every table's rows by packets of a block and seats of the kernel: each asked once."""

    def __init__(self, kind, seed, folder):
        self.key = folder / "key"
        self.frames = kind(seed)
        self.path = write(folder / "a.pcap", self.frames)
        self.found = cache(self._found)

    def _found(self, block, seats):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(reader, "BLOCK_ROWS", block)
            return observed(self.path, self.key, seats)[0]


@pytest.fixture(scope="module")
def given(request, tmp_path_factory):
    """Of module's scope, so that tests of the same capture follow each other and share what was read."""
    return Given(*request.param, tmp_path_factory.mktemp("blocks"))


def captures(seeds):
    """The same captures at the same places of a longer list: by their places tests are brought together."""
    return pytest.mark.parametrize(
        "given",
        [
            pytest.param((kind, seed), id=f"{kind.__name__}-{seed}")
            for seed in seeds
            for kind in KINDS
        ],
        indirect=True,
    )


@captures(range(3))
def test_counts_are_those_of_packets_walked_one_by_one(given) -> None:
    expected = sorted(plainly(given.frames, given.key))
    assert sum(any(row[3:]) for row in expected) > 10
    for block, seats in ((1, 0), (64, young.SEATS), (16_384, 0), (16_384, young.SEATS)):
        rows = map(json.loads, given.found(block, seats)["conversations"])
        told = sorted(
            (
                row["first_packet"],
                row["orig_pkts"] + row["resp_pkts"],
                row["service"],
                *(row[name] for name in COUNTS),
            )
            for row in rows
        )
        assert told == expected, (block, seats)


@captures(range(2))
def test_every_table_whatever_the_blocks(given) -> None:
    one_by_one = given.found(1, 0)
    for block in (1, 7, 64, 500, 2048, 16_384):
        for seats in (0, young.SEATS):
            if (block, seats) != (1, 0):
                for table, rows in given.found(block, seats).items():
                    assert rows == one_by_one[table], (table, block, seats)


def query(number):
    return number.to_bytes(2, "big") + b"\1\0\0\1\0\0\0\0\0\0\3abc\4ward\0\0\1\0\1"


def in_pieces(dice, raw, number):
    """An Ethernet frame of IPv4 as fragments, in any order, and maybe not all of them."""
    packet = raw[14:18] + number.to_bytes(2, "big") + raw[20:]
    size = dice.choice((8, 16, 24, 56, 400))
    pieces = [(raw[:14] + piece, 14 + len(piece)) for piece in f.fragments(packet, size)]
    if dice.random() < 0.3:
        dice.shuffle(pieces)
    if dice.random() < 0.15:
        pieces.pop(dice.randrange(len(pieces)))
    return pieces


def without_tcp(dice):
    """Name resolution, and a tunnel that carries what has no ports, among what has some."""
    client, server = f"10.2.0.{dice.randrange(1, 6)}", "10.0.0.2"
    inner = dice.choice(
        (
            f.arp(1, f.NURSE, client, server),
            f.ether(f.NURSE, f.SERVER, f.udp(client, 1024, server, 53, query(7))),
            f.ether(f.PUMP, f.SERVER, f.ip4(client, server, b"\x08\0\0\0\0\1\0\1", 1)),
            f.ether(f.PUMP, f.SERVER, f.ip4(client, server, b"\x11\0\0\0\0\1\0\1", 2)),
        )
    )
    ends = ["10.9.0.1", f"10.9.0.{dice.randrange(2, 4)}"]
    dice.shuffle(ends)
    port = dice.choice((4789, 50_000))
    data = dice.choice((b"\x08\0\0\0\0\0\5\0" + inner, b"\x08\0\0\0\0\0\5\0" + inner, b"junk"))
    packets = (
        f.udp(client, 1024 + dice.randrange(3), server, 53, query(dice.randrange(4))),
        f.udp(ends[0], port, ends[1], 4789, data),
    )
    return f.ether(f.NURSE, f.SERVER, dice.choice(packets))


def in_fragments(seed):
    """Disturbed connections, and other packets; some of all of these in fragments, late ones too."""
    dice, out, late = random.Random(seed), [], []
    for number, (raw, wire) in enumerate(many(seed, 40, 0.5, (1460, 400, 60))):
        some = [(raw, wire)]
        if wire == len(raw) and dice.random() < 0.05:
            some = in_pieces(dice, raw, number)
        if dice.random() < 0.1:
            other = without_tcp(dice)
            some += in_pieces(dice, other, number) if dice.random() < 0.4 else [(other, len(other))]
        if len(some) > 2 and dice.random() < 0.5:
            late += some
        else:
            out += some
        if late and dice.random() < 0.5:
            out.append(late.pop(dice.randrange(len(late))))
    return out + late


@pytest.mark.parametrize("seed", range(4))
def test_fragments_and_tunnels_whatever_the_blocks(seed, found, tmp_path) -> None:
    path = write(tmp_path / "a.pcap", in_fragments(seed))
    one_by_one = found(path, 1, 0)
    assert len({json.loads(row)["proto"] for row in one_by_one["conversations"]}) == 4
    for block, seats in ((7, 0), (16_384, 0), (1, young.SEATS), (64, 3), (16_384, young.SEATS)):
        for table, rows in found(path, block, seats).items():
            assert rows == one_by_one[table], (table, block, seats)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("kind", KINDS)
def test_two_readers_whatever_the_blocks_and_the_cut(kind, block_rows, tmp_path) -> None:
    """Blocks of one packet, each of which costs as much as one of hundreds, are cut more closely."""
    frames, dice = kind(7), random.Random(7)
    middle = frames[len(frames) // 2 : len(frames) * 5 // 8]
    few, every = write(tmp_path / "few.pcap", middle), write(tmp_path / "every.pcap", frames)
    refused, turn = 0, 0
    for path, blocks, cuts in ((few, (1,), 8), (every, (7, 64, 500), 4)):
        block_rows(16_384)
        whole = bags_of(observe([path], key_file=tmp_path / "key", processes=1).tables)
        block_rows(1)  # one packet ends each block
        ends = ends_of(path)
        for block in blocks:
            block_rows(block)
            for end in dice.sample(ends[:-1], cuts):
                turn += 1
                cut = later.Cut(1, end)
                one = parts.Given(cut, part_of(path, cut, None, tmp_path / str(turn)))
                found = put_together(path, tmp_path / "key", [one])
                assert differing(whole, found) == {}, (block, end)
                refused += bool(one.refused)
    assert refused < turn / 2
