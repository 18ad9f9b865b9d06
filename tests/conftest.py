"""What the head of every test run says: the seeds that nobody chose. And whose shelf is asked: nobody's."""

import pytest


def pytest_report_header() -> str:
    from tests.test_demo_truth import SEEDS

    return f"seeds of the demo, half from the commit's hash: {SEEDS}"


@pytest.fixture(scope="session", autouse=True)
def _no_shelf_of_the_one_who_runs_this(tmp_path_factory):
    """An audit asks the shelf of its user by default; what stands there must not decide a test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        yield
