"""Episodes: gathered by actor and segment, parted by a day of silence, bounded against floods."""

import random

import pytest
from tests.verify.ward import PUMP, PUMP_IP, Ward

from wardwatch.model.values import DAY_NS, UNKNOWN_TIME
from wardwatch.signs import episodes as gathering
from wardwatch.signs.episodes import MAX_EVIDENCE, MAX_TARGETS, episodes

SQL = """SELECT capture, packet, ts, segment, src_mac AS actor_mac, src AS actor_ip,
    chaddr AS target_mac, yiaddr AS target_ip, hops AS strength, secs AS weight,
    host_name AS variant, sname AS detail FROM dhcp"""


def gathered(ward: Ward, **more):
    return episodes(ward.scene(), SQL, **more)


def sign(ward: Ward, ts=0, mac="aa", target="t", rank=0, weight=0, variant="v", **more) -> Ward:
    row = {"src_mac": mac, "src": "1.1.1.1", "chaddr": target, "hops": rank, "secs": weight}
    return ward.add("dhcp", **(row | {"host_name": variant, "ts": ts} | more))


def test_actor_and_segment_are_the_key() -> None:
    ward = sign(sign(sign(Ward()), mac="bb"), segment="vlan 9")
    assert {(e.actor, e.segment) for e in gathered(ward)} == {
        ("aa 1.1.1.1", "vlan 120"), ("bb 1.1.1.1", "vlan 120"), ("aa 1.1.1.1", "vlan 9"),
    }  # fmt: skip


def test_a_day_of_silence_and_one_more_nanosecond_parts() -> None:
    assert len(gathered(sign(sign(Ward()), ts=DAY_NS))) == 1
    assert len(gathered(sign(sign(Ward()), ts=DAY_NS + 1))) == 2


def test_packets_without_a_time_part_nothing_and_raise_nothing() -> None:
    (one,) = gathered(sign(sign(Ward(), ts=UNKNOWN_TIME), ts=2**62))
    assert one.packets == 2


def test_packets_none_of_which_has_a_time_are_one_episode() -> None:
    (one,) = gathered(sign(sign(Ward(), ts=UNKNOWN_TIME), ts=UNKNOWN_TIME))
    assert one.packets == 2


def test_whoever_is_heard_after_a_day_parts_nobody_else() -> None:
    ward = sign(sign(sign(Ward()), ts=DAY_NS), ts=2 * DAY_NS, mac="bb")
    assert [(e.mac, e.packets) for e in gathered(ward)] == [("aa", 2), ("bb", 1)]


def test_the_surest_then_the_weightiest_decides_the_words() -> None:
    ward = sign(sign(Ward(), rank=1, weight=9, variant="weak"), ts=1, variant="sure")
    (one,) = gathered(sign(ward, ts=2, weight=1, variant="telling"))
    assert (one.rank, one.variant) == (0, "telling")


@pytest.mark.parametrize("few", [0, 500])
def test_a_flood_comes_back_as_one_bounded_row(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "FEW", few)
    ward = Ward()
    for n in range(500):
        sign(ward, ts=n, target=f"t{n:03d}")
    (one,) = gathered(ward)
    assert one.packets == 500
    assert len(one.evidence) == MAX_EVIDENCE
    assert one.evidence[0].packet == 1
    assert len(one.targets) == MAX_TARGETS


def test_hazard_makes_a_notice_of_what_meets_no_pump() -> None:
    ward = sign(Ward().pump())
    assert [e.rank for e in gathered(ward, hazard=True)] == [2]
    sign(ward, target=PUMP)
    (one,) = gathered(ward, hazard=True)
    assert (one.rank, one.pump, one.known) == (0, True, True)
    assert set(one.targets) == {"t", "dev-001a01000041"}


def at_random(seed: int) -> Ward:
    """Signs of a few actors, some twice, some after a day, some without a time, with equal words."""
    chance = random.Random(seed)
    ward = Ward().pump()
    for _ in range(chance.randint(1, 60)):
        row = {
            "ts": chance.choice((UNKNOWN_TIME, -5, 0, 7, DAY_NS, DAY_NS + 8, 3 * DAY_NS)),
            "packet": chance.randint(1, 40),
            "segment": chance.choice(("vlan 120", "vlan 9")),
            "src": chance.choice(("1.1.1.1", "")),
            "yiaddr": chance.choice(("", "10.0.0.9", PUMP_IP)),
            "variant": chance.choice("vw"),
            "sname": chance.choice("xy"),
        }
        target = chance.choice((PUMP, "", "ff:ff:ff:ff:ff:ff", "t", "\u00fc", "\U0001f4a1"))
        rank, weight = chance.randint(0, 1), chance.randint(-1, 1)
        sign(ward, mac=chance.choice("ab"), target=target, rank=rank, weight=weight, **row)
    return ward


@pytest.mark.parametrize("seed", range(40))
def test_few_signs_and_many_are_gathered_alike(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    ward, hazard = at_random(seed), bool(seed % 2)
    few = gathered(ward, hazard=hazard)
    monkeypatch.setattr(gathering, "FEW", 0)
    assert gathered(ward, hazard=hazard) == few


def test_beyond_so_many_senders_the_others_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "FEW", 0)
    told = gathering.MOST_ACTORS
    ward = Ward().pump()
    for n in range(told + 30):
        sign(ward, ts=1_000 + n, mac=f"m{n:04d}", target=PUMP if n % 2 else "t", rank=1)
    # those told apart are the surest, then those with most signs
    sign(ward, ts=9_000, mac="sure")
    for n in range(2):
        sign(ward, ts=9_001 + n, mac="busy", rank=1)
    found = {e.mac: e for e in gathered(ward)}
    assert len(found) == told + 1
    assert (found["sure"].rank, found["busy"].packets) == (0, 2)
    others = found[""]
    assert (others.actor, others.ip, others.packets) == ("32 other senders (told of one)", "", 32)
    assert (others.first_ts, others.last_ts) == (1_000 + told - 2, 1_000 + told + 29)
    assert (others.pump, others.known, len(others.targets)) == (True, True, 2)
    assert sum(e.packets for e in found.values()) == told + 33
    assert all(e.senders == 1 for mac, e in found.items() if mac)


def test_others_are_told_by_segment_and_parted_like_anybody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gathering, "FEW", 0)
    ward = Ward()
    for n in range(gathering.MOST_ACTORS):
        sign(sign(ward, mac=f"m{n:04d}"), ts=1, mac=f"m{n:04d}")
    for n in range(3):
        sign(ward, mac=f"n{n}", ts=n * (DAY_NS + 2))
        sign(ward, mac=f"o{n}", segment="vlan 9")
    others = [e for e in gathered(ward) if e.senders > 1]
    assert [(e.segment, e.packets, e.senders) for e in others] == [
        ("vlan 120", 1, 3), ("vlan 9", 3, 3), ("vlan 120", 1, 3), ("vlan 120", 1, 3),
    ]  # fmt: skip
