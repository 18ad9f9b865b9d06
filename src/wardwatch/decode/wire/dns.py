"""DNS messages (RFC 1035), over UDP or behind the length of TCP; mDNS and LLMNR alike.

Theory of operation: the header claims how many entries each section has, and names may point
back into the message. Both lie in CVE-2017-12722 and in RFC 9267's list of broken
implementations, so counts are held against the bytes that are there and every pointer is
followed with a budget. A message whose TC bit is set ends early by right (RFC 2181 §9).
"""

from __future__ import annotations

import msgspec

from wardwatch.decode.wire.reader import ip4_text, ip6_text, u16, u32
from wardwatch.model.evidence import Anomaly, ByteSpan, Fault

HEADER = 12
LEAST_QUESTION = 5  # a root name, type and class: RFC 1035 §4.1.2
LEAST_RR = 11  # a root name, type, class, TTL and RDLENGTH: RFC 1035 §4.1.3
MAX_NAME = 255  # octets with lengths, RFC 1035 §2.3.4
MAX_JUMPS = 127
"""Pointers followed in one name: 255 octets hold at most 127 labels, and an honest pointer leads
to at least one."""
MAX_STEPS = 20_000
"""Labels and pointers read in one message; 64 KB of chained pointers would else cost seconds."""
MAX_RECORDS = 6_000
"""Records read: 65,535 bytes hold 5,956 of the least length."""
MAX_QUESTIONS = 64
"""Questions kept for the table; mDNS asks some dozens at once, others one."""
MAX_ANSWERS = 256
"""Answers kept for the table; the largest honest ones (zone transfers apart) have some dozens."""
MAX_ANOMALIES = 16
"""Anomalies kept of one message: the first few tell."""

A, NS, CNAME, SOA, PTR, MX, AAAA, SRV, DNAME, OPT = 1, 2, 5, 6, 12, 15, 28, 33, 39, 41
IXFR, AXFR = 251, 252
CLASS_NONE, CLASS_ANY = 254, 255
NAME_AT = {NS: 0, CNAME: 0, PTR: 0, DNAME: 0, MX: 2, SRV: 6}
"""Types whose RDATA is one name behind so many octets: RFC 1035 §3.3, RFC 6672, RFC 2782."""

TRUNCATED = Fault("dns_truncated", "RFC 1035 §4.1.1: message shorter than its header")
CUT = Fault("dns_cut", "none broken: the capture holds less than the message had")
IMPOSSIBLE_COUNTS = Fault(
    "dns_impossible_counts",
    "RFC 1035 §4.1.1, RFC 9267 §6: more entries claimed than the bytes of the message can hold",
)
OVERRUN = Fault(
    "dns_overrun", "RFC 1035 §4.1, RFC 9267 §4: a name or RDLENGTH runs past the end of the message"
)
POINTER_LOOP = Fault(
    "dns_pointer_loop", "RFC 1035 §4.1.4, RFC 9267 §2: compression pointers that never end"
)
POINTER_CHAIN = Fault(
    "dns_pointer_chain",
    "RFC 1035 §4.1.4: a compression pointer that leads to another pointer, not to a name",
)
QUESTION_COUNT = Fault(
    "dns_question_count", "RFC 9619 §4: QDCOUNT above 1 in a query that is not multicast"
)
LABEL_TYPE = Fault("dns_label_type", "RFC 1035 §4.1.4: a label of the reserved types 01 or 10")
NAME_LENGTH = Fault("dns_name_length", "RFC 1035 §2.3.4: a name of more than 255 octets")
RDATA_LENGTH = Fault("dns_rdata_length", "RFC 1035 §3.2.1: RDLENGTH differs from what RDATA needs")
EDNS = Fault("dns_edns", "RFC 6891 §6.1: OPT outside the additional section, twice, or not of root")
EDNS_OPTION = Fault("dns_edns_option", "RFC 6891 §6.1.2: EDNS option length runs past the RDATA")
WORK_BOUND = Fault(
    "dns_work_bound", "our bound: more labels and pointers than honest messages have"
)
FAULTS = (
    TRUNCATED,
    CUT,
    IMPOSSIBLE_COUNTS,
    OVERRUN,
    POINTER_LOOP,
    POINTER_CHAIN,
    QUESTION_COUNT,
    LABEL_TYPE,
    NAME_LENGTH,
    RDATA_LENGTH,
    EDNS,
    EDNS_OPTION,
    WORK_BOUND,
)

QUESTION, ANSWER, AUTHORITY, ADDITIONAL = range(4)


