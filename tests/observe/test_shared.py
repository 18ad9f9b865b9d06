"""wardwatch.observe.shared"""

import os

import numpy as np
from tests.observe.blocks import forks

from wardwatch.observe.shared import shared


@forks
def test_what_a_copy_writes_to_shared_memory_is_seen_here() -> None:
    seen = shared(3, np.int64)
    assert seen.tolist() == [0, 0, 0]
    child = os.fork()
    if not child:
        seen[1] = 7
        os._exit(0)
    os.waitpid(child, 0)
    assert seen.tolist() == [0, 7, 0]
