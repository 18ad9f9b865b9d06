"""wardwatch.watch"""

import errno
import hashlib
import os
import random
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from bench.mix import write as write_mix
from tests import demo_audits
from tests.observe import frames as f
from tests.shared import CAPTURES, needs_shared
from tests.ui import audits
from tests.ui.test_cli import arp_capture

import wardwatch
from wardwatch import advise
from wardwatch.capture import digest, reader
from wardwatch.capture.write import PcapngWriter, PcapWriter
from wardwatch.errors import CaptureError, OutputError, SiteError
from wardwatch.model.columns import TABLES
from wardwatch.model.judgement import State
from wardwatch.model.site import Site
from wardwatch.observe import digests, engine, forks, later
from wardwatch.observe.tables import Tables
from wardwatch.ui.render import page, report_json
from wardwatch.ui.report import build
from wardwatch.watch import private_folder


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    path = tmp_path / "tiny.pcap"
    path.write_bytes(arp_capture())
    return path


def test_the_same_question_from_python(tiny: Path, tmp_path: Path) -> None:
    result = wardwatch.audit([tiny], out=tmp_path / "out")
    assert (result.packets, result.decoded, result.skipped, result.malformed) == (1, 1, 0, 0)
    assert result.tables.relation("arp").fetchall()
    assert result.tables.arrow("arp").column("sender_ip").to_pylist() == ["10.0.0.9"]
    assert (tmp_path / "out" / "evidence" / "arp.parquet").exists()
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o700


def test_without_a_site_file_the_audit_says_what_it_assumed(tiny: Path) -> None:
    assert "wardwatch learn" in wardwatch.audit([tiny]).assumed[0]
    said = wardwatch.audit([tiny], site=Site()).assumed
    assert "The site file confirms no DHCP server." in said


def test_nothing_holds_in_one_packet(tiny: Path) -> None:
    result = wardwatch.audit([tiny])
    assert {v.state for v in result.verdicts} <= {State.NOT_OBSERVABLE, State.NOT_APPLICABLE}
    assert result.exit_status == 3


def test_one_bad_file_among_good_ones_is_named_and_the_rest_is_read(
    tiny: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad.pcap").write_text("no capture at all, only words " * 9)
    result = wardwatch.audit([tiny, tmp_path / "bad.pcap"])
    assert result.packets == 1
    assert result.damaged
    assert any("bad.pcap" in line for line in result.assumed)
    with pytest.raises(CaptureError, match=r"bad\.pcap"):
        wardwatch.audit([tmp_path / "bad.pcap"])


def test_a_bad_site_file_stops_the_audit(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text("zone = 3\n")
    with pytest.raises(SiteError, match=r"site\.toml"):
        wardwatch.audit([tiny], site=tmp_path / "site.toml")


def test_an_output_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("x")
    with pytest.raises(OutputError, match="--out"):
        private_folder(tmp_path / "taken")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, 1),
        ({"findings": ()}, 1),
        ({"findings": (), "verdicts": (audits.HOLDS,)}, 0),
        ({"findings": (), "verdicts": (audits.HOLDS,), "damaged": True}, 3),
        ({"findings": (), "verdicts": (audits.HOLDS,), "lost": 1}, 3),
        ({"findings": (), "verdicts": (audits.UNTOLD,)}, 3),
    ],
)
def test_the_exit_status_says_what_was_seen(change: dict, status: int) -> None:
    assert audits.make(**change).exit_status == status


def test_what_files_count_as_lost_is_told_of_each(tmp_path: Path) -> None:
    for name, dropped, os_dropped in (("a", 1_000, 2), ("b", 0, 0), ("c", -1, 7)):
        with PcapngWriter(tmp_path / name) as out:
            out.packet(0, 10**18, f.arp(1, f.PUMP, "10.0.0.41", "10.0.0.1"))
            out.statistics(0, 10**18, received=9, dropped=dropped, os_dropped=os_dropped)
    found = wardwatch.audit([tmp_path / name for name in "abc"])
    assert found.lost == 1_009
    assert list(found.losses) == [
        "Capture 1 counts 1,002 packets that came by and are not in it (1,000 lost by the port, "
        "2 by the system): what was in them was not seen.",
        "Capture 3 counts 7 packets that came by and are not in it (0 lost by the port, "
        "7 by the system): what was in them was not seen.",
    ]


