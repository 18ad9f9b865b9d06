"""EPSS: FIRST's daily estimate that a weakness is exploited, from a file the hospital fetched.

Nothing is shipped and nothing is fetched. The model learns from general exploitation, so
weaknesses of devices sit low in it: it only breaks ties, and a low number calms nobody.
"""

from __future__ import annotations

import gzip
import re
import zlib
from datetime import date
from pathlib import Path
from typing import IO, TYPE_CHECKING

import msgspec

from wardwatch.errors import AdvisoryError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

MAX_LINES = 2_000_000
"""Some 300,000 weaknesses are numbered so far."""
MAX_LINE = 256
"""Bytes; a row has about 30. With the line count this also bounds what a gzip bomb unpacks to."""
REMEDY = "fetch epss_scores-YYYY-MM-DD.csv.gz anew from FIRST"


class Epss(msgspec.Struct, frozen=True):
    """The scores of one day."""

    model: str
    day: str
    """ISO 8601."""
    scores: dict[str, float]
    """Probability of exploitation in the next 30 days, 0 … 1, by weakness."""


def read_epss(path: str | Path, wanted: Collection[str] | None = None) -> Epss:
    """The scores from a daily file, gzip or plain; only those of ``wanted`` where given.

    Raises :class:`~wardwatch.errors.AdvisoryError`: what is wrong with the file, and its line.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            if not packed:
                return _read(file, path.name, wanted)
            with gzip.GzipFile(fileobj=file) as unpacked:
                return _read(unpacked, path.name, wanted)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise AdvisoryError(path.name, f"is damaged gzip ({error})", REMEDY) from error
    except OSError as error:
        raise AdvisoryError(str(path), f"cannot be read ({error.strerror})", REMEDY) from error


def _read(file: IO[bytes] | gzip.GzipFile, name: str, wanted: Collection[str] | None) -> Epss:
    rows = _lines(file, name)
    _, first = next(rows, (0, ""))
    stated = re.fullmatch(
        r"#model_version:([\w.]{1,40}),score_date:(\d{4}-\d{2}-\d{2})T[\d:.+\-Z]{1,30}", first
    )
    if stated is None or not _is_day(stated[2]):
        raise AdvisoryError(name, "does not begin with EPSS's model and date", REMEDY)
    if next(rows, (0, ""))[1] != "cve,epss,percentile":
        raise AdvisoryError(name, "has no head line 'cve,epss,percentile'", REMEDY)
    scores: dict[str, float] = {}
    for number, line in rows:
        found = re.fullmatch(r"(CVE-\d{4}-\d{4,7}),(\d(?:\.\d{1,20})?(?:e-\d{1,2})?),[\d.e\-]{1,24}", line)  # fmt: skip
        if found is None or not 0.0 <= float(found[2]) <= 1.0:
            raise AdvisoryError(name, f"line {number} is no score: {line[:60]!r}", REMEDY)
        if wanted is None or found[1] in wanted:
            scores[found[1]] = float(found[2])
    return Epss(stated[1], stated[2], scores)


def _lines(file: IO[bytes] | gzip.GzipFile, name: str) -> Iterator[tuple[int, str]]:
    number = 0
    while raw := file.readline(MAX_LINE + 1):
        number += 1
        if number > MAX_LINES:
            raise AdvisoryError(name, f"has more than {MAX_LINES:,} lines", REMEDY)
        if len(raw) > MAX_LINE:
            raise AdvisoryError(name, f"line {number} is longer than {MAX_LINE} bytes", REMEDY)
        yield number, raw.decode("ascii", "replace").rstrip("\r\n")


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
