"""Anybody's captures against tshark: what is expected of them is what the shared captures' makers say."""

import json
import random
import shutil

import pytest
from tests import outside
from tests.observe import frames as f
from tests.shared import CAPTURES, needs_shared

pytestmark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")

QUERY = b"\0\7\1\0\0\1\0\0\0\0\0\0\4pump\7example\0\0\1\0\1"
FRAMES = [
    (1, f.arp(1, f.PUMP, "10.0.0.5", "10.0.0.2")),
    (2, f.ether(f.PUMP, f.SERVER, f.udp("10.0.0.5", 5353, "10.0.0.2", 53, QUERY), vlan=120)),
    (3, f.ether(f.PUMP, f.SERVER, f.tcp("10.0.0.5", 4000, "10.0.0.2", 80, flags="S"))),
]


@needs_shared
def test_what_is_expected_is_what_the_shared_expectations_say():
    manifest = json.loads((CAPTURES / "MANIFEST.json").read_text())
    chosen = [e for e in manifest if e["packets"] < 1_000 and not e["tag"].startswith("pcapng")]
    compared = 0
    for entry in random.Random(7).sample(chosen, 12):
        told = json.loads((CAPTURES / entry["expect"]).read_text())["assertions"]
        theirs = {a["path"]: a["value"] for a in told if a["confidence"] in ("A", "B")}
        ours = outside.expected(outside.fields_of(CAPTURES / entry["file"]))
        # tshark counts messages of SSDP as HTTP; who made the shared ones did, too
        both = theirs.keys() & ours.keys()
        assert {p: ours[p] for p in both} == {p: theirs[p] for p in both}, entry["file"]
        compared += len(both)
    assert compared > 60


def test_captures_are_alike_or_a_line_says_what_is_not(tmp_path, monkeypatch):
    f.pcap(tmp_path / "a.pcap", FRAMES)
    (tmp_path / "b.txt").write_text("no capture")
    said = []
    assert outside.main([str(tmp_path)], said.append) == 0
    assert said[0].startswith("refused: ") and "b.txt" in said[0]
    assert said[1:] == ["1 alike, 0 not in all, 1 refused\n"]

    whole = outside.fields_of
    monkeypatch.setattr(outside, "fields_of", lambda capture: whole(capture)[:2])
    said.clear()
    outside.main([str(tmp_path)], said.append)
    assert said[0] == "a.pcap: packets: tshark 2, wardwatch 3\n"
    assert (
        "a.pcap: conversations: tshark [], "
        "wardwatch [('tcp', ('10.0.0.2', 80), ('10.0.0.5', 4000))]\n"
    ) in said
    assert said[-1] == "0 alike, 1 not in all, 1 refused\n"


def test_of_each_protocol_seen_something_is_expected():
    told = outside.expected(outside.fields_of(CAPTURES / "none.pcap"))
    assert told == {"packets": 0, "captured_bytes": 0, "wire_bytes": 0}


def test_conversations_are_told_by_both_ends(tmp_path):
    packets = outside.fields_of(f.pcap(tmp_path / "a.pcap", FRAMES))
    assert outside.conversations(packets) == {
        ("tcp", ("10.0.0.2", 80), ("10.0.0.5", 4000)),
        ("udp", ("10.0.0.2", 53), ("10.0.0.5", 5353)),
    }
    assert outside.expected(packets)["vlan_ids"] == {"120": 1}
    assert outside.expected(packets)["dns.queried_servers"] == {"10.0.0.2": 1}
