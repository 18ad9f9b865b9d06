"""Devices: stations, what they showed, and the list, put together."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from functools import lru_cache
from itertools import chain
from operator import eq
from typing import TYPE_CHECKING

import msgspec

from wardwatch.inventory.register import DISAGREES, join
from wardwatch.inventory.rulebook import STRONG, Rule, Rulebook, rulebook
from wardwatch.inventory.signs import Sign, signs, told
from wardwatch.inventory.stations import (
    MAX_LEARNED,
    MAX_STATIONS,
    PACKET,
    PACKETS,
    Station,
    Stations,
    beyond,
    evidence,
    is_global,
    seen_otherwise,
    stations,
)
from wardwatch.inventory.vendors import vendor
from wardwatch.inventory.weigh import Weighed, weigh
from wardwatch.model.device import (
    LEFT_OUT,
    MEDICAL_KINDS,
    Confidence,
    Device,
    Identity,
    Listed,
    Trait,
)
from wardwatch.model.values import is_locally_administered, utc_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wardwatch.observe.tables import Tables

NAMES = 8
"""Names shown of one device: a peer may send a new one each time."""
NOTES = 12
"""Notes shown of one device."""
TOGETHER = 4
"""MACs that may be one device: a wired one, radios, a docking station's; more is a shared word."""


_DIGIT = re.compile(r"\d")