class Question(msgspec.Struct, frozen=True, gc=False):
    """An entry of the question section."""

    qname: str
    qtype: int
    qclass: int


class Record(msgspec.Struct, frozen=True, gc=False):
    """A resource record of any section (RFC 1035 §4.1.3)."""

    section: int
    """ANSWER, AUTHORITY or ADDITIONAL."""
    name: str
    type: int
    rclass: int
    ttl: int
    rdlength: int
    text: str
    """RDATA where it is an address or a name; else "TYPEn"."""


class Message(msgspec.Struct, frozen=True):
    """A DNS message: header fields under their RFC names, then what could be read."""

    id: int
    flags: int
    """The 16 bits QR, Opcode, AA, TC, RD, RA, Z, RCODE."""
    qdcount: int
    ancount: int
    nscount: int
    arcount: int
    questions: tuple[Question, ...]
    records: tuple[Record, ...]
    edns_size: int
    """UDP payload size of the OPT record; -1 without one."""
    impossible_counts: bool
    overrun: bool
    pointer_loop: bool

    @property
    def qr(self) -> bool:
        """A response."""
        return bool(self.flags & 0x8000)

    @property
    def opcode(self) -> int:
        """Kind of query, RFC 1035 §4.1.1."""
        return self.flags >> 11 & 15

    @property
    def tc(self) -> bool:
        """Truncated by its sender."""
        return bool(self.flags & 0x0200)

    @property
    def answers(self) -> tuple[Record, ...]:
        """Records of the answer section, at most ``MAX_ANSWERS``."""
        return tuple(r for r in self.records if r.section == ANSWER)[:MAX_ANSWERS]


class _Reading:
    """One message being read: its bytes, its budget, and what was wrong so far."""

    def __init__(self, data: bytes, limit: int) -> None:
        self.data = data
        self.limit = limit  # bytes sent; more than len(data) where the capture is cut
        self.steps = MAX_STEPS
        self.anomalies: list[Anomaly] = []
        self.early = False  # TC: to end early is right

    def fault(
        self, fault: Fault, start: int, stop: int, claimed: int = 0, present: int = 0
    ) -> None:
        end = len(self.data)
        if len(self.anomalies) < MAX_ANOMALIES:
            span = ByteSpan(min(start, end), min(max(start, stop), end))
            self.anomalies.append(Anomaly(fault, span, claimed, present))

    def past(self, start: int, need: int) -> None:
        """``need`` bytes from ``start`` are not all there: say whose fault that is."""
        if self.early:
            return
        fault = OVERRUN if start + need > self.limit else CUT
        present = max(len(self.data) - start, 0)
        self.fault(fault, start, len(self.data), need, present)

    def has(self, fault: Fault) -> bool:
        return any(a.fault is fault for a in self.anomalies)


def parse(
    payload: bytes, claimed: int = -1, *, multicast: bool = False
) -> tuple[Message | None, tuple[Anomaly, ...]]:
    """Read one message (without the length TCP puts before it) of which ``claimed`` bytes were sent.

    Bytes that were sent but not captured are ``dns_cut``, never an overrun. ``multicast`` says
    that mDNS carries it, where several questions are honest (RFC 6762 §5.3).
    """
    end = len(payload)
    limit = max(claimed, end)
    if end < HEADER:
        fault = CUT if limit >= HEADER else TRUNCATED
        return None, (Anomaly(fault, ByteSpan(0, end), max(limit, HEADER), end),)
    flags = u16(payload, 2)
    counts = tuple(u16(payload, at) for at in (4, 6, 8, 10))
    reading = _Reading(payload, limit)
    reading.early = bool(flags & 0x0200)
    questions, at, complete = _questions(reading, counts[0])
    claimed_records = sum(counts[1:])
    left = max(limit - at, 0)
    impossible = not reading.early and claimed_records * LEAST_RR > left
    if impossible:
        reading.fault(IMPOSSIBLE_COUNTS, 4, HEADER, claimed_records * LEAST_RR, left)
    elif counts[0] > 1 and counts[0] * LEAST_QUESTION > limit - HEADER:
        # TC excuses no question (RFC 2181 §9); a single one that is cut short is an overrun
        impossible = True
        reading.fault(IMPOSSIBLE_COUNTS, 4, 6, counts[0] * LEAST_QUESTION, limit - HEADER)
    elif counts[0] > 1 and not multicast and flags >> 11 & 15 == 0:
        reading.fault(QUESTION_COUNT, 4, 6, counts[0], 1)
    records: list[Record] = []
    edns_size = -1
    if complete:
        records, edns_size = _records(reading, at, counts)
    message = Message(
        id=u16(payload, 0),
        flags=flags,
        qdcount=counts[0],
        ancount=counts[1],
        nscount=counts[2],
        arcount=counts[3],
        questions=tuple(questions),
        records=tuple(records),
        edns_size=edns_size,
        impossible_counts=impossible,
        overrun=reading.has(OVERRUN),
        pointer_loop=reading.has(POINTER_LOOP),
    )
    return message, tuple(reading.anomalies)


