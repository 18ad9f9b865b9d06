"""What every test run says at its head, and what all tests share: nobody's shelf, no needless garbage."""

import gc
import os
import sys

import pytest


def pytest_report_header() -> str:
    from tests.test_demo_truth import SEEDS

    return f"seeds of the demo, half from the commit's hash: {SEEDS}"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """One worker more than cores: live wards, which live in real time, wait for minutes in all."""
    told = sys.platform != "linux" or "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ
    return None if told else len(os.sched_getaffinity(0)) + 1


LONG = (
    "test_what_came_is_what_the_source_says",
    "test_two_readers_whatever_the_blocks_and_the_cut",
    "test_the_short_form_measures_everything_of_ours",
    "test_every_expectation_about_the_shared_captures_is_met",
    "test_every_byte_truncation_of_every_shared_capture_is_read_up_to_the_cut",
    "test_two_processes_find_what_one_does_in_shared_captures",
    "test_any_cut_of_disturbed_conversations",
    "test_any_parts_of_disturbed_conversations_in_any_bracketing",
)
"""Tests of ten seconds and more. One that comes last leaves all workers but one without work."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long tests first: what is left at the end is short, and is shared."""
    places = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(getattr(item, "originalname", item.name), len(LONG)))


@pytest.fixture(scope="session", autouse=True)
def _no_shelf_of_the_one_who_runs_this(tmp_path_factory):
    """An audit asks the shelf of its user by default; what stands there must not decide a test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        yield


@pytest.fixture(scope="module", autouse=True)
def _what_there_is_is_no_garbage():
    """The collector leaves alone what stays to the end, as in the small process of a short run.

    Thousands of tests and what they load: to look through them for garbage again and again took a
    seventh of the suite's time. Who forks has all looked at again, up to the next module.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def pytest_unconfigure() -> None:
    """At the end all is to be found and let go, as compiled libraries look whether it was."""
    gc.unfreeze()


@pytest.fixture
def at_once(monkeypatch):
    """Fails where all is read again by one: parts did not fit, and only their joining showed it."""
    from wardwatch.observe import digests, observer, streams

    def lost(why):
        raise AssertionError(why)

    monkeypatch.setattr(observer, "Lost", lost)
    monkeypatch.setattr(streams, "Lost", lost)
    monkeypatch.setattr(digests, "Lost", lost)
