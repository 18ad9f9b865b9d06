"""wardwatch.compiled.shipped"""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import FunctionType

import numpy as np
import pytest
from tools import kernels

from wardwatch.compiled import border, helper, native, shipped, store

STEP = 5
here = pytest.mark.skipif(
    native.architecture() != "x86_64", reason="kernels are shipped for x86_64 alone"
)


@helper
def stepped(a):
    return a + STEP


def stepping(octets):
    return stepped(np.int64(octets[0]))


def copied(function: FunctionType, **names: object) -> FunctionType:
    """``function`` in a module where some names mean other things."""
    return FunctionType(function.__code__, {**function.__globals__, **names}, function.__name__)


@here
@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="was made by Python 3.11")
def test_what_came_is_what_the_source_says() -> None:
    """Nobody can read bitcode: it is made anew, and each kernel must be the same to the last octet.

    Where this fails a kernel was edited: ``make kernels`` ships what it is now.
    """
    root = Path(kernels.__file__).parents[1]
    ran = subprocess.run(
        [sys.executable, "-m", "tools.kernels", "--check"],
        cwd=root,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, (ran.stdout[-2000:], ran.stderr[-2000:])
    assert json.loads(ran.stdout)["kernels"] > 15


def first_run(folder: Path, code: str, *more: str) -> subprocess.CompletedProcess[str]:
    """Python code in a process of its own, with a capture and no kernel that is kept."""
    from bench import mix

    mix.write(folder / "mix.pcap", 0.2, 1)
    (folder / "kernels").mkdir(mode=0o700)
    return subprocess.run(
        [sys.executable, "-c", code, str(folder / "mix.pcap"), *more],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
            "NUMBA_CACHE_DIR": str(folder / "kernels"),
        },
        capture_output=True,
        text=True,
        check=False,
    )


@here
def test_a_first_run_needs_no_numba(tmp_path: Path) -> None:
    code = """
import sys
sys.modules["numba"] = None
from wardwatch.observe.engine import observe
print(observe([sys.argv[1]]).packets > 300)
from wardwatch.compiled import border
from wardwatch.decode.kernels.headers import headers
print(len(headers._entries), headers._other)
"""
    ran = first_run(tmp_path, code)
    assert ran.stdout == "True\n1 None\n", ran.stderr


AHEAD = """
import sys
sys.modules["numba"] = None
from wardwatch.compiled import border, native
if sys.argv[2] == "nowhere":
    border.cache_folder = lambda: None
count = border.make_ahead(("wardwatch.capture", "wardwatch.decode"))
native.emit = None  # a kernel that is compiled from here on ends it
from wardwatch.observe.engine import observe
print(count > 15, observe([sys.argv[1]]).packets > 300)
"""


@here
@pytest.mark.parametrize("where", ["kept", "nowhere"])
def test_what_is_made_ahead_is_not_made_again(tmp_path: Path, where: str) -> None:
    ran = first_run(tmp_path, AHEAD, where)
    assert ran.stdout == "True True\n", ran.stderr
    assert (where == "kept") == bool(list((tmp_path / "kernels").glob("*.code")))


@here
def test_a_kernel_that_was_edited_is_not_made_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    (key, came), *_ = [
        each for each in shipped.every().items() if each[1].module == "wardwatch.capture.ring"
    ]
    ring = ("wardwatch.capture",)
    monkeypatch.setattr(border, "_ahead", {})
    monkeypatch.setattr(shipped, "every", lambda: {key: came})
    assert border.make_ahead(ring) == 1 == len(border._ahead)
    assert border.make_ahead(("wardwatch.decode", "wardwatch.cap")) == 0
    monkeypatch.setattr(shipped, "every", lambda: {key[::-1]: came})
    assert border.make_ahead(ring) == 0
    gone = [
        came._replace(name="gone"),
        came._replace(name="BLOCK_STATUS"),
        came._replace(types="int"),
    ]
    for other in gone:
        monkeypatch.setattr(shipped, "every", lambda other=other: {key: other})
        assert border.make_ahead(ring) == 0


def test_the_key_changes_with_the_source_the_constants_and_the_types() -> None:
    keys = [
        shipped.key_of(stepping, "a"),
        shipped.key_of(stepping, "b"),
        shipped.key_of(stepped, "a"),
        shipped.key_of(copied(stepping, stepped=helper(copied(stepped, STEP=6))), "a"),
    ]
    assert len(set(keys)) == len(keys)
    assert keys[0] == shipped.key_of(copied(stepping), "a")


def test_the_key_is_the_same_wherever_numpy_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    here = shipped.key_of(stepping, "a")
    monkeypatch.setattr(np.__spec__, "origin", "/somewhere/else/numpy/__init__.py")
    monkeypatch.setattr(np, "__file__", "/somewhere/else/numpy/__init__.py")
    assert "/somewhere/else" in repr(np)
    assert shipped.key_of(stepping, "a") == here


def test_a_function_without_source_is_not_found() -> None:
    made = eval("lambda a: a")
    with pytest.raises(store.Unkeepable, match="no source"):
        shipped.key_of(made, "int")
    assert shipped.find(made, "int") is None


def test_a_kernel_that_did_not_come_is_compiled_by_numba(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert shipped.find(stepping, "|u11") is None
    assert border.Kernel(stepping)(np.full(1, 9, np.uint8)) == 14


def test_what_is_packed_is_unpacked_and_damage_gives_nothing() -> None:
    some = {
        "a" * 32: shipped.Shipped("some.module", "kernel", "int |u11", b"code"),
        "b" * 32: shipped.Shipped("", "", "", b""),
    }
    raw = shipped.pack(some)
    assert shipped.unpack(raw) == some
    assert shipped.pack(dict(reversed(some.items()))) == raw
    for at in range(0, len(raw), 7):
        assert shipped.unpack(raw[:at]) in ({}, some)  # the last octets are xz's own
        hurt = bytearray(raw)
        hurt[at] ^= 0x41
        assert shipped.unpack(bytes(hurt)) in ({}, some)
    assert shipped.unpack(raw[: len(raw) // 2]) == {}
    assert shipped.unpack(raw.replace(native.architecture().encode(), b"vax", 1)) == {}
