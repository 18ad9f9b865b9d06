"""A fleet's capture reads back whole, with other people's tools, and every packet has its label."""

import hashlib
import json
import resource
import shutil
import socket
import subprocess
from collections import defaultdict
from datetime import datetime

import dpkt
import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message

from wardwatch.errors import OutputError
from wardwatch.model.values import NS
from wardwatch.twin import pcd
from wardwatch.twin.fleet import kernels as k
from wardwatch.twin.fleet.capture import Packets, octets_about, queued, start_ns, write
from wardwatch.twin.fleet.hospital import FleetPlan, fleet, hospital
from wardwatch.twin.fleet.life import life
from wardwatch.twin.wires import BACKBONE, took


def planned():
    """Half an hour with a power cut, and a pump that fetches a library."""
    plan = FleetPlan(pumps=30, hours=0.5, seed=2, cut_at_h=0.2, cut_pumps=12, library_at_h=0)
    first = life(fleet(plan)).library.fetched.min() / (3600 * NS)
    return msgspec.structs.replace(plan, library_at_h=0.1 - float(first))


PLAN = planned()


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write(PLAN, tmp_path_factory.mktemp("fleet"))


@pytest.fixture(scope="module")
def frames(written):
    with (written.folder / "fleet.pcapng").open("rb") as file:
        return [(ts, raw, dpkt.ethernet.Ethernet(raw)) for ts, raw in dpkt.pcapng.Reader(file)]


def summed(raw):
    total = sum(
        int.from_bytes(raw[at : at + 2].ljust(2, b"\0"), "big") for at in range(0, len(raw), 2)
    )
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def segments(frames):
    """(number, time, IP, TCP) of each segment, with its payload cut to the length IP states."""
    for number, (ts, _, frame) in enumerate(frames, 1):
        if isinstance(frame.data, dpkt.ip.IP) and isinstance(frame.data.data, dpkt.tcp.TCP):
            yield number, ts, frame.data, frame.data.data


def test_f2_dpkt_finds_every_length_and_checksum_true(written, frames):
    assert len(frames) == written.packets > 4_000
    kinds = defaultdict(int)
    for _, raw, frame in frames:
        assert len(raw) >= 64
        assert 120 <= frame.vlan_tags[0].id <= 129
        kinds[type(frame.data).__name__] += 1
        if isinstance(frame.data, dpkt.ip.IP):
            inner = raw[18:]
            length = int.from_bytes(inner[2:4], "big")
            assert length == len(raw) - 18 or (len(raw) == 64 and not any(inner[length:]))
            assert summed(inner[:20]) == 0xFFFF
            body = inner[20:length]
            pseudo = inner[12:20] + bytes([0, inner[9]]) + len(body).to_bytes(2, "big")
            assert summed(pseudo + body) == 0xFFFF
            if inner[9] == 17:
                assert int.from_bytes(body[4:6], "big") == len(body)
                assert body[6:8] != b"\0\0"
        elif isinstance(frame.data, dpkt.ip6.IP6):
            inner = raw[18:]
            body = inner[40:]
            pseudo = inner[8:40] + len(body).to_bytes(4, "big") + b"\0\0\0\x3a"
            assert summed(pseudo + body) == 0xFFFF
    assert set(kinds) == {"IP", "ARP", "IP6"}


def test_f2_stamps_are_in_order_and_within_the_span(frames):
    stamps = [ts for ts, _, _ in frames]
    assert stamps == sorted(stamps)
    start = start_ns(PLAN) / NS
    assert start <= stamps[0]
    assert stamps[-1] < start + 1800


def test_f2_no_frame_begins_before_the_one_ahead_of_it_has_ended():
    source = Packets(life(fleet(FleetPlan(pumps=2000, hours=0.1, seed=5))))
    whole, free = 0, 0
    for _, packets, order in source.windows(20 * NS):
        at, size = packets[order, k.AT], packets[order, k.SIZE]
        ends = at + took(size, BACKBONE)
        assert np.all(at[1:] >= ends[:-1])
        assert not len(at) or at[0] >= free
        whole, free = whole + len(at), int(ends[-1]) if len(at) else free
    assert whole > 40_000


