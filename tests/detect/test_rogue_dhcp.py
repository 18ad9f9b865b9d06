"""Rogue DHCP: with a list, without one, and what is no rogue."""

from tests.verify.ward import DESK, DHCP_IP, ROGUE, ROGUE_IP, ROUTER, ROUTER_IP, Ward

TECHNIQUE = "rogue_dhcp"
SERVER = "00:50:56:30:00:05"


def test_an_unlisted_server_is_one_finding_however_much_it_says() -> None:
    ward = Ward().pump().server("dhcp", DHCP_IP).reply()
    for n in range(30):
        ward.reply(ROGUE_IP, ROGUE, f"f8:b1:56:00:00:{n:02x}", at=60 + n)
    (found,) = ward.findings(TECHNIQUE)
    assert found.actor == f"{ROGUE} {ROGUE_IP}"
    assert found.certainty.value == "confirmed"
    assert found.packets == 30
    assert len(found.evidence) == 20
    assert len(found.targets) == 30


def test_without_a_list_competing_servers_are_one_suspect_naming_both() -> None:
    ward = Ward().discover().reply().reply(ROGUE_IP, ROGUE)
    (found,) = ward.findings(TECHNIQUE)
    assert found.certainty.value == "suspect"
    assert f"{SERVER} {DHCP_IP}" in found.actor
    assert f"{ROGUE} {ROGUE_IP}" in found.actor
    assert found.speaks_against


def test_a_failover_pair_is_said_to_look_like_one() -> None:
    same = {"routers": [ROUTER_IP], "dns_servers": ["10.30.0.6"]}
    (found,) = Ward().reply(**same).reply(ROGUE_IP, ROGUE, **same).findings(TECHNIQUE)
    assert "failover" in found.speaks_against
    other = {"routers": [ROGUE_IP], "dns_servers": [ROGUE_IP]}
    (found,) = Ward().reply(**same).reply(ROGUE_IP, ROGUE, **other).findings(TECHNIQUE)
    assert "failover" not in found.speaks_against


def test_one_server_and_servers_behind_a_relay_do_not_compete() -> None:
    assert Ward().reply().reply(at=90).findings(TECHNIQUE) == []
    relayed = {"giaddr": ROUTER_IP, "mac": ROUTER, "src": ROUTER_IP}
    assert Ward().reply(**relayed).reply("10.30.0.7", **relayed).findings(TECHNIQUE) == []
    # one machine with two identifiers
    assert Ward().reply().reply("10.30.0.7", SERVER).findings(TECHNIQUE) == []


def test_a_server_that_came_days_later_did_not_compete() -> None:
    ward = Ward().reply().reply(ROGUE_IP, ROGUE, at=61 + 86_400)
    assert len(ward.findings(TECHNIQUE)) == 1
    ward = Ward().reply().reply(ROGUE_IP, ROGUE, at=61 + 86_401)
    assert ward.findings(TECHNIQUE) == []


def test_a_declared_window_labels_it_and_deletes_nothing() -> None:
    ward = Ward().server("dhcp", DHCP_IP).reply(ROGUE_IP, ROGUE, DESK)
    ward.window("2026-11-16T00:00:00+00:00", "2026-11-16T01:00:00+00:00")
    (found,) = ward.findings(TECHNIQUE)
    assert found.label == "in a declared window, confirm with biomed"
    ward = Ward().server("dhcp", DHCP_IP).reply(ROGUE_IP, ROGUE, DESK)
    ward.window("2026-11-16T02:00:00+00:00", "2026-11-16T03:00:00+00:00")
    assert ward.findings(TECHNIQUE)[0].label == ""


def test_an_authorised_scanner_is_labelled() -> None:
    ward = Ward().server("dhcp", DHCP_IP).scanner(ROGUE_IP).reply(ROGUE_IP, ROGUE, DESK)
    assert ward.findings(TECHNIQUE)[0].label == "an authorised scanner"


def test_of_more_servers_than_are_compared_it_is_said_that_there_are() -> None:
    def of(servers: int) -> str:
        ward = Ward()
        for n in range(servers):
            ward.reply(f"10.9.{n // 250}.{n % 250}", f"02:00:00:00:00:{n:02x}", at=60 + n)
        (found,) = ward.findings("rogue_dhcp")
        return found.statement

    assert of(99).startswith("99 DHCP servers answered")
    assert of(100).startswith("At least 100 DHCP servers answered")
    assert of(120).startswith("At least 100 DHCP servers answered")
