"""Files that appear whole or not at all, alone or several together.

What is unfinished lies in a hidden folder beside its target, under the target's own name: any writer can be used,
a format is told by its suffix as always, no ``*.nii.gz`` finds it, and the last step is a rename within one file
system. The folder is removed after any error; what a killed process left is removed by the next one that writes there.
"""

from __future__ import annotations

import errno
import functools
import hashlib
import os
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["checked_target", "replacing", "replacing_together"]

PREFIX = ".brainsieve-unfinished-"
# Host, boot, process and the time that it started, then what makes the name unique.
LEFTOVER = re.compile(re.escape(PREFIX) + r"([0-9a-f]{8})-([0-9a-f]{8})-(\d+)-(\d+)-\w{8}")
A_DAY = 86_400.0
# A folder of very many files takes long to look through: at most a twentieth of the time goes there.
SCANS_SHARE = 20

_next_scan: dict[str, float] = {}


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Where to write a file that takes the place of `path` when the ``with`` block ends without an error.

    Parameters
    ----------
    path : path
        A link is followed, as ``open`` does.

    Yields
    ------
    unfinished : Path
        Of the same name, in a folder that is gone afterwards.

    Raises
    ------
    OSError
        If the folder is missing, or the file cannot be written there; the message has the name of the file.
    ValueError
        If `path` is a device, a pipe, or no name of a file.
    """
    with replacing_together([path]) as unfinished:
        yield unfinished[0]


@contextmanager
def replacing_together(
    paths: Sequence[str | os.PathLike[str]], *, durable: bool = True
) -> Iterator[list[Path]]:
    """Where to write several files that take their places together: all, or none after an error or an interrupt.

    Parameters
    ----------
    paths : sequence of paths
        They take their places in this order.
    durable : bool, default=True
        Have each on the disk before it takes its place: else a power cut may leave neither the old nor the new one.
        False is for those who can tell an incomplete file, and make thousands.

    Yields
    ------
    unfinished : list of Path

    Raises
    ------
    OSError, ValueError
        As `replacing`; ValueError also where two are the same file.
    """
    targets = [checked_target(path) for path in paths]
    repeated = next((target for i, target in enumerate(targets) if target in targets[:i]), None)
    if repeated is not None:
        raise ValueError(f"{str(repeated)!r} would be written twice.")
    folders: dict[Path, Path] = {}
    try:
        for folder in dict.fromkeys(target.parent for target in targets):
            folders[folder] = _unfinished_folder(folder)
        unfinished = [folders[target.parent] / target.name for target in targets]
        yield unfinished
        _put_in_place(unfinished, targets, durable)
    except OSError as error:
        # One after the other is written: the last that was begun is the one that failed.
        begun = [target for target in targets if (folders.get(target.parent, target) / target.name).exists()]
        failed = (begun or targets)[-1]
        if type(error) is OSError and error.errno is None:
            # NumPy's own words of a full disk have neither a number nor a name.
            raise OSError(errno.EIO, f"cannot be written: {error}", str(failed)) from error
        _name_target(error, dict(zip(folders.values(), folders, strict=False)), failed)
        raise
    finally:
        for made in folders.values():
            shutil.rmtree(made, ignore_errors=True)


def checked_target(path: str | os.PathLike[str]) -> Path:
    """The file that a path stands for when it is written, links followed; raises as `replacing` does."""
    text = os.path.expanduser(os.fspath(path))
    if "\0" in text or not os.path.basename(text):
        raise ValueError(f"{text!r} is no name of a file.")
    target = Path(os.path.realpath(text) if os.path.islink(text) else os.path.abspath(text))
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a folder; give the name of a file", text)
    if target.exists() and not target.is_file():
        raise ValueError(f"{text!r} is a device or a pipe; give the name of a file.")
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "the folder does not exist", str(target.parent))
    # A rename would pass over the protection of a file that may not be written.
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "may not be written", text)
    return target


def _name_target(error: OSError, folders: dict[Path, Path], failed: Path) -> None:
    """Put the user's name into an error of the system: of a full disk it has none, else the unfinished file's."""
    if error.errno is None:
        return
    name = error.filename
    if name is None:
        error.filename = str(failed)
    elif isinstance(name, str | os.PathLike):
        place = folders.get(Path(name).parent)
        if place is not None:
            error.filename = str(place / Path(name).name)


def _put_in_place(unfinished: list[Path], targets: list[Path], durable: bool) -> None:
    for file, target in zip(unfinished, targets, strict=True):
        if durable:
            _sync(file)
        if target.exists():
            shutil.copymode(target, file)
    if len(targets) == 1:
        os.replace(unfinished[0], targets[0])
        return
    undo: list[tuple[Path, Path | None]] = []
    try:
        for file, target in zip(unfinished, targets, strict=True):
            undo.append((target, _second_name(target, file.parent)))
            os.replace(file, target)
    except BaseException:
        for target, old in reversed(undo):
            if old is None:
                target.unlink(missing_ok=True)
            else:
                os.replace(old, target)
        raise


def _second_name(target: Path, folder: Path) -> Path | None:
    """A file under another name, so that it can come back; None where there is none."""
    if not target.exists():
        return None
    old = Path(tempfile.mkdtemp(dir=folder)) / target.name
    try:
        os.link(target, old)
    except OSError:  # FAT and some network drives have no links
        shutil.copy2(target, old)
    return old


def _sync(file: Path) -> None:
    """Have a file on the disk before it replaces another: else a power cut may leave neither."""
    with file.open("rb+") as stream:
        os.fsync(stream.fileno())


# -- unfinished folders, and who made them ---------------------------------------------------------------


def _unfinished_folder(folder: Path) -> Path:
    _remove_leftovers(folder)
    prefix = f"{PREFIX}{_host()}-{_boot()}-{os.getpid()}-{_started(os.getpid()) or 0}-"
    try:
        return Path(tempfile.mkdtemp(prefix=prefix, dir=folder))
    except OSError as error:
        error.filename = str(folder)
        raise


def _remove_leftovers(folder: Path) -> None:
    """Remove what killed processes of ours left in a folder; a name alone is not enough to be removed."""
    start = time.monotonic()
    # Elsewhere processes cannot be asked for without harm.
    if os.name != "posix" or start < _next_scan.get(str(folder), 0.0):
        return
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            match = LEFTOVER.fullmatch(entry.name)
            if match and _is_our_folder(entry) and _is_abandoned(Path(entry.path), *match.groups()):
                shutil.rmtree(entry.path, ignore_errors=True)
    now = time.monotonic()
    _next_scan[str(folder)] = now + SCANS_SHARE * (now - start)


def _is_our_folder(entry: os.DirEntry[str]) -> bool:
    # Processes of other users may be hidden from us, and look as if they were gone.
    return entry.is_dir(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_uid == os.getuid()


def _is_abandoned(folder: Path, host: str, boot: str, process: str, started: str) -> bool:
    """Whether the process that made a folder is known to be gone."""
    if host != _host():
        return False
    if boot != _boot():
        # Before a restart, or in another container: its processes cannot be seen from here.
        return _unchanged_for_a_day(folder)
    if os.path.isdir("/proc/self"):
        return _started(int(process)) != int(started)
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def _unchanged_for_a_day(folder: Path) -> bool:
    try:
        newest = max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))
    except OSError:
        return False
    return time.time() - newest > A_DAY


@functools.cache
def _host() -> str:
    return _short_digest(socket.gethostname(), _text_of("/etc/machine-id"))


@functools.cache
def _boot() -> str:
    """Of the kernel's start and of the container, as numbers of processes mean nothing in another."""
    try:
        container = os.readlink("/proc/self/ns/pid")
    except OSError:
        container = ""
    return _short_digest(_text_of("/proc/sys/kernel/random/boot_id"), container)


def _started(process: int) -> int | None:
    """When a process started, in the kernel's ticks: its number may be another's by now. None: it does not run."""
    # The name of the program, in brackets, may have spaces.
    fields = _text_of(f"/proc/{process}/stat").rpartition(")")[2].split()
    return int(fields[19]) if len(fields) > 19 and fields[0] not in "ZX" else None


def _text_of(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def _short_digest(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "replace"), digest_size=4).hexdigest()
