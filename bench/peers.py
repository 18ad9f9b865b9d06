"""The peers: where their commands come from, and what each is asked to do.

Debian's packages are downloaded and unpacked, not installed; PyPI's go into an environment of
their own, ``.cache/bench-venv``. Only ``make bench`` comes here; what cannot be had is missing.
"""

from __future__ import annotations

import getpass
import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

PACKAGES = ("tcpdump", "tshark", "softflowd", "nfdump", "argus-server", "libndpi-bin")
_PATIENCE_S = 600
_NUMBER = re.compile(r"v?\d+\.\d")


class Peer(msgspec.Struct, frozen=True):
    """One tool like us."""

    name: str
    command: tuple[str, ...]
    does: str
    version: tuple[str, ...]
    """The command that tells its version."""
    slow: bool = False
    """Measured on a smaller mix, once; the figures are told by packet."""


def build(folder: Path, requirements: Path) -> None:
    """Get the peers' commands into ``folder``; whatever fails is told and stays missing."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "bin" / "pip").exists():
        _tried(sys.executable, "-m", "venv", str(folder))
    if not (folder / ".python").exists() and _tried(
        *(str(folder / "bin" / "pip"), "-q", "--disable-pip-version-check", "install"),
        *("-r", str(requirements)),
    ):
        (folder / ".python").touch()
    if not (folder / ".debian").exists() and shutil.which("apt-get") and shutil.which("dpkg-deb"):
        _debian(folder)


def _debian(folder: Path) -> None:
    """Unpack Debian's packages, with the libraries that are not installed here."""
    store = folder / "debs"
    store.mkdir(exist_ok=True)
    told = subprocess.run(
        ("apt-get", "-s", "install", "--no-install-recommends", *PACKAGES),
        capture_output=True, text=True, check=False, timeout=_PATIENCE_S,
    )  # fmt: skip
    wanted = [line.split()[1] for line in told.stdout.splitlines() if line.startswith("Inst ")]
    done = told.returncode == 0
    for name in wanted:
        done = _tried("apt-get", "-qq", "download", name, inside=store) and done
    for package in sorted(store.glob("*.deb")):
        done = _tried("dpkg-deb", "-x", str(package), str(folder / "debian")) and done
    if done:
        (folder / ".debian").touch()


def _tried(*command: str, inside: Path | None = None) -> bool:
    """Run a command of the set-up ⇒ whether it worked; what it complained about is shown."""
    try:
        done = subprocess.run(
            command, cwd=inside, capture_output=True, text=True, check=False, timeout=_PATIENCE_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        sys.stderr.write(f"bench: {error}\n")
        return False
    if done.returncode:
        sys.stderr.write(f"bench: {' '.join(command)}: {done.stderr.strip()[-300:]}\n")
    return done.returncode == 0


def environment(folder: Path) -> dict[str, str]:
    """Variables under which the peers' commands and libraries are found, ours first."""
    root = folder / "debian" / "usr"
    here = [str(p) for p in (folder / "bin", root / "bin", root / "sbin") if p.is_dir()]
    libraries = [str(p) for p in (root / "lib").glob("*-linux-gnu*")]
    path = os.pathsep.join([*here, os.environ.get("PATH", os.defpath)])
    known = [os.environ["LD_LIBRARY_PATH"]] if "LD_LIBRARY_PATH" in os.environ else []
    return {"PATH": path, "LD_LIBRARY_PATH": os.pathsep.join([*libraries, *known])}


def wanted(capture: Path, small: Path, work: Path, folder: Path) -> list[Peer]:
    """Every peer, whether it is there or not."""
    file, little = str(capture), str(small)
    python = str(folder / "bin" / "python")
    return [
        Peer(
            "tcpdump -w", ("tcpdump", "-Z", getpass.getuser(), "-r", file, "-w", "/dev/null"), "copies packets",
            ("tcpdump", "--version"),
        ),
        Peer("capinfos -c", ("capinfos", "-c", file), "counts packets", ("capinfos", "--version")),
        Peer(
            "softflowd",
            # a control socket makes 1.1.0 wait for ever before its first packet
            ("softflowd", "-d", "-6", "-r", file, "-p", str(work / "pid"), "-c", "none"),
            "flow records",
            ("softflowd", "-h"),
        ),
        Peer(
            "nfpcapd", ("nfpcapd", "-r", file, "-l", str(work)), "flow records, written",
            ("nfpcapd", "-V"),
        ),
        Peer(
            "argus", ("argus", "-X", "-r", file, "-w", "/dev/null"), "flow records, TCP state",
            ("argus", "-h"),
        ),
        Peer(
            "ndpiReader", ("ndpiReader", "-q", "-i", file), "flows, protocol of each",
            ("ndpiReader", "-h"),
        ),
        Peer("zeek", ("zeek", "-C", "-r", file), "default scripts, logs", ("zeek", "--version")),
        Peer(
            "suricata", ("suricata", "-r", file, "-l", str(work), "-S", "/dev/null"),
            "default events, no rules", ("suricata", "-V"),
        ),
        Peer(
            "nfstream", (python, "-m", "bench.loops", "nfstream", little), "flows, DPI",
            (python, "-m", "bench.loops", "version", "nfstream"), slow=True,
        ),
        Peer(
            "tshark -z conv,ip", ("tshark", "-r", little, "-q", "-z", "conv,ip"),
            "conversations", ("tshark", "--version"), slow=True,
        ),
        Peer(
            "tshark -T fields",
            (
                "tshark", "-r", little, "-T", "fields", "-e", "frame.number", "-e", "ip.src",
                "-e", "dns.qry.name", "-e", "dhcp.option.dhcp",
            ),
            "fields of DNS and DHCP", ("tshark", "--version"), slow=True,
        ),
        Peer(
            "dpkt loop", (python, "-m", "bench.loops", "dpkt", little), "Ethernet, IP, TCP or UDP",
            (python, "-m", "bench.loops", "version", "dpkt"), slow=True,
        ),
        Peer(
            "scapy PcapReader", (python, "-m", "bench.loops", "scapy", little), "every layer",
            (python, "-m", "bench.loops", "version", "scapy"), slow=True,
        ),
    ]  # fmt: skip


def there(peer: Peer, variables: dict[str, str]) -> bool:
    """Whether the peer can be run: its version is told without an error of the loader's."""
    program = shutil.which(peer.command[0], path=variables["PATH"])
    return program is not None and (peer.command[1:2] != ("-m",) or version(peer, variables) != "")


def version(peer: Peer, variables: dict[str, str]) -> str:
    """The first line with a number that the peer says of itself; "" it says none."""
    try:
        done = subprocess.run(
            peer.version,
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=False,
            errors="replace",
            timeout=60,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    if peer.version[1:2] == ("-m",) and done.returncode:
        return ""
    words = (done.stdout + " " + done.stderr).replace(",", " ").split()
    return next((w.strip("v():;") for w in words if _NUMBER.match(w)), "")
