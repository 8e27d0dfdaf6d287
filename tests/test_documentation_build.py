"""The documentation builds, and what it shows is what Python says; skipped where Sphinx is not installed."""

from __future__ import annotations

import html
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from brainsieve import maskers

pytest.importorskip("sphinx", reason="the extra docs is not installed")
pytest.importorskip("myst_parser", reason="the extra docs is not installed")

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Built as `make docs` does it, but for running the examples."""
    folder = tmp_path_factory.mktemp("site")
    command = [
        *("-q", "-W", "--keep-going", "-b", "html"),
        "-d",
        str(folder / "doctrees"),
        str(ROOT / "docs"),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *command, str(folder / "html")],
        env={
            "BRAINSIEVE_DOCS_EXAMPLES": "0",
            "MPLBACKEND": "agg",
            "PATH": "",
            "PYTHONPATH": str(ROOT / "src"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "html"


def objects():
    api = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    for module in re.findall(r"^\.\. public:: (\S+)$", api, re.MULTILINE):
        room = importlib.import_module(module)
        names = (name for name in room.__all__ if not name.startswith("__"))
        yield from ((module, name) for name in names if not inspect.ismodule(getattr(room, name)))


def test_every_public_object_has_a_page_and_nothing_else_has(site):
    pages = {path.stem for path in (site / "reference").glob("*.html")}
    assert pages == {f"{module}.{name}" for module, name in objects()}


@pytest.mark.parametrize("name", [name for name in maskers.__all__ if name != "BaseMasker"])
def test_the_page_of_a_masker_shows_the_defaults_of_its_signature(site, name):
    page = (site / "reference" / f"brainsieve.maskers.{name}.html").read_text(encoding="utf-8")
    head = re.search(rf'<dt class="sig[^>]*id="brainsieve.maskers.{name}".*?</dt>', page, re.DOTALL)[0]
    shown = re.findall(r'<em class="sig-param">(.*?)</em>', head, re.DOTALL)
    told = [html.unescape(re.sub(r"<[^>]*>", "", each)) for each in shown]
    parameters = inspect.signature(getattr(maskers, name)).parameters
    assert told == [f"{key}={each.default!r}" for key, each in parameters.items()]


def test_pages_load_nothing_from_elsewhere(site):
    loads = re.compile(r'<(?:script|img|link)[^>]*(?:src|href)="(?:https?:)?//[^"]*"')
    assert [
        path.name for path in site.rglob("*.html") if loads.search(path.read_text(encoding="utf-8"))
    ] == []


def test_no_page_shows_a_private_name(site):
    shown = re.compile(r'<dt class="sig[^>]*id="[\w.]*\._[a-z]')
    pages = (site / "reference").glob("*.html")
    assert [path.name for path in pages if shown.search(path.read_text(encoding="utf-8"))] == []


def test_the_search_knows_parameters(site):
    assert "smoothing_fwhm" in (site / "searchindex.js").read_text(encoding="utf-8")
