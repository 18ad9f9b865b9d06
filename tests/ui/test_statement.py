"""wardwatch.ui.statement"""

import json

import pytest
from tests import demo_audits
from tests.advise.small import audited, finding, pump
from tests.ui.test_cli import CLIENT, arp_capture, wardwatch

from wardwatch.advise.priority import priority
from wardwatch.advise.vex import read_statement, render, statement
from wardwatch.ui.statement import MOST_REASONS, print_tasks, tasks_json

BY = ("--publisher", "Twin General", "--namespace", "https://twin.example")


@pytest.fixture(scope="module")
def day():
    made = demo_audits.days()
    return (made.clean, "--site", made.site, "--inventory", made.listed)


def test_vex_supersedes_what_was_written_before(day, tmp_path):
    before, after = tmp_path / "first.json", tmp_path / "second.json"
    first = statement(
        demo_audits.attacked(), publisher="Twin General", namespace="https://twin.example"
    )
    before.write_text(render(first), encoding="utf-8")
    made = wardwatch(
        "vex", *day, *BY, "--supersedes", before, "--date", "2030-01-01", "--out", after
    )
    assert made.returncode == 0, made.stderr
    assert "revision 2: 32 × fixed, 64 × known affected" in made.stderr.decode()
    assert after.stat().st_mode & 0o777 == 0o600
    tracking = read_statement(after)["document"]["tracking"]
    assert tracking["current_release_date"] == "2030-01-01T00:00:00Z"
    assert "Now holds: no_rogue_dhcp" in tracking["revision_history"][1]["summary"]


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


def test_priority_speaks_to_machines(day):
    told = wardwatch("priority", *day, "--json")
    assert told.returncode == 1
    machine = json.loads(told.stdout)
    assert [task["rank"] for task in machine] == list(range(1, 15))
    of_medfusion = [task for task in machine if task["advisory"] == "ICSMA-17-250-02A"]
    assert {task["decision"] for task in of_medfusion} == {"scheduled"}
    assert len(of_medfusion) == 8
    assert {task["advisory"] for task in machine if task["status"] == "unknown"} == {
        "ICSMA-17-017-01",
        "ICSMA-17-017-02",
        "ICSMA-20-170-06",
        "ICSMA-20-317-01",
        "ICSMA-21-294-01",
        "ICSMA-23-194-01",
    }


def test_priority_with_nothing_to_work_on_says_so(tmp_path):
    capture = tmp_path / "one.pcap"
    capture.write_bytes(arp_capture().replace(CLIENT, bytes.fromhex("f8b156000001")))
    told = wardwatch("priority", capture)
    assert told.returncode == 0, told.stderr
    assert b"No device is affected" in told.stdout


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
    many = [pump(name=f"dev-{n}", model="Medfusion 4000 \x1b[2J") for n in range(MOST_REASONS + 2)]
    print_tasks(priority(audited(devices=many)))
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert f"{MOST_REASONS}. " in said
    assert f"{MOST_REASONS + 1}. " not in said
    assert f"all {MOST_REASONS + 2} are in --json" in said
    print_tasks(())
    assert "No device is affected" in capsys.readouterr().out
