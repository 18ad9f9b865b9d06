"""No ARP impersonation: every address stays with its MAC.

Misses to know: MAC cloning; claims sent to one station whose port is not mirrored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wardwatch.model.judgement import Reason
from wardwatch.signs.arp import claims
from wardwatch.signs.episodes import CONFIRMED, episodes
from wardwatch.signs.owners import owners, spoke
from wardwatch.signs.policy import is_scanner, permitted, said_by
from wardwatch.signs.vantage import device_segments, vantages
from wardwatch.verify.answer import Need, Subject, loss_need, span_need

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wardwatch.inventory.scene import Scene
    from wardwatch.model.judgement import Verdict
    from wardwatch.signs.episodes import Episode
    from wardwatch.verify.minimums import Minimums

MEASURE = "no_arp_impersonation"
RULE = (
    "Broken when one MAC claims another's address by ARP while that one still uses it. Virtual"
    " router MACs, probes, announcements, proxy ARP of confirmed routers and moves do not count."
    " To hold:"
)
DOUBTFUL = ("back again", "traffic moved")
"""Signs that are suspect alone and yet keep a segment from holding: its addresses did not stay."""


def check(scene: Scene, minimums: Minimums) -> Iterator[Verdict]:
    """One verdict for each segment that holds devices."""
    heard = vantages(scene, minimums.bridge_s)
    sql, parameters = claims(scene, minimums.arp_still_s)
    told = [e for e in episodes(scene, sql, parameters, of=("arp",)) if not _is_nac(scene, e)]
    found = [e for e in told if e.rank == CONFIRMED]
    confirmed = _confirmed(scene, minimums.arp_confirmations)
    for name in device_segments(scene, heard):
        place = heard[name]
        subject = Subject(MEASURE, name, "segment", RULE, name, place.longest)
        mine = [episode for episode in found if episode.segment == name]
        if mine:
            yield subject.broken(
                "; ".join(f"{e.actor} {e.detail}" for e in mine[:5]) + ".",
                [e for episode in mine for e in episode.evidence],
                "The claimer found and removed, then a day without its claims.",
            )
            continue
        routers = permitted(scene.site, "router", name)
        devices = [d for d in scene.medical if d.seen and name in d.segments]
        twice = confirmed.get(name, set())
        gateways = [r for r in routers if any(ip == r.ip for _, ip in twice)]
        unbound = [d for d in devices if not any(m in d.macs and ip in d.ips for m, ip in twice)]
        doors = {mac for mac, ip in twice if any(ip == r.ip for r in routers)}
        received = _receiving(scene).get(name, set()) if devices or doors else set()
        deaf = [d for d in devices if not received.intersection(d.macs)]
        # bonded ports are ordinary; what else is suspect may have been an attack
        open_to_doubt = [e for e in told if e.segment == name and e.variant in DOUBTFUL]
        needs = (
            Need(
                "no claim of an address that another used before and after, or whose traffic moved",
                not open_to_doubt,
                Reason.CONTESTED,
                "; ".join(f"{e.actor} {e.detail}" for e in open_to_doubt[:3]),
            ),
            loss_need(place, minimums.lost_share),
            Need(
                "unicast to every device and to the gateway is mirrored",
                bool(devices) and not deaf and (not doors or bool(doors & received)),
                Reason.VANTAGE,
                f"{len(devices) - len(deaf)} of {len(devices)} devices",
            ),
            Need("a confirmed gateway", bool(routers), Reason.NO_POLICY),
            Need(
                f"the bindings of gateway and devices confirmed {minimums.arp_confirmations} times",
                bool(gateways) and not unbound,
                Reason.NO_STIMULUS,
                f"{len(devices) - len(unbound)} of {len(devices)} devices,"
                f" {len(gateways)} gateways",
            ),
            span_need("a span", place.longest.seconds, minimums.arp_span_s),
        )
        yield subject.judged(needs, "Every address stayed with its MAC.", (), said_by(routers))


def _confirmed(scene: Scene, times: int) -> dict[str, set[tuple[str, str]]]:
    """By segment: (MAC, IP) pairs of devices and routers that ARP confirmed often enough."""
    routers = [server.ip for server in scene.site.servers("router")]
    rows = scene.tables.ask(
        f"""WITH {owners(scene, scene.medical)}
        SELECT segment, mac, ip FROM bindings
        WHERE source = 'arp' AND (mac IN (SELECT address FROM owners)
            OR ip IN (SELECT unnest(?::VARCHAR[])))
        GROUP BY segment, mac, ip HAVING sum(packets) >= ?""",
        [routers, times],
        of=("bindings",),
    )
    found: dict[str, set[tuple[str, str]]] = {}
    for row in rows:
        found.setdefault(row.segment, set()).add((row.mac, row.ip))
    return found


def _receiving(scene: Scene) -> dict[str, set[str]]:
    """By segment: MACs to which unicast was heard."""
    return scene.once(
        "stations receiving",
        lambda: {
            segment: {mac for _, mac, _, received, *_ in stations if received}
            for segment, stations in spoke(scene).items()
        },
    )


def _is_nac(scene: Scene, episode: Episode) -> bool:
    """Whether the claimer is a confirmed scanner or NAC, which quarantines by ARP."""
    return any(
        scanner.confirmed
        and (
            (scanner.mac and scanner.mac.lower() == episode.mac)
            or is_scanner(scanner.ip, scanner.mac, episode.mac, episode.ip)
        )
        for scanner in scene.site.scanner
    )
