"""bench.stages"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from bench import mix

if TYPE_CHECKING:
    from pathlib import Path

STAGES = {
    "records, interpreter, the rest",
    "read and SHA-256",
    "headers to columns",
    "segments, stations",
    "copies of mirror and router",
    "conversations",
    "selection of messages",
    "young conversations (TLS, HTTP by kernel)",
    "TLS in rows",
    "account of the capture",
    "messages one by one (TCP, rare datagrams)",
    "DNS, DHCP, ARP in bulk",
    "conversations in words",
    "Parquet",
    "inventory",
    "verdicts, findings, advisories",
    "report",
}


def test_every_stage_of_an_audit_takes_its_time(tmp_path: Path) -> None:
    capture = tmp_path / "mix.pcap"
    with capture.open("wb") as file:
        mix.write(file, 2.5, seed=3)
    ended = subprocess.run(
        [sys.executable, "-m", "bench.stages", "profile", str(capture)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    spent = json.loads(ended.stdout.splitlines()[-1])
    # Tables of so short a capture need not leave memory.
    assert {stage for stage, cpu in spent.items() if cpu > 0} | {"Parquet"} == STAGES
