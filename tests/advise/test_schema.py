"""The CSAF schema: what it takes, what it does not, and never a fetch."""

import json

import pytest
from tests.advise.papers import paper, raw

from wardwatch.advise import schema


def test_a_whole_document_has_no_problem():
    assert schema.available()
    assert schema.problem(raw()) == ""


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("document", "tracking", "status"), "done", "/document/tracking/status"),
        (("document", "publisher"), {}, "/document/publisher"),
        (("vulnerabilities", 0, "cve"), "CVE-1", "/vulnerabilities/0/cve"),
        (("vulnerabilities", 0, "scores", 0, "cvss_v3", "baseScore"), 11, "baseScore"),
    ],
)
def test_a_breach_is_named_with_its_place(path, value, said):
    data = paper()
    inner = data
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    assert said in schema.problem(json.dumps(data).encode())


def test_without_the_packages_nothing_is_claimed(monkeypatch):
    monkeypatch.setattr(schema, "available", lambda: False)
    assert schema.problem(b'{"document": {}}') == ""
