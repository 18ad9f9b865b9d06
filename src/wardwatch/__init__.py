"""wardwatch: packet captures in, evidence out. It only listens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wardwatch.watch import Audit, audit

__version__ = "0.1.0"
__all__ = ["Audit", "__version__", "audit"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the module protocol
    """Join the stages only when they are asked for: importing wardwatch stays cheap."""
    if name in ("Audit", "audit"):
        from wardwatch import watch

        return getattr(watch, name)
    raise AttributeError(name)
