"""``make bench``: what reading the hospital mix costs, beside a floor in C and tools like us.

Every figure is CPU time (user and system) of a whole process on a file in the page cache, the
median of alternating rounds, start-up included. The table goes to ``docs/benchmarks.md``. Tools
that are not installed are named as missing; nothing is installed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[1]
MEGABYTE = 1_000_000
BUDGET = 15_000
"""Python parser calls allowed for a GB of the mix."""


class Case(msgspec.Struct, frozen=True):
    """One process to measure."""

    name: str
    command: tuple[str, ...]
    does: str
    rounds: int = 0
    """Rounds of its own, where it is slow; 0 as many as the others."""


class Run(msgspec.Struct, frozen=True):
    """What one process cost."""

    cpu: float
    peak: float
    """MB (10^6) of resident memory at most."""
    output: str
    status: int


class Figure(msgspec.Struct):
    """Medians of one case."""

    case: Case
    runs: list[Run]

    @property
    def cpu(self) -> float:
        """CPU seconds, median."""
        return statistics.median(run.cpu for run in self.runs)

    @property
    def peak(self) -> float:
        """MB, the most of all rounds."""
        return max(run.peak for run in self.runs)

    @property
    def told(self) -> dict[str, int]:
        """What the process printed as its last line, if that is JSON."""
        try:
            found = json.loads(self.runs[-1].output.strip().splitlines()[-1])
        except (IndexError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def measure(command: Sequence[str]) -> Run:
    """Run a process to its end ⇒ its own CPU time and peak memory."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT)))}
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen(
            command, stdout=out, stderr=subprocess.DEVNULL, env=environment, cwd=ROOT
        )
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(max(out.seek(0, os.SEEK_END) - 4_096, 0))
        tail = out.read().decode("utf-8", "replace")
    scale = 1 if sys.platform == "darwin" else 1_024  # ru_maxrss is in bytes there, else in KiB
    cpu = usage.ru_utime + usage.ru_stime
    return Run(cpu, usage.ru_maxrss * scale / MEGABYTE, tail, child.returncode)


