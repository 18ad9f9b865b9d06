"""Exchanges: HTTP, HL7, DICOM, DNS over TCP and the pump's own messages, device fields only."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wardwatch.decode.stream import Chunk
from wardwatch.decode.wire import dicom, hl7, http, medfusion
from wardwatch.decode.wire.banner import SHOWN
from wardwatch.decode.wire.reader import text, u32
from wardwatch.model.evidence import Anomaly, ByteSpan
from wardwatch.observe.follow import FOLLOW, IGNORE, Flow, Follower, Inbox
from wardwatch.observe.heads import Read, is_xml
from wardwatch.observe.logins import Attempt, add_login

if TYPE_CHECKING:
    from wardwatch.decode.stream import Gap
    from wardwatch.observe.where import Where

MAX_ASKED = 64
"""Requests waiting for their response; nobody pipelines more."""
MAX_BODY = 16 * 1024
"""Octets of an XML body looked at for the pump's own messages; the configuration has 1,764."""
MAX_OBSERVATIONS = 64
"""OBX segments kept of a message: the device stands in the first ones."""
MAX_SEGMENT = 4096
"""Octets of a segment kept; longer ones carry documents."""
SEGMENT_COST = 48
"""Octets of memory that a segment takes beside its data."""
MAX_LINE = 256
"""Octets of a chunk-size line or trailer that are waited for."""

_HEAD, _BODY, _CHUNK, _CHUNK_END, _TRAILER, _CLOSE, _DEAD = range(7)
_HEAD_END = re.compile(rb"\n\r?\n")
_EVER = 1 << 60