def test_f2_a_line_hands_on_what_waits_one_frame_behind_another():
    at = np.array([0, 0, 10, 50_000], np.int64)
    size = np.array([101, 226, 1, 101], np.int64)
    begins, free = queued(at, size, 300)
    assert begins.tolist() == [300, 1300, 3300, 50_000]
    assert free == 51_000
    slow, now = [], 300
    draws = np.random.default_rng(3)
    at = np.sort(draws.integers(0, 3_000_000, 500))
    size = draws.integers(64, 1518, 500)
    for ready, octets in zip(at.tolist(), size.tolist(), strict=True):
        now = max(now, ready)
        slow.append(now)
        now += took(octets, BACKBONE)
    begins, free = queued(at, size, 300)
    assert (begins.tolist(), free) == (slow, now)


def test_f2_sequence_and_acknowledgement_numbers_add_up(frames):
    following, heard, opened = {}, {}, 0
    for number, _, ip, tcp in segments(frames):
        way = (ip.src, ip.dst, tcp.sport, tcp.dport)
        back = (ip.dst, ip.src, tcp.dport, tcp.sport)
        syn, fin = bool(tcp.flags & 2), bool(tcp.flags & 1)
        if syn:
            opened += 1
            assert dpkt.tcp.parse_opts(tcp.opts) == [(2, b"\x05\xb4")]
            if not tcp.flags & 16:
                assert tcp.ack == 0
        else:
            assert tcp.seq == following[way], number
            assert tcp.flags & 16
        if tcp.flags & 16:
            assert tcp.ack == following[back], number
        size = ip.len - 20 - tcp.off * 4
        assert size <= 1460
        following[way] = (tcp.seq + size + syn + fin) & 0xFFFFFFFF
        heard[way] = number
    assert opened > 100


def test_f2_no_two_connections_alive_have_the_same_ends(frames):
    alive, closing = set(), defaultdict(set)
    for number, _, ip, tcp in segments(frames):
        ends = tuple(sorted(((ip.src, tcp.sport), (ip.dst, tcp.dport))))
        if tcp.flags & 2 and not tcp.flags & 16:
            assert ends not in alive, number
            alive.add(ends)
            closing[ends] = set()
        assert ends in alive, number
        if tcp.flags & 1:
            closing[ends].add(ip.src)
        elif len(closing[ends]) == 2:  # the last ACK
            alive.discard(ends)
    assert len(alive) >= 20  # persistent connections outlast the capture


def test_f2_what_goes_over_tls_is_records_from_the_first_octet_to_the_last(frames):
    streams = defaultdict(bytes)
    for _, _, ip, tcp in segments(frames):
        payload = bytes(tcp.data)[: ip.len - 20 - tcp.off * 4]
        if payload:
            streams[ip.src, tcp.sport, ip.dst, tcp.dport] += payload
    kinds, encrypted = defaultdict(int), 0
    for (_, sport, _, dport), raw in streams.items():
        if {sport, dport} & {1588, 1580} and raw[:1] == b"\x16":
            encrypted += 1
            while raw:
                size = int.from_bytes(raw[3:5], "big")
                assert raw[1:3] == b"\x03\x01"
                assert len(raw) >= 5 + size
                kinds[raw[0]] += 1
                raw = raw[5 + size :]
    assert encrypted > 20
    assert set(kinds) == {20, 22, 23}


def test_f2_an_address_on_the_wire_is_a_pumps_or_a_servers(frames):
    made = fleet(PLAN)
    pumps = {made.ip[n].tobytes(): made.mac[n].tobytes() for n in range(30)}
    for _, _, frame in frames:
        if isinstance(frame.data, dpkt.ip.IP):
            ip = frame.data
            if ip.src in pumps:
                assert frame.src == pumps[ip.src]
            elif ip.src != bytes(4):
                assert frame.src == bytes.fromhex("00000c120001")
            assert ip.ttl == (63 if socket.inet_ntoa(ip.src).startswith("10.20.") else 64)
    macs = {frame.src for _, _, frame in frames}
    assert macs == {*pumps.values(), bytes.fromhex("00000c120001")}


def test_f10_the_wire_shows_three_makers(frames):
    prefixes = {frame.src[:3].hex() for _, _, frame in frames}
    assert {"001a01", "001221", "00d075"} <= prefixes


def test_f6_reports_name_the_library_that_the_pump_uses():
    of = life(fleet(FleetPlan(pumps=120, hours=0.05)))
    source = Packets(of)
    raw = b"".join(
        bytes(piece) for _, rows, order in source.windows() for piece in source.octets(rows, order)
    )
    said = [raw.count(b"^MDC_PUMP_DRUG_LIBRARY_VERSION^MDC|1.1.1.3|%d|" % n) for n in (1, 2, 3)]
    speaks = np.array([one.told.link == "hl7" for one in hospital().classes])[of.fleet.kind]
    newer = np.mean(of.library.used[speaks] <= 0)
    assert said[2] == 0
    assert 0 < newer < 1
    assert said[1] / sum(said) == pytest.approx(newer, abs=0.1)


