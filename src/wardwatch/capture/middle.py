"""Middle: where a record of a pcap begins, for who has not read what stands before it.

A pcap has no marks between its records: only who walks them from the first knows where one begins.
What can be told elsewhere is where a chain of records *may* begin: headers each of which makes sense,
beside the one before it too, and tells where the next one stands, on and on. (What stands four octets
behind a header tells that as well: the length on the wire is mostly that captured. But its seconds are
a fraction, and its length on the wire is out of an address.) Whoever relies on it has to find out
whether the walk from the first record comes by (:mod:`wardwatch.observe.later` does).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

from wardwatch.capture.records import MAX_PACKET

if TYPE_CHECKING:
    from numpy.typing import NDArray

AT_ONCE = 1 << 14
"""Octets at each of which a header is looked for together: most packets are shorter."""
MOST_STEPS = 1 << 16
"""Headers looked at in all: a chain through what a reader's window holds has some thousand, and one
who writes packets that look like records may have as many chains as octets."""
MOST_STEP_S = 86_400
"""Seconds from a packet to the next, either way."""
LEAST_CHAIN = 16
"""Records of a chain."""
LEAST_OCTETS = MAX_PACKET + 24
"""Octets of a chain: more than one packet and its header can have, so that none stays inside."""


def first_record(octets: NDArray[np.uint8], header: int, order: str, ticks: int) -> int:
    """Where in ``octets`` the first chain of records begins that is long enough; -1: none does.

    ``header`` is how long that of a record is, ``order`` how :mod:`struct` spells its byte order,
    and ``ticks`` how many units of a stamp's fraction are a second. Empty records are none: a long
    row of zeros would be full of them.
    """
    view = octets.data
    words = struct.Struct(order + "4I")
    dead: set[int] = set()
    chain: list[int]
    steps = 0
    for start in range(0, min(len(octets), LEAST_OCTETS), AT_ONCE):
        for begin in _sensible(octets[start : start + AT_ONCE + 15], order, ticks).tolist():
            at, chain, before = start + begin, [], -1
            while at not in dead and at + header <= len(octets):
                steps += 1
                if steps > MOST_STEPS:
                    return -1
                seconds, fraction, captured, wire = words.unpack_from(view, at)
                if not (0 < captured <= wire <= MAX_PACKET and fraction < ticks):
                    dead.add(at)
                    break
                if chain and abs(seconds - before) > MOST_STEP_S:
                    break  # one may begin here
                chain.append(at)
                before = seconds
                at += header + captured
                if len(chain) >= LEAST_CHAIN and at - chain[0] >= LEAST_OCTETS:
                    return chain[0]
            dead.update(chain)
    return -1


def _sensible(octets: NDArray[np.uint8], order: str, ticks: int) -> NDArray[np.int64]:
    """At which of all but the last 15 octets a header may stand that makes sense by itself."""
    n = max(len(octets) - 15, 0)
    words = [octets[at : at + n].astype(np.uint32) for at in range(4, 16)]
    fraction, captured, wire = (
        _word(words[at : at + 4] if order == "<" else words[at : at + 4][::-1]) for at in (0, 4, 8)
    )
    sense = (fraction < ticks) & (captured > 0) & (captured <= wire) & (wire <= MAX_PACKET)
    return np.flatnonzero(sense)


def _word(octets: list[NDArray[np.uint32]]) -> NDArray[np.uint32]:
    """Four octets each, the least first."""
    a, b, c, d = octets
    return np.asarray(a | b << np.uint32(8) | c << np.uint32(16) | d << np.uint32(24))