class Http(Follower):
    """HTTP/1 in both directions: heads are read, bodies skipped by their framing."""

    service = "http"

    def __init__(self, flow: Flow, client: int) -> None:
        super().__init__(flow)
        self.interest = FOLLOW
        self._client = client
        self._boxes = (Inbox(flow.streams[0]), Inbox(flow.streams[1]))
        self._modes = [_HEAD, _HEAD]
        self._left = [0, 0]
        self._chunked = [False, False]
        self._peek: list[bytearray | None] = [None, None]
        self._asked: list[tuple[str, Attempt | None]] = []
        self._logged: set[tuple[str, str, str]] = set()
        self._server_shown = False
        self._searched = [0, 0]
        self._read: Read | None = None  # the head that the box begins with, if it was read already
        near, far = flow.ends[client], flow.ends[1 - client]
        self._columns = (near.ip, far.ip, far.port, far.mac)

    @classmethod
    def midway(cls, flow: Flow, left: list[int], asked: list[str], shown: bool) -> Http:
        """A reader of a conversation of which all heads so far were read, plain ones from its start.

        ``left``: bytes of each side's body of which none has come, 0 where a head is next;
        ``asked``: methods of the requests without a response; ``shown``: the server was named.
        """
        http = cls(flow, 0)
        for side, stream in enumerate(flow.streams):
            http._boxes[side].start = stream.wanted
            if left[side]:
                http._modes[side], http._left[side] = _BODY, left[side]
        http._asked = [(method, None) for method in asked]
        http._server_shown = shown
        return http

    @property
    def passes_over(self) -> bool:
        """Whether a side ends with its FIN, though what it skips before it was not seen.

        Not where a body is looked at.
        """
        return self._peek[0] is None and self._peek[1] is None

    @property
    def buffered(self) -> int:
        """Bytes kept in memory."""
        one, two = self._boxes
        kept = len(one.data) + len(two.data)
        for peek in self._peek:
            if peek:
                kept += len(peek)
        return kept

    def data(self, side: int, chunk: Chunk[Where]) -> None:
        """Read what came in order."""
        box = self._boxes[side]
        if box.data or self._modes[side] != _HEAD or not self._plain_head(side, box, chunk):
            box.feed(chunk)
        while box.data and self.flow.follower is self and self._step(side, box, chunk.mark):
            pass
        if self._modes[side] == _DEAD:
            box.clear()
            if self._modes[1 - side] == _DEAD:
                self.interest = IGNORE

    def gap(self, side: int, gap: Gap[Where]) -> None:
        """Go on behind bytes that will not come."""
        self._body_ends(side, gap.mark)
        self._boxes[side].clear()
        self._searched[side] = 0
        # What follows is read only if it begins with a head, as it does behind a lost body.
        self._modes[side] = _HEAD
        if side != self._client:
            self._settle_asked()

    def closed(self, side: int, where: Where) -> None:
        """One side has ended."""
        self._body_ends(side, where)

    def end(self) -> None:
        """Write what is still open."""
        self._body_ends(0, self.flow.last)
        self._body_ends(1, self.flow.last)
        self._settle_asked()

    def _settle_asked(self) -> None:
        for _, attempt in self._asked:
            if attempt is not None:
                self._log(attempt, "unknown", -1)
        self._asked.clear()

    def _plain_head(self, side: int, box: Inbox, chunk: Chunk[Where]) -> bool:
        """Take a plain head that a chunk begins with, and its body: the rule, in one step.

        ``False``: it is none, and nothing was done; the steps below are for all heads.
        """
        said = chunk.data
        begins = http.looks_like(said) if side == self._client else said.startswith(b"HTTP/")
        found = _HEAD_END.search(said) if begins and chunk.start >= box.start else None
        if found is None:
            return False
        size = found.end()
        self._read = read = self.flow.shared.heads.read(said[:size])
        head = read.head
        if not read.plain or head is None or (head.method == "") == (side == self._client):
            return False
        body = head.content_length
        if side == self._client:
            body = max(body, 0)
            if len(self._asked) < MAX_ASKED:
                self._asked.append((head.method, None))
        else:
            method, attempt = self._asked[0] if self._asked else ("", None)
            if attempt is not None or method == "CONNECT":
                return False
            if method == "HEAD" or head.status in (204, 304):  # RFC 9112 §6.3
                body = 0
            if body < 0:
                return False
            del self._asked[:1]
        self._row(side, read, chunk.mark)
        self._read = None
        if body and size == len(said):
            self._expect_body(side, head, True)
            body = 0
        box.feed_past(chunk, size + body)
        return True

    def _step(self, side: int, box: Inbox, where: Where) -> bool:
        """Take what can be taken; ``False``: more bytes are needed, or none are wanted."""
        mode = self._modes[side]
        if mode == _HEAD:
            return self._take_head(side, box, where)
        if mode == _BODY:
            self._take_body(side, box)
            if not self._left[side]:
                self._modes[side] = _CHUNK_END if self._chunked[side] else _HEAD
                if not self._chunked[side]:
                    self._body_ends(side, where)
            return True
        if mode in (_CHUNK, _CHUNK_END, _TRAILER):
            return self._take_line(side, box, where)
        if mode == _CLOSE:
            self._left[side] = _EVER
            self._take_body(side, box)
        return False

    def _take_head(self, side: int, box: Inbox, where: Where) -> bool:
        while box.data and box.data[0] in b"\r\n":  # RFC 9112 §2.2: empty lines before a request
            box.take(1)
            self._searched[side] = 0
        if len(box) >= 16 and not self._begins(side, bytes(box.data[:64])):
            device_message(self.flow, side, bytes(box.data), where, box.start == 0)
            self._modes[side] = _DEAD
            return False
        found = _HEAD_END.search(box.data, max(self._searched[side] - 3, 0))
        if found is None:
            self._searched[side] = len(box)
            if len(box) > http.LONGEST_HEAD:
                span = ByteSpan(0, len(box))
                odd = Anomaly(http.HEAD_TOO_LONG, span, http.LONGEST_HEAD, len(box))
                self.flow.anomalies("http", (odd,), where)
                self._modes[side] = _DEAD
            return False
        self._searched[side] = 0
        raw = box.take(found.end())
        read, self._read = self._read or self.flow.shared.heads.read(raw), None
        head = read.head
        self.flow.anomalies("http", read.anomalies, where)
        if head is None:
            self._modes[side] = _DEAD
            return False
        self._row(side, read, where)
        if side == self._client:
            self._request(side, head, where)
        else:
            self._response(side, head, where)
        return True

    def _begins(self, side: int, said: bytes) -> bool:
        if side == self._client:
            return http.looks_like(said) or b" " in said[:33]
        return said.startswith(b"HTTP/")

    def _request(self, side: int, head: http.Head, where: Where) -> None:
        attempt = None
        if head.credentials:
            found, anomalies = http.parse_basic(head.credentials)
            self.flow.anomalies("http", anomalies, where)
            if found is not None:
                attempt = self._attempt(*found, where)
        if len(self._asked) < MAX_ASKED:
            self._asked.append((head.method, attempt))
        self._expect_body(side, head, head.chunked or head.content_length > 0)

    def _attempt(self, user: bytes, secret: bytes, where: Where) -> Attempt:
        known = self.flow.shared.secrets
        return Attempt(
            where,
            text(user, SHOWN),
            known.digest(secret),
            where.packet,
            known.known_default(secret, "http"),
        )

    def _response(self, side: int, head: http.Head, where: Where) -> None:
        if 100 <= head.status < 200 and head.status != 101:
            return  # RFC 9110 §15.2: interim; the response is still to come
        method, attempt = self._asked.pop(0) if self._asked else ("", None)
        if attempt is not None:
            self._log(attempt, _outcome(head.status), where.packet)
        if method == "CONNECT" and 200 <= head.status < 300:
            self._tunnel()
        elif head.status == 101:  # another protocol from here on, RFC 9110 §7.8
            self._modes = [_DEAD, _DEAD]
            self.interest = IGNORE
        elif method != "HEAD" and head.status not in (204, 304):  # RFC 9112 §6.3
            self._expect_body(side, head, head.content_length != 0)

    def _tunnel(self) -> None:
        """RFC 9110 §9.3.6: behind a CONNECT that succeeded anything may follow."""
        from wardwatch.observe.recognise import Undecided

        flow = self.flow
        flow.become(Undecided(flow))
        for side in (0, 1):
            box = self._boxes[side]
            if len(box) and box.mark is not None:
                rest = box.take(len(box))
                flow.follower.data(side, Chunk(box.start - len(rest), rest, box.mark))

    def _expect_body(self, side: int, head: http.Head, any_body: bool) -> None:
        if not any_body:
            return
        self._peek[side] = bytearray() if is_xml(head) else None
        self._chunked[side] = head.chunked
        if head.chunked:
            self._modes[side] = _CHUNK
        elif head.content_length >= 0:
            self._modes[side], self._left[side] = _BODY, head.content_length
        else:
            self._modes[side] = _CLOSE

    def _take_body(self, side: int, box: Inbox) -> None:
        peek = self._peek[side]
        if peek is not None and len(peek) < MAX_BODY:
            size = min(len(box), self._left[side], MAX_BODY - len(peek))
            peek += box.take(size)
            self._left[side] -= size
            return
        box.skip(self._left[side])
        self._left[side] = 0

    def _take_line(self, side: int, box: Inbox, where: Where) -> bool:
        end = box.data.find(b"\n")
        if end < 0:
            if len(box) > MAX_LINE:
                self._modes[side] = _DEAD
            return False
        line = box.take(end + 1).strip(b"\r\n")
        mode = self._modes[side]
        if mode == _CHUNK_END:
            self._modes[side] = _CHUNK
        elif mode == _TRAILER:
            if not line:
                self._body_ends(side, where)
                self._modes[side] = _HEAD
        else:
            size, anomalies = http.parse_chunk_size(line)
            self.flow.anomalies("http", anomalies, where)
            if size is None:
                self._modes[side] = _DEAD
                return False
            self._modes[side], self._left[side] = (_BODY, size) if size else (_TRAILER, 0)
        return True

    def _body_ends(self, side: int, where: Where) -> None:
        peek, self._peek[side] = self._peek[side], None
        if peek:
            device_message(self.flow, side, bytes(peek), where, False)

    def _log(self, attempt: Attempt, outcome: str, packet: int) -> None:
        """A browser repeats its credentials with every request: one row while they are the same."""
        same = (attempt.user, attempt.secret, outcome)
        if same not in self._logged and len(self._logged) < MAX_ASKED:
            self._logged.add(same)
            add_login(self.flow, 1 - self._client, "http", attempt, outcome, packet)

    def _row(self, side: int, read: Read, where: Where) -> None:
        self.flow.put("http", where, self._columns + read.row)
        if not self._server_shown and side != self._client and read.head and read.head.server:
            self._server_shown = True
            self.flow.banner(side, "http", read.head.server[:SHOWN], where)


