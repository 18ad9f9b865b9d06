"""The gold table: ``python -m tests.gold FILE.csv`` holds the matcher against rows read by a person.

Agreement is on ``expected_overall`` exactly. Predicted CVEs are the certain ones; conditional ones
count neither way. Precision and recall of CVEs are micro-averaged over all rows.
"""

from __future__ import annotations

import csv
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.shared import SHARED

CORPUS = SHARED / "data" / "advisories" / "icsma.tar.xz"
HAND = Path(__file__).parent / "advise" / "read_by_hand.txt"
DOCS = Path(__file__).parents[1] / "docs" / "advisories.md"
BEGIN, END = "<!-- gold table -->", "<!-- end of gold table -->"


@dataclass
class Table:
    """What came of one file."""

    rows: int = 0
    agreed: int = 0
    dangerous: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    disagreed: list[str] = field(default_factory=list)
    affected: list[int] = field(default_factory=lambda: [0, 0, 0])
    """True and false positives, false negatives of "affected"."""
    cves: list[int] = field(default_factory=lambda: [0, 0, 0])
    unknown: int = 0
    advisories: list[int] = field(default_factory=lambda: [0, 0])
    """Advisory by advisory: agreed, expected."""
    details: list[str] = field(default_factory=list)

    @property
    def agreement(self) -> float:
        return self.agreed / self.rows if self.rows else 0.0


def ratio(counts: list[int]) -> tuple[float, float]:
    """Precision and recall."""
    true, false, lost = counts
    return true / max(1, true + false), true / max(1, true + lost)


def table(path: Path, corpus: Path = CORPUS) -> Table:
    """The matcher's answers beside a person's."""
    from wardwatch.advise.assets import Asset, Library, overall
    from wardwatch.advise.statements import statements
    from wardwatch.advise.store import read_paths
    from wardwatch.model.advisory import Exposure

    documents, refused = read_paths([corpus])
    assert not refused, refused
    library = Library(s for document in documents for s in statements(document))
    words = {
        Exposure.AFFECTED: "affected",
        Exposure.NOT_AFFECTED: "not_affected",
        Exposure.UNKNOWN: "unknown",
        None: "no_advisory",
    }
    found = Table()
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            found.rows += 1
            answers = library.match(
                Asset(row["manufacturer"], row["model"], row["version"], row["component_note"])
            )
            said, expected = words[overall(answers)], row["expected_overall"]
            found.unknown += said == "unknown"
            name = row["row"]
            found.agreed += said == expected
            if said != expected:
                found.disagreed.append(f"{name}: expected {expected}, said {said}")
            if expected == "affected" and said == "not_affected":
                found.dangerous.append(name)
            if expected == "affected" and said != "affected":
                found.missed.append(name)
            found.affected[0] += said == expected == "affected"
            found.affected[1] += said == "affected" != expected
            found.affected[2] += said != "affected" == expected
            own = {c.cve for a in answers for c in a.cves if c.exposure is Exposure.AFFECTED}
            wanted = set(re.findall(r"CVE-\d+-\d+", row["expected_cves_by_text"]))
            maybe = set(re.findall(r"CVE-\d+-\d+", row["expected_cves_conditional"]))
            found.cves[0] += len(own & wanted)
            found.cves[1] += len(own - wanted - maybe)
            found.cves[2] += len(wanted - own)
            given = {a.advisory: words[a.exposure] for a in answers}
            one_by_one = dict(
                pair.split("=") for pair in row["expected_advisories"].split(";") if pair.strip()
            )
            for advisory in sorted(given.keys() | one_by_one.keys()):
                found.advisories[1] += 1
                found.advisories[0] += given.get(advisory) == one_by_one.get(advisory)
                if given.get(advisory) != one_by_one.get(advisory):
                    found.details.append(
                        f"{name}: {advisory} expected {one_by_one.get(advisory)}, said {given.get(advisory)}"
                    )
            if own - wanted - maybe or wanted - own:
                found.details.append(
                    f"{name}: CVEs too many {sorted(own - wanted - maybe)}, missing {sorted(wanted - own)}"
                )
    return found


def by_hand(
    path: Path = HAND, corpus: Path = CORPUS, told: list[str] | None = None
) -> tuple[int, int, list[str]]:
    """Rows, those that agree on the overall status, and affected ones said not affected."""
    from wardwatch.advise.assets import Asset, Library
    from wardwatch.advise.statements import statements
    from wardwatch.advise.store import read_paths
    from wardwatch.model.advisory import Exposure

    documents, _ = read_paths([corpus])
    library = Library(s for document in documents for s in statements(document))
    letters = {Exposure.AFFECTED: "a", Exposure.UNKNOWN: "u", Exposure.NOT_AFFECTED: "n"}
    rows, agreed, dangerous = 0, 0, []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        *words, expected = line.split("|")
        given = [letters[a.exposure] for a in library.match(Asset(*words))]
        wanted = [pair.partition("=")[2] for pair in expected.split(";") if pair]
        said, meant = (next((c for c in "aun" if c in found), "-") for found in (given, wanted))
        rows, agreed = rows + 1, agreed + (said == meant)
        if (said, meant) == ("n", "a"):
            dangerous.append(line)
        if said != meant and told is not None:
            told.append(f"{line}: said {said}")
    return rows, agreed, dangerous


def render(found: Table) -> str:
    """The table in lines."""
    affected, cves = ratio(found.affected), ratio(found.cves)
    lines = [
        f"rows                      {found.rows}",
        f"agreement on overall      {found.agreement:.3f} ({found.agreed}/{found.rows})",
        f"dangerous errors          {len(found.dangerous)} {' '.join(found.dangerous)}".rstrip(),
        f"missed (not said affected) {len(found.missed)} {' '.join(found.missed)}".rstrip(),
        f"affected precision/recall {affected[0]:.3f} / {affected[1]:.3f}",
        f"CVE precision/recall      {cves[0]:.3f} / {cves[1]:.3f}",
        f"said unknown              {found.unknown / max(1, found.rows):.3f}",
        f"advisory by advisory      {found.advisories[0]}/{found.advisories[1]}",
    ]
    return "\n".join([*lines, *found.disagreed])


def written(text: str, found: Table) -> str:
    """A document with the table of a file in its place."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n```text\n{render(found)}\n```\n{END}{after}"


def main() -> None:
    """Print the table of each file named; ``-v`` adds every difference below the overall status.

    ``--docs`` writes the table of the last file into ``docs/advisories.md``.
    """
    names = [name for name in sys.argv[1:] if name not in ("-v", "--docs")]
    for name in names:
        found = table(Path(name))
        print(render(found))
        if "-v" in sys.argv:
            print("\n".join(found.details))
        if "--docs" in sys.argv:
            DOCS.write_text(written(DOCS.read_text(encoding="utf-8"), found), encoding="utf-8")


if __name__ == "__main__":
    main()