class _Shown(msgspec.Struct, gc=False):
    """What one station showed, gathered."""

    reasons: dict[str, tuple[Rule, int, tuple[int, ...]]] = msgspec.field(default_factory=dict)
    """Rule id → rule, how often, its first packets."""
    names: dict[str, None] = msgspec.field(default_factory=dict)
    serials: dict[str, None] = msgspec.field(default_factory=dict)
    versions: dict[str, int] = msgspec.field(default_factory=dict)
    """Version → first packet that said so."""

    def add(self, rule: Rule, times: int, packets: tuple[int, ...]) -> None:
        """One more reason; the same rule's packets are merged."""
        _, before, earlier = self.reasons.get(rule.id, (rule, 0, ()))
        merged = tuple(sorted({*earlier, *packets}))[:PACKETS]
        self.reasons[rule.id] = (rule, before + times, merged)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules that spoke."""
        return tuple(rule for rule, _, _ in self.reasons.values())


def inventory(tables: Tables, listed: Sequence[Listed] = ()) -> tuple[Device, ...]:
    """Every device the evidence shows or the hospital lists, medical ones first, then by id."""
    book = rulebook()
    found = stations(tables)
    _listed_behind_routers(tables, found, listed)
    shown = _gather(tables, book, found, signs(tables, told(tables, book), found))
    groups = _groups(found, shown, tables)
    groups += _pump_servers(tables, book, found, shown, groups)
    notes = _notes(found)
    devices = [_device(group, found, shown, notes) for group in groups]
    if found.left_out:
        devices.append(_left_out(found.left_out))
    return tuple(sorted(join(devices, listed), key=_order))


def _order(device: Device) -> tuple[bool, bool, str]:
    kind = device.identity.kind
    return kind != "infusion pump", kind not in MEDICAL_KINDS, device.id


def _listed_behind_routers(tables: Tables, found: Stations, listed: Sequence[Listed]) -> None:
    """Let listed addresses that spoke be stations, where no MAC of their own was seen.

    Otherwise a sender behind a router is one only where something was learned of it; these the
    hospital names itself.
    """
    keys = dict.fromkeys(
        f"ip:{row.ip}"
        for row in listed
        if row.ip and row.ip not in found.owner and row.mac not in found.by_key
    )
    for station in seen_otherwise(tables, [key for key in keys if key not in found.by_key]):
        found.by_key[station.key] = station


def _gather(
    tables: Tables, book: Rulebook, found: Stations, given: Iterable[Sign]
) -> defaultdict[str, _Shown]:
    """What each station showed, as rules read it."""
    shown: defaultdict[str, _Shown] = defaultdict(_Shown)
    heard: defaultdict[str, dict[str, tuple[Rule, ...]]] = defaultdict(dict)
    for sign in given:
        key, kind, value = sign.station, sign.sign, sign.value
        if kind[:5] == "name.":
            shown[key].names[value] = None
        elif kind == "serial":
            shown[key].serials[value] = None
        elif kind == "firmware":
            shown[key].versions.setdefault(value[:64], sign.packets[0])
        of_kind = heard[kind]
        rules_heard = of_kind.get(value)
        if rules_heard is None:
            rules_heard = of_kind[value] = book.speaking(kind, value)
        for rule in rules_heard:
            shown[key].add(rule, sign.times, sign.packets)
    rules = {rule.id: rule for rule in book.rules}
    routing = found.routing
    for key, station in found.by_key.items():
        if key[:3] == "ip:":
            continue
        of_mac = book.of_mac(key)
        if of_mac and not is_locally_administered(key):
            for rule in of_mac:
                shown[key].add(rule, station.packets, (station.first_packet,))
        if key in routing:
            rule = rules["router-routing" if routing[key] else "router-forwards"]
            shown[key].add(rule, 1, (station.first_packet,))
    # A sender behind a router is a device only where something was learned of it; one of the
    # internet is none of ours.
    learned = [
        key
        for key, thing in shown.items()
        if key not in found.by_key and thing.reasons and not is_global(key.removeprefix("ip:"))
    ]
    room = max(MAX_STATIONS + MAX_LEARNED - len(found.by_key), 0)
    if found.left_out:
        for station in beyond(tables, [key for key in learned if not key.startswith("ip:")][:room]):
            found.by_key[station.key] = station
            found.left_out -= 1
            room -= 1
        learned = [key for key in learned if key not in found.by_key]
    found.left_out += max(len(learned) - room, 0)
    for station in seen_otherwise(tables, learned[:room]):
        found.by_key[station.key] = station
    return shown


def _groups(found: Stations, shown: Mapping[str, _Shown], tables: Tables) -> list[tuple[str, ...]]:
    """Stations that are one device: the same serial number, or one name used in turn.

    A serial or a name is only a word that anybody can say; so a serial must be said by few,
    and a name counts only where both sides show the same strong trait, or one is a radio
    module, and they never spoke at the same time.
    """
    leader = {key: key for key in found.by_key}

    def top(key: str) -> str:
        while leader[key] != key:
            leader[key] = key = leader[leader[key]]
        return key

    def unite(keys: Sequence[str]) -> None:
        first = min((top(key) for key in keys), key=lambda k: (found.by_key[k].first_ts, k))
        for key in keys:
            leader[top(key)] = first

    by_serial: dict[str, list[str]] = defaultdict(list)
    by_name: dict[str, list[str]] = defaultdict(list)
    for key, thing in shown.items():
        if key not in found.by_key:
            continue
        for serial in thing.serials:
            if _telling_serial(serial):
                by_serial[serial.casefold()].append(key)
        for name in thing.names:
            if len(name) >= 5:
                by_name[name.casefold()].append(key)
    for keys in by_serial.values():
        if 1 < len(keys) <= TOGETHER:
            unite(keys)
    for name, keys in by_name.items():
        if len(keys) == 2 and _DIGIT.search(name) and _one_in_turn(keys[0], keys[1], shown, tables):
            unite(keys)
    if all(map(eq, leader, leader.values())):
        return [(key,) for key in leader]
    groups: dict[str, list[str]] = defaultdict(list)
    for key, first in leader.items():
        groups[key if first == key else top(key)].append(key)
    return [
        tuple(sorted(keys, key=lambda k: (found.by_key[k].first_ts, k)))
        if len(keys) > 1
        else (keys[0],)
        for keys in groups.values()
    ]


def _telling_serial(serial: str) -> bool:
    """Whether a serial tells devices apart: ``******`` and ``0000`` do not."""
    return len(serial) >= 4 and len(set(serial)) > 1 and any(c.isdigit() for c in serial)


def _one_in_turn(one: str, other: str, shown: Mapping[str, _Shown], tables: Tables) -> bool:
    """Whether two stations of one name may be one device's wired and radio side."""
    strong = [
        {r.family or r.manufacturer for r in shown[key].rules if r.weight >= STRONG} - {""}
        for key in (one, other)
    ]
    modules = [any(r.module for r in shown[key].rules) for key in (one, other)]
    if not (strong[0] & strong[1] or (any(modules) and any(strong))):
        return False
    overlap = tables.ask(
        """SELECT count(*) AS n FROM presence a JOIN presence b
           ON a.mac = ? AND b.mac = ? AND a.first_ts <= b.last_ts AND b.first_ts <= a.last_ts""",
        (one, other),
    )
    return not overlap[0].n