def floor(folder: Path) -> Path | None:
    """The C floor, compiled; ``None`` without a C compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc") or shutil.which("clang")
    if compiler is None:
        return None
    program = folder / "floor"
    source = str(ROOT / "bench" / "floor.c")
    subprocess.run([compiler, "-O3", "-o", str(program), source], check=True)
    return program


def own_cases(capture: Path, tiny: Path, folder: Path) -> list[Case]:
    """Our stages, each a process."""
    stage = (sys.executable, "-m", "bench.stages")
    audit = (sys.executable, "-c", "from wardwatch.ui.cli import main; main()", "audit", "--json")
    audit += ("--key-file", str(folder / "key"), "--out")
    return [
        Case("SHA-256 of the file", (*stage, "digest", str(capture)), "hash only"),
        Case("wardwatch, reader", (*stage, "read", str(capture)), "records, hash"),
        Case("wardwatch, evidence", (*stage, "observe", str(capture)), "all tables"),
        Case("wardwatch audit", (*audit, str(folder / "big"), str(capture)), "the whole answer"),
        Case(
            "wardwatch audit, two packets",
            (*audit, str(folder / "tiny"), str(tiny)),
            "what starting up costs",
        ),
    ]


def peers(capture: Path, folder: Path) -> tuple[list[Case], list[str]]:
    """Tools like us that are installed, and the names of those that are not."""
    file = str(capture)
    wanted = [
        Case("tcpdump -w", ("tcpdump", "-r", file, "-w", "/dev/null"), "copies packets"),
        Case("capinfos -c", ("capinfos", "-c", file), "counts packets"),
        Case(
            "softflowd",
            ("softflowd", "-d", "-r", file, "-p", str(folder / "pid"), "-c", str(folder / "ctl")),
            "flow records",
        ),
        Case("nfpcapd", ("nfpcapd", "-r", file, "-l", str(folder)), "flow records, written"),
        Case("argus", ("argus", "-X", "-r", file, "-w", "/dev/null"), "flow records, TCP state"),
        Case("zeek", ("zeek", "-C", "-r", file), "default scripts, logs written"),
        Case(
            "suricata",
            ("suricata", "-r", file, "-l", str(folder), "-S", "/dev/null"),
            "default events, no rules",
        ),
        Case(
            "tshark -z conv,ip", ("tshark", "-r", file, "-q", "-z", "conv,ip"), "conversations", 1
        ),
    ]
    there = [case for case in wanted if shutil.which(case.command[0])]
    missing = [case.command[0] for case in wanted if case not in there]
    return there, missing


def rounds(cases: list[Case], count: int, tell: bool) -> list[Figure]:
    """Measure all cases in turn, ``count`` times, so that a busy minute hits them all."""
    figures = [Figure(case, []) for case in cases]
    for n in range(count):
        for figure in figures:
            if figure.case.rounds and n >= figure.case.rounds:
                continue
            figure.runs.append(measure(figure.case.command))
            if tell:
                run = figure.runs[-1]
                sys.stderr.write(f"{n + 1}/{count} {figure.case.name}: {run.cpu:.2f} s\n")
    return figures


def page(figures: list[Figure], mix: dict[str, float], missing: list[str], count: int) -> str:
    """``docs/benchmarks.md``."""
    base = next((f.cpu for f in figures if f.case.name == "C floor"), None)
    audit = next(f for f in figures if f.case.name == "wardwatch audit")
    seen = next(f for f in figures if f.case.name == "wardwatch, evidence")
    packets, size = mix["packets"], mix["bytes"]
    rows = []
    for f in figures:
        alike = "two packets" not in f.case.name
        rate = "" if not alike else f"{packets / f.cpu / 1_000:,.0f}"
        to_floor = f"{f.cpu / base:,.1f}" if base and alike else ""
        to_audit = f"{f.cpu / audit.cpu:,.2f}" if alike else ""
        failed = "" if f.runs[-1].status in (0, 1, 3) else f" (ended with {f.runs[-1].status})"
        rows.append(
            f"| {f.case.name}{failed} | {f.case.does} | {f.cpu:.2f} | {rate} | {to_floor} "
            f"| {to_audit} | {f.peak:,.0f} |"
        )
    calls = seen.told.get("parser_calls", -1)
    per_gb = calls / (size / 1e9)
    tiny = next(f for f in figures if "two packets" in f.case.name)
    beyond = packets / max(audit.cpu - tiny.cpu, 0.001) / 1_000
    verdict = "within" if per_gb <= BUDGET else "**beyond**"
    lines = [
        "# Benchmarks",
        "",
        "<!-- Made by `make bench`; run it again instead of editing. -->",
        "",
        f"The hospital mix (`bench/mix.py`, seed {mix['seed']:.0f}): {size / MEGABYTE:,.0f} MB, "
        f"{packets:,.0f} packets of {(size - 24) / packets - 16:,.0f} bytes on average, "
        f"{mix['conversations']:,.0f} TCP connections. {platform.python_implementation()} "
        f"{platform.python_version()} on {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} CPUs.",
        "",
        f"CPU seconds (user and system) of a whole process, start-up included, file in the page "
        f"cache, median of {count} alternating rounds. A busy machine moves single figures by a "
        "quarter: compare the ratios. The tools do unequal work; the second column says what.",
        "",
        "| process | does | CPU s | thousand packets a CPU s | ÷ C floor | ÷ audit | peak MB |",
        "|---|---|---|---|---|---|---|",
        *rows,
        "",
        f"Python parser calls: {calls:,}, {per_gb:,.0f} a GB ({verdict} the budget of {BUDGET:,}).",
        "",
        f"Beyond starting up, an audit reads {beyond:,.0f} thousand packets a CPU second.",
        "",
        "Not installed, so not compared: " + (", ".join(missing) if missing else "none") + ".",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Make the mix, measure, write the page."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--megabytes", type=float, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="20 MB, one round, no page written")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks.md")
    asked = parser.parse_args()
    size, count = (20.0, 1) if asked.quick else (asked.megabytes, asked.rounds)
    with tempfile.TemporaryDirectory(prefix="wardwatch-bench-") as name:
        folder = Path(name)
        capture, tiny = folder / "mix.pcap", folder / "tiny.pcap"
        # In a process of its own: what we measure inherits the peak memory of its parent.
        maker = (sys.executable, "-m", "bench.mix", "--megabytes", str(size))
        made = measure((*maker, "--seed", str(asked.seed), str(capture)))
        mix = json.loads(made.output)
        _first_packets(capture, tiny, 2)
        own = own_cases(capture, tiny, folder)
        measure(own[-1].command)  # compiles the kernels where they are not yet
        program = floor(folder)
        cases = [Case("C floor", (str(program), str(capture)), "record headers")] if program else []
        others, missing = peers(capture, folder)
        if program is None:
            missing.append("a C compiler (for the floor)")
        figures = rounds([*cases, *own, *others], count, tell=True)
        mix |= {"seed": asked.seed, "bytes": capture.stat().st_size}
    text = page(figures, mix, missing, count)
    if not asked.quick:
        asked.out.write_text(text, encoding="utf-8")
    print(text)


def _first_packets(source: Path, target: Path, count: int) -> None:
    """The first packets of a pcap, as one of its own."""
    with source.open("rb") as file:
        head = file.read(24)
        for _ in range(count):
            record = file.read(16)
            head += record + file.read(int.from_bytes(record[8:12], "little"))
    target.write_bytes(head)


if __name__ == "__main__":
    main()
