"""wardwatch.ui.render"""

import json
import re
import shutil
import subprocess
from pathlib import Path

import jsonschema
import msgspec
import pytest
from markupsafe import Markup
from tests.ui import audits

from wardwatch.errors import OutputError
from wardwatch.model.report import schema
from wardwatch.ui import render
from wardwatch.ui.report import build

CHROMIUM = shutil.which("chromium")


def test_the_json_keeps_its_published_schema() -> None:
    value = json.loads(b"".join(render.report_json(build(audits.make()))))
    jsonschema.validate(value, schema())
    del value["answer"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(value, schema())


@pytest.mark.parametrize("at_once", [1, 2, 3, 1_000])
def test_pieces_are_the_whole_as_it_would_be_laid_out(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = build(audits.make())
    report = msgspec.structs.replace(report, site="two\nlines", devices=report.devices * 5)
    monkeypatch.setattr(render, "AT_ONCE", at_once)
    pieces = [*render.report_json(report)]
    assert len(pieces) > len(report.devices) // at_once
    whole = msgspec.json.format(msgspec.json.encode(report), indent=1)
    assert b"".join(pieces) == whole + b"\n"


def test_text_from_outside_stays_text_in_the_page() -> None:
    html = render.page(build(audits.make()))
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert not re.search(r"\s(style|on\w+)=", html)


def test_the_page_asks_nothing_of_anybody() -> None:
    html = render.page(build(audits.make()))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy
    assert (
        policy[1].startswith("default-src 'none'; style-src &#39;sha256-")
        or "default-src 'none'" in policy[1]
    )
    assert "unsafe" not in policy[1]
    assert not re.search(r"(src|href)=", html)


def test_the_first_page_keeps_the_order_of_the_measures_note() -> None:
    html = render.page(build(audits.make()))
    places = [
        html.index(word)
        for word in (
            "bedside first",
            "act today",
            "What was seen",
            "Do first",
            ">Pumps<",
            ">Measures<",
            "Not shown",
            "Assumed",
            "Report to:",
        )
    ]
    assert places == sorted(places)


@pytest.mark.parametrize("files", [1, 7])
def test_a_damaged_file_is_named_above_what_was_seen(files: int) -> None:
    report = build(audits.make())
    (capture, *_) = report.captures
    hurt = msgspec.structs.replace(
        capture, name="cut<b>.pcap", damage=("byte 70: the file ends inside <i>", "byte 90: more")
    )
    plain = msgspec.structs.replace(capture, damage=())
    head, _, _ = render.page(msgspec.structs.replace(report, captures=(plain,))).partition("<h2>")
    assert "Damaged" not in head
    told = msgspec.structs.replace(report, captures=(plain, *[hurt] * files))
    head, _, _ = render.page(told).partition("<h2>")
    damaged = head[head.index("Damaged") :]
    assert damaged.count("byte 70: the file ends inside &lt;i&gt;") == min(files, 5)
    assert damaged.count("cut&lt;b&gt;.pcap") == min(files, 5)
    assert ("and 2 more files" in damaged) is (files == 7)


def test_control_characters_are_shown_not_obeyed() -> None:
    assert render.shown("a\x1b[31mb\u202ec") == "a\\x1b[31mb\\u202ec"
    escaped = render.shown(Markup("<b>"))  # nobody from outside says that it is escaped
    assert (escaped, type(escaped)) == ("<b>", str)


@pytest.mark.parametrize(("count", "said"), [(1, "1 anomaly in"), (2, "2 anomalies in")])
def test_one_anomaly_is_one(count: int, said: str) -> None:
    report = msgspec.structs.replace(build(audits.make()), anomalies=count)
    assert said in render.summary_text(report, None)


def test_the_summary_fits_a_terminal_and_obeys_no_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    out = render.summary_text(build(audits.make()), None)
    assert "ACT TODAY" in out
    assert "30 packets = 28 decoded + 1 skipped + 1 malformed" in out
    assert len(out.splitlines()) <= 40
    assert max(map(len, out.splitlines())) <= 100


def test_names_and_macs_are_not_broken_in_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    made = audits.make()
    names = ("dhcp_overflow", "configuration_in_clear", "ftp_without_login")
    findings = tuple(
        msgspec.structs.replace(
            made.findings[0], technique=name, actor="b8:27:eb:e8:00:66 10.1.0.9"
        )
        for name in names
    )
    out = render.summary_text(build(msgspec.structs.replace(made, findings=findings)), None)
    cells = {cell for line in out.splitlines() for cell in line.split()}
    assert {"dhcp_overflow", "configuration_", "in_clear", "b8:27:eb:e8:00:66"} <= cells
    assert max(map(len, out.splitlines())) <= 80


def test_reports_are_written_whole(tmp_path: Path) -> None:
    render.write_report(tmp_path, [b"{", b"}"], "<p>é</p>")
    assert (tmp_path / "report.json").read_bytes() == b"{}"
    assert (tmp_path / "report.html").read_bytes() == "<p>é</p>".encode()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["report.html", "report.json"]
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot be written"):
        render.write_report(tmp_path / "file", [b"{}"], "")


def test_secrets_are_not_shown_in_tables(capsys: pytest.CaptureFixture[str]) -> None:
    from wardwatch.observe.tables import Tables

    tables = Tables.of(logins=[dict(capture=1, packet=2, ts=audits.T0, secret="ab" * 32, user="x")])
    render.print_table(tables, "logins", 10)
    out = capsys.readouterr().out
    assert "user=x" in out
    assert "abab" not in out


@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")
def test_a_planted_script_stays_text_in_a_real_browser(tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    render.write_report(tmp_path, [b"{}"], render.page(build(audits.make())))
    flags = [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        "--no-first-run",
    ]
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=flags)
        try:
            page = browser.new_page()
            refused: list[str] = []
            page.on("console", lambda message: refused.append(message.text))
            page.goto((tmp_path / "report.html").as_uri())
            assert page.title() == "wardwatch: report"
            assert page.evaluate("document.scripts.length") == 0
            assert audits.SCRIPT in page.inner_text("body")
            assert (
                page.evaluate("getComputedStyle(document.querySelector('.answer')).color")
                == "rgb(255, 255, 255)"
            )
            assert refused == []
            page.screenshot(path=tmp_path / "page.png", full_page=True)
            assert (tmp_path / "page.png").stat().st_size > 20_000
            page.pdf(path=tmp_path / "page.pdf", format="A4")
        finally:
            browser.close()
    if shutil.which("pdfinfo"):
        told = subprocess.run(
            ["pdfinfo", tmp_path / "page.pdf"], capture_output=True, text=True, check=True
        ).stdout
        assert "A4" in told
