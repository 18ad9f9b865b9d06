"""The CSAF 2.0 schema, where the packages that carry it are installed."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jsonschema_rs import Validator


@cache
def available() -> bool:
    """Whether both packages are there: ``csaf`` has the schema, ``jsonschema-rs`` the checker."""
    return find_spec("csaf") is not None and find_spec("jsonschema_rs") is not None


def problem(raw: bytes) -> str:
    """The first thing a document breaks of the schema; "" for none, or where it cannot be checked.

    The document is JSON already: read by :func:`wardwatch.advise.csaf.read_document`.
    """
    if not available():
        return ""
    import jsonschema_rs
    import orjson

    try:
        _validator().validate(orjson.loads(raw))
    except jsonschema_rs.ValidationError as error:
        where = "/".join(str(part) for part in error.instance_path)
        return f"{error.message[:300]} (at /{where})"
    return ""


@cache
def _validator() -> Validator:
    import jsonschema_rs

    folder = files("csaf") / "csaf" / "v20" / "schema"
    schema = json.loads((folder / "csaf.json").read_text(encoding="utf-8"))
    resources = []
    for inner in (folder / "referenced").iterdir():
        if inner.name.endswith(".json"):
            of = json.loads(inner.read_text(encoding="utf-8"))
            # Their own ids bear a date that the schema's references leave out.
            bare = {key: value for key, value in of.items() if key not in ("id", "$id")}
            resources.append((f"https://www.first.org/cvss/{inner.name}", bare))
    # Nothing is ever fetched: what the package does not carry is an error.
    return jsonschema_rs.validator_for(
        schema, registry=jsonschema_rs.Registry(resources), validate_formats=False, offline=True
    )
