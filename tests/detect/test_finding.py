"""Finding: ranks become words, and declared times label."""

from tests.verify.ward import ROGUE, ROGUE_IP, Ward

from wardwatch.detect.finding import certainty, cves, finding, some
from wardwatch.model.evidence import Evidence
from wardwatch.signs.episodes import CONFIRMED, NOTICE, SUSPECT, Episode


def episode(**more) -> Episode:
    words = {
        "mac": ROGUE, "ip": ROGUE_IP, "segment": "vlan 120", "rank": CONFIRMED, "variant": "v",
        "detail": "d", "first_ts": Ward.ts(0), "last_ts": Ward.ts(60), "packets": 3,
        "evidence": (Evidence(1, 1),), "targets": ("a",), "pump": False, "known": True,
    }  # fmt: skip
    return Episode(**(words | more))


def test_ranks_are_words() -> None:
    assert [certainty(rank).value for rank in (CONFIRMED, SUSPECT, NOTICE)] == [
        "confirmed", "suspect", "notice",
    ]  # fmt: skip


def test_a_technique_bears_the_cve_it_stands_for() -> None:
    assert cves("dhcp_overflow") == ("CVE-2017-12718",)
    assert cves("rogue_dhcp") == ()


def test_a_window_of_another_zone_does_not_label() -> None:
    start, end = "2026-11-16T00:00:00+00:00", "2026-11-16T01:00:00+00:00"
    here = Ward().zone().window(start, end, zone="pumps").scene()
    elsewhere = Ward().zone().window(start, end, zone="imaging").scene()
    unsaid = Ward().zone().window(start, end, confirmed_by="").scene()
    assert finding(here, "rogue_dhcp", episode(), "said", do_next="x").label
    assert not finding(elsewhere, "rogue_dhcp", episode(), "said", do_next="x").label
    assert not finding(unsaid, "rogue_dhcp", episode(), "said", do_next="x").label
    longer = episode(last_ts=Ward.ts(3601))
    assert not finding(here, "rogue_dhcp", longer, "said", do_next="x").label


def test_a_few_names_stand_for_many() -> None:
    assert some(("a", "b")) == "a, b"
    assert some(("a", "b", "c", "d", "e")) == "a, b, c and 2 more"
    assert some(()) == "nobody by name"
