"""Truth: what an audit of a capture must say, computed from the frames' marks and the minimums.

Nothing here reads a byte of a frame or runs the product: a mark says what its frame declares,
and the rules below are a second reading of domain/measures.md. What a cut took away turns to
``not observable``; where the note leaves a choice, the row's ``why`` says which was made.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec

from wardwatch.model.values import HOUR_NS
from wardwatch.twin.cast import LAN, WARDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from wardwatch.twin.scenario import Day
    from wardwatch.twin.ward import Frame, Mark, Station

HOLDS, BROKEN, ATTESTED = "holds", "broken", "attested"
NOT_OBSERVABLE, NOT_APPLICABLE = "not observable", "not applicable"

DAY_NS = 24 * HOUR_NS
DISCOVERS, CLIENTS = 10, 3
"""No rogue DHCP: 24 h, ≥ 10 DISCOVERs of ≥ 3 clients (domain/measures.md)."""
LEASE_NS = 12 * HOUR_NS
"""T1 of the ward's leases."""
NO_LEASE_NS = 96 * HOUR_NS
ROUTER_NS = HOUR_NS // 2
WEEK_NS = 7 * DAY_NS
SYNS = 3
ALIVE_NS = 60 * 10**9
CLOSED = (20, 21, 23, 2200)


class ExpectedVerdict(msgspec.Struct, frozen=True):
    """What an audit must answer for one measure and subject."""

    measure: str
    subject: str
    states: tuple[str, ...]
    """The answer; several where the note leaves it open."""
    why: str


class ExpectedFinding(msgspec.Struct, frozen=True):
    """What an audit must find."""

    technique: str
    actors: tuple[str, ...]
    """Its actor names one of these (MAC or address); () anybody, or nobody."""
    segment: str
    variants: tuple[str, ...]
    """One of these words; () any."""
    cve: str
    why: str
    event: str
    optional: bool = False
    """Allowed, not asked for."""


class Truth(msgspec.Struct, frozen=True):
    """The whole table for one capture."""

    verdicts: tuple[ExpectedVerdict, ...]
    findings: tuple[ExpectedFinding, ...]


def differences(
    truth: Truth,
    verdicts: Iterable[tuple[str, str, str]],
    findings: Iterable[tuple[str, str, str, str]],
) -> list[str]:
    """Where an audit departs from the truth, a line each; [] where it is met.

    ``verdicts`` are (measure, subject, state); ``findings`` (technique, actor, segment, variant).
    An answer of ``holds``, ``broken`` or ``attested`` that the truth does not know is a difference;
    further ``not observable`` ones are not.
    """
    said = {(measure, _plain(subject)): state for measure, subject, state in verdicts}
    lines = []
    for row in truth.verdicts:
        got = said.pop((row.measure, _plain(row.subject)), "no answer")
        if got not in row.states:
            lines.append(
                f"{row.measure} of {row.subject}: expected {' or '.join(row.states)}, got {got} "
                f"({row.why})"
            )
    lines += [
        f"{measure} of {subject}: got {state}, which the truth does not know"
        for (measure, subject), state in said.items()
        if state in (HOLDS, BROKEN, ATTESTED)
    ]
    left = list(findings)
    for expected in truth.findings:
        met = [found for found in left if _meets(expected, found)]
        if met:
            left.remove(met[0])
        elif not expected.optional:
            lines.append(
                f"finding {expected.technique} by {' or '.join(expected.actors) or 'anybody'} in "
                f"{expected.segment}: not found ({expected.why})"
            )
    lines += [
        f"finding {technique} ({variant}) by {actor or 'nobody'} in {segment}: nobody did that"
        for technique, actor, segment, variant in left
    ]
    return lines


