"""A first ``site.toml`` from what was seen: every line with its evidence, every line inert.

Names in traffic are chosen by whoever sends them; here they stand in quoted, escaped strings
only, never in a comment or a key.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import msgspec

from wardwatch.inventory.stations import PACKET, evidence, is_host
from wardwatch.model.device import MEDICAL_KINDS, Confidence, Device

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wardwatch.observe.tables import Tables

PACKETS = 3
"""Packets cited in a note."""
SERVERS = 32
"""Servers proposed of one role: a person reads this."""
PEERS = 200
"""Peers proposed of one zone."""
PORTS = 16
"""Ports proposed of one peer."""

_CLAIMS = """claims AS (
            SELECT ip, list(mac ORDER BY first_ts, mac) AS macs
            FROM (SELECT ip, mac, min(first_ts) AS first_ts FROM bindings WHERE source <> 'ip' GROUP BY ip, mac)
            GROUP BY ip)"""
"""SQL: who claimed an address by ARP, neighbour discovery or DHCP, the first claimant first."""

HEAD = """\
# Proposed by `wardwatch learn` from what was seen; nothing here counts yet.
# Check each entry, delete what is wrong, and put your name and the date into
# confirmed_by and confirmed_on of what is right. Until then it is inert.
"""


class _Entry(msgspec.Struct):
    """One table of the file to be."""

    section: str
    fields: dict[str, object]
    note: str


def learn(tables: Tables, devices: Sequence[Device]) -> str:
    """The text of a site file that reads with :func:`wardwatch.inventory.site_file.read_site`."""
    pumps = [
        device
        for device in devices
        if device.is_pump
        and device.seen
        and device.macs
        and device.confidence >= Confidence.PROBABLE
    ]
    zones, names = _zones(pumps, devices)
    entries = [
        *zones,
        *_dhcp(tables),
        *_relays(tables),
        *_dns(tables, pumps),
        *_routers(tables),
        *_dhcpv6(tables),
        *_pump_servers(devices),
        *_peers(tables, pumps, names),
    ]
    head = [HEAD, *_captures(tables)]
    if not pumps:
        head.append("# No infusion pump was found, so no zone for pumps is proposed.\n")
    head.append('name = ""\ntimezone = "UTC"\nreport_to = ""\n')
    return "\n".join(["".join(head), *(_text(entry) for entry in entries)])


def quoted(text: str) -> str:
    """A TOML basic string: quotes, backslashes and whatever does not print are escaped."""
    said = []
    for c in text:
        if c in '"\\':
            said.append("\\" + c)
        elif c.isprintable():
            said.append(c)
        elif 0xD800 <= ord(c) <= 0xDFFF:
            said.append("\\uFFFD")  # TOML has no escape for half a surrogate pair
        else:
            said.append(f"\\u{ord(c):04X}" if ord(c) < 0x10000 else f"\\U{ord(c):08X}")
    return '"' + "".join(said) + '"'


def _text(entry: _Entry) -> str:
    lines = [f"[[{entry.section}]]"]
    lines += [f"{key} = {_value(value)}" for key, value in entry.fields.items() if value != ()]
    lines += [f"note = {quoted(entry.note)}", 'confirmed_by = ""', 'confirmed_on = ""', ""]
    return "\n".join(lines)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_value(inner) for inner in value) + "]"
    return quoted(str(value))


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _cited(codes: Iterable[int]) -> str:
    """``capture 1 packets 5, 9``."""
    by_capture: dict[int, list[int]] = defaultdict(list)
    for code in sorted({code for code in codes if code > 0})[:PACKETS]:
        packet = evidence(code)
        by_capture[packet.capture].append(packet.packet)
    return "; ".join(
        f"capture {capture} packet{'s' if len(packets) > 1 else ''} {', '.join(map(str, packets))}"
        for capture, packets in by_capture.items()
    )


def _captures(tables: Tables) -> list[str]:
    """The files it rests on; their names are text from outside, so quoted and escaped."""
    return [
        f"# capture {row.capture}: {quoted(row.name[:120])}, {row.packets} packets, sha256 {row.sha256[:16]}\n"
        for row in tables.ask("SELECT * FROM captures ORDER BY capture LIMIT 100")
        if re.fullmatch(r"[0-9a-f]*", row.sha256)
    ]


def _base(segment: str) -> str:
    """A segment's name without the interface behind ``@``."""
    return segment.partition("@")[0]


