"""wardwatch.observe.forks"""

import gc
import gzip
import os

from wardwatch.observe import forks
from wardwatch.observe.forks import forked


def test_a_copy_has_what_was_there_and_what_it_changes_is_its_own() -> None:
    kept = ["before"]
    gc.unfreeze()
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


def test_it_is_worth_it_for_long_plain_files_and_two_cores(tmp_path, monkeypatch) -> None:
    capture = tmp_path / "a.pcap"
    capture.write_bytes(bytes(1_000))
    monkeypatch.setattr(forks, "cores", lambda: 2)
    monkeypatch.setattr(forks.sys, "platform", "linux")
    assert not forks.is_worth_it([str(capture)])
    monkeypatch.setattr(forks, "WORTH_BYTES", capture.stat().st_size + 1)
    assert not forks.is_worth_it([str(capture)])
    assert forks.is_worth_it([str(capture), str(capture), str(tmp_path / "absent")])
    packed = tmp_path / "a.gz"
    packed.write_bytes(gzip.compress(b"x"))
    assert not forks.is_worth_it([str(capture), str(capture), str(packed)])
    assert not forks.is_worth_it([str(capture), str(capture), "-"])
    assert not forks.is_worth_it([str(capture), str(capture), os.devnull])
    monkeypatch.setattr(forks, "cores", lambda: 1)
    assert not forks.is_worth_it([str(capture), str(capture)])
