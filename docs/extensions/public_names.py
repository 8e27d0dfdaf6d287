"""A page for each public object, and tables of them: ``.. public:: brainsieve.maskers``.

What is public is what a module's ``__all__`` says. Pages are written to ``reference/`` before the sources are read,
and are kept where they would not change, so that a second build reads what is new only.
"""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.ext.autosummary import Autosummary
from sphinx.util.inspect import stringify_signature

FOLDER = "reference"
PAGE = """{title}
{line}

.. currentmodule:: {module}

.. auto{kind}:: {name}
{options}"""
MODULE_PAGE = """{module}
{line}

{words}

.. public:: {module}
   :pages:
"""
MEMBERS = """   :members:
   :inherited-members: BaseException, dict, tuple
   :special-members: __call__
"""
# Of scikit-learn's metadata routing, which images do not take part in.
ROUTING = re.compile(r"get_metadata_routing$|set_\w+_request$")

ATTRIBUTE = re.compile(r"(?<![\w`.:\\])([A-Za-z]\w*)_(?![\w`])")


def public_objects(module: str) -> dict[str, Any]:
    """Names and values of what a module offers, but for other modules and dunder names."""
    room = importlib.import_module(module)
    values = {name: getattr(room, name) for name in room.__all__ if not name.startswith("__")}
    return {name: value for name, value in values.items() if not isinstance(value, ModuleType)}


def listed_modules(source: str) -> list[str]:
    """The modules that a page has tables of."""
    return re.findall(r"^\.\. public:: (\S+)$", source, re.MULTILINE)


def page_of(module: str, name: str, value: Any) -> str:
    kind = "class" if inspect.isclass(value) else "function" if callable(value) else "data"
    if kind == "class" and issubclass(value, BaseException):
        kind = "exception"
    options = MEMBERS if kind == "class" else ""
    return PAGE.format(title=name, line="=" * len(name), module=module, kind=kind, name=name, options=options)


def write_pages(app: Sphinx) -> None:
    """Write a page of each module that ``api.md`` lists and of its objects; remove those of what is gone."""
    folder = Path(app.srcdir) / FOLDER
    (folder / "modules").mkdir(parents=True, exist_ok=True)
    with_examples = "sphinx_gallery.gen_gallery" in app.config.extensions
    pages = {}
    for module in listed_modules((Path(app.srcdir) / "api.md").read_text(encoding="utf-8")):
        words = inspect.cleandoc(importlib.import_module(module).__doc__ or "")
        pages[folder / "modules" / f"{module}.rst"] = MODULE_PAGE.format(
            module=module, line="=" * len(module), words=words
        )
        for name, value in public_objects(module).items():
            text = page_of(module, name, value)
            if with_examples:
                text += f"\n.. minigallery:: {module}.{name}\n   :add-heading: Examples using ``{name}``\n"
            pages[folder / f"{module}.{name}.rst"] = text
    for old in {*folder.glob("*.rst"), *folder.glob("modules/*.rst")} - set(pages):
        old.unlink()
    for path, text in pages.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def left_out(app: Sphinx, what: str, name: str, value: Any, skip: bool, options: Any) -> bool | None:
    """Members that are told nowhere: those of routing, and what Python's own classes bring."""
    if ROUTING.search(name):
        return True
    module = getattr(value, "__module__", None) or ""
    # Methods of scikit-learn have its own pages, which their docstrings refer to.
    if module.startswith("sklearn") and name not in ("get_params", "set_params"):
        return True
    return None


def own_signature(
    app: Sphinx, what: str, name: str, value: Any, options: Any, arguments: str | None, returned: str | None
) -> tuple[str, None] | None:
    """What Python says of a class, where Sphinx finds a ``__new__`` that passes everything on."""
    if what != "class" or issubclass(value, BaseException):
        return None
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return None
    return stringify_signature(signature, show_annotation=False, show_return_annotation=False), None


def escape_attributes(app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """A word that ends in an underscore is an attribute in our docstrings, and a link in reStructuredText."""
    for number, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "..")):
            parts = re.split(r"(`+[^`]*`+)", line)
            parts[::2] = [ATTRIBUTE.sub(r"\1\\_", part) for part in parts[::2]]
            lines[number] = "".join(parts)


def without_examples(app: Sphinx, page: str, source: list[str]) -> None:
    """Where there are no examples, the front page leads to none."""
    if page == "index" and "sphinx_gallery.gen_gallery" not in app.config.extensions:
        source[0] = source[0].replace("auto_examples/index\n", "")


class Public(Autosummary):
    """A table of a module's public objects, each with the first line of its docstring and a link to its page.

    With ``:pages:`` it is also where navigation finds these pages.
    """

    required_arguments = 1
    has_content = False
    option_spec: ClassVar[dict] = {"pages": directives.flag}

    def run(self) -> list:
        (module,) = self.arguments
        names = [f"~{module}.{name}" for name in public_objects(module)]
        self.content = StringList(names, module)
        self.options = {"nosignatures": None} | ({"toctree": ".."} if "pages" in self.options else {})
        return super().run()


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("public", Public)
    app.connect("builder-inited", write_pages, priority=100)
    app.connect("autodoc-skip-member", left_out)
    app.connect("autodoc-process-signature", own_signature)
    app.connect("source-read", without_examples)
    # Behind numpydoc, which escapes the names in its sections itself.
    app.connect("autodoc-process-docstring", escape_attributes, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
