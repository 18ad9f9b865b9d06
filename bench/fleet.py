"""What a fleet costs: ``python -m bench.fleet`` writes its figures into ``docs/twin_measured.toml``.

Each figure is the CPU time (user and system) and the peak memory of a process of its own, start-up
included where nothing else is said; rates are the median of three rounds inside one process.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
SHEET = ROOT / "docs" / "twin_measured.toml"
MEGABYTE = 1_000_000


def measured(*command: str) -> tuple[float, float, str]:
    """Run a process to its end ⇒ its CPU seconds, its peak in MB, and what it printed last."""
    with tempfile.TemporaryFile() as out:
        path = os.pathsep.join((str(ROOT / "src"), str(ROOT)))
        child = subprocess.Popen(
            command, stdout=out, env={**os.environ, "PYTHONPATH": path}, cwd=ROOT
        )
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        said = out.read().decode()
    if child.returncode not in (0, 1, 3):  # 1 and 3 are answers of the audit
        raise SystemExit(f"{' '.join(command)} ended with {child.returncode}")
    scale = 1 if sys.platform == "darwin" else 1_024
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * scale / MEGABYTE, said


def events(pumps: int, hours: float, streamed: bool) -> dict[str, float]:
    """The event list of a fleet, whole in memory or window by window."""
    from wardwatch.twin.fleet.hospital import FleetPlan, fleet
    from wardwatch.twin.fleet.life import life
    from wardwatch.twin.fleet.timeline import whole, windows

    began = time.process_time()
    made = life(fleet(FleetPlan(pumps=pumps, hours=hours)))
    if streamed:
        count = sum(len(events.at) for _, events in windows(made))
    else:
        count = len(whole(made).at)
    return {"events": count, "cpu": time.process_time() - began}


def synthesis(pumps: int, hours: float) -> dict[str, float]:
    """Packets and their octets on one core, kernels loaded, nothing written."""
    from wardwatch.twin.fleet.capture import Packets
    from wardwatch.twin.fleet.hospital import FleetPlan, fleet
    from wardwatch.twin.fleet.life import life

    def once(pumps: int, hours: float) -> tuple[int, int, float, float]:
        packets = octets = 0
        fill = 0.0
        source = Packets(life(fleet(FleetPlan(pumps=pumps, hours=hours))))
        began = time.process_time()
        for _, columns, order in source.windows():
            filling = time.process_time()
            octets += sum(len(piece) for piece in source.octets(columns, order))
            fill += time.process_time() - filling
            packets += len(order)
        return packets, octets, time.process_time() - began, fill

    once(5, 0.05)
    rounds = [once(pumps, hours) for _ in range(3)]
    packets, octets = rounds[0][:2]
    return {
        "packets": packets,
        "octets": octets,
        "rate": octets / statistics.median(r[2] for r in rounds) / MEGABYTE,
        "fill": octets / statistics.median(r[3] for r in rounds) / MEGABYTE,
    }


def told(text: str, number: str, figure: str, command: str) -> str:
    """The sheet with this figure instead of the one before."""
    block = f'[{number}]\nfigure = "{figure}"\ncommand = "{command}"\n'
    found = re.compile(rf"^\[{re.escape(number)}\]\n(?:(?!\[).*\n)*", re.M)
    if found.search(text):
        return found.sub(lambda _: block + "\n", text).rstrip("\n") + "\n"
    return f"{text.rstrip()}\n\n{block}"


def main() -> None:
    """Measure, and write the sheet."""
    parser = argparse.ArgumentParser(prog="python -m bench.fleet", description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0, help="of the capture of 4,000 pumps")
    parser.add_argument("--folder", type=Path, help="where some 15 GB fit for a while")
    asked = parser.parse_args()
    stage = (sys.executable, "-m", "bench.fleet")
    cli = (sys.executable, "-c", "from wardwatch.ui.cli import main; main()")
    sheet = SHEET.read_text(encoding="utf-8")

    def put(number: str, figure: str) -> None:
        nonlocal sheet
        sheet = told(sheet, number, figure, "python -m bench.fleet")
        SHEET.write_text(sheet, encoding="utf-8")
        sys.stderr.write(f"{number}: {figure}\n")

    rows = []
    for pumps, streamed in ((4_000, False), (20_000, True)):
        _, peak, said = measured(*stage, "events", str(pumps), "24", str(int(streamed)))
        one = json.loads(said)
        how = "streamed" if streamed else "in one list"
        rows.append(
            f"{one['events']:,.0f} events of {pumps:,} pumps in 24 h {how}: {one['cpu']:.1f} CPU s, peak {peak:,.0f} MB"
        )
    put("F-1", "; ".join(rows))
    _, _, said = measured(*stage, "synthesis", "4000", "2")
    one = json.loads(said)
    put(
        "F-2",
        f"{one['rate']:,.0f} MB/s on one core from plan to octets, {one['fill']:,.0f} MB/s of it filling alone "
        f"({one['packets']:,.0f} packets, {one['octets'] / 1e6:,.0f} MB, nothing written)",
    )
    with tempfile.TemporaryDirectory(dir=asked.folder) as name:
        folder = Path(name) / "fleet"
        words = (
            "twin",
            "fleet",
            "--pumps",
            "4000",
            "--hours",
            f"{asked.hours:g}",
            "--out",
            str(folder),
            "--json",
        )
        cpu, peak, said = measured(*cli, *words)
        one = json.loads(said)
        put(
            "F-11",
            f"{asked.hours:g} h of 4,000 pumps with labels, events and SHA-256: {one['packets']:,} packets, "
            f"{one['octets'] / 1e9:.1f} GB, {cpu:.0f} CPU s, peak {peak:,.0f} MB",
        )
    with tempfile.TemporaryDirectory(dir=asked.folder) as name:
        folder = Path(name) / "fleet"
        measured(*cli, "twin", "fleet", "--pumps", "500", "--out", str(folder), "--json")
        words = (
            "audit",
            "--json",
            "--out",
            str(Path(name) / "audit"),
            str(folder / "fleet.pcapng"),
        )
        given = ("--site", str(folder / "site.toml"), "--inventory", str(folder / "list.csv"))
        cpu, peak, said = measured(*cli, *words, *given)
        report = json.loads(said)
        sys.stderr.write(
            f"audit of 500 pumps, 1 h: {report['packets']:,} packets, {len(report['findings'])} findings, "
            f"{cpu:.1f} CPU s, peak {peak:,.0f} MB\n"
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["events"]:
        print(json.dumps(events(int(sys.argv[2]), float(sys.argv[3]), sys.argv[4] == "1")))
    elif sys.argv[1:2] == ["synthesis"]:
        print(json.dumps(synthesis(int(sys.argv[2]), float(sys.argv[3]))))
    else:
        main()
