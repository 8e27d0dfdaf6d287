"""``python -m brainsieve.accelerate [-v] script.py args…``"""

from __future__ import annotations

import argparse
import runpy
import sys
from pathlib import Path

from brainsieve.accelerate import install, report


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m brainsieve.accelerate",
        description="Run a script written for nilearn with brainsieve's maskers, cleaning and image functions.",
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="list what was replaced, and its times")
    parser.add_argument("script", type=Path, help="the script to run")
    parser.add_argument("args", nargs=argparse.REMAINDER, help="its arguments")
    arguments = parser.parse_args()
    if not arguments.script.is_file():
        parser.error(f"{arguments.script}: no such file")
    replaced = install()
    if arguments.verbose:
        print(f"[accelerate] replaced {len(replaced)}: {', '.join(replaced)}", file=sys.stderr)
        print(f"[accelerate] still nilearn's: {', '.join(report()['kept'])}", file=sys.stderr)
    sys.argv = [str(arguments.script), *arguments.args]
    sys.path.insert(0, str(arguments.script.resolve().parent))
    try:
        runpy.run_path(str(arguments.script), run_name="__main__")
    finally:
        if arguments.verbose:
            print_report()


def print_report() -> None:
    told = report()
    for name, (seconds, calls) in sorted(told["times"].items(), key=lambda item: -item[1][0]):
        print(f"[accelerate] {name}: {seconds:.2f} s in {calls} calls", file=sys.stderr)
    for place, name in told["held"].items():
        print(f"[accelerate] {place} is still nilearn's {name}", file=sys.stderr)


if __name__ == "__main__":
    main()
