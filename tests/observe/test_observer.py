"""The way of a block: what reaches which reader, and what it becomes."""

import io

from tests.observe import frames as f

from wardwatch.model.block import Damage
from wardwatch.observe.engine import observe


def seen(tmp_path, frames, link=1):
    return observe([f.pcap(tmp_path / "a.pcap", frames, link)], key_file=tmp_path / "key").tables


def query(name, ident=7):
    labels = b"".join(bytes([len(part)]) + part for part in name.split(b"."))
    return ident.to_bytes(2, "big") + b"\x01\x00\x00\x01" + bytes(6) + labels + b"\0\0\x01\0\x01"


def dns_frame(name=b"pump.example", src_mac=f.NURSE, **more):
    packet = f.udp("10.0.0.5", 5353, "10.0.0.2", 53, query(name), **more)
    return f.ether(src_mac, f.SERVER, packet)


def test_ordinary_messages_and_those_of_devices_become_the_same_rows(tmp_path):
    tables = seen(tmp_path, [(1, dns_frame()), (2, dns_frame(src_mac=f.PUMP))])
    one, two = tables.ask("SELECT * EXCLUDE (packet, ts, src_mac) FROM dns ORDER BY packet")
    assert one == two
    assert one.query == "pump.example"
    assert one.conversation >= 0


def test_a_fragmented_message_is_read_once_and_belongs_to_its_conversation(tmp_path):
    packet = f.udp("10.0.0.5", 999, "10.0.0.2", 53, query(b".".join([b"x" * 60] * 3)))
    pieces = [(n, f.ether(f.NURSE, f.SERVER, p)) for n, p in enumerate(f.fragments(packet, 64), 1)]
    tables = seen(tmp_path, pieces)
    (row,) = tables.ask("SELECT * FROM dns")
    assert (row.packet, row.whole, row.src_port) == (len(pieces), True, 999)
    (talk,) = tables.ask("SELECT * FROM conversations")
    assert (talk.orig_pkts, talk.conversation) == (len(pieces), row.conversation)
    (counted,) = tables.ask("SELECT packets FROM encapsulations WHERE kind = 'ipv4_fragment'")
    assert counted.packets == len(pieces)


def test_a_tunnel_inside_fragments_names_its_own_segment(tmp_path):
    inner = f.ether(f.NURSE, f.SERVER, f.udp("10.0.0.5", 999, "10.0.0.2", 53, query(b"a.b")))
    vxlan = b"\x08\0\0\0" + (55).to_bytes(3, "big") + b"\0" + inner
    outer = f.udp("10.9.0.1", 50000, "10.9.0.2", 4789, vxlan)
    pieces = [(n, f.ether(f.NURSE, f.SERVER, p)) for n, p in enumerate(f.fragments(outer, 40), 1)]
    (row,) = seen(tmp_path, pieces).ask("SELECT segment, src FROM dns")
    assert row == ("vxlan 55", "10.0.0.5")


def test_the_first_fragment_that_was_cut_is_read_as_far_as_it_goes(tmp_path):
    packet = f.udp("10.0.0.2", 67, "10.0.0.41", 68, f.dhcp(2, 2, f.PUMP, bytes(200)))
    first = f.ether(f.SERVER, f.PUMP, f.fragments(packet, 400)[0])
    (row,) = seen(tmp_path, [(1, first[:330], len(first))]).ask("SELECT * FROM dhcp")
    assert not row.whole
    assert row.src == "10.0.0.2"


def test_the_first_fragment_that_was_cut_belongs_to_its_conversation(tmp_path):
    packet = f.udp("10.0.0.5", 999, "10.0.0.2", 53, query(b".".join([b"x" * 60] * 3)))
    first = f.ether(f.NURSE, f.SERVER, f.fragments(packet, 128)[0])
    tables = seen(tmp_path, [(1, dns_frame()), (2, first[:90], len(first))])
    rows = tables.ask("SELECT packet, conversation, whole FROM dns ORDER BY packet")
    assert [(r.packet, r.whole) for r in rows] == [(1, True), (2, False)]
    (talk,) = tables.ask("SELECT * FROM conversations WHERE orig_p = 999")
    assert rows[1].conversation == talk.conversation
    assert talk.orig_pkts == 1