def row(message: Message) -> dict[str, object]:
    """The message as the columns of table ``dns`` that are its own."""
    first = message.questions[0] if message.questions else None
    answers = message.answers
    names = tuple(q.qname for q in message.questions[:MAX_QUESTIONS])
    return {
        "trans_id": message.id,
        "is_response": message.qr,
        "opcode": message.opcode,
        "AA": bool(message.flags & 0x0400),
        "TC": message.tc,
        "RD": bool(message.flags & 0x0100),
        "RA": bool(message.flags & 0x0080),
        "rcode": message.flags & 15,
        "qdcount": message.qdcount,
        "ancount": message.ancount,
        "nscount": message.nscount,
        "arcount": message.arcount,
        "query": first.qname if first else "",
        "qtype": first.qtype if first else -1,
        "qclass": first.qclass if first else -1,
        "questions": names if len(names) > 1 else (),
        "answers": tuple(a.text for a in answers),
        "answer_types": tuple(a.type for a in answers),
        "TTLs": tuple(a.ttl for a in answers),
        "edns_size": message.edns_size,
        "impossible_counts": message.impossible_counts,
        "overrun": message.overrun,
        "pointer_loop": message.pointer_loop,
    }


def wire_name(raw: bytes) -> str:
    """A name in DNS encoding that stands alone (DHCP options 39 and 81): no pointers."""
    labels = []
    at = 0
    while at < len(raw) and 0 < raw[at] < 64 and at < MAX_NAME:
        labels.append(label_text(raw[at + 1 : at + 1 + raw[at]]))
        at += 1 + raw[at]
    return ".".join(labels)


_SHOWN = {
    c: chr(c + 32)
    if 0x41 <= c <= 0x5A
    else chr(c)
    if 0x21 <= c < 0x7F and c not in (0x2E, 0x5C)
    else f"\\{c:03d}"
    for c in range(256)
}
"""Octets of a label as text."""


def label_text(label: bytes) -> str:
    r"""A label in lower case; octets that are no visible ASCII, dots and backslashes as ``\DDD``."""
    return label.decode("latin-1").translate(_SHOWN)


def _name(reading: _Reading, start: int) -> tuple[str, int]:
    """The name at ``start`` and the byte behind it; -1 there where it cannot be told.

    Pointers are followed wherever they lead within the message, with a budget. Coming back to a
    pointer already followed is a loop, however many labels lie between. A name that cannot be read
    whole is "": half a name would pass for another one.
    """
    data, end = reading.data, len(reading.data)
    labels: list[str] = []
    octets = 1
    at, behind = start, -1
    followed: set[int] = set()
    while True:
        reading.steps -= 1
        if reading.steps < 0:
            if not reading.has(WORK_BOUND):
                reading.fault(WORK_BOUND, start, at)
            break
        if at >= end:
            reading.past(at, 1)
            break
        size = data[at]
        if size == 0:
            if behind < 0:
                behind = at + 1
            if octets > MAX_NAME:
                reading.fault(NAME_LENGTH, start, at, octets, MAX_NAME)
                break
            return ".".join(labels) or ".", behind
        if size >= 0xC0:
            if at + 2 > end:
                reading.past(at, 2)
                break
            target = (size & 0x3F) << 8 | data[at + 1]
            if behind < 0:
                behind = at + 2
            if at in followed or len(followed) >= MAX_JUMPS:
                reading.fault(POINTER_LOOP, at, at + 2, target, at)
                break
            followed.add(at)
            chained = target < end and data[target] >= 0xC0 and target not in followed
            if chained and not reading.has(POINTER_CHAIN):
                reading.fault(POINTER_CHAIN, at, at + 2, target, at)
            at = target
        elif size >= 0x40:
            reading.fault(LABEL_TYPE, at, at + 1, size, 63)
            break
        else:
            if at + 1 + size > end:
                reading.past(at + 1, size)
                break
            octets += 1 + size
            if octets > MAX_NAME and len(followed) > 1:
                # Pointers that lead on and on: no name is that long, the work stops here
                reading.fault(POINTER_LOOP, start, at, octets, MAX_NAME)
                break
            if octets <= MAX_NAME:
                labels.append(label_text(data[at + 1 : at + 1 + size]))
            at += 1 + size
    return "", behind


