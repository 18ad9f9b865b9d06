"""wardwatch.model.report"""

from wardwatch.model.report import FORMAT_VERSION, Report, schema


def test_the_schema_names_every_field_as_required() -> None:
    made = schema()
    assert made["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert set(made["$defs"]["Report"]["required"]) == set(Report.__struct_fields__)
    assert FORMAT_VERSION == 1
