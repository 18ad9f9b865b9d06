"""From an audit to a report: the first page's words, the counts, the picture, the time line."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import wardwatch
from wardwatch.model import report as form
from wardwatch.model.advisory import Exposure
from wardwatch.model.device import Confidence
from wardwatch.model.judgement import MEASURES, TECHNIQUES, Certainty, State
from wardwatch.model.values import NS, UNKNOWN_TIME, duration_text, utc_text
from wardwatch.signs.policy import names_of
from wardwatch.ui import advised
from wardwatch.ui.advised import device_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wardwatch.model.device import Device
    from wardwatch.model.judgement import Finding, Verdict
    from wardwatch.watch import Audit

MOST_LINKS = 60
"""Edges in the picture: more cannot be followed by eye; the rest is in table conversations."""
MOST_MOMENTS = 200
MOST_SEGMENTS = 100
"""Segments that a report names, those of the most packets."""
_OF_SEGMENT = (
    "segment", "first_ts", "last_ts", "packets", "stations", "broadcasts", "tcp_both", "tcp_one_way",
)  # fmt: skip
_OF_CAPTURE = (
    "capture", "name", "sha256", "packets", "decoded", "skipped", "malformed", "first_ts", "last_ts",
    "damage",
)  # fmt: skip

REPORT_TO = (
    "CISA (report@cisa.gov), the manufacturer's product security contact, and your national "
    "authority; keep the capture file and its digest"
)
WHERE_TO_LISTEN = {
    "static_address": "mirror the pumps' VLAN itself (not the relay's far side), across a power-up or 96 h",
    "no_rogue_dhcp": "mirror inside the client VLAN, broadcasts included, for 24 h with at least 10 DISCOVERs",
    "no_rogue_dns": "mirror the pumps' ports in both directions for 24 h",
    "no_rogue_router": "mirror inside the VLAN with multicast, for 24 h",
    "no_arp_impersonation": "mirror the ports of a pump and of its gateway, unicast included, for 24 h",
    "segmentation_in_use": "mirror all pump-side traffic for 7 days, and confirm the permitted peers",
    "segmentation_enforced": "listen on both sides of the boundary while an authorised attempt is made from outside",
    "vlan_separation": "mirror a trunk that keeps its 802.1Q tags, for 24 h",
    "password_hygiene": "packets never prove it; let a named role attest it",
    "certificate_validation": "listen between pump and pump server while a bad certificate is offered on a test bench",
    "unneeded_services": "listen on the pump's port while an authorised scan is made by biomedical engineering",
}


def build(audit: Audit) -> form.Report:
    """Everything ``report.json`` and the page say, from one audit."""
    captures = _captures(audit)
    times = [t for c in captures for t in (c.first_ts, c.last_ts) if t >= 0]
    first, last = (min(times), max(times)) if times else (UNKNOWN_TIME, UNKNOWN_TIME)
    groups, links = _picture(audit)
    answer = _answer(audit)
    return form.Report(
        format=form.FORMAT,
        format_version=form.FORMAT_VERSION,
        generator=f"wardwatch {wardwatch.__version__}",
        marking=audit.site.marking,
        site=audit.site.name,
        timezone=audit.site.timezone,
        answer=answer,
        exit_status=audit.exit_status,
        first_ts=first,
        last_ts=last,
        span=_span(first, last),
        span_local=_local_span(first, last, audit.site.timezone),
        sentences=(*_sentences(audit), *_losses(audit)),
        summary=_summary(audit),
        do_first=_do_first(audit),
        captures=captures,
        accounting=_accounting(audit),
        devices=audit.devices,
        advisories=audit.advisories,
        matches=audit.matches,
        verdicts=audit.verdicts,
        findings=audit.findings,
        not_shown=_not_shown(audit.verdicts),
        segments=_segments(audit),
        groups=groups,
        links=links,
        moments=_moments(audit),
        assumed=audit.assumed,
        report_to=audit.site.report_to or REPORT_TO,
        key_note=audit.key_note,
        anomalies=audit.tables.rows("anomalies"),
        advisory_rows=advised.rows(audit.advisories, audit.matches),
        shelved=audit.shelved,
    )


def _answer(audit: Audit) -> str:
    """One of four answers; the gravest that packets support."""
    attack = any(f.certainty is Certainty.CONFIRMED and f.known_device for f in audit.findings)
    suspect = any(f.certainty is not Certainty.NOTICE for f in audit.findings)
    if attack:
        return "act today"
    if audit.broken or suspect or audit.findings:
        return "plan"
    answered = any(v.state in (State.HOLDS, State.ATTESTED) for v in audit.verdicts)
    whole = not audit.damaged and not audit.lost
    return "nothing broken seen" if answered and whole else "could not tell"


def _summary(audit: Audit) -> form.Summary:
    states = [v.state for v in audit.verdicts]
    pumps = [d for d in audit.devices if d.is_pump]
    sure = [d for d in pumps if d.confidence >= Confidence.PROBABLE]
    stands = advised.standing(audit.matches)
    return form.Summary(
        findings=len(audit.findings),
        confirmed=sum(f.certainty is Certainty.CONFIRMED for f in audit.findings),
        suspects=sum(f.certainty is Certainty.SUSPECT for f in audit.findings),
        notices=sum(f.certainty is Certainty.NOTICE for f in audit.findings),
        broken=states.count(State.BROKEN),
        holds=states.count(State.HOLDS),
        attested=states.count(State.ATTESTED),
        not_observable=states.count(State.NOT_OBSERVABLE),
        not_applicable=states.count(State.NOT_APPLICABLE),
        devices=len(audit.devices),
        pumps_seen=sum(d.seen for d in sure),
        pumps_listed_unseen=sum(not d.seen for d in pumps),
        pumps_maybe=sum(d.seen and d.confidence < Confidence.PROBABLE for d in pumps),
        devices_affected=stands[Exposure.AFFECTED],
        devices_unknown=stands[Exposure.UNKNOWN],
        devices_not_affected=stands[Exposure.NOT_AFFECTED],
    )


def _sentences(audit: Audit) -> tuple[str, ...]:
    """One to three plain sentences with their packets: the gravest findings, else the verdicts."""
    found = sorted(audit.findings, key=certainty_order)
    said = [f"{f.statement} ({packets_text(f.evidence)})" for f in found[:3]]
    said += [
        f"{v.statement} ({packets_text(v.evidence)})" for v in audit.broken[: max(3 - len(said), 0)]
    ]
    if said:
        return tuple(said)
    if not audit.packets:
        return ("The capture holds no packets, so it shows nothing.",)
    held = sum(v.state is State.HOLDS for v in audit.verdicts)
    open_ = len(audit.not_observable)
    return (
        f"Nothing broken and no attempt was seen in {audit.packets:,} packets; "
        f"{held} verdict{'s' * (held != 1)} hold, {open_} could not be told from here.",
    )


def _losses(audit: Audit) -> tuple[str, ...]:
    """What captures count as lost, of three of them."""
    more = len(audit.losses) - 3
    rest = (f"{more} more captures count lost packets.",) if more > 0 else ()
    return (*audit.losses[:3], *rest)


def _do_first(audit: Audit) -> tuple[form.Action, ...]:
    """Who does what first. Bedside before network; never the pump's own port."""
    actions: list[form.Action] = []
    touched = {t for f in audit.findings if f.certainty is Certainty.CONFIRMED for t in f.targets}
    pumps = [
        d for d in audit.devices if d.is_pump and (d.id in touched or touched & {*d.ips, *d.macs})
    ]
    if pumps:
        named = "; ".join(_at_the_bedside(d) for d in pumps[:8]) + (" …" if len(pumps) > 8 else "")
        actions.append(
            form.Action(
                "Nurse lead",
                "now",
                f"check drug, rate and volume at the bedside: {named}",
                "none: looking only",
            )
        )
    if any("CVE-2017-12718" in f.cves and f.known_device for f in audit.findings):
        actions.append(
            form.Action(
                BIOMED,
                "now, with clinical sign-off",
                "swap a suspect pump by clinical protocol, keep it off patients and preserved: a takeover of "
                "the communications module might reach therapy (the advisory)",
                "one pump is out of use; its replacement is programmed by hand",
            )
        )
    done: set[str] = set()
    for finding in sorted(audit.findings, key=certainty_order):
        step = finding.do_next
        if not step or step in done or len(done) == 8:
            continue
        done.add(step)
        biomed = step.startswith("Biomed: ")
        what = step.removeprefix("Biomed: ")
        actions.append(
            form.Action(
                BIOMED if biomed else "IT",
                "today" if finding.certainty is Certainty.CONFIRMED else "this week",
                f"{what[:1].upper()}{what[1:]} ({finding.actor or 'nobody acts'})",
                "agree the moment with the ward"
                if biomed
                else "none: a pump's own port stays as it is",
            )
        )
    unread = sum(d.is_pump and not d.identity.version for d in audit.devices)
    if unread:
        actions.append(
            form.Action(
                BIOMED,
                "this week",
                f"read the software version on each of {unread} pump{'s' * (unread != 1)} whose version nothing "
                "shows; assume affected until read",
                "none: read at the next cleaning or change",
            )
        )
    if audit.broken and not audit.findings:
        actions.append(
            form.Action(
                "IT with biomedical engineering",
                "this month",
                "mend the broken measures listed below, one by one, and keep this report as the state before",
                "taking a pump off the network means libraries by hand, no auto-charting, no remote view: "
                "it needs clinical sign-off",
            )
        )
    return tuple(actions)


