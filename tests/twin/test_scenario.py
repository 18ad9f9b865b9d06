"""The demo day as files: repeatable, honest, and clean where it says so."""

import csv
import json
import shutil
import subprocess
from collections import Counter

import dpkt
import pytest
from tests.twin.days import day, days

from wardwatch.twin.scenario import _varied, lay, load, play, write
from wardwatch.twin.ward import Ward


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return lay(days(), tmp_path_factory.mktemp("demo"))


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(written, tmp_path):
    again = tmp_path / "again.pcapng"
    for attacked, path in ((True, written.attacked), (False, written.clean)):
        alone = play(7, attacked=attacked)
        write(alone.frames, again)
        assert again.read_bytes() == path.read_bytes()
        assert alone.displaced == day(attacked).displaced
    write(day(True, 8).frames, again)
    assert again.read_bytes() != written.attacked.read_bytes()


def test_seeds_attack_at_other_times_and_other_pumps():
    plans = [_varied(load("demo_day"), Ward(seed, (), ())) for seed in range(20)]
    assert len({plan.event[0].at_h for plan in plans}) == 4
    assert len({tuple(e.target for e in plan.event) for plan in plans}) == 3
    for plan in plans:
        assert max(e.at_h for e in plan.event) + 1 < plan.hours


def test_there_are_fewer_than_a_hundred_thousand_packets():
    for attacked in (True, False):
        assert 20_000 < len(day(attacked).frames) <= 100_000


def test_dpkt_reads_every_frame_of_both_interfaces(written):
    count = Counter()
    with written.attacked.open("rb") as file:
        reader = dpkt.pcapng.Reader(file)
        assert reader.datalink() == 1
        for (_, raw), frame in zip(reader, day(True).frames, strict=True):
            assert raw == frame.data
            if frame.interface == 0:
                read = dpkt.ethernet.Ethernet(raw)
                assert read.vlan_tags[0].id == frame.mark.vlan
                count[type(read.data).__name__] += 1
    assert set(count) == {"IP", "ARP", "IP6"}


def test_the_clean_day_has_no_event():
    assert not day(False).labels
    assert not day(False).displaced


def test_the_days_differ_only_by_events_and_what_they_took_the_place_of():
    attacked, clean = day(True), day(False)
    ordinary = {f[:3] for f in attacked.frames if not f.mark.event}
    everything = {f[:3] for f in clean.frames}
    assert ordinary <= everything
    for frame in clean.frames:
        if frame[:3] not in ordinary:
            assert any(
                name in (frame.mark.who, frame.mark.peer) and start <= frame.ts <= stop
                for name, start, stop in attacked.displaced
            ), frame.mark


def test_labels_name_each_packet_of_an_event_once(written):
    table = json.loads(written.truth.read_text())["attacked.pcapng"]
    numbers = [n for label in table["labels"].values() for n in label]
    assert len(set(numbers)) == len(numbers)
    frames = day(True).frames
    for label, packets in table["labels"].items():
        assert all(" ".join(frames[n - 1].mark[4:6]) == label for n in packets)
    assert {label.split()[0] for label in table["labels"]} == {e.id for e in day(True).plan.event}


def test_the_list_and_the_truth_are_beside_the_captures(written):
    assert len(list(csv.reader(written.listed.read_text().splitlines()))) == 15
    table = json.loads(written.truth.read_text())
    assert len(table["attacked.pcapng"]["findings"]) == len(written.truth_attacked.findings)
    assert table["clean.pcapng"]["findings"] == []


def planted(played):
    """Numbers of the frames that were made to be complained of."""
    found, seen = [], set()
    for number, frame in enumerate(played.frames, 1):
        if frame.mark.kind == "tcp syn":
            # Unanswered SYNs come again, and the one that crosses the router is caught twice.
            segment = frame.data[30:46]
            if segment in seen:
                found.append(number)
            seen.add(segment)
        elif (frame.mark.event, frame.mark.kind, frame.mark.role) == (
            "dns-counts",
            "dns answer",
            "attack",
        ):
            found.append(number)
    return found


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.parametrize("attacked", [True, False])
def test_tshark_complains_of_the_planted_frames_alone(written, attacked):
    path = written.attacked if attacked else written.clean
    checks = [f"{p}.check_checksum:TRUE" for p in ("ip", "tcp", "udp")]
    answer = subprocess.run(
        [
            "tshark", "-r", path, *(word for check in checks for word in ("-o", check)),
            "-T", "fields", "-e", "frame.number", "-Y",
            "_ws.malformed or _ws.short or tcp.analysis.flags or ip.checksum.status==0"
            " or tcp.checksum.status==0 or udp.checksum.status==0 or icmp.checksum.status==0"
            " or icmpv6.checksum.status==0",
        ],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    expected = planted(day(attacked))
    assert len(expected) == (14 if attacked else 8)
    assert [int(line) for line in answer.stdout.split()] == expected
