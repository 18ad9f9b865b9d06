"""The demo's day as other places of listening give it: what they cannot show is not told.

The same frames, doubled, wrapped, stripped, split among interfaces or lost. A poorer place may turn a
verdict to "not observable", never to "holds" or to "broken", and what a wrapping keeps stays as it was.
"""

import random
import struct
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest
from tests.twin.days import day, days

from wardwatch.capture.write import PcapngWriter
from wardwatch.model.judgement import State
from wardwatch.twin.cast import LAN
from wardwatch.twin.scenario import Demo, lay
from wardwatch.watch import Audit, audit

Packet = tuple[int, int, bytes]
"""Number of the interface, ns, octets."""
Change = Callable[[Iterable[Packet]], Iterator[Packet]]

ROUTER = day(True).ward.stations[f"gateway-{LAN}"].mac
SILENT = 1_000_000_007
"""Seed of what is lost."""


def _vlan(frame: bytes) -> int:
    return int.from_bytes(frame[14:16], "big") & 0xFFF if frame[12:14] == b"\x81\x00" else -1


def _untagged(frame: bytes) -> bytes:
    return frame[:12] + frame[16:] if _vlan(frame) >= 0 else frame


def _in_ip(proto: int, body: bytes) -> bytes:
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0, 64, proto, 0)
    return bytes.fromhex("0010db0000010010db0000020800") + head + b"\xac\x10\0\1\xac\x10\0\2" + body


def doubled(packets: Iterable[Packet]) -> Iterator[Packet]:
    for interface, ts, frame in packets:
        yield interface, ts, frame
        yield interface, ts + 2_000, frame


def two_mirrors(packets: Iterable[Packet]) -> Iterator[Packet]:
    for _, ts, frame in packets:
        yield 0, ts, frame
        yield 1, ts + 2_000, frame


def in_vxlan(packets: Iterable[Packet]) -> Iterator[Packet]:
    for interface, ts, frame in packets:
        body = struct.pack(">BBHI", 8, 0, 0, 77 << 8) + frame
        yield interface, ts, _in_ip(17, struct.pack(">HHHH", 40_000, 4789, 8 + len(body), 0) + body)


def in_erspan(packets: Iterable[Packet]) -> Iterator[Packet]:
    for n, (interface, ts, frame) in enumerate(packets):
        head = struct.pack(">HHI", 0x1000, 0x88BE, n) + struct.pack(">HHI", 0x1000 | 120, 5, 0)
        yield interface, ts, _in_ip(47, head + frame)


def in_gre(packets: Iterable[Packet]) -> Iterator[Packet]:
    for interface, ts, frame in packets:
        yield interface, ts, _in_ip(47, struct.pack(">HH", 0, 0x6558) + frame)


def in_a_providers_tag(packets: Iterable[Packet]) -> Iterator[Packet]:
    for interface, ts, frame in packets:
        yield interface, ts, frame[:12] + b"\x88\xa8\0\7" + frame[12:]


def padded(packets: Iterable[Packet]) -> Iterator[Packet]:
    for interface, ts, frame in packets:
        yield interface, ts, frame.ljust(60, b"\0") + b"\xaa" * 7


def an_interface_for_each_vlan(packets: Iterable[Packet]) -> Iterator[Packet]:
    numbers: dict[int, int] = {}
    for _, ts, frame in packets:
        yield numbers.setdefault(_vlan(frame), len(numbers)), ts, frame


def a_tap(packets: Iterable[Packet]) -> Iterator[Packet]:
    """One port for each direction of the router's cable."""
    for _, ts, frame in packets:
        yield int(frame[6:12] != ROUTER), ts, frame


def a_tap_the_other_way(packets: Iterable[Packet]) -> Iterator[Packet]:
    for _, ts, frame in packets:
        yield int(frame[6:12] == ROUTER), ts, frame


def from_the_router(packets: Iterable[Packet]) -> Iterator[Packet]:
    return (packet for packet in packets if packet[2][6:12] == ROUTER)


def to_the_router(packets: Iterable[Packet]) -> Iterator[Packet]:
    return (packet for packet in packets if packet[2][6:12] != ROUTER)


def behind_the_router(packets: Iterable[Packet]) -> Iterator[Packet]:
    """The servers' VLAN alone."""
    return (packet for packet in packets if _vlan(packet[2]) == LAN)


