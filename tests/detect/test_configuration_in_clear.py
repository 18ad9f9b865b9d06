"""The configuration in clear: a file that was read, or its own words at the start of a stream."""

import pytest
from tests.detect.test_ftp_without_login import ROW
from tests.verify.ward import PUMP, PUMP_IP, ROGUE, ROGUE_IP, Ward

TECHNIQUE = "configuration_in_clear"
WORDS = {
    "src": PUMP_IP, "src_mac": PUMP, "dst": ROGUE_IP, "kind": "configuration",
    "root": "Medfusion3600Configuration", "has_secret": True, "at_stream_start": True,
    "conversation": 7,
}  # fmt: skip


@pytest.mark.parametrize("path", ["CONFIG.XML", "config.xml", "/a/Config.xml", "a\\CONFIG.XML"])
def test_the_file_that_was_read(path: str) -> None:
    (found,) = Ward().pump().add("transfers", 5, **(ROW | {"path": path})).findings(TECHNIQUE)
    assert found.cves == ("CVE-2017-12723",)
    assert found.certainty.value == "confirmed"


@pytest.mark.parametrize(
    "harmless",
    [
        {"path": "CONFIG.XML.bak"},
        {"path": "MYCONFIG.XML"},
        {"path": "CONFIG.XML", "end_code": 550},
        {"path": "CONFIG.XML", "command": "STOR"},
        {"path": "CONFIG.XML", "protocol": "tftp"},
    ],
)
def test_what_was_not_read_in_whole_is_none(harmless) -> None:
    assert Ward().pump().add("transfers", 5, **(ROW | harmless)).findings(TECHNIQUE) == []


def test_file_and_words_of_one_reader_are_one_finding() -> None:
    ward = Ward().pump().add("transfers", 5, **(ROW | {"path": "CONFIG.XML"}))
    ward.tcp(PUMP_IP, ROGUE_IP, 5001, orig_mac=PUMP, resp_mac=ROGUE, conversation=7)
    (found,) = ward.add("device_messages", 6, **WORDS).findings(TECHNIQUE)
    assert (found.variant, found.packets) == ("secret", 2)


@pytest.mark.parametrize(
    "harmless", [{"has_secret": False}, {"at_stream_start": False}, {"kind": "soap"}]
)
def test_a_page_mail_or_share_about_it_is_none(harmless) -> None:
    assert Ward().pump().add("device_messages", 6, **(WORDS | harmless)).findings(TECHNIQUE) == []


def test_from_no_pump_it_is_a_notice() -> None:
    (found,) = Ward().add("device_messages", 6, **WORDS).findings(TECHNIQUE)
    assert found.certainty.value == "notice"
