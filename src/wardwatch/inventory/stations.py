"""Stations: who was there, which addresses were whose, and who merely forwarded for others.

Theory of operation. A packet's source MAC is its sender's only on the sender's own segment:
behind a router every packet bears the router's MAC, and whoever poisons ARP puts its own MAC on
the packets of others. So a fact carried by IP is credited to

* the MAC of its frame, where that MAC speaks for itself;
* the holder of its IP address, where the MAC routes, or claims an address whose holder still
  speaks (the holder is who had it first);
* the bare address (``ip:10.1.2.3``), where no MAC of the sender's own was ever seen.
"""

from __future__ import annotations

import ipaddress
import re
from collections import defaultdict
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec

from wardwatch.inventory.rulebook import rulebook
from wardwatch.model.evidence import Evidence
from wardwatch.model.values import is_group

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wardwatch.observe.tables import Tables

MAX_STATIONS = 20_000
"""Stations kept: forged source addresses cost a sender nothing, and each kept costs 9 kB of memory.

Those whose maker the rules name come first, then those that spoke most: a flood of new addresses
has spoken least. The rest is counted in one row.
"""
MAX_LEARNED = 5_000
"""Stations kept besides because they showed what they are, however little they spoke."""
MAX_ADDRESSES = 64
"""IP addresses kept of a station: forged sources again; a busy host has some dozens (IPv6)."""
ROUTED_ADDRESSES = 8
"""A MAC that sent for more IPv4 addresses than this, none of which it ever bound, routes."""
ROUTED_NETWORKS = 3
"""Or for addresses in that many different /16 networks (/64 of IPv6)."""

PACKET = "capture::BIGINT * 1099511627776 + "
"""SQL: one number for a packet, ordered as packets are (capture in the high bits, 40 bits below)."""

_HEARD = f"""min(first_ts) AS first_ts, max(last_ts) AS last_ts, sum(packets)::BIGINT AS packets,
    list_sort(list(DISTINCT segment)) AS segments, min({PACKET} first_packet) AS packet"""
"""SQL: what a group of packets tells of its station."""
HEARD_ROWS = 200_000
"""Rows of table ``presence`` or ``dhcp`` up to which they are gathered once for all questions: 20 MB
kept."""
SPOKEN_ROWS = 65_536
"""Rows of table ``conversations`` up to which they are gathered by address: of a flood of forged
addresses that costs more than to ask for a few three times."""
_IS_STATION = """length(mac) = 17 AND mac <> '00:00:00:00:00:00'
    AND substr(mac, 2, 1) IN ('0', '2', '4', '6', '8', 'a', 'c', 'e')"""
"""SQL for :func:`is_station`."""

PACKETS = 5
"""Packets kept of a sign."""
FEW = 32_768
"""Rows of table ``bindings`` up to which they are taken in hand: five questions of them cost more.

Some 350 octets a row; most of them are kept for as long as their stations are.
"""
FEW_REPLIES = 256
"""Different replies of DHCP taken in hand: a hospital's servers say the same again and again."""

VIRTUAL_MACS = (
    "00:00:5e:00:01:",
    "00:00:5e:00:02:",
    "00:00:0c:07:ac:",
    "00:00:0c:9f:f",
    "00:07:b4:00:",
)
"""VRRP (v4, v6), HSRP (v1, v2), GLBP: shared by routers, so no sign of impersonation."""


class Binding(msgspec.Struct, frozen=True, gc=False):
    """One address that one MAC used."""

    mac: str
    ip: str
    first_ts: int
    last_ts: int
    bound: bool
    """Claimed by ARP, neighbour discovery or DHCP; otherwise only seen as a source."""
    first_packet: int


class Station(msgspec.Struct, gc=False):
    """One MAC (or one bare IP address) that spoke."""

    key: str
    first_ts: int = 0
    last_ts: int = 0
    packets: int = 0
    segments: tuple[str, ...] = ()
    first_packet: int = 0
    """Encoded as :data:`PACKET` does; 0 none."""
    ips: tuple[str, ...] = ()

    @property
    def mac(self) -> str:
        """Its MAC; "" a bare address."""
        return "" if self.key.startswith("ip:") else self.key


