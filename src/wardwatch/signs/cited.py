"""Cited: packets that a question names, as evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wardwatch.model.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterable

FIRST = "min((ts, capture, packet), 20)"
"""SQL: the first twenty packets of a group."""


def values(cell: object) -> tuple:  # type: ignore[type-arg]
    """A row value of DuckDB as a tuple, whichever way this version hands it over."""
    return tuple(cell.values()) if isinstance(cell, dict) else tuple(cell)  # type: ignore[arg-type]


def cited(cells: Iterable[object] | None) -> tuple[Evidence, ...]:
    """What :data:`FIRST` selected, each packet once, in order."""
    return tuple(sorted({Evidence(*values(cell)[1:3]) for cell in cells or ()}))
