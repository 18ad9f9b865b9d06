"""A real FTP server in a namespace of its own: what it refuses is no finding, what it allows is a login."""

import os
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from wardwatch.watch import Audit, audit

NEEDED = ("ip", "vsftpd", "dumpcap")
MISSING = [
    tool for tool in NEEDED if shutil.which(tool) is None and not Path(f"/usr/sbin/{tool}").exists()
]
pytestmark = pytest.mark.skipif(
    bool(MISSING) or not hasattr(os, "geteuid") or os.geteuid() != 0,
    reason=f"needs root, and Debian's iproute2, vsftpd and wireshark-common (missing: {MISSING})",
)

CLIENT = """
import socket, sys, time
def talk(lines):
    with socket.create_connection(("127.0.0.1", 21), timeout=5) as s:
        f = s.makefile("rwb", buffering=0)
        print(f.readline())
        for line in lines:
            f.write(line.encode() + b"\\r\\n")
            print(line, f.readline())
def passive(user):
    with socket.create_connection(("127.0.0.1", 21), timeout=5) as s:
        f = s.makefile("rwb", buffering=0)
        f.readline()
        for line in (f"USER {user}", "PASS guest@", "PASV"):
            f.write(line.encode() + b"\\r\\n")
            reply = f.readline()
        numbers = reply[reply.index(b"(") + 1 : reply.index(b")")].split(b",")
        port = int(numbers[4]) * 256 + int(numbers[5])
        with socket.create_connection(("127.0.0.1", port), timeout=5) as d:
            f.write(b"RETR hello.txt\\r\\n")
            print(f.readline(), d.recv(100))
        print(f.readline())
        f.write(b"QUIT\\r\\n")
        f.readline()
talk(["PASV", "LIST", "RETR hello.txt", "QUIT"])
passive("anonymous")
"""
CONF = """
listen=YES
listen_ipv6=NO
anonymous_enable=YES
local_enable=NO
anon_root={root}
secure_chroot_dir={empty}
seccomp_sandbox=NO
background=NO
run_as_launching_user=NO
"""


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audit]:
    """The audit of a capture of a real client and a real server."""
    folder = tmp_path_factory.mktemp("vsftpd")
    folder.chmod(0o755)
    root, empty = folder / "root", folder / "empty"
    root.mkdir(mode=0o755)
    empty.mkdir(mode=0o555)
    (root / "hello.txt").write_text("constant filler\n")
    (folder / "vsftpd.conf").write_text(CONF.format(root=root, empty=empty))
    for parent in (folder, *folder.parents):
        if parent.name.startswith("pytest") and parent.stat().st_uid == os.geteuid():
            parent.chmod(0o755)  # the anonymous user must be able to reach its root
    space = f"wardwatch-ftp-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", space], check=True)
    inside = ["ip", "netns", "exec", space]
    running: list[subprocess.Popen[bytes]] = []
    try:
        subprocess.run([*inside, "ip", "link", "set", "lo", "up"], check=True)
        capture = folder / "ftp.pcapng"
        sniffer = subprocess.Popen(
            [*inside, "dumpcap", "-q", "-i", "lo", "-w", str(capture), "-a", "duration:60"],
            stderr=subprocess.PIPE,
        )
        running.append(sniffer)
        assert sniffer.stderr is not None
        for line in sniffer.stderr:
            if line.startswith(b"File:"):
                break
        server = shutil.which("vsftpd") or "/usr/sbin/vsftpd"
        running.append(subprocess.Popen([*inside, server, str(folder / "vsftpd.conf")]))
        ran = subprocess.run(
            [*inside, sys.executable, "-c", WAIT + CLIENT],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert "530" in ran.stdout
        assert "226" in ran.stdout
        for _ in range(200):  # dumpcap hands its packets over in bursts
            if b"constant filler" in capture.read_bytes():
                break
            select.select([], [], [], 0.05)
        sniffer.terminate()
        sniffer.wait(timeout=20)
        yield audit([capture], key_file=folder / "key")
    finally:
        for process in running:
            if process.poll() is None:
                process.terminate()
            process.wait(timeout=20)
            if process.stderr is not None:
                process.stderr.close()
        subprocess.run(["ip", "netns", "del", space], check=True)


WAIT = """
import select, socket
for _ in range(200):
    try:
        socket.create_connection(("127.0.0.1", 21), timeout=5).close()
        break
    except OSError:
        select.select([], [], [], 0.05)
"""


def test_a_refused_transfer_before_login_is_no_transfer(heard: Audit) -> None:
    rows = heard.tables.ask(
        "SELECT command, begin_code, end_code, before_login FROM transfers ORDER BY packet"
    )
    refused = [r for r in rows if r.before_login]
    assert [r for r in refused if r.begin_code in (125, 150)] == []
    assert not [f for f in heard.findings if f.technique == "ftp_without_login"]


def test_the_anonymous_login_and_its_transfer_are_read_as_such(heard: Audit) -> None:
    (login,) = heard.tables.ask(
        "SELECT user, anonymous, outcome, secret FROM logins WHERE outcome = 'success'"
    )
    assert (login.user, login.anonymous) == ("anonymous", True)
    (got,) = heard.tables.ask(
        "SELECT path, mode, begin_code, end_code, before_login FROM transfers WHERE end_code = 226"
    )
    assert (got.path, got.mode, got.begin_code, got.before_login) == (
        "hello.txt",
        "passive",
        150,
        False,
    )


def test_the_banner_is_the_servers_own(heard: Audit) -> None:
    texts = [r.text for r in heard.tables.ask("SELECT text FROM banners WHERE protocol = 'ftp'")]
    assert texts
    assert all("vsFTPd" in text for text in texts)
