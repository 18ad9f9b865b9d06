"""What every test run says at its head, and what all tests share: nobody's shelf, and their memory."""

import ctypes
import platform

import pytest


def pytest_report_header() -> str:
    from tests.test_demo_truth import SEEDS

    return f"seeds of the demo, half from the commit's hash: {SEEDS}"


def pytest_configure() -> None:
    """Tables of some MB are mapped anew for each audit, untouched, as they are in a short run.

    glibc raises the size from which on it maps to that of what was freed once; from then on every
    table is filled with zeros by hand, which took as long as reading a small capture.
    """
    if platform.libc_ver()[0] == "glibc":
        mmap_threshold = -3
        ctypes.CDLL(None).mallopt(mmap_threshold, 1 << 20)


@pytest.fixture(scope="session", autouse=True)
def _no_shelf_of_the_one_who_runs_this(tmp_path_factory):
    """An audit asks the shelf of its user by default; what stands there must not decide a test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        yield
