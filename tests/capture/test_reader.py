"""Every shared capture is accounted for as its oracle says, and every cut of it is survived."""

import gzip
import json
import pickle
from bisect import bisect_right
from io import BytesIO
from types import SimpleNamespace

import numpy as np
import pytest
from tests.capture.making import drain, epb, idb, option, pcap, read, shb
from tests.shared import CAPTURES, needs_shared

from wardwatch.capture import open_capture, pcapng, source, window
from wardwatch.capture import reader as reader_of_captures
from wardwatch.capture.reader import foreign_text
from wardwatch.capture.sniff import open_stream
from wardwatch.errors import CaptureError
from wardwatch.model.values import UNKNOWN_TIME

NAMES = sorted(p.name for p in CAPTURES.glob("*__*")) if CAPTURES.is_dir() else []
COUNTS_OTHER_BLOCKS = "pcapng-blocks__pcapnggen__test102.pcapng"
"""Its oracle (tshark) sums the bytes of custom blocks too, which are no packets: 24 + 60 + 32."""
FRACTION_OF_TEN_DIGITS = "corrupt-file__tcpdump__timestamp_invalid_micro.pcap"
"""Its oracle reads ``370.1000000000``, the ten digits tshark prints for a fraction of 10^9 ns."""


@needs_shared
@pytest.mark.parametrize("name", NAMES)
def test_a_shared_capture_is_accounted_for_as_its_oracle_says(name):
    path = CAPTURES / name
    row = json.loads((CAPTURES / "expect" / f"{name}.json").read_text())
    expected = {a["path"]: a["value"] for a in row["assertions"] if a["confidence"] in ("A", "B")}
    manifest = json.loads((CAPTURES / "MANIFEST.json").read_text())
    rows = manifest if isinstance(manifest, list) else manifest["files"]
    stored = next(r for r in rows if r["file"] == name)
    try:
        packets, told = drain(open_capture(path))
    except CaptureError as refusal:
        assert "snoop" in name and "snoop" in str(refusal)
        return
    assert (told.sha256, told.stored_bytes) == (stored["sha256"], stored["size"])
    assert told.packets == len(packets) == expected["packets"]
    if name != COUNTS_OTHER_BLOCKS:
        assert told.captured_bytes == expected["captured_bytes"]
        assert told.wire_bytes == expected["wire_bytes"]
    times = [p.time for p in packets if p.time != UNKNOWN_TIME]
    if times and name != FRACTION_OF_TEN_DIGITS:
        assert min(times) / 1e9 == pytest.approx(expected["first_ts"], abs=2e-6)
        assert max(times) / 1e9 == pytest.approx(expected["last_ts"], abs=2e-6)
    if told.format == "pcapng":
        seen = {}
        for packet in packets:
            seen[str(packet.interface)] = seen.get(str(packet.interface), 0) + 1
        assert seen == expected["interfaces"]
    assert told.wire_bytes == sum(p.wire for p in packets)
    assert told.captured_bytes == sum(len(p.data) for p in packets)


PARTS = 8
"""As many tests, so that no worker is left with all of the cuts at the end."""


@needs_shared
@pytest.mark.parametrize("part", range(PARTS))
def test_every_byte_truncation_of_every_shared_capture_is_read_up_to_the_cut(part, monkeypatch):
    """1.4 million cuts: a packet is given exactly when its last byte is there."""
    # hashing would be a third of the time; kernels are kept under hashes, and need true ones
    monkeypatch.setattr(source, "hashlib", SimpleNamespace(sha256=NoDigest))
    arrays = Arrays()
    for module in (reader_of_captures, pcapng, window):
        monkeypatch.setattr(module, "np", arrays.numpy)
    for name in NAMES[part::PARTS]:
        whole = (CAPTURES / name).read_bytes()
        if whole[:2] == b"\x1f\x8b":
            _cut_everywhere(whole, [], 7, arrays)
            continue
        try:
            ends = _ends(whole)
        except CaptureError:
            ends = []
        _cut_everywhere(whole, ends, 1, arrays)


