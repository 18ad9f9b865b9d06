"""What the head of every test run says: the seeds that nobody chose."""


def pytest_report_header() -> str:
    from tests.test_demo_truth import SEEDS

    return f"seeds of the demo, half from the commit's hash: {SEEDS}"
