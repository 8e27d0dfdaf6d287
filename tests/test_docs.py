"""The documentation's code runs, and prints what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from brainsieve.cli.arguments import parser

ROOT = Path(__file__).parents[1]
PAGES = [
    "README.md",
    *(f"docs/{n}.md" for n in ("quickstart", "data", "decoding", "glm", "regions", "plotting")),
]


def code_of(page):
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_code_runs_and_prints_what_its_comments_say(page, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = code_of(page)
    assert blocks
    names: dict = {}
    for block in blocks:
        exec(compile(block, page, "exec"), names)
    promised = re.findall(r"^print\(.*\)\s+# (.*)$", "\n".join(blocks), re.MULTILINE)
    assert capsys.readouterr().out.splitlines() == promised


def test_the_readme_s_example_gives_what_it_says():
    (block,) = code_of("README.md")
    assert len(block.strip().splitlines()) <= 10
    names: dict = {}
    exec(compile(block, "README.md", "exec"), names)
    assert names["signals"].shape == (82, 10)
    assert names["signals"].columns[0] == "left-white-matter"
    assert names["image"].shape == (26, 26, 13, 82)


@pytest.mark.parametrize("page", ["README.md", "docs/cli.md", "docs/cohorts.md"])
def test_commands_use_options_that_exist(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    known = {
        option
        for command in parser()._subparsers._group_actions[0].choices.values()
        for option in command._option_string_actions
    }
    used = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) - {"--help", "--version"}
    assert used
    assert used <= known


@pytest.mark.parametrize(("command", "page"), [("extract", "cli"), ("cohort", "cohorts")])
def test_every_option_is_in_the_page_on_its_command(command, page):
    text = (ROOT / f"docs/{page}.md").read_text(encoding="utf-8")
    actions = parser()._subparsers._group_actions[0].choices[command]._option_string_actions
    # Those with _ are told once for all.
    options = {o for o in actions if o.startswith("--") and "_" not in o} - {"--help", "--output"}
    assert [option for option in sorted(options) if option not in text] == []


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", *(f"docs/{n}.md" for n in ("index", "api"))]
)
def test_links_to_files_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (ROOT / page).parent.joinpath(target).exists(), target


def test_every_target_that_is_documented_is_one_of_make():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    text = "".join((ROOT / page).read_text(encoding="utf-8") for page in ("README.md", "CONTRIBUTING.md"))
    named = set(re.findall(r"^make ([a-z-]+)", text, re.MULTILINE))
    assert {"demo", "test"} <= named <= targets
