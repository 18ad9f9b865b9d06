"""The optional SDC provider: a consumer of the same standard discovers it, and sees flow and occlusion.

Both are processes of their own on loopback; how fast they are is not judged here.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from wardwatch.twin import codes, sdc
from wardwatch.twin.ground import OutsideError

HERE = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
needs_sdc = pytest.mark.skipif(
    importlib.util.find_spec("sdc11073") is None, reason="needs the extra sdc (sdc11073)"
)

CONSUMER = """
import json, logging, sys, threading, time
from sdc11073 import observableproperties
from sdc11073.consumer.consumerimpl import SdcConsumer
from sdc11073.definitions_sdc import SdcV1Definitions
from sdc11073.mdib import ConsumerMdib
from sdc11073.wsdiscovery import WSDiscovery
logging.disable(logging.CRITICAL)
begun = time.time()
discovery = WSDiscovery("127.0.0.1")
discovery.start()
service = None
for _ in range(40):
    found = discovery.search_services(types=SdcV1Definitions.MedicalDeviceTypesFilter, timeout=1)
    service = next((one for one in found if one.epr == sys.argv[1]), None)
    if service:
        break
assert service is not None, "not discovered"
discovered = time.time() - begun
consumer = SdcConsumer.from_wsd_service(service, ssl_context_container=None)
consumer.start_all()
mdib = ConsumerMdib(consumer)
mdib.init_mdib()
flows, presences, latencies, done = set(), set(), [], threading.Event()
def metrics(changed):
    for state in changed.values():
        latencies.append(time.time() - state.MetricValue.DeterminationTime)
        if state.DescriptorHandle == "flow":
            flows.add(float(state.MetricValue.Value))
    seen()
def alerts(changed):
    presences.update(one.Presence for one in changed.values() if one.DescriptorHandle == "occlusion")
    seen()
def seen():
    if max(flows, default=0) > 0 and True in presences:
        done.set()
observableproperties.bind(mdib, metrics_by_handle=metrics, alert_by_handle=alerts)
reached = done.wait(60)
codes = {d.Handle: int(d.Type.Code) for d in mdib.descriptions.objects if getattr(d, "Type", None)}
print(json.dumps({"reached": reached, "discovered_s": discovered, "codes": codes,
    "flows": sorted(flows), "updates": len(latencies),
    "median_ms": sorted(latencies)[len(latencies) // 2] * 1000, "max_ms": max(latencies) * 1000}))
consumer.stop_all()
discovery.stop()
"""


@needs_sdc
def test_c10_a_consumer_discovers_the_pump_and_sees_its_flow_and_its_occlusion() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "wardwatch.twin.sdc", "--seconds", "90", "--occlude", "5"],
        env=HERE, stdout=subprocess.PIPE, text=True,
    ) as provider:  # fmt: skip
        try:
            assert provider.stdout is not None
            epr = provider.stdout.readline().strip()
            ran = subprocess.run(
                [sys.executable, "-c", CONSUMER, epr], env=HERE, capture_output=True, text=True,
                check=False, timeout=120,
            )  # fmt: skip
        finally:
            provider.terminate()
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["reached"], found
    assert max(found["flows"]) >= 20
    assert found["codes"] | {"flow": codes.FLOW_CURRENT.number} == found["codes"]
    assert found["codes"]["mds"] == 70053
    assert found["codes"]["occlusion"] == 196940


def test_c10_the_description_has_the_codes_of_the_reports() -> None:
    root = ElementTree.fromstring(sdc.description())
    found = {int(one.attrib["Code"]) for one in root.iter() if one.tag.endswith("}Type")}
    assert found == {
        one.number
        for one in (
            codes.SYRINGE_MDS, codes.SYRINGE_VMD, codes.SOURCE_PRIMARY, codes.LINE_OCCLUSION,
            codes.FLOW_CURRENT, codes.VOLUME_TOTAL, codes.VTBI_LEFT, codes.DELIVERY_STATUS,
        )
    }  # fmt: skip


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", ""])
def test_s12_the_provider_stands_on_loopback_only(host: str) -> None:
    with pytest.raises(OutsideError):
        sdc.Provider("M1", host)
