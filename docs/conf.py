"""How Sphinx builds these pages: `make docs`. Nothing on them is loaded from elsewhere."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "extensions"))
# Figures of examples are drawn without a screen.
os.environ.setdefault("MPLBACKEND", "agg")

from brainsieve import __version__  # noqa: E402

project = "brainsieve"
author = "The brainsieve developers"
copyright = author
release = version = __version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "public_names",
]

# Written by public_names before the sources are read.
exclude_patterns = ["extensions", "static", "reference/examples"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
myst_heading_anchors = 3
# Commands end with "…" and "OUT", which no lexer knows.
suppress_warnings = ["misc.highlighting_failure"]

autosummary_generate = False
autodoc_typehints = "none"
toc_object_entries_show_parents = "hide"
autodoc_member_order = "bysource"
# The stub of a class lists its members itself, with their whole docstrings.
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

EXAMPLES = HERE.parent / "examples"
GALLERY = "auto_examples"
# BRAINSIEVE_DOCS_EXAMPLES=0 lists the examples without running them.
if any(EXAMPLES.rglob("*.py")):
    extensions.append("sphinx_gallery.gen_gallery")
    sphinx_gallery_conf = {
        "examples_dirs": str(EXAMPLES),
        "gallery_dirs": GALLERY,
        "filename_pattern": r"\.py$",
        "plot_gallery": os.environ.get("BRAINSIEVE_DOCS_EXAMPLES", "1") != "0",
        "abort_on_example_error": True,
        "backreferences_dir": "reference/examples",
        "doc_module": ("brainsieve",),
        "download_all_examples": False,
        "show_memory": False,
        "show_signature": False,
        "remove_config_comments": True,
        "default_thumb_file": str(HERE / "images" / "regions.png"),
        # Its page would load scripts from elsewhere.
        "write_computation_times": False,
    }

html_theme = "pydata_sphinx_theme"
html_title = f"brainsieve {release}"
html_static_path = ["static"]
html_css_files = ["pages.css"]
html_show_sourcelink = False
html_copy_source = False
# Summaries are fetched, which browsers refuse to pages that are files.
html_show_search_summary = False
html_theme_options = {
    "logo": {"text": "brainsieve"},
    "show_toc_level": 2,
    "header_links_before_dropdown": 6,
    "navbar_align": "left",
    "footer_start": ["copyright"],
    "footer_end": [],
    "navigation_with_keys": False,
}
# Pages without siblings need no empty column beside them.
html_sidebars = {page: [] for page in ("index", "differences", "changelog", "citing")}
