"""Python peers in the loop their users write: ``python -m bench.loops dpkt FILE``.

Runs in the bench environment, where wardwatch and its dependencies are not: imports nothing of ours.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path


def dpkt_loop(path: str) -> int:
    """Ethernet, IP and transport of every packet."""
    import dpkt

    count = 0
    with Path(path).open("rb") as file:
        for _, raw in dpkt.pcap.Reader(file):
            inner = dpkt.ethernet.Ethernet(raw).data
            count += isinstance(getattr(inner, "data", None), dpkt.tcp.TCP | dpkt.udp.UDP)
    return count


def scapy_loop(path: str) -> int:
    """Every layer of every packet."""
    from scapy.all import PcapReader

    with PcapReader(path) as reader:
        return sum(1 for _ in reader)


def nfstream_loop(path: str) -> int:
    """Flows with the names of their protocols, nfstream's own idle time-outs."""
    from nfstream import NFStreamer

    return sum(1 for _ in NFStreamer(source=path, n_meters=1))


LOOPS = {"dpkt": dpkt_loop, "scapy": scapy_loop, "nfstream": nfstream_loop}

if __name__ == "__main__":
    if sys.argv[1] == "version":
        print(version(sys.argv[2]))
    else:
        print(json.dumps({"count": LOOPS[sys.argv[1]](sys.argv[2])}))
