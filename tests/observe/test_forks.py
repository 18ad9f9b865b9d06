"""wardwatch.observe.forks"""

import gc
import gzip
import os
import signal
from functools import partial

import pytest
from tests.patience import until

from wardwatch.observe import forks
from wardwatch.observe.forks import answers, beside, forked


def test_a_copy_has_what_was_there_and_what_it_changes_is_its_own() -> None:
    kept = ["before"]
    gc.unfreeze()
    reading, writing = os.pipe()
    child = forked()
    if not child:
        kept.append("copy")
        os.write(writing, " ".join(kept).encode())
        os._exit(0)
    assert os.read(reading, 100) == b"before copy"
    assert os.waitpid(child, 0) == (child, 0)
    assert kept == ["before"]
    assert gc.get_freeze_count() == 0
    os.close(reading)
    os.close(writing)


def test_it_is_worth_it_for_long_plain_files_and_two_cores(tmp_path, monkeypatch) -> None:
    capture = tmp_path / "a.pcap"
    capture.write_bytes(bytes(1_000))
    monkeypatch.setattr(forks, "cores", lambda: 2)
    monkeypatch.setattr(forks.sys, "platform", "linux")
    assert not forks.is_worth_it([str(capture)])
    monkeypatch.setattr(forks, "WORTH_BYTES", capture.stat().st_size + 1)
    assert not forks.is_worth_it([str(capture)])
    assert forks.is_worth_it([str(capture), str(capture), str(tmp_path / "absent")])
    packed = tmp_path / "a.gz"
    packed.write_bytes(gzip.compress(b"x"))
    assert not forks.is_worth_it([str(capture), str(capture), str(packed)])
    assert not forks.is_worth_it([str(capture), str(capture), "-"])
    assert not forks.is_worth_it([str(capture), str(capture), os.devnull])
    monkeypatch.setattr(forks, "cores", lambda: 1)
    assert not forks.is_worth_it([str(capture), str(capture)])


def none_left() -> bool:
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return True
    return False


def test_a_copy_answers_meanwhile() -> None:
    here = os.getpid()
    asked = []

    def question():
        asked.append(1)
        return os.getpid(), b"x" * 1_000_000  # more than a pipe holds

    with beside(question) as answer:
        there, told = answer()
    assert there != here
    assert told == b"x" * 1_000_000
    assert not asked  # the copy has a list of its own
    assert none_left()
    with beside(question, by_a_copy=False) as answer:
        assert not asked
        assert answer()[0] == here
    assert asked == [1]


@pytest.mark.parametrize("told", ["nothing", "a part", "what cannot be sent"])
def test_who_comes_to_no_answer_is_done_without(told, monkeypatch) -> None:
    here = os.getpid()
    written = os.write

    def some(pipe, raw):
        size = written(pipe, raw if os.getpid() == here else raw[: len(raw) // 2])
        if os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        return size

    def question():
        if os.getpid() != here and told == "nothing":
            os.kill(os.getpid(), signal.SIGKILL)
        return (lambda: 5) if told == "what cannot be sent" else 5

    monkeypatch.setattr(os, "write", some)
    with beside(question) as answer:
        found = answer()
    assert (found() if told == "what cannot be sent" else found) == 5
    assert none_left()


def test_a_copy_that_hangs_is_not_waited_for_without_end(monkeypatch) -> None:
    here = os.getpid()

    def question():
        if os.getpid() != here:
            signal.pause()
        return 5

    monkeypatch.setattr(forks, "PATIENCE_S", 0.05)
    with beside(question) as answer:
        assert answer() == 5
    assert none_left()


def test_what_goes_wrong_in_a_copy_is_raised_here() -> None:
    def question():
        raise KeyError(os.getpid())

    with beside(question) as answer, pytest.raises(KeyError, match=str(os.getpid())):
        answer()
    assert none_left()


def test_a_copy_ends_with_the_one_who_asks_no_more() -> None:
    with pytest.raises(ValueError, match="other"), beside(signal.pause):
        raise ValueError("other")
    assert none_left()


def test_two_share_questions_and_none_is_asked_twice(tmp_path) -> None:
    here = os.getpid()

    def asked(number):
        with (tmp_path / str(number)).open("a") as file:
            file.write(f"{os.getpid()}\n")
        (tmp_path / ("here" if os.getpid() == here else "a copy")).touch()
        for who in ("here", "a copy"):  # either may come to its first question before the other
            assert until((tmp_path / who).exists)
        return number

    questions = [partial(asked, number) for number in range(8)]
    assert answers(questions) == [*range(8)]
    whom = [(tmp_path / str(number)).read_text().split() for number in range(8)]
    assert {len(one) for one in whom} == {1}
    assert len({one[0] for one in whom}) == 2
    assert answers(questions, by_a_copy=False) == [*range(8)]
    assert {(tmp_path / str(n)).read_text().split()[1] for n in range(8)} == {str(os.getpid())}
    assert answers([]) == []
    assert none_left()


@pytest.mark.parametrize("ends", ["at once", "behind two"])
def test_what_a_copy_took_and_did_not_answer_is_asked_here(ends, tmp_path) -> None:
    here = os.getpid()
    taken = []

    def asked(number):
        taken.append(number)  # a list of each one's own
        if os.getpid() != here and len(taken) > 2 * (ends == "behind two"):
            (tmp_path / "a copy").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if os.getpid() == here:
            assert until((tmp_path / "a copy").exists)
        return number

    assert answers([partial(asked, number) for number in range(8)]) == [*range(8)]
    assert sorted(taken) == [*range(8)]
    assert none_left()


def test_a_copy_does_first_what_it_has_to_and_takes_nothing_where_that_fails(tmp_path) -> None:
    here = os.getpid()

    def begun():
        (tmp_path / "a copy").touch()
        assert os.getpid() != here
        raise OSError("no room")

    def asked(number):
        assert until((tmp_path / "a copy").exists)
        return number, os.getpid()

    questions = [partial(asked, number) for number in range(8)]
    assert answers(questions, first=begun) == [(number, here) for number in range(8)]
    assert none_left()


def test_what_one_of_many_questions_raises_is_raised_here() -> None:
    def asked(number):
        return 1 // (number - 3)

    with pytest.raises(ZeroDivisionError):
        answers([partial(asked, number) for number in range(8)])
    assert none_left()
