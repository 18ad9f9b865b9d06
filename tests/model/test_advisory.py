"""wardwatch.model.advisory"""

from wardwatch.model.advisory import Exposure, Match


def test_an_unknown_version_is_unknown_not_affected() -> None:
    assert (
        Match("d", "a", Exposure.UNKNOWN, "version not known", ()).exposure is not Exposure.AFFECTED
    )
    assert {e.value for e in Exposure} == {"affected", "not affected", "unknown", "conditional"}
