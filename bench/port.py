"""A live port at the pace of a wire: what is heard of it, what is lost, and at what cost.

``python -m bench.port CAPTURE [--gigabits 1.0]``. The frames of a capture pass a cable of our own, in
a network namespace that nobody else is in, as fast as a wire of so many gigabits a second would carry
them; whoever listens is held to one core, and who sends has another. Needs Linux, iproute2, and root.
"""

from __future__ import annotations

import argparse
import ctypes
import getpass
import json
import mmap
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from bench import peers

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
WIRE = 24
"""Octets that a frame takes of an Ethernet besides those captured: preamble, checksum and gap."""
AT_ONCE = 64
"""Frames given to the kernel in one call."""
SHORTEST = 14
LONGEST = 1_518
_PACKET_QDISC_BYPASS, _SOL_PACKET = 20, 263
PATIENCE_S = 300.0


class Heard(msgspec.Struct, frozen=True):
    """What a listener made of what was sent."""

    name: str
    sent: int
    seconds: float
    gigabits: float
    """A second, of what a wire would have carried."""
    heard: int
    cpu: float
    """CPU seconds of the listener, start-up and answer included."""
    peak: float
    """MB."""


class Frames(NamedTuple):
    """Frames of a capture in memory, as ``sendmmsg`` takes them."""

    octets: mmap.mmap
    vectors: NDArray[np.uint64]
    """(n, 2) address and octets."""
    messages: NDArray[np.uint64]
    """(n, 8) ``struct mmsghdr``."""
    due: NDArray[np.float64]
    """(n,) second at which a wire of 1 Gbit/s has carried each."""


def frames_of(capture: Path) -> Frames:
    """The frames of a little-endian pcap that an Ethernet can carry."""
    import numpy as np  # what begins processes stays small: to them its memory would be counted

    with capture.open("rb") as file:
        octets = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    places, at = [], 24
    while at + 16 <= len(octets):
        size = int.from_bytes(octets[at + 8 : at + 12], "little")
        if SHORTEST <= size <= LONGEST and at + 16 + size <= len(octets):
            places.append((at + 16, size))
        at += 16 + size
    vectors = np.array(places, np.uint64)
    vectors[:, 0] += np.uint64(np.frombuffer(octets, np.uint8).ctypes.data)
    messages = np.zeros((len(places), 8), np.uint64)
    messages[:, 2] = vectors.ctypes.data + 16 * np.arange(len(places), dtype=np.uint64)
    messages[:, 3] = 1
    due = np.cumsum(np.maximum(vectors[:, 1].astype(np.float64), 60) + WIRE) * 8e-9
    return Frames(octets, vectors, messages, due)


def send(frames: Frames, interface: str, gigabits: float) -> tuple[int, float]:
    """Send all frames at the pace of a wire ⇒ how many went, and in how many seconds."""
    import numpy as np

    library = ctypes.CDLL(None, use_errno=True)
    due = frames.due / gigabits
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as wire:
        wire.bind((interface, 0))
        wire.setsockopt(_SOL_PACKET, _PACKET_QDISC_BYPASS, 1)
        base, done, count = frames.messages.ctypes.data, 0, len(due)
        begun = time.perf_counter()
        while done < count:
            now = time.perf_counter() - begun
            ready = int(np.searchsorted(due[done : done + AT_ONCE], now))
            if not ready:
                time.sleep(min(max(due[done] - now, 0), 0.0005))
                continue
            went = library.sendmmsg(wire.fileno(), ctypes.c_void_p(base + 64 * done), ready, 0)
            if went < 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            done += went
        return done, time.perf_counter() - begun


class Sent(msgspec.Struct, frozen=True):
    """What was sent: frames, in how many seconds, and how many gigabits a second a wire would say."""

    frames: int
    seconds: float
    gigabits: float


def listen(name: str, command: Sequence[str], count: str, capture: Path, gigabits: float) -> Heard:
    """Have a listener hear all frames; ``count`` finds in what it says how many it heard.

    Another process sends: to whoever is begun by it, its memory would be counted.
    """
    sender = (sys.executable, "-m", "bench.port", str(capture), "--gigabits", str(gigabits))
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(
            [*_held(1), *command], stdout=said, stderr=said, cwd=ROOT, env=_environment()
        )
        try:
            _wait_for(child, said.fileno())
            ran = subprocess.run(
                [*_held(0), *sender, "--send"], stdout=subprocess.PIPE, check=True, cwd=ROOT,
                env=_environment(),
            )  # fmt: skip
            sent = msgspec.json.decode(ran.stdout, type=Sent)
            time.sleep(0.5)
            child.send_signal(signal.SIGINT)
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        finally:
            if child.returncode is None:
                child.kill()
                child.wait()
        told = os.pread(said.fileno(), 1 << 24, 0).decode("utf-8", "replace")
    if child.returncode not in (0, 1, 3) or not (found := re.search(count, told)):
        raise SystemExit(f"{name} ended with {child.returncode}: {told[-500:]}")
    return Heard(
        name,
        sent.frames,
        sent.seconds,
        sent.gigabits,
        int(found[1]),
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss * 1024 / 1e6,
    )


