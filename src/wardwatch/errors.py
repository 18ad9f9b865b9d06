"""Every exception wardwatch raises, drawn as a tree.

Oddities in the traffic are *values* (:class:`wardwatch.model.evidence.Anomaly`), never
exceptions. Faults of a file or of the caller are exceptions from this one tree:

    WardwatchError
      ├── InputError            a file we were given cannot be used: names file, offset, remedy
      │     ├── CaptureError    not a capture, or damaged before its first packet
      │     ├── SiteError       site.toml cannot be read as a site file
      │     ├── InventoryError  the hospital's list cannot be read
      │     └── AdvisoryError   an advisory record cannot be used
      ├── OutputError           the place we were told to write to cannot be written
      └── UsageError            the caller asked for something that does not exist
"""

from __future__ import annotations


class WardwatchError(Exception):
    """Base of every exception we raise; its text is one line a user can act on."""


class InputError(WardwatchError):
    """A file cannot be used: what, where, and what to do next."""

    def __init__(self, file: str, problem: str, remedy: str, offset: int | None = None) -> None:
        self.file, self.problem, self.remedy, self.offset = file, problem, remedy, offset
        at = "" if offset is None else f" at byte {offset}"
        super().__init__(f"{file}{at}: {problem}; {remedy}")

    @property
    def why(self) -> str:
        """The same without the file, for a line that names it already."""
        return f"{self.problem}; {self.remedy}"


class CaptureError(InputError):
    """The file is no capture we can read, or is damaged before its first packet."""


class SiteError(InputError):
    """``site.toml`` cannot be read as a site file."""


class InventoryError(InputError):
    """The hospital's list of devices cannot be read."""


class AdvisoryError(InputError):
    """An advisory record cannot be used."""


class OutputError(WardwatchError):
    """The place we were told to write to cannot be written."""


class UsageError(WardwatchError):
    """The caller asked for something that does not exist; the text says what does."""