def _ends(whole: bytes) -> list[int]:
    """Where in the file each packet's last byte stands."""
    found = []
    reader = open_stream(BytesIO(whole), "x")
    for block in reader:
        base = reader._window.base
        stops = block.offset[: block.n] + block.length[: block.n]
        found.extend((base + stops).tolist())
    return found


def _cut_everywhere(whole: bytes, ends: list[int], stride: int, arrays: "Arrays") -> None:
    """The shortest comes last: behind each cut there still stand the bytes that were cut off.

    Who reads on behind a cut finds what it wants there, and tells too much.
    """
    view = memoryview(whole)
    after = len(whole)
    for cut in reversed(range(0, len(whole), stride)):
        reader = None
        arrays.again()
        try:
            reader = open_stream(Piece(view[:cut]), "x")
        except CaptureError:
            continue
        for _ in reader:
            pass
        told = reader.result
        assert told.packets <= after  # a byte more never loses a packet
        after = told.packets
        assert told.stored_bytes == cut
        # pcapng gives a packet once its whole block is there, pcap once the packet is.
        whole_packets = _count(ends, cut)
        assert whole_packets - 1 <= told.packets <= whole_packets or not ends
        if told.format != "pcapng" and ends:
            assert told.packets == whole_packets


def _count(ends: list[int], cut: int) -> int:
    return bisect_right(ends, cut)


class Piece:
    """Bytes in memory as a stream, without a copy."""

    def __init__(self, view):
        self._view = view

    def readinto(self, buffer):
        view = self._view
        n = min(len(buffer), len(view))
        if n:
            buffer[:n] = view[:n]
            self._view = view[n:]
        return n


class Arrays:
    """Each reader gets the arrays of the one before: to tell kernels of new ones took a third."""

    def __init__(self):
        self._made = []
        self._taken = 0
        self.numpy = SimpleNamespace(**vars(np) | {"empty": self._empty, "zeros": self._zeros})
        """What stands for numpy where readers make their arrays."""

    def again(self):
        """Nobody uses an array any more."""
        self._taken = 0

    def _empty(self, *asked):
        """The array that was asked for at this turn, or another where another is asked for."""
        turn = self._taken
        self._taken += 1
        if turn == len(self._made):
            self._made.append(((), None))
        before, array = self._made[turn]
        if before != asked:
            array = np.empty(*asked)
            self._made[turn] = asked, array
        return array

    def _zeros(self, *asked):
        array = self._empty(*asked)
        array.fill(0)
        return array


class NoDigest:
    def update(self, raw):
        pass

    def hexdigest(self):
        return ""


def test_damage_of_the_packing_is_told_instead_of_the_cut_packet_it_causes():
    packed = gzip.compress(pcap((1, 1, b"first"), (2, 2, bytes(range(256)) * 20)))
    packets, told = read(packed[: len(packed) - 20])
    assert [p.data for p in packets] == [b"first"]
    assert len(told.damage) == 1
    assert "gzip" in told.damage[0].problem


def test_asking_before_the_end_is_our_own_mistake():
    reader = open_stream(BytesIO(pcap((1, 1, b"first"))), "x")
    with pytest.raises(AssertionError):
        _ = reader.result


def test_progress_counts_stored_bytes(tmp_path):
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap((1, 1, bytes(50_000)), (2, 2, bytes(50_000))))
    with open_capture(path) as reader:
        seen = [reader.progress for _ in reader]
    size = path.stat().st_size
    assert seen[-1] == (size, size)
    assert open_stream(BytesIO(pcap()), "-").progress[1] == -1


def test_text_that_a_stranger_chose_is_made_visible_and_bounded():
    assert foreign_text(b"eth0\0rest") == "eth0"
    assert foreign_text("Stat. 3 – Süd".encode()) == "Stat. 3 – Süd"
    assert foreign_text(b"a\r\n\x1b[31m\xe2\x80\xae") == "a\\r\\n\\x1b[31m\\u202e"
    assert foreign_text(b"\xff\xfe") == "\\xff\\xfe"
    assert len(foreign_text(b"x" * 100_000)) == 4_096


