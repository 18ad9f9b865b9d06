"""The twin stands on loopback or in its own namespaces, and nowhere else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from wardwatch.twin import ground

HERE = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "", "::", "::1", "10.0.0.1", "192.168.0.1", "localhost", "127.1", "1" * 400]
)
def test_s12_an_address_of_a_network_is_refused(host: str) -> None:
    with pytest.raises(ground.OutsideError) as caught:
        ground.permitted(host)
    assert caught.value.host == host


def test_s12_loopback_is_permitted() -> None:
    assert ground.permitted("127.3.2.1") == "127.3.2.1"


INSIDE = """
import ctypes, sys
from wardwatch.twin import ground
if ctypes.CDLL(None).unshare(0x40000000) != 0:
    sys.exit(77)
def answer(host):
    try:
        return ground.permitted(host) == host
    except ground.OutsideError:
        return False
print(answer("10.9.0.1"))
ground.made(ground.here())
print(answer("10.9.0.1"), answer("0.0.0.0"), answer("::"))
"""


def test_s12_in_a_namespace_that_was_made_here_its_addresses_are_permitted() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", INSIDE], env=HERE, capture_output=True, text=True, check=False
    )
    if ran.returncode == 77:
        pytest.skip("network namespaces are not permitted here")
    assert ran.stdout.split() == ["False", "True", "False", "False"], ran.stderr
