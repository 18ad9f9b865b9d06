"""The floods are honest: sums are true, lengths as told, and each is judged."""

import itertools
import json
import struct

import dpkt
import pytest
from bench import floods
from bench.floods import FLOODS, PART, write
from tests.bench.test_worst import plain_sum

from wardwatch.watch import audit


@pytest.mark.parametrize("flood", sorted(FLOODS))
def test_every_packet_has_true_sums_and_lengths(flood):
    frames = list(itertools.islice(FLOODS[flood](300), 300))
    assert len(frames) == 300
    for frame in frames:
        assert len(frame) >= 60
        packet = dpkt.ethernet.Ethernet(frame).data
        if isinstance(packet, dpkt.arp.ARP):
            continue
        body = bytes(packet.data)
        if isinstance(packet, dpkt.ip6.IP6):
            pseudo = packet.src + packet.dst + struct.pack("!II", len(body), packet.nxt)
        else:
            assert plain_sum(bytes(packet)[:20]) == 0xFFFF
            pseudo = packet.src + packet.dst + struct.pack("!HH", packet.p, len(body))
        assert plain_sum(pseudo + body) == 0xFFFF


@pytest.mark.parametrize(
    ("flood", "technique"),
    [
        ("DNS answers that overread", "dns_overread"),
        ("offers, each of another DHCP server", "rogue_dhcp"),
        ("claims of one address by ARP", "arp_impersonation"),
        ("last words of one router", "rogue_router"),
    ],
)
def test_its_signs_are_found(flood, technique, tmp_path):
    path = tmp_path / "a.pcap"
    assert write(flood, path, 400) == 400
    found = [f for f in audit([path]).findings if f.technique == technique]
    assert found
    assert sum(f.packets for f in found) >= 100


def test_each_is_written_long_and_short(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["floods", str(tmp_path), "40"])
    floods.main()
    assert json.loads(capsys.readouterr().out) == {name: [40, 40 // PART] for name in FLOODS}
    assert len(list(tmp_path.iterdir())) == 2 * len(FLOODS)
