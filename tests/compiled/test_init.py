"""wardwatch.compiled"""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from wardwatch import compiled
from wardwatch.compiled import image

TRY = "import wardwatch.compiled as c; print(c.cache_folder())"
RUN = """
import numpy as np
from wardwatch.decode.kernels.headers import __doc__
import wardwatch.capture.records
print("kernels loaded")
"""


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    base = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**base, **environment},
        check=False,
    )


def test_the_named_folder_is_taken_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert compiled.cache_folder() == tmp_path


def test_home_is_taken_then_a_private_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA", "USERPROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert compiled.cache_folder() == tmp_path / ".cache" / "wardwatch" / "kernels"
    monkeypatch.setenv("HOME", str(tmp_path / "file" / "x"))
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    folder = compiled.cache_folder()
    assert folder is not None
    assert folder.parent == tmp_path
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="POSIX modes")
def test_a_folder_that_others_may_write_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA", "HOME", "USERPROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    shared = tmp_path / f"wardwatch-kernels-{os.getuid()}"
    shared.mkdir(mode=0o777)
    shared.chmod(0o777)
    assert compiled.cache_folder() is None


def test_without_home_and_with_a_named_cache_kernels_load(tmp_path: Path) -> None:
    cache = os.environ.get("NUMBA_CACHE_DIR", str(tmp_path))
    ran = python(RUN, NUMBA_CACHE_DIR=cache)
    assert ran.stdout == "kernels loaded\n", ran.stderr


def test_kernels_run_as_plain_python_where_they_must() -> None:
    code = """
from wardwatch.compiled import kernel
@kernel
def add(a, b):
    return a + b
print(add(1, 2), add.py_func is add)
"""
    assert python(code, WARDWATCH_PLAIN="1").stdout == "3 True\n"


@pytest.mark.parametrize("plain", ["0", "1"])
def test_helpers_are_plain_where_python_calls_them(plain: str, tmp_path: Path) -> None:
    """A kernel's ``.py_func`` must run without compiled code, which could not be stepped through."""
    module = tmp_path / "doubling.py"
    module.write_text(
        "from wardwatch.compiled import helper, hot, kernel\n"
        "@helper\ndef twice(a):\n    return a + a\n"
        "@hot\ndef thrice(a):\n    return twice(a) + a\n"
        "@kernel\ndef both(a):\n    return thrice(a) * twice(a)\n"
        "print(both(2), both.py_func(2), type(twice).__name__, twice.py_func is twice)\n"
    )
    ran = subprocess.run(
        [sys.executable, str(module)],
        capture_output=True,
        text=True,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
            "WARDWATCH_PLAIN": plain,
            "NUMBA_CACHE_DIR": str(tmp_path),
        },
        check=False,
    )
    assert ran.stdout == "24 24 function True\n", ran.stderr


def test_commands_that_read_no_packets_never_import_numba() -> None:
    code = """
import sys
from wardwatch.ui.cli import app
from wardwatch.ui.explain import explain_text
explain_text(None)
print([m for m in ("numba", "duckdb", "pyarrow", "jinja2", "cryptography", "numpy") if m in sys.modules])
"""
    assert python(code).stdout == "[]\n"


AUDIT = """
import sys
from pathlib import Path
from wardwatch.watch import audit
found = audit([sys.argv[1]], out=Path(sys.argv[2]))
print(found.packets, *(m for m in ("numba", "llvmlite.binding") if m in sys.modules))
"""


def test_kept_code_finds_what_plain_python_finds_and_needs_no_compiler(tmp_path: Path) -> None:
    """All tables of an audit, compiled code loaded from its folder against plain Python."""
    from bench import mix

    from wardwatch.observe.tables import Tables

    whole, capture = tmp_path / "whole.pcap", tmp_path / "mix.pcap"
    mix.write(whole, 1, 5)
    raw = whole.read_bytes()
    at = 24
    for _ in range(400):
        at += 16 + int.from_bytes(raw[at + 8 : at + 12], "little")
    capture.write_bytes(raw[:at])

    def audit(name: str, **environment: str) -> str:
        program = [sys.executable, "-c", AUDIT, str(capture), str(tmp_path / name)]
        base = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        ran = subprocess.run(
            program, capture_output=True, text=True, env={**base, **environment}, check=False
        )
        assert (ran.returncode, ran.stderr) == (0, "")
        return ran.stdout

    cache = os.environ.get("NUMBA_CACHE_DIR", str(tmp_path / "kernels"))
    audit("first", NUMBA_CACHE_DIR=cache)
    needed = "400\n" if image.is_known_here() else "400 llvmlite.binding\n"
    assert audit("kept", NUMBA_CACHE_DIR=cache) == needed
    assert audit("plain", WARDWATCH_PLAIN="1") == "400\n"
    kept, plain = (Tables(tmp_path / name / "evidence") for name in ("kept", "plain"))
    for table in sorted(p.stem for p in (tmp_path / "kept" / "evidence").glob("*.parquet")):
        assert kept.arrow(table).to_pylist() == plain.arrow(table).to_pylist(), table
    assert len(kept.arrow("conversations")) > 5