def test_an_audit_cannot_be_changed_afterwards() -> None:
    with pytest.raises(AttributeError):
        audits.make().packets = 0  # type: ignore[misc]
    assert msgspec.structs.replace(audits.make(), packets=7).packets == 7


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
def test_a_folder_others_use_is_not_closed_to_them(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    private_folder(shared)
    assert stat.S_IMODE(shared.stat().st_mode) == 0o700  # empty: nobody loses anything
    shared.chmod(0o755)
    (shared / "report.json").touch()
    private_folder(shared)
    assert stat.S_IMODE(shared.stat().st_mode) == 0o700  # ours
    shared.chmod(0o755)
    (shared / "of-others").touch()
    with pytest.raises(OutputError, match=r"holds other things.*--out"):
        private_folder(shared)
    assert stat.S_IMODE(shared.stat().st_mode) == 0o755


def halves(monkeypatch: pytest.MonkeyPatch, path: Path) -> list[str]:
    """From now on two processes share this capture, cut in its middle ⇒ what will be refused."""
    refused = []
    cut = later.Cut(1, path.stat().st_size // 2)
    monkeypatch.setattr(later, "cuts_of", lambda *_, **__: [cut])
    monkeypatch.setattr(reader, "BLOCK_ROWS", 64)
    monkeypatch.setattr(forks, "is_worth_it", lambda _: True)
    close = later.Other.close

    def closed(other: later.Other) -> None:
        refused.extend(one.refused for one in other.laters)
        close(other)

    monkeypatch.setattr(later.Other, "close", closed)
    return refused


@pytest.mark.parametrize("attacked", [False, True], ids=["clean", "attacked"])
def test_two_processes_find_what_one_does(attacked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    days = demo_audits.days()
    capture, site = (days.attacked, days.site_attacked) if attacked else (days.clean, days.site)

    def told() -> tuple[bytes, str]:
        report = build(wardwatch.audit([capture], site=site, inventory=days.listed))
        return [*report_json(report)], page(report)

    expected = told()
    refused = halves(monkeypatch, capture)
    assert told() == expected
    assert refused == [""]


def test_whatever_the_order_of_rows_the_answer_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes write the same rows as one, those of some tables in another order."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    days = demo_audits.days()
    write_mix(tmp_path / "mix.pcap", 1, seed=4)
    with PcapWriter(tmp_path / "two.pcap") as file:
        for vlan in (7, 5):
            packet = f.udp("10.0.0.9", 1_024, "10.0.0.2", 514, b"<13>on")
            file.packet(vlan, f.ether(f.NURSE, f.SERVER, packet, vlan=vlan))
    asked = (
        (days.attacked, days.site_attacked, days.listed),
        (tmp_path / "mix.pcap", None, None),
        (tmp_path / "two.pcap", None, None),
    )
    real, dice = engine.observe, np.random.default_rng(1)

    def shuffled(*given: Any, **how: Any) -> engine.Observed:
        seen = real(*given, **how)
        seen.complete()
        memory = {table.name: seen.tables.arrow(table.name) for table in TABLES}
        for name, rows in memory.items():
            memory[name] = rows.take(dice.permutation(len(rows))) if len(rows) > 1 else rows
        return msgspec.structs.replace(seen, tables=Tables(memory=memory))

    for path, site, listed in asked:
        expected = build(wardwatch.audit([path], site=site, inventory=listed))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(engine, "observe", shuffled)
            found = build(wardwatch.audit([path], site=site, inventory=listed))
        assert [*report_json(found)] == [*report_json(expected)], path.name


@pytest.mark.parametrize("given", [0, 1, 2])
def test_where_the_system_gives_no_other_process_this_one_does_all(
    given: int, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of those that hash and read a part, ``given`` can be had."""
    expected = wardwatch.audit([tiny])
    for module in (forks, digests):
        monkeypatch.setattr(module, "is_worth_it", lambda _: True)
    real, asked = os.fork, []
    begun: list[int] = []

    def few() -> int:
        asked.append(1)
        if len(asked) > given:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        begun.append(real())
        return begun[-1]

    monkeypatch.setattr(os, "fork", few)
    with digests.hashed_ahead([str(tiny)]) as ahead:
        found = wardwatch.audit([tiny], digests=ahead)
    assert (ahead is None) == (given == 0)
    assert len(asked) > min(given, 1)
    assert (found.verdicts, found.devices) == (expected.verdicts, expected.devices)
    assert found.tables.arrow("captures") == expected.tables.arrow("captures")
    assert len(begun) == given
    for child in begun:  # other tests of this process may have some of their own
        with pytest.raises(ChildProcessError):
            os.waitpid(child, os.WNOHANG)


def test_a_file_that_changes_while_it_is_judged_is_audited_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who hashes comes to an end only then."""
    path, judged = tmp_path / "a.pcap", tmp_path / "judged"
    write_mix(path, 1, seed=2)
    halves(monkeypatch, path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def late(name: str, between: Callable[[], None]) -> digest.Digest | None:
        found = digest.digest_of(name)
        while not judged.exists():
            between()
        with path.open("rb") as file:
            same = found is not None and digest.Stamp.of(file.fileno()) == found.stamp
        return found if same else None

    asked, real = [], advise.advise

    def changing(*given: Any) -> advise.Advised:
        asked.append(given)
        if len(asked) == 1:  # the devices are made out
            with path.open("r+b") as file:
                file.truncate(path.stat().st_size - 1_000)
            judged.touch()
        return real(*given)

    monkeypatch.setattr(digests, "digest_of", late)
    monkeypatch.setattr(advise, "advise", changing)
    begun = digests.Digests([str(path)])
    found = wardwatch.audit([path], out=tmp_path / "out", digests=begun)
    begun.close()
    assert len(asked) == 2
    (row,) = pq.read_table(tmp_path / "out/evidence/captures.parquet").to_pylist()
    assert row["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    (listed,) = build(found).captures
    assert (listed.sha256, listed.packets) == (row["sha256"], found.packets)
    assert found.damaged


@needs_shared
def test_two_processes_find_what_one_does_in_shared_captures() -> None:
    known = (".pcap", ".pcapng", ".cap")
    paths = sorted(p for p in CAPTURES.iterdir() if p.suffix in known)
    refused = []
    for path in random.Random(29).sample(paths, 30):
        try:
            expected = [*report_json(build(wardwatch.audit([path])))]
        except CaptureError:
            continue
        with pytest.MonkeyPatch.context() as patch:
            refused.append(halves(patch, path))
            assert [*report_json(build(wardwatch.audit([path])))] == expected
    assert sum(why == [""] for why in refused) > 0.8 * len(refused) > 15


LOADED = """
import sys
from wardwatch.ui.render import page
from wardwatch.ui.report import build
from wardwatch.watch import audit
found = audit(sys.argv[1:])
page(build(found))
costly = ("numba", "pandas", "pyarrow.compute", "pyarrow.dataset", "pydantic")
print(found.tables.rows("bindings") > 500, *(name for name in costly if name in sys.modules))
"""


def test_nothing_costly_is_loaded_that_an_audit_can_do_without(tmp_path: Path) -> None:
    """Arrow's functions alone take as long to load as a hundred thousand packets to read."""
    many = [
        (n, f.arp(1, f"02:00:00:00:00:{n % 250:02x}", f"10.0.{n // 250}.{n % 250}", "10.0.0.1"))
        for n in range(1, 600)
    ]
    captures = [f.pcap(tmp_path / "many.pcap", many), demo_audits.days().attacked]
    ran = subprocess.run(
        [sys.executable, "-c", LOADED, *map(str, captures)],
        capture_output=True,
        text=True,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")},
        check=False,
    )
    assert (ran.stdout, ran.stderr) == ("True\n", "")


def test_what_a_caller_needs_is_loaded_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(forks, "is_worth_it", lambda paths: True)
    write_mix(tmp_path / "mix.pcap", 1, seed=3)
    called: list[str] = []
    found = wardwatch.audit([tmp_path / "mix.pcap"], meanwhile=lambda: called.append("here"))
    assert found.packets
    assert called == ["here"]
