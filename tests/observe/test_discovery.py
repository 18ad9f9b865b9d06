"""Discovery: HTTP over UDP."""

from tests.observe import frames as f

from wardwatch.observe.discovery import Discovery
from wardwatch.observe.engine import observe
from wardwatch.observe.tables import Spool
from wardwatch.observe.where import Where

SEARCH = b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nUSER-AGENT: sorter/1\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nSERVER: ward-printer/2\r\nCONTENT-LENGTH: 0\r\n\r\n"


def test_searches_and_answers_are_heads(tmp_path):
    group = ("239.255.255.250", 1900)
    frames = [
        (1, f.ether(f.NURSE, "01:00:5e:7f:ff:fa", f.udp("10.0.0.5", 4000, *group, SEARCH))),
        (2, f.ether(f.SERVER, f.NURSE, f.udp("10.0.0.2", 1900, "10.0.0.5", 4000, ANSWER))),
        (3, f.ether(f.SERVER, f.NURSE, f.udp("10.0.0.2", 1900, "10.0.0.5", 4000, b"\0\1\2"))),
    ]
    tables = observe([f.pcap(tmp_path / "a.pcap", frames)], key_file=tmp_path / "k").tables
    asked, told = tables.ask("SELECT * FROM http ORDER BY packet")
    assert (asked.direction, asked.method, asked.client) == ("request", "M-SEARCH", "10.0.0.5")
    assert (asked.server, asked.user_agent) == ("239.255.255.250", "sorter/1")
    assert (told.direction, told.status, told.client) == ("response", 200, "10.0.0.5")
    assert (told.server, told.server_mac, told.server_header) == (
        "10.0.0.2",
        f.SERVER,
        "ward-printer/2",
    )
    assert min(asked.conversation, told.conversation) >= 0


def test_the_same_words_again_need_no_parser():
    spool = Spool()
    reader = Discovery(spool)
    for packet in range(5):
        reader.read(SEARCH, Where(1, packet, 0, "untagged"))
    assert (reader.parser_calls, spool.counts["http"]) == (1, 5)
