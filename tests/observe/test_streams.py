"""wardwatch.observe.streams: TCP by itself."""

import pytest
from tests.conversations import many
from tests.observe import frames as f
from tests.observe.test_young import observed, write

from wardwatch.capture import open_capture
from wardwatch.decode.kernels import headers
from wardwatch.observe.ahead import decoded
from wardwatch.observe.secrets import Secrets
from wardwatch.observe.segments import Places
from wardwatch.observe.side import Reassembly
from wardwatch.observe.streams import Streams
from wardwatch.observe.tables import Spool


@pytest.mark.parametrize("early", [False, True])
def test_conversations_come_behind_others_without_a_file_between(tmp_path, early) -> None:
    """Unless some were written before: then all come behind those, with the rest of the tables."""
    path = write(tmp_path / "a.pcap", many(4, 40, disturbed=0.4))
    expected, _ = observed(path, tmp_path / "key")
    before, spool, places = Spool(), Spool(), Places()
    before.add("conversations", {"conversation": 1})
    streams = Streams(spool, Secrets(tmp_path / "key"), places, Reassembly())
    with open_capture(path) as reader:
        for given in decoded(reader, headers.Events(), threads=1):
            places.take(given.block, given.columns, given.interfaces, headers.TUNNELS)
            streams.take(given.block, given.columns)
    if early:
        spool.add("conversations", {"conversation": -2})
    streams.come_behind(before)
    streams.finish()
    own = spool.counts["conversations"]
    assert own == (len(expected["conversations"]) + 1 if early else 0)
    before.join(spool)
    asked = before.close().ask("SELECT conversation AS n FROM conversations")
    numbers = list(range(0, 2 * len(expected["conversations"]), 2))
    assert [row.n for row in asked] == [1, *([-2] if early else []), *numbers]


def test_it_finds_by_itself_what_it_finds_beside_the_other_side(tmp_path) -> None:
    frames = many(3, 80, disturbed=0.4)
    other = f.ether(f.NURSE, f.SERVER, f.udp("10.0.0.5", 999, "10.0.0.2", 53, b"x"))
    path = write(tmp_path / "a.pcap", [(other, None), *frames, (other, None)])
    expected, _ = observed(path, tmp_path / "key")
    spool, places = Spool(), Places()
    streams = Streams(spool, Secrets(tmp_path / "key"), places, Reassembly())
    with open_capture(path) as reader:
        for given in decoded(reader, headers.Events(), threads=1):
            places.take(given.block, given.columns, given.interfaces, headers.TUNNELS)
            streams.take(given.block, given.columns)
    streams.finish()
    tables = spool.close()
    assert tables.rows("tls") == len(expected["tls"]) > 20
    assert tables.rows("http") == len(expected["http"])
    numbers = [row.n for row in tables.ask("SELECT conversation AS n FROM conversations")]
    assert numbers == list(range(0, 2 * len(numbers), 2))
    assert len(numbers) == len(expected["conversations"]) - 1
    assert streams.parser_calls > 0
