"""wardwatch.observe.messages: what is no TCP, by itself."""

from tests.observe import frames as f
from tests.observe.test_young import write

from wardwatch.capture import open_capture
from wardwatch.decode.kernels import headers
from wardwatch.observe.ahead import decoded
from wardwatch.observe.messages import Messages
from wardwatch.observe.secrets import Secrets
from wardwatch.observe.segments import Places
from wardwatch.observe.side import Reassembly
from wardwatch.observe.tables import Spool

QUERY = b"\x00\x07\x01\x00\x00\x01" + bytes(6) + b"\x04pump\x00\x00\x01\x00\x01"


def test_it_takes_what_is_no_tcp_and_numbers_it_oddly(tmp_path) -> None:
    frames = [
        f.ether(f.NURSE, f.PUMP, f.tcp("10.0.0.5", 1, "10.0.0.41", 21, flags="S")),
        f.ether(f.NURSE, f.SERVER, f.udp("10.0.0.5", 999, "10.0.0.2", 53, QUERY)),
        f.arp(1, f.NURSE, "10.0.0.5", "10.0.0.2"),
        f.ether(f.NURSE, f.SERVER, f.udp("10.0.0.5", 998, "10.0.0.2", 53, QUERY)),
    ]
    path = write(tmp_path / "a.pcap", [(frame, None) for frame in frames])
    spool, places = Spool(), Places()
    messages = Messages(spool, Secrets(tmp_path / "key"), places, Reassembly())
    with open_capture(path) as reader:
        for given in decoded(reader, headers.Events(), threads=1):
            places.take(given.block, given.columns, given.interfaces, headers.TUNNELS)
            messages.take(given.block, given.columns)
    messages.finish()
    messages.bind()
    tables = spool.close()
    assert tables.ask("SELECT proto, conversation FROM conversations ORDER BY 2") == [
        ("udp", 1),
        ("udp", 3),
    ]
    assert tables.ask("SELECT packet, conversation FROM dns ORDER BY 1") == [(2, 1), (4, 3)]
    assert [row.source for row in tables.ask("SELECT source FROM bindings")] == ["arp"]
    assert messages.given_up == 0
