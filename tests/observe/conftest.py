"""Captures that several tests of observe read."""

import pytest
from bench.mix import write as write_mix


@pytest.fixture(scope="package")
def capture(tmp_path_factory):
    """Eight megabytes: half a dozen blocks, and as many turns of the arenas."""
    path = tmp_path_factory.mktemp("ahead") / "mix.pcap"
    write_mix(path, 8, seed=5)
    return path
