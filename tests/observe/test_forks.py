"""wardwatch.observe.forks"""

import gc
import os

from wardwatch.observe.forks import forked


def test_a_copy_has_what_was_there_and_what_it_changes_is_its_own() -> None:
    kept = ["before"]
    reading, writing = os.pipe()
    child = forked()
    if not child:
        kept.append("copy")
        os.write(writing, " ".join(kept).encode())
        os._exit(0)
    assert os.read(reading, 100) == b"before copy"
    assert os.waitpid(child, 0) == (child, 0)
    assert kept == ["before"]
    assert gc.get_freeze_count() == 0
    os.close(reading)
    os.close(writing)
