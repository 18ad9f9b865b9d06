"""The one place where the stages are joined: captures in; evidence, verdicts and findings out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from wardwatch.model.advisory import Advisory, Match
from wardwatch.model.device import Device
from wardwatch.model.judgement import Finding, State, Verdict
from wardwatch.model.site import Site
from wardwatch.observe.tables import Tables

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


class Audit(msgspec.Struct, frozen=True):
    """Everything one run found. Tables stay on disk while the value lives."""

    tables: Tables
    devices: tuple[Device, ...]
    advisories: tuple[Advisory, ...]
    matches: tuple[Match, ...]
    verdicts: tuple[Verdict, ...]
    findings: tuple[Finding, ...]
    site: Site
    assumed: tuple[str, ...]
    """What was assumed for lack of a confirmed site file, a sentence each."""
    key_note: str = ""
    """Where the key of secrets came from, when it is good for this run only."""
    packets: int = 0
    decoded: int = 0
    skipped: int = 0
    malformed: int = 0
    damaged: bool = False
    """Whether a file was cut or damaged."""

    @property
    def broken(self) -> tuple[Verdict, ...]:
        """Verdicts that a measure is broken."""
        return tuple(v for v in self.verdicts if v.state is State.BROKEN)

    @property
    def not_observable(self) -> tuple[Verdict, ...]:
        """Verdicts that could not be told."""
        return tuple(v for v in self.verdicts if v.state is State.NOT_OBSERVABLE)

    @property
    def exit_status(self) -> int:
        """1 a finding or a broken measure; 3 none, but damaged or nothing observable; else 0."""
        if self.findings or self.broken:
            return 1
        answered = any(v.state in (State.HOLDS, State.ATTESTED) for v in self.verdicts)
        return 3 if self.damaged or not self.packets or not answered else 0


def audit(
    paths: Sequence[str | Path],
    *,
    site: str | Path | Site | None = None,
    inventory: str | Path | None = None,
    out: str | Path | None = None,
    key_file: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Audit:
    """Read captures and answer: which devices, which advisories, which measures, who attacks."""
    raise AssertionError("joined once the stages have landed")
