"""wardwatch.advise.epss"""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wardwatch.advise import epss
from wardwatch.advise.epss import read_epss
from wardwatch.errors import AdvisoryError

HEAD = b"#model_version:v2025.03.14,score_date:2025-08-25T12:55:00Z\ncve,epss,percentile\n"
DAY = (
    HEAD + b"CVE-2017-0144,0.94428,0.99990\nCVE-2017-12718,0.00321,0.54321\r\nCVE-2099-10000,1,1\n"
)


def read(tmp_path, raw, wanted=None):
    path = tmp_path / "epss.csv.gz"
    path.write_bytes(raw)
    return read_epss(path, wanted)


@pytest.mark.parametrize("packed", [gzip.compress(DAY, mtime=0), DAY], ids=["gzip", "plain"])
def test_a_day_is_read_packed_or_plain(tmp_path, packed):
    found = read(tmp_path, packed)
    assert (found.model, found.day) == ("v2025.03.14", "2025-08-25")
    assert found.scores == {
        "CVE-2017-0144": 0.94428,
        "CVE-2017-12718": 0.00321,
        "CVE-2099-10000": 1.0,
    }


def test_only_the_wanted_are_kept(tmp_path):
    assert list(read(tmp_path, DAY, {"CVE-2017-12718"}).scores) == ["CVE-2017-12718"]


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", "does not begin"),
        (b"cve,epss,percentile\n", "does not begin"),
        (HEAD.replace(b"08-25", b"13-45"), "does not begin"),
        (HEAD[:60], "has no head line"),
        (HEAD + b"CVE-2017-0144,1.5,0.9\n", "line 3 is no score"),
        (HEAD + b"CVE-2017-0144,nan,0.9\n", "line 3 is no score"),
        (HEAD + b"CVE-2017-0144,-0.1,0.9\n", "line 3 is no score"),
        (HEAD + b"CVE-2017-0144,0.5\n", "line 3 is no score"),
        (HEAD + b"=cmd(),0.5,0.5\n", "line 3 is no score"),
        (HEAD + b"\n", "line 3 is no score"),
        (HEAD + b"\xff\xfe\x00\n", "line 3 is no score"),
        (HEAD + b"A" * 10_000, "line 3 is longer"),
        (gzip.compress(DAY, mtime=0)[:-6], "damaged gzip"),
        (gzip.compress(DAY, mtime=0)[:20] + b"\x00" * 40, "damaged gzip"),
        (b"\x1f\x8b", "damaged gzip"),
        (gzip.compress(b"\x00" * 50_000_000, mtime=0), "does not begin|longer"),
    ],
)
def test_a_damaged_day_is_refused_with_its_line(tmp_path, raw, problem):
    with pytest.raises(AdvisoryError, match=problem):
        read(tmp_path, raw)


def test_more_lines_than_there_are_weaknesses_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(epss, "MAX_LINES", 4)
    with pytest.raises(AdvisoryError, match="more than 4 lines"):
        read(tmp_path, DAY)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(AdvisoryError, match="cannot be read"):
        read_epss(tmp_path / "none.csv.gz")


@given(st.binary(max_size=200), st.booleans())
def test_nothing_but_a_refusal_comes_out_of_bytes(tmp_path_factory, raw, packed):
    with pytest.raises(AdvisoryError):
        read(tmp_path_factory.mktemp("epss"), gzip.compress(raw) if packed else raw)


scores = st.dictionaries(
    st.builds("CVE-{}-{}".format, st.integers(1999, 2099), st.integers(1000, 9_999_999)),
    st.integers(0, 100_000).map(lambda n: n / 100_000),
    max_size=20,
)


@given(scores)
def test_an_honest_day_is_read_back(tmp_path_factory, said):
    rows = "".join(f"{cve},{score},0.5\n" for cve, score in said.items())
    found = read(tmp_path_factory.mktemp("epss"), gzip.compress(HEAD + rows.encode()))
    assert found.scores == said
