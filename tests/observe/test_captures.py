"""wardwatch.observe.captures: rows that wait for the digests of their files."""

import pytest

from wardwatch.capture.digest import Stamp
from wardwatch.observe.captures import Captures
from wardwatch.observe.forks import Lost
from wardwatch.observe.tables import Spool


class Hashed:
    """Who has hashed ``a.pcap``, as it was when its stamp said 5 bytes."""

    def of(self, path, stamp):
        if (path, stamp.size) != ("a.pcap", 5):
            raise Lost(path)
        return "digest"


def stamp(size):
    return Stamp(device=1, inode=2, size=size, mtime_ns=3, ctime_ns=4)


def row(packets=1, last_ts=7):
    return {"capture": 1, "name": "a", "packets": packets, "last_ts": last_ts, "sha256": "its own"}


def written(captures, spool):
    captures.write()
    return spool.close().ask("SELECT sha256, stored_bytes FROM captures ORDER BY packets")


def test_rows_are_written_with_the_digests_of_another() -> None:
    spool = Spool()
    captures = Captures(spool, Hashed())
    captures.add("a.pcap", stamp(5), row())
    assert written(captures, spool) == [("digest", 5)]


def test_where_nobody_else_hashes_rows_say_it_themselves() -> None:
    spool = Spool()
    captures = Captures(spool, None)
    captures.add("a.pcap", stamp(5), row() | {"stored_bytes": 4})
    captures.add("b.pcap", None, row(packets=2))
    assert written(captures, spool) == [("its own", 4), ("its own", -1)]


def test_another_file_than_was_read_is_lost() -> None:
    captures = Captures(Spool(), Hashed())
    captures.add("a.pcap", stamp(6), row())
    with pytest.raises(Lost, match=r"a\.pcap"):
        captures.write()


def test_the_end_is_that_of_the_last_packet_of_all_files() -> None:
    captures = Captures(Spool(), None)
    assert captures.end == 0
    captures.add("a.pcap", None, row(packets=0, last_ts=9))
    assert captures.end == 0
    captures.add("b.pcap", None, row(last_ts=8))
    captures.add("c.pcap", None, row(last_ts=5))
    assert captures.end == 8
