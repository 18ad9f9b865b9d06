"""The crowds are honest: sums are true, numbers add up, and all are there at once."""

import io
import json

import dpkt
import pytest
from bench import crowd
from bench.crowd import CASES, write
from tests.bench.test_worst import plain_sum


def frames_of(path):
    return [frame for _, frame in dpkt.pcap.Reader(io.BytesIO(path.read_bytes()))]


@pytest.mark.parametrize("case", sorted(CASES))
def test_every_packet_has_true_sums_and_lengths(case, tmp_path):
    packets = write(case, tmp_path / "c.pcap", 0.001)
    frames = frames_of(tmp_path / "c.pcap")
    assert len(frames) == packets > 500
    for frame in frames:
        ip = dpkt.ethernet.Ethernet(frame).data
        if not isinstance(ip, dpkt.ip.IP):
            assert ip.spa == ip.tpa
            continue
        assert ip.len == len(ip)
        assert plain_sum(bytes(ip)[:20]) == 0xFFFF
        body = bytes(ip.data)
        pseudo = ip.src + ip.dst + bytes([0, ip.p]) + len(body).to_bytes(2, "big")
        assert plain_sum(pseudo + body) == 0xFFFF


def test_all_are_open_before_the_first_one_speaks(tmp_path):
    write("a million conversations at once", tmp_path / "c.pcap", 0.001)
    opened, spoke = set(), set()
    for frame in frames_of(tmp_path / "c.pcap"):
        segment = (ip := dpkt.ethernet.Ethernet(frame).data).data
        if segment.data:
            assert len(opened) == 1_000
            spoke.add((ip.src, segment.sport))
            assert (segment.seq, segment.ack) == (1, 1)
        elif not segment.flags & dpkt.tcp.TH_ACK:
            opened.add((ip.src, segment.sport))
    assert spoke == opened


def test_every_host_asks_for_its_name_and_is_answered(tmp_path):
    write("100,000 hosts", tmp_path / "c.pcap", 0.001)
    asked, answered = {}, {}
    for frame in frames_of(tmp_path / "c.pcap"):
        ip = dpkt.ethernet.Ethernet(frame).data
        if isinstance(ip, dpkt.ip.IP) and isinstance(ip.data, dpkt.udp.UDP):
            message = dpkt.dns.DNS(ip.data.data)
            if message.qr:
                answered[message.qd[0].name] = message.an[0].rdata
            else:
                asked[message.qd[0].name] = ip.src
    assert len(asked) == 100
    assert asked == answered


def test_the_command_writes_every_case(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["crowd", str(tmp_path), "0.0005"])
    crowd.main()
    told = json.loads(capsys.readouterr().out)
    assert set(told) == set(CASES)
    for name, packets in told.items():
        assert len(frames_of(tmp_path / f"{name}.pcap")) == packets
