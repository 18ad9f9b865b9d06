"""Commands: Typer's, but a text or path from the command line is taken as it is.

Typer has pydantic turn every value into its parameter's type, which takes longer to load than
anything else: an eighth of a small audit, 55 ms. Numbers and choices, which other commands take, still
go Typer's way, and so does what is refused, for its words.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin

import typer
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from collections.abc import Callable


class Commands(typer.Typer):
    """A :class:`typer.Typer` whose commands take texts and paths as they are."""

    def __init__(self, **how: Any) -> None:  # noqa: ANN401 - as Typer's
        super().__init__(cls=_Group, **how)

    def command(self, *args: Any, **how: Any) -> Callable[[Any], Any]:  # noqa: ANN401 - as Typer's
        """As :meth:`typer.Typer.command`."""
        return super().command(*args, cls=_Command, **how)


class _Command(TyperCommand):
    def get_params(self, ctx: Any) -> Any:  # noqa: ANN401 - as Typer's
        return _taking_as_it_is(super().get_params(ctx))


class _Group(TyperGroup):
    def get_params(self, ctx: Any) -> Any:  # noqa: ANN401 - as Typer's
        return _taking_as_it_is(super().get_params(ctx))


def _taking_as_it_is(params: Any) -> Any:  # noqa: ANN401 - as Typer's
    """Parameters, with a conversion of ours where Typer has yet to make its own.

    Another version that keeps it elsewhere does not ask ours, and is only slower.
    """
    for param in params:
        if getattr(param, "_runtime_param", None) is None:
            param._runtime_param = _AsItIs()
    return params


class _AsItIs:
    """The conversion of a parameter's values into its type: none, where that is enough."""

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:  # noqa: ANN401 - as Typer's
        """The value of a parameter from what was said; raises what Typer raises."""
        kind = param.type_descriptor.annotation
        several = param.multiple or param.nargs == -1
        if value is None:
            return () if several else None
        if several and get_origin(kind) is list and isinstance(value, list | tuple):
            (kind,) = get_args(kind)
            taken = [_taken(each, kind) for each in value]
            if None not in taken:
                return taken
        elif not several and (one := _taken(value, kind)) is not None:
            return one
        param._runtime_param = None  # it then makes its own
        return param.get_runtime_param().coerce(value, param=param, ctx=ctx)


def _taken(value: object, kind: object) -> object:
    """A text or path as it is; ``None`` for what is neither, or is a file that cannot be read."""
    if kind is str and isinstance(value, str):
        return value
    if kind is Path and isinstance(value, str | Path):
        path = Path(value)
        return path if os.access(path, os.R_OK) or not os.access(path, os.F_OK) else None
    return None