def score(truth: Truth, report: dict[str, object]) -> list[str]:
    """:func:`differences` of a ``report.json``, read as plain objects."""

    def rows(name: str, *keys: str) -> list[tuple[str, ...]]:
        found = report.get(name, [])
        assert isinstance(found, list)
        return [tuple(str(row[key]) for key in keys) for row in found]

    return differences(
        truth,
        [(m, s, state) for m, s, state in rows("verdicts", "measure", "subject", "state")],
        [
            (t, a, s, v)
            for t, a, s, v in rows("findings", "technique", "actor", "segment", "variant")
        ],
    )


def _plain(segment: str) -> str:
    """A segment without the interface's name behind it."""
    return segment.partition("@")[0]


def _meets(expected: ExpectedFinding, found: tuple[str, str, str, str]) -> bool:
    technique, actor, segment, variant = found
    return (
        technique == expected.technique
        and (not expected.actors or any(one in actor for one in expected.actors))
        and _plain(segment) == expected.segment
        and (not expected.variants or variant in expected.variants)
    )


# From marks to rows ---------------------------------------------------------------------------


_Row = tuple[int, "Mark", bool]
"""When, what, and whether the frame is whole."""


class _Sight:
    """What a capture shows: marks with their time, and whether their frame is whole."""

    def __init__(self, frames: Sequence[Frame], day: Day, snap: int) -> None:
        self.day = day
        self.stations = day.ward.stations
        self._by_kind: defaultdict[str, list[_Row]] = defaultdict(list)
        self._by_vlan: defaultdict[int, list[_Row]] = defaultdict(list)
        self._beside: defaultdict[tuple[int, str], list[_Row]] = defaultdict(list)
        self._short: list[Mark] = []
        for ts, _, octets, mark in frames:
            row = (ts, mark, len(octets) <= snap)
            self._by_kind[mark.kind].append(row)
            self._by_vlan[mark.vlan].append(row)
            self._beside[mark.vlan, mark.who].append(row)
            if mark.peer != mark.who:
                self._beside[mark.vlan, mark.peer].append(row)
            if not row[2]:
                self._short.append(mark)

    def of(
        self, *kinds: str, who: str = "", peer: str = "", vlan: int = -1, whole: bool = True
    ) -> list[tuple[int, Mark]]:
        """Marks of some kinds whose frames are there (and whole, unless told), kind by kind."""
        return [
            (ts, mark)
            for kind in kinds
            for ts, mark, complete in self._by_kind.get(kind, ())
            if (complete or not whole)
            and (not who or mark.who == who)
            and (not peer or mark.peer == peer)
            and (vlan < 0 or mark.vlan == vlan)
        ]

    def inside(self, vlan: int) -> list[_Row]:
        """Everything of a VLAN, in order."""
        return self._by_vlan.get(vlan, [])

    def beside(self, station: Station) -> list[_Row]:
        """Everything to or from a station where it lives, in order."""
        return self._beside.get((station.vlan, station.name), [])

    def span(self, vlan: int) -> int:
        """From the first to the last frame of a VLAN."""
        rows = self.inside(vlan)
        return rows[-1][0] - rows[0][0] if rows else 0

    def spoke(self, station: Station) -> list[int]:
        """When a station's own frames passed where it lives."""
        return [ts for ts, mark, _ in self.beside(station) if mark.who == station.name]

    def passed_on(self, station: Station) -> bool:
        """Whether the router handed on packets of a station, with its address and another MAC."""
        return any(
            mark.routed and mark.who == station.name
            for (_, name), rows in self._beside.items()
            if name == station.name
            for _, mark, _ in rows
        )

    def cut(self, of: Mark) -> bool:
        """Whether a part of the conversation of a mark is cut."""
        return any(
            (mark.vlan, mark.event, mark.port) == (of.vlan, of.event, of.port)
            and {mark.who, mark.peer} == {of.who, of.peer}
            for mark in self._short
        )

    def contested(self, vlan: int) -> list[tuple[int, Mark]]:
        """ARP claims of a VLAN behind which its router was heard again: it had not moved."""
        door = [
            ts for ts, mark, _ in self.inside(vlan) if mark.routed or mark.who == f"gateway-{vlan}"
        ]
        return [(ts, m) for ts, m in self.of("arp claim", vlan=vlan) if door and ts < max(door)]

    @property
    def pumps(self) -> list[Station]:
        """All pumps, listed or seen."""
        return [s for s in self.stations.values() if s.kind == "infusion pump"]


