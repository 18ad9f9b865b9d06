"""The vantage: what a capture could have shown of each segment."""

from tests.observe import frames as f

from wardwatch.model.values import NS
from wardwatch.observe.engine import observe
from wardwatch.observe.vantage import MOST_IPS, SPELL_SILENCE_NS


def look(tmp_path, frames, sql, name="a"):
    return observe([f.pcap(tmp_path / f"{name}.pcap", frames)], key_file=tmp_path / "k").tables.ask(
        sql
    )


def say(
    src=f.PUMP, dst=f.SERVER, data=b"x", sport=5000, ttl=64, ident=1, vlan=None, ip="10.0.0.41"
):
    return f.ether(
        src, dst, f.udp(ip, sport, "10.0.0.2", 6000, data, ttl=ttl, ident=ident), vlan=vlan
    )


def test_a_segment_says_who_could_be_heard_there(tmp_path):
    frames = [
        (1, f.arp(1, f.PUMP, "10.0.0.41", "10.0.0.1")),
        (2, f.arp(1, f.NURSE, "10.0.0.5", "10.0.0.1")),
        (3, f.arp(1, f.NURSE, "10.0.0.5", "10.0.0.2")),
        (4, f.ether(f.PUMP, "01:00:5e:00:00:fb", f.udp("10.0.0.41", 9, "224.0.0.251", 9))),
        (5, say()),
        (95, say(f.SERVER, f.PUMP)),
        (96, say(vlan=120)),
    ]
    rows = look(tmp_path, frames, "SELECT * FROM segments ORDER BY segment")
    plain, tagged = rows
    assert (plain.segment, plain.vlan, plain.packets) == ("untagged", -1, 6)
    assert (plain.broadcasts, plain.broadcast_sources, plain.multicasts) == (3, 2, 1)
    assert (plain.stations, plain.unicast_pairs, plain.longest_gap_s) == (3, 2, 90.0)
    assert (plain.first_ts, plain.last_ts) == (NS, 95 * NS)
    assert (tagged.segment, tagged.vlan, tagged.stations) == ("vlan 120", 120, 1)


def test_directions_of_tcp_are_told(tmp_path):
    a, b = ("10.0.0.41", 4000), ("10.0.0.2", 80)
    both = [
        (1, f.ether(f.PUMP, f.SERVER, f.tcp(*a, *b, flags="S", seq=1))),
        (2, f.ether(f.SERVER, f.PUMP, f.tcp(*b, *a, flags="SA", seq=9, ack=2))),
    ]
    c = ("10.0.0.41", 4001)
    one = [(3, f.ether(f.PUMP, f.SERVER, f.tcp(*c, *b, b"data", flags="PA", seq=5, ack=7)))]
    lone = [(4, f.ether(f.PUMP, f.SERVER, f.tcp("10.0.0.41", 4002, *b, flags="S", seq=1)))]
    (row,) = look(tmp_path, both + one + lone, "SELECT * FROM segments")
    assert (row.tcp_both, row.tcp_one_way) == (1, 1)


def test_a_hole_in_a_stream_counts(tmp_path):
    a, b = ("10.0.0.41", 4000), ("10.0.0.2", 80)
    frames = [
        (1, f.ether(f.PUMP, f.SERVER, f.tcp(*a, *b, b"one", flags="PA", seq=1, ack=1))),
        (2, f.ether(f.SERVER, f.PUMP, f.tcp(*b, *a, flags="A", seq=1, ack=104))),
    ]
    (row,) = look(tmp_path, frames, "SELECT tcp_gaps FROM segments")
    assert row.tcp_gaps == 1


def test_dhcp_is_counted_by_who_speaks(tmp_path):
    everyone = ("0.0.0.0", 68, "255.255.255.255", 67)
    frames = [
        (1, f.ether(f.PUMP, f.EVERYONE, f.udp(*everyone, f.dhcp(1, 1, f.PUMP)))),
        (
            2,
            f.ether(f.SERVER, f.PUMP, f.udp("10.0.0.2", 67, "10.0.0.41", 68, f.dhcp(2, 2, f.PUMP))),
        ),
        (
            3,
            f.ether(
                f.ROUTER,
                f.SERVER,
                f.udp("10.0.0.1", 67, "10.9.0.2", 67, f.dhcp(1, 1, f.PUMP, giaddr="10.0.0.1")),
            ),
        ),
    ]
    (row,) = look(tmp_path, frames, "SELECT * FROM segments")
    assert (row.dhcp_client_messages, row.dhcp_server_messages, row.dhcp_relayed) == (1, 1, 1)


def test_copies_of_a_mirror_port_and_of_a_router_are_counted(tmp_path):
    frames = [
        (1, say()),
        (1.0005, say()),
        (2, say(ident=2)),
        (2.01, say(f.ROUTER, "00:50:56:00:00:09", ttl=63, ident=2)),
        (3, say(ident=2)),
    ]
    (row,) = look(tmp_path, frames, "SELECT * FROM segments")
    assert (row.mirror_duplicates, row.routed_duplicates) == (1, 1)


def test_cut_and_merged_packets_are_counted(tmp_path):
    big = f.ether(f.PUMP, f.SERVER, f.tcp("10.0.0.41", 1, "10.0.0.2", 2, b"x" * 4000))
    rows = look(tmp_path, [(1, big[:96], len(big)), (2, say())], "SELECT * FROM segments")
    assert (rows[0].cut_packets, rows[0].offloaded) == (1, 1)


def test_presence_is_a_row_a_spell(tmp_path):
    quiet = SPELL_SILENCE_NS // NS
    frames = [
        (1, say()),
        (1 + quiet, say()),
        (3 + 2 * quiet, say()),
        (4 + 2 * quiet, say(f.SERVER, f.PUMP)),
    ]
    rows = look(
        tmp_path, frames, f"SELECT * FROM presence WHERE mac = '{f.PUMP}' ORDER BY first_ts"
    )
    assert [(r.first_packet, r.last_packet, r.packets, r.received) for r in rows] == [
        (1, 2, 2, 0),
        (3, 3, 1, 1),
    ]


def test_a_router_shows_no_more_than_so_many_addresses(tmp_path):
    frames = [(n, say(f.ROUTER, ip=f"192.0.2.{n}", ident=n)) for n in range(1, MOST_IPS + 9)]
    rows = look(
        tmp_path, frames, "SELECT ip FROM bindings WHERE source = 'ip' ORDER BY first_packet"
    )
    assert [r.ip for r in rows] == [f"192.0.2.{n}" for n in range(1, MOST_IPS + 1)]