def _outcome(status: int) -> str:
    """401 refuses the credentials; anything the server went on to answer let them in."""
    if status == 401:
        return "failed"
    return "success" if 200 <= status < 400 else "unknown"


def device_message(flow: Flow, side: int, payload: bytes, where: Where, at_start: bool) -> bool:
    """Add a row if the payload begins with a message of the Medfusion class."""
    if not medfusion.may_begin(payload):
        return False
    flow.shared.parser_calls += 1
    message, anomalies = medfusion.parse(payload)
    if message is None:
        flow.anomalies("medfusion", anomalies, where)
        return False
    row = {
        "src": flow.ends[side].ip,
        "src_mac": flow.ends[side].mac,
        "dst": flow.ends[1 - side].ip,
        "dst_port": flow.ends[1 - side].port,
        "kind": message.kind,
        "root": message.root,
        "serial": message.serial,
        "model": message.model,
        "firmware": message.firmware,
        "has_secret": message.has_secret,
        "at_stream_start": at_start,
    }
    flow.add("device_messages", where, row)
    return True


class DeviceStream(Follower):
    """Status lines, SOAP and configuration straight on TCP, one message behind the other."""

    def __init__(self, flow: Flow, service: str) -> None:
        super().__init__(flow)
        self.interest = FOLLOW
        self.service = service
        self._said = (bytearray(), bytearray())
        self._marks: list[Where | None] = [None, None]
        self._messages = [0, 0]
        self._begun_at = [0, 0]

    @property
    def buffered(self) -> int:
        """Bytes kept in memory."""
        return len(self._said[0]) + len(self._said[1])

    def data(self, side: int, chunk: Chunk[Where]) -> None:
        """Read what came in order."""
        self._read(1 - side)  # the other side's turn is over
        said = self._said[side]
        if not said:
            self._begun_at[side] = chunk.start
            if not medfusion.may_begin(chunk.data):
                if self.service == "ftp-data":
                    self.interest = IGNORE  # a file of another kind: none of our business
                return
        said += chunk.data
        self._marks[side] = chunk.mark
        if len(said) >= medfusion.LONGEST or _ENDS.search(said[-_TAIL:]) is not None:
            self._read(side)

    def gap(self, side: int, gap: Gap[Where]) -> None:
        """Go on behind bytes that will not come."""
        self._read(side)

    def closed(self, side: int, where: Where) -> None:
        """One side has ended."""
        self._read(side)

    def end(self) -> None:
        """Write what is still open."""
        self._read(0)
        self._read(1)

    def _read(self, side: int) -> None:
        said, where = self._said[side], self._marks[side]
        if said and where is not None:
            start = self._begun_at[side] == 0
            if not device_message(self.flow, side, bytes(said), where, start):
                self._messages[side] += 1
                if self._messages[side] > 4:
                    self.interest = IGNORE
        said.clear()