def truth(frames: Sequence[Frame], day: Day, *, lapsed: bool = False, snap: int = 1 << 30) -> Truth:
    """The table of a capture that holds ``frames`` of a day, each kept up to ``snap`` bytes."""
    sight = _Sight(frames, day, snap)
    rows: list[ExpectedVerdict] = []
    for line, pump in enumerate(sight.pumps, 2):
        seen = bool(sight.spoke(pump))
        # A device that is only on the list bears the line of the list that names it; one that
        # speaks behind the router alone, the address that the list gives it.
        elsewhere = f"dev-ip-{pump.address}" if sight.passed_on(pump) else f"list-{line}"
        subject = pump.device if seen else elsewhere
        for measure, rule in _DEVICE_RULES.items():
            answer = rule(sight, pump) if seen else (NOT_OBSERVABLE, "it was not seen at home")
            rows.append(_row(measure, subject, answer))
    for vlan in WARDS:
        for measure, of_segment in _SEGMENT_RULES.items():
            if sight.span(vlan):
                rows.append(_row(measure, f"vlan {vlan}", of_segment(sight, vlan)))
    rows += _attested(sight, lapsed=lapsed)
    return Truth(tuple(rows), tuple(_findings(sight)))


LISTED = (
    "no_rogue_dhcp", "no_rogue_dns", "segmentation_in_use", "segmentation_enforced",
    "vlan_separation", "certificate_validation", "attested_backups", "attested_physical",
    "attested_passwords",
)  # fmt: skip
"""Measures that nothing breaks unless a person has confirmed what is permitted."""


def without_site(table: Truth) -> Truth:
    """What the same capture must give when no site file says what is permitted.

    Nothing holds; what is wrong by a standard's own words stays broken; servers that compete are
    one finding of their segment.
    """
    verdicts = [
        msgspec.structs.replace(
            row, states=(NOT_OBSERVABLE,), why="nobody has confirmed what is permitted"
        )
        if BROKEN not in row.states or row.measure in LISTED
        else row
        for row in table.verdicts
    ]
    kept: list[ExpectedFinding] = []
    contests: dict[str, ExpectedFinding] = {}
    for found in table.findings:
        if found.technique == "rogue_dhcp":
            contests.setdefault(found.segment, msgspec.structs.replace(found, variants=()))
        elif found.technique == "certificate_accepted" or (
            found.technique == "rogue_router" and found.event != "rogue-ra"
        ):
            # Without roots, or without a list of routers, nothing tells them from honest ones.
            continue
        else:
            kept.append(found)
    return Truth(tuple(verdicts), (*kept, *contests.values()))


_Answer = tuple[str, str]
"""States that are right (several with ``|`` between), and why."""


def _row(measure: str, subject: str, answer: _Answer) -> ExpectedVerdict:
    states, why = answer
    return ExpectedVerdict(measure, subject, tuple(states.split("|")), why)


def _needs(*needs: tuple[bool, str], why: str) -> _Answer:
    """Holds if every need is met; else not observable, for the first that is not."""
    for met, missing in needs:
        if not met:
            return NOT_OBSERVABLE, missing
    return HOLDS, why


# Devices