class Stations(msgspec.Struct):
    """All stations, and whom a fact belongs to."""

    by_key: dict[str, Station]
    routing: dict[str, bool]
    """MACs that forward for others; True where many addresses or a router's claim show it."""
    owner: dict[str, str]
    """IP address → MAC of its (first) holder."""
    contested: dict[tuple[str, str], str]
    """(MAC, IP) → the holder who still spoke while that MAC used the address."""
    bindings: dict[str, tuple[Binding, ...]]
    """By MAC, those of MACs that route only where bound."""
    left_out: int = 0
    """Stations beyond the bound."""

    def holder(self, mac: str, ip: str) -> str:
        """Key of the station that a fact from ``mac`` and ``ip`` is credited to; "" nobody."""
        if mac and not ip:
            return mac
        if mac and mac not in self.routing:
            return self.contested.get((mac, ip), mac)
        if ip and ip in self.owner:
            return self.owner[ip]
        if not ip or not is_host(ip):
            return ""
        return f"ip:{ip}"


def evidence(code: int) -> Evidence:
    """The packet that a number made by :data:`PACKET` stands for."""
    return Evidence(code >> 40, code & 0xFF_FFFF_FFFF)


def code(capture: int, packet: int) -> int:
    """The number of a packet, as :data:`PACKET` makes it."""
    return capture << 40 | packet


_Used = dict[str, list[Binding]] | str
"""Every address that a MAC used, once: by MAC, each one's in the order of time; or, where they are
many, the name of a table of them."""


def stations(tables: Tables) -> Stations:
    """Who is there, by presence, bindings, DHCP behind relays, and packets without a MAC."""
    used, replies = _used(tables), few_replies(tables)
    routing = _routing(tables, used, _claimed_routers(tables, used, replies))
    bystanders = _bystanders(tables)
    found, left_out = _present(tables, bystanders)
    for more, others in (_bound_only(tables, used, found), _relayed(tables, replies)):
        left_out += others + _add(found, more, bystanders)
    bindings = _bindings(tables, used, routing, found if left_out else None)
    if isinstance(used, str):
        tables.forget(used)
    owner, contested = _owners(bindings)
    for mac, held in bindings.items():
        station = found.get(mac)
        if station is None:
            continue
        if len(held) == 1 and not contested:
            station.ips = (held[0].ip,)
            continue
        addresses = [b.ip for b in held if (mac, b.ip) not in contested]
        station.ips = in_order(addresses) if len(addresses) > 1 else tuple(addresses)
    bare, others = _bare(tables, owner)
    left_out += others + _add(found, bare, bystanders)
    for key, station in found.items():
        if key[:3] == "ip:":
            station.ips = (key[3:],)
    return Stations(found, routing, owner, contested, bindings, left_out)


def stations_heard(tables: Tables) -> str:
    """SQL for a FROM clause: table ``presence`` by ``segment`` and ``mac``, all spells as one.

    ``first_ts``, ``last_ts``, ``packets``, ``received`` and ``packet`` (the first, as
    :data:`PACKET` makes it) are of them all, ``first`` is stamp and packet of the earliest.
    """
    question = f"""
        SELECT segment, mac, min(first_ts) AS first_ts, max(last_ts) AS last_ts,
            sum(packets)::BIGINT AS packets, sum(received)::BIGINT AS received,
            min({PACKET} first_packet) AS packet,
            min((first_ts, {PACKET} first_packet)) AS first
        FROM presence GROUP BY segment, mac"""
    if not 0 < tables.rows("presence") <= HEARD_ROWS:
        return f"({question})"
    return tables.settled(question)


def dhcp_replies(tables: Tables) -> str:
    """SQL for a FROM clause: DHCP's replies and what relays passed on, those alike as one.

    ``op``, ``msg_type``, ``src_mac``, ``src``, ``server_id``, ``giaddr`` and ``routers`` as in
    table ``dhcp``; ``times`` says how many there were, ``codes`` which of them first.
    """
    question = f"""
        SELECT op, msg_type, src_mac, src, server_id, giaddr, routers, count(*) AS times,
            min({PACKET} packet, {PACKETS}) AS codes
        FROM dhcp WHERE op = 2 OR giaddr NOT IN ('', '0.0.0.0') GROUP BY ALL"""
    if not 0 < tables.rows("dhcp") <= HEARD_ROWS:
        return f"({question})"
    return tables.settled(question)


