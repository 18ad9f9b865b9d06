"""What a live port's ring holds comes out as a pcapng, compiled and as plain Python."""

import ctypes
import io
import mmap
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.capture.making import read
from tests.capture.rings import Frame, block, ring, seen

from wardwatch.capture import ring as rings
from wardwatch.capture.ring import BLOCK_STATUS, MOST, OUTGOING, Ring
from wardwatch.capture.write import PcapngWriter

BLOCK = 1 << 16
BOTH = pytest.mark.parametrize("plain", [False, True], ids=["compiled", "py_func"])

FRAMES = st.lists(
    st.builds(
        Frame,
        data=st.binary(max_size=150),
        ts=st.integers(0, (2**32 - 1) * 10**9),
        wire=st.one_of(st.just(-1), st.integers(150, 9_000)),
        tag=st.one_of(st.just(-1), st.integers(0, 65_535)),
        kind=st.sampled_from([0, 0x88A8]),
        packet_type=st.integers(0, 4),
    ),
    max_size=12,
)


def taken(memory, octets, room=MOST, inward=False):
    """All that a ring has to give, as a reader finds it."""
    target = io.BytesIO()
    PcapngWriter(target, ((1, "port", 0),))
    given_ring = Ring(memory, octets, inward=inward)
    out = np.zeros(room, np.uint8)
    while n := given_ring.take(out):
        target.write(out[:n].tobytes())
    packets, told = read(target.getvalue())
    assert not told.damage
    return [(p.time, p.data, p.wire) for p in packets], given_ring


@BOTH
@settings(max_examples=60, deadline=None)
@given(FRAMES, FRAMES)
def test_every_frame_comes_out_once_with_its_tag(plain, first, second):
    with pytest.MonkeyPatch.context() as patch:
        if plain:
            patch.setattr(rings, "take_frames", rings.take_frames.py_func)
        memory = ring(block(first, BLOCK), block(second, BLOCK), block([], BLOCK, ready=False))
        found, given_ring = taken(memory, BLOCK)
    assert found == [seen(frame) for frame in (*first, *second)]
    assert given_ring.taken == len(found)
    assert given_ring.odd == 0
    assert not memory[BLOCK_STATUS::BLOCK].any()  # all are the kernel's again


def test_a_block_that_the_kernel_has_is_left_alone():
    memory = ring(block([Frame(b"x" * 60)], BLOCK, ready=False))
    assert taken(memory, BLOCK)[0] == []
    memory[BLOCK_STATUS] = 1
    assert len(taken(memory, BLOCK)[0]) == 1


def test_the_ring_goes_round():
    one, two = Frame(b"1" * 60), Frame(b"2" * 60)
    memory = ring(block([one], BLOCK), block([two], BLOCK))
    given_ring, out = Ring(memory, BLOCK), np.zeros(MOST, np.uint8)
    assert given_ring.take(out)
    memory[:BLOCK] = ring(block([two, one], BLOCK))
    assert given_ring.take(out)
    assert given_ring.taken == 4


def test_where_there_is_room_for_some_the_rest_comes_next():
    frames = [Frame(bytes([n]) * 1_000) for n in range(20)]
    found, _ = taken(ring(block(frames, BLOCK), block([], BLOCK, ready=False)), BLOCK, room=3_000)
    assert found == [seen(frame) for frame in frames]


def test_a_frame_longer_than_any_reader_takes_is_cut_and_says_so():
    octets = 1 << 20
    frames = [Frame(bytes(300_000), tag=5), Frame(b"behind it".ljust(60))]
    found, _ = taken(ring(block(frames, octets), block([], octets, ready=False)), octets)
    (_, data, wire), behind = found
    assert (len(data), wire) == (262_144, 300_004)
    assert behind == seen(frames[1])


def test_what_a_loopback_tells_twice_is_taken_once():
    frames = [Frame(b"a" * 60, packet_type=OUTGOING), Frame(b"a" * 60)]
    memory = ring(block(frames, BLOCK), block([], BLOCK, ready=False))
    again = memory.copy()
    found, given_ring = taken(memory, BLOCK, inward=True)
    assert (len(found), given_ring.taken, given_ring.handed) == (1, 1, 2)
    assert len(taken(again, BLOCK)[0]) == 2


@pytest.mark.parametrize(
    ("place", "value"), [(12, 2**31), (24, 0xFFFF), (0, 4)], ids=["length", "offset", "next"]
)
def test_numbers_that_make_no_sense_end_their_block_and_are_counted(place, value):
    frames = [Frame(b"a" * 60), Frame(b"b" * 60), Frame(b"c" * 60)]
    sound = Frame(b"sound".ljust(60))
    memory = ring(block(frames, BLOCK), block([sound], BLOCK), block([], BLOCK, ready=False))
    second = 48 + int(memory[48:52].view(np.uint32)[0])
    width = 2 if place == 24 else 4
    memory[second + place : second + place + width] = np.frombuffer(
        value.to_bytes(width, "little"), np.uint8
    )
    found, given_ring = taken(memory, BLOCK)
    assert given_ring.odd == 1
    assert found[0] == seen(frames[0])
    assert found[-1] == seen(sound)


def at_a_guard(octets):
    """Octets in whole pages, before a page that nobody may touch."""
    room = mmap.mmap(-1, octets + mmap.PAGESIZE)
    found = np.frombuffer(room, np.uint8)
    behind = ctypes.c_void_p(found.ctypes.data + octets)
    assert ctypes.CDLL(None).mprotect(behind, mmap.PAGESIZE, 0) == 0
    return found[:octets]


def test_whatever_a_ring_holds_nothing_behind_it_is_touched():
    chance = random.Random(11)
    octets = 2 * mmap.PAGESIZE
    memory, room = at_a_guard(octets), at_a_guard(mmap.PAGESIZE)
    frames = [Frame(chance.randbytes(n), tag=chance.choice([-1, 7])) for n in range(0, 270, 30)]
    plain = np.frombuffer(block(frames, octets), np.uint8)
    taken_at_all = odd = 0
    for _ in range(4_000):
        memory[:] = plain
        for _ in range(chance.randrange(1, 6)):
            memory[chance.randrange(12, 1_600)] = chance.choice([0, 1, 255, chance.randrange(256)])
        given_ring = Ring(memory, octets)
        out = room[chance.randrange(mmap.PAGESIZE - 700) :]  # it ends where the page does
        for _ in range(200):
            if not given_ring.take(out):
                break
        taken_at_all += given_ring.taken
        odd += given_ring.odd
    assert taken_at_all > 4_000
    assert odd > 200