_TAIL = 256
"""Octets at the end in which an end tag is looked for: names have 64, and bytes may come singly."""
_ENDS = re.compile(rb"(?:\}[\s\0]*|</[\w.:-]{1,128}\s*>\s*)$")


class Hl7(Follower):
    """HL7 v2 over MLLP or bare: only header and observation segments are kept at all."""

    service = "hl7"

    def __init__(self, flow: Flow) -> None:
        super().__init__(flow)
        self.interest = FOLLOW
        self._boxes = (Inbox(flow.streams[0]), Inbox(flow.streams[1]))
        self._kept: list[list[bytes]] = [[], []]
        self._marks: list[Where | None] = [None, None]
        self._mllp = [False, False]
        self._framed = [False, False]
        self._over = [False, False]  # in the rest of a segment that was too long

    @property
    def buffered(self) -> int:
        """Bytes kept in memory."""
        kept = sum(len(segment) + SEGMENT_COST for side in self._kept for segment in side)
        return len(self._boxes[0]) + len(self._boxes[1]) + kept

    def data(self, side: int, chunk: Chunk[Where]) -> None:
        """Read what came in order."""
        if not self._mllp[1 - side]:
            self._message(1 - side)  # unframed: an answer shows that it is complete
        box = self._boxes[side]
        if not box.data and self._whole_message(side, box, chunk):
            return
        box.feed(chunk)
        while (found := _DELIMITER.search(box.data)) is not None:
            self._marks[side] = chunk.mark
            segment = box.take(found.end())
            self._segment(side, segment[:-1])
            if segment[-1] == hl7.START_BLOCK:
                self._message(side)
                self._mllp[side] = True
            elif segment[-1] == hl7.END_BLOCK:
                self._message(side)
        if len(box) > MAX_SEGMENT:
            self._segment(side, box.take(len(box)))
            self._over[side] = True
        elif len(box):
            self._marks[side] = chunk.mark

    def gap(self, side: int, gap: Gap[Where]) -> None:
        """Go on behind bytes that will not come."""
        self._message(side)
        self._boxes[side].clear()
        self._over[side] = True

    def end(self) -> None:
        """Write what is still open."""
        for side in (0, 1):
            box = self._boxes[side]
            self._segment(side, box.take(len(box)))
            self._message(side)

    def _whole_message(self, side: int, box: Inbox, chunk: Chunk[Where]) -> bool:
        """Take a chunk that is one message in its frame: the rule, in one step.

        ``False``: it is none, and nothing was done.
        """
        said = chunk.data
        if (
            not said.endswith(b"\x1c\r")
            or said.rfind(b"\x0b") != 0
            or said.find(b"\x1c") != len(said) - 2
            or b"\n" in said
            or chunk.start < box.start
        ):
            return False
        box.feed_past(chunk, len(said))
        self._marks[side] = chunk.mark
        self._message(side)
        self._mllp[side] = True
        self._over[side] = False
        kept = hl7.wanted_of(said[1:-2])
        if kept and kept[0][:3] == b"MSH" and said.count(b"\rMSH") == 0:
            self._framed[side] = True
            self._kept[side] = [segment[:MAX_SEGMENT] for segment in kept[: MAX_OBSERVATIONS + 1]]
        else:
            for segment in kept:
                self._segment(side, segment)
        self._message(side)
        return True

    def _segment(self, side: int, segment: bytes) -> None:
        over, self._over[side] = self._over[side], False
        if over or not hl7.wanted(segment):
            return
        if segment.startswith(b"MSH"):
            self._message(side)
            self._framed[side] = self._mllp[side]
        if len(self._kept[side]) <= MAX_OBSERVATIONS:
            self._kept[side].append(segment[:MAX_SEGMENT])

    def _message(self, side: int) -> None:
        kept, self._kept[side] = self._kept[side], []
        where = self._marks[side]
        if not kept or where is None or not kept[0].startswith(b"MSH"):
            return
        self.flow.shared.parser_calls += 1
        message, anomalies = hl7.parse_segments(kept)
        if anomalies:
            self.flow.anomalies("hl7", anomalies, where)
        if message is None:
            return
        near, far = self.flow.ends[side], self.flow.ends[1 - side]
        row = (
            near.ip,
            near.mac,
            far.ip,
            far.port,
            message.message_type,
            message.sending_application,
            message.sending_facility,
            message.receiving_application,
            message.version,
            message.profile,
            message.device_id,
            message.device_type,
            self._framed[side],
        )
        self.flow.put("hl7", where, row)


