"""A page of HTML that shows itself in Jupyter, in a file and in a browser."""

from __future__ import annotations

import html
import tempfile
import webbrowser
from pathlib import Path
from string import Template
from typing import Any

from brainsieve.whole_files import replacing


class HTMLReport:
    """A self-contained page.

    Parameters
    ----------
    head_tpl : string.Template or str
        The page, with ``$body`` where `body` goes, and names of `head_values`.
    body : str
        HTML of what is shown.
    head_values : dict of str to str, optional
        What the other names in `head_tpl` stand for; inserted as they are.

    Attributes
    ----------
    width, height : int
        Of the frame that shows the page in a notebook, in pixels.
    """

    def __init__(self, head_tpl: Any, body: str, head_values: dict[str, str] | None = None) -> None:
        self._template = head_tpl if isinstance(head_tpl, Template) else Template(head_tpl)
        self.body = body
        self._head_values = dict(head_values or {})
        self.width, self.height = 1000, 720

    @property
    def html(self) -> str:
        """The whole page."""
        return self.get_standalone()

    def get_standalone(self) -> str:
        """The whole page, to be written to a file.

        Returns
        -------
        page : str
        """
        return self._template.safe_substitute(body=self.body, **self._head_values)

    def get_iframe(self, width: int | None = None, height: int | None = None) -> str:
        """The page inside a frame, to be shown within another.

        Parameters
        ----------
        width, height : int, optional
            In pixels. Default: the attributes.

        Returns
        -------
        frame : str
        """
        page = html.escape(self.get_standalone(), quote=True)
        return (
            f'<iframe srcdoc="{page}" width="{width or self.width}" height="{height or self.height}" '
            'style="border: none; max-width: 100%"></iframe>'
        )

    def resize(self, width: int, height: int) -> HTMLReport:
        """Change the size of the frame in notebooks.

        Parameters
        ----------
        width, height : int
            In pixels.

        Returns
        -------
        self
        """
        self.width, self.height = int(width), int(height)
        return self

    def save_as_html(self, file_name: Any) -> None:
        """Write the page to a file.

        Parameters
        ----------
        file_name : path
            It appears whole, or stays as it was.
        """
        with replacing(Path(file_name).expanduser()) as unfinished:
            unfinished.write_text(self.get_standalone(), encoding="utf-8")

    def open_in_browser(self, file_name: Any = None) -> str:
        """Show the page in the browser.

        Parameters
        ----------
        file_name : path, optional
            Where to write it first. Default: a new temporary file, which stays.

        Returns
        -------
        file_name : str
        """
        if file_name is None:
            with tempfile.NamedTemporaryFile(suffix=".html", prefix="brainsieve-", delete=False) as file:
                file_name = file.name
        self.save_as_html(file_name)
        webbrowser.open(Path(file_name).absolute().as_uri())
        return str(file_name)

    def _repr_html_(self) -> str:
        return self.get_iframe()
