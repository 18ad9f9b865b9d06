"""Small audits made by hand for the tests of what people see."""

from wardwatch.model.advisory import Exposure, Match
from wardwatch.model.device import Confidence, Device, Identity, Listed
from wardwatch.model.evidence import Evidence
from wardwatch.model.judgement import Certainty, Finding, Reason, State, Verdict
from wardwatch.model.site import Site
from wardwatch.model.values import HOUR_NS, Span
from wardwatch.observe.tables import Tables
from wardwatch.watch import Audit

NO_SITE = Site()
T0 = 1_800_000_000_000_000_000
SCRIPT = "<script>document.title='owned'</script>"

PUMP = Device(
    id="dev-001a01000041",
    identity=Identity(
        manufacturer="Smiths Medical",
        model="Medfusion 4000",
        kind="infusion pump",
        family="medfusion-4000",
    ),
    confidence=Confidence.CERTAIN,
    macs=("00:1a:01:00:00:41",),
    ips=("10.27.0.41",),
    segments=("vlan 120",),
    names=(SCRIPT,),
    first_ts=T0,
    last_ts=T0 + HOUR_NS,
    packets=10,
)
UNSEEN = Device(
    id="list-7",
    identity=Identity(manufacturer="Smiths Medical", model="Medfusion 4000", kind="infusion pump"),
    confidence=Confidence.LISTED,
    listed=Listed(row=7, serial="M7", ward="ICU"),
)
FINDING = Finding(
    technique="dhcp_overflow",
    actor="00:0c:29:00:00:66 10.27.0.66",
    segment="vlan 120",
    certainty=Certainty.CONFIRMED,
    statement="A DHCP server sent a message that could trigger the overflow.",
    targets=("dev-001a01000041",),
    known_device=True,
    first_ts=T0 + 60,
    last_ts=T0 + HOUR_NS // 2,
    packets=2,
    evidence=(Evidence(1, 17), Evidence(1, 19)),
    cves=("CVE-2017-12718",),
    do_next=f"Find the server that calls itself {SCRIPT}",
)
BROKEN = Verdict(
    "static_address",
    PUMP.id,
    "device",
    State.BROKEN,
    "The pump asked for an address by DHCP.",
    segment="vlan 120",
    span=Span(T0, T0 + HOUR_NS),
    evidence=(Evidence(1, 3),),
)
UNTOLD = Verdict(
    "no_rogue_dns",
    PUMP.id,
    "device",
    State.NOT_OBSERVABLE,
    "No question was asked.",
    reason=Reason.NO_STIMULUS,
)
HOLDS = Verdict(
    "no_rogue_dhcp",
    "vlan 120",
    "segment",
    State.HOLDS,
    "Only permitted servers answered.",
    span=Span(T0, T0 + HOUR_NS),
)

ROWS = {
    "captures": [
        dict(
            capture=1,
            name=f"ward{SCRIPT}.pcap",
            sha256="ab" * 32,
            packets=30,
            decoded=28,
            skipped=1,
            malformed=1,
            first_ts=T0,
            last_ts=T0 + HOUR_NS,
        )
    ],
    "accounting": [
        dict(capture=1, outcome="decoded", reason="ipv4 udp", packets=28),
        dict(capture=1, outcome="skipped", reason="lacp", packets=1),
        dict(capture=1, outcome="malformed", reason="ipv4 header", packets=1),
    ],
    "segments": [
        dict(
            capture=1, segment="vlan 120", packets=30, first_ts=T0, last_ts=T0 + HOUR_NS, stations=3
        )
    ],
    "conversations": [
        dict(
            conversation=1,
            capture=1,
            first_packet=3,
            last_packet=9,
            proto="tcp",
            orig_h="10.27.0.41",
            resp_h="10.9.9.9",
            orig_bytes=100,
            resp_bytes=50,
        )
    ],
}


def make(
    verdicts=(BROKEN, UNTOLD, HOLDS),
    findings=(FINDING,),
    devices=(PUMP, UNSEEN),
    damaged=False,
    lost=0,
    packets=30,
    site=NO_SITE,
    rows=ROWS,
) -> Audit:
    return Audit(
        tables=Tables.of(**rows),
        devices=devices,
        advisories=(),
        verdicts=verdicts,
        findings=findings,
        site=site,
        matches=(
            Match(PUMP.id, "ICSMA-17-250-02A", Exposure.UNKNOWN, "version not on the wire", ()),
        ),
        assumed=(f"assumed {SCRIPT}",),
        packets=packets,
        decoded=28,
        skipped=1,
        malformed=1,
        damaged=damaged,
        lost=lost,
    )