_DELIMITER = re.compile(rb"[\r\n\x0b\x1c]")


class Dicom(Follower):
    """A DICOM association: PDUs counted by type, data skipped."""

    service = "dicom"

    def __init__(self, flow: Flow, client: int) -> None:
        super().__init__(flow)
        self.interest = FOLLOW
        self._client = client
        self._boxes = (Inbox(flow.streams[0]), Inbox(flow.streams[1]))
        self._dead = [False, False]
        self._counts: dict[int, int] = {}
        self._first: dict[int, Where] = {}
        self._texts = dicom.Pdu(0, 0)

    @property
    def buffered(self) -> int:
        """Bytes kept in memory."""
        return len(self._boxes[0]) + len(self._boxes[1])

    def data(self, side: int, chunk: Chunk[Where]) -> None:
        """Read what came in order."""
        box = self._boxes[side]
        box.feed(chunk)
        while not self._dead[side] and len(box) >= 6:
            kind, length = box.data[0], u32(bytes(box.data[:6]), 2)
            control = kind in (dicom.ASSOCIATE_RQ, dicom.ASSOCIATE_AC)
            if control and length <= dicom.LONGEST_CONTROL and len(box) < 6 + length:
                return
            pdu: dicom.Pdu | None
            anomalies: tuple[Anomaly, ...] = ()
            if kind == dicom.P_DATA:
                pdu = dicom.Pdu(kind, length)
            else:
                self.flow.shared.parser_calls += 1
                size = 6 + length if control else 6 + min(length, 4)
                if len(box) < min(size, 10):
                    return
                pdu, anomalies = dicom.parse(bytes(box.data[:size]))
                self.flow.anomalies("dicom", anomalies, chunk.mark)
            if pdu is None or (anomalies and length > dicom.LONGEST_CONTROL):
                self._dead[side] = True
                break
            self._count(pdu, chunk.mark)
            box.skip(6 + length)
        if self._dead[side]:
            box.clear()

    def gap(self, side: int, gap: Gap[Where]) -> None:
        """Go on behind bytes that will not come."""
        self._boxes[side].clear()
        self._dead[side] = True

    def end(self) -> None:
        """Write what is still open."""
        near, far = self.flow.ends[self._client], self.flow.ends[1 - self._client]
        for kind in sorted(self._counts):
            row = {
                "client": near.ip,
                "server": far.ip,
                "server_port": far.port,
                "pdu_type": kind,
                "pdus": self._counts[kind],
                "calling": self._texts.calling,
                "called": self._texts.called,
                "implementation": self._texts.implementation,
                "implementation_class": self._texts.implementation_class,
            }
            self.flow.add("dicom", self._first[kind], row)
        self._counts.clear()

    def _count(self, pdu: dicom.Pdu, where: Where) -> None:
        self._counts[pdu.type] = self._counts.get(pdu.type, 0) + 1
        self._first.setdefault(pdu.type, where)
        if pdu.type == dicom.ASSOCIATE_RQ or (
            pdu.type == dicom.ASSOCIATE_AC and not self._texts.type
        ):
            self._texts = pdu


class DnsTcp(Follower):
    """DNS over TCP, RFC 7766: messages behind a length of two octets."""

    service = "dns"
    interest = FOLLOW

    def __init__(self, flow: Flow) -> None:
        super().__init__(flow)
        self._boxes = (Inbox(flow.streams[0]), Inbox(flow.streams[1]))
        self._dead = [False, False]

    @property
    def buffered(self) -> int:
        """Bytes kept in memory."""
        return len(self._boxes[0]) + len(self._boxes[1])

    def data(self, side: int, chunk: Chunk[Where]) -> None:
        """Read what came in order."""
        box = self._boxes[side]
        if self._dead[side]:
            return
        box.feed(chunk)
        while len(box) >= 2:
            size = box.data[0] << 8 | box.data[1]
            if len(box) < 2 + size:
                return
            message = box.take(2 + size)[2:]
            if self.flow.shared.datagrams is not None:
                self.flow.shared.datagrams.dns_message(message, chunk.mark, proto="tcp")

    def gap(self, side: int, gap: Gap[Where]) -> None:
        """Go on behind bytes that will not come."""
        self._boxes[side].clear()
        self._dead[side] = True  # where the next message begins is not known any more
