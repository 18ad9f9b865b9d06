"""wardwatch.decode.kernels.needles"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.decode.kernels import naive
from tests.decode.kernels.blocks import block_of, decoded
from tests.decode.kernels.packets import ether, ipv4, udp

from wardwatch.decode.kernels import needles as k

PIECES = st.sampled_from(
    [b"<Med", b"<Mod", b"<Medfusion", b"RTCS", b"RTKS", b"RT", b"220 ", b"22", b"a", b"\0\xff", b""]
)
PAYLOADS = st.lists(st.lists(PIECES, max_size=6).map(b"".join), min_size=1, max_size=8)
PATTERNS = st.lists(
    st.one_of(PIECES, st.binary(max_size=4)).filter(lambda p: len(p) > 1), max_size=6
)


@pytest.mark.parametrize("plain", [False, True], ids=["compiled", "py_func"])
@settings(max_examples=60, deadline=None)
@given(payloads=PAYLOADS, patterns=PATTERNS, anchored=PATTERNS)
def test_masks_are_those_of_a_search_one_by_one(plain, payloads, patterns, anchored) -> None:
    block = block_of([ether(0x0800, ipv4(17, udp(1, 2, p))) for p in payloads])
    columns, _ = decoded(block)
    compiled = k.search
    try:
        k.search = compiled.py_func if plain else compiled
        found = k.Needles(patterns, anchored).search(block, columns, np.arange(block.n))
    finally:
        k.search = compiled
    assert found.tolist() == [naive.needles(patterns, anchored, p) for p in payloads]


def test_only_as_much_of_a_payload_is_searched_as_asked() -> None:
    block = block_of([ether(0x0800, ipv4(17, udp(1, 2, b"....RTCS")))])
    columns, _ = decoded(block)
    needles = k.Needles([b"RTCS"])
    rows = np.zeros(1, np.int64)
    assert needles.search(block, columns, rows, limit=8).tolist() == [1]
    assert needles.search(block, columns, rows, limit=7).tolist() == [0]


def test_a_packet_without_payload_holds_no_needle() -> None:
    block = block_of([b""])
    columns, _ = decoded(block)
    assert k.Needles([b"ab"]).search(block, columns, np.zeros(1, np.int64)).tolist() == [0]


@pytest.mark.parametrize("patterns", [[b"a"], [bytes((k, 1)) for k in range(65)]])
def test_needles_that_cannot_be_told_apart_are_refused(patterns) -> None:
    with pytest.raises(ValueError, match="64 needles"):
        k.Needles(patterns)