def test_a_stream_is_told_its_beginning_though_syns_are_not_brought(tmp_path):
    a, b = ("10.0.0.5", 40000), ("10.0.0.41", 21)
    said = [
        (f.tcp(*a, *b, flags="S", seq=100), f.NURSE, f.PUMP),
        (f.tcp(*b, *a, flags="SA", seq=500, ack=101), f.PUMP, f.NURSE),
        (f.tcp(*a, *b, flags="A", seq=101, ack=501), f.NURSE, f.PUMP),
        (f.tcp(*b, *a, b"220 ready\r\n", flags="PA", seq=501, ack=101), f.PUMP, f.NURSE),
        (f.tcp(*a, *b, b"USER x\r\n", flags="PA", seq=101, ack=512), f.NURSE, f.PUMP),
        (f.tcp(*b, *a, b"331 password\r\n", flags="PA", seq=512, ack=109), f.PUMP, f.NURSE),
        (f.tcp(*a, *b, b"PASS y\r\n", flags="PA", seq=109, ack=526), f.NURSE, f.PUMP),
        (f.tcp(*b, *a, b"230 in\r\n", flags="PA", seq=526, ack=117), f.PUMP, f.NURSE),
    ]
    whole = [(n, f.ether(src, dst, raw)) for n, (raw, src, dst) in enumerate(said, 1)]
    (row,) = seen(tmp_path, whole).ask("SELECT * FROM logins")
    assert (row.user, row.outcome, row.from_start, row.secret_packet) == ("x", "success", True, 7)
    (talk,) = seen(tmp_path, whole).ask("SELECT * FROM conversations")
    assert (talk.service, talk.history[:4]) == ("ftp", "ShAd")
    (late,) = seen(tmp_path, whole[3:]).ask("SELECT * FROM logins")
    assert not late.from_start


def test_a_port_scan_reaches_no_reader(tmp_path):
    scan = [
        (n / 1000, f.ether(f.NURSE, f.PUMP, f.tcp("10.0.0.5", 1024 + n, "10.0.0.41", n, flags="S")))
        for n in range(1, 200)
    ]
    result = observe([f.pcap(tmp_path / "a.pcap", scan)], key_file=tmp_path / "key")
    assert result.parser_calls == 0
    (row,) = result.tables.ask(
        "SELECT count(*) AS n, any_value(conn_state) AS s FROM conversations"
    )
    assert (row.n, row.s) == (199, "S0")


def test_tags_are_counted_by_value(tmp_path):
    tables = seen(tmp_path, [(1, f.ether(f.PUMP, f.SERVER, b"", vlan=120))] * 3)
    rows = tables.ask("SELECT kind, value, packets, first_packet FROM encapsulations")
    assert [tuple(r) for r in rows] == [("vlan", 120, 3, 1)]


def test_interfaces_are_counted_and_told_apart(tmp_path):
    path = f.pcapng(
        tmp_path / "a.pcapng",
        [(1, "eth0"), (1, "eth1")],
        [(0, 1, dns_frame()), (1, 2, dns_frame()), (1, 3, dns_frame(ident=2))],
    )
    tables = observe([path], key_file=tmp_path / "key").tables
    rows = tables.ask("SELECT name, packets FROM interfaces ORDER BY interface")
    assert [tuple(r) for r in rows] == [("eth0", 1), ("eth1", 2)]
    rows = tables.ask("SELECT DISTINCT segment FROM dns ORDER BY 1")
    assert [r.segment for r in rows] == ["untagged", "untagged@eth1"]


class Kept(io.BytesIO):
    """A stream whose copy ended early."""

    copy_damage: Damage | None = None


def test_a_copy_that_ended_before_its_stream_is_a_damaged_file(tmp_path):
    octets = f.pcap(tmp_path / "a.pcap", [(1, dns_frame())]).read_bytes()
    whole = observe(["kept.pcap"], key_file=tmp_path / "k", streams={"kept.pcap": Kept(octets)})
    assert not whole.damaged
    heard = Kept(octets)
    heard.copy_damage = Damage(24, "the copy ends here")
    short = observe(["kept.pcap"], key_file=tmp_path / "k", streams={"kept.pcap": heard})
    (row,) = short.tables.ask("SELECT damage, packets FROM captures")
    assert (row.damage, row.packets) == (["byte 24: the copy ends here"], 1)
    assert short.damaged