def _questions(reading: _Reading, count: int) -> tuple[list[Question], int, bool]:
    """The question section, where it ends at the least, and whether all of it could be read."""
    found: list[Question] = []
    end = len(reading.data)
    at = HEADER
    for number in range(min(count, MAX_RECORDS)):
        qname, behind = _name(reading, at)
        if behind < 0 or behind + 4 > end:
            if behind >= 0:
                reading.past(behind, 4)
            ran_out = reading.has(OVERRUN) or reading.has(CUT)
            return found, end if ran_out else at + LEAST_QUESTION * (count - number), False
        at = behind + 4
        found.append(Question(qname, u16(reading.data, behind), u16(reading.data, behind + 2)))
    return found, at + LEAST_QUESTION * (count - len(found)), count <= MAX_RECORDS


def _records(reading: _Reading, at: int, counts: tuple[int, ...]) -> tuple[list[Record], int]:
    """Answer, authority and additional sections as far as they can be read; the EDNS size."""
    found: list[Record] = []
    edns_size = -1
    data, end = reading.data, len(reading.data)
    for section in (ANSWER, AUTHORITY, ADDITIONAL):
        for _ in range(counts[section]):
            if len(found) >= MAX_RECORDS or reading.steps < 0:
                return found, edns_size
            if at >= end:
                # The counts promise records that were never sent: said once, by the counts
                # where they are impossible, else here.
                if not reading.has(IMPOSSIBLE_COUNTS):
                    reading.past(at, LEAST_RR)
                return found, edns_size
            name, behind = _name(reading, at)
            if behind < 0:
                return found, edns_size
            if behind + 10 > end:
                reading.past(behind, 10)
                return found, edns_size
            kind, rclass = u16(data, behind), u16(data, behind + 2)
            ttl, rdlength = u32(data, behind + 4), u16(data, behind + 8)
            start = behind + 10
            if start + rdlength > end:
                reading.past(start, rdlength)
                found.append(Record(section, name, kind, rclass, ttl, rdlength, f"TYPE{kind}"))
                return found, edns_size
            if kind == OPT:
                if section != ADDITIONAL or edns_size >= 0 or name != ".":
                    reading.fault(EDNS, at, start)
                edns_size = rclass
                _edns_options(reading, start, start + rdlength)
            text = _rdata(reading, kind, rclass, start, rdlength)
            found.append(Record(section, name, kind, rclass, ttl, rdlength, text))
            at = start + rdlength
    return found, edns_size


def _rdata(reading: _Reading, kind: int, rclass: int, start: int, rdlength: int) -> str:
    """RDATA as text where it is an address or a name; else its type."""
    data = reading.data
    other = f"TYPE{kind}"
    if rdlength == 0 and rclass in (CLASS_NONE, CLASS_ANY):
        return other  # RFC 2136 §2.4: updates ask about records without giving any
    if kind in (A, AAAA):
        need = 4 if kind == A else 16
        if rdlength != need:
            reading.fault(RDATA_LENGTH, start, start + rdlength, rdlength, need)
            return other
        raw = data[start : start + need]
        return ip4_text(raw) if kind == A else ip6_text(raw)
    if kind in NAME_AT:
        name, behind = _name(reading, start + NAME_AT[kind])
        if behind >= 0 and behind != start + rdlength:
            reading.fault(RDATA_LENGTH, start, start + rdlength, rdlength, behind - start)
        return name
    if kind == SOA:
        _, behind = _name(reading, start)
        if behind >= 0:
            _, behind = _name(reading, behind)
        if behind >= 0 and behind + 20 != start + rdlength:
            reading.fault(RDATA_LENGTH, start, start + rdlength, rdlength, behind + 20 - start)
    return other


def _edns_options(reading: _Reading, at: int, stop: int) -> None:
    """Hold the lengths of EDNS options against the RDATA they stand in."""
    while at < stop:
        size = u16(reading.data, at + 2) if at + 4 <= stop else 0
        if at + 4 + size > stop:
            reading.fault(EDNS_OPTION, at, stop, size, max(stop - at - 4, 0))
            return
        at += 4 + size
