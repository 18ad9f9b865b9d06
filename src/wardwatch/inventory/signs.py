"""Signs: what each evidence table says of a station, in words that rules read.

One question a table; each answers with (MAC, IP, sign, value, how often, its first packets).
"""

from __future__ import annotations

from heapq import merge
from itertools import chain, groupby, islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import msgspec

from wardwatch.inventory.stations import (
    PACKET,
    PACKETS,
    Stations,
    dhcp_replies,
    few_replies,
    stations_heard,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pyarrow as pa

    from wardwatch.inventory.rulebook import Rulebook
    from wardwatch.observe.tables import Tables

AT_ONCE = 16_384
"""Rows that signs are made of at a time."""
VALUES = 32
"""Different values kept of one sign of one station: a peer may send a new name each time."""


class Sign(msgspec.Struct, frozen=True, gc=False):
    """One thing a station showed."""

    station: str
    """Key of the station (:meth:`wardwatch.inventory.stations.Stations.holder`)."""
    sign: str
    """``basis.detail``: ``dhcp.vendor_class``, ``banner.ftp``, ``role.dns_server`` …"""
    value: str
    times: int
    packets: tuple[int, ...]
    """Its first packets, as :data:`wardwatch.inventory.stations.PACKET` numbers them."""


_Row = tuple[str, str, str, str, int, list[int]]
"""MAC, IP, sign, value, how often, its first packets."""

_CLIENTS = f"""
    SELECT CASE WHEN chaddr = src_mac OR src_mac = '' OR giaddr NOT IN ('', '0.0.0.0')
            OR chaddr IN (SELECT mac FROM {{heard}}) THEN chaddr ELSE src_mac END AS mac,
        mqx_pads, vendor_class, {{parameters}} AS parameters,
        CASE WHEN host_name <> '' THEN host_name ELSE client_fqdn END AS name,
        count(*) AS times, min({PACKET} packet, {PACKETS}) AS codes
    FROM dhcp WHERE op = 1 GROUP BY ALL ORDER BY mac, codes[1]"""
"""What DHCP clients say of themselves, in how many messages, which first: most say the same again.

A starving attacker invents a chaddr a message: what it says is credited to the frame's sender. Of
``parameters`` see :func:`_parameters`.
"""

_OF_CLIENTS = {
    "dhcp.mqx_pads": "CASE WHEN mqx_pads THEN '' END",
    "dhcp.vendor_class": "CASE WHEN vendor_class <> '' THEN left(vendor_class, 512) END",
    "dhcp.parameters": "CASE WHEN parameters <> '' THEN left(parameters, 512) END",
    "name.host": "CASE WHEN name <> '' THEN left(name, 512) END",
}
"""SQL for what :data:`_CLIENTS` selects: the value of a sign, NULL where there is none."""

_QUESTIONS: tuple[tuple[str, str], ...] = (
    # The shape only: version, how many suites, how many extensions, how long, EXPORT or not.
    (
        "tls",
        """SELECT client_mac AS mac, client AS ip, 'tls.shape' AS sign,
               printf('%04x suites %d extensions %d length %d%s', client_version, len(ciphers)::INT,
                      len(extensions)::INT, hello_length, CASE WHEN export_offered THEN ' export' ELSE '' END) AS value,
               capture::BIGINT * 1099511627776 + client_hello_packet AS code
        FROM tls WHERE client_hello_packet > 0 AND client_version = 769 AND len(extensions) = 0""",
    ),
    (
        "banners",
        f"""SELECT server_mac AS mac, server AS ip,
               'banner.' || CASE WHEN protocol = '' THEN 'other' ELSE protocol END AS sign, text AS value,
               {PACKET} packet AS code
        FROM banners WHERE text <> ''""",
    ),
    (
        "http",
        f"""SELECT server_mac AS mac, server AS ip, 'banner.http' AS sign, server_header AS value, {PACKET} packet AS code
        FROM http WHERE direction = 'response' AND server_header <> ''""",
    ),
    (
        "http",
        f"""SELECT '' AS mac, client AS ip, 'http.user_agent' AS sign, user_agent AS value, {PACKET} packet AS code
        FROM http WHERE direction = 'request' AND user_agent <> ''""",
    ),
    # A server's answer may quote its client's root: only the side that opened the stream reports.
    (
        "device_messages",
        f"""SELECT src_mac AS mac, src AS ip, 'device.' || kind AS sign, root AS value, {PACKET} packet AS code
        FROM device_messages m
        WHERE (kind = 'status_line') OR (kind = 'configuration' AND at_stream_start)
           OR (kind = 'soap' AND NOT EXISTS (
                SELECT 1 FROM conversations c WHERE c.conversation = m.conversation AND c.resp_h = m.src
                  AND c.orig_h = m.dst))""",
    ),
    (
        "device_messages",
        f"""SELECT src_mac AS mac, src AS ip, 'serial' AS sign, serial AS value, {PACKET} packet AS code
        FROM device_messages WHERE serial <> ''""",
    ),
    (
        "device_messages",
        f"""SELECT src_mac AS mac, src AS ip, 'firmware' AS sign, firmware AS value, {PACKET} packet AS code
        FROM device_messages WHERE firmware <> ''""",
    ),
    (
        "hl7",
        f"""WITH senders AS (SELECT src_mac, src, count(DISTINCT device_id) FILTER (device_id <> '') AS devices
                         FROM hl7 GROUP BY src_mac, src)
        SELECT src_mac AS mac, src AS ip,
               CASE WHEN devices > 1 THEN 'hl7.gateway'
                    WHEN device_type <> '' THEN 'hl7.device_type' ELSE 'hl7.message_type' END AS sign,
               CASE WHEN devices > 1 THEN '' WHEN device_type <> '' THEN device_type ELSE message_type END AS value,
               {PACKET} packet AS code
        FROM hl7 JOIN senders USING (src_mac, src)""",
    ),
    (
        "hl7",
        f"""SELECT '' AS mac, dst AS ip, 'hl7.receiver' AS sign, '' AS value, {PACKET} packet AS code
        FROM hl7 WHERE mllp AND message_type NOT LIKE 'ACK%'""",
    ),
    (
        "dicom",
        f"""SELECT '' AS mac, client AS ip, 'dicom.requestor' AS sign, '' AS value, {PACKET} packet AS code
        FROM dicom WHERE pdu_type = 1""",
    ),
    (
        "dicom",
        f"""SELECT '' AS mac, server AS ip, 'dicom.acceptor' AS sign, '' AS value, {PACKET} packet AS code
        FROM dicom WHERE pdu_type = 2""",
    ),
    (
        "neighbors",
        f"""SELECT src_mac AS mac, '' AS ip, 'neighbor.platform' AS sign, platform AS value, {PACKET} first_packet AS code
        FROM neighbors WHERE platform <> ''""",
    ),
    (
        "neighbors",
        f"""SELECT src_mac AS mac, '' AS ip, 'name.system' AS sign, system_name AS value, {PACKET} first_packet AS code
        FROM neighbors WHERE system_name <> ''""",
    ),
    # Bridges, provider bridges, and Cisco's per VLAN: a frame to anybody else is no bridge's.
    (
        "control",
        f"""SELECT src_mac AS mac, '' AS ip, 'control.stp' AS sign, '' AS value, {PACKET} first_packet AS code
        FROM control WHERE protocol = 'stp'
          AND dst_mac IN ('01:80:c2:00:00:00', '01:80:c2:00:00:08', '01:00:0c:cc:cc:cd')""",
    ),
    (
        "wifi",
        f"""SELECT transmitter AS mac, '' AS ip, 'wifi.beacon' AS sign, '' AS value, {PACKET} first_packet AS code
        FROM wifi WHERE subtype = 8""",
    ),
    (
        "router_adverts",
        f"""SELECT src_mac AS mac, '' AS ip, 'role.router_advert' AS sign, '' AS value, {PACKET} packet AS code
        FROM router_adverts WHERE kind = 'ra' AND lifetime_s > 0""",
    ),
    (
        "redundancy",
        f"""SELECT src_mac AS mac, '' AS ip, 'role.redundancy' AS sign, protocol AS value, {PACKET} first_packet AS code
        FROM redundancy""",
    ),
    (
        "dhcp",
        """SELECT '' AS mac, router AS ip, 'role.router_named' AS sign, '' AS value, times, codes
        FROM (SELECT unnest(routers) AS router, times, codes FROM {replies}
              WHERE op = 2 AND msg_type IN ('OFFER', 'ACK'))""",
    ),
    # Replies relayed into a segment come from the relay's address: only the server's own count.
    (
        "dhcp",
        """SELECT src_mac AS mac, src AS ip, 'role.dhcp_server' AS sign, server_id AS value, times, codes
        FROM {replies} WHERE op = 2 AND msg_type IN ('OFFER', 'ACK', 'NAK') AND (src = server_id OR server_id = '')""",
    ),
    (
        "dhcp",
        """SELECT '' AS mac, giaddr AS ip, 'role.dhcp_relay' AS sign, '' AS value, times, codes
        FROM {replies} WHERE giaddr NOT IN ('', '0.0.0.0') AND (op = 1 OR msg_type IN ('OFFER', 'ACK'))""",
    ),
    (
        "dns",
        f"""SELECT src_mac AS mac, src AS ip, 'role.dns_server' AS sign, '' AS value, {PACKET} packet AS code
        FROM dns WHERE is_response AND kind = 'dns' AND src_port = 53 AND rcode IN (0, 3)""",
    ),
)
"""The table that a question is asked of, and the question; DHCP's replies are counted already."""


_Placed = tuple[int, str, str, str, str, int, list[int]]
"""The same behind the place of the question that it answers."""


_PORTS = ("port.tcp", "client.tcp")
"""Signs that questions about conversations give."""


class Told(msgspec.Struct, frozen=True):
    """What the evidence tables tell of those who speak: names of tables laid beside them."""

    clients: str = ""
    """Of DHCP clients, by MAC, what was said first before the rest; "" none."""
    clients_rows: int = 0
    others: str = ""
    """Signs of all others, in order; "" none."""
    others_rows: int = 0
    replies: tuple[_Placed, ...] = ()
    """Signs of DHCP's replies, in order, where those are not among ``others``."""


def told(tables: Tables, book: Rulebook) -> Told:
    """What the evidence tables tell of those who speak, for :func:`signs`; it needs no stations."""
    of_clients = ("", 0)
    if tables.rows("dhcp"):
        question = _CLIENTS.format(heard=stations_heard(tables), parameters=_parameters(book))
        of_clients = tables.settle(question)
    replies = few_replies(tables)
    # In vain: what is told already, and what nobody can have said.
    idle = {"dhcp"} if replies is not None else set()
    if not _is_port_met(tables, book):
        idle.add("conversations")
    questions = [
        (place, table, question)
        for place, (table, question) in enumerate((*_QUESTIONS, *_named_questions(book)))
        if tables.rows(table) and table not in idle
    ]
    return Told(*of_clients, *_of_others(tables, questions), _of_replies(replies or ()))


def _parameters(book: Rulebook) -> str:
    """SQL for what a client asks DHCP for, as rules read it; "" for what none of them looks for.

    Clients are told apart by few numbers then, not by their lists: these are compared only where
    they are as long as one that a rule names.
    """
    values = book.sought("dhcp.parameters")
    if values is None:
        return "array_to_string(parameter_list, ',')"
    by_length: dict[int, list[str]] = {}
    for value in values:
        by_length.setdefault(value.count(",") + 1, []).append(
            f"WHEN [{','.join(str(int(code)) for code in value.split(','))}] THEN '{value}'"
        )
    cases = " ".join(
        f"WHEN {length} THEN CASE parameter_list {' '.join(named)} ELSE '' END"
        for length, named in sorted(by_length.items())
    )
    return f"CASE len(parameter_list) {cases} ELSE '' END" if cases else "''"


def _is_port_met(tables: Tables, book: Rulebook) -> bool:
    """Whether any conversation went to a port that rules name: read in a third of the questions' time."""
    ports = {int(port) for sign in _PORTS for port in book.values_of(sign)}
    return bool(
        tables.ask(
            f"SELECT resp_p FROM conversations WHERE resp_p IN ({', '.join(map(str, ports))}) LIMIT 1",
            of=("conversations",),
        )
    )


def _of_replies(replies: Iterable[Any]) -> tuple[_Placed, ...]:
    """What the questions of :func:`~wardwatch.inventory.stations.dhcp_replies` answer, in their order."""
    router, server, relay = (
        place for place, (table, _) in enumerate(_QUESTIONS) if table == "dhcp"
    )
    said: dict[tuple[int, str, str, str, str], tuple[int, list[int]]] = {}
    for row in replies:
        granted = row.msg_type in ("OFFER", "ACK")
        shown = []
        if row.op == 2 and granted:
            shown += [(router, "", ip, "role.router_named", "") for ip in row.routers]
        if row.op == 2 and (granted or row.msg_type == "NAK") and row.server_id in (row.src, ""):
            shown.append((server, row.src_mac, row.src, "role.dhcp_server", row.server_id[:512]))
        if row.giaddr not in ("", "0.0.0.0") and (granted or row.op == 1):  # noqa: S104
            shown.append((relay, "", row.giaddr, "role.dhcp_relay", ""))
        for sign in shown:
            times, codes = said.get(sign, (0, []))
            said[sign] = times + row.times, sorted((*codes, *row.codes))[:PACKETS]
    told = sorted([(*sign, *counted) for sign, counted in said.items()], key=_place_and_packets)
    kept = [tuple(group)[:VALUES] for _, group in groupby(told, key=itemgetter(0, 1, 2, 3))]
    return tuple(chain.from_iterable(kept))


def _place_and_packets(row: _Placed) -> tuple[int, str, str, str, list[int], str]:
    place, mac, ip, sign, value, _, codes = row
    return place, mac, ip, sign, codes, value


def _of_others(tables: Tables, questions: Iterable[tuple[int, str, str]]) -> tuple[str, int]:
    """The table of signs of all but DHCP clients, and its rows."""
    counted: list[str] = []
    shown: list[str] = []
    for place, table, question in questions:
        of_replies = table == "dhcp"
        asked = question.format(replies=dhcp_replies(tables)) if of_replies else question
        (counted if of_replies else shown).append(f"SELECT {place} AS place, * FROM ({asked})")
    told = []
    if shown:
        told.append(f"""
            SELECT place, mac, ip, sign, left(value, 512) AS value, count(*) AS times,
                min(code, {PACKETS}) AS codes
            FROM ({" UNION ALL ".join(shown)}) GROUP BY ALL""")
    if counted:
        told.append(f"""
            SELECT place, mac, ip, sign, left(value, 512) AS value, sum(times)::BIGINT AS times,
                list_sort(flatten(list(codes)))[:{PACKETS}] AS codes
            FROM ({" UNION ALL ".join(counted)}) GROUP BY ALL""")
    if not told:
        return "", 0
    # Of each sign's values those that came first are kept, here where there are many: DuckDB takes
    # as long to number a thousand rows as for all the rest.
    order = "ORDER BY place, mac, ip, sign, codes, value"
    name, rows = tables.settle(f"FROM ({' UNION ALL '.join(told)}) {order}")
    if rows <= AT_ONCE:
        return name, rows
    kept = tables.settle(f"""
        FROM {name}
        QUALIFY row_number() OVER (PARTITION BY place, mac, ip, sign ORDER BY codes, value) <= {VALUES}
        {order}""")
    tables.forget(name)
    return kept


def signs(tables: Tables, answer: Told, found: Stations) -> Iterator[Sign]:
    """Every sign of every station, made of what the tables have :func:`told`; then it is forgotten."""
    for mac, ip, sign, value, times, codes in chain(
        _clients_signs(tables, answer), _others_signs(tables, answer)
    ):
        station = found.holder(mac, ip)
        if station:
            yield Sign(station, sign, value, times, tuple(codes))
    for name in (answer.clients, answer.others):
        if name:
            tables.forget(name)


def _clients_signs(tables: Tables, answer: Told) -> Iterator[_Row]:
    """Signs of DHCP clients; of one client's many values of a sign those that came first.

    Rows of one client follow each other.
    """
    columns = ", ".join(f'{value} AS "{sign}"' for sign, value in _OF_CLIENTS.items())
    pieces: Iterable[_Clients] = ()
    for sign in _OF_CLIENTS:
        if not pieces or answer.clients_rows > AT_ONCE:
            found = map(
                _Clients,
                _pieces(
                    tables, answer.clients, answer.clients_rows, f"mac, times, codes, {columns}"
                ),
            )
            pieces = list(found) if answer.clients_rows <= AT_ONCE else found
        before = ""
        kept: dict[str, tuple[int, list[int]]] = {}
        for mac, value, times, codes in chain.from_iterable(piece.said(sign) for piece in pieces):
            if mac != before:
                for text, (often, packets) in kept.items():
                    yield before, "", sign, text, often, packets
                before, kept = mac, {value: (times, codes)}
            elif value in kept:
                often, packets = kept[value]
                kept[value] = often + times, sorted((*packets, *codes))[:PACKETS]
            elif len(kept) < VALUES:
                kept[value] = times, codes
        for text, (often, packets) in kept.items():
            yield before, "", sign, text, often, packets


class _Clients:
    """Some rows of what DHCP clients say of themselves: what all signs share is fetched once."""

    def __init__(self, piece: pa.Table) -> None:
        self._piece = piece
        self._shared: list[list[Any]] = []

    def said(self, sign: str) -> Iterable[tuple[str, str, int, list[int]]]:
        """MAC, value, how often and first packets, of clients that show a sign."""
        column = self._piece[sign]
        if column.null_count == len(column):
            return ()
        if not self._shared:
            self._shared = [self._piece[name].to_pylist() for name in ("mac", "times", "codes")]
        macs, times, codes = self._shared
        rows = zip(macs, column.to_pylist(), times, codes, strict=True)
        return rows if not column.null_count else (row for row in rows if row[1] is not None)


def _others_signs(tables: Tables, answer: Told) -> Iterator[_Row]:
    """Signs of all others, in the order of the questions that they answer."""
    placed = merge(_others_rows(tables, answer), answer.replies, key=itemgetter(0))
    return (row[1:] for row in placed)


def _others_rows(tables: Tables, answer: Told) -> Iterator[_Placed]:
    for piece in _pieces(tables, answer.others, answer.others_rows, "*"):
        rows = zip(*(column.to_pylist() for column in piece.columns), strict=True)
        for _, group in groupby(rows, key=itemgetter(0, 1, 2, 3)):
            yield from islice(group, VALUES)


def _pieces(tables: Tables, name: str, rows: int, columns: str) -> Iterator[pa.Table]:
    """A table laid beside the others, some rows at a time: a flood tells of 100,000 names."""
    for start in range(0, rows, AT_ONCE):
        yield tables.answer(
            f"SELECT {columns} FROM {name} WHERE rowid BETWEEN {start} AND {start + AT_ONCE - 1}"
        )


def _named_questions(book: Rulebook) -> Iterator[tuple[str, str]]:
    """Questions about values that rules name: ports, and one wireless network."""
    served, spoken = (", ".join(str(int(p)) for p in book.values_of(sign)) for sign in _PORTS)
    sought = ", ".join("'" + s.replace("'", "''") + "'" for s in book.values_of("wifi.sought"))
    # An answer with data, or a finished handshake: a SYN to a port says nothing of a server.
    yield (
        "conversations",
        f"""
        SELECT resp_l2_addr AS mac, resp_h AS ip, 'port.tcp' AS sign, resp_p::VARCHAR AS value, {PACKET} first_packet AS code
        FROM conversations WHERE proto = 'tcp' AND resp_p IN ({served})
          AND (resp_bytes > 0 OR conn_state IN ('SF', 'S1', 'S2', 'S3', 'RSTO', 'RSTR'))""",
    )
    yield (
        "conversations",
        f"""
        SELECT orig_l2_addr AS mac, orig_h AS ip, 'client.tcp' AS sign, resp_p::VARCHAR AS value, {PACKET} first_packet AS code
        FROM conversations WHERE proto = 'tcp' AND resp_p IN ({spoken}) AND orig_bytes > 0""",
    )
    # Association (0), reassociation (2) and probe requests (4): a beacon of that name is bait.
    yield (
        "wifi",
        f"""
        SELECT transmitter AS mac, '' AS ip, 'wifi.sought' AS sign, ssid AS value, {PACKET} first_packet AS code
        FROM wifi WHERE subtype IN (0, 2, 4) AND ssid IN ({sought})""",
    )
