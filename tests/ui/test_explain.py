"""wardwatch.ui.explain"""

import json

import pytest

from wardwatch.errors import UsageError
from wardwatch.model.columns import TABLES
from wardwatch.model.judgement import MEASURES, TECHNIQUES
from wardwatch.ui.explain import explain_json, explain_text


def test_the_list_holds_everything() -> None:
    text = explain_text(None)
    for item in (*MEASURES, *TECHNIQUES):
        assert item.id in text
    assert json.loads(explain_json(None))["tables"] == [t.name for t in TABLES]


def test_one_of_each_kind_is_explained() -> None:
    assert "ICSMA-17-250-02A" in explain_text("static_address")
    assert "CVE-2017-12718" in explain_text("dhcp_overflow")
    assert "opt66_len" in explain_text("dhcp")
    assert json.loads(explain_json("dhcp"))["name"] == "dhcp"


def test_a_wrong_name_lists_what_there_is() -> None:
    with pytest.raises(UsageError, match="static_address"):
        explain_text("nope")