def _pump_servers(
    tables: Tables,
    book: Rulebook,
    found: Stations,
    shown: defaultdict[str, _Shown],
    groups: Sequence[tuple[str, ...]],
) -> list[tuple[str, ...]]:
    """Let those be pump servers whom pumps report to, in SOAP or by TLS; the ones not yet known.

    A pump's server mostly stands behind the router and shows nothing else of itself.
    """
    rules = {rule.id: rule for rule in book.rules}
    # Weighed are those alone that a rule takes for a pump.
    telling = {rule.id for rule in book.rules if rule.kind == "infusion pump"}
    hinted = {key for key, thing in shown.items() if not telling.isdisjoint(thing.reasons)}
    if not hinted:
        return []
    pumps = {
        key
        for group in groups
        if not hinted.isdisjoint(group)
        and (weighed := _weighed(group, shown)).confidence >= Confidence.PROBABLE
        and weighed.identity.kind == "infusion pump"
        for key in group
    }
    if not pumps:
        return []
    macs = [key for key in pumps if not key.startswith("ip:")]
    ips = [ip for key in pumps for ip in found.by_key[key].ips]
    asked = (
        ("pump-server-soap", "device_messages", f"""
            SELECT src_mac AS mac, src AS ip, '' AS server_mac, dst AS server, count(*) AS times,
                   min({PACKET} packet, {PACKETS}) AS codes
            FROM device_messages WHERE kind = 'soap' AND (src_mac IN (SELECT unnest(?)) OR src IN (SELECT unnest(?)))
            GROUP BY ALL"""),
        ("pump-server-tls", "tls", f"""
            SELECT client_mac AS mac, client AS ip, server_mac, server, count(*) AS times,
                   min(capture::BIGINT * 1099511627776 + server_hello_packet, {PACKETS}) AS codes
            FROM tls WHERE server_hello_packet > 0
              AND (client_mac IN (SELECT unnest(?)) OR client IN (SELECT unnest(?)))
            GROUP BY ALL"""),
    )  # fmt: skip
    servers: dict[str, None] = {}
    for rule, table, question in asked:
        for row in tables.ask(f"FROM ({question}) ORDER BY ALL", (macs, ips), of=(table,)):
            server = found.holder(row.server_mac, row.server)
            if server and found.holder(row.mac, row.ip) in pumps and server not in pumps:
                shown[server].add(rules[rule], row.times, tuple(row.codes))
                servers[server] = None
    new = seen_otherwise(tables, [key for key in servers if key not in found.by_key])
    found.by_key.update({station.key: station for station in new})
    return [(station.key,) for station in new]


def _weighed(group: Sequence[str], shown: Mapping[str, _Shown]) -> Weighed:
    return _of_rules(_spoken([shown[key] for key in group if key in shown]))[0]


def _spoken(things: Sequence[_Shown]) -> tuple[str, ...]:
    """The ids of all rules that spoke, in order."""
    if len(things) <= 1:
        reasons = things[0].reasons if things else ()
        return tuple(sorted(reasons)) if reasons else ()
    return tuple(sorted({rule for thing in things for rule in thing.reasons}))


@lru_cache(maxsize=4096)  # a ward's devices show the same few sets of traits
def _of_rules(ids: tuple[str, ...]) -> tuple[Weighed, bool]:
    """What rules make of a device together, and whether one of them knows its address's prefix."""
    rules = [rule for rule in rulebook().rules if rule.id in ids]
    return weigh(rules), any(rule.prefix for rule in rules)


OTHERS = 3
"""Other users of an address that a note names."""


def _notes(found: Stations) -> dict[str, list[str]]:
    """What a person should know of an address, by station."""
    notes: dict[str, list[str]] = defaultdict(list)
    used = Counter([binding.ip for held in found.bindings.values() for binding in held])
    users: dict[str, list[tuple[str, int]]] = {ip: [] for ip, times in used.items() if times > 1}
    for mac, held in found.bindings.items() if users else ():
        for binding in held:
            if binding.ip in users:
                users[binding.ip].append((mac, binding.first_ts))
    for ip, all_of in users.items():
        # A flood gives one address to thousands: of the others only so many are named.
        few: dict[str, int] = {}
        for mac, ts in all_of:
            few.setdefault(mac, ts)
            if len(few) > OTHERS:
                break
        first = [(m, f"{m} (from {utc_text(ts)})") for m, ts in few.items()]
        is_contested = any((m, ip) in found.contested for m, _ in all_of)
        for mac, _ in all_of:
            others = [told for m, told in first if m != mac][:OTHERS]
            if (mac, ip) in found.contested:
                notes[mac].append(
                    f"used {ip} while its holder {found.contested[mac, ip]} still spoke"
                )
            elif is_contested:
                notes[mac].append(f"its address {ip} was also used by {', '.join(others)}")
            else:
                notes[mac].append(f"address {ip} was reused: also held by {', '.join(others)}")
    for key in found.by_key:
        if key[:3] == "ip:":
            notes[key].append("known by its address only: its own MAC was not seen from here")
        elif is_locally_administered(key):
            notes[key].append(
                f"{key} was chosen by its holder (locally administered): it names no maker"
            )
    return notes


