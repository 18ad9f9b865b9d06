"""wardwatch.compiled.store"""

import os
import stat
from pathlib import Path
from types import FunctionType

import numpy as np
import pytest

from wardwatch.compiled import helper, image, store

FACTOR = 3
TABLE = np.arange(4)
UNTOLD: dict[str, int] = {}
n_names = 300


@helper
def scaled(a):
    return a * FACTOR


@helper
def twice(a):
    return scaled(a) * 2


def kernel(a):
    return twice(a) + TABLE[0] + a.UNTOLD


def uses_a_dictionary(a):
    return UNTOLD[a]


def copied(function: FunctionType, **names: object) -> FunctionType:
    """``function`` in a module where some names mean other things."""
    return FunctionType(
        function.__code__, {**function.__globals__, **names}, function.__name__, None, None
    )


def key(function: FunctionType = kernel, types: str = "int") -> bytes:
    return store.key_of(function, types)


def as_helper(function: FunctionType) -> FunctionType:
    return helper(function)


def test_helpers_are_found_however_deep() -> None:
    assert [f.__name__ for f in store.helpers_of(kernel)] == ["twice", "scaled"]


def test_the_key_is_the_same_for_the_same_code() -> None:
    assert key() == key(copied(kernel))


def test_the_key_changes_with_all_that_code_is_made_from(monkeypatch: pytest.MonkeyPatch) -> None:
    other_scaled = as_helper(copied(scaled, FACTOR=4))
    deeper = as_helper(copied(twice, scaled=other_scaled))
    keys = [
        key(),
        key(types="int int"),
        key(copied(kernel, TABLE=np.arange(1, 5))),
        key(copied(kernel, TABLE=np.arange(4, dtype=np.int32))),
        key(copied(kernel, twice=deeper)),
        key(copied(kernel, twice=as_helper(lambda a: a))),
    ]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("module", "name", "other"),
    [
        ("wardwatch.compiled.store", "_processor", lambda: ["another-cpu"]),
        ("llvmlite", "__version__", "0.0.1"),
        ("numpy", "__version__", "0.0.1"),
    ],
)
def test_the_key_changes_with_cpu_and_versions(
    monkeypatch: pytest.MonkeyPatch, module: str, name: str, other: object
) -> None:
    before = key()
    monkeypatch.setattr(f"{module}.{name}", other)
    monkeypatch.setattr(store, "_machine", None)
    assert key() != before


def test_where_linux_does_not_tell_llvm_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    before = key()
    monkeypatch.setattr(store, "_processor", list)
    monkeypatch.setattr(store, "_machine", None)
    asked = key()
    monkeypatch.setattr("llvmlite.binding.get_host_cpu_name", lambda: "another-cpu")
    monkeypatch.setattr(store, "_machine", None)
    other = key()
    assert asked != other
    assert before != other


@pytest.mark.skipif(not image.is_known_here(), reason="x86_64 under Linux")
def test_linux_tells_of_the_processor_what_code_depends_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told = store._processor()
    assert len(told) == 1 + len(store._TELLING)
    assert {"fpu", "sse2"} <= set(told[-1].split())
    monkeypatch.setattr(store, "PROCESSORS", tmp_path / "none")
    assert store._processor() == []


@pytest.mark.skipif(not image.is_known_here(), reason="x86_64 under Linux")
@pytest.mark.parametrize("text", ["", "flags : sse2\n", "model : 1\n\nflags : sse2\n", "\xff"])
def test_a_processor_of_which_linux_tells_less_is_not_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    monkeypatch.setattr(store, "PROCESSORS", tmp_path / "cpuinfo")
    store.PROCESSORS.write_text(text, encoding="latin-1")
    assert store._processor() == []


@pytest.mark.skipif(not image.is_known_here(), reason="x86_64 under Linux")
def test_of_flags_that_were_not_read_to_their_end_nothing_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lines = [f"{name}\t: 1\n" for name in store._TELLING[:-1]]
    monkeypatch.setattr(store, "PROCESSORS", tmp_path / "cpuinfo")
    for flags, is_told in (("fpu sse2", True), ("fpu " * store.MOST_TOLD, False)):
        store.PROCESSORS.write_text("".join([*lines, f"flags\t: {flags}\n", "\n"]))
        assert bool(store._processor()) is is_told


def test_the_key_changes_with_variables_that_steer_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    before = key()
    monkeypatch.setattr(store, "_machine", None)
    monkeypatch.setenv("NUMBA_OPT", "1")
    assert key() != before


def test_what_cannot_be_told_is_not_kept() -> None:
    with pytest.raises(store.Unkeepable, match="UNTOLD"):
        key(uses_a_dictionary)


def test_constants_behind_an_extended_argument_are_seen() -> None:
    """A function with more than 128 names needs more than eight bits to say which."""
    names = [f"c{i}" for i in range(n_names)]
    space: dict[str, object] = {"__name__": "made", **dict.fromkeys(names, 1)}
    exec(f"def many():\n    return {' + '.join(names)}", space)
    many = space["many"]
    assert isinstance(many, FunctionType)
    before = key(many)
    assert key(copied(many, **{names[-1]: 2})) != before


def test_code_is_read_back_and_is_private(tmp_path: Path) -> None:
    path = store.path_of(tmp_path / "made", "kernel", key())
    assert store.read(path, key()) is None
    store.keep(path, key(), b"code")
    assert store.read(path, key()) == b"code"
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_place_that_cannot_be_written_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    path = store.path_of(tmp_path / "file" / "below", "kernel", key())
    store.keep(path, key(), b"code")
    assert store.read(path, key()) is None


def test_every_changed_octet_is_refused(tmp_path: Path) -> None:
    path = store.path_of(tmp_path, "kernel", key())
    store.keep(path, key(), b"code")
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert store.read(path, key()) is None, at
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        assert store.read(path, key()) is None, size
    path.write_bytes(whole)
    assert store.read(path, key()) == b"code"


def test_code_under_another_key_is_refused(tmp_path: Path) -> None:
    path = store.path_of(tmp_path, "kernel", key())
    store.keep(path, key(types="bool"), b"code")
    assert store.read(path, key()) is None


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="POSIX owners and modes")
def test_what_others_own_may_write_or_point_to_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = store.path_of(tmp_path, "kernel", key())
    store.keep(path, key(), b"code")
    path.chmod(0o620)
    assert store.read(path, key()) is None
    path.chmod(0o602)
    assert store.read(path, key()) is None
    path.chmod(0o600)
    link = tmp_path / "link.code"
    link.symlink_to(path)
    assert store.read(link, key()) is None
    assert store.read(tmp_path, key()) is None
    mine = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: mine + 1)
    assert store.read(path, key()) is None


def test_few_files_of_one_kernel_are_kept(tmp_path: Path) -> None:
    other = tmp_path / "other.kernel-00.code"
    other.write_bytes(b"")
    for i in range(store.KEPT + 3):
        own = key(types=f"int {i}")
        path = store.path_of(tmp_path, "kernel", own)
        store.keep(path, own, b"code")
        os.utime(path, (i, i))
    assert len(list(tmp_path.iterdir())) == store.KEPT + 1
    assert other.exists()
    assert store.read(path, own) == b"code"
