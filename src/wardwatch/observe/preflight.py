"""Preflight: for which verdicts this capture is good enough, and how to listen instead.

Asks the vantage only: what could have been seen, not what it means. The minimums are those of
``domain/measures.md``; a confirmed site file, which some verdicts need too, is left aside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from wardwatch.model.values import DAY_NS, HOUR_NS, NS, duration_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from wardwatch.observe.tables import Tables

DAY = DAY_NS
"""Most measures need a whole day: night shift, day shift, hand-over."""
LONGEST_LEASE = 96 * HOUR_NS
"""T1 of an eight-day lease, the longest in common use (RFC 2131 §4.4.5: half of it): where no
lease was seen."""
WEEK = 7 * DAY_NS
"""Pumps speak with libraries and back-ups that run once a week."""
ROUTER_SPAN = 1800 * NS
"""RFC 4861 §6.2.1: MaxRtrAdvInterval is 1,800 s at most."""
DISCOVERS, CLIENTS = 10, 3
"""Stimuli that a rogue DHCP server would have answered."""
LOST_SHARE = 0.25
"""TCP connections with gaps beyond which what nobody saw proves nothing."""
UNANSWERED_SYNS = 3
"""SYNs without an answer that show a closed port."""


class Readiness(msgspec.Struct, frozen=True):
    """One measure: whether this capture can answer it."""

    measure: str
    """Id of the measure (:data:`wardwatch.model.judgement.MEASURES`)."""
    good: bool
    """Whether the vantage suffices for a verdict that it holds."""
    why: str
    """What was seen, and what of it is missing."""
    how: str
    """How to listen so that it suffices; "" where it does."""


_SPAN = "capture longer: at least {}"
_CLIENT_VLAN = (
    "mirror the access VLAN of the pumps itself (source VLAN on the access switch), not the "
    "uplink behind the relay"
)
_PUMP_PORT = (
    "mirror the switch port of the wireless controller or the pumps in both directions, and the "
    "gateway's port"
)
_TRUNK = "mirror a trunk port with tags kept: `encapsulation replicate` on the mirror session"
_NEVER = "ask the responsible person for a dated statement in site.toml ([[attestation]])"


def preflight(tables: Tables) -> tuple[Readiness, ...]:
    """A row for every measure, in the order of ``MEASURES``."""
    facts = _look(tables)
    return tuple(
        Readiness(name, not missing, _sentence(seen, missing), "; ".join(dict.fromkeys(how)))
        for name, judge in JUDGES
        for seen, missing, how in (judge(facts),)
    )


class _Facts(msgspec.Struct, frozen=True):
    """The best that any one segment of the captures offers, and sums over all."""

    span: int
    """(ns) longest time covered of a segment."""
    packets: int
    broadcasters: int
    multicasts: int
    stations: int
    pairs: int
    both: int
    one_way: int
    tagged: int
    """Segments with a VID."""
    untagged: int
    cut: int
    gaps: int
    discovers: int
    """DISCOVERs in the segment that has most of them."""
    clients: int
    replies: int
    relayed: int
    dhcp_span: int
    """(ns) time covered of that segment."""
    renewal: int
    """(ns) T1 of the longest lease given; 0 none seen."""
    dns_pairs: int
    """Queries of which the answer was seen too."""
    dns_questions: int
    routers: int
    """Router advertisements, redundancy speakers and DHCP answers that name a router."""
    forbidden: int
    """Attempts that somebody refused: ICMP prohibited."""
    logins: int
    handshakes: int
    bad_chains: int
    """Chains that a validating client ought to refuse on their face: expired, or self-signed."""
    hidden_chains: int
    probes: int
    """TCP connections tried to port 20, 21, 23 or 2200."""
    air: bool


def _look(tables: Tables) -> _Facts:
    """Ask the tables once for everything the judges want."""

    def one(sql: str) -> int:
        value = tables.ask(sql)[0][0]
        return 0 if value is None else int(value)

    best = tables.ask(
        """
        WITH messages AS (
            SELECT capture, segment,
                count(*) FILTER (msg_type = 'DISCOVER') AS discovers,
                count(DISTINCT chaddr) FILTER (msg_type = 'DISCOVER') AS clients,
                count(*) FILTER (msg_type IN ('OFFER', 'ACK', 'NAK')) AS replies,
                count(*) FILTER (giaddr NOT IN ('', '0.0.0.0')) AS relayed
            FROM dhcp GROUP BY ALL)
        SELECT m.discovers, m.clients, m.replies, m.relayed, s.last_ts - s.first_ts AS span
        FROM messages m LEFT JOIN segments s USING (capture, segment)
        ORDER BY m.discovers DESC LIMIT 1
        """
    )
    dhcp = best[0] if best else (0, 0, 0, 0, 0)
    return _Facts(
        span=one("SELECT max(last_ts - first_ts) FROM segments"),
        packets=one("SELECT sum(packets) FROM captures"),
        broadcasters=one("SELECT max(broadcast_sources) FROM segments"),
        multicasts=one("SELECT max(multicasts) FROM segments"),
        stations=one("SELECT max(stations) FROM segments"),
        pairs=one("SELECT max(unicast_pairs) FROM segments"),
        both=one("SELECT sum(tcp_both) FROM segments"),
        one_way=one("SELECT sum(tcp_one_way) FROM segments"),
        tagged=one("SELECT count(*) FROM segments WHERE vlan >= 0"),
        untagged=one("SELECT count(*) FROM segments WHERE vlan < 0 AND segment <> 'wlan'"),
        cut=one("SELECT sum(cut_packets) FROM captures"),
        gaps=one("SELECT sum(tcp_gaps) FROM segments"),
        discovers=int(dhcp[0]),
        clients=int(dhcp[1]),
        replies=int(dhcp[2]),
        relayed=int(dhcp[3]),
        dhcp_span=int(dhcp[4] or 0),
        renewal=NS
        * one(
            """
            SELECT max(CASE WHEN renewal_time > 0 THEN renewal_time ELSE lease_time // 2 END)
            FROM dhcp WHERE op = 2 AND lease_time BETWEEN 1 AND 4294967294 -- RFC 2131 §3.3: infinity
            """
        ),
        dns_pairs=one(
            """
            SELECT count(*) FROM dns q SEMI JOIN (FROM dns WHERE is_response) r
            ON q.src = r.dst AND q.dst = r.src AND q.src_port = r.dst_port
                AND q.trans_id = r.trans_id
            WHERE NOT q.is_response AND q.kind = 'dns'
            """
        ),
        dns_questions=one("SELECT count(*) FROM dns WHERE kind = 'dns' AND NOT is_response"),
        routers=one(
            """
            SELECT (SELECT count(*) FROM router_adverts WHERE kind = 'ra')
                + (SELECT count(*) FROM redundancy)
                + (SELECT count(*) FROM dhcp WHERE len(routers) > 0)
            """
        ),
        forbidden=one("SELECT count(*) FROM unreachables WHERE code IN (9, 10, 13)"),
        logins=one("SELECT count(*) FROM logins"),
        handshakes=one("SELECT count(*) FROM tls"),
        bad_chains=one(
            """
            SELECT count(*) FROM certificates
            WHERE position = 0 AND NOT client_cert
                AND (self_signed OR not_after_ts < ts OR not_before_ts > ts)
            """
        ),
        hidden_chains=one("SELECT count(*) FROM tls WHERE certificates = 0"),
        probes=one(
            "SELECT count(*) FROM conversations WHERE proto = 'tcp' AND resp_p IN (20, 21, 23, 2200)"
        ),
        air=bool(one("SELECT count(*) FROM segments WHERE segment = 'wlan'")),
    )


_Answer = tuple[list[str], list[str], list[str]]
"""What was seen; what is missing; how to get it."""


def _sentence(seen: list[str], missing: list[str]) -> str:
    text = ", ".join(seen)
    if missing:
        text = f"{text}; missing: " if text else "missing: "
        text += ", ".join(missing)
    return text


def _span(answer: _Answer, span: int, need: int) -> None:
    """Add what the time covered has to say."""
    seen, missing, how = answer
    seen.append(f"{duration_text(max(span, 0) / NS)} covered")
    if span < need:
        missing.append(f"{duration_text(need / NS)} of one segment")
        how.append(_SPAN.format(duration_text(need / NS)))


def _need(answer: _Answer, have: int, least: int, what: str, advice: str) -> None:
    """Add one thing that must have been seen ``least`` times."""
    seen, missing, how = answer
    (seen if have >= least else missing).append(
        f"{have:,} {what}" if have >= least else f"{what} (at least {least}, seen {have})"
    )
    if have < least:
        how.append(advice)


def _both(answer: _Answer, f: _Facts) -> None:
    """Add whether both directions are visible: most conversations show two."""
    seen, missing, how = answer
    if f.both and f.both >= f.one_way:
        seen.append("both directions")
    else:
        missing.append(f"both directions ({f.one_way:,} of {f.both + f.one_way:,} TCP one way)")
        how.append(_PUMP_PORT)


def _whole(answer: _Answer, f: _Facts) -> None:
    """Add whether packets were cut."""
    _, missing, how = answer
    if f.cut * 10 > f.packets:
        missing.append(f"whole packets ({f.cut:,} of {f.packets:,} cut by a snap length)")
        how.append("capture whole packets: tcpdump -s 0")


def _lost(answer: _Answer, f: _Facts) -> None:
    """Add whether much was lost on the way here; what a snap length cut away counts as a gap, too."""
    _, missing, how = answer
    every = f.both + f.one_way
    if not f.cut and f.gaps > every * LOST_SHARE:
        missing.append(
            f"what was lost on the way ({f.gaps:,} of {every:,} TCP connections have gaps)"
        )
        how.append(
            "mirror less onto one port, or give the capture a larger buffer (tcpdump -B 65536)"
        )


def _static_address(f: _Facts) -> _Answer:
    # A start-up of the pump itself shortens this; which station is a pump is not known here.
    answer: _Answer = ([], [], [])
    _need(answer, f.broadcasters, 1, "stations whose broadcasts are visible", _CLIENT_VLAN)
    _span(answer, f.span, f.renewal or LONGEST_LEASE)
    if answer[2]:
        answer[2].append("or restart a pump that is not in use while you capture")
    _whole(answer, f)
    _lost(answer, f)
    return answer


def _no_rogue_dhcp(f: _Facts) -> _Answer:
    answer: _Answer = ([], [], [])
    _need(answer, f.discovers, DISCOVERS, "DISCOVERs", _CLIENT_VLAN)
    _need(answer, f.clients, CLIENTS, "clients that sent one", _CLIENT_VLAN)
    _need(answer, f.replies, 1, "answers of servers", _CLIENT_VLAN)
    if f.relayed and f.relayed >= f.discovers + f.replies:
        answer[1].append("the clients' side (only relayed messages are seen)")
        answer[2].append(_CLIENT_VLAN)
    _span(answer, f.dhcp_span if f.discovers else f.span, DAY)
    _whole(answer, f)
    _lost(answer, f)
    return answer


def _no_rogue_dns(f: _Facts) -> _Answer:
    answer: _Answer = ([], [], [])
    _need(answer, f.dns_pairs, 1, "DNS questions with their answers", _PUMP_PORT)
    _span(answer, f.span, DAY)
    _whole(answer, f)
    _lost(answer, f)
    return answer


def _no_rogue_router(f: _Facts) -> _Answer:
    answer: _Answer = ([], [], [])
    _need(answer, f.multicasts, 1, "multicast frames", _CLIENT_VLAN)
    _need(answer, f.routers, 1, "messages that name a router", _CLIENT_VLAN)
    _span(answer, f.span, ROUTER_SPAN)
    _lost(answer, f)
    return answer


def _no_arp_impersonation(f: _Facts) -> _Answer:
    answer: _Answer = ([], [], [])
    _need(answer, f.pairs, 2, "pairs of stations speaking unicast", _PUMP_PORT)
    _both(answer, f)
    _span(answer, f.span, DAY)
    _lost(answer, f)
    return answer


def _segmentation_in_use(f: _Facts) -> _Answer:
    answer: _Answer = ([], [], [])
    _both(answer, f)
    _span(answer, f.span, WEEK)
    _lost(answer, f)
    return answer


def _segmentation_enforced(f: _Facts) -> _Answer:
    answer: _Answer = ([], [], [])
    _need(
        answer,
        f.forbidden,
        1,
        "refusals by a filter (ICMP prohibited)",
        "have an authorised scanner try a forbidden connection while you capture on both sides "
        "of the filter",
    )
    _lost(answer, f)
    return answer


def _vlan_separation(f: _Facts) -> _Answer:
    answer: _Answer = ([], [], [])
    _need(answer, f.tagged, 1, "tagged segments", _TRUNK)
    _need(answer, f.broadcasters, 1, "stations whose broadcasts are visible", _CLIENT_VLAN)
    _span(answer, f.span, DAY)
    _lost(answer, f)
    return answer


def _password_hygiene(f: _Facts) -> _Answer:
    # a clear-text login breaks it; nothing on a wire makes it hold (domain/measures.md)
    seen = [f"{f.logins:,} logins in clear"] if f.logins else []
    return seen, ["strength and reuse never show in packets"], [_NEVER]


def _certificate_validation(f: _Facts) -> _Answer:
    answer: _Answer = ([f"{f.handshakes:,} TLS handshakes"] if f.handshakes else [], [], [])
    _need(
        answer,
        f.bad_chains,
        1,
        "bad certificates offered to a client",
        "offer a pump on the bench a bad certificate and capture that; TLS 1.3 hides chains",
    )
    _both(answer, f)
    return answer


def _unneeded_services(f: _Facts) -> _Answer:
    answer: _Answer = ([], [], [])
    _need(
        answer,
        f.probes,
        1,
        "attempts on ports 20, 21, 23 or 2200",
        "have an authorised scanner try the ports of a pump that is not in use "
        f"({UNANSWERED_SYNS} SYNs each) while you capture",
    )
    _both(answer, f)
    return answer


def _attested(f: _Facts) -> _Answer:
    return [], ["packets cannot show it"], [_NEVER]


JUDGES: tuple[tuple[str, Callable[[_Facts], _Answer]], ...] = (
    ("static_address", _static_address),
    ("no_rogue_dhcp", _no_rogue_dhcp),
    ("no_rogue_dns", _no_rogue_dns),
    ("no_rogue_router", _no_rogue_router),
    ("no_arp_impersonation", _no_arp_impersonation),
    ("segmentation_in_use", _segmentation_in_use),
    ("segmentation_enforced", _segmentation_enforced),
    ("vlan_separation", _vlan_separation),
    ("password_hygiene", _password_hygiene),
    ("certificate_validation", _certificate_validation),
    ("unneeded_services", _unneeded_services),
    ("attested_backups", _attested),
    ("attested_physical", _attested),
    ("attested_passwords", _attested),
)
"""One judge a measure, in the order of ``MEASURES``."""
