"""Counts of one capture: how its packets came out, where they were caught, and what its clock did."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wardwatch.compiled import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What ``stamps`` holds, in and out.
FIRST, LAST, BEGAN, PREVIOUS, JUMPS, CUT, STAMPS = range(7)
"""Earliest and latest stamp; those of the first and of the last packet that bears one; steps that
were jumps; packets that are cut."""

UNKNOWN_TIME = -(2**63)


@kernel
def tally(
    n: int,  #                               rows of the block
    first: int,  #                           number of the packet in row 0
    time: NDArray[np.int64],  # (n,)         ns, UNKNOWN_TIME without a stamp
    length: NDArray[np.int32],  # (n,)       captured bytes
    wire: NDArray[np.int64],  # (n,)         bytes on the wire
    interface: NDArray[np.int32],  # (n,)
    outcome: NDArray[np.uint8],  # (n,)
    reason: NDArray[np.uint16],  # (n,)
    back: int,  #                            ns: a step back by more is a jump
    forward: int,  #                         ns: a step forward by more is a jump
    stamps: NDArray[np.int64],  # (STAMPS,)  in and out
    counts: NDArray[np.int64],  # (3, reasons) in and out: packets by outcome and reason
    firsts: NDArray[np.int64],  # (3, reasons) in and out: the first of each
    interfaces: NDArray[np.int64],  # (i,)   in and out: packets by interface
) -> None:
    """Count the packets of a block; ``interfaces`` has room for all of theirs."""
    earliest = int(stamps[FIRST])
    latest = int(stamps[LAST])
    began = int(stamps[BEGAN])
    previous = int(stamps[PREVIOUS])
    jumps = stamps[JUMPS]
    cut = stamps[CUT]
    for i in range(n):
        t = int(time[i])
        if t != UNKNOWN_TIME:
            if previous == UNKNOWN_TIME:
                earliest = t
                latest = t
                began = t
            elif t - previous < -back or t - previous > forward:
                jumps += 1
            earliest = min(earliest, t)
            latest = max(latest, t)
            previous = t
        if length[i] < wire[i]:
            cut += 1
        row = np.uint64(outcome[i])
        column = np.uint64(reason[i])
        if counts[row, column] == 0:
            firsts[row, column] = first + i
        counts[row, column] += 1
        interfaces[np.uint64(interface[i])] += 1
    stamps[FIRST] = earliest
    stamps[LAST] = latest
    stamps[BEGAN] = began
    stamps[PREVIOUS] = previous
    stamps[JUMPS] = jumps
    stamps[CUT] = cut