def without_tags(packets: Iterable[Packet]) -> Iterator[Packet]:
    return ((interface, ts, _untagged(frame)) for interface, ts, frame in packets)


def both_sides_without_tags(packets: Iterable[Packet]) -> Iterator[Packet]:
    for interface, ts, frame in an_interface_for_each_vlan(packets):
        yield interface, ts, _untagged(frame)


def half_of_it_lost(packets: Iterable[Packet]) -> Iterator[Packet]:
    dice = random.Random(SILENT)
    return (packet for packet in packets if dice.random() < 0.5)


def a_fifth_of_it_lost(packets: Iterable[Packet]) -> Iterator[Packet]:
    dice = random.Random(SILENT)
    return (packet for packet in packets if dice.random() < 0.8)


KEEP_ALL: tuple[Change, ...] = (
    doubled, two_mirrors, in_vxlan, in_erspan, in_gre, in_a_providers_tag, padded,
    an_interface_for_each_vlan,
)  # fmt: skip
LOSE_SOME: tuple[Change, ...] = (
    a_tap, a_tap_the_other_way, from_the_router, to_the_router, behind_the_router, without_tags,
    both_sides_without_tags, half_of_it_lost, a_fifth_of_it_lost,
)  # fmt: skip


def wired(attacked: bool) -> Iterator[Packet]:
    """What passes the trunk."""
    return ((0, f.ts, f.data) for f in day(attacked).frames if f.interface == 0)


def heard(packets: Iterable[Packet], site: Path, path: Path) -> Audit:
    with PcapngWriter(path, [(1, f"port{n}", 0) for n in range(4)]) as file:
        for packet in packets:
            file.packet(*packet)
    return audit([path], site=site)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    return lay(days(), tmp_path_factory.mktemp("places"))


@cache
def plain(attacked: bool, site: Path, folder: Path) -> Audit:
    return heard(wired(attacked), site, folder / f"plain{attacked}.pcapng")


def states(result: Audit) -> dict[tuple[str, str], str]:
    """By measure and device; of segments, whose names a place makes, nothing."""
    return {
        (v.measure, v.subject): v.state.value for v in result.verdicts if v.subject_kind == "device"
    }


def found(result: Audit) -> set[tuple[str, str, str]]:
    return {(f.technique, f.variant, f.actor) for f in result.findings}


@pytest.mark.parametrize("attacked", [True, False], ids=["attacked", "clean"])
@pytest.mark.parametrize("change", KEEP_ALL, ids=lambda c: c.__name__)
def test_what_keeps_every_frame_changes_no_answer(
    change: Change, attacked: bool, demo: Demo, tmp_path: Path
) -> None:
    site = demo.site_attacked if attacked else demo.site
    expected = plain(attacked, site, demo.clean.parent)
    result = heard(change(wired(attacked)), site, tmp_path / "a.pcapng")
    assert states(result) == states(expected)
    assert found(result) == found(expected)
    assert len(found(result)) > 10 or not attacked


@pytest.mark.parametrize("attacked", [True, False], ids=["attacked", "clean"])
@pytest.mark.parametrize("change", LOSE_SOME, ids=lambda c: c.__name__)
def test_a_poorer_place_tells_less_and_nothing_else(
    change: Change, attacked: bool, demo: Demo, tmp_path: Path
) -> None:
    site = demo.site_attacked if attacked else demo.site
    whole = plain(attacked, site, demo.clean.parent)
    before, wrong = states(whole), {f.actor.partition(" ")[0] for f in whole.findings}
    result = heard(change(wired(attacked)), site, tmp_path / "a.pcapng")
    told = (State.HOLDS.value, State.BROKEN.value)
    fresh = {
        of: (before.get(of), state)
        for of, state in states(result).items()
        if state in told and before.get(of) != state
    }
    assert fresh == {}
    for finding in result.findings:
        assert finding.actor.partition(" ")[0] in wrong, finding
    names = ("no_rogue_dhcp", "no_rogue_router", "no_arp_impersonation", "vlan_separation")
    if change in (a_tap, a_tap_the_other_way, from_the_router, to_the_router):
        held = {
            (v.measure, v.subject.partition("@")[0])
            for v in result.verdicts
            if v.measure in names and v.state is State.HOLDS
        }
        assert held <= {(v.measure, v.subject) for v in whole.verdicts if v.state is State.HOLDS}
