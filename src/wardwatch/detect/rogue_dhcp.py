"""DHCP server nobody confirmed: it answered clients, whether it won the race or lost it.

With a confirmed list an unlisted server is named; without one, servers that compete are one
suspect that names them all and what speaks against each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wardwatch.detect.finding import finding, some
from wardwatch.model.values import NS
from wardwatch.signs.dhcp import MAX_SERVERS, contests, unlisted
from wardwatch.signs.episodes import MAX_EVIDENCE, MAX_TARGETS, SUSPECT, Episode, episodes
from wardwatch.signs.who import Who, actor_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wardwatch.detect.thresholds import Thresholds
    from wardwatch.inventory.scene import Scene
    from wardwatch.model.judgement import Finding
    from wardwatch.signs.dhcp import Contest

TECHNIQUE = "rogue_dhcp"


def detect(scene: Scene, thresholds: Thresholds) -> Iterator[Finding]:
    """One finding for each unlisted server and segment, and one for each contest."""
    who = Who.of(scene)
    sql, parameters = unlisted(scene)
    for episode in episodes(
        scene, sql, parameters, of=("dhcp",), silence_ns=int(thresholds.silence_s * NS)
    ):
        weak = (
            ""
            if episode.rank < SUSPECT
            else "It bears no identifier of its own, or one a relay put in (RFC 5107)."
        )
        yield finding(
            scene,
            TECHNIQUE,
            episode,
            f"{episode.actor} answered DHCP clients ({episode.detail}); no confirmed line names it."
            f" Its answers went to {some(episode.targets)}.",
            do_next="Find the machine behind this MAC; once it is known to be non-clinical, close its port.",
            speaks_against=weak,
        )
    for contest in contests(scene):
        episode = _as_episode(contest, who)
        many = "At least " if len(contest.servers) >= MAX_SERVERS else ""
        yield finding(
            scene,
            TECHNIQUE,
            episode,
            f"{many}{len(contest.servers)} DHCP servers answered clients of {contest.segment}: "
            + " and ".join(s.text for s in contest.servers[:5])
            + ". Nobody has confirmed which is permitted.",
            actor=" and ".join(actor_text(s.mac, s.id) for s in contest.servers[:5]),
            do_next="Say in site.toml which of them the hospital runs, then find the other.",
            speaks_against=contest.speaks_against,
        )


def _as_episode(contest: Contest, who: Who) -> Episode:
    clients = sorted({mac for s in contest.servers for mac in s.clients})
    return Episode(
        mac="",
        ip="",
        segment=contest.segment,
        rank=SUSPECT,
        variant="competing servers",
        detail="",
        first_ts=min(s.first_ts for s in contest.servers),
        last_ts=max(s.last_ts for s in contest.servers),
        packets=sum(s.packets for s in contest.servers),
        evidence=tuple(sorted({e for s in contest.servers for e in s.evidence}))[:MAX_EVIDENCE],
        targets=tuple(sorted({who.named(mac) for mac in clients}))[:MAX_TARGETS],
        pump=any(mac in who.pump_macs for mac in clients),
        known=any(mac in who.known_macs for mac in clients),
    )
