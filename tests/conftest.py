"""What every test run says at its head, and what all tests share: nobody's shelf, and their memory."""

import ctypes
import os
import platform
import sys

import pytest


def pytest_report_header() -> str:
    from tests.test_demo_truth import SEEDS

    return f"seeds of the demo, half from the commit's hash: {SEEDS}"


def pytest_configure() -> None:
    """Tables of half a MB and more are mapped anew for each audit, untouched, as in a short run.

    glibc raises the size from which on it maps to that of what was freed once; from then on every
    table is filled with zeros by hand, which took as long as reading a small capture. Below half a
    MB to map takes longer than to fill.
    """
    if platform.libc_ver()[0] == "glibc":
        mmap_threshold = -3
        ctypes.CDLL(None).mallopt(mmap_threshold, 1 << 19)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """One worker more than cores: live wards, which live in real time, wait for minutes in all."""
    told = sys.platform != "linux" or "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ
    return None if told else len(os.sched_getaffinity(0)) + 1


@pytest.fixture(scope="session", autouse=True)
def _no_shelf_of_the_one_who_runs_this(tmp_path_factory):
    """An audit asks the shelf of its user by default; what stands there must not decide a test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        yield


@pytest.fixture
def at_once(monkeypatch):
    """Fails where all is read again by one: parts did not fit, and only their joining showed it."""
    from wardwatch.observe import digests, observer, streams

    def lost(why):
        raise AssertionError(why)

    monkeypatch.setattr(observer, "Lost", lost)
    monkeypatch.setattr(streams, "Lost", lost)
    monkeypatch.setattr(digests, "Lost", lost)
