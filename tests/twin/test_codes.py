"""Codes are partition * 65536 + code, and are those of the note."""

import pytest

from wardwatch.twin import codes

TABLE = {
    codes.PUMP_MDS: 69985, codes.PUMP_VMD: 69986, codes.LVP_MDS: 70049, codes.LVP_VMD: 70050,
    codes.SYRINGE_MDS: 70053, codes.SYRINGE_VMD: 70054, codes.DELIVERY_INFO: 70067,
    codes.SOURCE_PRIMARY: 70071, codes.SYRINGE_INFO: 70091, codes.INFUSING: 184519,
    codes.FLOW_CURRENT: 158014, codes.FLOW: 157784, codes.DOSE_RATE: 157924, codes.VTBI: 157884,
    codes.VTBI_LEFT: 157872, codes.VOLUME_TOTAL: 157993, codes.VOLUME_SEGMENT: 157992,
    codes.TIME_LEFT: 157916, codes.DELIVERY_STATUS: 158005, codes.NOT_DELIVERING: 158006,
    codes.MODE: 158008, codes.CHANNEL_LABEL: 158012, codes.ACTIVE_SOURCES: 158016,
    codes.DRUG: 184514, codes.CARE_AREA: 184516, codes.LIBRARY_VERSION: 184517,
    codes.LIBRARY_NAME: 184520, codes.CONCENTRATION: 157760, codes.WEIGHT: 68063,
    codes.SYRINGE_SIZE: 157880, codes.SYRINGE_ACTUAL: 157984, codes.SYRINGE_MAKER: 184488,
    codes.ML_H: 265266, codes.ML: 263762, codes.MIN: 264352, codes.SECOND: 264320,
    codes.MCG_KG_MIN: 265619, codes.MG_ML: 264306, codes.KG: 263875, codes.DELIV_START: 197288,
    codes.DELIV_COMP: 197292, codes.NEAR_COMPLETE: 197334, codes.LINE_OCCLUSION: 196940,
    codes.OCCLUSION: 196688, codes.BATTERY_LOW: 196802, codes.FREE_FLOW: 197206,
    codes.ALARM: 196616, codes.BARREL: 197218,
}  # fmt: skip
"""The integers of domain/pump.md §2.3 and §1.5, typed from there and not computed."""

NOT_IN_THE_NOTE = {
    codes.DELIV_STOP, codes.EVENT_PHASE, codes.ALARM_STATE, codes.INACTIVATION, codes.PRIORITY,
}  # fmt: skip


@pytest.mark.parametrize("code", TABLE, ids=lambda code: code.name)
def test_c9_every_integer_of_the_table_is_its_partition_and_code(code: codes.Code) -> None:
    assert code.partition * 65536 + code.code == TABLE[code]
    assert code.number == TABLE[code]
    assert 0 < code.code < 65536
    assert code.field == f"{TABLE[code]}^{code.name}^MDC"


def test_c9_no_code_is_left_out_and_none_stands_twice() -> None:
    assert set(codes.CODES) == set(TABLE) | NOT_IN_THE_NOTE
    assert len({code.number for code in codes.CODES}) == len(codes.CODES)
    assert len({code.name for code in codes.CODES}) == len(codes.CODES)
