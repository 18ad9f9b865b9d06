"""``wardwatch twin fleet``: what is made, what is refused in a line, and what the audit says of it."""

import json
import shutil
from collections import Counter, namedtuple

import pytest
from typer.testing import CliRunner

import wardwatch
from wardwatch.errors import OutputError, UsageError
from wardwatch.ui.cli import app
from wardwatch.ui.fleet import OURS, _folder


def asked(*words, folder):
    return CliRunner().invoke(app, ["twin", "fleet", "--out", str(folder), *words])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fleet") / "of-24"
    shown = asked("--pumps", "24", "--hours", "0.2", "--json", folder=folder)
    assert shown.exit_code == 0, shown.output
    return folder, json.loads(shown.stdout)


def test_json_names_packets_events_and_every_file(made):
    folder, told = made
    assert {path.name for path in folder.iterdir()} == OURS - {"fleet.pcap"}
    assert set(told["files"]) == OURS - {"fleet.pcap", "manifest.json"}
    assert told["packets"] > 1_000
    assert told["octets"] == (folder / "fleet.pcapng").stat().st_size
    assert told["events"]["report"] > 200
    assert folder.stat().st_mode & 0o077 == 0


def test_the_audit_finds_every_pump_of_a_clean_fleet_and_nothing_else(made):
    folder, told = made
    audit = wardwatch.audit(
        [folder / "fleet.pcapng"], site=folder / "site.toml", inventory=folder / "list.csv"
    )
    assert audit.findings == ()
    assert (audit.packets, audit.malformed, audit.skipped) == (told["packets"], 0, 0)
    pumps = [d for d in audit.devices if d.identity.kind == "infusion pump" and d.seen]
    assert len(pumps) == 24
    # What is on the wire is enough to know them: all of the right make, and none listed.
    bare = wardwatch.audit([folder / "fleet.pcapng"])
    assert bare.findings == ()
    found = Counter(
        d.identity.manufacturer for d in bare.devices if d.identity.kind == "infusion pump"
    )
    listed = Counter(d.identity.manufacturer for d in pumps)
    assert found == listed
    assert len(found) == 3
    # Only what asks DHCP for an address breaks a measure, and it truly does.
    assert {verdict.measure for verdict in audit.broken} <= {"static_address"}


def test_a_power_cut_is_no_attack_to_the_audit(tmp_path):
    words = (
        "--pumps",
        "12",
        "--hours",
        "0.4",
        "--power-cut",
        "0.15",
        "--dhcp-share",
        "1",
        "--json",
    )
    shown = asked(*words, folder=tmp_path / "cut")
    assert json.loads(shown.stdout)["events"]["discover"] >= 12
    audit = wardwatch.audit(
        [tmp_path / "cut" / "fleet.pcapng"], site=tmp_path / "cut" / "site.toml"
    )
    assert audit.findings == ()
    # Every one of them asked for an address, which the measure tells.
    broken = {verdict.subject for verdict in audit.broken if verdict.measure == "static_address"}
    assert len(broken) == 12


def test_a_second_run_replaces_the_first_and_says_what_it_made(made, tmp_path):
    folder, told = made
    words = ("--pumps", "3", "--hours", "0.05", "--no-packets")
    for _ in range(2):
        shown = asked(*words, folder=tmp_path / "of-3")
        assert shown.exit_code == 0
    assert "events: " in shown.stdout
    assert "packets" not in shown.stdout
    assert "not how they do in the field" in shown.stdout
    # A capture that this run would leave beside another fleet's list is not touched.
    shown = asked(*words, folder=folder)
    assert isinstance(shown.exception, UsageError)
    assert "holds fleet.pcapng of another run" in str(shown.exception)
    assert json.loads((folder / "manifest.json").read_text())["packets"] == told["packets"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--pumps", "0"], "pumps 0 of a fleet: it is 1 to 20,000"),
        (["--hours", "-1"], "hours -1 of a fleet"),
        (["--start", "tomorrow"], "start 'tomorrow' of a fleet"),
        (["--no-packets", "--no-events"], "leave nothing to make"),
    ],
)
def test_what_cannot_be_made_is_refused_before_a_folder_is_made(words, told, tmp_path):
    shown = asked(*words, folder=tmp_path / "none")
    assert isinstance(shown.exception, UsageError)
    assert told in str(shown.exception)
    assert not (tmp_path / "none").exists()


def test_a_folder_of_other_things_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"holds other things \(thesis.txt"):
        _folder(tmp_path, set(OURS))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_in_the_way_and_a_disk_too_small_are_said_at_once(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    shown = asked("--pumps", "1", folder=tmp_path / "file")
    assert isinstance(shown.exception, OutputError)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, 1_000_000))
    shown = asked("--pumps", "500", "--hours", "24", folder=tmp_path / "new")
    assert isinstance(shown.exception, OutputError)
    assert "needs about 1.6 GB and 0.0 GB are free" in str(shown.exception)
