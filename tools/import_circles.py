"""Find circles of imports in the package, imports inside functions counted.

Usage: python tools/import_circles.py [FOLDER OF THE PACKAGE]

A circle means that its modules are one room with several doors: nobody can read, test or move one of them without the
others. An import inside a function hides it from Python, not from the reader.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path

Graph = dict[str, set[str]]

# Circles that are being mended, as sets of modules. May only shrink.
ALLOWED: list[set[str]] = []


def imports_of(package: Path) -> Graph:
    """Which modules of a package each of its modules imports, wherever in the file."""
    files = {module_name(package, path): path for path in sorted(package.rglob("*.py"))}
    return {
        name: {
            module
            for statement in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            for module in imported(statement, name, path.name == "__init__.py", files.keys())
        }
        - {name}
        for name, path in files.items()
    }


def module_name(package: Path, path: Path) -> str:
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(statement: ast.AST, importer: str, is_package: bool, modules: AbstractSet[str]) -> Iterator[str]:
    """Modules of the package that a statement imports by name.

    ``from a import b`` is an import of a.b where that is a module, else of a. That Python runs the packages around
    a module as well is left out: every package that offers what its modules have would be a circle.
    """
    if isinstance(statement, ast.Import):
        yield from (alias.name for alias in statement.names if alias.name in modules)
    elif isinstance(statement, ast.ImportFrom):
        base = statement.module or ""
        if statement.level:
            around = importer.split(".")
            around = around[: len(around) - statement.level + is_package]
            base = ".".join([*around, base] if base else around)
        for alias in statement.names:
            inner = f"{base}.{alias.name}"
            if inner in modules:
                yield inner
            elif base in modules:
                yield base


def circles(graph: Graph) -> list[set[str]]:
    """Strongly connected components of more than one module (Tarjan 1972, doi:10.1137/0201010)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    path: list[str] = []
    found = []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        path.append(module)
        for other in sorted(graph[module]):
            if other not in index:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in path:
                low[module] = min(low[module], index[other])
        if low[module] == index[module]:
            together = set(path[path.index(module) :])
            del path[path.index(module) :]
            if len(together) > 1:
                found.append(together)

    for module in sorted(graph):
        if module not in index:
            visit(module)
    return found


def main(arguments: list[str]) -> int:
    package = Path(arguments[0]) if arguments else Path(__file__).parents[1] / "src" / "brainsieve"
    graph = imports_of(package)
    new = [circle for circle in circles(graph) if not any(circle <= allowed for allowed in ALLOWED)]
    for circle in new:
        print(f"A circle of {len(circle)} modules:")
        for module in sorted(circle):
            print(f"  {module} imports {', '.join(sorted(graph[module] & circle))}")
    return 1 if new else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
