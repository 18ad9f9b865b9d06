"""A live ward in namespaces, and real clients on it: they see the published behaviour, and the audit the truth.

Nothing here leaves the namespaces that ``wardwatch twin up`` made for the test.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from wardwatch.model.values import NS
from wardwatch.twin import live, spaces, tls
from wardwatch.watch import Audit, audit

WHY_NOT = spaces.possible() if hasattr(os, "fork") else "no fork on this system"
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
SRC = str(Path(__file__).parents[2] / "src")


def needs(*tools: str) -> pytest.MarkDecorator:
    missing = [tool for tool in tools if not spaces.tool(tool)]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


END = ("closed by foreign host", "")
"""Of a telnet's script: the pump has ended it."""


class Ward:
    """``wardwatch twin up --json``, its last page, and its capture.

    Tests share a ward and depend on no order: they may be run by several processes.
    """

    def __init__(self, process: subprocess.Popen[str], capture: Path) -> None:
        self.process = process
        self.capture = capture
        self.page: dict = {}
        self.began = time.monotonic()

    def until(self, condition, pages: int = 120) -> dict:
        """The first page of which it is true; a page comes every second."""
        assert self.process.stdout is not None
        for _ in range(pages):
            line = self.process.stdout.readline()
            assert line, "the ward ended"
            self.page = json.loads(line)
            if condition(self.page):
                return self.page
        raise AssertionError(self.page)

    def newest(self) -> dict:
        """A page that was made after now; those that waited in the pipe are older."""
        now = time.monotonic() - self.began
        return self.until(lambda page: page["seconds"] > now + 0.5)

    def at(self, station: str, *command: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run a program where a station is."""
        program = spaces.tool(command[0])
        return subprocess.run(
            [spaces.tool("nsenter"), f"--net={self.page['doors'][station]}", program, *command[1:]],
            input=text, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    def telnet(self, address: str, port: int, *script: tuple[str, str]) -> str:
        """All that a real telnet shows: each line is typed when what stands before it was seen.

        The client leaves when its input ends, whatever is on its way to it; so its input stays
        open until the last words came. What never comes is an error, after a while.
        """
        door = f"--net={self.page['doors']['bench']}"
        shown, end = b"", time.monotonic() + 60
        with subprocess.Popen(
            [spaces.tool("nsenter"), door, spaces.tool("telnet"), address, str(port)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0,
        ) as client:  # fmt: skip
            assert client.stdin is not None
            assert client.stdout is not None
            try:
                for awaited, typed in script:
                    while awaited.encode() not in shown:
                        left = max(end - time.monotonic(), 0)
                        readable, _, _ = select.select([client.stdout], [], [], left)
                        piece = client.stdout.read(4096) if readable else b""
                        assert piece, f"{awaited!r} never came: {shown!r}"
                        shown += piece
                    client.stdin.write(typed.encode())
            finally:
                client.kill()
        return shown.decode()

    def bed(self, n: int) -> dict:
        return self.page["beds"][n - 1]

    def address(self, n: int) -> str:
        return self.bed(n)["radio"]["address"]

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=60)


@contextmanager
def up(folder: Path, *words: str, by: Callable[[list[str]], list[str]] = list) -> Iterator[Ward]:
    capture = folder / "ward.pcapng"
    command = [
        sys.executable, "-m", "wardwatch.ui.cli", "twin", "up", "--json", "--seconds", "200",
        "--interval", "5", "--boot", "1", "--capture", str(capture), *words,
    ]  # fmt: skip
    here = os.environ | {"PYTHONPATH": SRC, "TMPDIR": str(folder)}
    ward = Ward(subprocess.Popen(by(command), env=here, stdout=subprocess.PIPE, text=True), capture)
    try:
        ward.until(heard)
        yield ward
    finally:
        ward.stop()


def heard(page: dict) -> bool:
    known = {pump["serial"] for pump in page["fleet"]["pumps"]}
    return all(bed["serial"] in known and bed["radio"]["connected"] for bed in page["beds"])


SITE = """
name = "Live Ward"
[[zone]]
name = "pumps"
subnets = ["10.77.0.0/24"]
permitted_kinds = ["infusion pump", "workstation", "server"]
pumps = true
confirmed_by = "clinical engineering"
confirmed_on = "{date}"
[[server]]
role = "dhcp"
ip = "10.77.0.5"
macs = ["00:50:56:77:00:05"]
confirmed_by = "clinical engineering"
confirmed_on = "{date}"
[[server]]
role = "dns"
ip = "10.77.0.5"
confirmed_by = "clinical engineering"
confirmed_on = "{date}"
[[server]]
role = "pump_server"
ip = "10.77.0.20"
confirmed_by = "clinical engineering"
confirmed_on = "{date}"
[[root]]
pem = '''
{root}'''
confirmed_by = "clinical engineering"
confirmed_on = "{date}"
"""


def audited(ward: Ward, folder: Path, root: str) -> Audit:
    """The audit of what the mirror port saw, with a site file that somebody confirmed."""
    from datetime import UTC, datetime

    site = folder / "site.toml"
    site.write_text(SITE.format(date=f"{datetime.now(UTC):%Y-%m-%d}", root=root), "utf-8")
    return audit([ward.capture], site=site, key_file=folder / "key")


def roots(folder: Path) -> str:
    (path,) = folder.glob("wardwatch-twin-*/roots.pem")
    return path.read_text("ascii")


def states(result: Audit, measure: str, subject: str = "") -> set[str]:
    return {v.state.value for v in result.verdicts if v.measure == measure and subject in v.subject}


def found(result: Audit, technique: str) -> list[str]:
    return [f.actor or "" for f in result.findings if f.technique == technique]


# A ward with external communications switched on -----------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("live")
    for parent in (made, *made.parents):
        if parent.name.startswith("pytest") and parent.stat().st_uid == os.geteuid():
            parent.chmod(0o755)  # vsftpd's anonymous user must be able to reach its root
    return made


@pytest.fixture(scope="module")
def ward(folder: Path) -> Iterator[Ward]:
    words = ("--pumps", "3", "--version", "1.1.2", "--external", "--files", "--no-tls")
    with up(folder, *words) as running:
        yield running


STATIC, STOCK, ASKS = 1, 2, 3
"""Pump 1 has external communications on, 2 is as delivered, 3 asks for an address."""


@needs("nft", "nmap")
def test_c1_a_stock_pump_is_silent_but_for_3210(ward: Ward) -> None:
    ports = "20,21,22,23,80,1580,2200,3210,9100"
    ran = ward.at("bench", "nmap", "-n", "-Pn", "-sT", "--max-retries", "1", "--reason",
                  "-p", ports, "10.77.0.102")  # fmt: skip
    rows = dict(line.split()[:2] for line in ran.stdout.splitlines() if "/tcp" in line)
    assert rows.pop("3210/tcp") == "open"
    assert len(rows) == 8
    assert set(rows.values()) == {"filtered"}
    assert "reset" not in ran.stdout


@needs("nmap")
def test_c2_service_probes_know_the_external_communications(ward: Ward) -> None:
    ran = ward.at("bench", "nmap", "-n", "-Pn", "-sV", "--version-intensity", "0",
                  "-p", "23,2200", "10.77.0.101")  # fmt: skip
    rows = {line.split("/")[0]: line for line in ran.stdout.splitlines() if "/tcp " in line}
    assert {port: row.split()[1] for port, row in rows.items()} == dict.fromkeys(
        ("23", "2200"), "open"
    )
    assert rows["23"].split()[2].startswith("telnet")
    assert rows["2200"].split()[2].rstrip("?") == "ici"


@needs("telnet")
def test_c2_telnet_shows_the_banner_and_asks_for_a_password(ward: Ward) -> None:
    shown = ward.telnet("10.77.0.101", 23, ("password:", "not the password\r\n"), END)
    assert "RTCS v2.96.00 Telnet server" in shown
    assert "Welcome to the Medfusion 4000 Configuration Interface" in shown


@needs("telnet")
def test_c1_3210_answers_any_line_with_the_serial_number(ward: Ward) -> None:
    answer = f"{{{ward.bed(STOCK)['serial']},????,invalid,-1,1618}}"
    assert answer in ward.telnet("10.77.0.102", 3210, ("", "hello\r\n"), (answer, ""))


@needs("ftp")
def test_c3_a_real_ftp_client_reads_files_in_active_mode_without_login(
    ward: Ward, folder: Path
) -> None:
    target = folder / "config.xml"
    # "ls" first, as a person would; the client is told not to log in (-n) and to be active (-A).
    script = f"quote HELP\nls\nget CONFIG.XML {target}\nquit\n"
    ran = ward.at("bench", "ftp", "-A", "-n", "-v", "10.77.0.101", text=script)
    assert "220 RTCS FTP Ready" in ran.stdout
    assert "Direct comments to ARC International" in ran.stdout
    assert "HEAD_F~1" in ran.stdout
    assert b"<Medfusion3600Configuration>" in target.read_bytes()
    label = ["CVE-2017-12723", "configuration read"]
    assert ward.until(lambda page: label in page["beds"][0]["labels"])


@needs("curl")
def test_c3_a_login_that_is_wrong_ends_in_goodbye(ward: Ward) -> None:
    ran = ward.at("bench", "curl", "-sS", "-v", "--max-time", "20", "ftp://10.77.0.101/")
    # curl takes any 2xx after PASS for a login, goes on, and finds nobody.
    assert (ran.returncode, ran.stdout) == (56, "")
    assert "< 331 Looking up password" in ran.stderr
    assert "< 221 Goodbye!" in ran.stderr


@needs("vsftpd", "curl")
def test_the_hospital_s_own_file_server_is_a_real_one(ward: Ward) -> None:
    ran = ward.at("bench", "curl", "-sS", "--max-time", "20", "ftp://10.77.0.25/hello.txt")
    assert ran.stdout == "constant filler\n", ran.stderr


@needs("dnsmasq")
def test_c18_one_pump_asks_a_real_dhcp_server_and_is_bound(ward: Ward) -> None:
    radio = ward.bed(ASKS)["radio"]
    assert radio["lease"] == "BOUND"
    assert 150 <= int(radio["address"].rpartition(".")[2]) <= 199
    assert [ward.bed(n)["radio"]["lease"] for n in (STATIC, STOCK)] == ["", ""]


@needs("dnsmasq")
def test_c20_after_a_silence_it_has_the_address_it_had(ward: Ward) -> None:
    before = {n: ward.address(n) for n in (STOCK, ASKS)}
    cables = [ward.page["cables"][f"pump-{n}"] for n in (STOCK, ASKS)]
    for cable in cables:
        assert ward.at("switch", "ip", "link", "set", cable, "down").returncode == 0
    ward.newest()
    for cable in cables:
        assert ward.at("switch", "ip", "link", "set", cable, "up").returncode == 0
    ward.newest()
    page = ward.until(
        lambda page: heard(page) and page["beds"][ASKS - 1]["radio"]["lease"] == "BOUND"
    )
    assert {n: page["beds"][n - 1]["radio"]["address"] for n in before} == before


# What its mirror port saw -----------------------------------------------------------------------


@needs("dnsmasq", "nft", "ftp", "telnet", "tshark")
def test_the_mirror_port_saw_what_was_done_and_the_audit_says_so(tmp_path: Path) -> None:
    """Files read without a login, a telnet banner, a pump that walks: nothing else happened."""
    words = ("--pumps", "3", "--version", "1.1.2", "--external", "--no-tls")
    with up(tmp_path, *words) as ward:
        ran = ward.at("bench", "ftp", "-A", "-n", "10.77.0.101",
                      text=f"binary\nget CONFIG.XML {tmp_path / 'config.xml'}\nquit\n")  # fmt: skip
        assert (tmp_path / "config.xml").stat().st_size == 1764, ran.stdout
        ward.telnet("10.77.0.101", 23, ("password:", "not the password\r\n"), END)
        cable = ward.page["cables"][f"pump-{ASKS}"]
        for state in ("down", "up"):
            ward.at("switch", "ip", "link", "set", cable, state)
            ward.newest()
        ward.until(heard)
        page = ward.until(lambda page: all(p["reports"] >= 4 for p in page["fleet"]["pumps"]))
        reports = sum(p["reports"] for p in page["fleet"]["pumps"])
        asked = [bed["radio"]["asked"] for bed in page["beds"]]
        root = roots(tmp_path)
        ward.stop()
    result = audited(ward, tmp_path, root)
    assert not result.damaged
    assert (result.malformed, result.packets) == (0, result.decoded + result.skipped)

    asks = "dev-001a01770103"
    assert {"dev-001a01770101", "dev-001a01770102", asks} <= {d.id for d in result.devices}
    # C-18: one pump alone sends DHCP, and is told apart from those with an address of their own.
    rows = result.tables.ask("SELECT DISTINCT chaddr FROM dhcp WHERE op = 1")
    assert [row.chaddr for row in rows] == ["00:1a:01:77:01:03"]
    assert states(result, "static_address", asks) == {"broken"}
    assert "broken" not in states(result, "static_address", "dev-001a01770101")
    # C-20: back from its walk it asked for the address it had, and for no other.
    rows = result.tables.ask("SELECT DISTINCT yiaddr FROM dhcp WHERE op = 2 AND msg_type = 'ACK'")
    assert len(rows) == 1
    # C-19: questions are for connections (a first one may come before the server listens).
    (row,) = result.tables.ask("SELECT count(*) AS n FROM dns WHERE NOT is_response")
    assert row.n == sum(asked) < reports

    assert found(result, "ftp_without_login")
    assert found(result, "configuration_in_clear")
    assert found(result, "telnet")
    for quiet in ("rogue_dhcp", "rogue_dns", "rogue_router", "arp_impersonation",
                  "dhcp_overflow", "dns_overread", "certificate_accepted"):  # fmt: skip
        assert found(result, quiet) == [], quiet

    checks = [f"-o{proto}.check_checksum:TRUE" for proto in ("ip", "tcp", "udp")]
    complaint = "_ws.malformed or tcp.checksum.status == 0 or udp.checksum.status == 0"
    ran = subprocess.run(
        [spaces.tool("tshark"), "-n", "-r", str(ward.capture), *checks, "-Y",
         f"{complaint} or ip.checksum.status == 0"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ran.stdout == ""


# Wards that somebody has entered -----------------------------------------------------------------


def entered(folder: Path, until, *words: str) -> tuple[Audit, dict]:
    """The audit of a short ward, and its last page."""
    capture = folder / "ward.pcapng"
    command = [
        sys.executable, "-m", "wardwatch.ui.cli", "twin", "up", "--json", "--seconds", "100",
        "--interval", "5", "--capture", str(capture), *words,
    ]  # fmt: skip
    here = os.environ | {"PYTHONPATH": SRC, "TMPDIR": str(folder)}
    ward = Ward(subprocess.Popen(command, env=here, stdout=subprocess.PIPE, text=True), capture)
    try:
        page = ward.until(until)
        root = roots(folder)
    finally:
        ward.stop()
    return audited(ward, folder, root), page


def opened_as_published(result: Audit) -> None:
    """Every hello of a pump: TLS 1.0 and not one extension (C-5), of the suites that are left."""
    rows = result.tables.ask(
        "SELECT DISTINCT client_version, version, ciphers, extensions, server_name FROM tls"
    )
    # openssl speaks with one at a time: who waits for it has no answer yet.
    assert {row.version for row in rows} - {-1} == {0x0301}
    for row in rows:
        assert row.client_version == 0x0301
        assert (list(row.extensions), row.server_name) == ([], "")
        assert row.ciphers[:2] == [0x0039, 0x0038]


@pytest.mark.skipif(not tls.speaks_oldest(), reason="no TLS 1.0 in this system's library")
@needs("dnsmasq")
def test_c5_a_pump_of_the_product_s_versions_reports_over_the_published_tls(tmp_path: Path) -> None:
    result, page = entered(tmp_path, heard, "--pumps", "1", "--version", "1.6.0", "--tls")
    assert page["beds"][0]["labels"] == []
    assert "TLS 1.0" not in page["missing"]
    opened_as_published(result)
    assert found(result, "certificate_accepted") == []


@needs("dnsmasq", "dhcpd", "openssl")
def test_a_rogue_and_an_impostor_are_seen_as_what_they_are(tmp_path: Path) -> None:
    label = ["CVE-2017-12721", "session with an unproven server"]
    said = {}

    def done(page: dict) -> bool:
        """The pump has taken the impostor for its server, and the rogue has made its offer."""
        for log in tmp_path.glob("wardwatch-twin-*/*.log"):
            said[log.name] = log.read_text("ascii", "replace")
        over = "Ciphersuite" in said["openssl.log"] and "DHCPOFFER" in said["dhcpd.log"]
        return over and label in page["beds"][0]["labels"] and page["packets"] > 30

    result, page = entered(
        tmp_path, done, "--pumps", "2", "--version", "1.5.0", "--tls", "--rogue", "--impostor",
    )  # fmt: skip
    assert {"dnsmasq", "dhcpd", "openssl"} <= set(page["peers"])
    if tls.speaks_oldest():
        opened_as_published(result)
        assert "Protocol version: TLSv1\n" in said["openssl.log"]
    assert any("b8:27:eb:77:00:67" in actor for actor in found(result, "rogue_dhcp"))
    assert states(result, "no_rogue_dhcp") == {"broken"}
    assert any("b8:27:eb:77:00:66" in actor for actor in found(result, "certificate_accepted"))
    assert states(result, "certificate_validation", "dev-001a01770101") == {"broken"}
    assert found(result, "ftp_without_login") == []


@needs("dnsmasq", "dhcpd")
def test_s1_a_real_server_s_oversize_option_ends_in_its_label_and_therapy_goes_on(
    tmp_path: Path,
) -> None:
    """ISC dhcpd sends 200 octets of filler as option 66; which label follows is a seeded choice."""
    result, page = entered(
        tmp_path,
        lambda page: page["beds"][0]["labels"] and page["beds"][0]["page"]["phase"] == "running",
        "--pumps", "1", "--version", "1.6.0", "--option-66", "200", "--boot", "1",
    )  # fmt: skip
    assert {cve for cve, _ in page["beds"][0]["labels"]} == {"CVE-2017-12718"}
    assert {state for _, state in page["beds"][0]["labels"]} <= {"crashed", "compromised"}
    assert (page["beds"][0]["page"]["stalls"], page["beds"][0]["watchdog"]) == (0, [])
    assert any("b8:27:eb:77:00:67" in actor for actor in found(result, "dhcp_overflow"))


def test_s2_an_answer_that_over_reads_ends_in_its_label_and_the_pump_reports_again(
    tmp_path: Path,
) -> None:
    """A resolver of ours plants 8,192 records of which one is there, filler; then it answers truly."""
    result, page = entered(
        tmp_path,
        lambda page: page["beds"][0]["labels"] and heard(page)
        and page["beds"][0]["page"]["phase"] == "running",
        "--pumps", "1", "--version", "1.6.0", "--over-read", "--boot", "1",
    )  # fmt: skip
    bed = page["beds"][0]
    assert bed["labels"] == [["CVE-2017-12722", "crashed"]]
    assert bed["restarts"] == 1
    assert (bed["page"]["stalls"], bed["watchdog"]) == (0, [])
    (actor,) = found(result, "dns_overread")
    assert "b8:27:eb:77:00:68" in actor
    assert any("b8:27:eb:77:00:68" in actor for actor in found(result, "rogue_dns"))
    assert found(result, "rogue_dhcp") == []
    (planted,) = result.tables.ask("SELECT ancount FROM dns WHERE is_response AND ancount > 1")
    assert planted.ancount == 0x2000


def test_s2_a_version_that_is_mended_takes_the_same_answer_for_none(tmp_path: Path) -> None:
    result, page = entered(tmp_path, heard, "--pumps", "1", "--version", "1.6.1", "--over-read")
    assert (page["beds"][0]["labels"], page["beds"][0]["restarts"]) == ([], 0)
    assert found(result, "dns_overread")
    # Nothing of it was believed: it asked again before what was planted would have been forgotten.
    first, second, *_ = result.tables.ask("SELECT ts FROM dns WHERE NOT is_response ORDER BY ts")
    assert second.ts - first.ts < live.DNS_TTL_S * NS


@needs("dnsmasq", "openssl")
@pytest.mark.parametrize(("version", "state"), [("1.6.1", "holds"), ("hardened", "not observable")])
def test_s15_a_version_that_verifies_refuses_a_real_impostor(
    tmp_path: Path, version: str, state: str
) -> None:
    """What 1.6.1 does is the vendor's word; TLS 1.3 of hardened hides the chain from a capture."""
    result, page = entered(
        tmp_path, lambda page: page["beds"][0]["radio"]["notices"], "--pumps", "1",
        "--version", version, "--impostor",
    )  # fmt: skip
    assert "certificate refused" in page["beds"][0]["radio"]["notices"][0]
    assert page["beds"][0]["labels"] == []
    assert page["fleet"]["pumps"] == []
    assert states(result, "certificate_validation", "dev-001a01770101") == {state}
    assert found(result, "certificate_accepted") == []


# Without root ------------------------------------------------------------------------------------

NOBODY = 65534


def as_nobody(folder: Path, *command: str) -> list[str]:
    """A command of somebody who is not root and has no capability, whose folder that is."""
    folder.chmod(0o777)
    for parent in folder.parents:  # those that pytest made, alone or for a worker of several
        if parent.name.startswith(("pytest", "popen")) and parent.stat().st_uid == os.geteuid():
            parent.chmod(0o755)
    drop = ("--clear-groups", "--inh-caps", "-all", "--bounding-set", "-all", "--no-new-privs")
    who = ("--reuid", str(NOBODY), "--regid", str(NOBODY))
    return [spaces.tool("setpriv"), *who, *drop, *command]


def shut_out(folder: Path) -> str:
    """Why nobody may not have a ward in namespaces here; "" if he may."""
    script = "from wardwatch.twin import spaces; print(spaces.privileged(), spaces.possible())"
    ran = subprocess.run(
        as_nobody(folder, sys.executable, "-c", script), capture_output=True, text=True,
        check=False, env=os.environ | {"PYTHONPATH": SRC},
    )  # fmt: skip
    assert not ran.stdout.startswith("True"), "nobody is root here"
    return ran.stdout.removeprefix("False").strip() if ran.returncode == 0 else ran.stderr[-200:]


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0 or not spaces.tool("setpriv"),
    reason="only root can become somebody else",
)
@needs("dnsmasq", "nmap")
def test_a_user_without_rights_has_a_ward_in_namespaces_of_his_own(tmp_path: Path) -> None:
    if why := shut_out(tmp_path):
        pytest.skip(f"an ordinary user may not: {why}")
    words = ("--pumps", "2", "--version", "1.1.2", "--files", "--no-tls")
    with up(tmp_path, *words, by=lambda command: as_nobody(tmp_path, *command)) as ward:
        assert ward.page["where"] == "namespaces of a user's own"
        assert ward.bed(2)["radio"]["lease"] == "BOUND"
        assert [one for one in ward.page["missing"] if "vsftpd" in one]
        ids = Path(f"/proc/{ward.process.pid}/status").read_text("ascii").splitlines()
        assert [one.split()[1] for one in ids if one.startswith("Uid:")] == [str(NOBODY)]
        ran = ward.at("bench", "nmap", "-n", "-Pn", "-sT", "-p", "23,3210", "10.77.0.101")
        rows = dict(line.split()[:2] for line in ran.stdout.splitlines() if "/tcp" in line)
        assert rows == {"23/tcp": "filtered", "3210/tcp": "open"}
        root = roots(tmp_path)
        ward.stop()
    result = audited(ward, tmp_path, root)
    assert not result.damaged
    assert {"dev-001a01770101", "dev-001a01770102"} <= {d.id for d in result.devices}
    assert result.findings == ()
    assert not list(tmp_path.glob("wardwatch-twin-*"))
