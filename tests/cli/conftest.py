"""The command line as tests call it."""

from __future__ import annotations

import pytest

from brainsieve.cli import main
from brainsieve.datasets import load_demo_run

RUN = load_demo_run()


@pytest.fixture
def command():
    """Runs a command line of words of any kind; gives the exit code, argparse's own exits too."""

    def run(*words):
        try:
            return main([str(word) for word in words])
        except SystemExit as stop:
            return stop.code

    return run


@pytest.fixture
def extract(command):
    """``brainsieve extract`` on the demo's run and atlas, or on others."""

    def run(*words, run=RUN.bold, atlas=RUN.atlas):
        atlases = [] if atlas is None else ["--atlas", atlas]
        return command("extract", run, *atlases, *words)

    return run


@pytest.fixture
def error(capsys):
    """The one line that a failed command leaves, of all that it said."""

    def read():
        lines = capsys.readouterr().err.splitlines()
        assert "Traceback" not in "\n".join(lines)
        found = [line for line in lines if "error:" in line]
        assert len(found) == 1, lines
        return found[0]

    return read