def test_numbers_go_on_where_a_note_stops_the_walk():
    note = option(1, b"n") + option(0, b"")
    raw = shb() + idb() + epb(b"ab", options=note) * 200
    packets, told = read(raw)
    assert [p.number for p in packets] == list(range(1, 201))
    assert len(told.comments) == 200


def _blocks(reader) -> list[list[tuple[int, int, int, int, int, int]]]:
    """Blocks as lists of rows, from where a reader stands to its end."""
    return [_told(block) for block in reader]


def _told(block):
    """(number, octets, wire, time, link, interface) of each packet of a block."""
    return [
        (
            block.first + i,
            hash(block.arena[at : at + int(block.length[i])].tobytes()),
            *(int(column[i]) for column in (block.wire, block.time, block.link, block.interface)),
        )
        for i, at in enumerate(block.offset[: block.n].tolist())
    ]


def _goes_on(path, rows, monkeypatch) -> int:
    """Whoever goes where another stands behind a block has the same from there ⇒ the blocks."""
    monkeypatch.setattr(reader_of_captures, "BLOCK_ROWS", rows)
    with open_capture(path) as reader:
        reader.hash_not()
        places = []
        blocks = []
        for block in reader:
            places.append(reader.place)
            blocks.append(_told(block))
        account = reader.result
    for number, place in enumerate(places, 1):
        place = pickle.loads(pickle.dumps(place))  # as it comes from another process
        with open_capture(path) as other:
            other.hash_not()
            if number % 2:  # not from its beginning only
                next(iter(other))
            other.go_to(place)
            assert other.packets == place.packets
            assert _blocks(other) == blocks[number:]
            assert other.result == account
    return len(places)


def test_a_reader_goes_on_where_another_stands(tmp_path, monkeypatch):
    several = shb() + idb(link=1) + epb(b"one") * 3 + idb(link=105, options=option(2, b"wlan0"))
    several += epb(bytes(70), interface=1, options=option(1, b"a note")) * 4
    several += shb(order=">") + idb(link=113, order=">") + epb(b"two", order=">") * 5
    odd = pcap(*((second, 1_500_000, bytes(second)) for second in range(1, 40)))
    for raw in (several, several + b"\0" * 5, odd, odd[:-3]):
        path = tmp_path / "a"
        path.write_bytes(raw)
        for rows in (1, 2, 5):
            assert _goes_on(path, rows, monkeypatch) > 2
    # Blocks that end with the window, too.
    path.write_bytes(pcap(*((second, 0, bytes(9_000)) for second in range(600))))
    assert _goes_on(path, 10_000, monkeypatch) == 4
    assert _goes_on(path, 100, monkeypatch) == 7  # or with the rows


@needs_shared
def test_readers_go_on_in_shared_captures(monkeypatch):
    seen = 0
    for name in NAMES:
        path = CAPTURES / name
        if 1_000 < path.stat().st_size < 100_000 and path.suffix in (".pcap", ".pcapng", ".cap"):
            seen += _goes_on(path, 9, monkeypatch)
    assert seen > 200


def test_nobody_goes_on_in_what_has_to_be_read_from_its_beginning(tmp_path):
    raw = pcap(*((second, 0, b"x") for second in range(5)))
    plain, packed = tmp_path / "a.pcap", tmp_path / "a.pcap.gz"
    plain.write_bytes(raw)
    packed.write_bytes(gzip.compress(raw))
    with open_capture(plain) as hashed, open_capture(packed) as compressed:
        compressed.hash_not()
        assert hashed.place is compressed.place is open_stream(BytesIO(raw), "-").place is None
        hashed.hash_not()
        assert hashed.place is not None
        list(hashed)
        assert hashed.place is None


def test_who_goes_where_a_file_no_longer_reaches_is_at_its_end(tmp_path):
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap(*((second, 0, b"x") for second in range(500))))
    with open_capture(path) as reader:
        reader.hash_not()
        next(iter(reader))
        place = reader.place
    path.write_bytes(pcap((1, 0, b"x")))
    with open_capture(path) as reader:
        reader.hash_not()
        reader.go_to(place)
        assert list(reader) == []
        assert reader.result.packets == 500