def _static_address(sight: _Sight, pump: Station) -> _Answer:
    # A relay carries its questions on, with its chaddr in them.
    asks = ("dhcp discover", "dhcp request", "dhcp relayed offer", "dhcp relayed ack")
    if sight.of(*asks, who=pump.name):
        return BROKEN, "it asked by DHCP"
    if sight.of(*asks, who=pump.name, whole=False):
        return NOT_OBSERVABLE, "what it said to DHCP is cut away"
    if not pump.vlan:
        return NOT_OBSERVABLE, "no broadcast of a wired client reaches the radio"
    spoke = sight.spoke(pump)
    leases = [
        mark for _, mark in sight.of("dhcp ack", "dhcp relayed ack") if mark.who in _GIVE_LEASES
    ]
    needed = LEASE_NS if leases else NO_LEASE_NS
    started = sight.of("arp announce", who=pump.name)
    heard = sight.of("dhcp discover", vlan=pump.vlan, whole=False)
    if started and heard and not sight.of("dhcp discover", vlan=pump.vlan):
        return (
            f"{HOLDS}|{NOT_OBSERVABLE}",
            "it started up, and no BOOTREQUEST bears its chaddr; but every message is cut",
        )
    return _needs(
        (bool(heard), "no broadcast of a client of its VLAN is there"),
        (
            bool(started) or max(spoke) - min(spoke) >= needed,
            f"no start-up, and less than {needed // HOUR_NS} h of it",
        ),
        why="no DHCP in a start-up, or for as long as T1 of the longest lease",
    )


_GIVE_LEASES = ("dhcp", "laptop")
"""Whose ACKs carry a lease of 24 h."""


def _no_rogue_dns(sight: _Sight, pump: Station) -> _Answer:
    asked = sight.of("dns query", who=pump.name, vlan=pump.vlan)
    answers = sight.of("dns answer", peer=pump.name, vlan=pump.vlan)
    if any(mark.who != "dns" for _, mark in answers):
        return BROKEN, "a resolver that is not permitted answered it"
    cut = not answers and sight.of("dns answer", peer=pump.name, vlan=pump.vlan, whole=False)
    if any(mark.who != "dns" for _, mark in cut or ()):
        return (
            f"{BROKEN}|{NOT_OBSERVABLE}",
            "answers are cut, but who answers stands before the cut",
        )
    if asked and cut and sight.span(pump.vlan) >= DAY_NS:
        return f"{HOLDS}|{NOT_OBSERVABLE}", "answers are cut, but who answers stands before the cut"
    return _needs(
        (bool(asked) and bool(answers), "no question with its answer"),
        (sight.span(pump.vlan) >= DAY_NS, "less than 24 h"),
        why="questions and answers of the permitted resolver only, for 24 h",
    )


def _strangers(sight: _Sight, pump: Station) -> list[Mark]:
    """Unicast IP packets beside the pump to or from stations that are not permitted peers."""
    known = {pump.name, *PERMITTED}
    return [
        mark
        for _, mark, _ in sight.beside(pump)
        if pump.vlan
        and mark.cast == "unicast"
        and not mark.kind.startswith(("arp", "dhcp"))
        and not (mark.who in known and mark.peer in known)
    ]


PERMITTED = {
    "mds-icu",
    "mds-nicu",
    "gateway-hl7",
    "dns",
    "scanner",
    *(f"gateway-{v}" for v in (LAN, *WARDS)),
}
"""Peers that the site file permits, the router and the authorised scanner."""


def _segmentation_in_use(sight: _Sight, pump: Station) -> _Answer:
    if _strangers(sight, pump):
        return BROKEN, "it spoke with, or was spoken to by, a peer that is not permitted"
    if not pump.vlan:
        return NOT_OBSERVABLE, "encrypted on the air, and no policy for it"
    return _needs(
        (sight.span(pump.vlan) >= WEEK_NS, "less than 7 days"), why="permitted peers only"
    )


