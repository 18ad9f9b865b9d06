"""Messages of the Medfusion class: status line, SOAP, configuration file.

Facts are those of the published teardown (domain/devices.md §1). Names of elements are read and
an allow-list of device fields; that a password or key stood there is told, never what it was.
"""

from __future__ import annotations

import re

import msgspec

from wardwatch.decode.wire.reader import text
from wardwatch.model.evidence import Anomaly, ByteSpan, Fault

STATUS_FIELDS = Fault("medfusion_status_fields", "published teardown: five fields between braces")
XML_UNENDED = Fault("medfusion_xml_unended", "XML 1.0 §2.1: the root element is not ended")
FAULTS: tuple[Fault, ...] = (STATUS_FIELDS, XML_UNENDED)

LONGEST = 64 * 1024
"""Octets looked at: the configuration file has 1,764, SOAP messages some thousands."""
_SHOWN = 64


class Message(msgspec.Struct, frozen=True, gc=False):
    """The fields of table ``device_messages``."""

    kind: str
    """status_line, soap or configuration."""
    root: str = ""
    serial: str = ""
    model: str = ""
    firmware: str = ""
    has_secret: bool = False


def may_begin(head: bytes) -> bool:
    """Whether bytes may be the beginning of such a message: more of them may tell."""
    return head.lstrip(b"\xef\xbb\xbf\r\n\t ")[:1] in (b"{", b"<")


def parse(payload: bytes) -> tuple[Message | None, tuple[Anomaly, ...]]:
    """Read a message that begins here; ``None`` where it is none of this class."""
    payload = payload[:LONGEST]
    if (line := _STATUS.match(payload)) is not None:
        fields = line[1].split(b",")
        if len(fields) != 5:
            return None, (Anomaly(STATUS_FIELDS, ByteSpan(0, line.end()), 5, len(fields)),)
        serial = text(fields[0].strip(), _SHOWN)
        return Message("status_line", serial="" if set(serial) <= set("*?") else serial), ()
    begins = _ROOT.match(payload)
    if begins is None:
        return None, ()
    root = begins[1].decode("ascii")
    kind = "configuration"
    if root == "Envelope":
        body = _BODY.search(payload, begins.end())
        if body is None:
            return None, ()
        kind, root = "soap", body[1].decode("ascii")
    if not (root.startswith("Medfusion") and (kind == "soap" or root.endswith("Configuration"))):
        return None, ()
    anomalies: tuple[Anomaly, ...] = ()
    if re.search(rb"</(?:[\w.-]+:)?" + root.encode() + rb"\s*>", payload) is None:
        anomalies = (Anomaly(XML_UNENDED, ByteSpan(0, len(payload)), 0, len(payload)),)
    found = Message(
        kind=kind,
        root=root[:_SHOWN],
        serial=_element(payload, _SERIAL),
        model=_element(payload, _MODEL),
        firmware=_element(payload, _FIRMWARE),
        has_secret=_SECRET.search(payload) is not None,
    )
    return found, anomalies


def _element(payload: bytes, pattern: re.Pattern[bytes]) -> str:
    found = pattern.search(payload)
    return text(found[1].strip(), _SHOWN) if found else ""


def _named(names: bytes) -> re.Pattern[bytes]:
    """An element of one of these local names, and its text."""
    return re.compile(rb"<(?:[\w.-]{1,64}:)?(?:" + names + rb")(?:\s[^<>]{0,256})?>([^<]{0,256})</")


_STATUS = re.compile(rb"[\r\n]*\{([^{}\r\n,]{1,32},\?{4}(?:,[^{}\r\n,]{0,32}){0,8})\}")
# Declaration, comments and white space may stand before the root; a DOCTYPE may not (SOAP 1.1 §3).
_ROOT = re.compile(
    rb"(?:\xef\xbb\xbf)?\s{0,16}(?:<\?[^<>]{0,256}\?>\s{0,16})?(?:<!--[^<>]{0,1024}-->\s{0,16}){0,4}"
    rb"<(?:[\w.-]{1,64}:)?([A-Za-z_][\w.-]{0,63})[\s/>]"
)
_BODY = re.compile(
    rb"<(?:[\w.-]{1,64}:)?Body(?:\s[^<>]{0,1024})?>\s{0,64}<(?:[\w.-]{1,64}:)?([A-Za-z_][\w.-]{0,63})"
)
_SERIAL = _named(rb"SerialNumber|Serial|PumpSerialNumber|DeviceSerialNumber")
_MODEL = _named(rb"Model|ModelNumber|PumpModel|DeviceModel")
_FIRMWARE = _named(rb"FirmwareVersion|SoftwareVersion|Firmware|PumpSoftwareVersion")
_SECRET = re.compile(
    rb"<(?:[\w.-]{1,64}:)?(?:\w{0,32}Password|\w{0,32}Passphrase|Key|PSK)(?:\s[^<>]{0,256})?>"
    rb"\s{0,64}[^<\s]"
)
