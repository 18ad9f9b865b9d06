"""ARP claims: who holds an address, decided without a list."""

import random

import pytest
from msgspec.structs import replace
from tests.verify.ward import PUMP, PUMP_IP, ROGUE, ROUTER, ROUTER_IP, Ward, rows_of

from wardwatch.signs import arp
from wardwatch.signs.arp import claims


def actors(ward: Ward) -> set[str]:
    scene = ward.scene()
    sql, parameters = claims(scene, 60.0)
    return {row.actor_mac for row in rows_of(scene, sql, parameters)}


def both(first: str, second: str) -> Ward:
    ward = Ward().present(first, 0, 9000).present(second, 0, 9000)
    for mac, at in ((first, 10.0), (second, 20.0)):
        ward.bound(mac, ROUTER_IP, start=at, end=8000).arp(mac, ROUTER_IP, at=at)
        ward.arp(mac, ROUTER_IP, at=7000 + at)
    return ward


def test_the_earlier_one_holds_it() -> None:
    assert actors(both(ROUTER, ROGUE)) == {ROGUE}


def test_the_one_that_wants_more_addresses_of_others_claims() -> None:
    ward = both(ROGUE, ROUTER).bound(PUMP, PUMP_IP, start=5).present(PUMP, 0, 9000)
    ward.arp(PUMP, PUMP_IP, at=5).arp(PUMP, PUMP_IP, at=7000)
    ward.bound(ROGUE, PUMP_IP, start=30, end=8000).arp(ROGUE, PUMP_IP, at=30)
    assert actors(ward) == {ROGUE}


def test_the_one_dhcp_gave_it_to_holds_it() -> None:
    ward = both(ROGUE, ROUTER).bound(ROUTER, ROUTER_IP, "dhcp", start=1, end=1)
    assert actors(ward) == {ROGUE}


@pytest.mark.parametrize("count", [arp.MOST_HOLDERS - 1, arp.MOST_HOLDERS + 1, 300])
def test_of_a_flood_every_claim_is_told_and_none_against_all_others(count: int) -> None:
    macs = [f"02:00:00:00:{n >> 8:02x}:{n & 255:02x}" for n in range(count)]
    ward = Ward().present(ROUTER, 0, 9000).bound(ROUTER, ROUTER_IP, start=1, end=9000)
    ward.arp(ROUTER, ROUTER_IP, at=1)
    for at, mac in enumerate(macs, 100):
        ward.present(mac, 0, 9000).bound(mac, ROUTER_IP, start=at, end=8000)
        ward.arp(mac, ROUTER_IP, at=at)
    scene = ward.scene()
    sql, parameters = claims(scene, 60.0)
    rows = rows_of(scene, sql, parameters)
    assert {row.actor_mac for row in rows} == {*macs}
    # the router used it longest
    assert {row.actor_mac for row in rows if row.target_mac == ROUTER} == {*macs}
    is_flood = count >= arp.MOST_HOLDERS
    pairs = sum(min(arp.OF_A_FLOOD, 1 + n) for n in range(count)) if is_flood else 0
    assert len(rows) == (pairs or count * (count + 1) // 2)


def test_a_forger_that_passes_packets_on_is_no_holder_of_their_addresses() -> None:
    ward = Ward().present(PUMP, 0, 9000).present(ROGUE, 0, 9000)
    ward.bound(ROGUE, PUMP_IP, "ip", start=1).bound(ROGUE, "10.120.0.66", "ip", start=1)
    ward.bound(PUMP, PUMP_IP, start=500).arp(PUMP, PUMP_IP, at=500)
    assert actors(ward) == set()


def test_neighbour_discovery_may_not_move_an_address_whose_mac_was_confirmed() -> None:
    def said(mac: str = ROGUE, source: str = "nd", until: float = 9000, **line) -> set[str]:
        ward = Ward().present(ROUTER, 0, until).present(mac, 0, 9000)
        ward.server("router", "fe80::1", **line).bound(ROUTER, "fe80::1", "ip", start=10)
        return actors(ward.bound(mac, "fe80::1", source, start=5000, end=5000))

    assert said(macs=(ROUTER,)) == {ROGUE}
    assert said(macs=(ROUTER, ROGUE)) == set()
    assert said() == set()
    assert said(until=4000, macs=(ROUTER,)) == set()
    assert said("00:00:5e:00:02:07", macs=(ROUTER,)) == set()


MACS = (PUMP, ROGUE, ROUTER, "00:00:5e:00:01:07", "o'brien", "")
IPS = (PUMP_IP, ROUTER_IP, "fe80::1", "0.0.0.0", "'; --", "")
TIMES = range(0, 500, 50)


def quarrel(seed: int) -> Ward:
    """A few stations that claim and use a few addresses, at random."""
    chance = random.Random(seed)
    few = chance.randint(1, 6)

    def one() -> tuple[str, str]:
        return chance.choice(MACS[:few]), chance.choice(IPS[: chance.randint(1, 6)])

    ward = Ward()
    for _ in range(chance.randint(0, 5)):
        ward.present(chance.choice(MACS), start := chance.choice(TIMES), start + 300)
    for _ in range(chance.randint(0, 6)):
        start = chance.choice(TIMES)
        source = chance.choice(("arp", "dhcp", "ip", "ip", "nd"))
        ward.bound(*one(), source, start=start, end=start + chance.choice(TIMES))
    for _ in range(chance.randint(0, 4)):
        ward.arp(*one(), at=chance.choice(TIMES))
    if chance.random() < 0.5:
        (one_mac, ip), (other, wanted) = one(), one()
        ward.bound(one_mac, ip, "ip", start=0, end=chance.choice(TIMES))
        ward.bound(other, ip, "ip", start=200, end=400).arp(other, wanted, at=chance.choice(TIMES))
    if chance.random() < 0.3:
        ward.server("router", chance.choice(IPS), macs=(chance.choice(MACS[:3]),))
    return ward


def test_what_need_not_be_asked_has_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    left_out, told = 0, set()
    for seed in range(120):
        scene = quarrel(seed).scene()
        short = claims(scene, 60.0)
        found = [tuple(row) for row in rows_of(scene, *short)]
        with monkeypatch.context() as patch:
            patch.setattr(arp, "_possible", lambda scene: (True, True))
            # the same tables, and what is possible not told yet; DuckDB plans as it is written
            del scene._told["arp possible"]
            scene.tables.ask("PRAGMA disable_optimizer")
            disputed = arp._disputed(scene)
            everything = rows_of(scene, *claims(scene, 60.0)) if disputed else []
        assert sorted(found) == sorted(map(tuple, everything))
        left_out += not short[0] and disputed
        told |= {row[10] for row in found}
    assert left_out > 5
    assert told >= {"still there", "traffic moved"}


def test_an_address_that_nobody_shared_rules_out_the_same_as_the_longer_question(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = set()
    for seed in range(120):
        scene = quarrel(seed).scene()
        short = arp.possible(scene)
        with monkeypatch.context() as patch:
            patch.setattr(arp, "FEW", -1)
            assert arp.possible(replace(scene)) == short  # nothing told yet
        said.add((short, bool(scene.tables.ask(arp._SHARED))))
    assert said >= {((False, False), False), ((True, False), True), ((False, True), True)}
