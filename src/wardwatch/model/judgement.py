"""What observations mean: measures and their verdicts, techniques and their findings.

The rules are those of ``domain/measures.md``: never "holds" from silence, one sound packet
breaks, nobody is accused, every statement cites its packets.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from wardwatch.model.evidence import Evidence
from wardwatch.model.values import Span


class State(Enum):
    """What a verdict says of a measure."""

    BROKEN = "broken"
    HOLDS = "holds"
    ATTESTED = "attested"
    NOT_OBSERVABLE = "not observable"
    NOT_APPLICABLE = "not applicable"


class Reason(Enum):
    """Why a measure was not observable; the value is what a person reads."""

    VANTAGE = "this place of listening could not see it"
    TOO_SHORT = "the capture is too short"
    DAMAGED = "the capture is cut or damaged where it matters"
    NO_STIMULUS = "nobody tried, so nothing was proved"
    NO_POLICY = "nobody has confirmed what is permitted"
    ENCRYPTED = "it is encrypted"
    UNSEEN = "the device was not seen"
    CONTESTED = "what was seen may speak against it, and may be ordinary"
    NEVER_FROM_PACKETS = "packets cannot show it; a dated statement of a named role can"


class Measure(msgspec.Struct, frozen=True):
    """One recommended measure."""

    id: str
    title: str
    question: str
    """The question its check answers, as a person would ask it."""
    source: str
    """Advisory text or standard that recommends it."""


class Verdict(msgspec.Struct, frozen=True):
    """The answer for one measure, one subject, one span. Never rolled up into a better one."""

    measure: str
    """Id of the measure, one of :data:`MEASURES`."""
    subject: str
    """Device id (:class:`wardwatch.model.device.Device`) or segment it is about."""
    subject_kind: str
    """``device``, ``segment`` or ``site``."""
    state: State
    statement: str
    """One sentence, what was seen or what was missing; text from outside is quoted in it."""
    segment: str = ""
    reason: Reason | None = None
    """Only with ``NOT_OBSERVABLE``."""
    span: Span | None = None
    """The time it stands for."""
    evidence: tuple[Evidence, ...] = ()
    """Packets that show it, at most 20, the first ones."""
    rule: str = ""
    """The rule applied, with its minimums and what was met of them."""
    would_change: str = ""
    """What would change it."""
    confirmed_by: str = ""
    """Who confirmed the policy or made the attestation it rests on, and when."""
    cves: tuple[str, ...] = ()


class Certainty(Enum):
    """How sure a finding is."""

    CONFIRMED = "confirmed"
    """A sound packet shows it, against a standard's clause or a list a person confirmed."""
    SUSPECT = "suspect"
    """Disagreement alone, or a weaker form; no verdict turns broken by it."""
    NOTICE = "notice"
    """A hazard: it would matter to a pump, but its target is not known to be one."""


class Technique(msgspec.Struct, frozen=True):
    """One way to attack, or one weakness shown in use."""

    id: str
    title: str
    cve: str
    """CVE-2017-… it stands for; "" where the advisory names none."""
    attack: str
    """MITRE ATT&CK (for ICS) technique id; "" none fits."""
    source: str
    """Where the predicate comes from."""


class Finding(msgspec.Struct, frozen=True):
    """One attack or exposure: key = technique + actor + segment; new after 24 h of silence."""

    technique: str
    """Id of the technique, one of :data:`TECHNIQUES`."""
    actor: str
    """Who sent it: MAC, address or both as text; "" where nobody acts (exposure)."""
    segment: str
    certainty: Certainty
    statement: str
    """What was seen, one to three plain sentences; never accuses: "a message that could trigger"."""
    targets: tuple[str, ...]
    """Whom it was sent to: addresses or device ids, at most 100, sorted."""
    known_device: bool
    """Whether a target is a device of the inventory."""
    first_ts: int
    last_ts: int
    packets: int
    """How many packets show it."""
    evidence: tuple[Evidence, ...]
    """The first of them, at most 20."""
    cves: tuple[str, ...] = ()
    variant: str = ""
    """Which form of the technique: ``bait`` or ``exposed``, ``attempt`` or ``success`` …"""
    label: str = ""
    """"in a declared window, confirm with biomed" or "an authorised scanner"; "" neither."""
    speaks_against: str = ""
    """For a suspect: what speaks against it (relay, failover pair, virtual MAC …)."""
    do_next: str = ""
    """The next step for a person."""


def _measure(name: str, title: str, question: str, source: str) -> Measure:
    return Measure(name, title, question, source)


