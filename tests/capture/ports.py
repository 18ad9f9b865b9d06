"""A wire of our own: two ends of a cable in a network namespace that nobody else is in."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from wardwatch.twin import spaces

WHY_NOT = spaces.possible() if sys.platform.startswith("linux") else "Linux only"
needs_wire = pytest.mark.skipif(bool(WHY_NOT), reason=f"no wire of our own: {WHY_NOT}")

LAID = """
import socket, subprocess, sys, time
from pathlib import Path
def ip(*words):
    subprocess.run([IP, *words], check=True)
Path("/proc/sys/net/ipv6/conf/all/disable_ipv6").write_text("1")  # nobody speaks but we
Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")
ip("link", "add", "there", "type", "veth", "peer", "name", "here")
for end in ("there", "here"):
    ip("link", "set", end, "up")
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
wire.bind(("there", 0))
def frame(n, size=60):
    return b"\\x02\\0\\0\\0\\0\\1\\x02\\0\\0\\0\\0\\2\\x88\\xb5" + n.to_bytes(4, "big") + bytes(size - 18)
"""
"""``there`` is where the test speaks (``wire.send``), ``here`` is listened to."""


def on_a_wire(code: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python beside such a wire ⇒ what it says."""
    how = ["--net"] if spaces.privileged() else ["--user", "--map-root-user", "--net"]
    program = f"IP = {spaces.tool('ip')!r}\n{LAID}\n{code}"
    here = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, sys.path)])
    return subprocess.run(
        [spaces.tool("unshare"), *how, sys.executable, "-c", program, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONPATH": here, **environment},
    )