def tshark(path, *words):
    answer = subprocess.run(
        ["tshark", "-r", path, *words], capture_output=True, text=True, check=True
    )
    return answer.stdout.split()


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.parametrize("shape", ["pcapng", "pcap"])
def test_f2_tshark_has_no_complaint(written, tmp_path, shape):
    made = written
    if shape == "pcap":
        made = write(PLAN, tmp_path, shape="pcap", events=False)
    path = made.folder / f"fleet.{shape}"
    checks = [f"{p}.check_checksum:TRUE" for p in ("ip", "tcp", "udp")]
    asked = "_ws.malformed or _ws.short or tcp.analysis.flags or _ws.expert.severity>=6291456"
    asked += "".join(f" or {p}.checksum.status==0" for p in ("ip", "tcp", "udp", "icmpv6"))
    words = [word for check in checks for word in ("-o", check)]
    assert tshark(path, *words, "-T", "fields", "-e", "frame.number", "-Y", asked) == []
    every = tshark(path, "-T", "fields", "-e", "frame.number")
    assert len(every) == made.packets


def test_f5_a_message_that_waited_names_when_it_was_made_and_when_it_was_sent(written, frames):
    rows = pq.read_table(written.folder / "labels.parquet").to_pylist()
    late, reports = 0, 0
    for number, ts, _, tcp in segments(frames):
        label = rows[number - 1]
        if not bytes(tcp.data).startswith(b"\x0bMSH") or label["kind"] != "report":
            continue
        told = bytes(tcp.data)[1:].decode().split("\r")
        sent, made = (
            datetime.strptime(text, "%Y%m%d%H%M%S%z")
            for text in (told[0].split("|")[6], told[3].split("|")[7])
        )
        reports += 1
        assert int(ts) == sent.timestamp()
        wait = (sent - made).total_seconds()
        assert wait >= 1 if label["phase"] == "back-fill" else wait <= 1
        late += label["phase"] == "back-fill"
    assert late > 3
    assert reports > 200


def test_f5_hl7_on_the_wire_is_whole_valid_and_numbered_without_a_gap(frames):
    streams, order = defaultdict(bytes), []
    for _, _, ip, tcp in segments(frames):
        payload = bytes(tcp.data)[: ip.len - 20 - tcp.off * 4]
        if tcp.dport == 2575 and payload:
            ends = (ip.src, tcp.sport)
            order += [] if ends in streams else [ends]
            streams[ends] += payload
    numbers, kinds = defaultdict(list), {}
    for ends in order:
        found, rest = pcd.unframed(streams[ends])
        assert rest == b""
        for raw in found:
            message = pcd.read(raw)
            assert message is not None
            numbers[message.device].append(int(message.control[12:]))
            assert message.control[:6] == message.device[:6].lower()
            kinds.setdefault(message.kind, raw)
    assert len(numbers) == 12
    for mine in numbers.values():
        assert sorted(mine) == list(range(1, len(mine) + 1))
    assert "ORU^R01^ORU_R01" in kinds
    for raw in kinds.values():
        # hl7apy knows no ORU_R40: its segments and groups are those of ORU_R01.
        text = raw.decode().replace("^ORU_R40", "^ORU_R01")
        assert parse_message(text, validation_level=VALIDATION_LEVEL.STRICT).validate() is True


def test_f8_there_is_one_label_for_each_packet_and_it_says_what_dpkt_sees(written, frames):
    table = pq.read_table(written.folder / "labels.parquet").to_pylist()
    assert [row["packet_no"] for row in table] == list(range(1, len(frames) + 1))
    phases = set()
    for row, (_, _, frame) in zip(table, frames, strict=True):
        kind = row["kind"]
        phases.add(row["phase"])
        assert (row["ground_truth_event"], row["role"], row["attack_id"]) == ("none", "", "")
        if kind == "ra":
            assert isinstance(frame.data, dpkt.ip6.IP6)
            assert row["pump_id"] == ""
            continue
        mac = bytes.fromhex(row["pump_id"].removeprefix("dev-"))
        assert mac in (frame.src, frame.dst) or frame.dst == b"\xff" * 6
        if kind.startswith("arp"):
            assert isinstance(frame.data, dpkt.arp.ARP)
            assert frame.data.op == (2 if kind == "arp reply" else 1)
        elif kind.startswith("dns"):
            assert isinstance(frame.data.data, dpkt.udp.UDP)
            assert 53 in (frame.data.data.sport, frame.data.data.dport)
        elif kind.startswith("dhcp"):
            word = dpkt.dhcp.DHCP(bytes(frame.data.data.data))
            codes = {1: "discover", 2: "offer", 3: "request", 5: "ack"}
            assert kind == f"dhcp {codes[dict(word.opts)[53][0]]}"
            assert word.chaddr == mac
        else:
            assert isinstance(frame.data.data, dpkt.tcp.TCP)
            flags = frame.data.data.flags
            assert (kind == "tcp syn") == (flags == 2)
            assert (kind == "tcp synack") == (flags == 18)
    assert phases == {"", "live", "back-fill"}
    kinds = {row["kind"] for row in table}
    assert {
        "report",
        "receipt",
        "dhcp discover",
        "dhcp offer",
        "tls hello",
        "library package",
    } <= kinds


