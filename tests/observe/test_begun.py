"""wardwatch.observe.begun: what was under way before is kept, what begins here is read."""

import pytest
from tests.observe import frames as f
from tests.observe.parts import ends_of, part_of

from wardwatch.capture import reader
from wardwatch.observe import later, raw
from wardwatch.observe.part import Refused

CLIENT, SERVER = ("10.0.0.5", 1024), ("10.0.0.41", 8080)


def says(client, flags, text=b"", *, back=False, port=8080, seq=0):
    """A frame between a client's port and the server."""
    ends = (("10.0.0.5", client), ("10.0.0.41", port))
    source, target = reversed(ends) if back else ends
    macs = (f.PUMP, f.NURSE) if back else (f.NURSE, f.PUMP)
    return f.ether(*macs, f.tcp(*source, *target, text, flags=flags, seq=seq))


@pytest.fixture
def part(tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "BLOCK_ROWS", 1)

    def of(*frames, before=1):
        path = f.pcap(tmp_path / "a.pcap", list(enumerate(frames, 1)))
        (tmp_path / "key").write_bytes(bytes(32))
        return part_of(path, later.Cut(1, ends_of(path)[before - 1]), None, tmp_path / "part")

    return of


def test_a_connection_without_its_syn_is_kept_and_so_is_what_follows_it(part) -> None:
    found = part(
        says(1, "S"),
        says(1, "PA", b"x", seq=1),  # 2: under way
        says(2, "S"),  # 3: begins here
        says(1, "S", seq=900),  # 4: the same ends again
        says(2, "PA", b"y", seq=1),
    )
    assert found.packets.packet.tolist() == [2, 4]
    assert len(found.tcp) == 1
    assert found.before == 1


def test_hosts_that_have_ftp_under_way_are_kept(part) -> None:
    found = part(
        says(1, "S", port=21),
        says(1, "PA", b"PORT 10,0,0,5,15,160\r\n", port=21, seq=1),
        says(4000, "S", port=20),
        says(4000, "PA", b"<c/>", port=20, seq=1),
    )
    assert found.packets.packet.tolist() == [2, 3, 4]
    assert len(found.tcp) == 0


@pytest.mark.parametrize("rows", [1, 5])
def test_data_picked_up_in_the_middle_that_ftp_agreed_upon_is_refused(
    rows, part, monkeypatch
) -> None:
    """Whatever block it stands in, and if its first packet comes before what was agreed upon."""
    monkeypatch.setattr(reader, "BLOCK_ROWS", rows)
    control = [
        says(1, "S", port=21),
        says(1, "SA", port=21, back=True),
        says(1, "PA", b"USER a\r\nPORT 10,0,0,5,15,160\r\n", port=21, seq=1),
        says(1, "PA", b"220 FTP\r\n200 ok\r\n", port=21, back=True, seq=1),
    ]
    data = says(4000, "PA", b"<c/>", port=20, back=True, seq=7)
    first = says(4000, "SA", port=20, back=True, seq=6)
    before = [says(9, "A")] * rows
    assert len(part(*before, *control).tcp) == 1
    for frames in ([*control, data], [first, *control, data]):
        with pytest.raises(Refused, match="picked up in the middle"):
            part(*before, *frames)


def test_no_more_is_kept_than_the_bound(part, monkeypatch) -> None:
    monkeypatch.setattr(raw, "MOST_BYTES", 200)
    assert len(part(says(1, "S"), says(1, "PA", b"x" * 60, seq=1)).packets.octets) < 200
    with pytest.raises(Refused, match="more than is kept"):
        part(says(1, "S"), says(1, "PA", b"x" * 160, seq=1))
