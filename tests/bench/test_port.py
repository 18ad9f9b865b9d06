"""A live port at a wire's pace, on a small capture: everything is heard, and the section says so."""

import struct
from pathlib import Path

import numpy as np
import pytest
from bench import mix, port
from tests.capture.ports import needs_wire

from wardwatch.twin import spaces


def test_frames_are_due_as_a_wire_carries_them(tmp_path: Path) -> None:
    sizes = [13, 14, 60, 1518, 1519, 100]
    raw = b"".join(struct.pack("<IIII", 0, 0, n, n) + bytes([n % 251]) * n for n in sizes)
    (tmp_path / "a.pcap").write_bytes(bytes(24) + raw + struct.pack("<IIII", 0, 0, 99, 99))
    frames = port.frames_of(tmp_path / "a.pcap")
    kept = [14, 60, 1518, 100]  # an Ethernet carries neither less nor more, and no cut one
    assert frames.vectors[:, 1].tolist() == kept
    carried = [max(n, 60) + port.WIRE for n in kept]
    assert np.allclose(frames.due, np.cumsum(carried) * 8 / 1e9)
    assert frames.messages[:, 3].tolist() == [1] * 4
    base = frames.vectors.ctypes.data
    assert frames.messages[:, 2].tolist() == [base + 16 * n for n in range(4)]


@needs_wire
@pytest.mark.skipif(not spaces.privileged(), reason="needs root for a namespace of its own")
def test_all_is_heard_at_the_pace_of_a_slow_wire(tmp_path: Path) -> None:
    made = mix.write(tmp_path / "mix.pcap", 3, 1)
    heard, why = port.measured(tmp_path / "mix.pcap", 0.05)
    assert why == ""
    ours = heard[0]
    assert ours.name == "wardwatch watch"
    assert ours.sent == ours.heard == made.packets
    assert 0.02 < ours.gigabits < 0.06
    assert ours.cpu > 0
    text = "\n".join(port.lines(tmp_path / "mix.pcap", 0.05))
    assert f"| wardwatch watch | {made.packets:,} |" in text


def test_where_it_cannot_be_measured_the_page_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port.sys, "platform", "darwin")
    assert (
        port.lines(Path("none"), 1.0)[-1] == "Not measured here: needs Linux, util-linux and root."
    )
