import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from wardwatch.ui.cli import app
from wardwatch.ui.commands import _AsItIs


def commands(group, path=()):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


PARAMETERS = [
    pytest.param(param, id=f"{name} {param.name}")
    for name, command in commands(typer.main.get_command(app))
    for param in command.get_params(typer.Context(command))
]


def test_there_are_parameters_of_every_command():
    assert len(PARAMETERS) > 60


@pytest.mark.parametrize("param", PARAMETERS)
def test_a_parameter_takes_what_typer_would(param):
    ctx = typer.Context(typer.main.get_command(app))
    for said in (None, param.get_default(ctx), "a", "-", ["a", "b.pcap"], [], [__file__]):
        if isinstance(said, list) != (param.multiple or param.nargs == -1) and said is not None:
            continue
        answers = []
        for runtime in (_AsItIs(), None):
            param._runtime_param = runtime
            try:
                answers.append(param.get_runtime_param().coerce(said, param=param, ctx=ctx))
            except typer.BadParameter as refusal:
                answers.append(refusal.message)
        ours, typers = answers
        assert ours == typers
        assert type(ours) is type(typers)


def test_no_pydantic_is_loaded_for_texts_and_paths(tmp_path):
    asked = "import sys; from wardwatch.ui.cli import app\n"
    asked += "try: app(['audit', 'a', '--out', 'b', '--shelf', 'c', '--json'])\n"
    asked += "except Exception as error: print(type(error).__name__)\n"
    asked += "print('pydantic' in sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert ran.stdout.split() == ["UsageError", "False"]


def test_a_file_that_cannot_be_read_is_refused_in_typers_words(monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: mode == os.F_OK)
    told = CliRunner().invoke(app, ["audit", "x.pcap", "--site", str(Path(__file__))])
    assert told.exit_code == 2
    assert "is not readable" in told.output


def test_a_number_that_is_none_is_refused():
    told = CliRunner().invoke(app, ["evidence", "x.pcap", "--limit", "many"])
    assert told.exit_code == 2
    assert "--limit" in told.output
