"""Which published advisory applies to which device."""

from wardwatch.advise.library import read_advisory, shelf
from wardwatch.advise.match import Advised, advise

__all__ = ["Advised", "advise", "read_advisory", "shelf"]