BIOMED = "Biomedical engineering"


def _at_the_bedside(device: Device) -> str:
    """A pump as somebody on the ward would look for it."""
    ward = device.listed.ward if device.listed else ""
    mark = (device.listed.asset or device.listed.serial) if device.listed else device.serial
    words = [
        device_name(device),
        f"ward {ward}" if ward else "",
        mark,
        device.ips[0] if device.ips else device.id,
    ]
    return ", ".join(w for w in words if w)


def _captures(audit: Audit) -> tuple[form.CaptureRow, ...]:
    return tuple(
        form.CaptureRow(
            r.capture, r.name, r.sha256, r.packets, r.decoded, r.skipped, r.malformed,
            r.first_ts, r.last_ts, utc_text(r.first_ts), utc_text(r.last_ts), tuple(r.damage),
        )
        for r in sorted(audit.tables.whole("captures", *_OF_CAPTURE))
    )  # fmt: skip


def _accounting(audit: Audit) -> tuple[form.AccountingRow, ...]:
    """Packets by outcome and reason, of all captures."""
    packets: Counter[tuple[str, str]] = Counter()
    for row in audit.tables.whole("accounting", "outcome", "reason", "packets"):
        packets[row.outcome, row.reason] += row.packets
    counted = sorted(packets.items(), key=lambda one: (one[0][0], -one[1], one[0][1]))
    return tuple(form.AccountingRow(*named, count) for named, count in counted)


