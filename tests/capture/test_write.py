"""What is written is read back, by our reader and by one that others wrote."""

import subprocess
import sys
from io import BytesIO

import dpkt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.capture.making import read

from wardwatch.capture.write import PcapngWriter, PcapWriter

stamps = st.integers(0, 2**62)
bodies = st.binary(max_size=120)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, (2**32 - 1) * 10**9), bodies), max_size=6), st.booleans())
def test_a_pcap_is_read_back(packets, nanosecond):
    file = BytesIO()
    with PcapWriter(file, link=105, nanosecond=nanosecond) as out:
        numbers = [out.packet(ts, data) for ts, data in packets]
    got, told = read(file.getvalue())
    assert numbers == [p.number for p in got] == list(range(1, len(packets) + 1))
    tick = 1 if nanosecond else 1000
    assert [(p.time, p.data, p.link) for p in got] == [
        (ts // tick * tick, data, 105) for ts, data in packets
    ]
    assert told.format == ("pcap-ns" if nanosecond else "pcap")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), stamps, bodies), max_size=6))
def test_a_pcapng_is_read_back(packets):
    file = BytesIO()
    with PcapngWriter(file, [(1, "wire", 0), (105, "air", 96)], comment="a ward") as out:
        for interface, ts, data in packets:
            out.packet(interface, ts, data, comment="note" if interface else "")
    got, told = read(file.getvalue())
    assert [(p.interface, p.time, p.data, p.wire) for p in got] == [
        (i, ts, data[:96] if i else data, len(data)) for i, ts, data in packets
    ]
    assert [(i.name, i.link, i.snaplen) for i in told.interfaces] == [
        ("wire", 1, 0),
        ("air", 105, 96),
    ]
    assert told.comments == ("a ward", *("note" for p in packets if p[0]))
    assert told.damage == ()


def test_a_stranger_reads_both(tmp_path):
    for path, out in (
        (tmp_path / "a.pcap", PcapWriter(tmp_path / "a.pcap")),
        (tmp_path / "a.pcapng", PcapngWriter(str(tmp_path / "a.pcapng"))),
    ):
        with out:
            args = (0,) if isinstance(out, PcapngWriter) else ()
            out.packet(*args, 1_700_000_000_123_456_789, b"abc" * 20, wire_len=99)
        with path.open("rb") as file:
            reader = dpkt.pcapng.Reader(file) if args else dpkt.pcap.Reader(file)
            ((stamp, data),) = list(reader)
        assert float(stamp) == pytest.approx(1_700_000_000.123456789, abs=1e-6)
        assert data == b"abc" * 20


def test_a_file_we_were_lent_stays_open():
    file = BytesIO()
    PcapWriter(file).close()
    assert not file.closed
    assert file.tell() == 24


def test_writing_loads_no_compiler():
    asked = "import sys, wardwatch.capture.write; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0


def test_what_an_interface_counted_is_read_back():
    file = BytesIO()
    with PcapngWriter(file, [(1, "wire", 0), (1, "other", 0)]) as out:
        out.packet(0, 5, b"x" * 60)
        out.statistics(0, 7, received=12, dropped=0, os_dropped=11)
        out.statistics(1, 7, received=3)
    _, told = read(file.getvalue())
    assert not told.damage
    assert [(i.received, i.dropped, i.os_dropped) for i in told.interfaces] == [
        (12, 0, 11),
        (3, -1, -1),
    ]
