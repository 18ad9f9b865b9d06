"""Bindings: who used which address, by what they say."""

import msgspec
import numpy as np
import pytest
from tests.observe import frames as f

from wardwatch.observe.bindings import MOST_CLAIMS, Bindings, Noted
from wardwatch.observe.engine import observe
from wardwatch.observe.tables import Spool
from wardwatch.observe.where import Where


def bindings(tmp_path, frames, source):
    tables = observe([f.pcap(tmp_path / "a.pcap", frames)], key_file=tmp_path / "key").tables
    return tables.ask("SELECT * FROM bindings WHERE source = ? ORDER BY first_packet, ip", [source])


def test_arp_binds_its_sender(tmp_path):
    frames = [
        (1, f.arp(1, f.PUMP, "10.0.0.41", "10.0.0.1")),
        (5, f.arp(2, f.PUMP, "10.0.0.41", "10.0.0.1", f.ROUTER)),
        (6, f.arp(1, f.NURSE, "0.0.0.0", "10.0.0.5")),  # a probe claims nothing, RFC 5227 §2.1.1
    ]
    (row,) = bindings(tmp_path, frames, "arp")
    assert (row.mac, row.ip, row.segment) == (f.PUMP, "10.0.0.41", "untagged")
    assert (row.first_packet, row.last_packet, row.packets) == (1, 2, 2)
    assert (row.first_ts, row.last_ts) == (10**9, 5 * 10**9)


def test_dhcp_binds_when_the_server_acknowledges(tmp_path):
    def answer(kind, yiaddr):
        raw = f.udp("10.0.0.2", 67, "10.0.0.41", 68, f.dhcp(2, kind, f.PUMP, yiaddr=yiaddr))
        return f.ether(f.SERVER, f.PUMP, raw)

    frames = [(1, answer(2, "10.0.0.40")), (2, answer(5, "10.0.0.41")), (3, answer(6, "0.0.0.0"))]
    (row,) = bindings(tmp_path, frames, "dhcp")
    assert (row.mac, row.ip, row.first_packet) == (f.PUMP, "10.0.0.41", 2)


def test_one_mac_that_claims_everything_is_cut_off(tmp_path):
    frames = [
        (n, f.arp(1, f.PUMP, f"10.0.{n // 250}.{n % 250 + 1}", "10.0.0.1"))
        for n in range(MOST_CLAIMS + 20)
    ]
    assert len(bindings(tmp_path, frames, "arp")) == MOST_CLAIMS


def test_what_several_claim_is_cut_off_for_each_alone(tmp_path):
    macs = (f.PUMP, f.NURSE, f.ROUTER)
    frames = [
        (n, f.arp(1, macs[n % 3], f"10.0.{n // 250}.{n % 250 + 1}", "10.0.0.1"))
        for n in range(3 * MOST_CLAIMS)
    ]
    assert len(bindings(tmp_path, frames, "arp")) == 3 * MOST_CLAIMS
    more = [(n, f.arp(1, f.PUMP, f"10.1.0.{n}", "10.0.0.1")) for n in range(1, 9)]
    assert bindings(tmp_path, frames + more, "arp") == bindings(tmp_path, frames, "arp")


def test_neighbour_discovery_is_noted_message_by_message():
    spool = Spool()
    noted = Bindings(spool)
    for packet in (3, 9):
        noted.note("untagged", f.PUMP, "fe80::1", "nd", Where(1, packet, packet * 10, "untagged"))
    noted.note("untagged", f.PUMP, "::", "nd", Where(1, 10, 100, "untagged"))
    noted.finish()
    (row,) = spool.close().ask("SELECT * FROM bindings")
    assert (row.ip, row.first_packet, row.last_packet, row.packets) == ("fe80::1", 3, 9, 2)
    assert (row.first_ts, row.last_ts) == (30, 90)


def rows_of(noted):
    noted.finish()
    return noted._spool.close().ask("SELECT * FROM bindings")


@pytest.mark.parametrize("most", [3, 1 << 16])
@pytest.mark.parametrize("seed", range(4))
def test_two_that_note_come_to_the_same_wherever_they_are_parted(seed, most, monkeypatch):
    """Where the later one was full, it says so, and it was."""
    monkeypatch.setattr("wardwatch.observe.bindings.MOST_NOTED", most)
    chance = np.random.default_rng(seed)
    said = [
        ("untagged", f"00:00:00:00:00:0{mac}", f"fe80::{ip}", "nd", Where(1, n + 1, ts, "untagged"))
        for n, (mac, ip, ts) in enumerate(chance.integers(0, (2, 3, 99), (30, 3)).tolist())
    ]

    def noting(start, stop):
        bindings = Bindings(Spool())
        for told in said[start:stop]:
            bindings.note(*told)
        return bindings

    refused = 0
    for cut in range(31):
        bindings = noting(0, cut)
        packed = msgspec.msgpack.encode(noting(cut, 30).noted())
        noted = msgspec.msgpack.decode(packed, type=Noted)
        if bindings.can_absorb(noted):
            refused += 1
            assert len({told[1:3] for told in said[cut:]}) >= most
            continue
        bindings.absorb(noted)
        assert rows_of(bindings) == rows_of(noting(0, 30)), cut
    assert refused < 30
    assert (refused > 0) == (most == 3)