def _zones(
    pumps: Sequence[Device], devices: Sequence[Device]
) -> tuple[list[_Entry], dict[str, str]]:
    """A zone for each segment that holds pumps, and the zones' names by segment."""
    by_segment: dict[str, list[Device]] = defaultdict(list)
    for pump in pumps:
        for segment in sorted({_base(s) for s in pump.segments}):
            by_segment[segment].append(pump)
    entries, names = [], {}
    for segment, members in sorted(by_segment.items()):
        names[segment] = f"pumps {segment}"
        kinds = Counter(
            device.identity.kind
            for device in devices
            if segment in map(_base, device.segments) and device.identity.kind
        )
        permitted = sorted(k for k in kinds if k in MEDICAL_KINDS or k == "pump server")
        others = [
            f"{k} ({n})" for k, n in sorted(kinds.items()) if k not in permitted and k != "network"
        ]
        vlan = re.fullmatch(r"vlan (\d{1,4})", segment)
        named = [name for pump in members for name in pump.names][:3]
        note = f"{_many(len(members), 'infusion pump')} seen here: " + ", ".join(
            pump.id for pump in members[:5]
        )
        note += f"; they call themselves {', '.join(named)}" if named else ""
        note += "; " + _cited(
            e.capture << 40 | e.packet
            for pump in members
            for t in pump.traits
            for e in t.evidence[:1]
        )
        if others:
            note += f". Seen here too and not proposed: {', '.join(others)}"
        fields: dict[str, object] = {"name": names[segment]}
        fields |= {"vlans": (int(vlan[1]),)} if vlan else {"segments": (segment,)}
        fields |= {"permitted_kinds": tuple(permitted), "pumps": True}
        entries.append(_Entry("zone", fields, note))
    return entries, names


