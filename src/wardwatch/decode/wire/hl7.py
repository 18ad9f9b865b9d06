"""HL7 v2 messages: the header, and which device an observation came from. Nothing of patients.

Only MSH and OBX-3, OBX-4 and OBX-18 are looked at; :func:`wanted` tells a reader which segments
it must keep at all, so that patient segments never get here.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from wardwatch.decode.wire.reader import text
from wardwatch.model.evidence import Anomaly, ByteSpan, Fault

NO_HEADER = Fault("hl7_no_msh", "HL7 v2.5 §2.5: a message begins with its MSH segment")
DELIMITERS = Fault("hl7_delimiters", "HL7 v2.5 §2.5.4: MSH-1 and MSH-2 hold distinct delimiters")
NO_TYPE = Fault("hl7_no_message_type", "HL7 v2.5 §2.15.9.9: MSH-9 is required")
FAULTS: tuple[Fault, ...] = (NO_HEADER, DELIMITERS, NO_TYPE)

START_BLOCK, END_BLOCK = 0x0B, 0x1C
"""MLLP: HL7 v2.5 appendix C.4."""
_SHOWN = 128


class Message(msgspec.Struct, frozen=True, gc=False):
    """The fields of table ``hl7``."""

    message_type: str
    sending_application: str
    sending_facility: str
    receiving_application: str
    version: str
    profile: str
    device_id: str
    device_type: str


def looks_like(head: bytes) -> bool:
    """Whether bytes begin with a message, framed by MLLP or bare."""
    return _BEGINS.match(head) is not None


def wanted(segment: bytes) -> bool:
    """Whether a segment may be kept."""
    return segment[:3] in _WANTED


def wanted_of(payload: bytes) -> list[bytes]:
    """The segments of a message that may be kept, a line feed between them too."""
    return [s for s in payload.replace(b"\n", b"\r").split(b"\r") if s[:3] in _WANTED]


def parse(payload: bytes) -> tuple[Message | None, tuple[Anomaly, ...]]:
    """Read a message, MLLP's framing taken off."""
    segments = wanted_of(payload)
    if not payload.startswith(b"MSH") or len(segments[0]) < 4:
        return None, (Anomaly(NO_HEADER, ByteSpan(0, min(len(payload), 4))),)
    return parse_segments(segments)


def parse_segments(segments: list[bytes]) -> tuple[Message | None, tuple[Anomaly, ...]]:
    """Read a message of which only segments that are :func:`wanted` are there, MSH first."""
    header = segments[0]
    if len(header) < 4:
        return None, (Anomaly(NO_HEADER, ByteSpan(0, len(b"\r".join(segments)[:4]))),)
    anomalies = []
    between = header[3:4]
    fields = header.split(between)
    encoding = fields[1] if len(fields) > 1 else b""
    delimiters = between + encoding
    if not _can_delimit(delimiters):
        stop = min(4 + len(encoding), len(header))
        anomalies.append(Anomaly(DELIMITERS, ByteSpan(3, stop), 4, len(encoding)))
    component = encoding[:1] or b"^"
    repetition = encoding[1:2] or b"~"
    if not _at(fields, 8):
        anomalies.append(Anomaly(NO_TYPE, ByteSpan(0, len(header)), 9, len(fields)))
    device_id = device_type = ""
    for segment in segments[1:]:
        # By far the most are values, which name no device: they need not be taken apart.
        if segment.count(between) < 18 and b"_MDS" not in segment and b".0.0.0" not in segment:
            continue
        observation = segment.split(between, 19)
        if segment[:3] != b"OBX" or len(observation) < 4:
            continue
        if not device_id and _at(observation, 18):
            device_id = _parts(_at(observation, 18).split(repetition)[0], component, 4)
        identifier = _at(observation, 3)
        if not device_type and _is_mds(identifier, _at(observation, 4), component):
            device_type = _parts(identifier, component, 3)
    message = Message(
        message_type=_parts(_at(fields, 8), component, 3),
        sending_application=_parts(_at(fields, 2), component, 3),
        sending_facility=_parts(_at(fields, 3), component, 1),
        receiving_application=_parts(_at(fields, 4), component, 3),
        version=_parts(_at(fields, 11), component, 1),
        profile=_parts(_at(fields, 20).split(repetition)[0], component, 1),
        device_id=device_id,
        device_type=device_type,
    )
    return message, tuple(anomalies)


@lru_cache(maxsize=64)
def _can_delimit(delimiters: bytes) -> bool:
    """HL7 v2.5 §2.5.4: MSH-1 and what MSH-2 holds, at least two, each different, no text."""
    return (
        len(delimiters) > 2
        and len(set(delimiters)) == len(delimiters)
        and _WORDS.search(delimiters) is None
    )


def _at(fields: list[bytes], index: int) -> bytes:
    return fields[index] if index < len(fields) else b""


@lru_cache(maxsize=1024)
def _parts(field: bytes, component: bytes, most: int) -> str:
    """The first components, joined with the usual ``^`` whatever the message uses.

    A device says the same few in every message.
    """
    return text(b"^".join(field.split(component)[:most]), _SHOWN)


def _is_mds(identifier: bytes, place: bytes, component: bytes) -> bool:
    """IHE PCD TF-2 §B.8: MDS.VMD.channel.metric in OBX-4; the MDS has zeros behind the first."""
    name = [*identifier.split(component), b""][1]
    return name.endswith(b"_MDS") or _MDS_PLACE.fullmatch(place) is not None


_MDS_PLACE = re.compile(rb"[1-9]\d{0,4}(?:\.0){3}")
_WANTED = frozenset((b"MSH", b"OBX"))
_WORDS = re.compile(rb"[A-Za-z0-9\s]")
_BEGINS = re.compile(rb"\x0b?MSH([^A-Za-z0-9\s])[^A-Za-z0-9\s]{2,5}\1")
