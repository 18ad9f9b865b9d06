"""Cited: the first twenty packets, each once, in order."""

from tests.verify.ward import Ward

from wardwatch.model.evidence import Evidence
from wardwatch.signs.cited import FIRST, cited, values


def test_the_first_packets_of_a_group() -> None:
    ward = Ward()
    for n in range(30):
        ward.discover(at=100.0 - n)
    row = ward.scene().tables.ask(f"SELECT {FIRST} AS packets FROM dhcp")[0]
    assert cited(row.packets) == tuple(Evidence(1, n) for n in range(11, 31))


def test_nothing_selected_cites_nothing() -> None:
    assert cited(None) == ()
    assert values({"a": 1, "b": 2}) == values([1, 2]) == (1, 2)
