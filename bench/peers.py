"""The peers: where their commands come from, and what each is asked to do.

Debian's packages are downloaded and unpacked, not installed; PyPI's go into an environment of
their own, ``.cache/bench-venv``. Suricata 7 comes from Debian's release ``NEWER`` where the machine
runs an older one, with a C library and loader of its own. A Zeek on the PATH is used: Debian has
none. Only ``make bench`` comes here; what cannot be had is missing.
"""

from __future__ import annotations

import getpass
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec

PACKAGES = ("tcpdump", "tshark", "softflowd", "nfdump", "argus-server", "libndpi-bin")
NEWER = "trixie"
"""Debian's first release with Suricata 7; the sources of ``OLDER`` ones are read as its own."""
OLDER = ("bullseye", "bookworm")
_PATIENCE_S = 600
_SUITE = re.compile(rf"(?<=\s)(?:{'|'.join(OLDER)})(?=[-/\s]|$)")
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
    if not (folder / ".suricata").exists() and shutil.which("apt-get") and shutil.which("dpkg-deb"):
        _apart(folder, "suricata")


def _debian(folder: Path) -> None:
    """Unpack Debian's packages, with the libraries that are not installed here."""
    if _unpacked(("apt-get",), PACKAGES, folder / "debs", folder / "debian"):
        (folder / ".debian").touch()


def _apart(folder: Path, package: str) -> None:
    """Unpack a package of ``NEWER`` with everything it needs, down to the C library.

    apt gets folders of its own, in which nothing is installed: it names every dependency, and the
    machine's lists stay as they are.
    """
    own = folder / "apt"
    for part in ("lists/partial", "cache/archives/partial", "sources"):
        (own / part).mkdir(parents=True, exist_ok=True)
    (own / "status").touch()
    for file in _sources(Path("/etc/apt")):
        text = rewritten(file.read_text(encoding="utf-8", errors="replace"))
        (own / "sources" / file.name).write_text(text, encoding="utf-8")
    apt = apt_apart(own)
    # A source that does not know the release fails; whether the others suffice is seen below.
    _tried(*apt, "-qq", "update")
    if _unpacked(apt, (package,), folder / f"{package}-debs", folder / package):
        (folder / f".{package}").touch()


def _sources(etc: Path) -> list[Path]:
    """The machine's lists of package sources, in both forms (sources.list(5))."""
    parts = etc / "sources.list.d"
    found = [etc / "sources.list", *parts.glob("*.list"), *parts.glob("*.sources")]
    return [file for file in found if file.is_file()]


def rewritten(sources: str) -> str:
    """A list of package sources with ``NEWER`` for the suites of an older release; else as it is."""
    return _SUITE.sub(NEWER, sources)


def apt_apart(own: Path) -> tuple[str, ...]:
    """apt-get with lists, cache and sources under ``own``, where nothing is installed."""
    options = {
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": str(own / "sources"),
        "Dir::State": str(own),
        "Dir::State::lists": str(own / "lists"),
        "Dir::State::status": str(own / "status"),
        "Dir::Cache": str(own / "cache"),
        "Debug::NoLocking": "1",
        "APT::Sandbox::User": getpass.getuser(),
    }
    return ("apt-get", *(word for name in options for word in ("-o", f"{name}={options[name]}")))


def _unpacked(apt: tuple[str, ...], packages: tuple[str, ...], store: Path, target: Path) -> bool:
    """Download packages with what apt says they need into ``store``, unpack ⇒ whether all came."""
    store.mkdir(exist_ok=True)
    told = subprocess.run(
        (*apt, "-s", "install", "--no-install-recommends", *packages),
        capture_output=True, text=True, check=False, timeout=_PATIENCE_S,
    )  # fmt: skip
    if told.returncode:
        sys.stderr.write(f"bench: {' '.join(packages)}: {told.stderr.strip()[-300:]}\n")
    wanted = [line.split()[1] for line in told.stdout.splitlines() if line.startswith("Inst ")]
    done = told.returncode == 0
    if wanted:
        done = _tried(*apt, "-qq", "download", *wanted, inside=store) and done
    for package in sorted(store.glob("*.deb")):
        done = _tried("dpkg-deb", "-x", str(package), str(target)) and done
    return done


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


def suricata(root: Path) -> tuple[str, ...]:
    """Suricata unpacked under ``root``, run by its own loader; else what the PATH has.

    The loader (ld.so(8)) is taken from beside the C library, so that no architecture is named.
    """
    program, config = root / "usr" / "bin" / "suricata", root / "etc" / "suricata"
    libraries = sorted(str(p) for p in (root / "usr" / "lib").glob("*-linux-gnu*"))
    loader = next(iter(sorted((root / "usr" / "lib").glob("*-linux-gnu*/ld*.so.[0-9]"))), None)
    if loader is None or not program.exists():
        return ("suricata",)
    return (
        *(str(loader), "--library-path", os.pathsep.join(libraries), str(program)),
        *("-c", str(config / "suricata.yaml")),
        # Debian's file names them by their place under /etc
        *("--set", f"classification-file={config / 'classification.config'}"),
        *("--set", f"reference-config-file={config / 'reference.config'}"),
        *("--set", f"threshold-file={config / 'threshold.config'}"),
    )


def _afresh(folder: Path, *command: str) -> tuple[str, ...]:
    """A command in an empty folder of its own, where it writes; the shell becomes the command."""
    shell = 'rm -rf "$0" && mkdir "$0" && cd "$0" && exec "$@"'
    return ("sh", "-c", shell, str(folder), *command)


def wanted(capture: Path, small: Path, work: Path, folder: Path) -> list[Peer]:
    """Every peer, whether it is there or not."""
    file, little = str(capture), str(small)
    python = str(folder / "bin" / "python")
    engine = suricata(folder / "suricata")
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
        Peer(
            "zeek", _afresh(work / "zeek-logs", "zeek", "-C", "-r", file), "default scripts, logs written",
            ("zeek", "--version"),
        ),
        Peer(
            "suricata",
            # its packets in one thread: about the CPU time of its several, and steadier
            _afresh(
                work / "suricata-logs", *engine, "-r", file, "-l", ".", "-S", "/dev/null", "-k", "none",
                "--runmode", "single",
            ),
            "default events written, no rules", (*engine, "-V"),
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
    # a peer that wants an empty folder is begun by a shell, but tells its version itself
    program = shutil.which(peer.version[0], path=variables["PATH"])
    return program is not None and (not _ours(peer) or version(peer, variables) != "")


def _ours(peer: Peer) -> bool:
    """Whether it runs by an interpreter or loader that ``build`` got, there without the peer too."""
    return Path(peer.version[0]).is_absolute()


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
    if _ours(peer) and done.returncode:
        return ""
    words = (done.stdout + " " + done.stderr).replace(",", " ").split()
    return next((w.strip("v():;") for w in words if _NUMBER.match(w)), "")
