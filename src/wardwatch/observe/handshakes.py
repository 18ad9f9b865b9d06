"""Handshakes: TLS and SSL conversations up to their first application data.

What is in clear is read: hellos, the server's chain (up to TLS 1.2), alerts. Behind that only
the types of records are looked at, so as to tell whether the client went on. In TLS 1.3 even the
rest of the handshake looks like application data (RFC 8446 §5.2): the client's first such record
carries its Finished, so that its second is taken for data, and the server's first behind it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wardwatch.decode.wire import tls
from wardwatch.decode.wire.reader import u16, u24
from wardwatch.model.evidence import Anomaly, ByteSpan
from wardwatch.observe.follow import FOLLOW, IGNORE, Flow, Follower, Inbox

if TYPE_CHECKING:
    from wardwatch.decode.stream import Chunk, Gap
    from wardwatch.observe.where import Where

MAX_ALERTS = 16
"""Alerts kept of one side: the first says why."""
CLIENT_KEY_EXCHANGE = 16
_HIDDEN_ALERT = 19
"""RFC 8446 §5.2: an alert (2 octets, its type, a 16 octet tag) among application data."""


class Tls(Follower):
    """One TLS or SSL handshake; the client is who sends the ClientHello."""

    service = "ssl"

    def __init__(self, flow: Flow) -> None:
        super().__init__(flow)
        self.interest = FOLLOW
        self._boxes = (Inbox(flow.streams[0]), Inbox(flow.streams[1]))
        self._messages = (bytearray(), bytearray())
        self._fresh = [True, True]  # at a record's start, which may be an SSL 2 one
        self._lost = [False, False]  # a gap came: wait for something that looks like a record
        self._dead = [False, False]
        self._encrypted = [False, False]
        self._client = -1
        self._hello: tls.ClientHello | None = None
        self._server_hello: tls.ServerHello | None = None
        self._key_exchange = False
        self._hidden = [0, 0]  # records of type application data, by side
        self._first: Where | None = None
        self._client_hello_at = self._server_hello_at = self._chain_at = -1
        self._certificates = 0
        self._shown = [False, False]  # certificates, by side
        self._abbreviated = False
        self._alerts: tuple[list[int], list[int]] = ([], [])
        self._alert_at = [-1, -1]
        self._data_at = [-1, -1]
        self._closed_early = False
        self._left_alone = False
        self._whole = False
        self._written = False
        self._records = 0

    @property
    def buffered(self) -> int:
        """Bytes kept in memory."""
        return sum(map(len, self._boxes)) + sum(map(len, self._messages))

    def data(self, side: int, chunk: Chunk[Where]) -> None:
        """Read what came in order."""
        box = self._boxes[side]
        box.feed(chunk)
        if self._first is None:
            self._first = chunk.mark
        if self._lost[side]:
            if not tls.looks_like(bytes(box.data[:11])):
                box.clear()
                return
            self._lost[side] = False
        while (
            not self._dead[side] and self.interest == FOLLOW and self._record(side, box, chunk.mark)
        ):
            pass
        if self._dead[side]:
            box.clear()

    def gap(self, side: int, gap: Gap[Where]) -> None:
        """Go on behind bytes that will not come."""
        self._boxes[side].clear()
        self._messages[side].clear()
        self._lost[side] = True

    def closed(self, side: int, where: Where) -> None:
        """One side has ended."""
        if side != self._client:
            self._left_alone = True
        # Who is left by the server has not refused it: it may have been about to speak.
        elif self._data_at[side] < 0 and not self._left_alone:
            self._closed_early = True

    def end(self) -> None:
        """Write what is still open."""
        self._write()

    def _record(self, side: int, box: Inbox, where: Where) -> bool:
        """Read the record at the front of the box; ``False``: it is not all there."""
        head = box.data
        if len(head) < 5:
            return False
        if self._fresh[side] and head[0] & 0x80:
            if len(head) < 11:
                return False
            if tls.is_ssl2(bytes(head[:11])):
                size = 2 + ((head[0] & 0x7F) << 8 | head[1])
                if len(head) < size:
                    return False
                self._fresh[side] = False
                self._ssl2(side, box.take(size), where)
                return True
        self._fresh[side] = False
        kind, size = head[0], head[3] << 8 | head[4]
        if not tls.CHANGE_CIPHER_SPEC <= kind <= tls.HEARTBEAT or head[1] != 3:
            self._dead[side] = True
            if not self._encrypted[side]:
                self._odd(Anomaly(tls.RECORD, ByteSpan(0, 5), kind, head[1]), where)
            return False
        if size > tls.LONGEST_RECORD:
            self._dead[side] = True
            self._odd(Anomaly(tls.RECORD, ByteSpan(3, 5), size, tls.LONGEST_RECORD), where)
            return False
        self._records += 1
        if kind == tls.APPLICATION_DATA:
            box.skip(5 + size)
            self._application(side, size, where)
            return True
        if kind == tls.HANDSHAKE and self._encrypted[side]:
            if len(head) < 9:
                return False
            if not self._hello_again(side, head):
                box.skip(5 + size)
                return True
        if len(head) < 5 + size:
            return False
        record = box.take(5 + size)
        if kind == tls.HANDSHAKE:
            self._handshake(side, record, where)
        elif kind == tls.ALERT and size == 2:  # longer: encrypted
            self._alert(side, record[5] << 8 | record[6], where)
        elif kind == tls.CHANGE_CIPHER_SPEC:
            self._change(side)
        return True

    def _hello_again(self, side: int, head: bytearray) -> bool:
        """RFC 8446 §D.4: a client may send a dummy ChangeCipherSpec before its second hello."""
        answered = self._server_hello is not None and not self._server_hello.retry
        said = bytes(head[:9])
        return not answered and said[5:6] == b"\x01" and u24(said, 6) + 4 == u16(said, 3)

    def _handshake(self, side: int, record: bytes, where: Where) -> None:
        messages = self._messages[side]
        alone = not messages and u24(record, 6) + 9 == len(record)
        if alone and record[5:6] == b"\x01":
            self._message(side, tls.CLIENT_HELLO, record[9:], where, record)
            return
        messages += record[5:]
        while len(messages) >= 4:
            size = u24(bytes(messages[:4]), 1)
            if size > tls.LONGEST_HANDSHAKE:
                bound = tls.LONGEST_HANDSHAKE
                span = ByteSpan(0, 4)
                self._odd(Anomaly(tls.HANDSHAKE_TOO_LONG, span, size, bound), where)
                messages.clear()
                self._encrypted[side] = True  # as good as: nothing more of it can be read
                return
            if len(messages) < 4 + size:
                return
            kind, body = messages[0], bytes(messages[4 : 4 + size])
            del messages[: 4 + size]
            self._message(side, kind, body, where, b"")

    def _message(self, side: int, kind: int, body: bytes, where: Where, record: bytes) -> None:
        if kind == tls.CLIENT_HELLO:
            self._client_said_hello(side, body, where, record)
        elif kind == tls.SERVER_HELLO:
            self._server_said_hello(side, body, where)
        elif kind == tls.CERTIFICATE and not self._shown[side]:
            self._chain(side, body, where)
        elif kind == CLIENT_KEY_EXCHANGE:
            self._key_exchange = True

    def _client_said_hello(self, side: int, body: bytes, where: Where, record: bytes) -> None:
        if self._hello is not None and self._client_hello_at >= 0:
            return  # the second one, asked for by a HelloRetryRequest: the first is the fingerprint
        shared = self.flow.shared
        hello = shared.hellos.client(record) if record else None
        if hello is None:
            shared.parser_calls += 1
            hello, anomalies = tls.parse_client_hello(body)
            self.flow.anomalies("tls", anomalies, where)
        self._take_hello(side, hello, where)

    def _take_hello(self, side: int, hello: tls.ClientHello | None, where: Where) -> None:
        if self._client < 0:
            self._client = side
        self._hello = hello
        self._client_hello_at = where.packet
        self._first = where
        self._whole = self.flow.from_start

    def _server_said_hello(self, side: int, body: bytes, where: Where) -> None:
        shared = self.flow.shared
        hello = shared.hellos.server(body)
        if hello is None:
            shared.parser_calls += 1
            hello, anomalies = tls.parse_server_hello(body)
            self.flow.anomalies("tls", anomalies, where)
        self._take_server_hello(side, hello, where)

    def _take_server_hello(self, side: int, hello: tls.ServerHello | None, where: Where) -> None:
        if self._client < 0:
            self._client = 1 - side
        if hello is None:
            return
        self._server_hello = hello
        self._server_hello_at = where.packet
        self._whole = self.flow.from_start
        self._abbreviated = hello.version >= 0x0304 and hello.resumes

    def _ssl2(self, side: int, record: bytes, where: Where) -> None:
        self.flow.shared.parser_calls += 1
        if record[2] == 1:
            hello, anomalies = tls.parse_ssl2_client_hello(record)
            self._take_hello(side, hello, where)
        else:
            answer, anomalies = tls.parse_ssl2_server_hello(record)
            self._take_server_hello(side, answer, where)
            if answer is not None and answer.certificate:
                self._certificate_rows(side, (answer.certificate,), where)
            self._dead[side] = self._dead[1 - side] = True  # SSL 2 records follow: no more in clear
        self.flow.anomalies("tls", anomalies, where)

    def _change(self, side: int) -> None:
        """ChangeCipherSpec: up to TLS 1.2 the side encrypts from here on."""
        answer = self._server_hello
        if answer is not None and answer.version >= 0x0304:
            return  # RFC 8446 §5: to be ignored
        self._encrypted[side] = True
        if side != self._client and answer is not None and not self._certificates:
            self._abbreviated = True

    def _alert(self, side: int, code: int, where: Where) -> None:
        if len(self._alerts[side]) < MAX_ALERTS:
            self._alerts[side].append(code)
        if self._alert_at[side] < 0:
            self._alert_at[side] = where.packet

    def _application(self, side: int, size: int, where: Where) -> None:
        self._hidden[side] += 1
        if self._client < 0:  # seen from its middle: nothing in clear will follow
            self._data_at[side] = where.packet
            self.interest = IGNORE
            return
        if self._data_at[side] < 0 and self._is_data(side, size):
            self._data_at[side] = where.packet
            if self._data_at[1 - side] >= 0:
                self.interest = IGNORE  # it has said all it will

    def _is_data(self, side: int, size: int) -> bool:
        answer = self._server_hello
        if answer is not None:
            hidden = answer.version >= 0x0304
        else:
            highest = self._hello.highest if self._hello else 0
            hidden = highest >= 0x0304 and not self._key_exchange
        if not hidden:
            return True
        if side == self._client:
            return self._hidden[side] > 1 and size != _HIDDEN_ALERT
        return self._hidden[1 - side] > 0

    def _chain(self, side: int, body: bytes, where: Where) -> None:
        shared = self.flow.shared
        found = shared.chains.lists.get(body)
        if found is None:
            shared.parser_calls += 1
            ders, anomalies = tls.parse_certificates(body)
            self.flow.anomalies("tls", anomalies, where)
            found = ders or ()
            if not anomalies:
                shared.chains.lists.put(body, found)
        self._certificate_rows(side, found, where)

    def _certificate_rows(self, side: int, ders: tuple[bytes, ...], where: Where) -> None:
        flow, chains = self.flow, self.flow.shared.chains
        if self._client < 0:  # RFC 5246 §7.3: the server's come first
            self._client = 1 - side
        server = flow.ends[1 - self._client]
        before = chains.calls
        known = [chains.read(der) for der in ders]
        for position, certificate in enumerate(known):
            last = position + 1 == len(known)
            row = {
                "server": server.ip,
                "server_port": server.port,
                "client_cert": side == self._client,
                "position": position,
                "chained": not last and chains.chained(certificate, known[position + 1]),
                **certificate.fields,
            }
            flow.add("certificates", where, row)
            flow.anomalies("x509", certificate.anomalies, where)
        flow.shared.parser_calls += chains.calls - before
        self._shown[side] = bool(known)
        if side != self._client:
            self._certificates = len(known)
            self._chain_at = where.packet
            self._whole = flow.from_start

    def _odd(self, anomaly: Anomaly, where: Where) -> None:
        self.flow.anomalies("tls", (anomaly,), where)

    def _write(self) -> None:
        if self._written or self._first is None or (self._client < 0 and not self._records):
            return
        self._written = True
        self._client = max(self._client, 0)  # no hello seen: who spoke first is taken for it
        flow, hello, answer = self.flow, self._hello, self._server_hello
        client = self._client
        near, far = flow.ends[client], flow.ends[1 - client]
        row: dict[str, Any] = {
            "client": near.ip,
            "client_port": near.port,
            "server": far.ip,
            "server_port": far.port,
            "client_mac": near.mac,
            "server_mac": far.mac,
            "client_hello_packet": self._client_hello_at,
            "server_hello_packet": self._server_hello_at,
            "certificate_packet": self._chain_at,
            "certificates": self._certificates,
            "resumed": self._abbreviated,
            "client_alerts": self._alerts[client],
            "server_alerts": self._alerts[1 - client],
            "client_alert_packet": self._alert_at[client],
            "client_data_packet": self._data_at[client],
            "server_data_packet": self._data_at[1 - client],
            "client_closed": self._closed_early,
            "from_start": self._whole,
        }
        if hello is not None:
            ja3, ja4 = flow.shared.fingerprints.of(hello)
            row |= {
                "client_version": hello.highest,
                "server_name": hello.server_name,
                "ciphers": list(hello.ciphers),
                "extensions": list(hello.extensions),
                "hello_length": hello.length,
                "export_offered": hello.export_offered,
                "ja3": ja3,
                "ja4": ja4,
                "alpn": tls.alpn_text(hello),
            }
        if answer is not None:
            row |= {"version": answer.version, "cipher": answer.cipher}
        flow.add("tls", self._first, row)