def _segmentation_enforced(sight: _Sight, pump: Station) -> _Answer:
    tried = [
        mark
        for _, mark in sight.of("tcp syn", peer=pump.name, whole=False)
        if mark.who not in PERMITTED and sight.stations[mark.who].vlan != pump.vlan
    ]
    if any(mark.vlan == pump.vlan for mark in tried):
        return BROKEN, "an attempt from another VLAN arrived in the pump's"
    if _strangers(sight, pump):
        return (
            BROKEN,
            "a stranger on the pump's side of the router (one row of the note for both statements)",
        )
    refused = sight.of("icmp prohibited", whole=False) if tried else []
    inside = [
        mark
        for _, mark, _ in sight.beside(pump)
        if mark.peer == pump.name and mark.who in PERMITTED
    ]
    return _needs(
        (bool(tried), "nobody tried"),
        (bool(refused) or bool(inside), "what the router hands to the pump is not seen"),
        why="an attempt was seen outside and absent inside, or refused by the router",
    )


def _password_hygiene(sight: _Sight, pump: Station) -> _Answer:
    accepted = sight.of("login accepted", who=pump.name)
    if accepted and sight.cut(accepted[0][1]):
        return f"{BROKEN}|{NOT_OBSERVABLE}", "parts of the session are cut away"
    if accepted:
        return BROKEN, "it accepted a secret in clear"
    return NOT_OBSERVABLE, "strength and reuse are never seen in packets"


def _certificate_validation(sight: _Sight, pump: Station) -> _Answer:
    bad = sight.of("tls bad chain", peer=pump.name)
    if bad and sight.of("tls data after bad chain", who=pump.name, whole=False):
        return BROKEN, "it sent data behind a chain that fails the confirmed root"
    return _needs(
        (bool(bad), "no bad certificate was offered to it where it can be read"),
        (bool(sight.of("tls client refuses", who=pump.name)), "its answer is not there"),
        why="it refused a certificate that had expired, with alert 45",
    )


def _unneeded_services(sight: _Sight, pump: Station) -> _Answer:
    if any(
        m.port in CLOSED
        for _, m in sight.of("tcp synack", who=pump.name, vlan=pump.vlan, whole=False)
    ):
        return BROKEN, "a port that should be closed answered"
    spoke = sight.spoke(pump)
    for port in CLOSED:
        tries = [
            (ts, m)
            for ts, m in sight.of("tcp syn", peer=pump.name, vlan=pump.vlan, whole=False)
            if m.port == port
        ]
        refused = any(
            m.port == port for _, m in sight.of("tcp refusal", who=pump.name, whole=False)
        )
        alive = any(abs(ts - when) <= ALIVE_NS for ts, _ in tries for when in spoke)
        if not (tries and refused) and not (len(tries) >= SYNS and alive):
            return NOT_OBSERVABLE, f"nobody tried port {port}, or not often enough"
    return HOLDS, "every port was refused, or silent to three SYNs while the pump was alive"


# Segments


def _no_rogue_dhcp(sight: _Sight, vlan: int) -> _Answer:
    replies = sight.of("dhcp offer", "dhcp ack", vlan=vlan)
    if any(mark.who != "dhcp" for _, mark in replies):
        return BROKEN, "a server that is not permitted answered"
    asked = [mark.who for _, mark in sight.of("dhcp discover", vlan=vlan)]
    return _needs(
        (len(asked) >= DISCOVERS, f"{len(asked)} DISCOVERs"),
        (len(set(asked)) >= CLIENTS, f"{len(set(asked))} clients"),
        (bool(replies), "no reply of the permitted server"),
        (sight.span(vlan) >= DAY_NS, "less than 24 h"),
        why="only the permitted server answered, for 24 h",
    )


