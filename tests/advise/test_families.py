"""Families: many spellings, no neighbours."""

import pytest

from wardwatch.advise.families import branded, families_of


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("MF4000 syringe pump (wireless)", "smiths.medfusion-4000"),
        ("Alaris Point-of-Care Unit (PCU) Model 8015", "bd.alaris-pcu-8015"),
        ("8015 Alaris PCU", "bd.alaris-pcu-8015"),
        ("SIGMA SPECTRUM 35700BAX2", "baxter.spectrum"),
        ("Battery pack SP with WiFi", "bbraun.battery-pack"),
        ("MiniMed Paradigm 723K", "medtronic.paradigm-x23"),
        ("PIIC iX", "philips.pic-ix"),
        ("IntelliVue MP 70", "philips.mp20-90"),
    ],
)
def test_spellings_lead_to_the_family(name, family):
    assert family in families_of(name)


@pytest.mark.parametrize(
    "name",
    ["Medfusion 3500", "Alaris 8110 Syringe Module", "CADD-Solis", "MiniMed 780G", "Omnipod DASH",
     "Volumat MC Agilia", "HeartStart MRx", "Catalyst 2960"],
)  # fmt: skip
def test_neighbours_are_of_no_family(name):
    assert families_of(name) == frozenset()


def test_host_and_component_are_told_apart():
    assert "baxter.spectrum" not in families_of("Spectrum Wireless Battery Module")
    assert families_of("Paradigm Veo 754CM") == {"medtronic.paradigm-veo-cm"}


def test_a_brand_is_known_under_any_maker():
    assert "smiths.medfusion-4000" in branded("medfusion")
    assert branded("LaserJet 4000") == frozenset()
