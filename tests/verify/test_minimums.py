"""Minimums: each has its reason beside it, and some check reads it."""

import ast
from pathlib import Path

import pytest

import wardwatch.verify
from wardwatch.verify import Minimums

FOLDER = Path(wardwatch.verify.__file__).parent
SOURCE = "\n".join(p.read_text("utf-8") for p in FOLDER.glob("*.py") if p.name != "minimums.py")


@pytest.mark.parametrize("name", Minimums.__struct_fields__)
def test_each_minimum_is_read_by_a_check(name: str) -> None:
    assert f"minimums.{name}" in SOURCE


def test_each_minimum_says_its_reason() -> None:
    body = ast.parse((FOLDER / "minimums.py").read_text("utf-8")).body[-1].body
    fields = [n for n, node in enumerate(body) if isinstance(node, ast.AnnAssign)]
    assert len(fields) == len(Minimums.__struct_fields__)
    for n in fields:
        assert isinstance(body[n + 1], ast.Expr)
        assert body[n + 1].value.value.strip()


def test_measures_md_decides_the_numbers() -> None:
    least = Minimums()
    hour = 3600
    assert (least.lease_span_s, least.dhcp_span_s, least.dns_span_s) == (
        96 * hour,
        24 * hour,
        24 * hour,
    )
    assert (least.router_span_s, least.arp_span_s, least.vlan_span_s) == (
        1800,
        24 * hour,
        24 * hour,
    )
    assert (least.peers_span_s, least.alive_s) == (7 * 24 * hour, 60)
    assert (least.dhcp_discovers, least.dhcp_clients) == (10, 3)
    assert (least.dns_pairs, least.arp_confirmations, least.unanswered_syns) == (1, 2, 3)
