"""Every example runs as a user runs it, finds what was planted (it says so itself), and is of the gallery's form."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))
NAMES = [path.stem for path in EXAMPLES]


def simulated_only():
    """The environment without the variables that name real data."""
    return {key: value for key, value in os.environ.items() if not key.startswith("BRAINSIEVE_EXAMPLES_")}


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=NAMES)
def test_an_example_finds_what_was_planted_without_a_warning(path, tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", str(path)],
        cwd=tmp_path,
        env=simulated_only() | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=80,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", EXAMPLES, ids=NAMES)
def test_an_example_is_of_the_gallerys_form_and_asserts_at_its_end(path):
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    title, line, *_ = ast.get_docstring(tree).splitlines()
    assert set(line) == {"="} and len(line) >= len(title)
    assert text.count("\n# %%\n") >= 3
    for heading, under in re.findall(r"\n# %%\n# (.+)\n# (-+)\n", text):
        assert len(under) >= len(heading), heading
    assert any(isinstance(node, ast.Assert) for node in ast.walk(tree.body[-1])), (
        "nothing is asserted at the end"
    )
    assert "nilearn" not in text


@pytest.mark.parametrize("path", EXAMPLES, ids=NAMES)
def test_variables_that_an_example_reads_are_told_in_its_text(path):
    text = path.read_text(encoding="utf-8")
    read = set(re.findall(r'environ(?:\.get\(|\[)"(\w+)"', text))
    told = ast.get_docstring(ast.parse(text))
    assert all(name.startswith("BRAINSIEVE_EXAMPLES_") and f"``{name}``" in told for name in read)


def test_there_are_examples():
    assert len(EXAMPLES) >= 23
