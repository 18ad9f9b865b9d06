"""Namespaces of our own: stations hear each other, a filtered port is silent, nothing is left."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from wardwatch.twin import spaces

WHY_NOT = spaces.possible() if hasattr(os, "fork") else "no fork on this system"
needs_spaces = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
HERE = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}


def python(script: str) -> list[str]:
    """A script in a process of its own: this one stays where it is."""
    ran = subprocess.run(
        [sys.executable, "-c", script], env=HERE, capture_output=True, text=True, check=False,
        timeout=60,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.split("\n")[:-1]


TWO = """
import os, socket
from wardwatch.twin import spaces
from wardwatch.twin.spaces import Space, Switch
switch, a, b = Switch(), Space("a"), Space("b")
switch.plug(a, "00:1a:01:77:00:01", "10.77.0.1")
port = switch.plug(b, "00:1a:01:77:00:02", "10.77.0.2")
with b.entered():
    listener = socket.create_server(("10.77.0.2", 3210))
def tried(port, patience=1.0):
    # A port of the switch that has just come up may lose a first packet: TCP asks again.
    with a.entered(), socket.socket() as one:
        one.settimeout(patience)
        try:
            one.connect(("10.77.0.2", port))
            return "open"
        except ConnectionRefusedError:
            return "refused"
        except OSError:
            return "silent"
"""


@needs_spaces
def test_stations_hear_each_other_and_a_pulled_cable_is_silence() -> None:
    said = python(
        TWO
        + """
print(tried(3210, 20.0), tried(80))
switch.pull(port)
print(tried(3210))
switch.pull(port, out=False)
print(tried(3210, 20.0))
"""
    )
    assert said == ["open refused", "silent", "open"]


@pytest.mark.skipif(bool(WHY_NOT) or not spaces.tool("nft"), reason=WHY_NOT or "needs nftables")
def test_c1_a_port_that_is_not_open_is_silent_behind_the_filter() -> None:
    said = python(
        TWO
        + """
with b.entered():
    spaces.silent(3210)
print(tried(3210, 20.0), tried(80))
"""
    )
    assert said == ["open silent"]


@needs_spaces
def test_a_filter_is_set_in_a_namespace_of_ours_only() -> None:
    said = python("""
from wardwatch.twin import spaces
try:
    spaces.silent(3210)
except spaces.SpaceError as error:
    print(error)
""")
    assert said == ["a packet filter is set in a namespace of our own only"]


@needs_spaces
def test_namespaces_end_with_the_process_that_made_them_even_by_kill_9() -> None:
    script = (
        TWO
        + """
print(*(os.fstat(one.fd).st_ino for one in (a, b, switch.space)), flush=True)
os.kill(os.getpid(), 9)
"""
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], env=HERE, capture_output=True, text=True, check=False
    )
    made = set(ran.stdout.split())
    assert (ran.returncode, len(made)) == (-9, 3)
    there = set()
    for path in Path("/proc").glob("[0-9]*/ns/net"):
        try:
            there.add(str(path.stat().st_ino))
        except OSError:
            continue
    assert not made & there


def test_a_tool_that_fails_is_named() -> None:
    with pytest.raises(spaces.SpaceError, match="no-such-tool could not be run"):
        spaces.run(["no-such-tool"])
    with pytest.raises(spaces.SpaceError, match="python"):
        spaces.run([sys.executable, "-c", "raise SystemExit(3)"])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux")
@pytest.mark.parametrize(("roots", "users"), [(True, True), (False, True), (False, False)])
def test_what_root_may_not_a_user_namespace_may(
    monkeypatch: pytest.MonkeyPatch, roots: bool, users: bool
) -> None:
    monkeypatch.setattr(spaces, "tool", lambda name: name)
    monkeypatch.setattr(spaces, "_links", lambda *how: users if how else roots)
    assert spaces.privileged() is roots
    assert (spaces.possible() == "") is (roots or users)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux")
def test_a_process_of_several_threads_gets_no_user_namespace_and_says_so() -> None:
    script = (
        "import threading, os\n"
        "from wardwatch.twin import spaces\n"
        "wait = threading.Event()\n"
        "threading.Thread(target=wait.wait, daemon=True).start()\n"
        "try:\n    spaces.own_user()\n"
        "except spaces.SpaceError as error:\n    print(error.strerror)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout == "a user namespace is not permitted\n"


ORPHAN = """
import os, sys, time
from wardwatch.twin.spaces import ends_with_parent
late = sys.argv[-1] == "late"
read, write = os.pipe()
parent = os.fork()
if not parent:
    me = os.getpid()
    child = os.fork()
    if not child:
        if not late:
            ends_with_parent(me)
        os.write(write, b"+%d\\n" % os.getpid())
        while os.getppid() == me:  # until that has ended
            time.sleep(0.01)
        ends_with_parent(me)
        os.write(write, b"lives")
        os._exit(0)
    os.close(write)
    assert os.read(read, 1) == b"+"  # only then do we end
    os._exit(0)
os.close(write)
os.waitpid(parent, 0)
with os.fdopen(read) as file:
    print(file.read().split("\\n", 1)[1])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.parametrize("when", ["soon", "late"])
def test_who_ends_with_its_parent_ends_also_where_that_has_ended(when) -> None:
    assert python(f"import sys; sys.argv.append({when!r})\n{ORPHAN}") == [""]