def _not_shown(verdicts: Iterable[Verdict]) -> tuple[form.NotShown, ...]:
    """What could not be told, a row a measure, its reasons with their counts."""
    counts: dict[str, dict[str, int]] = {}
    for verdict in verdicts:
        if verdict.state is State.NOT_OBSERVABLE:
            why = verdict.reason.value if verdict.reason else "not said"
            of_measure = counts.setdefault(verdict.measure, {})
            of_measure[why] = of_measure.get(why, 0) + 1
    return tuple(
        form.NotShown(
            measure.id,
            measure.title,
            sum(reasons.values()),
            "; ".join(
                f"{n} × {why}"
                for why, n in sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
            ),
            WHERE_TO_LISTEN.get(
                measure.id, "packets cannot show it; a dated statement in site.toml can"
            ),
        )
        for measure in MEASURES
        if (reasons := counts.get(measure.id))
    )


def _segments(audit: Audit) -> tuple[form.SegmentRow, ...]:
    heard: dict[str, list[Any]] = {}
    for row in audit.tables.whole("segments", *_OF_SEGMENT):
        heard.setdefault(row.segment, []).append(row)
    found = [
        (
            name, min(r.first_ts for r in rows), max(r.last_ts for r in rows),
            sum(r.packets for r in rows), max(r.stations for r in rows),
            sum(r.broadcasts for r in rows), sum(r.tcp_both for r in rows),
            sum(r.tcp_one_way for r in rows),
        )
        for name, rows in heard.items()
    ]  # fmt: skip
    found.sort(key=lambda row: (-row[3], row[0]))
    return tuple(
        form.SegmentRow(name, utc_text(first), utc_text(last), *counts)
        for name, first, last, *counts in found[:MOST_SEGMENTS]
    )


