"""wardwatch.errors"""

import inspect

from wardwatch import errors


def test_a_file_error_is_one_line_that_names_file_place_and_remedy() -> None:
    error = errors.CaptureError("a.pcap", "is a text file", "export it as pcap", 7)
    assert str(error) == "a.pcap at byte 7: is a text file; export it as pcap"
    assert (error.file, error.offset, error.remedy) == ("a.pcap", 7, "export it as pcap")
    assert "byte" not in str(errors.SiteError("s.toml", "is empty", "write one"))


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    for name, kind in inspect.getmembers(errors, inspect.isclass):
        if kind.__module__ == errors.__name__:
            assert issubclass(kind, errors.WardwatchError)
            assert name in (errors.__doc__ or "")
