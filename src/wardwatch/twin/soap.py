"""SOAP: the envelopes that a pump and its server exchange (SOAP 1.1 without HTTP).

Envelope and maintenance element are published; report, receipt and package are this project's [A],
and so is the framing: an envelope ends where its end tag does. A document type is forbidden in SOAP
(§3), so the reader refuses one before anything in it is looked at: no entity, no external file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMESPACE = "http://schemas.xmlsoap.org/soap/envelope/"
END = b"</env:Envelope>"
LONGEST = 131_072
"""Octets of an envelope that is read: a library of 64 KB in base64, and room."""
FIELDS, FIELD = 64, 100_000

REPORT, RECEIPT, REQUEST, PACKAGE, FAULT = (
    "Medfusion4000_Report", "Receipt", "PackageRequest", "Package", "Fault",
)  # fmt: skip


class Envelope(msgspec.Struct, frozen=True):
    """The one element of a body, with its children's text."""

    name: str
    fields: dict[str, str]

    def number(self, field: str) -> int:
        """A field as a whole number up to 2**63; -1 where it is none."""
        text = self.fields.get(field, "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1


def written(name: str, fields: Mapping[str, object]) -> bytes:
    """An envelope; values are escaped, names are ours."""
    rows = "".join(f"<{key}>{escape(str(value))}</{key}>" for key, value in fields.items())
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<env:Envelope xmlns:env="{NAMESPACE}"><env:Body><{name}>{rows}</{name}>'
        "</env:Body></env:Envelope>\r\n"
    ).encode()


def read(raw: bytes) -> Envelope | str:
    """The envelope in these octets, or why it is refused; reads any octets."""
    from xml.etree.ElementTree import ParseError

    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    if len(raw) > LONGEST:
        return "longer than an envelope may be"
    try:
        root = fromstring(raw.strip(), forbid_dtd=True)
    except DefusedXmlException:
        return "a document type or an entity"
    except (ParseError, ValueError, LookupError):
        return "not well-formed"
    bodies = root.findall(f"{{{NAMESPACE}}}Body")
    if root.tag != f"{{{NAMESPACE}}}Envelope" or len(bodies) != 1 or len(bodies[0]) != 1:
        return "not a SOAP 1.1 envelope with one body of one element"
    element = bodies[0][0]
    fields = {child.tag: (child.text or "").strip() for child in element}
    if len(element) > FIELDS or any(len(text) > FIELD for text in fields.values()):
        return "more in it than is read"
    return Envelope(element.tag.rpartition("}")[2], fields)


def unframed(buffer: bytes) -> tuple[list[bytes], bytes]:
    """The whole envelopes in a buffer, and what is left of it."""
    *whole, rest = buffer.split(END)
    return [(one + END).lstrip() for one in whole], rest.lstrip()
