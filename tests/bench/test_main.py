"""bench.__main__: its short form, which tells only that everything works."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from bench import __main__ as bench
from bench import floods, mix, stages
from bench import worst as worst_cases

from wardwatch.capture import open_capture

if TYPE_CHECKING:
    from pathlib import Path

SECTIONS = (
    "## Streaming", "## Against the floors", "## Where the time goes", "## Worst cases",
    "## Floods that are judged",
)  # fmt: skip


def test_the_short_form_measures_everything_of_ours() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "bench", "--quick"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    page = ended.stdout
    assert [section for section in SECTIONS if section not in page] == []
    ours = [line for line in page.splitlines() if line.startswith("| wardwatch")]
    assert len(ours) == 7 + 2  # processes, and two of them as they stream
    worst, _, judged = page.partition(SECTIONS[3])[2].partition(SECTIONS[4])
    cases = [line for line in worst.splitlines() if line.startswith("| ")][2:]
    assert len(cases) == len(worst_cases.CASES) + 2  # and two crowds
    lines = [line for line in judged.splitlines() if line.startswith("| ")][1:]
    assert len(lines) == len(floods.FLOODS)
    assert not any("ended with" in line for line in (*ours, *cases, *lines))
    assert "| TLS in rows |" in page
    went = page.partition(SECTIONS[2])[2].partition(SECTIONS[3])[0].splitlines()
    stages = [line.strip("| ").split(" | ") for line in went if line.startswith("| ")][1:]
    assert stages[-1][0] == "all"
    assert {line[-1].partition(",")[0] for line in stages[:-1]} >= {
        "our loops", "SHA-256", "DuckDB and Parquet", "the interpreter",
    }  # fmt: skip


def test_what_bounds_a_stage_and_what_of_it_does_not_grow() -> None:
    def figure(packets: int, *told: dict[str, dict[str, float]]) -> bench.Figure:
        runs = [bench.Run(1.0, 1.0, 1.0, "\n" + json.dumps(one), 0) for one in told]
        return bench.Figure(bench.Case("profile", ("x",), "", packets), runs)

    def of(loops: float, python: float, sql: float) -> dict[str, dict[str, float]]:
        none = dict.fromkeys(stages.KINDS, 0.0)
        return {
            "walk": {**none, stages.LOOPS: loops, stages.PYTHON: python},
            "ask": {**none, stages.SQL: sql},
        }

    less = figure(100, of(0.2, 0.1, 1.0), of(0.1, 0.1, 9.0), of(0.3, 0.0, 0.9))
    more = figure(300, of(0.6, 0.3, 1.1), of(9.0, 0.3, 1.1), of(0.1, 0.3, 1.1))
    lines = bench._stages([less, more])
    assert lines[2:] == [
        "| ask | 1.10 | 55% | 500000 | 86% | 0% | 0% | 100% | 0% | DuckDB and Parquet, once a capture |",
        "| walk | 0.90 | 45% | 3000000 | 0% | 67% | 0% | 0% | 33% | our loops, a visit a packet |",
        "| all | 2.00 | 100% | 3500000 | 48% | 30% | 0% | 55% | 15% |  |",
    ]
    less.runs[-1] = bench.Run(1.0, 1.0, 1.0, "", 2)
    assert bench._stages([less, more]) == ["Not known: `python -m bench.stages profile` failed."]


def test_what_grows_with_the_capture_is_told_by_pairs() -> None:
    def figure(name: str, packets: int, *costs: float) -> bench.Figure:
        runs = [bench.Run(cpu, cpu, 1.0, "", 0) for cpu in costs]
        return bench.Figure(bench.Case(name, ("x",), "", packets), runs)

    pairs = [
        *(figure(bench.DIGEST, 100, 0.1, 0.2, 0.1), figure(bench.DIGEST, 300, 0.3, 0.4, 0.9)),
        *(figure(bench.AUDIT, 100, 1.0, 1.0, 1.5), figure(bench.AUDIT, 300, 2.0, 1.9, 2.5)),
        *(figure("argus", 100, 0.5, 0.5, 0.5), figure("argus", 300, 2.5, 2.5, 2.5)),
    ]
    lines = bench._sizes(pairs)
    assert "What 300 packets cost more than the first 100 of them, median of 3 pairs" in lines[3]
    assert lines[-3:] == [
        f"| {bench.DIGEST} | 0.20 | 1,000,000 | 0.20 | 0.25 |",
        f"| {bench.AUDIT} | 1.00 | 5,000,000 | 1.00 | 1.25 |",
        "| argus | 2.00 | 10,000,000 | 2.00 | 2.50 |",
    ]


def test_what_failed_has_no_difference() -> None:
    def figure(name: str, packets: int, status: int) -> bench.Figure:
        run = bench.Run(float(packets), 1.0, 1.0, "", status)
        return bench.Figure(bench.Case(name, ("x",), "", packets), [run])

    pairs = [figure(bench.AUDIT, 1, 0), figure(bench.AUDIT, 2, 0)]
    pairs += [figure("argus", 1, 0), figure("argus", 2, 7)]
    assert bench._sizes(pairs)[-1].startswith(f"| {bench.AUDIT} | 1.00 |")
    assert not any("argus" in line for line in bench._sizes(pairs))


def test_the_part_is_the_beginning_of_the_mix_and_each_tool_reads_both(tmp_path: Path) -> None:
    capture, part = tmp_path / "mix.pcap", tmp_path / "part.pcap"
    packets = mix.write(capture, 1, seed=1).packets
    pairs = bench.sized_cases(capture, part, tmp_path, packets)
    assert {bench.DIGEST, bench.AUDIT} <= {less.name for less, _ in pairs}
    assert all(less.name == more.name for less, more in pairs)
    assert {(less.packets, more.packets) for less, more in pairs} == {(packets // 2, packets)}
    assert capture.read_bytes().startswith(part.read_bytes())
    read = open_capture(str(part))
    assert sum(block.n for block in read) == packets // 2