def _wait_for(child: subprocess.Popen[bytes], said: int) -> None:
    """Wait until it says that it listens."""
    for _ in range(200):
        if b"listening" in os.pread(said, 4096, 0):
            time.sleep(0.2)
            return
        if child.poll() is not None:
            raise SystemExit(os.pread(said, 4096, 0).decode("utf-8", "replace"))
        time.sleep(0.05)
    raise SystemExit("the listener says nothing")


def _held(core: int) -> tuple[str, ...]:
    """What holds a command to a core, where there are two."""
    cores = sorted(os.sched_getaffinity(0))
    taskset = shutil.which("taskset")
    return (taskset, "-c", str(cores[core])) if taskset and len(cores) > core else ()


def _environment() -> dict[str, str]:
    path = os.pathsep.join((str(ROOT / "src"), str(ROOT)))
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, **peers.environment(ROOT / ".cache" / "bench-venv"), "PYTHONPATH": path}


def inside(capture: Path, gigabits: float) -> list[Heard]:
    """Lay the cable, and let one after the other listen."""
    ip = shutil.which("ip") or "/usr/sbin/ip"
    Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1", encoding="ascii")
    for words in (
        "link add there type veth peer name here", "link set there up", "link set here up"
    ):  # fmt: skip
        subprocess.run([ip, *words.split()], check=True)
    return [listen(*one, capture, gigabits) for one in listeners()]


def listeners() -> list[tuple[str, Sequence[str], str]]:
    """Who listens: name, command, and what tells in its words how many packets it heard."""
    ours = (sys.executable, "-c", "from wardwatch.ui.cli import main; main()")
    found: list[tuple[str, Sequence[str], str]] = [
        ("wardwatch watch", (*ours, "watch", "here", "--json"), r'"packets":\s*(\d+)')
    ]
    if tcpdump := shutil.which("tcpdump", path=_environment()["PATH"]):
        user = getpass.getuser()
        command = (tcpdump, "-Z", user, "-i", "here", "-n", "-w", "/dev/null", "-B", "65536")
        found.append(("tcpdump -w /dev/null", command, r"(\d+) packets captured"))
    return found


def measured(capture: Path, gigabits: float) -> tuple[list[Heard], str]:
    """Run it in a namespace ⇒ what each heard, or why it cannot be done here."""
    unshare = shutil.which("unshare")
    if not sys.platform.startswith("linux") or not unshare or os.geteuid() != 0:
        return [], "needs Linux, util-linux and root"
    program = (sys.executable, "-m", "bench.port", str(capture), "--gigabits", str(gigabits))
    try:
        ran = subprocess.run(
            [unshare, "--net", *program, "--inside"],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            env=_environment(),
            timeout=PATIENCE_S,
        )
    except subprocess.TimeoutExpired:
        return [], "took too long"
    if ran.returncode:
        return [], (ran.stderr.strip().splitlines() or ["no word"])[-1]
    return msgspec.json.decode(ran.stdout, type=list[Heard]), ""


def lines(capture: Path, gigabits: float) -> list[str]:
    """A section of ``docs/benchmarks.md``."""
    heard, why = measured(capture, gigabits)
    told = ["", "## A live port", ""]
    if not heard:
        return [*told, f"Not measured here: {why}."]
    told += [
        f"The mix passes a cable in a network namespace at the pace of a wire of {gigabits:g} Gbit/s "
        "(`bench/port.py`); who listens is held to one core, and another process sends on the other, "
        "which pays for the copy to the listener's ring, too. Start-up and the answer are in our CPU "
        "time; tcpdump answers nothing. Once.",
        "",
        "| listener | sent | thousand packets a s | Gbit/s | heard | lost | CPU s | of a core | peak MB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for one in heard:
        told.append(
            f"| {one.name} | {one.sent:,} | {one.sent / one.seconds / 1e3:.0f} | {one.gigabits:.2f} "
            f"| {one.heard:,} | {one.sent - one.heard:,} | {one.cpu:.2f} "
            f"| {one.cpu / one.seconds:.0%} | {one.peak:.0f} |"
        )
    return told


def main() -> None:
    """Measure, and print it."""
    parser = argparse.ArgumentParser(prog="python -m bench.port", description=__doc__)
    parser.add_argument("capture", type=Path)
    parser.add_argument("--gigabits", type=float, default=1.0)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--send", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.send:
        frames = frames_of(asked.capture)
        sent, seconds = send(frames, "there", asked.gigabits)
        carried = float(frames.due[-1]) / seconds
        print(json.dumps({"frames": sent, "seconds": seconds, "gigabits": carried}))
    elif asked.inside:
        heard = inside(asked.capture, asked.gigabits)
        print(json.dumps([msgspec.to_builtins(one) for one in heard]))
    else:
        print("\n".join(lines(asked.capture, asked.gigabits)))


if __name__ == "__main__":
    main()
