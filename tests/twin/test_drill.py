"""The drill: an hour and its clean twin, the same for the same seed, labelled packet by packet."""

import hashlib
import json
import shutil
import subprocess
from collections import Counter

import dpkt
import pyarrow.parquet as pq
import pytest
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message
from tests.twin.stands import PLAY, TAP, place, played

from wardwatch.model.values import NS
from wardwatch.twin.cast import NICU
from wardwatch.twin.drill import keep, keep_clean, play, stand, together
from wardwatch.twin.plays import ONE_OF_EACH
from wardwatch.twin.scenario import INTERFACES, write
from wardwatch.twin.switch import TAPS


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_f8_a_seed_gives_identical_bytes_and_another_does_not(tmp_path):
    name = "dns_overread/IP fragments"
    one, two = played(name), play(stand(3), PLAY[name])
    paths = [keep(found, TAP["vlan"], folder(tmp_path, n)) for n, found in enumerate((one, two))]
    assert digest(paths[0]) == digest(paths[1])
    labels = [path.with_suffix(".labels.parquet") for path in paths]
    assert digest(labels[0]) == digest(labels[1])
    other = keep(play(stand(4), PLAY[name]), TAP["vlan"], folder(tmp_path, 9))
    assert digest(other) != digest(paths[0])


def folder(path, n):
    (path / str(n)).mkdir()
    return path / str(n)


@pytest.mark.parametrize(
    "name", ["comms_loss/on DHCP", "telnet/let in", "known_wireless/pump joins"]
)
def test_f8_the_clean_twin_differs_by_labelled_packets_and_what_they_displaced_alone(name):
    found = played(name)
    clean = {f[:3] for f in place().base}
    ordinary = {f[:3] for f in found.frames if not f.mark.role}
    assert ordinary <= clean
    for frame in place().base:
        if frame[:3] not in ordinary:
            assert any(
                who in (frame.mark.who, frame.mark.peer) and start <= frame.ts < stop
                for who, start, stop in found.silent
            ), frame.mark
    assert {f.mark.event for f in found.event} == {"drill"}


def test_f8_labels_stand_one_to_one_with_packets(tmp_path):
    for tap in (TAP["vlan"], TAP["port"]):
        found = played("dhcp_overflow/option 66, wins")
        path = keep(found, tap, tmp_path)
        rows = pq.read_table(path.with_suffix(".labels.parquet")).to_pylist()
        with path.open("rb") as file:
            packets = sum(1 for _ in dpkt.pcapng.Reader(file))
        caught = found.caught(tap)
        assert [row["packet_no"] for row in rows] == list(range(1, packets + 1))
        assert [row["role"] for row in rows] == [f.mark.role for f in caught]
        assert {row["ground_truth_event"] for row in rows if row["role"]} == {"dhcp_overflow"}
        assert {row["ground_truth_event"] for row in rows if not row["role"]} == {"none"}
    assert any(row["i2_violation"] for row in rows)
    clean = pq.read_table(keep_clean(place(), TAP["vlan"], tmp_path).with_suffix(".labels.parquet"))
    assert set(clean.column("role").to_pylist()) == {""}


def test_every_place_hears_something_and_none_hears_everything():
    counts = {tap.name: len(place().tapped(place().base, tap)) for tap in TAPS}
    assert all(0 < count < len(place().base) for count in counts.values())
    assert counts["from"] + counts["to"] >= counts["vlan"] - counts["port"]


def test_one_of_each_technique_fits_into_an_hour_without_meeting():
    acts, frames = together(place(), ONE_OF_EACH)
    spells = [spell for act in acts for spell in act.silent]
    assert len({spell[:2] for spell in spells}) == len(spells)
    for act in acts:
        for name, start, stop in spells:
            if (name, start, stop) not in act.silent:
                assert not any(
                    name == act.target.name and start <= f.ts < stop for f in act.event
                ), (act.play.name, name)
    assert len(frames) > len(place().base) * 0.9
    assert all(f.ts < place().end for f in frames)


