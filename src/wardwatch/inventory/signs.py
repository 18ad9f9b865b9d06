"""Signs: what each evidence table says of a station, in words that rules read.

One question a table; each answers with (MAC, IP, sign, value, how often, its first packets).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from wardwatch.inventory.stations import PACKET, Stations, stations_heard

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from wardwatch.inventory.rulebook import Rulebook
    from wardwatch.observe.tables import Tables

PACKETS = 5
"""Packets kept of a sign."""
AT_ONCE = 4_096
"""Signs that are made at a time."""
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


_CLIENTS = f"""
    clients AS MATERIALIZED (
        SELECT CASE WHEN chaddr = src_mac OR src_mac = '' OR giaddr NOT IN ('', '0.0.0.0')
                OR chaddr IN (SELECT mac FROM {{heard}}) THEN chaddr ELSE src_mac END AS mac,
            mqx_pads, vendor_class, parameter_list, host_name, client_fqdn, count(*) AS times,
            min({PACKET} packet, {PACKETS}) AS codes
        FROM dhcp WHERE op = 1 GROUP BY ALL),"""
"""SQL for a WITH clause: what DHCP clients say of themselves, in how many messages, which first.

A starving attacker invents a chaddr a message: what it says is credited to the frame's sender.
"""

_OF_CLIENTS = (
    """SELECT mac, '' AS ip, 'dhcp.mqx_pads' AS sign, '' AS value, times, codes
        FROM clients WHERE mqx_pads""",
    """SELECT mac, '' AS ip, 'dhcp.vendor_class' AS sign, vendor_class AS value, times, codes
        FROM clients WHERE vendor_class <> ''""",
    """SELECT mac, '' AS ip, 'dhcp.parameters' AS sign,
               array_to_string(parameter_list, ',') AS value, times, codes
        FROM clients WHERE len(parameter_list) > 0""",
    """SELECT mac, '' AS ip, 'name.host' AS sign,
               CASE WHEN host_name <> '' THEN host_name ELSE client_fqdn END AS value, times, codes
        FROM clients WHERE host_name <> '' OR client_fqdn <> ''""",
)
"""Questions of clients, whose messages are counted together first: most say the same again."""

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
        f"""SELECT '' AS mac, router AS ip, 'role.router_named' AS sign, '' AS value, code
        FROM (SELECT unnest(routers) AS router, {PACKET} packet AS code FROM dhcp
              WHERE op = 2 AND msg_type IN ('OFFER', 'ACK'))""",
    ),
    # Replies relayed into a segment come from the relay's address: only the server's own count.
    (
        "dhcp",
        f"""SELECT src_mac AS mac, src AS ip, 'role.dhcp_server' AS sign, server_id AS value, {PACKET} packet AS code
        FROM dhcp WHERE op = 2 AND msg_type IN ('OFFER', 'ACK', 'NAK') AND (src = server_id OR server_id = '')""",
    ),
    (
        "dhcp",
        f"""SELECT '' AS mac, giaddr AS ip, 'role.dhcp_relay' AS sign, '' AS value, {PACKET} packet AS code
        FROM dhcp WHERE giaddr NOT IN ('', '0.0.0.0') AND (op = 1 OR msg_type IN ('OFFER', 'ACK'))""",
    ),
    (
        "dns",
        f"""SELECT src_mac AS mac, src AS ip, 'role.dns_server' AS sign, '' AS value, {PACKET} packet AS code
        FROM dns WHERE is_response AND kind = 'dns' AND src_port = 53 AND rcode IN (0, 3)""",
    ),
)
"""The table that a question is asked of, and the question."""


def told(tables: Tables, book: Rulebook) -> pa.Table | None:
    """What the evidence tables tell of those who speak, for :func:`signs`; it needs no stations."""
    asked = [
        f"SELECT {place} AS place, * FROM ({question})"
        for place, (table, question) in enumerate(
            (*_QUESTIONS, *_named_questions(book)), len(_OF_CLIENTS)
        )
        if tables.rows(table)
    ]
    if not asked:
        return None
    clients = counted = ""
    if tables.rows("dhcp"):
        clients = _CLIENTS.format(heard=stations_heard(tables))
        told = (f"SELECT {n} AS place, * FROM ({one})" for n, one in enumerate(_OF_CLIENTS))
        counted = f"""
            UNION ALL
            SELECT place, mac, ip, sign, left(value, 512) AS value, sum(times)::BIGINT AS times,
                   list_sort(flatten(list(codes)))[:{PACKETS}] AS codes
            FROM ({" UNION ALL ".join(told)}) GROUP BY ALL"""
    return tables.answer(f"""
        WITH {clients} shown AS ({" UNION ALL ".join(asked)}), counted AS (
            SELECT place, mac, ip, sign, left(value, 512) AS value, count(*) AS times,
                   min(code, {PACKETS}) AS codes
            FROM shown GROUP BY ALL{counted})
        SELECT * FROM counted
        QUALIFY row_number() OVER (PARTITION BY place, mac, ip, sign ORDER BY codes, value) <= {VALUES}
        ORDER BY place, mac, ip, sign, codes
    """).drop_columns(["place"])


def signs(answer: pa.Table | None, found: Stations) -> Iterator[Sign]:
    """Every sign of every station, made of what the tables have :func:`told`."""
    if answer is None:
        return
    # By column, some at a time: a flood tells of 100,000 names, each a row that nobody keeps.
    for batch in answer.to_batches(max_chunksize=AT_ONCE):
        columns = (column.to_pylist() for column in batch.columns)
        for mac, ip, sign, value, times, codes in zip(*columns, strict=True):
            station = found.holder(mac, ip)
            if station:
                yield Sign(station, sign, value, times, tuple(codes))


def _named_questions(book: Rulebook) -> Iterator[tuple[str, str]]:
    """Questions about values that rules name: ports, and one wireless network."""
    served = ", ".join(str(int(p)) for p in book.values_of("port.tcp"))
    spoken = ", ".join(str(int(p)) for p in book.values_of("client.tcp"))
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
