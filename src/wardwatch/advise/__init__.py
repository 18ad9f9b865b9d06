"""Which published advisory applies to which device."""

from wardwatch.advise.library import read_advisory, shelf
from wardwatch.advise.match import advise

__all__ = ["advise", "read_advisory", "shelf"]