def test_an_infusion_runs_beside_every_play():
    found = played("dhcp_overflow/runs past the end").bedside()
    assert found.i1
    assert found.delivered_pl == found.undisturbed_pl


PLANTED = {
    "dhcp_overflow/runs past the end": {"dhcp offer", "dhcp ack"},
    **{name: {"dns answer"} for name in PLAY if name.startswith("dns_overread/")},
    **{f"comms_loss/{how}": {"dns answer"} for how in (
        "on DNS", "quick", "slow", "over IPv6", "sent twice", "IP fragments", "through the router",
        "in a tunnel",
    )},
    # tshark reads each segment of a telnet session by itself: a command in two is none
    "telnet/few octets a segment": {"telnet banner", "tcp data"},
}  # fmt: skip
"""What is made so that a reader must complain of it."""
del PLANTED["dns_overread/pointer loop"]  # tshark follows it, and says nothing


CHECKED = ("ip", "tcp", "udp")
"""Protocols whose checksums Wireshark looks at when it is told to."""
COMPLAINT = "_ws.malformed" + "".join(
    f" or {p}.checksum.status==0" for p in (*CHECKED, "icmp", "icmpv6")
)
"""Frames that are malformed, or of a wrong checksum."""


def told_by_tshark(path):
    """Numbers of a capture's frames that there is a complaint of."""
    checks = [f"{p}.check_checksum:TRUE" for p in CHECKED]
    told = subprocess.run(
        ["tshark", "-n", "-r", path, *(word for c in checks for word in ("-o", c)), "-T", "fields",
         "-e", "frame.number", "-Y", COMPLAINT],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    return [int(number) for number in told]


def told_by_sharkd(paths):
    """The same of many captures, by the same dissectors: tshark takes longer to start than to read."""
    asked = [("setconf", {"name": f"{p}.check_checksum", "value": "TRUE"}) for p in CHECKED]
    for n, path in enumerate(paths):
        # What a filter found is remembered by its words alone, whatever is loaded: so each has its own.
        own = f"({COMPLAINT}) and frame.number < {1_000_000 + n}"
        asked += [("load", {"file": str(path)}), ("frames", {"filter": own})]
    lines = [
        json.dumps({"jsonrpc": "2.0", "id": n, "method": method, "params": params})
        for n, (method, params) in enumerate(asked, 1)
    ]
    told = subprocess.run(
        ["sharkd", "-"], input="\n".join(lines) + "\n", capture_output=True, text=True, check=True
    ).stdout.splitlines()
    results = [json.loads(line)["result"] for line in told]
    assert len(results) == len(asked)
    loaded, found = results[3::2], results[4::2]
    assert results[:3] + loaded == [{"status": "OK"}] * (3 + len(paths))
    return [[frame["num"] for frame in frames] for frames in found]


@pytest.fixture
def captures(tmp_path):
    """The event of each play as a capture."""
    found = {name: tmp_path / f"{name.replace('/', ' ')}.pcapng" for name in PLAY}
    for name, path in found.items():
        write(played(name).event, path)
    return found


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_complains_of_planted_frames_alone_whatever_is_played(captures):
    """Malformed are the answers made so; no checksum is wrong, in any of the plays."""
    if shutil.which("sharkd") is None:  # it comes with tshark, but need not
        told = [told_by_tshark(path) for path in captures.values()]
    else:
        told = told_by_sharkd(list(captures.values()))
    for name, numbers in zip(captures, told, strict=True):
        marks = [played(name).event[n - 1].mark for n in numbers]
        assert {mark.kind for mark in marks} == PLANTED.get(name, set()), name
        assert {mark.role for mark in marks} <= {"attack"}, name


@pytest.mark.skipif(shutil.which("sharkd") is None, reason="sharkd is not installed")
def test_sharkd_says_of_one_capture_after_the_other_what_tshark_says_of_each(captures, tmp_path):
    names = ["dhcp_overflow/runs past the end", "telnet/let in", "telnet/few octets a segment"]
    paths = [captures[name] for name in names]
    banner = next(f for f in played(names[1]).event if f.mark.kind == "telnet banner")
    for at in (28, 54):  # behind a tag: the checksum of IP, and that of TCP
        octets = bytearray(banner.data)
        octets[at] ^= 1
        paths.append(tmp_path / f"{at}.pcapng")
        write((banner._replace(data=bytes(octets)),), paths[-1])
    told = told_by_sharkd(paths)
    assert told == [told_by_tshark(path) for path in paths]
    assert [bool(numbers) for numbers in told] == [True, False, True, True, True]


def test_dpkt_reads_every_frame_whatever_is_played():
    read = Counter()
    for name in PLAY:
        for frame in played(name).event:
            on_the_air = INTERFACES[frame.interface][0] != 1
            if on_the_air:
                assert dpkt.radiotap.Radiotap(frame.data).data
            else:
                outer = dpkt.ethernet.Ethernet(frame.data)
                tags = getattr(outer, "vlan_tags", [])
                if (tags[-1] if tags else outer).type <= 1500:  # a length: IEEE 802.2 follows
                    assert dpkt.llc.LLC(outer.data).data
                else:
                    assert not isinstance(outer.data, bytes), (name, frame.mark)
            read[on_the_air] += 1
    assert read[True] > 50
    assert read[False] > 5000


def spoken(frames, port):
    """What was said to and from a port: (who, whom) ⇒ octets, as a receiver puts them together."""
    begun, said = {}, {}
    for frame in frames:
        inside = dpkt.ethernet.Ethernet(frame.data).data
        if isinstance(inside, dpkt.ip.IP) and isinstance(inside.data, dpkt.tcp.TCP):
            tcp = inside.data
            way = (inside.src, inside.dst, tcp.sport, tcp.dport)
            if port in way[2:]:
                if tcp.flags & dpkt.tcp.TH_SYN:
                    begun[way], said[way] = tcp.seq + 1, b""
                elif tcp.data:
                    assert (tcp.seq - begun[way]) % (1 << 32) == len(said[way])
                said[way] += tcp.data
    return said


@pytest.mark.parametrize("tap", ["routed", "nicu"])
def test_hl7apy_reads_what_the_drill_s_pumps_say_to_the_gateway(tap, tmp_path):
    """Two makers' pumps report in HL7: strictly valid, each answered, on both sides of the router."""
    pumps = {place().ward.stations[name].ip: name for name in ("nicu-4", "nicu-5")}
    if tap == "nicu":
        frames = [f for f in place().base if f.mark.vlan == NICU]
    else:
        frames = place().tapped(place().base, TAP[tap])
    asked, answered = {}, []
    for (src, dst, _, port), octets in spoken(frames, 2575).items():
        for piece in octets.split(b"\x1c\r")[:-1]:
            assert piece[:1] == b"\x0b"
            found = parse_message(piece[1:].decode("ascii"), VALIDATION_LEVEL.STRICT)
            assert found.validate() is True
            if port == 2575:
                eui = found.msh.msh_3.value.split("^")[1]
                assert bytes.fromhex(eui[:6] + eui[10:]) == place().ward.stations[pumps[src]].mac
                asked[found.msh.msh_10.value] = pumps[src]
            else:
                assert dst in pumps
                answered.append(found.msa.msa_2.value)
        assert not octets.rpartition(b"\x1c\r")[2]
    assert sorted(asked) == sorted(answered)
    assert Counter(asked.values()) == {"nicu-4": 18, "nicu-5": 18}


def test_an_hour_may_begin_at_another_instant():
    start = 1_793_500_000 * NS
    later = stand(3, start)
    assert len(later.base) > 1000
    assert later.start == start
    assert min(f.ts for f in later.base) >= start
