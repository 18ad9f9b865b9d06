"""SDC: the pump as a provider of IEEE 11073 SDC, for whoever listens by that standard (optional).

Needs the extra ``sdc`` (sdc11073, MIT). It stands on loopback only, discovery by multicast included,
and offers what PCD-01 does, by the same codes: delivery status, flow, volume, what is left, and the
alarm of an occlusion. It takes no orders: nothing of it leads to therapy.

    python -m wardwatch.twin.sdc --seconds 60
"""

from __future__ import annotations

import argparse
import sys
import time
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING

from wardwatch.model.values import NS
from wardwatch.twin import codes, therapy
from wardwatch.twin.bedside import Nurse
from wardwatch.twin.ground import OutsideError, permitted
from wardwatch.twin.telling import Status
from wardwatch.twin.therapy import DELIVERS, Alarm

if TYPE_CHECKING:
    from wardwatch.twin.codes import Code

_MESSAGE = "http://standards.ieee.org/downloads/11073/11073-10207-2017/message"
_MODEL = "http://standards.ieee.org/downloads/11073/11073-10207-2017/participant"
FLOW, VOLUME, LEFT, DELIVERY, OCCLUSION = "flow", "volume", "left", "delivery", "occlusion"
TELL_S = 0.2
LONGEST_S = 3600.0


def description() -> str:
    """The medical data information base: a syringe pump's containment tree (IEEE 11073-10207)."""

    def metric(handle: str, code: Code, unit: Code | None) -> str:
        kind = "Numeric" if unit else "String"
        resolution = ' Resolution="0.000001"' if unit else ""
        # 262656 is MDC_DIM_DIMLESS: a string has no dimension.
        number = unit.number if unit else 262656
        return (
            f'<pm:Metric xsi:type="pm:{kind}MetricDescriptor" Handle="{handle}" DescriptorVersion="0"'
            f' MetricCategory="Msrmt" MetricAvailability="Intr"{resolution}>'
            f'<pm:Type Code="{code.number}"/><pm:Unit Code="{number}"/></pm:Metric>'
        )

    metrics = "".join((
        metric(DELIVERY, codes.DELIVERY_STATUS, None), metric(FLOW, codes.FLOW_CURRENT, codes.ML_H),
        metric(VOLUME, codes.VOLUME_TOTAL, codes.ML), metric(LEFT, codes.VTBI_LEFT, codes.ML),
    ))  # fmt: skip
    sequence = "urn:uuid:00000000-0000-4000-8000-000000000001"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<msg:GetMdibResponse xmlns:msg="{_MESSAGE}" xmlns:pm="{_MODEL}"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        f' MdibVersion="0" SequenceId="{sequence}"><msg:Mdib MdibVersion="0" SequenceId="{sequence}">'
        '<pm:MdDescription DescriptionVersion="0"><pm:Mds Handle="mds" DescriptorVersion="0"'
        f' SafetyClassification="Inf"><pm:Type Code="{codes.SYRINGE_MDS.number}"/>'
        '<pm:SystemContext Handle="context" DescriptorVersion="0"/>'
        '<pm:Vmd Handle="vmd" DescriptorVersion="0">'
        f'<pm:Type Code="{codes.SYRINGE_VMD.number}"/>'
        '<pm:AlertSystem Handle="alerts" DescriptorVersion="0">'
        f'<pm:AlertCondition Handle="{OCCLUSION}" DescriptorVersion="0" Kind="Tec" Priority="Hi">'
        f'<pm:Type Code="{codes.LINE_OCCLUSION.number}"/><pm:Source>channel</pm:Source>'
        "</pm:AlertCondition></pm:AlertSystem>"
        '<pm:Channel Handle="channel" DescriptorVersion="0">'
        f'<pm:Type Code="{codes.SOURCE_PRIMARY.number}"/>{metrics}</pm:Channel></pm:Vmd></pm:Mds>'
        '</pm:MdDescription><pm:MdState StateVersion="0"/></msg:Mdib></msg:GetMdibResponse>'
    )


