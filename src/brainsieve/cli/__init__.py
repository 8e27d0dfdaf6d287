"""The command `brainsieve`: what people who write no Python need.

Importing this costs next to nothing, so that ``brainsieve --help`` answers at once; what a command needs is
imported when it runs.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

__all__ = ["main"]


def __dir__() -> list[str]:
    return __all__


DONE, FAILED, USAGE, BUG, INTERRUPTED = 0, 1, 2, 70, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name. Default: those of the process.

    Returns
    -------
    code : int
        0: done. 1: a file or a value is not what it should be, and one line on standard error says so.
        2: the command line itself is wrong. 70: a defect of the program. 130: interrupted.
    """
    from brainsieve.cli.arguments import parser
    from brainsieve.cli.options import UsageError

    arguments = parser().parse_args(argv)
    if arguments.command is None:
        parser().print_help()
        return USAGE
    arguments.argv = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        return _fail(f"interrupted; {_what_was_written(arguments)}.", INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has left: what Python flushes at its end must go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except UsageError as error:
        return _fail(
            f"{_one_line(error, arguments.command)} (brainsieve {arguments.command} --help tells more)", USAGE
        )
    except (ValueError, TypeError, OSError, ImportError, MemoryError) as error:
        if arguments.debug:
            raise
        return _fail(_one_line(error, arguments.command) + _before(arguments), FAILED)
    except Exception as error:
        if arguments.debug:
            raise
        what = f"{type(error).__name__}: {_one_line(error, arguments.command)}"
        return _fail(f"this should not happen: {what} (--debug shows where; please report it)", BUG)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.command == "extract":
        from brainsieve.cli.extract import run_extract

        return run_extract(arguments)
    if arguments.command == "cohort":
        from brainsieve.cli.cohort import run_cohort

        return run_cohort(arguments)
    from brainsieve.demo import run_demo

    run_demo(arguments.output, quiet=arguments.quiet)
    return DONE


def _what_was_written(arguments: argparse.Namespace) -> str:
    written = getattr(arguments, "written", [])
    return f"{', '.join(written)} were written before, nothing else" if written else "nothing was written"


def _before(arguments: argparse.Namespace) -> str:
    """What stands although a later run failed."""
    return f" ({_what_was_written(arguments)})" if getattr(arguments, "written", []) else ""


def _fail(message: str, code: int) -> int:
    from brainsieve.cli.console import tell

    tell(f"brainsieve: error: {message}")
    return code


def _one_line(error: BaseException, command: str) -> str:
    from brainsieve.cli.console import in_options
    from brainsieve.provenance import without_secrets

    if isinstance(error, MemoryError) and not str(error):
        return "not enough memory."
    text = str(error)
    if isinstance(error, OSError) and error.errno is not None and error.filename is not None:
        # As a sentence, and without the system's number.
        text = f"{error.filename!r}: {error.strerror}."
    return in_options(without_secrets(" ".join(text.split())), command) or type(error).__name__
