"""Codes of IEEE 11073-10101 that a pump's reports use: partition and code, and the integer of both.

On the wire stands ``partition * 65536 + code``. Partitions and codes are those of domain/pump.md
§2.3; reference names that are not printed there are from general knowledge [K]. Wrong tables are
common, so the integers are never written down here: a test holds them against the note's.
"""

from __future__ import annotations

import msgspec


class Code(msgspec.Struct, frozen=True):
    """One term of the nomenclature."""

    name: str
    partition: int
    code: int

    @property
    def number(self) -> int:
        """The context-free integer (IEEE 11073-10101 §7.2)."""
        return (self.partition << 16) + self.code

    @property
    def field(self) -> str:
        """As an HL7 coded field: ``integer^name^MDC``."""
        return f"{self.number}^{self.name}^MDC"


OBJECT, SCADA, EVENT, UNIT = 1, 2, 3, 4
_OTHER = SCADA
"""The note's later terms (drug, library, status) lie in the upper half of partition 2."""

PUMP_MDS = Code("MDC_DEV_PUMP_INFUS_MDS", OBJECT, 4449)
PUMP_VMD = Code("MDC_DEV_PUMP_INFUS_VMD", OBJECT, 4450)
LVP_MDS = Code("MDC_DEV_PUMP_INFUS_LVP_MDS", OBJECT, 4513)
LVP_VMD = Code("MDC_DEV_PUMP_INFUS_LVP_VMD", OBJECT, 4514)
SYRINGE_MDS = Code("MDC_DEV_PUMP_INFUS_SYRINGE_MDS", OBJECT, 4517)
SYRINGE_VMD = Code("MDC_DEV_PUMP_INFUS_SYRINGE_VMD", OBJECT, 4518)
DELIVERY_INFO = Code("MDC_DEV_PUMP_DELIVERY_INFO", OBJECT, 4531)
SOURCE_PRIMARY = Code("MDC_DEV_PUMP_INFUSATE_SOURCE_PRIMARY", OBJECT, 4535)
SYRINGE_INFO = Code("MDC_DEV_PUMP_SYRINGE_INFO", OBJECT, 4555)

FLOW_CURRENT = Code("MDC_FLOW_FLUID_PUMP_CURRENT", SCADA, 26942)
FLOW = Code("MDC_FLOW_FLUID_PUMP", SCADA, 26712)
DOSE_RATE = Code("MDC_RATE_DOSE", SCADA, 26852)
VTBI = Code("MDC_VOL_FLUID_TBI", SCADA, 26812)
VTBI_LEFT = Code("MDC_VOL_FLUID_TBI_REMAIN", SCADA, 26800)
VOLUME_TOTAL = Code("MDC_VOL_FLUID_DELIV_TOTAL", SCADA, 26921)
VOLUME_SEGMENT = Code("MDC_VOL_FLUID_DELIV_SEGMENT", SCADA, 26920)
TIME_LEFT = Code("MDC_TIME_PD_REMAIN", SCADA, 26844)
DELIVERY_STATUS = Code("MDC_PUMP_CURRENT_DELIVERY_STATUS", SCADA, 26933)
NOT_DELIVERING = Code("MDC_PUMP_NOT_DELIVERING_REASON", SCADA, 26934)
MODE = Code("MDC_PUMP_MODE", SCADA, 26936)
CHANNEL_LABEL = Code("MDC_PUMP_SOURCE_CHANNEL_LABEL", SCADA, 26940)
ACTIVE_SOURCES = Code("MDC_PUMP_ACTIVE_SOURCES", SCADA, 26944)
CONCENTRATION = Code("MDC_CONC_DRUG", SCADA, 26688)
WEIGHT = Code("MDC_ATTR_PT_WEIGHT", OBJECT, 2527)
SYRINGE_SIZE = Code("MDC_VOL_SYRINGE", SCADA, 26808)
SYRINGE_ACTUAL = Code("MDC_VOL_SYRINGE_ACTUAL", SCADA, 26912)
INFUSING = Code("MDC_PUMP_INFUSING_STATUS", _OTHER, 53447)
DRUG = Code("MDC_DRUG_NAME", _OTHER, 53442)
CARE_AREA = Code("MDC_PUMP_CARE_AREA", _OTHER, 53444)
LIBRARY_VERSION = Code("MDC_PUMP_DRUG_LIBRARY_VERSION", _OTHER, 53445)
LIBRARY_NAME = Code("MDC_PUMP_DRUG_LIBRARY_NAME", _OTHER, 53448)
SYRINGE_MAKER = Code("MDC_SYRINGE_MANUFACTURER", _OTHER, 53416)

ML_H = Code("MDC_DIM_MILLI_L_PER_HR", UNIT, 3122)
ML = Code("MDC_DIM_MILLI_L", UNIT, 1618)
MIN = Code("MDC_DIM_MIN", UNIT, 2208)
SECOND = Code("MDC_DIM_SEC", UNIT, 2176)
MCG_KG_MIN = Code("MDC_DIM_MICRO_G_PER_KG_PER_MIN", UNIT, 3475)
MG_ML = Code("MDC_DIM_MILLI_G_PER_ML", UNIT, 2162)
KG = Code("MDC_DIM_KILO_G", UNIT, 1731)

DELIV_START = Code("MDC_EVT_PUMP_DELIV_START", EVENT, 680)
DELIV_STOP = Code("MDC_EVT_PUMP_DELIV_STOP", EVENT, 682)
"""[K] Not in the note: the number between its neighbours."""
DELIV_COMP = Code("MDC_EVT_PUMP_DELIV_COMP", EVENT, 684)
NEAR_COMPLETE = Code("MDC_EVT_PUMP_DELIV_NEAR_COMP", EVENT, 726)
LINE_OCCLUSION = Code("MDC_EVT_FLUID_LINE_OCCL", EVENT, 332)
OCCLUSION = Code("MDC_EVT_OCCL", EVENT, 80)
BATTERY_LOW = Code("MDC_EVT_BATT_LO", EVENT, 194)
FREE_FLOW = Code("MDC_EVT_FLOW_FREE", EVENT, 598)
ALARM = Code("MDC_EVT_ALARM", EVENT, 8)
BARREL = Code("MDC_EVT_SYRINGE_BARREL_CAPTURE_FAULT", EVENT, 610)

EVENT_PHASE = Code("MDC_ATTR_EVENT_PHASE", OBJECT, 2945)
ALARM_STATE = Code("MDC_ATTR_ALARM_STATE", OBJECT, 2946)
INACTIVATION = Code("MDC_ATTR_ALARM_INACTIVATION_STATE", OBJECT, 2947)
PRIORITY = Code("MDC_ATTR_ALARM_PRIORITY", OBJECT, 2948)
"""[K] The four facets of an alarm: their numbers are not in the note."""

CODES = tuple(value for value in list(globals().values()) if isinstance(value, Code))
"""All of them, in reading order."""
