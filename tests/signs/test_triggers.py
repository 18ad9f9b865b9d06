"""Triggers: their words name what was claimed and what could fit."""

from tests.verify.ward import PUMP, Ward, rows_of

from wardwatch.signs.triggers import OVERREAD, overflow


def test_an_answer_says_how_many_records_it_claimed() -> None:
    ward = Ward().answer(impossible_counts=True, ancount=8192, nscount=0, arcount=0, payload_len=54)
    (row,) = ward.scene().tables.ask(OVERREAD)
    assert row.detail == "claims 8192 records, more than its 54 bytes can hold"


def test_an_option_past_the_end_says_what_was_left() -> None:
    ward = Ward().reply(client=PUMP, overrun_option=67, overrun_claimed=255, overrun_present=3)
    scene = ward.scene()
    sql, parameters = overflow(scene, 64, 128, 60.0)
    (row,) = rows_of(scene, sql, parameters)
    assert row.detail == "option 67 that claims 255 bytes where 3 were left"


def test_a_claimed_length_in_a_cut_packet_is_less_sure() -> None:
    scene = Ward().reply(client=PUMP, opt67_len=200, whole=False).scene()
    sql, parameters = overflow(scene, 64, 128, 60.0)
    assert [row.strength for row in rows_of(scene, sql, parameters)] == [1]