def few_replies(tables: Tables) -> list[Any] | None:
    """What :func:`dhcp_replies` has, where it is not much; else ``None``."""
    if not tables.rows("dhcp"):
        return []
    if tables.rows("dhcp") > HEARD_ROWS:
        return None
    rows = tables.ask(f"FROM {dhcp_replies(tables)} LIMIT {FEW_REPLIES + 1}")
    return rows if len(rows) <= FEW_REPLIES else None


def _present(tables: Tables, bystanders: frozenset[str]) -> tuple[dict[str, Station], int]:
    """The stations that spoke for themselves, the busiest first, and how many more there were."""
    if not tables.rows("presence"):
        return {}, 0
    if not is_crowded(tables):
        return _all_present(tables, bystanders), 0
    # Lists take ten times as long to fetch as texts, and most stations stand in one segment.
    rows = tables.ask(
        f"""
        FROM (
            SELECT *, count(*) OVER () AS every FROM (
                SELECT mac, min(first_ts) AS first_ts, max(last_ts) AS last_ts,
                    sum(packets)::BIGINT AS packets, min(packet) AS packet, min(segment) AS segment,
                    CASE WHEN count(*) > 1 THEN list_sort(list(segment)) END AS segments
                FROM {stations_heard(tables)}
                WHERE {_IS_STATION} AND mac NOT IN (SELECT unnest(?::VARCHAR[])) GROUP BY mac)
            ORDER BY left(mac, 8) IN (SELECT unnest(?::VARCHAR[])) DESC, packets DESC, mac
            LIMIT {MAX_STATIONS})
        ORDER BY packets DESC, mac""",
        (sorted(bystanders), sorted({prefix[:8] for prefix in rulebook().by_prefix})),
    )
    found = {
        mac: Station(mac, first_ts, last_ts, packets, tuple(segments or (segment,)), packet)
        for mac, first_ts, last_ts, packets, packet, segment, segments, _ in rows
    }
    return found, rows[0].every - len(rows) if rows else 0


def _all_present(tables: Tables, bystanders: frozenset[str]) -> dict[str, Station]:
    """The stations that spoke for themselves, where none is left out."""
    heard = _columns(
        tables,
        f"""SELECT mac, segment, first_ts, last_ts, packets, packet
        FROM {stations_heard(tables)} WHERE {_IS_STATION}""",
    )
    found: dict[str, Station] = {}
    alone = {segment: (segment,) for segment in heard[1]}
    for mac, segment, first_ts, last_ts, packets, packet in zip(*heard, strict=True):
        known = found.get(mac)
        if known is None:
            found[mac] = Station(mac, first_ts, last_ts, packets, alone[segment], packet)
            continue
        known.first_ts = min(known.first_ts, first_ts)
        known.last_ts = max(known.last_ts, last_ts)
        known.packets += packets
        known.segments = tuple(sorted((*known.segments, segment)))
        known.first_packet = min(known.first_packet, packet)
    present = [station for mac, station in found.items() if mac not in bystanders]
    present.sort(key=attrgetter("key"))
    present.sort(key=attrgetter("packets"), reverse=True)  # of as many, in the order of their MACs
    return {station.key: station for station in present}


def is_crowded(tables: Tables) -> bool:
    """Whether more stations may have spoken than are kept."""
    spells = tables.rows("presence")
    if not MAX_STATIONS < spells <= HEARD_ROWS:
        return spells > MAX_STATIONS
    ((stations,),) = tables.ask(f"SELECT count(*) FROM {stations_heard(tables)}")
    return bool(stations > MAX_STATIONS)


def is_station(mac: str) -> bool:
    """Whether a MAC can be a station's own: six octets, no group address, not all zero."""
    return len(mac) == 17 and not is_group(mac) and mac != "00:00:00:00:00:00"


