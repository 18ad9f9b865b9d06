"""Thresholds: each has its reason, and some technique reads it."""

import ast
from pathlib import Path

import pytest
from tests.verify.ward import PUMP, Ward

import wardwatch.detect
from wardwatch.detect import Thresholds, detect

FOLDER = Path(wardwatch.detect.__file__).parent
SOURCE = "\n".join(p.read_text("utf-8") for p in FOLDER.glob("*.py") if p.name != "thresholds.py")


@pytest.mark.parametrize("name", Thresholds.__struct_fields__)
def test_each_threshold_is_read(name: str) -> None:
    assert f"thresholds.{name}" in SOURCE


def test_each_threshold_says_its_reason() -> None:
    body = ast.parse((FOLDER / "thresholds.py").read_text("utf-8")).body[-1].body
    fields = [n for n, node in enumerate(body) if isinstance(node, ast.AnnAssign)]
    assert len(fields) == len(Thresholds.__struct_fields__)
    assert all(body[n + 1].value.value.strip() for n in fields)


def test_a_threshold_moves_the_bound() -> None:
    scene = Ward().pump().reply(client=PUMP, opt66_len=40).scene()
    assert detect(scene) == ()
    assert len(detect(scene, Thresholds(sname_bytes=39))) == 1