def test_f1_the_same_plan_gives_the_same_files_whatever_the_window(written, tmp_path):
    again = write(PLAN, tmp_path)
    assert again.files == written.files
    source = Packets(life(fleet(PLAN)))
    raw = b"".join(
        bytes(piece)
        for _, packets, order in source.windows(97 * NS)
        for piece in source.octets(packets, order)
    )
    assert (tmp_path / "fleet.pcapng").read_bytes().endswith(raw)
    assert written.octets - 300 < len(raw) < written.octets


@pytest.mark.parametrize("pumps", [1, 50])
def test_f1_small_fleets_are_written_as_well(pumps, tmp_path):
    made = write(FleetPlan(pumps=pumps, hours=0.05), tmp_path, events=False)
    assert made.packets > 8 * pumps
    assert not (tmp_path / "events.parquet").exists()


def test_the_manifest_names_every_file_with_its_digest(written):
    told = json.loads((written.folder / "manifest.json").read_text())
    assert sorted(path.name for path in written.folder.iterdir()) == sorted(
        [*told["files"], "manifest.json"]
    )
    for name, digest in told["files"].items():
        assert hashlib.sha256((written.folder / name).read_bytes()).hexdigest() == digest
    assert told["packets"] == written.packets
    assert told["octets"] == (written.folder / "fleet.pcapng").stat().st_size
    assert told["plan"]["seed"] == 2
    assert sum(told["classes"].values()) == 30
    events = pq.read_table(written.folder / "events.parquet")
    assert len(events) == sum(told["events"].values())
    assert set(told["classes"]) == {one.name for one in hospital().classes}


def test_f11_packets_of_20000_pumps_come_in_windows_of_some_megabytes():
    source = Packets(life(fleet(FleetPlan(pumps=20_000, hours=0.07))))
    sizes = [packets.nbytes for _, packets, _ in source.windows()]
    assert len(sizes) >= 2
    assert max(sizes) < 120_000_000
    assert len(source._later) < 5_000


def test_the_records_of_a_window_are_filled_in_pieces():
    source = Packets(life(fleet(FleetPlan(pumps=400, hours=0.05))))
    for _, packets, order in source.windows():
        pieces = [len(piece) for piece in source.octets(packets, order)]
        assert sum(pieces) == int((32 + (packets[order, k.SIZE] + 3) // 4 * 4).sum())
        assert max(pieces) < 30_000_000
        assert np.all(np.diff(packets[order, k.AT]) >= 0)


def test_what_a_capture_takes_is_told_within_a_quarter(tmp_path):
    plan = FleetPlan(pumps=60, hours=1)
    made = write(plan, tmp_path, events=False)
    assert made.octets == pytest.approx(octets_about(plan), rel=0.25)


def test_a_full_disk_is_told_in_one_line_and_leaves_nothing(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OutputError, match="cannot be written") as told:
            write(FleetPlan(pumps=30, hours=0.2), tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(told.value)
    assert list(tmp_path.iterdir()) == []


def test_progress_is_told_in_seconds_of_the_span(tmp_path):
    told = []
    write(FleetPlan(pumps=5, hours=0.5), tmp_path, progress=lambda *at: told.append(at))
    assert told[-1][1] == 1800
    assert told[0] == (0, 1800)
    assert told[-1][0] == 1800


def test_a_run_that_is_stopped_leaves_nothing(tmp_path):
    def stop(done, _):
        if done:
            assert [path.name for path in tmp_path.iterdir()] != []
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(FleetPlan(pumps=5, hours=0.2), tmp_path, progress=stop)
    assert list(tmp_path.iterdir()) == []
