"""FTP transfers before any login."""

import pytest
from tests.verify.ward import PUMP, PUMP_IP, ROGUE, ROGUE_IP, Ward

TECHNIQUE = "ftp_without_login"
ROW = {
    "protocol": "ftp", "client": ROGUE_IP, "client_mac": ROGUE, "server": PUMP_IP,
    "server_mac": PUMP, "command": "RETR", "path": "HEAD_F~1", "begin_code": 150,
    "end_code": 226, "end_packet": 9, "before_login": True, "from_start": True,
}  # fmt: skip


def carried(pump=True, **more) -> list:
    ward = Ward().pump() if pump else Ward()
    return ward.add("transfers", 5, **(ROW | more)).findings(TECHNIQUE)


@pytest.mark.parametrize(("begin", "end"), [(125, 226), (150, 250)])
def test_a_completed_transfer_before_a_login(begin: int, end: int) -> None:
    (found,) = carried(begin_code=begin, end_code=end)
    assert found.certainty.value == "confirmed"
    assert found.cves == ("CVE-2017-12720",)


@pytest.mark.parametrize(
    "harmless",
    [
        {"before_login": False},
        {"from_start": False},
        {"begin_code": -1},
        {"end_code": 550},
        {"end_code": -1},
        {"protocol": "tftp", "command": "RRQ"},
    ],
)
def test_what_is_none(harmless) -> None:
    assert carried(**harmless) == []


def test_writing_tells_more_than_reading() -> None:
    ward = Ward().pump().add("transfers", 5, **ROW)
    ward.add("transfers", 6, **(ROW | {"command": "STOR"}))
    (found,) = ward.findings(TECHNIQUE)
    assert found.variant == "write"


def test_another_server_is_a_notice() -> None:
    (found,) = carried(pump=False)
    assert found.certainty.value == "notice"