_ADVISORY = "ICSMA-17-250-02A, mitigations"
MEASURES: tuple[Measure, ...] = (
    _measure(
        "static_address", "Static IP addresses", "Does the pump keep a static address?", _ADVISORY
    ),
    _measure(
        "no_rogue_dhcp",
        "No rogue DHCP server",
        "Do only permitted servers answer DHCP clients?",
        _ADVISORY,
    ),
    _measure(
        "no_rogue_dns",
        "No rogue DNS server",
        "Do only permitted resolvers answer the pumps?",
        _ADVISORY,
    ),
    _measure(
        "no_rogue_router",
        "No rogue router",
        "Do only known routers offer themselves?",
        "RFC 4861, RFC 6104",
    ),
    _measure(
        "no_arp_impersonation",
        "No ARP impersonation",
        "Does every address stay with its MAC?",
        "RFC 826, RFC 5227",
    ),
    _measure(
        "segmentation_in_use",
        "Segmentation in use",
        "Do the pumps speak with permitted peers only?",
        _ADVISORY,
    ),
    _measure(
        "segmentation_enforced",
        "Segmentation enforced",
        "Is a forbidden attempt stopped on its way?",
        _ADVISORY,
    ),
    _measure(
        "vlan_separation",
        "VLAN separation",
        "Are only permitted classes in the pumps' VLAN?",
        _ADVISORY,
    ),
    _measure(
        "password_hygiene",
        "Password hygiene",
        "Is no accepted secret in clear, default or shared?",
        _ADVISORY,
    ),
    _measure(
        "certificate_validation",
        "Certificate validation",
        "Does the pump refuse a bad certificate?",
        "CVE-2017-12721",
    ),
    _measure(
        "unneeded_services",
        "No unneeded services",
        "Are FTP, telnet and port 2200 closed on the pump?",
        "CVE-2017-12720, CVE-2017-12726",
    ),
    _measure(
        "attested_backups",
        "Backups and evaluation",
        "Are backups made and evaluated routinely?",
        _ADVISORY,
    ),
    _measure(
        "attested_physical",
        "Physical access",
        "Is physical access to the pumps controlled?",
        _ADVISORY,
    ),
    _measure(
        "attested_passwords",
        "Password strength and rotation",
        "Are passwords strong, not reused, and changed?",
        _ADVISORY,
    ),
)

TECHNIQUES: tuple[Technique, ...] = (
    Technique(
        "dhcp_overflow",
        "Oversize DHCP option 66 or 67",
        "CVE-2017-12718",
        "T0866",
        "domain/measures.md 12718",
    ),
    Technique(
        "dns_overread",
        "DNS answer whose counts or lengths cannot fit",
        "CVE-2017-12722",
        "T0814",
        "domain/measures.md 12722, RFC 9267",
    ),
    Technique(
        "known_wireless",
        "The fixed wireless network: bait, or a pump probing for it",
        "CVE-2017-12725",
        "T0860",
        "domain/measures.md 12725",
    ),
    Technique(
        "ftp_without_login",
        "FTP transfer without a login",
        "CVE-2017-12720",
        "T0822",
        "domain/measures.md 12720",
    ),
    Technique(
        "ftp_login", "Clear-text FTP login", "CVE-2017-12724", "T0859", "domain/measures.md 12724"
    ),
    Technique(
        "telnet",
        "Telnet exposed, or logged in to",
        "CVE-2017-12726",
        "T0859",
        "domain/measures.md 12726",
    ),
    Technique(
        "certificate_accepted",
        "TLS goes on after a bad certificate",
        "CVE-2017-12721",
        "T0830",
        "domain/measures.md 12721",
    ),
    Technique(
        "configuration_in_clear",
        "The pump's configuration crosses the wire in clear",
        "CVE-2017-12723",
        "T0842",
        "domain/measures.md 12723",
    ),
    Technique(
        "rogue_dhcp",
        "DHCP server nobody confirmed",
        "",
        "T0830",
        "domain/measures.md no rogue DHCP",
    ),
    Technique(
        "rogue_dns",
        "DNS answers from a server nobody confirmed or asked",
        "",
        "T0830",
        "domain/measures.md no rogue DNS",
    ),
    Technique(
        "rogue_router",
        "Router nobody confirmed, or one forged away",
        "",
        "T0830",
        "domain/measures.md no rogue router",
    ),
    Technique(
        "arp_impersonation",
        "One station claims another's address",
        "",
        "T0830",
        "domain/measures.md no ARP impersonation",
    ),
    Technique(
        "comms_loss",
        "Communications module silent, then starting up, after a message that could trigger it",
        "CVE-2017-12722",
        "T0814",
        "design.md §1",
    ),
)