def _picture(audit: Audit) -> tuple[tuple[form.Group, ...], tuple[form.Link, ...]]:
    """Who talks to whom by zone: devices grouped by zone and kind, conversations between them."""
    group_of: dict[str, str] = {}
    groups: dict[str, tuple[str, str, int]] = {}
    zone_of = _zones(audit)

    @cache
    def place(segment: str, kind: str) -> tuple[str, str, str]:
        zone = next((zone_of[name] for name in names_of(segment) if name in zone_of), segment)
        return f"{zone} · {kind}", zone, kind

    for device in audit.devices:
        if not device.seen:
            continue
        segment = device.segments[0] if device.segments else "elsewhere"
        key, zone, kind = place(segment, device.identity.kind or "unknown")
        groups[key] = (zone, kind, groups.get(key, (zone, kind, 0))[2] + 1)
        for ip in device.ips:
            group_of.setdefault(ip, key)
    outside = "elsewhere · other addresses"
    tables = audit.tables
    near = tables.lay(address=list(group_of), place=list(group_of.values()))
    marked, join = "false", ""
    if forbidden := _forbidden_pairs(audit):
        origs, resps = zip(*forbidden, strict=True)
        pairs = tables.lay(orig=origs, resp=resps)
        marked = "bool_or(f.orig IS NOT NULL)"
        join = f"LEFT JOIN {pairs} f ON f.orig = orig_h AND f.resp = resp_h"
    links = tables.ask(
        f"""SELECT coalesce(a.place, ?) AS orig, coalesce(b.place, ?) AS resp, count(*) AS n,
            sum(orig_bytes + resp_bytes)::BIGINT AS bytes, {marked} AS forbidden
        FROM conversations LEFT JOIN {near} a ON a.address = orig_h
        LEFT JOIN {near} b ON b.address = resp_h {join}
        WHERE proto IN ('tcp', 'udp') GROUP BY ALL
        ORDER BY forbidden DESC, bytes DESC, orig, resp LIMIT {MOST_LINKS}""",
        [outside, outside],
        of=("conversations",),
    )
    groups.setdefault(outside, ("elsewhere", "other addresses", 0))
    shown = {name for link in links for name in (link.orig, link.resp)}
    return (
        tuple(form.Group(key, *value) for key, value in sorted(groups.items()) if key in shown),
        tuple(form.Link(*link) for link in links),
    )


def _zones(audit: Audit) -> dict[str, str]:
    """Zone name of each segment that a confirmed zone names."""
    found: dict[str, str] = {}
    for zone in audit.site.zone:
        if zone.confirmed:
            for name in (*zone.segments, *(f"vlan {v}" for v in zone.vlans)):
                found[name] = f"{zone.name} ({name})"
    return found


def _forbidden_pairs(audit: Audit) -> frozenset[tuple[str, str]]:
    """Ends, either way round, of the conversations that broken segmentation verdicts cite."""
    cited = {
        (e.capture, e.packet)
        for v in audit.broken
        if v.measure.startswith("segmentation")
        for e in v.evidence
    }
    if not cited:
        return frozenset()
    rows = audit.tables.ask(
        "SELECT capture, first_packet, orig_h, resp_h FROM conversations WHERE first_packet IN "
        f"({', '.join('?' * len(cited))})",
        [packet for _, packet in cited],
    )
    pairs = {(r.orig_h, r.resp_h) for r in rows if (r.capture, r.first_packet) in cited}
    return frozenset(pairs | {pair[::-1] for pair in pairs})


def _moments(audit: Audit) -> tuple[form.Moment, ...]:
    """Each finding once; a broken measure stands for its whole span, so it has no place here."""
    titles = {t.id: t.title for t in TECHNIQUES}
    moments = [
        form.Moment(f.first_ts, f.last_ts, titles[f.technique], f.certainty.value)
        for f in audit.findings
    ]
    return tuple(sorted(moments, key=lambda m: (m.ts, m.text))[:MOST_MOMENTS])


def _span(first: int, last: int) -> str:
    if first == UNKNOWN_TIME:
        return "no packets"
    return f"{utc_text(first)} to {utc_text(last)} ({duration_text((last - first) / NS)})"


def _local_span(first: int, last: int, zone: str) -> str:
    """The span in the site's own time; "" where that is UTC or the zone is not known here."""
    from datetime import datetime

    if first == UNKNOWN_TIME or zone == "UTC":
        return ""
    try:
        there = ZoneInfo(zone)
        ends = [datetime.fromtimestamp(t // NS, there) for t in (first, last)]
    except (ZoneInfoNotFoundError, ValueError, OverflowError, OSError):
        return ""
    return f"{ends[0]:%Y-%m-%d %H:%M:%S %Z} to {ends[1]:%Y-%m-%d %H:%M:%S %Z}"


def packets_text(evidence: Iterable[object], most: int = 5) -> str:
    """Packets as people cite them: ``capture 1, packets 4, 9, 12``."""
    by_capture: dict[int, list[int]] = {}
    for item in evidence:
        by_capture.setdefault(item.capture, []).append(item.packet)  # type: ignore[attr-defined]
    parts = []
    for capture, packets in sorted(by_capture.items()):
        some = ", ".join(f"{p}" for p in sorted(packets)[:most])
        more = " …" if len(packets) > most else ""
        parts.append(f"capture {capture}, packet{'s' * (len(packets) > 1)} {some}{more}")
    return "; ".join(parts) or "no single packet"


def certainty_order(finding: Finding) -> tuple[int, bool, bool, int]:
    """Sort key: the surest first, known devices and the advisory's weaknesses before others."""
    order = {Certainty.CONFIRMED: 0, Certainty.SUSPECT: 1, Certainty.NOTICE: 2}
    return order[finding.certainty], not finding.known_device, not finding.cves, finding.first_ts
