"""No import of the package closes a circle, and the check of that sees what it should."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[1] / "tools" / "import_circles.py"
spec = importlib.util.spec_from_file_location("import_circles", TOOL)
tool = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tool)


def package(folder: Path, **modules: str) -> Path:
    root = folder / "p"
    for name, code in modules.items():
        path = root.joinpath(*name.split("__")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code)
        for parent in path.relative_to(folder).parents:
            (folder / parent / "__init__.py").touch() if parent.name else None
    return root


def found(root: Path) -> list[set[str]]:
    return tool.circles(tool.imports_of(root))


def test_the_package_has_no_circle_of_imports(capsys):
    assert tool.main([]) == 0, capsys.readouterr().out


@pytest.mark.parametrize(
    "a, b",
    [
        ("import p.b", "import p.a"),
        ("from p.b import f", "def f():\n    from p.a import g"),
        ("from p import b", "from . import a"),
        ("from .b import f", "class C:\n    def m(self):\n        from .a import g"),
        ("import p.b", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from p.a import T"),
    ],
)
def test_circles_of_two_are_found_wherever_the_import_stands(a, b, tmp_path):
    assert found(package(tmp_path, a=a, b=b)) == [{"p.a", "p.b"}]


def test_longer_circles_are_found_whole_and_chains_are_none(tmp_path):
    root = package(
        tmp_path, a="from p.b import x", b="from p.c import x", c="from p.a import x", d="from p.a import x"
    )
    assert found(root) == [{"p.a", "p.b", "p.c"}]
    (root / "c.py").write_text("import os")
    assert found(root) == []


def test_a_module_that_asks_its_own_package_is_a_circle_and_one_that_asks_its_sibling_is_none(tmp_path):
    root = package(tmp_path, q__a="from p.q import f", q__b="x = 1")
    (root / "q" / "__init__.py").write_text("from p.q.a import f")
    assert found(root) == [{"p.q", "p.q.a"}]
    (root / "q" / "a.py").write_text("from p.q.b import f")
    assert found(root) == []


def test_a_circle_is_told_and_fails(tmp_path, capsys):
    assert tool.main([str(package(tmp_path, a="import p.b", b="import p.a"))]) == 1
    assert "p.a imports p.b" in capsys.readouterr().out


def test_what_is_allowed_still_is_a_circle():
    circles = found(TOOL.parents[1] / "src" / "brainsieve")
    assert [allowed for allowed in tool.ALLOWED if not any(circle <= allowed for circle in circles)] == []
