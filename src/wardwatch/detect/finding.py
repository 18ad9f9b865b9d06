"""Finding: how an episode becomes one, in the same words for every technique."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wardwatch.model.judgement import TECHNIQUES, Certainty, Finding
from wardwatch.signs.episodes import CONFIRMED, SUSPECT
from wardwatch.signs.policy import label, zone_of

if TYPE_CHECKING:
    from wardwatch.inventory.scene import Scene
    from wardwatch.signs.episodes import Episode

_CVE = {technique.id: technique.cve for technique in TECHNIQUES}


def certainty(rank: int) -> Certainty:
    """A rank as the judgement's word."""
    if rank == CONFIRMED:
        return Certainty.CONFIRMED
    return Certainty.SUSPECT if rank == SUSPECT else Certainty.NOTICE


def cves(technique: str) -> tuple[str, ...]:
    """The CVE a technique stands for, if the advisory names one."""
    return (_CVE[technique],) if _CVE[technique] else ()


def finding(
    scene: Scene,
    technique: str,
    episode: Episode,
    statement: str,
    *,
    do_next: str,
    speaks_against: str = "",
    actor: str | None = None,
) -> Finding:
    """One episode as a finding, labelled with what the hospital declared of its time and actor."""
    return Finding(
        technique=technique,
        actor=episode.actor if actor is None else actor,
        segment=episode.segment,
        certainty=certainty(episode.rank),
        statement=statement,
        targets=episode.targets,
        known_device=episode.known,
        first_ts=episode.first_ts,
        last_ts=episode.last_ts,
        packets=episode.packets,
        evidence=episode.evidence,
        cves=cves(technique),
        variant=episode.variant,
        label=label(
            scene.site,
            episode.first_ts,
            episode.last_ts,
            episode.mac,
            episode.ip,
            zone_of(scene.site, episode.segment),
        ),
        speaks_against=speaks_against,
        do_next=do_next,
    )


def some(names: tuple[str, ...], limit: int = 3) -> str:
    """A few names and how many more."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return (", ".join(names[:limit]) or "nobody by name") + more
