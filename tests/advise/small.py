"""Audits made by hand: one pump, one advisory, and what a test changes of them."""

from wardwatch.advise import advise
from wardwatch.model.device import Confidence, Device, Identity, Listed
from wardwatch.model.evidence import Evidence
from wardwatch.model.judgement import Certainty, Finding, State, Verdict
from wardwatch.model.site import Attestation, Site, Zone
from wardwatch.model.values import HOUR_NS, Span
from wardwatch.observe.tables import Tables
from wardwatch.watch import Audit

T0 = 1_800_000_000_000_000_000
"""2027-01-15T08:00:00Z."""
SPAN = Span(T0, T0 + HOUR_NS)
ADVISORY = "ICSMA-17-250-02A"
ICU = Zone(name="ICU", vlans=(120,), pumps=True, confirmed_by="it", confirmed_on="2027-01-01")


def pump(version="1.6.0", name="dev-1", **changes) -> Device:
    identity = Identity(
        manufacturer=changes.pop("manufacturer", "Smiths Medical"),
        model=changes.pop("model", "Medfusion 4000"),
        kind=changes.pop("kind", "infusion pump"),
        family=changes.pop("family", "medfusion-4000"),
        version=version,
        version_source="wire" if version else "",
    )
    said = {
        "confidence": Confidence.CERTAIN,
        "ips": ("10.120.0.101",),
        "macs": ("00:1a:01:00:00:01",),
        "segments": ("vlan 120",),
        "packets": 9,
        "listed": Listed(row=2, serial="M1", ward="ICU", asset="A1"),
    } | changes
    return Device(id=name, identity=identity, **said)


def verdict(measure, state=State.HOLDS, subject="dev-1", kind="device", **changes) -> Verdict:
    said = {"span": SPAN, "evidence": (Evidence(1, 4), Evidence(1, 9))} | changes
    return Verdict(measure, subject, kind, state, f"What was seen of {measure}.", **said)


def finding(cve="CVE-2017-12726", **changes) -> Finding:
    said = {
        "technique": "telnet",
        "actor": "10.120.0.66",
        "segment": "vlan 120",
        "certainty": Certainty.CONFIRMED,
        "statement": "Somebody logged in.",
        "targets": ("dev-1",),
        "known_device": True,
        "first_ts": T0,
        "last_ts": T0,
        "packets": 1,
        "evidence": (Evidence(1, 7),),
        "cves": (cve,),
    } | changes
    return Finding(**said)


def sign_off(justification="component_not_present", cve="CVE-2017-12725", **changes) -> Attestation:
    said = {
        "measure": f"{justification} {cve}",
        "statement": "These pumps were delivered without the radio module.",
        "expires_on": "2027-12-31",
        "confirmed_by": "Ana Silva, clinical engineering",
        "confirmed_on": "2027-01-10",
    } | changes
    return Attestation(**said)


def audited(*verdicts, devices=None, findings=(), attestations=(), site=None, end=T0 + HOUR_NS, matches=None) -> Audit:  # fmt: skip
    devices = (pump(),) if devices is None else tuple(devices)
    advised = advise(devices)
    found = advised.matches
    return Audit(
        tables=Tables.of(
            captures=[
                {"capture": 1, "sha256": "ab" * 32, "packets": 30, "first_ts": T0, "last_ts": end}
            ]
        ),
        devices=devices,
        advisories=advised.advisories,
        matches=found if matches is None else matches(found),
        verdicts=verdicts,
        findings=tuple(findings),
        site=site or Site(name="Twin", zone=(ICU,), attestation=tuple(attestations)),
        assumed=(),
        packets=30,
    )
