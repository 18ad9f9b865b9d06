"""wardwatch.compiled.border"""

import gc
import threading
import weakref
from collections import namedtuple
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from wardwatch.compiled import border, image, kernel, store

if TYPE_CHECKING:
    from numpy.typing import NDArray

Pair = namedtuple("Pair", "low high")


@kernel
def running(
    octets: "NDArray[np.uint8]", weight: "int", keep: bool, out: "NDArray[np.int64]"
) -> "int":
    total = 0
    for i in range(octets.size):
        total += np.int64(octets[i]) * weight
        if keep:
            out[i] = total
    return total


@kernel
def spread(pair, table, rows):
    for i in range(table.shape[0]):
        for j in range(table.shape[1]):
            table[i, j] = np.int64(pair.low[i]) * 1000 + pair.high[j] + rows


@kernel
def above(values, limit):
    return values[0] > limit


@kernel
def lessens(octets):
    octets[0] = 1


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))


def call(function, octets, weight=2, keep=True):
    out = np.zeros(octets.size, np.int64)
    return function(octets, weight, keep, out), out.tolist()


def test_compiled_code_says_what_plain_python_says() -> None:
    octets = np.arange(250, 256, dtype=np.uint8)
    for weight in (0, -1, 2**40, np.int64(7), np.uint8(200)):
        for keep in (True, False):
            assert call(running, octets, weight, keep) == call(
                running.py_func, octets, int(weight), keep
            )


def test_tuples_of_arrays_and_tables_go_in_and_nothing_comes_out() -> None:
    pair = Pair(np.arange(3, dtype=np.uint8), np.arange(4, dtype=np.int32))
    table, plain = np.zeros((3, 4), np.int64), np.zeros((3, 4), np.int64)
    assert spread(pair, table, 5) is None
    spread.py_func(pair, plain, 5)
    assert table.tolist() == plain.tolist()


def test_a_tuple_is_told_from_another_also_after_one_that_was_refused() -> None:
    rows, columns = np.arange(2, dtype=np.int64), np.arange(3, dtype=np.int64)
    first, second = Pair(rows, columns), Pair(rows + 5, columns)
    broken = Pair(rows + 7, columns.astype(np.float64))
    for _ in range(2):
        for pair, low in ((first, 0), (first, 0), (second, 5), (first, 0)):
            table = np.zeros((2, 3), np.int64)
            spread(pair, table, 1)
            assert table[0].tolist() == [low * 1000 + 1, low * 1000 + 2, low * 1000 + 3]
        with pytest.raises(TypeError):
            spread(broken, np.zeros((2, 3), np.int64), 1)
        table = np.zeros((2, 3), np.int64)
        spread(first, table, 1)
        assert table[1, 0] == 1001


def test_a_truth_comes_out_as_one() -> None:
    assert above(np.array([3]), 2) is True
    assert above(np.array([-3]), 2) is False


def test_a_new_array_at_an_old_place_is_told_from_the_old() -> None:
    """Arrays are remembered by themselves, not by an address that another may take."""
    for i in range(100):
        octets = np.full(1 + i % 7, i, np.uint8)
        assert call(running, octets)[0] == 2 * i * (1 + i % 7)


def test_arrays_are_not_kept_alive() -> None:
    octets = np.ones(3, np.uint8)
    call(running, octets)
    gone = weakref.ref(octets)
    del octets
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("sets", [2, border.MOST_FRAMES, border.MOST_FRAMES + 1])
def test_sets_of_arrays_that_take_turns_are_told_apart(sets: int) -> None:
    given = [(np.full(2, i, np.uint8), np.zeros(2, np.int64)) for i in range(sets)]
    for weight in (1, 2, 3):
        for octets, out in given:
            assert running(octets, weight, True, out) == 2 * weight * octets[0]
            assert out.tolist() == [weight * octets[0], 2 * weight * octets[0]]
    of_last = tuple(map(id, given[-1]))
    (frames,) = [e._own.frames for e in running._entries if of_last in e._own.frames]
    assert len(frames) <= border.MOST_FRAMES


def test_a_set_is_not_found_again_by_the_identity_of_an_array_that_is_lost() -> None:
    kept, memory = np.zeros(1, np.int64), np.full(2, 1, np.uint8)
    octets = memory[:1]
    running(octets, 1, True, kept)
    # Other tests may have called it with arrays of other types before: each has an entry.
    (frames,) = [e._own.frames for e in running._entries if (id(octets), id(kept)) in e._own.frames]
    lost = frames[id(octets), id(kept)]
    place = id(octets)
    del octets
    other = np.full(1, 9, np.uint8)
    frames[id(other), id(kept)] = frames.pop((place, id(kept)))  # as if it had the same identity
    assert lost.lost
    assert running(other, 1, True, kept) == 9