def _no_rogue_router(sight: _Sight, vlan: int) -> _Answer:
    adverts = sight.of("ra", vlan=vlan)
    if any(mark.who != f"gateway-{vlan}" for _, mark in adverts):
        return BROKEN, "a router that is not permitted offered itself, and took the other away"
    answer = _needs(
        (bool(adverts), "the known router was not heard"),
        (sight.span(vlan) >= ROUTER_NS, "less than 30 min"),
        why="only the known router was heard",
    )
    cut = len(sight.of("dhcp ack", vlan=vlan)) < len(sight.of("dhcp ack", vlan=vlan, whole=False))
    if answer[0] == HOLDS and cut:
        return (
            f"{HOLDS}|{NOT_OBSERVABLE}",
            "routers in DHCP options are cut away; adverts are whole",
        )
    return answer


def _no_arp_impersonation(sight: _Sight, vlan: int) -> _Answer:
    if sight.contested(vlan):
        return BROKEN, "a station claimed the router's address while the router spoke on"
    if sight.of("arp claim", vlan=vlan):
        return (
            f"{BROKEN}|{NOT_OBSERVABLE}",
            "the router is not heard behind the claim; but its address is listed with its MAC",
        )
    door = sight.of("arp reply", who=f"gateway-{vlan}", vlan=vlan)
    asks = sight.of("arp request", vlan=vlan)
    return _needs(
        (len(door) >= 2, "the router's binding is not confirmed twice"),
        (len(asks) >= 2, "the pumps' bindings are not confirmed twice"),
        (sight.span(vlan) >= DAY_NS, "less than 24 h"),
        why="both ends' unicast is mirrored and every binding was confirmed, for 24 h",
    )


def _vlan_separation(sight: _Sight, vlan: int) -> _Answer:
    marks = [mark for _, mark, _ in sight.inside(vlan)]
    here = {mark.who for mark in marks}
    if "printer" in here and sight.of("dhcp discover", who="printer", vlan=vlan):
        return BROKEN, "a printer stands in the pumps' VLAN"
    if "printer" in here or any(mark.peer == "printer" for mark in marks):
        return (
            f"{BROKEN}|{NOT_OBSERVABLE}",
            "the printer is there, but what it says of itself there is cut away",
        )
    everybody = [mark for mark in marks if mark.cast == "broadcast"]
    known = {mark.who for _, mark in sight.of("dhcp discover", vlan=vlan)}
    unknown = [n for n in here if sight.stations[n].kind == "workstation" and n not in known]
    answer = _needs(
        (bool(everybody), "no broadcast is there, so silent neighbours are not seen"),
        (sight.span(vlan) >= DAY_NS, "less than 24 h"),
        why="only permitted classes spoke, for 24 h",
    )
    if answer[0] == HOLDS and unknown:
        return NOT_OBSERVABLE, "what says of some stations what they are is cut away"
    return answer


_DEVICE_RULES: dict[str, Callable[[_Sight, Station], _Answer]] = {
    "static_address": _static_address,
    "no_rogue_dns": _no_rogue_dns,
    "segmentation_in_use": _segmentation_in_use,
    "segmentation_enforced": _segmentation_enforced,
    "password_hygiene": _password_hygiene,
    "certificate_validation": _certificate_validation,
    "unneeded_services": _unneeded_services,
}
_SEGMENT_RULES: dict[str, Callable[[_Sight, int], _Answer]] = {
    "no_rogue_dhcp": _no_rogue_dhcp,
    "no_rogue_router": _no_rogue_router,
    "no_arp_impersonation": _no_arp_impersonation,
    "vlan_separation": _vlan_separation,
}


# The site and the findings


def _attested(sight: _Sight, *, lapsed: bool) -> list[ExpectedVerdict]:
    # Two pumps took the same secret: "not reused" is contradicted, not by one clear-text login.
    logins = [mark for _, mark in sight.of("login accepted")]
    contradicted = len({mark.who for mark in logins}) > 1
    expired = (BROKEN, "the statement has expired") if lapsed else (ATTESTED, "stated, not expired")
    spoken = (
        (BROKEN, "packets contradict it") if contradicted else (ATTESTED, "stated, not expired")
    )
    if contradicted and any(sight.cut(mark) for mark in logins):
        spoken = (
            f"{BROKEN}|{ATTESTED}",
            "a login that would contradict it is cut: it may be unread",
        )
    return [
        _row("attested_backups", "site", expired),
        _row("attested_physical", "site", expired),
        _row("attested_passwords", "site", spoken),
    ]


