"""tests.hostile: what the parsers do with 200,000 wounded messages each."""

import pytest
from tests.hostile import PARSERS, mutate, run

PAYLOADS = 200_000


@pytest.mark.parametrize("name", PARSERS)
def test_no_wounded_message_escapes_its_parser(name: str) -> None:
    parse, valid = PARSERS[name]
    share = run(parse, valid, seed=7, count=PAYLOADS)
    assert share > 0.3, f"{name}: only {share:.0%} got past the first length check"


@pytest.mark.parametrize("name", PARSERS)
def test_every_message_to_start_from_is_honest(name: str) -> None:
    parse, valid = PARSERS[name]
    for payload in valid:
        message, anomalies = parse(payload)
        if name not in ("control", "control cisco"):  # those tell Cisco's frames by where they go
            assert (message is not None, anomalies) == (True, ()), payload.hex()


def test_one_seed_gives_one_sequence() -> None:
    valid = [b"abcdef", b"ghijkl"]
    assert list(mutate(3, valid, 50)) == list(mutate(3, valid, 50))
    assert list(mutate(3, valid, 50)) != list(mutate(4, valid, 50))
