"""``make bench``: what reading the hospital mix costs, beside a floor in C and tools like us.

Every figure is CPU time (user and system) of a whole process on a file in the page cache, the
median of alternating rounds, start-up included where nothing else is said. The tables go to
``docs/benchmarks.md``. A tool that cannot be had is named as missing.
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
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bench import floods, peers, port, stages

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[1]
MEGABYTE = 1_000_000
SMALL_MEGABYTES = 20.0
"""The mix for tools that need minutes for a GB; their figures are told by packet."""
DENSE_MEGABYTES = 100.0
"""Short exchanges: packets are a third as long, so that it takes as long as 300 MB of the mix."""
LONG_MEGABYTES = 10_000.0
DAYS = 10
"""Files that the long one is cut into."""
GIGABITS = 1.0
"""A second, of the wire that a live port is heard on."""
BUDGET = 15_000
"""Python parser calls allowed for a GB of the mix."""
WORST_PACKETS = 100_000
QUICK_MEGABYTES, QUICK_WORST = 5.0, 20_000
"""Of the short form: what only shows that everything works need not be long enough to be timed."""
FLOOD_PACKETS, QUICK_FLOODS = 40_000, 2_000
GROWTH = 1.5
"""What a packet of a flood may cost more than one of a quarter of it."""
PART_PACKETS = 400_000
"""Of the beginning of the mix: what the whole costs more than that is streaming alone."""
PATIENCE_S = 180.0
"""A process that takes longer is ended, and its round left out."""
FLOOR, DIGEST, READER = "C floor", "SHA-256 of the file", "wardwatch, reader"
EVIDENCE, AUDIT = "wardwatch, evidence", "wardwatch audit"
TINY, TINY_EVIDENCE = "wardwatch audit, two packets", "wardwatch, evidence of two packets"
COLD, IDLE = "wardwatch audit, two packets, first run ever", "wardwatch --version"


class Case(msgspec.Struct, frozen=True):
    """One process to measure."""

    name: str
    command: tuple[str, ...]
    does: str
    packets: int = 0
    """Packets it reads; 0: the figure is no rate."""
    rounds: int = 0
    """Rounds of its own, where it is slow; 0 as many as the others."""
    version: str = ""
    variables: Mapping[str, str] = {}
    shared: bool = False
    """Several processes: their memory is summed as it goes."""


class Run(msgspec.Struct, frozen=True):
    """What one process cost."""

    cpu: float
    wall: float
    peak: float
    """MB (10^6) of resident memory at most; of several processes their proportional shares."""
    output: str
    status: int


class Figure(msgspec.Struct):
    """Medians of one case."""

    case: Case
    runs: list[Run]

    @property
    def _ended(self) -> list[Run]:
        """The rounds that were not cut off, if there is one."""
        return [run for run in self.runs if run.status >= 0] or self.runs

    @property
    def failed(self) -> str:
        """What to say where it did not do its work; wardwatch's 1 and 3 are answers."""
        status = self._ended[-1].status
        fine = (0, 1, 3) if "wardwatch" in " ".join(self.case.command) else (0,)
        return "" if status in fine else f" (ended with {status})"

    @property
    def cpu(self) -> float:
        """CPU seconds, median."""
        return statistics.median(run.cpu for run in self._ended)

    @property
    def wall(self) -> float:
        """Seconds on the clock, median."""
        return statistics.median(run.wall for run in self._ended)

    @property
    def peak(self) -> float:
        """MB, the most of all rounds."""
        return max(run.peak for run in self.runs)

    @property
    def rate(self) -> float:
        """Packets a CPU second; 0 where it is no rate."""
        return self.case.packets / self.cpu

    @property
    def told(self) -> dict[str, float]:
        """What the process printed as its last line, if that is JSON."""
        try:
            found = json.loads(self.runs[-1].output.strip().splitlines()[-1])
        except (IndexError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


class Together(threading.Thread):
    """Watches the memory of a process and of those it began: their proportional set sizes, summed.

    What they share counts once. It looks ten times a second: a shorter peak is missed.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.most = 0.0
        """MB, the most so far."""
        self._pid = pid
        self._ended = threading.Event()

    def run(self) -> None:
        """Look until it is told to end."""
        while not self._ended.wait(0.1):
            self.most = max(self.most, sum(map(_proportional, _family(self._pid))))

    def end(self) -> float:
        """⇒ the most that was seen."""
        self._ended.set()
        self.join()
        return self.most


def _family(pid: int) -> list[int]:
    """A process and those that it began, where the system tells them."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(one for child in children for one in _family(int(child)))]


def _proportional(pid: int) -> float:
    """MB of a process, of shared pages its share; 0 when it is gone."""
    try:
        told = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return sum(
        int(line.split()[1]) * 1_024 / MEGABYTE
        for line in told.splitlines()
        if line.startswith("Pss:")
    )


def measure(
    command: Sequence[str], variables: Mapping[str, str] | None = None, *, shared: bool = False
) -> Run:
    """Run a process to its end ⇒ its own CPU time and peak memory; ``shared``: of several."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT)))}
    environment |= variables or {}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed command has its byte code kept
    program = shutil.which(command[0], path=environment["PATH"]) or command[0]
    with tempfile.TemporaryFile() as out:
        began = time.perf_counter()
        child = subprocess.Popen(
            (program, *command[1:]),
            stdout=out,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd=ROOT,
        )
        # a peer that waits for ever (for a socket, say) ends the round, not the bench
        alarm = threading.Timer(PATIENCE_S, child.kill)
        alarm.start()
        together = Together(child.pid)
        if shared:
            together.start()
        _, status, usage = os.wait4(child.pid, 0)
        alarm.cancel()
        wall = time.perf_counter() - began
        summed = together.end() if shared else 0.0
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(max(out.seek(0, os.SEEK_END) - 4_096, 0))
        tail = out.read().decode("utf-8", "replace")
    scale = 1 if sys.platform == "darwin" else 1_024  # ru_maxrss is in bytes there, else in KiB
    cpu = usage.ru_utime + usage.ru_stime
    peak = max(usage.ru_maxrss * scale / MEGABYTE, summed)
    return Run(cpu, wall, peak, tail, child.returncode)


def floor(folder: Path) -> Path | None:
    """The C floor, compiled; ``None`` without a C compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc") or shutil.which("clang")
    if compiler is None:
        return None
    program = folder / "floor"
    source = str(ROOT / "bench" / "floor.c")
    subprocess.run([compiler, "-O3", "-o", str(program), source], check=True)
    return program


def audit(capture: Path, folder: Path) -> tuple[str, ...]:
    """The command that answers everything about a capture."""
    return (
        *(sys.executable, "-c", "from wardwatch.ui.cli import main; main()", "audit", "--json"),
        *("--key-file", str(folder / "key"), "--out", str(folder / f"of-{capture.stem}")),
        str(capture),
    )


def held() -> tuple[str, ...]:
    """What holds a command to one core, where it can be had."""
    return ("taskset", "-c", "0") if shutil.which("taskset") else ()


def own_cases(capture: Path, tiny: Path, folder: Path, packets: int) -> list[Case]:
    """Our stages, each a process."""
    stage = (sys.executable, "-m", "bench.stages")
    # the shell empties the kernels' folder, so that the run is a first one
    afresh = f'rm -rf "{folder}/cold"; mkdir -m 700 "{folder}/cold"; exec "$@"'
    whole = (sys.executable, "-c", "from wardwatch.ui.cli import main; main()", "--version")
    return [
        Case(DIGEST, (*stage, "digest", str(capture)), "hash only", packets),
        Case(READER, (*stage, "read", str(capture)), "records, hash", packets),
        Case(EVIDENCE, (*held(), *stage, "observe", str(capture)), "all tables", packets),
        Case(AUDIT, (*held(), *audit(capture, folder)), "the whole answer", packets),
        Case(TINY_EVIDENCE, (*stage, "observe", str(tiny)), "its start-up"),
        Case(TINY, audit(tiny, folder), "its start-up"),
        Case(IDLE, whole, "reads no packet"),
        Case(
            COLD,
            ("sh", "-c", afresh, "sh", *audit(tiny, folder)),
            "makes object code of its kernels",
            rounds=1,
            variables={"NUMBA_CACHE_DIR": str(folder / "cold")},
        ),
    ]


def peer_cases(
    capture: Path, small: Path, folder: Path, packets: int, few: int
) -> tuple[list[Case], list[str]]:
    """Tools like us that are there, and the names of those that are not."""
    home = ROOT / ".cache" / "bench-venv"
    variables = peers.environment(home)
    cases, missing = [], []
    for peer in peers.wanted(capture, small, folder, home):
        if not peers.there(peer, variables):
            missing.append(peer.name)
            continue
        said = peers.version(peer, variables)
        count = few if peer.slow else packets
        cases.append(Case(peer.name, peer.command, peer.does, count, 0, said, variables))
    return cases, missing


def start_cases(tiny: Path, folder: Path) -> list[Case]:
    """The peers on two packets: what they cost before they read."""
    home = ROOT / ".cache" / "bench-venv"
    variables = peers.environment(home)
    return [
        Case(peer.name, peer.command, "", variables=variables)
        for peer in peers.wanted(tiny, tiny, folder, home)
        if peers.there(peer, variables)
    ]


def fast_cases(capture: Path, small: Path, folder: Path, packets: int) -> list[Case]:
    """The C floor, the audit and the fast peers, on another capture than the mix."""
    home = ROOT / ".cache" / "bench-venv"
    variables = peers.environment(home)
    program = folder / "floor"
    cases = [Case(FLOOR, (str(program), str(capture)), "", packets)] if program.exists() else []
    cases.append(Case(AUDIT, (*held(), *audit(capture, folder)), "", packets))
    return cases + [
        Case(peer.name, peer.command, "", packets, variables=variables)
        for peer in peers.wanted(capture, small, folder, home)
        if not peer.slow and peers.there(peer, variables)
    ]


def sized_cases(capture: Path, part: Path, folder: Path, packets: int) -> list[tuple[Case, Case]]:
    """What streams, on a part of the mix and on all of it."""

    def of(path: Path, count: int) -> list[Case]:
        command = (sys.executable, "-m", "bench.stages", "digest", str(path))
        return [Case(DIGEST, command, "", count), *fast_cases(path, path, folder, count)]

    count = min(PART_PACKETS, packets // 2)
    _first_packets(capture, part, count)
    return list(zip(of(part, count), of(capture, packets), strict=True))


def core_cases(capture: Path, parts: list[Path], folder: Path) -> list[Case]:
    """The audit on one core and on all of them, of one file and of several."""
    if not held() or (os.cpu_count() or 1) < 2:
        return []
    whole, many = audit(capture, folder), (*audit(parts[0], folder), *map(str, parts[1:]))
    return [
        Case(f"{name}, {cores}", (*to, *command), "", shared=not to)
        for name, command in (("one file", whole), ("four files", many))
        for cores, to in (("one core", held()), ("all cores", ()))
    ]


def usual_cases(folder: Path, packets: int) -> list[Case]:
    """The mix and its start-up once more, among others that are told as parts of its rate.

    Minutes lie between one table and the next, in which a machine may become slower by a third.
    """
    return [
        Case(name, (*held(), *audit(folder / file, folder)), "", packets)
        for name, file in ((AUDIT, "mix.pcap"), (TINY, "tiny.pcap"))
    ]


def worst_cases(folder: Path, each: int, crowd: float) -> list[Case]:
    """Audits of captures that are all of one dear kind, and of crowds (a part of them, below 1)."""
    made = measure((sys.executable, "-m", "bench.worst", str(folder), str(each)))
    many = measure((sys.executable, "-m", "bench.crowd", str(folder), str(crowd)))
    return [
        # Crowds take long; of the others the first round is watched for its peak, which costs time.
        # On one core, as the mix is: two share the work at some more CPU time.
        Case(
            name,
            (*held(), *audit(folder / f"{name}.pcap", folder)),
            "",
            packets,
            turns,
            shared=True,
        )
        for turns, of in ((3, made), (1, many))
        for name, packets in json.loads(of.output).items()
    ]


def flood_cases(folder: Path, each: int) -> list[Case]:
    """Audits of floods that are judged, each one with ``each`` packets and one with a part of them."""
    made = measure((sys.executable, "-m", "bench.floods", str(folder), str(each)))
    return [
        Case(
            name,
            (*held(), *audit(folder / f"{name}, {part}.pcap", folder)),
            "",
            packets,
            1,
            shared=True,
        )
        for name, both in json.loads(made.output).items()
        for part, packets in zip((1, floods.PART), both, strict=True)
    ]


def rounds(cases: list[Case], count: int, tell: bool) -> list[Figure]:
    """Measure all cases in turn, ``count`` times, so that a busy minute hits them all."""
    figures = [Figure(case, []) for case in cases]
    for n in range(count):
        for figure in figures:
            if figure.case.rounds and n >= figure.case.rounds:
                continue
            case = figure.case
            # To be watched costs a twentieth of the time: once is enough for the peak.
            shared = case.shared and n == 0
            figure.runs.append(measure(case.command, case.variables, shared=shared))
            if tell:
                run = figure.runs[-1]
                sys.stderr.write(f"{n + 1}/{count} {figure.case.name}: {run.cpu:.2f} s\n")
    return figures


def _processes(figures: list[Figure]) -> list[str]:
    """The table of whole processes."""
    by = {f.case.name: f for f in figures}
    base, whole = by.get(FLOOR), by[AUDIT]
    lines = [
        "| process | version | does | CPU s | wall s | thousand packets a CPU s | time a packet "
        "÷ C floor | ÷ audit | peak MB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for f in figures:
        if f.failed:  # what did not do its work has no figure
            lines.append(
                f"| {f.case.name}{f.failed} | {f.case.version} | {f.case.does} | – | – | – | – | – | – |"
            )
            continue
        rate = f"{f.rate / 1_000:,.0f}" if f.case.packets else ""
        to_floor = f"{base.rate / f.rate:,.1f}" if base and f.case.packets else ""
        to_audit = f"{whole.rate / f.rate:,.2f}" if f.case.packets else ""
        lines.append(
            f"| {f.case.name}{f.failed} | {f.case.version} | {f.case.does} | {f.cpu:.2f} "
            f"| {f.wall:.2f} | {rate} | {to_floor} | {to_audit} | {f.peak:,.0f} |"
        )
    return lines


def _streaming(by: dict[str, Figure], packets: float) -> list[str]:
    """What a packet costs once everything is loaded, with and without the hash."""
    digest = by[DIGEST].cpu
    base = by[FLOOR].cpu if FLOOR in by else 0.0
    lines = [
        "| start-up subtracted | CPU s | thousand packets a CPU s | ÷ C floor "
        "| without the hash ÷ C floor |",
        "|---|---|---|---|---|",
    ]
    for name, tiny in ((EVIDENCE, TINY_EVIDENCE), (AUDIT, TINY)):
        net = max(by[name].cpu - by[tiny].cpu, 0.001)
        ratios = (f"{net / base:,.1f}", f"{(net - digest) / base:,.1f}") if base else ("", "")
        lines.append(
            f"| {name} | {net:.2f} | {packets / net / 1_000:,.0f} | {ratios[0]} | {ratios[1]} |"
        )
    return lines


Stages = Mapping[str, Mapping[str, float]]
"""CPU seconds by stage and by what it is made of (:data:`bench.stages.KINDS`)."""

BOUND = {
    stages.LOOPS: "our loops, a visit a packet",
    stages.READING: "SHA-256, and the copy out of the page cache",
    stages.SQL: "DuckDB and Parquet",
    stages.PYTHON: "the interpreter",
}
"""What bounds a stage that is made of one kind more than of any other."""


def profile_cases(capture: Path, part: Path, packets: int) -> list[Case]:
    """The stages of the audit of a part of the mix and of all of it."""
    count = min(PART_PACKETS, packets // 2)
    _first_packets(capture, part, count)
    return [
        Case("profile", (sys.executable, "-m", "bench.stages", "profile", str(path)), "", n)
        for path, n in ((part, count), (capture, packets))
    ]


def _profiled(figure: Figure) -> Stages:
    """Medians of what all rounds tell of the stages; empty where one failed."""
    if figure.failed:
        return {}
    told = [json.loads(run.output.splitlines()[-1]) for run in figure.runs]
    return {
        stage: {
            kind: statistics.median(one.get(stage, {}).get(kind, 0.0) for one in told)
            for kind in stages.KINDS
        }
        for stage in dict.fromkeys(stage for one in told for stage in one)
    }


def _sum(kinds: Mapping[str, float]) -> float:
    """CPU seconds of all kinds."""
    return sum(kinds.values())


def _of_kinds(profile: Stages) -> Mapping[str, float]:
    """CPU seconds by kind, of all stages."""
    return {kind: sum(kinds[kind] for kinds in profile.values()) for kind in stages.KINDS}


def _stages(figures: list[Figure]) -> list[str]:
    """Where the time goes, what bounds each stage, and what of it does not grow with a capture."""
    less, more = figures
    part, whole = _profiled(less), _profiled(more)
    if not part or not whole:
        return ["Not known: `python -m bench.stages profile` failed."]
    lines = [
        "| stage | CPU s | share | ns a packet | "
        "does not grow | loops | read, hash | SQL | Python | bound by |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    grown = more.case.packets - less.case.packets
    total = sum(map(_sum, whole.values()))

    def line(stage: str, now: Mapping[str, float], before: Mapping[str, float], end: str) -> str:
        cpu = _sum(now) or 1e-9
        each = max(cpu - _sum(before), 0.0) / grown
        fixed = max(cpu - each * more.case.packets, 0.0) / cpu
        shares = " | ".join(f"{now[kind] / cpu:.0%}" for kind in stages.KINDS)
        once = ", once a capture" if end and fixed >= 0.5 else ""
        return (
            f"| {stage} | {cpu:.2f} | {cpu / total:.0%} | {each * 1e9:.0f} | {fixed:.0%} "
            f"| {shares} | {end}{once} |"
        )

    for stage, kinds in sorted(whole.items(), key=lambda item: -_sum(item[1])):
        bound = BOUND[max(stages.KINDS, key=lambda kind: kinds[kind])]
        lines.append(line(stage, kinds, part.get(stage, {}), bound))
    lines.append(line("all", _of_kinds(whole), _of_kinds(part), ""))
    return lines


def _worst(figures: list[Figure]) -> list[str]:
    """Time a packet of the worst cases beside the mix, start-up subtracted."""
    whole, tiny, *figures = figures
    usual = max(whole.cpu - tiny.cpu, 0.001) / whole.case.packets
    lines = [
        "| every packet is of | CPU µs a packet | of the mix's rate | peak MB |",
        "|---|---|---|---|",
        f"| the mix | {usual * 1e6:.1f} | 1 | {whole.peak:,.0f} |",
    ]
    for f in figures:
        cost = max(f.cpu - tiny.cpu, 0.001) / f.case.packets
        slow = "" if cost <= usual * 10 else " **under a tenth**"
        lines.append(
            f"| {f.case.name}{f.failed} | {cost * 1e6:.1f} | 1/{cost / usual:.1f}{slow} "
            f"| {f.peak:,.0f} |"
        )
    return lines


def _floods(figures: list[Figure], start: float) -> list[str]:
    """Time a packet of each flood, and how much more that is than of a part of it."""
    lines = [
        "| every packet is of | CPU µs a packet | of a quarter of them | times | peak MB |",
        "|---|---|---|---|---|",
    ]
    for whole, part in zip(figures[::2], figures[1::2], strict=True):
        cost, less = (max(f.cpu - start, 0.001) / f.case.packets for f in (whole, part))
        grows = " **grows**" if cost > less * GROWTH else ""
        lines.append(
            f"| {whole.case.name}{whole.failed} | {cost * 1e6:.0f} | {less * 1e6:.0f} "
            f"| {cost / less:.2f}{grows} | {whole.peak:,.0f} |"
        )
    return lines


FLOORS = (
    ("against the C floor, without the hash", "C floor", 4.0, 2.0),
    ("against softflowd", "softflowd", 2.0, 4.0),
    ("against nfpcapd", "nfpcapd", 2.0, 4.0),
    ("against argus", "argus", 4.0, 8.0),
    ("against ndpiReader", "ndpiReader", 4.0, 8.0),
    ("against Suricata", "suricata", 4.0, 10.0),
    ("against Zeek", "zeek", 10.0, 20.0),
    ("against nfstream", "nfstream", 25.0, 50.0),
    ("against tshark -T fields", "tshark -T fields", 200.0, 400.0),
    ("against the dpkt loop", "dpkt loop", 80.0, 160.0),
    ("against scapy", "scapy PcapReader", 1_000.0, 2_500.0),
)
"""What streaming is held against: (words, whom, floor, goal) in times; of the C floor at most."""
BOUNDS = (
    ("audit of a small capture, CPU s", TINY, "cpu", 1.5, 0.5),
    ("a command that reads no packet, CPU s", IDLE, "cpu", 0.3, 0.15),
    ("first run ever, CPU s", COLD, "cpu", 10.0, 5.0),
    ("peak of the audit of the mix, MB", AUDIT, "peak", 500.0, 300.0),
)
"""(words, whose, which figure, floor, goal), at most."""


def _floors(by: dict[str, Figure], start: dict[str, float]) -> list[str]:
    """Each floor and goal beside what was measured; what is missed says so."""
    net = max(by[AUDIT].cpu - by[TINY].cpu - by[DIGEST].cpu, 0.001) / by[AUDIT].case.packets
    lines = [
        "",
        "## Against the floors",
        "",
        "By packet, start-up subtracted on both sides (each on two packets), and from ours the hash.",
        "",
        "| | floor | goal | measured | |",
        "|---|---|---|---|---|",
    ]
    for words, whom, least, goal in FLOORS:
        other = by.get(whom)
        if other is None or other.failed:
            lines.append(f"| {words} | {least:g} × | {goal:g} × | not measured | |")
            continue
        spent = other.cpu - start.get(whom, 0.0)
        if spent <= 0.0:  # a busy machine can make two packets take as long
            words += ", whose start-up took as long"
            lines.append(f"| {words} | {least:g} × | {goal:g} × | not measured | |")
            continue
        theirs = spent / other.case.packets
        ratio = net / theirs if whom == FLOOR else theirs / net
        # the C floor does less than we do, so that we may cost a few times as much
        sign, score = ("≤", -ratio) if whom == FLOOR else ("≥", ratio)
        least_score, goal_score = (-least, -goal) if whom == FLOOR else (least, goal)
        said = "floor met" if score >= least_score else "**missed**"
        said = "goal met" if score >= goal_score else said
        lines.append(
            f"| {words} | {sign} {least:g} × | {sign} {goal:g} × | {ratio:.1f} × | {said} |"
        )
    for words, whose, which, most, goal in BOUNDS:
        value = getattr(by[whose], which)
        said = "goal met" if value <= goal else "floor met" if value <= most else "**missed**"
        lines.append(f"| {words} | ≤ {most:g} | ≤ {goal:g} | {value:.2f} | {said} |")
    return lines


def _sizes(figures: list[Figure]) -> list[str]:
    """What each process costs more for the mix than for its beginning; a pair is (part, whole)."""
    pairs = list(zip(figures[::2], figures[1::2], strict=True))
    part, whole = pairs[0]
    lines = [
        "",
        "## By the difference of two sizes",
        "",
        f"What {whole.case.packets:,} packets cost more than the first {part.case.packets:,} of "
        "them, median of "
        f"{len(part.runs)} pairs: all that does not grow with a capture cancels out, on all sides. "
        "The prototype's figures, from which the floors come, were taken so; what is told above "
        "as streaming holds also what we do once for any capture that says something (first use of "
        "each parser, questions planned).",
        "",
        "| process | CPU s more | ns a packet | ÷ ours | ÷ ours without the hash |",
        "|---|---|---|---|---|",
    ]
    more = {
        less.case.name: statistics.median(
            two.cpu - one.cpu for one, two in zip(less.runs, all_.runs, strict=True)
        )
        for less, all_ in pairs
        if not less.failed and not all_.failed
    }
    ours = max(more.get(AUDIT, 0.0), 0.001)
    bare = max(ours - more.get(DIGEST, 0.0), 0.001)
    packets = whole.case.packets - part.case.packets
    return lines + [
        f"| {name} | {cost:.2f} | {cost / packets * 1e9:,.0f} | {cost / ours:.2f} "
        f"| {cost / bare:.2f} |"
        for name, cost in more.items()
    ]


def _dense(figures: list[Figure], mix: Mapping[str, float]) -> list[str]:
    """Short exchanges, start-up included for all."""
    by = {f.case.name: f for f in figures}
    ours = by[AUDIT]
    lines = [
        "",
        "## Short exchanges",
        "",
        f"`python -m bench.mix --dense`: {mix['bytes'] / MEGABYTE:,.0f} MB, {mix['packets']:,.0f} "
        f"packets, {mix['packets'] / mix['conversations']:.0f} for each TCP connection. "
        "Whole processes, start-up included.",
        "",
        "| process | CPU s | thousand packets a CPU s | ÷ audit |",
        "|---|---|---|---|",
    ]
    for f in figures:
        if f.failed:
            lines.append(f"| {f.case.name}{f.failed} | – | – | – |")
            continue
        lines.append(
            f"| {f.case.name} | {f.cpu:.2f} | {f.rate / 1_000:,.0f} | {f.cpu / ours.cpu:.2f} |"
        )
    return lines


def _cores(figures: list[Figure]) -> list[str]:
    """Wall time on one core and on all."""
    if not figures:
        return []
    lines = [
        "",
        "## Two cores",
        "",
        "Wall time of the audit, held to one core (`taskset`) and free to use all: a second process "
        "then reads the second half, and a third one hashes when those have read. Memory is that of "
        "all, what they share counted once.",
        "",
        "| | CPU s | wall s | peak MB | one core ÷ all | |",
        "|---|---|---|---|---|---|",
    ]
    for one, both in zip(figures[::2], figures[1::2], strict=True):
        lines.append(f"| {one.case.name} | {one.cpu:.2f} | {one.wall:.2f} | {one.peak:,.0f} | | |")
        ratio = one.wall / both.wall
        lines.append(
            f"| {both.case.name} | {both.cpu:.2f} | {both.wall:.2f} | {both.peak:,.0f} "
            f"| {ratio:.2f} | {_cores_said(ratio)} |"
        )
    return lines


def _cores_said(ratio: float) -> str:
    """What a ratio of wall times says of the floor."""
    least, goal = 1.6, 1.85
    return "goal met" if ratio >= goal else "floor met" if ratio >= least else "**missed**"


def _growth(
    long: Figure,
    held: list[Figure],
    mix: Mapping[str, float],
    short: Figure,
    start: float,
) -> list[str]:
    """From one gigabyte to ten, and on one core; ``start`` is the CPU time of a start-up."""
    short_cost = max(short.cpu - start, 0.001) / short.case.packets
    alone = held[0] if held else long
    long_cost = max(alone.cpu - start, 0.001) / mix["packets"]
    return [
        "",
        f"## {mix['bytes'] / 1e9:.0f} GB",
        "",
        f"{mix['packets']:,.0f} packets, {mix['conversations']:,.0f} TCP connections; medians of "
        f"{len(short.runs)} alternating rounds (of all cores {len(long.runs)}): "
        f"{long.cpu:.1f} CPU s, {long.wall:.1f} s, peak {long.peak:,.0f} MB. "
        "Two processes read it by turns, and a third one hashes.",
        *(
            f"Held to one core: {f.cpu:.1f} CPU s, {f.wall:.1f} s, {f.wall / long.wall:.2f} times "
            f"as long ({_cores_said(f.wall / long.wall)}), peak {f.peak:,.0f} MB."
            for f in held
        ),
        f"A packet costs {long_cost * 1e9:.0f} ns, {short_cost * 1e9:.0f} in the 1 GB mix: "
        f"{long_cost / short_cost:.2f} times.",
    ]


def page(
    figures: list[Figure],
    bad: list[Figure],
    flooded: list[Figure],
    profile: list[Figure],
    mix: dict[str, float],
    missing: list[str],
    count: int,
    further: list[str],
    start: dict[str, float],
    worst: tuple[int, float],
) -> str:
    """``docs/benchmarks.md``; ``worst``: packets of each dear kind, and what part of crowds."""
    each, crowd = worst
    by = {f.case.name: f for f in figures}
    packets, size = mix["packets"], mix["bytes"]
    calls = int(by[EVIDENCE].told.get("parser_calls", -1))
    per_gb = calls / (size / 1e9)
    verdict = "within" if per_gb <= BUDGET else "**beyond**"
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    lines = [
        "# Benchmarks",
        "",
        "<!-- Made by `make bench`; run it again instead of editing. -->",
        "",
        f"The hospital mix (`bench/mix.py`, seed {mix['seed']:.0f}): {size / MEGABYTE:,.0f} MB, "
        f"{packets:,.0f} packets of {(size - 24) / packets - 16:,.0f} bytes on average, "
        f"{mix['conversations']:,.0f} TCP connections. {platform.python_implementation()} "
        f"{platform.python_version()} ({_maker()}) on {platform.system()} {platform.machine()}, "
        f"{_processor()}, {os.cpu_count()} CPUs; load average at the end {load}.",
        "",
        f"CPU seconds (user and system) of a whole process, start-up included, file in the page "
        f"cache, median of {count} alternating rounds. A busy machine moves single figures by a "
        "quarter: compare the ratios. The tools do unequal work; the third column says what. Our "
        "evidence and audit are held to one core; what a second one gives stands below. "
        f"The first run ever was measured once; slow ones read {mix['small']:,.0f} "
        "packets of the mix.",
        "",
        *_processes(figures),
        "",
        f"Python parser calls: {calls:,}, {per_gb:,.0f} a GB ({verdict} the budget of {BUDGET:,}).",
        "",
        "Not to be had here, so not compared: " + (", ".join(missing) or "none") + ".",
        "",
        "## Streaming",
        "",
        *_streaming(by, packets),
        *_floors(by, start),
        "",
        "## Where the time goes",
        "",
        "Measured inside one process that has everything loaded, median of "
        f"{len(profile[0].runs)}, less what the clock itself takes. A stage is bound by what it is made "
        "of more than of anything else: compiled loops over the packets; the octets of the file, "
        "copied and hashed; questions to DuckDB and Parquet; or the interpreter, with NumPy and Arrow "
        "as it calls them. What does not grow is what a stage costs of any capture that says as much: "
        f"the first {profile[0].case.packets:,} packets were profiled, too.",
        "",
        *_stages(profile),
        "",
        "## Worst cases",
        "",
        f"Audits of {each:,} packets each (`bench/worst.py`), and of crowds "
        f"(`bench/crowd.py`: {4_000_000 * crowd:,.0f} and {600_000 * crowd:,.0f} packets, once), "
        f"start-up subtracted, median of {min(count, 3)}. "
        "No case may fall under a tenth of the mix's rate.",
        "",
        *_worst(bad),
        "",
        "## Floods that are judged",
        "",
        f"Audits of {flooded[0].case.packets:,} packets each (`bench/floods.py`), and of a quarter of "
        "them, once, start-up subtracted. Each message is read by Python, and may be a sign that rules "
        f"compare with others: what one costs may not grow with their number (beyond {GROWTH} times, "
        "for the shorter is all the sooner moved by a busy second).",
        "",
        *_floods(flooded, bad[1].cpu),
        *further,
    ]
    return "\n".join(lines) + "\n"


def _maker() -> str:
    """Whose the interpreter is: how it was built moves our figures by a tenth (decision 0043)."""
    return "the system's own" if sys.base_prefix == "/usr" else "not the system's own"


def _processor() -> str:
    """The processor's name, where the system tells it."""
    told = Path("/proc/cpuinfo")
    if told.exists():
        for line in told.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"


def main() -> None:
    """Make the mix, measure, write the page."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--megabytes", type=float, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--long", type=float, default=LONG_MEGABYTES, help="MB of the long mix; 0 leaves it out"
    )
    parser.add_argument(
        "--quick", action="store_true", help="5 MB, one round, no peers got, no page written"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks.md")
    asked = parser.parse_args()
    size, count = (QUICK_MEGABYTES, 1) if asked.quick else (asked.megabytes, asked.rounds)
    worst = (QUICK_WORST, 0.01) if asked.quick else (WORST_PACKETS, 1.0)
    if not asked.quick:
        peers.build(ROOT / ".cache" / "bench-venv", ROOT / "bench" / "requirements.txt")
    with tempfile.TemporaryDirectory(prefix="wardwatch-bench-") as name:
        folder = Path(name)
        capture, tiny, small = folder / "mix.pcap", folder / "tiny.pcap", folder / "small.pcap"
        # In a process of its own: what we measure inherits the peak memory of its parent.
        mix = _made(capture, size, asked.seed)
        few = _made(small, min(size, SMALL_MEGABYTES), asked.seed)["packets"]
        _first_packets(capture, tiny, 2)
        packets = int(mix["packets"])
        measure(audit(small, folder))  # compiles the kernels where they are not yet
        program = floor(folder)
        cases = own_cases(capture, tiny, folder, packets)
        if program is not None:
            cases.insert(0, Case(FLOOR, (str(program), str(capture)), "record headers", packets))
        others, missing = peer_cases(capture, small, folder, packets, int(few))
        if program is None:
            missing.append("a C compiler (for the floor)")
        figures = rounds([*cases, *others], count, tell=True)
        begun = rounds(start_cases(tiny, folder), count, tell=True)
        start = {f.case.name: f.cpu for f in begun if not f.failed}
        dear = worst_cases(folder, *worst)
        bad = rounds([*usual_cases(folder, packets), *dear], min(count, 3), tell=True)
        flooded = rounds(
            flood_cases(folder, QUICK_FLOODS if asked.quick else FLOOD_PACKETS), 1, tell=True
        )
        further = [] if asked.quick else _further(asked, folder, capture, small, packets, count)
        sized = profile_cases(capture, folder / "part.pcap", packets)
        profile = rounds(sized, min(count, 3), tell=True)
        mix |= {"seed": asked.seed, "bytes": capture.stat().st_size, "small": few}
    text = page(figures, bad, flooded, profile, mix, missing, count, further, start, worst)
    if not asked.quick:
        asked.out.write_text(text, encoding="utf-8")
    print(text)


def _further(
    asked: argparse.Namespace,
    folder: Path,
    capture: Path,
    small: Path,
    packets: int,
    count: int,
) -> list[str]:
    """Short exchanges, two cores, and ten times the length."""
    dense = folder / "dense.pcap"
    mix = _made(dense, DENSE_MEGABYTES, asked.seed, "--dense")
    mix["bytes"] = dense.stat().st_size
    cases = fast_cases(dense, small, folder, int(mix["packets"]))
    lines = _dense(rounds(cases, count, tell=True), mix)
    dense.unlink()
    part = folder / "part.pcap"
    sized = [case for both in sized_cases(capture, part, folder, packets) for case in both]
    lines += _sizes(rounds(sized, min(count, 3), tell=True))
    part.unlink()
    parts = _parts(capture, 4, folder)
    shared = core_cases(capture, parts, folder)
    for case in shared:
        if case.shared:
            measure(case.command)  # compiles the kernels that only several processes need
    lines += _cores(rounds(shared, count, tell=True))
    for part in parts:
        part.unlink()
    lines += port.lines(capture, GIGABITS)
    if not asked.long:
        return lines
    big = folder / "long.pcap"
    mix = _made(big, asked.long, asked.seed)
    mix["bytes"] = big.stat().st_size
    cases = [Case("long", audit(big, folder), "", int(mix["packets"]), shared=True)]
    if held():
        cases.append(Case("long, one core", (*held(), *audit(big, folder)), ""))
    often = max(min(count, 3), 2)
    long, *alone, short, tiny = rounds([*cases, *usual_cases(folder, packets)], often, tell=True)
    _peak_of_first(long)
    lines += _growth(long, alone, mix, short, tiny.cpu)
    if not held():
        return lines
    days = _parts(big, DAYS, folder)
    big.unlink()
    many = (*audit(days[0], folder), *map(str, days[1:]))
    shared = [
        Case("many", many, "", int(mix["packets"]), shared=True),
        Case("many, one core", (*held(), *many), ""),
    ]
    both, one = rounds(shared, often, tell=True)
    _peak_of_first(both)
    for day in days:
        day.unlink()
    ratio = one.wall / both.wall
    return [
        *lines,
        f"Cut into {DAYS} files of the same size, given together: {both.cpu:.1f} CPU s, "
        f"{both.wall:.1f} s, peak {both.peak:,.0f} MB; held to one core {one.cpu:.1f} CPU s, "
        f"{one.wall:.1f} s, {ratio:.2f} times as long ({_cores_said(ratio)}), peak {one.peak:,.0f} MB.",
    ]


def _peak_of_first(figure: Figure) -> None:
    """The first run is watched for its peak, which costs time: the others tell that."""
    figure.runs = [msgspec.structs.replace(run, peak=figure.peak) for run in figure.runs[1:]]


def _parts(source: Path, count: int, folder: Path) -> list[Path]:
    """A pcap cut at record borders into files of about the same size."""
    made: list[Path] = []
    with source.open("rb") as file:
        head = file.read(24)
        share = source.stat().st_size // count
        for n in range(count):
            part = folder / f"part{n}.pcap"
            with part.open("wb") as out:
                out.write(head)
                done = 0
                while (done < share or n == count - 1) and (record := file.read(16)):
                    body = file.read(int.from_bytes(record[8:12], "little"))
                    done += out.write(record + body)
            made.append(part)
    return made


def _made(target: Path, megabytes: float, seed: int, *more: str) -> dict[str, float]:
    """Write a mix ⇒ its counts."""
    maker = (sys.executable, "-m", "bench.mix", "--megabytes", str(megabytes), *more)
    return dict(json.loads(measure((*maker, "--seed", str(seed), str(target))).output))


def _first_packets(source: Path, target: Path, count: int) -> None:
    """The first packets of a pcap, as one of its own."""
    with source.open("rb") as file, target.open("wb") as part:
        part.write(file.read(24))
        for _ in range(count):
            record = file.read(16)
            part.write(record + file.read(int.from_bytes(record[8:12], "little")))


if __name__ == "__main__":
    main()