@pytest.mark.parametrize(
    ("octets", "out"),
    [
        (np.zeros(4, np.int8), np.zeros(4, np.int64)),
        (np.zeros(4, np.uint8), np.zeros(4, np.int32)),
        (np.zeros(4, ">i8").astype(np.uint8), np.zeros(4, ">i8")),
        (np.zeros(4, np.uint8), np.zeros(4, np.float64)),
        (np.zeros(8, np.uint8)[::2], np.zeros(4, np.int64)),
        (np.zeros(4, np.uint8), np.zeros(8, np.int64)[::2]),
        (np.zeros(4, np.uint8), np.zeros(33, np.uint8)[1:].view(np.int64)),
        (b"\0\0\0\0", np.zeros(4, np.int64)),
        ([0, 0, 0, 0], np.zeros(4, np.int64)),
        (None, np.zeros(4, np.int64)),
        (np.zeros(4, np.uint8), 4),
    ],
    ids=range(11),
)
def test_other_arrays_raise_before_anything_is_touched(octets, out) -> None:
    for _ in range(2):  # before and after the code is there
        with pytest.raises(TypeError):
            running(octets, 2, True, out)
        running(np.zeros(4, np.uint8), 2, True, np.zeros(4, np.int64))


@pytest.mark.parametrize("weight", [2**63, -(2**63) - 1, 1.0, "1", None, np.zeros(1, np.int64)])
def test_other_numbers_raise(weight) -> None:
    call(running, np.zeros(4, np.uint8))
    with pytest.raises(TypeError):
        call(running, np.zeros(4, np.uint8), weight)


def test_too_few_or_too_many_arguments_raise() -> None:
    octets, out = np.zeros(4, np.uint8), np.zeros(4, np.int64)
    with pytest.raises(TypeError, match="4 arguments, not 3"):
        running(octets, 2, True)
    running(octets, 2, True, out)
    with pytest.raises(TypeError, match="4 arguments, not 5"):
        running(octets, 2, True, out, out)


def test_an_array_that_may_not_be_written_is_not_written() -> None:
    octets = np.zeros(4, np.uint8)
    lessens(octets)
    assert octets[0] == 1
    octets = np.frombuffer(b"\0\0\0\0", np.uint8)
    with pytest.raises(TypeError, match="lessens"):
        lessens(octets)
    assert octets[0] == 0
    lessens(np.zeros(4, np.uint8))


def test_what_may_only_be_read_is_read() -> None:
    assert call(running, np.frombuffer(b"\1\2\3", np.uint8))[0] == 12
    assert call(running, np.array([1, 2, 3], np.uint8))[0] == 12


def test_threads_do_not_share_a_frame() -> None:
    call(running, np.zeros(1, np.uint8))
    wrong = []

    def work(value: int) -> None:
        octets = np.full(1000, value, np.uint8)
        wrong.extend(1 for _ in range(300) if call(running, octets)[0] != 2000 * value)

    threads = [threading.Thread(target=work, args=(v,)) for v in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


pieces = pytest.mark.skipif(not image.is_known_here(), reason="x86_64 under Linux")


@pytest.mark.parametrize("known", [pytest.param(True, marks=pieces), False])
def test_code_that_was_kept_is_loaded_and_not_built(
    monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    """One piece where such are known, else an object, which LLVM links."""
    octets = np.arange(5, dtype=np.uint8)
    loaded = []
    monkeypatch.setattr(image, "is_known_here", lambda: known)
    monkeypatch.setattr(store, "_machine", None)
    where, name, other = (image, "place", store) if known else (store, "link", image)
    monkeypatch.setattr(where, name, lambda *given: loaded.append(given) or 1 / 0)
    monkeypatch.setattr(other, "link" if known else "place", None)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            call(border.Kernel(running.py_func), octets)
        monkeypatch.setattr("wardwatch.compiled.build.build", None)
    assert len(loaded) == 2
    assert loaded[0] == loaded[1]


@pytest.mark.parametrize("known", [pytest.param(True, marks=pieces), False])
def test_code_says_the_same_however_it_was_loaded(
    monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    monkeypatch.setattr(image, "is_known_here", lambda: known)
    monkeypatch.setattr(store, "_machine", None)
    for _ in range(2):
        said = call(border.Kernel(running.py_func), np.arange(5, dtype=np.uint8))
        assert said == (20, [0, 2, 6, 12, 20])


@pieces
def test_where_the_system_runs_no_piece_llvm_links_an_object(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    octets = np.arange(5, dtype=np.uint8)
    before = call(border.Kernel(running.py_func), octets)
    linked: list[str] = []
    link = store.link

    def refused(_: bytes) -> int:
        raise PermissionError(1, "Operation not permitted")

    def noted(code: bytes, symbol: str) -> int:
        linked.append(symbol)
        return link(code, symbol)

    monkeypatch.setattr(image, "place", refused)
    monkeypatch.setattr(store, "link", noted)
    assert call(border.Kernel(running.py_func), octets) == before == (20, [0, 2, 6, 12, 20])
    assert len(linked) == 1


def test_a_kernel_whose_code_cannot_be_kept_runs_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never(*_: object) -> bytes:
        raise store.Unkeepable("because")

    monkeypatch.setattr(store, "key_of", never)
    octets = np.arange(5, dtype=np.uint8)
    assert call(border.Kernel(running.py_func), octets) == call(running.py_func, octets)


def test_without_numba_plain_python_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> bytes:
        raise ImportError("numba")

    monkeypatch.setattr(store, "key_of", never)
    octets = np.arange(5, dtype=np.uint8)
    other = border.Kernel(running.py_func)
    assert call(other, octets) == call(running.py_func, octets)
    assert other._other is running.py_func
