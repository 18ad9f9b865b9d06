"""Which Python `.venv` is made of, and what somebody reads where none suits (decision 0043)."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SETUP = Path(__file__).parents[1] / "tools" / "setup.sh"
# A Python that suits or does not, has venv or not, and makes one by writing who made it.
FAKE = """#!/bin/sh
case "$*" in
*version_info*print*|*print*version_info*) echo python3.11-venv ;;
*version_info*) exit {old} ;;
*ensurepip*) exit {bare} ;;
*"print(sys.version)"*) case "$0" in .venv/*) cat .venv/maker ;; *) echo "$0" ;; esac ;;
-V) echo "Python 3.11.2" ;;
"-m venv "*) mkdir -p .venv/bin; cp "$0" .venv/bin/python; echo "$0" > .venv/maker ;;
*) echo "$*" >> .venv/asked ;;
esac
"""

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")


class Tree:
    """A tree with nothing but the script, and Pythons beside it."""

    def __init__(self, place: Path) -> None:
        self.place = place / "tree"
        self.bin = place / "bin"
        (self.place / "tools").mkdir(parents=True)
        self.bin.mkdir()
        shutil.copy(SETUP, self.place / "tools")
        # nobody is root here, so that nothing is installed from Debian
        self.write("id", "#!/bin/sh\necho 1000\n")

    def write(self, name: str, text: str) -> str:
        path = self.bin / name
        path.write_text(text)
        path.chmod(0o755)
        return str(path)

    def python(self, name: str, *, old: bool = False, bare: bool = False) -> str:
        return self.write(name, FAKE.format(old=int(old), bare=int(bare)))

    def run(self, python: str, system: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [str(self.place / "tools" / "setup.sh"), "runtime", python, system],
            env={**os.environ, "PATH": f"{self.bin}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @property
    def maker(self) -> str:
        return Path((self.place / ".venv" / "maker").read_text().strip()).name


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_the_systems_own_python_comes_before_the_one_on_the_path(tree: Tree) -> None:
    tree.python("python3")
    done = tree.run("", tree.python("system"))
    assert (done.returncode, tree.maker) == (0, "system")
    assert "--require-hashes -r requirements.lock" in (tree.place / ".venv" / "asked").read_text()


@pytest.mark.parametrize("flaw", ["old", "bare", "absent"])
def test_the_path_serves_where_the_systems_does_not_suit(tree: Tree, flaw: str) -> None:
    tree.python("python3")
    if flaw == "absent":
        system = str(tree.bin / "system")
    else:
        system = tree.python("system", old=flaw == "old", bare=flaw == "bare")
    done = tree.run("", system)
    assert (done.returncode, tree.maker) == (0, "python3")


def test_who_names_a_python_gets_it(tree: Tree) -> None:
    tree.python("python3")
    done = tree.run(tree.python("mine"), tree.python("system"))
    assert (done.returncode, tree.maker) == (0, "mine")


def test_a_python_out_of_range_is_named_and_none_other_taken(tree: Tree) -> None:
    mine = tree.python("mine", old=True)
    done = tree.run(mine, tree.python("system"))
    assert done.returncode == 1
    assert done.stderr == (
        f"wardwatch needs Python 3.11 to 3.14; {mine} is none of these. "
        "Try: make PYTHON=python3.11 runtime\n"
    )
    assert not (tree.place / ".venv").exists()


def test_a_python_without_venv_is_told_with_the_package(tree: Tree) -> None:
    done = tree.run(tree.python("mine", bare=True), tree.python("system"))
    assert done.returncode == 1
    assert done.stderr.endswith("Install it with: sudo apt-get install python3.11-venv\n")


def test_an_environment_that_stands_is_kept(tree: Tree) -> None:
    mine, system = tree.python("mine"), tree.python("system")
    for python in (mine, "", mine):
        assert tree.run(python, system).returncode == 0
        assert tree.maker == "mine"
    asked = (tree.place / ".venv" / "asked").read_text()
    assert asked.count("--require-hashes -r requirements.lock") == 3


def test_who_names_another_python_has_the_environment_made_anew(tree: Tree) -> None:
    system = tree.python("system")
    tree.run("", system)
    done = tree.run(tree.python("mine"), system)
    assert (done.returncode, tree.maker) == (0, "mine")
    assert done.stderr.startswith(".venv is of Python 3.11.2: it is made anew\nmaking .venv of ")


@pytest.mark.parametrize("flaw", ["old", "bare", "absent"])
def test_for_a_python_that_does_not_suit_no_environment_is_given_up(tree: Tree, flaw: str) -> None:
    system = tree.python("system")
    tree.run("", system)
    other = str(tree.bin / "none")
    if flaw != "absent":
        other = tree.python("other", old=flaw == "old", bare=flaw == "bare")
    assert tree.run(other, system).returncode == 1
    assert tree.maker == "system"
