"""The door that files come in by: what may be opened at all, and errors that name the file.

Every reader of the package looks at a path with `regular_file` and runs its parser inside `reading`. Parsers of
broken files raise whatever their libraries do (struct.error, KeyError, zlib.error, OverflowError, …), none of
which says which file it was.
"""

from __future__ import annotations

import difflib
import errno
import itertools
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from brainsieve.exceptions import CorruptImageError, DimensionError, FolderError, MissingFileError

# Names of a folder that are looked through for what is likely meant.
MOST_NAMES = 10_000
# Seeks and reads at impossible places: what a broken header asked for, not what the system refused.
_ASKED_BY_HEADERS = (errno.EINVAL, errno.EOVERFLOW, errno.EFBIG)


def regular_file(path: str | bytes | os.PathLike, what: str = "an image file") -> str:
    """The path of a file that can be read to its end, ``~`` expanded.

    Parameters
    ----------
    path : path
    what : str
        What should be given instead, for messages.

    Raises
    ------
    MissingFileError
        If there is none; the message says what is likely meant.
    FolderError
        If it is a folder.
    ValueError
        If it is a device, a pipe or a socket: these may never end.
    CorruptImageError
        If it is empty.
    """
    name = os.path.expanduser(os.fsdecode(path))
    if "\0" in name:
        raise ValueError(f"{name!r} is no path: it has a null character. Give {what}.")
    try:
        status = os.stat(name)
    except (FileNotFoundError, NotADirectoryError):
        raise MissingFileError(f"File not found: {name!r}{_likely_meant(name)}") from None
    if stat.S_ISDIR(status.st_mode):
        raise FolderError(f"{name!r} is a folder; give {what}.")
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{name!r} is a device, pipe or socket, not a regular file; give {what}.")
    if not status.st_size:
        raise CorruptImageError(f"{name} is empty: it has 0 bytes.")
    return name


def folder_given(name: str, path: str | os.PathLike[str]) -> str:
    """A folder that is there, ``~`` expanded.

    Parameters
    ----------
    name : str
        Of the parameter, for messages.
    path : path

    Raises
    ------
    MissingFileError, NotADirectoryError
        If there is none, or it is no folder.
    """
    text = os.path.expanduser(os.fspath(path))
    if not os.path.exists(text):
        raise MissingFileError(f"{name}: there is no folder {text!r}.")
    if not os.path.isdir(text):
        raise NotADirectoryError(f"{name}: {text!r} is no folder.")
    return text


def _likely_meant(path: str) -> str:
    """Which file of the same folder a missing one was probably meant to be."""
    folder, name = os.path.split(path)
    if not os.path.isdir(folder or "."):
        return f" (there is no folder {folder!r})." if folder else ""
    stem = name.removesuffix(".gz")
    try:
        with os.scandir(folder or ".") as entries:
            names = [entry.name for entry in itertools.islice(entries, MOST_NAMES)]
    except OSError:
        return ""
    found = [other for other in names if other.removesuffix(".gz") == stem]
    found = found or difflib.get_close_matches(name, names, n=1, cutoff=0.85)
    return f"; {found[0]!r} is there. Is it meant?" if found else ""


@contextmanager
def reading(path: str, form: str) -> Iterator[None]:
    """Turn whatever a parser raises into an error that names the file and its format.

    Parameters
    ----------
    path : str
    form : str
        The format: "NIfTI", "MGH", "GIFTI", …

    Raises
    ------
    CorruptImageError
        For what a parser raised. Errors of ours, and those whose words name the file, pass as they are.
    OSError, ImportError, MemoryError
        For what the system refused, what is not installed, and what does not fit: with the file's name.
    """
    try:
        yield
    except Exception as error:
        if _names_the_file(error, path):
            raise
        raise _named(error, path, form) from None


def _names_the_file(error: Exception, path: str) -> bool:
    if isinstance(error, MissingFileError | FolderError):
        return True
    told = isinstance(error, ValueError | DimensionError) or type(error) is TypeError
    return told and os.path.basename(path) in str(error)


def _named(error: Exception, path: str, form: str) -> Exception:
    if isinstance(error, ImportError):
        return ImportError(f"{path} is {form}; reading it needs a package that is not installed: {error}.")
    if isinstance(error, MemoryError):
        return MemoryError(f"{path} ({form}) does not fit into memory.")
    if isinstance(error, FileNotFoundError):
        return MissingFileError(f"File not found: {error.filename or path!r}, which {path} ({form}) needs.")
    if isinstance(error, OSError) and error.errno is not None and error.errno not in _ASKED_BY_HEADERS:
        return OSError(error.errno, os.strerror(error.errno), path)
    words = " ".join(str(error).split()) or "it breaks off"
    # A KeyError's own words are only the key.
    what = f"{type(error).__name__}: {words}" if not isinstance(error, ValueError) else words
    return CorruptImageError(f"{path} cannot be read as {form}: {what}")


def opened_from(img: Any) -> str | None:
    """The name of the file that an image of nibabel was opened from, or saved as; None where it has none."""
    try:
        return img.get_filename()
    except AttributeError:
        # Images may lack what nibabel keeps names in: nilearn's template has no `file_map`.
        return None
