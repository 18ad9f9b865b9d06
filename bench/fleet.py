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
    parser.add_argument("--only", action="append", metavar="NUMBER", help="F-1, F-2, F-10, F-11")
    asked = parser.parse_args()
    stage = (sys.executable, "-m", "bench.fleet")
    cli = (sys.executable, "-c", "from wardwatch.ui.cli import main; main()")

    def lists() -> str:
        rows = []
        for pumps, streamed in ((4_000, False), (20_000, True)):
            _, peak, said = measured(*stage, "events", str(pumps), "24", str(int(streamed)))
            one = json.loads(said)
            how = "streamed" if streamed else "in one list"
            rows.append(
                f"{one['events']:,.0f} events of {pumps:,} pumps in 24 h {how}: {one['cpu']:.1f} CPU s, peak {peak:,.0f} MB"
            )
        return "; ".join(rows)

    def speed() -> str:
        _, _, said = measured(*stage, "synthesis", "4000", "2")
        one = json.loads(said)
        return (
            f"{one['rate']:,.0f} MB/s on one core from plan to octets, {one['fill']:,.0f} MB/s of it filling alone "
            f"({one['packets']:,.0f} packets, {one['octets'] / 1e6:,.0f} MB, nothing written)"
        )

    def day() -> str:
        rows = []
        for pumps, hours in ((4_000, asked.hours), (20_000, 1.0)):
            with tempfile.TemporaryDirectory(dir=asked.folder) as name:
                folder = Path(name) / "fleet"
                words = ("twin", "fleet", "--pumps", str(pumps), "--hours", f"{hours:g}", "--json")
                cpu, peak, said = measured(*cli, *words, "--out", str(folder))
            one = json.loads(said)
            rows.append(
                f"{hours:g} h of {pumps:,} pumps: {one['packets']:,} packets, "
                f"{one['octets'] / 1e9:.1f} GB, {cpu:.0f} CPU s, peak {peak:,.0f} MB"
            )
        return "with labels, events and SHA-256: " + "; ".join(rows)

    def audited() -> str:
        rows = []
        for pumps in (500, 4_000):
            with tempfile.TemporaryDirectory(dir=asked.folder) as name:
                folder = Path(name) / "fleet"
                measured(
                    *cli, "twin", "fleet", "--pumps", str(pumps), "--out", str(folder), "--json"
                )
                words = (
                    "audit",
                    "--json",
                    "--out",
                    str(Path(name) / "audit"),
                    str(folder / "fleet.pcapng"),
                )
                cpu, peak, said = measured(*cli, *words)
            report = json.loads(said)
            found = sum(
                d["identity"]["kind"] == "infusion pump" and d["packets"] > 0
                for d in report["devices"]
            )
            packets = sum(row["packets"] for row in report["accounting"])
            rows.append(
                f"{pumps:,} pumps, 1 h, {packets:,} packets: {found:,} pumps found without list or site, "
                f"{len(report['findings'])} findings, {cpu:.1f} CPU s, peak {peak:,.0f} MB"
            )
        return "audits: " + "; ".join(rows)

    for number, measure in (
        ("F-1", lists),
        ("F-2", speed),
        ("F-11", day),
        ("F-10", audited),
    ):
        if not asked.only or number in asked.only:
            figure = measure()
            text = SHEET.read_text(encoding="utf-8")
            command = "python -m bench.fleet"
            SHEET.write_text(told(text, number, figure, command), encoding="utf-8")
            sys.stderr.write(f"{number}: {figure}\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["events"]:
        print(json.dumps(events(int(sys.argv[2]), float(sys.argv[3]), sys.argv[4] == "1")))
    elif sys.argv[1:2] == ["synthesis"]:
        print(json.dumps(synthesis(int(sys.argv[2]), float(sys.argv[3]))))
    else:
        main()
