"""Files from folders and archives: each by name, and a hostile member harms no other."""

import io
import stat
import tarfile
import zipfile

from wardwatch.advise import archives
from wardwatch.advise.archives import gather


def tar_of(path, *members):
    with tarfile.open(path, "w:gz") as tar:
        for name, content, change in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            for key, value in change.items():
                setattr(member, key, value)
            tar.addfile(member, io.BytesIO(content))
    return path


def by_name(*paths):
    return {found.name: found for found in gather(paths)}


def test_folders_are_read_to_their_ground_and_other_files_left(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.json").write_bytes(b"{}")
    (tmp_path / "a" / "readme.txt").write_bytes(b"no")
    assert set(by_name(tmp_path)) == {"a/x.json"}


def test_a_tar_gives_its_members_and_refuses_ways_out_and_links(tmp_path):
    path = tar_of(
        tmp_path / "a.tar.gz",
        ("good.json", b"{}", {}),
        ("../evil.json", b"{}", {}),
        ("/etc/evil.json", b"{}", {}),
        ("link.json", b"", {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}),
    )
    found = by_name(path)
    assert found["a.tar.gz/good.json"].raw == b"{}"
    assert {name for name, one in found.items() if one.refused} == {
        "a.tar.gz/../evil.json",
        "a.tar.gz//etc/evil.json",
        "a.tar.gz/link.json",
    }
    assert not (tmp_path.parent / "evil.json").exists()


def test_a_zip_bomb_is_refused_and_its_neighbour_taken(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.json", b" " * (archives.MAX_BYTES - 1))
        archive.writestr("large.json", b" " * (archives.MAX_BYTES + 1))
        archive.writestr("c:\\evil.json", b"{}")
        archive.writestr("good.json", b"{}")
        link = zipfile.ZipInfo("link.json")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    found = by_name(path)
    assert "times its size" in found["a.zip/bomb.json"].refused
    assert "more than" in found["a.zip/large.json"].refused
    assert found["a.zip/link.json"].refused == "is a link"
    assert "leads out" in found["a.zip/c:\\evil.json"].refused
    assert found["a.zip/good.json"].raw == b"{}"


def test_too_many_members_end_the_archive_not_the_import(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_MEMBERS", 3)
    path = tar_of(tmp_path / "a.tar.gz", *((f"{i}.json", b"{}", {}) for i in range(9)))
    (tmp_path / "b.json").write_bytes(b"{}")
    found = by_name(path, tmp_path / "b.json")
    assert "more than" in found["a.tar.gz"].refused
    assert found["b.json"].raw == b"{}"


def test_a_member_that_claims_a_gigabyte_is_not_unpacked_to_pass_it(tmp_path):
    huge = tarfile.TarInfo("huge.bin")
    huge.size = archives.MAX_UNPACKED
    path = tmp_path / "a.tar"
    path.write_bytes(huge.tobuf() + bytes(2048))
    assert "unpacks to more" in by_name(path)["a.tar"].refused


def test_a_cut_archive_gives_what_it_has_and_says_so(tmp_path):
    whole = tar_of(tmp_path / "a.tar.gz", *((f"{i}.json", bytes(9000), {}) for i in range(9)))
    cut = tmp_path / "cut.tar.gz"
    cut.write_bytes(whole.read_bytes()[:-40])
    for name, content in (("no.zip", b"PK\x03\x04zz"), ("no.tar.xz", b"\xfd7zXZ\x00zz")):
        (tmp_path / name).write_bytes(content)
        assert "no archive" in by_name(tmp_path / name)[name].refused
    assert any("no archive" in one.refused for one in gather([cut]))


def test_an_absent_file_is_refused_by_name(tmp_path):
    assert "cannot be read" in by_name(tmp_path / "none.json")["none.json"].refused


def test_a_link_in_a_folder_is_refused_by_name_and_not_followed(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.json").write_bytes(b"{}")
    (tmp_path / "in" / "b.json").symlink_to("/etc/passwd")
    found = {file.name: (file.raw, file.refused) for file in gather([tmp_path / "in"])}
    assert found == {"a.json": (b"{}", ""), "b.json": (b"", "is a link")}
