"""wardwatch.decode.blank"""

import os
import resource
import sys

import numpy as np
import pytest

from wardwatch.decode.blank import LEAST_BYTES, blank


@pytest.mark.parametrize("rows", [1, LEAST_BYTES // 32 - 1, LEAST_BYTES // 32, LEAST_BYTES])
@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64, np.uint64])
def test_it_is_what_numpys_zeros_are(rows, dtype) -> None:
    ours, plain = blank((rows, 4), dtype), np.zeros((rows, 4), dtype)
    assert (ours.shape, ours.dtype, ours.strides) == (plain.shape, plain.dtype, plain.strides)
    assert not ours.any()
    assert type(ours) is np.ndarray
    assert ours.flags.c_contiguous
    assert ours.flags.aligned
    ours[rows - 1, 3] = plain[rows - 1, 3] = 77
    assert np.array_equal(ours, plain)
    assert blank(rows, dtype).shape == (rows,)


def test_who_was_there_before_left_nothing() -> None:
    for _ in range(20):
        table = blank(LEAST_BYTES, np.int64)
        assert not table.any()
        table[:] = -1


@pytest.mark.skipif(sys.platform != "linux", reason="faults are counted so by Linux")
def test_only_what_was_written_takes_memory() -> None:
    pieces = [np.full(LEAST_BYTES, 7, np.int64) for _ in range(8)]
    pieces.clear()  # the heap has room
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    tables = [blank(LEAST_BYTES, np.int64) for _ in range(8)]
    for table in tables:
        table[::65_536] = 1
    touched = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    assert touched < 8 * LEAST_BYTES * 8 / resource.getpagesize() / 10
    assert all(table.sum() == LEAST_BYTES // 65_536 for table in tables)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no copies here")
def test_a_copy_of_this_process_writes_to_its_own() -> None:
    table = blank(LEAST_BYTES, np.int64)
    table[0] = 5
    child = os.fork()
    if not child:
        table[:] = 9
        os._exit(int(table[0]))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert table[0] == 5
    assert not table[1:].any()
