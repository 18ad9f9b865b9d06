"""A file is taken for what its first bytes say; what is no capture gets one clear line."""

import bz2
import gzip
import hashlib
import io
import lzma
import os
import sys
import threading
from pathlib import Path

import pytest
import zstandard
from tests.capture.making import drain, pcap, read, shb

from wardwatch.capture import open_capture
from wardwatch.errors import CaptureError

RAW = pcap((1, 1, b"first"), (2, 2, b"second"))


@pytest.mark.parametrize(
    ("kind", "pack"),
    [
        ("none", bytes),
        ("gzip", gzip.compress),
        ("xz", lzma.compress),
        ("zstd", zstandard.ZstdCompressor().compress),
    ],
)
def test_a_capture_is_opened_by_its_bytes_and_not_by_its_name(tmp_path, kind, pack):
    path = tmp_path / "odd.name"
    path.write_bytes(pack(RAW))
    packets, told = drain(open_capture(path, 3))
    assert [p.data for p in packets] == [b"first", b"second"]
    assert (told.compression, told.number, told.name) == (kind, 3, str(path))


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "empty"),
        (gzip.compress(b"", mtime=0), "empty inside gzip"),
        (gzip.compress(RAW, mtime=0)[:12], "gzip stream breaks off"),
        (b"snoop\0\0\0\0\0\0\2\0\0\0\4", "Solaris snoop"),
        (b"GMBU\0\2", "Network Monitor"),
        (b"PK\3\4....", "ZIP archive"),
        (bz2.compress(RAW), "bzip2"),
        (b"%PDF-1.7", "PDF"),
        (b"No.  Time  Source\r\n1 0.0 10.0.0.1\r\n", "this is text"),
        (gzip.compress(b"hello, ward\n", mtime=0), "text inside gzip"),
        (bytes(100), "zeros"),
        (RAW[:3], "ends after 3 bytes"),
        (shb()[:2], "ends after 2 bytes"),
        (b"\x80\x01\x02\x03nonsense", "0x80010203"),
        (b"\x1f\x8b", "gzip stream breaks off"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_capture_gets_one_line_with_a_remedy(raw, said):
    with pytest.raises(CaptureError) as caught:
        read(raw, "given.pcap")
    assert said in caught.value.problem
    assert caught.value.remedy
    assert str(caught.value).startswith("given.pcap")
    assert "\n" not in str(caught.value)


def test_a_damaged_file_is_hashed_to_its_end(tmp_path):
    path = tmp_path / "damaged.pcap"
    path.write_bytes(RAW + b"\xff" * 5_000_000)
    packets, told = drain(open_capture(path))
    assert (len(packets), len(told.damage)) == (2, 1)
    assert told.stored_bytes == path.stat().st_size
    assert told.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_cannot_be_opened_gets_one_line_too(tmp_path):
    with pytest.raises(CaptureError, match=r"cannot be opened .*No such file"):
        open_capture(tmp_path / "missing.pcap")
    with pytest.raises(CaptureError, match="cannot be opened"):
        open_capture(tmp_path)
    with pytest.raises(CaptureError, match="cannot be opened"):
        open_capture("nul\0name")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_named_pipe_is_read_to_its_end(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(RAW,))
    writer.start()
    packets, told = drain(open_capture(path))
    writer.join()
    assert (len(packets), told.stored_bytes) == (2, len(RAW))


def test_standard_input_is_named_by_a_dash_and_left_open(monkeypatch, tmp_path):
    path = tmp_path / "a.pcap"
    path.write_bytes(RAW)
    with io.TextIOWrapper(path.open("rb")) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        packets, told = drain(open_capture("-"))
        assert not stdin.closed
    assert (len(packets), told.name, told.stored_bytes) == (2, "-", len(RAW))


def test_a_process_without_standard_input_says_so(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(CaptureError, match="no standard input"):
        open_capture("-")


def test_a_refused_file_is_closed(tmp_path, recwarn):
    path = tmp_path / "text"
    path.write_text("hello")
    with pytest.raises(CaptureError):
        open_capture(path)
    fds = Path("/proc/self/fd")
    if fds.is_dir():
        assert str(path) not in [str(f.readlink()) for f in fds.iterdir() if f.is_symlink()]
