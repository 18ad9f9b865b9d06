"""wardwatch.compiled.build"""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from wardwatch.compiled import border, helper, hot, prefetch
from wardwatch.compiled.build import FLAGS, build, jitted
from wardwatch.compiled.native import emit
from wardwatch.compiled.store import Unkeepable, link

BYTES = border.Kind(np.dtype(np.uint8), 1)
WORDS = border.Kind(np.dtype(np.int64), 1)


@hot
def widened(octets, at):
    return np.int64(octets[at])


@helper
def weighed(octets, at, weight):
    return widened(octets, at) * weight


def sums(octets, weight, out):
    total = 0
    for i in range(octets.size):
        total += weighed(octets, i, weight)
        out[i] = total
    return total


def looks_ahead(octets, table, out):
    for i in range(octets.size):
        prefetch(table, octets[i], 0)
        prefetch(out, i - 1_000_000, 1_000_000)
    for i in range(octets.size):
        out[i] = table[octets[i], 0]


def allocates(octets):
    return np.zeros(octets.size, np.int64)[0]


def raises(octets):
    if octets[0] == 7:
        raise ValueError("seven")


def prints(octets):
    print(octets[0])


def divides(octets):
    return np.int64(100) // np.int64(octets[0])


def answers(octets):
    return 0.5 * octets[0]


def test_what_comes_out_is_one_function_and_needs_no_other(tmp_path: Path) -> None:
    made = build(sums, (BYTES, "int", WORDS))
    assert made[:1] == b"i"
    if (nm := shutil.which("nm")) is None:
        pytest.skip("nm (binutils) is not here")
    (tmp_path / "it.o").write_bytes(emit(made[1:], "sums_here"))
    said = subprocess.run(
        [nm, "--format=posix", tmp_path / "it.o"], capture_output=True, text=True, check=True
    )
    kinds = {line.split()[0]: line.split()[1] for line in said.stdout.splitlines()}
    assert kinds.pop("sums_here") == "T"
    assert not [name for name, kind in kinds.items() if kind in "UTW"], kinds


def test_lines_are_asked_for_and_nothing_else_comes_of_it() -> None:
    import llvmlite.binding as llvm

    types = (BYTES, border.Kind(np.dtype(np.int64), 2), WORDS)
    text = str(llvm.parse_bitcode(build(looks_ahead, types)[1:]))
    assert text.count("call void @llvm.prefetch") >= 2

    table = np.arange(40, dtype=np.int64).reshape(10, 4)
    octets = np.array([9, 0, 3], np.uint8)
    for function in (border.Kernel(looks_ahead), looks_ahead):
        out = np.zeros(3, np.int64)
        assert function(octets, table, out) is None
        assert out.tolist() == [36, 0, 12]
        assert table.ravel().tolist() == list(range(40))


def test_a_line_of_what_is_no_table_is_not_asked_for() -> None:
    def asks(octets, at):
        prefetch(at, 0, 0)

    with pytest.raises(Unkeepable):
        build(asks, (BYTES, "int"))


@pytest.mark.parametrize("function", [allocates, raises, prints, answers])
def test_what_allocates_raises_or_calls_python_is_not_built(function) -> None:
    with pytest.raises(Unkeepable):
        build(function, (BYTES,))


def test_a_division_by_zero_has_a_value_and_does_not_raise() -> None:
    made = build(divides, (BYTES,))
    address = link(emit(made[1:], "divides_here"), "divides_here")
    assert address
    assert FLAGS["error_model"] == "numpy"


def test_a_kernel_that_is_refused_still_runs_numbas_own_way() -> None:
    call = jitted(raises, cached=False)
    assert call(np.zeros(1, np.uint8)) is None
    with pytest.raises(ValueError, match="seven"):
        call(np.full(1, 7, np.uint8))
    with pytest.raises(TypeError, match="raises"):
        call(object())


def test_numba_is_left_as_it_was() -> None:
    from numba import njit
    from numba.core.registry import cpu_target

    build(sums, (BYTES, "int", WORDS))
    assert "_library_class" not in vars(cpu_target.target_context.codegen())
    assert njit(lambda a: a + 1)(2) == 3
