"""However a reader cuts its blocks, and whoever reads a stream, the tables are the same."""

import json

import pytest
from tests.conversations import many
from tests.observe.test_young import observed, write

from wardwatch.capture import reader
from wardwatch.decode.kernels import young


@pytest.fixture
def found(tmp_path, monkeypatch):
    """Every table's rows, by packets of a block and seats of the kernel."""

    def of(path, block, seats):
        monkeypatch.setattr(reader, "BLOCK_ROWS", block)
        return observed(path, tmp_path / "key", seats)[0]

    return of


@pytest.mark.parametrize("seed", range(4))
def test_disturbed_connections_whatever_the_blocks(seed, found, tmp_path) -> None:
    frames = many(seed, 120, disturbed=0.6, largest=(1460, 400, 60))
    path = write(tmp_path / "a.pcap", frames)
    one_by_one = found(path, 1, 0)
    odd = [r for r in map(json.loads, one_by_one["conversations"]) if r["missed_bytes"]]
    assert len(odd) > 10
    for block in (1, 7, 64, 500, 2048, 16_384):
        for seats in (0, young.SEATS):
            if (block, seats) == (1, 0):
                continue
            for table, rows in found(path, block, seats).items():
                assert rows == one_by_one[table], (table, block, seats)
