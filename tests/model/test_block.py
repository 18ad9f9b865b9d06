"""wardwatch.model.block"""

import msgspec
import pytest

from wardwatch.model.block import Damage, Interface


def test_what_a_file_does_not_tell_is_said_as_minus_one() -> None:
    assert (Interface(0, 1).received, Interface(0, 1).dropped, Interface(0, 1).os_dropped) == (
        -1,
        -1,
        -1,
    )


def test_damage_always_says_what_to_do_and_cannot_change() -> None:
    damage = Damage(24, "cut")
    assert damage.remedy
    with pytest.raises(AttributeError):
        damage.offset = 1  # type: ignore[misc]
    assert msgspec.structs.replace(damage, offset=1).offset == 1
