"""The documentation's code runs, and prints what it says."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import textwrap
from pathlib import Path

import pytest

from brainsieve.cli.arguments import parser

ROOT = Path(__file__).parents[1]
GUIDE = (
    "index",
    "quickstart",
    "from_nilearn",
    "which_masker",
    "pitfalls",
    "data",
    "decoding",
    "glm",
    "regions",
    "plotting",
)
PAGES = ["README.md", *(f"docs/{name}.md" for name in GUIDE)]


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
    promised = re.findall(r"^\s*print\(.*\)\s+# (.*)$", "\n".join(blocks), re.MULTILINE)
    assert capsys.readouterr().out.splitlines() == promised


def unrun_code():
    """Blocks on files that only their reader has: those that are indented, and those of pages not run as a whole."""
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        page, text = str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
        blocks = [] if page in PAGES else re.findall(r"```python\n(.*?)```", text, re.DOTALL)
        prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        blocks += [
            textwrap.dedent(block)
            for block in re.findall(r"\n\n((?:    .*\n|\n(?=    ))+)", prose)
            if re.search(r"^    (import|from|\w+(, \w+)* =|\w+\.)", block, re.MULTILINE)
        ]
        yield from ((f"{page}-{number}", block) for number, block in enumerate(blocks))


@pytest.mark.parametrize("block", [pytest.param(block, id=name) for name, block in unrun_code()])
def test_code_on_files_of_the_reader_compiles_and_imports_what_is_there(block):
    """And calls nothing of the package by a name, or with a keyword, that it does not have."""
    tree = ast.parse(block)
    names: dict = {"brainsieve": importlib.import_module("brainsieve")}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            exec(compile(ast.Module([node], []), "page", "exec"), names)
    called = 0
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        function = ast.unparse(node.func)
        if function.split(".")[0] in names and "(" not in function:
            parameters = inspect.signature(eval(function, names)).parameters
            open_ended = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
            given = {keyword.arg for keyword in node.keywords}
            assert open_ended or given <= set(parameters), function
            called += 1
    assert called


def test_every_page_is_in_a_table_of_contents():
    text = "".join((ROOT / f"docs/{name}.md").read_text(encoding="utf-8") for name in ("index", "guide"))
    listed = {
        line for block in re.findall(r"```{toctree}\n(.*?)```", text, re.DOTALL) for line in block.split("\n")
    }
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")} - {"index"}
    assert pages <= listed
    assert listed & pages == pages


def test_the_configuration_loads_nothing_from_elsewhere():
    """Scripts, styles and fonts of a page come with it: it is read without a network."""
    files = [ROOT / "docs" / "conf.py", *(ROOT / "docs" / "static").iterdir()]
    assert not [path.name for path in files if "://" in path.read_text(encoding="utf-8")]


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
    "page", ["README.md", "CONTRIBUTING.md", *(f"docs/{n}.md" for n in (*GUIDE, "guide", "api"))]
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