class Provider:
    """One pump's provider. ``start``, ``tell``, ``stop``."""

    def __init__(self, serial: str, host: str = "127.0.0.1") -> None:
        """Make it; it is known by a UUID that follows from the serial number.

        :raises OutsideError: for an address that is not loopback: its multicast would go there too.
        """
        if not permitted(host).startswith("127."):
            raise OutsideError(host)
        from sdc11073.mdib import ProviderMdib
        from sdc11073.provider import SdcProvider
        from sdc11073.wsdiscovery import WSDiscovery
        from sdc11073.xml_types.dpws_types import ThisDeviceType, ThisModelType

        self.epr = uuid.uuid5(uuid.NAMESPACE_OID, serial)
        self._discovery = WSDiscovery(host)
        self._mdib = ProviderMdib.from_string(description().encode())
        model = ThisModelType(
            "wardwatch twin", "", "pump of the Medfusion 4000's class", "1", "", ""
        )
        device = ThisDeviceType(f"pump {serial}", "1", serial)
        self._provider = SdcProvider(self._discovery, model, device, self._mdib, epr=self.epr)

    def start(self) -> None:
        """Be discovered, and answer."""
        self._discovery.start()
        # A provider without waveforms must not start their loop.
        self._provider.start_all(start_rtsample_loop=False)
        self._provider.publish()

    def tell(self, one: Status) -> None:
        """What the pump shows now; subscribers are told what changed."""
        flow = one.rate if one.phase in DELIVERS else 0
        values: dict[str, Decimal | str] = {
            FLOW: _ml(flow), VOLUME: _ml(one.given_nl), LEFT: _ml(one.left_nl),
            DELIVERY: one.phase.value,
        }  # fmt: skip
        with self._mdib.metric_state_transaction() as change:
            for handle, value in values.items():
                state = change.get_state(handle)
                if state.MetricValue is None:
                    state.mk_metric_value()
                state.MetricValue.Value = value
                state.MetricValue.DeterminationTime = time.time()
        with self._mdib.alert_state_transaction() as change:
            change.get_state(OCCLUSION).Presence = one.alarm is Alarm.OCCLUSION

    def stop(self) -> None:
        """Say goodbye and listen no more."""
        self._provider.stop_all()
        self._discovery.stop()


def _ml(nano: int) -> Decimal:
    return Decimal(nano) / 1_000_000


def main() -> int:
    """A pump with a nurse, told by SDC for a while."""
    words = argparse.ArgumentParser(description=__doc__, prog="wardwatch.twin.sdc")
    words.add_argument("--serial", default="M000001")
    words.add_argument("--seconds", type=float, default=60.0)
    words.add_argument("--occlude", type=float, default=8.0)
    asked = words.parse_args()
    provider = Provider(asked.serial)
    provider.start()
    sys.stdout.write(f"{provider.epr.urn}\n")
    sys.stdout.flush()
    state, nurse, began = therapy.State(), Nurse(1, (asked.occlude,)), time.monotonic_ns()
    try:
        while (now := time.monotonic_ns() - began) < min(asked.seconds, LONGEST_S) * NS:
            state, _, _ = therapy.step(state, therapy.Wait(), now)
            if (act := nurse.acts(state, now)) is not None:
                state, _, _ = therapy.step(state, act, now)
            provider.tell(_shown(state, now))
            time.sleep(TELL_S)
    finally:
        provider.stop()
    return 0


def _shown(state: therapy.State, now: int) -> Status:
    core, shown = state.core, therapy.shown(state)
    alarm = shown[0] if shown else None
    given = therapy.given_nl(state, now)
    return Status(now, core.phase, core.rate, given, 0, 0, core.library.version, 0, alarm)


if __name__ == "__main__":
    raise SystemExit(main())
