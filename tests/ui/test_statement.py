"""wardwatch.ui.statement"""

import json

import pytest
from tests import demo_audits
from tests.advise.small import audited, finding, pump
from tests.ui.test_cli import arp_capture, wardwatch

from wardwatch.advise.priority import priority
from wardwatch.advise.vex import read_statement
from wardwatch.ui.statement import MOST_REASONS, print_tasks, tasks_json

BY = ("--publisher", "Twin General", "--namespace", "https://twin.example")


@pytest.fixture(scope="module")
def day():
    made = demo_audits.days()
    return (made.clean, "--site", made.site, "--inventory", made.listed)


def test_vex_is_written_and_superseded(day, tmp_path):
    out = tmp_path / "first.json"
    made = wardwatch("vex", *day, *BY, "--out", out)
    assert made.returncode == 0, made.stderr
    assert b"revision 1: 32 \xc3\x97 fixed, 64 \xc3\x97 known affected" in made.stderr
    assert out.stat().st_mode & 0o777 == 0o600
    assert read_statement(out)["document"]["tracking"]["version"] == "1"
    again = wardwatch(
        "vex",
        *day,
        *BY,
        "--supersedes",
        out,
        "--date",
        "2030-01-01",
        "--out",
        tmp_path / "second.json",
    )
    assert again.returncode == 0
    assert (tmp_path / "second.json").read_bytes() == out.read_bytes()  # nothing changed


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--date", "soon"], b"is no date"),
        (["--namespace", "twin"], b"is no namespace"),
        (["--out", "/dev/null/x.json"], b"cannot be written"),
        (["--supersedes", __file__], b"is no VEX statement"),
    ],
)
def test_vex_says_in_one_line_what_stopped_it(tmp_path, options, problem):
    made = demo_audits.days()
    capture = tmp_path / "one.pcap"
    capture.write_bytes(arp_capture())
    told = wardwatch(
        "vex", capture, "--inventory", made.listed, *BY, "--out", tmp_path / "v.json", *options
    )
    assert told.returncode == 2
    assert problem in told.stderr
    assert told.stderr.count(b"\n") == 1
    assert not (tmp_path / "v.json").exists()


def test_priority_prints_a_table_and_json(day):
    told = wardwatch("priority", *day)
    assert told.returncode == 1
    assert "Medfusion" in told.stdout.decode()
    machine = json.loads(wardwatch("priority", *day, "--json").stdout)
    assert [task["rank"] for task in machine] == list(range(1, 9))
    assert {task["decision"] for task in machine} == {"scheduled"}


def test_priority_without_a_match_is_quiet(tmp_path):
    capture = tmp_path / "one.pcap"
    capture.write_bytes(arp_capture())
    told = wardwatch("priority", capture, "--json")
    assert json.loads(told.stdout) == [] or told.returncode == 1


@pytest.mark.parametrize("feed", ["--kev", "--epss"])
def test_priority_refuses_a_feed_that_is_none(tmp_path, feed):
    capture = tmp_path / "one.pcap"
    capture.write_bytes(arp_capture())
    told = wardwatch("priority", capture, feed, __file__)
    assert told.returncode == 2
    assert b"test_statement.py" in told.stderr


def test_the_machine_form_says_what_was_assumed():
    (task,) = json.loads(tasks_json(priority(audited(findings=[finding("CVE-2017-12725")]))))
    lead = task["weaknesses"][0]
    assert (lead["cve"], lead["decision"], lead["exploitation"]) == (
        "CVE-2017-12725",
        "immediate",
        "active",
    )
    assert (lead["human_impact"], lead["human_impact_assumed"]) == ("high", False)
    assert task["weaknesses"][1]["exposure_assumed"] is True
    assert lead["epss"] is None
    assert (lead["cvss_base"], task["status"]) == (9.8, "affected")


def test_the_table_prints_hostile_words_and_only_so_many_reasons(capsys):
    many = [pump(name=f"dev-{n}", model="Pump\x1b[2J") for n in range(MOST_REASONS + 2)]
    print_tasks(priority(audited(devices=many)))
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert f"{MOST_REASONS}. " in said
    assert f"{MOST_REASONS + 1}. " not in said
    assert f"all {MOST_REASONS + 2} are in --json" in said
    print_tasks(())
    assert "No device is affected" in capsys.readouterr().out