def _device(
    group: tuple[str, ...],
    found: Stations,
    shown: Mapping[str, _Shown],
    notes: Mapping[str, Sequence[str]],
) -> Device:
    """One device from its stations."""
    members = [found.by_key[key] for key in group]
    one = members[0] if len(members) == 1 else _as_one(members)
    things = [shown[key] for key in group if key in shown]
    weighed, by_prefix = _of_rules(_spoken(things))
    identity, confidence = weighed.identity, weighed.confidence
    traits = [
        _trait(rule, times, packets)
        for thing in things
        for rule, times, packets in thing.reasons.values()
    ]
    if len(traits) > 1:
        traits.sort(key=_heaviest)
    said = [note for key in group if key in notes for note in notes[key]]
    if not by_prefix and (named := _registered_maker(members)):
        maker, trait = named
        traits.append(trait)
        if not identity.manufacturer and identity.kind not in MEDICAL_KINDS:
            identity = _made_by(identity, maker)
            if confidence is Confidence.UNKNOWN:
                confidence = Confidence.POSSIBLE
    shows = _all_of(things) if things else _NOTHING
    if versions := shows.versions:
        latest = max(versions, key=lambda v: versions[v])
        identity = msgspec.structs.replace(identity, version=latest, version_source="wire")
        if len(versions) > 1:
            said.insert(
                0, f"said several versions: {', '.join(sorted(versions)[:4])}; the last counts"
            )
    if weighed.against:
        said.insert(0, f"{DISAGREES}: " + "; ".join(rule.says for rule in weighed.against[:3]))
    if len(one.segments) > 1 and identity.kind != "network":
        vlans = sorted({s.partition("@")[0] for s in one.segments})
        if len(vlans) > 1:
            said.append(f"seen in several segments: {', '.join(vlans[:6])}")
    first, names, serials = group[0], shows.names, shows.serials
    bare = first[:3] == "ip:"
    macs = group
    if bare or len(group) > 1:
        macs = tuple([key for key in group if not key.startswith("ip:")])
        if len(macs) > 1:
            said.insert(0, f"one device with {len(macs)} addresses: {', '.join(macs)}")
    # In the order of its fields: by their names it takes four times as long.
    return Device(
        f"dev-ip-{first[3:]}" if bare else f"dev-{first.replace(':', '')}",
        identity,
        confidence,
        tuple(traits),
        macs,
        one.ips,
        one.segments,
        tuple(names)[:NAMES] if names else (),
        next((s for s in serials if _telling_serial(s)), "") if serials else "",
        one.first_ts,
        one.last_ts,
        one.packets or 1,
        notes=tuple(dict.fromkeys(said))[:NOTES] if said else (),
    )


_NOTHING = _Shown()


def _all_of(things: Sequence[_Shown]) -> _Shown:
    """Names, serials and versions of the stations of one device together."""
    if len(things) == 1:
        return things[0]
    every = _Shown()
    for thing in things:
        every.names.update(thing.names)
        every.serials.update(thing.serials)
        every.versions.update(thing.versions)
    return every


def _as_one(members: Sequence[Station]) -> Station:
    """What several stations of one device tell together; its key is the first one's."""
    return Station(
        key=members[0].key,
        first_ts=min([s.first_ts for s in members if s.first_ts], default=0),
        last_ts=max([s.last_ts for s in members]),
        packets=sum([s.packets for s in members]),
        segments=_different([s.segments for s in members]),
        ips=_different([s.ips for s in members]),
    )


def _different(texts: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Different texts in their order; those of one are different already."""
    if len(texts) == 1:
        return texts[0]
    return tuple(dict.fromkeys(chain.from_iterable(texts)))


def _heaviest(trait: Trait) -> tuple[float, str]:
    return -trait.weight, trait.rule


def _trait(rule: Rule, times: int, packets: Sequence[int]) -> Trait:
    often = f" ({times} times)" if times > 1 and not rule.prefix else ""
    return Trait(
        rule=rule.id,
        says=rule.says + often,
        weight=rule.weight,
        source=rule.source,
        evidence=tuple([evidence(code) for code in packets if code > 0]),
    )


def _registered_maker(members: Sequence[Station]) -> tuple[str, Trait] | None:
    """The registry's word on an address that no rule knows: of the network interface's maker."""
    for station in members:
        if name := vendor(station.mac):
            packet = station.first_packet
            seen = (evidence(packet),) if packet > 0 else ()
            return name, Trait("registry", _belongs(name), 0.1, _REGISTRY, seen)
    return None


_REGISTRY = "IEEE registry, as netaddr carries it"


@lru_cache(maxsize=1024)
def _belongs(name: str) -> str:
    return f"its address belongs to {name}, which may have made no more than its network interface"


@lru_cache(maxsize=1024)
def _made_by(identity: Identity, name: str) -> Identity:
    return msgspec.structs.replace(identity, manufacturer=name)


def _left_out(stations_: int) -> Device:
    return Device(
        id=LEFT_OUT,
        identity=Identity(),
        confidence=Confidence.UNKNOWN,
        packets=stations_,
        notes=(f"{stations_} further addresses were seen and left out: so many are likely forged",),
    )
