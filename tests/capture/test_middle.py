"""wardwatch.capture.middle: where a record begins is told from what follows it, or not at all."""

import random
from bisect import bisect_left

import numpy as np
import pytest
from tests.capture.making import MICRO, MODIFIED, NANO, pcap_record

from wardwatch.capture import middle
from wardwatch.capture.records import MAX_PACKET

TICKS = {MICRO: 1_000_000, NANO: 1_000_000_000, MODIFIED: 1_000_000}


def octets(raw):
    return np.frombuffer(raw, np.uint8)


def made(dice, order="<", magic=MICRO, count=1_500, begin=1_500_000_000, step=3, largest=1_514):
    """Records with octets of all kinds ⇒ (them, where each begins)."""
    records, ends, seconds = [], [0], begin
    for _ in range(count):
        data = dice.choice((dice.randbytes, bytes))(dice.randrange(42, largest))
        seconds += dice.randrange(step)
        fraction = dice.randrange(TICKS[magic])
        record = pcap_record(data, seconds, fraction, order=order, modified=magic == MODIFIED)
        records.append(record)
        ends.append(ends[-1] + len(record))
    return b"".join(records), ends[:-1]


@pytest.mark.parametrize("order", "<>", ids=["little", "big"])
@pytest.mark.parametrize("magic", [MICRO, NANO, MODIFIED])
def test_the_next_record_is_found_from_anywhere(order, magic) -> None:
    dice = random.Random(magic + ord(order))
    raw, begins = made(dice, order, magic)
    header = 24 if magic == MODIFIED else 16
    here = [0, 1, 4, 8, *(dice.randrange(len(raw) // 2) for _ in range(60))]
    for at in here:
        found = middle.first_record(octets(raw[at:]), header, order, TICKS[magic])
        assert at + found == begins[bisect_left(begins, at)]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        bytes(15),
        bytes(MAX_PACKET * 3),
        random.Random(1).randbytes(MAX_PACKET * 3),
        b"\xff" * MAX_PACKET * 3,
        made(random.Random(2), count=200)[0],  # records, but too few of them
        made(random.Random(3), count=15, largest=60_000)[0],
        pcap_record(bytes(MAX_PACKET)) * 3,
    ],
    ids=["nothing", "short", "zeros", "random", "ones", "few", "long", "longest"],
)
def test_where_none_can_be_told_none_is(raw) -> None:
    for order in "<>":
        assert middle.first_record(octets(raw), 16, order, 1_000_000) == -1


def test_a_day_without_packets_ends_a_chain() -> None:
    early, _ = made(random.Random(4), count=40)
    late, _ = made(random.Random(5), begin=1_600_000_000)
    assert middle.first_record(octets(early + late), 16, "<", 1_000_000) == len(early)


def test_records_inside_of_a_packet_end_with_it() -> None:
    """A pcap that was transferred: its records are a chain too, as long as the packet is."""
    inner, _ = made(random.Random(6), count=60)
    outer, begins = made(random.Random(7))
    raw = pcap_record(inner[:-5])[16 + 100 :] + outer
    found = middle.first_record(octets(raw), 16, "<", 1_000_000)
    assert found - (len(raw) - len(outer)) == begins[0]
    # Where both end at once nothing here can tell: who walks from the first record does not come by.
    raw = pcap_record(inner)[16 + 100 :] + outer
    assert 0 < middle.first_record(octets(raw), 16, "<", 1_000_000) < len(raw) - len(outer)


def test_no_more_headers_are_looked_at_than_a_bound(monkeypatch) -> None:
    """Words each of which may be a length: there is a chain through every fourth octet."""
    word = (16).to_bytes(4, "little")
    raw = word * 50_000 + b"\xff" * MAX_PACKET
    assert middle.first_record(octets(raw), 16, "<", 1_000_000) == -1
    whole = octets(word * 100_000)
    assert middle.first_record(whole, 16, "<", 1_000_000) == 0
    monkeypatch.setattr(middle, "MOST_STEPS", 100)
    assert middle.first_record(whole, 16, "<", 1_000_000) == -1