def _server(
    role: str, ip: str, macs: Sequence[str], segments: Sequence[str], note: str
) -> _Entry | None:
    """A trusted server, where its address is one."""
    macs = tuple(
        mac for mac in dict.fromkeys(macs) if re.fullmatch(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", mac)
    )
    ip = ip if is_host(ip) else ""
    if not ip and not macs:
        return None
    return _Entry(
        "server",
        {
            "role": role,
            **({"ip": ip} if ip else {}),
            "macs": macs[:8],
            "segments": tuple(dict.fromkeys(_base(s) for s in segments))[:32],
        },
        note,
    )


def _kept(entries: Iterable[_Entry | None]) -> list[_Entry]:
    return [entry for entry in entries if entry is not None][:SERVERS]


def _dhcp(tables: Tables) -> list[_Entry]:
    """DHCP servers by their identifier; where several answer in one segment all are proposed."""
    rows = tables.ask(f"""
        SELECT CASE WHEN server_id <> '' THEN server_id ELSE src END AS ip,
               list_sort(list(DISTINCT src_mac) FILTER (src = server_id OR server_id = '')) AS macs,
               list_sort(list(DISTINCT segment)) AS segments, count(*) AS answers,
               count(DISTINCT chaddr) AS clients, min({PACKET} packet, {PACKETS}) AS codes
        FROM dhcp WHERE op = 2 AND msg_type IN ('OFFER', 'ACK', 'NAK')
        GROUP BY 1 ORDER BY answers DESC, ip LIMIT {SERVERS}
    """)
    found = []
    for row in rows:
        note = (
            f"{_many(row.answers, 'DHCP answer')} to {_many(row.clients, 'client')}, {_cited(row.codes)}"
            + _rivals(row, rows)
        )
        found.append(_server("dhcp", row.ip, row.macs or (), row.segments, note))
    return _kept(found)


def _rivals(row: Any, rows: Sequence[Any]) -> str:  # noqa: ANN401 - a row of a question
    """A warning where others of the same role are heard in the same segment."""
    rivals = [o.ip for o in rows if o.ip != row.ip and set(o.segments) & set(row.segments)]
    if not rivals:
        return ""
    return (
        f". WARNING: {row.ip} and {', '.join(rivals[:5])} compete in one segment; confirm only what"
        " the hospital runs (a failover pair is two)"
    )


def _claimed(
    role: str, ip: str, macs: Sequence[str] | None, segments: Sequence[str], note: str
) -> _Entry | None:
    """A server known by its address: with the first claimant's MAC, the others as a warning."""
    first, *others = macs or ("",)
    if others:
        note += (
            f". WARNING: {', '.join(others[:5])} claimed {ip} too, later than {first};"
            " find out which MAC is the hospital's"
        )
    return _server(role, ip, (first,), segments, note)


def _relays(tables: Tables) -> list[_Entry]:
    rows = tables.ask(f"""
        WITH {_CLAIMS}
        SELECT giaddr AS ip, max(b.macs) AS macs,
               list_sort(list(DISTINCT d.segment)) AS segments, count(DISTINCT (d.capture, d.packet)) AS messages,
               min(d.capture::BIGINT * 1099511627776 + d.packet, {PACKETS}) AS codes
        FROM dhcp d LEFT JOIN claims b ON b.ip = d.giaddr
        WHERE giaddr NOT IN ('', '0.0.0.0') GROUP BY giaddr ORDER BY messages DESC, ip LIMIT {SERVERS}
    """)
    return _kept(
        _claimed(
            "relay",
            r.ip,
            r.macs,
            (),
            f"relayed {r.messages} DHCP messages, {_cited(r.codes)}",
        )
        for r in rows
    )


def _dns(tables: Tables, pumps: Sequence[Device]) -> list[_Entry]:
    """Resolvers that were asked and answered; what only answered is not proposed."""
    rows = tables.ask(
        f"""
        WITH asked AS (SELECT DISTINCT src, dst, trans_id FROM dns
                       WHERE NOT is_response AND kind = 'dns' AND dst_port = 53)
        SELECT d.src AS ip, list_sort(list(DISTINCT src_mac)) AS macs, list_sort(list(DISTINCT segment)) AS segments,
               count(*) AS answers, count(DISTINCT d.dst) AS clients,
               count(DISTINCT d.dst) FILTER (d.dst IN (SELECT unnest(?))) AS pumps,
               min({PACKET} packet, {PACKETS}) AS codes
        FROM dns d JOIN asked q ON q.src = d.dst AND q.dst = d.src AND q.trans_id = d.trans_id
        WHERE is_response AND kind = 'dns' AND src_port = 53 AND rcode IN (0, 3)
        GROUP BY d.src ORDER BY answers DESC, ip LIMIT {SERVERS}
        """,
        ([ip for pump in pumps for ip in pump.ips],),
    )
    return _kept(
        _server(
            "dns",
            r.ip,
            (),
            (),
            f"answered {r.answers} questions of {r.clients} clients, {r.pumps} of them pumps; its frames came"
            f" from {', '.join(r.macs[:3])}; {_cited(r.codes)}",
        )
        for r in rows
    )


def _routers(tables: Tables) -> list[_Entry]:
    """Routers that advertise themselves, speak for a virtual one, or are named by DHCP."""
    adverts = tables.ask(f"""
        SELECT src AS ip, list_sort(list(DISTINCT src_mac)) AS macs, list_sort(list(DISTINCT segment)) AS segments,
               count(*) AS n, min({PACKET} packet, {PACKETS}) AS codes
        FROM router_adverts WHERE kind = 'ra' AND lifetime_s > 0 GROUP BY src ORDER BY n DESC, ip LIMIT {SERVERS}
    """)
    named = tables.ask(f"""
        WITH {_CLAIMS}, named AS (SELECT unnest(routers) AS ip, server_id, segment, {PACKET} packet AS code
                       FROM dhcp WHERE op = 2 AND msg_type IN ('OFFER', 'ACK'))
        SELECT n.ip, max(b.macs) AS macs,
               list_sort(list(DISTINCT n.segment)) AS segments, count(DISTINCT n.code) AS n,
               list_sort(list(DISTINCT n.server_id)) AS servers, min(n.code, {PACKETS}) AS codes
        FROM named n LEFT JOIN claims b ON b.ip = n.ip
        GROUP BY n.ip ORDER BY n DESC, n.ip LIMIT {SERVERS}
    """)
    spoken = tables.ask(f"""
        SELECT src AS ip, list_sort(list(DISTINCT src_mac)) AS macs, list_sort(list(DISTINCT segment)) AS segments,
               sum(packets)::BIGINT AS n, min(protocol) AS protocol, min({PACKET} first_packet, {PACKETS}) AS codes
        FROM redundancy GROUP BY src ORDER BY n DESC, ip LIMIT {SERVERS}
    """)
    return _kept(
        [
            *(
                _server(
                    "router",
                    r.ip,
                    r.macs,
                    r.segments,
                    f"{_many(r.n, 'router advertisement')}, {_cited(r.codes)}"
                    + _rivals(r, adverts),
                )
                for r in adverts
            ),
            *(
                _claimed(
                    "router",
                    r.ip,
                    r.macs or (),
                    r.segments,
                    f"named as router by DHCP server {', '.join(r.servers[:3])} in {r.n} answers, {_cited(r.codes)}",
                )
                for r in named
            ),
            *(
                _server(
                    "router",
                    r.ip,
                    r.macs,
                    r.segments,
                    f"{r.n} {r.protocol} messages, {_cited(r.codes)}",
                )
                for r in spoken
            ),
        ]
    )


def _dhcpv6(tables: Tables) -> list[_Entry]:
    rows = tables.ask(f"""
        SELECT src AS ip, list_sort(list(DISTINCT src_mac)) AS macs, list_sort(list(DISTINCT segment)) AS segments,
               count(*) AS n, min({PACKET} packet, {PACKETS}) AS codes
        FROM dhcpv6 WHERE msg_type IN (2, 7) AND NOT relayed GROUP BY src ORDER BY n DESC, ip LIMIT {SERVERS}
    """)
    return _kept(
        _server("dhcpv6", r.ip, r.macs, r.segments, f"{r.n} DHCPv6 answers, {_cited(r.codes)}")
        for r in rows
    )


def _pump_servers(devices: Sequence[Device]) -> list[_Entry]:
    return _kept(
        _server(
            "pump_server",
            device.ips[0] if device.ips else "",
            device.macs,
            (),
            f"{device.id}: {'; '.join(t.says for t in device.traits[:2])}; "
            + _cited(e.capture << 40 | e.packet for t in device.traits[:2] for e in t.evidence),
        )
        for device in devices
        if device.identity.kind == "pump server" and device.seen
    )


def _peers(tables: Tables, pumps: Sequence[Device], names: dict[str, str]) -> list[_Entry]:
    """Whom pumps opened conversations with and were answered by.

    What others opened towards a pump is not proposed: that is how an intruder looks as well.
    """
    zone_of = {
        mac: names[_base(pump.segments[0])] for pump in pumps if pump.segments for mac in pump.macs
    }
    if not zone_of:
        return []
    rows = tables.ask(
        f"""
        SELECT orig_l2_addr AS mac, resp_h AS peer, proto, resp_p AS port, count(*) AS n,
               min({PACKET} first_packet, {PACKETS}) AS codes
        FROM conversations
        WHERE orig_l2_addr IN (SELECT unnest(?)) AND proto IN ('tcp', 'udp') AND resp_pkts > 0 AND resp_p > 0
        GROUP BY ALL ORDER BY ALL
        """,
        (list(zone_of),),
    )
    told: dict[tuple[str, str, str], list[tuple[int, int, list[int], str]]] = defaultdict(list)
    for row in rows:
        if is_host(row.peer):
            key = (zone_of[row.mac], row.peer, row.proto)
            told[key].append((row.port, row.n, row.codes, row.mac))
    counts: Counter[str] = Counter()
    entries = []
    for (zone, peer, proto), parts in sorted(told.items()):
        counts[zone] += 1
        if counts[zone] > PEERS:
            continue
        ports = tuple(sorted({port for port, _, _, _ in parts}))
        note = (
            f"{_many(len({mac for *_, mac in parts}), 'pump')} opened {sum(n for _, n, _, _ in parts)} {proto}"
            f" conversations with it and were answered, {_cited(c for _, _, codes, _ in parts for c in codes)}"
        )
        if len(ports) > PORTS:
            note += f"; {len(ports)} different ports, the first {PORTS} stand here"
        if counts[zone] == PEERS:
            note += "; further peers are left out"
        fields: dict[str, object] = {
            "zone": zone,
            "peer": peer,
            "ports": ports[:PORTS],
            "proto": proto,
        }
        entries.append(_Entry("peer", fields, note))
    return entries
