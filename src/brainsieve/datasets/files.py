"""Where the bundled files are."""

from __future__ import annotations

from pathlib import Path

DATA = Path(__file__).parent / "data"


def bundled(*parts: str) -> Path:
    """Path of a file that comes with the package.

    Raises
    ------
    FileNotFoundError
        If the installation lacks it.
    """
    path = DATA.joinpath(*parts)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing, although it comes with brainsieve; the installation is incomplete."
        )
    return path