@lru_cache(maxsize=65_536)
def _address(ip: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """What an address in words is; ``None`` for what is none."""
    try:
        return ipaddress.ip_address(ip)
    except ValueError:
        return None


_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_FOUR = re.compile(rf"({_OCTET})\.{_OCTET}\.{_OCTET}\.{_OCTET}")
_GROUP = "[0-9a-f]{1,4}"
_SIX = re.compile(
    rf"([1-9a-f][0-9a-f]{{0,3}})(?:(?::{_GROUP}){{7}}|(?::{_GROUP}){{0,5}}::(?:{_GROUP}(?::{_GROUP}){{0,5}})?)"
)
"""IPv6 as it is mostly written; its first group is not zero."""


@lru_cache(maxsize=65_536)
def is_host(ip: str) -> bool:
    """Whether an address can be a host's: no group, broadcast or unspecified address."""
    # What ipaddress would say, ten times as fast, of addresses as they are mostly written.
    if four := _FOUR.fullmatch(ip):
        first = int(four[1])
        return not (
            224 <= first <= 239 or first == 127 or ip in ("0.0.0.0", "255.255.255.255")  # noqa: S104
        )
    if (six := _SIX.fullmatch(ip)) and ip.count(":") <= 7:
        return not (len(six[1]) == 4 and ip.startswith("ff"))
    address = _address(ip)
    return address is not None and not (
        address.is_multicast
        or address.is_unspecified
        or address.is_loopback
        or ip == "255.255.255.255"
    )


@lru_cache(maxsize=65_536)
def is_global(ip: str) -> bool:
    """Whether an address is one of the internet."""
    address = _address(ip)
    return address is not None and address.is_global


def in_order(addresses: Iterable[str]) -> tuple[str, ...]:
    """Addresses of hosts: IPv4 before IPv6, by number."""
    four: list[str] = []
    six: list[str] = []
    for ip in addresses:
        (six if ":" in ip else four).append(ip)
    for kind in (four, six):
        if len(kind) > 1:
            kind.sort(key=address_order)
    return (*four, *six)


def address_order(ip: str) -> tuple[int, int]:
    """IPv4 before IPv6, by number."""
    address = _address(ip)
    return (9, 0) if address is None else (address.version, int(address))


def _add(found: dict[str, Station], more: list[Station], bystanders: frozenset[str]) -> int:
    """Add stations not yet known; how many were beyond the bound."""
    left_out = 0
    for station in more:
        if station.key in found or station.key in bystanders:
            continue
        if not station.key.startswith("ip:") and not is_station(station.key):
            continue
        if len(found) >= MAX_STATIONS:
            left_out += 1
        else:
            found[station.key] = station
    return left_out


def _used(tables: Tables) -> _Used:
    """Every address that a MAC used, once."""
    question = f"""
        SELECT mac, ip, min(first_ts) AS first_ts, max(last_ts) AS last_ts,
               bool_or(source <> 'ip') AS bound, min({PACKET} first_packet) AS packet
        FROM bindings WHERE mac <> '' AND ip NOT IN ('', '0.0.0.0', '::') GROUP BY mac, ip"""
    if tables.rows("bindings") > FEW:
        return tables.settle(question)[0]
    used: dict[str, list[Binding]] = {}
    if not tables.rows("bindings"):
        return used
    last, held = "", []
    for binding in map(Binding, *_columns(tables, f"{question} ORDER BY mac, first_ts, ip")):
        if binding.mac == last:
            held.append(binding)
        else:
            last = binding.mac
            held = used[last] = [binding]
    return used


def _columns(tables: Tables, question: str) -> list[list[Any]]:
    """The answer to a question column by column: thousands of rows in half the time of their rows."""
    return [column.to_pylist() for column in tables.answer(question).columns]


def _claimed_routers(tables: Tables, used: _Used, replies: Sequence[Any] | None) -> frozenset[str]:
    """MACs that say they are routers, or that DHCP names: one foreign source then suffices."""
    questions = {
        "router_adverts": "SELECT src_mac AS mac FROM router_adverts WHERE kind = 'ra' AND lifetime_s > 0",
        "redundancy": "SELECT src_mac AS mac FROM redundancy",
    }
    asked = [question for table, question in questions.items() if tables.rows(table)]
    named: list[str] = []
    if replies is None or (replies and isinstance(used, str)):
        asked.append(f"""
            SELECT mac FROM bindings WHERE source <> 'ip' AND ip IN (
                SELECT unnest(routers) FROM {dhcp_replies(tables)} WHERE op = 2
                UNION SELECT giaddr FROM {dhcp_replies(tables)})""")
    elif replies and not isinstance(used, str):
        ips = {router for row in replies if row.op == 2 for router in row.routers}
        ips.update([row.giaddr for row in replies])
        named = [mac for mac, held in used.items() for b in held if b.ip in ips and b.bound]
    said = tables.ask(" UNION ".join(asked)) if asked else ()
    return frozenset(filter(None, (*named, *(row.mac for row in said))))


class _Sent(msgspec.Struct, frozen=True, gc=False):
    """What one MAC, some of whose addresses nobody bound to it, sent for; link-local ones left out."""

    mac: str
    four: int
    """IPv4 addresses that it never bound."""
    networks: int
    """Their /16 networks."""
    six: int
    prefixes: int
    """The same of IPv6, in /48 networks."""
    public: int
    """Those of IPv4 that are nobody's private ones."""
    every: int
    """All its addresses, bound or not."""
    abroad: bool
    """It claims IPv4 addresses of its own /24 networks by ARP, and sends from another besides."""


def _routing(tables: Tables, used: _Used, claimed: frozenset[str]) -> dict[str, bool]:
    """MACs that send for addresses which are not theirs, and whether that is plain.

    None does that has but one address.
    """
    counted = _many_sent(tables, used) if isinstance(used, str) else _few_sent(used, claimed)
    plain = {
        row.mac: True
        for row in counted
        if row.four > ROUTED_ADDRESSES
        or row.networks >= ROUTED_NETWORKS
        or row.prefixes >= ROUTED_NETWORKS
        or (row.public and row.four + row.six > 1)
        or ((row.mac in claimed or row.mac.startswith(VIRTUAL_MACS)) and row.every > 1)
    }
    return {row.mac: False for row in counted if row.abroad} | plain


_OWN_LINK = "(starts_with(ip, '169.254.') OR starts_with(lower(ip), 'fe80:'))"
_ITS_LINK = re.compile(r"169\.254\.|fe80:", re.IGNORECASE)
_NETWORK = re.compile(r"\d+\.\d+", re.ASCII)
_NET = re.compile(r"\d+\.\d+\.\d+", re.ASCII)
_PREFIX = re.compile("([0-9a-f]*:){3}")
_PRIVATE = r"^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.)"
_IS_PRIVATE = re.compile(_PRIVATE, re.ASCII)


def _few_sent(used: dict[str, list[Binding]], claimed: frozenset[str]) -> list[_Sent]:
    """What :func:`_many_sent` says of those that may route.

    Most have an IPv4 address that they bound and one of IPv6 that they merely used.
    """
    found = []
    for mac, all_of in used.items():
        if len(all_of) < 2:
            continue
        loose = [b.ip for b in all_of if not b.bound]
        if not loose or not (
            len(loose) >= ROUTED_NETWORKS
            or any(":" not in ip for ip in loose)
            or mac in claimed
            or mac.startswith(VIRTUAL_MACS)
        ):
            continue
        ips = [ip for ip in loose if not _ITS_LINK.match(ip)]
        if not ips:
            continue
        held = [b.ip for b in all_of if b.bound and not _ITS_LINK.match(b.ip)]
        four = [ip for ip in ips if ":" not in ip]
        own = {_begins(_NET, ip) for ip in held if ":" not in ip}
        found.append(
            _Sent(
                mac,
                four=len(four),
                networks=len({_begins(_NETWORK, ip) for ip in four}),
                six=len(ips) - len(four),
                prefixes=len({_begins(_PREFIX, ip) for ip in ips if ":" in ip}),
                public=sum(not _IS_PRIVATE.match(ip) for ip in four),
                every=len(ips) + len(held),
                abroad=bool(own) and not {_begins(_NET, ip) for ip in four} <= own,
            )
        )
    return found


def _begins(pattern: re.Pattern[str], ip: str) -> str:
    """What an address begins with; "" where it does not, as ``regexp_extract`` has it."""
    found = pattern.match(ip)
    return found[0] if found else ""


def _many_sent(tables: Tables, used: str) -> list[_Sent]:
    """Every MAC that used addresses which it never bound, counted where its rows lie."""
    rows = tables.ask(
        rf"""
        WITH loose AS (
            SELECT mac, ip, bound, NOT contains(ip, ':') AS four,
                   regexp_extract(ip, '^\d+\.\d+\.\d+') AS net
            FROM {used}
            WHERE mac IN (SELECT mac FROM {used} GROUP BY mac HAVING count(*) > 1 AND NOT bool_and(bound))
              AND NOT {_OWN_LINK}),
        counted AS (
            SELECT mac, count(*) FILTER (NOT bound AND four) AS four,
                   count(DISTINCT regexp_extract(ip, '^\d+\.\d+')) FILTER (NOT bound AND four) AS networks,
                   count(*) FILTER (NOT bound AND NOT four) AS six,
                   count(DISTINCT regexp_extract(ip, '^([0-9a-f]*:){{3}}')) FILTER (NOT bound AND NOT four) AS prefixes,
                   count(*) FILTER (NOT bound AND four AND NOT regexp_matches(ip, '{_PRIVATE}')) AS public,
                   count(*) AS every,
                   list(DISTINCT net) FILTER (bound AND four) AS own,
                   list(DISTINCT net) FILTER (NOT bound AND four) AS sent
            FROM loose GROUP BY mac HAVING four > 0 OR six > 0)
        SELECT * EXCLUDE (own, sent),
               own IS NOT NULL AND coalesce(len(list_intersect(sent, own)) < len(sent), false) AS abroad
        FROM counted
    """
    )
    return [_Sent(*row) for row in rows]


def _bystanders(tables: Tables) -> frozenset[str]:
    """Stations known from nothing but probe requests: telephones passing by are nobody's concern."""
    rows = tables.ask(
        """
        SELECT transmitter AS mac FROM wifi WHERE transmitter <> '' GROUP BY transmitter
        HAVING bool_and(subtype = 4) AND transmitter NOT IN (SELECT mac FROM bindings)
           AND transmitter NOT IN (SELECT mac FROM presence WHERE segment NOT LIKE 'wlan%')
    """,
        of=("wifi",),
    )
    return frozenset(row.mac for row in rows)


def _bindings(
    tables: Tables, used: _Used, routing: dict[str, bool], kept: Iterable[str] | None
) -> dict[str, tuple[Binding, ...]]:
    """Addresses by MAC, at most :data:`MAX_ADDRESSES` each, claimed ones first.

    Where not every station was ``kept``: theirs, and the first who used the same addresses.
    """
    if isinstance(used, str):
        used = _many_bindings(tables, used, kept)
    elif kept is not None:
        used = _near(used, set(kept))
    found: dict[str, tuple[Binding, ...]] = {}
    for mac, all_of in used.items():
        if len(all_of) == 1:
            if is_host(all_of[0].ip) and (all_of[0].bound or mac not in routing):
                found[mac] = (all_of[0],)
            continue
        if len(all_of) > MAX_ADDRESSES:
            first = sorted(all_of, key=lambda b: not b.bound)[:MAX_ADDRESSES]
            all_of = sorted(first, key=lambda b: (b.first_ts, b.ip))
        if mac in routing:
            held = [b for b in all_of if b.bound and is_host(b.ip)]
        else:
            held = [b for b in all_of if is_host(b.ip)]
        if held:
            found[mac] = tuple(held)
    return found


def _near(used: dict[str, list[Binding]], kept: set[str]) -> dict[str, list[Binding]]:
    """What those kept used, and of others who used the same addresses the first."""
    shared: dict[str, list[Binding]] = {b.ip: [] for mac in kept & used.keys() for b in used[mac]}
    for held in used.values():
        for binding in held:
            if binding.ip in shared:
                shared[binding.ip].append(binding)
    first = {
        (b.mac, b.ip)
        for users in shared.values()
        for b in sorted(users, key=_who_first)[:MAX_ADDRESSES]
    }
    near = {
        mac: held if mac in kept else [b for b in held if (mac, b.ip) in first]
        for mac, held in used.items()
    }
    return {mac: held for mac, held in near.items() if held}


def _who_first(binding: Binding) -> tuple[bool, int, str]:
    """Who comes first among those who used an address.

    A claim (ARP, DHCP) outweighs a mere source address: the source of a forwarded packet may be
    seen before its owner's first ARP.
    """
    return not binding.bound, binding.first_ts, binding.mac


def _many_bindings(
    tables: Tables, used: str, kept: Iterable[str] | None
) -> dict[str, list[Binding]]:
    """The same, selected where the rows lie."""
    if kept is None:
        near = f"FROM {used}"
    else:
        mine = tables.lay(mac=list(kept))
        near = f"""FROM {used}
            WHERE mac IN (FROM {mine}) OR ip IN (SELECT ip FROM {used} WHERE mac IN (FROM {mine}))
            QUALIFY row_number() OVER (PARTITION BY ip ORDER BY NOT bound, first_ts, mac) <= {MAX_ADDRESSES}
                OR mac IN (FROM {mine})"""
    ((most,),) = tables.ask(f"SELECT max(n) FROM (SELECT count(*) AS n FROM {used} GROUP BY mac)")
    few = (
        f"""QUALIFY row_number() OVER (
            PARTITION BY mac ORDER BY bound DESC, first_ts, ip) <= {MAX_ADDRESSES}"""
        if (most or 0) > MAX_ADDRESSES
        else ""
    )
    rows = tables.ask(f"""
        SELECT mac, ip, first_ts, last_ts, bound, packet FROM ({near}) {few}
        ORDER BY mac, first_ts, ip""")
    found: dict[str, list[Binding]] = defaultdict(list)
    for row in rows:
        found[row[0]].append(Binding(*row))
    return found


def _owners(
    bindings: dict[str, tuple[Binding, ...]],
) -> tuple[dict[str, str], dict[tuple[str, str], str]]:
    """Who held an address first, and who used it while that holder still spoke."""
    by_ip: dict[str, list[Binding]] = defaultdict(list)
    for held in bindings.values():
        for binding in held:
            by_ip[binding.ip].append(binding)
    owner: dict[str, str] = {}
    contested: dict[tuple[str, str], str] = {}
    for ip, users in by_ip.items():
        if len(users) == 1:
            owner[ip] = users[0].mac
            continue
        users.sort(key=_who_first)
        first = users[0]
        owner[ip] = first.mac
        for other in users[1:]:
            if first.first_ts <= other.last_ts and other.first_ts <= first.last_ts:
                contested[other.mac, ip] = first.mac
    return owner, contested


def _bound_only(
    tables: Tables, used: _Used, found: Mapping[str, Station]
) -> tuple[list[Station], int]:
    """Stations that only their bindings tell of (ARP answers quoted, leases acknowledged)."""
    if isinstance(used, dict) and not any(is_station(mac) for mac in used.keys() - found.keys()):
        return [], 0
    return _first(
        tables,
        f"""SELECT mac AS key, {_HEARD} FROM bindings
        WHERE {_IS_STATION} AND mac NOT IN (SELECT mac FROM {stations_heard(tables)}) GROUP BY mac""",
        "bindings",
    )


def _relayed(tables: Tables, replies: Sequence[Any] | None) -> tuple[list[Station], int]:
    """Clients that only a relay's messages tell of."""
    if replies is None:
        replies = tables.ask(f"SELECT op FROM {dhcp_replies(tables)} WHERE op = 1 LIMIT 1")
    if not any(row.op == 1 for row in replies):
        return [], 0
    return _first(
        tables,
        f"""SELECT chaddr AS key, min(ts) AS first_ts, max(ts) AS last_ts, count(*) AS packets,
            []::VARCHAR[] AS segments, min({PACKET} packet) AS packet
        FROM (SELECT *, chaddr AS mac FROM dhcp)
        WHERE op = 1 AND giaddr NOT IN ('', '0.0.0.0') AND {_IS_STATION}
            AND chaddr NOT IN (SELECT mac FROM {stations_heard(tables)}) GROUP BY chaddr""",
        "dhcp",
    )


def _bare(tables: Tables, owner: dict[str, str]) -> tuple[list[Station], int]:
    """Senders on links without MACs (raw IP, tunnels), by address."""
    if 0 < tables.rows("conversations") <= SPOKEN_ROWS and not tables.ask(
        f"SELECT ip FROM {tables.settled(_by_address())} WHERE bare LIMIT 1"
    ):
        return [], 0
    found, others = _first(
        tables,
        f"""SELECT 'ip:' || ip AS key, {_HEARD} FROM (
            SELECT capture, segment, orig_h AS ip, first_ts, last_ts, orig_pkts AS packets, first_packet
            FROM conversations WHERE orig_l2_addr = '' AND orig_pkts > 0
            UNION ALL
            SELECT capture, segment, resp_h, first_ts, last_ts, resp_pkts, first_packet
            FROM conversations WHERE resp_l2_addr = '' AND resp_pkts > 0)
        GROUP BY ip""",
        "conversations",
    )
    return [s for s in found if s.key[3:] not in owner and is_host(s.key[3:])], others


def _by_address(asked: str = "<> ''") -> str:
    """The question who sent in table ``conversations``, each address once, of those ``asked`` for.

    ``bare`` says whether it sent on a link without MACs.
    """
    return f"""
        SELECT ip, min(first_ts) AS first_ts, max(last_ts) AS last_ts,
            sum(packets)::BIGINT AS packets, min({PACKET} first_packet) AS packet, bool_or(bare) AS bare
        FROM (
            SELECT capture, orig_h AS ip, first_ts, last_ts, orig_pkts AS packets, first_packet,
                orig_l2_addr = '' AS bare
            FROM conversations WHERE orig_pkts > 0 AND orig_h {asked}
            UNION ALL
            SELECT capture, resp_h, first_ts, last_ts, resp_pkts, first_packet, resp_l2_addr = ''
            FROM conversations WHERE resp_pkts > 0 AND resp_h {asked})
        GROUP BY ip"""


def _first(tables: Tables, question: str, table: str) -> tuple[list[Station], int]:
    """The busiest of the stations that a question about a table finds, and how many more there are."""
    rows = tables.ask(
        f"""SELECT *, count(*) OVER () AS every FROM ({question})
        ORDER BY packets DESC, key LIMIT {MAX_STATIONS}""",
        of=(table,),
    )
    found = [
        Station(r.key, r.first_ts, r.last_ts, r.packets, tuple(r.segments), r.packet) for r in rows
    ]
    return found, rows[0].every - len(rows) if rows else 0


def beyond(tables: Tables, keys: Sequence[str]) -> list[Station]:
    """Those of some stations that spoke for themselves, although they were left out at first."""
    return _first(
        tables,
        f"""SELECT mac AS key, {_HEARD} FROM presence
        WHERE {_IS_STATION} AND mac IN (FROM {tables.lay(mac=list(keys))}) GROUP BY mac""",
        "presence",
    )[0]


def seen_otherwise(tables: Tables, keys: Sequence[str]) -> list[Station]:
    """Stations without presence of their own, by the conversations or wireless frames they had.

    What others merely named (a router in a DHCP answer) did not speak, and is left out.
    """
    bare = [key[3:] for key in keys if key.startswith("ip:")]
    macs = [key for key in keys if not key.startswith("ip:")]
    heard: list[Any] = []
    if bare and tables.rows("conversations"):
        asked = "IN (SELECT unnest(?::VARCHAR[]))"
        if tables.rows("conversations") <= SPOKEN_ROWS:
            spoken, given = f"{tables.settled(_by_address())} WHERE ip {asked}", [bare]
        else:
            spoken, given = f"({_by_address(asked)})", [bare, bare]
        heard += tables.ask(
            f"SELECT 'ip:' || ip AS key, first_ts, last_ts, packets, packet FROM {spoken}", given
        )
    if macs:
        heard += tables.ask(
            f"""
            SELECT transmitter AS key, {_HEARD} FROM (SELECT *, 'wlan' AS segment FROM wifi)
            WHERE transmitter IN (SELECT unnest(?::VARCHAR[])) GROUP BY transmitter
            """,
            (macs,),
            of=("wifi",),
        )
    spans = {row.key: row for row in heard}
    found = []
    for key in keys:
        if row := spans.get(key):
            # Behind a router it stands in no segment that was heard.
            by_address = key.startswith("ip:")
            segments, ips = ((), (key[3:],)) if by_address else (tuple(row.segments), ())
            found.append(
                Station(key, row.first_ts, row.last_ts, row.packets, segments, row.packet, ips)
            )
    return found