def _findings(sight: _Sight) -> list[ExpectedFinding]:
    """One for each technique, actor and segment whose frames are there."""
    found: list[ExpectedFinding] = []
    events = {event.id: event for event in sight.day.plan.event}

    def expect(
        technique: str,
        marks: list[tuple[int, Mark]],
        cve: str,
        actors: tuple[str, ...],
        *variants: str,
        optional: bool = False,
    ) -> None:
        if marks:
            mark = marks[0][1]
            optional = optional or sight.cut(mark)
            segment = f"vlan {mark.vlan}" if mark.vlan else "wlan"
            event = events[mark.event]
            found.append(
                ExpectedFinding(
                    technique, actors, segment, variants, cve, event.why, event.id, optional
                )
            )

    def by(name: str) -> tuple[str, ...]:
        station = sight.stations[name]
        return (station.mac_text, station.address) if station.vlan else (station.mac_text,)

    def attacks(*kinds: str, event: str = "", who: str = "") -> list[tuple[int, Mark]]:
        return [
            (ts, mark)
            for ts, mark in sight.of(*kinds, who=who)
            if mark.role == "attack" and event in ("", mark.event)
        ]

    def target(event: str) -> tuple[str, ...]:
        return by(events[event].target) if event in events else ()

    laptop = by("laptop")
    expect("dhcp_overflow", attacks("dhcp offer", event="option-66"), "CVE-2017-12718", laptop)
    expect("dns_overread", attacks("dns answer", event="dns-counts"), "CVE-2017-12722", laptop)
    expect("known_wireless", attacks("fixed beacon"), "CVE-2017-12725", by("bait-ap"), "bait")
    expect("known_wireless", attacks("fixed probe"), "CVE-2017-12725", (), "exposed")
    expect("ftp_without_login", attacks("ftp done without login"), "CVE-2017-12720", laptop)
    expect("ftp_login", attacks("login", event="ftp-login"), "CVE-2017-12724", laptop)
    expect(
        "telnet",
        sight.of("telnet banner", whole=False),
        "CVE-2017-12726",
        (*laptop, *target("telnet-login")),
    )
    if attacks("tls bad chain"):
        expect(
            "certificate_accepted", attacks("tls data after bad chain"), "CVE-2017-12721",
            (*laptop, *target("rogue-dhcp-wins")),
        )  # fmt: skip
    expect(
        "configuration_in_clear",
        attacks("configuration"),
        "CVE-2017-12723",
        (*laptop, *target("ftp-files")),
    )
    for rogue in ("home-router", "laptop"):
        expect("rogue_dhcp", attacks("dhcp offer", "dhcp ack", who=rogue), "", by(rogue))
    answers = attacks("dns answer")
    expect("rogue_dns", answers, "", laptop)
    if not answers:
        # Who answers stands in the headers, before the cut.
        cut = [
            (ts, mark) for ts, mark in sight.of("dns answer", whole=False) if mark.role == "attack"
        ]
        expect("rogue_dns", cut, "", laptop, optional=True)
    expect("rogue_router", attacks("ra"), "", laptop)
    # It names itself as the router in option 3, which counts as an offer to be one.
    offers = attacks("dhcp offer", who="home-router")
    expect("rogue_router", offers, "", by("home-router"))
    contested = [one for vlan in WARDS for one in sight.contested(vlan)]
    expect("arp_impersonation", attacks("arp claim"), "", laptop, optional=not contested)
    triggers = attacks("dhcp offer", event="option-66") + attacks("dns answer", event="dns-counts")
    expect("comms_loss", triggers, "CVE-2017-12722", laptop)
    return found
